"""Weights and experts that are not used: sparse weights, pruning during training, and what a small share of active experts is worth."""

from __future__ import annotations

from math import log

import jax.numpy as jnp

from ...core.laws.domains import Interval, Positive, Real, Unit
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.laws.published import Published
from .. import ranges

_FRANTAR = "Frantar et al. 2023, arXiv:2309.08520"
_JIN = "Jin et al. 2025, arXiv:2501.12486"
_TIAN = "Tian et al. 2025, arXiv:2507.17702"


@law(
    reference=_FRANTAR,
    N=ranges.N,
    D=Positive(1e7, 1e13, unit="tokens or examples"),
    S=Interval(0.0, 0.99, unit="share of weights that are zero"),
    a_S=Positive(0.1, 1e5),
    b_S=Positive(0.1, 3.0),
    c_S=Positive(0.1, 1e5),
    b_N=ranges.EXPONENT,
    a_D=Positive(1e5, 1e12, unit="tokens or examples"),
    b_D=ranges.EXPONENT,
    c=ranges.E,
    published="sparsity.toml",
)
def sparse_weights(N, D, S, *, a_S, b_S, c_S, b_N, a_D, b_D, c):
    r"""Loss of models some of whose weights are pruned during training, from those that are left, tokens and sparsity.

        L(N, D, S) = (a_S (1 - S)^b_S + c_S) N^-b_N + (a_D / D)^b_D + c

    Symbols: N weights that are not zero, without embeddings; D tokens or examples; S share of the weights that is zero in the end; L
    nats/token (language) or the validation loss (images).
    Sparse models of N weights are better than dense ones of N: `equivalent(source, "N", like={"N": 1e9, "S": 0.75}, D=1e12, S=0)` gives
    the dense size, (  (a_S + c_S) / (a_S (1 - S)^b_S + c_S)  )^(1/b_N) times larger whatever D is. They also cost more to train: with
    `formulas.average_parameters` in the cost, `allocate(..., over=("S", "D"), N=N)` gives the best sparsity for a size.

    Example:
        >>> from scalejax import laws
        >>> round(laws.sparse_weights(48 * 12 * 1024**2, 500_000 * 65536, 0.75, **laws.sparse_weights.published["frantar2023_t5"]), 3)
        1.468
    """
    capacity = a_S * jnp.exp(b_S * jnp.log1p(-S)) + c_S
    return capacity * jnp.exp(-b_N * jnp.log(N)) + jnp.exp(b_D * (jnp.log(a_D) - jnp.log(D))) + c


def _average_share(S, s0, s1):
    """Average over training of the share of weights that are alive."""
    return 1.0 - S * (1.0 - (3.0 * s0 + s1) / 4.0)


@formula
def average_parameters(N, S, s0, s1):
    r"""Average number of parameters over a training run that prunes them gradually.

        N(t) = N (1 - S (1 - (1 - x)^3)),  x = (t - s0) / (s1 - s0) between 0 and 1;    mean of N(t) = N (1 - S (1 - (3 s0 + s1) / 4))

    Args:
        N: parameters before pruning.
        S: share of them that is zero in the end.
        s0, s1: shares of training at which pruning begins and ends, s0 <= s1.

    Returns:
        The average, which compute counts: 6 average_parameters D. Of any other schedule take the mean of its parameters over the steps.

    Example:
        >>> from scalejax import formulas
        >>> formulas.average_parameters(1e9, 0.8, 0.25, 0.75)
        500000000.0

    References: Jin et al. 2025, arXiv:2501.12486; Zhu and Gupta 2017, arXiv:1710.01878 (the cubic schedule).
    """
    require((S >= 0) & (S <= 1), "S must be a share of weights from 0 to 1.")
    require((s0 >= 0) & (s0 <= s1) & (s1 <= 1), "s0 and s1 must be shares of training with 0 <= s0 <= s1 <= 1.")
    return N * _average_share(S, s0, s1)


