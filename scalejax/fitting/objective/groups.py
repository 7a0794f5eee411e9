"""Groups of runs: the columns that name them, which may cross, and what `by`, `share` and `fix` say of a law's parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...core.checks import rows_text
from ...core.errors import DataError, FitError, LawError, suggest
from ...core.laws.law import Law
from ...core.runs import Runs
from ...data.cells import read_cell

_NAMELESS = ("", "nan", "none", "null", "<na>")  # what readers of tables make of an empty cell


def grouping(
    law: Law, by: str | Mapping[str, str] | None, share: Sequence[str] | str
) -> tuple[str | dict[str, str] | None, tuple[str, ...]]:
    """One column with what its groups share, or a mapping to several columns.

    Raises:
        FitError, LawError: if `by` is neither, or names no parameter.
    """
    share = (share,) if isinstance(share, str) else tuple(share)
    if by is None or isinstance(by, str):
        return by, share
    if not isinstance(by, Mapping) or not by or not all(isinstance(column, str) for column in by.values()):
        raise FitError(f"by={by!r} must be a column, or a mapping from parameter to column such as {{{law.parameters[0]!r}: 'corpus'}}.")
    for name in by:
        if name not in law.parameters:
            raise LawError(f"by names {name!r}, which is not a parameter of {law.name!r}; {suggest(name, law.parameters)}")
    if share:
        raise FitError("share goes with one column; parameters that a mapping by= does not name are common to all groups, so leave it out.")
    columns = dict.fromkeys(by.values())
    if len(columns) == 1:
        return next(iter(columns)), tuple(name for name in law.parameters if name not in by)
    return dict(by), ()


def columns_of(by: str | Mapping[str, str] | None) -> tuple[str, ...]:
    """The columns that name groups, each once."""
    return () if by is None else (by,) if isinstance(by, str) else tuple(dict.fromkeys(by.values()))


def split_fixed(
    fix: Mapping[str, Any] | None, by: str | Mapping[str, str] | None, tie: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Values that are fixed in all groups, and those that are fixed in some, from what `fit` takes as `fix`.

    Raises:
        FitError: if a parameter that is fixed in all groups, or tied, is to differ between some.
    """
    whole = {name: value for name, value in (fix or {}).items() if not isinstance(value, Mapping)}
    if isinstance(by, Mapping):
        for name, how in [*((n, "fixed") for n in whole), *((n, "tied") for n in tie)]:
            if name in by:
                raise FitError(f"by names {name!r}, which is {how}; leave it out of one of them.")
    return whole, {name: dict(value) for name, value in (fix or {}).items() if isinstance(value, Mapping)}


def check_names(runs: Runs, column: str) -> None:
    """Refuse rows without a group. Empty cells of a column of numbers have been refused before.

    Raises:
        DataError: naming column and rows.
    """
    names = runs[column]
    if names.ndim > 1:
        raise DataError(f"Column {column!r} has several numbers a row, and a group needs one name; choose another column for by=.")
    known: Any
    known, inverse = np.unique(names, return_inverse=True)
    nameless = np.asarray([str(name).strip().lower() in _NAMELESS for name in known.tolist()])[inverse]
    rows = np.flatnonzero(nameless & ~runs.excluded)
    if len(rows):
        raise DataError(
            f"Column {column!r} names no group in {rows_text(rows)}; give every run a name, or leave such rows out with runs.where(...)."
        )


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of a table's rows.

    Attributes:
        columns: that name groups.
        levels: names of the groups of every column, in order of appearance.
        codes: (n, columns) index of each row's group in every column, one column of zeros without any; 0 in rows left out.
        used: indices of the rows that enter the fit.
    """

    columns: tuple[str, ...]
    levels: tuple[list[str], ...]
    codes: np.ndarray
    used: np.ndarray

    @property
    def crossed(self) -> bool:
        """Are there several columns?"""
        return len(self.columns) > 1

    @cached_property
    def _cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Combinations of groups that have runs, (cells, columns), and the index of each row's, 0 in rows left out."""
        cells, first = np.unique(self.codes[self.used], axis=0, return_index=True)
        cells = cells[np.argsort(first)]
        position = {tuple(cell): i for i, cell in enumerate(cells.tolist())}
        return cells, np.asarray([position.get(tuple(code), 0) for code in self.codes.tolist()])

    @cached_property
    def names(self) -> list[str]:
        """Names of the groups in order of appearance, of combinations such as "web, moe" where columns cross; empty without columns."""
        if not self.crossed:
            return self.levels[0] if self.columns else []
        return [", ".join(names[i] for names, i in zip(self.levels, cell, strict=True)) for cell in self._cells[0].tolist()]

    @property
    def of_row(self) -> np.ndarray:
        """(n,) index of each row's group among `names`."""
        return self._cells[1] if self.crossed else self.codes[:, 0]

    def noise(self, codes: np.ndarray) -> np.ndarray:
        """(n,) index of the noise of rows with these codes (n, columns): of their group; 0 where columns cross, as cells have few rows."""
        return np.zeros(len(codes), int) if self.crossed else codes[:, 0]

    def place(self, group: Any) -> tuple[int, ...]:
        """The index of one group in every column, from its name or a mapping from columns to names.

        Raises:
            DataError: if there is no such group.
        """
        return tuple(int(index) for index in self.places(group, ())[0])

    def name(self, group: Any) -> str:
        """One group as `names` has it."""
        return ", ".join(levels[i] for levels, i in zip(self.levels, self.place(group), strict=True))

    def rows(self, group: Any) -> np.ndarray:
        """(n,) which rows are of this group."""
        return (self.codes == self.place(group)).all(axis=1)

    def places(self, group: Any, shape: tuple[int, ...]) -> np.ndarray:
        """(points, columns) as `place`, of many points in this shape: a name or one a point, or a mapping from columns to such."""
        if not isinstance(group, Mapping):
            wanted = np.broadcast_to(np.asarray(group), shape).reshape(-1)
            known = {name: i for i, name in enumerate(self.names)}
            if not self.crossed:
                return np.asarray([place_of(name, known, "group") for name in wanted], int)[:, None]
            names = map(label, wanted)
            return np.stack([self._cells[0][known[name]] if name in known else self._cell(name) for name in names])
        for column in group:
            if column not in self.columns:
                raise DataError(f"group names the column {column!r}, along which nothing varies; {suggest(column, self.columns)}")
        if missing := [column for column in self.columns if column not in group]:
            raise DataError(f"group names none of column {missing[0]!r}; say which with group={{{missing[0]!r}: ..., ...}}.")
        out = np.zeros((int(np.prod(shape)), len(self.columns)), int)
        for i, (column, levels) in enumerate(zip(self.columns, self.levels, strict=True)):
            known = {name: k for k, name in enumerate(levels)}
            wanted = np.broadcast_to(np.asarray(group[column]), shape).reshape(-1)
            out[:, i] = [place_of(name, known, column) for name in wanted]
        return out

    def _cell(self, name: str) -> np.ndarray:
        """The place of a combination of groups that has no runs."""
        parts = [meant(part, levels) for part, levels in zip(name.split(", "), self.levels, strict=False)]
        if len(parts) != len(self.columns) or any(part not in levels for part, levels in zip(parts, self.levels, strict=False)):
            columns = ", ".join(f"{column!r}: ..." for column in self.columns)
            raise DataError(f"There is no group {name!r}: groups cross here; say which with group={{{columns}}}.")
        return np.asarray([levels.index(part) for part, levels in zip(parts, self.levels, strict=True)])


