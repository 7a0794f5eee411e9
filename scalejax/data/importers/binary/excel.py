"""Excel workbooks, by way of openpyxl."""

from __future__ import annotations

import io
import warnings
from typing import Any

from ....core.errors import DataError
from ..content import Content, Format, said
from ..packed import ZIP, check_members, members

_ELSE = "save the sheet as .csv or .parquet, or pass pandas.read_excel(path)"


def _recognises(content: Content) -> bool:
    return content.data.startswith(ZIP) and any("xl/workbook" in name for name in members(content))


def _read(content: Content) -> dict[str, list[Any]]:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise DataError(f"{content.path} is an Excel workbook (.xlsx), which needs openpyxl; install it, or {_ELSE}.") from None
    if not content.data.startswith(ZIP):
        raise DataError(
            f"{content.path} is no Excel workbook (.xlsx), whatever its name; is the file complete? Tables are .csv or .parquet."
        )
    check_members(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and validations that are not kept
            book = load_workbook(io.BytesIO(content.data), read_only=True, data_only=True)
            sheets = {sheet.title: _rows(sheet) for sheet in book.worksheets}
    except Exception as error:  # openpyxl raises what its parsers raise
        raise DataError(f"{content.path} is an Excel workbook that openpyxl cannot open ({said(error)}); {_ELSE}.") from error
    filled = {name: rows for name, rows in sheets.items() if rows}
    if len(filled) != 1:
        held = f"{len(filled)} sheets ({', '.join(list(filled)[:4])})" if filled else "no cells"
        raise DataError(f"{content.path} holds {held}, and one table is read; {_ELSE} with sheet_name='...'.")
    return _columns(content, next(iter(filled.values())))


def _rows(sheet: Any) -> list[tuple[int, list[Any]]]:
    """Rows that hold something, with their numbers in the sheet."""
    rows = enumerate(sheet.iter_rows(values_only=True), start=1)
    return [(i, list(row)) for i, row in rows if any(cell not in (None, "") for cell in row)]


def _columns(content: Content, rows: list[tuple[int, list[Any]]]) -> dict[str, list[Any]]:
    (line, first), *rest = rows
    if not rest:
        raise DataError(f"{content.path} has no rows; it needs a row of column names and one row a run.")
    used = [i for i in range(max(len(row) for _, row in rows)) if any(len(row) > i and row[i] not in (None, "") for _, row in rows)]
    header = {i: first[i] if len(first) > i else None for i in used}
    for i, name in header.items():
        if not isinstance(name, str) or not name.strip():
            place = f"row {line}, column {i + 1}"
            raise DataError(f"{content.path}, {place}: {name!r} where a column name is needed; name every column in the first row.")
    names = [str(name).strip() for name in header.values()]
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise DataError(f"{content.path} has the column {twice[0]!r} twice; give every column a name of its own.")
    return {name: [row[i] if len(row) > i else None for _, row in rest] for name, i in zip(names, used, strict=True)}


FORMAT = Format("excel", (".xlsx", ".xlsm"), _recognises, _read)
