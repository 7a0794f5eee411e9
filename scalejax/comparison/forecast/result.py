"""What `forecast` returns: predictions with intervals, where their width comes from, and how earlier forecasts did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from ...core.checks import check_count
from ...core.errors import FitError, suggest
from ...core.lazy import picture
from ...core.numeric.precision import double
from ...core.table import Note, Shown, Table, formatted, number, span
from ...decisions.averaged import LawAverage
from ...fitting.result import Fit
from .columns import Columns, Link
from .fits import fits_of
from .members import Candidates, returned
from .misfit import deviation, half_width
from .refits import Refits

_SHOWN = 20


class Interval(NamedTuple):
    """Ends of an interval, (m,) each."""

    low: np.ndarray
    high: np.ndarray


class Origin(NamedTuple):
    """How a forecast did that knew only the smaller runs.

    Attributes:
        known, asked: how many runs it knew, and was asked for.
        factor: how many times beyond the known runs the farthest of them lay; 1 for random folds.
        error: mean absolute error, relative (of targets without a sign, in their standard deviation).
        held: how many of the asked runs lay in the 90 % interval. Weights of the laws and the scale are those of the other origins.
    """

    known: int
    asked: int
    factor: float
    error: float
    held: int


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(LawAverage, Shown):
    """A weighted average of laws at points that no run has reached, see `forecast`; printing it gives the table.

    Attributes:
        target: the column. at: input to its values at the points. group: the group of every point, empty without groups.
        link: how laws describe the target: as it is ("log", "linear"), its complement (per cent as shares) or its reciprocal.
        weights: law to weight, heaviest first; the mean over groups. weights_by_group: the same of every group.
        origins: how the forecasts of earlier origins did.
        axis: what is large, "" where the points lie among the runs. size, asked: its log10 for the runs and the points.
        reach: (m,) decades that a point lies beyond the runs.
        freedom: degrees of freedom of the intervals.
        runs: how many were used. notes: what was left out. seconds: that it took.
    """

    target: str
    at: Mapping[str, np.ndarray]
    group: tuple[str, ...]
    link: Link
    unit: float
    centre: np.ndarray
    variances: Mapping[str, np.ndarray]
    freedom: float
    weights: Mapping[str, float]
    weights_by_group: Mapping[str, Mapping[str, float]]
    origins: tuple[Origin, ...]
    axis: str
    size: np.ndarray
    asked: np.ndarray
    reach: np.ndarray
    runs: int
    notes: tuple[str, ...]
    seconds: float
    columns: Columns
    _values: np.ndarray
    _candidates: tuple[tuple[Candidates, Refits], ...]
    _weighting: int
    _row_weights: np.ndarray

    def __len__(self) -> int:
        return len(self.centre)

    @property
    def prediction(self) -> np.ndarray:
        """(m,) what the points are expected to show."""
        return self._back(self.centre)

    def interval(self, level: float = 0.9, kind: Literal["run", "mean"] = "run") -> Interval:
        """(low, high) of every point, each (m,): of a new run, or without its noise of the mean.

        Raises:
            FitError: if `kind` is neither.
        """
        _check_kind(kind)
        half = half_width(self.variances, self.freedom, level, kind)
        ends = self._back(self.centre - half), self._back(self.centre + half)
        return Interval(np.minimum(*ends), np.maximum(*ends))

    def drawn(self, count: int = 2000, *, kind: Literal["run", "mean"] = "run", seed: int = 0) -> np.ndarray:
        """(count, m) draws of what the points will show, for what follows from it; their percentiles are those of `interval`.

        In a draw all points of a group are off by the same number of standard deviations: what laws miss far ahead they miss alike.

        Raises:
            FitError: if `kind` is unknown, or `count` is no whole number above 0.
        """
        _check_kind(kind)
        check_count("count", count, 1)
        groups = sorted(set(self.group)) or [""]
        t = np.random.default_rng(seed).standard_t(self.freedom, (count, len(groups)))
        of_point = [groups.index(name) for name in self.group] or [0] * len(self)
        return self._back(self.centre + t[:, of_point] * deviation(self.variances, kind))

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """Variance from noise, parameters, choice of law and misfit, (m,) each: of logarithms, or of values where the link is linear."""
        scale = self.unit**2 if self.link == "linear" else 1.0
        return {name: scale * variance for name, variance in self.variances.items()}

    @cached_property
    @double
    def fits(self) -> dict[str, tuple[float, Fit]]:
        """The heaviest laws, up to five, to their weights and fits to all runs, the largest of which count most; decisions take them.

        Raises:
            DecisionError: if the forecast is of groups.
        """
        return fits_of(self.columns, self.link, self._values, dict(self.weights), self._candidates, self._weighting, self._row_weights)

    @property
    def verdict(self) -> str:
        """What forecasts from earlier origins say of this one, in a sentence."""
        if not self.origins:
            return "No earlier origin could be tried, so the width rests on what forecasts of public sweeps missed."
        asked, held = sum(o.asked for o in self.origins), sum(o.held for o in self.origins)
        error = np.average([o.error for o in self.origins], weights=[o.asked for o in self.origins])
        missed = f"{100 * error:.2g} %" if self.link != "linear" else f"{number(error * self.unit, 2)}"
        if not self.axis:
            return f"Asked for runs left out at random, these forecasts missed by {missed}; their 90 % band held {held} of {asked}."
        farthest = max(o.factor for o in self.origins)
        return (
            f"Asked from {len(self.origins)} earlier origins to look up to {number(farthest, 2)} times ahead, these forecasts missed by "
            f"{missed}; their 90 % band held {held} of {asked}."
        )

    def table(self, level: float = 0.9) -> Table:
        """A row for every point: inputs, prediction, intervals of a new run, how far ahead, and what the width consists of."""
        low, high = self.interval(level)
        scalars = [name for name, values in self.at.items() if values.ndim == 1]
        total = sum(self.variances.values())
        shares = {name: 100 * variance / total for name, variance in self.variances.items()}
        head = [*(["group"] if self.group else []), *scalars, self.target, f"{100 * level:g} %", "times ahead", *(f"{n} %" for n in shares)]
        rows = []
        for i in range(len(self)):
            row = [self.group[i]] if self.group else []
            row += [number(float(self.at[name][i]), 4) for name in scalars]
            row += [number(float(self.prediction[i]), 4), span(low[i], high[i], 4)]
            row += [number(float(10 ** self.reach[i]), 2), *(formatted(share[i], ".0f") for share in shares.values())]
            rows.append(row)
        best = ", ".join(f"{name} ({100 * w:.0f} %)" for name, w in list(self.weights.items())[:3])
        notes = [
            Note(self.verdict, "past-errors", "info"),
            f"Average of {len(self.weights)} laws fitted to {self.runs} runs in {self.seconds:.1f} s; heaviest: {best}.",
        ]
        if self.link == "percent":
            said = f"{self.target} is taken as per cent, at most 100; divide it by its ceiling if that is another."
            notes.append(Note(said, "percent", "info"))
        elif self.link == "reciprocal" and np.max(self.columns.y) <= 100 < np.max(high):
            said = f"{self.target} has no ceiling here; if it is in per cent, read it with unit={{{self.target!r}: 'percent'}}."
            notes.append(Note(said, "percent"))
        notes += [Note(f"{said[0].upper()}{said[1:]}.", "left-out") for said in self.notes]
        return Table(head, rows, f"Forecast of {self.target}", notes, ends=(_SHOWN, 0))

    def columns_at(self, level: float = 0.9) -> dict[str, np.ndarray]:
        """Columns of a table of all points: group, inputs, prediction, ends of the interval, decades ahead, variances by part."""
        low, high = self.interval(level)
        inputs: dict[str, np.ndarray] = {}
        for name, values in self.at.items():
            members = self.columns.members[name]
            inputs |= {name: values} if values.ndim == 1 else {part: values[:, i] for i, part in enumerate(members)}
        group = {self.columns.by or "group": np.asarray(self.group)} if self.group else {}
        variances = {f"variance_{name}": variance for name, variance in self.parts.items()}
        return {**group, **inputs, self.target: self.prediction, "low": low, "high": high, "reach": self.reach, **variances}

    def plot(self, **options: Any) -> Any:
        """The forecast with its bands, see `plot.forecast`."""
        return picture("forecast")(self, **options)

    def _back(self, centre: np.ndarray) -> np.ndarray:
        if self.link == "linear":
            return centre * self.unit
        return returned(self.link, np.exp(centre))


def _check_kind(kind: str) -> None:
    if kind not in ("run", "mean"):
        raise FitError(f"kind={kind!r} is unknown; {suggest(str(kind), ['run', 'mean'])}")
