"""What a schedule with weight decay averages: AdamW's weights as an exponential moving average of its updates."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.table import Computed


def ema_weights(eta: Any, weight_decay: float) -> Computed:
    r"""The weights of AdamW after T steps as an average of its scaled updates, by schedule and weight decay.

        theta_t = (1 - a_t) theta_{t-1} + a_t x_t,    a_t = eta_t lambda,    x_t = -u_t / lambda
        theta_T = c_0 theta_0 + sum_i c_i x_i,    c_i = a_i prod_{j>i} (1 - a_j),    c_0 = prod_j (1 - a_j),    c_0 + sum_i c_i = 1

    Two schedules with the same coefficients average the same updates: a decay to zero averages over more updates, and forgets the initial
    weights more, than a constant rate of equal end. Products are summed as logarithms, so that a million steps lose no digits.

    Args:
        eta: (T,) learning rate of every step, see `sj.schedules`.
        weight_decay: lambda, independent of the rate in AdamW's sense (each step multiplies the weights by 1 - eta lambda).

    Returns:
        `coefficients`, (T,) c_i of the update of every step; `initial`, c_0, what is left of the initial weights; `effective`,
        1 / sum c_i^2 over the updates, after scaling to sum 1: the number of updates that are averaged; `age`, their mean age in steps
        before the end; `timescale`, (T,) 1 / (eta_i lambda) in steps, infinite where the rate is 0.

    Raises:
        DataError: if a rate is negative or missing, weight_decay is not positive, or eta lambda reaches 1.

    Example:
        >>> import scalejax as sj
        >>> found = sj.papers.ema_weights(sj.schedules.linear(1000, 1e-2), 0.1)
        >>> round(float(found.coefficients.sum() + found.initial), 12), round(found.effective)
        (1.0, 818)

    References: Bergsma et al. 2025, arXiv:2502.15938; Wang and Aitchison 2024, arXiv:2405.13698.
    """
    eta = np.asarray(eta, dtype=np.float64)
    if eta.ndim != 1 or not len(eta) or not (np.isfinite(eta) & (eta >= 0)).all() or not eta.any():
        raise DataError("eta must be a flat list of learning rates, one a step, none negative and not all 0.")
    if not (np.isfinite(weight_decay) and weight_decay > 0) or eta.max() * weight_decay >= 1:
        raise DataError(f"weight_decay={weight_decay!r} must be positive, and eta times it below 1; here it reaches {eta.max()} times it.")
    a = eta * weight_decay
    kept = np.cumsum(np.log1p(-a))  # log prod_{j<=i} (1 - a_j)
    c = a * np.exp(kept[-1] - kept)
    with np.errstate(divide="ignore"):
        timescale = 1.0 / a
    single = {
        "initial": float(np.exp(kept[-1])),
        "effective": float(c.sum() ** 2 / (c**2).sum()),
        "age": float(c / c.sum() @ np.arange(len(c))[::-1]),
    }
    return Computed({**single, "coefficients": c, "timescale": timescale}, "AdamW's weights as an average of its updates")
