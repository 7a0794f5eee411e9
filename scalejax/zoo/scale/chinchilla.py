"""Chinchilla and its nearest relatives: an irreducible loss plus power laws of parameters and tokens."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.errors import DecisionError
from ...core.laws.domains import Positive
from ...core.laws.formula import formula
from ...core.laws.law import law
from ...core.numeric.powers import power
from .. import ranges

_SLOPE = Positive(0.005, 0.3)  # of a loss without a constant


@law(
    reference="Hoffmann et al. 2022, arXiv:2203.15556",
    linear=("E", "A", "B"),
    N=ranges.N,
    D=ranges.D,
    E=ranges.E,
    A=Positive(1.0, 1e6),
    alpha=ranges.EXPONENT,
    B=Positive(1.0, 1e6),
    beta=ranges.EXPONENT,
    published="chinchilla.toml",
)
def chinchilla(N, D, *, E, A, alpha, B, beta):
    r"""Loss of a single-epoch run from parameters and tokens: the default law of the field.

        L(N, D) = E + A N^-alpha + B D^-beta

    Symbols: N total parameters, embeddings included; D training tokens, seen once; L nats/token; E the entropy of text.
    Under 6 N D = C the optimum is N = G (C/6)^a, D = (C/6)^b / G with G = (alpha A / (beta B))^(1/(alpha+beta)),
    a = beta/(alpha+beta), b = alpha/(alpha+beta). Runs on one ray D = k N determine the exponents badly, and not
    which of the two belongs to N.
    For the variant with tied exponents pass `tie={"beta": "alpha"}` to `fit`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.chinchilla(2.217e9, 7.518e10, **laws.chinchilla.published["hoffmann2022"]), 5)
        2.29549
    """
    return E + A * power(N, -alpha) + B * power(D, -beta)


@law(
    reference="Hoffmann et al. 2022, arXiv:2203.15556 with an outer exponent as in Kaplan et al. 2020, arXiv:2001.08361",
    linear=("E",),
    N=ranges.N,
    D=ranges.D,
    E=ranges.E,
    A=Positive(1.0, 1e8),
    alpha=ranges.EXPONENT,
    B=Positive(1.0, 1e8),
    beta=ranges.EXPONENT,
    q=Positive(0.1, 1.5),
    published="chinchilla.toml",
)
def chinchilla_outer(N, D, *, E, A, alpha, B, beta, q):
    r"""Chinchilla with one outer exponent more, which removes most of its misfit on public sweeps.

        L(N, D) = E + (A N^-alpha + B D^-beta)^q

    Symbols: as `chinchilla`; q = 1 is `chinchilla`, E = 0 and q = alpha_D is `kaplan`. The compute-optimal exponents
    a = beta/(alpha+beta) and b do not depend on q; the loss along the frontier falls with q alpha beta/(alpha+beta).

    Example:
        >>> from scalejax import laws
        >>> laws.chinchilla_outer(1.0, 1.0, E=1.0, A=2.0, alpha=0.3, B=2.0, beta=0.3, q=0.5)
        3.0
    """
    return E + power(A * power(N, -alpha) + B * power(D, -beta), q)


@law(
    reference="Choshen et al. 2024, arXiv:2410.11840 (repository), beside Hoffmann et al. 2022, arXiv:2203.15556",
    linear=("A",),
    N=ranges.N,
    D=ranges.D,
    A=Positive(1.0, 1e4),
    alpha=_SLOPE,
    beta=_SLOPE,
)
def chinchilla_product(N, D, *, A, alpha, beta):
    r"""Product of the power laws of parameters and tokens: a baseline that a good law must beat.

        L(N, D) = A N^-alpha D^-beta

    Symbols: as `chinchilla`; E, A and B of the sum enter as one factor A here. With alpha = beta the loss depends on compute alone, else
    the best run of a budget lies at the largest or the smallest size: it has no inner optimum.

    Example:
        >>> from scalejax import laws
        >>> round(laws.chinchilla_product(1e8, 1e10, A=20.0, alpha=0.05, beta=0.05), 6)
        2.517851
    """
    return A * power(N, -alpha) * power(D, -beta)


@formula
def elasticity_of_substitution(law, between=("N", "D"), **inputs):
    r"""Relative change of the ratio D/N along a line of equal loss, over that of the rate at which the two trade, for any law.

        sigma = dlog(D/N) / dlog(L_N / L_D)  at constant L
              = (f_n + f_d) / [ f_n + f_d - (f_nn f_d - f_nd f_n) / f_n + (f_nd f_d - f_dd f_n) / f_d ]

    with f the law in n = log N and d = log D, by automatic differentiation. At 1 a budget share is fixed whatever the prices; below 1 the
    scarcer input is hard to replace. `chinchilla` has 1 / (1 + beta s_N + alpha s_D), s_N = alpha A N^-alpha / (alpha A N^-alpha +
    beta B D^-beta) and s_D = 1 - s_N.

    Args:
        law: the law at its parameters; `derive` gives it.
        between: names of two scalar inputs on which the loss depends.
        inputs: numbers or arrays of one shape for all inputs of the law.

    Returns:
        sigma in the inputs' shape.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> found = sj.derive((law, law.published["besiroglu2024"]), sj.formulas.elasticity_of_substitution, N=70e9, D=1.4e12)
        >>> round(found.value, 4)
        0.737

    References: Hoffmann et al. 2022, arXiv:2203.15556, for the law; the elasticity is the textbook's.
    """
    for name in (*between, *inputs, *law.inputs):
        if name not in law.inputs or name not in inputs:
            raise DecisionError(f"elasticity_of_substitution() needs the inputs {', '.join(law.inputs)}, once each; check {name!r}.")
    values = jnp.broadcast_arrays(*(inputs[name] for name in law.inputs))
    rows = {name: jnp.ravel(v) for name, v in zip(law.inputs, values, strict=True)}

    def loss(logs, row):
        return law(**{**row, **{name: jnp.exp(x) for name, x in zip(between, logs, strict=True)}})

    logs = jnp.log(jnp.stack([rows[name] for name in between], axis=-1))
    first, second = jax.vmap(jax.grad(loss))(logs, rows), jax.vmap(jax.hessian(loss))(logs, rows)
    (f_n, f_d), (f_nn, f_nd, f_dd) = first.T, (second[:, 0, 0], second[:, 0, 1], second[:, 1, 1])
    bend = (f_nn * f_d - f_nd * f_n) / f_n - (f_nd * f_d - f_dd * f_n) / f_d
    return ((f_n + f_d) / (f_n + f_d - bend)).reshape(values[0].shape)
