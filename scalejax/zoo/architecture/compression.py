"""Compressed representations: what a format keeps of a model's parameters, and sparse autoencoders."""

from __future__ import annotations

from math import log

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real, Unit
from ...core.laws.law import law
from ...core.laws.published import Published
from ...core.numeric.powers import LEAST, power_sum
from .. import ranges

_PANFEROV = "Panferov et al. 2025, arXiv:2506.01863"
_LEAST = 1e-6  # share of the parameters that counts at the least
_F, _C = Positive(0.1, 2.0), Positive(0.5, 4.0)


def _capacity(G, F, C):
    """tanh(F log_{1/4} G)^C, from 1 at G = 0 to 1e-6 near G = 1. Below 1e-9 it is its chord, as its slope at 0 is infinite."""
    digits = -jnp.log(jnp.clip(G, LEAST, 1.0)) / log(4.0)
    kept = jnp.maximum(jnp.exp(C * jnp.log(jnp.maximum(jnp.tanh(F * digits), 1e-12))), _LEAST)
    return 1 - (1 - kept) * jnp.minimum(G / LEAST, 1.0)


@law(
    output="rho",
    reference=_PANFEROV,
    linear=("L",),
    G=Unit(),
    L=Positive(0.3, 1.5),
    F=_F,
    C=_C,
    published={
        "llama_c4": Published(
            dict(L=1.0, F=0.41, C=1.39), context="integer weights, Llama on C4, 30M to 200M parameters; errors 0.7, 0.02 and 0.08",
            source="table 3", status="printed",
        ),
        "olmo2_climbmix": Published(
            dict(L=0.84, F=0.37, C=1.24), context="integer weights, OLMo 2 on ClimbMix, 30M to 200M parameters; errors 0.1, 0.04 and 0.13",
            source="table 3", status="printed",
        ),
    },
)  # fmt: skip
def capacity(G, *, L, F, C):
    r"""Share of its parameters that a format is worth, from its error on Gaussian numbers.

        rho(G) = L tanh(F log_{1/4} G)^C

    Symbols: G mean squared error of writing standard normal numbers in the format, from 0 to 1 (`papers.gaussian_error`); rho capacity: N
    parameters in the format train like rho N in full precision; L its limit for exact formats, 1 unless the gradient is biased; an
    ideal format has one bit for every factor of 4 in G. Capacities multiply: of weights and activations, of sparsity and quantisation.

    Note: F and C belong to a kind of format, such as integers with a given way to train them; its members share them. A capacity for every
    format without this form is a scale for each in Chinchilla's law, `fit("chinchilla", ..., by={"A": "format"})`:
    rho = (A_dense / A)^(1 / alpha).

    Example:
        >>> from scalejax import laws
        >>> [round(laws.capacity(G, **laws.capacity.published["llama_c4"]), 2) for G in (0.119, 0.0374, 0.0115, 0.0)]
        [0.44, 0.67, 0.82, 1.0]
    """
    return L * _capacity(G, F, C)


@law(
    reference=_PANFEROV,
    linear=("E", "A", "B"),
    N=ranges.N,
    D=ranges.D,
    G=Unit(),
    E=ranges.E,
    A=Positive(10.0, 1e6),
    alpha=ranges.EXPONENT,
    B=Positive(10.0, 1e6),
    beta=ranges.EXPONENT,
    F=_F,
    C=_C,
)
def compressed(N, D, G, *, E, A, alpha, B, beta, F, C):
    r"""Loss of models trained in compressed formats of one kind, all with one law.

        L(N, D, G) = E + A (N rho(G))^-alpha + B D^-beta,    rho(G) = tanh(F log_{1/4} G)^C

    Symbols: N parameters; D tokens; G mean squared error of the format on standard normal numbers, 0 for full precision and 1 for a format
    that keeps nothing; rho as `capacity` with the limit 1, at least 1e-6; L nats/token. For several parts in low precision, multiply
    capacities and give chinchilla their product with N.

    Note: the paper prints alpha, beta, E, F and C but not A and B, so that no constants are given here.

    Example:
        >>> from scalejax import laws
        >>> params = {"E": 1.3, "A": 20.0, "alpha": 0.13, "B": 800.0, "beta": 0.33, "F": 0.41, "C": 1.39}
        >>> [round(laws.compressed(1e8, 1e10, G, **params), 3) for G in (0.0, 0.0115, 0.119)]
        [3.525, 3.573, 3.728]
    """
    return power_sum(E, (A, N * _capacity(G, F, C), alpha), (B, D, beta))


@law(
    reference="Gao et al. 2024, arXiv:2406.04093",
    n=Positive(1e3, 1e8, unit="latents"),
    k=Positive(8.0, 1024.0, unit="active latents"),
    alpha=Real(-6.0, 6.0),
    beta_k=Real(-1.0, 1.0),
    beta_n=Real(-0.6, 0.6),
    gamma=Real(-0.15, 0.15),
    zeta=Real(-4.0, 1.0),
    eta=Real(-0.6, 0.6),
    published="compression.toml",
)
def sparse_autoencoder(n, k, *, alpha, beta_k, beta_n, gamma, zeta, eta):
    r"""Error of sparse autoencoders that are trained to convergence, from the number of latents and how many are active.

        L(n, k) = exp(alpha + beta_k ln k + beta_n ln n + gamma ln k ln n) + exp(zeta + eta ln k)

    Symbols: n latents; k of them active for a token; L mean squared error as a share of the variance. gamma < 0: the more are active, the
    steeper the law in n; the second term is what k latents cannot explain however many there are to choose from.

    Example:
        >>> from scalejax import laws
        >>> [round(laws.sparse_autoencoder(131072, k, **laws.sparse_autoencoder.published["gao2024"]), 2) for k in (32, 128, 512)]
        [0.42, 0.34, 0.27]
    """
    ln_n, ln_k = jnp.log(n), jnp.log(k)
    return jnp.exp(alpha + beta_k * ln_k + beta_n * ln_n + gamma * ln_k * ln_n) + jnp.exp(zeta + eta * ln_k)
