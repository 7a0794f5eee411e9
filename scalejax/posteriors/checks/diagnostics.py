"""How far draws can be trusted, by the way they were made: chains of a sampler, or an approximation with importance weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.table import Note, Table, entry
from .convergence import bfmi, ess_bulk, ess_tail, split_rhat
from .psis import khat_limit

RHAT = 1.01  # above which chains have not mixed
ENOUGH = 400  # effective draws that percentiles need
_TOGETHER = 0.9  # correlation of ranks from which on two numbers move together
LOW_ENERGY = 0.3  # fraction of missing energy below which tails are explored badly

Label = Callable[[str, tuple[int, ...]], str]  # the name of one number from that of its array and its index
Values = Mapping[str, np.ndarray]  # every sampled number's name to its draws, leading draw axis


@dataclass(frozen=True, eq=False)
class Chains:
    """Draws of a Markov chain; those of one chain lie side by side, chain after chain.

    Attributes:
        diverging: (chains, draws) whether a step since the last kept draw went astray. energy: (chains, draws). steps: (chains, draws)
            gradients of a step.
        accept: target acceptance. gradients: of all chains, warm-up included. budget: how many were allowed.
    """

    diverging: np.ndarray
    energy: np.ndarray
    steps: np.ndarray
    accept: float = 0.8
    gradients: int = 0
    budget: int = 0

    @property
    def count(self) -> int:
        """How many chains."""
        return len(self.steps)

    @property
    def divergences(self) -> int:
        """How many draws diverged."""
        return int(self.diverging.sum())

    def convergence(self, values: Values) -> dict[str, tuple[Any, Any, Any]]:
        """Rank R-hat, bulk and tail effective sample size of every number, shaped like it."""
        out = {}
        for name, draws in values.items():
            chains = draws.reshape(self.count, -1, *draws.shape[1:])
            out[name] = split_rhat(chains), ess_bulk(chains), ess_tail(chains)
        return out

    def worst(self, values: Values) -> tuple[float, float, float]:
        """Largest R-hat, smallest bulk and smallest tail effective sample size."""
        rhat, bulk, tail = zip(*self.convergence(values).values(), strict=True)
        # NumPy's extremes, unlike Python's, keep NaN, which chains that never moved have
        return float(np.max([np.max(v) for v in rhat])), float(np.min([np.min(v) for v in bulk])), float(np.min([np.min(v) for v in tail]))

    def passed(self, values: Values) -> tuple[bool, float]:
        """Do the chains agree, with draws enough for percentiles or worth half as many independent ones; and how many is that?

        Fewer draws than percentiles need pass as they are: who asks for them does not want to wait.
        """
        rhat, bulk, tail = self.worst(values)
        effective = min(bulk, tail)
        if self.steps.size < ENOUGH:
            return True, effective
        return bool(rhat <= RHAT and effective >= min(ENOUGH, self.steps.size / 2)), effective if np.isfinite(effective) else 0.0

    def complaints(self, values: Values, label: Label | None = None) -> list[str]:
        """What speaks against trusting the draws, and what to do, a sentence each; empty if nothing does."""
        found = _numbers(self.convergence(values), label or entry)
        out: list[str] = []
        rhat, bulk, tail = self.worst(values)
        spent = f"after {self.gradients:,} gradients" if self.gradients else "in these draws"
        few = self.steps.size < 2 * ENOUGH
        longer = "Ask for more draws" if few else "Raise budget="
        if not rhat <= RHAT:
            name = max(found, key=lambda n: np.nan_to_num(found[n][0], nan=np.inf))
            said = f"The chains have not mixed {spent}: R-hat of {name} is {rhat:.3f}, above {RHAT}."
            out.append(Note(f"{said} {longer}, or {self._hold(values, name, label)}.", "not-mixed", "error"))
        if not min(bulk, tail) >= ENOUGH:
            name = min(found, key=lambda n: np.nan_to_num(min(found[n][1:]), nan=-1.0))
            said = (
                f"The draws are worth only {min(bulk, tail):.0f} independent ones {spent}, by {name}; {ENOUGH} are needed for percentiles."
            )
            out.append(Note(f"{said} {longer}{'' if few else ', or ' + self._hold(values, name, label)}.", "few-draws"))
        if self.divergences:
            share = 100 * self.divergences / self.diverging.size
            smaller = (
                "Raise accept, to 0.99"
                if self.accept < 0.99
                else "Smaller steps will hardly help: give narrower priors=, or fix a parameter"
            )
            many = f"{self.divergences:,} of {self.diverging.size:,} draws diverged ({share:.2g} %)"
            out.append(Note(f"{many} at accept={self.accept:g}. {smaller}.", "divergent"))
        if not (low := float(np.min(bfmi(self.energy)))) >= LOW_ENERGY:
            said = f"The energy moves too little between draws (fraction {low:.2f}, below {LOW_ENERGY}); the tails may be cut off."
            out.append(Note(said, "low-energy"))
        return out

    def _hold(self, values: Values, name: str, label: Label | None) -> str:
        """What to fix so that the slowest number is determined: one of it and of what moves with it, if anything does."""
        draws = _numbers(values, label or entry, leading=1)
        own = _ranks(draws[name])
        others = {n: abs(np.corrcoef(own, _ranks(v))[0, 1]) for n, v in draws.items() if n != name and np.ptp(v) > 0}
        other = max(others, key=others.__getitem__, default=None) if np.ptp(own) > 0 else None
        if other is None or others[other] < _TOGETHER:
            return f"fix {name} or give it a narrower prior"
        return f"fix {name} or {other}, which move together (correlation {others[other]:.2f}), or give one a narrower prior"

    def table(self, values: Values, label: Label) -> Table:
        """R-hat and effective sample sizes of every number, by its label."""
        rows = []
        for name, (rhat, bulk, tail) in self.convergence(values).items():
            for index in np.ndindex(np.shape(rhat)):
                cells = (np.asarray(v)[index] for v in (rhat, bulk, tail))
                rows.append([label(name, index), *(f"{v:.{d}f}" for v, d in zip(cells, (4, 0, 0), strict=True))])
        note = f"{self.count} chains, divergent draws: {self.divergences:,}, {self.steps.mean():.1f} gradients a step"
        return Table(["parameter", "R-hat", "bulk ESS", "tail ESS"], rows, notes=[note])


@dataclass(frozen=True, eq=False)
class Importance:
    """Draws of an approximation, resampled by smoothed importance weights.

    Attributes:
        khat: tail index of the ratios of posterior to approximation. effective: independent draws that the weighted ones are worth.
        proposals: how many draws of the approximation were weighed.
    """

    khat: float
    effective: float
    proposals: int

    def complaints(self, values: Values, label: Label | None = None) -> list[str]:
        """What speaks against trusting the draws, a sentence each; empty if nothing does."""
        limit = khat_limit(self.proposals)
        out: list[str] = []
        if not self.khat <= limit:
            said = f"The approximation misses a part of the posterior: k-hat is {self.khat:.2f}, above {limit:.2f}. Use method='nuts'."
            out.append(Note(said, "poor-approximation", "error"))
        if self.effective < ENOUGH:
            said = f"The draws are worth only {self.effective:.0f} independent ones; {ENOUGH} are needed for percentiles."
            out.append(Note(said, "few-draws"))
        return out

    def table(self, values: Values, label: Label) -> Table:
        """Tail index and effective draws."""
        row = [f"{self.khat:.2f}", f"{khat_limit(self.proposals):.2f}", f"{self.effective:.0f}", f"{self.proposals:,}"]
        return Table(["k-hat", "limit", "effective draws", "proposals"], [row])


def _numbers(arrays: Mapping[str, Any], label: Label, leading: int = 0) -> dict[str, Any]:
    """Single numbers by label, from arrays or tuples of arrays; `leading` axes stay."""
    out: dict[str, Any] = {}
    for name, value in arrays.items():
        parts = [np.asarray(v) for v in (value if isinstance(value, tuple) else (value,))]
        for index in np.ndindex(parts[0].shape[leading:]):
            cells = tuple(v[(slice(None),) * leading + index] for v in parts)
            out[label(name, index)] = cells if isinstance(value, tuple) else cells[0]
    return out


def _ranks(draws: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(draws))
