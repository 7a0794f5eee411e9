"""JSON and JSON lines."""

from __future__ import annotations

import json
from typing import Any

from ....core.errors import DataError
from ..content import Content, Format, said

_LINES = (".jsonl", ".ndjson")


def _recognises(content: Content) -> bool:
    """Does a text begin as JSON does, and is its first line or the whole of it JSON?"""
    if content.binary or not content.text.lstrip().startswith(("{", "[")):
        return False
    if content.json is not None:
        return True
    try:
        return isinstance(json.loads(content.text.lstrip().split("\n", 1)[0]), dict | list)
    except (ValueError, RecursionError):
        return False


def _read(content: Content) -> Any:
    lines = [(i, line) for i, line in enumerate(content.lines, start=1) if line.strip()]
    if content.suffix not in _LINES:
        found, error = _loaded(content.text)
        if isinstance(error, json.JSONDecodeError) and error.msg.startswith("Extra data"):
            pass  # one value a line
        elif error is not None:
            raise _damaged(content, error, len(content.text.rstrip())) from error
        elif not isinstance(found, dict | list):
            raise DataError(f"{content.path} holds a {type(found).__name__}; it needs a mapping of columns or a list of rows.")
        else:
            return found
    rows: list[Any] = []
    for i, line in lines:
        row, error = _loaded(line)
        if error is not None:
            if not rows and len(lines) > 1 and line.strip()[0] in "[{" and isinstance(error, json.JSONDecodeError):
                return _read(Content(content.path, "whole.json", content.data))  # one value over many lines
            raise _damaged(content, error, len(line.rstrip()) if i == lines[-1][0] else None, i) from error
        rows.append(row)
    if len(rows) == 1 and isinstance(rows[0], list):
        return rows[0]
    return rows


def _loaded(text: str) -> tuple[Any, Exception | None]:
    try:
        return json.loads(text), None
    except (ValueError, RecursionError) as error:
        return None, error


def _damaged(content: Content, error: Exception, end: int | None, line: int | None = None) -> DataError:
    """The end is where a text that was cut off stops making sense, or an open quote near it."""
    if not isinstance(error, json.JSONDecodeError):  # an integer of thousands of digits
        what = "its values are nested too deep" if isinstance(error, RecursionError) else said(error)
        return DataError(f"Cannot read {content.path}{f', line {line}' if line else ''}: {what}; write a flat table.")
    cut = end is not None and (error.pos >= end - 5 or error.msg.startswith("Unterminated"))
    advice = "is the file complete?" if cut else "correct that line."
    return DataError(f"Cannot read {content.path}, line {line or error.lineno}: {error.msg} at character {error.colno}; {advice}")


FORMAT = Format("json", (".json", *_LINES), _recognises, _read)
