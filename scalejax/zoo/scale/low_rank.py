"""Chinchilla laws of fewer parameters: what families of models have in common is held, for fits to one or two models."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.law import law
from ...core.numeric.powers import power
from .. import ranges

_CHOSHEN = "Choshen, Zhang and Andreas 2024, arXiv:2410.11840, authors' code"
# Rows: principal directions, columns: log A, log B, log E, alpha, beta, over the authors' fits to many families.
_DIRECTIONS = (
    (-0.10173792, 0.64745976, 0.75459505, -0.00767472, 0.03118762),
    (0.07297588, 0.76113056, -0.64410298, 0.00285629, 0.02186262),
    (0.99063847, 0.0113744, 0.12517598, 0.04886348, -0.02119861),
)


@law(
    reference=_CHOSHEN,
    N=ranges.N,
    D=ranges.D,
    z_1=Real(0.0, 10.0),
    z_2=Real(0.0, 10.0),
    z_3=Real(0.0, 10.0),
)
def chinchilla_pca(N, D, *, z_1, z_2, z_3):
    r"""Chinchilla confined to the three principal directions in which the parameters of model families differ.

        L(N, D) = e^e + e^a N^-alpha + e^b D^-beta,    (a, b, e, alpha, beta) = z_1 p_1 + z_2 p_2 + z_3 p_3

    Symbols: N total parameters; D tokens; L nats/token; p_k the published directions (rows of unit length, without a mean), z_k the
    coordinates. In the terms of `chinchilla`, e = log E, a = log A, b = log B.

    Note: alpha = -0.00767 z_1 + 0.00286 z_2 + 0.0489 z_3 and beta may be negative far from the families that the directions come from.

    Example:
        >>> from scalejax import laws
        >>> round(laws.chinchilla_pca(1e9, 1e11, z_1=5.0, z_2=6.0, z_3=6.0), 4)
        48.8857
    """
    a, b, e, alpha, beta = _coordinates(z_1, z_2, z_3)
    return jnp.exp(e) + jnp.exp(a - alpha * jnp.log(N)) + jnp.exp(b - beta * jnp.log(D))


def _coordinates(z_1, z_2, z_3):
    return tuple(z_1 * p + z_2 * q + z_3 * r for p, q, r in zip(*_DIRECTIONS, strict=True))


@law(
    reference=_CHOSHEN,
    linear=("E",),
    N=ranges.N,
    D=ranges.D,
    E=ranges.E,
    A=Positive(1.0, 1e6),
    B=Positive(1.0, 1e6),
)
def chinchilla_two_factor(N, D, *, E, A, B):
    r"""Chinchilla whose exponents follow from its coefficients, as they do over many model families.

        L(N, D) = E + A N^-alpha + B D^-beta,    alpha = 0.0116280 + 0.05004588 log A,    beta = 0.23710262 + 0.03844353 log B

    Symbols: as `chinchilla`; log is natural. The exponent and the coefficient of a term are nearly exchangeable over the sizes that one
    family spans, so that one number a term is what a few models can tell.

    Example:
        >>> from scalejax import laws
        >>> round(laws.chinchilla_two_factor(1.0, 1.0, E=1.0, A=2.0, B=3.0), 6)
        6.0
    """
    alpha, beta = 0.0116280 + 0.05004588 * jnp.log(A), 0.23710262 + 0.03844353 * jnp.log(B)
    return E + A * power(N, -alpha) + B * power(D, -beta)
