"""Tokens that repeat: what an epoch after the first is worth, and laws of parameters and tokens built on it."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Unit
from ...core.laws.law import law
from ...core.numeric.powers import LEAST, power, power_from_zero
from .. import ranges

_MUENNIGHOFF = "Muennighoff et al. 2023, arXiv:2305.16264"
_CONSTANTS: ranges.Shared = {
    "E": ranges.E,
    "A": Positive(1.0, 1e6),
    "alpha": ranges.EXPONENT,
    "B": Positive(1.0, 1e6),
    "beta": ranges.EXPONENT,
}
_U = Positive(1e8, 1e12, unit="unique tokens")

# Building blocks: they serve every law of D tokens whose D may repeat.


def saturated(R, R_star):
    """What R repetitions are worth, in units of the first pass: R* (1 - exp(-R / R*)).

    Args:
        R: repetitions, at least 0 (epochs less one).
        R_star: R* >= 0. At 0 repetitions are worth nothing; at infinity each is worth a first pass.

    >>> round(float(saturated(15.0, 15.0)), 4)
    9.4818
    """
    spent = (R > 0) & ((R >= 700.0 * R_star) | (R_star < 1e-15))  # nothing is left to gain
    none = spent | (R_star < 1e-15)
    x = jnp.where(none, 1.0, R) / jnp.where(none, 1.0, R_star)
    return jnp.where(none, jnp.where(spent, R_star, 0.0), R * _mean_decay(x))


def effective(X, U, R_star):
    """X tokens of which U are unique, counted in unique tokens: U' (1 + R* (1 - exp(-R / R*))), U' = min(X, U), R = X / U' - 1.

    Call it inside a law of D tokens to let these repeat: `chinchilla(N, effective(D, U, R_star), ...)`.

    >>> float(effective(4e9, 1e9, 0.0)), round(float(effective(4e9, 1e9, 15.4)) / 1e9, 3)
    (1000000000.0, 3.726)
    """
    unique = jnp.minimum(X, U)
    some = unique > 0
    repeats = jnp.where(some, X / jnp.where(some, unique, 1.0) - 1, 0.0)
    return unique * (1 + saturated(repeats, R_star))


def geometric_sum(k, r):
    """What k passes are worth when each is worth 1 - r of the one before: (1 - (1 - r)^k) / r.

    >>> round(float(geometric_sum(3.0, 0.5)), 6)
    1.75
    """
    inside = r < 1 - LEAST  # at r = 1 only the first pass counts, and the sum has a slope of its own
    end = jnp.where(inside, 1.0, r)
    r = jnp.where(inside, r, 0.5)
    first = r < 1e-3
    log_ratio = jnp.where(first, 1 + r / 2 + r * r / 3 + r**3 / 4 + r**4 / 5, -jnp.log1p(-r) / jnp.where(first, 1.0, r))
    return jnp.where(inside, k * log_ratio * _mean_decay(k * r * log_ratio), (1 - power_from_zero(1 - end, k)) / end)


def _mean_decay(x):
    """(1 - exp(-x)) / x, the mean of exp(-t) for t from 0 to x >= 0, with its derivatives at 0."""
    near = x < 1e-3
    far = jnp.where(near, 1.0, x)
    return jnp.where(near, 1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5))), -jnp.expm1(-far) / far)


def _optimal_size(N, U_D, A, alpha, B, beta):
    """U_N = min(N, N_opt(U_D)) and N / U_N - 1 >= 0; in logs, since N_opt overflows for unequal exponents far from any fit."""
    log_G = jnp.log(alpha * A / (beta * B)) / (alpha + beta)
    surplus = jnp.clip(jnp.log(N) - log_G - beta / alpha * (log_G + jnp.log(U_D)), 0.0, 80.0)
    return N * jnp.exp(-surplus), jnp.expm1(surplus)


# The laws


@law(
    reference=_MUENNIGHOFF,
    linear=("E",),
    N=ranges.N,
    D=ranges.D,
    U=_U,
    **_CONSTANTS,
    R_D_star=Positive(0.5, 100.0, unit="repetitions", zero=True),
    R_N_star=Positive(0.5, 1000.0, unit="multiples of the optimal size", zero=True),
    published="repetition.toml",
)
def data_constrained(N, D, U, *, E, A, alpha, B, beta, R_D_star, R_N_star):
    r"""Loss when tokens repeat: effective data and effective parameters that saturate with repetition.

        L(N, D, U) = E + A N'^-alpha + B D'^-beta
        D' = U_D + U_D R_D* (1 - exp(-R_D / R_D*)),   U_D = min(D, U),          R_D = D / U_D - 1
        N' = U_N + U_N R_N* (1 - exp(-R_N / R_N*)),   U_N = min(N, N_opt(U_D)), R_N = N / U_N - 1
        N_opt(U_D) = G (G U_D)^(beta / alpha),        G = (alpha A / (beta B))^(1 / (alpha + beta))

    Symbols: N parameters; D tokens seen; U unique tokens available; L nats/token (C4 validation). With D <= U and N <= N_opt(min(D, U)) it
    is `chinchilla`. U_N comes from the unique tokens, not from all tokens (one public reimplementation differs). For decay of tokens
    alone pass `fix={"R_N_star": 1e18}` to `fit`, for decay of parameters alone `fix={"R_D_star": 1e18}`; R* = 0 makes repetitions
    worthless.

    Example:
        >>> from scalejax import laws
        >>> round(laws.data_constrained(6.34e9, 242e9, 25e9, **laws.data_constrained.published["muennighoff2023"]), 6)
        2.225644
    """
    U_N, R_N = _optimal_size(N, jnp.minimum(D, U), A, alpha, B, beta)
    return E + A * power(U_N * (1 + saturated(R_N, R_N_star)), -alpha) + B * power(effective(D, U, R_D_star), -beta)


@law(
    reference=_MUENNIGHOFF,
    linear=("E",),
    N=ranges.N,
    D=ranges.D,
    U=_U,
    **_CONSTANTS,
    r_D=Unit(),
    r_N=Unit(),
    published="repetition.toml",
)
def data_constrained_geometric(N, D, U, *, E, A, alpha, B, beta, r_D, r_N):
    r"""Loss when tokens repeat and each pass is worth a fixed share of the one before: the variant that fits the public runs best.

        L(N, D, U) = E + A N'^-alpha + B D'^-beta
        D' = U_D (1 - (1 - r_D)^(D / U_D)) / r_D
        N' = U_N (1 - (1 - r_N)^(N / U_N)) / r_N

    Symbols: r_D, r_N what a pass loses against the one before, from 0 (nothing) to 1 (all); U_D, U_N and all else as
    `data_constrained`. With R* = -1 / log(1 - r) the two saturate at the same pace, at 1 / r here and at 1 + R* there.
    Note: the authors' "discrete exponential" variant, sum of exp(-d j) over passes j, is this law with r = 1 - exp(-d).

    Example:
        >>> from scalejax import laws
        >>> law = laws.data_constrained_geometric
        >>> round(law(6.34e9, 242e9, 25e9, **law.published["muennighoff2023"]), 6)
        2.249106
    """
    U_D = jnp.minimum(D, U)
    U_N, R_N = _optimal_size(N, U_D, A, alpha, B, beta)
    data = B * power(U_D * geometric_sum(D / U_D, r_D), -beta)
    return E + A * power(U_N * geometric_sum(1 + R_N, r_N), -alpha) + data


@law(
    reference=_MUENNIGHOFF,
    N=ranges.N,
    D=ranges.D,
    U=_U,
    **_CONSTANTS,
    R_D_star=Positive(1.0, 1e5, unit="repetitions"),
    R_N_star=Positive(1.0, 1e4, unit="multiples of the optimal size"),
)
def data_constrained_exponents(N, D, U, *, E, A, alpha, B, beta, R_D_star, R_N_star):
    r"""Loss when tokens repeat, with exponents that decay instead of effective data: a variant that fits worse.

        L(N, D, U) = E + A N^-(alpha max(0, 1 - R_N / R_N*)) + B D^-(beta max(0, 1 - R_D / R_D*))

    Symbols: R_D, R_N repetitions of tokens and surplus of parameters, and all else, as `data_constrained`. The loss rises with
    repetition once the exponent falls faster than D grows.
    Note: no constants are published.

    Example:
        >>> from scalejax import laws
        >>> law = laws.data_constrained_exponents
        >>> law(25.0, 400.0, 100.0, E=1.0, A=10.0, alpha=0.5, B=20.0, beta=0.5, R_D_star=3.0, R_N_star=10.0)
        23.0
    """
    U_D = jnp.minimum(D, U)
    _, R_N = _optimal_size(N, U_D, A, alpha, B, beta)
    return E + A * power(N, -alpha * _left(R_N, R_N_star)) + B * power(D, -beta * _left(D / U_D - 1, R_D_star))


def _left(R, R_star):
    """max(0, 1 - R / R*), for any R* > 0."""
    inside = R < R_star
    return jnp.where(inside, 1 - R / jnp.where(inside, R_star, 1.0), 0.0)
