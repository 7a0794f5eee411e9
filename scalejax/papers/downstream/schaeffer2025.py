"""Counts of successes as runs to be fitted: how difficulty varies over problems, with its uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np

from .chen2021 import checked_counts

_EXACT = 16  # samples that have rows of their own
_WIDER = 0.1  # later rows stand for this share of the samples before them


def attempts(N: Any, C: Any) -> dict[str, np.ndarray]:
    r"""Counts as a table whose binomial likelihood is that of problems of varying difficulty.

        prod_i binom(N_i, C_i) B(u + C_i, v + N_i - C_i) / B(u, v)  =  const prod_rows p^successes (1 - p)^failures,  p = (u + c) / (u + v + n)

    The likelihood does not depend on the order of a problem's samples: here its successes come first. Beyond 64 samples a row stands for
    3 % more of them, which changes u and v by less than a hundredth of their errors.

    Args:
        N: samples of every problem, (problems,) or one number.
        C: (problems,) successes.

    Returns:
        Columns "c", "n", "success" (share) and "trials", for `fit(laws.success_after, table, loss=sj.binomial())`. Its uncertainty is that
        of problems drawn from all such problems; rows are no units to be resampled.

    Raises:
        DataError: if counts are none.

    Example:
        >>> import scalejax as sj
        >>> C = [0, 0, 1, 0, 3, 8, 2, 0, 20, 1, 5, 0, 14, 1, 0, 2]  # of 20 samples each
        >>> fit = sj.fit(sj.laws.success_after, attempts(20, C), loss=sj.binomial(), starts=8)
        >>> low, high = sj.derive(fit, sj.laws.coverage_beta, k=1000.0).interval(0.9)["value"]
        >>> 0.7 < low < high < 1
        True

    References: Schaeffer et al. 2025, arXiv:2502.17578.
    """
    n, c = checked_counts(N, C)
    rows: list[tuple[float, float, float, float]] = []  # c, n, successes, trials
    reached = -1.0
    for successes in np.unique(c):
        onward = float((c > reached).sum())
        rows += [(_middle(block), _middle(block), onward * _length(block), onward * _length(block)) for block in _blocks(reached + 1, successes - 1)]
        here, beyond = n[c == successes], float((c > successes).sum())
        rows.append((successes, successes, beyond, beyond + float((here > successes).sum())))
        for block in _blocks(successes + 1, here.max() - 1):
            trials = np.clip(np.minimum(here - 1, block[1]) - block[0] + 1, 0, None).sum()
            rows.append((successes, _middle(block), 0.0, float(trials)))
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


def _length(block: tuple[float, float]) -> float:
    return block[1] - block[0] + 1
