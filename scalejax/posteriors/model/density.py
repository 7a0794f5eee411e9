"""A law, its priors and its likelihood as a NumPyro model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import DataError
from ...core.laws.domains import Positive
from ...core.runs import Runs
from ...fitting.objective.data import padded, padded_table
from ...fitting.objective.layout import Slot
from ...fitting.objective.problem import Spec, at_params
from ..likelihoods import Likelihood
from ..priors import default_prior, spread_prior
from .arguments import PriorArguments
from .level import Level, level_of, log_level

UNIT_SPREAD = 1.5  # of the logarithm of the units' standard deviation: its prior's scale, as that of the noise
UNIT = "unit"  # name of the effects of units, the rows of which are not independent
NOISE_SPREAD = 1.0  # of the logarithms of the noise in groups: its prior's scale, so that a factor of ten between groups is no surprise


class Evidence(NamedTuple):
    """Arrays of a posterior.

    Attributes:
        inputs: one array an input, (rows, ...).
        target: (rows,) or (rows, T), logarithms when on logs, counts for likelihoods of counts.
        weight: shaped like target; the power of each observation's likelihood, zero on padding.
        group: (rows, columns) index of each row's group in every column of groups.
        fixed: values of fixed parameters; of anchored ones those of all groups.
        rows: what the likelihood needs of every run.
        covariates: (groups, covariates) standardised columns that move the centers of populations.
        priors: name to NumPyro distribution.
        level: of the observed outputs, as a part of the prior; None leaves it out.
    """

    inputs: tuple[Any, ...]
    target: Any
    weight: Any
    group: Any
    fixed: dict[str, Any]
    rows: dict[str, Any]
    covariates: Any
    priors: PriorArguments
    level: Level | None = None


@dataclass(frozen=True)
class Model:
    """Static part of a posterior; calling it is the NumPyro model.

    Attributes:
        spec: law, layout (with a group axis for parameters that groups do not share) and scale of the residuals.
        likelihood: how runs scatter.
        pooled: parameters whose values in the groups are draws from one population.
        units: names of the units whose rows share an effect on the residuals; empty where rows are independent.
        noise_axis: which column of the law's groups also names those of the noise, where residuals are as large as it says; else None.
    """

    spec: Spec
    likelihood: Likelihood
    pooled: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    noise_axis: int | None = None

    @property
    def noise(self) -> tuple[str, ...]:
        """Names of the noise parameters, the effects of units among them."""
        return tuple(self.likelihood.priors(1.0)) + ((UNIT,) if self.units else ())

    @property
    def blocks(self) -> tuple[tuple[Slot, ...], ...]:
        """Numbers that come from populations, by what they are grouped by: the law's, by column and free groups, and the noise's, whose
        groups may be others."""
        law: dict[Any, list[Slot]] = {}
        for slot in self.spec.layout.slots:
            if slot.name in self.pooled:
                law.setdefault((slot.axis, slot.anchored), []).append(slot)
        groups = len(self.likelihood.groups)
        noise = tuple(
            Slot(name=name, domain=Positive(), size=None, start=0, free=1, copies=groups, axis=0) for name in self.likelihood.pooled
        )
        return tuple(block for block in (*map(tuple, law.values()), noise) if block)

    def __call__(self, evidence: Evidence) -> None:
        """The NumPyro model: a site for every parameter and noise number, and the factors "log_likelihood" and "log_level"."""
        import numpyro

        params = self.params(
            {s.name: _population(s, evidence) if s.name in self.pooled else _own(s, evidence.priors) for s in self.spec.layout.slots},
            evidence,
        )
        grouped = {slot.name: slot for block in self.blocks for slot in block}
        alone = self.likelihood.priors(1.0)
        noise = {n: _population(grouped[n], evidence) if n in grouped else numpyro.sample(n, evidence.priors[n]) for n in alone}
        if self.units:
            noise[UNIT] = _effects(len(self.units), evidence)
        numpyro.factor("log_likelihood", jnp.sum(self.log_density(params, noise, evidence)))
        if evidence.level is not None:
            numpyro.factor("log_level", self.log_level(params, evidence))

    def params(self, free: Mapping[str, Any], evidence: Evidence) -> dict[str, Any]:
        """All parameters of the law from its free ones, which may lie among other sites."""
        return self.spec.layout.complete(free, evidence.fixed)

    def predict(self, params: Mapping[str, Any], evidence: Evidence) -> Any:
        """The law at every row, its logarithm when on logs."""
        value = at_params(self.spec, dict(params), evidence.inputs, evidence.group)
        return jnp.log(value) if self.spec.on == "log" else value

    def located(self, params: Mapping[str, Any], noise: Mapping[str, Any], evidence: Evidence) -> Any:
        """What every row scatters around: the law, moved by the effect of the row's unit."""
        predicted = self.predict(params, evidence)
        if not self.units:
            return predicted
        effect = noise[UNIT][evidence.rows[UNIT]]
        return predicted + effect.reshape(effect.shape + (1,) * (jnp.ndim(predicted) - 1))

    def log_level(self, params: Mapping[str, Any], evidence: Evidence) -> Any:
        """Log density of the level of the observed outputs under these parameters: a part of the prior; 0 where it is left out."""
        if evidence.level is None:
            return jnp.zeros(())
        return log_level(evidence.level, self.predict(params, evidence))

    def log_density(self, params: Mapping[str, Any], noise: Mapping[str, Any], evidence: Evidence, left_out: bool = False) -> Any:
        """Weighted log density of every observation, shaped like the target; `left_out`: given all the others."""
        predicted, rows = self.located(params, noise, evidence), {**evidence.rows, "weight": evidence.weight}
        if left_out:
            density = self.likelihood.left_out(noise, predicted, rows, evidence.target)
        else:
            density = self.likelihood.distribution(noise, predicted, rows).log_prob(evidence.target)
        return jnp.where(evidence.weight > 0, evidence.weight * density, 0.0)


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
    """Values of the groups, Normal(center of the group, spread^2) on the unconstrained scale."""
    import numpyro
    import numpyro.distributions as dist

    sites = {site: numpyro.sample(site, evidence.priors[site]) for site in hyper_sites(slot.name, evidence)}
    u = numpyro.sample(f"{slot.name}_group", dist.Normal(centers(slot, sites, evidence), sites[f"{slot.name}_spread"]).to_event(1))
    return numpyro.deterministic(slot.name, slot.domain.forward(u))


