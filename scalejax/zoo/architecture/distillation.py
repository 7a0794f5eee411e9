"""Distillation: the loss of a student that learns from the predictions of a teacher."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.law import law
from ...core.numeric.powers import softplus
from .. import ranges

_NATS = "nats/token"
_LOSS = Positive(1.5, 4.0, unit=_NATS)
_COEFFICIENT = Positive(1e1, 1e6)


@law(
    reference="Busbridge et al. 2025, arXiv:2502.08606",
    N=ranges.N,
    D=ranges.D,
    L_T=_LOSS,
    Lt=_LOSS,
    A=_COEFFICIENT,
    alpha=ranges.EXPONENT,
    B=_COEFFICIENT,
    beta=ranges.EXPONENT,
    gamma=ranges.EXPONENT,
    c0=Positive(0.1, 10.0),
    c1=Positive(1.0, 1e3),
    f1=Positive(0.02, 1.0),
    d1=Positive(0.3, 3.0),
    published="distillation.toml",
)
def distilled(N, D, L_T, Lt, *, A, alpha, B, beta, gamma, c0, c1, f1, d1):
    r"""Loss of a student from its size, the tokens it learns from, its teacher's loss and what it would reach without a teacher.

        L_S = L_T + L_T^-c0 (1 + (L_T / (Lt d1))^(1 / f1))^(-c1 f1) (A N^-alpha + B D^-beta)^gamma

    Symbols: N parameters of the student without embeddings; D tokens on which it learns from the teacher; L_T loss of the teacher; Lt loss
    of the same student trained on D tokens without a teacher, from a supervised law; L_S loss of the student, all in nats/token. Where
    L_T / Lt passes d1 the student outlearns its teacher, within a width of f1 in the logarithm. A better teacher first helps and then
    harms: the best one is no better than the student can follow, `sj.argmin(laws.distilled, {"L_T": ...})`.
    The paper's supervised law is `chinchilla_outer` with its set "busbridge2025". `sj.chain(Lt=laws.chinchilla_outer, loss=laws.distilled)`
    composes both; `sj.fit(..., staged=True)` of a table with supervised runs (Lt) and students (loss) holds the first in the second,
    as the paper does, and without `staged` both are fitted at once. `allocate` then chooses size and tokens for a teacher, L_T=...; with
    a third stage L_T for the teacher itself, and `costs.distillation`, it splits a budget between the two.

    Example:
        >>> import scalejax as sj
        >>> outer, distilled = sj.laws.chinchilla_outer, sj.laws.distilled
        >>> Lt = outer(546e6, 98.5e9, **outer.published["busbridge2025"])
        >>> round(distilled(546e6, 98.5e9, 1.9318, Lt, **distilled.published["busbridge2025"]), 4)
        2.2985
    """
    ratio = jnp.log(L_T) - jnp.log(Lt) - jnp.log(d1)
    own = jnp.logaddexp(jnp.log(A) - alpha * jnp.log(N), jnp.log(B) - beta * jnp.log(D))
    return L_T + jnp.exp(gamma * own - c0 * jnp.log(L_T) - c1 * f1 * softplus(ratio / f1))
