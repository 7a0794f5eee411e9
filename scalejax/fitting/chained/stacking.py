"""A chain as one regression: a row for every observed output, and one law whose value is what that row observes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np

from ...core.checks import not_finite, rows_text
from ...core.errors import DataError, suggest
from ...core.laws.chain import Chain
from ...core.laws.domains import Real
from ...core.laws.law import Law
from ...core.numeric.kept import remembered
from ...core.runs import Runs
from ...data.readers import read_columns
from ..objective.counts import Binomial, deviance_residual
from ..objective.groups import check_names
from ..request import run_weights
from .measure import Measure, per_stage

OBSERVES, RUN = "observes", "run"  # columns that say which output a row observes, and of which run
TARGET, INDEX, UNIT, SHARE, TRIALS = "residual target", "stage index", "unit of residual", "observed share", "number of trials"
LEVEL = "residual about the mean share"
_SPECIAL = dict.fromkeys((INDEX, UNIT, SHARE, TRIALS, LEVEL), Real(0, 1))


def observed(name: str) -> str:
    """The column that gives a stage's observed output to the laws that take it."""
    return f"observed {name}"


@dataclass(frozen=True, eq=False, repr=False)
class StackedLaw(Law):
    """The law of a stacked table; `names` are the stages."""

    names: tuple[str, ...] = ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        """See `Law`: outputs, and what tells the rows of one stage from those of another."""
        return (*self.names, *map(observed, self.names), *_SPECIAL, OBSERVES, TARGET)


def stacked_law(joined: Chain, scales: tuple[Measure, ...], staged: bool = False) -> Law:
    """The law of the stacked table, on the scale of residuals; the same function for the same chain and scales.

    Args:
        joined: the chain.
        scales: `Measure.scale` of every stage.
        staged: do laws take the observed outputs of others, not the predicted ones?
    """
    inner = tuple(dict.fromkeys(n for s in joined.stages for n in s.takes)) if staged else ()
    inputs = (*joined.inputs, *map(observed, inner), *_SPECIAL)
    domains = {name: joined.domains[name] for name in (*joined.inputs, *joined.parameters)}
    domains |= {observed(name): joined.domains[name] for name in inner} | _SPECIAL
    return StackedLaw(
        function=_stacked(joined, scales, inner, inputs), name=joined.name, inputs=inputs, parameters=joined.parameters,
        domains=MappingProxyType(domains), output=TARGET, reference=joined.reference, names=joined.outputs,
    )  # fmt: skip


@remembered
def _stacked(joined: Chain, scales: tuple[Measure, ...], inner: tuple[str, ...], inputs: tuple[str, ...]) -> Any:
    """The function of `stacked_law`, the same for the same chain and scales, so that compiled programs are found again."""
    parts = _alike(joined, scales)

    def stacked(*values: Any, **params: Any) -> Any:
        row = dict(zip(inputs, values, strict=True))
        known = {name: row[name] for name in joined.inputs}
        known |= {name: row[observed(name)] for name in inner}
        out: Any = 0.0
        for alike in parts:
            stage, measure = joined.stages[alike[0]], scales[alike[0]]
            here = [row[INDEX] == i for i in alike]
            if len(alike) == 1:
                value = stage.value(known, params)
                known.setdefault(stage.name, value)
            else:
                named = [joined.stages[i].parameters for i in alike]
                chosen = {pairs[0][1]: _chosen(here, [params[called] for _, called in pairs]) for pairs in zip(*named, strict=True)}
                value = stage.value(known, chosen)
            here = sum(here) > 0
            middle = 1.0 if measure.on == "log" else 0.5 * (measure.floor + measure.ceiling)
            safe = jnp.where(here, value, middle)  # a logarithm that no row asks for must not spoil the derivative
            out = out + jnp.where(here, measure.predicted(safe, row[SHARE], row[TRIALS], row[LEVEL]), 0.0)
        return out * row[UNIT]

    stacked.__doc__ = joined.function.__doc__
    return stacked


def _alike(joined: Chain, scales: tuple[Measure, ...]) -> list[list[int]]:
    """Stages in order, those together that evaluate one law at the same inputs: at a row only one of them counts, with its parameters.

    Eight benchmarks of one law then compile as fast as one.
    """
    taken = {name for stage in joined.stages for name in stage.takes}
    parts: dict[Any, list[int]] = {}
    for i, (stage, scale) in enumerate(zip(joined.stages, scales, strict=True)):
        key = (stage.name,) if stage.name in taken else (stage.law, stage.inputs, scale)
        parts.setdefault(key, []).append(i)
    return sorted(parts.values(), key=lambda alike: alike[-1] if len(alike) == 1 else max(alike))