def _effects(count: int, evidence: Evidence) -> Any:
    """Effects of the units, Normal(0, unit_spread^2)."""
    import numpyro
    import numpyro.distributions as dist

    spread = numpyro.sample(f"{UNIT}_spread", evidence.priors[f"{UNIT}_spread"])
    u = numpyro.sample(f"{UNIT}_group", dist.Normal(0.0, spread).expand([count]).to_event(1))
    return numpyro.deterministic(UNIT, u)


def hyper_sites(name: str, evidence: Evidence) -> tuple[str, ...]:
    """Sites of a pooled parameter's population."""
    return tuple(site for site in (f"{name}_typical", f"{name}_spread", f"{name}_slope") if site in evidence.priors)


def centers(slot: Slot, sites: Mapping[str, Any], evidence: Evidence) -> Any:
    """(copies,) centers of the population on the unconstrained scale: the typical value, moved by the covariates."""
    center = jnp.broadcast_to(slot.domain.inverse(sites[f"{slot.name}_typical"]), (slot.copies,))
    slope = sites.get(f"{slot.name}_slope")
    return center if slope is None else center + evidence.covariates[slot.members] @ slope


def site_shapes(model: Model, evidence: Evidence) -> dict[str, tuple[int, ...]]:
    """Every sampled site's shape on the unconstrained scale."""
    from numpyro.distributions import biject_to

    shapes = {name: biject_to(prior.support).inverse_shape(prior.shape()) for name, prior in evidence.priors.items()}
    shapes.update({f"{slot.name}_group": (slot.copies,) for block in model.blocks for slot in block})
    if model.units:
        shapes[f"{UNIT}_group"] = (len(model.units),)
    for slot in model.spec.layout.slots:
        if slot.name in model.pooled:
            continue
        if slot.grouped:
            site = slot.name if slot.name in shapes else f"{slot.name}_free"
            shapes[site] = (slot.copies, *((slot.free,) if site.endswith("_free") else shapes[site]))
        elif f"{slot.name}_free" in shapes:
            shapes[f"{slot.name}_free"] = (slot.free,)
    return shapes


