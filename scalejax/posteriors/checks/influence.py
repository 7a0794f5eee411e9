"""Can a posterior be believed? Leave-one-out accuracy, influential runs, and whether the prior or the data decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ...core.numeric.batching import traced
from ...core.numeric.precision import double
from ...core.numeric.programs import compiled
from ...core.table import Table
from ..model.arguments import PriorArguments
from ..model.density import Evidence, Model
from ..priors import log_density
from . import psis
from .convergence import ess_mean
from .diagnostics import Chains
from .psis import Loo
from .sensitivity import THRESHOLD, diagnose, power_scaling

if TYPE_CHECKING:
    from ..posterior import Posterior

_NUMBERS = 2**18  # densities computed at a time


def observed_rows(posterior: Posterior) -> np.ndarray:
    """Rows of the runs that the posterior has seen, (observations,): those not left out and of positive weight."""
    rows = posterior.request.grouping.used
    return rows[np.asarray(posterior.evidence.weight)[: len(rows)].reshape(len(rows), -1).any(axis=1)]


@double
def pointwise(posterior: Posterior) -> np.ndarray:
    """Log density of every observation in every draw.

    A run is one observation: the densities of its steps or targets are added, since what is left out of a curve is known from its
    neighbours. A run of weight w counts as w runs, as in the posterior: its log density is w times that of one.

    Args:
        posterior: draws of `sample`.

    Returns:
        (draws, observations), in the order of `observed_rows`; of the logarithm of the output for posteriors on logs.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> pointwise(sj.sample("power_law", runs, likelihood="normal", draws=250)).shape
        (1000, 40)
    """
    rows = posterior.request.grouping.used
    values = densities(posterior, posterior.evidence, left_out=True)[:, : len(rows)]
    seen = np.isin(rows, observed_rows(posterior))
    return values.reshape(*values.shape[:2], -1).sum(axis=2)[:, seen]


@double
def densities(posterior: Posterior, evidence: Evidence, left_out: bool = False) -> np.ndarray:
    """Weighted log densities of padded evidence in every draw, (draws, rows) or (draws, rows, T); `left_out`: given the other runs."""
    batch = max(_NUMBERS // max(np.size(evidence.target), 1), 1)
    numbers = draws_of(posterior)
    return np.asarray(
        _densities(posterior.model, min(batch, len(posterior)), left_out, *numbers, evidence._replace(priors=PriorArguments()))
    )


def draws_of(posterior: Posterior) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draws of the law's parameters that are not fixed, and of the noise."""
    params = {name: v for name, v in posterior.params.items() if name not in posterior.request.fix}
    return params, {name: posterior.sites[name] for name in posterior.model.noise}


@compiled(0, 1, 2)
def _densities(model: Model, batch: int, left_out: bool, params: Any, noise: Any, evidence: Evidence) -> Any:
    traced("densities")

    def one(draw: Any) -> Any:
        return model.log_density({**evidence.fixed, **draw[0]}, draw[1], evidence, left_out)

    return jax.lax.map(one, (params, noise), batch_size=batch)


def loo(posterior: Posterior) -> Loo:
    """Leave-one-out cross-validation without refits, by Pareto-smoothed importance sampling.

    What is an observation, and how weights count, says `pointwise`; the estimate, `psis.loo`.

    Args:
        posterior: draws of `sample`.

    Returns:
        Loo: `elpd` with `se`, `p_loo`, `pointwise`, `khat`; `influential` has the rows of the runs whose k-hat is too high. Printing it
        gives the verdict.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> result = loo(sj.sample("power_law", runs, likelihood="normal", draws=500))
        >>> 2 < result.p_loo < 6  # three parameters and the noise
        True

    References: Vehtari, Gelman and Gabry, "Practical Bayesian model evaluation", Statistics and Computing 2017.
    """
    values = pointwise(posterior)
    return psis.loo(values, _efficiency(posterior, values), observed_rows(posterior))


