"""Statistics that many rooms share: ends of intervals, ranks, monotone fits, hulls, what nothing dominates, smooth interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..edge.public import publish
from ..errors import DataError, DecisionError, FitError

__all__ = ["akima", "ends", "evenly", "isotonic", "lower_hull", "ordered_pairs", "ranks", "spearman", "undominated"]

_ROUNDING = 1e-12  # relative difference that rounding makes of equal numbers


def ends(draws: np.ndarray, level: float) -> tuple[Any, Any]:
    """Central percentiles along the leading axis; infinite draws count, NaN are left out."""
    if not 0 < level < 1:
        raise FitError(f"level={level!r} must lie between 0 and 1, such as 0.9.")
    shares = np.asarray([0.5 - level / 2, 0.5 + level / 2])
    if np.isfinite(draws).all():
        low, high = np.quantile(draws, shares, axis=0)
        return low, high
    last = np.maximum(np.sum(~np.isnan(draws), axis=0) - 1, 0)  # the nearest draw, for between infinite ones there is none
    at = np.rint(np.multiply.outer(shares, last)).astype(int)
    low, high = np.take_along_axis(np.sort(draws, axis=0), at, axis=0)  # NaN come last
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)  # nothing is known where all are NaN


def evenly(count: int, most: int) -> np.ndarray:
    """Indices of at most `most` of `count` draws or points, evenly spaced from the first to the last.

    >>> evenly(9, 3).tolist()
    [0, 4, 8]
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def lower_hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Indices of the lower convex hull of points sorted by x (Andrew's monotone chain); those whose y is not finite are left out."""
    if np.isnan(x).any() or np.shape(x) != np.shape(y):
        raise DataError("lower_hull() needs an x, a number, for every y.")
    hull: list[int] = []
    for i in np.flatnonzero(np.isfinite(y)):
        while len(hull) > 1:
            (x0, y0), (x1, y1) = ((x[j], y[j]) for j in hull[-2:])
            if (x1 - x0) * (y[i] - y0) <= (y1 - y0) * (x[i] - x0):
                hull.pop()
            else:
                break
        hull.append(int(i))
    return np.asarray(hull)


def isotonic(y: Any, weights: Any = None) -> np.ndarray:
    r"""The rising sequence nearest to a noisy one: least squares by pooling adjacent violators.

        minimise sum_t w_t (g_t - y_t)^2    subject to   g_1 <= g_2 <= ... <= g_T

    Args:
        y: (T,) values.
        weights: (T,) positive; default ones.

    Returns:
        (T,) rising values.

    Raises:
        DataError: if values are missing or not finite, or weights are not positive.

    Example:
        >>> isotonic([1.0, 3.0, 2.0, 4.0]).tolist()
        [1.0, 2.5, 2.5, 4.0]

    References: Ayer et al. 1955, Ann. Math. Statist. 26, 641.
    """
    y = np.asarray(y, dtype=np.float64)
    w = np.ones_like(y) if weights is None else np.asarray(weights, dtype=np.float64)
    if y.ndim != 1 or not len(y) or w.shape != y.shape or not np.isfinite(y).all() or not (np.isfinite(w) & (w > 0)).all():
        raise DataError("isotonic() takes one row of finite values, and as many positive weights.")
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(y.tolist(), w.tolist(), strict=True):
        mean, total, length = value, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, heavy, count = blocks.pop()
            mean, total, length = (other * heavy + mean * total) / (heavy + total), heavy + total, length + count
        blocks.append((mean, total, length))
    return np.repeat([mean for mean, _, _ in blocks], [length for _, _, length in blocks])


def spearman(a: Any, b: Any) -> float:
    """Spearman's rank correlation of two columns, ties with their mean rank: how well a predicted order is the true one.

    >>> spearman([1.0, 2.0, 3.0], [10.0, 30.0, 20.0])
    0.5
    """
    both = [ranks(np.asarray(values, dtype=np.float64)) for values in (a, b)]
    if both[0].shape != both[1].shape or both[0].ndim != 1 or len(both[0]) < 2:
        raise DecisionError("spearman() needs two columns of the same length, two numbers or more.")
    x, y = (r - r.mean() for r in both)
    if not x.any() or not y.any():
        raise DecisionError("spearman() needs columns whose values differ; one of them is constant.")
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of flat values from 1, ties with their mean.

    >>> ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - 0.5 * (counts - 1))[inverse]


