"""How a task's score rises over model sizes: evenly, or most of it in one jump."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.checks import check_count
from ...core.errors import DataError
from ...core.table import Computed


def score_shape(scores: Any, *, cap: float = 100.0, noise: Any = None, replicates: int = 1000, seed: int = 0) -> Computed:
    r"""Linearity and breakthroughness of scores over rising scale.

        d_i = y_{i+1} - y_i,    I = sign(argmax y - argmin y) (max y - min y)
        linearity = I / (n sqrt(mean d_i^2)),    breakthroughness = I / sqrt(median d_i^2)

    A straight line of n scores has the linearity (n - 1)/n and the breakthroughness n - 1; one jump among equal scores has no median step,
    and gets the cap. Both depend on how many sizes there are and how they are spaced, and breakthroughness on noise: with `noise` the
    chance is computed that a straight line between the first and the last score, so observed, looks as broken.

    Args:
        scores: (sizes,) or (tasks, sizes), by rising scale.
        cap: the largest breakthroughness.
        noise: standard error of a score, one or an array like the scores, for `p`.
        replicates, seed: of the straight lines with noise.

    Returns:
        `linearity` and `breakthroughness`, numbers or (tasks,), 0 for flat series; with noise also `p`.

    Raises:
        DataError: if there are fewer than three sizes or gaps.

    Example:
        >>> found = score_shape([[0.1, 0.2, 0.3, 0.4], [0.0, 0.01, 0.0, 0.4]])
        >>> found.linearity.round(3).tolist(), found.breakthroughness.round(1).tolist()
        ([0.75, 0.433], [3.0, 40.0])

    References: Srivastava et al. 2022, arXiv:2206.04615, appendix B; the factor n of linearity is recalled.
    """
    y = np.asarray(scores, dtype=np.float64)
    if y.ndim not in (1, 2) or y.shape[-1] < 3 or not np.isfinite(y).all():
        raise DataError(f"scores must be (sizes,) or (tasks, sizes), of three sizes or more and without gaps; got shape {y.shape}.")
    linearity, breaks = _shape(y, cap)
    values = {"linearity": linearity, "breakthroughness": breaks}
    if noise is not None:
        check_count("replicates", replicates, 1)
        spread = np.asarray(noise, dtype=np.float64)
        if not (np.isfinite(spread).all() and (spread >= 0).all()):
            raise DataError("noise= must be standard errors of the scores, not negative.")
        line = y[..., :1] + (y[..., -1:] - y[..., :1]) * np.linspace(0, 1, y.shape[-1])
        drawn = line + spread * np.random.default_rng(seed).standard_normal((replicates, *y.shape))
        values["p"] = np.mean(_shape(drawn, cap)[1] >= breaks, axis=0)
    return Computed({name: v if np.ndim(v) else float(v) for name, v in values.items()}, "shape of scores")


def _shape(y: np.ndarray, cap: float) -> tuple[np.ndarray, np.ndarray]:
    """Linearity and breakthroughness along the last axis."""
    steps = np.diff(y, axis=-1) ** 2
    gain = np.sign(y.argmax(axis=-1) - y.argmin(axis=-1)) * np.ptp(y, axis=-1)
    even, middle = np.sqrt(steps.mean(axis=-1)), np.sqrt(np.median(steps, axis=-1))
    linearity = gain / np.where(even > 0, y.shape[-1] * even, 1.0)
    breaks = np.where(middle * cap > np.abs(gain), gain / np.where(middle > 0, middle, 1.0), np.sign(gain) * cap)
    return linearity, breaks
