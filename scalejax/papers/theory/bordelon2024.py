"""Random features trained by gradient flow: the loss over time at finite size or data in the limit of many, and simulated at both."""

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
from ...core.numeric.spectra import contour, effective_ridge, from_laplace, modes

_LEAST = 1e-30


@numpy_or_jax
def flow_loss(t: Any, *, a: Any, b: Any, N: Any = None, P: Any = None, M: Any = 1e12) -> Any:
    r"""Test loss of linear features after gradient flow for a time t, with N random features or P samples, in the limit of many.

        N:  L(t) = inverse Laplace transform of   sum_k k^-a kappa / ((k^-b + kappa) z),    kappa(z / 2; N)
        P:  L(t) = inverse transforms over z, z'  sum_k k^-a kappa kappa' / ((k^-b + kappa) (k^-b + kappa') z z') / (1 - df / P),
            df = sum_k k^-2b / ((k^-b + kappa) (k^-b + kappa')),    kappa(z; P), kappa'(z'; P)

    with kappa(z; n) (1 - (1/n) sum_k k^-b / (k^-b + kappa)) = z: the response functions of the dynamical mean field theory, z / kappa.

    Args:
        t: time, positive; steps times learning rate. It broadcasts with all others.
        a, b: target lambda_k w_k^2 = k^-a, spectrum lambda_k = k^-b.
        N: random features, with all data. P: samples, with all features; every step uses all of them. One of the two; neither: no limit.
        M: modes.

    Returns:
        Losses in the common shape, without label noise; differentiable in everything.

    Raises:
        DecisionError: if both N and P are given (see `simulate_flow`), t is not positive, or JAX arrays come in single precision.

    Example:
        >>> f"{flow_loss(1e8, a=1.5, b=1.5, N=100.0):.4f}"
        '0.3733'

    References: Bordelon et al. 2024, arXiv:2402.01092, section 3; both transforms follow from deterministic equivalents of resolvents.
    """
    if N is not None and P is not None:
        raise DecisionError("flow_loss() takes N or P, not both; simulate_flow() takes both.")
    limit = jnp.inf if N is None and P is None else N if P is None else P
    given = [jnp.asarray(value, float) for value in (t, a, b, limit, M)]
    require(given[0] > 0, "flow_loss() needs a positive time t.")
    return (_by_size if P is None else _by_data)(*given)


def _spectra(a: Any, b: Any, M: Any) -> tuple[Any, Any, Any]:
    """Weights of the modes, their spectrum, and what each holds of the target."""
    j, weight = modes(M)
    return weight, jnp.exp(-b * jnp.log(j)), jnp.exp(-a * jnp.log(j))


@jax.jit
@partial(jnp.vectorize, signature="(),(),(),(),()->()")
def _by_size(t, a, b, N, M):
    weight, spectrum, target = _spectra(a, b, M)

    def transform(z: Any) -> Any:
        kappa = effective_ridge(0.5 * z, N, spectrum, weight)[:, None]
        return jnp.sum(weight * target * kappa / (spectrum + kappa), axis=-1) / z

    return from_laplace(transform, t)


@jax.jit
@partial(jnp.vectorize, signature="(),(),(),(),()->()")
def _by_data(t, a, b, P, M):
    weight, spectrum, target = _spectra(a, b, M)
    z, factor = contour(t)
    inverse = 1 / (spectrum + effective_ridge(z, P, spectrum, weight)[:, None])  # (points, modes)
    kept = (1 - spectrum * inverse) / z[:, None]

    def total(inverse_right: Any, kept_right: Any, factor_right: Any) -> Any:
        df = (weight * spectrum**2 * inverse) @ inverse_right.T
        return jnp.sum(factor[:, None] * factor_right * ((weight * target * kept) @ kept_right.T) / (1 - df / P))

    # The contour's other half is the conjugate of this one.
    return 0.5 * jnp.real(total(inverse, kept, factor) + total(*map(jnp.conj, (inverse, kept, factor))))


@numpy_or_jax
def simulate_flow(t: Any, *, a: Any, b: Any, N: int | None = None, P: int | None = None, M: int = 500, runs: int = 1, seed: int = 0) -> Any:
    r"""Test losses of N random features trained by gradient flow on P samples, for draws of both.

        dw/dt = A Sigma (w* - A^T w / sqrt(N)) / sqrt(N),    Sigma = Psi Psi^T / P,    Psi_k. ~ N(0, k^-b),  A_ik ~ N(0, 1)

    Args:
        t: (T,) times.
        a, b: exponents of target and spectrum as in `flow_loss`, one for all runs or (runs,).
        N: features, P: samples; None for all of them. M: modes.
        runs: simulations with draws of their own. seed: of all of them.

    Returns:
        (runs, T) losses at these times, from the eigenvectors of the kernel; differentiable in the exponents.

    Example:
        >>> losses = simulate_flow([1.0, 1e3], a=1.5, b=1.5, N=20, P=50, M=200, runs=3)
        >>> losses.shape, bool((losses[:, 1] < losses[:, 0]).all())
        ((3, 2), True)

    References: Bordelon et al. 2024, arXiv:2402.01092, section 2.
    """
    for name, value in {"N": N, "P": P, "M": M, "runs": runs}.items():
        if value is not None:
            check_count(name, value, 1, DecisionError)
    a, b = (jnp.broadcast_to(jnp.asarray(value, float), (runs,)) for value in (a, b))
    return _flows(jax.random.split(jax.random.key(seed), runs), jnp.atleast_1d(jnp.asarray(t, float)), a, b, N=N, P=P, M=M)


@partial(jax.jit, static_argnames=("N", "P", "M"))
def _flows(keys, t, a, b, *, N, P, M):
    def one(key, a, b):
        logs = jnp.log(jnp.arange(1.0, M + 1))
        root, missed = jnp.exp(-0.5 * b * logs), jnp.exp(-0.5 * a * logs)  # square roots of the spectrum, and of what modes hold
        of_features, of_data = jax.random.split(key)
        # In coordinates in which the covariance of the inputs is the identity: features (N, M), what the samples see of them (P, N).
        features = None if N is None else jax.random.normal(of_features, (N, M), root.dtype) / np.sqrt(N) * root
        data = None if P is None else jax.random.normal(of_data, (P, M), root.dtype) / np.sqrt(P)
        seen = jnp.diag(root) if features is None else features.T
        seen, labels = (seen, missed) if data is None else (data * root if features is None else data @ seen, data @ missed)
        few = len(seen) < seen.shape[1]
        rates, vectors = jnp.linalg.eigh(seen @ seen.T if few else seen.T @ seen)
        rates = jnp.maximum(rates, _LEAST)
        pull = vectors.T @ (labels if few else seen.T @ labels)
        learned = (-jnp.expm1(-rates * t[:, None]) / rates * pull) @ vectors.T
        learned = learned @ seen if few else learned
        return jnp.sum((missed - (learned * root if features is None else learned @ features)) ** 2, axis=-1)

    return jax.vmap(one)(keys, a, b)
