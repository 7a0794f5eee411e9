"""Laws ranked by the log densities of what they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Ranking(NamedTuple):
    """Laws by their sum of log predictive densities; arrays are in the order of the laws, (laws,).

    Attributes:
        order: indices of the laws, the best first.
        elpd: expected log predictive density. difference: that of the best less this. se: standard error of the difference.
    """

    order: np.ndarray
    elpd: np.ndarray
    difference: np.ndarray
    se: np.ndarray


def ranking(lpd: np.ndarray) -> Ranking:
    """Ranking from log densities (observations, laws).

    The errors of two laws are alike, so that their difference is known better than either.
    """
    elpd = lpd.sum(axis=0)
    order = np.argsort(-elpd, kind="stable")
    behind = lpd[:, order[:1]] - lpd
    se = np.sqrt(len(lpd) * behind.var(axis=0, ddof=1)) if len(lpd) > 1 else np.full(lpd.shape[1], np.nan)
    return Ranking(order, elpd, behind.sum(axis=0), se)


def verdict(names: Sequence[str], found: Ranking) -> str:
    """Which law predicts best, and whether that is settled, in a sentence."""
    if len(names) < 2:
        return ""
    best = names[found.order[0]]
    # Below 4 the normal approximation of the difference is not to be trusted (Sivula, Magnusson, Matamoros and Vehtari 2020).
    close = [names[i] for i in found.order[1:] if not (found.difference[i] > 4 and found.difference[i] > 2 * found.se[i])]
    if not close:
        return f"{best} predicts best; every other law is behind by more than two standard errors."
    return f"{best} predicts best, but the runs do not tell it from {', '.join(close)}: a difference below 4, or two standard errors."
