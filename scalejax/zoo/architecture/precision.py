"""Low precision: training with few bits for weights, activations and keys and values, and quantising after training."""

from __future__ import annotations

from math import exp

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.laws.published import Published
from ...core.numeric.powers import power, power_sum
from ...core.numeric.roots import root
from .. import ranges

_KUMAR = "Kumar et al. 2024, arXiv:2411.04330"
_BITS = Positive(4.0, 16.0, unit="bits")
_SENSITIVITY = Positive(0.3, 6.0, unit="bits")
_OFFSET = Real(-1.0, 3.5)
_LARGE = Positive(10.0, 1e8)
_LEAST = 1e-6  # share of the parameters that counts where the fitted form says none or fewer
_ALPHA = Positive(0.1, 1.0)
_GROWTH = Positive(0.05, 1.5)


def kept_share(P, gamma, n):
    """Share of the parameters that P bits keep, 1 - exp(n - P / gamma), and 1e-6 below n gamma bits, where the form is negative.

    >>> round(float(kept_share(8.0, 2.6745, 0.3037)), 3), round(float(kept_share(3.0, 2.2102, 1.4072)), 6)
    (0.932, 1e-06)
    """
    return jnp.maximum(-jnp.expm1(n - P / gamma), _LEAST)


def _kept(N, P_w, P_a, P_kv, gamma_w, n_w, gamma_a, n_a, gamma_kv, n_kv):
    return N * kept_share(P_w, gamma_w, n_w) * kept_share(P_a, gamma_a, n_a) * kept_share(P_kv, gamma_kv, n_kv)


@law(
    reference=_KUMAR,
    linear=("E", "A", "B"),
    N=ranges.N,
    D=ranges.D,
    P_w=_BITS,
    P_a=_BITS,
    P_kv=_BITS,
    E=ranges.E,
    A=_LARGE,
    alpha=_ALPHA,
    B=_LARGE,
    beta=_ALPHA,
    gamma_w=_SENSITIVITY,
    n_w=_OFFSET,
    gamma_a=_SENSITIVITY,
    n_a=_OFFSET,
    gamma_kv=_SENSITIVITY,
    n_kv=_OFFSET,
    published="precision.toml",
)
def precision(N, D, P_w, P_a, P_kv, *, E, A, alpha, B, beta, gamma_w, n_w, gamma_a, n_a, gamma_kv, n_kv):
    r"""Loss of training in low precision: fewer bits count as fewer parameters, part by part.

        L = E + A N_eff^-alpha + B D^-beta
        N_eff = N f(P_w; gamma_w, n_w) f(P_a; gamma_a, n_a) f(P_kv; gamma_kv, n_kv),    f(P; gamma, n) = 1 - exp(n - P / gamma)

    Symbols: N parameters without embeddings; D tokens; P_w, P_a, P_kv bits of weights, activations, keys and values; N_eff effective
    parameters; gamma bits that bring a part closer to full precision by a factor e; n offset of its exponent, without a unit; L nats/token.

    Notes: the main text leaves the offsets out, the fit has them, and they matter: the best precision is 7 bits with them and 3.5 without
    (`formulas.optimal_precision`). Below n gamma bits (activations: 3.1) f would be negative; it is held at 1e-6 there, and such runs
    belong to no fit. The paper fits in stages, each with `fix=` of what is known: Chinchilla's law at 16 bits with `tie={"beta": "alpha"}`,
    then weights, then activations, keys and values. Floating-point weights have gamma_w = 2.8111 and n_w = 0.124 (appendix N).

    Example:
        >>> from scalejax import laws
        >>> params = laws.precision.published["kumar2024"]
        >>> [round(laws.precision(220e6, 26e9, P, 16.0, 16.0, **params), 3) for P in (3.0, 4.0, 8.0, 16.0)]
        [3.301, 3.258, 3.208, 3.198]
    """
    N_eff = _kept(N, P_w, P_a, P_kv, gamma_w, n_w, gamma_a, n_a, gamma_kv, n_kv)
    return power_sum(E, (A, N_eff, alpha), (B, D, beta))


