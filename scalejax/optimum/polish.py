"""The last digits: Newton steps with the bounds that hold held, exactly."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .newton import Place, largest, newton
from .program import Values

_STEPS = 16
_SLACK = 1e-12  # a multiplier this far on the wrong side is rounding


def polish(
    at: Any, low: Any, high: Any, tolerance: Any, x: Any, lam: Any, on_lower: Any, on_upper: Any, skip: Any
) -> tuple[Place, Values, Any, Any]:
    """Newton steps on the inputs that no bound holds; bounds that are crossed hold from then on, those that pull inwards hold no more.

    This primal-dual active-set method (Hintermueller, Ito and Kunisch 2002, doi:10.1137/S1052623401383558) converges in a few steps from
    near the optimum. Returns the place, its values, the largest entry of the KKT equations, and the bounds that hold: -1 lower, 1 upper.
    """
    members = x.shape[1]

    def judged(x: Any, lam: Any, values: Values, on_lower: Any, on_upper: Any) -> tuple[Any, Any, Any]:
        slope = values.df + jnp.einsum("ijb,ib->jb", values.dg, lam)
        lower, upper = jnp.where(on_lower, slope, 0.0), jnp.where(on_upper, -slope, 0.0)
        wrong = jnp.where(on_lower | on_upper, jnp.minimum(jnp.minimum(lower, upper), 0.0), slope)
        unit = jnp.maximum(1.0, jnp.maximum(largest(lam), largest(slope)))
        return jnp.maximum(largest(wrong) / unit, largest(values.g)), lower, upper

    def step(now: tuple[Any, ...]) -> tuple[Any, ...]:
        count, done, error, x, lam, _, on_lower, on_upper, (next_x, next_lam, next_lower, next_upper) = now
        x, lam, on_lower, on_upper = jax.tree.map(
            lambda a, b: jnp.where(done, a, b), (x, lam, on_lower, on_upper), (next_x, next_lam, next_lower, next_upper)
        )
        values = at(x, lam)
        before, (error, lower, upper) = error, judged(x, lam, values, on_lower, on_upper)
        stuck = (error <= tolerance) & (error >= 0.3 * before)
        done = done | (error <= 1e-3 * tolerance) | stuck | ~jnp.isfinite(error)
        first = count == 0  # the conditions' multipliers are not known yet
        on_lower, on_upper = on_lower & (first | (lower > -_SLACK)), on_upper & (first | (upper > -_SLACK))
        dx, lam_next = newton(values, 0.0, 1e-13 * jnp.ones(members), values.df, (~(on_lower | on_upper)).astype(x.dtype))
        new = x + dx
        ahead = (jnp.clip(new, low, high), lam_next, on_lower | (new < low), on_upper | (new > high))
        return count + 1, done, error, x, lam, values, on_lower, on_upper, ahead

    def unfinished(now: tuple[Any, ...]) -> Any:
        return (now[0] < _STEPS) & ~jnp.all(now[1])

    start = jnp.where(on_lower, low, jnp.where(on_upper, high, x))
    nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(at, x, lam))
    ahead = (start, lam, on_lower, on_upper)
    far = jnp.full(members, jnp.inf, x.dtype)
    begin = (0, skip, far, start, lam, nothing, on_lower, on_upper, ahead)
    _, _, error, x, lam, values, on_lower, on_upper, _ = jax.lax.while_loop(unfinished, step, begin)
    _, lower, upper = judged(x, lam, values, on_lower, on_upper)
    active = on_upper.astype(int) - on_lower.astype(int)
    return Place(x, lam, lower, upper), values, jnp.where(jnp.isfinite(error), error, jnp.inf), active
