"""Tables in Markdown, as model cards and papers' repositories show them."""

from __future__ import annotations

import re

from ....core.errors import DataError
from ..content import Content, Format, shown

_RULE = re.compile(r"\s*\|?(\s*:?-{1,}:?\s*\|)+(\s*:?-{1,}:?\s*)?\|?\s*")
_BAR = re.compile(r"(?<!\\)\|")
_MARKS = re.compile(r"(\*\*|__|`|\*)(.+?)\1")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def _recognises(content: Content) -> bool:
    return not content.binary and bool(_tables(content))


def _tables(content: Content) -> list[int]:
    """Indices of the lines of dashes under the names of columns."""
    lines = content.lines
    return [i for i in range(1, len(lines)) if "-" in lines[i] and "|" in lines[i - 1] and _RULE.fullmatch(lines[i].strip("\r\n"))]


def _read(content: Content) -> dict[str, list[str]]:
    rules = _tables(content)
    if len(rules) != 1:
        raise DataError(f"{content.path} holds {len(rules) or 'no'} tables in Markdown, and one is read; keep the one that is meant.")
    at = rules[0]
    header = _cells(content.lines[at - 1])
    twice = [name for i, name in enumerate(header) if name in header[:i]]
    if twice:
        raise DataError(f"{content.path} has the column {shown(twice[0])} twice; give every column a name of its own.")
    rows = []
    for i, line in enumerate(content.lines[at + 1 :], start=at + 2):
        if "|" not in line:
            break
        cells = _cells(line)
        if len(cells) > len(header):
            raise DataError(
                f"{content.path}, line {i}: {len(cells)} cells for {len(header)} columns; write a bar inside a cell with a backslash."
            )
        rows.append(cells + [""] * (len(header) - len(cells)))
    if not rows:
        raise DataError(f"{content.path} has no rows; it needs one line a run under the names of the columns.")
    return {name: [row[k] for row in rows] for k, name in enumerate(header) if name or any(row[k] for row in rows)}


def _cells(line: str) -> list[str]:
    text = line.strip()
    text = text[1:] if text.startswith("|") else text
    text = text[:-1] if text.endswith("|") and not text.endswith("\\|") else text
    return [_plain(cell) for cell in _BAR.split(text)]


def _plain(cell: str) -> str:
    """A cell without emphasis and links."""
    return _MARKS.sub(r"\2", _LINK.sub(r"\1", cell.replace("\\|", "|").strip())).strip()


FORMAT = Format("markdown", (".md", ".markdown"), _recognises, _read)
