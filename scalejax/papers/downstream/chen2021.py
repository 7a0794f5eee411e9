"""pass@k from counts: what share of problems k samples would have solved, without bias."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.table import Computed


def checked_counts(N: Any, C: Any) -> tuple[np.ndarray, np.ndarray]:
    """Samples and successes of every problem, as arrays of one length."""
    c = np.atleast_1d(np.asarray(C, dtype=np.float64))
    n = np.broadcast_to(np.asarray(N, dtype=np.float64), c.shape)
    whole = (n == np.round(n)).all() and (c == np.round(c)).all()
    if c.ndim != 1 or not whole or not ((c >= 0) & (c <= n) & (n >= 1)).all():
        raise DataError("N and C must be whole numbers of samples and of successes among them, one of each a problem, with 0 <= C <= N.")
    return n, c


def pass_at_k(N: Any, C: Any, k: Any) -> Computed:
    r"""Share of problems that at least one of k samples solves, from N samples of each, of which C solve it.

        pass@k = mean_i [1 - binom(N_i - C_i, k) / binom(N_i, k)] = mean_i [1 - prod_{j < C_i} (1 - k / (N_i - j))]

    Unbiased for every k up to N, unlike 1 - (1 - C / N)^k, which is too low. At a k near N it knows no more than the samples do: a problem
    without success counts as unsolvable; `laws.coverage_beta` with `papers.attempts` goes beyond.

    Args:
        N: samples of every problem, (problems,) or one number.
        C: (problems,) successes.
        k: samples that are allowed, a number or (points,), at most the smallest N.

    Returns:
        "coverage", and "error", its standard error over problems as a sample of more, in the shape of k; "each", the same for every
        problem, with a trailing axis of problems.

    Raises:
        DataError: if counts are none, or a k is below 1 or above an N.

    Example:
        >>> found = pass_at_k(10, [0, 1, 5, 10], [1, 5])
        >>> found.coverage.round(4).tolist(), found.each[1].round(4).tolist()
        ([0.4, 0.624], [0.0, 0.5, 0.996, 1.0])

    References: Chen et al. 2021, arXiv:2107.03374, section 2.1; Brown et al. 2024, arXiv:2407.21787.
    """
    n, c = checked_counts(N, C)
    at = np.atleast_1d(np.asarray(k, dtype=np.float64))
    if at.ndim != 1 or not ((at >= 1) & (at <= n.min())).all():
        raise DataError(f"k={k!r} must lie between 1 and the fewest samples of a problem, {n.min():g}.")
    each = np.stack([_solved(n_i, c_i, at) for n_i, c_i in zip(n, c, strict=True)], axis=1)
    error = each.std(axis=1, ddof=1) / np.sqrt(len(c)) if len(c) > 1 else np.full(len(at), np.nan)
    found = {"coverage": each.mean(axis=1), "error": error, "each": each}
    if np.ndim(k) == 0:
        found = {name: value[0] if value.ndim > 1 else float(value[0]) for name, value in found.items()}
    return Computed(found, "pass@k")


def _solved(n: float, c: float, k: np.ndarray) -> np.ndarray:
    """(points,) chance that k of n samples, of which c are right, hold a right one; in logarithms, where small ones keep their digits."""
    surely = k > n - c
    others = np.where(surely, 0.0, k)[:, None] / (n - np.arange(c))
    return np.where(surely, 1.0, 0.0 - np.expm1(np.log1p(-others).sum(axis=1)))
