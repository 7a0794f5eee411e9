"""Columns by role: what a law calls N, from a name, names, a number, an array, a function or arithmetic on the columns of a table."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.arithmetic import parse, value
from ..core.checks import COUNTS, NUMERIC, POSITIVE
from ..core.errors import DataError, ScalejaxError, suggest
from .cells import PREFIXES, numbers_of
from .importers.content import said, shown

Role = str | float | Sequence[str] | np.ndarray | Callable[[Mapping[str, np.ndarray]], np.ndarray]
# Columns of whole numbers, by the usual names: a comma before three digits groups thousands there.
_WHOLE = COUNTS | {"C", "step", "steps", "params", "tokens", "flops", "S", "B", "batch", "_step", "iteration", "global_step"}
_CALLS: dict[str, Callable[..., Any]] = {"log": np.log, "sqrt": np.sqrt, "exp": np.exp, "min": np.minimum, "max": np.maximum}


def columns_of(
    raw: Mapping[str, Any], roles: Mapping[str, Role], units: Mapping[str, str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Columns by role, all of them without roles, and the masks of those that hold curves; nothing is checked but their form."""
    rows = row_count(raw)
    columns: dict[str, np.ndarray] = {}
    masks: dict[str, np.ndarray] = {}
    for role, spec in (roles or {name: name for name in raw}).items():
        column = resolve(role, spec, raw, rows, text_allowed=not roles, unit=units.get(role))
        if column.dtype == object:
            column, masks[role] = _pad(column, role)
        columns[role] = column
    return columns, masks


def row_count(raw: Mapping[str, Any]) -> int:
    """Rows of a table.

    Raises:
        DataError: if columns have different lengths, or there are none.
    """
    lengths = {name: len(column) for name, column in raw.items() if not _single(column)}
    if not lengths or set(lengths.values()) == {0}:
        raise DataError("The table of runs is empty; give at least one row.")
    if len(set(lengths.values())) > 1:
        shortest, longest = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise DataError(
            f"The columns have different lengths, {shown(shortest)} {lengths[shortest]} and {shown(longest)} {lengths[longest]}; every "
            "column needs one value a run."
        )
    return next(iter(lengths.values()))


def _single(column: Any) -> bool:
    """Is this one value for all rows?"""
    return isinstance(column, str) or not hasattr(column, "__len__") or (isinstance(column, np.ndarray) and column.ndim == 0)


def resolve(
    role: str, spec: Role, raw: Mapping[str, Any], rows: int, text_allowed: bool = False, numeric: bool = False, unit: str | None = None
) -> np.ndarray:
    """The column that a role stands for: float64, text, or object for ragged curves."""
    if isinstance(spec, str):
        if spec in raw:
            text = not numeric and (text_allowed or role not in NUMERIC)
            column = numeric_column(_full(raw[spec], rows), role, spec, text_allowed=text, unit=unit)
        elif any(sign in spec for sign in "*/+-()`"):
            near = suggest(spec, raw)
            if near.startswith("did") and not any(sign in spec for sign in "*/+("):
                raise DataError(f"There is no column {shown(spec)} for {role}; {near}")
            column = _computed(role, of_columns(spec), raw, rows)
        else:
            raise DataError(f"There is no column {shown(spec)} for {role}; {_near(spec, raw)}")
    elif callable(spec):
        column = _computed(role, spec, raw, rows)
    elif isinstance(spec, list | tuple) and spec and all(isinstance(name, str) for name in spec):
        parts = [resolve(name, name, raw, rows) for name in spec]
        text_parts = [name for name, part in zip(spec, parts, strict=True) if part.dtype.kind != "f"]
        if text_parts:
            raise DataError(f"Column {shown(text_parts[0])} for {role} is not numeric; a vector needs numbers only.")
        column = np.stack(parts, axis=-1)
    else:
        column = numeric_column(spec, role, role, text_allowed=role == "group", unit=unit)
    if column.ndim == 0:
        column = np.full(rows, float(column))
    if len(column) != rows:
        raise DataError(f"{role} has {len(column)} values for {rows} runs; give one value a run.")
    return column


def of_columns(text: str) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """Arithmetic and one comparison on columns; names that are no words stand in back-quotes.

    >>> of_columns("`train/steps` * batch")({"train/steps": 2.0, "batch": 3.0})
    6.0
    """
    names: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        return names.setdefault(found[1], f"_column_{len(names)}")

    wrong = f"{shown(text)} is no column and no arithmetic on columns; write for instance flops/(6*params)."
    if len(text) > 1000:
        raise DataError(wrong)
    try:
        tree = parse(re.sub(r"`([^`]+)`", named, text).strip(), wrong)
    except (ValueError, RecursionError, MemoryError):  # what the parser of Python refuses
        raise DataError(wrong) from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value.bit_length() > 1000:
            raise DataError(wrong)

    def evaluate(columns: Mapping[str, np.ndarray]) -> Any:
        found = {**columns, **{word: columns[name] for name, word in names.items() if name in columns}}
        missing = [name for name in names if name not in columns]
        if missing:
            raise DataError(f"{shown(text)} uses {shown(missing[0])}, which is not a column; {_near(missing[0], columns)}")
        try:
            with np.errstate(all="ignore"):
                return value(tree, found, _call, wrong)
        except KeyError as error:
            raise DataError(f"{shown(text)} uses {error}, which is not a column; {_near(error.args[0], columns)}") from None
        except (ArithmeticError, TypeError, ValueError, RecursionError) as error:
            if isinstance(error, ScalejaxError):
                raise DataError(str(error)) from None
            raise DataError(f"{shown(text)} cannot be computed: {said(error)}; look at the columns that it uses.") from None

    return evaluate


