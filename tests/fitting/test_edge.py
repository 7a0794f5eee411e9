"""Where a parameter ended at the edge of its support, refits come back from there: what it could be is in the intervals."""

import numpy as np
import pytest

import scalejax as sj

TRUTH = {"E": 1.8, "A": 480.0, "B": 2085.0, "alpha": 0.35, "beta": 0.37}
FAR = {"N": 1e10, "D": 2e11}


def without_a_floor(seed):
    """Sixteen small runs, so noisy that their best fit has no irreducible loss."""
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 2e8, 4), np.geomspace(3e8, 5e9, 4)))
    fit = sj.fit("chinchilla", sj.simulate("chinchilla", TRUTH, N=N, D=D, noise=0.02, seed=seed))
    assert fit.curvature[0].boundary == ("E",) and fit.params["E"] < 1e-9
    return fit


@pytest.mark.parametrize("seed", [18, 43])
def test_the_bootstrap_leaves_the_edge(seed):
    fit, truth = without_a_floor(seed), sj.laws.chinchilla(**FAR, **TRUTH)
    draws = sj.bootstrap(fit, 200)
    low, high = draws.interval(0.9)["E"]
    assert low < 1e-9 and high > TRUTH["E"]
    low, high = draws.predict_interval(0.9, **FAR)
    assert low < truth < high
    low, high = fit.predict_interval(0.9, **FAR)
    assert low < truth < high
    assert "E held at the edge" in sj.laplace(fit).kind


def test_replicates_are_the_optima_of_their_resampled_runs():
    """Each beside a fit of its own, from all starts, to the same weights."""
    fit, count = without_a_floor(18), 12
    draws = sj.bootstrap(fit, count, kind="bayesian", seed=1)
    weights = np.random.default_rng(1).standard_exponential((16, count))
    alone = [sj.fit("chinchilla", fit.runs, weights=w, unidentified="warn").params["E"] for w in (16 * weights / weights.sum(axis=0)).T]
    assert sum(E > 0.1 for E in alone) >= 3 and sum(E < 1e-6 for E in alone) >= 3
    np.testing.assert_allclose(draws.params["E"], alone, rtol=1e-3, atol=1e-6)
