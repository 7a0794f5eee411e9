r"""Coordinates in which posteriors of scaling laws are round, straight and without funnels.

From numbers z, about standard normal, to the model's unconstrained numbers in two steps. `Place` shifts, stretches and bends:

    y = root z,   w = center + y + bend reach^2 (sqrt(1 + (y/reach)^2) - 1)

with the Hessian and the third derivatives at the mode. For pooled parameters `Groups` then turns standardised group values e, a part of w,
into values u ~ Normal(mu, S^2) given what the group's runs say, a normal likelihood with precision P and pull b:

    u = mu + S L^-T (e + L^-1 S (b - P mu)),    L L' = 1 + S P S

which is the non-centred form where runs say little (P = 0: u = mu + S e) and the centred one where they say all, for every spread S and
every center mu on the way: e is independent of both as far as the likelihood is normal, so that the funnel is gone (Papaspiliopoulos,
Roberts and Skold 2007 choose one share of centring a parameter; here it is the matrix that is right at the current spread). Where a
group has noise of its own, P and b are those at its noise on the way, which scales them. Effects of units are standardised alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...core.numeric.precision import namespace
from ...fitting.objective.layout import Slot
from .density import UNIT, Evidence, Model, centers, hyper_sites, site_shapes


class Place(NamedTuple):
    """Where the posterior lies and how wide it is; `reach` of the bend keeps the map rising everywhere."""

    center: Any
    root: Any
    bend: Any

    @property
    def reach(self) -> Any:
        return reach(self.bend)

    def forward(self, z: Any) -> tuple[Any, Any]:
        """The point with coordinates z, and the log determinant of the map but for a constant."""
        moved, rate = warped(self.root @ z, self.bend)
        return self.center + moved, jnp.sum(jnp.log(rate))


def reach(bend: Any) -> Any:
    """How far from 0 a bend acts: from there on the map is straight again, at a tenth of its slope on one side."""
    xp = namespace(bend)
    return 0.9 / xp.maximum(xp.abs(bend), 0.1)


def warped(y: Any, bend: Any) -> tuple[Any, Any]:
    """The bend of straight coordinates y, elementwise, and its slope."""
    r = reach(bend)
    root = jnp.sqrt(1 + (y / r) ** 2)
    return y + bend * r**2 * (root - 1), 1 + bend * y / root


def unwarped(x: Any, bend: Any) -> tuple[Any, Any]:
    """Inverse of `warped` and its slope there: the root of a quadratic equation."""
    c, r = bend, reach(bend)  # |c r| < 1
    y = (x + c * r * (r - jnp.sqrt(r**2 + x**2 + 2 * c * r**2 * x))) / (1 - (c * r) ** 2)
    return y, 1 / warped(y, bend)[1]


class Groups(NamedTuple):
    """What the runs of every group say about its k numbers of one block of `Model.blocks`, as a normal likelihood of straight coordinates.

    Attributes:
        center, bend: (groups, k), the straight coordinates' origin and curvature.
        precision: (groups, k, k). pull: (groups, k), precision times estimate.
        coupling: (groups, k, H) how the pull falls with the H other numbers. origin: (H,) their values at which it was taken.
    """

    center: Any
    bend: Any
    precision: Any
    pull: Any
    coupling: Any
    origin: Any

    def in_noise(self, louder: Any) -> Groups:
        """What the runs say where the logarithms of the groups' noise are `louder` (groups,) than at the mode."""
        share = jnp.exp(-2 * louder)[:, None]
        return self._replace(precision=share[..., None] * self.precision, pull=share * self.pull, coupling=share[..., None] * self.coupling)


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
    groups = [f"{slot.name}_group" for block in model.blocks for slot in block]
    return {name: shapes[name] for name in [*sorted(n for n in shapes if n not in groups), *groups]}


def split(model: Model, w: Any) -> tuple[Any, list[Any]]:
    """Flat numbers apart: those of no group (H,), and of every block's groups (groups, k). Leading axes are kept."""
    start, parts = w.shape[-1] - sum(len(block) * block[0].copies for block in model.blocks), []
    others = w[..., :start]
    for block in model.blocks:
        k, groups = len(block), block[0].copies
        parts.append(w[..., start : start + k * groups].reshape(*w.shape[:-1], k, groups).swapaxes(-1, -2))
        start += k * groups
    return others, parts


