"""Do loss curves fall onto one another where a quantity is equal? Their spread within groups, beside that between groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.table import Shown, Table, number

_EQUAL = 1e-6  # relative difference below which two values are the same


@dataclass(frozen=True, eq=False, repr=False)
class CurveCollapse(Shown):
    """How well curves of one group agree; see `curve_collapse`.

    Attributes:
        score: (steps,) within / between: 0 for curves that coincide within groups, about 1 or more if the grouping says nothing.
        within: (steps,) variance of the loss within groups, squared unit of the loss.
        between: (steps,) variance of the groups' means.
        floor: (steps,) score of curves that differ within a group by noise alone; NaN without `noise`.
        groups: number of groups. runs: number of curves in groups of two or more.
    """

    score: np.ndarray
    within: np.ndarray
    between: np.ndarray
    floor: np.ndarray
    groups: int
    runs: int

    @property
    def spread(self) -> float:
        """Standard deviation within groups over all steps, in the unit of the loss: compare it with that between seeds."""
        return _mean(self.within) ** 0.5

    @property
    def overall(self) -> float:
        """Mean variance within groups over mean variance between them; infinite if the groups' means are all the same."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.divide(_mean(self.within), _mean(self.between)))

    def table(self) -> Table:
        """Rows for the first, middle and last third of the steps, and for all."""
        steps = np.arange(len(self.score))
        parts = zip(("first third", "middle", "last third", "all"), (*np.array_split(steps, 3), steps), strict=True)
        rows = [
            [name, *(number(_mean(v[part]), 3) for v in (self.score, self.floor)), number(_mean(self.within[part]) ** 0.5, 3)]
            for name, part in parts
            if len(part)
        ]
        return Table(["steps", "within / between", "by noise alone", "spread within"], rows, f"{self.runs} curves in {self.groups} groups")


def curve_collapse(curves: Any, by: Any, *, noise: float | None = None) -> CurveCollapse:
    r"""Score of the claim that loss curves depend on one quantity alone, at every step.

        within(t)  = sum_g sum_{i in g} (L_i(t) - mean_g(t))^2 / (n - G)
        between(t) = variance of the G means mean_g(t),    score(t) = within(t) / between(t),    floor(t) = noise^2 / between(t)

    Trajectory invariance: AdamW's curves collapse for equal learning rate eta at first and for equal eta lambda (lambda the weight decay)
    later, so that one of the two can be held fixed and the other swept. Score the same curves by both and see where one takes over.

    Args:
        curves: (runs, steps) losses at the same steps; NaN where a run has none.
        by: (runs,) the quantity, numbers (equal if within a millionth) or names; such as eta * weight_decay.
        noise: standard deviation of the loss between seeds of one run, in its unit.

    Returns:
        CurveCollapse with `.score`, `.within`, `.between`, `.floor` at every step, `.spread`, `.overall`, `.table()`. Steps with fewer
        than two groups, or no group of two, are NaN.

    Raises:
        DataError: if shapes disagree, or there are fewer than two groups or no two curves in one.

    Example:
        >>> import numpy as np
        >>> t, eta, decay = np.arange(1, 101), np.array([1e-3, 2e-3, 1e-3, 2e-3]), np.array([0.2, 0.1, 0.4, 0.2])
        >>> curves = 3 + 1 / (t * (eta * decay)[:, None])
        >>> bool(curve_collapse(curves, eta * decay).overall < 1e-20), curve_collapse(curves, eta).overall > 1
        (True, True)

    References: Li et al. 2025, arXiv:2509.25049. The degrees of freedom and the floor are ours.
    """
    L = np.asarray(curves, dtype=np.float64)
    group = _groups(by)
    if L.ndim != 2 or group.shape != L.shape[:1] or not L.shape[1]:
        raise DataError(f"curves must be (runs, steps) and by one value a run; their shapes are {L.shape} and {group.shape}.")
    if noise is not None and not 0 <= noise < np.inf:
        raise DataError(f"noise={noise!r} must be a standard deviation, 0 or more.")
    count = np.bincount(group)
    if len(count) < 2 or count.max() < 2:
        raise DataError(f"A collapse needs two groups or more and two curves in one of them; by has groups of {count.tolist()}.")
    member = group == np.arange(len(count))[:, None]  # (groups, runs)
    seen = np.isfinite(L)
    n = member.astype(float) @ seen
    mean = member @ np.where(seen, L, 0.0) / np.where(n > 0, n, np.nan)
    rest = np.where(seen, L - mean[group], 0.0)
    freedom, held = (n - 1).clip(0).sum(axis=0), (n > 0).sum(axis=0)
    usable = (freedom > 0) & (held > 1)
    within = np.where(usable, (rest**2).sum(axis=0) / np.where(usable, freedom, 1), np.nan)
    off = np.where(n > 0, mean - np.nansum(mean, axis=0) / np.where(held > 0, held, 1), 0.0)
    between = np.where(usable, (off**2).sum(axis=0) / np.where(usable, held - 1, 1), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = np.full_like(between, np.nan) if noise is None else noise**2 / between
        return CurveCollapse(
            score=within / between, within=within, between=between, floor=floor, groups=len(count), runs=int(count[count > 1].sum())
        )


def _mean(values: np.ndarray) -> float:
    """Mean of what is no NaN; NaN if nothing is."""
    seen = values[~np.isnan(values)]
    return float(seen.mean()) if len(seen) else float("nan")


def _groups(by: Any) -> np.ndarray:
    """Number of the group of every run."""
    values = np.asarray(by)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        return np.unique(values.astype(str), return_inverse=True)[1]
    if not np.isfinite(values).all():
        raise DataError("by must be finite for every run.")
    order = np.argsort(values, kind="stable")
    rising = values[order].astype(np.float64)
    new = np.diff(rising) > _EQUAL * np.abs(rising[1:])
    group = np.empty(len(values), dtype=int)
    group[order] = np.concatenate([[0], np.cumsum(new)]) if len(values) else []
    return group
