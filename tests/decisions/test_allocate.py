"""Numeric optima equal closed forms; published plans are reproduced."""

import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj

CHINCHILLA = sj.laws.chinchilla


def closed_form(p, C):
    G = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    a = p["beta"] / (p["alpha"] + p["beta"])
    return G * (C / 6) ** a, (C / 6) ** (1 - a) / G


@pytest.mark.parametrize("name", CHINCHILLA.published)
def test_numeric_optimum_is_the_closed_form(name):
    p, C = CHINCHILLA.published[name], np.logspace(16, 27, 12)
    plan = sj.allocate((CHINCHILLA, p), compute=C)
    N, D = closed_form(p, C)
    np.testing.assert_allclose(plan.N, N, rtol=1e-10)
    np.testing.assert_allclose(plan.D, D, rtol=1e-10)


def test_published_plans():
    plan = sj.allocate((CHINCHILLA, CHINCHILLA.published["hoffmann2022"]), compute=1e21)
    assert plan.N == pytest.approx(2.217e9, rel=3e-4) and plan.D == pytest.approx(7.518e10, rel=1e-4)
    assert plan.loss == pytest.approx(2.29549, abs=5e-6) and isinstance(plan.N, float)
    ratio = sj.allocate((CHINCHILLA, CHINCHILLA.published["besiroglu2024"]), compute=5.76e23)
    assert ratio.tokens_per_parameter == pytest.approx(18.39, abs=0.005)


def test_data_constrained_plan():
    law = sj.laws.data_constrained
    plan = sj.allocate((law, law.published["muennighoff2023"]), compute=1e22, U=25e9)
    assert plan.N == pytest.approx(7.0257e9, rel=2e-4) and plan.D == pytest.approx(2.37225e11, rel=2e-4)
    assert plan.D / 25e9 == pytest.approx(9.489, abs=2e-3) and plan.loss == pytest.approx(2.2221293, abs=1e-7)


def test_inference_demand_meets_its_stationarity():
    """eps_N / eps_D = 1 + D_inf / (3 D) at the optimum (Sardana et al. 2023)."""
    p = CHINCHILLA.published["sardana2023"]
    plan = sj.allocate((CHINCHILLA, p), compute=1e21, cost=sj.costs.six_nd_inference, D_inf=1e11)
    ratio = p["alpha"] * p["A"] * plan.N ** -p["alpha"] / (p["beta"] * p["B"] * plan.D ** -p["beta"])
    assert ratio == pytest.approx(1 + 1e11 / (3 * plan.D), rel=1e-8)
    assert sj.costs.six_nd_inference(plan.N, plan.D, 1e11) == pytest.approx(1e21, rel=1e-10)


def test_kaplan_under_six_nd():
    law = sj.laws.kaplan
    plan = sj.allocate((law, law.published["kaplan2020"]), compute=[1e18, 1e20])
    assert np.diff(np.log(plan.N))[0] / np.log(100) == pytest.approx(0.575, abs=5e-4)


def test_own_law_and_own_cost():
    @sj.law(a=sj.Positive(), b=sj.Positive())
    def mine(N, D, *, a, b):
        """Two equal terms."""
        return 1 + a / jnp.sqrt(N) + b / jnp.sqrt(D)

    def price(N, D, dollars):
        return dollars * N * D**1.0

    plan = sj.allocate((mine, {"a": 2.0, "b": 2.0}), compute=1e12, cost=price, dollars=1.0)
    assert plan.N == pytest.approx(1e6, rel=1e-9) and plan.D == pytest.approx(1e6, rel=1e-9)


def test_intervals_contain_the_point_and_narrow_with_level():
    p = CHINCHILLA.published["besiroglu2024"]
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7.5, 10, 120), 10 ** rng.uniform(9, 11.5, 120)
    fit = sj.fit(CHINCHILLA, sj.simulate(CHINCHILLA, p, N=N, D=D, noise=0.005))
    for source in (fit, sj.bootstrap(fit, 300)):
        plan = sj.allocate(source, compute=[1e21, 1e23])
        assert plan.draws["N"].shape[1:] == (2,)
        wide, narrow = plan.interval(0.95), plan.interval(0.5)
        for name in ("N", "D", "loss", "D/N"):
            assert (wide[name][0] < narrow[name][0]).all() and (narrow[name][1] < wide[name][1]).all()
        assert (wide["N"][0] < plan.N).all() and (plan.N < wide["N"][1]).all()
        assert "extrapolation" in repr(plan)
    true_N, _ = closed_form(p, np.array([1e21, 1e23]))
    low, high = sj.allocate(fit, compute=[1e21, 1e23]).interval(0.99)["N"]
    assert (low < true_N).all() and (true_N < high).all()


def test_bounds_are_respected_and_named():
    p = CHINCHILLA.published["hoffmann2022"]
    plan = sj.allocate((CHINCHILLA, p), compute=1e21, bounds={"N": (1e6, 1e9)})
    assert plan.N == pytest.approx(1e9) and plan.edge and "bound" in repr(plan)
    with pytest.raises(sj.DecisionError, match="know no uncertainty"):
        plan.interval()
    with pytest.raises(sj.DecisionError, match="raise the budget"):
        sj.allocate((CHINCHILLA, p), compute=1e10, bounds={"N": (1e9, 1e12), "D": (1e9, 1e12)})


