"""How well the law describes every group: pooled numbers hide one group that it misses, or one that hides all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...core.table import Table, number
from ..solvers.search import agreement
from ..uncertainty.residuals import Rows

if TYPE_CHECKING:
    from ..result import Fit


@dataclass(frozen=True)
class Described:
    """How well the law describes one group, or all runs.

    Attributes:
        name: of the group, "" for all runs. runs: how many. observations: residuals that count.
        status: how its fit ended. agreeing, refined: starts.
        r_squared: 1 - the sum of squared residuals over that around a constant, both on the scale of the fit.
        r_squared_without: the same of the fit without the outliers, of the other runs.
        half: median absolute residual. objective: weighted sum of losses.
    """

    name: str
    runs: int
    observations: int
    status: str
    agreeing: int
    refined: int
    r_squared: float
    r_squared_without: float
    half: float
    objective: float


def described(fit: Fit, sets: Sequence[Rows], others: Sequence[Rows], outliers: np.ndarray) -> tuple[Described, ...]:
    """A row for every group in order, column by column, or one for all runs; `others` are the rows of the fit without the outliers."""
    starts, apart, whole = fit.starts, len(sets) > 1, fit.request.curves
    agree, ran = agreement(starts.objective).sum(axis=1), (starts.status != "").sum(axis=1)
    out = []
    for s, name, rows, mine in _groups(fit, sets):
        kept = np.where(np.isin(rows.row, outliers)[:, None] | ~mine[:, None], 0.0, rows.weight)
        weight = np.where(mine[:, None], rows.weight, 0.0)
        r = rows.residual[weight > 0]
        status = fit.statuses[s].value if apart else fit.status.value
        target, half = _target(fit, rows), float(np.median(np.abs(r))) if len(r) else float("nan")
        out.append(
            Described(
                name=name,
                runs=int((weight > 0).any(axis=1).sum()),
                observations=len(r),
                status=status,
                agreeing=int(agree[s]),
                refined=int(ran[s]),
                r_squared=_r_squared(weight, rows.residual, target, whole),
                r_squared_without=_r_squared(kept, others[s].residual, target, whole),
                half=half,
                objective=float(np.sum(weight * rows.rho)),
            )
        )
    return tuple(out)


def _groups(fit: Fit, sets: Sequence[Rows]) -> Iterator[tuple[int, str, Rows, np.ndarray]]:
    """Set, name, rows of the set and which of them belong to the group."""
    for s, rows in enumerate(sets):
        if not fit.groups:
            yield s, "", rows, np.ones(len(rows.row), bool)
            continue
        if fit.request.apart:
            yield s, fit.groups[s], rows, rows.group == s
            continue
        codes, crossed = fit.request.codes[rows.row], fit.request.crossed
        for axis, (column, names) in enumerate(zip(fit.request.columns, fit.request.levels, strict=True)):
            for g, name in enumerate(names):
                yield s, f"{column} {name}" if crossed else name, rows, codes[:, axis] == g


def _target(fit: Fit, rows: Rows) -> np.ndarray:
    """(n, T) what was observed, on the scale of the fit."""
    values = fit.runs[fit.law.output][rows.row].reshape(rows.weight.shape)
    if fit.request.on == "linear":
        return values
    return np.log(np.where(rows.weight > 0, values, 1.0))


def _r_squared(weight: np.ndarray, residual: np.ndarray, target: np.ndarray, whole: bool) -> float:
    """Around one constant a target, or one for all steps of curves; NaN where nothing varies."""
    axis = None if whole else 0
    mean = np.sum(weight * target, axis=axis) / np.maximum(np.sum(weight, axis=axis), 1e-300)
    around = float(np.sum(weight * (target - mean) ** 2))
    return float(1 - np.sum(weight * residual**2) / around) if around > 0 else float("nan")


def table(found: Sequence[Described], by: str | None, most: int | None = None) -> Table:
    """One row a group, or only those that the law describes worst."""
    shown, notes = list(found), []
    if most is not None and len(found) > most:
        shown = sorted(found, key=lambda d: np.nan_to_num(d.r_squared, nan=-np.inf))[:most]
        notes = [f"the {most} of {len(found)} groups with the lowest R²"]
    rows = [
        [
            d.name or "all",
            str(d.runs),
            d.status,
            number(d.r_squared, 4),
            number(d.objective),
            f"{d.agreeing} of {d.refined}",
            number(d.half, 3),
        ]
        for d in shown
    ]
    return Table([by or "runs", "runs", "status", "R²", "objective", "agreeing starts", "median |residual|"], rows, notes=notes)
