"""Groups borrow from each other: partial pooling predicts larger runs better than separate fits, and where it does not, that is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import scalejax as sj
from benchmarks import hierarchy

pytestmark = pytest.mark.slow  # each posterior of many groups compiles for half a minute

GROUPS, LARGE = 10, 1e3
SPREAD = {"A": 0.2, "alpha": 0.1}  # of the logarithms


@sj.law(x=sj.Positive(), A=sj.Positive(0.1, 20), alpha=sj.Positive(0.05, 1.5))
def decay(x, *, A, alpha):
    """A power law above a known floor."""
    return 1.0 + A * x**-alpha


def simulated() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Four small and noisy runs a group, and the true losses at a hundred times their scale."""
    rng, x, tables = np.random.default_rng(0), np.logspace(0, 1, 4), []
    A, alpha = (value * np.exp(SPREAD[name] * rng.standard_normal(GROUPS)) for name, value in (("A", 2.0), ("alpha", 0.3)))
    for g in range(GROUPS):
        runs = sj.simulate(decay, {"A": A[g], "alpha": alpha[g]}, x=x, noise=0.03, seed=g)
        tables.append((x, runs["loss"], np.full(len(x), f"g{g}")))
    columns = map(np.concatenate, zip(*tables, strict=True))
    return dict(zip(("x", "loss", "g"), columns, strict=True)), 1.0 + A * LARGE**-alpha


@pytest.fixture(scope="module")
def found() -> tuple[sj.Posterior, sj.Posterior, np.ndarray]:
    """Pooled and separate posteriors, and the true logarithms at the large scale."""
    runs, truth = simulated()
    pooled, separate = (sj.sample(decay, runs, by="g", likelihood="normal", pool=pool) for pool in (None, ()))
    return pooled, separate, np.log(truth)


def at_large(posterior: sj.Posterior) -> np.ndarray:
    """(draws, groups) logarithm of the predicted loss."""
    return np.log(posterior.predict(x=np.full(GROUPS, LARGE), group=posterior.fit.groups))


def test_pooled_groups_predict_larger_runs_better_than_separate_ones(found):
    *posteriors, truth = found
    rmse = [np.sqrt(np.mean((np.median(at_large(p), axis=0) - truth) ** 2)) for p in posteriors]
    density = [[stats.gaussian_kde(v)(t)[0] for v, t in zip(at_large(p).T, truth, strict=True)] for p in posteriors]
    pooled, separate = np.log(density).mean(axis=1)
    assert rmse[0] < 0.8 * rmse[1]
    assert pooled > separate + 0.2


def test_pooled_intervals_are_narrower_and_still_hold_the_truth(found):
    *posteriors, truth = found
    (low, high), (lower, higher) = (np.quantile(at_large(p), [0.05, 0.95], axis=0) for p in posteriors)
    assert np.median((high - low) / (higher - lower)) < 0.8
    assert np.sum((low < truth) & (truth < high)) >= 6  # of 10 at 90 %: fewer has a probability of 0.0016


def test_the_spread_of_the_groups_is_found(found):
    for name, spread in SPREAD.items():
        low, high = np.quantile(found[0].sites[f"{name}_spread"], [0.005, 0.995])
        assert low < spread < high


def test_scores_are_those_of_holdout():
    """Densities of held-out runs by hand, from predictions and noise, and by `holdout`, which leaves runs out by weights."""
    rng = np.random.default_rng(1)
    N, D = 10 ** rng.uniform(8, 10, 40), 10 ** rng.uniform(9.5, 11.5, 40)
    truth = {"E": 1.8, "a": 0.4, "b": 0.3, "alpha": 0.35, "beta": 0.4}
    runs = sj.simulate(hierarchy.at_reference, truth, N=N, D=D, noise=0.005)
    compute = runs["N"] * runs["D"]
    large = compute >= np.sort(compute)[-8]
    options = {"accept": 0.95, "draws": 500}
    mine = hierarchy.score(sj.sample(hierarchy.at_reference, runs.where(~large), **options), runs.where(large))
    theirs = sj.holdout(hierarchy.at_reference, runs, largest=0.2, method="nuts", **options)
    np.testing.assert_array_equal(theirs.rows, np.flatnonzero(large))
    np.testing.assert_allclose(mine.lpd, theirs.lpd[:, 0], atol=0.15)
    np.testing.assert_allclose(mine.error, theirs.error[:, 0], atol=0.001)
    np.testing.assert_allclose(mine.pit, theirs.pit[:, 0], atol=0.06)


@pytest.mark.filterwarnings("ignore:.* times off what 6 N D says")  # budgets that have nothing to do with the sizes
def test_budgets_are_counted_within_each_experiment():
    columns = {"N": np.logspace(8, 9, 5), "D": np.logspace(9, 10, 5), "loss": np.linspace(4, 3, 5)}
    runs = sj.read_runs({**columns, "C": [1e18, 3e18, 1e19, 1e17, 1e18], "experiment": list("aaabb")})
    place, count = hierarchy.budgets(runs)
    np.testing.assert_array_equal(place, [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(count, [3, 3, 3, 2, 2])


def test_designs_keep_twins_together_and_never_show_the_largest_budget(public_data):
    runs = sj.datasets.load("isoflops_openathena")
    found = hierarchy.designs(runs)
    assert len(np.unique(runs["experiment"])) == 8
    clean = runs.where(runs["outlier"] == "False")
    largest = {name: clean["C"][clean["experiment"] == name].max() for name in np.unique(clean["experiment"])}
    for design in found:
        assert all(C < largest[name] for C, name in zip(design.kept["C"], design.kept["experiment"], strict=True))
        assert all(C == largest[name] for C, name in zip(design.held["C"], design.held["experiment"], strict=True))
    halves = [set(design.held["experiment"].tolist()) for design in found[2:]]
    assert not halves[0] & halves[1] and halves[0] | halves[1] == set(largest)
    for design, half in zip(found[2:], halves, strict=True):
        assert all((design.kept["experiment"] == name).sum() == hierarchy.FEW for name in half)
        for twins in ("chinchilla", "llama_3"):  # the same runs, digitised or counted twice
            assert len({name in half for name in largest if name.endswith(twins) or name.startswith(twins)}) == 1
