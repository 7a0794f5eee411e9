"""A fit in short: a row for every group, and what programs want to read of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ScalejaxError
from ..core.table import Note, Table, entry, formatted, noted, number, plain_value, span
from .identify import inseparable_inputs
from .objective.penalty import MISFIT
from .status import failures

if TYPE_CHECKING:
    from .result import Fit


def by_group(fit: Fit, level: float) -> Table:
    """Runs, status, R², objective and parameters of every group; of all runs in one row where there are no groups.

    Where columns cross, a row belongs to one value of one column, and parameters that vary along another column are left empty.
    """
    limits, percent = fit.interval(level), f"{100 * level:g} %"
    head = ["runs", "status", "R²", "objective"]
    rows: list[list[str]] = []
    names: dict[str, None] = {}
    for described, axis, place in _places(fit):
        row: dict[str, str] = {}
        for name in fit.law.shown:
            value, ends = _own(fit, name, axis, place, fit.params[name]), [_own(fit, name, axis, place, end) for end in limits[name]]
            for at in np.ndindex(np.shape(value)):
                number_, low, high = (float(np.asarray(v)[at]) for v in (value, *ends))
                row[entry(name, at)] = number(number_)
                row[f"{entry(name, at)} {percent}"] = span(low, high)
        names |= dict.fromkeys(row)
        how = [formatted(described.runs, ".0f"), described.status, number(described.r_squared, 4), number(described.objective)]
        rows.append([described.name or "all", *how, *(row[name] for name in names)])
    shown = [percent if name.endswith(f" {percent}") else name for name in names]
    return Table([" and ".join(fit.request.columns) or "runs of", *head, *shown], rows, notes=[f"{fit.law.name}: {fit.status.sentence}"])


def _places(fit: Fit) -> Iterator[tuple[Any, int, int]]:
    """What is known of every group, its column and its place among the values of the column."""
    found = iter(fit.diagnosis.groups)
    if not fit.groups:
        yield next(found), 0, 0
        return
    levels = fit.request.levels if fit.request.crossed else [fit.groups]
    for axis, names in enumerate(levels):
        for place in range(len(names)):
            yield next(found), axis, place


def _own(fit: Fit, name: str, axis: int, place: int, values: Any) -> Any:
    """The values of one group: its own, those in common, or NaN where they vary along another column."""
    if not fit.request.grouped(name):
        return values
    if fit.request.crossed and fit.request.axis(name) != axis:
        return np.full(np.shape(values)[1:], np.nan)
    return np.asarray(values)[place]


def as_dict(fit: Fit) -> dict[str, Any]:
    """The fit in the types of JSON, without its data: parameters and how sure they are, how well the law describes the runs, remarks."""
    try:
        limits = fit.interval()
    except ScalejaxError:
        limits = {}
    groups = [
        {"name": g.name, "runs": g.runs, "status": g.status, "r_squared": g.r_squared, "objective": g.objective, "median_residual": g.half}
        for g in fit.diagnosis.groups
    ]
    return {
        "law": fit.law.name,
        "status": fit.status.value,
        "verdict": {"level": fit.verdict.level, "codes": list(fit.verdict.codes)},
        "params": plain_value(fit.params),
        "standard_errors": plain_value(fit.standard_errors),
        "interval": plain_value(limits),
        "objective": fit.objective,
        "r_squared": plain_value(fit.r_squared),
        "runs": {"read": len(fit.runs), "used": fit.runs.used, "digest": fit.runs.digest},
        "groups": plain_value(groups),
        "remarks": [noted(note) for note in fit.remarks],
        **{name: plain_value(getattr(fit, name)) for name in ("solver", "recipe", "seed", "seconds")},
        "versions": dict(fit.versions),
    }


def notes_of(fit: Fit) -> list[str]:
    """What stands below the estimates: how good they are, how they were found, and what speaks against them."""
    shape, starts = fit.curvature[0], fit.starts
    rows, plain = len(fit.runs), fit.observed.ndim == 1
    counted = f"{int(fit._seen.reshape(len(fit._seen), -1).any(axis=1).sum())} observations" if plain else fit.diagnosis.counted
    notes = [
        f"objective {fit.objective:.8g} ({type(fit.request.loss).__name__.lower()} on {fit.request.on}), R² {fit.r_squared:.5f}, "
        f"median |residual| {np.median(np.abs(fit.residuals[fit._seen])):.3g}",
        f"{starts.agreeing} of {starts.refined} refined starts agree ({starts.screened:,} screened), {starts.optima} distinct optima",
        counted + (f", {rows - fit.runs.used} runs left out" if rows > fit.runs.used else "")
        + f", data {fit.runs.digest}; {fit.solver} in {fit.seconds:.2f} s",
    ]  # fmt: skip
    notes += [Note(f"uncertain: {doubt}", "uncertain") for doubt in fit.doubts[0]] if len(fit.statuses) == 1 else []
    if fit.request.spec.prior:
        known = " and of the prior of the misfit" if MISFIT in fit.law.parameters else " alone"
        notes.append(f"held by a weak prior on the plausible ranges; intervals are those of the runs{known}")
    failed = failures(fit.groups, fit.statuses) if len(fit.statuses) > 1 else ""
    notes += [Note(f"without an answer: {failed}; the other groups do not depend on them", "failed-groups")] if failed else []
    if fit.request.weights is None and fit.runs.weighted_by:
        notes.append(f"weighted by column {fit.runs.weighted_by!r}")
    size = fit.request.layout.size
    labels, names = fit.request.layout.labels, fit.request.entry_names
    strong = [
        f"{names[labels[i]]}–{names[labels[j]]} {shape.correlation[i, j]:+.3f}"
        for i in range(size) for j in range(i) if abs(shape.correlation[i, j]) > 0.95
    ]  # fmt: skip
    if strong and len(fit.curvature) == 1:
        notes.append("strong correlations: " + ", ".join(strong[:6]))
    warning = inseparable_inputs(fit.request)
    notes += [Note(f"NOT IDENTIFIED: {warning}", "not-identified", "error")] if warning else []
    return notes + [Note(f"flag {note.code}: {note}", note.code, note.severity) for note in fit.remarks]
