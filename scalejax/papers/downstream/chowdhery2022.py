"""Discontinuous improvement: how far the largest model departs from the log-linear projection of two smaller ones."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.table import Shown


@dataclass(frozen=True, eq=False, repr=False)
class Discontinuity(Shown):
    """Scores of tasks, see `discontinuity`.

    Attributes:
        projected: (tasks,) accuracy of the largest model by the log-linear projection.
        score: (tasks,) observed less projected.
        error: (tasks,) standard error of the score from the number of questions; NaN if that was not given.
    """

    projected: np.ndarray
    score: np.ndarray
    error: np.ndarray

    def share(self, threshold: float) -> float:
        """Fraction of the tasks whose score exceeds `threshold` (in the unit of the accuracies)."""
        return float(np.mean(self.score > threshold))

    def chance_share(self, threshold: float) -> float:
        """The fraction that noise alone brings above `threshold`, were every task log-linear; NaN without the number of questions."""
        above = [1 - NormalDist().cdf(threshold / max(error, 1e-300)) for error in self.error.tolist()]
        return float(np.mean(above))


def discontinuity(N: Any, accuracy: Any, *, questions: Any = None) -> Discontinuity:
    r"""Observed accuracy of the largest model less the projection of the line through the two models before it.

        projected = a_2 + (a_2 - a_1) (log N_3 - log N_2) / (log N_2 - log N_1),    score = a_3 - projected

    A task that is linear in log N scores 0. The projection leans on two models, so that its noise counts more than once: with k the ratio
    of logarithms, variance(score) = v_3 + (1 + k)^2 v_2 + k^2 v_1, and v = a (1 - a) / questions.

    Args:
        N: (sizes,) parameters, rising; the last three count.
        accuracy: (sizes,) or (tasks, sizes), as shares of 1 or in percentage points (any value above 1 makes all of them points).
        questions: number of questions a task, one or (tasks,), for standard errors.

    Returns:
        Discontinuity, in the unit of `accuracy`: `score`, `share(threshold)`, `chance_share(threshold)`.

    Raises:
        DataError: if there are fewer than three sizes, they do not rise, or the shapes do not match.

    Example:
        >>> found = discontinuity([8e9, 62e9, 540e9], [[20.0, 30.0, 40.0], [20.0, 21.0, 60.0]])
        >>> [round(float(s), 1) for s in found.score], found.share(10)
        ([-0.6, 37.9], 0.5)

    References: Chowdhery et al. 2022, arXiv:2204.02311, section 6.2 (PaLM of 8B, 62B and 540B parameters on BIG-bench).
    """
    size, a = np.asarray(N, dtype=np.float64), np.atleast_2d(np.asarray(accuracy, dtype=np.float64))
    if size.ndim != 1 or len(size) < 3 or a.ndim != 2 or a.shape[1] != len(size):
        raise DataError(f"N must name at least 3 sizes and accuracy have one column for each; got shapes {size.shape} and {a.shape}.")
    if not (size > 0).all() or not (np.diff(size) > 0).all():
        raise DataError(f"The sizes N must be positive and rise, got {size.tolist()}.")
    log_n, (first, second, third) = np.log(size[-3:]), a[:, -3:].T
    k = (log_n[2] - log_n[1]) / (log_n[1] - log_n[0])
    projected = second + k * (second - first)
    return Discontinuity(projected, third - projected, _standard_error(a[:, -3:], k, questions))


def _standard_error(a: np.ndarray, k: float, questions: Any) -> np.ndarray:
    if questions is None:
        return np.full(len(a), np.nan)
    count = np.broadcast_to(np.asarray(questions, dtype=np.float64), len(a))
    if not (count > 0).all():
        raise DataError(f"questions={questions!r} must be positive.")
    unit = 100.0 if (a > 1).any() else 1.0
    share = np.clip(a / unit, 0.0, 1.0)
    variance = share * (1 - share) / count[:, None]
    return unit * np.sqrt(variance @ np.asarray([k**2, (1 + k) ** 2, 1.0]))
