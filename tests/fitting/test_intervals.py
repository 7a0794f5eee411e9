"""No certainty that is not there: degrees of freedom, flat directions, few units, clusters, curves, and the noise of new runs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import scalejax as sj
from scalejax.fitting.uncertainty import resampling

LAW = sj.laws.chinchilla
TRUTH = LAW.published["besiroglu2024"]


def width(pair):
    return pair[1] - pair[0]


def plane(n, seed=0, noise=0.003):
    rng = np.random.default_rng(seed)
    N = np.exp(rng.uniform(np.log(4e7), np.log(1.6e10), n))
    D = N * np.exp(rng.uniform(np.log(2), np.log(200), n))
    return sj.simulate(LAW, TRUTH, N=N, D=D, noise=noise, seed=seed)


def checkpoints(sizes, seed=3):
    """Sizes with twenty checkpoints each, whose error is mostly that of their run."""
    rng, N = np.random.default_rng(seed), np.repeat(np.logspace(7.3, 9.8, sizes), 20)
    D, run = np.tile(np.logspace(9, 11, 20), sizes), np.repeat(np.arange(sizes), 20)
    loss = np.asarray(LAW(N, D, **TRUTH)) * np.exp(0.005 * rng.standard_normal(sizes)[run] + 0.001 * rng.standard_normal(len(run)))
    return sj.read_runs({"N": N, "D": D, "loss": loss, "run": run.astype(str)})


def test_as_many_runs_as_parameters_have_no_finite_interval():
    """Three points determine L + A C^-a exactly (a published gate: R2 = 1), so nothing is left to tell the noise by."""
    fit = sj.fit("power_law", {"x": [2.19e17, 1.70e18, 9.00e18], "loss": [3.7404, 3.3834, 3.1230]})
    for kind in (None, "wider", "model", "sandwich"):
        assert all(np.isinf(width(pair)) for pair in fit.interval(0.9, kind).values())
        assert all(np.isinf(error) for error in fit.errors(kind).values())
    for draws in (sj.laplace, sj.bootstrap, lambda f: sj.bootstrap(f, kind="residual"), lambda f: sj.bootstrap(f, kind="bayesian")):
        with pytest.raises(sj.IdentifiabilityError, match="as many free parameters"):
            draws(fit)
    assert "no interval" in str(sj.allocate(sj.fit(LAW, plane(5)), compute=1e22))


def test_one_degree_of_freedom_is_students_t():
    """A straight line through three points: the textbook's interval, with t of one degree of freedom, 6.3 standard errors at 90 %."""

    @sj.law(a=sj.Real(-10, 10), b=sj.Real(-10, 10))
    def line(x, *, a, b):
        return a + b * x

    x, y = np.asarray([0.0, 1.0, 2.0]) + 1, np.asarray([1.0, 2.3, 2.9])
    fit = sj.fit(line, {"x": x, "loss": y}, loss=sj.squared(), on="linear")
    slope = np.polyfit(x, y, 1)
    error = np.sqrt(np.sum((y - np.polyval(slope, x)) ** 2) / np.sum((x - 2) ** 2))
    assert width(fit.interval(0.9, "model")["b"]) == pytest.approx(2 * 6.313752 * error, rel=1e-6)
    assert width(sj.bootstrap(fit, 4000, kind="residual").interval(0.9)["b"]) == pytest.approx(2 * 6.313752 * error, rel=0.1)


def test_few_units_are_not_resampled():
    fit = sj.fit(LAW, plane(9))
    with pytest.raises(sj.FitError, match="at least 10 of them, and there are only 9; use kind='residual'"):
        sj.bootstrap(fit, 100, kind="cases")
    assert "residual" in sj.bootstrap(fit, 100).kind
    by_run = sj.fit(LAW, checkpoints(6))
    with pytest.raises(sj.FitError, match="at least 10 of them, and there are 6"):
        sj.bootstrap(by_run, 100, groups="run")


def test_a_flat_direction_has_no_finite_interval():
    with pytest.warns(sj.IdentifiabilityWarning):
        fit = sj.fit("power_law", {"x": np.full(20, 1e6), "loss": 2 + 0.01 * np.random.default_rng(0).standard_normal(20)})
    low, high = fit.interval(0.9)["alpha"]
    assert not np.isfinite(high - low) or fit.curvature[0].boundary
    with pytest.raises(sj.IdentifiabilityError, match="not determined"):
        sj.bootstrap(fit)


