"""From a table of runs to the arrays of a fit: checked, padded to shared shapes, one compiled program for many data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ...core.checks import not_finite, remarks, rows_text
from ...core.errors import DataError, DataWarning, suggest, warn
from ...core.laws.law import Law
from ...core.runs import Runs
from ...data.readers import read_columns
from .problem import Data

_SMALLEST = 256
CURVE = 32  # numbers a run from which it counts as a curve
_LONG = 4096  # runs from which the derivatives of a data set are not held all at once


def padded_rows(rows: int, least: int = _SMALLEST) -> int:
    """Rows of the padded table: `least`, then steps of 64, later of an eighth to a quarter, so that many lengths share a program."""
    step = max(2 ** (rows - 1).bit_length() // 8, _SMALLEST)
    return -(-rows // step) * step if rows > 2 * _SMALLEST else max(-(-rows // 64) * 64, least)


def _padded(rows: int, width: int) -> int:
    """Padded rows of runs that hold `width` numbers each: a few curves of thousands of steps are not padded to hundreds."""
    return padded_rows(rows) if width <= CURVE else max(rows, padded_rows(rows * width) // width)


@dataclass(frozen=True)
class Batch:
    """Data sets of equal padded shape, ready for the solver.

    Attributes:
        inputs: one array an input, (rows, ..., sets).
        target: (rows, ..., sets), a logarithm if the fit is on logs.
        weight: (rows * T, sets); zero on padding.
        codes: (rows, columns) index of each row's group in every column of groups, the same for all sets.
        batched: which arrays differ between sets; the others have no trailing axis.
        fixed: values of fixed parameters.
        penalty_weight: (sets,) weights of the penalty, see `penalty`.
    """

    inputs: tuple[np.ndarray, ...]
    target: np.ndarray
    weight: np.ndarray
    codes: np.ndarray
    batched: tuple[bool, ...]
    fixed: dict[str, np.ndarray]
    penalty_weight: np.ndarray

    @property
    def group(self) -> np.ndarray:
        """(rows,) index of each row's group in the first column."""
        return self.codes[:, 0]

    @property
    def rows(self) -> int:
        """Residuals a member."""
        return self.weight.shape[0]

    @property
    def work(self) -> int:
        """Numbers that a member works through, which sets how many share a call: residuals, or the steps of its curves."""
        widths = [a[0].size // (a.shape[-1] if b else 1) for a, b in zip(self.inputs, self.batched, strict=False)]
        return max(self.rows, *(len(self.group) * width for width in widths if width > CURVE), 0)

    @property
    def long(self) -> bool:
        """Is it one table of so many runs that their derivatives are better not held all at once?"""
        return self.weight.shape[1] == 1 and len(self.group) > _LONG

    @cached_property
    def blocks(self) -> Blocks | None:
        """The rows in blocks, where groups have parameters of their own."""
        return make_blocks(self) if self.weight.shape[1] == 1 and self.codes.any() else None

    def gather(self, sets: np.ndarray, weight: np.ndarray | None = None) -> Data:
        """Data of members that use these data sets, with the sets' weights or with weights of their own (rows, members)."""
        arrays = (*self.inputs, self.target)
        arrays = tuple(a[..., sets] if b else a for a, b in zip(arrays, self.batched, strict=True))
        weight = self.weight[:, sets] if weight is None else weight
        return Data(arrays[:-1], arrays[-1], weight, self.codes, self.fixed, self.penalty_weight[sets])


@dataclass(frozen=True)
class Blocks:
    """The one data set of a bank, cut into blocks of rows whose groups are the same; see `system`.

    Attributes:
        batch: where the rows come from.
        place: (height, blocks) which run of the bank lies where. used: (height, blocks) whether it counts; blocks are filled with copies.
        codes: (blocks, columns) index of each block's group in every column of groups.
    """

    batch: Batch
    place: np.ndarray
    used: np.ndarray
    codes: np.ndarray

    @property
    def group(self) -> np.ndarray:
        """(blocks,) index of each block's group in the first column."""
        return self.codes[:, 0]

    @property
    def rows(self) -> int:
        """Residuals a member, filled places included."""
        return self.batch.rows // len(self.batch.group) * self.place.size

    @property
    def work(self) -> int:
        """As `Bank.work`."""
        return self.rows * self.batch.work // self.batch.rows

    def gather(self, sets: np.ndarray, weight: np.ndarray | None = None) -> Data:
        """As `Bank.gather`; weights are (height * T, blocks, members)."""
        batch = self.batch
        columns = zip((*batch.inputs, batch.target), batch.batched, self._shared, strict=True)
        arrays = [self._cut(a[..., sets], True) if b else shared for a, b, shared in columns]
        weights = self._weights(batch.weight)[..., sets] if weight is None else self._weights(weight)
        return Data(tuple(arrays[:-1]), arrays[-1], weights, self.codes, batch.fixed, batch.penalty_weight[sets])

    def _cut(self, array: np.ndarray, members: bool) -> np.ndarray:
        """(rows, ...) as (height, ..., blocks), with or without members behind."""
        return np.moveaxis(array[self.place], 1, -2 if members else -1)

    @cached_property
    def _shared(self) -> list[np.ndarray | None]:
        """The arrays that are the same for all members, cut once."""
        return [
            None if b else self._cut(a, False) for a, b in zip((*self.batch.inputs, self.batch.target), self.batch.batched, strict=True)
        ]

    def _weights(self, weight: np.ndarray) -> np.ndarray:
        steps = weight.reshape(len(self.batch.group), -1, weight.shape[-1])  # (runs, T, members)
        cut = np.moveaxis(steps[self.place] * self.used[..., None, None], 1, 2)
        return cut.reshape(-1, *cut.shape[2:])


def make_blocks(batch: Batch) -> Blocks:
    """Blocks as high as a group, or a cell of crossing ones, has runs on average, up to 256; a longer group fills several."""
    runs, columns = batch.codes.shape
    rows = np.flatnonzero(batch.weight[:, 0].reshape(runs, -1).any(axis=1))
    order = rows[np.lexsort(batch.codes[rows].T[::-1])]
    groups, counts = np.unique(batch.codes[order], axis=0, return_counts=True)
    height = int(2 ** np.clip(np.ceil(np.log2(np.mean(counts))), 3 if columns == 1 else 0, 8))
    blocks = -(-counts // height)
    begin = np.cumsum(counts) - counts
    first = np.concatenate([b + height * np.arange(k) for b, k in zip(begin, blocks, strict=True)])
    last = np.repeat(begin + counts, blocks)
    place = first + np.arange(height)[:, None]
    used = place < last
    return Blocks(batch, order[np.where(used, place, first)], used, np.repeat(groups, blocks, axis=0))


def runs_for(law: Law, table: Runs | Any, on: str, others: Sequence[str] = ()) -> Runs:
    """The runs as a fit uses them: rows are left out for what is wrong in its columns, the law's and `others`, and in no other column.

    Raises:
        DataError: if a column that is used holds missing or infinite values in rows that nobody left out.
    """
    read = isinstance(table, Runs)
    runs = table if read else Runs(*read_columns(table, {}))
    used = [name for name in dict.fromkeys((*law.inputs, law.output, *others)) if name in runs]
    by_flags = np.zeros(len(runs), bool)
    flags, out = [], np.zeros(len(runs), bool)
    for flag in runs.flags:
        by_flags[list(flag.rows) if flag.excluded else []] = True
        if flag.column and flag.column not in used:
            continue
        if flag.code == "not-positive":
            rows = np.asarray(flag.rows, int)
            flag = replace(flag, rows=tuple(rows[~_takes(law, on, flag.column, runs[flag.column][rows])].tolist()))
            if not flag.rows:
                continue
        flags.append(flag)
        out[list(flag.rows) if flag.excluded else []] = True
    out |= runs.excluded & ~by_flags
    for name in used:
        column = runs[name]
        wrong = not_finite(column, runs.masks.get(name, True)) & ~out if column.dtype.kind == "f" else np.zeros(len(runs), bool)
        bad = np.flatnonzero(wrong)
        if len(bad):
            raise DataError(
                f"Column {name!r} is missing, NaN or infinite in {rows_text(bad)}; clean the table, or leave such rows out with "
                f"read_runs(table, {name}={name!r}, ..., on_bad='drop')."
            )
    if out.all():
        raise DataError("No run can be used: all rows are left out" + (f". {flags[0].message}" if flags else "."))
    if not read:
        flags = [f for f in remarks(runs.columns, out) if not f.column or f.column in used]
        for flag in flags:
            warn(DataWarning(flag.message, flag.code))
    same = tuple(flags) == runs.flags and (out == runs.excluded).all()
    return runs if same else replace(runs, excluded=out, flags=tuple(flags))


def _takes(law: Law, on: str, name: str, values: np.ndarray) -> np.ndarray:
    """Which rows' values of a column the fit can take."""
    if name in law.domains and name in law.inputs:
        return np.all(law.domains[name].contains(values).reshape(len(values), -1), axis=1)
    if on == "linear" or name != law.output:
        return np.full(len(values), True)
    return np.all((values > 0).reshape(len(values), -1), axis=1)


def usable_rows(law: Law, runs: Runs) -> np.ndarray:
    """Indices of the rows that enter the fit, after the law's inputs and output were checked.

    Raises:
        DataError: if a column is missing or a value lies outside its domain.
    """
    for name in (*law.inputs, law.output):
        if name not in runs:
            raise DataError(
                f"Law {law.name!r} needs a column {name!r}, the runs have {', '.join(runs.names)}; {suggest(name, runs.names)} "
                f"Say which column it is with read_runs(..., {name}=...)."
            )
        if runs[name].dtype.kind != "f":
            raise DataError(f"Column {name!r} holds text, law {law.name!r} needs numbers.")
    rows = np.flatnonzero(~runs.excluded)
    for name in law.inputs:
        bad = rows[~law.domains[name].contains(runs[name][rows]).reshape(len(rows), -1).all(axis=1)]
        if len(bad) and name not in runs.masks:
            raise DataError(f"Column {name!r} must hold {law.domains[name].support} for law {law.name!r}; it does not in {rows_text(bad)}.")
    return rows


class Padded(NamedTuple):
    """One table as arrays, padded to a shape that many tables share.

    Attributes:
        inputs: one array an input, (rows, ...).
        target: (rows,) or (rows, T), a logarithm if asked for.
        weight: shaped like the target; zero on padding and where nothing was observed.
    """

    inputs: tuple[np.ndarray, ...]
    target: np.ndarray
    weight: np.ndarray


def padded(rows: np.ndarray, length: int) -> np.ndarray:
    """Indices of rows, padded by repeating the first, so that a law stays finite there; their weight is zero."""
    return np.concatenate([rows, np.full(length - len(rows), rows[0])])


def padded_table(law: Law, runs: Runs, *, rows: np.ndarray, weights: np.ndarray, length: int, on: str) -> Padded:
    """Arrays of these rows of a table, `weights` a run spread over the valid steps of curves.

    Raises:
        DataError: if a logarithm is asked for and an output has none.
    """
    index = padded(rows, length)
    target = _target(law, runs, index, on)
    mask = np.asarray(runs.masks.get(law.output, np.ones(runs[law.output].shape, bool)))[index]
    weight = np.where(np.arange(length) < len(rows), weights[index], 0.0).reshape(-1, *[1] * (target.ndim - 1)) * mask
    return Padded(tuple(runs[name][index] for name in law.inputs), target, weight)


def make_batch(
    law: Law,
    tables: Sequence[Runs],
    *,
    on: str,
    rows: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    group: np.ndarray | None,
    fixed: Mapping[str, Any],
    penalty_weight: np.ndarray,
) -> Batch:
    """Stack data sets, padded to one shape: of every table the usable `rows`; `weights` are per run."""
    width = max(t[name][0].size for t in tables for name in (*law.inputs, law.output))
    length = _padded(max(map(len, rows)), width)
    each = [padded_table(law, t, rows=r, weights=w, length=length, on=on) for t, r, w in zip(tables, rows, weights, strict=True)]
    stacked = [np.stack(same, axis=-1) for same in zip(*((*one.inputs, one.target) for one in each), strict=True)]
    batched = tuple(len(tables) > 1 and bool((a != a[..., :1]).any()) for a in stacked)
    arrays = [a if b else a[..., 0] for a, b in zip(stacked, batched, strict=True)]
    return Batch(
        inputs=tuple(arrays[:-1]), target=arrays[-1], weight=np.stack([one.weight.reshape(-1) for one in each], axis=-1),
        codes=np.zeros((length, 1), int) if group is None else group[padded(rows[0], length)], batched=batched,
        fixed={k: np.asarray(v, dtype=np.float64) for k, v in fixed.items()}, penalty_weight=penalty_weight,
    )  # fmt: skip


def _target(law: Law, runs: Runs, index: np.ndarray, on: str) -> np.ndarray:
    values = runs[law.output][index]
    if on == "log":
        if (values <= 0).any():
            bad = sorted(set(index[(values <= 0).reshape(len(index), -1).any(axis=1)].tolist()))
            raise DataError(
                f"Column {law.output!r} is zero or negative in {rows_text(bad)} and has no logarithm; pass on='linear', or leave the rows "
                "out with runs.where(...)."
            )
        return np.log(values)
    return values
