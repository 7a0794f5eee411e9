"""Runs that the law misses by far more than the others: found behind each other, and the fit without them.

Outliers hide each other: the fit is repeated without those that `influence` finds and all runs are judged again, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...core.checks import rows_text
from ...core.numeric.statistics import evenly
from ...core.runs import Flag
from ..request import Request
from ..solvers.lm import LM
from ..solvers.search import Found, minimise
from ..solvers.starts import make_starts
from ..uncertainty.residuals import Rows, robust_scale, rows_of
from .influence import Judged, judge, largest, limit

if TYPE_CHECKING:
    from ..result import Fit

_ROUNDS = 8
_RESISTANT, _REWEIGHTED = 20_000, 30  # runs beyond which no resistant fit is made, and its iterations
_STARTS, _NUMBERS = 56, 2**17  # fresh starts of the fits without outliers, for all sets that have some; residuals of all starts


@dataclass(frozen=True, eq=False)
class Outliers:
    """Runs that the law misses by far more than the others.

    Attributes:
        rows: their indices in the table as read, in order. z: by how many standard deviations. residual: observed - predicted by the fit
            without them, of logarithms if the fit is on logs, the largest of several.
        theta: (size, sets) the fit without them. half: median absolute residual of the others.
        others: (m,) rows of the other runs. leverage: (m,) of each, 1 if it decides a parameter alone. shift: (m, p) by how many standard
            errors every parameter would move without it; None where that would be too many numbers.
    """

    rows: np.ndarray
    z: np.ndarray
    residual: np.ndarray
    theta: np.ndarray
    half: float
    others: np.ndarray
    leverage: np.ndarray
    shift: np.ndarray | None

    def __len__(self) -> int:
        return len(self.rows)


def find_outliers(request: Request, theta: np.ndarray, sets: Sequence[Rows], ends: np.ndarray) -> Outliers:
    """The outliers of every set; `ends` (size, sets, starts) are where the search ended, and begin the fits without them."""
    whole = request.curves
    kept = [np.ones(len(rows.row), bool) for rows in sets]
    judged = [judge(rows, keep, whole) for rows, keep in zip(sets, kept, strict=True)]
    proposed = [_proposed(rows, j) for rows, j in zip(sets, judged, strict=True)]
    for _ in range(_ROUNDS):
        changed = [s for s, far in enumerate(proposed) if (kept[s] != ~far).any() and (rows_left(sets[s], ~far) > sets[s].size + 1)]
        if not changed:
            break
        for s in changed:
            kept[s] = ~proposed[s]
        theta = _without(request, theta, sets, kept, changed, ends)
        sets = rows_of(request, theta)
        for s in changed:
            again = judged[s] = judge(sets[s], kept[s], whole)
            proposed[s] = np.zeros(len(kept[s]), bool) if again is None else again.far
    return _gathered(theta, sets, kept, judged)


def _gathered(theta: np.ndarray, sets: Sequence[Rows], kept: Sequence[np.ndarray], judged: Sequence[Judged | None]) -> Outliers:
    """The outliers of all sets in the order of the table."""
    row, far = np.concatenate([rows.row for rows in sets]), ~np.concatenate(kept)
    known = [
        j or Judged(np.zeros(len(r.row)), np.inf, np.zeros(len(r.row)), None if r.slope is None else np.zeros((len(r.row), r.size)))
        for r, j in zip(sets, judged, strict=True)
    ]
    z, leverage = (np.concatenate([getattr(j, part) for j in known]) for part in ("z", "leverage"))
    residual = np.concatenate([largest(rows.residual) for rows in sets])
    typical_residual = np.concatenate([np.abs(rows.residual[keep][rows.weight[keep] > 0]) for rows, keep in zip(sets, kept, strict=True)])
    order = np.flatnonzero(far)[np.argsort(row[far])]
    others = np.flatnonzero(~far & np.concatenate([rows.counted for rows in sets]))
    half = float(np.median(typical_residual)) if len(typical_residual) else 0.0
    shifts = [j.shift for j in known if j.shift is not None]
    shift = None if len(shifts) < len(known) else np.concatenate(shifts)[others]
    return Outliers(
        rows=row[order], z=z[order], residual=residual[order], theta=theta, half=half, others=row[others], leverage=leverage[others],
        shift=shift,
    )  # fmt: skip


def rows_left(rows: Rows, kept: np.ndarray) -> int:
    """Residuals of the runs that are kept."""
    return int((rows.weight[kept] > 0).sum())


def _proposed(rows: Rows, judged: Judged | None) -> np.ndarray:
    """Runs that look like outliers at first sight: of the fit itself, or of a resistant fit of its linearised law.

    A fit by least squares bends to its outliers, which then hide behind each other; least absolute deviations do not.
    """
    if judged is None:
        return np.zeros(len(rows.row), bool)
    if rows.unit_slope is None or rows.weight.shape[1] > 1 or len(rows.row) > _RESISTANT or not _yielding(rows):
        return judged.far
    used = rows.counted
    r = _least_absolute(rows.unit[used, 0], rows.unit_slope[used, 0])
    scale = robust_scale(r, rows.size)
    z = np.zeros(len(used))
    if scale > 0:
        z[used] = r / scale
        return judged.far | replace(judged, z=z, limit=limit(z[used], rows.size)).far
    return judged.far


def _yielding(rows: Rows) -> bool:
    """Does the largest residual pull about as hard as least squares let it?"""
    used = rows.weight > 0
    curvature = float(np.mean(rows.bend[used]))
    return float(np.abs(rows.psi[used]).max()) > 0.5 * curvature * float(np.abs(rows.residual[used]).max())


def _least_absolute(r: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Residuals of least absolute deviations after a linear step from here, by reweighted least squares."""
    out, floor = r, max(1e-3 * float(np.median(np.abs(r))), 1e-300)
    for _ in range(_REWEIGHTED):
        root = 1 / np.sqrt(np.maximum(np.abs(out), floor))
        out = r + slope @ np.linalg.lstsq(slope * root[:, None], -r * root, rcond=1e-10)[0]
    return out


