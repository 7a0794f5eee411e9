r"""Rows that the law misses by far more than the others, and rows that decide the answer.

A fit follows a run that it looks at, so what is judged is the residual d that a row has from a fit without it, in units of what such a
residual scatters by if nothing is wrong:

    z = d / sqrt(s^2 (1 + k h / (1 - h))),    d = r + w psi(r) g / (1 - w c g)

g = J' H^-1 J with the curvatures c of the loss, h the leverage, k the loss's loss of efficiency (1 for least squares, where z is the
studentised residual), s the robust standard deviation of the residuals. A row is an outlier if |z| would be as large in fewer than one of
ten such tables, by Student's t with as heavy tails as the other residuals show. Outliers hide each other: the fit is repeated without
them and all rows are judged again, until nothing changes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ...core.checks import rows_text
from ...core.runs import Flag
from ...core.table import number
from ..lm import LM
from ..request import Request, label
from ..search import Found, minimise
from ..starts import make_starts
from .rows import Rows, robust_scale, rows_of, share

if TYPE_CHECKING:
    from ..result import Fit

CHANCE = 0.1  # of naming a row in a table without outliers whose tails are as heavy as assumed
_HEAVIEST, _LIGHTEST = 4.0, 30.0  # degrees of freedom of the tails that are allowed for
_MOST = 0.25  # share of the runs that can be outliers
_FEWEST = 8  # residuals of a group or target that give a scale of their own
_ROUNDS = 8
_NAMED = 5
_NOTICED = 0.02  # relative change of a parameter that is told
_ENOUGH, _ALONE, _SHIFT = 4, 0.95, 2.5  # runs a parameter from which single runs should not decide: by leverage, by standard errors
_RESISTANT, _REWEIGHTED = 20_000, 30  # runs beyond which no resistant fit is made, and its iterations
_STARTS, _NUMBERS = 56, 2**17  # fresh starts of the fits without outliers, for all sets that have some; residuals of all starts


@dataclass(frozen=True, eq=False)
class Judged:
    """Every run of a set beside what it may be.

    Attributes:
        z: (n,) see above, the largest of several targets; 0 where nothing was observed.
        limit: of |z|.
        leverage: (n,) largest of the run's residuals: 1 if it decides a parameter alone.
        shift: (n, p) by how many standard errors every parameter would move without the run.
    """

    z: np.ndarray
    limit: float
    leverage: np.ndarray
    shift: np.ndarray

    @property
    def far(self) -> np.ndarray:
        """(n,) outliers, no more than a quarter of the runs."""
        size = np.abs(self.z)
        most = max(int(_MOST * len(size)), 1)
        return (size > self.limit) & (size >= np.sort(size)[-most])


@dataclass(frozen=True, eq=False)
class Outliers:
    """Runs that the law misses by far more than the others.

    Attributes:
        rows: their indices in the table as read, in order. z: by how many standard deviations. residual: observed - predicted by the fit
            without them, of logarithms if the fit is on logs, the largest of several.
        theta: (size, sets) the fit without them. half: median absolute residual of the others.
        others: (m,) rows of the other runs. leverage: (m,) of each, 1 if it decides a parameter alone. shift: (m, p) by how many standard
            errors every parameter would move without it.
    """

    rows: np.ndarray
    z: np.ndarray
    residual: np.ndarray
    theta: np.ndarray
    half: float
    others: np.ndarray
    leverage: np.ndarray
    shift: np.ndarray

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
            judged[s] = judge(sets[s], kept[s], whole)
            proposed[s] = np.zeros(len(kept[s]), bool) if judged[s] is None else judged[s].far
    return _gathered(theta, sets, kept, judged)


def _gathered(theta: np.ndarray, sets: Sequence[Rows], kept: Sequence[np.ndarray], judged: Sequence[Judged | None]) -> Outliers:
    """The outliers of all sets in the order of the table."""
    row, far = np.concatenate([rows.row for rows in sets]), ~np.concatenate(kept)
    known = [
        j or Judged(np.zeros(len(r.row)), np.inf, np.zeros(len(r.row)), np.zeros((len(r.row), r.size)))
        for r, j in zip(sets, judged, strict=True)
    ]
    z, leverage, shift = (np.concatenate([getattr(j, part) for j in known]) for part in ("z", "leverage", "shift"))
    residual = np.concatenate([_largest(rows.residual) for rows in sets])
    usual = np.concatenate([np.abs(rows.residual[keep][rows.weight[keep] > 0]) for rows, keep in zip(sets, kept, strict=True)])
    order = np.flatnonzero(far)[np.argsort(row[far])]
    others = np.flatnonzero(~far & np.concatenate([rows.counted for rows in sets]))
    half = float(np.median(usual)) if len(usual) else 0.0
    return Outliers(row[order], z[order], residual[order], theta, half, row[others], leverage[others], shift[others])


def rows_left(rows: Rows, kept: np.ndarray) -> int:
    """Residuals of the runs that are kept."""
    return int((rows.weight[kept] > 0).sum())


def judge(rows: Rows, kept: np.ndarray, whole: bool = False) -> Judged | None:
    """The runs of a set, `kept` (n,) being those of the fit; curves as wholes. None if it is exact or has no freedom to tell."""
    active = (rows.weight > 0) & kept[:, None]
    spare = int(active.sum()) - rows.size
    if spare < 2 or rows.exact:
        return None
    if whole:
        return _judge_curves(rows, kept)
    scale = _scales(rows, active)
    efficiency = _efficiency(rows, active, spare)
    leverage, pull, shift = _pulls(rows, active, np.median(scale[active]) * np.sqrt(efficiency))
    inside = np.minimum(leverage, 1 - 1e-9)
    spread = np.where(active, inside / (1 - inside), leverage)
    z = np.where(rows.weight > 0, (rows.unit + pull) / (scale * np.sqrt(1 + efficiency * spread)), 0.0)
    return Judged(_largest(z), limit(rows.unit[active] / scale[active], rows.size), leverage.max(axis=1), shift)


def _judge_curves(rows: Rows, kept: np.ndarray) -> Judged | None:
    """Whole curves by the root mean square of their residuals, beside that of the others."""
    count = (rows.weight > 0).sum(axis=1)
    size = np.sqrt(np.sum(rows.unit**2, axis=1) / np.maximum(count, 1))
    if (kept & (count > 0)).sum() < _FEWEST:
        return None
    z = size / max(np.median(size[kept & (count > 0)]), 1e-300)
    return Judged(z, _t_quantile(_HEAVIEST, CHANCE / len(z)), np.zeros(len(z)), np.zeros((len(z), rows.size)))


def limit(unit: np.ndarray, parameters: int) -> float:
    """The largest |z| to be expected, from residuals over their scale: Student's t whose tails are those of the residuals, or heavier.

    The weight of the tails shows in the ratio of the 90 % to the 50 % quantile, taken three of its standard errors higher than it is.
    """
    n = len(unit)
    size = np.sort(np.abs(unit))[min(parameters, n - 2) :]
    half, most = np.quantile(size, [0.5, 0.9])
    ratio = most / max(half, 1e-300) * (1 + 1 / np.sqrt(len(size)))
    nu = float(np.interp(-ratio, *_ratios()))
    nu = min(nu, max(0.37 * len(size), 1.5))  # the scale is itself known from few residuals
    return _t_quantile(nu, CHANCE / n)


@cache
def _ratios() -> tuple[np.ndarray, np.ndarray]:
    """Minus the ratio of quantiles of Student's t, increasing, and its degrees of freedom."""
    from scipy.special import stdtrit

    nu = np.geomspace(_HEAVIEST, _LIGHTEST, 30)
    return -stdtrit(nu, 0.95) / stdtrit(nu, 0.75), nu


