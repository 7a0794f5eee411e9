"""Splines: how their error falls with the grid, which the exponents of spline networks rest on."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import DecisionError
from ...core.laws.formula import formula
from ...core.numeric.precision import double

_POINTS = 16  # in every interval, at Chebyshev's places


@formula
def spline_exponents(k: Any = 3.0, d: Any = 1.0) -> Any:
    r"""Exponents of the RMSE in the number of parameters for activations of order k, by four theories.

        kan: k + 1;    arity: (k + 1) / 2;    manifold: (k + 1) / d

    Args:
        k: order of the pieces, 3 for cubic splines. d: dimension of the inputs.

    Returns:
        "kan" (spline networks); "arity" (Michaud, and Poggio, for compositions of functions of two variables); "manifold" (Sharma, Kaplan).

    Example:
        >>> spline_exponents(3.0, 4.0)
        {'kan': 4.0, 'arity': 2.0, 'manifold': 1.0}

    References: Liu et al. 2024, arXiv:2404.19756; Michaud et al. 2023, arXiv:2210.13447; Sharma and Kaplan 2020, arXiv:2004.10802.
    """
    return {"kan": k + 1.0, "arity": (k + 1.0) / 2, "manifold": (k + 1.0) / d}


@double
def spline_error(target: Any, G: int, *, k: int = 3) -> Any:
    r"""Root mean squared error of the best spline of order k with G equal intervals from -1 to 1.

        RMSE ~ G^-(k + 1) for smooth targets; for |x|^s, if no knot is at 0, G^-(s + 1/2) at best

    Args:
        target: function of an array, of JAX operations; it may close over JAX numbers that have derivatives.
        G: intervals. k: order of the pieces, 3 for cubic ones.

    Returns:
        The error, a number (under JAX transformations traced), in double precision down to about 1e-15 of the target's size.

    Raises:
        DecisionError: if G is not positive or k is negative.

    Example:
        >>> round(float(np.log2(spline_error(jnp.sin, 8) / spline_error(jnp.sin, 16))))
        4

    References: Liu et al. 2024, arXiv:2404.19756, section 2.3 (grid refinement).
    """
    if G < 1 or k < 0:
        raise DecisionError(f"spline_error() needs G of 1 or more and k of 0 or more, got {G!r} and {k!r}.")
    inside = np.cos(np.pi * (np.arange(_POINTS) + 0.5) / _POINTS)
    x = jnp.asarray(-1 + 2 * ((np.arange(G)[:, None] + 0.5 + 0.5 * inside) / G).ravel())
    y = target(x)
    orthogonal = _orthogonal(x.astype(y.dtype), G, k)
    error = jnp.sqrt(jnp.mean((y - orthogonal @ (orthogonal.T @ y)) ** 2))
    return error if isinstance(error, jax.core.Tracer) else float(error)


@partial(jax.jit, static_argnums=(1, 2))
def _orthogonal(x: Any, G: int, k: int) -> Any:
    """Orthonormal basis of the splines at the points, from B-splines by de Boor's recursion."""
    knots = -1 + 2 * jnp.arange(-k, G + k + 1) / G
    basis = ((x[:, None] >= knots[:-1]) & (x[:, None] < knots[1:])).astype(x.dtype)
    for order in range(1, k + 1):
        rising = (x[:, None] - knots[: -order - 1]) / (knots[order:-1] - knots[: -order - 1])
        falling = (knots[order + 1 :] - x[:, None]) / (knots[order + 1 :] - knots[1:-order])
        basis = rising * basis[:, :-1] + falling * basis[:, 1:]
    return jnp.linalg.qr(basis)[0]
