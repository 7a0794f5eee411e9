"""Gradient noise, rules that carry settings over, sensitivity, fronts of searches, and theory of transfer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import scalejax as sj
from scalejax import laws, papers, studies
from scalejax.core.errors import DataError, DecisionError

# Gradient noise


def test_noise_scale_of_simulated_gradients():
    rng = np.random.default_rng(0)
    G, H, scale = rng.standard_normal(20), np.diag(np.linspace(0.5, 2.0, 20)), np.linspace(1.0, 6.0, 20)
    norms = [((G + scale / np.sqrt(B) * rng.standard_normal((20_000, 20))) ** 2).sum(axis=1) for B in (8, 64)]
    found = studies.gradient_noise_scale(*norms, B_small=8, B_big=64)
    B_noise, B_simple = studies.quadratic_noise_scale(G, H, np.diag(scale**2))
    assert found.B_simple == pytest.approx(B_simple, rel=0.03)
    assert B_noise != pytest.approx(B_simple, rel=0.01)


def test_noise_scale_refuses_bad_input():
    with pytest.raises(DataError, match="B_small < B_big"):
        studies.gradient_noise_scale(2.0, 1.0, B_small=10, B_big=10)
    with pytest.raises(DataError, match="average over more steps"):
        studies.gradient_noise_scale(1.0, 2.0, B_small=1, B_big=10)
    with pytest.raises(DataError, match="shapes"):
        studies.quadratic_noise_scale([1.0, 2.0], np.eye(3), np.eye(2))


def test_batches_that_follow_the_noise_beat_every_constant_batch():
    s, noise = np.linspace(0.0, 1e4, 501), np.geomspace(1e3, 1e5, 501)
    best = studies.adaptive_batch(s, noise, rho=1e4)
    assert best.gamma < 1
    assert (best.steps / best.S_min - 1) * (best.examples / best.E_min - 1) == pytest.approx(best.gamma, rel=1e-12)
    B = np.geomspace(1e2, 1e6, 50)
    constant = best.S_min + best.E_min / B, best.E_min + best.S_min * B
    assert (best.examples + 1e4 * best.steps <= constant[1] + 1e4 * constant[0]).all()
    with pytest.raises(DataError, match="rising"):
        studies.adaptive_batch([0.0, 0.0], [1.0, 1.0], rho=1.0)


# Rules


RULES = {
    "adam": (studies.adam_batch_rule, {"lr": 1e-3, "beta1": 0.97, "beta2": 0.99, "eps": 1e-8, "batch": 64.0}),
    "rmsprop": (studies.rmsprop_batch_rule, {"lr": 1e-3, "beta": 0.97, "eps": 1e-8}),
    "sgd": (lambda s, k: studies.sgd_batch_rule(s, k, scale_momentum=True), {"lr": 0.1, "momentum": 0.95}),
    "ema": (studies.ema_batch_rule, {"ema": 0.996, "lr": 1.0}),
    "width": (lambda s, k: studies.width_rule(s, k, q=0.7), {"lr": 1e-2, "init_var": 1.0, "weight_decay": 0.1, "output_mult": 1.0}),
    "depth": (studies.depth_rule, {"branch_scale": 1.0, "lr": 1e-3}),
}


@pytest.mark.parametrize("name", RULES)
def test_rules_form_a_group(name):
    rule, old = RULES[name]
    twice, once = rule(rule(old, 2.0), 3.0), rule(old, 6.0)
    assert twice == {k: pytest.approx(v, rel=1e-12) for k, v in once.items()}
    assert rule(old, 1.0) == {k: pytest.approx(v, rel=1e-13) for k, v in old.items()}
    assert rule(rule(old, 4.0), 0.25) == {k: pytest.approx(v, rel=1e-12) for k, v in old.items()}
    assert rule({**old, "warmup": 100}, 2.0)["warmup"] == 100


def test_rules_of_optimiser_and_average_commute():
    old = {"lr": 1e-3, "beta2": 0.99, "ema": 0.999}
    one = studies.ema_batch_rule(studies.adam_batch_rule(old, 8.0), 8.0)
    assert one == studies.adam_batch_rule(studies.ema_batch_rule(old, 8.0), 8.0)


def test_rules_refuse_what_no_optimiser_takes():
    with pytest.raises(DecisionError, match=r"beta1=0\.9 would become -0\.6"):
        studies.adam_batch_rule({"beta1": 0.9}, 16)
    with pytest.raises(DecisionError, match="positive"):
        studies.sgd_batch_rule({"lr": 0.1}, 0)
    with pytest.raises(DecisionError, match="'ema' between 0 and 1"):
        studies.ema_batch_rule({"lr": 0.1}, 2)
    with pytest.raises(DecisionError, match="old value"):
        studies.timescale_rule({"weight_decay": 0.1, "lr": 1e-3}, batch=1e6)
    with pytest.raises(DecisionError, match="not 'seed'"):
        studies.timescale_rule({"weight_decay": 0.1, "seed": 1}, seed=2)


def test_the_timescale_rule_keeps_the_timescale():
    old = {"lr": 1e-3, "batch": 5e5, "D": 1e10, "weight_decay": 0.1}
    new = studies.timescale_rule(old, lr=3e-3, batch=2e6, D=7e10)
    assert studies.adamw_timescale(**new) == pytest.approx(studies.adamw_timescale(**old), rel=1e-13)


def test_first_order_average_agrees_near_1():
    exact, first = (studies.ema_batch_rule({"ema": 1 - 1e-5}, 10, first_order=f)["ema"] for f in (False, True))
    assert first == pytest.approx(exact, abs=1e-8)


# Sensitivity, norms, fronts


def test_sensitivity_of_a_flat_and_of_a_quadratic_sweep():
    lr = np.geomspace(3e-4, 3e-1, 2001)
    assert studies.lr_sensitivity(lr, np.full(2001, 2.5), initial=10.0) == 0.0
    z = np.linspace(-1, 1, 2001)
    assert studies.lr_sensitivity(lr, 2.5 + z**2, initial=10.0) == pytest.approx(1 / 3, rel=1e-5)
    assert studies.lr_sensitivity(lr, 2.5 + z**2, initial=2.5 + 1e-9) == pytest.approx(0.0, abs=1e-8)


def test_diverged_runs_cost_as_much_as_no_training():
    lr = [1e-3, 1e-2, 1e-1]
    ours = [studies.lr_sensitivity(lr, [3.0, 3.1, bad], initial=8.0) for bad in (np.nan, np.inf, 1e6, 8.0)]
    assert len(set(ours)) == 1
    with pytest.raises(DataError, match="diverged"):
        studies.lr_sensitivity(lr, [np.nan] * 3, initial=8.0)
    with pytest.raises(DataError, match="between"):
        studies.lr_sensitivity([1e-6, 1e-5], [3.0, 3.1], initial=8.0)


def test_norms_cross_their_threshold_within_the_interval():
    rng = np.random.default_rng(5)
    N, lr = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 6), [1e-3, 3e-3, 1e-2]))
    norm = 1e-3 * N**0.5 * lr**0.8 * np.exp(0.03 * rng.standard_normal(len(N)))
    trend = studies.norm_trend(N, norm, lr)
    found, true = trend.crossing(1e2, lr=1e-2, level=0.99), (1e5 / 1e-2**0.8) ** 2
    assert found.low < true < found.high and found.N == pytest.approx(true, rel=0.5)
    bent = studies.norm_trend(N, norm, lr, degree=2).crossing(1e2, lr=1e-2, level=0.99)
    assert bent.low < true < bent.high and bent.low < found.low and bent.high > found.high  # far beyond the runs it knows less
    assert "ln N" in str(trend)
    assert studies.norm_trend(N, 1 / norm, lr).crossing(1e3, lr=1e-2).N == np.inf  # falls, away from the threshold


def test_norms_refuse_bad_input():
    with pytest.raises(DataError, match="do not determine"):
        studies.norm_trend([1e7, 1e8], [1.0, 2.0])
    with pytest.raises(DataError, match="positive"):
        studies.norm_trend([1e7, 1e8, 1e9], [1.0, 2.0, -1.0])


def test_the_pareto_set_has_no_dominated_trial():
    rng = np.random.default_rng(2)
    loss, cost = rng.uniform(size=(2, 200))
    front = studies.pareto_set(loss, cost)
    dominated = [((cost <= cost[i]) & (loss < loss[i])).any() for i in range(200)]
    assert set(front.tolist()) == {i for i in range(200) if not dominated[i]}
    assert studies.pareto_set([1.0, 1.0, np.nan], [2.0, 2.0, 1.0]).tolist() == [0]
    with pytest.raises(DataError, match="No trial"):
        studies.pareto_set([np.nan], [1.0])


def test_powers_of_cost_come_back_from_a_search():
    rng = np.random.default_rng(4)
    C = np.geomspace(1e17, 1e21, 300)
    off = 0.5 * rng.standard_normal(300)
    N = 0.1 * C**0.5 * np.exp(off)
    runs = sj.read_runs({"cost": C, "N": N, "D": C / (6 * N), "loss": 1.7 + (C / 1e18) ** -0.15 + 0.2 * off**2})
    for near in (None, 0.01):
        found = studies.pareto_hyperparameters(runs, ["N", "D"], near=near)
        powers = [found.laws[name].params["p_cost"] for name in ("N", "D")]
        assert powers[0] == pytest.approx(0.5, abs=0.05)
        if near is not None:
            assert sum(powers) == pytest.approx(1.0, abs=1e-6)
    assert found.at(1e20)["N"] == pytest.approx(1e9, rel=0.15)
    with pytest.raises(DataError, match="lie on the front"):
        studies.pareto_hyperparameters(runs.take(np.arange(3)), ["N"])


# Theory


@pytest.mark.parametrize("c_0", [-1.0, -0.4, 0.0, 0.7, 1.0])
def test_the_correlation_solves_its_equation(c_0):
    def drift(t, c):
        c = np.clip(c, -1, 1)
        return 0.5 * 1.3**2 * ((c * np.arcsin(c) + np.sqrt(1 - c**2)) / np.pi + c / 2 - c)

    expected = solve_ivp(drift, (0, 0.8), [c_0], rtol=1e-11, atol=1e-13).y[0, -1]
    assert laws.residual_correlation(c_0, 0.8, sigma=1.3) == pytest.approx(expected, abs=2e-7)


def test_the_order_of_the_limits_does_not_matter():
    """Deep and wide, wide and deep: the same variance within the noise of the simulation."""
    limit = laws.residual_variance(1.0, 1.0, sigma=1.0)
    for width, depth in ((384, 24), (96, 192)):
        variance = papers.simulate_residual(width, depth, seeds=16, seed=1).variance
        assert variance.mean() == pytest.approx(limit, rel=4 * variance.std() / 4 / limit + 1 / depth)


def test_simulated_inputs_have_the_correlation_asked_for():
    found = papers.simulate_residual(16, 1, c_0=0.4, q_0=2.0, sigma=1e-9, seeds=3)
    np.testing.assert_allclose(found.variance, 2.0, rtol=1e-6)
    np.testing.assert_allclose(found.correlation, 0.4, rtol=1e-6)
    with pytest.raises(DecisionError, match="c_0"):
        papers.simulate_residual(4, 4, c_0=2.0)


def test_errors_of_finite_networks_fall_with_the_root_of_the_width():
    widths = np.array([16, 64, 256])
    spread = [papers.simulate_residual(int(n), 8, seeds=60, seed=int(n)).variance.std() for n in widths]
    assert sj.compare_slopes(widths, spread).slopes[0] == pytest.approx(-0.5, abs=0.12)


def test_curves_collapse_with_the_right_power():
    rng = np.random.default_rng(6)
    T, P = (v.ravel() for v in np.meshgrid(np.geomspace(1e-3, 1, 12), [1e2, 1e3, 1e4]))
    x = np.log(T * P**0.5)
    found = papers.collapse_power(T, P, 0.1 * x + 0.02 * x**2 + 0.01 * rng.standard_normal(len(T)), level=0.99)
    assert found.low < 0.5 < found.high and found.high - found.low < 0.1
    assert found.sigma == pytest.approx(0.01, rel=0.4)
    assert papers.crossover_power(found.power, 1.0) == found.power
    with pytest.raises(DataError, match="more than one P"):
        papers.collapse_power(T, np.ones_like(T), x)


def test_powers_of_noise_regimes():
    assert [papers.optimal_temperature_power(h) for h in (1, 3)] == [0.0, 0.5]
    assert [papers.perceptron_power(chi) for chi in (0.0, 1.0)] == [1.0, 0.5]
    for call in (lambda: papers.optimal_temperature_power(0), lambda: papers.perceptron_power(-1.0),
                 lambda: papers.crossover_power(1.0, 0.0)):  # fmt: skip
        with pytest.raises(DecisionError):
            call()
