"""The choice of solver: our Levenberg-Marquardt, or any optax transformation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ...core.errors import FitError, suggest
from ...core.numeric.batching import over_devices, traced
from ...core.numeric.linear import cholesky, solve_damped, solve_transposed
from ...core.numeric.programs import compiled
from ..objective.layout import Layout
from ..objective.problem import Data, Spec, arguments, data_axes
from ..status import Ends, Status, code, no_ends
from .lm import LM, chunk_size
from .projection import VarPro
from .system import dense_diagonal, evaluate, objective

if TYPE_CHECKING:
    import optax

Coordinates = Literal["round", "free", "natural"]


@dataclass(frozen=True)
class Optax:
    """Settings of the optax path.

    Args:
        transform: any optax gradient transformation; line searches such as `optax.lbfgs()` get value and gradient.
        max_iterations: steps a start and round.
        tolerance: stop when the largest gradient entry, relative to the objective, is below this.
        coordinates: what the transformation moves.
            "round": coordinates in which the curvature at the start is one in every direction. The valleys of scaling laws are a thousand
            times longer than wide, and first-order methods do not reach their bottom otherwise.
            "free": the unconstrained parameters (logarithms of positive ones), as many papers do.
            "natural": the parameters as they stand in the formula, as a mapping of names to values, and the objective unscaled. Learning
            rates for each (`optax.partition`), weight decay and epsilon then mean what they mean in a paper's code.
        rounds: how often the transformation begins afresh, in renewed coordinates, where a path has not converged.
        early_stop: end a path after so many steps that do not lower the objective, and take its end for what was wanted, an optimum or not:
            the status is then "stopped early". Without it 100 such steps end a path, as not converged.
        last: return the last step of a path, not its best.
        name: shown in reports.

    Raises:
        FitError: if a setting is impossible.

    Example:
        >>> import numpy as np, optax, scalejax as sj
        >>> law = sj.laws.power_law
        >>> runs = sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 30))
        >>> rates = optax.partition({"large": optax.adam(0.3), "small": optax.adam(3e-3)}, {"E": "small", "A": "large", "alpha": "small"})
        >>> solver = sj.Optax(rates, coordinates="natural", early_stop=50)
        >>> fit = sj.fit(law, runs, solver=solver, starts=[{"E": 1.5, "A": 15.0, "alpha": 0.25}])
        >>> fit.status.value
        'stopped early'
    """

    transform: optax.GradientTransformation = field(default_factory=lambda: _optax().lbfgs())
    max_iterations: int = 1000
    tolerance: float = 1e-9
    coordinates: Coordinates = "round"
    rounds: int = 3
    early_stop: int | None = None
    last: bool = False
    name: str = "optax"

    def __post_init__(self) -> None:
        known = get_args(Coordinates)
        if self.coordinates not in known:
            raise FitError(f"Optax(coordinates={self.coordinates!r}) is unknown; {suggest(str(self.coordinates), known)}")
        if min(self.max_iterations, self.rounds, 1 if self.early_stop is None else self.early_stop) < 1:
            raise FitError(
                f"Optax(max_iterations={self.max_iterations}, rounds={self.rounds}, early_stop={self.early_stop}) must be 1 or more."
            )

    @property
    def warm(self) -> Optax:
        """The same solver for starts that are already close."""
        return self


Solver = LM | Optax

_PATIENCE = 100  # steps without any progress after which a path ends, unless `early_stop` says
_CONVERGED = 1e-8  # share of the objective that a Newton step may still promise at an optimum
_STILL = 1e-9  # a path that ends this near its start, relative to 1 + |theta|, has not moved


def _optax() -> Any:
    """Optax, which most fits do without."""
    import optax

    return optax


@lru_cache
def _named(name: str) -> Solver:
    # Cached, because optax transformations compare by identity and a new one would compile anew.
    if name in ("lm", "varpro"):
        return LM() if name == "lm" else VarPro()
    if name == "lbfgs":
        return Optax(coordinates="free", rounds=1, name="lbfgs")  # as in the papers' recipes
    optax = _optax()
    schedule = optax.cosine_decay_schedule(0.05, 1000, alpha=1e-5)
    return Optax(optax.adam(schedule), max_iterations=1000, rounds=6, tolerance=1e-6, name="adam")


def as_solver(solver: Solver | str | optax.GradientTransformation) -> Solver:
    """A solver from its name, its settings, or a bare optax transformation."""
    if isinstance(solver, LM | Optax):
        return solver
    if isinstance(solver, str) and solver in ("lm", "varpro", "lbfgs", "adam"):
        return _named(solver)
    if not isinstance(solver, str) and isinstance(solver, _optax().GradientTransformation):
        return Optax(solver)
    raise FitError(f"solver={solver!r} is unknown; {suggest(solver, ['lm', 'varpro', 'lbfgs', 'adam'])} An optax transformation works too.")


@compiled(0, 1, 2)
def _descend(spec: Spec, batched: tuple[bool, ...], solver: Optax, theta: Any, data: Data) -> tuple[Any, Any, Any, Any]:
    """Theta, objective, iterations and convergence of a chunk of members, each on its own path."""
    traced("optax")
    return over_devices(lambda *shares: _paths(spec, batched, solver, *shares), (theta, data), (-1, data_axes(batched)))


def _paths(spec: Spec, batched: tuple[bool, ...], solver: Optax, theta: Any, data: Data) -> tuple[Any, Any, Any, Any]:
    size, members = theta.shape
    axes = jnp.broadcast_to(jnp.eye(size)[:, :, None], (size, size, members))
    if solver.coordinates == "round":
        value, _, matrix, _ = evaluate(spec, batched, data, theta, jnp.ones(members), 1.0)
        matrix = matrix / value
        lower = cholesky(matrix, 1e-6 * jnp.mean(dense_diagonal(matrix), axis=0))
        root = solve_transposed(lower, axes)
        axes = jnp.where(jnp.all(jnp.isfinite(root), axis=(0, 1)), root, axes)

    def one(start, axes, member):
        alone = member._replace(weight=member.weight[:, None], penalty_weight=member.penalty_weight[None])
        z, place = _coordinates(spec.layout, solver.coordinates, start, axes)

        def value(z):
            return objective(spec, (False,) * len(batched), alone, place(z)[:, None])[0]

        scale = 1.0 if solver.coordinates == "natural" else value(z)
        (z, f), count = _path(solver, lambda z: value(z) / scale, z)
        return place(z), f * scale, count

    theta, value, count = jax.vmap(one, in_axes=(-1, -1, data_axes(batched)), out_axes=(-1, -1, -1))(theta, axes, data)
    # The verdict does not depend on the path: a Newton step from here would lower the objective by no more than this fraction.
    _, gradient, matrix, _ = evaluate(spec, batched, data, theta, jnp.ones(members), 1.0)
    largest = jnp.max(dense_diagonal(matrix), axis=0)
    expected_fall = 0.5 * jnp.sum(gradient * solve_damped(matrix, 1e-12 * largest, gradient), axis=0)
    return theta, value, count, expected_fall <= _CONVERGED * value


def _coordinates(layout: Layout, kind: Coordinates, start: Any, axes: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Where a path begins in the coordinates that it moves in, and theta from them."""
    if kind != "natural":
        return jnp.zeros_like(start), lambda z: start + axes @ z

    def theta(values):
        rows = [jnp.reshape(values[slot.name], (slot.copies,) if slot.size is None else (slot.copies, slot.size)) for slot in layout.slots]
        return jnp.concatenate([jax.vmap(slot.domain.inverse)(row).reshape(-1) for slot, row in zip(layout.slots, rows, strict=True)])

    return layout.values(start), theta


