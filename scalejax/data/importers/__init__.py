"""File formats of tables, one a file, recognised by content first and by suffix second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...core.errors import DataError, suggest
from . import arrow, delimited, json_text, logs, numpy_files, refused
from .content import Content
from .packed import unpacked

# In the order in which they are asked whether the content is theirs.
FORMATS = (arrow.PARQUET, arrow.FEATHER, numpy_files.FORMAT, *refused.FORMATS, json_text.FORMAT, logs.FORMAT, delimited.FORMAT)


def read_file(path: Path) -> Any:
    """What a file holds: columns by name, rows, or what json nests; `oriented` makes columns of all of them.

    Raises:
        DataError: one sentence that names the file and says what to do.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the path of a table in it.")
    if not path.is_file():
        folder = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"There is no file {path}; " + (suggest(path.name, folder) if folder else "check the folder."))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}; check that you may read it.") from error
    content = unpacked(Content(path, path.name, data))
    for form in FORMATS:
        if form.recognises(content):
            return form.read(content)
    for form in FORMATS:
        if content.suffix in form.suffixes:
            return form.read(content)
    known = ", ".join(suffix for form in FORMATS if form not in refused.FORMATS for suffix in form.suffixes[:2])
    raise DataError(f"Cannot read {path}: {content.suffix or 'no ending'} is not known and the content is not a table; use {known}.")