def default_priors(model: Model, size: float, covariates: int = 0) -> dict[str, Any]:
    """Priors of all sites; `size` is that of ordinary residuals, `covariates` how many move the populations' centers."""
    import numpyro.distributions as dist

    out: dict[str, Any] = {}
    for slot in model.spec.layout.slots:
        prior = default_prior(slot.domain, slot.size)
        if slot.name in model.pooled:
            out[f"{slot.name}_typical"], out[f"{slot.name}_spread"] = prior, spread_prior(slot.domain)
            if covariates:
                out[f"{slot.name}_slope"] = dist.Normal(0.0, spread_prior(slot.domain).scale).expand([covariates]).to_event(1)
        elif prior is not None:
            out[slot.name] = prior
        else:
            low, high = (slot.domain.sample(np.full(slot.free, share)) for share in (0.0, 1.0))
            out[f"{slot.name}_free"] = dist.Normal(0.5 * (low + high), (high - low) / 3.92)
    noise = model.likelihood.priors(size)
    for name in model.likelihood.pooled:
        out[f"{name}_typical"], out[f"{name}_spread"] = noise.pop(name), dist.HalfNormal(NOISE_SPREAD)
    if model.units:
        noise[f"{UNIT}_spread"] = dist.LogNormal(float(np.log(size)), UNIT_SPREAD)
    return {**out, **noise}


def evidence_of(model: Model, runs: Runs, index: np.ndarray, weight: np.ndarray, group: np.ndarray, fixed: Mapping[str, Any],
                priors: Mapping[str, Any], covariates: np.ndarray, length: int, level: bool = False,
                unit: np.ndarray | None = None) -> Evidence:  # fmt: skip
    """Arrays of the runs `index`, padded to `length` rows by repeating the first with weight zero.

    `level`: is that of the outputs a part of the prior? `unit`: index of every run's unit, if they have any.
    """
    law, counts = model.spec.law, model.likelihood.counts
    table = padded_table(law, runs, rows=index, weights=weight, length=length, on="linear" if counts else model.spec.on)
    rows = model.likelihood.rows(runs, index) | ({} if unit is None else {UNIT: unit})
    rows = {name: np.concatenate([v, np.repeat(v[:1], length - len(index))]) for name, v in rows.items()}
    target = table.target
    if counts:
        if target.ndim > 1:
            raise DataError(f"Counts have one number a run, but {law.output!r} of {law.name!r} has several; use another likelihood.")
        if ((target < 0) | (target > 1)).any():
            raise DataError(f"Column {law.output!r} must hold shares of successes from 0 to 1 for counts; divide it by its largest value.")
        target = np.round(target * rows["trials"])
    if law.output in runs.masks:
        target = np.where(runs.masks[law.output][padded(index, length)], target, 0.0)
    predicted = target / rows["trials"] if counts else target  # the law predicts shares
    codes = group[padded(index, length)]
    expected = level_of(predicted, table.weight > 0, codes[:, model.spec.layout.main], model.spec.on == "log") if level else None
    return Evidence(
        inputs=table.inputs, target=target, weight=table.weight, group=codes,
        fixed={k: np.asarray(v, dtype=np.float64) for k, v in fixed.items()}, rows=rows, covariates=covariates,
        priors=PriorArguments(priors), level=expected,
    )  # fmt: skip