@law(
    output="degradation",
    reference=_KUMAR,
    linear=("k",),
    N=ranges.N,
    D=ranges.D,
    P_post=Positive(2.0, 8.0, unit="bits"),
    k=Positive(1e-3, 30.0),
    gamma_D=_GROWTH,
    gamma_N=_GROWTH,
    gamma_post=Positive(0.1, 5.0, unit="bits"),
    published={
        "kumar2024": Published(
            dict(k=0.0598 * exp(1.1277), gamma_D=0.5068, gamma_N=0.3439, gamma_post=0.5907),
            context="GPTQ of the weights after training in 16 bits, 30M to 220M parameters, 1.5B to 26B tokens; k = C_T e^b",
            source="table 2 of appendix K", status="verified",
        ),
    },
)  # fmt: skip
def precision_ptq(N, D, P_post, *, k, gamma_D, gamma_N, gamma_post):
    r"""What quantising the weights after training adds to the loss: the more, the longer a model of its size was trained.

        delta = k D^gamma_D N^-gamma_N exp(-P_post / gamma_post)

    Symbols: N parameters without embeddings; D tokens; P_post bits of the weights after training; delta nats/token, the loss after less
    the loss before; gamma_post bits that lower it by a factor e; k its scale.

    Note: the paper writes C_T exp(b) for k; no run can tell the two apart.

    Example:
        >>> from scalejax import laws
        >>> params = laws.precision_ptq.published["kumar2024"]
        >>> [round(laws.precision_ptq(220e6, D, 4.0, **params), 4) for D in (2e9, 26e9)]
        [0.0148, 0.0543]
    """
    return k * jnp.exp(gamma_D * jnp.log(D) - gamma_N * jnp.log(N) - P_post / gamma_post)


@law(
    reference=_KUMAR,
    linear=("E", "A", "B"),
    N=ranges.N,
    D=ranges.D,
    P_w=_BITS,
    P_a=_BITS,
    P_kv=_BITS,
    P_post=Positive(2.0, 8.0, unit="bits"),
    E=ranges.E,
    A=_LARGE,
    alpha=_ALPHA,
    B=_LARGE,
    beta=_ALPHA,
    gamma_w=_SENSITIVITY,
    n_w=_OFFSET,
    gamma_a=_SENSITIVITY,
    n_a=_OFFSET,
    gamma_kv=_SENSITIVITY,
    n_kv=_OFFSET,
    k=Positive(1e-3, 30.0),
    gamma_D=_GROWTH,
    gamma_N=_GROWTH,
    gamma_post=Positive(0.1, 5.0, unit="bits"),
    C_w=Positive(0.03, 3.0, unit="1/bits"),
    C_a=Positive(0.03, 3.0, unit="1/bits"),
    C_kv=Positive(0.03, 3.0, unit="1/bits"),
)
def precision_unified(
    N, D, P_w, P_a, P_kv, P_post, *, E, A, alpha, B, beta, gamma_w, n_w, gamma_a, n_a, gamma_kv, n_kv, k, gamma_D, gamma_N, gamma_post,
    C_w, C_a, C_kv,
):  # fmt: skip
    r"""Loss after training in one precision and quantising to another: `precision` and `precision_ptq` in one.

        L = E + A N_eff^-alpha + B D^-beta + delta
        delta = k D^gamma_D N_eff^-gamma_N exp(-P_post / gamma_post) prod_x (1 - exp(-C_x max(P_x - P_post, 0))),    x = w, a, kv

    Symbols: as `precision` and `precision_ptq`; C_x how soon a model trained in P_x bits suffers from P_post bits: nothing is lost by
    quantising to what it was trained in. P_post = 16 gives `precision`; C_x without end and 16 bits of training give their sum.

    Note: the C_x are not printed, and no constants are given here. Fit the other two laws first and hold them with `fix=`.

    Example:
        >>> from scalejax import laws
        >>> params = {**laws.precision.published["kumar2024"], **laws.precision_ptq.published["kumar2024"]}
        >>> params |= {"C_w": 0.5, "C_a": 0.5, "C_kv": 0.5}
        >>> [round(laws.precision_unified(220e6, 26e9, P, P, P, 4.0, **params), 3) for P in (16.0, 8.0, 6.0, 4.0)]
        [3.252, 3.265, 3.299, 3.592]
    """
    N_eff = _kept(N, P_w, P_a, P_kv, gamma_w, n_w, gamma_a, n_a, gamma_kv, n_kv)
    lost = k * jnp.exp(gamma_D * jnp.log(D) - gamma_N * jnp.log(N_eff) - P_post / gamma_post)
    for P, C in ((P_w, C_w), (P_a, C_a), (P_kv, C_kv)):
        lost = lost * -jnp.expm1(-C * jnp.maximum(P - P_post, 0.0))
    return power_sum(E, (A, N_eff, alpha), (B, D, beta)) + lost


