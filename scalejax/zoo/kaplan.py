"""Kaplan et al. 2020: loss from parameters, tokens, compute and steps, without an irreducible constant."""

from __future__ import annotations

import jax.numpy as jnp

from ..core.domains import Positive
from ..core.law import Published, law
from ..core.numerics import power
from . import ranges

_KAPLAN = "Kaplan et al. 2020, arXiv:2001.08361"
_N_NE = Positive(1e3, 1e11, unit="non-embedding parameters")
_ALPHA_K = Positive(0.02, 1.0)


@law(
    reference=f"{_KAPLAN}, eq. 1.1",
    N=_N_NE,
    N_c=Positive(1e6, 1e16, unit="non-embedding parameters"),
    alpha_N=_ALPHA_K,
    published={"kaplan2020": Published({"N_c": 8.8e13, "alpha_N": 0.076}, "WebText2, to convergence", "eq. 1.1", "verified")},
)
def kaplan_params(N, *, N_c, alpha_N):
    r"""Loss at convergence with unlimited data, from the number of parameters.

        L(N) = (N_c / N)^alpha_N

    Symbols: N non-embedding parameters; L nats/token.

    Example:
        >>> from scalejax import laws
        >>> round(laws.kaplan_params(1e9, **laws.kaplan_params.published["kaplan2020"]), 5)
        2.37564
    """
    return power(N_c / N, alpha_N)


@law(
    reference=f"{_KAPLAN}, eq. 1.2",
    D=ranges.D,
    D_c=Positive(1e6, 1e16, unit="tokens"),
    alpha_D=_ALPHA_K,
    published={"kaplan2020": Published({"D_c": 5.4e13, "alpha_D": 0.095}, "WebText2, large model, early stopped", "eq. 1.2", "verified")},
)
def kaplan_data(D, *, D_c, alpha_D):
    r"""Loss of a large, early-stopped model from the number of tokens.

        L(D) = (D_c / D)^alpha_D

    Symbols: D tokens (repeated as needed, early stopped); L nats/token.

    Example:
        >>> from scalejax import laws
        >>> round(laws.kaplan_data(5.4e13, **laws.kaplan_data.published["kaplan2020"]), 6)
        1.0
    """
    return power(D_c / D, alpha_D)


@law(
    reference=f"{_KAPLAN}, eq. 1.3",
    C_min=Positive(1e-8, 1e6, unit="PF-days"),
    C_c=Positive(1e-3, 1e12, unit="PF-days"),
    alpha_C=_ALPHA_K,
    published={
        "kaplan2020": Published({"C_c": 3.1e8, "alpha_C": 0.050}, "batch far below critical; PF-days", "eq. 1.3", "verified"),
        "kaplan2020_fixed_batch": Published({"C_c": 1.6e7, "alpha_C": 0.057}, "naive C at fixed batch; PF-days", "appendix A", "recalled"),
    },
)  # fmt: skip
def kaplan_compute(C_min, *, C_c, alpha_C):
    r"""Loss of the best model for a compute budget.

        L(C_min) = (C_c / C_min)^alpha_C

    Symbols: C_min compute in PF-days (8.64e19 FLOPs) at a batch far below the critical one; L nats/token.

    Example:
        >>> from scalejax import laws
        >>> round(laws.kaplan_compute(1.0, **laws.kaplan_compute.published["kaplan2020"]), 4)
        2.6581
    """
    return power(C_c / C_min, alpha_C)


@law(
    reference=f"{_KAPLAN}, eq. 1.5",
    N=_N_NE,
    D=ranges.D,
    N_c=Positive(1e6, 1e16, unit="non-embedding parameters"),
    alpha_N=_ALPHA_K,
    D_c=Positive(1e6, 1e16, unit="tokens"),
    alpha_D=_ALPHA_K,
    published={
        "kaplan2020": Published(
            {"N_c": 6.4e13, "alpha_N": 0.076, "D_c": 1.8e13, "alpha_D": 0.103}, "WebText2, early stopped", "table 2", "verified"
        ),
    },
)  # fmt: skip
def kaplan(N, D, *, N_c, alpha_N, D_c, alpha_D):
    r"""Joint loss in parameters and tokens with one common outer exponent: the overfitting law.

        L(N, D) = [ (N_c / N)^(alpha_N / alpha_D) + D_c / D ]^alpha_D

    Symbols: N non-embedding parameters; D tokens, repeated as needed and early stopped; L nats/token.

    Example:
        >>> from scalejax import laws
        >>> round(laws.kaplan(1.5e9, 23e9, **laws.kaplan.published["kaplan2020"]), 5)
        2.31006
    """
    # In logs: the inner exponent alpha_N / alpha_D can be large.
    return jnp.exp(alpha_D * jnp.logaddexp(alpha_N / alpha_D * jnp.log(N_c / N), jnp.log(D_c / D)))


@law(
    reference=f"{_KAPLAN}, section 4.1 (footnote)",
    N=_N_NE,
    D=ranges.D,
    N_c=Positive(1e6, 1e16, unit="non-embedding parameters"),
    alpha_N=_ALPHA_K,
    D_c=Positive(1e6, 1e16, unit="tokens"),
    alpha_D=_ALPHA_K,
    beta=Positive(0.1, 3.0),
)
def kaplan_outer(N, D, *, N_c, alpha_N, D_c, alpha_D, beta):
    r"""Joint loss with a free outer exponent: the alternative that the paper names and does not fit.

        L(N, D) = [ (N_c / N)^alpha_N + (D_c / D)^alpha_D ]^beta

    Symbols: as `kaplan`. With beta = alpha_D' and inner exponents divided by it, this is `kaplan`; no constants are published.

    Example:
        >>> from scalejax import laws
        >>> laws.kaplan_outer(1e6, 1e9, N_c=1e6, alpha_N=0.1, D_c=1e9, alpha_D=0.1, beta=2.0)
        4.0
    """
    return power(power(N_c / N, alpha_N) + power(D_c / D, alpha_D), beta)


@law(
    reference=f"{_KAPLAN}, eq. 1.6",
    N=_N_NE,
    S_min=Positive(1e2, 1e7, unit="optimiser steps"),
    N_c=Positive(1e6, 1e16, unit="non-embedding parameters"),
    alpha_N=_ALPHA_K,
    S_c=Positive(1.0, 1e6, unit="optimiser steps"),
    alpha_S=Positive(0.1, 2.0),
    published={
        "kaplan2020": Published(
            {"N_c": 6.5e13, "alpha_N": 0.077, "S_c": 2.1e3, "alpha_S": 0.76}, "WebText2, batch far above critical", "table 3", "recalled"
        ),
    },
)  # fmt: skip
def kaplan_steps(N, S_min, *, N_c, alpha_N, S_c, alpha_S):
    r"""Learning curve with unlimited data, from parameters and optimiser steps.

        L(N, S_min) = (N_c / N)^alpha_N + (S_c / S_min)^alpha_S

    Symbols: S_min = S / (1 + B_crit(L) / B), steps at a batch far above the critical one; L nats/token.

    Example:
        >>> from scalejax import laws
        >>> round(laws.kaplan_steps(6.5e13, 2.1e3, **laws.kaplan_steps.published["kaplan2020"]), 6)
        2.0
    """
    return power(N_c / N, alpha_N) + power(S_c / S_min, alpha_S)
