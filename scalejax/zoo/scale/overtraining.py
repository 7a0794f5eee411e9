"""Over-training: loss from compute and tokens per parameter, and the error of tasks from the loss."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.domains import Positive, Unit
from ...core.law import Published, law
from ...core.numerics import power
from .. import ranges

_GADRE = "Gadre et al. 2024, arXiv:2403.08540"
_FIVE = "loss on C4 (OpenLM) in nats/token; recomputed with all digits from the five public runs of the paper's recipe, trained on"
_SIX = "six public runs of the paper's recipe, 17 tasks; recomputed from the loss on C4, trained on"
_SOURCE = "least squares on the authors' runs, github.com/mlfoundations/scaling"


@law(
    reference=_GADRE,
    linear=("E", "a", "b"),
    C=ranges.C,
    M=Positive(1.0, 2000.0, unit="tokens per parameter"),
    E=ranges.E,
    a=Positive(10.0, 5000.0),
    b=Positive(10.0, 5000.0),
    eta=Positive(0.05, 0.3),
    published={
        "gadre2024_redpajama": Published(
            {"E": 1.836648378, "a": 212.2361102, "b": 366.6871738, "eta": 0.1364253513}, f"{_FIVE} RedPajama", _SOURCE, "verified"
        ),
        "gadre2024_c4": Published(
            {"E": 1.508260542, "a": 141.2772548, "b": 189.5155204, "eta": 0.1212361195}, f"{_FIVE} C4", _SOURCE, "verified"
        ),
        "gadre2024_refinedweb": Published(
            {"E": 1.73446209, "a": 157.1162841, "b": 246.2066865, "eta": 0.1271974223}, f"{_FIVE} RefinedWeb", _SOURCE, "verified"
        ),
    },
)
def overtraining(C, M, *, E, a, b, eta):
    r"""Loss from compute and tokens per parameter: over-training shifts a power law of compute and leaves its slope.

        L(C, M) = E + (a M^eta + b M^-eta) C^-eta

    Symbols: C = 6 N D training FLOPs; M = D / N tokens per parameter; L nats/token. It is `chinchilla` with alpha = beta = 2 eta,
    A = a 6^-eta and B = b 6^-eta. The optimum M* = (b / a)^(1 / (2 eta)) is the same for every C.
    Note: the authors' code writes it in N and M, p N^(-2 eta) + q 6^-eta (M N)^(-2 eta): a = p 6^eta and b = q.

    Example:
        >>> from scalejax import laws
        >>> known = laws.overtraining.published["gadre2024_redpajama"]
        >>> round(laws.overtraining(6 * 6889410560**2 * 20, 20.0, **known), 3)
        2.443
    """
    return E + a * power(M / C, eta) + b * power(M * C, -eta)


@law(
    output="error",
    reference=_GADRE,
    linear=("epsilon", "k"),
    loss=Positive(1.5, 6.0, unit="nats/token"),
    epsilon=Unit(),
    k=Positive(0.1, 50.0),
    gamma=Positive(0.1, 3.0),
    published={
        "gadre2024_redpajama": Published(
            {"epsilon": 0.8569919067, "k": 2.206490639, "gamma": 0.7145906625}, f"{_SIX} RedPajama", _SOURCE, "verified"
        ),
        "gadre2024_c4": Published({"epsilon": 0.849742292, "k": 2.078899168, "gamma": 0.7561191396}, f"{_SIX} C4", _SOURCE, "verified"),
        "gadre2024_refinedweb": Published(
            {"epsilon": 0.8652794955, "k": 2.21481585, "gamma": 0.7070487055}, f"{_SIX} RefinedWeb", _SOURCE, "verified"
        ),
    },
)
def downstream_error(loss, *, epsilon, k, gamma):
    r"""Mean error over many tasks from the validation loss: a power law in perplexity.

        Err(L) = epsilon - k exp(-gamma L)

    Symbols: L (`loss`) validation loss in nats/token; Err mean top-1 error over tasks, from 0 to 1; epsilon the error of a model that
    has learned nothing. exp(-gamma L) is perplexity^-gamma. With `overtraining` or `chinchilla` before it, `procedures.two_stage` predicts
    the error of a run from its size.
    Note: for a low loss the error would fall below 0; the law holds within and near the range of the runs.

    Example:
        >>> from scalejax import laws
        >>> round(laws.downstream_error(2.42499, **laws.downstream_error.published["gadre2024_redpajama"]), 2)
        0.47
    """
    return epsilon - k * jnp.exp(-gamma * loss)
