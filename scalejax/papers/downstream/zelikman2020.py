"""Honest intervals from what earlier predictions missed: rescaled, conformal, and of several laws together."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.numeric.statistics import isotonic


def recalibrated_quantiles(mean: Any, sd: Any, z: Any, shares: Any) -> np.ndarray:
    r"""Quantiles of predictions whose standardised errors follow those of a calibration set, of whatever shape.

        z_i = (y_i - mu_i) / s_i,    quantile(q) = mu + s z_(ceil(q n))

    Args:
        mean, sd: (m,) predictions and their standard deviations.
        z: (n,) standardised errors of predictions whose outcome is known, made as far ahead: of back-tests, not of the fit itself.
        shares: (q,) which quantiles, between 0 and 1.

    Returns:
        (q, m).

    Raises:
        DataError: if nothing is left to calibrate with, or a number cannot be.

    Example:
        >>> recalibrated_quantiles([10.0], [2.0], [-1.0, 0.0, 0.5, 3.0], [0.25, 0.75]).ravel().tolist()
        [8.0, 11.0]

    References: Zelikman et al. 2020, arXiv:2005.12496.
    """
    mu, s, errors, q = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (mean, sd, z, shares))
    if not len(errors) or not np.isfinite(errors).all() or (s < 0).any() or ((q <= 0) | (q >= 1)).any():
        raise DataError("recalibrated_quantiles() needs finite errors, sd that are not negative, and shares between 0 and 1.")
    place = np.ceil(q * len(errors) - 1e-9).astype(int) - 1
    return mu + s * np.sort(errors)[place][:, None]


def conformal_width(residuals: Any, level: float = 0.9) -> float:
    r"""Half the width of a split conformal interval: prediction +- the ceil((n + 1) level)-th smallest |residual|.

    It holds a new outcome with a chance of at least `level` if its residual and those of the calibration set are exchangeable: predictions
    that look as far ahead as the new one does.

    Args:
        residuals: (n,) of predictions whose outcome is known.
        level: of the interval.

    Returns:
        The half width; infinite if n < level / (1 - level), which is too few.

    Raises:
        DataError: if there are none, or the level is not between 0 and 1.

    Example:
        >>> conformal_width(range(1, 11), 0.9), conformal_width(range(1, 9), 0.9)
        (10.0, inf)

    References: Vovk et al. 2005, Algorithmic Learning in a Random World; Xu and Xie 2022, arXiv:2212.03463, for residuals in order.
    """
    size = np.sort(np.abs(np.asarray(residuals, dtype=np.float64).ravel()))
    if not len(size) or not np.isfinite(size).all() or not 0 < level < 1:
        raise DataError("conformal_width() needs one finite residual or more, and a level between 0 and 1.")
    place = ceil((len(size) + 1) * level - 1e-9)
    return float(size[place - 1]) if place <= len(size) else float("inf")


def combined_quantiles(quantiles: Any, weights: Any = None) -> np.ndarray:
    r"""Quantiles of several laws as one forecast: their weighted mean share by share, put in order where they cross.

        Q(p) = sum_m w_m Q_m(p)

    Args:
        quantiles: (laws, shares, ...) by rising share.
        weights: (laws,) or (laws, shares); default equal ones.

    Returns:
        (shares, ...), rising along the first axis.

    Raises:
        DataError: if shapes do not match or a weight is negative.

    Example:
        >>> combined_quantiles([[1.0, 2.0, 3.0], [3.0, 2.0, 7.0]], [0.5, 0.5]).tolist()
        [2.0, 2.0, 5.0]

    References: Fakoor et al. 2021, arXiv:2103.00083.
    """
    table = np.asarray(quantiles, dtype=np.float64)
    if table.ndim < 2 or not np.isfinite(table).all():
        raise DataError("combined_quantiles() needs finite quantiles of the shape (laws, shares, ...).")
    w = np.ones(len(table)) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape not in (table.shape[:1], table.shape[:2]) or (w < 0).any() or not (w.sum(axis=0) > 0).all():
        raise DataError(f"weights must be one for each of the {len(table)} laws, or for each of their shares, and not negative.")
    w = (w / w.sum(axis=0)).reshape(*w.shape, *[1] * (table.ndim - w.ndim))
    return np.apply_along_axis(isotonic, 0, np.sum(w * table, axis=0))
