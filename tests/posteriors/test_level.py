"""Default priors know the level of the observed outputs: what they expect, that it is one density for all, and that it can be left out."""

from __future__ import annotations

import jax
import numpy as np
import numpyro.distributions as dist
import pytest

import scalejax as sj
from scalejax.posteriors.checks.influence import log_prior
from scalejax.posteriors.model import prior_draws
from scalejax.posteriors.model.level import WIDTH, level_of
from scalejax.posteriors.model.prior_draws import from_prior
from scalejax.posteriors.model.setup import set_up
from scalejax.posteriors.posterior import Posterior

X = np.logspace(3, 8, 24)
TRUTH = {"E": 1.0, "A": 20.0, "alpha": 0.3}


def power_runs() -> dict[str, np.ndarray]:
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(X))
    return {"x": X, "loss": np.asarray(sj.laws.power_law(X, **TRUTH)) * np.exp(noise)}


def chinchilla_runs() -> dict[str, np.ndarray]:
    law = sj.laws.chinchilla
    N, D = np.tile(np.logspace(7, 9.5, 6), 4), np.repeat(np.logspace(9, 11, 4), 6)
    return {"N": N, "D": D, "loss": np.asarray(law(N, D, **law.published["besiroglu2024"]))}


def small_units() -> dict[str, np.ndarray]:
    """x."""
    return {"x": X, "loss": 0.1 * power_runs()["loss"]}


TABLES = {
    "power law": ("power_law", power_runs, {}),
    "losses of 2 to 5": ("chinchilla", chinchilla_runs, {}),
    "embedded suite": ("chinchilla_outer", lambda: sj.datasets.load("pylib"), {}),
    "another unit": ("power_law", small_units, {"on": "linear"}),
}


@pytest.mark.parametrize("table", TABLES)
def test_priors_expect_the_observed_range(table):
    """The observed outputs lie in the central 95 % of the prior, and it expects hardly anything beyond three times their range.

    Of the plausible ranges alone a third and less lies there, with losses of 10^4 and more.
    """
    law, make, options = TABLES[table]
    found = sj.prior_predictive(law, make(), **options)
    low, high = found.interval(0.95)["outputs"]
    assert np.mean((low <= found.observed) & (found.observed <= high)) >= 0.9
    near = (found.outputs > found.observed.min() / 3) & (found.outputs < 3 * found.observed.max())
    assert 0.9 <= near.mean() <= 0.999
    alone = sj.prior_predictive(law, make(), **options, level_prior=False).outputs
    assert np.mean((alone > found.observed.min() / 3) & (alone < 3 * found.observed.max())) < 0.75


def test_the_table_of_priors_says_so():
    setup = set_up("power_law", power_runs())
    low, high = np.asarray(setup.evidence.level.ends)[:, 0]
    logs = np.log(power_runs()["loss"])
    spread = 1.4826 * np.median(np.abs(logs - np.median(logs)))
    assert np.log([low, high]) == pytest.approx(np.median(logs) + 1.96 * np.hypot(WIDTH, spread) * np.array([-1, 1]))
    assert f"at the level of the observed outputs, {low:.2g} to {high:.2g}" in repr(setup.priors)
    without = set_up("power_law", power_runs(), level_prior=False)
    assert without.evidence.level is None and "not part of these priors" in repr(without.priors)
    own = {"E": dist.LogNormal(0.0, 0.5), "A": dist.LogNormal(3.0, 1.0), "alpha": dist.LogNormal(-1.0, 0.5)}
    assert set_up("power_law", power_runs(), priors=own).evidence.level is None  # all there is to know
    assert set_up("power_law", power_runs(), priors={"E": own["E"]}).evidence.level is not None


def test_a_group_has_its_own_level_and_padding_none():
    values, group = np.array([1.0, 1.0, 5.0, 5.0, 9.0]), np.array([0, 0, 1, 1, 0])
    level = level_of(values, np.array([True] * 4 + [False]), group, log=True)
    assert level.center.tolist() == [1.0, 1.0, 5.0, 5.0, 0.0]
    assert level.power == pytest.approx([0.5 / WIDTH**2] * 4 + [0.0])


def test_the_level_counts_as_one_observation_in_the_prior_of_a_posterior():
    runs = power_runs()
    with_level, without = (sj.sample("power_law", runs, method="laplace", draws=50, level_prior=asked) for asked in (True, False))
    level = with_level.evidence.level
    predicted = np.log(np.stack([sj.laws.power_law(X, **{n: with_level.params[n][i] for n in TRUTH}) for i in range(len(with_level))]))
    expected = -0.5 * np.sum(level.power[: len(X)] * (predicted - level.center[: len(X)]) ** 2, axis=1)
    same = with_level.evidence._replace(level=None)
    alone = log_prior(Posterior(**{**vars_of(with_level), "evidence": same}))
    np.testing.assert_allclose(log_prior(with_level) - alone, expected, rtol=1e-6, atol=1e-9)
    for name, value in without.center.items():  # the runs determine the level: the posterior stays
        assert with_level.center[name] == pytest.approx(value, rel=0.05)


def vars_of(posterior: sj.Posterior) -> dict:
    return {name: getattr(posterior, name) for name in posterior.__dataclass_fields__}


@pytest.mark.slow
def test_chains_and_kept_proposals_draw_from_the_same_prior(monkeypatch):
    with jax.enable_x64(True):
        setup = set_up("power_law", power_runs())
        kept = from_prior(setup.model, setup.evidence, 2000, 0)
        monkeypatch.setattr(prior_draws, "_ROUNDS", 1)
        monkeypatch.setattr(prior_draws, "_TOGETHER", 100)
        chains = from_prior(setup.model, setup.evidence, 2000, 0)
    for name in TRUTH:
        quantiles = (np.quantile(np.log(draws[name]), [0.1, 0.5, 0.9]) for draws in (kept, chains))
        assert np.subtract(*quantiles) == pytest.approx(0.0, abs=0.3 * np.std(np.log(kept[name])))


@pytest.mark.slow
def test_posteriors_with_a_known_level_are_calibrated():
    """The level is that of the table, in truths and posteriors alike; were it that of each simulation, ranks would pile up."""
    found = sj.calibrate("power_law", {"x": np.logspace(3, 8, 12), "loss": np.linspace(3, 1.2, 12)}, likelihood="normal", simulations=100)
    assert found.complaints == []
