"""Parquet and Feather, by way of pyarrow."""

from __future__ import annotations

import io
from typing import Any

from ....core.errors import DataError
from ..content import Content, Format, said


def _read(content: Content, module: str, end: bytes) -> dict[str, list[Any]]:
    try:
        import pyarrow
        from pyarrow import feather, parquet
    except ImportError as error:
        raise DataError(f"Reading {content.path} needs pyarrow; install scalejax[pandas].") from error
    read = parquet.read_table if module == "parquet" else feather.read_table
    try:
        return read(io.BytesIO(content.data)).to_pydict()
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        cut = "is the file complete?" if not content.data.endswith(end) else "write it again with a current pyarrow."
        raise DataError(f"Cannot read {content.path}: {said(error)}; {cut}") from error


PARQUET = Format(
    "parquet",
    (".parquet", ".pq"),
    lambda content: content.data.startswith(b"PAR1"),
    lambda content: _read(content, "parquet", b"PAR1"),
)
FEATHER = Format(
    "feather",
    (".feather", ".arrow", ".ipc"),
    lambda content: content.data.startswith((b"ARROW1", b"FEA1")),
    lambda content: _read(content, "feather", content.data[:6].rstrip(b"\0")),
)
