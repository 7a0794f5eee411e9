"""NumPy's own files: .npz with an array a column, .npy with named fields."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from numpy.lib import format as npy

from ....core.errors import DataError
from ..content import Content, Format, said
from ..packed import ZIP, check_members, member, members

_ONE = b"\x93NUMPY"


def _recognises(content: Content) -> bool:
    if content.data.startswith(ZIP):
        names = members(content)
        return bool(names) and all(name.endswith(".npy") for name in names)
    return content.data.startswith(_ONE)


def _read(content: Content) -> dict[str, Any]:
    if not content.data.startswith(ZIP):
        array = _array(content, content.data)
        if array.dtype.names is None:
            raise DataError(f"{content.path} holds one array without column names; save columns with numpy.savez(path, N=..., loss=...).")
        return {name: array[name] for name in array.dtype.names}
    check_members(content)
    columns = {name.removesuffix(".npy"): _array(content, member(content, name)) for name in members(content)}
    scalars = [name for name, column in columns.items() if column.ndim == 0]
    if scalars:
        raise DataError(f"{content.path}: {scalars[0]!r} is one value, not a column; save an array with one value a run.")
    return columns


def _array(content: Content, data: bytes) -> np.ndarray:
    """An array, once its header is known to say no more than there is."""
    file = io.BytesIO(data)
    try:
        version = npy.read_magic(file)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = reader(file)
        objects = dtype.hasobject
        there = math.prod(shape) * dtype.itemsize == len(data) - file.tell()
        if not objects and there:
            return npy.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # a header is a Python literal, which can be wrong in any way
        raise DataError(f"Cannot read {content.path}: {said(error)}; is the file complete?") from error
    if objects:
        raise DataError(f"{content.path} holds Python objects, which are not opened; save arrays of numbers or text.")
    raise DataError(f"Cannot read {content.path}: its header promises an array of shape {shape}, which is not there; is the file complete?")


FORMAT = Format("numpy", (".npz", ".npy"), _recognises, _read)
