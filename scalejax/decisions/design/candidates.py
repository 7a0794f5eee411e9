"""Candidate runs: from a table or spread over a continuous space, with their cost."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from ...core.checks import COUNTS
from ...core.errors import DataWarning, DecisionError, ScalejaxError, suggest
from ...core.runs import Runs
from ...data.readers import read_runs
from ...fitting.objective.groups import label
from ...fitting.result import Fit
from ..costs import six_nd

_POINTS = 512  # spread over a space
_WIDER = 10.0  # how far D / N may go beyond that of the runs of the fit, unless the caller says


@dataclass(frozen=True)
class Candidates:
    """Runs that could be trained.

    Attributes:
        inputs: the law's inputs, and "group" for a fit with groups.
        columns: all that a cost may depend on.
        usable: (n,) rows that can be run.
        box: low and high ends of the coordinates of a continuous space, by name; empty for a table.
        ratio: ends of D / N that a run must keep to, if any.
    """

    inputs: Mapping[str, np.ndarray]
    columns: Mapping[str, np.ndarray]
    usable: np.ndarray
    box: Mapping[str, tuple[float, float]]
    ratio: tuple[float, float] | None = None

    def within(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """(n,) which runs keep to the ratio."""
        if self.ratio is None:
            return np.ones(len(next(iter(columns.values()))), bool)
        low, high = self.ratio
        return _between(columns["D"] / columns["N"], low, high)

    def bounded(self, fit: Fit, ratio: tuple[float, float] | None) -> Candidates:
        """The same without runs of another ratio; by default points of a space stay near what the runs of the fit have."""
        known = {"N", "D"} <= set(self.columns)
        if ratio is None:
            near = _usual(fit) if known and self.box else None
            here = replace(self, ratio=near)
            return replace(here, usable=self.usable & here.within(self.columns)) if here.within(self.columns)[self.usable].any() else self
        if not known:
            raise DecisionError("ratio= bounds D / N, but the candidates lack N or D; leave it out.")
        try:
            low, high = map(float, ratio)
        except (TypeError, ValueError):
            low, high = np.nan, np.nan
        if not 0 <= low < high:
            raise DecisionError(f"ratio={ratio!r} must be (low, high), the least and the most tokens per parameter.")
        here = replace(self, ratio=(low, high))
        usable = self.usable & here.within(self.columns)
        if not usable.any():
            every = (self.columns["D"] / self.columns["N"])[self.usable]
            raise DecisionError(f"No candidate has D / N from {low:g} to {high:g}; theirs go from {every.min():.3g} to {every.max():.3g}.")
        return replace(here, usable=usable)

    def at(self, unit: np.ndarray) -> dict[str, np.ndarray]:
        """Columns at points (n, coordinates) of the unit cube, for a space."""
        out = {name: np.repeat(column[:1], len(unit), axis=0) for name, column in self.columns.items()}
        for (name, (low, high)), u in zip(self.box.items(), unit.T, strict=True):
            out[name] = low * (high / low) ** u if low > 0 else low + (high - low) * u
            out[name] = np.clip(out[name], low, high)
        return out

    def unit(self, row: int) -> np.ndarray:
        """Coordinates of a candidate in the unit cube."""
        values = [(self.columns[name][row], *ends) for name, ends in self.box.items()]
        return np.array([np.log(x / low) / np.log(high / low) if low > 0 else (x - low) / (high - low) for x, low, high in values])


def _between(value: np.ndarray, low: float, high: float) -> np.ndarray:
    return (value >= low * (1 - 1e-9)) & (value <= high * (1 + 1e-9))


def _usual(fit: Fit) -> tuple[float, float] | None:
    """Ends of D / N, somewhat wider than those of the runs of the fit."""
    if not {"N", "D"} <= set(fit.runs.names):
        return None
    seen = (fit.runs["D"] / fit.runs["N"])[~fit.runs.excluded]
    return float(seen.min() / _WIDER), float(seen.max() * _WIDER)


def needed(fit: Fit) -> list[str]:
    """Columns that a run of this fit must have."""
    return [*fit.law.inputs, *(["group"] if fit.groups else [])]


def from_table(fit: Fit, table: Any) -> Candidates:
    """Candidates of a table: runs, a mapping of columns, a data frame or a path."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # of constant or repeated inputs, which candidates may well have
            runs = table if isinstance(table, Runs) else read_runs(table)
    except ScalejaxError as error:
        raise DecisionError(f"The candidates cannot be read: {error}") from error
    columns = dict(runs.columns)
    if fit.groups and "group" not in columns and all(column in columns for column in fit.request.columns):
        parts = [[label(name) for name in columns[column].tolist()] for column in fit.request.columns]
        columns["group"] = np.asarray([", ".join(names) for names in zip(*parts, strict=True)])
    for name in needed(fit):
        if name not in columns:
            raise DecisionError(f"The candidates need a column {name!r}; {suggest(name, columns)}")
    _check_units(fit, columns)
    usable = ~runs.excluded
    if not usable.any():
        raise DecisionError("No candidate is usable: every row misses a value or has one that cannot be.")
    first = int(np.argmax(usable))
    inputs = {name: np.where(_like(usable, columns[name]), columns[name], columns[name][first : first + 1]) for name in needed(fit)}
    return Candidates(inputs, columns, usable, {})