def _t_quantile(nu: float, chance: float) -> float:
    """What |t| exceeds with this chance, in units of its median / 0.6745."""
    from scipy.special import stdtrit

    return float(stdtrit(nu, 1 - chance / 2) / stdtrit(nu, 0.75) * 0.6745)


def _scales(rows: Rows, active: np.ndarray) -> np.ndarray:
    """(n, T) robust standard deviations: of every target, and of every group of a joint fit, where they have enough residuals."""
    cell = rows.group[:, None] * active.shape[1] + np.arange(active.shape[1])
    floor = max(1e-6 * rows.scale, 1e-300)
    whole = max(robust_scale(rows.unit[active], rows.size), floor)
    out = np.full(active.shape, whole)
    cells, where, count = np.unique(cell[active], return_inverse=True, return_counts=True)
    if len(cells) == 1:
        return out
    values = rows.unit[active]
    order = np.argsort(where, kind="stable")
    known = dict(zip(cells.tolist(), np.split(values[order], np.cumsum(count)[:-1]), strict=True))
    share = rows.size / len(values)
    for name, mine in known.items():
        if len(mine) >= _FEWEST:
            out[cell == name] = max(robust_scale(mine, int(np.ceil(share * len(mine)))), floor)
    return out


def _efficiency(rows: Rows, active: np.ndarray, spare: int) -> float:
    """Variance of the estimates relative to that of least squares with normal noise, between 1 and 2."""
    w, psi, bend = (a[active] for a in (rows.weight, rows.psi, rows.bend))
    curvature = max(float(np.sum(w * bend) / np.sum(w)), 1e-300)
    return float(np.clip(np.sum(w * psi**2) / spare / curvature**2 / max(rows.scale, 1e-300) ** 2, 1.0, 2.0))


