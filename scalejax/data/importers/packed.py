"""Archives around one file, gzip, bzip2, xz and zip, opened up to a bounded size."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ...core.errors import DataError
from .content import Content, said

_PACKED: dict[str, tuple[bytes, Callable[[io.BytesIO], IO[bytes]]]] = {
    ".gz": (b"\x1f\x8b", lambda data: gzip.GzipFile(fileobj=data)),  # type: ignore[dict-item, return-value]
    ".bz2": (b"BZh", bz2.BZ2File),
    ".xz": (b"\xfd7zXZ\0", lzma.LZMAFile),
}
ZIP = b"PK\x03\x04"
# Tables shrink by 2 to 50; what grows more than this when opened, beyond what any machine can hold, is no table.
_RATIO = 200
_ALWAYS = 2**26
DAMAGED = (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError)


def unpacked(content: Content) -> Content:
    """The file within, recognised by its first bytes or by the suffix; anything else as it is."""
    for suffix, (magic, opened) in _PACKED.items():
        if content.data.startswith(magic) or content.suffix == suffix:
            name = content.name[: -len(suffix)] if content.suffix == suffix else content.name
            return Content(content.path, name, _bounded(content, opened(io.BytesIO(content.data))))
    if content.suffix == ".zip":
        names = members(content)
        if len(names) == 1:
            return unpacked(Content(content.path, Path(names[0]).name, member(content, names[0])))
        if not names:
            raise DataError(f"Cannot read {content.path}: it is no zip archive with files in it; is the file complete?")
        raise DataError(f"{content.path} holds {len(names)} files ({', '.join(names[:4])}); unpack it and give the path of one.")
    return content


def members(content: Content) -> list[str]:
    """Names of the files in a zip archive, none if it is not an archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content.data)) as archive:
            return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    except DAMAGED:
        return []


def member(content: Content, name: str) -> bytes:
    """One file of a zip archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content.data)) as archive:
            return _bounded(content, archive.open(name))
    except DAMAGED as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"Cannot read {content.path}: {said(error)}; is the file complete?") from error


def check_members(content: Content) -> None:
    """Refuse a zip archive, such as a workbook, whose files together are far larger than a table of its size can be."""
    try:
        with zipfile.ZipFile(io.BytesIO(content.data)) as archive:
            total = sum(info.file_size for info in archive.infolist())
    except DAMAGED as error:
        raise DataError(f"Cannot read {content.path}: {said(error)}; is the file complete?") from error
    if total > _limit(content):
        raise _too_large(content)


def _limit(content: Content) -> int:
    return max(_ALWAYS, _RATIO * len(content.data))


def _bounded(content: Content, file: Any) -> bytes:
    try:
        with file:
            data = file.read(_limit(content) + 1)
    except DAMAGED as error:
        raise DataError(f"Cannot read {content.path}: {said(error)}; is the file complete?") from error
    if len(data) > _limit(content):
        raise _too_large(content)
    return data


def _too_large(content: Content) -> DataError:
    size = len(content.data) / 1e6
    return DataError(
        f"{content.path} ({size:.3g} MB) grows more than {_RATIO} times when it is opened, as no table does; unpack it yourself."
    )
