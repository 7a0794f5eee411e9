"""Akima's interpolation, for many curves on one grid."""

from __future__ import annotations

import numpy as np


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

    Source: Akima, Journal of the ACM 17(4), 1970.
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
