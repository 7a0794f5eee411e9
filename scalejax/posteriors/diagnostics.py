"""How far draws can be trusted, by the way they were made: chains of a sampler, or an approximation with importance weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.table import Table
from .convergence import bfmi, ess_bulk, ess_tail, split_rhat
from .psis import khat_limit

RHAT = 1.01  # above which chains have not mixed
ENOUGH = 400  # effective draws that percentiles need
LOW_ENERGY = 0.3  # fraction of missing energy below which tails are explored badly

Label = Callable[[str, tuple[int, ...]], str]  # the name of one number from that of its array and its index
Values = Mapping[str, np.ndarray]  # every sampled number's name to its draws, leading draw axis


@dataclass(frozen=True, eq=False)
class Chains:
    """Draws of a Markov chain; those of one chain lie side by side, chain after chain.

    Attributes:
        diverging: (chains, draws) steps that went astray. energy: (chains, draws). steps: (chains, draws) gradients a draw.
    """

    diverging: np.ndarray
    energy: np.ndarray
    steps: np.ndarray

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
            out[name] = tuple(f(chains) for f in (split_rhat, ess_bulk, ess_tail))
        return out

    def worst(self, values: Values) -> tuple[float, float, float]:
        """Largest R-hat, smallest bulk and smallest tail effective sample size."""
        rhat, bulk, tail = zip(*self.convergence(values).values(), strict=True)
        # NumPy's extremes, unlike Python's, keep NaN, which chains that never moved have
        return float(np.max([np.max(v) for v in rhat])), float(np.min([np.min(v) for v in bulk])), float(np.min([np.min(v) for v in tail]))

    def complaints(self, values: Values) -> list[str]:
        """What speaks against trusting the draws, a sentence each; empty if nothing does."""
        rhat, bulk, tail = self.worst(values)
        out = []
        if not rhat <= RHAT:
            out.append(
                f"The chains have not mixed: R-hat is {rhat:.3f}, above {RHAT}. Sample longer, or fix what the runs do not determine."
            )
        if not min(bulk, tail) >= ENOUGH:
            out.append(
                f"The draws are worth only {min(bulk, tail):.0f} independent ones; {ENOUGH} are needed for percentiles. Sample longer."
            )
        if self.divergences:
            share = 100 * self.divergences / self.diverging.size
            out.append(f"{self.divergences} of {self.diverging.size} draws diverged ({share:.2g} %). Raise accept, to 0.99 and beyond.")
        if not (low := float(np.min(bfmi(self.energy)))) >= LOW_ENERGY:
            out.append(f"The energy moves too little between draws (fraction {low:.2f}, below {LOW_ENERGY}); the tails may be cut off.")
        return out

    def table(self, values: Values, label: Label) -> Table:
        """R-hat and effective sample sizes of every number, by its label."""
        rows = []
        for name, (rhat, bulk, tail) in self.convergence(values).items():
            for index in np.ndindex(np.shape(rhat)):
                cells = (np.asarray(v)[index] for v in (rhat, bulk, tail))
                rows.append([label(name, index), *(f"{v:.{d}f}" for v, d in zip(cells, (4, 0, 0), strict=True))])
        note = f"{self.count} chains, {self.divergences} divergences, {self.steps.mean():.1f} gradients a draw"
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

    def complaints(self, values: Values) -> list[str]:
        """What speaks against trusting the draws, a sentence each; empty if nothing does."""
        limit, out = khat_limit(self.proposals), []
        if not self.khat <= limit:
            out.append(f"The approximation misses a part of the posterior: k-hat is {self.khat:.2f}, above {limit:.2f}. Use method='nuts'.")
        if self.effective < ENOUGH:
            out.append(f"The draws are worth only {self.effective:.0f} independent ones; {ENOUGH} are needed for percentiles.")
        return out

    def table(self, values: Values, label: Label) -> Table:
        """Tail index and effective draws."""
        row = [f"{self.khat:.2f}", f"{khat_limit(self.proposals):.2f}", f"{self.effective:.0f}", f"{self.proposals:,}"]
        return Table(["k-hat", "limit", "effective draws", "proposals"], [row])
