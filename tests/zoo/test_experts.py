"""Laws of experts, upcycling and pruned weights against closed forms, searches and public runs."""

import jax
import numpy as np
import pytest
from claims.surfaces import routed_runs
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar

import scalejax as sj

laws, formulas, costs = sj.laws, sj.formulas, sj.costs
FLOORED = {"L_0": 1.7, "A": 0.6, "alpha": 0.2, "beta": 0.1, "gamma": 0.02, "c": -0.01, "rho_start": 1.5, "rho_max": 300.0}


# Experts


def test_the_floored_law_holds_a_dense_power_law_clark_and_the_configurations_of_liew():
    N, E = np.array([2e7, 4e8, 3e9]), np.array([2.0, 64.0, 512.0])
    np.testing.assert_allclose(laws.floored_moe(N, N, 1.0, **FLOORED), 1.7 + 0.6 * (N / 1e9) ** -0.2, rtol=1e-12)
    clark = laws.routed_lm.published["s_base"]
    a, b, c, d = (clark[n] for n in "abcd")
    start = np.log10(clark["E_start"])
    slope = a + c * start  # of dense models
    same = {
        "L_0": 0.0, "A": 10 ** (9 * slope + b * start + d), "alpha": -slope, "beta": -(b + 9 * c), "gamma": 0.0, "c": c / np.log(10),
        "rho_start": clark["E_start"], "rho_max": clark["E_max"],
    }  # fmt: skip
    np.testing.assert_allclose(laws.floored_moe(N, E * N, E, **same), laws.routed_lm(N, E, **clark), rtol=1e-10)
    found = laws.floored_moe(N, 5 * N, 8.0, **{**FLOORED, "gamma": 0.0, "rho_start": 1.0, "rho_max": 1e18})
    n = N / 1e9
    np.testing.assert_allclose(found, 1.7 + 0.6 * n**-0.2 * 5**-0.1 * np.exp(-0.01 * np.log(5) * np.log(n)), rtol=1e-9)


@pytest.mark.slow
def test_routed_losses_of_larger_models_need_a_floor(public_data):
    """From models to 132M parameters to those of 370M, with all routers, shares of routed blocks and experts a token."""
    runs = routed_runs()
    base, total, E = runs["N"], runs["P"], runs["E"]
    active = np.where(E == 1, total, base + (runs["k"] - 1) * (total - base) / np.maximum(E - 1, 1))
    runs = runs.with_columns(N=active, T=total, base=base)
    small, large = runs.where(base < 2e8), runs.where((base > 2e8) & (base < 1e9))
    by = dict.fromkeys(("beta", "rho_start", "rho_max"), "router")
    rmse = {}
    for floor, held in ((True, {"gamma": 0.0}), (False, {"gamma": 0.0, "L_0": 0.0})):
        with pytest.warns(sj.IdentifiabilityWarning):  # dense models decide nothing about routing
            fitted = sj.fit(laws.floored_moe, small, fix=held, by=by)
        off = []
        for i, router in enumerate(fitted.groups):
            part = large.where(large["router"] == router)
            own = {n: v[i] if np.ndim(v) else v for n, v in fitted.params.items()}
            off.append(np.log(laws.floored_moe(part["N"], part["T"], part["E"], **own) / part["loss"]))
        rmse[floor] = np.sqrt(np.mean(np.concatenate(off) ** 2))
    assert rmse[True] < 0.013 and rmse[False] > 0.03


