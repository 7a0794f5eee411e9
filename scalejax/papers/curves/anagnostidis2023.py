"""`adaptive_schedule`: change the shape of a model during training, to the one whose error falls fastest for its compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DecisionError
from ...core.numeric.roots import between
from ...core.table import Shown, Table, number

_GRID = 4097  # errors between which the best shape may change once


@dataclass(frozen=True, eq=False, repr=False)
class AdaptiveSchedule(Shown):
    """Which shape to train from which error to which, see `adaptive_schedule`; printing it gives the table.

    Attributes:
        shapes: (segments,) names in order of use.
        errors: (segments + 1,) falling: the start, the transition points, the target.
        compute: (segments,) spent in every segment.
        static: name to compute from start to target with this shape alone; infinite if it never gets there.
        parameters: name to parameters of `laws.offset_power_law`.
    """

    shapes: tuple[str, ...]
    errors: np.ndarray
    compute: np.ndarray
    static: Mapping[str, float]
    parameters: Mapping[str, Mapping[str, float]]

    @property
    def total(self) -> float:
        """Compute from start to target."""
        return float(self.compute.sum())

    @property
    def saving(self) -> float:
        """Share of the compute of the best single shape that the schedule saves."""
        return 1 - self.total / min(self.static.values())

    def error(self, compute: Any) -> Any:
        """Error after this compute, counted from the start; up to the target."""
        spent = np.asarray(compute, dtype=np.float64)
        if ((spent < 0) | (spent > self.total * (1 + 1e-12))).any():
            raise DecisionError(f"error() takes compute from 0 to {self.total:.6g}, where the schedule reaches its target.")
        before = np.concatenate([[0.0], np.cumsum(self.compute)])
        k = np.clip(np.searchsorted(before, spent, side="right") - 1, 0, len(self.shapes) - 1)
        values = np.empty(spent.shape)
        for i, name in enumerate(self.shapes):
            own = self.parameters[name]
            inside = k == i
            values[inside] = _error(spent[inside] - before[i] + _inverse(self.errors[i], own), own)
        return float(values) if values.ndim == 0 else values

    def table(self) -> Table:
        """A row for every segment."""
        rows = [
            [
                name,
                number(self.errors[i]),
                number(self.errors[i + 1]),
                number(self.compute[i]),
                f"{100 * self.compute[i] / self.total:.1f} %",
            ]
            for i, name in enumerate(self.shapes)
        ]
        best = min(self.static, key=lambda name: self.static[name])
        note = f"total compute {number(self.total)}, {100 * self.saving:.1f} % less than {best} alone ({number(self.static[best])})"
        return Table(["shape", "from error", "to error", "compute", "share"], rows, notes=[note])


def adaptive_schedule(shapes: Mapping[str, Mapping[str, float]], target: float, *, start: float | None = None) -> AdaptiveSchedule:
    r"""The order of shapes, such as patch sizes of a vision transformer, that reaches an error with the least compute.

        E = f_P(C) = A_P (C + B_P)^-c_P + E_inf_P,    C = f_P^-1(E) = ((E - E_inf_P) / A_P)^(-1/c_P) - B_P
        at error E train the shape of least  -d f_P^-1 / dE = ((E - E_inf_P) / A_P)^(-1/c_P - 1) / (A_P c_P)

    A model that changes its shape keeps its error, so that the compute of the schedule is the integral of the least of these rates from
    start to target, and no single shape needs less. Shapes change where two rates are equal.

    Args:
        shapes: name to parameters A, B, c, E_inf of `laws.offset_power_law`, fitted to the curve of every shape, all with compute in one
            unit. The paper writes a_P, d_P, b_P, c_P.
        target: error to be reached.
        start: error at which training begins; default the lowest error of any shape without compute, f_P(0).

    Returns:
        AdaptiveSchedule: `shapes`, `errors`, `compute`, `total`, `saving`, `error(compute)`, `table()`.

    Raises:
        DecisionError: if parameters are missing or impossible, no shape reaches the target, or the start does not lie above it.

    Example:
        >>> import scalejax as sj
        >>> shapes = {"patch 32": {"A": 1.0, "B": 1.0, "c": 1.0, "E_inf": 0.3}, "patch 16": {"A": 2.0, "B": 2.0, "c": 1.0, "E_inf": 0.1}}
        >>> plan = sj.papers.adaptive_schedule(shapes, target=0.35)
        >>> plan.shapes, round(float(plan.errors[1]), 4), round(plan.total, 4), round(plan.saving, 4)
        (('patch 32', 'patch 16'), 0.7828, 5.8921, 0.018)

    References: Anagnostidis et al. 2023, arXiv:2311.03233.
    """
    known = _checked(shapes)
    names = list(known)
    if start is None:
        start = min((_error(0.0, own) for own in known.values() if own["B"] > 0), default=np.inf)
    if not np.isfinite(start):
        raise DecisionError("No shape has a finite error without compute (B = 0); pass start=, the error at which training begins.")
    lowest = min(own["E_inf"] for own in known.values())
    if not lowest < target < start:
        raise DecisionError(f"target={target!r} must lie above {lowest:g}, which no shape gets below, and below the start {start:g}.")
    grid = np.linspace(start, target, _GRID)
    best = np.argmin([_log_rate(grid, own) for own in known.values()], axis=0)
    change = np.flatnonzero(np.diff(best))
    order = [names[i] for i in best[np.append(change, -1)]]
    errors = [start, *(_equal(grid[i], grid[i + 1], known[names[best[i]]], known[names[best[i + 1]]]) for i in change), target]
    compute = [_inverse(b, known[name]) - _inverse(a, known[name]) for name, a, b in zip(order, errors[:-1], errors[1:], strict=True)]
    static = {n: _inverse(target, own) - _inverse(start, own) if own["E_inf"] < target else np.inf for n, own in known.items()}
    return AdaptiveSchedule(tuple(order), np.asarray(errors), np.asarray(compute), static, known)


def _checked(shapes: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    if not isinstance(shapes, Mapping) or not shapes:
        raise DecisionError("adaptive_schedule() takes a mapping of shapes to their parameters A, B, c, E_inf.")
    known = {}
    for name, given in shapes.items():
        if set(given) != {"A", "B", "c", "E_inf"}:
            raise DecisionError(f"Shape {name!r} has the parameters {sorted(given)}; it needs A, B, c and E_inf of laws.offset_power_law.")
        known[name] = own = {key: float(value) for key, value in given.items()}
        if not (all(map(np.isfinite, own.values())) and own["A"] > 0 and own["c"] > 0 and own["B"] >= 0 and own["E_inf"] >= 0):
            raise DecisionError(f"Shape {name!r} has impossible parameters {own}: A and c must be positive, B and E_inf not negative.")
    return known


def _error(compute: Any, own: Mapping[str, float]) -> Any:
    """`offset_power_law` of this shape, from no compute on."""
    return own["A"] * (compute + own["B"]) ** -own["c"] + own["E_inf"]


def _inverse(error: float, own: Mapping[str, float]) -> float:
    """Compute at which this shape has this error."""
    return ((error - own["E_inf"]) / own["A"]) ** (-1 / own["c"]) - own["B"]


def _log_rate(error: np.ndarray, own: Mapping[str, float]) -> np.ndarray:
    """Logarithm of the compute for one unit of error; infinite at and below the shape's limit."""
    above = error - own["E_inf"]
    share = np.log(np.where(above > 0, above, 1.0) / own["A"])
    return np.where(above > 0, -(1 / own["c"] + 1) * share - np.log(own["A"] * own["c"]), np.inf)


def _equal(high: float, low: float, one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The error between high and low at which two shapes need the same compute for the next unit."""
    low = max(low, one["E_inf"] + 1e-12 * high)  # just above it the first shape is infinitely slow
    return float(between(lambda e: _log_rate(e, one) - _log_rate(e, other), np.asarray([low]), np.asarray([high]))[0])
