"""Levenberg-Marquardt for robust losses, many members at once.

Every member (start, replicate, data set) minimises sum_i w_i rho(r_i(theta)) with steps from (M + lambda S) step = -gradient.
M = J' diag(w c) J, where the weight c of a residual is a blend of two curvatures of rho:

* the majorizer psi(r)/r of iteratively reweighted least squares: safe from any start, but slow to finish, because most residuals of a
  Huber loss with delta = 1e-3 lie in its linear part;
* rho''(r) itself: Newton's method for the robust loss, which finishes in few steps and runs away from far starts.

A member takes the first until a step promises less than `near` of the objective, then nine parts in ten of the second. On 240 public runs
512 of 512 random grid starts reach the optimum this way in 68 iterations, and bootstrap replicates started at the optimum take 16. The
alternatives were measured with plain damping, S = I: 129 and 59 iterations with the majorizer alone; one start in seven lost with an early
switch; and one in six without the cap on steps of one unit of theta (an e-fold of a positive parameter), ending on the plateau where a term
has vanished. S = diag(M)^(1/4) lies between plain damping and Marquardt's scaling; either end loses some of the reference problems of NIST.

Members that are done leave their chunk, so that nobody waits for the slowest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .linear import solve_damped
from .parallel import in_parallel
from .problem import Data, Spec, jacobian, normal_equations, traced
from .status import Status, code

_FAR, _NEWTON_SHARE, _STEP_CAP = 0.0, 0.9, 1.0
_WARM_TOLERANCE = 1e-13  # replicates are noise: their sixth digit is none
_ROUND = 8  # iterations between two compactions


@dataclass(frozen=True)
class LM:
    """Settings of the Levenberg-Marquardt solver.

    Args:
        max_iterations: per start.
        tolerance: stop when the best possible step promises less than this fraction of the objective.
        near: switch from the majorizer to Newton's curvature when a step promises less than this fraction of the objective.
        damping: first damping, as a fraction of the largest diagonal entry.
    """

    max_iterations: int = 1000
    tolerance: float = 1e-15
    near: float = 1e-4
    damping: float = 1e-2

    @property
    def warm(self) -> LM:
        """The same solver for starts that are already close, such as bootstrap replicates."""
        return LM(self.max_iterations, max(self.tolerance, _WARM_TOLERANCE), near=1.0, damping=1e-6)


class State(NamedTuple):
    """Progress of members between rounds; all arrays end in the member axis."""

    theta: Any
    objective: Any
    damping: Any  # negative: not set yet
    growth: Any
    share: Any  # share of Newton's curvature in the matrix
    iterations: Any
    status: Any  # 0 while running


def fresh(theta: np.ndarray) -> State:
    """State of members that have not moved yet."""
    members = theta.shape[1]
    return State(
        theta, np.full(members, np.inf), np.full(members, -1.0), np.full(members, 2.0),
        np.full(members, _FAR), np.zeros(members, np.int64), np.zeros(members, np.int64),
    )  # fmt: skip


def evaluate(spec: Spec, batched: tuple[bool, ...], data: Data, theta: Any, share: Any) -> tuple[Any, Any, Any]:
    """Objective, gradient and matrix of every member; infinite objective where anything is not finite."""
    r, columns = jacobian(spec, batched, theta, data)
    loss = spec.loss
    value = jnp.sum(data.weight * loss.rho(r), axis=0)
    curvature = jnp.maximum((1 - share) * loss.majorizer(r) + share * loss.curvature(r), 0.0)
    gradient, matrix = normal_equations(r, columns, data.weight * loss.psi(r), data.weight * curvature)
    finite = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient), axis=0) & jnp.all(jnp.isfinite(matrix), axis=(0, 1))
    return jnp.where(finite, value, jnp.inf), gradient, matrix


@partial(jax.jit, static_argnums=(0, 1))
def advance(spec: Spec, batched: tuple[bool, ...], state: State, data: Data, settings: Any, floor: Any) -> State:
    """Up to `_ROUND` iterations of every unfinished member; `settings` is (max_iterations, tolerance, near, damping)."""
    traced("solve")
    limit, tolerance, near, first_damping = settings
    at = partial(evaluate, spec, batched, data)

    def step(carry):
        s, gradient, matrix, count = carry
        entering = count == 0  # the first pass evaluates where the members stand: one place to compile the law in, not two
        unit = damping_unit(matrix)
        scaled = solve_damped(matrix / (unit[:, None] * unit), s.damping, -gradient / unit)
        move = jnp.where(entering, 0.0, scaled / unit)
        norm = jnp.sum(scaled * scaled, axis=0)
        promise = 0.5 * (s.damping * norm - jnp.sum(gradient * move, axis=0))  # decrease by the quadratic model
        cut = jnp.minimum(1.0, _STEP_CAP / jnp.maximum(jnp.max(jnp.abs(move), axis=0), 1e-300))
        share = jnp.where(~entering & (promise < near * s.objective), _NEWTON_SHARE, s.share)
        theta = s.theta + cut * move
        value, new_gradient, new_matrix = at(theta, share)
        running = s.status == 0
        better = running & (value < s.objective)
        # The model's promise for the shortened step, from p'Mp = -g'p - lambda p'Sp.
        slope = -jnp.sum(gradient * move, axis=0)
        expected = cut * slope - 0.5 * cut**2 * (slope - s.damping * norm)
        gain = (s.objective - value) / jnp.maximum(expected, 1e-300)
        shrink = jnp.clip(1 - (2 * gain - 1) ** 3, 0.1, 1.0)
        small = promise <= tolerance * s.objective + floor
        undamped = s.damping * norm <= promise  # a tiny promise under heavy damping says nothing
        hopeless = ~better & (promise <= 1e-12 * s.objective + floor)
        stuck = s.damping > 1e30
        status = jnp.where(running & stuck, code(Status.STUCK), s.status)
        status = jnp.where(running & ((small & undamped) | hopeless), code(Status.CONVERGED), status)
        status = jnp.where((status == 0) & (s.iterations + 1 >= limit), code(Status.MAX_ITERATIONS), status)
        new = State(
            theta, value, jnp.maximum(s.damping * shrink, 1e-30), jnp.full_like(s.growth, 2.0), share, s.iterations + 1, status
        )  # fmt: skip
        old = s._replace(
            damping=jnp.where(running, s.damping * s.growth, s.damping), growth=jnp.where(running, s.growth * 2, s.growth),
            iterations=s.iterations + running, status=status,
        )  # fmt: skip
        diagonal = jnp.max(jnp.stack([new_matrix[i, i] for i in range(spec.layout.size)]), axis=0)
        entered = s._replace(
            objective=value, damping=jnp.where(s.damping < 0, first_damping * diagonal + 1e-30, s.damping),
            status=jnp.where(running & ~jnp.isfinite(value), code(Status.NOT_FINITE), s.status),
        )  # fmt: skip
        moved = jax.tree.map(lambda a, b, c: jnp.where(entering, a, jnp.where(better, b, c)), entered, new, old)
        taken = entering | better
        return moved, jnp.where(taken, new_gradient, gradient), jnp.where(taken, new_matrix, matrix), count + 1

    theta = jnp.asarray(state.theta)
    size = theta.shape[0]
    carry = (state, jnp.zeros_like(theta), jnp.zeros((size, *theta.shape), theta.dtype), 0)
    return jax.lax.while_loop(lambda c: jnp.any(c[0].status == 0) & (c[3] <= _ROUND), step, carry)[0]


def damping_unit(matrix: Any) -> Any:
    """Roots of the damping matrix S, (size, members): the eighth root of the diagonal of M, relative to its largest entry."""
    diagonal = jnp.stack([matrix[i, i] for i in range(matrix.shape[0])])
    share = diagonal / jnp.maximum(jnp.max(diagonal, axis=0), 1e-300) + 1e-12
    return jnp.sqrt(jnp.sqrt(jnp.sqrt(share)))


def chunk_size(rows: int, parameters: int) -> int:
    """Members that one compiled call works on: what stays in the CPU's cache, or fills a GPU."""
    budget = 2**16 if jax.default_backend() == "cpu" else 2**30 // (8 * (parameters + 8))
    return int(2 ** np.clip(np.round(np.log2(budget / rows)), 0, 8 if jax.default_backend() == "cpu" else 16))