def _without(
    request: Request, theta: np.ndarray, sets: Sequence[Rows], kept: Sequence[np.ndarray], changed: Sequence[int], ends: np.ndarray
) -> np.ndarray:
    """Theta with the changed sets fitted to the runs that are kept, by the program of the fit: from where it is, and from other starts."""
    batch, steps = request.batch, request.batch.rows // len(request.batch.group)
    weight = batch.weight[:, changed].reshape(len(batch.group), steps, -1).copy()
    for i, s in enumerate(changed):
        weight[: len(kept[s]), :, i] *= kept[s][:, None]
    count = max(min(_STARTS, _NUMBERS // batch.rows) // len(changed), 1)
    here, fresh = theta[:, changed][:, :, None], make_starts(request.layout, count, 0)
    others = ends[:, changed][:, :, evenly(ends.shape[2], min(count, 8))]
    begin = np.concatenate([here, others, np.repeat(fresh[:, None], len(changed), axis=1)], axis=2)
    begin = np.where(np.isfinite(begin).all(axis=0), begin, here)
    count = begin.shape[2]
    member, which = np.repeat(np.arange(len(changed)), count), np.repeat(changed, count)
    weight = weight.reshape(batch.rows, -1)[:, member]
    found = minimise(request.spec, batch, begin.reshape(len(theta), -1), which, LM(), weight=weight, rivals=True)
    best = np.argmin(np.where(np.isnan(found.objective), np.inf, found.objective).reshape(-1, count), axis=1)
    theta = theta.copy()
    theta[:, changed] = found.theta.reshape(len(theta), -1, count)[:, np.arange(len(changed)), best]
    return theta


def fitted_without(fit: Fit, found: Outliers) -> Fit:
    """The fit without the outliers, which its runs exclude and flag."""
    from ..finish import finish

    request, excluded = fit.request, fit.runs.excluded.copy()
    excluded[found.rows] = True
    flag = Flag("outlier", "", tuple(map(int, found.rows)), f"Left out as far from the law: {rows_text(found.rows)}.", excluded=True)
    request = replace(request, runs=replace(fit.runs, excluded=excluded, flags=(*fit.runs.flags, flag)))
    ends = minimise(request.spec, request.batch, found.theta, np.arange(found.theta.shape[1]), LM())
    found_again = Found(ends.theta[..., None], ends.objective[..., None], ends.status[..., None], ends.iterations[..., None], 1)
    return finish(request, found_again, LM(), fit.recipe, fit.seed, 0.0)
