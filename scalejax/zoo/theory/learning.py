"""Laws of what networks learn: lottery tickets that are averaged, and the boundary of grokking."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.laws.domains import Interval, Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.numeric.powers import power

_FACTOR = Positive(1e-3, 1e3, zero=True)


@law(
    output="error",
    reference="Liu and Tegmark 2023, arXiv:2310.02258; Sharma and Kaplan 2020, arXiv:2004.10802",
    linear=("A", "B", "E"),
    N=Positive(10.0, 1e6, unit="parameters"),
    d=Positive(1.0, 30.0, unit="dimensions"),
    A=_FACTOR,
    B=_FACTOR,
    E=Positive(1e-6, 1e-1, zero=True),
)
def lottery_tickets(N, d, *, A, B, E):
    r"""Error of a wide network as approximation of the target plus an average over lottery tickets, whose number grows with the width.

        MSE(N, d) = A N^(-4/d) + B / N + E

    Symbols: N parameters, or the width, to which they are proportional; d intrinsic dimension of the inputs; A the factor of approximation
    by pieces, with the exponent of Sharma and Kaplan; B that of the variance over tickets, as their number to the power -1; E the rest.
    Below four dimensions the tickets decide for large N, above them approximation does: `formulas.ticket_crossover`.

    Note: the paper states the two powers one by one (a network on y = x^2 shows 1, not 4); their sum is our composition.

    Example:
        >>> from scalejax import laws
        >>> round(laws.lottery_tickets(10.0, 1.0, A=100.0, B=0.1, E=0.0), 9)
        0.02
    """
    return A * power(N, -4 / d) + B / N + E


@formula
def ticket_crossover(A, B, d):
    r"""Size at which approximation and tickets add the same to the error of `lottery_tickets`.

        N = (A / B)^(1 / (4/d - 1))

    Args:
        A, B: parameters of `laws.lottery_tickets`.
        d: dimension of the inputs, not 4, a number or an array.

    Returns:
        N, in the unit of the law: beyond it the tickets decide below four dimensions, and approximation above.

    Raises:
        DecisionError: if d is 4, where both terms have the same power.

    Example:
        >>> import scalejax as sj
        >>> round(sj.formulas.ticket_crossover(A=1000.0, B=1.0, d=1.0), 9)
        10.0

    References: Liu and Tegmark 2023, arXiv:2310.02258 (the powers); the crossing is our composition.
    """
    require(jnp.asarray(d) != 4, "With d = 4 both terms have the same power and do not cross; give another d.")
    return jnp.exp((jnp.log(A) - jnp.log(B)) / (4 / d - 1))


@law(
    output="probability",
    reference="Tian 2025, arXiv:2509.21519",
    n=Positive(100.0, 1e5, unit="pairs seen"),
    M=Interval(3.0, 300.0, unit="elements"),
    c=Positive(0.3, 10.0),
    s=Positive(1.0, 10.0),
)
def generalisation_boundary(n, M, *, c, s):
    r"""Chance that a network generalises from some of the pairs of a group: the boundary of grokking.

        P(n, M) = 1 / (1 + (c M log M / n)^s)

    Symbols: n training pairs of the M^2; M order of the group; c M log M the pairs at which half of the networks generalise (natural
    logarithm), in shares of all pairs c log M / M; s how sharp the boundary is.

    Note: the paper proves that n of order M log M suffices; the logistic form is ours, to fit boundaries with outcomes of 0 and 1.
    `papers.feature_survival` simulates it.

    Example:
        >>> from scalejax import laws
        >>> import math
        >>> round(laws.generalisation_boundary(20 * math.log(10), 10.0, c=2.0, s=8.0), 9)
        0.5
    """
    return jax.nn.sigmoid(s * (jnp.log(n) - jnp.log(c) - jnp.log(M) - jnp.log(jnp.log(M))))
