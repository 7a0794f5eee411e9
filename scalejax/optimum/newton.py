"""One Newton step of the optimality equations, for many members on the trailing axis."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from ..core.numeric.linear import solve_damped
from .program import Values

_UNROLLED = 3  # sizes whose factorisation is written out: beyond it compilation costs more than it saves


class Place(NamedTuple):
    """Inputs with slacks, multipliers of the conditions, of the lower and of the upper bounds. Arrays end in the member axis."""

    x: Any
    lam: Any
    lower: Any
    upper: Any


def largest(a: Any) -> Any:
    """Largest absolute value of every member."""
    return jnp.max(jnp.abs(a), axis=0, initial=0.0)


def newton(values: Values, diagonal: Any, damping: Any, gradient: Any, free: Any) -> tuple[Any, Any]:
    """Step and new multipliers of the equations (H + diagonal + damping) dx + J' lam = -gradient, J dx = -g, with dx = 0 where not free.

    J'J is added to H on both sides, which leaves the step and makes the matrix positive where only the conditions make it so.
    """
    jacobian = values.dg * free
    size, rows = values.df.shape[0], values.g.shape[0]
    scale = 1e-3 + jnp.max(jnp.abs(jnp.stack([values.hessian[i, i] for i in range(size)])), axis=0)
    both = free[:, None] * free
    matrix = values.hessian * both + scale * jnp.einsum("iab,icb->acb", jacobian, jacobian)
    matrix = matrix + jnp.eye(size)[:, :, None] * jnp.where(free, diagonal, 1.0)
    right = -gradient * free - scale * jnp.einsum("iab,ib->ab", jacobian, values.g)
    if not rows:
        return solve_damped(matrix, damping, right, _UNROLLED) * free, jnp.zeros_like(values.g)
    sides = jnp.concatenate([right[:, None], jnp.swapaxes(jacobian, 0, 1)], axis=1)
    solved = solve_damped(matrix, damping, sides, _UNROLLED)
    y, Y = solved[:, 0], solved[:, 1:]
    schur = jnp.einsum("iab,ajb->ijb", jacobian, Y)
    tiny = 1e-14 * jnp.max(jnp.abs(jnp.stack([schur[i, i] for i in range(rows)])), axis=0) + 1e-300
    lam = solve_damped(schur, tiny, jnp.einsum("iab,ab->ib", jacobian, y) + values.g, _UNROLLED)
    return (y - jnp.einsum("aib,ib->ab", Y, lam)) * free, lam