def make_groups(runs: Runs, columns: tuple[str, ...], used: np.ndarray) -> Groups:
    """The groups that these columns name in the rows `used`."""
    levels, codes = [], []
    for column in columns:
        known, first = np.unique(runs[column][used], return_index=True)
        known = known[np.argsort(first)].tolist()
        position = dict(zip(known, range(len(known)), strict=True))
        values, inverse = np.unique(runs[column], return_inverse=True)
        levels.append([label(v) for v in known])
        codes.append(np.asarray([position.get(v, 0) for v in values.tolist()])[inverse])
    return Groups(columns, tuple(levels), np.stack(codes, axis=1) if columns else np.zeros((len(runs), 1), int), used)


def anchored_values(
    law: Law, anchors: Mapping[str, Mapping[str, Any]], axes: Mapping[str, int], levels: Sequence[Sequence[str]]
) -> dict[str, dict[int, Any]]:
    """Values that are fixed in some groups, by parameter and index of the group.

    Args:
        anchors: by parameter and name of the group. axes: along which column every parameter differs. levels: names of its groups.

    Raises:
        LawError: if a parameter does not differ between groups, has no such group or cannot have the value.
    """
    found: dict[str, dict[int, Any]] = {}
    for name, given in anchors.items():
        if name not in law.parameters:
            raise LawError(f"fix names {name!r}, which is not a parameter of {law.name!r}; {suggest(name, law.parameters)}")
        if name not in axes:
            raise LawError(
                f"fix={{{name!r}: {dict(given)!r}}} gives values by group, and {name!r} does not differ between groups; give a number, or "
                "say which column it differs along with by=..."
            )
        names, found[name] = levels[axes[name]], {}
        for asked, value in given.items():
            group = meant(asked, names)
            if group not in names:
                raise LawError(f"fix anchors {name!r} in {group!r}, which is not a group of it; {suggest(group, names)}")
            try:
                inside = bool(np.all(law.domains[name].contains(value)))
            except (TypeError, ValueError):
                inside = False
            if not inside:
                support = law.domains[name].support
                raise LawError(f"fix={{{name!r}: {{{group!r}: {value!r}}}}} is not possible: {name!r} of {law.name!r} is {support}.")
            found[name][names.index(group)] = value
    return found


def label(value: Any) -> str:
    """Text of a group value: numbers without trailing zeros."""
    return f"{value:.15g}" if isinstance(value, float | np.floating) else str(value)


def meant(value: Any, known: Collection[str]) -> str:
    """Which of the groups `known` a value names: the one so called, or of that number, as "10M" names 10000000; else its label."""
    name = label(value)
    if name in known:
        return name
    cell = read_cell(name)
    number = name if cell is None else label(cell.value)
    return number if number in known else name


def place_of(value: Any, known: Mapping[str, int], what: str, having: str = "") -> int:
    """Index of the group `known` that a value names; an error says what is not there, with what it would have."""
    name = meant(value, known)
    if name in known:
        return known[name]
    raise DataError(f"There is no {what} {name!r}{having}; {suggest(name, known)}")
