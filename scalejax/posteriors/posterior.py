"""`Posterior`: draws of a law's parameters and of the noise, with what is needed to trust them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import jax
import numpy as np

from ..core.errors import FitError
from ..core.precision import double
from ..core.table import Table, number
from ..fitting.draws import Draws
from .convergence import bfmi, ess_bulk, ess_tail, split_rhat
from .model import Model
from .priors import Priors

RHAT = 1.01  # above which chains have not mixed
ENOUGH = 400  # effective draws that percentiles need
LOW_ENERGY = 0.3  # fraction of missing energy below which tails are explored badly


@dataclass(frozen=True, eq=False, kw_only=True)
class Posterior(Draws):
    """Draws from a posterior: everything that takes `Draws` takes it. Draws of one chain lie side by side, chain after chain.

    Attributes:
        sites: name to draws of all sampled numbers beside the law's own: noise, population of pooled parameters. Leading draw axis.
        priors: what was assumed.
        model: the NumPyro model; call it with `evidence` inside any NumPyro inference.
        evidence: its argument.
        chains: how many.
        diverging: (chains, draws) steps that went astray. energy: (chains, draws). steps: (chains, draws) gradients a draw.
    """

    sites: dict[str, np.ndarray]
    priors: Priors
    model: Model
    evidence: Any
    chains: int
    diverging: np.ndarray
    energy: np.ndarray
    steps: np.ndarray

    @cached_property
    def center(self) -> dict[str, Any]:
        """Posterior medians."""
        return {name: float(v) if np.ndim(v) == 0 else v for name, v in ((n, np.median(d, axis=0)) for n, d in self.params.items())}

    @property
    def divergences(self) -> int:
        """How many draws diverged."""
        return int(self.diverging.sum())

    @cached_property
    def convergence(self) -> dict[str, tuple[Any, Any, Any]]:
        """Rank R-hat, bulk and tail effective sample size of every sampled number, shaped like it."""
        free = {slot.name for slot in self.request.layout.slots}
        values = {**{name: v for name, v in self.params.items() if name in free}, **self.sites}
        out = {}
        for name, draws in values.items():
            chains = draws.reshape(self.chains, -1, *draws.shape[1:])
            out[name] = tuple(f(chains) for f in (split_rhat, ess_bulk, ess_tail))
        return out

    @property
    def worst(self) -> tuple[float, float, float]:
        """Largest R-hat, smallest bulk and smallest tail effective sample size."""
        rhat, bulk, tail = zip(*self.convergence.values(), strict=True)
        return float(max(map(np.max, rhat))), float(min(map(np.min, bulk))), float(min(map(np.min, tail)))

    @property
    def complaints(self) -> list[str]:
        """What speaks against trusting the draws, a sentence each; empty if nothing does."""
        rhat, bulk, tail = self.worst
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
            out.append(f"{self.divergences} of {self.diverging.size} draws diverged ({share:.2g} %). Raise accept to 0.95.")
        if (low := float(np.min(bfmi(self.energy)))) < LOW_ENERGY:
            out.append(f"The energy moves too little between draws (fraction {low:.2f}, below {LOW_ENERGY}); the tails may be cut off.")
        return out

    def diagnostics(self) -> Table:
        """R-hat and effective sample sizes of every sampled number, with a verdict below."""
        rows = []
        for name, (rhat, bulk, tail) in self.convergence.items():
            for index in np.ndindex(np.shape(rhat)):
                label = name + (f"[{', '.join(map(str, index))}]" if index else "")
                cells = (np.asarray(v)[index] for v in (rhat, bulk, tail))
                rows.append([label, *(f"{v:.{d}f}" for v, d in zip(cells, (4, 0, 0), strict=True))])
        steps = f"{self.chains} chains, {self.divergences} divergences, {self.steps.mean():.1f} gradients a draw"
        return Table(
            ["parameter", "R-hat", "bulk ESS", "tail ESS"], rows, notes=[steps, *(self.complaints or ["Nothing speaks against them."])]
        )

    def noise(self, level: float = 0.9) -> Table:
        """Median and interval of the noise and of the populations of pooled parameters."""
        rows = []
        for name, draws in self.sites.items():
            low, middle, high = np.quantile(draws, [0.5 - level / 2, 0.5, 0.5 + level / 2], axis=0)
            for index in np.ndindex(np.shape(middle)):
                label = name + (f"[{', '.join(map(str, index))}]" if index else "")
                rows.append([label, *(number(np.asarray(v)[index]) for v in (middle, low, high))])
        return Table(["parameter", "median", f"low {100 * level:g} %", f"high {100 * level:g} %"], rows)

    @double
    def predict(self, *, kind: Literal["mean", "run"] = "mean", seed: int = 0, **inputs: Any) -> np.ndarray:
        """Predictions of every draw, with a leading draw axis.

        Args:
            kind: "mean" for the law's value; "run" for what a new run would show, scattered as the likelihood says. For counts "run" needs
                `trials=` and gives the share of successes.
            seed: of the scatter.
            **inputs: as in `Fit.predict`.
        """
        if kind != "run":
            return super().predict(kind=kind, **inputs)
        likelihood, trials = self.model.likelihood, inputs.pop("trials", None)
        if likelihood.counts and trials is None:
            raise FitError("A new run of counts needs the number of trials: pass trials=... .")
        value = super().predict(**inputs)
        shape = (-1,) + (1,) * (value.ndim - 1)
        noise = {name: self.sites[name].reshape(shape) for name in self.model.noise}
        log = self.request.on == "log" and not likelihood.counts
        rows = {"trials": np.broadcast_to(np.asarray(trials, float), value.shape)} if likelihood.counts else {}
        drawn = np.asarray(likelihood.distribution(noise, np.log(value) if log else value, rows).sample(jax.random.key(seed)))
        return np.exp(drawn) if log else drawn / rows["trials"] if likelihood.counts else drawn

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n\n{self.noise().text()}\n\n{self.diagnostics().text()}"

    def _repr_html_(self) -> str:
        return self.summary().html() + self.noise().html() + self.diagnostics().html()