def _pulls(rows: Rows, active: np.ndarray, deviation: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Leverage (n, T), what a residual (times the root of its weight) would grow by without its run, and `Judged.shift`."""
    n, steps = active.shape
    if rows.slope is None:
        return np.zeros((n, steps)), np.zeros((n, steps)), np.zeros((n, rows.size))
    flat, used = rows.unit_slope.reshape(n * steps, -1), active.ravel()
    length = np.linalg.norm(flat[used], axis=0)
    flat = flat / np.where(length > 0, length, 1.0)
    normal = _inverse(flat[used].T @ flat[used])
    leverage = np.einsum("ij,ij->i", flat @ normal, flat)
    bend = np.where(active, rows.bend, 0.0).ravel()
    inverse = _inverse(flat.T @ (flat * np.maximum(bend, 0.0)[:, None]))
    moved = flat @ inverse
    grip = np.einsum("ij,ij->i", moved, flat)  # w g
    score = np.where(active, np.sqrt(rows.weight) * rows.psi, 0.0).ravel() / (1 - np.minimum(bend * grip, 0.999))
    # No further than least squares: from few runs the curvature of a robust loss is hardly known.
    most = np.abs(rows.unit.ravel()) * np.minimum(leverage / np.maximum(1 - leverage, 1e-9), 1e9)
    pull = np.abs(grip * score)
    score *= np.where(pull > most, most / np.where(pull > most, pull, 1.0), 1.0)
    known = np.diagonal(normal) > 0  # where the runs determine the parameter
    errors = np.where(known, deviation * np.sqrt(np.where(known, np.diagonal(normal), 1.0)), np.inf)
    shift = (moved * score[:, None]).reshape(n, steps, -1).sum(axis=1) / errors
    return leverage.reshape(n, steps), (grip * score).reshape(n, steps), shift


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a normal matrix whose columns have been scaled; directions that the runs do not determine are left out."""
    unit = np.sqrt(np.maximum(np.diagonal(matrix), 1e-300))
    values, vectors = np.linalg.eigh(matrix / np.outer(unit, unit))
    good = values > 1e-12 * max(values.max(), 1e-300)
    return (vectors[:, good] / values[good]) @ vectors[:, good].T / np.outer(unit, unit)


def _largest(values: np.ndarray) -> np.ndarray:
    """(n,) the entry of largest size in every row."""
    return np.take_along_axis(values, np.argmax(np.abs(values), axis=1)[:, None], axis=1)[:, 0]


def _proposed(rows: Rows, judged: Judged | None) -> np.ndarray:
    """Runs that look like outliers at first sight: of the fit itself, or of a resistant fit of its linearised law.

    A fit by least squares bends to its outliers, which then hide behind each other; least absolute deviations do not.
    """
    if judged is None:
        return np.zeros(len(rows.row), bool)
    if rows.slope is None or rows.weight.shape[1] > 1 or len(rows.row) > _RESISTANT or not _yielding(rows):
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
    bank, steps = request.bank, request.bank.rows // len(request.bank.group)
    weight = bank.weight[:, changed].reshape(len(bank.group), steps, -1).copy()
    for i, s in enumerate(changed):
        weight[: len(kept[s]), :, i] *= kept[s][:, None]
    count = max(min(_STARTS, _NUMBERS // bank.rows) // len(changed), 1)
    here, fresh = theta[:, changed][:, :, None], make_starts(request.layout, count, 0)
    others = ends[:, changed][:, :, np.unique(np.linspace(0, ends.shape[2] - 1, min(count, 8)).astype(int))]
    begin = np.concatenate([here, others, np.repeat(fresh[:, None], len(changed), axis=1)], axis=2)
    begin = np.where(np.isfinite(begin).all(axis=0), begin, here)
    count = begin.shape[2]
    member, which = np.repeat(np.arange(len(changed)), count), np.repeat(changed, count)
    weight = weight.reshape(bank.rows, -1)[:, member]
    found = minimise(request.spec, bank, begin.reshape(len(theta), -1), which, LM(), weight=weight, rivals=True)
    best = np.argmin(np.where(np.isnan(found.objective), np.inf, found.objective).reshape(-1, count), axis=1)
    theta = theta.copy()
    theta[:, changed] = found.theta.reshape(len(theta), -1, count)[:, np.arange(len(changed)), best]
    return theta


def named(found: Outliers, on: str) -> str:
    """Which rows, and how far off each: "rows 4, 17 (+130 %, +360 %)"."""
    far = ", ".join(share(r, on) for r in found.residual[:_NAMED])
    return f"{rows_text(found.rows)} ({far}{', ...' if len(found) > _NAMED else ''})"


def usual(found: Outliers, on: str) -> str:
    """The median absolute residual of the others in words."""
    return f"{100 * found.half:.2g} %" if on == "log" else f"{found.half:.3g}"


def one_group(request: Request, rows: np.ndarray) -> str:
    """A sentence if the outliers are all the runs with one value in some column: a value that was mistyped, say."""
    runs = request.runs
    for name in runs.names:
        column = runs[name]
        if name == request.law.output or column.ndim > 1 or len(rows) < 2:
            continue
        same = column == column[rows[0]]
        if same[rows].all() and not (same & ~runs.excluded).sum() > len(rows):
            return f" They are all the runs with {name} = {label(column[rows[0]])}: check it."
    return ""


def compared(fit: Fit, without: Fit) -> str:
    """The parameters that differ noticeably without the outliers."""
    moved = []
    errors = without.standard_errors
    for name in fit.law.parameters:
        here, there, error = np.ravel(fit.params[name]), np.ravel(without.params[name]), np.ravel(errors[name])
        for i, (a, b) in enumerate(zip(here, there, strict=True)):
            place = next(itertools.islice(np.ndindex(np.shape(fit.params[name])), i, None))
            if abs(a - b) > _NOTICED * abs(b) or (np.isfinite(error[i]) and abs(a - b) > error[i]):
                moved.append(f"{name}{fit._index_text(name, place)} {number(b, 4)} instead of {number(a, 4)}")
    them = "it" if without.runs.used == fit.runs.used - 1 else "them"
    return f"Without {them}: {', '.join(moved[:8])}." if moved else f"Without {them} no parameter moves noticeably."


def decisive(found: Outliers, fit: Fit) -> list[str]:
    """Sentences for runs that decide the answer alone: of leverage near 1, or that move a parameter by several standard errors."""
    count, size = len(found.others), found.shift.shape[1]
    if count < _ENOUGH * size:  # of few runs all decide
        return []
    sentences = []
    alone = np.sort(found.others[found.leverage > _ALONE])
    if len(alone):
        verb, each = ("decides", "") if len(alone) == 1 else ("decide", " each")
        sentences.append(
            f"{rows_text(alone)} {verb}{each} a parameter alone (leverage above {_ALONE:g}): no other run checks what is said there."
        )
    move = np.abs(found.shift).max(axis=1)
    for i in np.argsort(-move)[:3]:
        if move[i] > _SHIFT:
            which = fit.request.layout.labels[int(np.argmax(np.abs(found.shift[i])))]
            sentences.append(f"row {found.others[i]} alone moves {which} by {move[i]:.2g} standard errors.")
    return sentences


def fitted_without(fit: Fit, found: Outliers) -> Fit:
    """The fit without the outliers, which its runs exclude and flag."""
    from ..result import finish

    request, excluded = fit.request, fit.runs.excluded.copy()
    excluded[found.rows] = True
    flag = Flag("outlier", "", tuple(map(int, found.rows)), f"Left out: {named(found, request.on)}.", excluded=True)
    request = replace(request, runs=replace(fit.runs, excluded=excluded, flags=(*fit.runs.flags, flag)))
    ends = minimise(request.spec, request.bank, found.theta, np.arange(found.theta.shape[1]), LM())
    each = (a[..., None] for a in (ends.theta, ends.objective, ends.status, ends.iterations))
    return finish(request, Found(*each, 1), LM(), fit.recipe, fit.seed, 0.0)
