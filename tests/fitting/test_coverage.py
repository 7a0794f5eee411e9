"""Do intervals hold the truth as often as they say? The full tables are `python -m benchmarks.coverage` and `.families`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

import scalejax as sj
from benchmarks import families
from scalejax.core.errors import FitError
from scalejax.fitting.uncertainty import bootstrap as module
from scalejax.fitting.uncertainty import resampling

LEVELS = np.asarray([0.5, 0.8, 0.9, 0.95])
LAW = sj.laws.chinchilla
TRUTH = LAW.published["besiroglu2024"]
SIMULATIONS, RUNS = 400, 12


@sj.law(a=sj.Real(-10, 10), b=sj.Real(-10, 10), c=sj.Real(-10, 10))
def parabola(x, *, a, b, c):
    """Linear in its parameters: textbooks know the answer."""
    return a + b * x + c * x**2


def simulated(noise: float = 0.003) -> sj.Runs:
    rng = np.random.default_rng(12)
    count = SIMULATIONS * RUNS
    N = np.exp(rng.uniform(np.log(4e7), np.log(1.6e10), count))
    D = N * np.exp(rng.uniform(np.log(2), np.log(200), count))
    loss = np.asarray(LAW(N, D, **TRUTH)) * np.exp(noise * rng.standard_normal(count))
    return sj.Runs({"N": N, "D": D, "loss": loss, "simulation": np.repeat(np.arange(SIMULATIONS), RUNS)})


@pytest.fixture(scope="module")
def studies():
    return sj.fit(LAW, simulated(), loss=sj.squared(), by="simulation", starts=64)


def outside(draws: sj.Draws) -> np.ndarray:
    """By how many standard errors of a binomial share the coverage is off: (parameters, levels)."""
    low, high = np.moveaxis([[draws.interval(level)[name] for level in LEVELS] for name in LAW.parameters], 2, 0)
    truth = np.asarray([TRUTH[name] for name in LAW.parameters])[:, None, None]
    share = ((low <= truth) & (truth <= high)).mean(axis=2)
    return (share - LEVELS) / np.sqrt(LEVELS * (1 - LEVELS) / SIMULATIONS)


BAND = norm.ppf(0.9995)


@pytest.mark.slow
def test_calibrated_intervals_of_twelve_runs_cover(studies):
    for draws in (sj.bootstrap(studies, 200, kind="residual", seed=1), sj.laplace(studies, 1000, covariance="model")):
        assert np.abs(outside(draws)).max() < BAND, draws.kind


@pytest.mark.slow
def test_the_sandwich_covers_at_twelve_runs_where_resampled_runs_are_off(studies):
    """Too wide where few of twelve runs remain, too narrow where only their weights change."""
    assert outside(sj.bootstrap(studies, 200, kind="cases", seed=1)).max() > BAND
    assert outside(sj.bootstrap(studies, 200, kind="bayesian", seed=1)).min() < -2 * BAND
    assert np.abs(outside(sj.laplace(studies, 1000, covariance="sandwich"))).max() < BAND


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "runs"),
    [
        ("power law", 12),
        ("mixtures of 5 domains (data_mixing_m4)", 26),
        ("mixtures, sizes and tokens (mixture_additive)", 96),
    ],
)
def test_the_model_covariance_covers_in_other_families(family, runs):
    """Where rows are independent and the law is true: within 3 points and the Monte Carlo error of a mean over the quantities."""
    chosen = families.FAMILIES[family]
    fit = families.fitted(chosen.law, chosen.runs(300, runs), sj.squared())
    found = families.covered(chosen, fit, families.METHODS["model"])
    off = np.mean(list(found.held.values()), axis=0) - LEVELS
    assert np.all(np.abs(off) < 0.03 + 2 * np.sqrt(LEVELS * (1 - LEVELS) / 300)), off


@pytest.mark.slow
@pytest.mark.parametrize("loss", families.LOSSES.values(), ids=families.LOSSES)
def test_the_default_covers_where_a_law_bends_and_few_runs_decide(loss):
    """The exponent of a domain with few shares near 0: intervals of the sandwich held it in 63 % of the sets."""
    chosen = families.FAMILIES["mixtures, sizes and tokens (mixture_additive)"]
    fit = families.fitted(chosen.law, chosen.runs(100, 30), loss)
    held = families.covered(chosen, fit, families.METHODS["default"]).held
    assert np.all(np.abs(np.mean(list(held.values()), axis=0) - LEVELS) < 0.03 + 2 * np.sqrt(LEVELS * (1 - LEVELS) / 100))
    assert held["gamma[0]"][2] > 0.9 - 2 * np.sqrt(0.9 * 0.1 / 100)


def test_intervals_follow_a_law_that_bends():
    """As the profile of the objective, within a tenth of a deviation, and straight ones stay what they are."""
    law = sj.laws.power_law
    fit = sj.fit(law, sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(4, 6, 8), noise=0.03), loss=sj.squared())
    ends, profiled = fit.interval(0.9, "model"), sj.profile(fit, kind="model").interval()
    straight = t.ppf(0.95, 8 - 3) * np.sqrt(np.diagonal(fit.curvature[0].model_covariance))
    apart = []
    for name, deviation, theta in zip(law.parameters, straight, fit.theta[:, 0], strict=True):
        assert np.log(ends[name]) == pytest.approx(np.log(profiled[name]), abs=0.1 * deviation)
        apart.append(np.abs(np.log(ends[name]) - theta).max() / deviation)
    assert max(apart) > 1.2
    fit = linear()
    middle, error = fit.params["b"], fit.errors("model")["b"]
    assert fit.interval(0.9, "model")["b"] == pytest.approx((middle - t.ppf(0.95, 5) * error, middle + t.ppf(0.95, 5) * error), rel=1e-12)


@pytest.mark.slow
def test_checkpoints_of_a_run_are_no_runs():
    """Twenty checkpoints each of twelve runs: intervals for independent rows are far too narrow, resampled runs are not."""
    chosen = families.FAMILIES["runs of 20 checkpoints (chinchilla)"]
    fit = families.fitted(chosen.law, chosen.runs(100, 12), sj.squared())
    rows, runs = (families.covered(chosen, fit, families.METHODS[name]).held["alpha"][2] for name in ("model", "bootstrap, runs"))
    assert rows < 0.5 < 0.8 < runs


def linear(sets: int = 1, n: int = 8, **options) -> sj.Fit:
    x, rng = np.linspace(1, 2, n), np.random.default_rng(0)
    columns = {"x": np.tile(x, sets), "loss": np.tile(1 + 2 * x + 3 * x**2, sets) + 0.1 * rng.standard_normal(sets * n)}
    runs = sj.Runs({**columns, "set": np.repeat(np.arange(sets), n)})
    return sj.fit(parabola, runs, **{"loss": sj.squared(), "on": "linear", **options})


def test_laplace_is_students_t_on_a_linear_law():
    fit = linear()
    draws, errors = sj.laplace(fit, 200_000, covariance="model"), fit.errors("model")
    for level in LEVELS:
        for name, (low, high) in draws.interval(level).items():
            half = t.ppf(0.5 + level / 2, 8 - 3) * errors[name]
            assert (low, high) == pytest.approx((fit.params[name] - half, fit.params[name] + half), abs=0.02 * half)


def test_intervals_of_either_covariance():
    fit = linear()
    for kind, freedom in (("sandwich", fit.curvature[0].freedom[1]), ("model", 8 - 3)):
        low, high = fit.interval(0.9, kind)["b"]
        assert (high + low) / 2 == pytest.approx(fit.params["b"])
        assert (high - low) / 2 == pytest.approx(t.ppf(0.95, freedom) * fit.errors(kind)["b"])
    assert 1 < fit.curvature[0].freedom[1] < 5
    wider, sandwich, model = ({k: high - low for k, (low, high) in fit.interval(0.9, kind).items()} for kind in (None, "sandwich", "model"))
    assert fit.interval(0.9) == fit.interval(0.9, "wider")
    assert wider == pytest.approx({k: max(sandwich[k], model[k]) for k in model}, rel=1e-12) and sandwich != model
    with pytest.raises(FitError, match="did you mean 'sandwich'"):
        fit.interval(0.9, "sandwitch")
    with pytest.raises(FitError, match="covariance='none' is unknown"):
        sj.laplace(fit, covariance="none")


def test_residuals_are_redrawn_at_the_scale_of_the_noise():
    """The p smallest are left out, rows of weight w shake by 1 / sqrt(w), and the spread over replicates is Student's."""
    rng = np.random.default_rng(0)
    weight = np.repeat([1.0, 100.0, 0.0], [6, 6, 4])
    r = np.where(weight > 0, rng.standard_normal(16) / np.sqrt(np.maximum(weight, 1)), 7.0)
    drawn = resampling._redrawn(r, weight, 2, 100_000, rng)
    s2 = np.sum(weight * r**2) / (12 - 2)
    np.testing.assert_array_equal(drawn[weight == 0], 0)
    np.testing.assert_allclose(np.mean(drawn[:6] ** 2), s2 * 10 / 8, rtol=0.02)  # the mean of (n - p) / chi^2 with 10 degrees is 10 / 8
    np.testing.assert_allclose(np.mean(drawn[6:12] ** 2), s2 * 10 / 8 / 100, rtol=0.02)
    assert len(np.unique(np.round(np.abs(drawn[0] / np.sqrt(np.mean((drawn * np.sqrt(weight)[:, None]) ** 2, axis=0))), 6))) > 10


