"""Machine translation: encoder and decoder sizes, sampling weights of language pairs, and translation quality."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.domains import Positive, Simplex, Unit
from ...core.law import law
from ...core.numerics import LEAST, power, power_from_zero
from .. import ranges

_GHORBANI = "Ghorbani et al. 2021, arXiv:2109.07740"
_FERNANDES = "Fernandes et al. 2023, arXiv:2302.09650"
_SIZE = Positive(1e6, 1e10, unit="non-embedding parameters")
_EXPONENT = Positive(0.05, 1.0)
_C1 = Positive(0.01, 3.0, zero=True)
_POWER = Positive(0.2, 3.0)


@law(
    reference=_GHORBANI,
    linear=("alpha", "L_inf"),
    N_e=_SIZE,
    N_d=_SIZE,
    Nbar_e=_SIZE,
    Nbar_d=_SIZE,
    alpha=Positive(0.05, 10.0),
    p_e=_EXPONENT,
    p_d=_EXPONENT,
    L_inf=ranges.E,
)
def encoder_decoder(N_e, N_d, Nbar_e, Nbar_d, *, alpha, p_e, p_d, L_inf):
    r"""Loss of a translation model from the sizes of its encoder and its decoder.

        L(N_e, N_d) = alpha (Nbar_e / N_e)^p_e (Nbar_d / N_d)^p_d + L_inf

    Symbols: N_e, N_d non-embedding parameters of encoder and decoder; Nbar_e, Nbar_d those of a baseline model, which only set the
    unit of alpha (repeat them in every run); L cross-entropy on one test set, nats/token; alpha the reducible loss of the baseline.

    Note: the total size alone does not suffice; along N_e / N_d = constant this is `power_law` with the exponent p_e + p_d. For the best
    split of N_e + N_d see `procedures.encoder_decoder_split`. The exponents depend on the composition of the test set (natural text or
    translated text on the target side): fit each test set apart. The paper's coefficients could not be traced.

    Example:
        >>> from scalejax import laws
        >>> baseline = {"Nbar_e": 1e8, "Nbar_d": 1e8}
        >>> round(laws.encoder_decoder(N_e=1e8, N_d=16e8, **baseline, alpha=0.8, p_e=0.2, p_d=0.25, L_inf=1.0), 6)
        1.4
    """
    return alpha * jnp.exp(p_e * jnp.log(Nbar_e / N_e) + p_d * jnp.log(Nbar_d / N_d)) + L_inf


@law(
    output="bleu",
    reference=_GHORBANI,
    linear=("c_B",),
    L=Positive(0.5, 5.0, unit="nats/token"),
    c_B=Positive(5.0, 100.0, unit="BLEU"),
    p_B=Positive(0.1, 3.0),
)
def translation_quality(L, *, c_B, p_B):
    r"""Quality of translations from the cross-entropy of the model.

        BLEU(L) = c_B L^-p_B

    Symbols: L cross-entropy on the test set, nats/token; BLEU on its scale from 0 to 100.

    Note: holds for test sets whose target side is natural text. On source-original sets the score stops improving while the loss still
    falls, and no such link exists.

    Example:
        >>> from scalejax import laws
        >>> laws.translation_quality(2.0, c_B=60.0, p_B=1.0)
        30.0
    """
    return c_B * power(L, -p_B)


@law(
    output="share",
    reference=_FERNANDES,
    linear=("c1",),
    p=Unit(unit="sampling weight"),
    c1=_C1,
    c2=_POWER,
    c3=_POWER,
)
def effective_share(p, *, c1, c2, c3):
    r"""Share of a multilingual model that works for one language pair, from the pair's sampling weight.

        f(p) = p + c1 p^c2 (1 - p)^c3

    Symbols: p weight of the pair in training, from 0 to 1; f(p) N parameters are worth as much to the pair as a model of its own of that
    size. f(0) = 0 and f(1) = 1; c1 = 0 is no synergy between pairs, f(p) = p. Where a power has an infinite slope, within 1e-9 of an end,
    its chord takes its place.

    Note: the paper finds f(p) near p from English and clearly above p into English, hence c1 >= 0.

    Example:
        >>> from scalejax import laws
        >>> laws.effective_share(0.5, c1=0.4, c2=1.0, c3=1.0)
        0.6
    """
    return p + c1 * power_from_zero(p, c2) * power_from_zero(1 - p, c3)


@law(
    reference=_FERNANDES,
    linear=("beta_1", "L_inf"),
    N=Positive(1e7, 2e9, unit="non-embedding parameters"),
    p=Unit(unit="sampling weight"),
    beta_1=Positive(1.0, 1e4),
    alpha=_EXPONENT,
    L_inf=ranges.E,
    c1=_C1,
    c2=_POWER,
    c3=_POWER,
)
def multilingual(N, p, *, beta_1, alpha, L_inf, c1, c2, c3):
    r"""Loss of one language pair in a multilingual model, for any size and any sampling weight.

        L(N, p) = beta_1 (f(p) N)^-alpha + L_inf
        f(p) = p + c1 p^c2 (1 - p)^c3

    Symbols: N non-embedding parameters, encoder and decoder scaled together; p weight of the pair in training; f see `effective_share`;
    L cross-entropy of the pair, nats/token. The weight changes the factor of the power law alone: alpha and L_inf hold for all weights.

    Note: several pairs are `fit(..., by="pair")`, or `multilingual_pairs` for their joint optimum. To test that weights share alpha and
    L_inf, fit `power_law` with by="p" with and without `share=("alpha", "E")`; see `procedures.effective_shares`. The formula is
    infinite at a weight of 0: below 1e-9 its tangent there takes its place.

    Example:
        >>> from scalejax import laws
        >>> round(laws.multilingual(1e8, 0.5, beta_1=100.0, alpha=0.25, L_inf=1.0, c1=0.5, c2=1.0, c3=1.0), 6)
        2.124683
    """
    p = jnp.asarray(p)
    q = jnp.maximum(p, LEAST)
    worth, slope = jax.jvp(lambda q: power(effective_share.function(q, c1=c1, c2=c2, c3=c3) * N, -alpha), (q,), (jnp.ones_like(q),))
    return beta_1 * (worth + slope * jnp.minimum(p - LEAST, 0.0)) + L_inf


@law(
    reference=_FERNANDES,
    output_axis="pair",
    h=Simplex(axis="pair"),
    N=Positive(1e7, 2e9, unit="non-embedding parameters"),
    beta_1=Positive(1.0, 1e4, axis="pair"),
    alpha=Positive(0.05, 1.0, axis="pair"),
    L_inf=Positive(0.1, 5.0, unit="nats/token", zero=True, axis="pair"),
    c1=Positive(0.01, 3.0, zero=True, axis="pair"),
    c2=Positive(0.2, 3.0, axis="pair"),
    c3=Positive(0.2, 3.0, axis="pair"),
)
def multilingual_pairs(h, N, *, beta_1, alpha, L_inf, c1, c2, c3):
    r"""Losses of all language pairs of a multilingual model at once, from its size and the sampling weights.

        L_i(N, h) = beta_1i (f_i(h_i) N)^-alpha_i + L_inf,i

    Symbols: h weights of the pairs, sum 1; all else as in `multilingual`, one value a pair. Runs have a column of losses (runs, pairs).
    `optimal_mixture(source, N=..., weights=...)` gives the weights that make a weighted sum of the losses least.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> same = {"beta_1": 100.0, "alpha": 0.25, "L_inf": 1.0, "c1": 0.5, "c2": 1.0, "c3": 1.0}
        >>> laws.multilingual_pairs(np.array([0.5, 0.5]), 1e8, **{n: np.full(2, v) for n, v in same.items()}).round(6)
        array([2.124683, 2.124683])
    """
    return multilingual(jnp.expand_dims(N, -1), h, beta_1=beta_1, alpha=alpha, L_inf=L_inf, c1=c1, c2=c2, c3=c3)
