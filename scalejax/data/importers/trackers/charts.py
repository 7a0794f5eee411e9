"""Exports of a chart: a column for every run and metric, "<run> - <metric>", as W&B writes the data of a panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....core.errors import DataError
from ..content import Logged, LoggedRun, logged

_BETWEEN = " - "
_NO_RUNS = ("__MIN", "__MAX")  # the band around a smoothed line
_AXES = ("_step", "_runtime", "_timestamp")


def runs_of_chart(columns: Mapping[str, Any], step: str, loss: str) -> dict[str, dict[str, Any]] | None:
    """A table for every run, with the columns `step` and `loss`; None where the columns are not named so.

    Raises:
        DataError: if the chart shows several metrics and `loss` names none of them.
    """
    named = [name for name in columns if _BETWEEN in name and not name.endswith(_NO_RUNS)]
    if not named or loss in columns:
        return None
    shared = {name: column for name, column in columns.items() if _BETWEEN not in name}
    spelled = [name for name in shared if name.lower() == step.lower()]
    if step not in shared and spelled:
        shared[step] = shared[spelled[0]]
    runs: dict[str, dict[str, Any]] = {}
    for name in named:
        run, metric = name.rsplit(_BETWEEN, 1)
        runs.setdefault(run, dict(shared))[metric] = columns[name]
    metrics = dict.fromkeys(name.rsplit(_BETWEEN, 1)[1] for name in named)
    if loss not in metrics:
        losses = [metric for metric in metrics if metric not in _AXES]
        if len(losses) != 1:
            raise DataError(f"The chart shows {', '.join(losses)}; say which is the loss with loss={losses[0]!r}.")
        for table in runs.values():
            table[loss] = table[losses[0]]
    return runs


def stacked(runs: Mapping[str, Mapping[str, Any]]) -> Logged:
    """The tables of `runs_of_chart` as one, a row an observation."""
    rows = {name: [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)] for name, table in runs.items()}
    return logged((LoggedRun(name, found) for name, found in rows.items()), "the chart")
