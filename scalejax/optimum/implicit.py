r"""Derivatives of an optimum with respect to whatever its problem depends on, by the implicit function theorem.

At an optimum the equations F(x, lam; v) = (gradient of the Lagrangian, conditions) vanish, with the inputs at a bound held there. A change
dv moves it by the solution of  dF/d(x, lam) (dx, dlam) = -dF/dv dv, so no step of the solver is ever differentiated.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from .program import Program, evaluate


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def attached(program: Program, x: Any, lam: Any, low: Any, high: Any, v: Any) -> tuple[Any, Any]:
    """The optimum (x with slacks, lam) of one member as a function of its bounds and values, which JAX can differentiate to any order."""
    return x, lam


@attached.defjvp
def _moved(program: Program, primals: Any, tangents: Any) -> tuple[Any, Any]:
    *_, d_low, d_high, d_v = tangents
    _, _, low, high, v = primals
    x, lam = attached(program, *primals)
    size, rows = x.shape[0], lam.shape[0]
    values = evaluate(program, x, lam, v)
    on_low, on_high = x <= low, x >= high
    held = on_low | on_high

    def equations(v: Any) -> Any:
        at = evaluate(program, x, lam, v)
        return jnp.concatenate([at.df + lam @ at.dg, at.g])

    change = jax.jvp(equations, (v,), (d_v,))[1]
    matrix = jnp.block([[values.hessian, values.dg.T], [values.dg, jnp.zeros((rows, rows), x.dtype)]])
    matrix = jnp.where(jnp.pad(held, (0, rows))[:, None], jnp.eye(size + rows, dtype=x.dtype), matrix)
    bound = jnp.where(on_low, d_low, jnp.where(on_high, d_high, 0.0))
    moved = jnp.linalg.solve(matrix, jnp.concatenate([jnp.where(held, bound, -change[:size]), -change[size:]]))
    return (x, lam), (moved[:size], moved[size:])
