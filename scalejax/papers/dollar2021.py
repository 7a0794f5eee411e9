"""Growth of a convolutional network by several dimensions at once: what each way costs in parameters and activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import DecisionError
from ..core.table import Shown


@dataclass(frozen=True, eq=False, repr=False)
class CompoundScaling(Shown):
    """Factors by which a network grows when its FLOPs grow by `flops`; floats, or arrays of its shape.

    Attributes:
        flops: the factor s of the FLOPs.
        depth, width, resolution: factors of the three dimensions.
        params, activations: factors of what they make; the time of a step follows activations rather than FLOPs.
    """

    flops: Any
    depth: Any
    width: Any
    resolution: Any
    params: Any
    activations: Any


def compound_scaling(s: Any, *, e_d: float, e_w: float) -> CompoundScaling:
    r"""Scale FLOPs by s through depth, width and resolution with given shares.

        depth s^e_d,  width s^(e_w / 2),  resolution s^(e_r / 2),      e_d + e_w + e_r = 1

    FLOPs are as depth width^2 resolution^2, parameters as depth width^2, activations as depth width resolution^2. So parameters grow by
    s^(e_d + e_w) and activations by s^(1 - e_w / 2): width is what adds FLOPs with the least activations.

    Args:
        s: factor of the FLOPs; a number or an array.
        e_d, e_w: shares of depth and width in log s, not negative; resolution has the rest.

    Returns:
        CompoundScaling.

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

    return CompoundScaling(grown(1.0), grown(e_d), grown(e_w / 2), grown(max(e_r, 0.0) / 2), grown(e_d + e_w), grown(1.0 - e_w / 2))


def fast_scaling(s: Any, alpha: float = 0.8) -> CompoundScaling:
    r"""Scale FLOPs by s mostly through width, which keeps activations and so the time of a step low.

        e_w = alpha,  e_d = e_r = (1 - alpha) / 2

    Args:
        s: factor of the FLOPs; a number or an array.
        alpha: share of width, from 0 to 1. The paper's default 0.8 lets activations grow by s^0.6; 1/3 scales uniformly.

    Returns:
        CompoundScaling.

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
