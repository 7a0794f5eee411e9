"""JSON and JSON lines."""

from __future__ import annotations

import json
from typing import Any

from ...core.errors import DataError
from .content import Content, Format

_LINES = (".jsonl", ".ndjson")


def _recognises(content: Content) -> bool:
    """Does a text begin as JSON does, and is its first line or the whole of it JSON?"""
    if content.binary or not content.text.lstrip().startswith(("{", "[")):
        return False
    for part in (content.text, content.text.lstrip().split("\n", 1)[0]):
        try:
            return isinstance(json.loads(part), dict | list)
        except ValueError:
            continue
    return False


def _read(content: Content) -> Any:
    text = content.text
    lines = [(i, line) for i, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if content.suffix not in _LINES:
        try:
            loaded = json.loads(text)
        except json.JSONDecodeError as error:
            if not error.msg.startswith("Extra data"):  # else one value a line
                raise _damaged(content, error, len(text.rstrip())) from error
        else:
            if not isinstance(loaded, dict | list):
                raise DataError(f"{content.path} holds a {type(loaded).__name__}; it needs a mapping of columns or a list of rows.")
            return loaded
    rows = []
    for i, line in lines:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if len(rows) == 0 and len(lines) > 1 and line.strip()[0] in "[{":
                return _read(Content(content.path, "whole.json", content.data))  # one value over many lines
            raise _damaged(content, error, len(line.rstrip()) if i == lines[-1][0] else None, i) from error
    if len(rows) == 1 and isinstance(rows[0], list):
        return rows[0]
    return rows


def _damaged(content: Content, error: json.JSONDecodeError, end: int | None, line: int | None = None) -> DataError:
    """The end is where a text that was cut off stops making sense, or an open quote near it."""
    cut = end is not None and (error.pos >= end - 5 or error.msg.startswith("Unterminated"))
    place = f", line {line or error.lineno}"
    advice = "is the file complete?" if cut else "correct that line."
    return DataError(f"Cannot read {content.path}{place}: {error.msg} at character {error.colno}; {advice}")


FORMAT = Format((".json", *_LINES), _recognises, _read)
