"""How well number formats hold Gaussian numbers: the error that predicts what they are worth in training."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from jax.scipy.special import erf

from ...core.errors import DecisionError
from ...core.numeric.precision import double
from ...core.table import Computed

_NORMAL = NormalDist()
_SCALES, _ROUNDS = 65, 14  # points of a search for the scale, and how often it closes in


def uniform_grid(bits: int) -> np.ndarray:
    """Levels of a symmetric integer format, evenly spaced around 0: 2^bits of them.

    >>> uniform_grid(2).tolist()
    [-1.5, -0.5, 0.5, 1.5]
    """
    if not 1 <= bits <= 16:
        raise DecisionError(f"bits={bits!r} must be a whole number from 1 to 16.")
    return np.arange(2**bits) - (2**bits - 1) / 2


def float_grid(E: int, M: int) -> np.ndarray:
    """Numbers of a floating-point format with E exponent and M mantissa bits, subnormal ones included, none kept for infinities.

    >>> float_grid(2, 1)[7:].tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    """
    if not (1 <= E <= 5 and 0 <= M <= 10):
        raise DecisionError(f"float_grid() takes 1 to 5 exponent bits and 0 to 10 mantissa bits, got {E!r} and {M!r}.")
    mantissa = np.arange(2**M) / 2**M
    positive = [mantissa, *((1 + mantissa) * 2.0**e for e in range(2**E - 1))]
    values = np.concatenate([positive[0], *positive[1:]])
    return np.unique(np.concatenate([-values, values]))


@double
def gaussian_error(grid: Any) -> Computed:
    r"""Mean squared error of standard normal numbers that are rounded to the nearest level of a grid of the best scale.

        G = min over s of E (x - s nearest(x / s))^2,    x ~ N(0, 1)

    Exact integrals between the midpoints of neighbouring levels, and a search for s that closes in on the lowest point.

    Args:
        grid: (levels,) numbers of the format in any unit; `uniform_grid` and `float_grid` make some.

    Returns:
        `error`, the G of `laws.capacity`; `scale`, s; `bits`, log2 of the number of levels; `ideal`, the number of bits with which an
        ideal format would have this error, log_{1/4} G.

    Raises:
        DecisionError: if the grid has fewer than two different finite levels.

    Example:
        >>> round(gaussian_error(uniform_grid(4)).error, 5), round(gaussian_error(float_grid(2, 1)).error, 5)
        (0.01154, 0.01268)

    References: Panferov et al. 2025, arXiv:2506.01863, section 4; Max 1960 (the errors of uniform grids).
    """
    levels = np.unique(np.asarray(grid, dtype=np.float64))
    if levels.ndim != 1 or len(levels) < 2 or not np.isfinite(levels).all():
        raise DecisionError("gaussian_error() takes a grid of at least two different finite levels.")
    low, high = np.log(1e-3 / np.abs(levels).max()), np.log(10.0 / np.diff(levels).min())
    for _ in range(_ROUNDS):
        scales = np.linspace(low, high, _SCALES)
        errors = _errors(np.exp(scales), levels)
        best = int(np.argmin(errors))
        low, high = scales[max(best - 1, 0)], scales[min(best + 1, _SCALES - 1)]
    error = float(errors[best])
    values = {
        "error": error,
        "scale": float(np.exp(scales[best])),
        "bits": float(np.log2(len(levels))),
        "ideal": float(-np.log(error) / np.log(4)),
    }
    return Computed(values, "standard normal numbers in a format")


def _errors(scales: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The error at every scale: (1 + c^2) Phi + (2 c - x) phi between the ends of every cell, c its level."""
    c = scales[:, None] * levels
    ends = (c[:, 1:] + c[:, :-1]) / 2
    Phi = np.pad(np.asarray(0.5 * (1 + erf(ends / np.sqrt(2)))), ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
    phi = np.pad(np.exp(-(ends**2) / 2) / np.sqrt(2 * np.pi), ((0, 0), (1, 1)))
    x_phi = np.pad(ends, ((0, 0), (1, 1))) * phi
    return ((1 + c**2) * np.diff(Phi) + 2 * c * np.diff(phi) - np.diff(x_phi)).sum(axis=1)


def sparsity_error(share: float) -> float:
    r"""Mean squared error of standard normal numbers of which the smallest are set to zero.

        G(s) = s - 2 t phi(t),    t = Phi^-1((1 + s) / 2)

    Args:
        share: of the numbers that are set to zero, from 0 to 1.

    Returns:
        The error, the G of `laws.capacity`.

    Raises:
        DecisionError: if it is not a share.

    Example:
        >>> round(sparsity_error(0.5), 4)
        0.0713

    References: Panferov et al. 2025, arXiv:2506.01863.
    """
    if not 0 <= share <= 1:
        raise DecisionError(f"share={share!r} is the share of numbers that are set to zero and must lie between 0 and 1.")
    if share in (0, 1):
        return float(share)
    t = _NORMAL.inv_cdf((1 + share) / 2)
    return share - 2 * t * _NORMAL.pdf(t)
