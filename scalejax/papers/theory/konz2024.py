"""Properties of a training set that laws of generalisation take: intrinsic dimension and label sharpness."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...core.errors import DataError

_ROWS = 512  # rows whose distances are held at once


def intrinsic_dimension(x: Any, *, method: str = "mle", k: int = 20) -> float:
    r"""Intrinsic dimension of points from distances to their nearest neighbours.

        mle:     d = [ (1/n) sum_i (1/(k - 1)) sum_{j < k} log( T_k(x_i) / T_j(x_i) ) ]^-1
        two_nn:  d = n / sum_i log( T_2(x_i) / T_1(x_i) )

    with T_j the distance to the j-th neighbour. Two points that coincide are counted once.

    Args:
        x: (n, features), more than k + 1 different points.
        method: "mle" (Levina and Bickel, with MacKay's mean of inverses) or "two_nn" (Facco et al., maximum likelihood).
        k: neighbours for "mle", at least 3.

    Returns:
        The dimension.

    Raises:
        DataError: if there are too few points or the method is unknown.

    Example:
        >>> import numpy as np
        >>> plane = np.random.default_rng(0).normal(size=(1000, 2)) @ np.ones((2, 5))  # a line in five dimensions
        >>> round(intrinsic_dimension(plane), 1)
        1.0

    References: Levina and Bickel 2004; Facco et al. 2017, doi:10.1038/s41598-017-11873-y; used by Konz and Mazurowski 2024,
    arXiv:2401.08865.
    """
    if method not in ("mle", "two_nn"):
        raise DataError(f"method={method!r} must be 'mle' or 'two_nn'.")
    points, count = np.asarray(x, dtype=np.float64), k if method == "mle" else 2
    points = np.unique(points, axis=0) if points.ndim == 2 and np.isfinite(points).all() else np.zeros((0, 1))
    if count < (3 if method == "mle" else 2) or len(points) < count + 2:
        raise DataError(f"intrinsic_dimension() needs a table of at least {count + 2} different points without gaps, and k of 3 or more.")
    near = np.concatenate([np.partition(d, range(count + 1), axis=1)[:, 1 : count + 1] for _, d in _distances(points)])
    logs = np.log(near[:, -1:] / near[:, :-1])
    return float(1 / logs.mean())


def label_sharpness(x: Any, y: Any) -> float:
    r"""How sharply labels change between similar inputs: the largest ratio of differences over all pairs.

        K_F = max_{j, k} |y_j - y_k| / ||x_j - x_k||

    Args:
        x: (n, features); images with values from 0 to 1, flattened.
        y: (n,) labels: numbers, or names of classes, which count as 1 apart.

    Returns:
        K_F, which grows with n: compare data sets at equal n. Infinite if equal inputs have different labels.

    Raises:
        DataError: if shapes do not agree or there are fewer than two points.

    Example:
        >>> label_sharpness([[0.0], [0.5], [2.0]], ["a", "a", "b"])
        0.6666666666666666

    References: Konz and Mazurowski 2024, arXiv:2401.08865.
    """
    points, labels = np.asarray(x, dtype=np.float64), np.asarray(y)
    if points.ndim != 2 or labels.shape != points.shape[:1] or len(points) < 2 or not np.isfinite(points).all():
        raise DataError("label_sharpness() needs points (n, features) without gaps and n labels, two or more.")
    named = labels.dtype.kind not in "fiub"
    labels = np.unique(labels, return_inverse=True)[1] if named else labels.astype(float)
    largest = 0.0
    for rows, distance in _distances(points):
        apart = np.abs(labels[rows, None] - labels[None, :])
        apart = (apart > 0).astype(float) if named else apart
        with np.errstate(divide="ignore", invalid="ignore"):
            largest = max(largest, float(np.where(apart > 0, apart / distance, 0.0).max()))
    return largest


def _distances(points: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Distances of some rows at a time to all points: (rows, distances)."""
    for start in range(0, len(points), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(points)))
        # A sum of squared differences a row: the expanded square loses the digits of near points.
        yield rows, np.stack([np.sqrt(((points - points[i]) ** 2).sum(axis=1)) for i in rows])
