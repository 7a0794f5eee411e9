"""What a fit was asked for, and the compiled problem that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np

from ..core.checks import rows_text
from ..core.errors import DataError, FitError, suggest
from ..core.law import Law
from ..core.runs import Runs
from .data import CURVE, Bank, make_bank, usable_rows
from .layout import Layout, make_layout
from .losses import Loss
from .problem import Spec, predictions


@dataclass(frozen=True, eq=False)
class Request:
    """All choices of a fit but the solver's; a fit can be repeated from it with other weights or targets.

    Attributes: see `fit`.
    """

    law: Law
    runs: Runs
    loss: Loss
    on: str = "log"
    fix: Mapping[str, Any] = field(default_factory=dict)
    tie: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    by: str | None = None
    share: tuple[str, ...] = ()
    weights: np.ndarray | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    pull: np.ndarray | None = None  # weight of the penalty of every set, where there is one: see `penalty`

    @cached_property
    def groups(self) -> list[str]:
        """Names of the groups in order of appearance; empty without `by`."""
        if self.by is None:
            return []
        values, first = np.unique(self.runs[self.by][usable_rows(self.law, self.runs)], return_index=True)
        return [label(v) for v in values[np.argsort(first)].tolist()]

    @property
    def curves(self) -> bool:
        """Does every run have a curve of outputs, whose neighbours are not independent?"""
        return self.law.output in self.runs.masks or self.runs[self.law.output][0].size > CURVE

    @property
    def ungrouped(self) -> Request:
        """The same of all runs together."""
        return replace(self, by=None, share=(), pull=None)

    @property
    def joint(self) -> bool:
        """One fit over all groups that share parameters (else one fit a group, or one in all)."""
        return self.by is not None and bool(self.share)

    @cached_property
    def group_of_row(self) -> np.ndarray:
        """(n,) index of each row's group, 0 without `by`."""
        if self.by is None:
            return np.zeros(len(self.runs), int)
        used = usable_rows(self.law, self.runs)
        known, first = np.unique(self.runs[self.by][used], return_index=True)
        position = dict(zip(known[np.argsort(first)].tolist(), range(len(known)), strict=True))
        values, inverse = np.unique(self.runs[self.by], return_inverse=True)
        return np.asarray([position.get(v, 0) for v in values.tolist()])[inverse]

    @cached_property
    def layout(self) -> Layout:
        """Layout of theta for one set."""
        layout = make_layout(
            self.law, fix=self.fix, tie=self.tie, bounds=self.bounds, sizes={**self._widths, **self.sizes},
            groups=len(self.groups) if self.joint else 0, share=frozenset(self.share),
        )  # fmt: skip
        if not layout.slots:
            raise FitError("Every parameter is fixed; leave at least one free.")
        return layout

    @property
    def _widths(self) -> dict[str, int]:
        """Length of the axes of vector parameters, from the columns that have them: inputs, or an output with several values a run."""
        axes = [(name, self.law.domains[name].axis) for name in self.law.inputs] + [(self.law.output, self.law.output_axis)]
        wanted = {self.law.domains[name].axis for name in self.law.parameters}
        widths: dict[str, int] = {}
        for name, axis in axes:
            if not axis or axis not in wanted or name not in self.runs or self.runs[name].ndim < 2:
                continue
            width = self.runs[name].shape[1]
            if widths.setdefault(axis, width) != width:
                raise DataError(
                    f"Column {name!r} has {width} values a run where the other columns of the axis {axis!r} have {widths[axis]}; "
                    f"law {self.law.name!r} needs as many of each."
                )
        return widths

    @cached_property
    def spec(self) -> Spec:
        """Static part of the compiled problem."""
        if self.on not in ("log", "linear"):
            raise FitError(f"on={self.on!r} is unknown; {suggest(self.on, ['log', 'linear'])}")
        return Spec(self.law, self.layout, self.loss, self.on, self.pull is not None)

    @cached_property
    def tables(self) -> list[Runs]:
        """One table a set: one in all, or one a group when groups are fitted apart."""
        if self.by is None or self.joint:
            return [self.runs]
        return [self.runs.take(rows) for rows in self.places]

    @cached_property
    def places(self) -> list[np.ndarray]:
        """Which rows of the runs every table holds, in its order."""
        if self.by is None or self.joint:
            return [np.arange(len(self.runs))]
        order = np.argsort(self.group_of_row, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.group_of_row, minlength=len(self.groups)))[:-1])

    @cached_property
    def row_weights(self) -> list[np.ndarray]:
        """Weights a run for every table, see `run_weights`."""
        weights = run_weights(self.runs, self.weights)
        if self.by is None or self.joint:
            return [weights]
        return [weights[rows] for rows in self.places]

    @cached_property
    def bank(self) -> Bank:
        """Arrays of the tables, padded so that data sets of many lengths share a program."""
        return make_bank(
            self.law, self.tables, on=self.on, weights=self.row_weights, group=self.group_of_row if self.joint else None, fixed=self.fix,
            pull=np.zeros(len(self.tables)) if self.pull is None else self.pull,
        )  # fmt: skip

    def params(self, theta: np.ndarray) -> dict[str, Any]:
        """Natural parameters from theta (size, sets, ...): floats, or arrays with a leading group axis; trailing axes lead the result.

        theta may have one draw axis after the sets: then every value has a leading draw axis.
        """
        draws = theta.reshape(theta.shape[0], theta.shape[1], -1)
        flat = np.moveaxis(draws, 0, -1)  # (sets, draws, size)
        values = _natural(self.layout, flat.reshape(-1, theta.shape[0]), {k: np.asarray(v, float) for k, v in self.fix.items()})
        apart = self.by is not None and not self.joint
        result = {}
        for name in self.law.parameters:
            value = np.asarray(values[name], dtype=np.float64)
            value = value.reshape(*flat.shape[:2], *value.shape[1:])
            value = np.moveaxis(value, 0, 1) if apart else value[0]
            if theta.ndim == 2:
                value = value[0]
            result[name] = float(value) if np.ndim(value) == 0 else value
        return result

    def grouped(self, name: str) -> bool:
        """Does this parameter have one value a group?"""
        if self.by is None:
            return False
        return name in self.layout.grouped if self.joint else True  # held values, too, are repeated for groups fitted apart

    def predict_rows(self, theta: np.ndarray) -> list[np.ndarray]:
        """Predictions at the usable rows of every table, theta (size, sets)."""
        bank = self.bank
        values = np.asarray(_predict_sets(self.spec, bank.batched[:-1], theta, bank.inputs, bank.group, bank.fixed))
        return [value[: len(usable_rows(self.law, table))] for value, table in zip(values, self.tables, strict=True)]


