"""Sizes of vocabularies: loss, parameters and compute of a model whose embeddings count."""

from __future__ import annotations

from math import exp

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.laws.published import Published
from ...core.numeric.powers import power_sum, product
from ...core.numeric.roots import root
from .. import ranges

_TAO = "Tao et al. 2024, arXiv:2407.13623"
_LARGE = Positive(1.0, 1e8)
_EXPONENT = Positive(0.05, 2.0)
_K_1, _K_2, _A_2 = -2.4846510161625193, -1.589031299255507, 0.4163622634135234  # N_nv = e^K_1 F^0.5, N_v = e^K_2 F^a_2


@law(
    output="unigram_loss",
    reference=_TAO,
    linear=("E", "A1", "A2", "B"),
    N_nv=Positive(1e6, 1e12, unit="parameters"),
    V=Positive(1e3, 1e6, unit="words"),
    d=Positive(64.0, 32768.0, unit="embedding width"),
    D=ranges.D,
    E=Positive(1.0, 15.0, unit="nats/token"),
    A1=_LARGE,
    alpha1=_EXPONENT,
    A2=_LARGE,
    alpha2=_EXPONENT,
    B=_LARGE,
    beta=_EXPONENT,
    published="vocabulary.toml",
)
def vocabulary(N_nv, V, d, D, *, E, A1, alpha1, A2, alpha2, B, beta):
    r"""Unigram-normalised loss from the parameters inside a model, those of its vocabulary, and tokens.

        L_u = -E + A1 N_nv^-alpha1 + A2 (V d)^-alpha2 + B D^-beta

    Symbols: N_nv parameters without the vocabulary's; V words of the vocabulary; d embedding width, so that N_v = V d; D tokens, which for
    the same text are fewer the larger V is (`papers.tokens_per_character`); L_u nats/token, the mean of -log(p(w | context) / p(w)): the
    loss less that of word frequencies alone, so that vocabularies can be compared, and below 0.

    Notes: the authors tie alpha1 to beta, `fit(..., on="linear", tie={"alpha1": "beta"})`; left free on their runs, E, A1 and alpha1
    run away together. Their fit has V in thousands inside f(V), so that its D = H f(V / 1000) is about three times the number of tokens:
    with true tokens the set "tao2024" explains 4 % of the variance, with their D 97 %. Their search for the best V then uses true tokens.
    "tao2024_tokens" is in one unit throughout, and its best vocabularies are 27K for 7B and 66K for 70B, not 60K and 218K. Neither is
    known: with runs resampled by vocabulary, 90 % intervals for 7B reach from 4K to 600K and from nothing to 59K.

    Example:
        >>> from scalejax import laws
        >>> params = laws.vocabulary.published["tao2024_tokens"]
        >>> [round(laws.vocabulary(302e6, V, 1024, 1e10, **params), 3) for V in (4096, 32768, 96256)]
        [-4.871, -4.896, -4.898]
    """
    return power_sum(-E, (A1, N_nv, alpha1), (A2, V * d, alpha2), (B, D, beta))


@law(
    output="N_v",
    reference=_TAO,
    linear=("k",),
    N_nv=Positive(1e6, 1e12, unit="parameters"),
    k=Positive(1e-3, 1e3),
    gamma=Positive(0.3, 1.3),
    published={
        "tao2024_isoflop": Published(
            dict(k=exp(_K_2 - 2 * _A_2 * _K_1), gamma=2 * _A_2),
            context="best vocabulary parameters and best others, both as powers of compute along isoFLOP curves",
            source="optimal_Nv_predict.py", status="verified",
        ),
        "tao2024_derivative": Published(
            dict(k=3145728 / 33e6**0.8353974035228025, gamma=0.8353974035228025),
            context="the exponent from the cheapest vocabulary of a text, the scale from the best one of the smallest model",
            source="optimal_Nv_predict.py", status="verified",
        ),
    },
)  # fmt: skip
def vocabulary_parameters(N_nv, *, k, gamma):
    r"""Parameters that a vocabulary should have, from those of the rest of the model when both are trained with the best compute.

        N_v = k N_nv^gamma

    Symbols: N_nv parameters without the vocabulary's; N_v = V d those of the vocabulary, V words of width d; gamma below 1: vocabularies
    should grow, more slowly than the rest. Compute that is best for N_nv is F = (N_nv / 0.08335)^2 FLOPs in the authors' isoFLOP curves.

    Example:
        >>> from scalejax import laws
        >>> [round(laws.vocabulary_parameters(7e9, **params) / 4096) for params in laws.vocabulary_parameters.published.values()]
        [62281, 67450]
    """
    return product(k, (N_nv, gamma))


@formula
def optimal_vocabulary(N_nv, d, C, A2, alpha2, B, beta):
    r"""Vocabulary of least loss for a budget of compute and a given model inside it.

        C = 6 (N_nv + V d) D,    alpha2 A2 (V d)^(-alpha2 - 1) = beta B (6 / C)^beta (N_nv + V d)^(beta - 1)

    Args:
        N_nv: parameters without the vocabulary's, a number or an array.
        d: embedding width; `papers.embedding_width` gives the authors'.
        C: compute in FLOPs. Less than is best for N_nv asks for a smaller vocabulary, more for a larger one.
        A2, alpha2, B, beta: parameters of `laws.vocabulary`.

    Returns:
        "V", words; "N_v", parameters of the vocabulary; "D", tokens that the budget pays for.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.vocabulary
        >>> best = sj.derive((law, law.published["tao2024"]), sj.formulas.optimal_vocabulary, N_nv=7e9, d=4096, C=7.05e21)
        >>> f"{best.V:.3g}"
        '5.95e+04'

    References: Tao et al. 2024, arXiv:2407.13623, section 4.3.
    """
    require((N_nv > 0) & (d > 0), "N_nv and d must be positive.")
    require(C > 0, "C must be a positive number of FLOPs, or an array of them.")
    N_v = jnp.exp(root(_gain, jnp.log(d * 1.0), jnp.log(d * 1e12), N_nv, C, A2, alpha2, B, beta))
    return {"V": N_v / d, "N_v": N_v, "D": C / (6 * (N_nv + N_v))}


def _gain(log_N_v, N_nv, C, A2, alpha2, B, beta):
    """Logarithm of what a parameter of the vocabulary gains over what the tokens that it costs would: falls with their number."""
    costs = jnp.log(beta * B) + beta * jnp.log(6 / C) + (beta - 1) * jnp.log(N_nv + jnp.exp(log_N_v))
    return jnp.log(alpha2 * A2) - (alpha2 + 1) * log_N_v - costs
