"""Farseer, over-training, repeated data, routed models, context: identities, limits, derived quantities, bad input."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from claims.surfaces import fitted_runs, gadre_fits, repeated_runs, routed_runs, router_runs

import scalejax as sj
from scalejax import laws
from scalejax.zoo.architecture.routing import saturated_experts
from scalejax.zoo.scale.repetition import effective, geometric_sum, saturated

N, D = (v.ravel() for v in np.meshgrid(np.logspace(7, 11, 9), np.logspace(9, 13, 9)))
CONSTRAINED = laws.data_constrained
MUENNIGHOFF = CONSTRAINED.published["muennighoff2023"]
BASE = {name: MUENNIGHOFF[name] for name in laws.chinchilla.parameters}

# Farseer


def test_farseer_in_single_parameters_is_the_same_law():
    """The recalled constants of the paper, for N in parameters."""
    E = np.exp(-0.021 * N**0.169 + 0.091)
    expected = E + np.exp(88.01 * N**-0.1 - 5.8287) * D ** -np.exp(-0.124 * N**0.123 + 0.424)
    np.testing.assert_allclose(laws.farseer(N, D, **laws.farseer.published["li2025"]), expected, rtol=1e-12)


def test_farseer_with_vanishing_slopes_has_one_power_of_data():
    flat = {"a1": 1e-12, "alpha": 0.1, "b1": np.log(0.3), "a2": 1e-12, "beta": 0.1, "b2": np.log(500.0), "a3": 1e-12, "gamma": 0.1}
    np.testing.assert_allclose(laws.farseer(N, D, **flat, b3=np.log(1.7)), laws.power_law(D, E=1.7, A=500.0, alpha=0.3), rtol=1e-9)


def farseer_runs(noise: float, ragged: bool = False) -> sj.Runs:
    rng = np.random.default_rng(3)
    sizes, tokens = np.geomspace(2e8, 6.4e9, 11), np.geomspace(2e9, 1.28e11, 13)
    N, D = (v.ravel() for v in np.meshgrid(sizes, tokens))
    D = D * np.exp(rng.normal(0, 0.1, D.size)) if ragged else D
    return sj.simulate(laws.farseer, laws.farseer.published["tokar2025"], N=N, D=D, noise=noise)


@pytest.mark.parametrize("ragged", [False, True])
def test_the_stages_of_farseer_are_exact_without_noise(ragged):
    stages = sj.papers.farseer_stages(farseer_runs(0.0, ragged))
    p, n = laws.farseer.published["tokar2025"], stages.N / 1e9
    np.testing.assert_allclose(stages.A, np.exp(p["b1"] - p["a1"] * n ** p["alpha"]), rtol=1e-10)
    np.testing.assert_allclose(stages.B, np.exp(p["b2"] + p["a2"] * n ** -p["beta"]), rtol=1e-10)
    np.testing.assert_allclose(stages.E, np.exp(p["b3"] - p["a3"] * n ** p["gamma"]), rtol=1e-10)
    runs = farseer_runs(0.0)
    np.testing.assert_allclose(laws.farseer(runs["N"], runs["D"], **stages.start), runs["loss"], rtol=1e-3)
    assert "size by size" in repr(stages) and "<table" in stages._repr_html_()


@pytest.mark.slow
def test_a_joint_fit_from_the_stages_is_the_fit_from_many_starts():
    runs = farseer_runs(0.001)
    one = sj.fit("farseer", runs, starts=[sj.papers.farseer_stages(runs).start], loss=sj.squared())
    many = sj.fit("farseer", runs, loss=sj.squared(), starts=512)
    assert one.objective == pytest.approx(many.objective, rel=1e-8)
    truth = laws.farseer(runs["N"], runs["D"], **laws.farseer.published["tokar2025"])
    np.testing.assert_allclose(one.fitted, truth, rtol=1e-3)


def test_the_stages_of_farseer_need_sizes_with_several_tokens():
    with pytest.raises(sj.DataError, match="three sizes"):
        sj.papers.farseer_stages({"N": [1e9, 1e9, 2e9], "D": [1e9, 2e9, 1e9], "loss": [1.0, 0.9, 0.8]})
    rising = {"N": np.repeat([1e9, 2e9, 4e9], 3), "D": np.tile([1e9, 2e9, 4e9], 3), "loss": np.tile([1.0, 1.1, 1.2], 3)}
    with pytest.raises(sj.DataError, match="these runs have 0"):
        sj.papers.farseer_stages(rising)


# Over-training

GADRE = laws.overtraining.published["gadre2024_redpajama"]


def test_overtraining_is_chinchilla_with_one_exponent():
    as_chinchilla = sj.formulas.chinchilla_from_overtraining(**GADRE)
    np.testing.assert_allclose(laws.overtraining(6 * N * D, D / N, **GADRE), laws.chinchilla(N, D, **as_chinchilla), rtol=1e-13)
    back = sj.formulas.overtraining_from_chinchilla(**as_chinchilla)
    assert back == pytest.approx(dict(GADRE), rel=1e-14)


def test_the_best_multiplier_is_that_of_the_general_optimiser():
    as_chinchilla = sj.formulas.chinchilla_from_overtraining(**GADRE)
    plan = sj.allocate((laws.chinchilla, as_chinchilla), compute=[1e19, 1e23])
    compared = sj.derive((laws.overtraining, GADRE), sj.formulas.optimal_multiplier, M=[20.0, 640.0])
    np.testing.assert_allclose(plan.tokens_per_parameter, compared.best, rtol=1e-7)
    same = sj.derive((laws.chinchilla, as_chinchilla), sj.formulas.tied_multiplier, M=[20.0, 640.0])
    np.testing.assert_allclose(same.compute, compared.compute, rtol=1e-12)
    # At equal loss the multiplier takes so much more compute, and so much smaller a model.
    C = np.array([1e21, 1e21]) * compared.compute
    expected = laws.overtraining(1e21, compared.best, **GADRE)
    np.testing.assert_allclose(laws.overtraining(C, compared.M, **GADRE), expected, rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(C / compared.M / (1e21 / compared.best)), compared.size, rtol=1e-12)
    assert "best: 7.419" in repr(compared)


def test_the_best_multiplier_wants_one_exponent():
    with pytest.raises(sj.DecisionError, match="alpha and beta differ"):
        sj.derive((laws.chinchilla, laws.chinchilla.published["hoffmann2022"]), sj.formulas.tied_multiplier)
    with pytest.raises(sj.DecisionError, match=r"needs 'a', which is not a parameter of 'kaplan_data' \(D_c, alpha_D\)"):
        sj.derive((laws.kaplan_data, laws.kaplan_data.published["kaplan2020"]), sj.formulas.optimal_multiplier)
    for M in (0.0, [20.0, np.nan], [[20.0]]):
        with pytest.raises(sj.DecisionError, match="M must be"):
            sj.derive((laws.overtraining, GADRE), sj.formulas.optimal_multiplier, M=M)


def test_downstream_error_is_a_power_of_perplexity():
    loss = np.linspace(2, 5, 7)
    p = laws.downstream_error.published["gadre2024_c4"]
    np.testing.assert_allclose(laws.downstream_error(loss, **p), p["epsilon"] - p["k"] * np.exp(loss) ** -p["gamma"], rtol=1e-14)


@pytest.mark.slow
def test_uncertainty_of_the_predicted_error_covers_both_stages(public_data):
    """Five runs for four parameters: intervals are wide, and both stages widen them."""
    loss, error = gadre_fits("rpj")
    at = {"N": 6889410560.0, "D": 20 * 6889410560.0}
    sources = [(loss, error), ((loss.law, loss.params), error), (loss, (error.law, error.params))]
    both, *alone = (sj.derive({"first": f, "second": g}, sj.formulas.two_stage, **at) for f, g in sources)
    width, *parts = (np.subtract(*stages.interval(0.5)["error"][::-1]) for stages in (both, *alone))
    assert width > max(parts) > 0
    low, high = both.interval(0.5)["error"]
    assert low < both.error < high
    compared = sj.derive(loss, sj.formulas.tied_multiplier, M=640)
    low, high = compared.interval(0.5)["best"]
    assert low < compared.best < high
    assert len(fitted_runs("rpj")) == 5 and len(fitted_runs("rpj", errors=True)) == 6


# Repeated data


def test_what_repetitions_are_worth():
    R = np.array([0.0, 1e-9, 0.5, 3.0, 40.0, 1e4])
    with jax.enable_x64(True):
        np.testing.assert_allclose(saturated(R, 15.0), -15 * np.expm1(-R / 15), rtol=1e-14)
        np.testing.assert_array_equal(saturated(R, np.inf), R)
        np.testing.assert_allclose(saturated(R, 1e18), R, rtol=1e-14)
        np.testing.assert_array_equal(saturated(R, 0.0), 0.0)
        np.testing.assert_allclose(jax.vmap(jax.grad(saturated), (0, None))(jnp.asarray(R), 15.0), np.exp(-R / 15), atol=1e-14)
        second = jax.vmap(jax.grad(jax.grad(saturated)), (0, None))(jnp.asarray(R), 15.0)
        np.testing.assert_allclose(second, -np.exp(-R / 15) / 15, atol=1e-14)
        # The R*-th repetition is worth 1/e of a new token.
        assert float(jax.grad(saturated)(15.0, 15.0)) == pytest.approx(np.exp(-1), rel=1e-14)


@pytest.mark.parametrize("R_star", [0.0, 1e-300, 1e-6, 1.0, 1e6, 1e300, np.inf])
def test_every_r_star_has_finite_derivatives(R_star):
    with jax.enable_x64(True):
        R = jnp.asarray([0.0, 1e-12, 1.0, 1e4])
        for order in (jax.grad, lambda f, i: jax.grad(jax.grad(f, i), i)):
            for argument in (0, 1):
                assert np.isfinite(jax.vmap(order(saturated, argument), (0, None))(R, R_star)).all()


def test_geometric_sums():
    k = np.array([1.0, 2.0, 7.0])
    with jax.enable_x64(True):
        for r in (1e-9, 1e-4, 2e-3, 0.3, 0.999999):
            np.testing.assert_allclose(geometric_sum(k, r), -np.expm1(k * np.log1p(-r)) / r, rtol=1e-12)
        np.testing.assert_allclose(geometric_sum(k, 0.0), k, rtol=1e-15)
        np.testing.assert_array_equal(geometric_sum(k, 1.0), 1.0)


def test_limits_of_the_data_constrained_law():
    U = 25e9
    no_decay = CONSTRAINED(N, D, U, **{**MUENNIGHOFF, "R_D_star": 1e18, "R_N_star": 1e18})
    np.testing.assert_allclose(no_decay, laws.chinchilla(N, D, **BASE), rtol=1e-12)
    worthless = CONSTRAINED(N, D, U, **{**MUENNIGHOFF, "R_D_star": 0.0, "R_N_star": 1e18})
    np.testing.assert_allclose(worthless, laws.chinchilla(N, np.minimum(D, U), **BASE), rtol=1e-12)
    plain = laws.data_constrained_geometric(N, D, U, **BASE, r_D=0.0, r_N=0.0)
    np.testing.assert_allclose(plain, laws.chinchilla(N, D, **BASE), rtol=1e-12)
    once = laws.data_constrained_geometric(N, D, U, **BASE, r_D=1.0, r_N=0.0)
    np.testing.assert_allclose(once, worthless, rtol=1e-12)
    lasting = laws.data_constrained_exponents(N, D, U, **BASE, R_D_star=1e18, R_N_star=1e18)
    np.testing.assert_allclose(lasting, laws.chinchilla(N, D, **BASE), rtol=1e-12)


def test_effective_tokens_compose_with_another_law():
    @sj.law(E=sj.Positive(), A=sj.Positive(), alpha=sj.Unit(), R_star=sj.Positive())
    def repeating(D, U, *, E, A, alpha, R_star):
        """A curve of effective tokens."""
        return laws.power_law(effective(D, U, R_star), E=E, A=A, alpha=alpha)

    p = {"E": 1.7, "A": 500.0, "alpha": 0.3}
    U = 1e10
    expected = U * (1 - 15 * np.expm1(-(np.maximum(D, U) / U - 1) / 15))
    np.testing.assert_allclose(repeating(D, U, **p, R_star=15.0), laws.power_law(np.where(D > U, expected, D), **p), rtol=1e-13)


def test_the_optimal_size_comes_from_unique_tokens():
    """From all tokens, as one reimplementation has it, the same constants give another loss."""
    G = (BASE["A"] / BASE["B"]) ** (1 / (2 * BASE["alpha"]))
    size, D, U = 6.34e9, 242e9, 25e9

    def loss(unique):
        U_N = min(size, G**2 * unique)
        N_eff = U_N * (1 - MUENNIGHOFF["R_N_star"] * np.expm1(-(size / U_N - 1) / MUENNIGHOFF["R_N_star"]))
        D_eff = U * (1 - MUENNIGHOFF["R_D_star"] * np.expm1(-(D / U - 1) / MUENNIGHOFF["R_D_star"]))
        return BASE["E"] + BASE["A"] * N_eff ** -BASE["alpha"] + BASE["B"] * D_eff ** -BASE["beta"]

    assert G**2 == pytest.approx(0.051, abs=5e-4)
    assert CONSTRAINED(size, D, U, **MUENNIGHOFF) == pytest.approx(loss(U), rel=1e-13)
    assert abs(loss(U) - loss(D)) > 0.01


@pytest.mark.slow
def test_variants_of_the_second_stage(public_data):
    """Objectives at most the published ones, and the ranking of the variants."""
    geometric = sj.fit("data_constrained_geometric", repeated_runs(), fix=BASE)
    assert geometric.objective <= 0.015477441251277924
    exponents = sj.fit("data_constrained_exponents", repeated_runs(), fix=BASE)
    assert exponents.objective > geometric.objective
    both = sj.fit(CONSTRAINED, repeated_runs(), fix=BASE)
    data_only = sj.fit(CONSTRAINED, repeated_runs(), fix={**BASE, "R_N_star": 1e18})
    assert both.objective <= 0.015825936570763588 and data_only.objective <= 0.016922350972890854
    assert geometric.objective < both.objective < data_only.objective


# Routed models

S_BASE = laws.routed_lm.published["s_base"]


def test_saturation_of_experts():
    with jax.enable_x64(True):
        E = np.array([1.0, 8.0, 512.0])
        ends = saturated_experts(np.array([1.0, 1e15]), 1.847, 314.478)
        np.testing.assert_allclose(ends, [1.847, 314.478], rtol=1e-10)
        np.testing.assert_allclose(saturated_experts(E, 1.0, 1e18), E, rtol=1e-12)
        written_out = 1 / (1 / (E - 1 + 1 / (1 / 1.847 - 1 / 314.478)) + 1 / 314.478)
        np.testing.assert_allclose(saturated_experts(E, 1.847, 314.478), written_out, rtol=1e-14)


def test_variants_of_the_routed_law():
    E = np.array([1.0, 16.0, 512.0])
    plain = laws.routed_lm(1e9, E, **{**S_BASE, "E_start": 1.0, "E_max": 1e18})
    expected = S_BASE["a"] * 9 + S_BASE["b"] * np.log10(E) + S_BASE["c"] * 9 * np.log10(E) + S_BASE["d"]
    np.testing.assert_allclose(np.log10(plain), expected, rtol=1e-12)
    alone = {**S_BASE, "c": 0.0}
    ratio = laws.routed_lm(np.array([1e7, 1e10]), 64.0, **alone) / laws.routed_lm(np.array([1e7, 1e10]), 1.0, **alone)
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-12)  # separable: the gain does not depend on the size


def test_effective_parameters_are_those_of_equal_loss():
    sizes, experts = np.array([5e6, 1e8, 1.3e9]), np.array([128.0, 8.0, 512.0])
    worth = sj.derive((laws.routed_lm, S_BASE), sj.formulas.effective_parameters, N=sizes, E=experts)
    same = sj.equivalent((laws.routed_lm, S_BASE), "N", like={"N": sizes, "E": experts}, E=1.0)
    np.testing.assert_allclose(worth.value, same.value, rtol=1e-9)
    np.testing.assert_allclose(worth.ratio, worth.value / sizes)
    at_cutoff = sj.derive((laws.routed_lm, S_BASE), sj.formulas.effective_parameters, N=worth.cutoff, E=64)
    assert at_cutoff.ratio == pytest.approx(1, rel=1e-10)
    assert "routing pays up to" in repr(worth)
    separable = {**S_BASE, "c": 0.0}
    assert sj.derive((laws.routed_lm, separable), sj.formulas.effective_parameters, N=1e9, E=2).cutoff == np.inf


def test_effective_parameters_refuse_other_laws_and_numbers():
    routed = (laws.routed_lm, S_BASE)
    with pytest.raises(sj.DecisionError, match=r"effective_parameters\(\) needs 'a', which is not a parameter of 'chinchilla'"):
        sj.derive((laws.chinchilla, BASE), sj.formulas.effective_parameters, N=1e9, E=8)
    with pytest.raises(sj.DecisionError, match="E must be"):
        sj.derive(routed, sj.formulas.effective_parameters, N=1e9, E=0)
    with pytest.raises(sj.DecisionError, match="different lengths"):
        sj.derive(routed, sj.formulas.effective_parameters, N=[1e9, 2e9], E=[1, 2, 4])


@pytest.mark.slow
@pytest.mark.parametrize(("key", "cutoff"), [("s_base", 9.37e11), ("rl_r", 8.5e10), ("hash", 8.3e10)])
def test_fits_to_the_routed_runs(public_data, key, cutoff):
    """No worse than the printed constants, which are rounded, and the printed cut-off within the interval."""
    runs = router_runs(key)
    law = laws.routed_lm
    fitted = sj.fit(law, runs, loss=sj.squared())
    printed = np.log(law(runs["N"], runs["E"], **law.published[key]) / runs["loss"])
    assert np.mean(fitted.residuals**2) < np.mean(printed**2)
    for held in ({"c": 0.0}, {"E_start": 1.0, "E_max": 1e18}):
        assert sj.fit(law, runs, loss=sj.squared(), fix=held).objective > fitted.objective
    worth = sj.derive(fitted, sj.formulas.effective_parameters, N=1e9, E=64)
    low, high = worth.interval(0.9)["cutoff"]
    assert low < cutoff < high and low < worth.cutoff < high
    low, high = sj.derive(sj.bootstrap(fitted, 200, kind="cases"), sj.formulas.effective_parameters, N=1e9, E=64).interval(0.9)["cutoff"]
    assert low < cutoff < high and high > 3 * low  # by other runs of the same kind the cut-off is known to a factor


@pytest.mark.slow
def test_use_of_parameters_brings_other_routings_onto_one_curve(public_data):
    """S-Base with all numbers of experts a token and all shares of routed blocks, and dense models."""
    runs = routed_runs()
    runs = runs.where(np.isin(runs["router"], ("S-Base", "Dense")) & (runs["seed"] == 42))
    dense = runs["router"] == "Dense"
    slope, level = np.polyfit(np.log(runs["F"][dense]), np.log(runs["P"][dense] / runs["F"][dense]), 1)
    B = runs["P"] / runs["F"] / np.exp(level + slope * np.log(runs["F"]))
    runs = runs.with_columns(F=runs["F"] / 1e12, B=np.maximum(B, 1.0))
    general = sj.fit("routed_lm_utilisation", runs, loss=sj.squared())
    special = sj.fit("routed_lm", runs, loss=sj.squared())
    assert np.sqrt(np.mean(general.residuals**2)) / np.log(10) < 0.006
    assert general.objective < special.objective


# Context


def test_twice_the_context_leaves_a_share_of_the_reducible_loss():
    p = {"alpha": 15.0, "beta": 0.7, "gamma": 1.4}
    c = np.array([4.0, 64.0, 2048.0])
    short, long = (laws.context_length(k * c, **p) - 1.4 for k in (1, 2))
    np.testing.assert_allclose(long / short, 2**-0.7, rtol=1e-12)


@pytest.mark.slow
def test_llama_2_long_models_need_constants_of_their_own(public_data):
    path = sj.datasets.path("llama2_context", "combined_llama2.csv")
    runs = sj.read_runs(path, context="context", loss="loss", params="params")
    apart = sj.fit("context_length", runs, by="params", on="linear", loss=sj.squared())
    assert apart.r_squared > 0.997
    together = sj.fit("context_length", runs, on="linear", loss=sj.squared())
    assert together.objective > 3 * apart.objective
    best = dict(zip(apart.groups, apart.params["gamma"], strict=True))
    assert best["70"] < best["34"] < best["13"] < best["7"]
