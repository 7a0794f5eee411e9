"""Messages of protocol buffers, field by field: what TensorBoard and W&B write on disk, read without their packages."""

from __future__ import annotations

import struct
from collections.abc import Iterator

Field = int | bytes


def fields(data: bytes) -> Iterator[tuple[int, Field]]:
    """Number and value of every field: whole numbers, or the bytes of anything else.

    Raises:
        ValueError: if the bytes are no message.
    """
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            size, at = _varint(data, at)
        if size is None or at + size > end or key >> 3 == 0:
            raise ValueError("a field of a message is damaged")
        yield key >> 3, data[at : at + size]
        at += size


def first(data: bytes, number: int) -> bytes:
    """The first field of this number that is no whole number, empty if there is none."""
    return next((value for key, value in fields(data) if key == number and isinstance(value, bytes)), b"")


def every(data: bytes, number: int) -> list[bytes]:
    """All fields of this number that are no whole numbers."""
    return [value for key, value in fields(data) if key == number and isinstance(value, bytes)]


def whole(data: bytes, number: int) -> int:
    """The last whole number of this field, 0 if there is none."""
    found = [value for key, value in fields(data) if key == number and isinstance(value, int)]
    value = found[-1] if found else 0
    return value - (1 << 64) if value >> 63 else value


def text(data: bytes, number: int) -> str:
    """The first field of this number as text."""
    return first(data, number).decode("utf-8", errors="replace")


def decimal(data: bytes) -> float:
    """A number of four or eight bytes."""
    kinds = {4: "<f", 8: "<d"}
    if len(data) not in kinds:
        raise ValueError("a number of a message is damaged")
    return struct.unpack(kinds[len(data)], data)[0]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number of a message is damaged")
