"""Growth: when to stack the layers of a small trained model into a deep one."""

from __future__ import annotations

from math import log

import jax.numpy as jnp

from ...core.laws.domains import Real
from ...core.laws.law import law
from ...core.laws.published import Published
from .. import ranges


@law(
    output="d",
    reference="Du et al. 2024, arXiv:2405.15319",
    N=ranges.N,
    C=ranges.C,
    a=Real(0.0, 2.0),
    b=Real(0.0, 400.0),
    c=Real(-20.0, 20.0),
    published={
        "du2024": Published(
            {"a": 0.88, "b": 163.27, "c": -5.74}, "stacks of four, 410M to 3B parameters on SlimPajama; C = 6 N D with N after growth",
            "README of the authors' repository, tongxuluo/prts", "verified",
        ),
    },
)  # fmt: skip
def growth_tokens(N, C, *, a, b, c):
    r"""Tokens that a small model is trained on before its layers are stacked into one four times as deep.

        log10 d = a log10 N + b / log10 C + c

    Symbols: d tokens of the small model; N parameters after stacking; C FLOPs of training, 6 N D for the D tokens that would be spent
    without growth. Longer training wants earlier growth (b > 0). Each observation is itself an optimum: that of a polynomial of the loss
    in log10 d for one N and C. On logarithms the law is linear in its parameters.

    Example:
        >>> from scalejax import laws
        >>> f"{laws.growth_tokens(7e9, 6 * 7e9 * 2e12, **laws.growth_tokens.published['du2024']):.4g}"
        '1.111e+10'
    """
    ten = log(10.0)
    return jnp.exp(a * jnp.log(N) + ten * (ten * b / jnp.log(C) + c))
