"""Rolling origins: the runs as they were when only the smaller ones were known, and how far the others lay ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DataError, suggest
from ...core.table import Shown
from .columns import Columns

EMPHASES = (np.inf, 0.5, 0.25)  # how fast the weight of smaller runs falls, in halves of the range that the runs span; see `weightings`
ORIGINS = 6
_FIRST, _LAST = 0.4, 0.93  # shares of the runs that the first and the last origin know
_FEWEST = 6  # runs that an origin must know
_FOLDS = 5
_NARROWEST = 0.5  # decades
_BEYOND = 0.5  # share of the points that must lie beyond the runs, for the forecast to be one,
_FAR = 0.5  # or how many decades one of them


@dataclass(frozen=True, eq=False, repr=False)
class Origins(Shown):
    """Which runs each origin knows.

    Attributes:
        axis: what is large, in words; "" where the points lie among the runs and the origins are random folds.
        size: (n,) log10 of it for the runs. asked: (m,) for the points.
        seen: (n, origins + 1) which runs an origin knows; the last knows all.
        ahead: (n, origins) how far, in decades, a run lies beyond those of its group that the origin knows; NaN if it knows it.
        reach: (m,) how far a point lies beyond all runs of its group; 0 for points among them.
    """

    axis: str
    size: np.ndarray
    asked: np.ndarray
    seen: np.ndarray
    ahead: np.ndarray
    reach: np.ndarray

    @property
    def count(self) -> int:
        """How many origins there are, beside the present."""
        return self.seen.shape[1] - 1


def make_origins(columns: Columns, scale: str | Callable[..., Any] | None, seed: int, count: int = ORIGINS) -> Origins:
    """Origins along what the points are larger in than the runs; else random folds."""
    axis, size, asked = _axis(columns, scale)
    groups = max(len(columns.groups), 1)
    if not axis:
        return _folds(columns, seed)
    seen = np.zeros((len(size), count), bool)
    for g in range(groups):
        rows = np.flatnonzero(columns.of_run == g)
        levels = np.unique(size[rows])
        limits = (
            np.quantile(size[rows], np.linspace(_FIRST, _LAST, count), method="lower") if len(levels) > 1 else np.full(count, levels[0])
        )
        limits = np.minimum(limits, levels[-2] if len(levels) > 1 else levels[-1])
        seen[rows] = size[rows, None] <= limits + 1e-9
    top = _top(size, seen, columns.of_run, groups)
    ahead = np.where(seen, np.nan, size[:, None] - top[columns.of_run])
    fewest = np.stack([np.bincount(columns.of_run[seen[:, k]], minlength=groups).min() for k in range(count)])
    hidden = (~seen).sum(axis=0)
    good = np.flatnonzero((fewest >= min(_FEWEST, _most(columns))) & (hidden > 0))
    _, first = np.unique(seen[:, good], axis=1, return_index=True)
    good = good[np.sort(first)]
    every = np.full((len(size), 1), True)
    reach = np.maximum(asked - _top(size, every, columns.of_run, groups)[columns.of_point, 0], 0.0)
    return Origins(axis, size, asked, np.concatenate([seen[:, good], every], axis=1), ahead[:, good], reach)


def weightings(columns: Columns, origins: Origins) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (n, weightings) of every origin and emphasis, with the index of each.

    Beyond the runs the largest tell most: w = exp(-2 (top - size) / (emphasis * span)), from the top and span of what an origin knows.
    """
    emphases = EMPHASES if origins.axis else EMPHASES[:1]
    out, groups = [], max(len(columns.groups), 1)
    top = _top(origins.size, origins.seen, columns.of_run, groups)
    low = -_top(-origins.size, origins.seen, columns.of_run, groups)
    span = np.maximum(top - low, _NARROWEST)
    for k in range(origins.count + 1):
        seen = origins.seen[:, k]
        back = (top[columns.of_run, k] - origins.size) / span[columns.of_run, k]
        for emphasis in emphases:
            w = np.where(seen, np.exp(-2 * np.maximum(back, 0.0) / emphasis), 0.0)
            total = np.bincount(columns.of_run, w, minlength=groups)
            known = np.bincount(columns.of_run, seen, minlength=groups)
            out.append(w * (known / np.maximum(total, 1e-300))[columns.of_run])
    return (
        np.stack(out, axis=1),
        np.repeat(np.arange(origins.count + 1), len(emphases)),
        np.tile(np.arange(len(emphases)), origins.count + 1),
    )


