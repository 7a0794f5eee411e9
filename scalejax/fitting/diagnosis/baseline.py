"""Does the law describe the runs better than a constant does, can it follow them at all, and do they say where it steps?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...core.numeric.statistics import evenly
from ...core.table import number
from ..predict import evaluate
from ..solvers.starts import make_starts
from .groups import Described

if TYPE_CHECKING:
    from ..result import Fit

GOOD, POOR = 0.9, 0.5  # share of what a law could explain that a good fit does, and below which it says little more than a constant
_DRAWS = 64  # of the parameters over their plausible ranges
_MONOTONE = 0.5  # rank correlation from which the runs are said to rise or fall
_JUMP, _FLAT = 0.3, 0.02  # shares of the law's range: of a step inside a gap between runs, and of what happens beside it
_NAMED = 4


def said(fit: Fit, groups: Sequence[Described]) -> list[str]:
    """A sentence where the law explains little of what a law could, with why if that can be told, or where there is nothing to explain."""
    if level := _constant(fit):
        return [level]
    low = sorted((g for g in groups if g.explained < GOOD), key=lambda g: g.explained)
    if not low:
        return []
    worst = low[0]
    if len(groups) == 1:
        said = f"R² is {round(worst.r_squared, 2) + 0.0:.2f} against a constant"
        said += f", where counts let a law reach {worst.reachable:.2f}" if worst.explained > 0 and worst.reachable < GOOD else ""
    else:
        named = ", ".join(f"{g.name} ({g.r_squared:.2f})" for g in low[:_NAMED])
        more = f" and {len(low) - _NAMED} more" if len(low) > _NAMED else ""
        said = f"R² against a constant is below {GOOD:g} in {len(low)} of {len(groups)} groups, {named}{more}"
    if all(g.explained_without >= GOOD for g in low):
        return [f"{said}, but not without the outliers named below ({min(g.r_squared_without for g in low):.3f})."]
    if worst.explained >= POOR:
        return [f"{said}: the law leaves much of what differs between the runs to noise, or misses it."]
    return [f"{said}: {_opposed(fit) or 'the law says little more of the runs than their mean does.'}"]


def _constant(fit: Fit) -> str:
    """Do all runs show one value?"""
    name, runs = fit.law.output, fit.runs
    y = runs[name][~runs.excluded] if name in runs else np.empty(0)
    if y.ndim > 1 or len(y) < 2 or not (y == y[0]).all():
        return ""
    return f"all {len(y)} runs have {name} = {y[0]:.4g}: nothing differs between them that a law could explain."


def hopeless(groups: Sequence[Described]) -> bool:
    """Is there a group of which the law says little more than a constant, also without outliers?"""
    return any(g.explained < POOR and not g.explained_without >= POOR for g in groups)


def _opposed(fit: Fit) -> str:
    """Why no parameters help: the law can only fall along an input and the runs rise, or the other way round, or it ignores the input."""
    request, runs = fit.view({})[0], fit.runs
    law = request.law
    if law.output not in runs or any(runs[name].ndim > 1 for name in (*law.inputs, law.output)):
        return ""
    used = ~runs.excluded & np.isfinite(runs[law.output])  # of a chain a run may not show every outcome
    y = runs[law.output][used]
    for name in law.inputs:
        x = np.unique(runs[name][used])
        if len(x) < 3:
            continue
        rises = _rank_correlation(runs[name][used], y)
        if abs(rises) < _MONOTONE:
            continue
        grid = x[evenly(len(x), 20)]
        given = {other: np.full(len(grid), np.median(runs[other][used])) for other in law.inputs if other != name} | {name: grid}
        if fit.groups:
            given["group"] = np.full(len(grid), fit.groups[0])
        points = make_starts(fit.request.layout, _DRAWS, 0)
        values = evaluate(request, np.repeat(points[:, None], fit.theta.shape[1], axis=1), given)
        steps, rounding = np.diff(values, axis=1) * np.sign(rises), 1e-12 * np.abs(values[:, 1:])
        if np.isfinite(values).all() and (steps <= rounding).all():
            can, do = ("fall", "rises") if rises > 0 else ("rise", "falls")
            ends = [number(v, 3) for v in y[np.argsort(runs[name][used])[[0, -1]]]]
            seen = f"{law.output} {do}, from {ends[0]} to {ends[1]}. Fit "
            if (np.abs(steps) <= rounding).all():
                return f"the law does not change with {name}, along which {seen}a law that uses {name}."
            turned = f", or 1 - {law.output} if it is an accuracy" if 0 <= y.min() and y.max() <= 1 else ""
            return f"the law can only {can} with {name}, and {seen}a law that {do}{turned}."
    return ""


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    ranks = [np.unique(v, return_inverse=True)[1].astype(float) for v in (x, y)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1]) if all(np.ptp(r) > 0 for r in ranks) else 0.0


def stepped(fit: Fit) -> list[str]:
    """A sentence for a law of one input that steps inside a gap between two neighbouring runs and is flat on both sides.

    Any place and any steepness inside the gap fit as well, whatever the standard errors at the optimum say.
    """
    law, runs = fit.law, fit.runs
    if len(law.inputs) != 1 or runs[law.inputs[0]].ndim > 1 or runs[law.output].ndim > 1 or fit.groups:
        return []
    name, used = law.inputs[0], ~runs.excluded
    x, first = np.unique(runs[name][used], return_index=True)
    level = fit.fitted[first]
    jumps = np.abs(np.diff(level)) / max(np.ptp(level), 1e-300)
    if len(x) < 5:
        return []
    for i in np.flatnonzero(jumps > _JUMP):
        beside = np.concatenate([jumps[max(i - 1, 0) : i], jumps[i + 1 : i + 2]])
        if len(beside) == 2 and (beside < _FLAT).all() and np.ptp(level) > 3 * np.median(np.abs(fit.residuals)):
            return [
                f"the law steps between the neighbouring runs {name} = {number(x[i], 5)} and {number(x[i + 1], 5)} and is flat on both "
                "sides: where it steps inside this gap and how steeply, the runs do not say. Add runs inside it, or fix the steepness."
            ]
    return []
