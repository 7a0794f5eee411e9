"""Columns of whatever holds a table: rows, columns, and the orients in which pandas writes json."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...core.errors import DataError

# Names by which columns are told from runs where nobody said what to look for.
_USUAL = frozenset({"N", "D", "C", "loss", "val_loss", "train_loss", "params", "tokens", "flops", "step", "lr"})

_DEEPEST = 50  # mappings in each other


def oriented(table: Mapping[Any, Any] | list[Any], where: str, wanted: Collection[str] = ()) -> dict[str, Any]:
    """Columns by name.

    Args:
        table: a mapping of columns; a list of rows; a mapping of mappings, of columns by row or of rows by run; or what
            `DataFrame.to_json` writes with orient "split" or "table".
        where: the source, for messages.
        wanted: column names that are looked for; they tell runs from columns in a mapping of mappings.

    Raises:
        DataError: if the rows have no names, or are no rows.
    """
    if isinstance(table, list):
        return _from_rows(table, where)
    values = list(table.values())
    data = table.get("data")
    if isinstance(table.get("columns"), list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        return _from_cells(table["columns"], data, where)
    if isinstance(table.get("schema"), Mapping) and isinstance(data, list):
        columns = _from_rows(data, where)
        return {name: column for name, column in columns.items() if name != "index" or table["schema"].get("primaryKey") != ["index"]}
    held = [value for value in values if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value)]
    if len(held) == 1 and all(value is held[0] or not hasattr(value, "__len__") or isinstance(value, str) for value in values):
        return _from_rows(held[0], where)  # {"runs": [...]}
    if values and all(isinstance(value, Mapping) for value in values):
        if len(values) == 1 and values[0] and all(isinstance(value, Mapping) for value in values[0].values()):
            return oriented(values[0], where, wanted)  # {"runs": {"a": {...}}}
        return _from_mappings({str(k): v for k, v in table.items()}, where, wanted)
    return {str(name): column for name, column in table.items()}


def _from_rows(rows: list[Any], where: str) -> dict[str, list[Any]]:
    if not rows:
        raise DataError(f"{where} has no rows; give at least one run.")
    if all(isinstance(row, list) for row in rows):
        return _from_cells(rows[0], rows[1:], where)
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(f"Row {i} of {where} is a {type(row).__name__}; every row must map column names to values.")
    level = [flat(row) for row in rows]
    names = dict.fromkeys(name for row in level for name in row)
    return {name: [row.get(name) for row in level] for name in names}


def _from_cells(header: list[Any], rows: list[list[Any]], where: str) -> dict[str, list[Any]]:
    if not all(isinstance(name, str) for name in header):
        raise DataError(f"{where} holds rows without column names; write it with the names, such as DataFrame.to_json(orient='records').")
    if not rows:
        raise DataError(f"{where} has no rows; give at least one run.")
    uneven = [i for i, row in enumerate(rows) if len(row) != len(header)]
    if uneven:
        raise DataError(f"Row {uneven[0]} of {where} has {len(rows[uneven[0]])} values for {len(header)} columns.")
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def _from_mappings(table: dict[str, Mapping[Any, Any]], where: str, wanted: Collection[str]) -> dict[str, list[Any]]:
    """Columns by row label as pandas writes them, or runs by name."""
    inner = dict.fromkeys(str(name) for row in table.values() for name in row)
    if _outer_are_columns(table, inner, wanted or _USUAL):
        by_label = {name: {str(k): v for k, v in column.items()} for name, column in table.items()}
        return {name: [column.get(label) for label in inner] for name, column in by_label.items()}
    columns = _from_rows(list(table.values()), where)
    return columns if "run" in columns or _numbered(table) else {"run": list(table), **columns}


def _outer_are_columns(outer: Collection[str], inner: Collection[str], wanted: Collection[str]) -> bool:
    found = [len(set(wanted) & set(names)) for names in (outer, inner)]
    if found[0] != found[1]:
        return found[0] > found[1]
    return _numbered(inner) and not _numbered(outer)


def _numbered(names: Collection[str]) -> bool:
    return all(name.lstrip("-").isdigit() for name in names)


def flat(row: Mapping[Any, Any], before: str = "") -> dict[str, Any]:
    """Mappings within a row, such as a configuration, under names with dots."""
    if before.count(".") > _DEEPEST:
        raise DataError(f"A row is nested more than {_DEEPEST} mappings deep ({before[:40]}...); write a flat table.")
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found
