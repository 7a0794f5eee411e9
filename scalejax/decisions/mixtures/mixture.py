"""`Mixture`: optimal training proportions, how sure they are, and a certificate that they are optimal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np

from ...core.answer import drawn_by, without
from ...core.errors import DecisionError
from ...core.forms.documents import write_document
from ...core.numeric.precision import double
from ...core.numeric.statistics import ends
from ...core.table import Cell, Note, Shown, Table, formatted, number, percent, span
from ..question import numbers
from ..unvaried import note
from . import reach
from .program import MixtureProblem, evaluated

_AT = 1e-9  # nearer than this to a floor or cap, a weight is at it
_OFF = 1e-6  # farther than this beyond a floor or cap, a weight breaks it


@dataclass(frozen=True, eq=False, repr=False)
class Mixture(Shown):
    """Optimal weights. Arrays have a leading path axis if a path was asked for.

    Attributes:
        h: weights, (domains,) or (path, domains), at the point estimate.
        domains: their names.
        draws: the same with a leading draw axis; None without uncertainty. NaN for draws without an optimum.
        problem: what was solved.
        multipliers: share of every target in the optimum, (path, targets): the weights, or for the worst case those targets that are worst.
        residual: largest violation of the KKT equations.
        within: draws of the optimum within the shares of the runs, to which intervals reach; None where the optimum lies there itself.
        remarks: what speaks against it, such as how far it lies beyond the runs.
    """

    h: np.ndarray
    domains: tuple[str, ...]
    draws: np.ndarray | None
    problem: MixtureProblem = field(repr=False)
    multipliers: np.ndarray
    single: bool
    residual: float
    within: np.ndarray | None = field(default=None, repr=False)
    remarks: tuple[Note, ...] = ()
    _BULKY: ClassVar[frozenset[str]] = frozenset({"draws", "within"})

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the target losses."""
        return self.problem.targets.names

    @property
    def weights(self) -> dict[str, Any]:
        """Domain to weight."""
        return {name: float(w) if self.single else w for name, w in zip(self.domains, np.moveaxis(self.h, -1, 0), strict=True)}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the weights by domain as .yaml or .json, or as .csv with a row a domain.

        Raises:
            DecisionError: if this is a path of mixtures; a file holds one.
        """
        if not self.single:
            raise DecisionError("A file of weights holds one mixture, and this is a path of them; ask for one.")
        weights = {name: float(weight) for name, weight in self.weights.items()}
        return write_document(path, weights, {"domain": list(weights), "weight": list(weights.values())})

    @cached_property
    def _at_h(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._evaluate(np.atleast_2d(self.h)[None], self.problem.targets.point)

    @double
    def _evaluate(self, h: np.ndarray, params: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        factors = np.broadcast_to(self.multipliers * self._factors, (len(h), *self.multipliers.shape))
        losses, divergence, gap = evaluated(
            self.problem.targets.laws, self.problem.targets.weights, h, factors, params, self.problem.path, self.problem.values
        )
        return np.asarray(losses), np.asarray(divergence), np.asarray(gap)

    @property
    def _factors(self) -> Any:
        """What multiplies the losses beside the multipliers, which hold the weights already unless the worst case is asked for."""
        return self.problem.values["weights"] if self.problem.worst else 1.0

    def _total(self, losses: np.ndarray, divergence: np.ndarray) -> np.ndarray:
        excess = self.problem.values["weights"] * (losses - self.problem.values["reference"])
        return (excess.max(axis=-1) if self.problem.worst else excess.sum(axis=-1)) + divergence

    @property
    def losses(self) -> dict[str, Any]:
        """Target to predicted loss at the optimal weights."""
        return {name: self._one(loss) for name, loss in zip(self.targets, np.moveaxis(self._at_h[0][0], -1, 0), strict=True)}

    @property
    def objective(self) -> Any:
        """What was minimised."""
        return self._one(self._total(*self._at_h[:2])[0])

    @property
    def gap(self) -> Any:
        """Certificate: the objective is at most this far above its least value, if the losses are convex in the weights.

        The Frank-Wolfe gap: the linear lower bound at the optimum, minimised over all mixtures within floors and caps.
        """
        losses, divergence, slope = (a[0] for a in self._at_h)
        factors = self.multipliers * self._factors
        linear = (factors * (losses - self.problem.values["reference"])).sum(axis=-1) + divergence
        best = np.asarray([_cheapest(g, low, high) for g, low, high in zip(slope, self.problem.low.T, self.problem.high.T, strict=True)])
        h = np.atleast_2d(self.h)
        bound = linear - (slope * h).sum(axis=-1) + best
        return self._one(np.maximum(self._total(losses, divergence) - bound, 0.0))

    @property
    def active(self) -> list[tuple[str, ...]]:
        """For every mixture of the path, the weights that are at zero, at a floor or at a cap."""
        rows = []
        for h, low, high in zip(np.atleast_2d(self.h), self.problem.low.T, self.problem.high.T, strict=True):
            held = []
            for name, w, a, b in zip(self.domains, h, low, high, strict=True):
                if w - a < _AT:
                    held.append(f"{name} at {'zero' if a == 0 else 'its floor'}")
                elif b - w < _AT and b < 1:
                    held.append(f"{name} at its cap")
            rows.append(tuple(held))
        return rows

    @double
    def at(self, h: Any) -> np.ndarray:
        """(k,) the objective at other weights h (k, domains), for a single mixture; limits are not looked at."""
        given = np.asarray(h, dtype=np.float64)
        if not self.single or given.ndim != 2 or given.shape[1] != len(self.domains):
            raise DecisionError(f"at() takes weights (k, {len(self.domains)}) of a single mixture.")
        point = jax.tree.map(lambda v: np.broadcast_to(v, (len(given), *np.shape(v)[1:])), self.problem.targets.point)
        losses, divergence, _ = self._evaluate(given[:, None], point)
        return self._total(losses, divergence)[:, 0]

    def interval(self, level: float = 0.9) -> dict[str, tuple[Any, Any]]:
        """(low, high) of every domain's weight over the draws at this confidence `level`.

        Beyond the shares of the runs, where draws of a law that is not checked may all agree, it reaches back to the interval of the best
        mixture within these shares.

        Raises:
            DecisionError: if the mixture came from bare parameters.
        """
        low, high = ends(self._known_draws(), level)
        if self.within is not None:
            near = ends(self.within, level)
            low, high = np.minimum(low, near[0]), np.maximum(high, near[1])
        return {name: (self._one(low[..., i]), self._one(high[..., i])) for i, name in enumerate(self.domains)}

    def _known_draws(self) -> np.ndarray:
        if self.draws is None:
            raise DecisionError(without("mixture", self.problem.targets.kind))
        return self.draws[~np.isnan(self.draws).reshape(len(self.draws), -1).any(axis=1)]

    @double
    def against(self, others: Mapping[str, Any], level: float = 0.9) -> Table:
        """Objective and losses of other mixtures beside the optimum, with intervals of the difference over the draws, and broken limits.

        Args:
            others: name to weights, (domains,).
            level: of the intervals.

        Raises:
            DecisionError: if weights are off the simplex.
        """
        rows, breaks = [], []
        for name, h in {"optimum": self.h, **others}.items():
            given = numbers(name, list(h.values()) if isinstance(h, Mapping) else h)
            if given.shape[-1:] != (len(self.domains),) or (given < 0).any() or not np.allclose(given.sum(axis=-1), 1, atol=5e-3):
                raise DecisionError(f"{name} must hold a weight of 0 or more for each of the {len(self.domains)} domains that sum to one.")
            here = np.broadcast_to(given, np.atleast_2d(self.h).shape)
            losses, divergence, _ = self._evaluate(here[None], self.problem.targets.point)
            total = self._total(losses, divergence)[0]
            spread = self._difference(here, len(self.draws), level) if self.draws is not None else None
            for s in range(len(total)):
                row = [
                    name if self.single else f"{name}, {self._label(s)}",
                    number(total[s], 6),
                    formatted(total[s] - np.atleast_1d(self.objective)[s], "+.4g"),
                ]
                if spread is not None:
                    row.append("—" if name == "optimum" else span(spread[0][s], spread[1][s], 3))
                rows.append([*row, *(number(loss) for loss in losses[0, s])])
                breaks.append(", ".join(self.broken(here[s], s)))
        head = ["mixture", "objective", "above the optimum", *([f"{100 * level:g} %"] if self.draws is not None else []), *self.targets]
        if any(breaks):  # such a mixture may lie below the optimum, which keeps to the limits
            head, rows = [*head, "breaks"], [[*row, limit] for row, limit in zip(rows, breaks, strict=True)]
        return Table(head, rows, notes=self._far_off({"optimum": self.h, **others}))

    def _far_off(self, mixtures: Mapping[str, Any]) -> list[str]:
        """A note that names those of the mixtures that lie beyond the shares of the runs."""
        runs = self.problem.targets.runs
        rows = {name: np.asarray(list(h.values()) if isinstance(h, Mapping) else h, dtype=np.float64) for name, h in mixtures.items()}
        far = [name for name, h in rows.items() if runs and reach.beyond(h, runs).any()]
        said = f"extrapolation: {', '.join(far)} beyond the shares of the runs, where nothing checks what is predicted"
        return [Note(said, "extrapolation")] if far else []

    def broken(self, h: Any, index: int = 0) -> list[str]:
        """Floors and caps that the weights h (domains,) break, in words; `index` on the path."""
        low, high = self.problem.low[:, index], self.problem.high[:, index]
        caps, floors = (np.flatnonzero(off > _OFF) for off in (h - high, low - h))
        return [f"cap of {self.domains[i]}" for i in caps] + [f"floor of {self.domains[i]}" for i in floors]

    def _difference(self, h: np.ndarray, count: int, level: float) -> tuple[Any, Any]:
        """Interval over the draws of the objective at h minus that at the chosen weights."""
        both = (self._evaluate(np.broadcast_to(w, (count, *np.shape(w))), self.problem.targets.draws) for w in (h, np.atleast_2d(self.h)))
        there, here = (self._total(losses, divergence) for losses, divergence, _ in both)
        return ends(there - here, level)

    @double
    def table(self, level: float = 0.9) -> Table:
        """A row for every domain (and mixture of the path)."""
        limits = self.interval(level) if self.draws is not None else {}
        rows = []
        for s in range(len(np.atleast_2d(self.h))):
            for i, name in enumerate(self.domains):
                row = [name if self.single else f"{self._label(s)}: {name}", formatted(np.atleast_2d(self.h)[s, i], ".4f")]
                if limits:
                    low, high = (np.atleast_1d(end)[s] for end in limits[name])
                    at_zero = np.mean(np.asarray(self._known_draws()).reshape(-1, *np.atleast_2d(self.h).shape)[:, s, i] < _AT)
                    row += [Cell(f"{low:.4f} – {high:.4f}", (low, high)), percent(at_zero, 0)]
                cap = self.problem.high[i, s]
                rows.append([*row, "—" if cap >= 1 else formatted(cap, ".4f")])
        head = ["domain", "weight", *([f"{100 * level:g} %", "at zero"] if limits else []), "cap"]
        gap, total = np.atleast_1d(self.gap), np.atleast_1d(self.objective)
        notes = [f"objective {', '.join(number(v, 7) for v in total)}; at most {gap.max():.1g} above the least, if the losses are convex"]
        if self.problem.kept:
            notes.append(note(self.problem.kept, self.domains))
        if self.draws is not None:
            notes.append(drawn_by(len(self.draws), self.problem.targets.kind))
        elif self.problem.targets.kind:
            notes.append(self.problem.targets.kind)
        notes += self.remarks
        return Table(head, rows, notes=notes)

    def _label(self, s: int) -> str:
        return ", ".join(f"{n}={np.ravel(a[s])[0]:.3g}" for n, a in self.problem.path["given"].items())

    def _one(self, value: Any) -> Any:
        """One number for a single mixture, else the array over the path."""
        return float(np.ravel(value)[0]) if self.single else value


def _cheapest(slope: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Least slope @ h over the mixtures between low and high: fill the domains with the smallest slope first."""
    order = np.argsort(slope)
    room = (high - low)[order]
    before = np.concatenate([[0.0], np.cumsum(room)[:-1]])
    return float(slope @ low + slope[order] @ np.clip(1.0 - low.sum() - before, 0.0, room))
