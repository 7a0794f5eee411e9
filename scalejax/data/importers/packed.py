"""Archives around one file: gzip, bzip2, xz and zip."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path

from ...core.errors import DataError
from .content import Content

_PACKED = {
    ".gz": (b"\x1f\x8b", gzip.decompress),
    ".bz2": (b"BZh", bz2.decompress),
    ".xz": (b"\xfd7zXZ\0", lzma.decompress),
}
ZIP = b"PK\x03\x04"


def unpacked(content: Content) -> Content:
    """The file within, recognised by its first bytes or by the suffix; anything else as it is."""
    for suffix, (magic, unpack) in _PACKED.items():
        if content.data.startswith(magic) or content.suffix == suffix:
            name = content.name[: -len(suffix)] if content.suffix == suffix else content.name
            try:
                return Content(content.path, name, unpack(content.data))
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise DataError(f"Cannot read {content.path}: {error}; is the file complete?") from error
    if content.suffix == ".zip":
        return _only_member(content)
    return content


def members(content: Content) -> list[str]:
    """Names of the files in a zip archive, none if it is not an archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content.data)) as archive:
            return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    except zipfile.BadZipFile:
        return []


def _only_member(content: Content) -> Content:
    try:
        with zipfile.ZipFile(io.BytesIO(content.data)) as archive:
            names = members(content)
            if len(names) != 1:
                raise DataError(f"{content.path} holds {len(names)} files ({', '.join(names[:4])}); unpack it and give the path of one.")
            return unpacked(Content(content.path, Path(names[0]).name, archive.read(names[0])))
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, RuntimeError) as error:
        raise DataError(f"Cannot read {content.path}: {error}; is the file complete?") from error
