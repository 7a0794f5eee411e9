"""A fit in short: a row for every group, and what programs want to read of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ScalejaxError
from ..core.table import Table, entry, formatted, noted, number, plain_value, span

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
