"""The bytes of a file and what they say of its encoding; what a format is."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass
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
                raise DataError(f"Cannot read {self.path}: {error}; is the file complete?") from error
            return body.decode("cp1252", errors="replace")


@dataclass(frozen=True, eq=False)
class Format:
    """A kind of file.

    Attributes:
        suffixes: those that files of this kind usually have.
        recognises: does the content show this kind, whatever its suffix?
        read: what the content holds.
    """

    suffixes: tuple[str, ...]
    recognises: Callable[[Content], bool]
    read: Callable[[Content], Any]


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
