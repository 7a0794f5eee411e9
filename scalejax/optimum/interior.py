r"""Many small constrained problems at once, the members on the trailing axis.

With slacks of the bounds s_l = x - low, s_u = high - x, their multipliers z and those of the conditions lam, an optimum solves

    grad f + J' lam - z_l + z_u = 0,    g = 0,    s z = mu

with mu = 0. A barrier, mu > 0 (`barrier.py`; Waechter and Biegler 2006, doi:10.1007/s10107-004-0559-y), shows which bounds hold; Newton
steps with these held (`settle.py`) give the last digits. From the optimum of a similar problem those steps alone are enough.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..core.numeric.batching import traced
from ..core.numeric.programs import compiled
from . import barrier
from .polish import polish
from .program import Program, Values, evaluate, first_order

_NEARLY = 1e-6  # residual of the barrier at which settling is tried first
_AT = 1e-9  # a start nearer to a bound than this is held by it


class Solution(NamedTuple):
    """Optimum of every member.

    Attributes:
        x: packed inputs (width, members). slack: (slacks, members).
        f: objective. lam: multipliers of the conditions. lower, upper: multipliers of the bounds (and of slacks, which follow the inputs).
        residual: largest entry of the KKT equations, relative to the gradient at the start.
        violation: |g| of every condition, relative to its gradient at the start.
        active: the bounds that hold, (width + slacks, members): -1 lower, 1 upper, 0 none.
        ok: are the KKT equations met?
        steps: how many steps it took.
    """

    x: Any
    slack: Any
    f: Any
    lam: Any
    lower: Any
    upper: Any
    residual: Any
    violation: Any
    active: Any
    ok: Any
    steps: Any


def over_members(program: Program, x: Any, lam: Any, each: Any, common: Any) -> Values:
    """`evaluate` for members on the trailing axis."""
    return jax.vmap(lambda x, lam, own: evaluate(program, x, lam, {**own, **common}), in_axes=-1, out_axes=-1)(x, lam, each)


@compiled(0, once=True)
def solve(program: Program, x: Any, low: Any, high: Any, each: dict[str, Any], common: dict[str, Any], near: Any) -> Solution:
    """Optimum of every member from the starts x (width, members).

    Args:
        program: what is solved.
        x, low, high: (width, members); bounds may be infinite.
        each: what the program's functions need, by name, of every member: arrays that end in the member axis.
        common: the same for what belongs to all members.
        near: are the starts optima of similar problems? Then Newton steps from them, with the bounds that hold there, are tried first.
    """
    traced("optimum")
    width, members = x.shape
    equal, below = program.counts(x[:, 0], {**jax.tree.map(lambda a: a[..., 0], each), **common})
    rows, dtype = equal + below, x.dtype
    tolerance = max(1e-11, 200 * float(jnp.finfo(dtype).eps))
    least = float(jnp.finfo(dtype).tiny) ** 0.5

    start, slopes = jax.vmap(lambda x, own: first_order(program, x, {**own, **common}), in_axes=-1, out_axes=-1)(x, each)
    units = jnp.maximum(jnp.max(jnp.abs(slopes), axis=1), least)
    unit_f, unit_g = units[0], jnp.maximum(units[1:], 1e-3 * jnp.abs(start[1:]))  # a condition that nothing moves has no slope
    x = jnp.concatenate([x, jnp.maximum(-start[1 + equal :], jnp.where(near, 0.0, 1e-2 * unit_g[equal:]))])
    low = jnp.concatenate([low, jnp.zeros((below, members), dtype)])
    high = jnp.concatenate([high, jnp.full((below, members), jnp.inf, dtype)])

    def at(x: Any, lam: Any) -> Values:
        """Objective and conditions in units of their own gradients."""
        v = over_members(program, x, lam * unit_f / unit_g, each, common)
        return Values(v.f / unit_f, v.g / unit_g, v.df / unit_f, v.dg / unit_g[:, None], v.hessian / unit_f)

    place, values, error, active, ok, steps = _attempts(at, x, low, high, rows, tolerance, near)
    return Solution(
        x=place.x[:width], slack=place.x[width:], f=values.f * unit_f, lam=place.lam * unit_f / unit_g, lower=place.lower * unit_f,
        upper=place.upper * unit_f, residual=error, violation=jnp.abs(values.g), active=active, ok=ok, steps=steps,
    )  # fmt: skip


def _attempts(at: Any, x: Any, low: Any, high: Any, rows: int, tolerance: Any, near: Any) -> tuple[Any, ...]:
    """Settle on the bounds that hold: those at the start, then those that a nearly vanished barrier shows, then those of a vanished one."""

    def attempt(now: tuple[Any, barrier.State, Any]) -> tuple[Any, barrier.State, Any]:
        trial, state, best = now
        first, found = trial == 0, best[-1]
        state = state._replace(done=found | first)
        state = barrier.descend(at, low, high, jnp.where(trial == 1, _NEARLY, tolerance), state)
        p = state.place
        begin = jnp.where(first, x, p.x)
        on_lower = jnp.where(first, x <= low + _AT, p.lower > p.x - low) & jnp.isfinite(low)
        on_upper = jnp.where(first, x >= high - _AT, p.upper > high - p.x) & jnp.isfinite(high)
        exact = polish(at, low, high, tolerance, begin, p.lam, on_lower, on_upper, found)
        left = barrier.residual(p, state.values, low, high, 0.0)
        rest = (p, state.values, jnp.where(jnp.isfinite(left), left, jnp.inf), jnp.zeros(x.shape, int))
        better = exact[2] <= jnp.maximum(rest[2], tolerance)
        place, values, error, active = jax.tree.map(lambda a, b: jnp.where(better, a, b), exact, rest)
        here = (place, values, error, active, error <= 100 * tolerance)
        return trial + 1, state, jax.tree.map(lambda a, b: jnp.where(found, a, b), best, here)

    state = barrier.begun(at, x, low, high, rows)
    nothing = state.mu > jnp.inf
    blank = (state.place, state.values, state.mu, jnp.zeros(x.shape, int), nothing)
    _, state, best = jax.lax.while_loop(lambda now: (now[0] < 3) & ~jnp.all(now[2][-1]), attempt, (jnp.where(near, 0, 1), state, blank))
    return (*best, state.steps)
