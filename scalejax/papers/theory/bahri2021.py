"""Exponents of the loss explained: predicted from a kernel's spectrum, and told apart as limited by variance or by resolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.table import Computed
from ...fitting.uncertainty.intervals import quantile_of


def spectrum_exponent(eigenvalues: Any, ranks: tuple[int, int] | None = None) -> float:
    r"""alpha_K of a kernel whose eigenvalues fall as i^-(1 + alpha_K): the exponent of the resolution-limited loss in data and in features.

    Args:
        eigenvalues: (n,) of the kernel matrix, in any order and scale.
        ranks: first and last rank i of the line through the logarithms; by default n / 100 (10 at least) to n / 10, since the last
            eigenvalues of n points are too small.

    Returns:
        alpha_K, the slope less 1.

    Raises:
        DataError: if fewer than three positive eigenvalues lie between the ranks.

    Example:
        >>> import numpy as np
        >>> round(spectrum_exponent(np.arange(1.0, 2001.0) ** -1.3), 6)
        0.3

    References: Bahri et al. 2021, arXiv:2102.06701, section on kernels.
    """
    values = np.sort(np.asarray(eigenvalues, dtype=np.float64).ravel())[::-1]
    first, last = ranks or (max(len(values) // 100, 10), len(values) // 10)
    chosen = values[max(first, 1) - 1 : last]
    if len(chosen) < 3 or not (chosen > 0).all():
        raise DataError(f"spectrum_exponent() needs at least three positive eigenvalues between ranks {first} and {last}; pass ranks=.")
    return float(-np.polyfit(np.log(np.arange(first, first + len(chosen))), np.log(chosen), 1)[0] - 1)


def limited_by(x: Any, loss: Any, limit: float, *, expected: float = 1.0, tolerance: float = 0.05, level: float = 0.9) -> Computed:
    r"""Is a loss limited by variance, so that it approaches its limit as x^-1, or by resolution, with a smaller power of the task's own?

        variance-limited:    L(x) - L(inf) ~ x^-1 in data D, or in width (x^-1/2 in parameters ~ width^2), whatever the task
        resolution-limited:  L(x) - L(inf) ~ x^-alpha with alpha of the data manifold (`sj.formulas.resolution_exponent`) or the kernel
                             (`spectrum_exponent`)

    Args:
        x: (n,) data, width or parameters. loss: (n,) losses there.
        limit: loss for infinite x with all else as it is; 0 or the irreducible loss where nothing else limits.
        expected: exponent of variance, 1, or 1/2 for parameters. tolerance: share of it by which a measured one may be smaller.
        level: of the interval, by the t distribution about the line through the logarithms.

    Returns:
        `exponent`, its interval from `low` to `high`, and `regime`: "resolution-limited" if all of the interval is more than `tolerance`
        below `expected`, else "variance-limited". An exponent of the task that happens to be 1 cannot be told from variance.

    Raises:
        DataError: if there are fewer than three points or a loss is not above the limit.

    Example:
        >>> import numpy as np
        >>> x = np.geomspace(1e2, 1e5, 7)
        >>> limited_by(x, 2.0 + 3.0 * x**-0.3, 2.0).regime
        'resolution-limited'

    References: Bahri et al. 2021, arXiv:2102.06701.
    """
    x, above = np.asarray(x, dtype=np.float64), np.asarray(loss, dtype=np.float64) - limit
    if x.ndim != 1 or x.shape != above.shape or len(x) < 3 or not ((x > 0) & (above > 0)).all():
        raise DataError("limited_by() needs at least three positive x and as many losses above the limit.")
    logs, y = np.log(x) - np.log(x).mean(), np.log(above)
    slope, level_there = np.polyfit(logs, y, 1)
    rest = y - slope * logs - level_there
    error = np.sqrt((rest @ rest) / (len(x) - 2) / (logs @ logs))
    reach = float(quantile_of(level, np.asarray(len(x) - 2))) * error
    low, high = -slope - reach, -slope + reach
    regime = "resolution-limited" if high < expected * (1 - tolerance) else "variance-limited"
    return Computed({"exponent": float(-slope), "low": float(low), "high": float(high), "regime": regime}, "what limits the loss")