def _call(name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
    if name not in _CALLS or keywords:
        raise DataError(f"There is no function {name!r} of columns; {suggest(name, _CALLS)}")
    return _CALLS[name](*args)


def _computed(role: str, function: Callable[[Mapping[str, np.ndarray]], Any], raw: Mapping[str, Any], rows: int) -> np.ndarray:
    """The column of a function of the table."""
    table = {name: numeric_column(_full(column, rows), name, name, text_allowed=True) for name, column in raw.items()}
    try:
        return np.asarray(function(table), dtype=np.float64)
    except KeyError as error:
        raise DataError(f"The function for {role} uses column {error}; {_near(str(error.args[0]), raw)}") from None
    except ScalejaxError:
        raise
    except Exception as error:  # the user's own code
        text = [name for name, values in table.items() if values.dtype.kind not in "fO"]
        which = ", ".join(map(repr, text[:5])) or "none"
        raise DataError(
            f"The function for {role} failed ({type(error).__name__}: {said(error)}); these columns hold text: {which}."
        ) from None


def _near(name: str, raw: Collection[str]) -> str:
    """The nearest column, or the first few."""
    names = [str(option) for option in raw]
    end = suggest(name, names)
    return end if len(end) < 200 else f"there are {len(names)}, such as {', '.join(names[:5])}."[:250]


def _full(column: Any, rows: int) -> Any:
    """One value for all rows as a column."""
    return [column if not isinstance(column, np.ndarray) else column.item()] * rows if _single(column) else column


def numeric_column(column: Any, role: str, name: str, text_allowed: bool, unit: str | None = None) -> np.ndarray:
    """float64 if all entries are numbers (empty and None become NaN), else text or an error that names the rows."""
    array = np.asarray(column, dtype=object) if isinstance(column, list | tuple) else _unmasked(column)
    if array.dtype.kind in "fiub":
        return array.astype(np.float64) * (PREFIXES[unit.lower()] if unit else 1)
    if array.dtype.kind in "mMc":
        if text_allowed:
            return array.astype(str)
        kind = "complex numbers" if array.dtype.kind == "c" else "dates"
        raise DataError(f"Column {shown(name)} for {role} holds {kind}; choose a column of numbers.")
    if array.ndim == 1 and any(isinstance(v, list | tuple) or (isinstance(v, np.ndarray) and v.ndim) for v in array):
        return _curves(array, role, name)
    if array.ndim != 1:
        parts = array.reshape(len(array), -1).T if array.ndim else [array.reshape(1)]
        return np.stack([numeric_column(part, role, name, text_allowed, unit) for part in parts], axis=-1).reshape(array.shape)
    cells = array.tolist() if array.dtype.kind in "US" else list(array)
    values, wrong, unclear = numbers_of(cells, unit, count=role in _WHOLE or name in _WHOLE)
    # Without roles a column of text is one, but a quantity by its name with numbers in it has cells to mend.
    text_allowed &= not (role in POSITIVE and np.isfinite(values).sum() > len(wrong))
    labels = text_allowed and (bool(wrong) or (role == "group" and any(isinstance(cell, str) for cell in cells)))
    if labels or (text_allowed and unclear):
        return np.asarray(["" if cell is None else str(cell) for cell in cells])
    if wrong:
        shown_cells = ", ".join(f"row {i}: {shown(cell)}" for i, cell in wrong[:3])
        raise DataError(
            f"Column {shown(name)} for {role} is not numeric in {len(wrong)} rows ({shown_cells}); clean it or choose another column."
        )
    if unclear:
        raise DataError(f"Column {shown(name)} for {role}, {unclear.replace('{...:', '{' + repr(role) + ':')}.")
    return values


def _unmasked(column: Any) -> np.ndarray:
    """An array with NaN where a mask hides what is not measured."""
    if isinstance(column, np.ma.MaskedArray):
        if column.dtype.kind in "fiub":
            return np.ma.filled(column.astype(np.float64), np.nan)
        held = np.asarray(column.data).astype(object)
        held[np.ma.getmaskarray(column)] = None
        return held
    try:
        return np.asarray(column)
    except (ValueError, TypeError):
        return np.asarray(list(column), dtype=object)


def _curves(array: np.ndarray, role: str, name: str) -> np.ndarray:
    """Curves of any lengths, as objects."""
    out = np.empty(len(array), dtype=object)
    for i, cell in enumerate(array):
        try:
            out[i] = None if cell is None else np.asarray([np.nan if v is None else v for v in cell], dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise DataError(f"Column {shown(name)} for {role}, row {i}: {shown(cell)} is no list of numbers; give every row one.") from None
    return out


def _pad(column: np.ndarray, role: str) -> tuple[np.ndarray, np.ndarray]:
    """Ragged curves as one padded (n, T) array and its mask."""
    lengths = [0 if v is None else np.size(v) for v in column]
    if 0 in lengths or any(np.ndim(v) != 1 for v in column):
        raise DataError(
            f"Column {role!r}: row {lengths.index(0) if 0 in lengths else 0} is not a curve; every row needs a list of numbers."
        )
    padded = np.stack([np.pad(v, (0, max(lengths) - len(v)), mode="edge") for v in column])
    return padded, np.arange(max(lengths)) < np.asarray(lengths)[:, None]