@law(
    reference=_JIN,
    linear=("E", "A", "B"),
    N=ranges.N,
    D=ranges.D,
    S=Interval(0.0, 0.99, unit="share of weights that are zero"),
    s0=Interval(0.0, 1.0, unit="share of training"),
    s1=Interval(0.0, 1.0, unit="share of training"),
    E=ranges.E,
    A=Positive(1.0, 1e6),
    alpha=ranges.EXPONENT,
    B=Positive(1.0, 1e6),
    beta=ranges.EXPONENT,
)
def average_parameter_count(N, D, S, s0, s1, *, E, A, alpha, B, beta):
    r"""Loss of dense models and of models that are pruned while they are trained: Chinchilla in the average number of parameters.

        L = E + A M^-alpha + B D^-beta,    M = N (1 - S (1 - (3 s0 + s1) / 4))

    Symbols: N parameters before pruning; D tokens; S share of them that is zero in the end (0: dense); s0 and s1 shares of training at
    which gradual pruning begins and ends; M the average over training, `formulas.average_parameters`; L nats/token.
    Compute is 6 M D, so that a pruned run and a dense one of equal compute and tokens have equal losses, and the pruned model is smaller.
    Any other schedule: give its average as N, with S = 0. The paper finds s0 = 0.25 and s1 = 0.75 nearly best; it prints no constants.

    Example:
        >>> from scalejax import laws
        >>> numbers = dict(E=1.69, A=406.4, alpha=0.34, B=410.7, beta=0.28)
        >>> pruned, dense = (laws.average_parameter_count(n, 2e10, s, 0.25, 0.75, **numbers) for n, s in ((2e9, 0.8), (1e9, 0.0)))
        >>> round(pruned - dense, 12)
        0.0
    """
    log_M = jnp.log(N) + jnp.log(_average_share(S, s0, s1))
    return E + A * jnp.exp(-alpha * log_M) + B * jnp.exp(-beta * jnp.log(D))


@law(
    output="leverage",
    reference=_TIAN,
    A=Unit(unit="share of experts that are active"),
    G=Positive(1.0, 64.0),
    C=ranges.C,
    a=Real(-2.0, 3.0),
    d=Real(-0.2, 0.0),
    gamma=Real(0.0, 0.1),
    beta=Real(-0.5, 0.0),
    A_start=Positive(1e-3, 0.1),
    published={
        "tian2025": Published(
            dict(a=1.23, d=-0.0761, gamma=0.0167, beta=-0.117, A_start=0.0163),
            context="over 300 models to 28B parameters, C to 3e20 FLOPs, A from 1/128; printed besides: A_max = 5.28e16",
            source="table 2", status="verified",
        ),
    },
)  # fmt: skip
def efficiency_leverage(A, G, C, *, a, d, gamma, beta, A_start):
    r"""How many times less compute a mixture of experts needs than a dense model of the same loss.

        EL(A, G, C) = Â^(a + d log10 C + gamma (log2 G)^2 + beta log2 G),    Â = A + A_start

    Symbols: A active over all experts, shared ones in both; G granularity, 2 d_model / d_expert; C FLOPs of training, without embeddings;
    A_start what fewer active experts saturate at; EL = C_dense / C at equal loss. The exponent is negative.
    Notes: the paper's transformation also saturates above, at A_max = 5.28e16, which is without end. It writes log for both: base 10 for C
    and base 2 for G are what its statements imply, a best granularity of about 12 (`formulas.optimal_granularity`) and more than 7 times
    at A = 0.031, G = 12, C = 1e22.
    A data set of leverages comes from losses by `compute_multiplier`, of one configuration against dense models.

    Example:
        >>> from scalejax import laws
        >>> round(laws.efficiency_leverage(0.031, 12, 1e22, **laws.efficiency_leverage.published["tian2025"]), 1)
        7.2
    """
    g = jnp.log(G) / log(2.0)
    exponent = a + d * jnp.log(C) / log(10.0) + (gamma * g + beta) * g
    return jnp.exp(exponent * jnp.log(A + A_start))


@formula
def optimal_granularity(gamma, beta):
    r"""Granularity of the largest efficiency leverage, whatever the share of active experts and the compute: 2^(-beta / (2 gamma)).

    Args:
        gamma, beta: parameters of `laws.efficiency_leverage`.

    Returns:
        G, infinite where gamma <= 0: finer experts then always pay.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.efficiency_leverage
        >>> round(sj.derive((law, law.published["tian2025"]), sj.formulas.optimal_granularity).value, 1)
        11.3

    References: Tian et al. 2025, arXiv:2507.17702, section 4.
    """
    return jnp.where(gamma > 0, jnp.exp2(-beta / (2.0 * jnp.where(gamma > 0, gamma, 1.0))), jnp.inf)
