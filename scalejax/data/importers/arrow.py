"""Parquet and Feather, by way of pyarrow."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from ...core.errors import DataError
from .content import Content, Format


def _read(content: Content, table: Callable[[io.BytesIO], Any], end: bytes) -> dict[str, list[Any]]:
    from pyarrow import ArrowException

    try:
        return table(io.BytesIO(content.data)).to_pydict()
    except (ArrowException, OSError) as error:
        cut = "is the file complete?" if not content.data.endswith(end) else "write it again with a current pyarrow."
        raise DataError(f"Cannot read {content.path}: {error}; {cut}") from error


def _parquet(content: Content) -> dict[str, list[Any]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(f"Reading {content.path} needs pyarrow; install scalejax[pandas].") from error
    return _read(content, parquet.read_table, b"PAR1")


def _feather(content: Content) -> dict[str, list[Any]]:
    try:
        from pyarrow import feather
    except ImportError as error:
        raise DataError(f"Reading {content.path} needs pyarrow; install scalejax[pandas].") from error
    return _read(content, feather.read_table, content.data[:6].rstrip(b"\0"))


PARQUET = Format((".parquet", ".pq"), lambda content: content.data.startswith(b"PAR1"), _parquet)
FEATHER = Format((".feather", ".arrow", ".ipc"), lambda content: content.data.startswith((b"ARROW1", b"FEA1")), _feather)
