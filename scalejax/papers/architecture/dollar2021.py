"""Growth of a convolutional network by several dimensions at once: what each way costs in parameters and activations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DecisionError
from ...core.table import Computed


def compound_scaling(s: Any, *, e_d: float, e_w: float) -> Computed:
    r"""Scale FLOPs by s through depth, width and resolution with given shares.

        depth s^e_d,  width s^(e_w / 2),  resolution s^(e_r / 2),      e_d + e_w + e_r = 1

    FLOPs are as depth width^2 resolution^2, parameters as depth width^2, activations as depth width resolution^2. So parameters grow by
    s^(e_d + e_w) and activations by s^(1 - e_w / 2): width is what adds FLOPs with the least activations.

    Args:
        s: factor of the FLOPs; a number or an array.
        e_d, e_w: shares of depth and width in log s, not negative; resolution has the rest.

    Returns:
        Factors of the `flops`, of `depth`, `width` and `resolution`, and of what they make, `params` and `activations`; the time of a step
        follows activations rather than FLOPs.

    Raises:
        DecisionError: if a share is negative, they exceed 1 together, or s is not positive.

    Example:
        >>> round(compound_scaling(16.0, e_d=0.0, e_w=1.0).activations, 6)
        4.0

    References: Dollár et al. 2021, arXiv:2103.06877; Tan and Le 2019, arXiv:1905.11946 (equal shares are close to EfficientNet's).
    """
    e_r = 1.0 - e_d - e_w
    if not (e_d >= 0 and e_w >= 0 and e_r >= -1e-12):
        raise DecisionError(f"e_d={e_d!r} and e_w={e_w!r} must be shares that are not negative and sum to at most 1.")
    factor = np.asarray(s, dtype=np.float64)
    if not (np.isfinite(factor) & (factor > 0)).all():
        raise DecisionError(f"s={s!r} must be a positive factor of the FLOPs.")

    def grown(exponent: float) -> Any:
        value = factor**exponent
        return value if value.ndim else float(value)

    factors = {
        "flops": grown(1.0), "depth": grown(e_d), "width": grown(e_w / 2), "resolution": grown(max(e_r, 0.0) / 2),
        "params": grown(e_d + e_w), "activations": grown(1.0 - e_w / 2),
    }  # fmt: skip
    return Computed(factors, "factors by which a network grows")


def fast_scaling(s: Any, alpha: float = 0.8) -> Computed:
    r"""Scale FLOPs by s mostly through width, which keeps activations and so the time of a step low.

        e_w = alpha,  e_d = e_r = (1 - alpha) / 2

    Args:
        s: factor of the FLOPs; a number or an array.
        alpha: share of width, from 0 to 1. The paper's default 0.8 lets activations grow by s^0.6; 1/3 scales uniformly.

    Returns:
        As `compound_scaling`.

    Raises:
        DecisionError: if alpha is not a share or s is not positive.

    Example:
        >>> round(fast_scaling(32.0).activations, 6)  # 32^0.6
        8.0

    References: Dollár et al. 2021, arXiv:2103.06877.
    """
    if not 0 <= alpha <= 1:
        raise DecisionError(f"alpha={alpha!r} is the share of width and must lie between 0 and 1.")
    return compound_scaling(s, e_d=(1.0 - alpha) / 2, e_w=alpha)
