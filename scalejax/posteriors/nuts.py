"""NumPyro's NUTS for all chains in one compiled program, in coordinates that the Hessian at the mode makes round.

The valleys of scaling laws are a thousand times longer than wide. From the mode with its Hessian every direction has unit width, so that
the warm-up has little to learn and a draw costs a few gradients. The evidence is an argument: data sets of one shape share the program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting.problem import traced
from .model import Evidence, Model

_STEPS = 100  # of Newton's method, at most
_PIECE = 100  # draws between two reports of progress


@dataclass(frozen=True)
class Settings:
    """Choices of the sampler.

    Attributes:
        warmup: steps in which the step size and the widths are adapted. accept: target acceptance. depth: of the tree, at most.
    """

    warmup: int = 300
    accept: float = 0.8
    depth: int = 10


class Place(NamedTuple):
    """Coordinates z of the unconstrained numbers: center + y + bend reach^2 (sqrt(1 + (y/reach)^2) - 1), elementwise, with y = root z.

    `bend` is the second derivative at the center; `reach` keeps the map rising everywhere.
    """

    center: Any
    root: Any
    bend: Any

    @property
    def reach(self) -> Any:
        return 0.9 / jnp.maximum(jnp.abs(self.bend), 0.1)

    def unconstrained(self, z: Any) -> Any:
        """The point with coordinates z."""
        y = self.root @ z
        return self.center + y + self.bend * self.reach**2 * (jnp.sqrt(1 + (y / self.reach) ** 2) - 1)

    def log_slopes(self, z: Any) -> Any:
        """Log determinant of `unconstrained`, but for a constant."""
        y = self.root @ z
        return jnp.sum(jnp.log1p(self.bend * y / jnp.sqrt(1 + (y / self.reach) ** 2)))


class Trace(NamedTuple):
    """What NUTS returned, each (draws, chains, ...): coordinates z, divergences, energies and leapfrog steps."""

    z: np.ndarray
    diverging: np.ndarray
    energy: np.ndarray
    steps: np.ndarray


def prototype(model: Model, evidence: Evidence) -> tuple[int, Callable[[Any], dict[str, Any]]]:
    """Number of unconstrained coordinates, and the function from them to the dictionary of sites."""
    from jax.flatten_util import ravel_pytree
    from numpyro import handlers
    from numpyro.infer.util import unconstrain_fn

    def sites(key: Any) -> dict[str, Any]:
        trace = handlers.trace(handlers.seed(model, key)).get_trace(evidence)
        latent = {name: s["value"] for name, s in trace.items() if s["type"] == "sample" and not s["is_observed"]}
        return unconstrain_fn(model, (evidence,), {}, latent)

    shapes = jax.eval_shape(sites, jax.random.key(0))
    flat, unravel = ravel_pytree({name: np.zeros(s.shape) for name, s in shapes.items()})
    return flat.size, unravel


def potential(model: Model, u: Any, evidence: Evidence) -> Any:
    """Minus the log posterior density of unconstrained numbers."""
    from numpyro.infer.util import potential_energy

    return potential_energy(model, (evidence,), {}, prototype(model, evidence)[1](u))


def constrain(model: Model, u: Any, evidence: Evidence) -> dict[str, Any]:
    """All sites, computed ones included, at unconstrained numbers."""
    from numpyro.infer.util import constrain_fn

    return constrain_fn(model, (evidence,), {}, prototype(model, evidence)[1](u), return_deterministic=True)


@partial(jax.jit, static_argnums=0)
def locate(model: Model, u: Any, evidence: Evidence) -> tuple[Place, Any]:
    """Mode from the start u by damped Newton steps, with coordinates from the Hessian there, and the potential."""
    traced("locate")

    def value(v: Any) -> Any:
        f = potential(model, v, evidence)
        return jnp.where(jnp.isfinite(f), f, jnp.inf)

    def curvature(v: Any) -> tuple[Any, Any]:
        widths, axes = jnp.linalg.eigh(jax.hessian(value)(v))
        return jnp.maximum(jnp.abs(widths), 1e-3), axes  # below the floor the priors rule

    def step(carry: Any) -> Any:
        v, f, damping, count, _ = carry
        widths, axes = curvature(v)
        along = axes.T @ jax.grad(value)(v)
        trial = v - axes @ (along / (widths + damping))
        moved = value(trial)
        better = moved <= f
        promise = 0.5 * jnp.sum(along**2 / widths)
        damping = jnp.where(better, damping / 8, jnp.maximum(8 * damping, 1e-3 * jnp.max(widths)))
        return jnp.where(better, trial, v), jnp.where(better, moved, f), damping, count + 1, promise

    def unfinished(carry: Any) -> Any:
        return (carry[3] < _STEPS) & (carry[4] > 1e-9)

    v, f, *_ = jax.lax.while_loop(unfinished, step, (u, value(u), jnp.asarray(1.0), 0, jnp.asarray(jnp.inf)))
    widths, axes = curvature(v)
    root = axes / jnp.sqrt(widths)
    # The funnels of populations are no bent valleys: their third derivative at the mode says nothing of what lies further out.
    bend = jnp.zeros_like(v) if model.pooled else _bend(jax.grad(value), v, root, (axes * widths) @ axes.T)
    return Place(v, root, bend), f


def _bend(gradient: Callable[[Any], Any], v: Any, root: Any, hessian: Any) -> Any:
    r"""Second derivatives c of an elementwise change of coordinates that make the valley straight, to third order at the mode.

    Along each axis w of the round coordinates the third derivative becomes D3[w, w] + H (c w^2) + 2 c w (H w): c by least squares.
    An exponent, whose logarithm is what the priors make unconstrained, thus becomes linear, and its valley with the amplitude a line.
    """

    def along(w: Any) -> tuple[Any, Any]:
        def slope(t: Any) -> Any:
            return gradient(v + t * w)

        third = jax.jvp(lambda t: jax.jvp(slope, (t,), (1.0,))[1], (0.0,), (1.0,))[1]
        return root.T @ third, root.T @ (hessian * w**2 + jnp.diag(2 * w * (hessian @ w)))

    third, change = jax.vmap(along, in_axes=1)(root)
    third, change = third.reshape(-1), change.reshape(-1, len(v))
    scale = jnp.maximum(jnp.linalg.norm(change, axis=0), 1e-12)
    unit = change / scale
    c = jnp.linalg.solve(unit.T @ unit + 1e-3 * jnp.eye(len(v)), -unit.T @ third) / scale
    return jnp.clip(jnp.where(jnp.isfinite(c), c, 0.0), -3.0, 3.0)


def _kernel(model: Model, settings: Settings, place: Place, evidence: Evidence, z: Any, key: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Initial state of one chain, and the function that moves it on."""
    from numpyro.infer.hmc import hmc

    def energy(place: Place, evidence: Evidence) -> Callable[[Any], Any]:
        return lambda z: potential(model, place.unconstrained(z), evidence) - place.log_slopes(z)

    begin, move = hmc(potential_fn_gen=energy, algo="NUTS")
    state = begin(
        z, num_warmup=settings.warmup, step_size=0.5, target_accept_prob=settings.accept, max_tree_depth=settings.depth,
        model_args=(place, evidence), rng_key=key,
    )  # fmt: skip
    return state, lambda state: move(state, (place, evidence), {})


