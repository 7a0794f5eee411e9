"""What the data added: every sampled number beside its prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.numeric.precision import double
from ..fitting.uncertainty.draws import Draws
from ..posteriors.posterior import Posterior
from ..posteriors.priors import density, drawn

GOVERNED = 0.7  # posterior over prior standard deviation above which the prior, not the data, says most


@dataclass(frozen=True, eq=False)
class Entry:
    """One sampled number.

    Attributes:
        name: its parameter. label: with group or place, such as "A[web]".
        draws: (draws,) of the posterior.
        prior: NumPyro distribution of this one number, None where it has none of its own (members of a population).
    """

    name: str
    label: str
    draws: np.ndarray
    prior: Any

    @double
    def prior_density(self, x: np.ndarray) -> np.ndarray | None:
        """Density of the prior at x."""
        if self.prior is None:
            return None
        inside = np.asarray(self.prior.support(x))
        return np.where(inside, density(self.prior, np.where(inside, x, np.median(self.draws))), 0.0)

    @double
    def spreads(self) -> tuple[float, float]:
        """Standard deviations of prior and posterior on the unconstrained scale (the logarithm of positive numbers)."""
        from numpyro.distributions import biject_to

        free = biject_to(self.prior.support).inv
        return float(np.std(np.asarray(free(drawn(self.prior))))), float(np.std(np.asarray(free(self.draws))))

    @property
    def share(self) -> float:
        """Posterior over prior standard deviation: 1 if the data added nothing; NaN without a prior of its own."""
        if self.prior is None:
            return float("nan")
        prior, posterior = self.spreads()
        return posterior / prior


def entries(draws: Draws) -> list[Entry]:
    """Every drawn number, the law's free parameters first; without a prior unless the draws are a posterior."""
    out = []
    posterior = draws if isinstance(draws, Posterior) else None
    for name, values in (posterior.values if posterior is not None else _free(draws)).items():
        prior = _of_one(posterior.priors.get(name)) if posterior is not None else None
        for index in np.ndindex(values.shape[1:]):
            label = posterior.label(name, index) if posterior is not None else name + draws.fit._index_text(name, index)
            out.append(Entry(name, label, values[(slice(None), *index)], prior))
    return out


def _free(draws: Draws) -> dict[str, np.ndarray]:
    """Draws of the parameters that were fitted."""
    slots = {slot.name: slot for slot in draws.request.layout.slots}
    return {n: v for n, v in draws.params.items() if n in slots}


def governed(posterior: Posterior) -> list[Entry]:
    """Numbers about which the prior says more than the data."""
    return [entry for entry in entries(posterior) if entry.share > GOVERNED]


def _of_one(prior: Any) -> Any:
    """The prior of one entry, if entries are independent and alike."""
    while type(prior).__name__ in ("Independent", "ExpandedDistribution"):
        prior = prior.base_dist
    return prior if prior is not None and prior.shape() == () else None
