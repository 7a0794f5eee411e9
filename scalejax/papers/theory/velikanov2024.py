"""Spectral algorithms, ridge and gradient flow among them, on the circle: the error of any filter of the kernel's eigenvalues."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from ...core.checks import check_count
from ...core.errors import DecisionError
from ...core.laws.formula import require
from ...core.numeric.precision import numpy_or_jax

_ALIASES = 16  # on either side that are summed one by one; the others as an integral


def ridge_filter(eta: float) -> Callable[[Any], Any]:
    """h(lambda) = lambda / (lambda + eta) of kernel ridge regression, which saturates: 1 - h falls as lambda^-1 only.

    >>> float(ridge_filter(1.0)(3.0))
    0.75
    """
    return lambda values: values / (values + eta)


def flow_filter(t: float) -> Callable[[Any], Any]:
    """h(lambda) = 1 - exp(-t lambda) of gradient flow for a time t.

    >>> round(float(flow_filter(1.0)(3.0)), 4)
    0.9502
    """
    return lambda values: -jnp.expm1(-t * values)


@numpy_or_jax
def spectral_error(h: Callable[[Any], Any] | None, N: int, *, nu: Any, kappa: Any, sigma2: Any = 0.0) -> Any:
    r"""Mean squared error of a spectral algorithm on N equidistant points of a circle, averaged over where the first lies: exact.

        L[h] = sum_k [ g_k^2 S(lambda^2) (S(c^2) + sigma^2 / N) - 2 g_k S(lambda c^2) + S(c^2) ],    g_k = h(lambda^_k) / lambda^_k
        S(x) = sum_n x_(k + N n) over all frequencies that look like k on the points,    lambda^_k = S(lambda)

    with a kernel of eigenvalues lambda_m = |m|^-nu and a target of coefficients c_m^2 = |m|^-(kappa + 1) (1 for m = 0). The best filter has
    L ~ N^-(kappa / (kappa + 1)) with noise, where the scale lambda ~ N^-(nu / (kappa + 1)) decides. Gradient flow reaches it for any kappa,
    ridge regression for kappa < 2 nu only: it saturates. Without noise L ~ N^-min(kappa, 2 nu).

    Args:
        h: filter of the eigenvalues (`ridge_filter`, `flow_filter`, any function); None for the best one,
            g_k = S(lambda c^2) / (S(lambda^2) (S(c^2) + sigma^2 / N)), which knows the target.
        N: points.
        nu: exponent of the kernel's eigenvalues, above 1. kappa: of the target, positive.
        sigma2: variance of the noise on the labels.

    Returns:
        The error; differentiable in the exponents, the noise, and what h depends on.

    Raises:
        DecisionError: if nu is not above 1 or kappa not positive.

    Example:
        >>> best, ridge = (spectral_error(h, 256, nu=1.5, kappa=2.0, sigma2=0.1) for h in (None, ridge_filter(0.01)))
        >>> bool(best < ridge < 1.3 * best)
        True

    References: Velikanov et al. 2024, arXiv:2403.11696, section on the circle model.
    """
    check_count("N", N, 1, DecisionError)
    nu, kappa, sigma2 = (jnp.asarray(value, float) for value in (nu, kappa, sigma2))
    require((nu > 1) & (kappa > 0) & (sigma2 >= 0), "spectral_error() needs nu > 1, kappa > 0 and sigma2 of 0 or more.")
    k = jnp.arange(N) - (N - 1) // 2
    size = jnp.maximum(jnp.abs(k + N * jnp.arange(-_ALIASES, _ALIASES + 1)[:, None]), 1.0)
    end = (_ALIASES + 0.5) * N

    def summed(power: Any) -> Any:
        """S of |m|^-power for every k."""
        return jnp.sum(jnp.exp(-power * jnp.log(size)), axis=0) + 2 * end ** (1 - power) / (N * (power - 1))

    values, squares, signal, both = summed(nu), summed(2 * nu), summed(kappa + 1), summed(nu + kappa + 1)
    seen = signal + sigma2 / N
    gain = both / (squares * seen) if h is None else h(values) / values
    return jnp.sum(gain**2 * squares * seen - 2 * gain * both + signal)
