"""The critical batch: how many steps and tokens a loss takes at a finite batch, and the loss itself."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.domains import Positive
from ...core.law import Published, law
from ...core.numerics import power
from ...core.roots import root
from ..scale.kaplan import ALPHA_K, ALPHA_S, KAPLAN, N_C, N_NE, S_C

_SU = "Su et al. 2024, arXiv:2403.06563"
_L = Positive(1.0, 8.0, unit="nats/token")
_B_STAR = Positive(1e6, 1e10, unit="tokens")
_ALPHA_B = Positive(0.1, 0.6)
_STEPS = Positive(1e2, 1e7, unit="optimiser steps")
_BATCH = Positive(1e3, 1e8, unit="tokens")


@law(
    output="B_crit",
    reference=f"{KAPLAN}, eq. 1.4",
    L=_L,
    B_star=_B_STAR,
    alpha_B=_ALPHA_B,
    published={
        "kaplan2020": Published({"B_star": 2e8, "alpha_B": 0.21}, "WebText2; tokens, nats/token", "eq. 1.4", "verified"),
        "kaplan2020_fit": Published({"B_star": 2.1e8, "alpha_B": 0.21}, "WebText2, with one digit more", "figure 10 and table 5"),
        "su2024": Published({"B_star": 1.7e8, "alpha_B": 0.205}, "C4, context 1024; tokens, nats/token", f"{_SU}, section 3", "recalled"),
    },
)
def critical_batch(L, *, B_star, alpha_B):
    r"""Critical batch from the loss alone: there a run takes twice the fewest steps, and twice the fewest tokens.

        B_crit(L) = B_star / L^(1 / alpha_B)

    Symbols: L nats/token that the run has reached; B_crit tokens; B_star the critical batch at 1 nat/token. It does not depend on the
    size of the model, and doubles whenever the loss falls by the factor 2^alpha_B (by 13.5 % for 0.21).

    Example:
        >>> from scalejax import laws
        >>> f"{laws.critical_batch(3.0, **laws.critical_batch.published['kaplan2020']):.4g}"
        '1.069e+06'
    """
    return B_star * power(L, -1 / alpha_B)


@law(
    output="S",
    reference="McCandlish et al. 2018, arXiv:1812.06162",
    linear=("S_min", "E_min"),
    B=_BATCH,
    S_min=Positive(1e2, 1e6, unit="optimiser steps"),
    E_min=Positive(1e7, 1e12, unit="tokens"),
)
def steps_to_loss(B, *, S_min, E_min):
    r"""Optimiser steps to one and the same loss at any batch.

        S(B) = S_min (1 + B_crit / B) = S_min + E_min / B,    B_crit = E_min / S_min

    Symbols: B tokens of a batch; S steps to the loss; S_min the fewest steps (B >> B_crit); E_min the fewest tokens (B << B_crit). With
    E = B S it is the hyperbola (S / S_min - 1) (E / E_min - 1) = 1. One pair (S_min, E_min) for every loss, and every model: fit it with
    `by=`. B and E may count sequences or examples instead of tokens.

    Example:
        >>> from scalejax import laws
        >>> laws.steps_to_loss(1e6, S_min=1e4, E_min=1e10)  # at B_crit
        20000.0
    """
    return S_min + E_min / B


@law(
    reference=f"{_SU}; {KAPLAN}, eqs. 1.6 and 5.4",
    N=N_NE,
    S=_STEPS,
    B=_BATCH,
    N_c=N_C,
    alpha_N=ALPHA_K,
    S_c=S_C,
    alpha_S=ALPHA_S,
    B_star=_B_STAR,
    alpha_B=_ALPHA_B,
    published={
        "kaplan2020": Published(
            {"N_c": 6.5e13, "alpha_N": 0.077, "S_c": 2.1e3, "alpha_S": 0.76, "B_star": 2e8, "alpha_B": 0.21},
            "WebText2, constants of the learning curve and of the critical batch together", "table 3 and eq. 1.4",
        ),
        "su2024": Published(
            {"N_c": 1.5e14, "alpha_N": 0.076, "S_c": 2.6e3, "alpha_S": 0.67, "B_star": 1.7e8, "alpha_B": 0.205},
            "C4, context 1024, from models of 1M to 60M parameters", "section 3", "recalled",
        ),
    },
)  # fmt: skip
def kaplan_trajectory(N, S, B, *, N_c, alpha_N, S_c, alpha_S, B_star, alpha_B):
    r"""Learning curve with unlimited data at any batch; the loss is defined implicitly, since it sets its own critical batch.

        L = (N_c / N)^alpha_N + (S_c / S_min)^alpha_S,    S_min = S / (1 + B_crit(L) / B),    B_crit(L) = B_star / L^(1 / alpha_B)

    Symbols: N non-embedding parameters; S optimiser steps; B tokens of a batch; L nats/token. For B >> B_crit it is `kaplan_steps`. There
    is exactly one solution L > 0 (the right-hand side falls with L); derivatives follow from the implicit function theorem.

    Note: the law holds after warm-up, at a constant learning rate or one decayed in proportion, and for data seen once. B_crit belongs to
    the loss at the end of the S steps; that it was smaller before is part of the fitted constants.

    Example:
        >>> from scalejax import laws
        >>> curve = laws.kaplan_trajectory
        >>> round(curve(1e9, 1e5, 5e5, **curve.published["kaplan2020"]), 5)
        2.54591
    """
    # In logs: log L = logaddexp(log a, log s + alpha_S log(1 + B_crit / B)), with a slope of at least 1 between its two sides.
    log_a, log_s = alpha_N * jnp.log(N_c / N), alpha_S * jnp.log(S_c / S)
    log_k, q = jnp.log(B_star / B), 1 / alpha_B
    low = jnp.logaddexp(log_a, log_s)  # infinite batch
    high = jnp.logaddexp(log_a, log_s + alpha_S * jax.nn.softplus(log_k - q * low))
    return jnp.exp(root(_excess, low - 1, high + 1, log_a, log_s, log_k, q, alpha_S))


def _excess(log_L, log_a, log_s, log_k, q, alpha_S):
    return log_L - jnp.logaddexp(log_a, log_s + alpha_S * jax.nn.softplus(log_k - q * log_L))
