"""Loss from the length of the context that a model reads."""

from __future__ import annotations

from ...core.laws.domains import Positive
from ...core.laws.law import law
from ...core.numeric.powers import power


@law(
    reference="Xiong et al. 2023, arXiv:2309.16039",
    linear=("gamma",),
    context=Positive(1.0, 1e6, unit="tokens"),
    alpha=Positive(0.1, 1e3, unit="tokens"),
    beta=Positive(0.1, 2.0),
    gamma=Positive(0.5, 4.0, unit="nats/token", zero=True),
)
def context_length(context, *, alpha, beta, gamma):
    r"""Validation loss of a model from the length of the context it reads: a power law above a floor.

        L(c) = (alpha / c)^beta + gamma

    Symbols: c (`context`) tokens of context; alpha the context at which the first term is 1 nat/token; beta the exponent; gamma the loss
    of an endless context; L nats/token. Each model has its own three: pass `by="params"` to `fit`. Twice the context leaves 2^-beta of
    the reducible loss.
    Note: the paper prints the constants in a figure only; none are given here.

    Example:
        >>> from scalejax import laws
        >>> laws.context_length(400.0, alpha=4.0, beta=0.5, gamma=1.5)
        1.6
    """
    return power(alpha / context, beta) + gamma
