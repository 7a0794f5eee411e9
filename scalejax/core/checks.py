"""What can be wrong with a table of runs, each remark with its rows and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .errors import FitError, ScalejaxError
from .runs import Flag

# Quantities that are positive as a rule, by the names that laws and papers use.
POSITIVE = frozenset({"N", "D", "C", "U", "L", "loss", "params", "tokens", "flops"})
# Roles that never hold text; any other may name groups.
NUMERIC = POSITIVE | {"weight", "S", "B", "lr"}
# Names whose values are counted in units, so that a largest value below 1,000 means millions or billions.
COUNTS = frozenset({"N", "D", "U"})


def check_count(name: str, value: Any, least: int, error: type[ScalejaxError] = FitError) -> None:
    """Refuse what is no whole number of at least so many."""
    if not isinstance(value, int | np.integer) or value < least:
        raise error(f"{name}={value!r} must be a whole number of at least {least}.")


def unusable(columns: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]) -> list[Flag]:
    """Flags of values that are missing or not finite, which nothing can use, and of zeros and negatives where most laws need logarithms.

    The latter are for a fit to decide: laws and `on="linear"` may take them.
    """
    flags: list[Flag] = []
    for name, column in columns.items():
        if column.dtype.kind != "f":
            continue
        bad = not_finite(column, masks.get(name, True))
        if bad.any():
            flags.append(_unusable("not-finite", name, bad, "missing, NaN or infinite", "."))
        low = _any((column <= 0) & masks.get(name, True)) & ~bad
        if name in POSITIVE and low.any():
            left = "; fits leave that out unless their law and on= can take it."
            flags.append(_unusable("not-positive", name, low, "zero or negative", left))
    return flags


def not_finite(column: np.ndarray, mask: Any = True) -> np.ndarray:
    """(n,) rows of a column of numbers that hold a value which is not finite."""
    return _any(~np.isfinite(column) & mask)


def remarks(columns: Mapping[str, np.ndarray], excluded: np.ndarray) -> list[Flag]:
    """Flags of what looks unintended in the rows that are not excluded."""
    flags: list[Flag] = []
    for name, column in columns.items():
        if column.dtype.kind == "f" and column.ndim == 1 and not excluded.all():
            flags += _column_remarks(name, column[~excluded])
    return flags + _duplicates(columns, excluded)


def rows_text(rows: Sequence[int] | np.ndarray) -> str:
    """'row 3' or 'rows 1, 4, 7 and 12 more'."""
    rows = [int(r) for r in rows]
    shown = ", ".join(map(str, rows[:5]))
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{more}"


def _any(mask: np.ndarray) -> np.ndarray:
    return np.any(mask.reshape(len(mask), -1), axis=1)


def _unusable(code: str, name: str, bad: np.ndarray, what: str, then: str) -> Flag:
    rows = np.flatnonzero(bad)
    return Flag(code, name, tuple(map(int, rows)), f"Column {name!r} is {what} in {rows_text(rows)}{then}", excluded=True)


def _column_remarks(name: str, values: np.ndarray) -> list[Flag]:
    remarks = []
    if name in COUNTS and values.max() < 1e3:
        remarks.append(
            Flag("unit", name, (), f"Column {name!r} goes from {values.min():g} to {values.max():g}: these look like millions or billions; "
                 f"pass scale={{{name!r}: 1e9}} (or 1e6) so that {name} is a plain count.")
        )  # fmt: skip
    if name in COUNTS and len(values) > 2 and np.ptp(values) == 0:
        remarks.append(
            Flag("constant", name, (), f"Column {name!r} is {values[0]:g} in every run: nothing can be learned of its effect on the loss; "
                 "add runs with other values or fit a law without it.")
        )  # fmt: skip
    return remarks


def _duplicates(columns: Mapping[str, np.ndarray], excluded: np.ndarray) -> list[Flag]:
    """Rows that repeat an earlier row in every column."""
    seen: dict[tuple[bytes, ...], int] = {}
    repeated = []
    for i in np.flatnonzero(~excluded):
        key = tuple(np.asarray(column[i]).tobytes() for column in columns.values())
        if seen.setdefault(key, int(i)) != i:
            repeated.append(int(i))
    if not repeated:
        return []
    verb = "repeats" if len(repeated) == 1 else "repeat"
    message = (
        f"{rows_text(repeated).capitalize()} {verb} an earlier run exactly; drop them if they are copies, since they count twice and "
        "narrow the intervals."
    )
    return [Flag("duplicate", "", tuple(repeated), message)]
