"""Power-law spectra of very many modes: their sums, the effective ridge of random features, and functions of time from their transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import DecisionError

_EXACT = 64  # modes that are summed one by one
_NODES = 128  # of the Gauss-Legendre rule for all others, in log j
_RULE = np.polynomial.legendre.leggauss(_NODES)
_FIRST, _NEXT = 40, 5  # Newton steps to the first point of a path, and from each point to the next
_TALBOT = 24  # points of the contour, which give about ten digits


def modes(count: Any) -> tuple[Any, Any]:
    """Ranks j and weights w so that sum(w f(j)) is the sum of f over j = 1..count, for smooth f that change little from one j to the next.

    The first 64 ranks one by one, the others as an integral from 64.5 to count + 1/2 (error of order j^-2 at j = 64).

    >>> j, w = modes(1e6)
    >>> round(float((w * j**-2.0).sum()), 5)  # pi^2 / 6 = 1.64493
    1.64493
    """
    first = jnp.arange(1.0, _EXACT + 1.0)
    low, high = jnp.log(_EXACT + 0.5), jnp.log(jnp.maximum(count, _EXACT + 1e-6) + 0.5)
    nodes, weights = (jnp.asarray(v, low.dtype) for v in _RULE)
    rest = jnp.exp(low + 0.5 * (high - low) * (nodes + 1))
    return jnp.concatenate([first, rest]), jnp.concatenate([jnp.where(first <= count, 1.0, 0.0), 0.5 * (high - low) * weights * rest])


def effective_ridge(ridge: Any, d: Any, spectrum: Any, weight: Any = 1.0, also: Any = jnp.inf) -> Any:
    r"""The penalty that random features, samples or both amount to, for each mode of a spectrum.

        kappa (1 - S / d) (1 - S / also) = ridge,    S = sum_k lambda_k / (lambda_k + kappa) < d, also

    Args:
        ridge: a number of 0 or more, or (points,) a path in the complex plane from a positive number on, which avoids the negative axis.
        d, also: how many random features, and samples; infinite where there is no limit.
        spectrum: (modes,) lambda_k. weight: (modes,) how many modes each stands for.

    Returns:
        kappa, along a path continued from each point to the next; with derivatives by the implicit function theorem.

    Example:
        >>> import jax
        >>> with jax.enable_x64(True):
        ...     kappa = float(effective_ridge(0.5, 2.0, jnp.ones(4)))
        >>> round(kappa * (1 - 2.0 / (1 + kappa)), 6)
        0.5
    """
    path = jnp.atleast_1d(jnp.asarray(ridge))

    def newton(kappa: Any, at: Any) -> Any:
        # In kappa itself: on the positive axis the function is convex, and steps from above the root stay above it.
        shrunk = spectrum / (spectrum + kappa)
        total, square = jnp.sum(weight * shrunk), jnp.sum(weight * shrunk**2)
        left, right = 1 - total / d, 1 - total / also
        rate = left * right + (right / d + left / also) * (total - square)
        return kappa - (kappa * left * right - at) / rate

    def follow(kappa: Any, at: Any) -> tuple[Any, Any]:
        for _ in range(_NEXT):
            kappa = newton(kappa, at)
        return kappa, kappa

    start = path[0] + jnp.sum(weight * spectrum) * (1 / d + 1 / also)
    start = jax.lax.fori_loop(0, _FIRST, lambda _, kappa: newton(kappa, path[0]), start)
    found = jax.lax.stop_gradient(jax.lax.scan(follow, start, path)[1])
    step = jax.vmap(newton)
    return jnp.reshape(step(step(found, path), path), jnp.shape(ridge))


def from_laplace(transform: Callable[[Any], Any], t: Any) -> Any:
    r"""f(t) from its Laplace transform, whose singularities lie on the negative axis: the fixed Talbot contour (Abate and Valko 2004).

    Args:
        transform: of (points,) complex numbers, a path that starts on the positive axis; real there.
        t: positive.

    Example:
        >>> import jax
        >>> with jax.enable_x64(True):
        ...     round(float(from_laplace(lambda z: 1 / (1 + z), jnp.asarray(2.0))), 8)  # exp(-2)
        0.13533528
    """
    points, weights = contour(t)
    return jnp.sum(jnp.real(weights * transform(points)))


def contour(t: Any) -> tuple[Any, Any]:
    """Points z and weights w of the upper half of the contour: f(t) is the real part of sum(w F(z)), in which most digits cancel."""
    if jnp.result_type(t) != jnp.float64:
        raise DecisionError(
            "An inverse transform needs double precision: pass NumPy numbers, or JAX arrays inside `with jax.enable_x64():`."
        )
    angle = jnp.arange(1, _TALBOT) * jnp.pi / _TALBOT
    r = 2 * _TALBOT / (5 * t)
    slope = 1 / jnp.tan(angle)
    turned = r * angle * (slope + 1j)
    tilt = angle + (angle * slope - 1) * slope
    points = jnp.concatenate([jnp.reshape(r, (1,)) + 0j, turned])
    factors = jnp.concatenate([jnp.asarray([0.5 + 0j]), 1 + 1j * tilt])
    return points, r / _TALBOT * jnp.exp(points * t) * factors
