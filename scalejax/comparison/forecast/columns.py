"""What is to be forecast from which columns: targets, inputs, mixtures and groups of any table, by any names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...core.checks import rows_text
from ...core.errors import DataError, suggest
from ...core.runs import Runs
from ...core.table import Shown
from ...data.readers import read_columns
from ...fitting.objective.groups import label, meant

Link = Literal["log", "linear", "reciprocal", "complement", "percent"]
_SUM = 5e-3  # how far shares of a mixture may be from summing to one
# What laws call a column, by what tables call it.
_NAMES = {
    "N": ("params", "parameters", "num_params", "n_params", "model_size", "size", "non_embedding_params", "non_embedding_param_size",
          "params_active_precise", "dense_parameter_count", "non_vocab_parameters", "model_params"),
    "D": ("tokens", "num_tokens", "n_tokens", "token_num", "training_tokens", "train_tokens", "data_size", "tokens_seen", "num_characters",
          "seen_examples", "examples", "samples"),
    "U": ("unique_tokens", "tokens_per_epoch"),
    "C": ("compute", "flops", "flop", "training_flop", "train_flops", "budget"),
    "E": ("num_experts", "experts", "n_experts"),
    "lr": ("learning_rate", "peak_lr"),
    "batch": ("bsz", "batch_size", "bs"),
}  # fmt: skip
SIZES = frozenset({"N", "D", "C", "U"})  # what makes runs larger, and hardly ever does not matter
TUNED = frozenset({"lr", "batch"})  # of which there is a best
_MEANING = {alias: role for role, names in _NAMES.items() for alias in (role.lower(), *names)}


@dataclass(frozen=True, eq=False, repr=False)
class Columns(Shown):
    """The runs to learn from and the points to forecast, as columns.

    Attributes:
        target: name of the column to forecast. inputs: names of those that it depends on; a mixture is one, of several columns.
        members: input to the columns it consists of.
        runs: input to its values (n,) or (n, k). y: (n,) the target.
        at: input to its values (m,) or (m, k).
        by: column of the groups or None. groups: their names. of_run, of_point: index of each row's group.
        left_out: why columns or rows of the table were not used, in a sentence each.
    """

    target: str
    members: dict[str, tuple[str, ...]]
    runs: dict[str, np.ndarray]
    y: np.ndarray
    at: dict[str, np.ndarray]
    by: str | None
    groups: tuple[str, ...]
    of_run: np.ndarray
    of_point: np.ndarray
    left_out: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(self.members)

    @property
    def scalars(self) -> tuple[str, ...]:
        """Inputs that are one positive number a row."""
        return tuple(x for x in self.inputs if self.runs[x].ndim == 1 and (self.runs[x] > 0).all() and (self.at[x] > 0).all())

    @property
    def largeness(self) -> np.ndarray:
        """(n,) logarithms of what usually makes runs larger: compute, else parameters, tokens, else the first input."""
        known = [x for x in map(self.role, "CND") if x in self.scalars] or list(self.scalars[:1])
        return np.log(np.prod([self.runs[x] for x in known], axis=0)) if known else np.zeros(len(self.y))

    def role(self, name: str) -> str | None:
        """The input that laws call by this name."""
        if name in self.members:
            return name
        return next((x for x in self.inputs if meaning(x) == name), None)


def meaning(name: str) -> str | None:
    """What laws call a column of this name, if that is plain."""
    return _MEANING.get(name.strip().lower().replace(" ", "_").replace("-", "_"))


def make_columns(runs: Any, at: Any, target: str, inputs: Sequence[str] | str | None, by: str | None) -> Columns:
    """Check and set out the tables; see `forecast`.

    Raises:
        DataError: one sentence: what, which column, what to do.
    """
    table, excluded = table_of(runs)
    points, _ = table_of(at, len_one=True)
    target = outcome_of(table, target)
    y = number_of(table, target)
    if by is not None:
        for which, columns in (("runs", table), ("at", points)):
            if by not in columns:
                raise DataError(f"by={by!r} names no column of {which}; {suggest(by, columns)}")
    names, said = _inputs(table, target, inputs, by)
    missing = [name for name in names if name not in points]
    needed = [name for name in missing if inputs is not None or meaning(name) in SIZES]
    if needed or len(missing) == len(names) > 0:
        raise DataError(
            f"at= has no column {(needed or missing)[0]!r}, which the runs have as an input; add it, or name the inputs with inputs=[...]."
        )
    if missing:
        said.append(f"left out, because the points do not have {'it' if len(missing) == 1 else 'them'}: {', '.join(missing)}")
    names = [name for name in names if name not in missing]
    used = np.all([np.isfinite(y), ~excluded, *(np.isfinite(number_of(table, name)) for name in names)], axis=0)
    if (~used & ~excluded).any():
        lost = np.flatnonzero(~used & ~excluded)
        said.append(f"{len(lost)} of {len(y)} runs are left out: they have gaps in {rows_text(lost)}")
    if used.sum() < 4:
        raise DataError(f"Only {used.sum()} runs can be used, too few to forecast from; give at least 4.")
    values = {name: number_of(table, name)[used] for name in names}
    asked = {name: np.atleast_1d(number_of(points, name)) for name in names}
    bad = [name for name, column in asked.items() if not np.isfinite(column).all()]
    if bad:
        raise DataError(
            f"Column {bad[0]!r} of at= is missing, NaN or infinite in {rows_text(np.flatnonzero(~np.isfinite(asked[bad[0]])))}."
        )
    mixtures = _mixtures(values, asked)
    inside = {name for group in mixtures.values() for name in group}
    alone = {name: (name,) for name in names if name not in inside}
    if inputs is None and (constant := [name for name in alone if _same(values[name], asked[name])]):
        said.append(f"left out, because {'it is' if len(constant) == 1 else 'they are'} the same in all rows: {', '.join(constant)}")
        alone = {name: parts for name, parts in alone.items() if name not in constant}
    flat = _not_positive({name: values[name] for name in alone}, asked, inputs is not None)
    if flat:
        said.append(f"left out, because powers cannot take what is zero or negative: {', '.join(flat)}")
    members = {**{name: parts for name, parts in alone.items() if name not in flat}, **mixtures}
    if not members:
        raise DataError("No input is left to forecast from; the runs need a numeric column beside the target that varies.")
    groups, of_run, of_point = _groups(table, points, by, used, len(next(iter(asked.values()))))
    return Columns(
        target, members, {x: _joined(values, parts) for x, parts in members.items()}, y[used],
        {x: _joined(asked, parts) for x, parts in members.items()}, by, groups, of_run, of_point, tuple(said),
    )  # fmt: skip


def words(names: Sequence[str]) -> dict[str, str]:
    """What laws call columns to the columns: their usual symbols, or their names without what a name cannot have."""
    found: dict[str, str] = {}
    for name in names:
        role = meaning(name)
        word = role if role not in (None, "E") else re.sub(r"\W+", "_", name.strip()).strip("_") or "x"
        word = word if word[0].isalpha() and word not in ("E", "q") else f"x_{word}"
        while word in found:
            word += "_"
        found[word] = name
    return found


def table_of(table: Any, len_one: bool = False) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Columns of any table, and which rows it leaves out; of a mapping with numbers in it, broadcast to one length."""
    if isinstance(table, Runs):
        return dict(table.columns), table.excluded
    if len_one and isinstance(table, Mapping):
        arrays = {str(name): np.atleast_1d(np.asarray(value)) for name, value in table.items()}
        try:
            table = dict(zip(arrays, np.broadcast_arrays(*arrays.values()), strict=True))
        except ValueError:
            lengths = {name: len(value) for name, value in arrays.items()}
            raise DataError(
                f"The columns of at= have different lengths {lengths}; give one value a point, or one number for all."
            ) from None
    columns, masks = read_columns(table, {})
    for name in masks:
        del columns[name]
    rows = len(next(iter(columns.values()), ()))
    return columns, np.zeros(rows, bool)


