"""The best split of a budget between two inputs: scan, bracket, and a safeguarded root of the derivative along the budget line.

With u = log N, v = log D, f the law and c the logarithm of the cost, v(u) solves c(u, v) = log C, and along it
df/du = f_u - f_v c_u / c_v. Its root is found by Newton steps that fall back to bisection, to rounding precision, kinks included.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..core.law import Law
from ..fitting.problem import traced

_SCAN = 96
_LOWEST, _HIGHEST = 0.0, 60.0  # log of 1 and of 1e26 parameters or tokens


@partial(jax.jit, static_argnums=(0, 1, 2))
def split(
    law: Law,
    cost: Callable[..., Any],
    extra: tuple[str, ...],
    params: dict[str, Any],
    given: dict[str, Any],
    budgets: Any,
    box: Any,
) -> dict[str, Any]:
    """Optimum for every draw and budget.

    Args:
        law: with inputs N and D, others from `given`.
        cost: function of N, D and the names in `extra`, increasing in D.
        params: leading draw axis.
        budgets: (budgets,).
        box: (log N low, log N high, log D low, log D high).

    Returns:
        "N", "D", "loss" of shape (draws, budgets); "edge" true where the optimum lies at the box or no inner optimum exists; "feasible".
    """
    traced("split")
    values = {name: given[name] for name in extra}
    inputs = {name: given[name] for name in law.inputs if name not in ("N", "D")}

    def one(p, budget):
        def f(u, v):
            return law.function(**{**inputs, "N": jnp.exp(u), "D": jnp.exp(v)}, **p, **dict(law.bound))

        def c(u, v):
            return jnp.log(cost(jnp.exp(u), jnp.exp(v), **values)) - jnp.log(budget)

        return _minimise(f, c, box)

    return jax.vmap(lambda p: jax.vmap(lambda b: one(p, b))(budgets))(params)


def _minimise(f, c, box) -> dict[str, Any]:
    low_u, high_u, low_v, high_v = box

    def tokens(u):
        """v with c(u, v) = 0, kept inside a wide bracket; cost rises with v."""
        return _root(lambda v: (c(u, v), jax.grad(c, 1)(u, v)), _LOWEST - 40.0, _HIGHEST + 40.0)

    def along(u):
        v = tokens(u)
        inside = (jnp.abs(c(u, v)) < 1e-6) & (v >= low_v - 1e-12) & (v <= high_v + 1e-12)
        return v, inside

    grid = jnp.linspace(low_u, high_u, _SCAN)
    v, inside = jax.vmap(along)(grid)
    value = jnp.where(inside, jax.vmap(f)(grid, v), jnp.inf)
    best = jnp.argmin(value)
    left, right = grid[jnp.maximum(best - 1, 0)], grid[jnp.minimum(best + 1, _SCAN - 1)]

    def slope(u):
        """df/du along the budget line, and its derivative."""

        def total(u, v):
            return jax.grad(f, 0)(u, v) - jax.grad(f, 1)(u, v) * jax.grad(c, 0)(u, v) / jax.grad(c, 1)(u, v)

        v = tokens(u)
        run = -jax.grad(c, 0)(u, v) / jax.grad(c, 1)(u, v)
        return jax.jvp(total, (u, v), (jnp.ones_like(u), run))

    u = _root(slope, left, right)
    v, inside = along(u)
    # Outside the box or the feasible set the derivative has no root in the bracket: the best scanned point is then the answer.
    kept = inside & (f(u, v) <= jnp.min(value))
    u = jnp.where(kept, u, grid[best])
    v = jnp.where(kept, v, tokens(u))
    edge = ~kept | (u <= low_u + 1e-9) | (u >= high_u - 1e-9) | (v <= low_v + 1e-9) | (v >= high_v - 1e-9)
    return {"N": jnp.exp(u), "D": jnp.exp(v), "loss": f(u, v), "edge": edge, "feasible": jnp.isfinite(jnp.min(value))}


def _root(function, low, high):
    """Root of an increasing function in [low, high]: Newton inside the bracket, bisection when it leaves it."""

    def step(carry):
        x, a, b, _, count = carry
        y, dy = function(x)
        a, b = jnp.where(y < 0, x, a), jnp.where(y < 0, b, x)
        newton = x - y / dy
        new = jnp.where((newton > a) & (newton < b), newton, 0.5 * (a + b))
        return new, a, b, jnp.abs(new - x), count + 1

    def unfinished(carry):
        x, _, _, moved, count = carry
        return (moved > 1e-15 * jnp.maximum(jnp.abs(x), 1.0)) & (count < 100)

    low, high = jnp.asarray(low, dtype=jnp.float64), jnp.asarray(high, dtype=jnp.float64)
    return jax.lax.while_loop(unfinished, step, (0.5 * (low + high), low, high, jnp.inf, 0))[0]
