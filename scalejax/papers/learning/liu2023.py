"""Lottery tickets: small networks that are trained apart, and the error of their average."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import DecisionError
from ...core.numeric.precision import double
from ...core.table import Computed

_POINTS = 32


@double
def simulate_tickets(sizes: Any, *, width: int = 4, tickets: int = 1024, steps: int = 500, rate: float = 0.1, seed: int = 0) -> Computed:
    r"""Mean squared error of averages of k small networks on y = x^2, each trained from its own start.

        MSE(k) = bias^2 + V / k

    The networks have one hidden layer of SiLU neurons and are trained by gradient descent.

    Args:
        sizes: how many networks are averaged, each a divisor of `tickets`.
        width: hidden neurons of a network. tickets: networks in all, which are split into averages of k without overlap.
        steps, rate: of gradient descent on 32 points between -1 and 1. seed: of the starts.

    Returns:
        `error`, MSE at every size, a mean over the averages; `bias2`, squared error of the mean network; `variance`, V, of one network.

    Raises:
        DecisionError: if a size does not divide the number of tickets.

    Example:
        >>> found = simulate_tickets([1, 4, 16], tickets=256, steps=200)
        >>> bool((np.diff(found.error) < 0).all())
        True

    References: Liu and Tegmark 2023, arXiv:2310.02258. There tickets are parts of one wide network; here they are trained
    apart, so that they are independent.
    """
    k = np.atleast_1d(np.asarray(sizes))
    if k.dtype.kind not in "iu" or (k < 1).any() or (tickets % k).any():
        raise DecisionError(f"sizes={sizes!r} must be whole numbers that divide tickets={tickets}.")
    x = np.linspace(-1.0, 1.0, _POINTS)
    outputs = np.asarray(_trained(jax.random.split(jax.random.key(seed), tickets), jnp.asarray(x), rate, width, steps))
    off = outputs - x**2
    error = np.array([np.mean(off.reshape(tickets // n, n, -1).mean(axis=1) ** 2) for n in k])
    bias2 = float(np.mean(off.mean(axis=0) ** 2))
    return Computed({"error": error, "bias2": bias2, "variance": float(np.mean(off**2)) - bias2}, f"averages of {tickets} networks")


@partial(jax.jit, static_argnums=(3, 4))
def _trained(keys: Any, x: Any, rate: float, width: int, steps: int) -> Any:
    """Outputs (tickets, points) of trained networks."""

    def output(p: Any) -> Any:
        return jax.nn.silu(x[:, None] * p[0] + p[1]) @ p[2] + p[3, 0]

    def one(key: Any) -> Any:
        start = jax.random.normal(key, (4, width)).at[2].divide(jnp.sqrt(width)).at[3].set(0.0)
        slope = jax.grad(lambda p: jnp.mean((output(p) - x**2) ** 2))
        p, _ = jax.lax.scan(lambda p, _: (p - rate * slope(p), None), start, None, length=steps)
        return output(p)

    return jax.vmap(one)(keys)
