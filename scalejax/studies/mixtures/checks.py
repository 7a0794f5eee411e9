"""What a table says against a recommendation: columns that decide losses and are not used, targets of which more is better."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ...comparison.forecast.columns import meaning, table_of
from ...core.errors import DecisionError
from ...core.outcomes import less_is_better, more_is_better
from ...core.table import Note, number
from ...data.readers import read_table
from ...data.summary import STEPS
from ...fitting.diagnosis.unused import unused
from ...fitting.result import Fit


def check_falling(losses: Mapping[str, str]) -> None:
    """Raise a DecisionError if a target, of which the least is sought, is named like a score; its own name may say that it is an error."""
    for target, column in losses.items():
        target_rises, column_rises = more_is_better(target), more_is_better(column)
        if (column_rises and not less_is_better(target)) or (target_rises and not less_is_better(column)):
            raise DecisionError(
                f"{column!r} is named like a score, of which more is better, and its least value would be sought: give an error in its "
                f"place, such as a column with 1 - {column}; if it does fall, name it so with losses={{'{target}_error': {column!r}}}."
            )


def twice(table: Any) -> Any:
    """A table that can be read twice: of an open file its columns."""
    return read_table(table) if hasattr(table, "read") else table


def unused_columns(table: Any, used: Iterable[Any], fitted: Fit, rows: np.ndarray, roles: Mapping[str, Any]) -> tuple[Note, ...]:
    """A note on sizes, steps and kinds of runs among the columns of the table that losses go with, and that the law does not use.

    Args:
        used: columns that are used, or expressions of them. rows: the table's row of every row of the fit. roles: those given.
    """
    columns, text = table_of(table)[0], " ".join(map(str, used))
    others = {n: c for n, c in columns.items() if c.ndim == 1 and len(c) > rows.max() and _setting(n, c) and not _in(n, text)}
    numbers = {n: c.astype(np.float64) if c.dtype.kind in "iub" else c for n, c in others.items()}
    found = unused({n: c[rows] for n, c in numbers.items()}, fitted.diagnosis.rows)
    if not found:
        return ()
    first = found[0]
    said = " and ".join(f"{u.column}{_range(others[u.column])}" for u in found)
    vary, go, are = ("varies", "goes", "is") if len(found) == 1 else ("vary", "go", "are")
    return (
        Note(
            f"{said} {vary} and {go} with the losses beyond what the mixtures explain ({100 * first.share:.0f} % of the variance of the "
            f"residuals, p = {first.p:.1g}), and {are} not used, so that the weights may stand for it: {_use(others, first.column, roles)}"
            f"keep the rows of one {first.column}",
            "unused-column",
        ),
    )


def _in(name: str, text: str) -> bool:
    """Does a name stand in a text as a word?"""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _setting(name: str, column: np.ndarray) -> bool:
    """Is a column a setting of the runs rather than an outcome? Text and sizes by their usual names are."""
    return column.dtype.kind in "US" or (column.dtype.kind in "fiub" and (meaning(name) is not None or name in STEPS))


def _range(column: np.ndarray) -> str:
    """Of numbers."""
    return f" ({number(np.nanmin(column), 3)} to {number(np.nanmax(column), 3)})" if column.dtype.kind in "fiub" else ""


def _use(others: Mapping[str, np.ndarray], first: str, roles: Mapping[str, Any]) -> str:
    """How to use the column, where a law is known that does."""
    role = meaning(first) or first
    if others[first].dtype.kind not in "fiub":
        return ""
    named = {meaning(n) or n: n for n in others if meaning(n) in ("N", "D") or n == first} | dict(roles)
    told = ", ".join(f"{r!r}: {n!r}" for r, n in named.items())
    law = "" if role in ("N", "D") and set(named) in ({"N", "D"}, {"D"}) else " and law= a law that takes it"
    return f"use it with roles={{{told}}}{law}, or "