def _chosen(here: list[Any], values: list[Any]) -> Any:
    """The value of the one that is here."""
    return sum(jnp.where(one, value, 0.0) for one, value in zip(here[1:], values[1:], strict=True)) + jnp.where(
        sum(here[1:]) > 0, 0.0, values[0]
    )


@dataclass(frozen=True, eq=False)
class Stacked:
    """The stacked table but for the noise of the stages.

    Attributes:
        joined: the chain. each: measures by stage. staged: see `stacked_law`.
        columns: of the table, but for target and unit.
        stage: (rows,) index of the stage that a row observes. row: (rows,) its place in the user's table.
        value: (rows,) observed outputs. target: (rows,) the same on the scale of residuals.
        weight: (rows,) as the user gave them. title: what the law is called in messages, if not as the chain.
    """

    joined: Chain
    each: Mapping[str, Measure]
    staged: bool
    columns: Mapping[str, np.ndarray]
    stage: np.ndarray
    row: np.ndarray
    value: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    title: str = ""

    @property
    def law(self) -> Law:
        """The law of these rows."""
        law = stacked_law(self.joined, tuple(self.each[name].scale for name in self.joined.outputs), self.staged)
        return replace(law, name=self.title) if self.title else law

    def unit(self, noise: Mapping[str, float], factors: Mapping[str, float]) -> np.ndarray:
        """(rows,) factors of the residuals: one over the noise of every stage, or what trials say of it, in the unit of the common loss."""
        out = np.empty(len(self.stage))
        for k, name in enumerate(self.joined.outputs):
            here = self.stage == k
            trials = self.columns[TRIALS][here]
            size = np.sqrt(1 + (trials - 1) * noise[name]) if self.each[name].counts else noise[name]
            out[here] = factors[name] / size
        return out

    def runs(self, noise: Mapping[str, float], factors: Mapping[str, float]) -> Runs:
        """The table with residuals in units of this noise."""
        unit = self.unit(noise, factors)
        return Runs({**self.columns, UNIT: unit, TARGET: self.target * unit})

    def weights(self, factors: Mapping[str, float]) -> np.ndarray:
        """(rows,) weights that undo the factors in the objective."""
        return self.weight / np.asarray([factors[name] for name in self.joined.outputs])[self.stage] ** 2


def stack(joined: Chain, table: Any, each: Mapping[str, Measure], by: tuple[str, ...], weights: Any, staged: bool = False) -> Stacked:
    """The stacked table of a chain; `by` are the columns that name groups.

    Raises:
        DataError: if a column is missing, or holds what its law cannot take.
    """
    runs = _usable(joined, table)
    for name in (*joined.inputs, *joined.outputs, *by):
        if name not in runs:
            what = f"the output of a stage of {joined.name!r}" if name in joined.outputs else f"an input of {joined.name!r}"
            what = "named by by=" if name in by else what
            raise DataError(
                f"The table has no column {name!r}, {what}; {suggest(name, runs.names)} Rows without a value may hold NaN, "
                "but the column must be there."
            )
        if name not in by and runs[name].dtype.kind != "f":
            raise DataError(f"Column {name!r} holds text, {joined.name!r} needs numbers.")
        if name in joined.outputs and runs[name].ndim > 1:
            raise DataError(f"Column {name!r} has several values a run; stages, counts and logits take one value a run, one row a step.")
    for name in by:
        check_names(runs, name)
    w = _weights(runs, weights, joined.outputs)
    parts = [_rows(joined, runs, name, staged) for name in joined.outputs]
    stage, row = np.repeat(np.arange(len(parts)), list(map(len, parts))), np.concatenate(parts)
    value = np.concatenate([runs[name][rows] for name, rows in zip(joined.outputs, parts, strict=True)])
    target = [each[name].observed(name, runs[name][rows], rows) for name, rows in zip(joined.outputs, parts, strict=True)]
    columns = {name: _plain(runs[name][row]) for name in runs.names}
    columns[OBSERVES] = np.asarray(joined.outputs)[stage]
    columns.setdefault(RUN, row.astype(float))
    columns |= {name: _filled(joined, runs, name)[row] for name in joined.inputs}
    if staged:
        columns |= {observed(n): _filled(joined, runs, n)[row] for n in dict.fromkeys(n for s in joined.stages for n in s.takes)}
    columns |= {INDEX: stage.astype(float), SHARE: np.full(len(row), 0.5), TRIALS: np.ones(len(row)), LEVEL: np.zeros(len(row))}
    for k, name in enumerate(joined.outputs):
        if isinstance(loss := each[name].loss, Binomial):
            here, n = stage == k, _trials(runs, loss.trials, parts[k])
            columns[SHARE][here], columns[TRIALS][here] = value[here], n
            columns[LEVEL][here] = target[k] = np.asarray(deviance_residual(value[here], n, np.average(value[here], weights=n)))
    weight = np.concatenate([w[name][rows] for name, rows in zip(joined.outputs, parts, strict=True)])
    return Stacked(
        joined=joined, each=dict(each), staged=staged, columns=columns, stage=stage, row=row, value=value, target=np.concatenate(target),
        weight=weight,
    )  # fmt: skip


