"""The optimum engine against published numbers, closed forms and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj

LAW = sj.laws.chinchilla
OLD = LAW.published["besiroglu2024"]
SARDANA = LAW.published["sardana2023"]
INFERENCE = sj.costs.six_nd_inference


@pytest.fixture(scope="module")
def fit():
    """A precise fit to simulated runs."""
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7.5, 10, 120), 10 ** rng.uniform(9, 11.5, 120)
    return sj.fit(LAW, sj.simulate(LAW, OLD, N=N, D=D, noise=0.002))


# Published numbers and closed forms


def test_smaller_model_for_inference():
    """The quality of a 7B Chinchilla model with 1e11 inference tokens: a 6B model on 1.18 times the tokens (Sardana et al. 2023)."""
    p = SARDANA
    D = (p["beta"] * p["B"] / (p["alpha"] * p["A"]) * 7e9 ** p["alpha"]) ** (1 / p["beta"])
    loss = LAW(7e9, D, **p)
    plan = sj.allocate((LAW, p), loss=loss, cost=INFERENCE, D_inf=1e11)
    assert loss == pytest.approx(2.12743, abs=5e-6) and pytest.approx(2.764e11, rel=2e-4) == D
    assert plan.N == pytest.approx(5.997e9, rel=1e-3)  # published from a coarser search: the valley is flat
    assert plan.D == pytest.approx(3.250e11, rel=1e-4) and plan.D / D == pytest.approx(1.1758, abs=5e-5)
    assert plan.compute / INFERENCE(7e9, D, 1e11) == pytest.approx(0.99154, abs=5e-6)
    ratio = p["alpha"] * p["A"] * plan.N ** -p["alpha"] / (p["beta"] * p["B"] * plan.D ** -p["beta"])
    assert ratio == pytest.approx(1 + 1e11 / (3 * plan.D), rel=1e-8)


@pytest.mark.parametrize("name", ["hoffmann2022", "besiroglu2024", "sardana2023"])
def test_least_compute_of_a_loss_is_the_closed_form(name):
    """At the optimum the two terms are as beta to alpha, so that l - E = A N^-alpha (1 + alpha / beta)."""
    p, loss = LAW.published[name], np.asarray([2.0, 2.5, 3.5])
    plan = sj.allocate((LAW, p), loss=loss)
    N = (p["A"] * (1 + p["alpha"] / p["beta"]) / (loss - p["E"])) ** (1 / p["alpha"])
    D = (p["B"] * (1 + p["beta"] / p["alpha"]) / (loss - p["E"])) ** (1 / p["beta"])
    np.testing.assert_allclose([plan.N, plan.D, plan.compute], [N, D, 6 * N * D], rtol=1e-8)


def test_kaplan_under_six_nd_is_the_closed_form():
    """(alpha_N / alpha_D) (N_c / N)^(alpha_N / alpha_D) = D_c / D."""
    law = sj.laws.kaplan
    p, C = law.published["kaplan2020"], np.asarray([1e18, 1e21, 1e24])
    plan = sj.allocate((law, p), compute=C)
    ratio = p["alpha_N"] / p["alpha_D"]
    N = (ratio * p["N_c"] ** ratio * C / 6 / p["D_c"]) ** (1 / (1 + ratio))
    np.testing.assert_allclose([plan.N, plan.D], [N, C / 6 / N], rtol=1e-8)


# Derivatives of the optimum


def price(N, D, D_inf, dollars):
    """Lifetime dollars."""
    return dollars * 1e-18 * (6 * N * D + 2 * N * D_inf)


BEST = sj.argmin(
    LAW,
    {"N": sj.Positive(1e6, 1e12), "D": sj.Positive(1e8, 1e14)},
    equal={"budget": lambda N, D, D_inf, dollars, money: price(N, D, D_inf, dollars) / money - 1},
    below={"memory": lambda N, largest: N / largest - 1},
)
AT = {"D_inf": 1e11, "dollars": 2.0, "money": 3e3, **SARDANA}


def optimum(v):
    """The optimum, to be differentiated and to be shown."""
    best = BEST(**v)
    return best, best


SLOPES = jax.jit(jax.jacfwd(optimum, has_aux=True))


@pytest.mark.parametrize("largest, held", [(1e12, False), (1e9, True)])
def test_gradient_of_the_optimum_is_the_finite_difference(largest, held):
    """With respect to budget, price, inference demand, cap and all parameters at once."""
    with jax.enable_x64():
        at = {n: jnp.asarray(float(v)) for n, v in {"largest": largest, **AT}.items()}
        slope, best = SLOPES(at)
        assert (float(best["N"]) == pytest.approx(largest)) == held
        for name, value in at.items():
            up, down = (SLOPES({**at, name: value * (1 + step)})[1] for step in (1e-4, -1e-4))
            for answer in ("N", "D"):
                wanted = (up[answer] - down[answer]) / 2e-4 / best[answer]
                assert float(slope[answer][name] * value / best[answer]) == pytest.approx(float(wanted), rel=1e-5, abs=1e-6)
    assert float(slope["N"]["largest"]) == pytest.approx(1.0 if held else 0.0, abs=1e-8)


def test_elasticities_are_finite_differences_of_new_plans():
    at = {"compute": 1e21, "D_inf": 1e11}
    plan = sj.allocate((LAW, SARDANA), cost=INFERENCE, **at)
    step = 1e-4
    for row in plan.sensitivity().rows:
        name, wanted = row[0], np.asarray([float(cell) for cell in row[2:]])
        ends = []
        for sign in (1, -1):
            p, asked = dict(SARDANA), dict(at)
            (p if name in p else asked)[name] *= np.exp(sign * step)
            moved = sj.allocate((LAW, p), cost=INFERENCE, **asked)
            ends.append(np.log([moved.N, moved.D, moved.loss, moved.tokens_per_parameter]))
        np.testing.assert_allclose(wanted, (ends[0] - ends[1]) / (2 * step), atol=6e-5, err_msg=name)
    assert [row[0] for row in plan.sensitivity().rows] == ["compute", *SARDANA, "D_inf"]


# How sure, and how flat


def test_delta_and_draws_agree(fit):
    plan = sj.allocate(fit, compute=[1e21, 1e22])
    draws, delta = plan.interval(0.8), plan.interval(0.8, method="delta")
    assert set(draws) == set(delta)
    for name in draws:
        widths = [np.log(high / low) for low, high in (draws[name], delta[name])]
        np.testing.assert_allclose(widths[0], widths[1], rtol=0.1, err_msg=name)
        np.testing.assert_allclose(draws[name][0], delta[name][0], rtol=0.05, err_msg=name)


def test_within_ends_where_the_loss_is_worse_by_the_tolerance():
    plan = sj.allocate((LAW, OLD), compute=1e21)
    for name, (low, high) in plan.within(0.01).items():
        assert low < plan.inputs[name] < high
        for end in (low, high):
            N, D = (end, 1e21 / 6 / end) if name == "N" else (1e21 / 6 / end, end)
            assert LAW(N, D, **OLD) == pytest.approx(1.01 * plan.loss, rel=1e-9)


@pytest.mark.slow
def test_within_ends_where_the_cost_is_higher_by_the_tolerance():
    plan = sj.allocate((LAW, OLD), loss=2.3)
    for name, pair in plan.within(0.01).items():
        terms = {"N": (OLD["A"], OLD["alpha"]), "D": (OLD["B"], OLD["beta"])}
        (a, alpha), (b, beta) = terms.pop(name), *terms.values()
        for end in pair:
            other = (b / (2.3 - OLD["E"] - a * end**-alpha)) ** (1 / beta)
            assert 6 * end * other == pytest.approx(1.01 * plan.compute, rel=1e-9)


def test_draws_that_cannot_reach_a_loss_are_infinite_cost():
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7.5, 10, 120), 10 ** rng.uniform(9, 11.5, 120)
    rough = sj.fit(LAW, sj.simulate(LAW, OLD, N=N, D=D, noise=0.01))
    plan = sj.allocate(rough, loss=[2.3, 1.9])
    low, high = plan.interval(0.998)["compute"]
    assert np.isfinite(low).all() and np.isinf(high[1]) and 0 < plan.unmet[1] < 0.5 and "cannot reach" in repr(plan)
