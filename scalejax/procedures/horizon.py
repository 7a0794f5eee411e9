"""How far a fitted curve may be trusted: the largest input at which its interval is still narrow."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.errors import DecisionError
from ..core.precision import double
from ..core.statistics import ends
from ..decisions.known import known
from ..fitting.result import Fit
from ..fitting.uncertainty.draws import Draws

_GRID = 257


class Horizon(NamedTuple):
    """See `prediction_horizon`.

    Attributes:
        value: largest input whose interval, and that of all inputs below, is narrow enough; the low end of the range if none is.
        x: (points,) inputs that were looked at.
        width: (points,) relative width of the interval, high / low - 1.
        beyond: decades from the largest input of the runs to `value`.
    """

    value: float
    x: np.ndarray
    width: np.ndarray
    beyond: float


@double
def prediction_horizon(
    source: Fit | Draws,
    name: str,
    between: tuple[float, float],
    *,
    widest: float = 0.2,
    level: float = 0.9,
    group: str | None = None,
    **given: Any,
) -> Horizon:
    r"""How far to extrapolate: the largest input up to which the interval of the prediction is narrower than a limit.

        x_max = max { x : high(x') / low(x') - 1 <= widest for all x' <= x }

    Asked how many samples reach a target, buy min(what `equivalent` says, x_max), train, refit, and ask again.

    Args:
        source: a fit (1,000 Laplace draws) or draws of it.
        name: the input, a positive number.
        between: (low, high), the inputs to look at.
        widest: relative width of the interval that is still acceptable.
        level: of the interval.
        group: for fits with groups.
        **given: the other inputs, one number each.

    Returns:
        Horizon: `value`, `x`, `width`, `beyond`.

    Raises:
        DecisionError: if the source has no draws, an input is missing or unknown, or arguments are out of range.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.m1, {"beta": 2.0, "c": 0.3}, x=np.logspace(0, 2, 12), noise=0.05, seed=1)
        >>> fitted = sj.fit("m1", runs, loss=sj.squared(), starts=64)
        >>> near, far = (sj.procedures.prediction_horizon(fitted, "x", (1.0, 1e9), widest=w).value for w in (0.1, 0.2))
        >>> 100 < near < far < 1e9
        True

    Source: Jain et al. 2023, arXiv:2303.01598 (confidence bounds that limit the horizon).
    """
    found = known(source, group, "prediction_horizon")
    if not found.draws:
        raise DecisionError(found.kind or "prediction_horizon() takes a fit or draws; bare parameters know no uncertainty.")
    if {name, *given} != set(found.law.inputs) or name in given:
        raise DecisionError(f"prediction_horizon() needs {name!r} and one value for every other input of {', '.join(found.law.inputs)}.")
    if not (0 < between[0] < between[1] < np.inf) or not widest > 0:
        raise DecisionError(f"between={between!r} must be two positive numbers that rise, and widest={widest!r} positive.")
    x = np.geomspace(*between, _GRID)
    inputs = {n: x[None] if n == name else np.asarray(given[n], dtype=np.float64) for n in found.law.inputs}
    values = np.asarray(found.law(**inputs, **{n: np.asarray(v)[:, None] for n, v in found.draws.items()}))
    low, high = ends(values, level)
    width = np.where(low > 0, high / np.where(low > 0, low, 1.0) - 1, np.inf)
    wide = np.flatnonzero(width > widest)
    value = float(x[-1] if not len(wide) else x[max(wide[0] - 1, 0)])
    largest = found.observed.get(name, np.nan)
    return Horizon(value, x, width, float(np.log10(value / largest)))