def _usable(joined: Chain, table: Any) -> Runs:
    """The table, with rows left out only for what its flags say of inputs or of whole rows: a gap in an output is none in the others."""
    if not isinstance(table, Runs):
        return Runs(*read_columns(table, {}))
    out, flagged = np.zeros(len(table), bool), np.zeros(len(table), bool)
    for flag in table.flags:
        if flag.excluded:
            flagged[list(flag.rows)] = True
            if not flag.column or flag.column in joined.inputs:
                out[list(flag.rows)] = True
    out |= table.excluded & ~flagged
    if out.all():
        raise DataError("No run can be used: all rows are left out.")
    return replace(table, excluded=out)


def _rows(joined: Chain, runs: Runs, name: str, staged: bool) -> np.ndarray:
    """Rows of the table that observe a stage's output, with all that its prediction needs."""
    there = np.isfinite(runs[name]) & ~runs.excluded
    taken = joined.stage(name).takes if staged else ()
    for other in taken:  # a law that takes what was observed learns nothing where it was not
        there &= np.isfinite(runs[other])
    if not there.any():
        with_ = f" together with {' and '.join(taken)}" if taken else ""
        raise DataError(f"Column {name!r} has no number{with_} in any usable row; give some, or fit the other stages alone.")
    needed = [n for n in joined.stage(name).inputs if n not in joined.outputs] if staged else joined.needs(name)
    for other in needed:
        bad = not_finite(runs[other]) & there
        if bad.any():
            raise DataError(
                f"Column {other!r} is missing, NaN or infinite in {rows_text(np.flatnonzero(bad))}, where {name!r} is observed and needs "
                "it; clean the table, or leave such rows out with runs.where(...)."
            )
        outside = there & ~joined.domains[other].contains(runs[other]).reshape(len(runs), -1).all(axis=1)
        if outside.any():
            support = joined.domains[other].support
            raise DataError(
                f"Column {other!r} must hold {support} for {joined.name!r}; it does not in {rows_text(np.flatnonzero(outside))}."
            )
    return np.flatnonzero(there)


def _filled(joined: Chain, runs: Runs, name: str) -> np.ndarray:
    """An input's column with a valid value where it is missing: there nothing depends on it, but laws are evaluated at every row."""
    column = runs[name]
    fine = ~not_finite(column) & joined.domains[name].contains(column).reshape(len(column), -1).all(axis=1)
    out = column.copy()
    out[~fine] = column[np.flatnonzero(fine)[0]] if fine.any() else np.nan
    return out


def _plain(column: np.ndarray) -> np.ndarray:
    """The column with one kind of NaN, so that its digest does not depend on where a gap came from."""
    return np.where(np.isnan(column), np.nan, column) if column.dtype.kind == "f" else column


def _trials(runs: Runs, name: str, rows: np.ndarray) -> np.ndarray:
    if name not in runs:
        raise DataError(f"trials={name!r} names no column; {suggest(name, runs.names)}")
    trials = runs[name][rows]
    bad = ~(np.isfinite(trials) & (trials >= 1) & (trials == np.round(trials))) if trials.dtype.kind == "f" else np.full(len(rows), True)
    if bad.any():
        raise DataError(f"Column {name!r} must hold whole numbers of trials, 1 or more; it does not in {rows_text(rows[bad])}.")
    return trials


def _weights(runs: Runs, weights: Any, outputs: tuple[str, ...]) -> dict[str, np.ndarray]:
    """(n,) weights of every stage: one for all, or a number, a column or an array for each."""
    each = per_stage("weights", weights, outputs, 1.0 if isinstance(weights, Mapping) else None)
    return {name: run_weights(runs, np.full(len(runs), float(w)) if isinstance(w, int | float) else w) for name, w in each.items()}
