"""The table of training runs: immutable float64 columns with flags that say what looks wrong and why."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from .edge.public import edged
from .errors import DataError, suggest


@dataclass(frozen=True)
class Flag:
    """One remark on the data.

    Args:
        code: short fixed name, such as "duplicate" or "not-finite".
        column: the column concerned, or "" for whole rows.
        rows: indices of the rows concerned, in the table as read.
        message: what, where, what to do.
        excluded: are these rows left out of fits (weight zero)?
    """

    code: str
    column: str
    rows: tuple[int, ...]
    message: str
    excluded: bool = False


@edged
@dataclass(frozen=True, eq=False)
class Runs:
    """Training runs, one a row.

    Columns are NumPy arrays: float64 scalars of shape (n,), vectors (n, k) such as mixture weights, padded curves (n, T) with a
    boolean mask in `masks`, or text (n,) for groups. Make one with `read_runs`.

    Attributes:
        columns: name to array.
        masks: curve column to (n, T) mask of its valid steps.
        excluded: (n,) boolean, rows that fits leave out.
        flags: remarks on the data.
        weighted_by: the column that weighs the runs in fits, "" for none.
    """

    columns: Mapping[str, np.ndarray]
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    excluded: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))  # one entry a run after __post_init__
    flags: tuple[Flag, ...] = ()
    weighted_by: str = ""

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"All columns need the same length, got {lengths}.")
        if not lengths or 0 in lengths.values():
            raise DataError("The table of runs is empty; give at least one row.")
        n = next(iter(lengths.values()))
        columns = {name: _frozen(column) for name, column in self.columns.items()}
        excluded = np.asarray(self.excluded, bool) if np.size(self.excluded) else np.zeros(n, bool)
        object.__setattr__(self, "columns", MappingProxyType(columns))
        object.__setattr__(self, "masks", MappingProxyType({k: _frozen(v) for k, v in self.masks.items()}))
        object.__setattr__(self, "excluded", _frozen(excluded))

    def __len__(self) -> int:
        return len(self.excluded)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise DataError(f"The runs have no column {name!r}; {suggest(name, self.columns)}")
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.columns)

    @property
    def used(self) -> int:
        """Number of rows that fits use."""
        return int((~self.excluded).sum())

    def where(self, condition: Callable[[Runs], np.ndarray] | np.ndarray) -> Runs:
        """The runs for which `condition` (a boolean array, or a function of the runs that returns one) is true.

        >>> import scalejax as sj
        >>> runs = sj.read_runs({"N": [1e6, 1e7], "D": [1e9, 1e9], "loss": [3.0, 2.5]})
        >>> len(runs.where(lambda r: r["N"] > 5e6))
        1
        """
        mask = np.asarray(condition(self) if callable(condition) else condition)
        if mask.dtype != bool or mask.shape != (len(self),):
            raise DataError(f"where() needs one boolean a run, shape ({len(self)},), got {mask.dtype} of shape {mask.shape}.")
        if not mask.any():
            raise DataError("where() leaves no runs; loosen the condition.")
        return self.take(np.flatnonzero(mask))

    def take(self, rows: np.ndarray) -> Runs:
        """The runs at these row indices, in this order. Flags follow their rows."""
        rows = np.asarray(rows)
        position = {int(old): new for new, old in enumerate(rows)} if self.flags else {}
        flags = tuple(
            replace(f, rows=tuple(position[r] for r in f.rows if r in position))
            for f in self.flags
            if not f.rows or any(r in position for r in f.rows)
        )
        return Runs(
            {k: v[rows] for k, v in self.columns.items()},
            {k: v[rows] for k, v in self.masks.items()},
            self.excluded[rows],
            flags,
            self.weighted_by,
        )

    def with_columns(self, **columns: Any) -> Runs:
        """A copy with columns added or replaced."""
        for name, values in columns.items():
            array = np.asarray(values)
            if array.dtype.kind == "O" and not all(isinstance(cell, str | int | float | np.number | None) for cell in array.ravel()):
                raise DataError(f"Column {name!r} holds values that are neither numbers nor text; give plain ones.")
        new = {k: np.broadcast_to(np.asarray(v), (len(self),)) if np.ndim(v) == 0 else np.asarray(v) for k, v in columns.items()}
        return replace(self, columns={**self.columns, **new})

    @property
    def digest(self) -> str:
        """Short SHA-256 of all columns: two fits with the same digest saw the same data."""
        sha = hashlib.sha256()
        for name in sorted(self.columns):
            column = self.columns[name]
            raw = column.tobytes() if column.dtype.kind == "f" else "\0".join(map(str, column)).encode()
            sha.update(name.encode() + str(column.shape).encode() + raw)
        sha.update(self.excluded.tobytes())
        return sha.hexdigest()[:16]

    def describe(self) -> list[tuple[str, str]]:
        """Column name and its range, count of groups or shape, as text."""
        rows = []
        for name, column in self.columns.items():
            if column.dtype.kind != "f":
                rows.append((name, f"{len(set(column.tolist()))} groups"))
            elif column.ndim == 1:
                there = column[~np.isnan(column)]
                rows.append((name, f"{there.min():.4g} to {there.max():.4g}" if len(there) else "empty"))
            else:
                rows.append((name, f"{' x '.join(map(str, column.shape[1:]))} values a run"))
        return rows

    def __repr__(self) -> str:
        ranges = ", ".join(f"{name} {text}" for name, text in self.describe())
        left_out = int(self.excluded.sum())
        lines = [f"{len(self)} runs" + (f" ({left_out} left out)" if left_out else "") + f": {ranges}"]
        return "\n".join(lines + [f"  {flag.code}: {flag.message}" for flag in self.flags])


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.array(array)
    # Integers become floats before any arithmetic: 6 N D overflows 64 bits.
    array = array.astype(np.float64) if array.dtype.kind in "iuf" else array
    array.setflags(write=False)
    return array
