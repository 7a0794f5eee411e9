"""Farseer: a loss surface whose data term changes its exponent and its size with the model."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.law import law
from .. import ranges

SIZE = 1e9  # parameters in the law's unit of size
_EXPONENT = Positive(0.02, 0.4)


@law(
    reference="Li et al. 2025 (Farseer), arXiv:2506.10972",
    N=ranges.N,
    D=ranges.D,
    a1=Positive(0.5, 8.0),
    alpha=_EXPONENT,
    b1=Real(-2.0, 4.0),
    a2=Positive(2.0, 20.0),
    beta=_EXPONENT,
    b2=Real(-10.0, 5.0),
    a3=Positive(0.2, 5.0),
    gamma=_EXPONENT,
    b3=Real(-2.0, 3.0),
    published="farseer.toml",
)
def farseer(N, D, *, a1, alpha, b1, a2, beta, b2, a3, gamma, b3):
    r"""Loss of a single-epoch run where exponent and size of the data term depend on the model.

        L(N, D) = E(N) + B(N) D^-A(N)
        log E(N) = b3 - a3 n^gamma,    log B(N) = b2 + a2 n^-beta,    log A(N) = b1 - a1 n^alpha,    n = N / 1e9

    Symbols: N parameters; D training tokens, seen once; L in the unit of the runs (bits per character in the paper). Larger models have
    a smaller E and B, and a smaller exponent A: they gain less from the next token, so that optimal D / N changes with compute. The
    optimum has no closed form: `allocate(..., bounds={"N": (1e7, 1e11)})` finds it. Without bounds an immense model without data comes out,
    whose E and B vanish: the law holds near its runs only.
    Note: the paper takes N in single parameters and gives a1 and a3 < 0 and beta < 0 their signs; both conventions are the same law, since
    a N^c = a 1e9^c (N / 1e9)^c. In single parameters the constants overflow as soon as a fit moves them.

    Example:
        >>> from scalejax import laws
        >>> round(laws.farseer(2.4270e9, 6.8672e10, **laws.farseer.published["tokar2025"]), 4)
        0.4885
    """
    log_n = jnp.log(N / SIZE)
    data = b2 + a2 * jnp.exp(-beta * log_n) - jnp.exp(b1 - a1 * jnp.exp(alpha * log_n)) * jnp.log(D)
    return jnp.exp(b3 - a3 * jnp.exp(gamma * log_n)) + jnp.exp(data)
