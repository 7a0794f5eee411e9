"""Counts of successes as runs to be fitted: how difficulty varies over problems, with its uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np

from .chen2021 import checked_counts

_EXACT = 32  # samples that have rows of their own
_WIDER = 0.05  # later rows stand for this share of the samples before them


def attempts(N: Any, C: Any) -> dict[str, np.ndarray]:
    r"""Counts as a table whose binomial likelihood is that of problems of varying difficulty.

        prod_i B(u + C_i, v + N_i - C_i) / B(u, v) = prod_rows p^successes (1 - p)^failures,    p = (u + c) / (u + v + n)

    The likelihood does not depend on the order of a problem's samples: here its successes come first. Beyond 32 samples a row stands for
    5 % more of them, which moves u and v by far less than their errors.

    Args:
        N: samples of every problem, (problems,) or one number.
        C: (problems,) successes.

    Returns:
        Columns "c", "n", "success" (share) and "trials", for `sj.sample(laws.success_after, table, likelihood="binomial",
        level_prior=False, method="laplace")`, whose draws `derive` takes. Problems are what was drawn: the rows are no units to be
        resampled, shares of 0 and 1 are no level to expect, and the curvature that `fit` takes from residuals does not hold for them.

    Raises:
        DataError: if counts are none.

    Example:
        >>> table = attempts(20, [0, 0, 1, 0, 3, 8])
        >>> table["trials"][:4].tolist(), table["success"][:3].tolist()  # three of six problems have a success, which comes first
        ([6.0, 3.0, 3.0, 3.0], [0.5, 0.0, 0.0])
        >>> int((table["success"] * table["trials"]).sum()), int(table["trials"].sum())
        (12, 120)

    References: Schaeffer et al. 2025, arXiv:2502.17578.
    """
    n, c = checked_counts(N, C)
    rows: list[tuple[float, float, float, float]] = []  # c, n, successes, trials
    reached = -1.0
    for successes in np.unique(c):
        onward = float((c > reached).sum())
        for block in _blocks(reached + 1, successes - 1):
            trials = onward * (block[1] - block[0] + 1)
            rows.append((_middle(block), _middle(block), trials, trials))
        here, beyond = n[c == successes], float((c > successes).sum())
        rows.append((successes, successes, beyond, beyond + float((here > successes).sum())))
        for block in _blocks(successes + 1, here.max() - 1):
            trials = float(np.clip(np.minimum(here - 1, block[1]) - block[0] + 1, 0, None).sum())
            rows.append((successes, _middle(block), 0.0, trials))
        reached = successes
    counts, number, right, trials = np.array([row for row in rows if row[3] > 0]).T
    return {"c": counts, "n": number, "success": right / trials, "trials": trials}


def _blocks(start: float, last: float) -> list[tuple[float, float]]:
    """(first, last) number of samples of every row, from start on."""
    found, low = [], start
    while low <= last:
        past = low - start
        high = min(low + (np.floor(_WIDER * past) if past >= _EXACT else 0.0), last)
        found.append((low, high))
        low = high + 1
    return found


def _middle(block: tuple[float, float]) -> float:
    return 0.5 * (block[0] + block[1])
