"""Results as JSON with a checksum over everything, and with large arrays compressed; read back bit for bit, without running code."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import DataError

_SHORT = 64  # numbers that are written one by one, for people to read
_NUMBERS, _SYMMETRIC, _TEXTS = {"array", "dtype", "shape"}, {"half"}, {"levels", "codes"}  # what packed arrays consist of
_KINDS = "fiub"  # kinds of NumPy's types that are packed
_SPARE, _RATIO = 1 << 26, 64  # bytes that any file may hold unpacked, and those for each of its own
_HEAD = re.compile(rb'\{"sha256": "([0-9a-f]{64})",')


def to_json(document: dict[str, Any]) -> str:
    """The document as text: arrays of a few numbers as lists, larger ones as compressed bytes."""
    return json.dumps(document, default=_packed, indent=1)


def from_json(text: str | bytes) -> Any:
    """What `to_json` wrote, with packed arrays as arrays and the others as lists.

    Raises:
        DataError: if unpacking would take far more memory than the file. ValueError: if it is no such text.
    """
    left = _SPARE + _RATIO * len(text)

    def unpack(found: dict[str, Any]) -> Any:
        nonlocal left
        if found.keys() == _SYMMETRIC and isinstance(found["half"], np.ndarray | list):
            left -= 8 * len(found["half"])
            return _whole(np.asarray(found["half"], dtype=np.float64))
        if found.keys() == _TEXTS and isinstance(found["codes"], np.ndarray):
            return np.asarray(found["levels"])[found["codes"]]
        if found.keys() != _NUMBERS or not isinstance(found["array"], str):
            return found
        kind, shape = np.dtype(found["dtype"]), [int(n) for n in found["shape"]]
        size = math.prod(shape) * kind.itemsize
        left -= size
        if kind.kind not in _KINDS or min(shape, default=0) < 0 or left < 0:
            raise DataError(
                f"An array of shape {tuple(shape)} cannot be in a file of {len(text):,} bytes; it was changed after it was saved."
            )
        opened = zlib.decompressobj()
        raw = opened.decompress(base64.b64decode(found["array"], validate=True), size + 1)
        if len(raw) != size:
            raise ValueError("an array has not the size that it should have")
        lanes = np.frombuffer(raw, np.uint8).reshape(kind.itemsize, -1)
        return np.ascontiguousarray(lanes.T).view(kind).reshape(shape)

    return json.loads(text, object_hook=unpack)


def signed(document: dict[str, Any]) -> bytes:
    """The document as a file whose first line is the checksum of all others."""
    body = to_json(document).encode()[1:].lstrip(b"\n")
    return b'{"sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'",\n' + body + b"\n"


def is_signed(raw: bytes) -> bool:
    """Is this such a file, as far as its first line shows?"""
    return _HEAD.fullmatch(raw.partition(b"\n")[0]) is not None


def signed_document(raw: bytes, version: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The document of such a file; `version` refuses one of another format.

    Raises:
        ValueError: if the checksum is missing or that of other content.
    """
    first, _, body = raw.partition(b"\n")
    head = _HEAD.fullmatch(first)
    whole = head is not None and head[1] == hashlib.sha256(body.rstrip(b"\n")).hexdigest().encode()
    document = None if head and not whole else from_json(raw)
    if isinstance(document, dict) and "format" in document:
        version(document)
    if not whole or not isinstance(document, dict):
        raise ValueError(
            "it does not match its checksum: it was cut short, or changed after it was saved" if head else "it has no checksum"
        )
    return document


def _whole(half: np.ndarray) -> np.ndarray:
    """The symmetric matrix of an upper triangle."""
    size = math.isqrt(2 * len(half))
    matrix = np.empty((size, size), half.dtype)
    rows, columns = np.triu_indices(size)
    matrix[rows, columns] = matrix[columns, rows] = half
    return matrix


def npy(array: np.ndarray) -> bytes:
    """The array as NumPy's own file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def array_of(content: bytes) -> np.ndarray:
    """The array of such a file; one that promises more than it holds is refused before any memory is taken.

    Raises:
        ValueError: if it is none, holds Python objects, or has another size than it says.
    """
    buffer = io.BytesIO(content)
    version = np.lib.format.read_magic(buffer)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(buffer)
    if kind.hasobject or math.prod(shape) * kind.itemsize != len(content) - buffer.tell():
        raise ValueError("an array has not the size that it should have")
    buffer.seek(0)
    return np.lib.format.read_array(buffer, allow_pickle=False)


def _packed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.size > _SHORT and value.dtype.kind == "U":
            levels, codes = np.unique(value, return_inverse=True)
            return {"levels": levels.tolist(), "codes": codes.astype(np.int32)} if 2 * len(levels) < value.size else value.tolist()
        if value.size <= _SHORT or value.dtype.kind not in _KINDS:
            return value.tolist()
        square = value.ndim == 2 and value.shape[0] == value.shape[1] and value.dtype == np.float64
        if square and value.tobytes() == value.T.tobytes():
            return {"half": value[np.triu_indices(len(value))]}
        kind = value.dtype.newbyteorder("<")
        raw = np.ascontiguousarray(value, kind).reshape(-1).view(np.uint8)
        # The bytes of equal weight side by side: signs and exponents repeat, and so do the last bytes of round numbers.
        lanes = raw.reshape(-1, kind.itemsize).T.tobytes()
        return {"array": base64.b64encode(zlib.compress(lanes, 6)).decode(), "dtype": kind.str, "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "items"):
        return dict(value.items())
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
