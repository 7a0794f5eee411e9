"""The section in which groups are compared: parameters, curves with their difference, and the probability that each is the best."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..core.errors import FitError
from ..core.numeric.statistics import ends
from ..core.table import Table, number
from . import plot
from .digits import estimate, interval
from .headline import groups_by_loss, share
from .page import Block, Heading, Numbers, Picture, Section, Text
from .plots import points
from .plots.groups import compared
from .plots.style import flops, quantity
from .study import Study

ACROSS = 4  # groups that stand side by side; more stand below each other
PLACES = 4  # of a comparison along an input


def group_comparison(study: Study) -> list[Section]:
    """Groups on one page; none for fits without groups, or whose groups cross."""
    fit = study.fit
    if len(fit.groups) < 2 or fit.request.crossed:
        return []
    blocks: list[Block] = [Heading("Parameters"), Numbers(_parameters(study))]
    if study.one_output:
        try:
            compared(fit, study.draws, 1.0, None)
        except FitError:  # no single scale to draw along
            return [Section("Groups compared", blocks)]
        base = fit.groups[0]
        caption = (
            f"Above: runs and curves of the groups, with {study.percent} bands. Below: what each curve lies above that of {base}, draw by "
            "draw, so that what groups have in common does not widen the band."
        )
        blocks += [Heading("Curves and difference"), Picture(partial(plot.groups, fit, study.draws, level=study.level), caption)]
        table = _standings(study)
        if table.rows:
            blocks += [Heading("Which is better"), Text([_chances(study)]), Numbers(table)]
    return [Section("Groups compared", blocks)]


def _parameters(study: Study) -> Table:
    """A row for every parameter and a column for every group, or the other way round if the groups are many."""
    fit, limits, center = study.fit, study.limits, study.draws.center
    scalars = [n for n in fit.law.shown if np.ndim(fit.params[n]) <= (1 if fit.request.grouped(n) else 0)]
    cells: dict[str, list[str]] = {}
    for name in scalars:
        if not fit.request.grouped(name):
            value, low, high = estimate(float(center[name]), *(float(end) for end in limits[name]))
            cells[name] = [f"{value} ({low} to {high})"] + [""] * (len(fit.groups) - 1)
            continue
        shown = [estimate(*map(float, one)) for one in zip(center[name], *limits[name], strict=True)]
        cells[name] = [f"{value} ({low} to {high})" for value, low, high in shown]
    common = [name for name in scalars if not fit.request.grouped(name)]
    note = f"With {study.percent} intervals, {study.source}." + (
        f" {', '.join(common)} {'is' if len(common) == 1 else 'are'} the same in all groups." if common else ""
    )
    if len(fit.groups) <= ACROSS:
        rows = [[name, *(row if row[1:] != [""] * (len(row) - 1) else [row[0]] * len(row))] for name, row in cells.items()]
        return Table(["parameter", *fit.groups], rows, notes=[note])
    rows = [[group, *(row[i] or row[0] for row in cells.values())] for i, group in enumerate(fit.groups)]
    return Table(["group", *cells], rows, notes=[note])


def _standings(study: Study) -> Table:
    """For some budgets, or places, every group's prediction, its distance from the lowest, and the probability that it is the lowest."""
    output, head = study.fit.law.output, ["group", "above the lowest", "probability of being the lowest"]
    if len(study.plans) > 1:
        rows = []
        first = next(iter(study.plans.values()))
        budgets = np.atleast_1d(first.compute)
        for i in _some(len(budgets)):
            drawn = {g: plan.draws["loss"].reshape(len(plan.draws["loss"]), -1)[:, i] for g, plan in study.plans.items() if plan.draws}
            best = groups_by_loss(study, i)
            for one in best:
                gap = drawn[one.group] - drawn[best[0].group] if drawn else None
                cells = _gap(study, gap, one.loss - best[0].loss, one.best)
                rows.append([study.budget(first, float(budgets[i])), one.group, number(one.loss, 4), *cells])
        note = "Every group with its own best split of the budget into parameters and tokens."
        return Table(["budget", head[0], output, *head[1:]], rows, notes=[note])
    if study.plans or points.has_sizes(study.fit):
        return Table([], [])
    name, grid, curves = compared(study.fit, study.draws, 1.0, None)
    show = quantity if grid[-1] >= 1e4 else flops
    names, rows = list(curves), []
    for i in np.linspace(0, len(grid) - 1, PLACES).astype(int)[1:]:
        drawn_here = np.stack([curve.draws[:, i] for curve in curves.values()])
        value = np.asarray([curve.point[i] for curve in curves.values()])
        lowest = int(np.argmin(value))
        for g in np.argsort(value).tolist():
            chance = float(np.mean(np.argmin(drawn_here, axis=0) == g))
            cells = _gap(study, drawn_here[g] - drawn_here[lowest], float(value[g] - value[lowest]), chance)
            rows.append([f"{name} = {show(float(grid[i]))}", names[g], number(float(value[g]), 4), *cells])
    return Table([name, head[0], output, *head[1:]], rows)


def _gap(study: Study, gap: np.ndarray | None, point: float, chance_of: float | None) -> list[str]:
    chance = "—" if chance_of is None else share(chance_of)
    if point == 0:
        return ["lowest", chance]
    if gap is None:
        return [number(point, 2), chance]
    low, high = (float(end) for end in ends(gap, study.level))
    value, *_ = estimate(point, low, high)
    return [f"{value} ({interval(low, high)})", chance]


def _chances(study: Study) -> str:
    return (
        f"How often each group has the lowest {study.fit.law.output} among the {len(study.draws):,} {study.source} draws. This knows the "
        "noise of the runs, not whether the law still holds at the budget."
    )


def _some(count: int) -> Sequence[int]:
    """A few of many budgets, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, PLACES)).round().astype(int)).tolist()
