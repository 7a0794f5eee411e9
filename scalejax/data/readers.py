"""Reading a table of runs: csv, jsonl, json, parquet, any dataframe or mapping, with declared roles and honest flags."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..core.checks import NUMERIC, POSITIVE, remarks, rows_text, unusable
from ..core.errors import DataError, DataWarning, suggest, warn
from ..core.runs import Flag, Runs
from .importers import read_file
from .importers.orient import oriented

Role = str | float | Sequence[str] | np.ndarray | Callable[[Mapping[str, np.ndarray]], np.ndarray]
OnBad = Literal["raise", "flag", "drop"]


def read_runs(table: Any, *, on_bad: OnBad = "raise", scale: Mapping[str, float] | None = None, **roles: Role) -> Runs:
    """Read a table of training runs and check it.

    Args:
        table: path of a file: text with any separator and encoding (.csv, .tsv, .txt), .json in any orient of pandas, .jsonl, .parquet,
            .feather, .npz or a console log, also packed (.gz, .bz2, .xz, .zip); a dataframe (pandas, polars, pyarrow or anything with
            `to_dict`); a mapping of columns, or of run names to their values; or a list of row mappings.
        on_bad: what to do with rows that hold NaN or infinite values in a column that a role names: "raise" an error, "flag" them (kept,
            left out of fits) or "drop" them (removed, counted in the flags). Without roles this concerns the columns that laws know (N,
            D, C, loss, ...); a gap in any other column counts once a fit uses it. Zeros and negatives in these columns are flagged:
            fits leave such rows out unless their law, and `on="linear"`, can take them.
        scale: factors, such as {"N": 1e9} for a column in billions.
        **roles: what the law calls it = what the table calls it: a column name, a list of columns for a vector (mixture weights), a number
            for all rows, an array, or a function of the columns. Without roles all columns are taken as they are. The role `weight`
            weighs the runs in every fit; a column of that name does not unless it is asked for.

    Returns:
        Runs: float64 columns named by role. Suspicious rows are in `.flags`, and shown by `print(runs)` and every report.

    Raises:
        DataError: one sentence saying what is wrong, in which column and rows, and what to do.

    Example:
        >>> import scalejax as sj
        >>> table = {"params": [1e8, 1e9], "flops": [6e18, 6e20], "val_loss": [3.0, 2.5]}
        >>> sj.read_runs(table, N="params", D=lambda t: t["flops"] / (6 * t["params"]), loss="val_loss")
        2 runs: N 1e+08 to 1e+09, D 1e+10 to 1e+11, loss 2.5 to 3
    """
    if on_bad not in ("raise", "flag", "drop"):
        raise DataError(f"on_bad={on_bad!r} is unknown; {suggest(on_bad, ['raise', 'flag', 'drop'])}")
    columns, masks = read_columns(table, roles)
    for name, factor in (scale or {}).items():
        if name not in columns:
            raise DataError(f"scale names {name!r}, which is not a column; {suggest(name, columns)}")
        columns[name] = columns[name] * float(factor)
    weighted_by = "weight" if "weight" in roles else ""
    if weighted_by and (columns["weight"] < 0).any():
        raise DataError(f"Column 'weight' is negative in {rows_text(np.flatnonzero(columns['weight'] < 0))}; weights must be 0 or more.")
    return _apply(Runs(columns, masks, weighted_by=weighted_by), frozenset(roles), on_bad)


def read_columns(table: Any, roles: Mapping[str, Role]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Columns by role, all of them without roles, and the masks of those that hold curves; nothing is checked but their form."""
    named = [[spec] if isinstance(spec, str) else spec for spec in roles.values() if isinstance(spec, str | list | tuple)]
    raw = read_table(table, {name for names in named for name in names if isinstance(name, str)})
    rows = _rows(raw)
    columns: dict[str, np.ndarray] = {}
    masks: dict[str, np.ndarray] = {}
    for role, spec in (roles or {name: name for name in raw}).items():
        column = _resolve(role, spec, raw, rows, text_allowed=not roles)
        if column.dtype == object:
            column, masks[role] = _pad(column, role)
        columns[role] = column
    return columns, masks


def read_table(table: Any, wanted: Collection[str] = ()) -> dict[str, np.ndarray | list[Any]]:
    """Columns of any kind of table, as they are; `wanted` names tell columns from runs where both are keys."""
    if isinstance(table, Runs):
        return dict(table.columns)
    if isinstance(table, str | os.PathLike):
        return oriented(read_file(Path(table)), str(table), wanted)
    if isinstance(table, Mapping):
        return oriented(table, "the mapping", wanted)
    if isinstance(table, np.ndarray) and table.dtype.names:
        return {name: table[name] for name in table.dtype.names}
    if isinstance(table, Sequence):
        return oriented(list(table), "the list of rows", wanted)
    for method, argument in (("to_pydict", None), ("to_dict", "list")):
        if hasattr(table, method):
            try:
                return dict(getattr(table, method)(*([argument] if argument else [])))
            except TypeError:
                return {str(k): np.asarray(v) for k, v in getattr(table, method)().items()}
    raise DataError(f"Cannot read runs from a {type(table).__name__}; give a path, a dataframe, a mapping of columns or a list of rows.")


