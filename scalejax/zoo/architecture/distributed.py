"""Replicas that seldom synchronise (DiLoCo): loss, learning rate and batch from the size of the model and the number of replicas."""

from __future__ import annotations

from ...core.laws.domains import Positive, Real
from ...core.laws.law import law
from ...core.numeric.powers import power, product
from .. import ranges

_CHARLES = "Charles et al. 2025, arXiv:2503.09799"
_M = Positive(1.0, 8.0, unit="replicas")
_SLOPE = Real(-0.3, 0.0)
_RISE = Real(-0.1, 0.1)
_C = Positive(0.1, 3.0, unit="nats/token", zero=True)


@law(reference=_CHARLES, N=ranges.N, M=_M, A=Positive(1.0, 1e3), alpha=_SLOPE, beta=_RISE, C=_C, published="distributed.toml")
def diloco(N, M, *, A, alpha, beta, C):
    r"""Loss of a model that M replicas train, each on its share of the batch, from size and replicas at 20 tokens a parameter.

        L(N, M) = A N^alpha M^beta + C

    Symbols: N total parameters; M replicas, which synchronise every 30 steps; L nats/token (validation); D = 20 N tokens. alpha < 0;
    beta > 0: more replicas cost loss, by a factor that the size does not change. C = 0 (`fix={"C": 0}`) is the form with published
    constants; sets of one M have beta = 0, and that of "dp" is data-parallel training. In their fits the harm of replicas falls with the
    size (alpha falls with M), which this form cannot have: see `diloco_slope`. C > 0 extrapolates better.

    Example:
        >>> from scalejax import laws
        >>> round(laws.diloco(2.4e9, 4.0, **laws.diloco.published["joint"]), 4)
        2.3277
    """
    return product(A, (N, alpha), (M, beta)) + C


@law(reference=_CHARLES, N=ranges.N, M=_M, A=Positive(1.0, 1e3), alpha=_SLOPE, beta=Real(-0.02, 0.02), C=_C)
def diloco_slope(N, M, *, A, alpha, beta, C):
    r"""`diloco` with replicas in the exponent of the size.

        L(N, M) = A N^(alpha + beta M) + C

    Symbols: as `diloco`; beta the change of the exponent for every replica more. Best of the paper's forms on the size held out.

    Example:
        >>> from scalejax import laws
        >>> round(laws.diloco_slope(1e8, 2.0, A=10.0, alpha=-0.1, beta=-0.0125, C=1.0), 6)
        2.0
    """
    return A * power(N, alpha + beta * M) + C


@law(reference=_CHARLES, N=ranges.N, M=_M, A=Positive(1.0, 1e3), alpha=_SLOPE, B=Positive(1e-4, 1.0), beta=Real(-1.0, 1.0), C=_C)
def diloco_sum(N, M, *, A, alpha, B, beta, C):
    r"""`diloco` as a sum: replicas cost the same loss at every size.

        L(N, M) = A N^alpha + B M^beta + C

    Symbols: as `diloco`; B loss that is due to one replica, which only differences in M can tell from C.

    Example:
        >>> from scalejax import laws
        >>> laws.diloco_sum(1e8, 4.0, A=10.0, alpha=-0.125, B=0.25, beta=0.5, C=1.0)
        2.5
    """
    return A * power(N, alpha) + B * power(M, beta) + C


@law(
    output="lr",
    reference=_CHARLES,
    linear=("A",),
    N=ranges.N,
    M=_M,
    A=Positive(1e2, 1e6),
    alpha=Real(-1.5, 0.0),
    beta=Real(-1.0, 1.0),
    published="distributed.toml",
)
def diloco_lr(N, M, *, A, alpha, beta):
    r"""Best inner learning rate of replicas that seldom synchronise.

        gamma(N, M) = A N^alpha M^beta

    Symbols: N total parameters; M replicas; gamma peak learning rate of the inner optimiser, AdamW, in the paper's parametrisation. Sets
    and conditions as in `diloco`.

    Example:
        >>> from scalejax import laws
        >>> f"{laws.diloco_lr(1e9, 2.0, **laws.diloco_lr.published['joint']):.2e}"
        '3.10e-04'
    """
    return product(A, (N, alpha), (M, beta))


@law(
    output="batch",
    reference=_CHARLES,
    linear=("A",),
    N=ranges.N,
    M=_M,
    A=Positive(1e-4, 1e1),
    alpha=Real(0.0, 1.0),
    beta=Real(-1.0, 1.0),
    published="distributed.toml",
)
def diloco_batch(N, M, *, A, alpha, beta):
    r"""Best global batch of replicas that seldom synchronise, those of all replicas together.

        B(N, M) = A N^alpha M^beta

    Symbols: N total parameters; M replicas; B batch: the vertex of a parabola of the loss in log2 B. Sets and conditions as in `diloco`.

    Note: the tables are headed by tokens, but with N in parameters their constants give some hundreds: sequences, by our reading.

    Example:
        >>> from scalejax import laws
        >>> round(laws.diloco_batch(1e9, 2.0, **laws.diloco_batch.published["joint"]))
        151
    """
    return product(A, (N, alpha), (M, beta))