@partial(jax.jit, static_argnums=(0, 1))
def _begin(model: Model, settings: Settings, place: Place, evidence: Evidence, keys: Any) -> Any:
    traced("nuts begin")

    def one(key: Any) -> Any:
        own, start = jax.random.split(key)
        return _kernel(model, settings, place, evidence, jax.random.normal(start, place.center.shape), own)[0]

    return jax.vmap(one)(keys)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _advance(model: Model, settings: Settings, count: int, states: Any, place: Place, evidence: Evidence) -> tuple[Any, Any]:
    traced("nuts")

    def one(state: Any) -> Any:
        # The first state is needed to tell NumPyro the settings; nobody reads it, so the compiler leaves it out.
        return _kernel(model, settings, place, evidence, state.z, state.rng_key)[1](state)

    def draw(states: Any, _: Any) -> Any:
        states = jax.vmap(one)(states)
        return states, Trace(states.z, states.diverging, states.energy, states.num_steps)

    return jax.lax.scan(draw, states, None, length=count)


def nuts(
    model: Model, settings: Settings, place: Place, evidence: Evidence, *, chains: int, draws: int, seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Trace:  # fmt: skip
    """Draws of all chains after the warm-up."""
    keys = jax.random.split(jax.random.key(seed), chains)
    states = _begin(model, settings, place, evidence, keys)
    pieces, total = [], settings.warmup + draws
    for done in range(0, total, _PIECE):
        states, piece = _advance(model, settings, _PIECE, states, place, evidence)
        pieces.append(jax.tree.map(np.asarray, piece))
        if progress:
            progress(min(done + _PIECE, total), total)
    return Trace(*(np.concatenate(parts)[settings.warmup : total] for parts in zip(*pieces, strict=True)))


@partial(jax.jit, static_argnums=0)
def sites(model: Model, place: Place, evidence: Evidence, z: Any) -> dict[str, Any]:
    """All sites of draws z (draws, size) of one place."""
    return jax.vmap(lambda one: constrain(model, place.unconstrained(one), evidence))(z)
