"""Least squares beyond and below interpolation: the double descent of sketched data, and the sketch that avoids it."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import law

_REFERENCE = "Chen et al. 2023, arXiv:2302.01088"
_SAMPLES = Positive(30.0, 1e5, unit="samples")
_FEATURES = Positive(20.0, 3e4, unit="features")
_ENERGY = Positive(0.05, 20.0)
_NOISE = Positive(0.01, 5.0, zero=True)


def _sketched(m, p, alpha2, sigma2, more=0.0):
    """Risk of both branches; `more` is what the sketch adds to p / m / (1 - p / m) below interpolation. Infinite at m = p."""
    under, apart = m > p, m != p
    small = jnp.where(under, p, m) / jnp.where(apart, jnp.where(under, m, p), 1.0)
    share = jnp.where(apart, small, 0.0)
    variance = sigma2 * (share / (1 - share) + jnp.where(under, more, 0.0))
    return jnp.where(apart, variance + jnp.where(under, 0.0, alpha2 * (1 - share)), jnp.inf)


@law(
    output="risk",
    reference=f"{_REFERENCE}; Hastie et al. 2019, arXiv:1903.08560",
    linear=("alpha2", "sigma2"),
    m=_SAMPLES,
    p=_FEATURES,
    alpha2=_ENERGY,
    sigma2=_NOISE,
)
def sketched_ridgeless(m, p, *, alpha2, sigma2):
    r"""Risk of least squares of least norm on m samples, or on an orthogonal sketch to m of more, with its peak at m = p.

        m > p:  R = sigma^2 (p / m) / (1 - p / m)
        m < p:  R = alpha^2 (1 - m / p) + sigma^2 (m / p) / (1 - m / p)

    Symbols: m rows after sketching, at most the n samples, on which the risk does not depend; p features, uncorrelated and of variance 1;
    alpha^2 = |beta|^2 energy of the signal; sigma^2 variance of the noise; R = |beta^ - beta|^2, the error of the prediction without that
    of a new label. In the limit of large m and p; infinite at m = p.

    Example:
        >>> from scalejax import laws
        >>> laws.sketched_ridgeless([400.0, 50.0], 100.0, alpha2=1.0, sigma2=0.3).round(6)
        array([0.1, 0.8])
    """
    return _sketched(m, p, alpha2, sigma2)


@law(
    output="risk",
    reference=_REFERENCE,
    linear=("alpha2", "sigma2"),
    m=_SAMPLES,
    p=_FEATURES,
    n=Positive(1e5, 1e7, unit="samples"),
    alpha2=_ENERGY,
    sigma2=_NOISE,
)
def sketched_ridgeless_iid(m, p, n, *, alpha2, sigma2):
    r"""Risk of least squares of least norm after a sketch with independent entries from n samples to m.

        m > p:  R = sigma^2 ( (p / m) / (1 - p / m) + (p / n) / (1 - p / n) )
        m < p:  R = alpha^2 (1 - m / p) + sigma^2 (m / p) / (1 - m / p)

    Symbols: as in `sketched_ridgeless`, with n the samples before sketching, above p wherever m is. The sketch gives rows unequal weights,
    which adds the risk of all n samples without a sketch; beyond interpolation it adds nothing.

    Example:
        >>> from scalejax import laws
        >>> round(laws.sketched_ridgeless_iid(400.0, 100.0, 1100.0, alpha2=1.0, sigma2=0.3), 6)
        0.13
    """
    more = jnp.where(n > p, p / jnp.where(n > p, n - p, 1.0), jnp.inf)
    return _sketched(m, p, alpha2, sigma2, more)


@formula
def optimal_sketch(n, p, alpha2, sigma2):
    r"""Rows to which n samples are best sketched by an orthogonal sketch before least squares of least norm.

        alpha > sigma:   m = n             if p / n <= 1 - sigma / (2 alpha) or p / n >= alpha / (alpha - sigma)
                         m = p (1 - sigma / alpha)    between, where the risk is 2 alpha sigma - sigma^2
        alpha <= sigma:  m = n             if p / n <= alpha^2 / (alpha^2 + sigma^2)
                         m -> 0            above, the risk that of no fit, alpha^2

    Args:
        n: samples. p: features. alpha2, sigma2: energy of the signal and variance of the noise, as in `laws.sketched_ridgeless`.

    Returns:
        "m", rows; "risk" there. It never falls as p / n grows: there is no peak.

    Raises:
        DecisionError: if n, p, alpha2 or sigma2 is not positive.

    Example:
        >>> import scalejax as sj
        >>> sj.formulas.optimal_sketch([1000.0, 1000.0], p=[100.0, 1000.0], alpha2=4.0, sigma2=1.0)["m"]
        array([1000.,  500.])

    References: Chen et al. 2023, arXiv:2302.01088, theorem on the optimal sketching size; it follows by setting the derivative to 0.
    """
    require((n > 0) & (p > 0) & (alpha2 > 0) & (sigma2 > 0), "optimal_sketch() needs positive n, p, alpha2 and sigma2.")
    noise = jnp.sqrt(sigma2 / alpha2)
    best = p * jnp.maximum(1 - noise, 0.0)  # of the branch below p, where there are as many samples
    below = jnp.where(noise < 1, 2 * alpha2 * noise - sigma2, alpha2)
    whole = _sketched(n, p, alpha2, sigma2)
    keep = (whole <= below) | (best >= n)
    return {"m": jnp.where(keep, n, best), "risk": jnp.where(keep, whole, below)}
