"""Models of several modalities: the loss of two together from the losses of each alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from .. import ranges
from ..scale.chinchilla import chinchilla

_AGHAJANYAN = "Aghajanyan et al. 2023, arXiv:2301.03728"
_N = Positive(8e6, 1e11, unit="parameters")
_D = Positive(1e9, 1e12, unit="tokens")
_E = Positive(0.1, 8.0, unit="nats/token", zero=True)
_FACTOR = Positive(1.0, 1e6)
_C = Positive(1e-3, 2.0, unit="nats/token", zero=True)

# Exponents of `chinchilla` for one modality, table 1 of the paper as quoted in public reading notes; E, A and B are not quoted there.
unimodal_exponents: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "Code": {"alpha": 0.37, "beta": 0.32},
        "Image-Text": {"alpha": 0.12, "beta": 0.11},
        "Image": {"alpha": 0.13, "beta": 0.13},
        "Molecules": {"alpha": 0.37, "beta": 0.26},
        "Speech-Text": {"alpha": 0.32, "beta": 0.24},
        "Speech": {"alpha": 0.31, "beta": 0.24},
        "Text": {"alpha": 0.18, "beta": 0.22},
    }
)


@law(
    output="excess",
    reference=_AGHAJANYAN,
    linear=("C_ij", "A_ij", "B_ij"),
    N=_N,
    D=_D,
    C_ij=_C,
    A_ij=_FACTOR,
    alpha_ij=ranges.EXPONENT,
    B_ij=_FACTOR,
    beta_ij=ranges.EXPONENT,
)
def modal_competition(N, D, *, C_ij, A_ij, alpha_ij, B_ij, beta_ij):
    r"""By how much the loss of two modalities in one model exceeds the mean of two models of their own.

        X(N, D) = A_ij N^-alpha_ij + B_ij D^-beta_ij - C_ij

    Symbols: N parameters; D = D_i + D_j tokens of both modalities; X nats/token: above 0 the modalities compete, below 0 they help each
    other, by C_ij at most. X = 0 is the competition barrier, see `formulas.competition_barrier`. A low alpha_ij is strong competition.

    Example:
        >>> from scalejax import laws
        >>> round(laws.modal_competition(1e10, 1e8, C_ij=0.2, A_ij=1e4, alpha_ij=0.5, B_ij=1e4, beta_ij=0.5), 6)
        0.9
    """
    return chinchilla(N, D, E=0.0, A=A_ij, alpha=alpha_ij, B=B_ij, beta=beta_ij) - C_ij


@law(
    reference=_AGHAJANYAN,
    N=_N,
    D_i=_D,
    D_j=_D,
    E_i=_E,
    A_i=_FACTOR,
    alpha_i=ranges.EXPONENT,
    B_i=_FACTOR,
    beta_i=ranges.EXPONENT,
    E_j=_E,
    A_j=_FACTOR,
    alpha_j=ranges.EXPONENT,
    B_j=_FACTOR,
    beta_j=ranges.EXPONENT,
    C_ij=_C,
    A_ij=_FACTOR,
    alpha_ij=ranges.EXPONENT,
    B_ij=_FACTOR,
    beta_ij=ranges.EXPONENT,
)
def bimodal(N, D_i, D_j, *, E_i, A_i, alpha_i, B_i, beta_i, E_j, A_j, alpha_j, B_j, beta_j, C_ij, A_ij, alpha_ij, B_ij, beta_ij):
    r"""Loss of one model trained on two modalities: the mean of the laws of each alone, less synergy, plus competition.

        L(N, D_i, D_j) = [ L_i(N, D_i) + L_j(N, D_j) ] / 2 - C_ij + A_ij N^-alpha_ij + B_ij (D_i + D_j)^-beta_ij
        L_i(N, D_i) = E_i + A_i N^-alpha_i + B_i D_i^-beta_i

    Symbols: N parameters, 8M to 6.7B in the paper; D_i, D_j tokens of the two modalities; L nats/token, the mean over both modalities;
    L_i is `chinchilla` for runs on modality i alone; the rest is `modal_competition`.

    Note: runs on both modalities cannot tell E_i, E_j and C_ij apart. Fit the modalities alone first and hold them:
    `papers.fit_interaction`. Losses of different tokenizers are in different units, so that pairs are not to be compared. Public
    reading notes confirm the mean, the signs and which term falls with N and which with data; that the data term has the sum of both
    token counts is not confirmed by them. Constants of pairs could not be traced; exponents of single modalities are in
    `scalejax.zoo.fields.mixed_modal.unimodal_exponents`.

    Example:
        >>> from scalejax import laws
        >>> alone = {"E": 1.5, "A": 400.0, "alpha": 0.35, "B": 1000.0, "beta": 0.35}
        >>> both = {f"{name}_{m}": value for m in "ij" for name, value in alone.items()}
        >>> pair = {"C_ij": 0.2, "A_ij": 1e4, "alpha_ij": 0.5, "B_ij": 1e4, "beta_ij": 0.5}
        >>> at_barrier = laws.bimodal(1e10, 5e9, 5e9, **both, **pair)
        >>> round(at_barrier - laws.chinchilla(1e10, 5e9, **alone), 12)
        0.0
    """
    of_i = chinchilla(N, D_i, E=E_i, A=A_i, alpha=alpha_i, B=B_i, beta=beta_i)
    of_j = chinchilla(N, D_j, E=E_j, A=A_j, alpha=alpha_j, B=B_j, beta=beta_j)
    excess = modal_competition(N, D_i + D_j, C_ij=C_ij, A_ij=A_ij, alpha_ij=alpha_ij, B_ij=B_ij, beta_ij=beta_ij)
    return 0.5 * (of_i + of_j) + excess


@formula
def competition_barrier(C_ij, A_ij, alpha_ij, B_ij, beta_ij):
    r"""Cheapest point from which two modalities help each other; infinite where they compete at every scale.

        min_{N, D} 6 N D   subject to   A_ij N^-alpha_ij + B_ij D^-beta_ij = C_ij
        N = ( A_ij (alpha_ij + beta_ij) / (beta_ij C_ij) )^(1/alpha_ij),   D = ( B_ij (alpha_ij + beta_ij) / (alpha_ij C_ij) )^(1/beta_ij)

    At the cheapest point the two terms stand as beta_ij to alpha_ij. The paper gives the condition alone; the closed form follows.

    Args:
        C_ij, A_ij, alpha_ij, B_ij, beta_ij: parameters of `laws.bimodal` or `laws.modal_competition`.

    Returns:
        "N", parameters; "D", tokens of both modalities together; "compute", 6 N D in FLOPs. `barrier_tokens` and `barrier_parameters` give
        other points of the barrier.

    Example:
        >>> import scalejax as sj
        >>> pair = {"C_ij": 0.2, "A_ij": 1e4, "alpha_ij": 0.5, "B_ij": 1e4, "beta_ij": 0.5}
        >>> barrier = sj.derive((sj.laws.modal_competition, pair), sj.formulas.competition_barrier)
        >>> f"{barrier.N:.4g} {barrier.D:.4g} {barrier.compute:.4g}"
        '1e+10 1e+10 6e+20'

    References: Aghajanyan et al. 2023, arXiv:2301.03728.
    """
    total = alpha_ij + beta_ij
    N = (A_ij * total / beta_ij / C_ij) ** (1 / alpha_ij)
    D = (B_ij * total / alpha_ij / C_ij) ** (1 / beta_ij)
    return {"N": N, "D": D, "compute": 6 * N * D}


@formula
def barrier_tokens(N, C_ij, A_ij, alpha_ij, B_ij, beta_ij):
    r"""Tokens at which a model of N parameters crosses the competition barrier; infinite where no number of tokens suffices.

        D = ( B_ij / (C_ij - A_ij N^-alpha_ij) )^(1 / beta_ij)

    Args:
        N: parameters, a number or an array.
        C_ij, A_ij, alpha_ij, B_ij, beta_ij: parameters of `laws.bimodal` or `laws.modal_competition`.

    Returns:
        Tokens of both modalities together, as N.

    Example:
        >>> import scalejax as sj
        >>> pair = {"C_ij": 0.2, "A_ij": 1e4, "alpha_ij": 0.5, "B_ij": 1e4, "beta_ij": 0.5}
        >>> f"{sj.formulas.barrier_tokens(4e10, **pair):.4g}"
        '4.444e+09'

    References: Aghajanyan et al. 2023, arXiv:2301.03728.
    """
    return _other(N, C_ij, A_ij, alpha_ij, B_ij, beta_ij)


@formula
def barrier_parameters(D, C_ij, A_ij, alpha_ij, B_ij, beta_ij):
    r"""Parameters at which a model trained on D tokens crosses the competition barrier; infinite where no size suffices.

        N = ( A_ij / (C_ij - B_ij D^-beta_ij) )^(1 / alpha_ij)

    Args:
        D: tokens of both modalities together, a number or an array.
        C_ij, A_ij, alpha_ij, B_ij, beta_ij: parameters of `laws.bimodal` or `laws.modal_competition`.

    Returns:
        Parameters, as D.

    Example:
        >>> import scalejax as sj
        >>> pair = {"C_ij": 0.2, "A_ij": 1e4, "alpha_ij": 0.5, "B_ij": 1e4, "beta_ij": 0.5}
        >>> f"{sj.formulas.barrier_parameters(4e10, **pair):.4g}"
        '4.444e+09'

    References: Aghajanyan et al. 2023, arXiv:2301.03728.
    """
    return _other(D, C_ij, B_ij, beta_ij, A_ij, alpha_ij)


def _other(x, C, A, a, B, b):
    """y with A x^-a + B y^-b = C."""
    require(x > 0, "The barrier was asked for at a number that is not positive; give positive parameters or tokens.")
    room = C - A * x**-a
    return jnp.where(room > 0, (B / jnp.where(room > 0, room, 1.0)) ** (1 / b), jnp.inf)
