"""One row a run from its curve: the last record, the lowest, or the mean of the tail; and rows with one metric each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import DataError, suggest
from .columns import numeric_column, row_count

Summary = str | float
STEPS = ("step", "_step", "Step", "global_step", "iteration", "iter", "trainer/global_step", "steps")
# How tables of one measurement a row call the name and the value, by tracker.
_TIDY = (
    ("metric", "value"), ("metric_name", "value"), ("metricName", "metricValue"), ("metric.name", "value"), ("tag", "value"),
    ("key", "value"), ("variable", "value"), ("name", "value"),
)  # fmt: skip


def step_name(raw: Mapping[str, Any], step: str) -> str:
    """The column of steps: the one asked for, or where that is "step" and there is none, by its usual names.

    Raises:
        DataError: if there is none.
    """
    if step in raw:
        return step
    usual = [name for name in STEPS if name in raw] if step == "step" else []
    if usual:
        return usual[0]
    names = [str(name) for name in raw]
    raise DataError(f"There is no column {step!r} for step; {suggest(step, names if len(names) < 12 else names[:12])}")


def untidied(raw: dict[str, Any], wanted: Collection[str]) -> dict[str, Any]:
    """Columns of metrics from a table with a measurement a row, if wanted columns are such metrics; else the table itself."""
    missing = [name for name in wanted if name not in raw]
    for metric, value in _TIDY if missing else ():
        if metric in raw and value in raw and len(names := set(map(str, raw[metric]))) < 1000 and any(name in names for name in missing):
            return _pivoted(raw, metric, value)
    return raw


def _pivoted(raw: dict[str, Any], metric: str, value: str) -> dict[str, Any]:
    keys = [name for name in raw if name not in (metric, value, "timestamp", "time", "epoch", "idx")]
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for i, name in enumerate(raw[metric]):
        key = tuple(str(raw[k][i]) for k in keys)
        row = rows.setdefault(key, {k: raw[k][i] for k in keys})
        row[str(name)] = raw[value][i]
    names = dict.fromkeys(name for row in rows.values() for name in row)
    return {name: [row.get(name) for row in rows.values()] for name in names}


def by_run(columns: Mapping[str, Any], run: str) -> dict[str, dict[str, list[Any]]]:
    """Rows of each run, in their order.

    Raises:
        DataError: if there is no such column, or it is empty in a row.
    """
    if run not in columns:
        raise DataError(f"There is no column {run!r} for run; {suggest(run, columns)}")
    names = ["" if name is None or name != name else str(name) for name in columns[run]]
    if "" in names:
        raise DataError(f"Column {run!r} for run is empty in row {names.index('')}; every row needs the name of its run.")
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        rows.setdefault(name, []).append(i)
    count = row_count(columns)
    whole = {k: v if hasattr(v, "__len__") and not isinstance(v, str) else [v] * count for k, v in columns.items()}
    return {name: {k: [v[i] for i in at] for k, v in whole.items()} for name, at in rows.items()}


def counting(name: str, steps: np.ndarray) -> np.ndarray:
    """(records,) which records count, in their order: where a run was resumed, the later record of a step, and none that was given up.

    Steps that fall back in a log are those of a resumed run: what was logged beyond is not of the run that went on.

    Raises:
        DataError: if a step is there twice without that.
    """
    keep = np.ones(len(steps), bool)
    unique = len(np.unique(steps)) == len(steps)
    if unique:
        return keep
    falls = np.flatnonzero(np.diff(steps) < 0) + 1
    again = np.flatnonzero(np.diff(np.sort(steps)) == 0)
    twice = np.sort(steps)[again[0]]
    if not len(falls) or len(falls) > 1 + len(steps) // 5 or (steps[falls] <= steps.min()).any():
        raise DataError(
            f"Run {name!r}: steps must be whole, from 0, each once, but step {twice:.0f} has two losses; leave out one of them, or say "
            "with run= which rows are of one run."
        )
    for at in falls:
        keep[:at] &= steps[:at] < steps[at]
    if len(np.unique(steps[keep])) != keep.sum():
        raise DataError(f"Run {name!r}: step {twice:.0f} has two losses that no resumption explains; leave out one of them.")
    return keep


def one_row_each(raw: Mapping[str, Any], run: str, step: str, outcome: str | None, how: Summary) -> dict[str, list[Any]]:
    """One row a run.

    Args:
        raw: a row an observation.
        run, step: columns of the run and of its steps.
        outcome: column of the loss, None if nobody knows: then every column has its last value.
        how: "last", "min", or the share of the steps at the end whose mean counts, in (0, 1).

    Returns:
        Columns: of the outcome as `how` says, of all others what was known at that step; for a mean "<outcome>_noise", its standard error
        as if records around a straight line were independent, and "records", how many there are.
    """
    if not (how in ("last", "min") or (isinstance(how, float) and 0 < how < 1)):
        raise DataError(f"summary={how!r} must be 'last', 'min', or a share of the steps between 0 and 1, such as 0.1.")
    if outcome is None and how != "last":
        raise DataError(f"summary={how!r} needs to know the loss; name its column with loss=.")
    rows = []
    for name, columns in by_run(raw, run).items():
        t = numeric_column(columns[step], step, step, text_allowed=False)
        row = _one(name, columns, t, step, outcome, how)
        rows.append({**row, run: name})
    names = dict.fromkeys(key for row in rows for key in row)
    return {key: [row.get(key) for row in rows] for key in names}


def _one(name: str, columns: Mapping[str, Sequence[Any]], t: np.ndarray, step: str, outcome: str | None, how: Summary) -> dict[str, Any]:
    known = np.isfinite(t)
    at = np.inf
    row: dict[str, Any] = {}
    if outcome is not None:
        y = numeric_column(columns[outcome], outcome, outcome, text_allowed=False)
        there = np.flatnonzero(known & ~np.isnan(y))
        if len(there):
            there = there[counting(name, t[there])]
            there = there[np.argsort(t[there], kind="stable")]
            s, y = t[there], y[there]
            k = int(np.argmin(y)) if how == "min" else len(y) - 1
            at = float(s[k])
            row[outcome] = float(y[k])
            if isinstance(how, float):
                tail = s >= s[-1] - how * (s[-1] - s[0])
                row |= {outcome: float(y[tail].mean()), f"{outcome}_noise": _noise(s[tail], y[tail]), "records": int(tail.sum())}
        else:
            row[outcome] = None
    order = np.argsort(np.where(known, t, -np.inf), kind="stable")
    for key, cells in columns.items():
        if key not in row and key != step:
            row[key] = _at(cells, t, order, at)
    return {step: None if not known.any() else min(at, float(np.nanmax(t))), **row}


def _at(cells: Sequence[Any], t: np.ndarray, order: np.ndarray, at: float) -> Any:
    """The last cell that is known at a step, else the first one after it."""
    found = [i for i in order if not (cells[i] is None or cells[i] == "" or (isinstance(cells[i], float) and cells[i] != cells[i]))]
    before = [i for i in found if not t[i] > at]
    return cells[before[-1]] if before else cells[found[0]] if found else None


def _noise(t: np.ndarray, y: np.ndarray) -> float:
    """Standard error of the mean, from the residuals of a straight line; NaN of fewer than four records."""
    if len(y) < 4:
        return float("nan")
    slope = np.polyfit(t - t.mean(), y, 1)
    residual = y - np.polyval(slope, t - t.mean())
    return float(np.sqrt((residual**2).sum() / (len(y) - 2) / len(y)))
