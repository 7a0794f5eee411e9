"""Parallel streams: several forward passes of one model, whose outputs are combined."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.law import law
from ...core.laws.published import Published
from .. import ranges

_CHEN = "Chen et al. 2025, arXiv:2505.10475"


@law(
    reference=_CHEN,
    N=ranges.N,
    P=Positive(1.0, 16.0, unit="streams"),
    E=ranges.E,
    A=Positive(1e5, 1e10, unit="parameters"),
    alpha=ranges.EXPONENT,
    k=Positive(0.05, 2.0, zero=True),
    published={
        "chen2025_stack": Published(
            dict(E=0.691237, A=1.130616e7, alpha=0.189371, k=0.393463), context="Stack-V2 Python, 42B tokens, 0.54B to 4.4B parameters",
            source="table of the fits", status="verified",
        ),
        "chen2025_pile": Published(
            dict(E=1.2886, A=1.9752e8, alpha=0.1963, k=0.3344), context="Pile, 42B tokens; refit by the authors' recipe",
            source="losses in parametric_fit.py", status="recalled",
        ),
    },
)  # fmt: skip
def parallel_streams(N, P, *, E, A, alpha, k):
    r"""Loss of a model that runs P streams in parallel over the same weights.

        L(N, P) = E + ( A / (N (1 + k ln P)) )^alpha

    Symbols: N parameters without embeddings, those of the streams included; P streams; L nats/token; A parameters; k by how much an e-fold
    of streams is worth more parameters: N (1 + k ln P) parameters with one stream give the same loss (`sj.equivalent`). Tokens are fixed,
    so that E holds the term of the data.

    Example:
        >>> from scalejax import laws
        >>> round(laws.parallel_streams(2.8e9, 4.0, **laws.parallel_streams.published["chen2025_stack"]), 5)
        1.01548
    """
    return E + jnp.exp(alpha * (jnp.log(A) - jnp.log(N) - jnp.log1p(k * jnp.log(P))))
