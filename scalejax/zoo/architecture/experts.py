"""Mixtures of experts: loss from active and total parameters, tokens, the number of experts and their granularity."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from .. import ranges
from .routing import saturated_experts

_LUDZIEJEWSKI = "Ludziejewski et al. 2025, arXiv:2502.05172"
_EXPERTS = Positive(1.0, 512.0, unit="experts")


def _of_experts(E, a, alpha, delta, gamma, b, beta, omega, zeta, E_start, E_max):
    """log m, mu, log n, nu of m N^mu + n D^nu for E experts."""
    y = jnp.log(saturated_experts(E, E_start, E_max))
    return jnp.log(a) + delta * y, alpha + gamma * y, jnp.log(b) + omega * y, beta + zeta * y


@law(
    reference=_LUDZIEJEWSKI,
    linear=("a", "b", "c"),
    N=Positive(1e7, 1e12, unit="parameters"),
    D=ranges.D,
    E=Positive(1.0, 64.0, unit="experts"),
    a=Positive(1.0, 1e4),
    alpha=Real(-0.6, 0.0),
    delta=Real(-1.0, 1.0),
    gamma=Real(-0.05, 0.05),
    b=Positive(1.0, 1e4),
    beta=Real(-0.6, 0.0),
    omega=Real(-1.0, 1.0),
    zeta=Real(-0.05, 0.05),
    E_start=Positive(1.0, 10.0, unit="experts"),
    E_max=Positive(50.0, 2000.0, unit="experts"),
    c=ranges.E,
    published="experts.toml",
)
def joint_moe(N, D, E, *, a, alpha, delta, gamma, b, beta, omega, zeta, E_start, E_max, c):
    r"""Loss of dense models and mixtures of experts from active parameters, tokens and the number of experts.

        L(N, D, E) = a Ê^delta N^(alpha + gamma ln Ê) + b Ê^omega D^(beta + zeta ln Ê) + c
        1 / Ê = 1 / (E - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max

    Symbols: N active parameters, those that one token meets, embedding and output layer included; D tokens; E experts, each of the size
    of the dense feed-forward layer, of which one serves a token (1: dense); Ê experts after saturation; L nats/token. ln is natural.
    alpha, beta < 0. For a given number of experts it is a Chinchilla law: `formulas.chinchilla_from_joint_moe`.

    Compute is 6 N D, memory holds `costs.moe_total(N, E)`: `allocate(..., choices={"E": [1, 2, 4, 8]}, caps={memory: limit})` gives the
    best number of experts under both.

    Example:
        >>> from scalejax import laws
        >>> round(laws.joint_moe(1.1e9, 8e9, 1, **laws.joint_moe.published["ludziejewski2025"]), 4)
        2.6662
    """
    m, mu, n, nu = _of_experts(E, a, alpha, delta, gamma, b, beta, omega, zeta, E_start, E_max)
    return jnp.exp(m + mu * jnp.log(N)) + jnp.exp(n + nu * jnp.log(D)) + c


@formula
def chinchilla_from_joint_moe(E, a, alpha, delta, gamma, b, beta, omega, zeta, E_start, E_max, c):
    r"""The Chinchilla law that the joint law of experts is for a given number of them.

        A = a Ê^delta, alpha' = -(alpha + gamma ln Ê), B = b Ê^omega, beta' = -(beta + zeta ln Ê), E' = c

    Args:
        E: experts, a number or an array.
        a, alpha, delta, gamma, b, beta, omega, zeta, E_start, E_max, c: parameters of `laws.joint_moe`.

    Returns:
        "E", "A", "alpha", "B", "beta" of `laws.chinchilla`, with N the active parameters.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.joint_moe
        >>> found = sj.derive((law, law.published["ludziejewski2025"]), sj.formulas.chinchilla_from_joint_moe, E=8)
        >>> f"{found.alpha:.4f} {found.beta:.4f}"
        '0.1676 0.2339'

    References: Ludziejewski et al. 2025, arXiv:2502.05172, table 4.
    """
    require(E >= 1, "E must be a number of experts from 1 on, or an array of them.")
    m, mu, n, nu = _of_experts(E, a, alpha, delta, gamma, b, beta, omega, zeta, E_start, E_max)
    return {"E": c, "A": jnp.exp(m), "alpha": -mu, "B": jnp.exp(n), "beta": -nu}


@law(
    reference="Krajewski et al. 2024, arXiv:2402.07871",
    linear=("a", "g", "b", "c"),
    N=ranges.N,
    D=ranges.D,
    G=Positive(1.0, 256.0),
    a=Positive(1.0, 1e5),
    alpha=ranges.EXPONENT,
    b=Positive(1.0, 1e5),
    beta=ranges.EXPONENT,
    g=Positive(0.05, 1e4, zero=True),
    gamma=Positive(0.1, 2.0),
    c=ranges.E,
    published="experts.toml",
)
def fine_grained_moe(N, D, G, *, a, alpha, b, beta, g, gamma, c):
    r"""Loss of mixtures of experts from total parameters, tokens and the granularity of the experts.

        L(N, D, G) = c + (g / G^gamma + a) N^-alpha + b D^-beta

    Symbols: N all parameters, of all experts, without embeddings and routers; D tokens; G = d_ff / d_expert granularity: experts are G
    times smaller than a dense feed-forward layer and a token meets G of them, so that active parameters do not depend on it; L
    nats/token. Constants hold for one expansion rate E, all parameters of the experts over those of a dense layer.

    Finer experts always lower the loss and cost routing: `costs.fine_grained_flops` counts both, and with it
    `allocate(..., choices={"G": [1, 2, 4, 8]})` gives N, D and G for a budget.
    Note: E x N in the paper's names of models means N active parameters; all parameters are (8 E + 4) / 12 times as many.

    Example:
        >>> from scalejax import laws
        >>> round(laws.fine_grained_moe(301e9, 137.6e9, 32, **laws.fine_grained_moe.published["krajewski2024"]), 2)
        2.06
    """
    return c + (g * jnp.exp(-gamma * jnp.log(G)) + a) * jnp.exp(-alpha * jnp.log(N)) + b * jnp.exp(-beta * jnp.log(D))


@law(
    reference="a composition of the library's own, after Clark et al. 2022, arXiv:2202.01169, and Liew et al. 2025, arXiv:2502.03009",
    linear=("L_0", "A"),
    N=ranges.N,
    T=Positive(1e6, 1e14, unit="parameters"),
    E=_EXPERTS,
    L_0=ranges.E,
    A=Positive(0.05, 20.0, unit="nats/token"),
    alpha=ranges.EXPONENT,
    beta=Positive(0.01, 1.0, zero=True),
    gamma=Real(-0.2, 0.2),
    c=Real(-0.1, 0.1),
    rho_start=Positive(0.5, 10.0),
    rho_max=Positive(20.0, 2000.0),
)
def floored_moe(N, T, E, *, L_0, A, alpha, beta, gamma, c, rho_start, rho_max):
    r"""Loss of dense models and mixtures of experts at fixed tokens: a floor, and active and total parameters and experts.

        L(N, T, E) = L_0 + A n^-alpha r^-beta n^(c ln r) E^-gamma,    n = N / 1e9,    r = rho^ / rho_start
        1 / rho^ = 1 / (rho - 1 + 1 / (1 / rho_start - 1 / rho_max)) + 1 / rho_max,    rho = T / N

    Symbols: N active parameters, those that one token meets; T total parameters, counted as N is (both with or both without embeddings);
    E experts a routed layer; rho >= 1 how many times more parameters there are than one token meets, rho^ the same after saturation, r = 1
    for a dense model; L nats/token; L_0 what no size removes at these tokens; A what a dense model of 1e9 parameters has above it.

    Why a floor: without one (`fix={"L_0": 0}`, which with rho = E is the law of Clark et al.) the power of N absorbs it, and losses of
    sizes beyond the runs are predicted too low; the interaction c that such fits find is mostly the floor's.
    Special cases: `fix={"gamma": 0}` where T / N says it all, as in the public runs, in which shares of routed blocks vary too; T = E N
    where only the number of experts is known; `fix={"gamma": 0, "rho_start": 1, "rho_max": 1e18}` is the law of Liew et al. for the
    configurations of upcycled models, exp(d1) P^-a N^-b exp(c ln P ln N) + exp(d3), with P = T / N and N in 1e9. Across routers,
    `by={"beta": "router", "rho_start": "router", "rho_max": "router"}` shares what dense models decide.

    Example:
        >>> from scalejax import laws
        >>> numbers = dict(L_0=1.7, A=0.6, alpha=0.2, beta=0.1, gamma=0.0, c=0.0, rho_start=1.0, rho_max=1e18)
        >>> round(laws.floored_moe(1e9, 32e9, 64, **numbers), 4)
        2.1243
    """
    n = jnp.log(N / 1e9)
    r = jnp.log(saturated_experts(jnp.maximum(T / N, 1.0), rho_start, rho_max) / rho_start)
    return L_0 + A * jnp.exp(-alpha * n - beta * r + c * n * r - gamma * jnp.log(E))
