"""IsoFLOP allocation with compute as C = M D, for M the FLOPs per token instead of 6 N."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.runs import Runs
from ...core.table import Shown
from .frontier import Frontier, isoflop


@dataclass(frozen=True, eq=False, repr=False)
class ModelScale(Shown):
    """Compute-optimal model scale and data: M_opt = M_0 C^a, D_opt = D_0 C^b.

    Attributes:
        M_0, a: of the FLOPs per token. D_0, b: of the tokens. As C = M D, M_0 D_0 = 1 and a + b = 1 but for rounding.
        frontier: the isoFLOP analysis that gave them, with N = M / 6; None for published constants.
    """

    M_0: float
    a: float
    D_0: float
    b: float
    frontier: Frontier | None = None

    def allocate(self, compute: Any) -> tuple[Any, Any]:
        """(M, D), FLOPs per token and tokens, at one or more budgets in FLOPs.

        >>> M, D = deepseek_scales["deepseek2024"].allocate(3e20)
        >>> f"{M:.4g} {D:.4g}"
        '9.342e+09 3.212e+10'
        """
        C = np.asarray(compute, dtype=np.float64)
        M, D = self.M_0 * C**self.a, self.D_0 * C**self.b
        return (M, D) if C.ndim else (float(M), float(D))


deepseek_scales: Mapping[str, ModelScale] = MappingProxyType({"deepseek2024": ModelScale(M_0=0.1715, a=0.5243, D_0=5.8316, b=0.4757)})


def isoflop_model_scale(runs: Runs, **options: Any) -> ModelScale:
    r"""Approach 2 in the scale of the model: per budget the M of least loss, then log M and log D against log C.

        C = M D,   M_opt = M_0 C^a,   D_opt = D_0 C^b,   a + b = 1

    For small models M and 6 N differ by up to a factor of two, and so do the exponents: count M with `costs.deepseek_flops`.

    Args:
        runs: with columns M (FLOPs per token), loss, and the budget C in FLOPs.
        **options: of `isoflop`: budget, method, degree, window, tolerance, weighted, replicates, seed.

    Returns:
        ModelScale; `.frontier.interval()["a"]` has the interval when replicates were asked for.

    Raises:
        DataError: if there is no column M.
        FitError: if fewer than two budgets have a minimum.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law, C = sj.laws.chinchilla, np.repeat([1e19, 1e20, 1e21], 9)
        >>> N = (C / 6) ** 0.45 * 1.3 * np.tile(np.logspace(-0.5, 0.5, 9), 3)
        >>> runs = sj.simulate(law, law.published["hoffmann2022"], N=N, D=C / (6 * N)).with_columns(C=C, M=6 * N)
        >>> found = isoflop_model_scale(runs)
        >>> round(found.a, 2), round(found.a + found.b, 9)
        (0.46, 1.0)

    References: Bi et al. 2024 (DeepSeek LLM), arXiv:2401.02954.
    """
    if "M" not in runs:
        raise DataError("isoflop_model_scale() needs the column M, FLOPs per token; add it with runs.with_columns(M=...).")
    # With N = M / 6 the tokens C / (6 N) are C / M.
    found = isoflop(runs.with_columns(N=runs["M"] / 6.0), **options)
    return ModelScale(M_0=6.0 * found.k_N, a=found.a, D_0=found.k_D, b=found.b, frontier=found)
