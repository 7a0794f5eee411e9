"""Tables as text: commas, semicolons, tabs, bars or blanks between columns, decimal points or commas, comment lines."""

from __future__ import annotations

import csv
import re
import threading
from typing import Any

from ....core.errors import DataError
from ..content import Content, Format, shown

_BLANKS = " "
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", _BLANKS: "blanks"}
_POINT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf|infinity)", re.IGNORECASE)
_COMMA = re.compile(r"[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+([eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}([.,]\d{3})+")
_SEP = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)  # how Excel names the separator in the first line
_CELL = threading.Lock()
Lines = list[tuple[int, str]]  # with their numbers in the file
Rows = list[tuple[int, list[str]]]


def _recognises(content: Content) -> bool:
    """Only where several columns agree: any text is a table of one column."""
    if content.binary or content.suffix in FORMAT.suffixes:
        return False
    lines, _ = _without_comments(content)
    return len(lines) > 1 and _agreement(lines, _separator(lines, content.suffix))[0] == 1.0


def _read(content: Content) -> dict[str, list[Any]]:
    lines, comment = _without_comments(content)
    named_by = _SEP.fullmatch(lines[0][1]) if lines else None
    lines = lines[1:] if named_by else lines
    if len(lines) < 2 and not (comment and lines):
        raise DataError(f"{content.path} has no rows; it needs a line of column names and one line a run.")
    separator = named_by[1] if named_by else _separator(lines, content.suffix)
    rows = _split(lines, separator)
    if not rows or (len(rows) < 2 and not comment):
        raise DataError(f"{content.path} has no rows; it needs a line of column names and one line a run.")
    header = [name.strip() for name in rows[0][1]]
    named = _split([comment], separator)[0][1] if comment else []
    if any(map(_is_number, header)) and len(named) == len(header):  # numpy.savetxt(header=...)
        header = [name.strip() for name in named]
    elif all(map(_is_number, header)):
        raise DataError(
            f"{content.path}, line {rows[0][0]}: numbers where column names are needed; add a first line that names the columns."
        )
    else:
        rows = rows[1:]
    if rows and all(len(row) == len(header) + 1 for _, row in rows):  # R's write.table and pandas' to_string leave the index unnamed
        header = ["", *header]
    twice = [name for i, name in enumerate(header) if name in header[:i]]
    if twice:
        raise DataError(f"{content.path} has the column {shown(twice[0])} twice; give every column a name of its own.")
    _check_lengths(content, rows, len(header), separator)
    columns = {name: [row[i].strip() for _, row in rows] for i, name in enumerate(header)}
    columns = {name: column for name, column in columns.items() if name or any(column)}
    return _with_points(columns, separator)


def _without_comments(content: Content) -> tuple[Lines, tuple[int, str] | None]:
    """Lines that hold something and are no comments, and the last comment before them, which may be a header."""
    numbered = [(i, line) for i, line in enumerate(content.lines, start=1) if line.strip()]
    lines = [(i, line) for i, line in numbered if not line.lstrip().startswith("#")]
    before = [(i, line.lstrip().lstrip("#").lstrip(" ")) for i, line in numbered if lines and i < lines[0][0]]
    return lines, before[-1] if before else None


def _split(lines: Lines, separator: str) -> Rows:
    """Cells of the rows that hold any; a quoted cell may go over several lines, and then its row has the number of the last."""
    if separator == _BLANKS:
        return [(i, line.split()) for i, line in lines]
    with _CELL:  # the limit of a cell's length is one for the whole process
        limit = csv.field_size_limit(max(csv.field_size_limit(), sum(len(line) for _, line in lines) + 1))
        try:
            reader = csv.reader((line for _, line in lines), delimiter=separator)
            rows = [(lines[reader.line_num - 1][0], row) for row in reader]
        finally:
            csv.field_size_limit(limit)
    return [(i, row) for i, row in rows if any(cell.strip() for cell in row)]


def _separator(lines: Lines, suffix: str) -> str:
    """The separator that splits the first lines most evenly, and then into most numbers."""
    usual = "\t" if suffix == ".tsv" else ","
    order = [usual, *(s for s in _SEPARATORS if s != usual)]
    best = max(order, key=lambda s: _agreement(lines, s))  # the first of equals
    return best if _agreement(lines, best)[0] else usual


def _agreement(lines: Lines, separator: str) -> tuple[float, float]:
    """Share of the first lines with as many cells as the header, 0 for one column, and share of cells that are numbers."""
    (_, header), *rows = _split(lines[:50], separator) or [(0, [])]
    if len(header) < 2:
        return 0.0, 0.0
    fits = [row for _, row in rows if len(_trimmed(row, len(header))) in (len(header), len(header) + 1)]
    cells = [cell for row in fits for cell in row if cell.strip()]
    return len(fits) / max(len(rows), 1), sum(map(_is_number, cells)) / max(len(cells), 1)


def _trimmed(row: list[str], width: int) -> list[str]:
    """Without the empty cells that separators at the end of a line make."""
    return row[:width] if len(row) > width and not any(cell.strip() for cell in row[width:]) else row


def _check_lengths(content: Content, rows: Rows, width: int, separator: str) -> None:
    for k, (line, row) in enumerate(rows):
        if len(_trimmed(row, width)) != width:
            cut = k == len(rows) - 1 and len(row) < width
            advice = "is the file complete?" if cut else f"put cells that hold a {_SEPARATORS.get(separator, separator)} in quotes."
            raise DataError(f"{content.path}, line {line}: {len(row)} values for {width} columns; {advice}")


def _is_number(cell: str) -> bool:
    return bool(_POINT.fullmatch(cell.strip()) or _COMMA.fullmatch(cell.strip()))


def _with_points(columns: dict[str, list[str]], separator: str) -> dict[str, list[str]]:
    """Decimal commas as points, if the whole table speaks for them: some cells have one, and none has a decimal point."""
    cells = [cell for column in columns.values() for cell in column]
    commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
    if separator == "," or (separator != ";" and all(_THOUSANDS.fullmatch(cell) for cell in commas)):
        return columns
    if any("." in cell and _POINT.fullmatch(cell) and not _THOUSANDS.fullmatch(cell) for cell in cells):
        return columns
    return {name: [_pointed(cell) for cell in column] for name, column in columns.items()}


def _pointed(cell: str) -> str:
    decimal, grouped = _COMMA.fullmatch(cell), _THOUSANDS.fullmatch(cell)
    return cell.replace(".", "").replace(",", ".") if decimal or grouped else cell


FORMAT = Format("csv", (".csv", ".tsv", ".txt", ".dat", ".tab"), _recognises, _read)
