"""Schedules and the reading of loss curves."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import scalejax as sj
from scalejax import schedules as s


def test_all_parts_start_at_the_peak_and_fall_no_lower_than_the_end():
    for shape in (*s.SHAPES, "exp", 1.5):
        eta = s.decay(1000, 2.0, 0.5, shape)
        assert eta[0] == pytest.approx(2.0) and (np.diff(eta) <= 1e-12).all() and 0.5 < eta[-1] < 0.52 + 1.5 * (shape == "1-sqrt")
        np.testing.assert_allclose(s.wsd(1000, 2.0, 0.5, decay=0.25, shape=shape)[750:], s.decay(250, 2.0, 0.5, shape), atol=1e-12)


def test_mirror_cosine_mirrors_the_cosine_about_the_line():
    np.testing.assert_allclose(s.decay(50, shape="mirror-cosine") + s.cosine(50), 2 * s.linear(50), atol=1e-14)


def test_wsd_over_the_whole_run_is_the_decay():
    np.testing.assert_allclose(s.wsd(40, 1.0, decay=1.0, shape="linear"), s.linear(40), atol=1e-14)


def test_multi_step_power_and_cycles():
    assert np.unique(s.multi_step(100, 1.0)).size == 3
    np.testing.assert_allclose(s.power(10, 1.0, 0.5), 1 / np.sqrt(np.arange(1, 11)))
    np.testing.assert_allclose(s.cyclic(40, cycles=4, shape="linear"), np.tile(s.linear(10), 4), atol=1e-12)


def test_warmup_rises_in_a_line_and_keeps_the_schedule():
    eta = s.with_warmup(s.cosine(10, 3.0), 4)
    np.testing.assert_allclose(eta[:4], [0, 1, 2, 3])
    np.testing.assert_array_equal(eta[4:], s.cosine(10, 3.0))


def test_schedules_are_traced_and_differentiated():
    with jax.enable_x64(True):
        total = lambda peak, decay, p: s.wsd(100, peak, 0.0, decay, p).sum()  # noqa: E731
        slopes = jax.grad(total, argnums=(0, 1, 2))(*map(jax.numpy.asarray, (1.0, 0.3, 1.5)))
    for i, slope in enumerate(slopes):
        step = np.eye(3)[i] * 1e-6
        ends = [s.wsd(100, x[0], 0.0, float(x[1]), float(x[2])).sum() for x in (np.array([1.0, 0.3, 1.5]) + k * step for k in (1, -1))]
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_bad_schedules_are_refused():
    for call in (lambda: s.constant(0), lambda: s.linear(2.5), lambda: s.decay(5, shape="lineer")):
        with pytest.raises(sj.DataError):
            call()


LONG = {
    "run": ["a"] * 4 + ["b"] * 2,
    "step": [0, 2, 4, 6, 1, 3],
    "loss": [4.0, 3.5, 3.2, 3.0, 3.9, 3.4],
    "lr": [1.0, 1.0, 0.5, 0.5, 0.8, 0.6],
    "size": [10.0] * 4 + [20.0] * 2,
}


def test_curves_of_two_runs_in_one_table():
    runs = sj.read_curves(LONG, run="run", lr="lr", width="size")
    np.testing.assert_allclose(runs["eta"][0], [1, 1, 1, 0.75, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(runs["eta"][1][:4], [0.8, 0.8, 0.7, 0.6])
    np.testing.assert_array_equal(runs["width"], [10, 20])
    np.testing.assert_array_equal(runs.masks["loss"], [[True] * 4, [True, True, False, False]])
    np.testing.assert_array_equal(runs["t"][1][:2], [1, 3])


def test_conventions_of_the_warmup():
    eta = s.with_warmup(s.linear(5, 1.0), 3)
    table = {"one": {"step": [3, 5, 7], "loss": [3.0, 2.9, 2.8]}}
    read = {c: sj.read_curves(table, schedules={"one": eta}, warmup=3, convention=c) for c in ("true", "at_peak", "offset")}
    np.testing.assert_array_equal(read["true"]["eta"][0], eta)
    np.testing.assert_array_equal(read["at_peak"]["eta"][0], [1, 1, 1, *eta[3:]])
    np.testing.assert_array_equal(read["offset"]["eta"][0], eta)
    assert [read[c]["W"][0] for c in read] == [0, 0, 3]


def test_a_branch_has_its_trunk_before_it():
    table = {
        "trunk": {"step": [0, 1, 2, 3], "loss": [4.0, 3.8, 3.6, 3.5], "lr": [1.0] * 4, "parent": [""] * 4},
        "branch": {"step": [2, 3, 4], "loss": [3.6, 3.4, 3.3], "lr": [1.0, 0.5, 0.2], "parent": ["trunk"] * 3},
    }
    runs = sj.read_curves(table, lr="lr", parent="parent")
    np.testing.assert_allclose(runs["eta"][1], [1, 1, 1, 0.5, 0.2])


def test_first_and_every_choose_observations():
    runs = sj.read_curves(LONG, run="run", lr="lr", first=2, every=2)
    np.testing.assert_array_equal(runs["t"][0], [2, 6])


@pytest.mark.parametrize(
    "call",
    [
        lambda: sj.read_curves(LONG, lr="lr"),
        lambda: sj.read_curves(LONG, run="run"),
        lambda: sj.read_curves(LONG, run="run", lr="lr", schedules={}),
        lambda: sj.read_curves(LONG, run="run", lr="rate"),
        lambda: sj.read_curves(LONG, run="run", lr="lr", convention="none"),
        lambda: sj.read_curves(LONG, run="run", lr="lr", first=5),
        lambda: sj.read_curves(LONG, run="run", lr="lr", N="loss"),
        lambda: sj.read_curves(LONG, run="run", schedules={"a": np.ones(7)}),
        lambda: sj.read_curves(LONG, run="run", schedules=lambda name: np.ones(3)),
        lambda: sj.read_curves(LONG, run="run", schedules=lambda name: -np.ones(9)),
        lambda: sj.read_curves({"one": {"step": [0, 0], "loss": [1.0, 0.9]}}, schedules=lambda name: np.ones(3)),
    ],
)
def test_bad_curves_are_refused(call):
    with pytest.raises(sj.DataError):
        call()


def test_a_picture_of_schedules_with_their_losses():
    law = sj.laws.multi_power
    best = sj.optimal_schedule((law, law.published["luo2025_25M"]), steps=600, peak=3e-4, warmup=60, shape="wsd")
    ax = sj.plot.schedule(best)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == f"optimised: {best.loss:.4f}" and len(labels) == len(best.others) + 1
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), best.eta)
    assert set(best.rates) == set(best.others)


# Schedules that are best: uncertainty, laws, horizons


@pytest.fixture(scope="module")
def draws():
    """Laplace draws around a fit of simulated curves of 200 steps, four of its parameters free."""
    law, rng = sj.laws.multi_power, np.random.default_rng(0)
    values = {**law.published["luo2025_25M"], "B": 400.0, "C": 2.0}
    rates = {"cosine": s.cosine(200, 3e-3), "wsd": s.wsd(200, 3e-3), "constant": s.constant(200, 3e-3)}
    t = np.arange(10, 200, 5)
    table = {name: {"step": t, "loss": law(eta, t, 0, **values) * np.exp(2e-3 * rng.normal(size=len(t)))} for name, eta in rates.items()}
    fixed = {name: values[name] for name in ("alpha", "beta", "gamma")}
    return sj.laplace(
        sj.fit(law, sj.read_curves(table, schedules=rates), fix=fixed, starts=[{n: values[n] for n in ("L0", "A", "B", "C")}]), 40
    )


def one(draws, i):
    return {name: float(values[i]) for name, values in draws.params.items()}


def test_intervals_of_loss_shape_and_gains_are_those_of_a_loop_over_the_draws(draws):
    ask = {"steps": 200, "peak": 3e-3, "shape": "wsd"}
    best = sj.optimal_schedule(draws, **ask, shape_draws=4)
    assert best.loss == sj.optimal_schedule((draws.law, draws.fit.params), **ask).loss  # decided by the point estimate
    losses = [draws.law(best.eta, 199, 0, **one(draws, i)) for i in range(len(draws))]
    np.testing.assert_allclose(best.draws["loss"], losses, rtol=1e-12)
    cosine = [draws.law(best.rates["cosine"], 199, 0, **one(draws, i)) for i in range(len(draws))]
    np.testing.assert_allclose(best.gains["cosine"], np.subtract(cosine, losses), atol=1e-12)
    alone = [sj.optimal_schedule((draws.law, one(draws, i)), **ask) for i in range(0, 40, 10)]
    for name in ("decay", "exponent"):
        np.testing.assert_allclose(best.draws[name], [getattr(found, name) for found in alone], rtol=1e-9)
    assert np.ptp(best.draws["decay"]) > 0.001
    limits = best.interval(0.8)
    assert set(limits) == {"loss", "decay", "exponent", *best.others}
    np.testing.assert_allclose(limits["loss"], np.quantile(losses, [0.1, 0.9]), rtol=1e-12)
    assert limits["loss"][0] < best.loss < limits["loss"][1]
    assert "over the draws: predicted loss" in repr(best)


def test_a_free_schedule_has_intervals_of_loss_and_gains_alone(draws):
    best = sj.optimal_schedule(draws, steps=200, peak=3e-3, iterations=50)
    assert set(best.interval()) == {"loss", *best.others}
    assert sj.optimal_schedule(draws.fit, steps=200, peak=3e-3, iterations=50).interval() == {}
    with pytest.raises(sj.DecisionError, match="differently"):
        sj.optimal_schedule(draws, steps=200, peak=3e-3, against={"decay": s.constant(200, 1e-3)})


def test_the_best_schedule_of_random_features_is_no_worse_than_any_tuned_wsd():
    source = (sj.laws.random_feature_sgd, {"a": 1.0, "b": 1.5, "sigma2": 0.1})
    free = sj.optimal_schedule(source, steps=120, peak=0.3, B=1.0, iterations=300)
    family = sj.optimal_schedule(source, steps=120, peak=0.3, B=1.0, shape="wsd")
    assert free.loss < family.loss < min(family.others["cosine"], family.others["constant"])
    assert free.loss == pytest.approx(sj.laws.random_feature_sgd(free.eta, 119, 1.0, **source[1]), rel=1e-10)
    with pytest.raises(sj.DecisionError, match=r"further inputs \['B'\]"):
        sj.optimal_schedule(source, steps=120, peak=0.3)


def test_a_loss_that_no_loss_can_be_is_refused():
    """At a peak of 3e-3, ten times that of its curves, the published law falls below its own limit of 3.04 (to 2.24)."""
    source = (sj.laws.multi_power, sj.laws.multi_power.published["luo2025_25M"])
    for peak in (3e-3, 3e-2):
        with pytest.raises(
            sj.DecisionError, match=rf"not above its own floor L0 = 3.04: it does not hold at rates up to {peak:g} over 4000"
        ):
            sj.optimal_schedule(source, steps=4000, peak=peak, warmup=200, shape="wsd")
    with pytest.raises(sj.DecisionError, match="which no loss can be"):  # 1 - 2 of annealing, without a floor
        bare = {"L0": 0.0, "A": 1.0, "alpha": 1e-9, "C": 2.0}
        sj.optimal_schedule((sj.laws.lr_annealing, bare), steps=4000, peak=1.0, shape="wsd")


def test_rates_and_steps_beyond_those_of_the_curves_are_said(draws):
    """The curves of 200 steps, logged up to step 195, have rates up to 3e-3."""
    ask = {"peak": 3e-3, "shape": "wsd"}
    assert sj.optimal_schedule(draws.fit, steps=200, **ask).beyond == {}
    far = sj.optimal_schedule(draws.fit, steps=600, peak=5e-4, shape="wsd", against={"hot": np.full(600, 6e-3)})
    assert far.beyond == pytest.approx({"rate": 2.0, "steps": 600 / 196})
    assert "extrapolation: 2 times the highest rate of the curves and 3.06 times the steps of the longest curve" in repr(far)
    assert "extrapolation" in [note["code"] for note in far.table().to_dict()["notes"] if isinstance(note, dict)]
    with pytest.raises(sj.DecisionError, match="does not hold at 20 times the highest rate of the curves"):
        sj.optimal_schedule(draws.fit, steps=200, peak=0.06, shape="wsd")


MOMENTUM = {"L0": 2.0, "lam_S": 1.0, "alpha_S": 0.5, "lam_N": 10.0, "alpha_N": 0.2, "lam_M": 0.1}


def test_the_best_share_of_annealing_transfers_over_sizes_by_one_law_and_grows_by_the_other():
    law, ask = sj.laws.forward_momentum, {"steps": 10000, "peak": 1e-3, "every": 100, "shape": "wsd"}
    small, large = (sj.optimal_schedule((law, MOMENTUM), N=N, **ask) for N in (1e8, 1e10))
    assert small.decay == large.decay and small.exponent == large.exponent and small.loss > large.loss
    assert 0.1 < small.decay < 0.95  # inside the range, so that equality is not an equality of bounds
    logged = np.arange(100.0, 10001.0, 100.0)
    assert small.loss == pytest.approx(law(small.eta[99::100], logged, 1e8, **MOMENTUM)[-1], rel=1e-12)
    sized = (sj.laws.lr_annealing_size, sj.laws.lr_annealing_size.published["tissue2024"])
    shares = [sj.optimal_schedule(sized, steps=10000, peak=2e-4, N=N, shape="wsd").decay for N in (100.0, 1000.0)]
    assert shares[1] > 1.05 * shares[0]  # gamma > 0: larger models gain more from annealing
    with pytest.raises(sj.DecisionError, match="divide"):
        sj.optimal_schedule((law, MOMENTUM), N=1e8, **{**ask, "every": 300})


@pytest.mark.slow
def test_curves_of_small_models_tell_the_best_share_of_a_large_one():
    law, rng = sj.laws.forward_momentum, np.random.default_rng(0)
    rates = [s.wsd(10000, 1e-3, 1e-4, 0.1, "linear"), s.wsd(10000, 1e-3, 1e-4, 0.4, "linear"), s.cosine(10000, 1e-3, 1e-4)]
    eta, N = np.stack([eta[99::100] for eta in rates] * 3), np.repeat([1e8, 3e8, 1e9], 3)
    step = np.tile(np.arange(100.0, 10001.0, 100.0), (9, 1))
    loss = law(eta, step, N, **MOMENTUM)
    fit = sj.fit(law, sj.read_runs({"eta": eta, "step": step, "N": N, "loss": loss + 1e-3 * rng.normal(size=loss.shape)}), starts=8)
    ask = {"steps": 10000, "peak": 1e-3, "every": 100, "N": 1e10, "shape": "wsd"}
    found, truth = sj.optimal_schedule(sj.laplace(fit, 50), **ask), sj.optimal_schedule((law, MOMENTUM), **ask)
    low, high = found.interval(0.99)["decay"]
    assert low <= truth.decay <= high and found.decay == pytest.approx(truth.decay, rel=0.1)


def test_a_token_budget_is_best_spent_whole():
    source = (sj.laws.multi_power, sj.laws.multi_power.published["luo2025_25M"])
    half, whole = (sj.optimal_schedule(source, tokens=tokens, batch=1e3, peak=3e-4, shape="wsd") for tokens in (2e5, 4e5))
    assert (len(half.eta), len(whole.eta)) == (200, 400) and whole.loss < half.loss


# Curves that collapse


def swept(key, rng=None, noise=0.0):
    """Curves of nine runs that depend on one quantity, and all quantities."""
    eta, decay = (v.ravel() for v in np.meshgrid([1e-3, 2e-3, 4e-3], [0.1, 0.2, 0.4]))
    by = {"eta": eta, "gamma": eta * decay}
    t = np.arange(1.0, 201.0)
    curves = 2 + 3 * (t * by[key][:, None] * 1e3) ** -0.3
    return curves + (noise * rng.normal(size=curves.shape) if noise else 0.0), by


def test_perfect_collapse_gives_the_noise_floor_and_broken_invariance_more():
    curves, by = swept("gamma", np.random.default_rng(0), noise=0.01)
    held, broken = (sj.studies.curve_collapse(curves, by[name], noise=0.01) for name in ("gamma", "eta"))
    assert held.groups == 5 and held.runs == 7  # two of the five stand alone
    assert held.spread == pytest.approx(0.01, rel=0.05)  # 800 degrees of freedom: 2.5 % standard error
    assert np.nanmean(held.score / held.floor) == pytest.approx(1.0, abs=0.1)
    assert broken.overall > 20 * held.overall and (broken.score > broken.floor).all()
    assert sj.studies.curve_collapse(swept("gamma")[0], by["gamma"]).overall < 1e-25
    assert "noise alone" in repr(held)


def test_scores_over_the_steps_show_where_one_invariant_takes_over():
    (early, by), (late, _) = swept("eta"), swept("gamma")
    x = np.linspace(0, 1, early.shape[1])
    curves = (1 - x) * early + x * late
    rate, gamma = (sj.studies.curve_collapse(curves, by[name]).score for name in ("eta", "gamma"))
    assert rate[0] < 1e-20 < gamma[0] and gamma[-1] < 1e-20 < rate[-1]


def test_collapse_is_the_analysis_of_variance_and_takes_names_and_gaps():
    curves, group = np.array([[1.0, 5.0], [2.0, 6.0], [4.0, np.nan], [8.0, 7.0]]), ["a", "a", "b", "b"]
    found = sj.studies.curve_collapse(curves, group)
    np.testing.assert_allclose(found.within, [(0.5 + 8.0) / 2, 0.5])
    np.testing.assert_allclose(found.between, [(6 - 1.5) ** 2 / 2, (7 - 5.5) ** 2 / 2])
    np.testing.assert_allclose(found.score, found.within / found.between)
    assert "4 curves in 2 groups" in repr(found)
    for bad in ((curves, ["a"] * 4), (curves, ["a", "b", "c", "d"]), (curves, [1.0, 2.0]), (curves, [1.0, 1.0, np.nan, 2.0])):
        with pytest.raises(sj.DataError):
            sj.studies.curve_collapse(*bad)


def test_groups_of_equal_means_do_not_collapse_at_all():
    assert sj.studies.curve_collapse([[1.0], [3.0], [1.0], [3.0]], ["a", "a", "b", "b"]).overall == np.inf
    assert np.isnan(sj.studies.curve_collapse(np.ones((4, 2)), ["a", "a", "b", "b"]).overall)
