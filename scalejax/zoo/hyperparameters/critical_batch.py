"""The critical batch: how many steps and tokens a loss takes at a finite batch, and the loss itself."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import Published, law
from ...core.numeric.powers import power, softplus
from ...core.numeric.roots import root
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
    published="critical_batch.toml",
)
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
    high = jnp.logaddexp(log_a, log_s + alpha_S * softplus(log_k - q * low))
    return jnp.exp(root(_excess, low - 1, high + 1, log_a, log_s, log_k, q, alpha_S))


def _excess(log_L, log_a, log_s, log_k, q, alpha_S):
    return log_L - jnp.logaddexp(log_a, log_s + alpha_S * softplus(log_k - q * log_L))


@formula
def minimal_steps(S, B, B_crit):
    r"""Steps that the same loss would take at a batch far above the critical one.

        S_min = S / (1 + B_crit / B)

    Args:
        S: optimiser steps taken.
        B, B_crit: batch and critical batch at the loss reached, in one unit; see `laws.critical_batch`.

    Returns:
        Steps in the common shape.

    Example:
        >>> import scalejax as sj
        >>> sj.formulas.minimal_steps(2e4, B=1e6, B_crit=1e6)
        10000.0

    References: Kaplan et al. 2020, arXiv:2001.08361, eq. 5.4.
    """
    return S / (1.0 + B_crit / B)


@formula
def minimal_compute(C, B, B_crit):
    r"""Compute that the same loss would take at a batch far below the critical one.

        C_min = C / (1 + B / B_crit)

    Args:
        C: compute spent, in any unit.
        B, B_crit: as in `minimal_steps`.

    Returns:
        Compute in the common shape.

    Example:
        >>> import scalejax as sj
        >>> sj.formulas.minimal_compute(1e20, B=1e6, B_crit=1e6)
        5e+19

    References: Kaplan et al. 2020, arXiv:2001.08361, eq. 5.5.
    """
    return C / (1.0 + B / B_crit)


@formula
def compute_efficient(compute, N_c, alpha_N, S_c, alpha_S, B_star, alpha_B):
    r"""Best size for a compute budget under `laws.kaplan_trajectory`, at a batch far below the critical one.

        L = (C_c / C_min)^alpha_C,    1 / alpha_C = 1 / alpha_S + 1 / alpha_B + 1 / alpha_N
        C_c = 6 N_c B_star S_c (1 + r)^(1/alpha_S + 1/alpha_N) r^(-1/alpha_S),    r = alpha_N / alpha_S
        N = N_c ((1 + r) / L)^(1/alpha_N),    B_crit = B_star / L^(1/alpha_B),    S_min = C_min / (6 N B_crit)

    so that training stops at 1 + r times the loss of the converged model; `sj.allocate` finds the same without a closed form.

    Args:
        compute: C_min in FLOPs (a PF-day is `sj.costs.PF_DAY`), one or several.
        N_c, alpha_N, S_c, alpha_S, B_star, alpha_B: parameters of `laws.kaplan_trajectory`.

    Returns:
        "N", non-embedding parameters; "loss", nats/token; "B_crit", tokens; "S_min", steps at a batch far above B_crit; "D", tokens at the
        batch B_crit, where steps and compute are twice their minimum, 2 B_crit S_min; "C_c", FLOPs at which the loss would be 1
        nat/token; "excess", by which factor the loss lies above that of the converged model, 1 + r; and "exponent_N", "exponent_B",
        "exponent_S", "exponent_D", "exponent_L", the powers of C_min with which each grows, the loss falling.

    Example:
        >>> import scalejax as sj
        >>> source = (sj.laws.kaplan_trajectory, sj.laws.kaplan_trajectory.published["kaplan2020"])
        >>> best = sj.derive(source, sj.formulas.compute_efficient, compute=sj.costs.PF_DAY)
        >>> f"{best.N:.3g} {best.loss:.3f} {best.exponent_N:.3f}"
        '6.04e+08 2.688 0.681'

    References: Kaplan et al. 2020, arXiv:2001.08361, section 6 and appendix B.
    """
    require(compute > 0, "compute={compute} must be positive.", compute=compute)
    r = alpha_N / alpha_S
    alpha_C = 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N)
    log_C_c = jnp.log(6 * N_c) + jnp.log(B_star * S_c) + (1 / alpha_S + 1 / alpha_N) * jnp.log1p(r) - jnp.log(r) / alpha_S
    log_L = alpha_C * (log_C_c - jnp.log(compute))
    N = N_c * jnp.exp((jnp.log1p(r) - log_L) / alpha_N)
    B_crit = B_star * jnp.exp(-log_L / alpha_B)
    S_min = compute / (6 * N * B_crit)
    exponents = {"N": alpha_C / alpha_N, "B": alpha_C / alpha_B, "S": alpha_C / alpha_S, "D": 1 - alpha_C / alpha_N, "L": -alpha_C}
    return {
        "N": N, "loss": jnp.exp(log_L), "B_crit": B_crit, "S_min": S_min, "D": 2 * B_crit * S_min, "C_c": jnp.exp(log_C_c),
        "excess": 1 + r, **{f"exponent_{name}": value for name, value in exponents.items()},
    }  # fmt: skip