def _like(mask: np.ndarray, column: np.ndarray) -> np.ndarray:
    return mask.reshape(-1, *[1] * (column.ndim - 1))


def from_space(fit: Fit, space: Mapping[str, Any]) -> Candidates:
    """Candidates spread over a box, evenly in the logarithms, its corners included."""
    names = needed(fit)
    for name in names:
        if name not in space:
            raise DecisionError(f"space= needs {name!r}: (low, high), or one value to hold it at.")
    box, held = {}, {}
    for name, value in space.items():
        if name != "group" and name in names and fit.law.domains[name].axis:
            raise DecisionError(f"space= takes single numbers, {name!r} is a vector; pass a table of candidates.")
        if isinstance(value, str) or np.ndim(value) == 0:
            held[name] = value
            continue
        try:
            low, high = map(float, value)
        except (TypeError, ValueError):
            raise DecisionError(f"space= has {name}={value!r}; give (low, high), or one number to hold it at.") from None
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise DecisionError(f"space= has {name}=({low:g}, {high:g}); the ends must be finite and rise.")
        box[name] = (low, high)
    if not box:
        raise DecisionError("space= holds every input at one value; give (low, high) for at least one.")
    unit = spread(_POINTS, len(box))
    if len(box) <= 6:
        unit = np.concatenate([unit, np.array(list(product((0.0, 1.0), repeat=len(box))))])
    fixed = {name: np.array([value]) for name, value in held.items()}
    columns = Candidates({}, {**fixed, **{name: np.zeros(1) for name in box}}, np.ones(1, bool), box).at(unit)
    _check_units(fit, columns)
    return Candidates({name: columns[name] for name in names}, columns, np.ones(len(unit), bool), box)


def spread(count: int, dimensions: int) -> np.ndarray:
    """(count, dimensions) points of low discrepancy: steps by powers of the generalised golden ratio (Roberts 2018).

    >>> spread(3, 1).round(3).ravel().tolist()
    [0.5, 0.118, 0.736]
    """
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (dimensions + 1))
    return (0.5 + np.arange(count)[:, None] * ratio ** -np.arange(1.0, dimensions + 1)) % 1


def _check_units(fit: Fit, columns: Mapping[str, np.ndarray]) -> None:
    for name in fit.law.inputs:
        if columns[name].dtype.kind not in "fiu":
            raise DecisionError(f"Column {name!r} of the candidates holds text, law {fit.law.name!r} needs numbers.")
        if name in COUNTS and name in fit.runs and np.nanmax(columns[name]) < 1e3 <= np.nanmin(fit.runs[name]):
            raise DecisionError(
                f"{name!r} of the candidates goes up to {np.nanmax(columns[name]):g}, while the runs have {np.nanmin(fit.runs[name]):.3g} "
                f"or more: give {name} as a plain count."
            )


class Price:
    """The cost of a run: a function of named columns, a column's name, or one number a candidate; and what every run costs besides."""

    def __init__(self, cost: Callable[..., Any] | str | Any | None, candidates: Candidates, overhead: float = 0.0):
        if cost is None:
            if not {"N", "D"} <= set(candidates.columns):
                raise DecisionError("The cost 6 N D needs N and D, which these candidates lack; pass cost=, a function of their columns.")
            cost = six_nd
        if not (np.ndim(overhead) == 0 and 0 <= overhead < np.inf):
            raise DecisionError(f"overhead={overhead!r} must be a number of 0 or more, in the unit of the cost.")
        self.cost, self.table, self.overhead = cost, candidates.columns, float(overhead)
        if not callable(cost) and candidates.box:
            raise DecisionError("A continuous space needs cost= as a function of its columns, such as lambda N, D: 6 * N * D.")
        self.name = cost if isinstance(cost, str) else getattr(cost, "__name__", "given") if callable(cost) else "given"

    def __call__(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """(n,) cost of the runs with these columns."""
        n = len(next(iter(columns.values())))
        if isinstance(self.cost, str):
            if self.cost not in columns:
                raise DecisionError(f"cost={self.cost!r} is not a column of the candidates; {suggest(self.cost, columns)}")
            value = columns[self.cost]
        elif callable(self.cost):
            value = self.cost(**self._arguments(self.cost, columns))
        else:
            value = self.cost
        try:
            price = np.broadcast_to(np.asarray(value, dtype=np.float64), (n,)).copy()
        except (TypeError, ValueError):
            raise DecisionError(f"cost= must give one number a candidate, {n} in all; it gives {np.shape(value)}.") from None
        return np.where(price > 0, price + self.overhead, price)

    def _arguments(self, cost: Callable[..., Any], columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        wanted = inspect.signature(cost).parameters
        for name, parameter in wanted.items():
            if name not in columns and parameter.default is inspect.Parameter.empty:
                raise DecisionError(
                    f"The cost {self.name} needs {name!r}, which is not a column of the candidates; {suggest(name, columns)}"
                )
        return {name: columns[name] for name in wanted if name in columns}
