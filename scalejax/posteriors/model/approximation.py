"""Fast paths to a posterior: Laplace's or a variational approximation in round coordinates, corrected by smoothed importance weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...core.numeric.batching import traced
from ...core.numeric.programs import compiled
from ..checks.diagnostics import ENOUGH, Importance
from ..checks.psis import effective_size, pareto_smooth
from .coordinates import Groups, Place, energy
from .density import Evidence, Model

_MORE = 4  # proposals for every draw, at first
_ROUNDS, _STRIDE = 8, 7919  # of proposals, and between the seeds of two of them
_FREEDOM = 10.0  # of the Student t around Laplace's mode: tails of posteriors are heavier than normal ones
_CHUNK = 500  # proposals weighed at once
_STEPS, _RATE = 3000, 0.01  # of the variational optimiser,
_PARTICLES, _WIDTH = 8, 0.5  # draws a step, and the scale at first


class Guide(NamedTuple):
    """Independent normal (or jointly Student t with `freedom`) numbers z = mean + scale e."""

    mean: np.ndarray
    scale: np.ndarray
    freedom: float | None

    def draw(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers z (count, size) and their log densities but for a constant."""
        rng, size = np.random.default_rng(seed), len(self.mean)
        e = rng.standard_normal((count, size))
        if self.freedom is None:
            return self.mean + self.scale * e, -0.5 * np.sum(e**2, axis=1)
        e *= np.sqrt(self.freedom / rng.chisquare(self.freedom, (count, 1)))
        return self.mean + self.scale * e, -0.5 * (self.freedom + size) * np.log1p(np.sum(e**2, axis=1) / self.freedom)


def laplace_guide(place: Place) -> Guide:
    """Student t of unit width around the mode."""
    size = place.center.shape[-1]
    return Guide(np.zeros(size), np.ones(size), _FREEDOM)


def variational_guide(model: Model, place: Place, groups: tuple[Groups, ...], evidence: Evidence, seed: int) -> Guide:
    """Normal with the mean and the widths that stochastic variational inference finds in the round coordinates."""
    mean, scale = _varied(model, place, groups, evidence, seed)
    return Guide(np.asarray(mean), np.asarray(scale), None)


@compiled(0)
def _varied(model: Model, place: Place, groups: tuple[Groups, ...], evidence: Evidence, seed: Any) -> tuple[Any, Any]:
    """Mean and scale (size,) that maximise the evidence's lower bound, by Adam on a few draws a step.

    NumPyro's own sums the terms of the bound in the order of a set, which differs between processes.
    """
    import optax

    size = place.center.shape[-1]

    def bound(at: tuple[Any, Any], key: Any) -> Any:
        mean, scale = at[0], jax.nn.softplus(at[1])
        z = mean + scale * jax.random.normal(key, (_PARTICLES, size))
        potential = jax.vmap(lambda one: _potential(model, place, groups, evidence, one))(z)
        return jnp.mean(potential) - jnp.sum(jnp.log(scale))

    optimiser = optax.adam(optax.cosine_decay_schedule(_RATE, _STEPS))

    def step(carry: Any, key: Any) -> Any:
        value, slope = jax.value_and_grad(bound)(carry[0], key)
        updates, state = optimiser.update(slope, carry[1])
        moved = (optax.apply_updates(carry[0], updates), state)
        sound = jnp.isfinite(value) & jnp.isfinite(jnp.concatenate(slope)).all()
        return jax.tree.map(lambda new, old: jnp.where(sound, new, old), moved, carry), None

    begin = jnp.zeros(size), jnp.full(size, jnp.log(jnp.expm1(_WIDTH)))
    (mean, wide), _ = jax.lax.scan(step, (begin, optimiser.init(begin)), jax.random.split(jax.random.key(seed), _STEPS))[0]
    return mean, jax.nn.softplus(wide)


def importance(
    model: Model, place: Place, groups: tuple[Groups, ...], evidence: Evidence, guide: Guide, *, draws: int, seed: int
) -> tuple[np.ndarray, Importance]:
    """Draws z (draws, size) resampled from the guide by smoothed importance weights, and how far they can be trusted.

    Proposals go on, up to `_ROUNDS` times as many, until they are worth as many independent draws as percentiles need.
    """
    count = -(-_MORE * draws // _CHUNK) * _CHUNK
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for more in range(_ROUNDS):
        fresh, density = guide.draw(count, seed + _STRIDE * more)
        pieces = np.split(fresh, count // _CHUNK)
        target = np.concatenate([np.asarray(_log_densities(model, place, groups, evidence, part)) for part in pieces])
        parts.append((fresh, np.where(np.isnan(target), -np.inf, target) - density))
        z, ratio = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        weights, khat = pareto_smooth(ratio)
        effective = float(effective_size(weights))
        if effective >= min(ENOUGH, draws):
            break
    chosen = np.random.default_rng(seed).choice(len(z), draws, p=np.exp(weights) / np.exp(weights).sum())
    return z[chosen], Importance(float(khat), effective, len(z))


def _potential(model: Model, place: Place, groups: tuple[Groups, ...], evidence: Evidence, z: Any) -> Any:
    w, slope = place.forward(z)
    return energy(model, groups, evidence, w) - slope


@compiled(0)
def _log_densities(model: Model, place: Place, groups: tuple[Groups, ...], evidence: Evidence, z: Any) -> Any:
    traced("log densities")
    return -jax.vmap(lambda one: _potential(model, place, groups, evidence, one))(z)