def number_of(table: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A column of one number a row.

    Raises:
        DataError: if it holds text or several values a row.
    """
    column = table[name]
    if column.dtype.kind not in "fiub" or column.ndim != 1:
        raise DataError(
            f"Column {name!r} holds {'text' if column.ndim == 1 else 'several values a row'}; a forecast needs one number a row."
        )
    return np.asarray(column, dtype=np.float64)


def beyond(table: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A point ten times as large as the largest run; shares of a mixture, and text, as in the first run."""

    def larger(column: np.ndarray) -> np.ndarray:
        return np.full(1, 10 * np.nanmax(column)) if column.dtype.kind in "fiu" and np.nanmax(column) > 1 else column[:1]

    return {name: larger(column) for name, column in table.items() if column.ndim == 1}


def outcome_of(table: Mapping[str, np.ndarray], target: str) -> str:
    """The column to forecast: the one asked for, or where that is "loss" the only one whose name has a loss in it.

    Raises:
        DataError: if there is none, or several.
    """
    if target in table:
        return target
    losses = _losses(table)
    if target == "loss" and len(losses) == 1:
        return losses[0]
    which = f"choose from {', '.join(losses)}" if target == "loss" and losses else suggest(target, table).rstrip(".")
    raise DataError(f"There is no column {target!r} to forecast; {which}, and say so with target=...")


def _losses(table: Mapping[str, np.ndarray]) -> list[str]:
    return [name for name, column in table.items() if "loss" in name.lower() and column.ndim == 1 and column.dtype.kind in "fiu"]


def _inputs(
    table: Mapping[str, np.ndarray], target: str, inputs: Sequence[str] | str | None, by: str | None
) -> tuple[list[str], list[str]]:
    """Names of the columns to forecast from, and what was left out."""
    if inputs is not None:
        names = [inputs] if isinstance(inputs, str) else list(inputs)
        for name in names:
            if name not in table:
                raise DataError(f"inputs= names {name!r}, which is no column of the runs; {suggest(name, table)}")
            if name == target:
                raise DataError(f"inputs= names the target {target!r}; name columns that it depends on.")
        return names, []
    outcomes = [name for name in _losses(table) if name != target]
    others = [name for name in table if name not in (target, by, *outcomes)]
    names = [name for name in others if table[name].dtype.kind in "fiu" and table[name].ndim == 1]
    text = [name for name in others if name not in names]
    said = [f"left out as text: {', '.join(text)}"] if text else []
    said += [f"left out as outcomes, too: {', '.join(outcomes)}"] if outcomes else []
    roles = {meaning(name): name for name in names}
    if {"N", "D", "C"} <= set(roles):  # compute follows from the other two
        names.remove(roles["C"])
        said.append(f"left out, because it follows from {roles['N']} and {roles['D']}: {roles['C']}")
    return names, said


def _mixtures(values: Mapping[str, np.ndarray], asked: Mapping[str, np.ndarray]) -> dict[str, tuple[str, ...]]:
    """Columns of shares that sum to one, as one input "h"."""
    shares = [n for n, v in values.items() if (v >= 0).all() and (v <= 1).all() and (asked[n] >= 0).all() and (asked[n] <= 1).all()]
    if len(shares) < 2:
        return {}
    sums = [np.sum([of[n] for n in shares], axis=0) for of in (values, asked)]
    return {"h": tuple(shares)} if all(np.abs(total - 1).max() < _SUM for total in sums) else {}


def _not_positive(values: Mapping[str, np.ndarray], asked: Mapping[str, np.ndarray], named: bool) -> list[str]:
    """Inputs whose runs powers cannot take.

    Raises:
        DataError: if they were named as inputs, or points are not positive where all runs are.
    """
    flat = [name for name, column in values.items() if (column <= 0).any()]
    if flat and named:
        raise DataError(f"Column {flat[0]!r} is zero or negative in some runs, which powers cannot take; leave it out of inputs=[...].")
    for name in values:
        rows = np.flatnonzero(asked[name] <= 0)
        if len(rows) and name not in flat:
            raise DataError(
                f"Column {name!r} of at= is zero or negative in {rows_text(rows)}, and positive in all runs; give a positive one."
            )
    return flat


def _same(values: np.ndarray, asked: np.ndarray) -> bool:
    """Is an input the same in all runs and points?"""
    return bool((np.concatenate([values, asked]) == values[0]).all())


def _joined(values: Mapping[str, np.ndarray], parts: tuple[str, ...]) -> np.ndarray:
    if len(parts) == 1:
        return values[parts[0]]
    shares = np.stack([values[name] for name in parts], axis=1)
    return shares / shares.sum(axis=1, keepdims=True)


def _groups(
    table: Mapping[str, np.ndarray], points: Mapping[str, np.ndarray], by: str | None, used: np.ndarray, count: int
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    if by is None:
        return (), np.zeros(int(used.sum()), int), np.zeros(count, int)
    of_run = np.asarray([label(value) for value in table[by][used]])
    groups = tuple(dict.fromkeys(of_run.tolist()))
    place = {name: i for i, name in enumerate(groups)}
    asked = [meant(value, place) for value in points[by]]
    for name in asked:
        if name not in place:
            raise DataError(f"at= asks for the group {name!r} of {by!r}, of which there are no runs; {suggest(name, groups)}")
    return groups, np.asarray([place[name] for name in of_run]), np.asarray([place[name] for name in asked])
