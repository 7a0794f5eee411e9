"""MiniCPM's compute-optimal ratio of tokens to parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.errors import DecisionError
from ..core.precision import plain


class MiniCPMRatio(NamedTuple):
    """Constants of `tokens_per_parameter`, with the unit of N and D that they presuppose.

    Attributes:
        K2: K^2, N / D at C / 6 = N D = 1. slope: exponent of C / 6. unit: parameters and tokens per unit.
    """

    K2: float
    slope: float
    unit: float


# Section 4.5, averages over evaluation sets; only with N and D in billions do they give the printed 192 tokens a parameter.
minicpm_ratio = MiniCPMRatio(K2=0.01, slope=-0.1, unit=1e9)


def tokens_per_parameter(C: Any, constants: MiniCPMRatio = minicpm_ratio) -> Any:
    r"""Compute-optimal tokens per parameter from constants of the form that MiniCPM prints.

        D / N = K^-2 (C / 6)^-slope,    K = (alpha C_N / (beta C_D))^(1 / (alpha + beta)),    slope = (beta - alpha) / (alpha + beta)

    It is the optimum of `laws.chinchilla` with A = C_N, B = C_D under C = 6 N D, as `sj.allocate` finds it.

    Args:
        C: training compute in FLOPs, one number or an array.
        constants: K2, slope and the unit in which N and D were fitted; default MiniCPM's, in billions.

    Returns:
        Tokens per parameter, as C.

    Raises:
        DecisionError: if a compute is not positive.

    Example:
        >>> round(float(tokens_per_parameter(4.08e21)))
        192

    References: Hu et al. 2024, arXiv:2404.06395, section 4.5.
    """
    C = np.asarray(C, dtype=np.float64)
    if not (np.isfinite(C) & (C > 0)).all():
        raise DecisionError("Compute must be positive FLOPs.")
    return plain((C / 6 / constants.unit**2) ** -constants.slope / constants.K2)
