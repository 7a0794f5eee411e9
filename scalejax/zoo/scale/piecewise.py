"""Learning curves that bend for few examples and are straight for many."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.law import law


@law(
    output="error",
    reference="Jain et al. 2023, arXiv:2303.01598",
    linear=("A",),
    n=Positive(1.0, 1e4, unit="samples (per class)"),
    A=Positive(0.1, 1e2),
    alpha=Positive(0.05, 1.0),
    q_2=Real(-0.2, 0.02),
    n_s=Positive(5.0, 500.0, unit="samples (per class)"),
)
def few_shot_power_law(n, *, A, alpha, q_2, n_s):
    r"""Piecewise power law: curved in log-log axes for few samples, a power law beyond a switch point.

        log e(n) = log A - alpha log n + q_2 min(log n - log n_s, 0)^2

    Symbols: n samples, per class or in all; e error, 1 - score; A, alpha the power law for n >= n_s; n_s the switch; q_2 curvature below
    it: negative where a few samples teach little, so that a power law through them asks for too many. q_2 = 0 is `m1`.

    Note: the same curve as the paper's quadratic that continues as its tangent, log e = q_0 + q_1 x + q_2 x^2 with x = log n: here
    q_1 = -alpha - 2 q_2 log n_s and q_0 = log A + q_2 (log n_s)^2; value and slope are continuous. The form is recalled, apart from its
    two regimes. The paper learns switch and curvature from other data sets' curves with a random forest; a hierarchical model does the
    same here: `fit(..., by="dataset").sample(...)` borrows between data sets, and `formulas.prediction_horizon` tells how far to trust.

    Example:
        >>> from scalejax import laws
        >>> [round(laws.few_shot_power_law(n, A=2.0, alpha=0.5, q_2=-0.1, n_s=100.0), 4) for n in (1.0, 100.0, 1e4)]
        [0.2399, 0.2, 0.02]
    """
    x = jnp.log(n)
    return A * jnp.exp(q_2 * jnp.minimum(x - jnp.log(n_s), 0.0) ** 2 - alpha * x)