@formula
def optimal_precision(gamma_w, n_w, gamma_a, n_a, gamma_kv, n_kv):
    r"""Bits to train in when parameters, tokens and bits of all parts alike share a budget of compute.

        max over P of F(P) / P,    F(P) = f(P; gamma_w, n_w) f(P; gamma_a, n_a) f(P; gamma_kv, n_kv),    f as in `laws.precision`

    Compute is as N D P, and bits act through N_eff = N F(P) alone: whatever the budget and the other constants, what is best makes the
    most effective parameters of N P. With N held, more compute asks for more bits (`allocate` over tokens and bits).

    Args:
        gamma_w, n_w, gamma_a, n_a, gamma_kv, n_kv: parameters of `laws.precision`.

    Returns:
        "P", bits; "kept", N_eff / N there.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.precision
        >>> round(sj.derive((law, law.published["kumar2024"]), sj.formulas.optimal_precision).P, 2)
        7.0

    References: Kumar et al. 2024, arXiv:2411.04330, section 4.3.
    """
    parts = (gamma_w, n_w, gamma_a, n_a, gamma_kv, n_kv)
    low = jnp.maximum(jnp.maximum(gamma_w * n_w, gamma_a * n_a), jnp.maximum(gamma_kv * n_kv, 0.0)) + 1e-6
    P = root(_gain, low, low + 256.0, *parts)
    kept = kept_share(P, gamma_w, n_w) * kept_share(P, gamma_a, n_a) * kept_share(P, gamma_kv, n_kv)
    return {"P": P, "kept": kept}


def _gain(P, gamma_w, n_w, gamma_a, n_a, gamma_kv, n_kv):
    """d log F / d log P - 1: a bit more is worth it while this is positive."""
    pairs = ((gamma_w, n_w), (gamma_a, n_a), (gamma_kv, n_kv))
    return sum(P / gamma / jnp.expm1(P / gamma - n) for gamma, n in pairs) - 1.0


@formula
def critical_tokens(N, P_post, B, beta, k, gamma_D, gamma_N, gamma_post):
    r"""Tokens beyond which more training makes a model worse once its weights are quantised.

        D^(beta + gamma_D) = beta B N^gamma_N / (gamma_D k exp(-P_post / gamma_post))

    Args:
        N: parameters without embeddings, a number or an array.
        P_post: bits of the weights after training.
        B, beta: of `laws.precision` or `laws.chinchilla`.
        k, gamma_D, gamma_N, gamma_post: of `laws.precision_ptq`.

    Returns:
        "value", tokens at which B D^-beta and the degradation together are least.

    Example:
        >>> import scalejax as sj
        >>> trained, quantised = (sj.laws[name].published["kumar2024"] for name in ("precision", "precision_ptq"))
        >>> both = {"B": trained["B"], "beta": trained["beta"], **quantised}
        >>> [f"{sj.formulas.critical_tokens(220e6, P, **both)['value']:.2g}" for P in (3, 4, 5)]
        ['1.1e+10', '5.7e+10', '3.1e+11']

    References: Kumar et al. 2024, arXiv:2411.04330, appendix on the derivation of critical data size.
    """
    require(N > 0, "N must be a positive number of parameters, or an array of them.")
    log_D = jnp.log(beta * B / (gamma_D * k)) + gamma_N * jnp.log(N) + P_post / gamma_post
    return {"value": power(jnp.exp(log_D), 1 / (beta + gamma_D))}
