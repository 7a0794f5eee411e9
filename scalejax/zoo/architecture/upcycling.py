"""Upcycling: a mixture of experts that starts from a trained dense model."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.law import law
from .. import ranges


@law(
    reference="Liew, Kato and Takase 2025, arXiv:2502.03009",
    linear=("A", "B", "E"),
    D1=Positive(1e8, 1e13, unit="tokens"),
    D2=ranges.D,
    N=ranges.N,
    A=Positive(1.0, 1e5),
    alpha1=Positive(1e-2, 0.5, zero=True),
    alpha2=ranges.EXPONENT,
    alpha3=Positive(1e-4, 0.02, zero=True),
    B=Positive(1.0, 1e5),
    beta=ranges.EXPONENT,
    E=ranges.E,
    published="upcycling.toml",
)
def upcycled_moe(D1, D2, N, *, A, alpha1, alpha2, alpha3, B, beta, E):
    r"""Loss of a mixture of experts that was made of a dense model and trained further.

        L(D1, D2, N) = A D1^-alpha1 D2^-(alpha2 - alpha3 ln D1) + B N^-beta + E

    Symbols: D1 tokens that the dense model was trained on; D2 tokens after upcycling; N parameters of the dense model without embeddings,
    whatever the mixture's are; L nats/token. ln is natural, tokens are not scaled.
    The more the dense model has learnt, the less further tokens help: the exponent is alpha2 - alpha3 ln D1.

    From scratch is D1 = 1, where alpha1 and alpha3 do not count: L = A D2^-alpha2 + B N^-beta + E. So one fit holds dense runs, mixtures
    from scratch and upcycled ones with a floor that all share: `by={n: "kind" for n in ("A", "alpha1", "alpha2", "alpha3", "B", "beta")}`,
    and `bind(E=...)` or `fix={"E": ...}` keeps the floor of a fit before. `break_even` over D2 says up to where upcycling pays.

    Example:
        >>> from scalejax import laws
        >>> numbers = laws.upcycled_moe.published["liew2025"]
        >>> round(laws.upcycled_moe(2.3e9, 4.6e9, 1e8, **numbers), 3)
        2.676
    """
    d1, d2 = jnp.log(D1), jnp.log(D2)
    return A * jnp.exp(-alpha1 * d1 - (alpha2 - alpha3 * d1) * d2) + B * jnp.exp(-beta * jnp.log(N)) + E
