"""Ridge regression on random features of data with any spectrum: its test loss in the limit of large sizes, and simulated."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.checks import check_count
from ...core.errors import DecisionError
from ...core.laws.formula import require
from ...core.numeric.precision import numpy_or_jax
from ...core.numeric.spectra import effective_ridge


@numpy_or_jax
def feature_ridge_loss(N: Any, T: Any, spectrum: Any, signal: Any, *, ridge: Any = 0.0, sigma2: Any = 0.0) -> Any:
    r"""Test loss of ridge regression on N random features and T samples, in the limit in which they and the modes are many.

        Delta (1 - z / N) (1 - z / T) = ridge / T,    z = sum_k s_k,  q = sum_k s_k^2,    s_k = lambda_k / (lambda_k + Delta)
        L = [ sum_k lambda_k w_k^2 (1 - s_k) (1 - s_k (N - z) / (N - q)) + sigma^2 ] / e - sigma^2
        e = 1 - (q (N - 2 z) + z^2) / (T (N - q))

    Without a penalty z = min(N, T), and Delta falls as min(N, T)^-(1 + alpha) for lambda_k = k^-(1 + alpha); with w_k = 1 and no noise
    L = Delta min(N, T) / (1 - min(N, T) / max(N, T)), which falls as min(N, T)^-alpha, is symmetric in the two, and has a peak at N = T,
    which the best penalty removes. Where only one grows, the other is the plateau.

    Args:
        N: random features. T: samples; both broadcast, with `ridge` and `sigma2` too.
        spectrum: (modes,) lambda_k. signal: (modes,) coefficients w_k of the target in the modes.
        ridge: penalty in |y - Phi theta|^2 + ridge |theta|^2, for Phi = X F^T / sqrt(N), F_ik ~ N(0, 1).
        sigma2: variance of the noise on the labels; the loss is without it.

    Returns:
        Losses in the common shape, infinite at N = T without a penalty; differentiable in everything.

    Raises:
        DecisionError: if min(N, T) is not below the number of modes where there is no penalty: then nothing is left to learn.

    Example:
        >>> k = np.arange(1, 1001)
        >>> f"{feature_ridge_loss(50.0, 1e5, k**-1.5, np.ones(1000)):.4f}"
        '0.4270'

    References: Maloney et al. 2022, arXiv:2210.16859 (the model, and Delta); the loss for any penalty and signal as in Simon et al. 2023,
    arXiv:2311.14646.
    """
    spectrum, signal = jnp.asarray(spectrum, float), jnp.asarray(signal, float)
    N, T, ridge, sigma2 = (jnp.asarray(value, float) for value in (N, T, ridge, sigma2))
    if spectrum.ndim != 1 or signal.shape != spectrum.shape:
        raise DecisionError("feature_ridge_loss() needs a spectrum (modes,) and a signal of the same length.")
    require(ridge >= 0, "ridge must not be negative.")
    require((ridge > 0) | (jnp.minimum(N, T) < len(spectrum)), "Without a penalty min(N, T) must be below the number of modes.")
    return _loss(N, T, ridge, sigma2, spectrum, signal)


@jax.jit
@partial(jnp.vectorize, signature="(),(),(),(),(k),(k)->()")
def _loss(N, T, ridge, sigma2, spectrum, signal):
    delta = effective_ridge(ridge / T, N, spectrum, 1.0, T)
    shrunk, power = spectrum / (spectrum + delta), spectrum * signal**2
    z, q = jnp.sum(shrunk), jnp.sum(shrunk**2)
    bias = jnp.sum(power * (1 - shrunk) * (1 - shrunk * (N - z) / (N - q)))
    room = 1 - (q * (N - 2 * z) + z**2) / (T * (N - q))
    finite = (room > 0) & ((ridge > 0) | (N != T))
    return jnp.where(finite, (bias + sigma2) / jnp.where(finite, room, 1.0) - sigma2, jnp.inf)


@numpy_or_jax
def simulate_feature_ridge(
    N: int, T: int, spectrum: Any, signal: Any, *, ridge: Any = 0.0, sigma2: Any = 0.0, runs: int = 1, seed: int = 0
) -> Any:
    """Test losses of ridge regression on N random features and T samples, for draws of features, inputs and noise.

    Args:
        N, T, spectrum, signal, ridge, sigma2: as in `feature_ridge_loss`; N and T whole numbers, `ridge` and `sigma2` numbers.
        runs: simulations with draws of their own. seed: of all of them.

    Returns:
        (runs,) losses without the noise of a test label; differentiable in spectrum, signal, penalty and noise.

    Example:
        >>> k = np.arange(1, 301)
        >>> losses = simulate_feature_ridge(20, 60, k**-1.5, np.ones(300), runs=4)
        >>> losses.shape
        (4,)

    References: Maloney et al. 2022, arXiv:2210.16859, section 2.
    """
    for name, value in {"N": N, "T": T, "runs": runs}.items():
        check_count(name, value, 1, DecisionError)
    given = (jnp.asarray(value, float) for value in (spectrum, signal, ridge, sigma2))
    return _simulated(jax.random.split(jax.random.key(seed), runs), *given, N=N, T=T)


@partial(jax.jit, static_argnames=("N", "T"))
def _simulated(keys, spectrum, signal, ridge, sigma2, *, N, T):
    scale = jnp.sqrt(spectrum)

    def one(key):
        of_features, of_inputs, of_noise = jax.random.split(key, 3)
        features = jax.random.normal(of_features, (N, len(scale)), scale.dtype) * scale / np.sqrt(N)
        inputs = jax.random.normal(of_inputs, (T, len(scale)), scale.dtype)
        y = inputs @ (scale * signal) + jnp.sqrt(sigma2) * jax.random.normal(of_noise, (T,), scale.dtype)
        seen = inputs @ features.T
        if T < N:
            theta = seen.T @ jnp.linalg.solve(seen @ seen.T + ridge * jnp.eye(T), y)
        else:
            theta = jnp.linalg.solve(seen.T @ seen + ridge * jnp.eye(N), seen.T @ y)
        return jnp.sum((scale * signal - theta @ features) ** 2)

    return jax.vmap(one)(keys)
