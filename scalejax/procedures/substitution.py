"""How easily tokens stand in for parameters at equal loss."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..core.errors import DecisionError
from ..core.law import Law
from ..core.precision import double
from ..decisions.known import Source, known
from ..decisions.question import numbers


@double
def elasticity_of_substitution(source: Source, *, between: tuple[str, str] = ("N", "D"), group: str | None = None, **inputs: Any) -> Any:
    r"""Relative change of the ratio D/N along a line of equal loss, over that of the rate at which the two trade.

        sigma = dlog(D/N) / dlog(L_N / L_D)  at constant L
              = (f_n + f_d) / [ f_n + f_d - (f_nn f_d - f_nd f_n) / f_n + (f_nd f_d - f_dd f_n) / f_d ]

    with f the law in n = log N and d = log D, by automatic differentiation. At 1 a budget share is fixed whatever the prices; below 1 the
    scarcer input is hard to replace. `chinchilla` has 1 / (1 + beta s_N + alpha s_D), s_N = alpha A N^-alpha / (alpha A N^-alpha +
    beta B D^-beta) and s_D = 1 - s_N.

    Args:
        source: a fit, draws or (law, parameters); the point estimate is used.
        between: two scalar inputs on which the loss depends.
        group: which group, for a fit with groups.
        **inputs: numbers or arrays of one shape for all inputs of the law.

    Returns:
        sigma as a float, or an array of the inputs' shape.

    Raises:
        DecisionError: if an input is missing or unknown.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> round(sj.procedures.elasticity_of_substitution((law, law.published["besiroglu2024"]), N=70e9, D=1.4e12), 4)
        0.737

    References: Hoffmann et al. 2022, arXiv:2203.15556, for the law; the elasticity is the textbook's.
    """
    knowledge = known(source, group, "elasticity_of_substitution")
    law, params = knowledge.law, knowledge.point
    for name in (*between, *inputs, *law.inputs):
        if name not in law.inputs or name not in inputs:
            raise DecisionError(f"elasticity_of_substitution() needs the inputs {', '.join(law.inputs)}, once each; check {name!r}.")
    values = np.broadcast_arrays(*(numbers(name, inputs[name]) for name in law.inputs))
    rows = {name: np.ravel(v) for name, v in zip(law.inputs, values, strict=True)}

    first, second = (np.asarray(v) for v in _derivatives(law, between, rows, params))
    (f_n, f_d), (f_nn, f_nd, f_dd) = first.T, (second[:, 0, 0], second[:, 0, 1], second[:, 1, 1])
    bend = (f_nn * f_d - f_nd * f_n) / f_n - (f_nd * f_d - f_dd * f_n) / f_d
    sigma = ((f_n + f_d) / (f_n + f_d - bend)).reshape(values[0].shape)
    return sigma if sigma.ndim else float(sigma)


@partial(jax.jit, static_argnums=(0, 1))
def _derivatives(law: Law, between: tuple[str, str], rows: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Any, Any]:
    """Gradient and Hessian of the law in the logarithms of two inputs, a row each."""

    def loss(logs: Any, row: Mapping[str, Any]) -> Any:
        return law(**{**row, **{name: jnp.exp(x) for name, x in zip(between, logs, strict=True)}}, **params)

    logs = jnp.log(jnp.stack([rows[name] for name in between], axis=-1))
    return jax.vmap(jax.grad(loss))(logs, rows), jax.vmap(jax.hessian(loss))(logs, rows)
