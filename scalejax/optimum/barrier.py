"""The barrier: a primal-dual interior-point method with damped Newton steps.

A step is kept when it lowers the merit f - mu sum(log s) + nu |g| or the residual of the equations; otherwise the curvature is damped and
the step tried anew, as in Levenberg-Marquardt.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .newton import Place, largest, newton
from .program import Values

_STEPS = 200
_BEGIN = 1e-2  # where the barrier begins
_INSIDE = 1e-2  # share of the range that it needs between a start and a bound
_TO_BOUNDARY = 0.995  # share of the way to a bound that a step may go
_PULL = 1e10  # how far a multiplier may stray from mu / slack


class State(NamedTuple):
    """Where a member stands, and the step it tries next."""

    place: Place
    values: Values
    trial: Place
    expected: Any  # change of the merit along the step, to first order
    mu: Any
    damping: Any
    length: Any  # share of a step that is tried: a long step towards conditions that bend is no better for a damped curvature
    penalty: Any
    done: Any
    steps: Any


def begun(at: Any, x: Any, low: Any, high: Any, rows: int) -> State:
    """The state before the first step, which the first call of `descend` evaluates; x is moved inside its bounds."""
    dtype, members = x.dtype, x.shape[1]
    margin = _INSIDE * jnp.where(jnp.isfinite(high - low), high - low, 1.0)
    x = jnp.clip(x, low + margin, high - margin)
    zeros, mu, lam = jnp.zeros(members, dtype), jnp.full(members, _BEGIN, dtype), jnp.zeros((rows, members), dtype)
    place = Place(x, lam, mu / (x - low), mu / (high - x))
    unknown = jax.tree.map(lambda a: jnp.full(a.shape, jnp.inf, a.dtype), jax.eval_shape(at, x, lam))
    return State(place, unknown, place, zeros, mu, zeros, zeros + 1.0, zeros, zeros > 1, zeros)


def descend(at: Any, low: Any, high: Any, until: Any, state: State) -> State:
    """Steps until every member's equations are met to `until`."""
    return jax.lax.while_loop(lambda s: ~jnp.all(s.done), partial(_advance, at, low, high, until), state)


def residual(p: Place, values: Values, low: Any, high: Any, mu: Any) -> Any:
    """Largest entry of the barrier problem's equations; the gradient is judged relative to large multipliers, whose rounding it has."""

    def gap(slack: Any, multiplier: Any) -> Any:
        return jnp.where(jnp.isfinite(slack), slack * multiplier - mu, 0.0)

    dual = values.df + jnp.einsum("ijb,ib->jb", values.dg, p.lam) - p.lower + p.upper
    unit = jnp.maximum(1.0, largest(jnp.concatenate([p.lam, p.lower, p.upper])))
    return jnp.maximum(largest(dual) / unit, largest(jnp.concatenate([values.g, gap(p.x - low, p.lower), gap(high - p.x, p.upper)])))


def _merit(p: Place, values: Values, low: Any, high: Any, mu: Any, penalty: Any) -> Any:
    slack = jnp.concatenate([p.x - low, high - p.x])
    barrier = jnp.sum(jnp.log(jnp.where(jnp.isfinite(slack), slack, 1.0)), axis=0)
    return values.f - mu * barrier + penalty * jnp.sum(jnp.abs(values.g), axis=0)


def _advance(at: Any, low: Any, high: Any, tolerance: Any, s: State) -> State:
    """Judge the trial step of every unfinished member, and find the next one."""
    values = at(s.trial.x, s.trial.lam)
    old, new = (_merit(p, v, low, high, s.mu, s.penalty) for p, v in ((s.place, s.values), (s.trial, values)))
    before, after = (residual(p, v, low, high, s.mu) for p, v in ((s.place, s.values), (s.trial, values)))
    rounding = 20 * jnp.finfo(values.f.dtype).eps * (jnp.abs(new) + jnp.abs(values.f))
    better = (new <= old + 1e-4 * jnp.minimum(s.expected, 0.0) + rounding) | (after < 0.9 * before)
    taken = (better & jnp.isfinite(new) & jnp.isfinite(after)) | (s.steps == 0)

    place, values = jax.tree.map(lambda a, b: jnp.where(taken, a, b), (s.trial, values), (s.place, s.values))
    left = jnp.where(taken, after, before)
    size = largest(jnp.stack([values.hessian[i, i] for i in range(len(place.x))])) + 1e-3
    lower_damping = jnp.where(s.damping > 1e-6 * size, 0.1 * s.damping, 0.0)
    damping = jnp.where(taken, lower_damping, jnp.clip(10.0 * s.damping, 1e-2 * size, 1e4 * size))
    length = jnp.where(taken, jnp.minimum(3.0 * s.length, 1.0), 0.3 * s.length)
    closer = jnp.where(left <= 10.0 * s.mu, jnp.maximum(jnp.minimum(0.2 * s.mu, s.mu**1.5), 0.1 * tolerance), s.mu)
    done = (residual(place, values, low, high, 0.0) <= tolerance) | (s.steps >= _STEPS) | (length < 1e-12) | ~jnp.isfinite(left)

    trial, expected, penalty = _next(place, values, low, high, closer, damping, length, jnp.where(closer < s.mu, 0.0, s.penalty))
    now = State(place, values, trial, expected, closer, damping, length, penalty, done, s.steps + 1)
    return jax.tree.map(lambda a, b: jnp.where(s.done, a, b), s, now)


def _next(p: Place, values: Values, low: Any, high: Any, mu: Any, damping: Any, length: Any, penalty: Any) -> tuple[Place, Any, Any]:
    """The place after one damped Newton step, the first-order change of the merit, and the weight of the conditions in it."""
    below, above = p.x - low, high - p.x
    gradient = values.df - mu / below + mu / above
    dx, lam = newton(values, p.lower / below + p.upper / above, damping, gradient, jnp.ones_like(p.x))
    d_lower = mu / below - p.lower - p.lower / below * dx
    d_upper = mu / above - p.upper + p.upper / above * dx
    reach = length * jnp.minimum(_reach(below, dx), _reach(above, -dx))
    reach_z = jnp.minimum(_reach(p.lower, d_lower), _reach(p.upper, d_upper))
    x = p.x + reach * dx

    def near(multiplier: Any, slack: Any) -> Any:
        return jnp.clip(multiplier, mu / (_PULL * slack), _PULL * mu / slack)

    trial = Place(x, p.lam + reach * (lam - p.lam), near(p.lower + reach_z * d_lower, x - low), near(p.upper + reach_z * d_upper, high - x))
    known = 2.0 * largest(lam)  # not a number where the factorisation failed; the damping grows until it does not
    penalty = jnp.maximum(penalty, jnp.where(jnp.isfinite(known), known, 0.0))
    return trial, reach * (jnp.sum(gradient * dx, axis=0) - penalty * jnp.sum(jnp.abs(values.g), axis=0)), penalty


def _reach(slack: Any, change: Any) -> Any:
    """Largest share of a step, at most 1, that keeps every slack positive."""
    ratio = jnp.where(change < 0, -_TO_BOUNDARY * slack / jnp.where(change < 0, change, -1.0), jnp.inf)
    return jnp.minimum(1.0, jnp.min(ratio, axis=0, initial=jnp.inf))
