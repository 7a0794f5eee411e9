"""Left-out counts are scored as counts, by point fits as by posteriors."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import pytest
from scipy import stats

import scalejax as sj


@sj.law(output="share", x=sj.Real(-3, 3), a=sj.Real(-2, 2), b=sj.Real(-2, 2))
def logistic(x, *, a, b):
    return jax.nn.sigmoid(a + b * x)


@sj.law(output="share", x=sj.Real(-3, 3), a=sj.Real(-2, 2))
def level(x, *, a):
    return jax.nn.sigmoid(a + 0 * x)


@pytest.fixture(scope="module")
def table():
    rng, x = np.random.default_rng(3), np.linspace(-3, 3, 90)
    trials = rng.integers(50, 400, 90)
    share = rng.binomial(trials, 1 / (1 + np.exp(-0.4 - 0.8 * x))) / trials
    return {"x": x, "n": trials, "share": share, "part": np.tile(["p", "q", "r"], 30)}


def test_densities_are_those_of_counts(table):
    """Near those at the truth, less what two parameters cost; intervals hold what they say."""
    found = sj.holdout({"logistic": logistic, "level": level}, table, groups="part", loss=sj.binomial("n"))
    truth = 1 / (1 + np.exp(-0.4 - 0.8 * table["x"]))
    known = stats.binom.logpmf(np.round(table["share"] * table["n"]), table["n"], truth)[found.rows]
    assert found.on == "linear" and found.best == "logistic"
    assert -6 < np.sum(found.lpd[:, 0] - known) < 3
    assert 0.8 < found.coverage(0.9)["logistic"] < 0.98 and found.coverage(0.9)["level"] < 0.4
    assert stats.kstest(found.pit[:, 0], "uniform").pvalue > 0.01


def test_point_fits_and_posteriors_agree(table):
    by_fit = sj.holdout(logistic, table, groups="part", loss=sj.binomial("n"))
    drawn = sj.holdout(logistic, table, groups="part", method="laplace", likelihood=sj.likelihoods.binomial("n"))
    np.testing.assert_allclose(by_fit.lpd, drawn.lpd, atol=0.1)
    np.testing.assert_allclose(by_fit.error, drawn.error, atol=5e-3)
    np.testing.assert_allclose(by_fit.pit, drawn.pit, atol=0.05)


def test_overdispersion_and_groups_count(table):
    """Twice the scatter of coin tosses is in the band; so are groups that share a slope."""
    rng = np.random.default_rng(0)
    p = np.clip(rng.beta(60 * (q := 1 / (1 + np.exp(-0.4 - 0.8 * table["x"]))), 60 * (1 - q)), 0, 1)
    wild = {**table, "n": np.full(90, 400), "share": rng.binomial(400, p) / 400, "fold": np.repeat(["a", "b", "c"], 30)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {
            name: sj.holdout(logistic, wild, groups="fold", loss=loss, by={"a": "part"}).coverage(0.9)["logistic"]
            for name, loss in (("narrow", sj.binomial("n")), ("wide", sj.beta_binomial("n")))
        }
    assert found["narrow"] < 0.75 < 0.82 < found["wide"]
