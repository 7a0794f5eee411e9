"""NumPy's own files: .npz with an array a column, .npy with named fields."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np

from ...core.errors import DataError
from .content import Content, Format
from .packed import ZIP, members

_ONE = b"\x93NUMPY"


def _recognises(content: Content) -> bool:
    if content.data.startswith(ZIP):
        names = members(content)
        return bool(names) and all(name.endswith(".npy") for name in names)
    return content.data.startswith(_ONE)


def _read(content: Content) -> dict[str, Any]:
    try:
        loaded = np.load(io.BytesIO(content.data), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            if loaded.dtype.names is None:
                raise DataError(
                    f"{content.path} holds one array without column names; save columns with numpy.savez(path, N=..., loss=...)."
                )
            return {name: loaded[name] for name in loaded.dtype.names}
        columns = {name: loaded[name] for name in loaded.files}
    except (zipfile.BadZipFile, EOFError, OSError, zlib.error) as error:
        raise DataError(f"Cannot read {content.path}: {error}; is the file complete?") from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{content.path} holds Python objects, which are not opened; save arrays of numbers or text.") from error
    scalars = [name for name, column in columns.items() if column.ndim == 0]
    if scalars:
        raise DataError(f"{content.path}: {scalars[0]!r} is one value, not a column; save an array with one value a run.")
    return columns


FORMAT = Format((".npz", ".npy"), _recognises, _read)
