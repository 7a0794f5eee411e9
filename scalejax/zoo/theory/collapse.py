"""Model collapse: scaling laws of models that train on what earlier models generated."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.law import law
from ...core.numeric.powers import power

_TAILS = "Dohmatob et al. 2024, arXiv:2402.07043"
_REGRESSION = "Dohmatob et al. 2024, arXiv:2402.07712"
_T = Positive(1e3, 1e10, unit="samples")
_BETA = Positive(1.05, 4.0)
_FACTOR = Positive(0.01, 100.0)
_GENERATIONS = Positive(1.0, 20.0, unit="generations", zero=True)
_NOISE = Positive(1e-2, 10.0, zero=True)


def tail_exponent(beta):
    """c = (beta - 1) / beta, the exponent of clean data whose items follow i^-beta; 0 for beta <= 1, where nothing is learned.

    >>> float(tail_exponent(2.0))
    0.5
    """
    above = beta > 1
    return jnp.where(above, 1 - 1 / jnp.where(above, beta, 1.0), 0.0)


@law(
    output="error",
    reference=_TAILS,
    linear=("A", "B"),
    T=_T,
    k=Positive(10.0, 1e6, unit="items"),
    A=_FACTOR,
    B=_FACTOR,
    beta=_BETA,
)
def tail_cut(T, k, *, A, B, beta):
    r"""Error of a learner on data whose tail is cut off at an item's rank.

        E(T, k) = A T^-c + B k^-(beta - 1),    c = (beta - 1) / beta

    Symbols: T training samples; k rank of the last item that the generating model produces; beta > 1 exponent of the items' frequencies,
    p_i proportional to i^-beta; E chance that a test item was never seen. More samples do not help beyond T* = (A k^(beta-1) / B)^(1/c),
    proportional to k^beta. A model trained on T0 samples cuts near k = T0^(1/beta), which gives `collapse_generations` with n = 1.

    Note: the paper proves the powers; A and B for large T and k follow from the sum over items, `papers.tail_constants`, the exact
    error from `papers.tail_error`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.tail_cut(1e6, 1e3, A=1.0, B=2.0, beta=2.0), 6)
        0.003
    """
    return A * power(T, -tail_exponent(beta)) + B * power(k, 1 - jnp.maximum(beta, 1.0))


@law(
    output="error",
    reference=_TAILS,
    linear=("A", "B"),
    T=_T,
    T_0=_T,
    n=_GENERATIONS,
    A=_FACTOR,
    B=_FACTOR,
    beta=_BETA,
)
def collapse_generations(T, T_0, n, *, A, B, beta):
    r"""Error of a learner on data from a chain of models, each trained on samples of the one before.

        E(T, T_0, n) = A T^-c + B n T_0^-c,    c = (beta - 1) / beta

    Symbols: T samples of the last model, which is tested on real data; T_0 samples of each of the n models before it (n = 0: real data);
    beta > 1 exponent of the items' frequencies, as in `tail_cut`; E chance that a test item was never seen.

    Note: linear growth in n is the paper's statement; each generation loses at most what its own T_0 samples miss. Where the loss
    compounds less, as it does when frequencies drift, the factor of n falls below this line.

    Example:
        >>> from scalejax import laws
        >>> round(laws.collapse_generations(1e8, 1e4, 3.0, A=1.0, B=1.0, beta=2.0), 6)
        0.0301
    """
    c = tail_exponent(beta)
    return A * power(T, -c) + B * n * power(T_0, -c)


@law(
    output="error",
    reference=_REGRESSION,
    T=Positive(2e3, 1e8, unit="samples"),
    T_0=Positive(2e3, 1e8, unit="samples"),
    n=_GENERATIONS,
    d=Positive(1.0, 1e3, unit="dimensions"),
    sigma=_NOISE,
    sigma_0=_NOISE,
)
def collapse_regression(T, T_0, n, d, *, sigma, sigma_0):
    r"""Excess error of least squares trained on labels from n generations of earlier fits.

        E_n = sigma^2 d / (T - d - 1) + n sigma_0^2 d / (T_0 - d - 1)

    Symbols: T samples of the last fit; T_0 fresh samples of each of the n fits that make its labels (n = 0: true labels); d dimension of
    normal inputs with any covariance; sigma, sigma_0 standard deviation of the noise on the labels of the last and of earlier fits; E_n
    mean squared error of the prediction, less the noise. It grows linearly with the generations. Infinite for T or T_0 up to d + 1.

    Note: exact for finite samples; with phi = d / T and large d it is the paper's sigma^2 phi / (1 - phi) + n sigma_0^2 phi_0 /
    (1 - phi_0). With a ridge penalty and any spectrum: `papers.collapsed_ridge`. Runs with n = 0 alone say nothing of sigma_0.

    Example:
        >>> from scalejax import laws
        >>> round(laws.collapse_regression(601.0, 601.0, 3.0, 300.0, sigma=1.0, sigma_0=0.5), 6)
        1.75
    """
    return sigma**2 * _variance(T, d) + n * sigma_0**2 * _variance(T_0, d)


def _variance(T, d):
    """d / (T - d - 1), infinite where least squares has no variance."""
    room = T - d - 1
    enough = room > 0
    return jnp.where(enough, d / jnp.where(enough, room, 1.0), jnp.inf)