@pytest.fixture(scope="module")
def three():
    """Three sets fitted in one batch, and the first of them alone."""
    few = simulated().where(lambda runs: runs["simulation"] < 3)
    options = {"loss": sj.squared(), "starts": 64}
    return sj.fit(LAW, few, by="simulation", **options), sj.fit(LAW, few.where(few["simulation"] == 0), **options)


@pytest.mark.parametrize("kind", ["cases", "residual"])
def test_sets_in_one_batch_are_the_sets_alone(three, kind, monkeypatch):
    """The first of several sets has the draws that it has alone, also when the padding is cut and the sets come in portions."""
    whole, alone = three
    together = sj.bootstrap(whole, 40, kind=kind, seed=3).theta
    np.testing.assert_allclose(together[:, :1], sj.bootstrap(alone, 40, kind=kind, seed=3).theta, atol=1e-4)
    monkeypatch.setattr(module, "_MANY", 1)
    monkeypatch.setattr(module, "_NUMBERS", 1)
    np.testing.assert_allclose(sj.bootstrap(whole, 40, kind=kind, seed=3).theta, together, atol=1e-4)


def test_errors_of_sets_in_one_batch_are_those_of_the_sets_alone():
    held = {"fix": {"c": 3.0}, "tie": {"b": "a"}}
    whole = linear(3, by="set", **held)
    for i in range(3):
        alone = sj.fit(parabola, whole.runs.where(whole.runs["set"] == i), loss=sj.squared(), on="linear", **held)
        for name in "abc":
            assert whole.errors("model")[name][i] == pytest.approx(alone.errors("model")[name], rel=1e-6)
            assert [end[i] for end in whole.interval()[name]] == pytest.approx(alone.interval()[name], rel=1e-8)
