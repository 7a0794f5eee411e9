"""Laws of loss curves against plain sums, the fast sum, best schedules, and the theory of schedules."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax import laws, papers, studies
from scalejax import schedules as s
from scalejax.zoo.curves import decrements
from scalejax.zoo.curves.recurrences import linear_recurrence

L0, A, ALPHA, B = 3.0, 0.5, 0.5, 400.0
COMMON = {"L0": L0, "A": A, "alpha": ALPHA}
PARAMS = dict(laws.multi_power.published["luo2025_25M"])


def wavy(steps: int = 60, warmup: int = 10) -> np.ndarray:
    return s.with_warmup(s.join(s.cyclic(30, 1e-3, 1e-4), s.linear(steps - 30 - warmup, 8e-4, 1e-5)), warmup, start=1e-5)


def plain(eta, t, W, G):
    """The double sum, as it is printed: G(eta_k, S_k(t), t - k + 1)."""
    fallen = sum((eta[k - 1] - eta[k]) * G(eta[k], eta[k : t + 1].sum(), t - k + 1) for k in range(max(W, 0) + 1, t + 1))
    return L0 + A * eta[: t + 1].sum() ** -ALPHA - B * fallen


KERNELS = {
    "multi_power": ({"C": 2.0, "beta": 0.6, "gamma": 0.6}, lambda r, S, n: 1 - (1 + 2.0 * r**-0.6 * S) ** -0.6),
    "multi_power_no_gamma": ({"C": 300.0, "beta": 0.6}, lambda r, S, n: 1 - (1 + 300.0 * S) ** -0.6),
    "multi_power_spl": ({"C": 0.1, "beta": 0.6}, lambda r, S, n: 1 - (1 + 0.1 * n) ** -0.6),
    "multi_power_mel": ({"C": 300.0}, lambda r, S, n: 1 - np.exp(-300.0 * S)),
    "multi_power_mtl": ({"lam": 0.95}, lambda r, S, n: 1 - 0.95**n),
    "multi_power_lldl": ({}, lambda r, S, n: 1.0),
}


@pytest.mark.parametrize("W", [0, 9])
@pytest.mark.parametrize("name", KERNELS)
def test_laws_are_the_printed_double_sums(name, W):
    values, G = KERNELS[name]
    eta, t = wavy(), np.array([10, 33, 59])
    expected = [plain(eta, k, W, G) for k in t]
    np.testing.assert_allclose(laws[name](eta, t, W, **COMMON, B=B, **values), expected, rtol=1e-12)


def test_functional_scaling_is_its_sum():
    eta, t, v = wavy(), 59, {"c3": 0.5, "c4": 300.0, "gamma": 0.7}
    S = np.cumsum(eta)
    fallen = sum(
        (eta[k - 1] - eta[k]) * (v["c3"] + S[k] ** -ALPHA) * (1 - (1 + v["c4"] * (S[t] - S[k])) ** -v["gamma"]) for k in range(10, t + 1)
    )
    ours = laws.functional_scaling(eta, t, 9, L0=L0, c1=A, s=ALPHA, c2=B, **v)
    assert ours == pytest.approx(L0 + A * S[t] ** -ALPHA - B * fallen, rel=1e-12)


def test_annealing_areas_are_their_recurrence_and_family():
    eta, lam = wavy(), 0.999
    m, S2 = 0.0, 0.0
    for i in range(1, 60):
        m = lam * m + eta[i - 1] - eta[i]
        S2 += m
    values = {**COMMON, "C": 0.4}
    expected = L0 + A * eta.sum() ** -ALPHA - 0.4 * S2
    assert laws.lr_annealing(eta, 59, 0, **values) == pytest.approx(expected, rel=1e-13)
    assert laws.multi_power_mtl(eta, 59, 0, **COMMON, B=0.4 / (1 - lam), lam=lam) == pytest.approx(expected, rel=1e-12)
    sized = laws.lr_annealing_size(eta, 59, 0, 1.0, **{**values, "L0": L0 - 1}, B=1.0, beta=0.3, gamma=0.1)
    assert sized == pytest.approx(expected, rel=1e-13)
    falling = s.linear(60, 1e-3)
    powered = laws.lr_annealing_power(falling, 59, 0, **values, zeta=1.0)
    assert powered == pytest.approx(laws.lr_annealing(falling, 59, 0, **values), rel=1e-12)


def test_a_constant_rate_leaves_the_power_law():
    eta = s.constant(50, 1e-3)
    one = laws.multi_power_opl(eta, [10, 49], 0, **COMMON)
    np.testing.assert_allclose(laws.multi_power(eta, [10, 49], 0, **{**PARAMS, **COMMON}), one, rtol=1e-14)
    np.testing.assert_allclose(laws.lr_annealing(eta, [10, 49], 0, **COMMON, C=1.0), one, rtol=1e-14)


def test_forward_momentum_is_its_recurrence():
    step = np.arange(100.0, 2100.0, 100.0)
    eta = np.concatenate([np.full(10, 1e-3), np.linspace(1e-3, 1e-4, 10)])
    m = v = S = M = 0.0
    for i, (rate, at) in enumerate(zip(eta, step, strict=True)):
        since = at - (step[i - 1] if i else 0.0)
        S += rate * since
        d = (eta[i - 1] - rate) * since if i else 0.0
        m, v = 0.9 * m + 0.1 * d, 0.999 * v + 0.001 * d**2
        M += (m / (1 - 0.9 ** (i + 1))) / (np.sqrt(1e5 * v / (1 - 0.999 ** (i + 1)) + 1e-8) + 1e-8)
    values = {"lam_S": A, "alpha_S": ALPHA, "lam_N": 5.0, "alpha_N": 0.2, "lam_M": 1e-3}
    expected = L0 + A * S**-ALPHA + 5.0 * 1e8**-0.2 - 1e-3 * M
    assert laws.forward_momentum(eta, step, 1e8, L0=L0, **values)[-1] == pytest.approx(expected, rel=1e-12)


def test_linear_recurrence_is_the_loop():
    x = np.random.default_rng(0).normal(size=101)
    y, expected = 0.0, []
    for value in x:
        y = 0.97 * y + value
        expected.append(y)
    with jax.enable_x64(True):
        np.testing.assert_allclose(linear_recurrence(0.97, jnp.asarray(x)), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("eta", "error"),
    [
        (s.with_warmup(s.cosine(3600, 3e-4, 3e-5), 400), 1e-5),
        (s.with_warmup(s.linear(3600, 3e-4), 400), 1e-5),
        (s.with_warmup(s.multi_step(3600, 3e-4), 400), 1e-5),
        (s.with_warmup(s.cyclic(3600, 3e-4, cycles=3), 400), 2e-4),
    ],
)
def test_the_fast_sum_agrees_with_the_plain_one(eta, error):
    t = np.arange(400, 4000, 90)
    fast = laws.multi_power(eta, t, 0, **PARAMS)
    single = np.array([laws.multi_power(eta, k, 0, **PARAMS) for k in t[::8]])
    assert len(eta) > decrements._SHORT and len(t) > decrements._FEW
    np.testing.assert_allclose(fast[::8], single, atol=error)


def test_the_fast_sum_is_exact_for_jumps():
    eta = s.join(s.constant(1000, 3e-4), s.constant(700, 1e-4), s.constant(700, 2e-4))
    t = np.arange(5, 2400, 40)
    np.testing.assert_allclose(
        laws.multi_power(eta, t, 0, **PARAMS)[::10], [laws.multi_power(eta, k, 0, **PARAMS) for k in t[::10]], atol=1e-13
    )


def test_runs_in_one_table_give_what_each_gives():
    eta = np.stack([wavy(), s.linear(60, 1e-3)])
    t = np.array([[20, 59], [30, 40]])
    both = laws.multi_power(eta, t, np.zeros(2), **PARAMS)
    for i in range(2):
        np.testing.assert_allclose(both[i], laws.multi_power(eta[i], t[i], 0, **PARAMS), rtol=1e-13)
    np.testing.assert_allclose(laws.multi_power(eta, t[:, 0], np.zeros(2), **PARAMS), both[:, 0], rtol=1e-13)


def test_a_fit_of_noisy_curves_recovers_the_law_and_its_intervals_know_that_neighbours_go_together():
    """Neighbours on a curve share their errors; fewer than ten curves are resampled in blocks, not as wholes."""
    law, rng = laws.lr_annealing, np.random.default_rng(0)
    true = {"L0": 2.6, "A": 0.5, "alpha": 0.5, "C": 0.5}
    eta = np.stack([s.with_warmup(s.cosine(1900, p, 0.1 * p), 100) for p in (1e-3, 2e-3, 3e-3)] + [s.constant(2000, 2e-3)] * 3)
    t = np.broadcast_to(np.arange(150, 2000, 50), (6, 37))
    loss = law(eta, t, np.zeros(6), **true) * np.exp(1e-3 * rng.normal(size=(6, 1)) + 1e-4 * rng.normal(size=(6, 37)))
    fit = sj.fit(law, sj.read_runs({"eta": eta, "t": t, "W": np.zeros(6), "loss": loss}), starts=16)
    for name, value in true.items():
        assert fit.params[name] == pytest.approx(value, rel=0.1)
    assert fit.standard_errors["L0"] > 2 * fit.errors("model")["L0"]  # 37 observations of a run are not 37 runs
    blocks = sj.bootstrap(fit, 40, progress=False)
    assert "blocks" in blocks.kind and blocks.standard_errors["L0"] > 1.5 * fit.errors("model")["L0"]
    with pytest.raises(sj.FitError, match="only 6"):
        sj.bootstrap(fit, 40, kind="cases")


# Decisions


@pytest.mark.slow
def test_the_best_schedule_of_the_annealing_law_is_bang_bang_where_the_closed_form_says():
    values = {"L0": 2.6, "A": 0.43, "alpha": 0.55, "C": 0.41}
    best = studies.optimal_schedule((laws.lr_annealing, values), steps=8000, peak=2e-4)
    n = studies.annealing_switch(8000, 2e-4, **{k: values[k] for k in ("A", "alpha", "C")})
    assert best.falls == 1 and abs((best.eta < 1e-4).sum() - n) < 20
    assert "bang-bang" in repr(best)
    jumps = [s.join(s.constant(8000 - k, 2e-4), s.constant(k, 0.0)) for k in (int(n) - 200, round(n), int(n) + 200)]
    ends = [laws.lr_annealing(eta, 7999, 0, **values) for eta in jumps]
    assert ends[1] < min(ends[0], ends[2]) and best.loss == pytest.approx(ends[1], abs=2e-5)


def test_a_free_schedule_is_better_than_its_family_and_the_family_better_than_others():
    source = (laws.multi_power, PARAMS)
    ask = {"steps": 3000, "peak": 3e-4, "warmup": 300, "iterations": 400}
    free, family = studies.optimal_schedule(source, **ask), studies.optimal_schedule(source, **ask, shape="wsd")
    assert free.loss < family.loss < min(family.others.values())
    assert (np.diff(free.eta[300:]) <= 1e-15).all() and free.eta.max() <= 3e-4 and free.eta.min() >= 0
    assert family.loss == pytest.approx(laws.multi_power(family.eta, 2999, 300, **PARAMS), rel=1e-12)
    around = [s.with_warmup(s.wsd(2700, 3e-4, 0.0, d, family.exponent), 300) for d in (0.9 * family.decay, 1.1 * family.decay)]
    assert family.loss < min(laws.multi_power(eta, 2999, 300, **PARAMS) for eta in around)
    assert studies.optimal_schedule(source, tokens=3e6, batch=1e3, peak=3e-4, warmup=300, shape="wsd").loss == family.loss


def test_a_floor_is_kept():
    best = studies.optimal_schedule((laws.multi_power, PARAMS), steps=1000, peak=3e-4, end=3e-5, iterations=200)
    assert best.eta.min() >= 3e-5 and best.eta[0] == 3e-4


@pytest.mark.parametrize(
    "change",
    [
        {"steps": None}, {"tokens": 1e9}, {"steps": 1}, {"peak": -1.0}, {"end": 1.0}, {"warmup": 1000}, {"shape": "cosine"},
        {"convention": "at"}, {"against": {"one": [1.0]}}, {"N": 3.0}, {"iterations": 0},
    ],
)  # fmt: skip
def test_questions_that_make_no_schedule_are_refused(change):
    with pytest.raises(sj.DecisionError):
        studies.optimal_schedule((laws.multi_power, PARAMS), **{"steps": 100, "peak": 3e-4, **change})


def test_a_law_without_a_schedule_is_refused():
    with pytest.raises(sj.DecisionError, match="not a law of loss curves"):
        studies.optimal_schedule((laws.kaplan, laws.kaplan.published["kaplan2020"]), steps=100, peak=1e-3)


# Theory


def test_weights_of_an_average_sum_to_one_and_follow_the_recursion():
    eta = wavy() * 100
    found = papers.ema_weights(eta, 0.5)
    assert found.coefficients.sum() + found.initial == pytest.approx(1.0, abs=1e-14)
    theta, x = 2.0, np.random.default_rng(0).normal(size=len(eta))
    for a, value in zip(0.5 * eta, x, strict=True):
        theta = (1 - a) * theta + a * value
    assert found.initial * 2.0 + found.coefficients @ x == pytest.approx(theta, rel=1e-12)
    assert 1 < found.effective < len(eta)
    same = papers.ema_weights(s.constant(50, 1e-3), 0.2)
    np.testing.assert_allclose(same.coefficients, papers.ema_weights(s.constant(50, 2e-3), 0.1).coefficients)  # eta lambda alone counts
    for eta, decay in (([], 0.1), ([-1.0], 0.1), ([0.5], 0.0), ([0.5], 2.0)):
        with pytest.raises(sj.DataError):
            papers.ema_weights(eta, decay)


def test_the_tuned_bound_is_the_bound_at_its_best_rate():
    shape = s.wsd(200, shape="linear")
    best = papers.tuned_bound(shape, D0=2.0, G=3.0)
    at = [laws.convex_bound(gamma * shape, 199, D0=2.0, G=3.0) for gamma in (0.9 * best.gamma, best.gamma, 1.1 * best.gamma)]
    assert at[1] == pytest.approx(best.bound, rel=1e-12) and at[1] < min(at[0], at[2])
    np.testing.assert_allclose(laws.convex_bound(shape, [99, 199], D0=1.0, G=1.0)[0], laws.convex_bound(shape[:100], 99, D0=1.0, G=1.0))
    for bad in ([], [0.0], [-1.0, 1.0]):
        with pytest.raises(sj.DataError):
            papers.tuned_bound(bad)


def test_optimal_schedules_of_kernel_regression_agree_at_the_border():
    beta = 2.5
    easy, hard = (papers.kernel_schedule(1 - 1 / beta + e, beta) for e in (1e-9, -1e-9))
    assert easy.easy and not hard.easy and easy.decay_exponent == 4.0
    assert easy.peak_exponent == pytest.approx(0.0, abs=1e-8) and easy.risk_exponent == pytest.approx(hard.risk_exponent, abs=1e-8)
    with pytest.raises(sj.DecisionError):
        papers.kernel_schedule(1.0, 0.9)


def test_functional_theory_is_its_sum_and_random_features_their_loop():
    eta, v = 100 * wavy(), {"s": 0.7, "beta": 2.0, "sigma2": 0.5}
    z = np.cumsum(eta)
    noise = ((1 + z) ** -0.7 + 0.5) * eta**2 / 4
    expected = 1e3 ** -(0.7 * 2.0) + (1 + z[40]) ** -0.7 + np.sum((1 + z[40] - z[:41]) ** -1.5 * noise[:41])
    assert laws.functional_scaling_theory(eta, 40, 4.0, 1e3, **v) == pytest.approx(expected, rel=1e-12)
    k = np.arange(1, 257.0)
    spectrum, risk = k**-1.5, k**-2.0
    spectrum, risk = spectrum / spectrum.sum(), risk / risk.sum()
    c = risk / spectrum
    for rate in eta:
        c = (1 - rate * spectrum) ** 2 * c + rate**2 / 4 * spectrum * (spectrum @ c + 0.5)
    assert laws.random_feature_sgd(eta, 59, 4.0, a=1.0, b=1.5, sigma2=0.5) == pytest.approx(spectrum @ c, rel=1e-11)


def test_the_ratio_of_minicpm_is_the_optimum_of_its_law():
    values = {"E": 1.5, "A": 400.0, "B": 300.0, "alpha": 0.29, "beta": 0.23}
    K = (values["alpha"] * values["A"] / (values["beta"] * values["B"])) ** (1 / 0.52)
    constants = {"K2": K**2, "slope": (0.23 - 0.29) / 0.52, "unit": 1.0}
    plan = sj.allocate((laws.chinchilla, values), compute=1e21)
    assert sj.formulas.tokens_per_parameter(1e21, **constants) == pytest.approx(plan.D / plan.N, rel=1e-5)
    with pytest.raises(sj.DecisionError):
        sj.formulas.tokens_per_parameter(-1.0)
