"""Farseer: a loss surface whose data term changes its exponent and its size with the model."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.law import Published, law
from .. import ranges

SIZE = 1e9  # parameters in the law's unit of size
_EXPONENT = Positive(0.02, 0.4)


def _raw(a1, alpha, b1, a2, beta, b2, a3, gamma, b3):
    """Constants for N in parameters, as the paper prints them, in this law's signs and unit of size: a N^c = a SIZE^c (N / SIZE)^c."""
    return {
        "a1": -a1 * SIZE**alpha, "alpha": alpha, "b1": b1, "a2": a2 * SIZE**beta, "beta": -beta, "b2": b2,
        "a3": -a3 * SIZE**gamma, "gamma": gamma, "b3": b3,
    }  # fmt: skip


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
    published={
        "tokar2025": Published(
            {
                "a1": 3.64018052694574, "alpha": 0.04227158138097161, "b1": 2.426767169414907,
                "a2": 6.521067537526011, "beta": 0.12577666979396562, "b2": -1.8538051793707684,
                "a3": 2.0823163727130565, "gamma": 0.05307598573983473, "b3": 1.277014316755749,
            },
            "404 English runs, bits per character, N in 1e9 parameters, D in tokens; least squares on log loss by a third party",
            "yigitokar/scaling-laws-as-production-functions, farseer_eq3_theta.csv",
            "verified",
        ),
        "li2025": Published(
            _raw(a1=-0.124, alpha=0.123, b1=0.424, a2=88.01, beta=-0.1, b2=-5.8287, a3=-0.021, gamma=0.169, b3=0.091),
            "the authors' English setting, bits per character; their constants for N in parameters, turned to N in 1e9 exactly",
            "equation with fitted constants",
            "recalled",
        ),
    },
)  # fmt: skip
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