def pair_signs(values: np.ndarray) -> np.ndarray:
    """(..., pairs) which of two values (..., n) is the larger, -1 or 1; 0 if they are equal but for rounding."""
    first, second = np.triu_indices(values.shape[-1], 1)
    difference, size = values[..., first] - values[..., second], np.abs(values).max(axis=-1, keepdims=True, initial=0.0)
    return np.where(np.abs(difference) > _ROUNDING * size, np.sign(difference), 0.0)


def ordered_pairs(truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """(...,) share of the pairs that truth (n,) orders and guess (..., n) puts in the same order.

    Where the guess has a tie it counts one half, as tossing a coin would get on average; pairs whose truth is a tie have no right order and
    do not count. NaN if the truth orders no pair.

    >>> ordered_pairs(np.array([1.0, 2.0, 3.0, 3.0]), np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 5.0, 5.0, 5.0]])).tolist()
    [1.0, 0.5]
    """
    right = pair_signs(truth)
    ordered = right != 0
    if not ordered.any():
        return np.full(guess.shape[:-1], np.nan)
    return np.mean((1.0 + right * pair_signs(guess))[..., ordered], axis=-1) / 2


def undominated(values: Any) -> np.ndarray:
    r"""Which points no other point beats: none is at least as good in every metric and better in one.

    Args:
        values: (points, metrics), larger is better.

    Returns:
        (points,) booleans; equal points are all kept.

    Raises:
        DataError: if values are no table of finite numbers.

    Example:
        >>> undominated([[1.0, 0.0], [0.5, 0.5], [0.4, 0.5], [0.0, 1.0]]).tolist()
        [True, True, False, True]
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 2 or not np.isfinite(v).all():
        raise DataError("undominated() needs a table (points, metrics) of finite numbers.")
    return np.asarray([not ((v >= row).all(axis=1) & (v > row).any(axis=1)).any() for row in v], dtype=bool)


def akima(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    r"""Piecewise cubics through points, whose slopes at a point depend on its four neighbouring segments only.

        t_i = (|m_{i+1} - m_i| m_{i-1} + |m_{i-1} - m_{i-2}| m_i) / (|m_{i+1} - m_i| + |m_{i-1} - m_{i-2}|)

    with m_i the slope from point i to i + 1, extended linearly by two segments at both ends, and the mean of m_{i-1} and m_i where the
    denominator vanishes. One outlier bends the curve near it only, unlike a spline.

    Args:
        x: (n,) rising, n at least 3. y: (..., n). at: (k,) within the range of x.

    Returns:
        (..., k).

    Example:
        >>> akima(np.array([0.0, 1.0, 2.0]), np.array([[0.0, 1.0, 2.0]]), np.array([0.5, 1.5])).tolist()
        [[0.5, 1.5]]

    References: Akima, Journal of the ACM 17(4), 1970.
    """
    slope = np.diff(y, axis=-1) / np.diff(x)
    first, last = slope[..., :1], slope[..., -1:]
    left, right = first - slope[..., 1:2], last - slope[..., -2:-1]
    m = np.concatenate([first + 2 * left, first + left, slope, last + right, last + 2 * right], axis=-1)
    turn = np.abs(np.diff(m, axis=-1))
    after, before = turn[..., 2:], turn[..., :-2]
    total = after + before
    straight = total <= 1e-9 * total.max(axis=-1, keepdims=True)
    weighted = (after * m[..., 1:-2] + before * m[..., 2:-1]) / np.where(straight, 1.0, total)
    t = np.where(straight, 0.5 * (m[..., 3:] + m[..., :-3]), weighted)
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    h, s = np.diff(x)[i], at - x[i]
    quadratic = (3 * slope[..., i] - 2 * t[..., i] - t[..., i + 1]) / h
    cubic = (t[..., i] + t[..., i + 1] - 2 * slope[..., i]) / h**2
    return y[..., i] + s * (t[..., i] + s * (quadratic + s * cubic))


publish(globals())
