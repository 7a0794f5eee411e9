"""Loss of a domain from its own share or amount of the training data, and the largest share that a budget of loss allows."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real, Simplex, Unit
from ...core.laws.law import Published, law
from ...core.numeric.powers import power, power_from_zero
from .. import ranges

_GE = "Ge et al. 2024, arXiv:2405.14908"
_QUE = "Que et al. 2024, arXiv:2406.01375"
_GU = "Gu et al. 2024, arXiv:2407.17467"
_KANG = "Kang et al. 2024, arXiv:2407.20177"
_STEPS = Positive(1e2, 1e6, unit="steps")
_BILLIONS = Positive(0.1, 100.0, unit="1e9 parameters")
_DDO = "authors' notebook, 774M parameters, 1.2e9 tokens of RedPajama"


def _bimix(r, s, B, beta, C, alpha):
    return power_from_zero(r, -alpha) * (B * power(s, -beta) + C)


@law(
    reference=_GE,
    linear=("B", "C"),
    r=Unit(unit="share"),
    s=_STEPS,
    B=Positive(0.1, 100.0),
    beta=ranges.EXPONENT,
    C=Positive(0.1, 5.0, zero=True),
    alpha=Positive(0.01, 0.5),
)
def bimix(r, s, *, B, beta, C, alpha):
    r"""Loss of one domain from its own share of the training data and the number of steps.

        L(r, s) = r^-alpha (B s^-beta + C)

    Symbols: r share of the domain; s training steps; L nats/token on the domain. Several domains: `fit(..., by="domain")`, or
    `bimix_domains` for their joint optimum.

    Note: the paper writes A r^-alpha (B s^-beta + C), of which only A B and A C show: A is 1 here. Other domains do not matter to it,
    so that it loses where domains teach each other. The formula is infinite at a share of 0: below 1e-9 its tangent there takes its place.

    Example:
        >>> from scalejax import laws
        >>> round(laws.bimix(0.25, 1e4, B=100.0, beta=0.5, C=1.0, alpha=0.5), 6)
        4.0
    """
    return _bimix(r, s, B, beta, C, alpha)


@law(
    reference=_GE,
    linear=("B", "C"),
    output_axis="domain",
    h=Simplex(axis="domain"),
    s=_STEPS,
    B=Positive(0.1, 100.0, axis="domain"),
    beta=Positive(0.05, 1.5, axis="domain"),
    C=Positive(0.1, 5.0, zero=True, axis="domain"),
    alpha=Positive(0.01, 0.5, axis="domain"),
)
def bimix_domains(h, s, *, B, beta, C, alpha):
    r"""Losses of all domains at once, each from its own share of the training data and the number of steps.

        L_i(h, s) = h_i^-alpha_i (B_i s^-beta_i + C_i)

    Symbols: h shares of the domains, sum 1; all else as in `bimix`, one value a domain. Runs have a column of losses (runs, domains).

    Note: the least of sum_i w_i L_i is at h_i = (w_i alpha_i F_i / lambda)^(1 / (1 + alpha_i)) with F_i = B_i s^-beta_i + C_i and the
    lambda at which the shares sum to one; `optimal_mixture(source, weights=w, s=...)` finds it.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> same = {"B": 100.0, "beta": 0.5, "C": 1.0, "alpha": 0.5}
        >>> laws.bimix_domains(np.array([0.25, 0.75]), 1e4, **{n: np.full(2, v) for n, v in same.items()}).round(6)
        array([4.      , 2.309401])
    """
    return _bimix(h, jnp.expand_dims(s, -1), B, beta, C, alpha)


_D_CPT: ranges.Shared = {
    "E": ranges.E,
    "A": Positive(0.01, 10.0),
    "alpha": ranges.EXPONENT,
    "B": Positive(0.01, 10.0),
    "beta": ranges.EXPONENT,
    "eta": Positive(0.3, 3.0),
    "C": Positive(0.001, 1.0),
    "gamma": Positive(0.1, 1.5),
    "eps": Positive(1e-3, 0.5),
}


@law(
    reference=_QUE,
    linear=("E", "A", "B", "C"),
    N=_BILLIONS,
    D=Positive(0.1, 1000.0, unit="1e9 tokens"),
    r=Unit(unit="share"),
    **_D_CPT,
)
def d_cpt(N, D, r, *, E, A, alpha, B, beta, eta, C, gamma, eps):
    r"""Loss on one of two corpora in continual pre-training, from size, tokens and the share of that corpus.

        L(N, D, r) = E + A N^-alpha + B r^eta D^-beta + C (r + eps)^-gamma

    Symbols: N parameters in billions; D tokens in billions; r share of the corpus that is evaluated; L nats/token. Fit it twice: to the
    loss on general text with the general share, and to that on the domain with r = 1 - general share. At one share it is `chinchilla`.
    For the best share under a bound on the other corpus see `studies.critical_share`. Where tokens of the corpus are scarce,
    `sj.allocate(source, cost=lambda D, r: D * r, compute=tokens, N=...)` finds D and r; `sj.allocate(source, compute=..., r=...)` splits a
    budget into N and D at a share.

    Note: the paper wants eta large enough for the loss to fall with r; check the sign of the derivative after a fit. For eta < 1 the slope
    at r = 0 is infinite: below 1e-9 the chord from 0 takes the place of r^eta. The paper's coefficients could not be traced.

    Example:
        >>> from scalejax import laws
        >>> law = laws.d_cpt
        >>> law(4.0, 4.0, 0.25, E=1.0, A=0.5, alpha=0.5, B=0.5, beta=0.5, eta=1.0, C=0.1, gamma=1.0, eps=0.25)
        1.5125
    """
    return E + A * power(N, -alpha) + B * power_from_zero(r, eta) * power(D, -beta) + C * power(r + eps, -gamma)


@law(
    reference=_QUE,
    linear=("E", "A", "B", "C", "F"),
    N=_BILLIONS,
    D=Positive(0.1, 1000.0, unit="1e9 tokens"),
    r=Unit(unit="share"),
    K=Positive(0.1, 10.0, unit="learnability"),
    **_D_CPT,
    F=Positive(0.01, 10.0),
    mu=ranges.EXPONENT,
)
def d_cpt_cross(N, D, r, K, *, E, A, alpha, B, beta, eta, C, gamma, eps, F, mu):
    r"""Loss in continual pre-training on any domain, from size, tokens, share and how well the domain can be learnt.

        L(N, D, r, K) = E + A N^-alpha + B r^eta D^-beta + C (r + eps)^-gamma + F K^-mu

    Symbols: K learnable coefficient of the domain, measured in a short run; all else as in `d_cpt`, common to all domains.

    Example:
        >>> from scalejax import laws
        >>> shared = {"E": 1.0, "A": 0.5, "alpha": 0.5, "B": 0.5, "beta": 0.5, "eta": 1.0, "C": 0.1, "gamma": 1.0, "eps": 0.25}
        >>> laws.d_cpt_cross(4.0, 4.0, 0.25, 4.0, **shared, F=1.0, mu=0.5)
        2.0125
    """
    return d_cpt.function(N, D, r, E=E, A=A, alpha=alpha, B=B, beta=beta, eta=eta, C=C, gamma=gamma, eps=eps) + F * power(K, -mu)


@law(
    output="ratio",
    reference=_GU,
    linear=("b0", "b1"),
    T=Positive(0.5, 500.0, unit="1e9 tokens"),
    b0=Real(0.0, 1.0),
    b1=Real(-1.0, 1.0),
    s=Real(-1.0, 1.0),
)
def critical_mixture_ratio(T, *, b0, b1, s):
    r"""Largest share of domain text in continual pre-training that keeps the general loss within a tolerance, from the token budget.

        R(T) = b0 + b1 T^s

    Symbols: T tokens in billions; R share of domain text. Each R is the root of a fitted loss, see `studies.critical_share`.

    Note: b1 and s have either sign; at s = 0 only b0 + b1 shows. The paper's b0, b1 and s could not be traced, nor its laws of the
    loss; it predicts 29.8 % to 47.8 % at 20e9 tokens for 460M to 3.1B parameters.

    Example:
        >>> from scalejax import laws
        >>> laws.critical_mixture_ratio(16.0, b0=0.5, b1=-0.4, s=-0.5)
        0.4
    """
    return b0 + b1 * power(T, s)


@law(
    output="ratio",
    reference=_KANG,
    linear=("c",),
    x=Positive(0.2, 5.0, unit="multiples"),
    a=Positive(0.1, 10.0),
    b=Positive(0.3, 3.0),
    c=Real(0.5, 1.0),
)
def ddo(x, *, a, b, c):
    r"""Loss from the amount of one domain's data, the others held, relative to the loss at its base amount.

        L(x) / L(1) = (x + a)^-b + c

    Symbols: x amount of the domain's data in multiples of its base amount; a what the other domains are worth in its place. The fits of
    all domains make `autoscale`.

    Note: the paper's text has three amounts a domain, 1/3, 1 and 3; the authors' notebook fits at 1/5, 1 and 3. Three parameters fit three
    amounts exactly, so that the constants depend on which it is.

    Example:
        >>> from scalejax import laws
        >>> laws.ddo(1.0, a=3.0, b=0.5, c=0.5)
        1.0
    """
    return power(x + a, -b) + c


@law(
    reference=_KANG,
    linear=("ell",),
    h=Simplex(axis="domain"),
    D=Positive(1.0, 100.0, unit="base amounts"),
    N0=Positive(0.1, 10.0, unit="base amounts", axis="domain"),
    gamma=Positive(0.3, 3.0, axis="domain"),
    ell=Real(0.0, 10.0),  # about one for every domain
    published={
        "kang2024": Published(
            {
                "N0": (2.66587, 6.61618, 2.6736, 2.46311, 2.51838, 2.88996, 3.31917),
                "gamma": (1.2492, 1.436, 1.53626, 1.82873, 1.18587, 1.95363, 1.92667),
                "ell": 0.80265 + 0.94582 + 0.86452 + 0.89685 + 0.77504 + 0.92962 + 0.94033,
            },
            "sum over CC, GitHub, Books, Wiki, C4, StackExchange and ArXiv of the perplexity relative to the base mixture; D = 7. "
            "Fitted at 1/5, 1 and 3 base amounts of each domain, where the text says 1/3",
            _DDO,
            "printed",
        )
    },
)
def autoscale(h, D, *, N0, gamma, ell):
    r"""Loss from the amounts of all domains, a sum of one power law each.

        L(h, D) = sum_i (N0_i + h_i D)^-gamma_i + ell

    Symbols: h shares of the domains; D all data, N0_i what the other domains are worth to domain i, both in the unit of the fits (there
    is not a factor, so that the unit matters; in the paper it is a domain's base amount, and D = m for m domains); ell the rest. The best
    amounts at one scale are `D * optimal_mixture(source, D=D, floors=0.2 / D).h`; to larger scales they go by `studies.autoscaled`.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> round(laws.autoscale(np.array([0.5, 0.5]), 2.0, N0=np.array([3.0, 8.0]), gamma=np.array([1.0, 0.5]), ell=1.0), 6)
        1.583333
    """
    return jnp.sum(power(jnp.asarray(N0) + h * jnp.expand_dims(D, -1), -jnp.asarray(gamma)), axis=-1) + ell