def _top(size: np.ndarray, seen: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """(groups, origins) largest size known."""
    top = np.full((groups, seen.shape[1]), -np.inf)
    for k in range(seen.shape[1]):
        np.maximum.at(top[:, k], group[seen[:, k]], size[seen[:, k]])
    return top


def _most(columns: Columns) -> int:
    """Runs that the smallest group can spare."""
    fewest = int(np.bincount(columns.of_run).min())
    return max(fewest - 2, 3)


def _axis(columns: Columns, scale: str | Callable[..., Any] | None) -> tuple[str, np.ndarray, np.ndarray]:
    """What is large: its name and its logarithms for runs and points; "" if the points lie among the runs."""
    if scale is not None:
        return _asked(columns, scale)
    N, D, C = (columns.role(name) for name in "NDC")
    candidates: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    if N in columns.scalars and D in columns.scalars and N and D:
        candidates["compute, 6 N D"] = (np.log10(6 * columns.runs[N] * columns.runs[D]), np.log10(6 * columns.at[N] * columns.at[D]))
    elif C in columns.scalars and C:
        candidates["compute"] = _logs(columns, C)
    candidates |= {name: _logs(columns, name) for name in columns.scalars}
    for name, (size, asked) in candidates.items():
        top = _top(size, np.full((len(size), 1), True), columns.of_run, max(len(columns.groups), 1))[columns.of_point, 0]
        if np.mean(asked > top + 1e-9) >= _BEYOND or np.max(asked - top) >= _FAR:
            return name, size, asked
    return "", np.zeros(len(columns.y)), np.zeros(len(columns.of_point))


def _logs(columns: Columns, name: str) -> tuple[np.ndarray, np.ndarray]:
    return np.log10(columns.runs[name]), np.log10(columns.at[name])


def _asked(columns: Columns, scale: str | Callable[..., Any]) -> tuple[str, np.ndarray, np.ndarray]:
    if isinstance(scale, str):
        if scale not in columns.inputs:
            raise DataError(f"scale={scale!r} names no input; {suggest(scale, columns.inputs)}")
        if scale not in columns.scalars:
            raise DataError(f"scale={scale!r} must hold positive numbers, to be ordered by their size.")
        return scale, *_logs(columns, scale)
    try:
        size, asked = (np.asarray(scale(of), dtype=np.float64) for of in (columns.runs, columns.at))
    except KeyError as error:
        raise DataError(f"The function scale= uses {error}, which is not an input; {suggest(error.args[0], columns.inputs)}") from None
    for values, count, which in ((size, len(columns.y), "runs"), (asked, len(columns.of_point), "points")):
        if values.shape != (count,) or not (np.isfinite(values) & (values > 0)).all():
            raise DataError(f"scale must give one positive number for each of the {count} {which}; it gives shape {values.shape}.")
    return "scale", np.log10(size), np.log10(asked)


def _folds(columns: Columns, seed: int) -> Origins:
    """Random folds, of every group alike."""
    n, groups = len(columns.y), max(len(columns.groups), 1)
    fold, rng = np.empty(n, int), np.random.default_rng(seed)
    for g in range(groups):
        rows = np.flatnonzero(columns.of_run == g)
        fold[rows] = rng.permutation(np.arange(len(rows)) % _FOLDS)
    seen = np.concatenate([fold[:, None] != np.arange(_FOLDS), np.full((n, 1), True)], axis=1)
    fewest = np.stack([np.bincount(columns.of_run[seen[:, k]], minlength=groups).min() for k in range(_FOLDS + 1)])
    seen = seen[:, (fewest >= min(_FEWEST, _most(columns))) & (np.arange(_FOLDS + 1) <= _FOLDS)]
    if not seen.shape[1] or not seen[:, -1].all():
        seen = np.full((n, 1), True)
    zero = np.zeros(n)
    return Origins("", zero, np.zeros(len(columns.of_point)), seen, np.where(seen[:, :-1], np.nan, 0.0), np.zeros(len(columns.of_point)))
