"""Checks of posteriors: leave-one-out against exact refits, priors that decide, runs that no draw would produce."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from scipy import integrate, stats

import scalejax as sj
from scalejax.posteriors.checks import influence as checks
from scalejax.posteriors.checks.influence import log_prior, loo, observed_rows, pointwise, prior_sensitivity
from scalejax.posteriors.checks.predictive import PredictiveCheck, predictive_check
from scalejax.posteriors.checks.prior_predictive import from_setup, prior_predictive

X = np.linspace(1, 2, 24)
LEFT_OUT = 5
SEEN = np.delete(np.arange(len(X)), LEFT_OUT)


@sj.law(a=sj.Real(-10, 10), b=sj.Real(-10, 10))
def line(x, *, a, b):
    """A straight line: textbooks know the posterior."""
    return a + b * x


def sampled(y: np.ndarray, **options) -> sj.Posterior:
    """With the priors of the parameters alone, which textbooks know."""
    runs = sj.Runs({"x": X, "loss": y}, excluded=np.arange(len(X)) == LEFT_OUT)
    return sj.sample(line, runs, likelihood="normal", on="linear", level_prior=False, **options)


def scattered(seed: int = 0) -> np.ndarray:
    return 1 + 2 * X + 0.3 * np.random.default_rng(seed).standard_normal(len(X))


@pytest.fixture(scope="module")
def posterior() -> sj.Posterior:
    return sampled(scattered())


def log_evidence(y: np.ndarray, x: np.ndarray, prior: object) -> float:
    """log p(y): closed form given sigma, by quadrature over log sigma."""
    design, wide = np.stack([np.ones_like(x), x], axis=1), (20 / 3.92) ** 2
    u = np.linspace(np.log(0.05), np.log(3), 400)
    inner = [stats.multivariate_normal.logpdf(y, cov=np.exp(2 * s) * np.eye(len(y)) + wide * design @ design.T) for s in u]
    inner = np.asarray(inner) + stats.norm.logpdf(u, float(prior.loc), float(prior.scale))
    return float(np.log(integrate.simpson(np.exp(inner - inner.max()), x=u)) + inner.max())


@pytest.mark.slow
def test_leave_one_out_agrees_with_exact_refits(posterior):
    y, x, prior = posterior.fit.observed, X[SEEN], posterior.priors["sigma"]
    whole = log_evidence(y, x, prior)
    exact = np.asarray([whole - log_evidence(np.delete(y, i), np.delete(x, i), prior) for i in range(len(y))])
    found = loo(posterior)
    np.testing.assert_allclose(found.pointwise, exact, atol=0.05)
    assert found.elpd == pytest.approx(exact.sum(), abs=0.15)
    assert 1.5 < found.p_loo < 5
    assert "can be trusted" in repr(found) and found.influential.size == 0


def test_densities_are_those_of_the_used_runs_with_their_weights(posterior):
    assert observed_rows(posterior).tolist() == SEEN.tolist()
    a, b, sigma = (v[:, None] for v in (posterior.params["a"], posterior.params["b"], posterior.sites["sigma"]))
    expected = stats.norm.logpdf(posterior.fit.observed, a + b * X[SEEN], sigma)
    np.testing.assert_allclose(pointwise(posterior), expected, rtol=1e-9)
    weight = np.array(posterior.evidence.weight)
    weight[:3] = 0.0, 2.0, 0.5
    moved = dataclasses.replace(posterior, evidence=posterior.evidence._replace(weight=weight))
    np.testing.assert_allclose(pointwise(moved)[:, :2], expected[:, 1:3] * [2.0, 0.5], rtol=1e-9)
    assert observed_rows(moved).tolist() == SEEN[1:].tolist()


def test_an_outlier_is_named_by_its_row():
    y = scattered()
    y[20] += 6.0
    found = loo(sampled(y))
    assert found.influential.tolist() == [20]
    assert "too influential" in found.verdict and "row 20" in found.verdict


def test_sensitivity_names_the_prior_that_decides(posterior):
    import numpyro.distributions as dist

    rows = {row[0]: row[3] for row in prior_sensitivity(posterior).rows}
    assert rows["a"] == rows["b"] == "the data decide"
    tight = sampled(scattered(), priors={"a": dist.Normal(0.0, 0.2)})
    table = prior_sensitivity(tight)
    rows = {row[0]: row[3] for row in table.rows}
    assert rows["a"] in ("the prior decides", "prior and data disagree")
    assert "Look at the priors of a" in table.notes[0]


def test_the_log_prior_is_the_sum_over_all_sites(posterior):
    prior, wide = posterior.priors["sigma"], 20 / 3.92
    expected = stats.norm.logpdf(posterior.params["a"], 0, wide) + stats.norm.logpdf(posterior.params["b"], 0, wide)
    expected = expected + stats.lognorm.logpdf(posterior.sites["sigma"], float(prior.scale), scale=np.exp(float(prior.loc)))
    np.testing.assert_allclose(log_prior(posterior), expected, rtol=1e-6)


def test_domains_without_a_distribution_have_their_prior_on_the_unconstrained_form():
    domain = sj.Ordered(0.0, 5.0, axis="k")
    slot = SimpleNamespace(name="w", domain=domain, size=3, free=3)
    with jax.enable_x64(True):
        u = np.random.default_rng(0).standard_normal((7, 2, 3))
        value = np.asarray(jax.vmap(jax.vmap(domain.forward))(u))
        layout = SimpleNamespace(slots=[slot])
        stub = SimpleNamespace(model=SimpleNamespace(spec=SimpleNamespace(layout=layout)), values={"w": value})
        np.testing.assert_allclose(checks._unconstrained(stub, "w"), u, atol=1e-9)


def test_runs_of_the_law_are_not_suspicious_and_those_of_another_are(posterior):
    good = predictive_check(posterior, {"largest": np.max, "mean": np.mean})
    assert good.suspicious == {} and "Nothing is suspicious" in repr(good)
    assert 0.1 < good.tail["mean"] < 0.9  # a line goes through the mean
    assert set(good.tail) >= {"standard deviation", "neighbours along x", "share inside 95 %", "largest"}
    bad = predictive_check(sampled(scattered() + 6 * (X - 1.5) ** 2))
    assert bad.suspicious["neighbours along x"] == "higher than it should be"
    assert "neighbours along x is higher" in repr(bad)


def test_intervals_of_replicates_hold_their_share(posterior):
    check = predictive_check(posterior)
    for level in (0.5, 0.8, 0.9, 0.95):
        assert np.mean(check.replicated[f"share inside {100 * level:g} %"]) == pytest.approx(level, abs=0.01)


def test_tails_count_ties_half():
    check = PredictiveCheck({"T": np.zeros(4)}, {"T": np.asarray([0.0, 0.0, 1.0, -1.0])})
    assert check.tail == {"T": 0.5}


def test_the_prior_predicts_what_its_parameters_say(posterior):
    found = prior_predictive(line, posterior.request.runs, on="linear", likelihood="normal", level_prior=False, draws=4000)
    np.testing.assert_array_equal(found.outputs, from_setup(posterior, 4000).outputs)
    assert found.outputs.shape == (4000, len(SEEN)) and found.rows.tolist() == SEEN.tolist()
    np.testing.assert_array_equal(found.observed, posterior.fit.observed)
    low, high = found.interval(0.5)["outputs"]
    quartile = stats.norm.ppf(0.75) * 20 / 3.92 * np.sqrt(1 + X[SEEN] ** 2)  # the noise is small beside it
    np.testing.assert_allclose(high, quartile, rtol=0.1)
    np.testing.assert_allclose(low, -quartile, rtol=0.1)
    assert "100 % of the observed outputs" in repr(found)


def test_a_statistic_must_be_a_number(posterior):
    with pytest.raises(sj.ScalejaxError, match="'spread' must return one number"):
        predictive_check(posterior, {"spread": lambda y: y})
