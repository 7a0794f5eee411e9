"""The best split of a budget between two inputs: scan, bracket, and a safeguarded root of the derivative along the budget line.

With u = log N, v = log D, f the law and c the logarithm of the cost, v(u) solves c(u, v) = log C, and along it
df/du = f_u - f_v c_u / c_v. Its root is found by Newton steps that fall back to bisection, to rounding precision, kinks included.
A scan of the whole range finds the bracket at the point estimate; draws look for theirs around it first, and scan only if it is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..core.law import Law
from ..fitting.problem import traced

_SCAN = 96
_AROUND = 3.0  # e-folds of N on either side of the point estimate in which a draw's optimum is looked for
_WIDE = (-40.0, 100.0)  # log D that no budget leaves


class Problem(NamedTuple):
    """Static part of an allocation: hashable, so that compiled programs are found again."""

    law: Law
    cost: Callable[..., Any]
    extra: tuple[str, ...]


@partial(jax.jit, static_argnums=0)
def _range(problem: Problem, given: Any, budgets: Any, box: Any) -> tuple[Any, Any]:
    """log N between which a budget can be spent with N and D inside the box; empty (low above high) if it cannot."""

    def one(f, c):
        spend_all = [_root(lambda u, v=v: jax.jvp(lambda w: c(w, v), (u,), (jnp.ones_like(u),)), box[0], box[1]) for v in box[:1:-1]]
        return spend_all[0], jnp.where((c(box[0], box[2]) > 0) | (c(box[1], box[3]) < 0), -jnp.inf, spend_all[1])

    low, high = _over(problem, one, {}, given, budgets)
    return low[0], high[0]


@partial(jax.jit, static_argnums=0)
def _scan(problem: Problem, params: Any, given: Any, budgets: Any, low: Any, high: Any) -> Any:
    """log N of the best point of a grid from low to high, for every draw and budget."""
    traced("scan")

    def one(f, c, low, high):
        grid = jnp.linspace(low, high, _SCAN)
        return grid[jnp.argmin(jax.vmap(lambda u: f(u, _tokens(c, u)))(grid))]

    return _over(problem, one, params, given, budgets, low, high)


@partial(jax.jit, static_argnums=0)
def _refine(problem: Problem, params: Any, given: Any, budgets: Any, left: Any, right: Any) -> dict[str, Any]:
    """Optimum between left and right for every draw and budget, and whether the derivative changes sign there."""
    traced("refine")

    def one(f, c, left, right):
        low, high = (_slope(f, c, end)[0] for end in (left, right))
        inner = (low < 0) & (high > 0)
        u = jnp.where(inner, _root(partial(_slope, f, c), left, right), jnp.where(low >= 0, left, right))
        v = _tokens(c, u)
        return {"N": jnp.exp(u), "D": jnp.exp(v), "loss": f(u, v), "edge": ~inner}

    return _over(problem, one, params, given, budgets, left, right)


def split(
    problem: Problem,
    point: Mapping[str, Any],
    draws: Mapping[str, Any] | None,
    given: Mapping[str, Any],
    budgets: np.ndarray,
    box: np.ndarray,
) -> tuple[dict[str, np.ndarray] | None, dict[str, np.ndarray] | None]:
    """Optimum at the point estimate and for every draw.

    Args:
        point, draws: parameters with a leading axis (length 1 for the point).
        given: values of the law's other inputs and of the cost's other arguments.
        budgets: (budgets,). box: (log N low, log N high, log D low, log D high).

    Returns:
        "N", "D", "loss" and "edge" (no inner optimum: it lies at the box), each (draws, budgets), for the point and the draws; None for the
        point if some budget cannot be spent inside the box.
    """
    low, high = (np.asarray(a) for a in _range(problem, given, budgets, box))
    if not (low <= high).all():
        return None, None

    def scanned(params):
        spacing = (high - low) / (_SCAN - 1)
        best = np.asarray(
            _scan(problem, params, given, budgets, *(np.broadcast_to(a, (_count(params), len(budgets))) for a in (low, high)))
        )
        return refined(params, best, spacing)

    def refined(params, around, reach):
        left, right = (np.clip(around + side * reach, low, high) for side in (-1, 1))
        ends = (np.broadcast_to(a, (_count(params), len(budgets))) for a in (left, right))
        return {name: np.array(value) for name, value in _refine(problem, params, given, budgets, *ends).items()}

    at_point = scanned(point)
    if draws is None:
        return at_point, None
    found = refined(draws, np.log(at_point["N"]), _AROUND)
    missed = np.flatnonzero(found["edge"].any(axis=1))
    if len(missed):  # padded to all draws, so that one compiled program serves any number of misses
        rows = np.resize(missed, _count(draws))
        again = scanned({name: np.asarray(value)[rows] for name, value in draws.items()})
        for name, value in found.items():
            value[missed] = again[name][: len(missed)]
    return at_point, found


def _count(params: Mapping[str, Any]) -> int:
    return len(next(iter(params.values())))


def _over(problem: Problem, one: Callable[..., Any], params: Any, given: Any, budgets: Any, *brackets: Any) -> Any:
    """`one(f, c, ...)` for every draw and budget."""
    law, cost, extra = problem
    inputs = {name: given[name] for name in law.inputs if name not in ("N", "D")}
    values = {name: given[name] for name in extra}

    def of_draw(p, *ends):
        def f(u, v):
            return law.function(**{**inputs, "N": jnp.exp(u), "D": jnp.exp(v)}, **p, **dict(law.bound))

        def of_budget(budget, *end):
            def c(u, v):
                return jnp.log(cost(jnp.exp(u), jnp.exp(v), **values)) - jnp.log(budget)

            return one(f, c, *end)

        return jax.vmap(of_budget)(budgets, *ends)

    return jax.vmap(of_draw, axis_size=None if params else 1)(params, *brackets)


def _tokens(c: Callable[..., Any], u: Any) -> Any:
    """v with c(u, v) = 0; the cost rises with v."""
    return _root(lambda v: jax.jvp(lambda w: c(u, w), (v,), (jnp.ones_like(v),)), *_WIDE)


def _slope(f: Callable[..., Any], c: Callable[..., Any], u: Any) -> tuple[Any, Any]:
    """df/du along the budget line, and its derivative."""
    v = _tokens(c, u)

    def ratio(u, v):
        c_u, c_v = jax.grad(c, (0, 1))(u, v)
        return -c_u / c_v

    def total(u, v):
        f_u, f_v = jax.grad(f, (0, 1))(u, v)
        return f_u + f_v * ratio(u, v)

    return jax.jvp(total, (u, v), (jnp.ones_like(u), ratio(u, v)))


def _root(function: Callable[[Any], tuple[Any, Any]], low: Any, high: Any) -> Any:
    """Root of a function that rises through zero in [low, high]: Newton inside the bracket, bisection when it leaves it."""

    def step(carry):
        x, a, b, _, count = carry
        y, dy = function(x)
        a, b = jnp.where(y < 0, x, a), jnp.where(y < 0, b, x)
        newton = x - y / dy
        new = jnp.where((newton > a) & (newton < b), newton, 0.5 * (a + b))
        new = jnp.where(y == 0, x, new)
        return new, a, b, jnp.abs(new - x), count + 1

    def unfinished(carry):
        x, _, _, moved, count = carry
        return (moved > 1e-15 * jnp.maximum(jnp.abs(x), 1.0)) & (count < 80)

    low, high = jnp.asarray(low, dtype=jnp.float64), jnp.asarray(high, dtype=jnp.float64)
    return jax.lax.while_loop(unfinished, step, (0.5 * (low + high), low, high, jnp.inf, 0))[0]