def _efficiency(posterior: Posterior, values: np.ndarray) -> np.ndarray | float:
    """Effective over actual number of draws, for the density of every observation."""
    sampler, count = posterior.sampler, len(posterior)
    if not isinstance(sampler, Chains):
        return min(sampler.effective / count, 1.0)
    chains = np.exp(values - values.max(axis=0)).reshape(sampler.count, -1, values.shape[1])
    return np.nan_to_num(ess_mean(chains) / count, nan=1.0)


@double
def prior_sensitivity(posterior: Posterior) -> Table:
    """Who decides: how far every parameter moves when the prior, or the likelihood, is raised to a power near one.

    All priors of `posterior.priors` are raised together. For pooled parameters these are the priors of `<name>_typical` and
    `<name>_spread`; that groups come from one population is part of the model and stays.

    Args:
        posterior: draws of `sample`.

    Returns:
        Table with the sensitivity of every parameter and noise number to the prior and to the likelihood, and a verdict: above 0.05 a
        posterior is sensitive, see `sensitivity.power_scaling`.

    Raises:
        FitError: if a draw has no finite prior density.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> prior_sensitivity(sj.sample("power_law", runs, likelihood="normal", draws=500)).rows[2][3]
        'the data decide'

    References: Kallioinen, Paananen, Bürkner and Vehtari, "Detecting and diagnosing prior and likelihood sensitivity with power-scaling",
    Statistics and Computing 2024.
    """
    quantities = _entries(posterior)
    rows = []
    joint = densities(posterior, posterior.evidence).reshape(len(posterior), -1).sum(axis=1)
    for name, (prior, likelihood) in power_scaling(quantities, log_prior(posterior), joint).items():
        verdict = diagnose(prior, likelihood) or ("the data decide" if likelihood > THRESHOLD else "neither moves it")
        rows.append([name, f"{prior:.3f}", f"{likelihood:.3f}", verdict])
    informed = [row[0] for row in rows if row[3].startswith(("the prior", "prior"))]
    note = f"Look at the priors of {', '.join(informed)}." if informed else "No prior moves the answer."
    return Table(["parameter", "prior", "likelihood", "verdict"], rows, notes=[f"Sensitive is what exceeds {THRESHOLD}. {note}"])


@double
def log_prior(posterior: Posterior) -> np.ndarray:
    """Log density of all priors together at every draw, (draws,), that of the level included."""
    total = np.zeros(len(posterior))
    for name, prior in posterior.priors.items():
        at = posterior.values[name] if name in posterior.values else _unconstrained(posterior, name.removesuffix("_free"))
        value = log_density(prior, at)
        total += value.reshape(len(total), -1).sum(axis=1)
    return total + np.asarray(_levels(posterior.model, draws_of(posterior)[0], posterior.evidence._replace(priors=PriorArguments())))


@compiled(0, once=True)
def _levels(model: Model, params: Any, evidence: Evidence) -> Any:
    return jax.lax.map(lambda own: model.log_level({**evidence.fixed, **own}, evidence), params)


def _unconstrained(posterior: Posterior, name: str) -> np.ndarray:
    """Draws of a parameter whose prior is on its unconstrained form, (draws, ..., free)."""
    slot = next(slot for slot in posterior.model.spec.layout.slots if slot.name == name)
    value = posterior.values[name]
    if slot.size is None:
        return np.asarray(slot.domain.inverse(value))[..., None]
    free = jax.vmap(slot.domain.inverse)(value.reshape(-1, slot.size))
    return np.asarray(free).reshape(*value.shape[:-1], slot.free)


def _entries(posterior: Posterior) -> dict[str, np.ndarray]:
    """Draws of single numbers by label."""
    out = {}
    for name, draws in posterior.values.items():
        for index in np.ndindex(draws.shape[1:]):
            out[posterior.label(name, index)] = draws[(slice(None), *index)]
    return out