def test_rows_of_a_run_are_not_counted_as_runs():
    """Six models with twenty checkpoints: by row the interval held alpha in 17 % of simulations; three degrees of freedom are left."""
    held, rows = [], []
    for seed in range(20):
        fit = sj.fit(LAW, checkpoints(6, seed))
        low, high = fit.interval(0.9)["alpha"]
        held.append(low <= TRUTH["alpha"] <= high)
        low, high = fit.interval(0.9, "sandwich")["alpha"]
        rows.append(low <= TRUTH["alpha"] <= high)
    assert sum(held) >= 15 and sum(rows) <= 10  # of 20; by chance alone fewer than 15 of 20 at 90 % once in 90
    draws = sj.bootstrap(fit, 300)
    assert "residual by" in draws.kind and "clustered by" in sj.laplace(fit).kind
    assert 0.5 < width(draws.interval(0.9)["alpha"]) / width(fit.interval(0.9)["alpha"]) < 1.5
    many = sj.fit(LAW, checkpoints(24))
    assert "groups by" in sj.bootstrap(many, 20).kind


def test_clusters_that_parameters_explain_leave_nothing():
    """One offset a unit is what the parameters of a fit with one size a unit can do themselves."""
    runs = plane(30)
    fit = sj.fit(LAW, runs.with_columns(unit=np.repeat(["a", "b", "c"], 10)), fix={"E": 1.8, "alpha": 0.35, "beta": 0.37})
    with pytest.raises(sj.FitError, match="names no column"):
        fit.interval(groups="seed")
    with pytest.raises(sj.FitError, match="leave it out"):
        fit.interval(covariance="model", groups="unit")
    one = sj.fit(LAW, runs.with_columns(unit=np.repeat("a", 30)))
    with pytest.raises(sj.IdentifiabilityError, match="too few different values"):
        sj.laplace(one, groups="unit")


def curves(count=2, steps=200, memory=0.8, seed=0):
    """Loss curves of a power law in the step, whose residuals follow each other."""
    rng, step = np.random.default_rng(seed), np.arange(1.0, steps + 1)
    noise = rng.standard_normal((count, steps))
    for i in range(1, steps):
        noise[:, i] = memory * noise[:, i - 1] + np.sqrt(1 - memory**2) * noise[:, i]
    x = np.stack([step * (k + 1) for k in range(count)])
    return sj.Runs({"x": x, "loss": (1.5 + 3 * x**-0.4) * np.exp(0.01 * noise)})


@sj.law(E=sj.Positive(0.1, 10), A=sj.Positive(0.1, 100), alpha=sj.Positive(0.05, 2), x=sj.Positive(1, 1e6))
def decay(x, *, E, A, alpha):
    """A curve: one number a step."""
    return E + A * x**-alpha


def test_two_curves_are_resampled_in_blocks():
    fit = sj.fit(decay, curves(), loss=sj.squared())
    draws = sj.bootstrap(fit, 200)
    assert "blocks" in draws.kind and len(np.unique(draws.params["E"])) > 150
    with pytest.raises(sj.FitError, match="kind='blocks'"):
        sj.bootstrap(fit, 100, kind="cases")
    with pytest.raises(sj.FitError, match="stretches that are independent"):
        resampling.blocks(np.ones((2, 12), bool), 100, 0.95, np.random.default_rng(0))


@pytest.mark.slow
def test_intervals_of_curves_cover():
    """Correlated neighbours: the interval that takes steps as independent is a third as wide and holds the truth half as often."""
    held = []
    for seed in range(60):
        fit = sj.fit(decay, curves(seed=seed), loss=sj.squared())
        held.append([low <= 0.4 <= high for low, high in (fit.interval(0.9)["alpha"], fit.interval(0.9, "model")["alpha"])])
    clustered, rows = np.mean(held, axis=0)
    assert 0.8 < clustered <= 1 and rows < 0.65


