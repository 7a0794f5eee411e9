"""The best base rate by the convex bound, and the schedules that theory finds optimal."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DataError, DecisionError
from ...core.table import Computed


def tuned_bound(shape: Any, *, D0: float = 1.0, G: Any = 1.0) -> Computed:
    r"""Best base rate of a schedule's shape by the convex bound `laws.convex_bound`, and the bound there.

        eta = gamma * shape    =>    Omega = T1 / gamma + gamma T2,    gamma* = sqrt(T1 / T2),    Omega* = 2 sqrt(T1 T2)

    Omega* sqrt(T) compares shapes: it grows as log T for a constant rate and tends to 2 D0 G for a linear decay to zero. gamma* of two
    horizons says how to transfer a tuned rate from one to the other.

    Args:
        shape: (T,) schedule up to a factor; steps of rate 0 at the end are left out.
        D0: distance of the start from the optimum.
        G: bound on the gradient's norm: one number, or (T,) one a step.

    Returns:
        `gamma`, the base rate that makes the bound smallest, `bound`, Omega there, and `distance` and `noise`, T1 and T2.

    Raises:
        DataError: if the shape is negative or 0 throughout, or D0 or G is not positive.

    Example:
        >>> import scalejax as sj
        >>> best = sj.papers.tuned_bound(sj.schedules.linear(100))
        >>> round(best.bound, 7), round(best.gamma, 7)
        (0.2036084, 0.0972552)

    References: Schaipp et al. 2025, arXiv:2501.18965.
    """
    eta = np.asarray(shape, dtype=np.float64)
    if eta.ndim != 1 or not len(eta) or not (np.isfinite(eta) & (eta >= 0)).all() or not eta.any():
        raise DataError("shape must be a flat list of rates, one a step, none negative and not all 0.")
    G = np.broadcast_to(np.asarray(G, dtype=np.float64), eta.shape) if np.ndim(G) in (0, 1) else np.array([np.nan])
    if not (np.isfinite(G) & (G > 0)).all() or not D0 > 0:
        raise DataError("D0 and G must be positive; G one number or one a step.")
    last = int(np.flatnonzero(eta)[-1]) + 1
    eta, G = eta[:last], G[:last]
    R, Q = (np.cumsum(v[::-1])[::-1] for v in (eta, eta**2 * G**2))
    noise = Q[0] / (2 * R[0]) + 0.5 * np.sum(eta[:-1] * Q[:-1] / (R[1:] * R[:-1]))
    distance = D0**2 / (2 * R[0])
    best = {"gamma": float(np.sqrt(distance / noise)), "bound": float(2 * np.sqrt(distance * noise))}
    return Computed({**best, "distance": float(distance), "noise": float(noise)}, "best base rate by the convex bound")


def kernel_schedule(s: float, beta: float) -> Computed:
    r"""The optimal learning-rate schedule of SGD on a power-law kernel, over T steps.

        easy, s >= 1 - 1/beta:  eta(z) = peak (1 - z / T)^(2 beta - 1),   peak ~ T^-[(1 + s beta - beta) / (1 + s beta)],
                                risk ~ T^-[s beta / (1 + s beta)]
        hard, s <  1 - 1/beta:  the largest stable rate, then a decay over a share of the run that vanishes with T,   risk ~ T^-s

    The exponent of the easy risk is that of the signal, (peak T)^-s; both agree at the border.

    Args:
        s: source exponent, positive. beta: capacity exponent, above 1; see `laws.functional_scaling_theory`.

    Returns:
        `easy`: whether the task is easy, s >= 1 - 1/beta. `decay_exponent`: p of the optimal decay (1 - z / T)^p over the whole run; NaN
        for a hard task, where a WSD is optimal. `peak_exponent`: the best peak rate falls as T^-peak_exponent; 0 for a hard task, which
        takes the largest stable rate. `risk_exponent`: the final excess risk falls as T^-risk_exponent.

    Raises:
        DecisionError: if s is not positive or beta not above 1.

    Example:
        >>> kernel_schedule(1.0, 2.0).to_dict()
        {'easy': True, 'decay_exponent': 3.0, 'peak_exponent': 0.3333333333333333, 'risk_exponent': 0.6666666666666666}

    References: Li et al. 2026, arXiv:2602.06797.
    """
    if not s > 0 or not beta > 1:
        raise DecisionError(f"s={s!r} must be positive and beta={beta!r} above 1.")
    easy = s >= 1 - 1 / beta
    found = {
        "easy": easy,
        "decay_exponent": 2.0 * beta - 1 if easy else float("nan"),
        "peak_exponent": (1 + s * beta - beta) / (1 + s * beta) if easy else 0.0,
        "risk_exponent": s * beta / (1 + s * beta) if easy else float(s),
    }
    return Computed(found, "optimal schedule on a power-law kernel")
