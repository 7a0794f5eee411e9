r"""Coordinates in which posteriors of scaling laws are round, straight and without funnels.

From numbers z, about standard normal, to the model's unconstrained numbers in two steps. `Place` shifts, stretches and bends:

    y = root z,   w = center + y + bend reach^2 (sqrt(1 + (y/reach)^2) - 1)

with the Hessian and the third derivatives at the mode. For pooled parameters `Groups` then turns standardised group values e, a part of w,
into values u ~ Normal(mu, S^2) given what the group's runs say, a normal likelihood with precision P and pull b:

    u = mu + S L^-T (e + L^-1 S (b - P mu)),    L L' = 1 + S P S

which is the non-centred form where runs say little (P = 0: u = mu + S e) and the centred one where they say all, for every spread S and
every center mu on the way: e is independent of both as far as the likelihood is normal, so that the funnel is gone (Papaspiliopoulos,
Roberts and Skold 2007 choose one share of centring a parameter; here it is the matrix that is right at the current spread).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .model import Evidence, Model, centers, hyper_sites, site_shapes


class Place(NamedTuple):
    """Where the posterior lies and how wide it is; `reach` of the bend keeps the map rising everywhere."""

    center: Any
    root: Any
    bend: Any

    @property
    def reach(self) -> Any:
        return 0.9 / jnp.maximum(jnp.abs(self.bend), 0.1)

    def forward(self, z: Any) -> tuple[Any, Any]:
        """The point with coordinates z, and the log determinant of the map but for a constant."""
        y = self.root @ z
        bent = jnp.sqrt(1 + (y / self.reach) ** 2)
        return self.center + y + self.bend * self.reach**2 * (bent - 1), jnp.sum(jnp.log1p(self.bend * y / bent))


class Groups(NamedTuple):
    """What the runs of every group say about its k pooled parameters, as a normal likelihood.

    Attributes:
        precision: (groups, k, k). pull: (groups, k), precision times estimate.
        coupling: (groups, k, H) how the pull falls with the H other numbers. origin: (H,) their values at which it was taken.
    """

    precision: Any
    pull: Any
    coupling: Any
    origin: Any


def unravel(model: Model, evidence: Evidence, flat: Any) -> dict[str, Any]:
    """Flat numbers as a dictionary of unconstrained sites, group values last."""
    out, start = {}, 0
    for name, shape in _ordered(model, evidence).items():
        stop = start + int(np.prod(shape))
        out[name] = flat[start:stop].reshape(shape)
        start = stop
    return out


def unconstrained(model: Model, evidence: Evidence, sites: Mapping[str, Any]) -> np.ndarray:
    """Flat unconstrained numbers (sets, size) from sites as the model samples them, with a leading set axis."""
    parts = []
    for name in _ordered(model, evidence):
        value = np.asarray(sites[name], dtype=np.float64)
        free = value if name.endswith("_group") else free_values(evidence.priors[name], value)
        parts.append(free.reshape(len(value), -1))
    return np.concatenate(parts, axis=1)


def free_values(prior: Any, value: np.ndarray) -> np.ndarray:
    """Unconstrained values; where the prior excludes the value, that of the prior's median."""
    from numpyro.distributions import biject_to

    to = biject_to(prior.support)
    free = np.asarray(to.inv(value))
    if np.isfinite(free).all():
        return free
    return np.where(np.isfinite(free), free, np.asarray(to.inv(np.median(prior.sample(jax.random.key(0), (1000,)), axis=0))))


def _ordered(model: Model, evidence: Evidence) -> dict[str, tuple[int, ...]]:
    shapes = site_shapes(model, evidence)  # sorted, as compiled programs see dictionaries
    groups = [f"{name}_group" for name in model.pooled]
    return {name: shapes[name] for name in [*sorted(n for n in shapes if n not in groups), *groups]}


def split(model: Model, w: Any) -> tuple[Any, Any]:
    """Flat numbers apart: those of no group (H,), and of the groups (groups, k). Leading axes are kept."""
    k, groups = len(model.pooled), model.spec.layout.groups
    cut = w.shape[-1] - k * groups
    return w[..., :cut], w[..., cut:].reshape(*w.shape[:-1], k, groups).swapaxes(-1, -2)


def populations(model: Model, evidence: Evidence, sites: dict[str, Any]) -> tuple[Any, Any]:
    """Centers (groups, k) and spreads (k,) of the populations at unconstrained sites."""
    from numpyro.distributions import biject_to

    hyper = {n: biject_to(evidence.priors[n].support)(sites[n]) for name in model.pooled for n in hyper_sites(name, evidence)}
    slots = {slot.name: slot for slot in model.spec.layout.slots}
    mu = jnp.stack([centers(slots[name], hyper, evidence) for name in model.pooled], axis=-1)
    return mu, jnp.stack([hyper[f"{name}_spread"] for name in model.pooled])


def transport(model: Model, groups: Groups | None, evidence: Evidence, w: Any) -> tuple[dict[str, Any], Any]:
    """The model's unconstrained sites at w, and the log determinant of the map."""
    sites = unravel(model, evidence, w)
    if groups is None:
        return sites, 0.0
    mu, spread = populations(model, evidence, sites)
    others, e = split(model, w)
    pull = groups.pull - groups.coupling @ (others - groups.origin)
    L = jnp.linalg.cholesky(jnp.eye(len(spread)) + spread[:, None] * groups.precision * spread)
    pushed = spread * (pull - jnp.einsum("gij,gj->gi", groups.precision, mu))
    lower = jax.scipy.linalg.solve_triangular(L, pushed[..., None], lower=True)[..., 0]
    u = mu + spread * jax.scipy.linalg.solve_triangular(L, (lower + e)[..., None], lower=True, trans=1)[..., 0]
    sites.update({f"{name}_group": u[:, i] for i, name in enumerate(model.pooled)})
    return sites, mu.shape[0] * jnp.sum(jnp.log(spread)) - jnp.sum(jnp.log(jnp.diagonal(L, axis1=-2, axis2=-1)))


def energy(model: Model, groups: Groups | None, evidence: Evidence, w: Any) -> Any:
    """Minus the log posterior density of w."""
    from numpyro.infer.util import potential_energy

    sites, slope = transport(model, groups, evidence, w)
    return potential_energy(model, (evidence,), {}, sites) - slope