def populations(block: tuple[Slot, ...], evidence: Evidence, sites: dict[str, Any]) -> tuple[Any, Any]:
    """Centers (groups, k) and spreads (k,) of a block's populations at unconstrained sites."""
    from numpyro.distributions import biject_to

    hyper = {n: biject_to(evidence.priors[n].support)(sites[n]) for slot in block for n in hyper_sites(slot.name, evidence)}
    mu = jnp.stack([centers(slot, hyper, evidence) for slot in block], axis=-1)
    return mu, jnp.stack([hyper[f"{slot.name}_spread"] for slot in block])


def transport(model: Model, groups: tuple[Groups, ...], evidence: Evidence, w: Any) -> tuple[dict[str, Any], Any]:
    """The model's unconstrained sites at w, and the log determinant of the map; without `groups` the sites are w itself."""
    sites, slope, louder = unravel(model, evidence, w), 0.0, None
    others, standardised = split(model, w)
    for block, known, e in reversed(list(zip(model.blocks, groups, standardised, strict=False))):  # the noise first
        mu, spread = populations(block, evidence, sites)
        if louder is not None and block[0].axis == model.noise_axis:
            known = known.in_noise(louder[block[0].members])
        u, volume = _values(known, mu, spread, others, e)
        sites.update({f"{slot.name}_group": u[:, i] for i, slot in enumerate(block)})
        slope = slope + volume
        names = [slot.name for slot in block]
        if model.noise_axis is not None and model.likelihood.scaling in names:
            at = names.index(model.likelihood.scaling)
            louder = u[:, at] - known.center[:, at]
    if model.units:
        sites[f"{UNIT}_group"], volume = _effects(model, evidence, sites)
        slope = slope + volume
    return sites, slope


def _effects(model: Model, evidence: Evidence, sites: dict[str, Any]) -> tuple[Any, Any]:
    """Effects of units from standardised ones, given all other sites, and the log determinant of the map.

    By `_values` with P and b of normal rows around the law as it is at these sites, not as it was at the mode: with few units the law may
    bend by more than rows scatter where the effects make up for it.
    """
    from numpyro.infer.util import constrain_fn

    values = constrain_fn(model, (evidence,), {}, sites, return_deterministic=True)
    predicted = model.predict(model.params(values, evidence), evidence)
    rows = evidence.weight / model.likelihood.scale(values, predicted, evidence.rows) ** 2

    def of_units(x: Any) -> Any:
        return jax.ops.segment_sum(x.reshape(len(x), -1).sum(axis=1), evidence.rows[UNIT], len(model.units))

    precision, pull = of_units(rows), of_units(jnp.where(rows > 0, rows * (evidence.target - predicted), 0.0))
    variance = 1 / (1 / values[f"{UNIT}_spread"] ** 2 + precision)
    return variance * pull + jnp.sqrt(variance) * sites[f"{UNIT}_group"], 0.5 * jnp.sum(jnp.log(variance))


def _values(groups: Groups, mu: Any, spread: Any, others: Any, e: Any) -> tuple[Any, Any]:
    """Values u (groups, k) of a block's groups from standardised ones, and the log determinant of the map."""
    at, rate = unwarped(mu - groups.center, groups.bend)
    width = spread * rate
    pull = groups.pull - groups.coupling @ (others - groups.origin)
    L = jnp.linalg.cholesky(jnp.eye(len(spread)) + width[:, :, None] * groups.precision * width[:, None, :])
    pushed = width * (pull - jnp.einsum("gij,gj->gi", groups.precision, at))
    lower = jax.scipy.linalg.solve_triangular(L, pushed[..., None], lower=True)[..., 0]
    y = at + width * jax.scipy.linalg.solve_triangular(L, (lower + e)[..., None], lower=True, trans=1)[..., 0]
    moved, slope = warped(y, groups.bend)
    volume = jnp.sum(jnp.log(width)) + jnp.sum(jnp.log(slope)) - jnp.sum(jnp.log(jnp.diagonal(L, axis1=-2, axis2=-1)))
    return groups.center + moved, volume


def energy(model: Model, groups: tuple[Groups, ...], evidence: Evidence, w: Any) -> Any:
    """Minus the log posterior density of w."""
    from numpyro.infer.util import potential_energy

    sites, slope = transport(model, groups, evidence, w)
    return potential_energy(model, (evidence,), {}, sites) - slope
