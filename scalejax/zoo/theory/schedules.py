"""Learning-rate schedules in theory: the bound of convex optimisation, and SGD on problems with a power-law spectrum."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.laws.domains import Interval, Positive
from ...core.laws.law import law
from ...core.numeric.powers import power, power_from_zero
from ..curves.loss_curves import ETA, LEAST, STEPS, along

_S = Positive(0.1, 2.0)
_BETA = Interval(1.05, 6.0)
_NOISE = Positive(1e-3, 10.0, zero=True)
_MODES = 256


def _tail(x):
    """Sums over the last axis from every entry to the end."""
    return jnp.flip(jnp.cumsum(jnp.flip(x, -1), -1), -1)


@law(
    output="suboptimality",
    reference="Schaipp et al. 2025, arXiv:2501.18965; Defazio et al. 2023, arXiv:2310.07831",
    eta=ETA,
    t=STEPS,
    D0=Positive(0.1, 100.0, unit="distance"),
    G=Positive(0.1, 100.0, unit="gradient norm"),
)
@jax.jit
def convex_bound(eta, t, *, D0, G):
    r"""Bound on the suboptimality of the last iterate of (stochastic) subgradient descent on a convex function, for any schedule.

        Omega_T = D0^2 / (2 E_T) + Q_1 / (2 E_T) + 1/2 sum_{k=1..T-1} (eta_k / R_{k+1}) (Q_k / R_k)
        E_T = R_1,   R_k = sum_{i=k..T} eta_i,   Q_k = G^2 sum_{i=k..T} eta_i^2

    Symbols: eta (T',) rate of every step; t the last step that is counted, from 0, so that T = t + 1; D0 distance of the start from the
    optimum; G bound on the gradient's norm; Omega in units of the function. Its shape over the steps is that of loss curves of language
    models, with the rapid fall in a cooldown; as a model of a loss add a constant and fit D0, G and a scale of the rates.

    Note: costs T for every t. Rates of 0 at the end of a run are steps that are not made: they are left out of the sum.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> round(laws.convex_bound(0.0972552 * (1 - np.arange(100) / 100), 99, D0=1.0, G=1.0), 7)
        0.2036084
    """

    def at(eta, t):
        eta = jnp.where(jnp.arange(len(eta)) <= t, eta, 0.0)
        R, Q = _tail(eta), G**2 * _tail(eta**2)
        following = jnp.concatenate([R[1:], jnp.zeros_like(R[:1])])
        counted = following > 0
        terms = jnp.where(counted, eta * Q / (jnp.where(counted, following, 1.0) * jnp.where(R > 0, R, 1.0)), 0.0)
        one_over_E = power_from_zero(R[0], -1.0, LEAST)
        return 0.5 * ((D0**2 + Q[0]) * one_over_E + jnp.sum(terms))

    return along(lambda eta, t: jax.lax.map(lambda step: at(eta, step), t), eta, t)


@law(
    output="excess_risk",
    reference="Li et al. 2025, arXiv:2509.19189",
    eta=Positive(1e-3, 0.5, unit="learning rate", zero=True, axis="step"),
    t=STEPS,
    B=Positive(1.0, 1e3, unit="examples a batch"),
    M=Positive(10.0, 1e6, unit="features"),
    s=_S,
    beta=_BETA,
    sigma2=_NOISE,
)
@jax.jit
def functional_scaling_theory(eta, t, B, M, *, s, beta, sigma2):
    r"""Excess risk of SGD on a power-law kernel for any schedule of rates: signal that is learned, and noise that is forgotten.

        R(t) = M^(-s beta) + e(z_t) + sum_{i<=t} K(z_t - z_i) [e(z_i) + sigma2] eta_i^2 / B
        z_t = sum_{i<=t} eta_i,   e(z) = (1 + z)^-s,   K(z) = (1 + z)^-(2 - 1/beta)

    Symbols: eta rate of every step; t steps; B examples of a batch; M features of the model; s source exponent (how easy the task is),
    beta > 1 capacity exponent (how fast the spectrum falls), sigma2 noise of the labels; R in the unit of e, constants of order one left
    out. z is the intrinsic time. A constant rate gives R = M^(-s beta) + (eta t)^-s + (eta / B) (...): rate and batch matter by eta / B.

    Note: the sum over all steps is evaluated for every t, so that it costs T for each. `functional_scaling` is the form that is fitted.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> law = laws.functional_scaling_theory
        >>> round(law(np.full(1000, 0.1), 999, 1.0, 1e6, s=0.5, beta=2.0, sigma2=1.0), 5)
        0.30474
    """

    def one(eta, t, B, M):
        z = jnp.cumsum(eta)
        noise = (power(1 + z, -s) + sigma2) * eta**2 / B

        def at(step):
            ago = jnp.maximum(z[step] - z, 0.0)
            kept = jnp.where(jnp.arange(len(eta)) <= step, power(1 + ago, -(2 - 1 / beta)) * noise, 0.0)
            return power(M, -s * beta) + power(1 + z[step], -s) + jnp.sum(kept)

        return jax.lax.map(at, t)

    return along(one, eta, t, B, M)


@law(
    output="excess_risk",
    reference="Bordelon and Mori 2026, arXiv:2602.04774",
    eta=Positive(1e-3, 0.3, unit="learning rate", zero=True, axis="step"),
    t=STEPS,
    B=Positive(1.0, 1e3, unit="examples a batch"),
    a=Interval(0.5, 4.0),
    b=Interval(1.1, 3.0),
    sigma2=_NOISE,
)
@jax.jit
def random_feature_sgd(eta, t, B, *, a, b, sigma2):
    r"""Excess risk of SGD on random features with a power-law spectrum, by the exact recursion of the mean squares of every mode.

        R_t = sum_k lambda_k c_k(t),   lambda_k = k^-b,   lambda_k c_k(0) = k^-(1 + a)    (k = 1..256, both scaled to sum 1)
        c_k(t + 1) = (1 - eta_t lambda_k)^2 c_k(t) + (eta_t^2 / B) lambda_k (R_t + sigma2)

    Symbols: eta rate of every step, at most 1; t steps, with R after step t; B examples of a batch; a task exponent: the risk that the
    modes from k on hold falls as k^-a; b exponent of the spectrum; sigma2 noise of the labels; R in units of the risk at the start.

    Note: the covariance of a Gaussian design is kept to its diagonal, without the term of relative order 1 / B in the drift. Its best
    schedule is found by gradients through the recursion: `studies.optimal_schedule((law, values), steps=1000, peak=0.3, B=1.0)`.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> law = laws.random_feature_sgd
        >>> law(np.full(1000, 0.2), [0, 999], 1.0, a=1.0, b=1.5, sigma2=0.0).round(3)
        array([0.901, 0.018])
    """

    def one(eta, t, B):
        k = jnp.arange(1, _MODES + 1, dtype=eta.dtype)
        spectrum, risk = power(k, -b), power(k, -(1 + a))
        spectrum, risk = spectrum / spectrum.sum(), risk / risk.sum()

        def step(c, rate):
            drift = (1 - rate * spectrum) ** 2 * c
            c = drift + rate**2 / B * spectrum * (jnp.sum(spectrum * c) + sigma2)
            return c, jnp.sum(spectrum * c)

        return jax.lax.scan(step, risk / spectrum, eta)[1][t]

    return along(one, eta, t, B)
