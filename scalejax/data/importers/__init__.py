"""File formats of tables and of training programs' logs, one a file, recognised by content first and by suffix second."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...core.errors import DataError, suggest
from ...core.progress import Progress
from .binary import arrow, excel, numpy_files
from .content import Content, FolderFormat, Format
from .folder import read_files
from .packed import unpacked
from .refused import FORMATS as REFUSED
from .text import delimited, json_text, logs, markdown
from .trackers import lm_eval, mlflow_store, tensorboard, trainer_state, wandb_api, wandb_file

# In the order in which they are asked whether the content is theirs.
FORMATS: tuple[Format, ...] = (
    *REFUSED, arrow.PARQUET, arrow.FEATHER, numpy_files.FORMAT, excel.FORMAT, tensorboard.FORMAT, wandb_file.FORMAT, mlflow_store.FORMAT,
    trainer_state.FORMAT, lm_eval.FORMAT, json_text.FORMAT, markdown.FORMAT, logs.FORMAT, delimited.FORMAT,
)  # fmt: skip
FOLDERS = (
    FolderFormat("mlflow", mlflow_store.holds, mlflow_store.read_folder),
    FolderFormat("wandb", wandb_file.holds, wandb_file.read_folder),
    FolderFormat("tensorboard", tensorboard.holds, tensorboard.read_folder),
)
NAMES = tuple(form.name for form in FORMATS if form not in REFUSED)
_LONGEST = 4096  # characters of a path, beyond which a text is no path


def read_source(source: Any, form: str | None = None, progress: bool | Progress | None = None) -> Any:
    """What a file, a folder or an open file holds: columns by name, rows, what json nests, or `Logged` runs.

    Args:
        source: path of a file or folder, "wandb:entity/project", or an object with `read`.
        form: name of its format; None finds it.
        progress: see `reporter`.

    Raises:
        DataError: one sentence that names the file and says what to do.
    """
    if form is not None and form not in NAMES:
        raise DataError(f"format={form!r} is unknown; {suggest(form, NAMES)}")
    if hasattr(source, "read"):
        data = source.read()
        name = Path(str(getattr(source, "name", "the open file")))
        return read_content(Content(name, name.name, data.encode() if isinstance(data, str) else bytes(data)), form)
    text = os.fspath(source)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if text.startswith("wandb:"):
        return wandb_api.read(text, progress)
    _check(text)
    path = Path(text)
    if path.is_dir():
        wanted = [folder for folder in FOLDERS if form in (None, folder.name) and folder.recognises(path)]
        if wanted:
            return wanted[0].read(path)
        return read_files(path, lambda file: read_file(file, form), progress)
    return read_file(path, form)


def _check(text: str) -> None:
    """Refuse a text that is no path."""
    if "://" in text[:12]:
        raise DataError(f"{text[:80]!r} is an address; download the file and give its path.")
    if "\n" in text or "\0" in text or len(text) > _LONGEST or any(len(os.fsencode(part)) > 255 for part in text.split(os.sep)):
        raise DataError(f"{text[:40]!r}... is no path; to read a table that is a text, pass io.StringIO(text).")


def read_file(path: Path, form: str | None = None) -> Any:
    """What one file holds; see `read_source`."""
    if not path.is_file():
        folder = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        near = suggest(path.name, folder)
        raise DataError(f"There is no file {path}; " + (near if near.startswith("did") else "check the folder."))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}; check that you may read it.") from error
    return read_content(Content(path, path.name, data), form)


def read_content(content: Content, name: str | None = None) -> Any:
    """What the bytes of a file hold; see `read_source`."""
    content = unpacked(content)
    if name is not None:
        return next(form for form in FORMATS if form.name == name).read(content)
    for form in FORMATS:
        if form.recognises(content):
            return form.read(content)
    for form in FORMATS:
        if content.suffix in form.suffixes:
            return form.read(content)
    known = ", ".join(suffix for form in FORMATS if form not in REFUSED for suffix in form.suffixes[:2])
    raise DataError(
        f"Cannot read {content.path}: {content.suffix or 'no ending'} is not known and the content is not a table; use {known}."
    )
