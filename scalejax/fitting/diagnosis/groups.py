"""How well the law describes every group: pooled numbers hide one group that it misses, or one that hides all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...core.table import Table, number
from ..objective.counts import deviance_moments, deviance_residual
from ..solvers.search import agreement
from ..uncertainty.residuals import Rows

if TYPE_CHECKING:
    from ..result import Fit


_CHANCE = 3.0  # standard deviations beyond what counts scatter by themselves
_GAIN = 0.01  # probability of as much of a gain over a constant by chance


@dataclass(frozen=True, eq=False)
class Counts:
    """Which runs of a regression were counted, an entry a run.

    Attributes:
        outcome: what was counted, by index; -1 of runs that were measured.
        share, trials: observed share of successes, and trials. probability: what the law gives it.
        unit: of the regression's residuals.
    """

    outcome: np.ndarray
    share: np.ndarray
    trials: np.ndarray
    probability: np.ndarray
    unit: np.ndarray


@dataclass(frozen=True)
class Described:
    """How well the law describes one group, or all runs.

    Attributes:
        name: of the group, "" for all runs. runs: how many. observations: residuals that count.
        status: how its fit ended. agreeing, refined: starts.
        r_squared: 1 - the sum of squared residuals over that around a constant, both on the scale of the fit.
        r_squared_without: the same of the fit without the outliers, of the other runs.
        reachable: R² that the right law could reach: 1, but for counts, which scatter about any probability.
        explained, explained_without: share of what the right law could explain that this one does; of counts 1 where what is left is no
            more than they scatter by themselves, and 0 where so is the gain over a constant (NaN for a group of a joint fit whose
            counts are as good as equal: nothing is to be explained).
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
    reachable: float
    explained: float
    explained_without: float
    half: float
    objective: float


def described(
    fit: Fit, sets: Sequence[Rows], others: Sequence[Rows], outliers: np.ndarray, counts: Counts | None = None
) -> tuple[Described, ...]:
    """A row for every group in order, column by column, or one for all runs; `others` are the rows of the fit without the outliers."""
    starts, apart, whole = fit.starts, len(sets) > 1, fit.request.curves
    agree, ran = agreement(starts.objective).sum(axis=1), (starts.status != "").sum(axis=1)
    taken = max(1, -(-fit.request.layout.size // (1 if apart else max(sum(map(len, fit.request.levels)), 1))) - 1)  # parameters of a group
    out = []
    for s, name, rows, mine in _groups(fit, sets):
        kept = np.where(np.isin(rows.row, outliers)[:, None] | ~mine[:, None], 0.0, rows.weight)
        weight = np.where(mine[:, None], rows.weight, 0.0)
        r = rows.residual[weight > 0]
        status = fit.statuses[s].value if apart else fit.status.value
        target, half = _target(fit, rows), float(np.median(np.abs(r))) if len(r) else float("nan")
        r_squared, without = (_r_squared(w, of.residual, target, whole) for w, of in ((weight, rows), (kept, others[s])))
        reachable, explained, explained_without = 1.0, r_squared, without
        if counts is not None and (counts.outcome[rows.row][mine] >= 0).any():
            joint = len(sets) < len(fit.groups)
            reachable, explained = _explained(counts, rows, weight, target, taken, joint)
            explained_without = _explained(counts, others[s], kept, target, taken, joint)[1]
        out.append(
            Described(
                name=name,
                runs=int((weight > 0).any(axis=1).sum()),
                observations=len(r),
                status=status,
                agreeing=int(agree[s]),
                refined=int(ran[s]),
                r_squared=r_squared,
                r_squared_without=without,
                reachable=reachable,
                explained=explained,
                explained_without=explained_without,
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


def _explained(counts: Counts, rows: Rows, weight: np.ndarray, target: np.ndarray, taken: int, joint: bool) -> tuple[float, float]:
    """Of runs of which some were counted, the R² that the right law could reach, and the share of that which this one does.

    With the deviance D of the law, D_0 of a constant for every outcome, and E that counts have at the fitted probabilities: 1 - E/D_0 and
    (D_0 - D)/(D_0 - E). A share that chance alone makes small or large does not count: D no more than three standard deviations above E is
    all that can be explained, and D_0 - D below the 99 % of chi-squared explains nothing.
    """
    from scipy.special import chdtri

    w, outcome = weight[:, 0], counts.outcome[rows.row]
    counted, w_unit = outcome >= 0, w * counts.unit[rows.row] ** 2
    share, trials = counts.share[rows.row], counts.trials[rows.row]
    mean, variance = deviance_moments(trials, counts.probability[rows.row])
    least = float(np.sum((w_unit * mean)[counted]))
    chance = _CHANCE * float(np.sqrt(np.sum((w_unit**2 * variance)[counted])))
    around = 0.0
    for k in np.unique(outcome[w > 0]):
        here = (outcome == k) & (w > 0)
        if k < 0:
            middle = np.average(target[here, 0], weights=w[here])
            around += float(np.sum(w[here] * (target[here, 0] - middle) ** 2))
        else:
            middle = np.average(share[here], weights=(w * trials)[here])
            around += float(np.sum(w_unit[here] * np.asarray(deviance_residual(share[here], trials[here], middle)) ** 2))
    left = float(np.sum(w * rows.residual[:, 0] ** 2))
    reachable = max(1 - least / around, 0.0) if around > 0 else float("nan")
    if counted[w > 0].all() and around - left < chdtri(taken, _GAIN):
        return reachable, float("nan") if joint and around < least + chance else 0.0
    return reachable, 1.0 if left < least + chance else float((around - left) / (around - least))


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
