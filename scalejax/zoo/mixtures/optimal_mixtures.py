"""Loss from size, tokens and training proportions: the additive law of optimal data mixtures, the joint law, their ablations."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real, Simplex
from ...core.laws.law import law
from ...core.numeric.powers import power, power_from_zero
from .. import ranges
from ..scale.repetition import effective

_SHUKOR = "Shukor et al. 2025, arXiv:2507.09404"

_H = Simplex(axis="domain")
_C = Positive(0.05, 20.0, axis="domain")
_GAMMA = Positive(0.05, 1.5, axis="domain")
_FACTOR = Positive(1.0, 1e6)
_SHARED: ranges.Shared = {"E": ranges.E, "C": _C, "gamma": _GAMMA}
_SCALE: ranges.Shared = {"A": _FACTOR, "alpha": ranges.EXPONENT, "B": _FACTOR, "beta": ranges.EXPONENT}
_FACTORS: ranges.Shared = {
    "CA": Positive(1.0, 1e6, axis="domain"),
    "gammaA": Real(0.3, 1.5),
    "CB": Positive(1.0, 1e6, axis="domain"),
    "gammaB": Real(0.3, 1.5),
}

# Building blocks


def mixture_floor(h, C, gamma):
    """1 / sum_i C_i h_i^gamma_i: what remains of the loss when model and data are large, in excess of E.

    Below a share of 1e-9 each power is its chord from 0, since its slope at 0 is infinite for gamma < 1.
    """
    return 1 / jnp.sum(C * power_from_zero(h, gamma), axis=-1)


def _blended(C, h, exponent):
    """log of (sum_i C_i h_i)^exponent."""
    return exponent * jnp.log(jnp.sum(C * h, axis=-1))


def effective_shares(h, D, U, R_star):
    """What D tokens of a mixture are worth when domains repeat: (effective tokens of all domains, their shares).

    >>> total, h = effective_shares(jnp.array([0.5, 0.5]), jnp.asarray(2e9), jnp.array([1e8, 1e12]), 5.0)
    >>> round(float(total) / 1e9, 4), [round(float(s), 4) for s in h]
    (1.5174, [0.341, 0.659])
    """
    worth = effective(h * jnp.expand_dims(D, -1), U, R_star)
    total = jnp.sum(worth, axis=-1)
    return total, worth / jnp.expand_dims(total, -1)


# The laws


@law(reference=_SHUKOR, linear=("E",), h=_H, **_SHARED)
def mixture_fixed(h, *, E, C, gamma):
    r"""Loss of one model size and token budget from its training proportions.

        L(h) = E + 1 / sum_i C_i h_i^gamma_i

    Symbols: h shares of the domains in the training data, sum 1; L nats/token on one target; C_i what domain i teaches of the target,
    gamma_i how fast that saturates. Several targets: one row for each, `fit(..., by="target")`, see `studies.stack_targets`.

    Note: with one common exponent gamma < 1 the optimum is h_i proportional to C_i^(1 / (1 - gamma)); with gamma_i >= 1 it is at a corner.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> laws.mixture_fixed(np.array([0.25, 0.75]), E=1.0, C=np.array([2.0, 4.0]), gamma=np.array([1.0, 1.0]))
        1.2857142857142856
    """
    return E + mixture_floor(h, C, gamma)


@law(reference=_SHUKOR, linear=("E", "B"), h=_H, D=ranges.D, **_SHARED, B=_FACTOR, beta=ranges.EXPONENT)
def mixture_tokens(h, D, *, E, C, gamma, B, beta):
    r"""Loss of one model size from its training proportions and tokens.

        L(D, h) = E + 1 / sum_i C_i h_i^gamma_i + B D^-beta

    Symbols: D tokens; all else as in `mixture_fixed`.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> C, gamma = np.array([2.0, 4.0]), np.array([1.0, 1.0])
        >>> round(laws.mixture_tokens(np.array([0.5, 0.5]), 1e8, E=1.0, C=C, gamma=gamma, B=1e4, beta=0.5), 6)
        2.333333
    """
    return E + mixture_floor(h, C, gamma) + B * power(D, -beta)


@law(reference=_SHUKOR, linear=("E", "A", "B"), h=_H, N=ranges.N, D=ranges.D, **_SHARED, **_SCALE)
def mixture_additive(h, N, D, *, E, C, gamma, A, alpha, B, beta):
    r"""Loss from training proportions, parameters and tokens: the additive law.

        L(N, D, h) = E + 1 / sum_i C_i h_i^gamma_i + A N^-alpha + B D^-beta

    Symbols: h shares of k domains; N parameters; D tokens; L nats/token on one target; 5 + 2 k parameters. The best mixture depends on
    neither N nor D; `mixture_joint` lets it. Several targets: `fit(..., by="target")`, see `studies.stack_targets`.

    Note: the paper fits Huber's loss (1e-3) on losses, `fit(..., on="linear")`. It publishes no coefficients.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> web = {"E": 1.0, "C": np.array([2.0, 4.0]), "gamma": np.array([1.0, 1.0])}
        >>> size = {"A": 1e4, "alpha": 0.5, "B": 1e4, "beta": 0.5}
        >>> round(laws.mixture_additive(np.array([0.5, 0.5]), 1e8, 1e10, **web, **size), 6)
        2.433333
    """
    return mixture_tokens.function(h, D, E=E, C=C, gamma=gamma, B=B, beta=beta) + A * power(N, -alpha)


@law(reference=_SHUKOR, h=_H, N=ranges.N, D=ranges.D, **_SHARED, **_FACTORS, alpha=ranges.EXPONENT, beta=ranges.EXPONENT)
def mixture_joint(h, N, D, *, E, C, gamma, CA, gammaA, CB, gammaB, alpha, beta):
    r"""Loss from training proportions, parameters and tokens: the joint law, whose best mixture moves with scale.

        L(N, D, h) = E + 1 / sum_i C_i h_i^gamma_i + A_h N^-alpha + B_h D^-beta
        A_h = (sum_i CA_i h_i)^gammaA,   B_h = (sum_i CB_i h_i)^gammaB

    Symbols: as in `mixture_additive`, which this is for gammaA = gammaB = 1 and equal CA_i, equal CB_i; 5 + 4 k parameters.

    Note: CA_i^gammaA is A_h of a model trained on domain i alone, and A_h between them is their power mean of order 1 / gammaA. Runs tell
    these k numbers, but hardly the order: on the paper's seven domains a free gammaA runs off, to hundreds for some targets, the fit has
    not converged after hundreds of iterations, and a held-out size is predicted no better. Fit `mixture_joint_linear`, where both are 1.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> web = {"E": 1.0, "C": np.array([2.0, 4.0]), "gamma": np.array([1.0, 1.0])}
        >>> size = {"CA": np.array([1e4, 2e4]), "gammaA": 1.0, "CB": np.array([1e4, 1e4]), "gammaB": 1.0, "alpha": 0.5, "beta": 0.5}
        >>> round(laws.mixture_joint(np.array([0.5, 0.5]), 1e8, 1e10, **web, **size), 6)
        2.933333
    """
    size, data = _blended(CA, h, gammaA) - alpha * jnp.log(N), _blended(CB, h, gammaB) - beta * jnp.log(D)
    return E + mixture_floor(h, C, gamma) + jnp.exp(size) + jnp.exp(data)


@law(
    reference=_SHUKOR, linear=("E", "CA", "CB"), h=_H, N=ranges.N, D=ranges.D,
    **_SHARED, CA=_FACTORS["CA"], alpha=ranges.EXPONENT, CB=_FACTORS["CB"], beta=ranges.EXPONENT,
)  # fmt: skip
def mixture_joint_linear(h, N, D, *, E, C, gamma, CA, alpha, CB, beta):
    r"""Loss from training proportions, parameters and tokens: the joint law with gammaA = gammaB = 1, the form to fit.

        L(N, D, h) = E + 1 / sum_i C_i h_i^gamma_i + (sum_i CA_i h_i) N^-alpha + (sum_i CB_i h_i) D^-beta

    Symbols: as in `mixture_joint`, with two parameters less; CA_i and CB_i are A_h and B_h of a model trained on domain i alone. Linear in
    2 k + 1 parameters: fit it with `solver="varpro"`. Equal CA_i and equal CB_i make it `mixture_additive`.

    Note: checkpoints of the first 1e10 tokens or so fall faster than any B D^-beta that fits the later ones: leave them out.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> web = {"E": 1.0, "C": np.array([2.0, 4.0]), "gamma": np.array([1.0, 1.0])}
        >>> size = {"CA": np.array([1e4, 2e4]), "CB": np.array([1e4, 1e4]), "alpha": 0.5, "beta": 0.5}
        >>> round(laws.mixture_joint_linear(np.array([0.5, 0.5]), 1e8, 1e10, **web, **size), 6)
        2.933333
    """
    size, data = jnp.sum(CA * h, axis=-1) * power(N, -alpha), jnp.sum(CB * h, axis=-1) * power(D, -beta)
    return E + mixture_floor(h, C, gamma) + size + data


@law(
    reference=_SHUKOR,
    h=_H,
    N=ranges.N,
    D=ranges.D,
    **_SHARED,
    **_FACTORS,
    Calpha=Positive(0.05, 1.5, axis="domain"),
    gamma_alpha=Real(0.3, 1.5),
    Cbeta=Positive(0.05, 1.5, axis="domain"),
    gamma_beta=Real(0.3, 1.5),
)
def mixture_full(h, N, D, *, E, C, gamma, CA, gammaA, CB, gammaB, Calpha, gamma_alpha, Cbeta, gamma_beta):
    r"""Loss from training proportions, parameters and tokens, with exponents that depend on the proportions: the paper's largest form.

        L(N, D, h) = E + 1 / sum_i C_i h_i^gamma_i + A_h N^-alpha_h + B_h D^-beta_h
        alpha_h = (sum_i Calpha_i h_i)^gamma_alpha,   beta_h = (sum_i Cbeta_i h_i)^gamma_beta

    Symbols: as in `mixture_joint`, which this is for gamma_alpha = gamma_beta = 1 and equal Calpha_i, equal Cbeta_i.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> web = {"E": 1.0, "C": np.array([2.0, 4.0]), "gamma": np.array([1.0, 1.0])}
        >>> size = {"CA": np.array([1e4, 2e4]), "gammaA": 1.0, "CB": np.array([1e4, 1e4]), "gammaB": 1.0}
        >>> exponents = {"Calpha": np.full(2, 0.5), "gamma_alpha": 1.0, "Cbeta": np.full(2, 0.25), "gamma_beta": 0.5}
        >>> round(laws.mixture_full(np.array([0.5, 0.5]), 1e8, 1e10, **web, **size, **exponents), 6)
        2.933333
    """
    alpha, beta = jnp.exp(_blended(Calpha, h, gamma_alpha)), jnp.exp(_blended(Cbeta, h, gamma_beta))
    return mixture_joint.function(h, N, D, E=E, C=C, gamma=gamma, CA=CA, gammaA=gammaA, CB=CB, gammaB=gammaB, alpha=alpha, beta=beta)


@law(
    reference=_SHUKOR, linear=("E", "A", "B"), h=_H, N=ranges.N, D=ranges.D,
    E=ranges.E, C=Positive(0.05, 5.0, axis="domain"), gamma=Real(0.3, 3.0), **_SCALE,
)  # fmt: skip
def mixture_simple(h, N, D, *, E, C, gamma, A, alpha, B, beta):
    r"""Loss from training proportions, parameters and tokens, with one exponent for all domains: the paper's smallest form.

        L(N, D, h) = E + (sum_i C_i h_i)^gamma + A N^-alpha + B D^-beta

    Symbols: as in `mixture_additive`, with k - 1 parameters less; a lower C_i is a better domain (for gamma > 0).

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> size = {"A": 1e4, "alpha": 0.5, "B": 1e4, "beta": 0.5}
        >>> round(laws.mixture_simple(np.array([0.5, 0.5]), 1e8, 1e10, E=1.0, C=np.array([0.4, 0.6]), gamma=2.0, **size), 6)
        2.35
    """
    return E + jnp.exp(_blended(C, h, gamma)) + A * power(N, -alpha) + B * power(D, -beta)


@law(
    reference="our own composition of Shukor et al. 2025 and Muennighoff et al. 2023, after Sedova et al. 2026, arXiv:2605.12715",
    linear=("E", "A"),
    h=_H,
    N=ranges.N,
    D=ranges.D,
    U=Positive(1e8, 1e13, unit="unique tokens", axis="domain"),
    **_SHARED,
    **_SCALE,
    R_star=Positive(0.5, 100.0, unit="repetitions", zero=True, axis="domain"),
)
def mixture_repeated(h, N, D, U, *, E, C, gamma, A, alpha, B, beta, R_star):
    r"""Loss from training proportions when domains have few unique tokens: the additive law on effective tokens.

        L(N, D, h, U) = L_add(N, sum_j D'_j, h'),   h'_i = D'_i / sum_j D'_j
        D'_i = min(h_i D, U_i) + U_i R*_i (1 - exp(-max(h_i D / U_i - 1, 0) / R*_i))

    Symbols: U_i unique tokens of domain i; R*_i repetitions of it that pay; L_add is `mixture_additive`, which this is while no domain
    repeats. For another law of h and D use `zoo.mixtures.effective_shares` in the same way.

    Note: the paper's formula could not be traced; this is a composition of `data_constrained`, domain by domain, and `mixture_additive`.
    Repetition is worth less and less here but never harms: the rise of the loss that the paper sees under much repetition is not in it.
    Proxy runs must repeat as the large run does: see `studies.matched_tokens`.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> web = {"E": 1.0, "C": np.array([2.0, 4.0]), "gamma": np.array([1.0, 1.0]), "R_star": np.array([0.0, 5.0])}
        >>> size = {"A": 1e4, "alpha": 0.5, "B": 1e4, "beta": 0.5}
        >>> round(laws.mixture_repeated(np.array([0.5, 0.5]), 1e8, 2e10, np.array([5e9, 1e12]), **web, **size), 6)
        2.38165
    """
    total, shares = effective_shares(h, D, U, R_star)
    return mixture_additive.function(shares, N, total, E=E, C=C, gamma=gamma, A=A, alpha=alpha, B=B, beta=beta)
