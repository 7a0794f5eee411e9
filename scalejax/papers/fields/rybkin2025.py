"""Data until a level of performance: first passages of noisy curves, and how many updates a budget of data and compute wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DataError, DecisionError
from ...core.numeric.precision import plain
from ...core.numeric.roots import between
from ...core.numeric.statistics import isotonic
from ...core.table import Computed, Shown, Table, number
from ...fitting.uncertainty.resampling import FEWEST
from ...zoo.fields.reinforcement import rl_compute, value_based_rl

_FAR = 60.0  # e-folds of the updates ratio on either side of beta_J within which an optimum is looked for


def first_passage(steps: Any, returns: Any, thresholds: Any, *, replicates: int = 100, seed: int = 0) -> Computed:
    """Environment steps at which learning curves first reach returns: of their isotonic mean, with a bootstrap over the runs.

    Args:
        steps: (T,) rising.
        returns: (runs, T) returns of runs with different seeds at these steps, or (T,) of one.
        thresholds: (J,) returns to be reached.
        replicates: resamplings of the runs, at least 2.
        seed: of the resampling.

    Returns:
        `data`, (J,) of the mean curve, infinite where it never gets there; `draws`, (replicates, J) of resampled curves; and
        `standard_error`, (J,) their standard deviation, infinite where one of them never gets there, or fewer than ten curves are.

    Raises:
        DataError: if shapes do not agree or steps do not rise.

    Example:
        >>> found = first_passage([1e3, 2e3, 3e3, 4e3], [[0.0, 30.0, 20.0, 50.0], [0.0, 10.0, 40.0, 60.0]], [25.0, 90.0], replicates=50)
        >>> found.data.tolist()
        [3000.0, inf]

    References: Rybkin et al. 2025, arXiv:2502.04327, appendix.
    """
    steps, levels = np.asarray(steps, dtype=np.float64), np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    curves = np.atleast_2d(np.asarray(returns, dtype=np.float64))
    if steps.ndim != 1 or curves.shape[1:] != steps.shape or not (np.diff(steps) > 0).all():
        raise DataError(f"first_passage() needs rising steps (T,) and returns (runs, T); it got {steps.shape} and {curves.shape}.")
    if levels.ndim != 1 or replicates < 2:
        raise DataError("first_passage() takes thresholds (J,) and at least 2 replicates.")
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(curves), (replicates, len(curves)))
    draws = np.stack([_passage(steps, curves[pick].mean(axis=0), levels) for pick in picks])
    reached = np.isfinite(draws).all(axis=0) & (len(curves) >= FEWEST)
    error = np.where(reached, np.where(reached, draws, 0.0).std(axis=0, ddof=1), np.inf)
    found = {"thresholds": levels, "data": _passage(steps, curves.mean(axis=0), levels), "standard_error": error, "draws": draws}
    return Computed(found, f"data at which {len(curves)} curves first reach the thresholds")


def _passage(steps: np.ndarray, curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return np.append(steps, np.inf)[np.searchsorted(isotonic(curve), levels, side="left")]


def normalised_data(data: Any) -> tuple[np.ndarray, float]:
    """Data of several environments on one scale: each divided by its median, then averaged.

    Args:
        data: (environments, ...) environment steps, such as (environments, sigmas, thresholds).

    Returns:
        The mean over environments of the data divided by their environment's median, and the median of these medians, by which it is
        multiplied to be steps again.

    Raises:
        DataError: if a value is not finite and positive: a threshold that some run never reaches must be left out.

    Example:
        >>> mean, scale = normalised_data([[1e5, 2e5, 3e5], [1e6, 2e6, 4e6]])
        >>> mean.tolist(), scale
        ([0.5, 1.0, 1.75], 1100000.0)

    References: Rybkin et al. 2025, arXiv:2502.04327, appendix D.
    """
    values = np.asarray(data, dtype=np.float64)
    if values.ndim < 2 or not (np.isfinite(values) & (values > 0)).all():
        raise DataError("normalised_data() needs finite positive data (environments, ...); leave out thresholds that are never reached.")
    medians = np.median(values.reshape(len(values), -1), axis=1)
    return (values / medians.reshape(-1, *[1] * (values.ndim - 1))).mean(axis=0), float(np.median(medians))


@dataclass(frozen=True, eq=False, repr=False)
class OptimalUpdates(Shown):
    """The updates-to-data ratio of least budget for every return, see `optimal_updates`; numbers or arrays.

    Attributes:
        sigma: updates per environment step.
        D, C, F: data, compute and budget F = C + delta D there.
    """

    sigma: Any
    D: Any
    C: Any
    F: Any

    @property
    def ratio_line(self) -> tuple[float, float]:
        """(beta_sigma, alpha_sigma) of sigma*(F) = (beta_sigma / F)^alpha_sigma, the line through the logarithms over returns."""
        slope, level = self._line(self.F, self.sigma)
        return float(np.exp(-level / slope)), -slope

    @property
    def data_line(self) -> tuple[float, float]:
        """(a, b) of D = a C^b, the line through the logarithms of the optimal points over returns."""
        slope, level = self._line(self.C, self.D)
        return float(np.exp(level)), slope

    def _line(self, x: Any, y: Any) -> tuple[float, float]:
        if np.size(x) < 2:
            raise DecisionError("A line needs the optima of at least two returns; pass arrays of D_min, beta_J or alpha_J.")
        slope, level = np.polyfit(np.log(x), np.log(y), 1)
        return float(slope), float(level)

    def table(self) -> Table:
        """A row for every return."""
        rows = [[number(v) for v in row] for row in zip(*map(np.atleast_1d, (self.F, self.sigma, self.D, self.C)), strict=True)]
        return Table(["budget", "sigma", "data", "compute"], rows)


def optimal_updates(
    delta: Any, N: Any, *, D_min: Any, beta_J: Any, alpha_J: Any, a_B: Any, alpha_B: Any
) -> OptimalUpdates:  # fmt: skip
    r"""The updates-to-data ratio that reaches a return with the least budget of compute and data.

        sigma* = argmin F,    F(sigma) = C_J(sigma) + delta D_J(sigma)
        0 = 10 N a_B sigma^p (p D_min + (p - alpha_J) g) - delta alpha_J g,    g = (beta_J / sigma)^alpha_J,    p = 1 - alpha_B

    The condition divided by g rises through zero once, so that the optimum is the only one. Along sigma, `laws.value_based_rl` and
    `laws.rl_compute` are the Pareto curve of data and compute.

    Args:
        delta: price of one unit of data in FLOPs.
        N: parameters of the critic.
        D_min, beta_J, alpha_J: of `laws.value_based_rl`, arrays over returns.
        a_B, alpha_B: of `laws.rl_batch_size`.

    Returns:
        OptimalUpdates: `sigma`, `D`, `C`, `F`, and the lines `ratio_line`, `data_line` that extrapolate to larger budgets.

    Raises:
        DecisionError: if a value is not positive, or more updates are always better (D_min = 0 and alpha_J >= 1 - alpha_B).

    Example:
        >>> found = optimal_updates(1e10, 1e6, D_min=[0.4, 0.6], beta_J=[0.3, 0.5], alpha_J=0.7, a_B=256.0, alpha_B=0.3)
        >>> [round(v, 3) for v in found.sigma.tolist()]
        [2.789, 2.695]

    References: Rybkin et al. 2025, arXiv:2502.04327.
    """
    given = {"delta": delta, "N": N, "D_min": D_min, "beta_J": beta_J, "alpha_J": alpha_J, "a_B": a_B, "alpha_B": alpha_B}
    arrays = dict(zip(given, np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in given.values())), strict=True))
    for name, values in arrays.items():
        if not (np.isfinite(values) & ((values >= 0) if name in ("D_min", "alpha_B") else (values > 0))).all():
            raise DecisionError(f"optimal_updates() got {name}={given[name]!r}, which must be positive and finite.")
    price, rest = arrays.pop("delta"), {n: arrays[n] for n in ("D_min", "beta_J", "alpha_J")}
    p, alpha = 1 - arrays["alpha_B"], arrays["alpha_J"]
    if ((p <= 0) | ((arrays["D_min"] == 0) & (p <= alpha))).any():
        raise DecisionError(
            "More updates are always better here (alpha_B >= 1, or D_min = 0 and alpha_J >= 1 - alpha_B); bound sigma yourself."
        )

    def balance(log_sigma: np.ndarray) -> np.ndarray:
        """Derivative of the budget, divided by g and scaled by its two terms' size."""
        ratio = np.exp(log_sigma) / arrays["beta_J"]
        weight = 10 * arrays["N"] * arrays["a_B"] * np.exp(p * log_sigma)
        rise = weight * (p * arrays["D_min"] * ratio**alpha + p - alpha)
        return (rise - price * alpha) / (np.abs(rise) + price * alpha)

    middle = np.log(arrays["beta_J"])
    sigma = np.exp(between(balance, middle - _FAR, middle + _FAR))
    D, C = value_based_rl(sigma, **rest), rl_compute(sigma, arrays["N"], **rest, a_B=arrays["a_B"], alpha_B=arrays["alpha_B"])
    return OptimalUpdates(sigma=plain(sigma), D=plain(D), C=plain(C), F=plain(C + price * D))
