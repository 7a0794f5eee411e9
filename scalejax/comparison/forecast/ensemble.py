"""Many laws as one forecast: weights from the errors that they had at earlier origins, an average that a runaway cannot move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_POWER = 2.0  # of the errors: inverse mean squares
_EARLY, _LATE = 0.5, 1.5  # how much the first and the last origin count
_POOLED = 3.0  # origins' worth of what all groups say, beside those of a group's own
_CLIP = 5.0  # median deviations from the median beyond which a prediction counts as if it lay there
_FLOOR = 1e-12  # of errors, which noise-free runs may not have
_WORST = 3.0  # e-folds that an error counts at most


class Average(NamedTuple):
    """A weighted average of laws, and the weighted standard deviation of the laws about it; (rows,) each."""

    mean: np.ndarray
    spread: np.ndarray


def past_errors(predicted: np.ndarray, observed: np.ndarray, seen: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Root mean square error (members, groups, origins) of the runs that an origin does not know; NaN where there are none.

    Args:
        predicted: (members, n, origins). observed: (n,). seen: (n, origins). group: (n,).
    """
    wrong = np.abs(predicted - observed[:, None])
    square = np.where(np.isfinite(wrong), np.minimum(wrong, _WORST), _WORST) ** 2 * ~seen
    member = (np.arange(groups)[:, None] == group).astype(float)  # (groups, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(np.einsum("gn,mnk->mgk", member, square) / (member @ ~seen))


def relative_errors(errors: np.ndarray) -> np.ndarray:
    """(members, groups) mean over origins of log (error / median law's error): an origin at which all laws fail decides no more than the
    others, and a runaway one does not decide at all. Later origins count more.

    Args:
        errors: (members, groups, origins), NaN where an origin has nothing to say.
    """
    groups, origins = errors.shape[1:]
    with np.errstate(invalid="ignore"):
        relative = np.log(np.maximum(errors, _FLOOR) / np.maximum(np.nanmedian(errors, axis=0), _FLOOR))
    counts = np.where(np.isfinite(relative), np.linspace(_EARLY, _LATE, origins), 0.0)
    relative = np.where(np.isfinite(relative), relative, 0.0)
    pooled = (counts * relative).sum(axis=(1, 2)) / np.maximum(counts.sum(axis=(1, 2)), 1e-300)
    shared = _POOLED if groups > 1 else 0.0
    return ((counts * relative).sum(axis=2) + shared * pooled[:, None]) / np.maximum(counts.sum(axis=2) + shared, 1e-300)


def weigh(errors: np.ndarray) -> np.ndarray:
    """(members, groups) weights that sum to one, inverse squares of the geometric means of `relative_errors`; even without origins."""
    members, groups, origins = errors.shape
    if not origins:
        return np.full((members, groups), 1 / members)
    score = relative_errors(errors)
    weight = np.exp(-_POWER * (score - score.min(axis=0)))
    return weight / weight.sum(axis=0)


def average(predicted: np.ndarray, weight: np.ndarray) -> Average:
    """The weighted average of predictions (members, rows) with weights (members, rows) that sum to one."""
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(predicted)
        predicted = np.where(
            usable, predicted, np.where(usable.any(axis=0), np.nanmedian(np.where(usable, predicted, np.nan), axis=0), 0.0)
        )
    middle = weighted_median(predicted, weight)
    deviation = weighted_median(np.abs(predicted - middle), weight)
    near = np.clip(predicted, middle - _CLIP * deviation, middle + _CLIP * deviation)
    mean = (weight * near).sum(axis=0)
    return Average(mean, np.sqrt((weight * (near - mean) ** 2).sum(axis=0)))


def weighted_median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(rows,) weighted median over members."""
    order = np.argsort(values, axis=0, kind="stable")
    reached = np.cumsum(np.take_along_axis(weight, order, axis=0), axis=0)
    first = (reached >= 0.5 * reached[-1]).argmax(axis=0)
    return np.take_along_axis(np.take_along_axis(values, order, axis=0), first[None], axis=0)[0]
