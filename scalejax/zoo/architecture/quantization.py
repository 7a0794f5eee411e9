"""Quantised numbers: floating-point formats in training, quantisation-aware training, and quantisation after training."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.laws.published import Published
from ...core.numeric.powers import power_from_zero, power_sum, product
from .. import ranges

_SUN = "Sun et al. 2025, arXiv:2501.02423"
_EXPONENT_BITS = Positive(1.0, 8.0, zero=True, unit="bits")
_MANTISSA_BITS = Positive(1.0, 7.0, zero=True, unit="bits")
_GROWTH = Positive(0.01, 1.5)


@law(
    reference=_SUN,
    linear=("n", "d", "eps"),
    N=ranges.N,
    D=ranges.D,
    E=_EXPONENT_BITS,
    M=_MANTISSA_BITS,
    B=Positive(2.0, 8192.0, unit="elements per scale"),
    n=Positive(1.0, 1e5),
    alpha=Positive(0.05, 1.0),
    d=Positive(10.0, 1e7),
    beta=Positive(0.05, 1.0),
    eps=ranges.E,
    gamma=Positive(10.0, 1e7),
    delta=Positive(0.5, 8.0),
    nu=Positive(0.5, 8.0),
    published="quantization.toml",
)
def fp_quantization(N, D, E, M, B, *, n, alpha, d, beta, eps, gamma, delta, nu):
    r"""Loss of training in a floating-point format, from its exponent and mantissa bits and the size of the blocks that share a scale.

        L = n N^-alpha + d D^-beta + eps + D^beta N^-alpha log2(B) / (gamma (E + 1/2)^delta (M + 1/2)^nu)

    Symbols: N parameters; D tokens; E exponent bits; M mantissa bits (E + M + 1 bits a number); B elements that share a scale, at least 1:
    log2 B = 13.16 for one scale a channel, and B = 1 is full precision; L nats/token. The exponents alpha and beta are those of
    Chinchilla's law in all terms. With D the last term grows: beyond `formulas.float_critical_tokens` more tokens do harm.

    Example:
        >>> from scalejax import laws
        >>> params = laws.fp_quantization.published["sun2025"]
        >>> [round(laws.fp_quantization(1e9, 1e12, E, M, 128, **params), 4) for E, M in ((2, 1), (4, 3), (8, 7))]
        [2.5777, 2.4635, 2.462]
    """
    noise = jnp.log2(B) * product(1 / gamma, (E + 0.5, -delta), (M + 0.5, -nu), (D, beta), (N, -alpha))
    return power_sum(eps, (n, N, alpha), (d, D, beta)) + noise


@law(
    output="degradation",
    reference="Chen et al. 2025, arXiv:2505.14302",
    linear=("k",),
    N=ranges.N,
    D=ranges.D,
    G=Positive(2.0, 4096.0, unit="elements per scale"),
    k=Positive(1e-3, 10.0),
    gamma_N=_GROWTH,
    gamma_D=_GROWTH,
    gamma_G=Positive(0.05, 3.0),
    published={
        key: Published(
            dict(zip(("k", "gamma_N", "gamma_D", "gamma_G"), values, strict=True)),
            context=f"{what}; OLMo 2 mix, 74M to 595M parameters, 10B to 100B tokens, groups of 32 elements and more",
            source="table of the fits", status="verified",
        )
        for key, what, values in (
            ("w4a4", "4 bits of weights and activations", (0.1582, 0.2186, 0.0745, 0.7779)),
            ("w4a16", "4 bits of weights alone", (0.2522, 0.3589, 0.1610, 0.3533)),
            ("w16a4", "4 bits of activations alone", (0.1004, 0.1816, 0.0331, 0.9812)),
            ("w4a4_fc2", "4 bits of weights and activations, 8 before the second projection", (0.3519, 0.2637, 0.0964, 0.3407)),
            ("w16a4_fc2", "4 bits of activations alone, 8 before the second projection", (0.1273, 0.2347, 0.0827, 0.4491)),
        )
    },
)  # fmt: skip
def qat_error(N, D, G, *, k, gamma_N, gamma_D, gamma_G):
    r"""What quantisation-aware training in a format adds to the loss of training in 16 bits.

        delta = k D^gamma_D (log2 G)^gamma_G / N^gamma_N

    Symbols: N parameters; D tokens; G elements that share a scale (1: no quantisation, and none below it); delta nats/token, the loss of
    the quantised run less that of one in 16 bits; a set of constants a format.

    Example:
        >>> from scalejax import laws
        >>> weights, activations = (laws.qat_error.published[key] for key in ("w4a16", "w16a4"))
        >>> [round(laws.qat_error(595e6, 1e11, 32, **params), 4) for params in (weights, activations)]
        [0.0186, 0.0287]
    """
    return product(k, (D, gamma_D), (N, -gamma_N)) * power_from_zero(jnp.maximum(jnp.log2(G), 0.0), gamma_G)


@law(
    output="degradation",
    reference="Ouyang et al. 2024, arXiv:2411.17691",
    linear=("k",),
    N=ranges.N,
    D=ranges.D,
    P=Positive(2.0, 8.0, unit="bits"),
    k=Positive(1e-4, 1.0),
    alpha=_GROWTH,
    beta=_GROWTH,
    gamma=Positive(1.0, 15.0),
    published={
        "ouyang2024": Published(
            dict(k=0.017, alpha=0.2261, beta=0.5251, gamma=5.4967),
            context="GPTQ of Pythia's checkpoints, 160M to 12B parameters, 1B to 206B tokens, 2 to 4 bits",
            source="equation 8 and figure 6", status="verified",
        ),
    },
)  # fmt: skip
def qid(N, D, P, *, k, alpha, beta, gamma):
    r"""What quantising after training adds to the loss, as a power law of everything: also a gauge of how far a model is trained.

        delta = k D^beta / (N^alpha P^gamma)

    Symbols: N parameters without embeddings; D tokens; P bits; delta nats/token, the loss after quantisation less that before. The
    tokens at which a model of a given size reaches a given degradation are `sj.equivalent(source, "D", like=0.2, N=..., P=4)`.

    Example:
        >>> from scalejax import laws
        >>> [round(laws.qid(7e9, 1e14, P, **laws.qid.published["ouyang2024"]), 2) for P in (2, 3, 4)]
        [50.26, 5.41, 1.11]
    """
    return product(k, (D, beta), (N, -alpha), (P, -gamma))


@formula
def float_layout(P, delta, nu):
    r"""How to split the bits of a floating-point number into exponent and mantissa.

        M = nu P / (delta + nu) - 1/2,    E = delta P / (delta + nu) - 1/2,    E + M + 1 = P

    Args:
        P: bits of a number, at least 1; a number or an array.
        delta, nu: parameters of `laws.fp_quantization`.

    Returns:
        "exponent" and "mantissa", bits at the optimum; "E" and "M", the best whole ones.

    Example:
        >>> import scalejax as sj
        >>> found = sj.formulas.float_layout([4, 8, 16], delta=3.1926, nu=2.9543)
        >>> [f"E{e:.0f}M{m:.0f}" for e, m in zip(found["E"], found["M"], strict=True)]
        ['E2M1', 'E4M3', 'E8M7']

    References: Sun et al. 2025, arXiv:2501.02423, section 4.2.
    """
    require(P >= 1, "P must be at least 1 bit, the sign.")
    mantissa, exponent = nu * P / (delta + nu) - 0.5, delta * P / (delta + nu) - 0.5

    def worth(M):
        E = P - 1 - M
        inside = (E >= 0) & (M >= 0)
        logs = delta * jnp.log(jnp.where(inside, E, 1.0) + 0.5) + nu * jnp.log(jnp.where(inside, M, 1.0) + 0.5)
        return jnp.where(inside, logs, -jnp.inf)

    below = jnp.floor(mantissa)  # the worth is concave, so that a neighbour of the optimum is the best whole number
    M = jnp.where(worth(below + 1) > worth(below), below + 1, below)
    return {"exponent": exponent, "mantissa": mantissa, "E": P - 1 - M, "M": M}


@formula
def float_critical_tokens(N, E, M, B, alpha, d, beta, gamma, delta, nu):
    r"""Tokens beyond which more training in a floating-point format makes a model worse.

        D^(2 beta) = d gamma N^alpha (E + 1/2)^delta (M + 1/2)^nu / log2 B

    Args:
        N: parameters, a number or an array.
        E, M: bits of exponent and mantissa.
        B: elements that share a scale, more than 1.
        alpha, d, beta, gamma, delta, nu: parameters of `laws.fp_quantization`.

    Returns:
        "value", tokens.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.fp_quantization
        >>> source = (law, law.published["sun2025"])
        >>> f"{sj.derive(source, sj.formulas.float_critical_tokens, N=1e9, E=4, M=3, B=128).value:.3g}"
        '2.73e+13'

    References: Sun et al. 2025, arXiv:2501.02423, section 4.3.
    """
    require(B > 1, "B must be more than one element: with a scale for each, nothing is lost.")
    return {"value": product(1.0, (d * gamma / jnp.log2(B), 0.5 / beta), (N, 0.5 * alpha / beta), *_half_bits(E, M, beta, delta, nu))}


def _half_bits(E, M, beta, delta, nu):
    return (E + 0.5, 0.5 * delta / beta), (M + 0.5, 0.5 * nu / beta)


@formula
def float_precision(C, B, n, alpha, d, beta, gamma, delta, nu, D=None, k=6 / 16):
    r"""Bits of floating-point training that make the most of compute C = k N D P, of a given number of tokens or of the best one.

        P^s = (s - alpha) / (alpha n g) D^beta log2 B,    s = delta + nu,    g = gamma delta^delta nu^nu / s^s
        alpha n (s + beta) / (s - alpha) (k P / C)^alpha D^(alpha + beta) = beta d    unless D is given

    Args:
        C: compute, a number or an array; that of 6 N D in 16 bits for the default k.
        B: elements that share a scale, more than 1.
        n, alpha, d, beta, gamma, delta, nu: parameters of `laws.fp_quantization`.
        D: tokens, if they are given; P then is the same for every C.
        k: FLOPs of a parameter, token and bit.

    Returns:
        "P", bits with the best split (`float_layout`), not rounded; "N", parameters; "D", tokens.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.fp_quantization
        >>> source = (law, law.published["sun2025"])
        >>> sj.derive(source, sj.formulas.float_precision, C=[1e21, 1e31], B=128).P.round(2)
        array([4.19, 7.58])
        >>> sj.derive(source, sj.formulas.float_precision, C=1e21, B=128, D=[1e11, 1e14]).P.round(2)
        array([4.27, 7.62])

    References: Sun et al. 2025, arXiv:2501.02423, section 4.4 and appendix E.
    """
    require(B > 1, "B must be more than one element: with a scale for each, no bits are needed.")
    s = delta + nu
    require(s > alpha, "delta + nu must exceed alpha: otherwise no number of bits is best.")
    log_g = jnp.log(gamma) + delta * jnp.log(delta) + nu * jnp.log(nu) - s * jnp.log(s)
    log_c = jnp.log((s - alpha) / (alpha * n)) - log_g + jnp.log(jnp.log2(B))  # P^s = c D^beta
    if D is None:
        right = jnp.log(beta * d / (alpha * n) * (s - alpha) / (s + beta)) + alpha * jnp.log(C / k)
        log_D = (right - alpha * log_c / s) / (alpha + beta + alpha * beta / s)
    else:
        log_D = jnp.log(D)
    log_P = (log_c + beta * log_D) / s
    return {"P": jnp.exp(log_P), "N": C / k * jnp.exp(-log_D - log_P), "D": jnp.exp(log_D)}