@pytest.mark.slow
def test_the_best_number_of_experts_has_an_interval():
    """Runs simulated from the joint law with its error, and 10 GB of 16-bit weights."""
    law = laws.joint_moe
    true = law.published["ludziejewski2025"]
    sizes = np.meshgrid(np.geomspace(8e7, 2.5e9, 5), np.geomspace(1e9, 8e10, 4), [1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    N, D, E = (v.ravel() for v in sizes)
    fitted = sj.fit(law, sj.simulate(law, true, N=N, D=D, E=E, noise=0.0025, seed=1), fix={"E_max": true["E_max"]})
    question = dict(compute=1e22, choices={"E": [1, 2, 4, 8, 16, 32]}, caps={lambda N, E: 2 * costs.moe_total(N, E): 1e10})
    plan = sj.allocate(fitted, **question)
    low, high = plan.interval(0.9)["E"]
    best = sj.allocate((law, true), **question).inputs["E"]
    assert 1 <= low <= plan.inputs["E"] <= high < 32 and low <= best <= high
    assert sj.allocate(fitted, compute=1e22, choices=question["choices"]).inputs["E"] == 32


def test_the_joint_law_is_chinchilla_for_a_number_of_experts():
    law = laws.joint_moe
    true = law.published["ludziejewski2025"]
    found = sj.derive((law, true), formulas.chinchilla_from_joint_moe, E=8)
    same = laws.chinchilla(1e9, 5e10, E=found.E, A=found.A, alpha=found.alpha, B=found.B, beta=found.beta)
    assert same == pytest.approx(law(1e9, 5e10, 8, **true), rel=1e-12)
    with pytest.raises(sj.DecisionError, match="E must be a number of experts from 1 on"):
        sj.derive((law, true), formulas.chinchilla_from_joint_moe, E=0)


def test_leverage_is_largest_at_the_optimal_granularity():
    law = laws.efficiency_leverage
    true = law.published["tian2025"]
    best = sj.derive((law, true), formulas.optimal_granularity).value
    searched = minimize_scalar(lambda g: -law(0.05, np.exp(g), 1e21, **true), bounds=(0, 4), method="bounded", options={"xatol": 1e-8})
    assert best == pytest.approx(np.exp(searched.x), rel=1e-5)
    assert formulas.optimal_granularity(0.0, -0.1) == np.inf


# Upcycling


def test_upcycling_pays_up_to_where_training_from_scratch_catches_up():
    law = laws.upcycled_moe
    up, scratch = law.published["liew2025"], law.published["liew2025_scratch"]
    found = sj.break_even((law, up), (law, scratch), "D2", (1e9, 1e13), N=7e9, D1=1e11, names=("upcycled", "scratch"))

    def ahead(d):
        exponent = up["alpha2"] - up["alpha3"] * np.log(1e11)
        upcycled = up["A"] * 1e11 ** -up["alpha1"] * np.exp(d) ** -exponent + up["B"] * 7e9 ** -up["beta"]
        return upcycled - scratch["A"] * np.exp(d) ** -scratch["alpha2"] - scratch["B"] * 7e9 ** -scratch["beta"]

    assert found.values == pytest.approx([np.exp(brentq(ahead, np.log(1e9), np.log(1e13)))], rel=1e-8)
    assert found.better == ("upcycled", "scratch")


@pytest.mark.slow
def test_dense_scratch_and_upcycled_runs_share_a_floor():
    """One fit by kind finds all three laws; the floor held or bound gives the fit of one kind alone."""
    law = laws.upcycled_moe
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1.5e7, 1e9, 5), np.geomspace(3e8, 7e10, 6)))
    D1 = np.tile(np.geomspace(3e8, 7e10, 5), 6)
    parts = {
        kind: sj.simulate(law, law.published["liew2025" + key], D1=first, D2=D, N=N)
        for kind, key, first in (("up", "", D1), ("dense", "_dense", np.ones(30)), ("scratch", "_scratch", np.ones(30)))
    }
    table = {name: np.concatenate([p[name] for p in parts.values()]) for name in ("D1", "D2", "N", "loss")}
    runs = sj.read_runs({**table, "kind": np.repeat(list(parts), 30)}, D1="D1", D2="D2", N="N", loss="loss", kind="kind")
    with pytest.warns(UserWarning):  # alpha1 and alpha3 are nothing without dense tokens
        fitted = sj.fit(law, runs, by={n: "kind" for n in ("A", "alpha1", "alpha2", "alpha3", "B", "beta")}, starts=128)
    i = list(fitted.groups).index("up")
    assert fitted.params["E"] == pytest.approx(0.165, rel=0.02)
    for name in ("alpha1", "alpha2", "beta"):
        assert fitted.params[name][i] == pytest.approx(law.published["liew2025"][name], rel=0.05)


# Pruned weights


def test_the_average_of_gradual_pruning():
    def alive(t, S, s0, s1):
        x = np.clip((t - s0) / (s1 - s0), 0, 1)
        return 1 - S * (1 - (1 - x) ** 3)

    for S, s0, s1 in ((0.8, 0.25, 0.75), (0.5, 0.0, 1.0), (0.95, 0.2, 0.8)):
        area = quad(alive, 0, 1, args=(S, s0, s1), points=[s0, s1])[0]
        assert formulas.average_parameters(1e9, S, s0, s1) == pytest.approx(1e9 * area, rel=1e-9)
    with pytest.raises(sj.DecisionError, match="0 <= s0 <= s1 <= 1"):
        formulas.average_parameters(1e9, 0.5, 0.8, 0.2)
    with pytest.raises(sj.DecisionError, match="S must be a share"):
        formulas.average_parameters(1e9, 1.5, 0.2, 0.8)


@pytest.mark.slow
def test_more_training_wants_sparser_weights():
    """The best sparsity for a number of weights left, 6 (average parameters) D, by search."""
    law = laws.sparse_weights
    true = law.published["frantar2023_t5"]

    def flops(S, D, N):
        return 6 * D * N * (1 - 0.625 * S) / (1 - S)

    best = []
    for budget in (1e20, 1e22):
        plan = sj.allocate((law, true), compute=budget, cost=flops, over=("S", "D"), N=3e7, bounds={"S": (1e-6, 0.99)})
        least = minimize_scalar(lambda S, C=budget: law(3e7, C / flops(S, 1.0, 3e7), S, **true), bounds=(1e-6, 0.99), method="bounded")
        assert plan.inputs["S"] == pytest.approx(least.x, abs=1e-4)
        best.append(plan.inputs["S"])
    assert best[0] < best[1]


# What models store


def test_bits_of_facts():
    bits = sj.papers.knowledge_bits
    by_hand = 1000 * np.log2(1e6 / 1000) + 1000 * 3 * 2 * np.log2(20) + 3 * 20 * np.log2(50**4 / 20)
    assert bits(1000, 3, 20, 4, 50, 2, N_0=1e6) == pytest.approx(by_hand, rel=1e-12)
    ignorant = bits(1000, 3, 20, 4, 50, 2, N_0=1e6, p1=np.log(1e6), p2=2 * np.log(20), p3=np.log(50**4 / 20))
    assert ignorant == pytest.approx(0, abs=1e-6)
    assert sj.papers.biography_bits(1e4, p1=np.log(1.6e8), p2=47.59162367 * np.log(2)) == pytest.approx(0, abs=1e-3)


def test_capacity_is_an_upper_bound():
    law = laws.knowledge_capacity
    with jax.enable_x64(True):
        np.testing.assert_allclose(law(np.array([1e6, 1e9]), 1e8, R=2.0), [2e6, 1e8])