def test_draws_on_a_bent_ridge_are_not_laplaces():
    """Sixteen runs of a ladder, noise 0.5 %: Laplace's 95 % interval amid the runs was 11.7 nats wide, the bootstrap's 0.006."""
    N = np.repeat([1.9e8, 3.7e8, 7.6e8, 1.28e9], 4)
    D = 20 * N * np.tile([1, 2, 5, 10], 4)
    runs = sj.simulate(LAW, {"E": 0.45, "A": 38, "alpha": 0.226, "B": 100, "beta": 0.236}, N=N, D=D, noise=0.005, seed=0)
    fit = sj.fit(LAW, runs)
    assert sj.laplace(fit).nonlinearity > 10 and sj.laplace(sj.fit(LAW, plane(100))).nonlinearity < 1.2
    assert width(sj.bootstrap(fit).predict_interval(0.95, N=5e8, D=5e10)) < 0.02
    plan = sj.allocate(fit, compute=4e23)
    low, high = plan.interval(0.9)["N"]
    assert high / low < 50 and "Laplace's draws are not used" in str(plan)


def noisy(sd, weights=None, seed=0, n=40):
    rng, x = np.random.default_rng(seed), np.logspace(3, 8, n)
    return x, (1.5 + 20 * x**-0.3) * np.exp(sd * rng.standard_normal(n))


def test_noise_of_a_new_run_is_that_of_its_group():
    x, quiet = noisy(0.001)
    _, loud = noisy(0.1, seed=1)
    table = {"x": np.tile(x, 2), "loss": np.concatenate([quiet, loud]), "arm": np.repeat(["quiet", "loud"], 40)}
    for share in ((), ("alpha",)):
        draws = sj.bootstrap(sj.fit("power_law", table, by="arm", share=share), 400)
        at = {"x": 1e6, "kind": "run"}
        widths = [width(draws.predict_interval(0.9, group=g, **at)) / draws.fit.predict(x=1e6, group=g) for g in ("quiet", "loud")]
        assert 0.0025 < widths[0] < 0.006 and 0.2 < widths[1] < 0.5  # 3.3 standard deviations of the group's own noise


def test_noise_of_a_new_run_follows_its_weight():
    x = np.logspace(3, 8, 40)
    sigma = 0.05 * (x / 1e3) ** -0.35
    y = 1.5 + 20 * x**-0.3 + sigma * np.random.default_rng(5).standard_normal(40)
    fit = sj.fit("power_law", {"x": x, "loss": y}, loss=sj.squared(), on="linear", weights=1 / sigma**2)
    draws = sj.laplace(fit)
    with pytest.raises(sj.FitError, match="pass weight="):
        draws.predict(kind="run", x=1e9)
    with pytest.raises(sj.FitError, match="positive number"):
        draws.predict(kind="run", x=1e9, weight=-1.0)
    noise = draws.predict(kind="run", x=1e9, weight=1 / 0.02**2) - draws.predict(x=1e9)
    assert np.std(noise) == pytest.approx(0.02, rel=0.25)


def test_noise_of_a_new_run_is_skewed_as_the_residuals_are():
    x = np.logspace(3, 8, 100)
    loss = (1.5 + 20 * x**-0.3) * np.exp(np.random.default_rng(0).exponential(0.03, 100))
    draws = sj.bootstrap(sj.fit("power_law", {"x": x, "loss": loss}), 4000)
    seen, drawn = draws.fit.residuals, np.log(draws.predict(kind="run", x=1e6) / draws.predict(x=1e6))
    skew = [float(np.mean((v - v.mean()) ** 3) / v.std() ** 3) for v in (seen, drawn)]
    assert skew[0] > 1 and skew[1] == pytest.approx(skew[0], rel=0.3)
    assert np.median(drawn) == pytest.approx(np.median(seen), abs=0.003)


def test_diverged_runs_are_no_noise():
    """Two of 24 runs diverged: the interval of a new run reached below the irreducible loss, mirrored, or up to 6 nats."""
    rng = np.random.default_rng(3)
    N, D = np.tile(np.logspace(7, 9.5, 6), 4), np.repeat(np.logspace(9, 11, 4), 6)
    loss = np.asarray(LAW(N, D, **TRUTH)) * np.exp(0.003 * rng.standard_normal(24))
    loss[[4, 17]] = 7.5, 11.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = sj.fit(LAW, {"N": N, "D": D, "loss": loss})
        low, high = sj.bootstrap(fit, 300).predict_interval(0.9, kind="run", N=1e10, D=1e12)
    assert fit.params["E"] < low < 2.07 < high < 2.3