def _path(solver: Optax, value: Callable[[Any], Any], z: Any) -> tuple[tuple[Any, Any], Any]:
    """The step that counts with its objective, and how many were made."""
    optax = _optax()
    transform = optax.with_extra_args_support(solver.transform)
    patience = solver.early_stop or _PATIENCE

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
        moving = (jnp.max(jnp.abs(ravel_pytree(g)[0])) > solver.tolerance * f) & (stale < patience)
        return (count < solver.max_iterations) & moving & jnp.isfinite(f)

    f, g = jax.value_and_grad(value)(z)
    z, _, f, _, best, count, _ = jax.lax.while_loop(unfinished, step, (z, transform.init(z), f, g, (z, f), 0, 0))
    return ((z, f) if solver.last else best), count


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
    each, devices = min(chunk_size(rows, spec.layout.size), 64), jax.local_device_count()
    size = min(each * devices, -(-members // each) * each)  # no more than there are, in whole chunks of one device
    size += -size % devices
    ends = no_ends(theta)
    for start in range(0, members, size):
        chunk = np.arange(start, min(start + size, members))
        padded = np.resize(chunk, size)
        data, place, total = arguments(spec, gather(padded)), theta[:, padded], np.zeros(size, int)
        for _ in range(settings.rounds):
            found = _descend(spec, batched, settings, place, data)
            place, total = np.asarray(found[0]), total + np.asarray(found[2])
            if np.all(found[3]):
                break
        best, value, count, done = (np.asarray(a)[..., : len(chunk)] for a in (place, found[1], total, found[3]))
        ends.theta[:, chunk], ends.objective[chunk], ends.iterations[chunk] = best, value, count
        # An objective at rounding level (noise-free runs) is converged, whatever its relative gradient says.
        open_end = code(Status.MAX_ITERATIONS if settings.early_stop is None else Status.STOPPED)
        ends.status[chunk] = np.where(done | (value <= floor), code(Status.CONVERGED), open_end)
        still = (np.abs(best - theta[:, chunk]) <= _STILL * (1 + np.abs(best))).all(axis=0) & (ends.status[chunk] != code(Status.CONVERGED))
        ends.status[chunk] = np.where(still, code(Status.STUCK), ends.status[chunk])
        ends.status[chunk] = np.where(np.isfinite(value), ends.status[chunk], code(Status.NOT_FINITE))
        if progress:
            progress(int(chunk[-1]) + 1, members)
    return ends
