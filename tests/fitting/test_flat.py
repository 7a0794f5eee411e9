"""What no residual feels has no finite interval, however rounding bends the objective along it."""

import numpy as np
import pytest

import scalejax as sj

pytestmark = pytest.mark.filterwarnings("ignore::scalejax.IdentifiabilityWarning")
TRUTH = {"E": 1.8, "A": 400.0, "B": 400.0, "alpha": 0.34}


@sj.law(E=sj.Positive(0.1, 5), A=sj.Positive(1, 1e6), B=sj.Positive(1, 1e6), alpha=sj.Positive(0.05, 1.5))
def tied(N, D, *, E, A, B, alpha):
    """Chinchilla with a single exponent: where D = k N, all that can be known of A and B is A + B k^-alpha."""
    return E + A * N**-alpha + B * D**-alpha


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("loss", [sj.huber(1e-3), sj.squared()])
def test_a_sum_of_which_only_the_whole_is_seen(seed, loss):
    N = np.logspace(8, 10, 30)
    runs = sj.simulate(tied, TRUTH, N=N, D=20 * N, noise=0.003, seed=seed)
    fit = sj.fit(tied, runs, loss=loss, unidentified="warn", starts=64)
    assert fit.status == "flat direction" and fit.curvature[0].flat == ("A", "B")
    deviations = fit.standard_errors
    assert deviations["A"] == deviations["B"] == np.inf
    assert 0 < deviations["E"] < 0.05 and 0 < deviations["alpha"] < 0.03


def test_a_few_groups_of_a_large_joint_fit():
    """Five groups of ninety on such a line: of 271 parameters theirs alone are not determined."""
    groups, rows, rng = 90, 12, np.random.default_rng(0)
    N, ratio = np.tile(np.logspace(8, 10, rows), groups), rng.choice([5.0, 20.0, 80.0], groups * rows)
    ratio[: 5 * rows] = 20.0
    runs = sj.simulate(tied, TRUTH, N=N, D=ratio * N, noise=0.003)
    table = {**{name: runs[name] for name in ("N", "D", "loss")}, "corpus": np.repeat(np.arange(groups), rows)}
    fit = sj.fit(tied, table, by="corpus", share="E", unidentified="warn", starts=64)
    assert fit.status == "flat direction"
    for name in ("A", "B"):
        np.testing.assert_array_equal(np.isinf(fit.standard_errors[name]), np.arange(groups) < 5)
    assert np.isfinite(fit.standard_errors["alpha"]).all() and fit.standard_errors["E"] < 0.01