def observations(request: Request) -> np.ndarray:
    """(sets,) observations of every set: usable rows times the outputs of each."""
    return np.asarray([len(usable_rows(request.law, t)) * int(np.prod(t[request.law.output].shape[1:])) for t in request.tables])


def too_few(request: Request) -> np.ndarray:
    """Indices of the sets that have fewer observations than parameters."""
    return np.flatnonzero(observations(request) < request.layout.size)


def run_weights(runs: Runs, weights: Any) -> np.ndarray:
    """Weights a run: those given, or of the column named, else of the column that the runs were read to be weighted by; checked."""
    if weights is None and not runs.weighted_by:
        return np.ones(len(runs))
    if weights is None or isinstance(weights, str):
        weights = _weight_column(runs, weights or runs.weighted_by)
    try:
        values = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"weights={weights!r} holds no numbers; give one weight a run, such as runs['w'].") from None
    if values.shape != (len(runs),):
        raise DataError(f"weights has shape {values.shape} for {len(runs)} runs; give one weight a run.")
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)) & ~runs.excluded)
    if len(bad):
        raise DataError(f"weights is negative or not finite in {rows_text(bad)}; weights must be 0 or more.")
    if not (values[~runs.excluded] > 0).any():
        raise DataError("All weights are zero, so there is nothing to fit; give at least some runs a weight above 0.")
    return values


def _weight_column(runs: Runs, name: str) -> np.ndarray:
    if name not in runs:
        raise DataError(f"weights={name!r} names no column; {suggest(name, runs.names)}")
    return runs[name]


@partial(jax.jit, static_argnums=(0, 1))
def _predict_sets(spec: Spec, batched: tuple[bool, ...], theta: Any, inputs: tuple[Any, ...], group: Any, fixed: dict[str, Any]) -> Any:
    """Predictions of every set at its theta, (sets, rows) or (sets, rows, T)."""
    axes = tuple(-1 if b else None for b in batched)
    return jax.vmap(lambda t, xs: predictions(spec, t, xs, group, fixed), in_axes=(-1, axes))(theta, inputs)


@partial(jax.jit, static_argnums=0)
def _natural(layout: Layout, theta: Any, fixed: dict[str, Any]) -> dict[str, Any]:
    """Natural parameters of many theta, (members, size)."""
    return jax.vmap(lambda t: layout.forward(t, fixed))(theta)


def label(value: Any) -> str:
    """Text of a group value: numbers without trailing zeros."""
    return f"{value:.15g}" if isinstance(value, float | np.floating) else str(value)
