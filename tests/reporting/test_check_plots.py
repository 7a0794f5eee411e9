"""Pictures of checks: they show what they say, on the axes given."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

import scalejax as sj
from scalejax.posteriors.checks.predictive import PredictiveCheck
from scalejax.posteriors.checks.prior_predictive import PriorPredictive

DRAWS, SIMULATIONS = 99, 200


def even(rng, *shape):
    return rng.integers(0, DRAWS + 1, (SIMULATIONS, *shape))


def uneven(rng, a, b):
    """Ranks that follow a Beta(a, b): (0.5, 0.5) of draws too narrow, (2, 2) too wide, (1, 2) too high, (2, 1) too low."""
    return np.floor((DRAWS + 1) * rng.beta(a, b, SIMULATIONS)).astype(int)


def calibration(**ranks):
    return sj.Calibration(ranks, DRAWS, 0, 0)


def drawn(figure):
    """The picture renders, and pyplot knows it."""
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    assert plt.fignum_exists(figure.number)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_ranks_of_right_posteriors_stay_inside():
    rng = np.random.default_rng(0)
    found = calibration(E=even(rng), alpha=even(rng, 3))
    ax = sj.plot.ranks(found)
    drawn(ax.figure)
    assert not found.complaints and legend(ax) == ["99 % band of all", "95 % band of one", "4 quantities inside"]
    curves = [line for line in ax.lines if len(line.get_xdata()) == DRAWS + 2]
    assert len(curves) == 4
    x, y = curves[0].get_data()
    brute = [np.mean(found.ranks["E"] < k) - k / (DRAWS + 1) for k in range(DRAWS + 2)]
    np.testing.assert_allclose(y, brute, atol=1e-12)
    np.testing.assert_allclose(x, np.arange(DRAWS + 2) / (DRAWS + 1))
    mine = Figure().subplots()
    assert sj.plot.ranks(calibration(E=even(rng)), ax=mine, color="k") is mine and legend(mine)[-1] == "E, inside"


@pytest.mark.parametrize(("a", "b", "words"), [(0.5, 0.5, "narrow"), (2.2, 2.2, "wide"), (1, 2, "high"), (2, 1, "low")])
def test_ranks_name_what_is_wrong(a, b, words):
    rng = np.random.default_rng(1)
    found = calibration(E=even(rng), A=np.stack([even(rng), uneven(rng, a, b)], axis=1))
    ax = sj.plot.ranks(found)
    assert legend(ax)[-2:] == ["2 quantities inside", f"A[1]: draws too {words}"]
    assert len(found.complaints) == 1 and "A[1]" in found.complaints[0]


@pytest.mark.parametrize("strength", np.linspace(1, 1.8, 9))
def test_curves_outside_the_wide_band_are_those_complained_of(strength):
    found = calibration(E=uneven(np.random.default_rng(2), strength, strength), A=even(np.random.default_rng(3)))
    assert any("too wide" in text for text in legend(sj.plot.ranks(found))) == bool(found.complaints)


def test_ranks_need_a_level():
    with pytest.raises(sj.FitError, match="level=95"):
        sj.plot.ranks(calibration(E=even(np.random.default_rng(0))), level=95)


@pytest.fixture(scope="module")
def runs():
    rng = np.random.default_rng(0)
    N, D = np.repeat(np.logspace(7, 9, 20), 2), np.tile([1e10, 1e11], 20)
    return sj.read_runs({"N": N, "D": D, "loss": 10 * N**-0.1 * np.exp(0.1 * rng.normal(size=40)), "arch": ["a", "b"] * 20})


@pytest.fixture(scope="module")
def expected(runs):
    """Outputs that scatter by a known factor around the truth, of all runs but the first."""
    rows = np.arange(1, 40)
    scatter = np.exp(0.5 * np.random.default_rng(1).normal(size=(4000, 39)))
    return PriorPredictive(10 * runs["N"][rows] ** -0.1 * scatter, runs["loss"][rows], rows)


def test_prior_along_an_input(runs, expected):
    ax = sj.plot.prior_predictive(expected, runs, "N", levels=(0.5, 0.9))
    drawn(ax.figure)
    assert ax.get_xlabel() == "parameters N" and ax.get_xscale() == ax.get_yscale() == "log"
    assert legend(ax) == ["prior, 90 %", "prior, 50 %", "prior, median", "observed, 100 % of them\nin their 90 %"]
    np.testing.assert_array_equal(ax.collections[-1].get_offsets(), np.stack([runs["N"], runs["loss"]], axis=1)[1:])
    x, y = ax.lines[0].get_data()
    assert (x[0], x[-1]) == (runs["N"][1], runs["N"][-1])
    np.testing.assert_allclose(y[1:-1], 10 * x[1:-1] ** -0.1, rtol=0.03)
    low, high = (v[1] for v in (ax.collections[0].get_paths()[0].vertices.min(0), ax.collections[0].get_paths()[0].vertices.max(0)))
    assert low == pytest.approx(10 * 1e9**-0.1 * np.exp(-0.5 * 1.645), rel=0.05)
    assert high == pytest.approx(10 * 1e7**-0.1 * np.exp(0.5 * 1.645), rel=0.05)


def test_prior_along_compute_or_in_order(runs, expected):
    ax = sj.plot.prior_predictive(expected, runs)
    assert ax.get_xlabel().startswith("training compute") and ax.collections[-1].get_offsets()[:, 0].max() == 6e20
    mine = Figure().subplots()
    assert sj.plot.prior_predictive(expected, ax=mine, color="k") is mine
    points = mine.collections[-1].get_offsets()
    assert points[:, 0].min() == 0 and points[:, 0].max() == 38
    assert (np.diff(points[np.argsort(points[:, 0]), 1]) >= 0).all()
    for runs_, by in ((runs, "arch"), (runs, "n"), ({"x": np.arange(40.0)}, None)):
        with pytest.raises(sj.DataError, match="prior_predictive"):
            sj.plot.prior_predictive(expected, runs_, by)


def test_prior_with_outputs_that_are_no_numbers(runs, expected):
    outputs = expected.outputs.copy()
    outputs[:50], outputs[50:60] = np.nan, np.inf
    ax = sj.plot.prior_predictive(PriorPredictive(outputs, expected.observed * 100, expected.rows), runs, "N")
    drawn(ax.figure)
    assert "observed, 0 % of them\nin their 95 %" in legend(ax) and np.isfinite(ax.lines[0].get_ydata()).all()


@pytest.fixture(scope="module")
def posterior(runs):
    return sj.sample("power_law", {"x": runs["N"], "loss": runs["loss"]}, method="laplace", likelihood="normal", fix={"E": 0.01})


def test_of_a_posterior(posterior):
    drawn(sj.plot.prior_predictive(posterior.prior_predictive(), posterior.fit.runs, "x").figure)
    check = posterior.predictive_check({"smallest": np.min})
    axes = sj.plot.predictive_check(check)
    drawn(axes[0, 0].figure)
    assert axes.shape == (-(-len(check.tail) // 4), 4)
    titles = [ax.get_title().split("\n") for ax in axes.flat if ax.get_title()]
    assert titles == [[name, f"p = {p:.3f}"] for name, p in check.tail.items()]
    assert axes.flat[0].lines[0].get_xdata()[0] == np.median(check.observed["standard deviation"])
    assert sum(patch.get_height() for patch in axes.flat[0].patches[:24]) == pytest.approx(1000, rel=0.01)
    (one,) = sj.plot.predictive_check(check, ["smallest"]).flat
    assert one.get_title().startswith("smallest") and one.lines[0].get_xdata()[0] == posterior.fit.runs["loss"].min()
    with pytest.raises(sj.FitError, match="did you mean 'smallest'"):
        sj.plot.predictive_check(check, ["smalest"])


def test_suspicious_statistics_stand_out():
    shares = np.random.default_rng(0).binomial(20, 0.9, 1000) / 20
    check = PredictiveCheck({"in": np.full(1000, 0.9), "out": np.full(1000, 0.3), "same": np.ones(1000)},
                            {"in": shares, "out": shares, "same": np.ones(1000)})  # fmt: skip
    axes = sj.plot.predictive_check(check)
    drawn(axes[0, 0].figure)
    colours = [ax.title.get_color() for ax in axes.flat]
    assert colours[0] == colours[2] != colours[1]
    bars = {round(p.get_x() + p.get_width() / 2, 2): p.get_height() for p in axes.flat[0].patches if p.get_height() > 1.5}
    assert bars[0.9] == np.sum(shares == 0.9)
