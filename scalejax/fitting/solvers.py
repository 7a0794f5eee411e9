"""The choice of solver: our Levenberg-Marquardt, or any optax transformation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..core.errors import FitError, suggest
from .linear import solve_damped
from .lm import LM, chunk_size
from .parallel import data_axes, over_devices
from .problem import Data, Spec, traced
from .projection import VarPro
from .status import Ends, Status, code, no_ends
from .system import evaluate, objective


@dataclass(frozen=True)
class Optax:
    """Settings of the optax path.

    Args:
        transform: any optax gradient transformation; line searches such as `optax.lbfgs()` get value and gradient.
        max_iterations: steps a start and round.
        tolerance: stop when the largest gradient entry, relative to the objective, is below this.
        precondition: move in coordinates in which the curvature at the start is one in every direction. The valleys of scaling laws are a
            thousand times longer than wide, and first-order methods do not reach their bottom otherwise. False is the papers' way.
        rounds: how often the coordinates are renewed and the transformation begins afresh.
        name: shown in reports.
    """

    transform: optax.GradientTransformation = field(default_factory=optax.lbfgs)
    max_iterations: int = 1000
    tolerance: float = 1e-9
    precondition: bool = True
    rounds: int = 3
    name: str = "optax"

    @property
    def warm(self) -> Optax:
        """The same solver for starts that are already close."""
        return self


Solver = LM | Optax

_PATIENCE = 100  # steps without any progress after which a path ends
_CONVERGED = 1e-8  # share of the objective that a Newton step may still promise at an optimum
_STILL = 1e-9  # a path that ends this near its start, relative to 1 + |theta|, has not moved


@lru_cache
def _named(name: str) -> Solver:
    # Cached, because optax transformations compare by identity and a new one would compile anew.
    if name in ("lm", "varpro"):
        return LM() if name == "lm" else VarPro()
    if name == "lbfgs":
        return Optax(optax.lbfgs(), precondition=False, rounds=1, name="lbfgs")  # as in the papers' recipes
    schedule = optax.cosine_decay_schedule(0.05, 1000, alpha=1e-5)
    return Optax(optax.adam(schedule), max_iterations=1000, rounds=6, tolerance=1e-6, name="adam")


def as_solver(solver: Solver | str | optax.GradientTransformation) -> Solver:
    """A solver from its name, its settings, or a bare optax transformation."""
    if isinstance(solver, LM | Optax):
        return solver
    if isinstance(solver, optax.GradientTransformation):
        return Optax(solver)
    if solver in ("lm", "varpro", "lbfgs", "adam"):
        return _named(solver)
    raise FitError(f"solver={solver!r} is unknown; {suggest(solver, ['lm', 'varpro', 'lbfgs', 'adam'])} An optax transformation works too.")


@partial(jax.jit, static_argnums=(0, 1, 2))
def _descend(spec: Spec, batched: tuple[bool, ...], solver: Optax, theta: Any, data: Data) -> tuple[Any, Any, Any, Any]:
    """Theta, objective, iterations and convergence of a chunk of members, each on its own path."""
    traced("optax")
    return over_devices(lambda *shares: _paths(spec, batched, solver, *shares), (theta, data), (-1, data_axes(batched)))


def _paths(spec: Spec, batched: tuple[bool, ...], solver: Optax, theta: Any, data: Data) -> tuple[Any, Any, Any, Any]:
    transform = optax.with_extra_args_support(solver.transform)
    size, members = theta.shape
    if solver.precondition:
        value, _, matrix, _ = evaluate(spec, batched, data, theta, jnp.ones(members), 1.0)
        matrix = jnp.moveaxis(matrix / value, -1, 0)
        ridge = 1e-6 * jnp.trace(matrix, axis1=1, axis2=2)[:, None, None] * jnp.eye(size) / size
        factor = jnp.linalg.cholesky(matrix + ridge)
    else:
        factor = jnp.broadcast_to(jnp.eye(size), (members, size, size))
    factor = jnp.where(jnp.isfinite(factor), factor, jnp.eye(size))
    axes = data_axes(batched)

    def one(start, lower, member):
        alone = member._replace(weight=member.weight[:, None])
        first = objective(spec, (False,) * len(batched), alone, start[:, None])[0]

        def place(z):
            return start + jax.scipy.linalg.solve_triangular(lower, z, lower=True, trans=1)

        def value(z):
            return objective(spec, (False,) * len(batched), alone, place(z)[:, None])[0] / first

        def step(carry):
            z, state, f, g, best, count, stale = carry
            updates, state = transform.update(g, state, z, value=f, grad=g, value_fn=value)
            z = optax.apply_updates(z, updates)
            f, g = jax.value_and_grad(value)(z)
            stale = jnp.where(f < best[1] * (1 - 1e-14), 0, stale + 1)
            best = jax.tree.map(lambda new, old: jnp.where(f < best[1], new, old), (z, f), best)
            return z, state, f, g, best, count + 1, stale

        def unfinished(carry):
            _, _, f, g, _, count, stale = carry
            moving = (jnp.max(jnp.abs(g)) > solver.tolerance * f) & (stale < _PATIENCE)
            return (count < solver.max_iterations) & moving & jnp.isfinite(f)

        z = jnp.zeros_like(start)
        f, g = jax.value_and_grad(value)(z)
        *_, best, count, _ = jax.lax.while_loop(unfinished, step, (z, transform.init(z), f, g, (z, f), 0, 0))
        return place(best[0]), best[1] * first, count

    theta, value, count = jax.vmap(one, in_axes=(-1, 0, axes), out_axes=(-1, -1, -1))(theta, factor, data)
    # The verdict does not depend on the path: a Newton step from here would lower the objective by no more than this fraction.
    _, gradient, matrix, _ = evaluate(spec, batched, data, theta, jnp.ones(members), 1.0)
    largest = jnp.max(jnp.stack([matrix[i, i] for i in range(size)]), axis=0)
    promise = 0.5 * jnp.sum(gradient * solve_damped(matrix, 1e-12 * largest, gradient), axis=0)
    return theta, value, count, promise <= _CONVERGED * value


def descend(
    spec: Spec,
    batched: tuple[bool, ...],
    theta: np.ndarray,
    gather: Callable[[np.ndarray], Data],
    rows: int,
    settings: Optax,
    floor: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Ends:
    """As `lm.solve`, by an optax transformation."""
    members = theta.shape[1]
    size = min(chunk_size(rows, spec.layout.size), 64) * jax.local_device_count()
    ends = no_ends(theta)
    for start in range(0, members, size):
        chunk = np.arange(start, min(start + size, members))
        padded = np.resize(chunk, size)
        data, place, total = gather(padded), theta[:, padded], 0
        for _ in range(settings.rounds):
            found = _descend(spec, batched, settings, place, data)
            place, total = np.asarray(found[0]), total + np.asarray(found[2])
            if np.all(found[3]):
                break
        best, value, count, done = (np.asarray(a)[..., : len(chunk)] for a in (place, found[1], total, found[3]))
        ends.theta[:, chunk], ends.objective[chunk], ends.iterations[chunk] = best, value, count
        # An objective at rounding level (noise-free runs) is converged, whatever its relative gradient says.
        ends.status[chunk] = np.where(done | (value <= floor), code(Status.CONVERGED), code(Status.MAX_ITERATIONS))
        still = (np.abs(best - theta[:, chunk]) <= _STILL * (1 + np.abs(best))).all(axis=0) & (ends.status[chunk] != code(Status.CONVERGED))
        ends.status[chunk] = np.where(still, code(Status.STUCK), ends.status[chunk])
        ends.status[chunk] = np.where(np.isfinite(value), ends.status[chunk], code(Status.NOT_FINITE))
        if progress:
            progress(int(chunk[-1]) + 1, members)
    return ends
