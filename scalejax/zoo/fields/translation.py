"""Machine translation: encoder and decoder sizes, sampling weights of language pairs, and translation quality."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.errors import DecisionError
from ...core.laws.domains import Positive, Simplex, Unit
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.numeric.powers import LEAST, power, power_from_zero
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
    split of N_e + N_d see `formulas.encoder_decoder_split`. The exponents depend on the composition of the test set (natural text or
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
    L_inf, fit `power_law` with by="p" with and without `share=("alpha", "E")`; see `formulas.effective_shares`. The formula is
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


@formula
def encoder_decoder_split(budget, alpha, p_e, p_d, L_inf, Nbar_e, Nbar_d):
    r"""Sizes of encoder and decoder that make the loss of a translation model least for a total size.

        N_e = p_e / (p_e + p_d) B,   N_d = p_d / (p_e + p_d) B,   L = alpha* B^-(p_e + p_d) + L_inf
        alpha* = alpha (Nbar_e (p_e + p_d) / p_e)^p_e (Nbar_d (p_e + p_d) / p_d)^p_d

    Args:
        budget: B = N_e + N_d, a number or an array, non-embedding parameters.
        alpha, p_e, p_d, L_inf: parameters of `laws.encoder_decoder`.
        Nbar_e, Nbar_d: sizes of its baseline model.

    Returns:
        "N_e", "N_d"; "loss" there; "alpha_star", the factor of its power law. For other costs use `allocate` with
        cost=lambda N_e, N_d: ...; under N_e + N_d it gives the same.

    Example:
        >>> import scalejax as sj
        >>> known = (sj.laws.encoder_decoder, {"alpha": 0.8, "p_e": 0.2, "p_d": 0.3, "L_inf": 1.0})
        >>> best = sj.derive(known, sj.formulas.encoder_decoder_split, budget=5e8, Nbar_e=1e8, Nbar_d=1e8)
        >>> f"{best.N_e:.3g} {best.N_d:.3g} {best.loss:.4f}"
        '2e+08 3e+08 1.5009'

    References: Ghorbani et al. 2021, arXiv:2109.07740.
    """
    positive = {"budget": budget, "alpha": alpha, "p_e": p_e, "p_d": p_d, "Nbar_e": Nbar_e, "Nbar_d": Nbar_d}
    for name, value in positive.items():
        require((value > 0) & jnp.isfinite(value), f"encoder_decoder_split() got {name}={{value}}; it must be positive.", value=value)
    require((L_inf >= 0) & jnp.isfinite(L_inf), "encoder_decoder_split() got L_inf={value}; it must be 0 or more.", value=L_inf)
    p = p_e + p_d
    alpha_star = alpha * (Nbar_e * p / p_e) ** p_e * (Nbar_d * p / p_d) ** p_d
    return {"N_e": p_e / p * budget, "N_d": p_d / p * budget, "loss": alpha_star * budget**-p + L_inf, "alpha_star": alpha_star}


@formula
def effective_shares(A, alpha, p, whole=1.0):
    r"""Effective share of the parameters for every sampling weight of one language pair, from a joint fit over weightings.

        f(p) = (A_whole / A_p)^(1 / alpha)

    N parameters at weight p are worth f(p) N at weight `whole`. The exponent and the constant are shared over weightings, which is what
    makes f independent of N.

    Args:
        A: (weightings,) factors, beta_p in the paper. With `derive` and group=fit.groups they come from a joint fit such as
            fit("power_law", runs, by="p", share=("alpha", "E")), whose groups are the weights.
        alpha: the shared exponent.
        p: (weightings,) the weights, such as fit.groups.
        whole: the weight that counts as a model of the pair's own.

    Returns:
        (weightings,) shares, to which `laws.effective_share` is fitted.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> true = {"beta_1": 100.0, "alpha": 0.25, "L_inf": 1.0, "c1": 0.5, "c2": 1.0, "c3": 1.0}
        >>> N, p = (a.ravel() for a in np.meshgrid(np.logspace(7, 9, 6), [0.25, 0.5, 1.0]))
        >>> runs = sj.simulate(sj.laws.multilingual, true, N=N, p=p)
        >>> fit = sj.fit("power_law", {"x": N, "loss": runs["loss"], "p": p}, by="p", share=("alpha", "E"))
        >>> sj.derive(fit, sj.formulas.effective_shares, group=fit.groups, p=fit.groups).value.round(3).tolist()
        [0.344, 0.625, 1.0]

    References: Fernandes et al. 2023, arXiv:2302.09650.
    """
    if jnp.ndim(A) != 1 or jnp.ndim(alpha) or jnp.shape(A) != jnp.shape(p):
        raise DecisionError(
            "effective_shares() needs one A a weighting and one alpha for all: fit(..., by='p', share=('alpha', 'E')), and "
            "group=fit.groups, p=fit.groups."
        )
    there = jnp.isclose(p, whole, rtol=1e-9, atol=0)
    require(jnp.any(there), "No runs have the weight {whole}; give whole= one of {p}.", whole=whole, p=p)
    logs = jnp.log(A)
    return jnp.exp((logs[jnp.argmax(there)] - logs) / alpha)
