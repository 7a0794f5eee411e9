"""One-pass SGD on power-law random features: steps against the limit, exponents of every phase, derivatives, batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax import papers

# A point well inside of each phase.
PHASES = {"Ia": (1.0, 0.3), "Ib": (0.4, 0.3), "Ic": (0.2, 0.8), "II": (1.0, 0.7), "III": (0.7, 1.2), "IVa": (0.4, 0.8), "IVb": (0.27, 0.7)}
BUDGETS = np.geomspace(1e14, 1e16, 5)


def balanced(alpha: float, beta: float) -> tuple[float, float]:
    """xi and eta from the powers of the four terms, by the least over sizes f^x of the largest term."""
    x = np.linspace(0, 1, 20_001)
    rate = min(0.0, 2 * alpha - 1) * x
    time = 1 - x + rate
    terms = [-(2 * alpha + 2 * beta - 1) / (2 * alpha) * time, (max(0.0, 1 - 2 * beta) - 2 * alpha) * x]
    if alpha > 0.25:
        terms.append(rate - (2 - 1 / (2 * alpha)) * time)
    if min(alpha, beta) > 0.5:
        terms.append(-x - (1 - 1 / (2 * alpha)) * time)
    loss = np.max(terms, axis=0)
    return x[np.argmin(loss)], -loss.min()


def test_exponents_balance_the_terms_all_over_the_plane():
    rng, seen = np.random.default_rng(0), set()
    for alpha, beta in rng.uniform(0.05, 1.5, (300, 2)):
        if alpha + beta < 0.55 or abs(alpha - 1 + 0.5**0.5) < 0.02:  # at the border of IVa and IVb two sizes are equally good
            continue
        found = sj.formulas.plrf_exponents(alpha, beta=beta)
        np.testing.assert_allclose([found["xi"], found["eta"]], balanced(alpha, beta), atol=1e-4, err_msg=f"{alpha}, {beta}")
        seen.add(papers.plrf_phase(alpha, beta))
    assert seen == set(PHASES)


def test_simulated_budgets_have_the_exponents_of_every_phase():
    """Within 5 % at 1e14 to 1e16 steps times features, for size and loss, and the phases are told apart."""
    best = {name: papers.plrf_optimum(BUDGETS, alpha=alpha, beta=beta) for name, (alpha, beta) in PHASES.items()}
    phase, f = np.repeat(list(PHASES), len(BUDGETS)), np.tile(BUDGETS, len(PHASES))
    runs = sj.read_runs({"x": f, "loss": np.concatenate([b["loss"] for b in best.values()]), "phase": phase})
    eta = sj.fit(sj.laws.power_law, runs, by="phase", fix={"E": 0.0})
    xi = sj.compare_slopes(f, np.concatenate([b["d"] for b in best.values()]), phase)
    expected = [sj.formulas.plrf_exponents(alpha, beta=beta) for alpha, beta in PHASES.values()]
    assert [papers.plrf_phase(*point) for point in PHASES.values()] == list(PHASES)
    assert list(eta.groups) == list(xi.groups) == list(PHASES)
    np.testing.assert_allclose(eta.params["alpha"], [e["eta"] for e in expected], rtol=0.05)
    np.testing.assert_allclose(xi.slopes, [e["xi"] for e in expected], rtol=0.05)
    assert xi.p_equal < 1e-6


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.3), (0.7, 0.7), (0.4, 0.8)])
def test_steps_of_sgd_have_the_loss_of_the_limit(alpha, beta):
    r = np.array([30, 100, 300])
    losses = papers.simulate_plrf(alpha, beta, d=60, v=240, steps=300, kernel_norm=0.1, runs=64)[:, r]
    limit = papers.plrf_loss(r, 60.0, alpha=alpha, beta=beta, kernel_norm=0.1)
    np.testing.assert_allclose(losses.mean(axis=0), limit, rtol=0.1)
    assert (np.abs(losses.mean(axis=0) - limit) < 4 * losses.std(axis=0) / 8).all()


def test_batches_and_rates_follow_the_limit():
    r = np.array([30, 100])
    losses = papers.simulate_plrf(0.8, 0.6, d=60, v=240, steps=100, kernel_norm=0.02, B=8, runs=64, seed=1)[:, r]
    np.testing.assert_allclose(losses.mean(axis=0), papers.plrf_loss(r, 60.0, alpha=0.8, beta=0.6, kernel_norm=0.02, B=8.0), rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "beta", "power"), [(1.2, 0.3, 2 / 2.4), (1.5, 0.2, 2.4 / 3)])
def test_steps_of_sgd_have_the_slope_of_theory(alpha, beta, power):
    """F_pp ~ r^-(2 alpha + 2 beta - 1)/(2 alpha) while features are many, step by step."""
    steps = np.geomspace(30, 300, 6).astype(int)
    losses = papers.simulate_plrf(alpha, beta, d=300, v=1200, steps=300, kernel_norm=0.1, runs=32).mean(axis=0)
    fit = sj.fit(sj.laws.power_law, sj.read_runs({"x": steps.astype(float), "loss": losses[steps]}), fix={"E": 0.0})
    np.testing.assert_allclose(fit.params["alpha"], power, rtol=0.05)


def test_a_thousand_simulations_in_one_call():
    """Each with an exponent of its own, deterministic by seed."""
    alpha = np.linspace(0.6, 1.2, 1000)
    losses = papers.simulate_plrf(alpha, 0.7, d=10, v=40, steps=50, runs=1000, seed=3)
    assert losses.shape == (1000, 51) and np.isfinite(losses).all()
    np.testing.assert_array_equal(losses, papers.simulate_plrf(alpha, 0.7, d=10, v=40, steps=50, runs=1000, seed=3))
    one = papers.simulate_plrf(alpha[400], 0.7, d=10, v=40, steps=50, runs=1000, seed=3)[400]
    np.testing.assert_allclose(losses[400], one, rtol=1e-12)
    assert not np.allclose(losses, papers.simulate_plrf(alpha, 0.7, d=10, v=40, steps=50, runs=1000, seed=4))


@pytest.mark.parametrize(
    "loss",
    [
        lambda p: papers.plrf_loss(1e5, 1e3, alpha=p[0], beta=p[1]),
        lambda p: papers.plrf_loss(1e5, 1e3, alpha=0.4 * p[0], beta=p[1]),
        lambda p: papers.simulate_plrf(p[0], p[1], d=10, v=40, steps=60, runs=2)[:, -1].sum(),
        lambda p: papers.plrf_optimum(1e12, alpha=p[0], beta=p[1])["loss"],
    ],
    ids=["limit", "slow features", "steps", "optimum"],
)
def test_gradients_by_exponents_are_differences(loss):
    with jax.enable_x64(True):
        at, h = jnp.asarray([1.0, 0.7]), 1e-5
        gradient = jax.grad(loss)(at)
        differences = [(loss(at.at[i].add(h)) - loss(at.at[i].add(-h))) / (2 * h) for i in range(2)]
    np.testing.assert_allclose(gradient, differences, rtol=1e-5)


def test_where_nothing_is_simulated():
    with pytest.raises(sj.DecisionError, match="alpha \\+ beta above 1/2"):
        papers.plrf_phase(0.2, 0.2)
    with pytest.raises(sj.DecisionError, match="steps=0"):
        papers.simulate_plrf(1.0, 0.7, d=10, v=40, steps=0)
    with pytest.raises(sj.DecisionError, match="positive steps"):
        papers.plrf_loss(0.0, 10.0, alpha=1.0, beta=0.7)
    with pytest.raises(sj.DecisionError, match="double precision"):
        papers.plrf_loss(jnp.float32(10.0), 10.0, alpha=1.0, beta=0.7)
