"""Regimes of SGD noise: the temperature eta / B, powers that theory gives, and curves that collapse onto one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DataError, DecisionError
from ...core.numeric.precision import double
from ...core.table import Computed
from ...fitting.uncertainty.intervals import quantile_of

_GRID = np.linspace(-3.0, 3.0, 601)


def crossover_power(gamma: float, delta: float) -> float:
    r"""Power a of the cross-over temperature, T_c ~ P^-a, where noise moves the weights by as much as they are.

        |dw| / |w_0| ~ T^delta P^gamma = 1:    a = gamma / delta

    Args:
        gamma, delta: powers of the training points P and of the temperature T = eta / B; fit them with
            `power_product("T", "P", output="change")`.

    Example:
        >>> crossover_power(0.5, 1.0)
        0.5

    References: Sclocchi et al. 2023, arXiv:2301.13703.
    """
    if not delta > 0:
        raise DecisionError(f"delta={delta!r} must be positive: the weights move more at a higher temperature.")
    return gamma / delta


def perceptron_power(chi: float) -> float:
    r"""Power gamma of the perceptron, for its critical batch B* ~ P^gamma and its weights |w| ~ T P^gamma.

        gamma = 1 / (1 + chi)

    Args:
        chi: the density of data at a distance x from the decision boundary grows as x^chi; 0 where it does not vanish.

    Example:
        >>> perceptron_power(1.0)
        0.5

    References: Sclocchi and Wyart 2023, arXiv:2309.10688.
    """
    if not chi >= 0:
        raise DecisionError(f"chi={chi!r} must be 0 or more.")
    return 1 / (1 + chi)


def optimal_temperature_power(hidden: int) -> float:
    r"""Power k of the initialisation scale in the best temperature of the feature regime, T_opt ~ alpha^k.

        k = (hidden - 1) / (hidden + 1)

    Args:
        hidden: hidden layers.

    Example:
        >>> optimal_temperature_power(3)
        0.5

    References: Sclocchi et al. 2023, arXiv:2301.13703.
    """
    if hidden < 1:
        raise DecisionError(f"hidden={hidden!r} must be 1 or more.")
    return (hidden - 1) / (hidden + 1)


@double
def collapse_power(T: Any, P: Any, y: Any, *, degree: int = 3, level: float = 0.9) -> Computed:
    r"""Power a for which y depends on T P^a only: curves over T for several P fall onto one another.

        least sum_i (y_i - poly(ln T_i + a ln P_i))^2 over a and the polynomial

    Args:
        T: (n,) temperature eta / B, or any quantity to be rescaled. P: (n,) training points, or what rescales it.
        y: (n,) test error, relative change of the weights, ...; pass its logarithm if it spans decades.
        degree: of the polynomial that stands for the common curve.
        level: of the interval.

    Returns:
        `power`, the a of the cross-over temperature T_c ~ P^-a; `low` and `high`, its interval by the F test of the sum of squares,
        infinite where the range tried (-3 to 3) ends first; `sigma`, the scatter of y about the common curve; `freedom`, its degrees of
        freedom.

    Raises:
        DataError: if values are not positive, P is the same everywhere, or there are too few points.

    Example:
        >>> import numpy as np
        >>> T, P = (v.ravel() for v in np.meshgrid(np.geomspace(1e-3, 1, 10), [1e2, 1e3, 1e4]))
        >>> round(collapse_power(T, P, np.log(T * P**0.5) ** 2).power, 6)
        0.5

    References: Sclocchi et al. 2023, arXiv:2301.13703.
    """
    T, P, y = (np.asarray(v, dtype=float) for v in (T, P, y))
    freedom = len(y) - degree - 2
    if T.ndim != 1 or not (T.shape == P.shape == y.shape) or freedom < 1:
        raise DataError(f"collapse_power() needs T, P and y of one length, at least {degree + 3} for degree {degree}.")
    if not ((T > 0).all() and (P > 0).all() and np.isfinite(y).all()) or np.ptp(P) == 0:
        raise DataError("collapse_power() needs positive T and P, finite y, and more than one P.")
    t, p = np.log(T) - np.log(T).mean(), np.log(P) - np.log(P).mean()
    rest = np.asarray([_scatter(t + a * p, y, degree) for a in _GRID])
    i = int(np.argmin(rest))
    step = _GRID[1] - _GRID[0]
    best = _golden(lambda a: _scatter(t + a * p, y, degree), _GRID[i] - step, _GRID[i] + step)
    least = _scatter(t + best * p, y, degree)
    limit = least * (1 + float(quantile_of(level, np.asarray(freedom))) ** 2 / freedom)
    outside = rest > limit
    low, high = _GRID[:i][outside[:i]], _GRID[i + 1 :][outside[i + 1 :]]
    limits = {"low": float(low[-1]) if len(low) else -np.inf, "high": float(high[0]) if len(high) else np.inf}
    found = {"power": best, **limits, "sigma": float(np.sqrt(least / freedom)), "freedom": freedom}
    return Computed(found, f"power that brings the curves together, with its {100 * level:g} % interval")


def _scatter(x: np.ndarray, y: np.ndarray, degree: int) -> float:
    """Sum of squares about the polynomial."""
    basis = np.polynomial.chebyshev.chebvander(2 * (x - x.min()) / np.ptp(x) - 1, degree)
    return float(((y - basis @ np.linalg.lstsq(basis, y, rcond=None)[0]) ** 2).sum())


def _golden(function: Any, low: float, high: float) -> float:
    """The lowest point between low and high, by golden sections."""
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(60):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if function(a) < function(b) else (a, high)
    return float(0.5 * (low + high))
