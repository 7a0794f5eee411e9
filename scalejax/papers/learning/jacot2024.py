"""Learning curves of functions of given smoothness, whole and composed of an inner and an outer part."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from ...core.errors import DecisionError
from ...core.laws.formula import formula
from ...core.numeric.precision import numpy_or_jax


@formula
def compositional_rate(nu_g: Any, nu_h: Any, d_in: Any, d_mid: Any) -> Any:
    r"""Exponent of the test error in the number of samples for f = h(g(x)): of deep networks, and of kernels or shallow networks.

        deep: min(1/2, nu_g / d_in, nu_h / d_mid);    shallow: min(1/2, min(nu_g, nu_h) / d_in)

    Args:
        nu_g, nu_h: how often g and h can be differentiated (Sobolev). d_in: dimension of x. d_mid: dimension of g(x).

    Returns:
        "deep"; "shallow", for which the composition is as smooth as its rougher part, learned in d_in dimensions; and "phase", what decides
        the deep rate: 0 the limit 1/2, 1 the inner function g, 2 the outer one h.

    Example:
        >>> found = compositional_rate(8.0, 1.0, 20.0, 5.0)
        >>> [round(found[name], 9) for name in ("deep", "shallow", "phase")]
        [0.2, 0.05, 2.0]

    References: Jacot et al. 2024, arXiv:2407.05664.
    """
    every = jnp.stack(jnp.broadcast_arrays(jnp.asarray(0.5), jnp.asarray(nu_g) / d_in, jnp.asarray(nu_h) / d_mid))
    shallow = jnp.minimum(0.5, jnp.minimum(nu_g, nu_h) / d_in)
    return {"deep": jnp.min(every, axis=0), "shallow": shallow, "phase": jnp.argmin(every, axis=0)}


@numpy_or_jax
def kernel_error(side: int, *, nu: Any, d: int, cutoff: int = 64) -> Any:
    r"""Root mean squared error of kernel regression on N = side^d points of a grid, for a random function of the kernel's own smoothness.

        f on the torus of dimension d, a Gaussian process with spectrum lambda_k = (1 + |k|^2)^-(nu + d/2) (Matern), scaled to sum 1
        MSE = 1 - sum_k lambda_k^2 / sum_{j = k mod side} lambda_j

    exactly, without noise: what aliases cannot tell apart. It falls as N^(-2 nu / d).

    Args:
        side: points a dimension. nu: smoothness; a JAX number has derivatives. d: dimension.
        cutoff: the spectrum has cutoff side frequencies a dimension; larger for rough functions.

    Returns:
        sqrt(MSE).

    Raises:
        DecisionError: if side, d or cutoff is not positive.

    Example:
        >>> round(float(np.log2(kernel_error(16, nu=1.0, d=1) / kernel_error(32, nu=1.0, d=1))), 1)  # nu / d
        1.0

    References: Jacot et al. 2024, arXiv:2407.05664 (rates and setting); the closed form is that of a Gaussian process on a group.
    """
    if min(side, d, cutoff) < 1:
        raise DecisionError("kernel_error() needs a positive side, d and cutoff.")
    k = np.fft.fftfreq(side * cutoff, 1 / (side * cutoff))
    squared = sum(np.square(axis) for axis in np.meshgrid(*[k] * d, indexing="ij", sparse=True))
    spectrum = jnp.exp(-(nu + d / 2) * jnp.log1p(jnp.asarray(squared)))
    spectrum = (spectrum / jnp.sum(spectrum)).reshape([cutoff, side] * d)
    images = tuple(range(0, 2 * d, 2))  # frequencies that differ by multiples of side
    return jnp.sqrt(jnp.maximum(1 - jnp.sum(jnp.sum(spectrum**2, axis=images) / jnp.sum(spectrum, axis=images)), 0.0))


@numpy_or_jax
def composed_error(side_g: int, side_h: int, *, nu_g: Any, nu_h: Any, d_in: int, d_mid: int, cutoff: int = 16) -> Any:
    r"""Error of h(g(x)) if both parts are learned, g in d_in dimensions and h in d_mid: the part that is harder decides.

        error = kernel_error(side_g, nu_g, d_in) + kernel_error(side_h, nu_h, d_mid),    N = side_g^d_in = side_h^d_mid

    Args:
        side_g, side_h: points a dimension. nu_g, nu_h: smoothness of the parts. d_in, d_mid: their dimensions. cutoff: see `kernel_error`.

    Returns:
        The sum, which falls as N^-min(nu_g / d_in, nu_h / d_mid): `compositional_rate` without its limit 1/2, which noise sets.

    Example:
        >>> few, many = (composed_error(s, s**2, nu_g=1.0, nu_h=3.0, d_in=2, d_mid=1) for s in (8, 16))
        >>> round(float(np.log2(few / many) / 2), 1)  # N grows fourfold: nu_g / d_in
        0.5

    References: Jacot et al. 2024, arXiv:2407.05664; here h learns from the true g and is smooth enough to pass errors of g on as they are.
    """
    return kernel_error(side_g, nu=nu_g, d=d_in, cutoff=cutoff) + kernel_error(side_h, nu=nu_h, d=d_mid, cutoff=cutoff)
