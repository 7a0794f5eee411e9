"""Reading a table of runs: csv, jsonl, json, parquet, any dataframe or mapping, with declared roles and honest flags."""

from __future__ import annotations

import csv
import gzip
import json
import os
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .checks import NUMERIC, inspect_rows
from .errors import DataError, DataWarning, suggest
from .runs import Flag, Runs

Role = str | float | Sequence[str] | np.ndarray | Callable[[Mapping[str, np.ndarray]], np.ndarray]
OnBad = Literal["raise", "flag", "drop"]


def read_runs(table: Any, *, on_bad: OnBad = "raise", scale: Mapping[str, float] | None = None, **roles: Role) -> Runs:
    """Read a table of training runs and check it.

    Args:
        table: path of a .csv, .tsv, .jsonl, .json (also .gz) or .parquet file; a dataframe (pandas, polars, pyarrow or anything with
            `to_dict`); a mapping of columns; or a list of row mappings.
        on_bad: what to do with rows whose values cannot be used (NaN, infinite, zero or negative): "raise" an error, "flag" them
            (kept, left out of fits) or "drop" them (removed, counted in the flags).
        scale: factors, such as {"N": 1e9} for a column in billions.
        **roles: what the law calls it = what the table calls it: a column name, a list of columns for a vector (mixture weights), a number
            for all rows, an array, or a function of the columns. Without roles all columns are taken as they are.

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
    raw = read_table(table)
    rows = _rows(raw)
    columns: dict[str, np.ndarray] = {}
    masks: dict[str, np.ndarray] = {}
    for role, spec in (roles or {name: name for name in raw}).items():
        column = _resolve(role, spec, raw, rows, text_allowed=not roles)
        if column.dtype == object:
            column, masks[role] = _pad(column, role)
        columns[role] = column
    for name, factor in (scale or {}).items():
        if name not in columns:
            raise DataError(f"scale names {name!r}, which is no column; {suggest(name, columns)}")
        columns[name] = columns[name] * float(factor)
    flags = inspect_rows(columns, masks)
    return _apply(columns, masks, flags, on_bad)


def read_table(table: Any) -> dict[str, np.ndarray | list[Any]]:
    """Columns of any kind of table, as they are."""
    if isinstance(table, Runs):
        return dict(table.columns)
    if isinstance(table, str | os.PathLike):
        return _read_file(Path(table))
    if isinstance(table, Mapping):
        return {str(k): v for k, v in table.items()}
    if isinstance(table, Sequence):
        return _from_rows(list(table), "the list of rows")
    for method, argument in (("to_pydict", None), ("to_dict", "list")):
        if hasattr(table, method):
            try:
                return dict(getattr(table, method)(*([argument] if argument else [])))
            except TypeError:
                return {str(k): np.asarray(v) for k, v in getattr(table, method)().items()}
    raise DataError(f"Cannot read runs from a {type(table).__name__}; give a path, a dataframe, a mapping of columns or a list of rows.")


def _read_file(path: Path) -> dict[str, np.ndarray | list[Any]]:
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the path of a table in it.")
    if not path.is_file():
        folder = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"There is no file {path}; " + (suggest(path.name, folder) if folder else "check the folder."))
    packed = path.suffix.lower() == ".gz"
    kind = Path(path.stem if packed else path.name).suffix.lower()
    try:
        if kind in (".parquet", ".pq"):
            return _read_parquet(path)
        text = (gzip.decompress(path.read_bytes()) if packed else path.read_bytes()).decode("utf-8-sig")
        if kind in (".csv", ".tsv", ".txt"):
            return _read_csv(text, "\t" if kind == ".tsv" else ",", path)
        if kind == ".jsonl":
            return _from_rows([json.loads(line) for line in text.splitlines() if line.strip()], str(path))
        if kind == ".json":
            loaded = json.loads(text)
            if not isinstance(loaded, dict | list):
                raise DataError(f"{path} holds a {type(loaded).__name__}; it needs a mapping of columns or a list of rows.")
            return loaded if isinstance(loaded, dict) else _from_rows(loaded, str(path))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"Cannot read {path}: {error}; is the file complete?") from error
    raise DataError(f"Cannot read {path}: {kind or 'no ending'} is not known; use .csv, .tsv, .jsonl, .json or .parquet.")


def _read_csv(text: str, delimiter: str, path: Path) -> dict[str, list[Any]]:
    rows = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter))
    rows = [row for row in rows if row]
    if len(rows) < 2:
        raise DataError(f"{path} has no rows; it needs a line of column names and one line a run.")
    header = [name.strip() for name in rows[0]]
    twice = [name for i, name in enumerate(header) if name in header[:i]]
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} twice; give every column a name of its own.")
    ragged = [i for i, row in enumerate(rows[1:], start=2) if len(row) != len(header)]
    if ragged:
        raise DataError(f"{path}, line {ragged[0]}: {len(rows[ragged[0] - 1])} values for {len(header)} columns; is the file complete?")
    return {name: [row[i].strip() for row in rows[1:]] for i, name in enumerate(header)}


def _read_parquet(path: Path) -> dict[str, list[Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DataError(f"Reading {path} needs pyarrow; install scalejax[pandas].") from error
    try:
        return parquet.read_table(path).to_pydict()
    except (ArrowException, OSError) as error:
        raise DataError(f"Cannot read {path}: {error}; is the file complete?") from error


def _from_rows(rows: list[Any], where: str) -> dict[str, list[Any]]:
    if not rows:
        raise DataError(f"{where} has no rows; give at least one run.")
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(f"Row {i} of {where} is a {type(row).__name__}; every row must map column names to values.")
    names = dict.fromkeys(str(name) for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _rows(raw: Mapping[str, Any]) -> int:
    lengths = {name: len(column) for name, column in raw.items() if hasattr(column, "__len__") and not isinstance(column, str)}
    if not lengths or set(lengths.values()) == {0}:
        raise DataError("The table of runs is empty; give at least one row.")
    if len(set(lengths.values())) > 1:
        raise DataError(f"The columns have different lengths {lengths}; every column needs one value a run.")
    return next(iter(lengths.values()))


def _resolve(role: str, spec: Role, raw: Mapping[str, Any], rows: int, text_allowed: bool = False) -> np.ndarray:
    """The column that a role stands for: float64, text, or object for ragged curves."""
    if isinstance(spec, str):
        if spec not in raw:
            raise DataError(f"There is no column {spec!r} for {role}; {suggest(spec, raw)}")
        return _numeric(raw[spec], role, spec, text_allowed=text_allowed or role not in NUMERIC)
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
        raise DataError(f"Column {role!r}: row {lengths.index(0) if 0 in lengths else 0} is no curve; every row needs a list of numbers.")
    padded = np.stack([np.pad(v, (0, max(lengths) - len(v)), mode="edge") for v in column])
    return padded, np.arange(max(lengths)) < np.asarray(lengths)[:, None]


def _apply(columns: dict[str, np.ndarray], masks: dict[str, np.ndarray], flags: list[Flag], on_bad: OnBad) -> Runs:
    """Raise, exclude or drop the rows with unusable values; warn of the rest."""
    bad = [flag for flag in flags if flag.excluded]
    rows = np.zeros(len(next(iter(columns.values()))), bool)
    for flag in bad:
        rows[list(flag.rows)] = True
    if bad and on_bad == "raise":
        raise DataError(f"{bad[0].message} Clean the table, or pass on_bad='flag' or on_bad='drop'.")
    if rows.all():
        raise DataError(f"No run can be used: {bad[0].message}")
    for flag in flags:
        if not flag.excluded:
            warnings.warn(flag.message, DataWarning, stacklevel=3)
    runs = Runs(columns, masks, rows, tuple(flags))
    if on_bad == "drop" and rows.any():
        kept = runs.take(np.flatnonzero(~rows))
        return Runs(kept.columns, kept.masks, kept.excluded, (*kept.flags, *(f for f in bad)))
    return runs
