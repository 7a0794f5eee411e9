"""Which runs a law does not see: whole groups in turn, or the largest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import DataError, FitError
from ..core.runs import Runs
from ..fitting.objective.groups import label

Scale = str | Callable[[Runs], Any] | Any


class Split(NamedTuple):
    """What is left out.

    Attributes:
        name: such as "arch dense" or "largest 20 %". left_out: (runs,) mask.
    """

    name: str
    left_out: np.ndarray


def splits_of(
    runs: Runs, usable: np.ndarray, groups: str | None, largest: float | Sequence[float] | None, scale: Scale | None
) -> list[Split]:
    """The splits that arguments of `holdout` ask for; `usable` (runs,) masks the runs that may be left out."""
    if (groups is None) == (largest is None):
        raise FitError("holdout() leaves out groups=... (a column whose groups are left out in turn) or largest=... (a share); pass one.")
    if groups is not None:
        values = runs[groups]
        names = list(dict.fromkeys(values[usable].tolist()))
        if len(names) < 2:
            raise DataError(f"Column {groups!r} names {len(names)} group; leaving groups out needs at least 2.")
        return [Split(f"{groups} {label(name)}", usable & (values == name)) for name in names]
    size = _scale(runs, scale, usable)
    shares = np.asarray(largest, dtype=object)
    if shares.size == 0:
        raise FitError("largest=[] names no share of the runs; give one, such as 0.2.")
    return [_largest(size, usable, share) for share in np.atleast_1d(shares).tolist()]


def _largest(size: np.ndarray, usable: np.ndarray, share: Any) -> Split:
    """The share of the usable runs of largest size; runs as large as the smallest of them are left out with it."""
    if not isinstance(share, int | float) or not 0 < share < 1:
        raise FitError(f"largest={share!r} must be a share of the runs between 0 and 1, such as 0.2.")
    count = max(round(share * usable.sum()), 1)
    left_out = usable & (size >= np.sort(size[usable])[-count])
    if left_out.sum() == usable.sum():
        raise DataError(f"largest={share:g} leaves no runs to fit: too many are equally large; say what is large with scale=... .")
    return Split(f"largest {100 * share:g} %", left_out)


def _scale(runs: Runs, scale: Scale | None, usable: np.ndarray) -> np.ndarray:
    """(runs,) size of every run."""
    if scale is None:
        if "C" not in runs and not ("N" in runs and "D" in runs):
            raise DataError("The runs have no compute (C, or N and D) to tell the largest by; pass scale=, a column or one number a run.")
        size = runs["C"] if "C" in runs else 6.0 * runs["N"] * runs["D"]
    else:
        size = runs[scale] if isinstance(scale, str) else scale(runs) if callable(scale) else scale
    size = np.asarray(size)
    if size.dtype.kind not in "iuf" or size.shape != (len(runs),) or not np.isfinite(size[usable]).all():
        raise DataError(f"scale must give one finite number for each of the {len(runs)} runs; it gives {size.dtype} of shape {size.shape}.")
    return size
