"""How good predictions are: errors, the whole distribution, order, and what a decision taken on them loses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...core.numeric.statistics import ordered_pairs, spearman


class Scores(NamedTuple):
    """Scores of predictions of runs that were not seen.

    Attributes:
        error: mean absolute error, relative to what was observed.
        rmse: root mean square error on the scale of laws: of logarithms, or in standard deviations of a target without a sign.
        r2: share of the variance of what was observed that is explained.
        crps: continuous ranked probability score on the same scale as `rmse`; lower is better.
        coverage: share within the intervals of `level`. width: their median width, relative to the prediction.
        rank: Spearman's correlation of predicted and observed.
        pairs: share of the pairs of runs that are put in the right order; a tie of the predictions counts one half, runs that are tied do
            not count.
        regret: what the run predicted to be best is worse than the best, relative to it; the mean where several are predicted so.
    """

    error: float
    rmse: float
    r2: float
    crps: float
    coverage: float
    width: float
    rank: float
    pairs: float
    regret: float


def scores(
    observed: np.ndarray, predicted: np.ndarray, low: np.ndarray, high: np.ndarray, miss: np.ndarray, sd: np.ndarray, freedom: float,
    rises: bool,
) -> Scores:  # fmt: skip
    """Scores of predictions (m,) with interval ends, misses on the scale of laws and their standard deviation.

    Args:
        rises: is more better?
    """
    size = np.maximum(np.abs(observed), 1e-300)
    varied = len(observed) > 1 and np.ptp(observed) > 0
    spread = np.sum((observed - observed.mean()) ** 2)
    return Scores(
        error=float(np.mean(np.abs(predicted - observed) / size)),
        rmse=float(np.sqrt(np.mean(miss**2))),
        r2=float(1 - np.sum((predicted - observed) ** 2) / spread) if varied else float("nan"),
        crps=float(np.mean(student_crps(miss / sd, freedom) * sd)),
        coverage=float(np.mean((low <= observed) & (observed <= high))),
        width=float(np.median((high - low) / np.maximum(np.abs(predicted), 1e-300))),
        rank=spearman(predicted, observed) if varied and np.ptp(predicted) > 0 else float("nan"),
        pairs=float(ordered_pairs(observed, predicted)),
        regret=_regret(observed, predicted, rises),
    )  # fmt: skip


def student_crps(z: np.ndarray, freedom: float) -> np.ndarray:
    """Continuous ranked probability score of a standard Student t at z; finite for more than one degree of freedom.

    crps = z (2 F(z) - 1) + 2 f(z) (nu + z^2) / (nu - 1) - 2 sqrt(nu) / (nu - 1) B(1/2, nu - 1/2) / B(1/2, nu/2)^2

    References: Jordan, Krueger and Lerch 2019, Journal of Statistical Software 90(12).
    """
    from scipy.special import beta, stdtr

    nu = freedom
    density = (1 + z**2 / nu) ** (-(nu + 1) / 2) / (np.sqrt(nu) * beta(0.5, nu / 2))
    last = 2 * np.sqrt(nu) / (nu - 1) * beta(0.5, nu - 0.5) / beta(0.5, nu / 2) ** 2
    return z * (2 * stdtr(nu, z) - 1) + 2 * density * (nu + z**2) / (nu - 1) - last


def _regret(observed: np.ndarray, predicted: np.ndarray, rises: bool) -> float:
    sign = -1.0 if rises else 1.0
    chosen = observed[sign * predicted == np.min(sign * predicted)].mean()
    return float(sign * (chosen - np.min(sign * observed) * sign) / max(abs(float(np.min(sign * observed))), 1e-300))
