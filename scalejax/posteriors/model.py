"""A law, its priors and its likelihood as a NumPyro model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..core.runs import Runs
from ..fitting.layout import Slot
from ..fitting.problem import Spec, at_params
from .likelihoods import Likelihood
from .priors import default_prior, spread_prior


class Evidence(NamedTuple):
    """Arrays of a posterior.

    Attributes:
        inputs: one array an input, (rows, ...).
        target: (rows,) or (rows, T), logarithms when on logs, counts for likelihoods of counts.
        weight: shaped like target; the power of each observation's likelihood, zero on padding.
        group: (rows,) index of each row's group.
        fixed: values of fixed parameters.
        rows: what the likelihood needs of every run.
        centring: pooled parameter to (groups,) shares between 0 (non-centred) and 1 (centred).
        priors: name to NumPyro distribution.
    """

    inputs: tuple[Any, ...]
    target: Any
    weight: Any
    group: Any
    fixed: dict[str, Any]
    rows: dict[str, Any]
    centring: dict[str, Any]
    priors: dict[str, Any]


@dataclass(frozen=True)
class Model:
    """Static part of a posterior; calling it is the NumPyro model.

    Attributes:
        spec: law, layout (with a group axis for parameters that groups do not share) and scale of the residuals.
        likelihood: how runs scatter.
        pooled: parameters whose values in the groups are draws from one population.
    """

    spec: Spec
    likelihood: Likelihood
    pooled: tuple[str, ...] = ()

    @property
    def noise(self) -> tuple[str, ...]:
        """Names of the noise parameters."""
        return tuple(self.likelihood.priors(1.0))

    def __call__(self, evidence: Evidence) -> None:
        """The NumPyro model: a site for every parameter, "noise", and the observed outputs."""
        import numpyro

        params = dict(evidence.fixed)
        for slot in self.spec.layout.slots:
            params[slot.name] = _population(slot, evidence) if slot.name in self.pooled else _own(slot, evidence.priors)
        params.update({name: params[other] for name, other in self.spec.layout.tied})
        noise = {name: numpyro.sample(name, evidence.priors[name]) for name in self.noise}
        numpyro.factor("log_likelihood", jnp.sum(self.log_density(params, noise, evidence)))

    def predict(self, params: Mapping[str, Any], evidence: Evidence) -> Any:
        """The law at every row, its logarithm when on logs."""
        value = at_params(self.spec, dict(params), evidence.inputs, evidence.group)
        return jnp.log(value) if self.spec.on == "log" else value

    def log_density(self, params: Mapping[str, Any], noise: Mapping[str, Any], evidence: Evidence) -> Any:
        """Weighted log density of every observation, shaped like the target."""
        density = self.likelihood.distribution(noise, self.predict(params, evidence), evidence.rows)
        return jnp.where(evidence.weight > 0, evidence.weight * density.log_prob(evidence.target), 0.0)


def _own(slot: Slot, priors: Mapping[str, Any]) -> Any:
    """A parameter with a prior of its own, once or independently in every group."""
    import numpyro

    name, shape = slot.name, (slot.copies,) if slot.grouped else ()
    if name in priors:
        prior = priors[name]
        return numpyro.sample(name, prior.expand([*shape, *prior.batch_shape]) if shape else prior)
    free = numpyro.sample(f"{name}_free", priors[f"{name}_free"].expand([*shape, slot.free]))
    forward = slot.domain.forward if slot.size is not None else lambda u: slot.domain.forward(u[0])
    return numpyro.deterministic(name, jax.vmap(forward)(free) if shape else forward(free))


def _population(slot: Slot, evidence: Evidence) -> Any:
    r"""Group values u_g ~ Normal(center, spread^2) on the unconstrained scale, sampled as e_g with

        u_g = center + spread^(1-c_g) (e_g - c_g center),    e_g ~ Normal(c_g center, spread^(2 c_g))

    so that c = 1 is the centred and c = 0 the non-centred form (Papaspiliopoulos, Roberts and Skold 2007).
    """
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer.reparam import LocScaleReparam

    name, priors = slot.name, evidence.priors
    center = slot.domain.inverse(numpyro.sample(f"{name}_typical", priors[f"{name}_typical"]))
    spread = numpyro.sample(f"{name}_spread", priors[f"{name}_spread"])
    site = f"{name}_group"
    with numpyro.handlers.reparam(config={site: LocScaleReparam(centered=evidence.centring[name])}):
        u = numpyro.sample(site, dist.Normal(jnp.full(slot.copies, center), jnp.full(slot.copies, spread)))
    return numpyro.deterministic(name, slot.domain.forward(u))


def default_priors(model: Model, size: float) -> dict[str, Any]:
    """Priors of all sites; `size` is that of ordinary residuals."""
    import numpyro.distributions as dist

    out: dict[str, Any] = {}
    for slot in model.spec.layout.slots:
        prior = default_prior(slot.domain, slot.size)
        if slot.name in model.pooled:
            out[f"{slot.name}_typical"], out[f"{slot.name}_spread"] = prior, spread_prior(slot.domain)
        elif prior is not None:
            out[slot.name] = prior
        else:
            low, high = (slot.domain.sample(np.full(slot.free, share)) for share in (0.0, 1.0))
            out[f"{slot.name}_free"] = dist.Normal(0.5 * (low + high), (high - low) / 3.92)
    return {**out, **model.likelihood.priors(size)}


def evidence_of(model: Model, runs: Runs, index: np.ndarray, weight: np.ndarray, group: np.ndarray, fixed: Mapping[str, Any],
                priors: Mapping[str, Any], length: int) -> Evidence:  # fmt: skip
    """Arrays of the runs `index`, padded to `length` rows by repeating the first with weight zero."""
    law, padded = model.spec.law, np.concatenate([index, np.full(length - len(index), index[0])])
    rows = {name: np.concatenate([v, np.repeat(v[:1], length - len(index))]) for name, v in
            model.likelihood.rows(runs, index).items()}  # fmt: skip
    target = runs[law.output][padded]
    if model.likelihood.counts:
        target = np.round(target * rows["trials"])
    elif model.spec.on == "log":
        target = np.log(target)
    mask = np.asarray(runs.masks.get(law.output, np.ones(runs[law.output].shape, bool)))[padded]
    weights = np.where(np.arange(length) < len(index), weight[padded], 0.0).reshape(-1, *[1] * (target.ndim - 1)) * mask
    centring = {name: np.zeros(model.spec.layout.groups) for name in model.pooled}
    return Evidence(
        tuple(runs[name][padded] for name in law.inputs), np.where(mask, target, 0.0), weights, group[padded],
        {k: np.asarray(v, dtype=np.float64) for k, v in fixed.items()}, rows, centring, dict(priors),
    )  # fmt: skip