def test_group_of_a_grouped_fit():
    p = CHINCHILLA.published["besiroglu2024"]
    rng = np.random.default_rng(1)
    N, D = 10 ** rng.uniform(7.5, 10, 80), 10 ** rng.uniform(9, 11.5, 80)
    runs = sj.simulate(CHINCHILLA, p, N=N, D=D, noise=0.002).with_columns(arch=np.repeat(["a", "b"], 40))
    fit = sj.fit(CHINCHILLA, runs, by="arch", share=["E", "alpha", "beta"])
    plan = sj.allocate(fit, compute=1e22, group="b")
    assert plan.N == pytest.approx(closed_form(p, 1e22)[0], rel=0.3)
    with pytest.raises(sj.DecisionError, match="group"):
        sj.allocate(fit, compute=1e22)


def test_cap_on_tokens_is_spent_exactly():
    p = CHINCHILLA.published["hoffmann2022"]
    plan = sj.allocate((CHINCHILLA, p), compute=1e21, bounds={"D": (1e8, 1e10)})
    assert plan.D == pytest.approx(1e10, rel=1e-9) and plan.N == pytest.approx(1e21 / 6e10, rel=1e-9) and plan.edge


@pytest.mark.parametrize(("law", "published", "given"), [
    ("kaplan", "kaplan2020", {}), ("data_constrained", "muennighoff2023", {"U": 3e9}), ("chinchilla", "besiroglu2024", {}),
])  # fmt: skip
def test_never_above_a_fine_scan(law, published, given):
    """Random parameters around the published ones, budgets over eleven decades, kinks included."""
    law, rng = sj.laws[law], np.random.default_rng(0)
    for _ in range(12):
        p = {name: value * np.exp(0.3 * rng.standard_normal()) for name, value in law.published[published].items()}
        C = 10 ** rng.uniform(16, 27, 3)
        plan = sj.allocate((law, p), compute=C, **given)
        u = np.linspace(0, np.log(C / 6), 20_001)
        N, D = np.exp(u), C / (6 * np.exp(u))
        scan = law(N.ravel(), D.ravel(), *[np.full(N.size, v) for v in given.values()], **p).reshape(N.shape).min(axis=0)
        assert (plan.loss <= scan * (1 + 1e-12)).all() and plan.residual < 1e-9
        np.testing.assert_allclose(6 * plan.N * plan.D, C, rtol=1e-10)


def test_a_target_loss_under_a_cap():
    """Weights of 16 bits in 2 GB: N is known, and D from the loss; two widths, of which one is too large."""
    law = sj.laws.chinchilla
    true = law.published["besiroglu2024"]

    def weights(N):
        return 2 * N

    plan = sj.allocate((law, true), loss=2.4, caps={weights: 2e9})
    D = (true["B"] / (2.4 - true["E"] - true["A"] * 1e9 ** -true["alpha"])) ** (1 / true["beta"])
    assert plan.N == pytest.approx(1e9, rel=1e-6) and plan.D == pytest.approx(D, rel=1e-5)
    assert plan.active == (("the cap on weights",),) and "the cap on weights" in repr(plan) and plan.left_out == ()
    assert plan.sensitivity().rows

    def train(N, D, width):
        return 6 * N * D * width

    def memory(N, width):
        return N * width**2

    spent = sj.allocate(
        (law, true), compute=1e22, cost=train, choices={"width": [1.0, 100.0]}, caps={memory: 1e11}, bounds={"D": (1e9, 1e12)}
    )
    assert spent.inputs["width"] == 1.0 and spent.left_out == ("width=100",)  # 6e21 FLOPs at most
    assert "choices-left-out" in [note["code"] for note in spent.table().to_dict()["notes"] if isinstance(note, dict)]


def test_the_extrapolation_speaks_of_every_input_and_of_epochs():
    law = sj.laws.data_constrained
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7.5, 9.5, 60), 10 ** rng.uniform(9, 11, 60)
    runs = sj.simulate(law, law.published["muennighoff2023"], N=N, D=D, U=D / rng.uniform(1, 4, 60), noise=0.003)
    plan = sj.allocate(sj.fit(law, runs), compute=1e22, U=1e9)
    times = plan.D / 1e9 / (runs["D"] / runs["U"]).max()
    assert times > 60 and f"{times:.3g} times the largest D/U (epochs) of the runs" in repr(plan)
    inside = sj.allocate(plan._known.fit, compute=6 * 1e9 * 2e10, U=1e10, bounds={"N": (5e8, 2e9)})
    assert "extrapolation" not in repr(inside)


def test_compute_of_the_runs_that_is_not_six_nd_is_said():
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7.5, 10, 60), 10 ** rng.uniform(9, 11.5, 60)
    runs = sj.simulate(CHINCHILLA, CHINCHILLA.published["besiroglu2024"], N=N, D=D, noise=0.003)
    plan = sj.allocate(sj.fit(CHINCHILLA, runs.with_columns(C=9 * N * D)), compute=1e21)
    assert "C of the runs is 9 N D" in repr(plan) and "pass cost=lambda N, D: 9 * N * D" in repr(plan)
    again = sj.allocate(plan._known.fit, compute=1.5e21, cost=lambda N, D: 9 * N * D)
    assert "C of the runs" not in repr(again) and again.N == pytest.approx(plan.N, rel=1e-6)
    assert "C of the runs" not in repr(sj.allocate(sj.fit(CHINCHILLA, runs.with_columns(C=6.5 * N * D)), compute=1e21))
