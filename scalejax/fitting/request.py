"""What a fit was asked for, and the compiled problem that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np

from ..core.checks import rows_text
from ..core.errors import DataError, FitError, LawError, suggest
from ..core.laws.law import Law
from ..core.numeric.programs import compiled
from ..core.runs import Runs
from .objective.data import CURVE, Batch, make_batch, usable_rows
from .objective.groups import Groups, anchored_values, columns_of, make_groups
from .objective.layout import Layout, make_layout
from .objective.losses import Loss
from .objective.problem import Spec, predictions


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
    by: str | Mapping[str, str] | None = None
    share: tuple[str, ...] = ()
    weights: np.ndarray | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    penalty_weight: np.ndarray | None = None  # weight of the penalty of every set, where there is one: see `penalty`
    anchors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # values fixed in some groups, by parameter and group

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that name groups."""
        return columns_of(self.by)

    @property
    def crossed(self) -> bool:
        """Do parameters vary along several columns?"""
        return len(self.columns) > 1

    @cached_property
    def grouping(self) -> Groups:
        """The groups of the rows, column by column."""
        return make_groups(self.runs, self.columns, usable_rows(self.law, self.runs))

    @cached_property
    def used(self) -> list[np.ndarray]:
        """Indices of the rows of every table that enter the fit."""
        return [np.flatnonzero(~table.excluded) for table in self.tables] if self.apart else [self.grouping.used]

    @property
    def levels(self) -> tuple[list[str], ...]:
        """Names of the groups of every column, in order of appearance."""
        return self.grouping.levels

    @property
    def codes(self) -> np.ndarray:
        """(n, columns) index of each row's group in every column, one column of zeros without `by`."""
        return self.grouping.codes

    @property
    def groups(self) -> list[str]:
        """Names of the groups in order of appearance, combinations such as "web, moe" where columns cross; empty without `by`."""
        return self.grouping.names

    @property
    def group_of_row(self) -> np.ndarray:
        """(n,) index of each row's group among `groups`, 0 without `by`."""
        return self.grouping.of_row

    @property
    def curves(self) -> bool:
        """Does every run have a curve of outputs, whose neighbours are not independent?"""
        return self.law.output in self.runs.masks or self.runs[self.law.output][0].size > CURVE

    @cached_property
    def series(self) -> str | None:
        """The law's only input, if runs follow each other along it, each of a group at a place of its own; None if not, and for curves."""
        only = self.law.inputs[0] if len(self.law.inputs) == 1 and self.law.outcomes == (self.law.output,) else None
        if only is None or self.curves or self.runs[only].ndim != 1:
            return None
        used = self.grouping.used
        places = np.stack([self.group_of_row[used], self.runs[only][used]])
        return only if np.unique(places, axis=1).shape[1] == len(used) else None

    def along(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The order in which these rows, one a residual, follow each other on curves or along `series`, and the curve of each."""
        if self.series is None:
            return np.arange(len(rows)), rows
        group = self.group_of_row[rows]
        order = np.lexsort((self.runs[self.series][rows], group))
        return order, group[order]

    @property
    def ungrouped(self) -> Request:
        """The same of all runs together."""
        return replace(self, by=None, share=(), penalty_weight=None, anchors={})

    @property
    def joint(self) -> bool:
        """One fit over all groups that share parameters (else one fit a group, or one in all)."""
        return self.by is not None and (bool(self.share) or self.crossed or bool(self.anchors))

    @property
    def apart(self) -> bool:
        """One fit a group, independent of each other?"""
        return self.by is not None and not self.joint

    @cached_property
    def layout(self) -> Layout:
        """Layout of theta for one set."""
        layout = make_layout(
            self.law, fix=self.fix, tie=self.tie, bounds=self.bounds, sizes={**self._widths, **self.sizes},
            groups=tuple(map(len, self.levels)) if self.joint else (), axes=self.axes if self.joint else {}, share=frozenset(self.share),
            anchors={name: tuple(sorted(held)) for name, held in self.anchored.items()},
        )  # fmt: skip
        if not layout.slots:
            raise FitError("Every parameter is fixed; leave at least one free.")
        return layout

    @cached_property
    def axes(self) -> dict[str, int]:
        """Along which of the columns every free parameter differs, of those that do."""
        free = [name for name in self.law.parameters if name not in self.fix and name not in self.share]
        if self.by is None or isinstance(self.by, str):
            own = {name: 0 for name in free if self.by is not None}
        else:
            own = {name: self.columns.index(self.by[name]) for name in free if name in self.by}
        own = {name: axis for name, axis in own.items() if name not in self.tie}
        return own | {name: own[other] for name, other in self.tie.items() if other in own}

    @property
    def asked_fix(self) -> dict[str, Any]:
        """`fix` as `fit` takes it."""
        return {**self.fix, **self.anchors}

    @cached_property
    def held(self) -> dict[str, np.ndarray]:
        """Values of fixed parameters as arrays; of those anchored in some groups with a leading axis of all groups, 0 where it is free."""
        values = {name: np.asarray(value, dtype=np.float64) for name, value in self.fix.items()}
        sizes = {slot.name: () if slot.size is None else (slot.size,) for slot in self.layout.slots}
        for name, given in self.anchored.items():
            values[name] = np.zeros((len(self.levels[self.axes[name]]), *sizes[name]))
            for group, value in given.items():
                if np.shape(value) not in ((), sizes[name]):
                    raise LawError(
                        f"fix={{{name!r}: ...}} gives {np.size(value)} numbers where {name!r} has {sizes[name] or 1} in a group."
                    )
                values[name][group] = value
        return values

    @cached_property
    def anchored(self) -> dict[str, dict[int, Any]]:
        """Values by parameter and index of the group, checked."""
        axes = {name: axis for name, axis in self.axes.items() if name not in self.tie}
        return anchored_values(self.law, self.anchors, axes, self.levels)

    def of_group(self, values: Mapping[str, Any], group: Any, lead: int = 0) -> dict[str, Any]:
        """Values of one group, from those of all with `lead` axes before that of the groups."""
        place = self.grouping.place(group)

        def own(name: str, value: Any) -> Any:
            axis = self.axis(name)
            return value if axis is None else np.take(np.asarray(value), place[axis], axis=lead)

        return {name: own(name, value) for name, value in values.items()}

    def which(self, name: str, group: int) -> str:
        """Name of a parameter's group."""
        axis = self.axis(name)
        if axis is None:
            raise FitError(f"{name} is the same in all groups, so that none of them has one of its own.")
        return self.levels[axis][group]

    @cached_property
    def entry_names(self) -> dict[str, str]:
        """Labels of the entries of theta to names with groups: "E[0]" to "E[web]"."""
        out = {}
        for slot in self.layout.slots:
            for label_, at in zip(self.layout.labels[slot.start : slot.stop], range(slot.stop - slot.start), strict=True):
                inner = [] if slot.size is None else [str(at % slot.free)]
                parts = [self.which(slot.name, int(slot.members[at // slot.free])), *inner] if slot.grouped else inner
                out[label_] = f"{slot.name}[{', '.join(parts)}]" if parts else slot.name
        return out

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
        return Spec(self.law, self.layout, self.loss, self.on, self.penalty_weight is not None)

    @cached_property
    def tables(self) -> list[Runs]:
        """One table a set: one in all, or one a group when groups are fitted apart."""
        if not self.apart:
            return [self.runs]
        return [self.runs.take(rows) for rows in self.places]

    @cached_property
    def places(self) -> list[np.ndarray]:
        """Which rows of the runs every table holds, in its order."""
        if not self.apart:
            return [np.arange(len(self.runs))]
        order = np.argsort(self.group_of_row, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.group_of_row, minlength=len(self.groups)))[:-1])

    @cached_property
    def row_weights(self) -> list[np.ndarray]:
        """Weights a run for every table, see `run_weights`."""
        weights = run_weights(self.runs, self.weights)
        if not self.apart:
            return [weights]
        return [weights[rows] for rows in self.places]

    @cached_property
    def batch(self) -> Batch:
        """Arrays of the tables, padded so that data sets of many lengths share a program."""
        return make_batch(
            self.law, self.tables, on=self.on, rows=self.used, weights=self.row_weights, group=self.codes if self.joint else None,
            fixed=self.held, penalty_weight=np.zeros(len(self.tables)) if self.penalty_weight is None else self.penalty_weight,
        )  # fmt: skip

    def params(self, theta: np.ndarray) -> dict[str, Any]:
        """Natural parameters from theta (size, sets, ...): floats, or arrays with a leading group axis; trailing axes lead the result.

        theta may have one draw axis after the sets: then every value has a leading draw axis.
        """
        draws = theta.reshape(theta.shape[0], theta.shape[1], -1)
        flat = np.moveaxis(draws, 0, -1)  # (sets, draws, size)
        values = self.layout.natural(flat.reshape(-1, theta.shape[0]), self.held)
        result = {}
        for name in self.law.parameters:
            value = np.asarray(values[name], dtype=np.float64)
            value = value.reshape(*flat.shape[:2], *value.shape[1:])
            value = np.moveaxis(value, 0, 1) if self.apart else value[0]
            if theta.ndim == 2:
                value = value[0]
            result[name] = float(value) if np.ndim(value) == 0 else value
        return result

    def grouped(self, name: str) -> bool:
        """Does this parameter have one value a group?"""
        return self.axis(name) is not None

    def axis(self, name: str) -> int | None:
        """Along which of the columns this parameter differs, None if it does not."""
        if self.apart:
            return 0  # held values, too, are repeated for groups fitted apart
        return self.layout.axes.get(name)

    def predict_rows(self, theta: np.ndarray) -> list[np.ndarray]:
        """Predictions at the usable rows of every table, theta (size, sets)."""
        batch = self.batch
        values = np.asarray(_predict_sets(self.spec, batch.batched[:-1], theta, batch.inputs, batch.codes, batch.fixed))
        return [value[: len(rows)] for value, rows in zip(values, self.used, strict=True)]


def observations(request: Request) -> np.ndarray:
    """(sets,) observations of every set: usable rows times the outputs of each."""
    return np.asarray([len(rows) for rows in request.used]) * int(np.prod(request.runs[request.law.output].shape[1:]))


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


@compiled(0, 1, once=True)
def _predict_sets(spec: Spec, batched: tuple[bool, ...], theta: Any, inputs: tuple[Any, ...], group: Any, fixed: dict[str, Any]) -> Any:
    """Predictions of every set at its theta, (sets, rows) or (sets, rows, T)."""
    axes = tuple(-1 if b else None for b in batched)
    return jax.vmap(lambda t, xs: predictions(spec, t, xs, group, fixed), in_axes=(-1, axes))(theta, inputs)
