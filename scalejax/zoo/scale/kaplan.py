"""Kaplan et al. 2020: loss from parameters, tokens, compute and steps, without an irreducible constant."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import Published, law
from ...core.numeric.powers import power
from .. import ranges

KAPLAN = "Kaplan et al. 2020, arXiv:2001.08361"
N_NE = Positive(1e3, 1e11, unit="non-embedding parameters")
N_C = Positive(1e6, 1e16, unit="non-embedding parameters")
D_C = Positive(1e6, 1e16, unit="tokens")
S_C = Positive(1.0, 1e6, unit="optimiser steps")
ALPHA_K = Positive(0.02, 1.0)
ALPHA_S = Positive(0.1, 2.0)
_PF_DAY = 8.64e19  # FLOPs


@law(
    reference=f"{KAPLAN}, eq. 1.1",
    N=N_NE,
    N_c=N_C,
    alpha_N=ALPHA_K,
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
    reference=f"{KAPLAN}, eq. 1.2",
    D=ranges.D,
    D_c=D_C,
    alpha_D=ALPHA_K,
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
    reference=f"{KAPLAN}, eq. 1.3",
    C_min=Positive(1e-8, 1e6, unit="PF-days"),
    C_c=Positive(1e-3, 1e12, unit="PF-days"),
    alpha_C=ALPHA_K,
    published={
        "kaplan2020": Published({"C_c": 3.1e8, "alpha_C": 0.050}, "batch far below critical; PF-days", "eq. 1.3", "verified"),
        "kaplan2020_fixed_batch": Published({"C_c": 1.6e7, "alpha_C": 0.057}, "naive C at fixed batch; PF-days", "appendix A", "recalled"),
        "brown2020": Published(
            {"C_c": 2.57 ** (1 / 0.048), "alpha_C": 0.048},
            "GPT-3 and its smaller siblings, validation loss; printed as 2.57 C^-0.048 with C in PF-days",
            "Brown et al. 2020, arXiv:2005.14165, figure 3.1",
            "verified",
        ),
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
    reference=f"{KAPLAN}, eq. 1.5",
    N=N_NE,
    D=ranges.D,
    N_c=N_C,
    alpha_N=ALPHA_K,
    D_c=D_C,
    alpha_D=ALPHA_K,
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
    return _one_outer_exponent(N, D, N_c, alpha_N, D_c, alpha_D)


def _one_outer_exponent(N, D, N_c, alpha_N, D_c, alpha_D):
    # In logs: the inner exponent alpha_N / alpha_D can be large.
    return jnp.exp(alpha_D * jnp.logaddexp(alpha_N / alpha_D * jnp.log(N_c / N), jnp.log(D_c / D)))


@law(
    reference="Fang et al. 2024, arXiv:2403.18684; ScalingNote, Huang et al. 2024, arXiv:2411.15766",
    linear=("delta",),
    N=Positive(1e5, 1e11, unit="non-embedding parameters"),
    D=Positive(1e3, 1e8, unit="annotated query-document pairs"),
    A=Positive(1e2, 1e8, unit="non-embedding parameters"),
    alpha=Positive(0.1, 2.0),
    B=Positive(1e1, 1e6, unit="annotated query-document pairs"),
    beta=Positive(0.1, 3.0),
    delta=Positive(1e-3, 1.0, zero=True),
)
def dense_retrieval(N, D, *, A, alpha, B, beta, delta):
    r"""Contrastive entropy of a dense retriever from the size of its encoder and the annotated pairs: `kaplan` plus a constant.

        L(N, D) = [ (A / N)^(alpha / beta) + B / D ]^beta + delta

    Symbols: N non-embedding parameters; D annotated query-document pairs; L contrastive entropy (nats for the number of negatives used);
    delta its floor. With delta = 0 it is `kaplan`. For a fixed 6 N D the best N grows as D^(beta / alpha), for any delta.

    Note: Fang et al. print alpha = 0.56 and beta = 1.31 for their joint law; the constants that belong to them are not at hand, so that
    there is no published set.

    Example:
        >>> from scalejax import laws
        >>> laws.dense_retrieval(1e6, 1e4, A=1e6, alpha=0.5, B=1e4, beta=1.0, delta=0.5)
        2.5
    """
    return _one_outer_exponent(N, D, A, alpha, B, beta) + delta


@law(
    reference=f"{KAPLAN}, section 4.1 (footnote)",
    N=N_NE,
    D=ranges.D,
    N_c=N_C,
    alpha_N=ALPHA_K,
    D_c=D_C,
    alpha_D=ALPHA_K,
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
    reference=f"{KAPLAN}, eq. 1.6",
    N=N_NE,
    S_min=Positive(1e2, 1e7, unit="optimiser steps"),
    N_c=N_C,
    alpha_N=ALPHA_K,
    S_c=S_C,
    alpha_S=ALPHA_S,
    published={
        "kaplan2020": Published(
            {"N_c": 6.5e13, "alpha_N": 0.077, "S_c": 2.1e3, "alpha_S": 0.76}, "WebText2, batch far above critical", "table 3"
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


@formula
def overfitting_tokens(N, N_c, alpha_N, D_c, alpha_D, excess=0.02):
    r"""Tokens below which overfitting costs more than a given share of the loss, under `laws.kaplan`.

        D = D_c (N / N_c)^(alpha_N / alpha_D) / ((1 + excess)^(1 / alpha_D) - 1)

    Args:
        N: non-embedding parameters, one or several.
        N_c, alpha_N, D_c, alpha_D: parameters of `laws.kaplan`.
        excess: L(N, D) / L(N, inf) - 1, 0.02 in the paper (its spread between seeds).

    Returns:
        Tokens in the shape of N.

    Example:
        >>> import scalejax as sj
        >>> f"{sj.formulas.overfitting_tokens(1e9, **sj.laws.kaplan.published['kaplan2020']):.3g}"
        '2.41e+10'

    References: Kaplan et al. 2020, arXiv:2001.08361, eqs. 4.3 and 4.4 (D > 5e3 N^0.74).
    """
    require(N > 0, "N={N} must be positive.", N=N)
    require(excess > 0, "excess={excess} must be positive.", excess=excess)
    return D_c * power(N / N_c, alpha_N / alpha_D) / jnp.expm1(jnp.log1p(excess) / alpha_D)


@formula
def early_stopping_step(loss, loss_infinite, S_c, alpha_S):
    r"""Least optimiser steps at which a run on limited data stops improving.

        S_stop >= S_c / (L(N, D) - L(N, inf))^(1 / alpha_S)

    Args:
        loss: L(N, D) of the run stopped in time, `laws.kaplan`.
        loss_infinite: L(N, inf) of the same size on unlimited data; below `loss`.
        S_c, alpha_S: parameters of `laws.kaplan_steps`.

    Returns:
        Steps, as the losses.

    Example:
        >>> import scalejax as sj
        >>> round(sj.formulas.early_stopping_step(2.5, 2.4, S_c=2.1e3, alpha_S=0.76))
        43452

    References: Kaplan et al. 2020, arXiv:2001.08361, eq. 5.7.
    """
    gap = loss - loss_infinite
    require(gap > 0, "early_stopping_step() needs loss above loss_infinite: limited data cannot help.")
    return S_c * gap ** (-1 / alpha_S)


@formula
def contradiction_point(C_c, alpha_C, D_c, alpha_D, N_1=1.3e9, p=0.73):
    r"""Where the law of compute promises a lower loss than the law of data allows: there the laws must break down.

        (C_c / C)^alpha_C = (D_c / D)^alpha_D,    N = N_1 C^p,    D = 2 C / (6 N)

    Args:
        C_c, alpha_C: parameters of `laws.kaplan_compute`, PF-days.
        D_c, alpha_D: parameters of `laws.kaplan_data`, tokens.
        N_1, p: size of the best model at 1 PF-day, and the power with which it grows; by default those of the paper.

    Returns:
        "C" (PF-days), "N", "D" (tokens, for a batch at the critical one) and "L" (nats/token). Small changes of the exponents move C by an
        order of magnitude, as the paper says of its own.

    Example:
        >>> import scalejax as sj
        >>> compute, data = (sj.laws[name].published["kaplan2020"] for name in ("kaplan_compute", "kaplan_data"))
        >>> point = sj.formulas.contradiction_point(**compute, **data)
        >>> f"{point['C']:.1e} PF-days, {point['L']:.2f} nats"
        '1.7e+04 PF-days, 1.63 nats'

    References: Kaplan et al. 2020, arXiv:2001.08361, section 6.3.
    """
    slope = alpha_C - (1 - p) * alpha_D  # of the logarithm of the two losses' ratio
    wrong = "With alpha_C={alpha_C} and (1 - p) alpha_D={other} data never limit the best models."
    require(slope > 0, wrong, alpha_C=alpha_C, other=(1 - p) * alpha_D)
    D_1 = 2 * _PF_DAY / (6 * N_1)
    C = jnp.exp((alpha_C * jnp.log(C_c) - alpha_D * jnp.log(D_c / D_1)) / slope)
    return {"C": C, "N": N_1 * C**p, "D": D_1 * C ** (1 - p), "L": (C_c / C) ** alpha_C}
