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
from .lm import LM, State, chunk_size, fresh
from .problem import Data, Spec, objective, traced
from .status import Status, code


@dataclass(frozen=True)
class Optax:
    """Settings of the optax path.

    Args:
        transform: any optax gradient transformation; line searches such as `optax.lbfgs()` get value and gradient.
        max_iterations: steps a start.
        tolerance: stop when the largest gradient entry, relative to the objective, is below this.
        name: shown in reports.
    """

    transform: optax.GradientTransformation = field(default_factory=optax.lbfgs)
    max_iterations: int = 1000
    tolerance: float = 1e-9
    name: str = "optax"

    @property
    def warm(self) -> Optax:
        """The same solver for starts that are already close."""
        return self


Solver = LM | Optax


@lru_cache
def _named(name: str) -> Solver:
    # Cached, because optax transformations compare by identity and a new one would compile anew.
    if name == "lm":
        return LM()
    if name == "lbfgs":
        return Optax(optax.lbfgs(), name="lbfgs")
    schedule = optax.cosine_decay_schedule(0.1, 5000, alpha=1e-4)
    return Optax(optax.adam(schedule), max_iterations=5000, name="adam")


def as_solver(solver: Solver | str | optax.GradientTransformation) -> Solver:
    """A solver from its name, its settings, or a bare optax transformation."""
    if isinstance(solver, LM | Optax):
        return solver
    if isinstance(solver, optax.GradientTransformation):
        return Optax(solver)
    if solver in ("lm", "lbfgs", "adam"):
        return _named(solver)
    raise FitError(f"solver={solver!r} is unknown; {suggest(solver, ['lm', 'lbfgs', 'adam'])} An optax transformation works too.")


@partial(jax.jit, static_argnums=(0, 1, 2))
def _descend(spec: Spec, batched: tuple[bool, ...], solver: Optax, theta: Any, data: Data) -> tuple[Any, Any, Any, Any]:
    """Theta, objective, iterations and convergence of a chunk of members, each on its own path."""
    traced("optax")
    transform = optax.with_extra_args_support(solver.transform)
    axes = Data(tuple(-1 if b else None for b in batched[:-1]), -1 if batched[-1] else None, -1, None, None)

    def one(start, member):
        alone = member._replace(weight=member.weight[:, None])
        single = tuple(False for _ in batched)

        def value(t):
            return objective(spec, single, t[:, None], alone)[0]

        def step(carry):
            t, state, f, g, best, count = carry
            updates, state = transform.update(g, state, t, value=f, grad=g, value_fn=value)
            t = optax.apply_updates(t, updates)
            f, g = jax.value_and_grad(value)(t)
            better = f < best[1]
            best = (jnp.where(better, t, best[0]), jnp.where(better, f, best[1]))
            return t, state, f, g, best, count + 1

        def unfinished(carry):
            _, _, f, g, _, count = carry
            return (count < solver.max_iterations) & (jnp.max(jnp.abs(g)) > solver.tolerance * f) & jnp.isfinite(f)

        f, g = jax.value_and_grad(value)(start)
        _, _, f, g, best, count = jax.lax.while_loop(unfinished, step, (start, transform.init(start), f, g, (start, f), 0))
        return *best, count, jnp.max(jnp.abs(g)) <= 100 * solver.tolerance * f

    return jax.vmap(one, in_axes=(-1, axes), out_axes=(-1, -1, -1, -1))(theta, data)


def descend(
    spec: Spec,
    batched: tuple[bool, ...],
    theta: np.ndarray,
    gather: Callable[[np.ndarray], Data],
    rows: int,
    settings: Optax,
    floor: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> State:
    """As `lm.solve`, by an optax transformation."""
    members = theta.shape[1]
    size = min(chunk_size(rows, spec.layout.size), 64)
    state = State(*(np.array(a) for a in fresh(theta)))
    for start in range(0, members, size):
        chunk = np.arange(start, min(start + size, members))
        padded = np.resize(chunk, size)
        found = _descend(spec, batched, settings, theta[:, padded], gather(padded))
        best, value, count, done = (np.asarray(a)[..., : len(chunk)] for a in found)
        state.theta[:, chunk], state.objective[chunk], state.iterations[chunk] = best, value, count
        # An objective at rounding level (noise-free runs) is converged, whatever its relative gradient says.
        state.status[chunk] = np.where(done | (value <= floor), code(Status.CONVERGED), code(Status.MAX_ITERATIONS))
        state.status[chunk] = np.where(np.isfinite(value), state.status[chunk], code(Status.NOT_FINITE))
        if progress:
            progress(int(chunk[-1]) + 1, members)
    return state
