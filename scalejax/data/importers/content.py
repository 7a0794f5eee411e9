"""The bytes of a file and what they say of its encoding; what a format is; what trackers log."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ...core.errors import DataError

# UTF-32 before UTF-16, whose mark begins like it.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@dataclass(frozen=True)
class Content:
    """A file that was read.

    Attributes:
        path: where it lies, for messages.
        name: its name without the suffixes of archives.
        data: its bytes.
    """

    path: Path
    name: str
    data: bytes

    @property
    def suffix(self) -> str:
        """Its suffix in lower case, "" if it has none."""
        return Path(self.name).suffix.lower()

    @property
    def binary(self) -> bool:
        """Is this no text, as far as its first bytes show?"""
        return b"\0" in self.data[:4096] and _encoding(self.data) is None

    @cached_property
    def text(self) -> str:
        """The text: by its mark, else UTF-8 or UTF-16 by its zeros, else Latin-1 as Windows extends it."""
        if self.binary:
            raise DataError(f"Cannot read {self.path}: it is a binary file of no known kind; save the table as .csv, .jsonl or .parquet.")
        mark, encoding = _encoding(self.data) or (b"", "utf-8")
        body = self.data[len(mark) :]
        try:
            return body.decode(encoding)
        except UnicodeDecodeError as error:
            if encoding != "utf-8" or mark:
                raise DataError(f"Cannot read {self.path}: {said(error)}; is the file complete?") from error
            return body.decode("cp1252", errors="replace")

    @cached_property
    def lines(self) -> list[str]:
        """The text in lines with their ends, which are carriage returns and newlines only: cells may hold other separators of Unicode."""
        return _LINE.findall(self.text)

    @cached_property
    def json(self) -> Any:
        """The text as one value of JSON, None if it is none."""
        if self.binary or not self.text.lstrip().startswith(("{", "[")):
            return None
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, eq=False)
class Format:
    """A kind of file.

    Attributes:
        name: what `format=` calls it.
        suffixes: those that files of this kind usually have.
        recognises: does the content show this kind, whatever its suffix?
        read: what the content holds.
    """

    name: str
    suffixes: tuple[str, ...]
    recognises: Callable[[Content], bool]
    read: Callable[[Content], Any]


@dataclass(frozen=True, eq=False)
class FolderFormat:
    """A kind of folder: `recognises` and `read` are as those of `Format`, of a path."""

    name: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path], Any]


@dataclass(frozen=True, eq=False)
class Logged:
    """What trackers hold: a row an observation, with the columns "run" and, if known, "step" and "state".

    Attributes:
        columns: name to cells, None where a row does not hold it.
    """

    columns: Mapping[str, Sequence[Any]]


@dataclass
class LoggedRun:
    """One run as a tracker holds it.

    Attributes:
        name: of the run.
        rows: what was logged, "step" included.
        config: what is constant, by names with dots.
        state: such as "finished" or "crashed", "" if nobody says.
    """

    name: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    state: str = ""


def logged(runs: Iterable[LoggedRun], where: object) -> Logged:
    """One long table of the runs, their constants in every row; a constant with the name of a metric is called "config.<name>".

    Runs of one name get numbers, "name (2)".

    Raises:
        DataError: if there are none.
    """
    runs = list(runs)
    if not runs:
        raise DataError(f"{where} holds no runs; give the folder or file that the training program wrote.")
    metrics = dict.fromkeys(name for run in runs for row in run.rows for name in row)
    constants = {name: f"config.{name}" if name in metrics or name in ("run", "state") else name for run in runs for name in run.config}
    states = {"state": None} if any(run.state for run in runs) else {}
    columns: dict[str, list[Any]] = {name: [] for name in {"run": None, **states, **dict.fromkeys(constants.values()), **metrics}}
    seen: dict[str, int] = {}
    for run in runs:
        seen[run.name] = seen.get(run.name, 0) + 1
        name = run.name if seen[run.name] == 1 else f"{run.name} ({seen[run.name]})"
        fixed = {"run": name, "state": run.state or None, **{constants[key]: value for key, value in run.config.items()}}
        rows = run.rows or [{}]
        for key, column in columns.items():
            if key in metrics and key not in ("run", "state"):
                column.extend(row.get(key) for row in rows)
            else:
                column.extend([fixed.get(key)] * len(rows))
    return Logged(columns)


def said(error: BaseException) -> str:
    """What an error of another library says, in one line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."


def shown(value: object) -> str:
    """A cell for a message, in one line of bounded length."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _encoding(data: bytes) -> tuple[bytes, str] | None:
    """Mark and encoding, None where nothing but UTF-8 or an eight-bit code is likely."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return mark, encoding
    head = data[:4096]
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros, others = head[first::2], head[1 - first :: 2]
        if len(head) > 3 and zeros.count(0) > 0.9 * len(zeros) and not others.count(0):
            return b"", encoding
    return None