def solve(
    spec: Spec,
    batched: tuple[bool, ...],
    theta: np.ndarray,
    gather: Callable[[np.ndarray], Data],
    rows: int,
    settings: LM,
    floor: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> State:
    """Run every member to its end.

    Args:
        spec, batched: see `problem`.
        theta: starts (size, members).
        gather: data for the members with these indices.
        rows: residuals a member, which sets the chunk size.
        settings: of the solver.
        floor: absolute decrease below which rounding rules.
        progress: called with (finished, members) after every round.

    Returns:
        State with NumPy arrays.
    """
    members = theta.shape[1]
    size = chunk_size(rows, spec.layout.size)
    state = State(*(np.array(a) for a in fresh(theta)))
    arguments = tuple(map(float, (settings.max_iterations, settings.tolerance, settings.near, settings.damping)))

    def work(chunk: np.ndarray) -> None:
        padded = np.resize(chunk, size)  # repeats members to fill the chunk; the copies are dropped
        part = advance(spec, batched, State(*(a[..., padded] for a in state)), gather(padded), arguments, floor)
        for whole, piece in zip(state, part, strict=True):
            whole[..., chunk] = np.asarray(piece)[..., : len(chunk)]

    active = np.arange(members)
    while len(active):
        in_parallel(work, [active[start : start + size] for start in range(0, len(active), size)])
        active = np.flatnonzero(state.status == 0)
        if progress:
            progress(members - len(active), members)
    return state
