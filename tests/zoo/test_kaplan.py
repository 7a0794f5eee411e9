"""The Kaplan family beyond the registry's suite: the implicit trajectory, closed forms, contours, staged fits, information."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax import laws, papers

TRUE = dict(laws.kaplan_trajectory.published["kaplan2020"])
NAMES = laws.kaplan_trajectory.parameters


def learning_curves(sizes, batches, *, noise=0.0, steps=20, seed=0):
    """Training curves of every size at every batch, and trained-out runs of every size."""
    rng = np.random.default_rng(seed)
    size, batch = (v.reshape(-1, 1) for v in np.meshgrid(sizes, batches))
    S = np.geomspace(1e3, 1e5, steps) * np.ones((len(size), 1))
    loss = laws.kaplan_trajectory(size, S, batch, **TRUE) * np.exp(noise * rng.standard_normal(S.shape))
    curves = sj.read_runs({"N": size[:, 0], "B": batch[:, 0], "S": S, "loss": loss})
    converged = sj.simulate(laws.kaplan_params, {k: TRUE[k] for k in ("N_c", "alpha_N")}, N=np.asarray(sizes), noise=noise, seed=seed + 1)
    return converged, curves


# The implicit trajectory


def test_the_trajectory_solves_its_equation_everywhere():
    rng = np.random.default_rng(0)
    N, S, B = 10 ** rng.uniform((3, 1, 0), (11, 7, 9), (2000, 3)).T
    L = laws.kaplan_trajectory(N, S, B, **TRUE)
    S_min = sj.formulas.minimal_steps(S, B, laws.critical_batch(L, B_star=TRUE["B_star"], alpha_B=TRUE["alpha_B"]))
    np.testing.assert_allclose(laws.kaplan_steps(N, S_min, **{k: TRUE[k] for k in laws.kaplan_steps.parameters}), L, rtol=1e-12)


def test_a_large_batch_gives_the_learning_curve_and_a_small_one_the_curve_of_tokens():
    N, E = 1e8, 1e10
    steps = {k: TRUE[k] for k in laws.kaplan_steps.parameters}
    assert laws.kaplan_trajectory(N, 1e4, 1e20, **TRUE) == pytest.approx(laws.kaplan_steps(N, 1e4, **steps), rel=1e-12)
    small = [laws.kaplan_trajectory(N, E / B, B, **TRUE) for B in (1.0, 10.0)]
    assert small[0] == pytest.approx(small[1], rel=1e-6)


def test_implicit_derivatives_are_those_of_finite_differences():
    at = np.log([3e7, 2e4, 1e5, *TRUE.values()])

    def log_loss(x):
        N, S, B, *rest = jnp.exp(x)
        return jnp.log(laws.kaplan_trajectory.function(N, S, B, **dict(zip(NAMES, rest, strict=True))))

    with jax.enable_x64(True):
        value, first, second = jax.jit(log_loss), jax.jit(jax.grad(log_loss)), jax.jit(jax.hessian(log_loss))
        gradient, hessian = np.asarray(first(at)), np.asarray(second(at))
        moves = 1e-5 * np.eye(len(at))
        by_value = [(value(at + h) - value(at - h)) / 2e-5 for h in moves]
        by_gradient = [(first(at + h) - first(at - h)) / 2e-5 for h in moves]
    np.testing.assert_allclose(gradient, by_value, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(hessian, by_gradient, rtol=1e-6, atol=1e-9)


def test_steps_and_tokens_to_a_loss_lie_on_the_hyperbola_that_the_trajectory_implies():
    L, N = 3.5, 1e8
    rest = L - laws.kaplan_params(N, N_c=TRUE["N_c"], alpha_N=TRUE["alpha_N"])
    S_min = TRUE["S_c"] * rest ** (-1 / TRUE["alpha_S"])
    B_crit = laws.critical_batch(L, B_star=TRUE["B_star"], alpha_B=TRUE["alpha_B"])
    B = np.logspace(4, 8, 5)
    S = laws.steps_to_loss(B, S_min=S_min, E_min=B_crit * S_min)
    np.testing.assert_allclose(laws.kaplan_trajectory(N, S, B, **TRUE), L, rtol=1e-12)


# Closed forms


def efficient(compute):
    return sj.derive((laws.kaplan_trajectory, TRUE), sj.formulas.compute_efficient, compute=compute)


def test_the_closed_form_of_compute_efficient_training_is_the_optimum():
    C = np.asarray([1e18, 1e21])
    best = efficient(C)
    B = 1e-3  # tokens: so far below the critical batch that compute is the least
    N = best.N * np.exp(np.linspace(-0.3, 0.3, 601))[:, None]
    loss = laws.kaplan_trajectory(N, C / (6 * N * B), B, **TRUE)
    np.testing.assert_allclose(loss.min(axis=0), best.loss, rtol=1e-9)
    assert (loss.argmin(axis=0) == 300).all()
    np.testing.assert_allclose(best.loss, best.excess * laws.kaplan_params(best.N, N_c=TRUE["N_c"], alpha_N=TRUE["alpha_N"]), rtol=1e-12)
    np.testing.assert_allclose(np.diff(np.log(best.S_min)) / np.log(1e3), best.exponent_S, rtol=1e-10)
    np.testing.assert_allclose(best.D, 2 * C / (6 * best.N), rtol=1e-12)
    assert len(best.table().rows) == 2
    assert efficient(best.C_c).loss == pytest.approx(1.0, rel=1e-12)


@pytest.mark.slow
def test_allocate_finds_compute_efficient_training_without_the_closed_form():
    C, B = 1e20, 1.0
    plan = sj.allocate((laws.kaplan_trajectory, TRUE), compute=C, cost=lambda N, S, B: 6 * N * S * B, over=("N", "S"), B=B)
    best = efficient(C)
    assert plan.loss == pytest.approx(best.loss, rel=1e-6)
    assert plan.N == pytest.approx(best.N, rel=1e-4)


def test_overfitting_tokens_keep_the_loss_within_the_excess():
    params, N = laws.kaplan.published["kaplan2020"], np.logspace(6, 11, 6)
    D = sj.formulas.overfitting_tokens(N, **params, excess=0.05)
    np.testing.assert_allclose(laws.kaplan(N, D, **params) / laws.kaplan(N, 1e40, **params), 1.05, rtol=1e-9)


def test_both_laws_agree_at_the_contradiction_point():
    compute, data = (dict(law.published["kaplan2020"]) for law in (laws.kaplan_compute, laws.kaplan_data))
    at = sj.formulas.contradiction_point(**compute, **data, N_1=1.3e9, p=0.73)
    assert laws.kaplan_compute(at["C"], **compute) == pytest.approx(at["L"], rel=1e-12)
    assert laws.kaplan_data(at["D"], **data) == pytest.approx(at["L"], rel=1e-12)
    assert at["D"] == pytest.approx(2 * at["C"] * sj.costs.PF_DAY / (6 * at["N"]), rel=1e-12)


def test_retrieval_without_a_floor_is_kaplan():
    k = laws.kaplan.published["kaplan2020"]
    inputs = np.logspace(7, 10, 5), np.logspace(8, 12, 5)
    same = laws.dense_retrieval(*inputs, A=k["N_c"], alpha=k["alpha_N"], B=k["D_c"], beta=k["alpha_D"], delta=0.0)
    np.testing.assert_allclose(same, laws.kaplan(*inputs, **k), rtol=1e-14)


def test_data_for_a_target_error_is_the_inverse_power_law():
    params = {"alpha": 30.0, "beta_g": 0.2, "gamma": 1.5}
    needed = sj.equivalent((laws.hestness, params), "m", like=2.5).value
    assert needed == pytest.approx(((2.5 - 1.5) / 30.0) ** (-1 / 0.2), rel=1e-9)


# Counting without embeddings


def closed_form(N, params, omega):
    """Budget at which N is best, and the local exponent: eqs. of Pearce and Song 2024 for `chinchilla`."""
    A, B, a, b = (params[k] for k in ("A", "B", "alpha", "beta"))
    x = N ** (2 / 3)
    C = 6 * N * (b * B / (a * A)) ** (1 / b) * (N + omega * N ** (1 / 3)) ** ((1 + a) / b) * (N + omega / 3 * N ** (1 / 3)) ** (-1 / b)
    inverse = 1 - (x + omega / 9) / (x + omega / 3) / b + (a + 1) / b * (x + omega / 3) / (x + omega)
    return C, 1 / inverse


@pytest.mark.parametrize("key", ["besiroglu2024", "hoffmann2022"])
def test_the_local_exponent_is_that_of_the_closed_form(key):
    params, sizes = laws.chinchilla.published[key], np.geomspace(100, 1e12, 31)
    compute, exponent = closed_form(sizes, params, 47491.0)
    by_size = sj.derive((laws.chinchilla, params), sj.formulas.local_exponent, sizes=sizes)
    by_budget = sj.derive((laws.chinchilla, params), sj.formulas.local_exponent, compute=compute)
    for found in (by_size, by_budget):
        np.testing.assert_allclose(found.compute, compute, rtol=1e-8)
        np.testing.assert_allclose(found.N, sizes, rtol=1e-8)
        np.testing.assert_allclose(found.exponent, exponent, rtol=1e-7)
    assert exponent.max() > exponent[0] > exponent[-1]


@pytest.mark.slow
def test_the_sizes_of_the_local_exponent_are_those_of_allocate():
    source, C = (laws.chinchilla, laws.chinchilla.published["besiroglu2024"]), np.logspace(15, 23, 5)
    plan = sj.allocate(source, compute=C, cost=sj.costs.six_nd_nonembedding)
    found = sj.derive(source, sj.formulas.local_exponent, compute=C)
    np.testing.assert_allclose(sj.costs.nonembedding_params(plan.N), found.N, rtol=1e-7)
    np.testing.assert_allclose(plan.D, found.D, rtol=1e-7)


# Contours and the staged fit


def test_contours_interpolate_power_laws_exactly_and_respect_masks_and_warmup():
    S = [[1.0, 10.0, 100.0, 1000.0], [1.0, 10.0, 100.0]]
    runs = sj.read_runs({"N": [1e6, 1e6], "B": [1e5, 1e6], "S": S, "loss": [[8.0 * s**-0.25 for s in row] for row in S]})
    found = papers.loss_contours(runs, [4.0, 1.6])
    np.testing.assert_allclose(found["S"], [(8 / 4) ** 4, (8 / 1.6) ** 4, (8 / 4) ** 4], rtol=1e-12)
    np.testing.assert_allclose(found["E"], found["B"] * found["S"])
    assert len(set(found["contour"])) == 2
    assert len(papers.loss_contours(runs, [4.0, 1.6], from_step=20.0)) == 1  # 4.0 was passed during warm-up


def test_a_curve_that_rises_counts_with_its_lowest_loss():
    runs = sj.read_runs({"N": [1e6], "B": [1e5], "S": [[1.0, 10.0, 100.0, 1000.0]], "loss": [[8.0, 3.0, 5.0, 2.0]]})
    step = papers.loss_contours(runs, [2.5])["S"][0]
    assert 100 < step < 1000


def test_contours_and_stages_say_what_is_missing():
    converged, curves = learning_curves([1e6, 1e7], [1e5, 1e6])
    with pytest.raises(sj.DataError, match="No curve crosses"):
        papers.loss_contours(curves, [100.0])
    with pytest.raises(sj.DataError, match=r"shape \(runs, steps\)"):
        papers.loss_contours(converged.with_columns(S=1.0, B=1.0), [3.0])
    with pytest.raises(sj.DataError, match="contours are reached at 3 batches"):
        papers.fit_training_dependency(converged, curves, joint=False)
    with pytest.raises(sj.DataError, match="lower from_step"):
        papers.fit_training_dependency(converged, curves, from_step=1e9)


@pytest.mark.slow
def test_stages_and_joint_fit_recover_the_constants_from_noisy_runs():
    """The joint fit is exact without noise; with it, its intervals hold the truth and a model 500 times larger is predicted within 1 %."""
    sizes, batches = [1e6, 4e6, 1.6e7, 6e7], [2e4, 2e5, 2e6]
    exact = papers.fit_training_dependency(*learning_curves(sizes, batches))
    np.testing.assert_allclose([exact.joint.params[k] for k in NAMES], [TRUE[k] for k in NAMES], rtol=1e-5)
    np.testing.assert_allclose([exact.params[k] for k in NAMES], [TRUE[k] for k in NAMES], rtol=2e-3)  # contours are interpolated
    noisy = papers.fit_training_dependency(*learning_curves(sizes, batches, noise=3e-3))
    inside = [low <= TRUE[k] <= high for k, (low, high) in noisy.joint.interval(0.99).items()]
    assert all(inside)
    N, S, B = 33e9, np.logspace(4, 5.5, 4), 2e6
    truth = laws.kaplan_trajectory(N, S, B, **TRUE)
    np.testing.assert_allclose(noisy.joint.predict(N=np.full(4, N), S=S, B=np.full(4, B)), truth, rtol=0.01)
    np.testing.assert_allclose(noisy.predict(N, S, B), truth, rtol=0.03)
    assert "joint" in repr(noisy)


@pytest.mark.slow
def test_architectures_that_share_an_exponent_are_predicted_better_together():
    """Hestness et al.: the architecture moves alpha, not beta_g."""
    rng = np.random.default_rng(0)
    kinds, m = 8, np.logspace(6, 8, 5)
    alpha = rng.uniform(8, 16, kinds)
    eps = alpha[:, None] * m**-0.07 * np.exp(0.02 * rng.standard_normal((kinds, len(m))))
    names = np.asarray([f"model {k}" for k in range(kinds)])
    runs = sj.read_runs({"m": np.tile(m, kinds), "loss": eps.ravel(), "kind": np.repeat(names, len(m))})
    fits = [sj.fit(laws.hestness, runs, by="kind", share=share, fix={"gamma": 0.0}, starts=64) for share in ("beta_g", ())]
    truth = np.log(alpha * 1e11**-0.07)
    together, apart = (np.std(np.log(f.predict(m=np.full(kinds, 1e11), group=names)) - truth) for f in fits)
    assert together < 0.5 * apart


# Information


def test_bits_and_nats_are_inverse_and_a_run_gives_back_its_capacity():
    assert papers.nats(papers.bits(2.5)) == pytest.approx(2.5, rel=1e-15)
    N, D = np.asarray([1e8, 1e9]), np.asarray([1e10, 5e10])
    L = laws.information_capacity(N, D, H=12.0, eta=2.0)
    np.testing.assert_allclose(papers.stored_information(N, D, L, H=12.0), 2.0, rtol=1e-12)


def test_the_integral_along_a_curve_is_that_of_the_mean_loss():
    D = np.linspace(0, 1e9, 10_001)
    loss = 4.0 + 8.0 * np.exp(-D / 1e8)
    along = papers.stored_information(1e7, D, loss, H=12.0)
    exact = 8.0 * (D - 1e8 * (1 - np.exp(-D / 1e8))) / 1e7
    np.testing.assert_allclose(along, exact, rtol=1e-5, atol=1e-6)  # trapezoids
    with pytest.raises(sj.DataError, match="tokens D that rise"):
        papers.stored_information(1e7, D[::-1], loss, H=12.0)


# Bad input


def test_bad_questions_get_one_clear_sentence():
    with pytest.raises(sj.LawError, match="has the parameters"):
        sj.derive((laws.kaplan_trajectory, {"N_c": 1.0}), sj.formulas.compute_efficient, compute=1e20)
    with pytest.raises(sj.DecisionError, match=r"compute=.* must be positive"):
        efficient([1e20, -1.0])
    with pytest.raises(sj.DecisionError, match="loss above loss_infinite"):
        sj.formulas.early_stopping_step(2.0, 2.1, S_c=2e3, alpha_S=0.7)
    with pytest.raises(sj.DecisionError, match="data never limit"):
        sj.formulas.contradiction_point(C_c=1e8, alpha_C=0.02, D_c=1e13, alpha_D=0.1, N_1=1e9, p=0.5)
    source = (laws.chinchilla, laws.chinchilla.published["besiroglu2024"])
    with pytest.raises(sj.DecisionError, match=r"either compute= .* or sizes="):
        sj.derive(source, sj.formulas.local_exponent)
    with pytest.raises(sj.DataError, match="needs the input 'U'"):
        sj.derive((laws.data_constrained, laws.data_constrained.published["muennighoff2023"]), sj.formulas.local_exponent, compute=1e20)
    with pytest.raises(sj.DecisionError, match="has no optimum"):
        sj.derive((laws.chinchilla, {**source[1], "A": 1e-30}), sj.formulas.local_exponent, compute=1e20)