def numbers(raw: Mapping[str, Any], roles: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The columns of these roles as float64, NaN where they are empty.

    Raises:
        DataError: if a column is missing or holds text.
    """
    rows = _rows(raw)
    return {role: _resolve(role, name, raw, rows, numeric=True) for role, name in roles.items()}


def _rows(raw: Mapping[str, Any]) -> int:
    lengths = {name: len(column) for name, column in raw.items() if hasattr(column, "__len__") and not isinstance(column, str)}
    if not lengths or set(lengths.values()) == {0}:
        raise DataError("The table of runs is empty; give at least one row.")
    if len(set(lengths.values())) > 1:
        raise DataError(f"The columns have different lengths {lengths}; every column needs one value a run.")
    return next(iter(lengths.values()))


def _resolve(role: str, spec: Role, raw: Mapping[str, Any], rows: int, text_allowed: bool = False, numeric: bool = False) -> np.ndarray:
    """The column that a role stands for: float64, text, or object for ragged curves."""
    if isinstance(spec, str):
        if spec not in raw:
            raise DataError(f"There is no column {spec!r} for {role}; {suggest(spec, raw)}")
        return _numeric(raw[spec], role, spec, text_allowed=not numeric and (text_allowed or role not in NUMERIC))
    if callable(spec):
        table = {name: _numeric(column, name, name, text_allowed=True) for name, column in raw.items()}
        try:
            column = np.asarray(spec(table), dtype=np.float64)
        except KeyError as error:
            raise DataError(f"The function for {role} uses column {error}; {suggest(error.args[0], raw)}") from None
        except TypeError as error:
            text = [name for name, values in table.items() if values.dtype.kind not in "fO"]
            raise DataError(
                f"The function for {role} failed ({error}); these columns hold text: {', '.join(map(repr, text)) or 'none'}."
            ) from None
    elif isinstance(spec, list | tuple) and spec and all(isinstance(name, str) for name in spec):
        parts = [_resolve(name, name, raw, rows) for name in spec]
        text = [name for name, part in zip(spec, parts, strict=True) if part.dtype.kind != "f"]
        if text:
            raise DataError(f"Column {text[0]!r} for {role} is not numeric; a vector needs numbers only.")
        return np.stack(parts, axis=-1)
    else:
        column = _numeric(spec, role, role, text_allowed=role == "group")
    if column.ndim == 0:
        column = np.full(rows, float(column))
    if len(column) != rows:
        raise DataError(f"{role} has {len(column)} values for {rows} runs; give one value a run.")
    return column


def _numeric(column: Any, role: str, name: str, text_allowed: bool) -> np.ndarray:
    """float64 if all entries are numbers (empty and None become NaN), else text or an error that names the rows."""
    array = np.asarray(column, dtype=object) if isinstance(column, list) else np.asarray(column)
    if array.dtype.kind in "fiub":
        return array.astype(np.float64)
    if array.ndim == 1 and any(np.ndim(v) for v in array):
        return np.asarray([None if v is None else np.asarray(v, dtype=np.float64) for v in array] + [None], dtype=object)[:-1]
    values = np.full(array.shape, np.nan)
    wrong = []
    for i, value in np.ndenumerate(array):
        try:
            values[i] = np.nan if value is None or value == "" else float(value)
        except (TypeError, ValueError):
            wrong.append((i[0], value))
    if not wrong:
        return values
    if text_allowed:
        return array.astype(str)
    shown = ", ".join(f"row {i}: {value!r}" for i, value in wrong[:3])
    raise DataError(f"Column {name!r} for {role} is not numeric in {len(wrong)} rows ({shown}); clean it or choose another column.")


def _pad(column: np.ndarray, role: str) -> tuple[np.ndarray, np.ndarray]:
    """Ragged curves as one padded (n, T) array and its mask."""
    lengths = [0 if v is None else np.size(v) for v in column]
    if 0 in lengths or any(np.ndim(v) != 1 for v in column):
        raise DataError(
            f"Column {role!r}: row {lengths.index(0) if 0 in lengths else 0} is not a curve; every row needs a list of numbers."
        )
    padded = np.stack([np.pad(v, (0, max(lengths) - len(v)), mode="edge") for v in column])
    return padded, np.arange(max(lengths)) < np.asarray(lengths)[:, None]


def _apply(runs: Runs, roles: Collection[str], on_bad: OnBad) -> Runs:
    """Raise, exclude or drop the rows with unusable values; warn of the rest.

    Without roles nobody said which columns matter: then only those with the names that laws use decide about rows at once, any other when
    a fit uses it. Whether zeros and negatives can be used is for the fit to decide.
    """
    at_once = roles or POSITIVE
    found = unusable(runs.columns, runs.masks)
    low = [flag for flag in found if flag.code == "not-positive"]
    lost = [flag for flag in found if flag not in low and flag.column in at_once]
    later = [flag for flag in found if flag not in low and flag not in lost] if on_bad != "raise" else []
    gone = _rows_of(lost, len(runs))
    if lost and on_bad == "raise":
        raise DataError(
            f"{lost[0].message} Clean the table, or let read_runs leave such rows out with on_bad='flag' or remove them with on_bad='drop'."
        )
    if gone.all():
        raise DataError(f"No run can be used: {lost[0].message}")
    excluded = gone | _rows_of(low, len(runs))
    odd = remarks(runs.columns, excluded)
    for flag in [*odd, *(low if on_bad == "raise" else [])]:
        warn(flag.message, DataWarning)
    if on_bad == "drop" and lost:
        kept = replace(runs, excluded=excluded, flags=(*low, *later, *odd)).take(np.flatnonzero(~gone))
        return replace(kept, flags=(*(replace(flag, rows=()) for flag in lost), *kept.flags))
    return replace(runs, excluded=excluded, flags=(*lost, *low, *later, *odd))


def _rows_of(flags: Sequence[Flag], rows: int) -> np.ndarray:
    """(rows,) which rows the flags concern."""
    concerned = np.zeros(rows, bool)
    for flag in flags:
        concerned[list(flag.rows)] = True
    return concerned
