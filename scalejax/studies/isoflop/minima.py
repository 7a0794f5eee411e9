"""The size of least loss at one budget: by a polynomial through the sizes, or by interpolation between them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...core.numeric.statistics import akima
from ...core.runs import Runs


class Sizes(NamedTuple):
    """What was trained at one budget: log N rising, each size once with its lowest loss, and log D; and their rows in the table."""

    compute: float
    log_n: np.ndarray
    log_d: np.ndarray
    loss: np.ndarray
    rows: np.ndarray

    def where(self, kept: Any) -> Sizes:
        """Some of the sizes."""
        return Sizes(self.compute, *(values[kept] for values in self[1:]))


class Minimum(NamedTuple):
    """The best size of one budget.

    Attributes:
        log: log N* and log D*, NaN where there is none.
        loss: at the minimum.
        sd: standard deviation of log N*, NaN where nothing tells it.
        kept: share of the draws that have a minimum inside the sizes.
        draws: (kept draws, 2) of log N* and log D*.
        reason: why the budget tells no minimum, or "".
    """

    log: np.ndarray
    loss: float
    sd: float
    kept: float
    draws: np.ndarray
    reason: str = ""


def sizes_by_budget(runs: Runs, budget: str, tolerance: float) -> list[Sizes]:
    """Of every budget the sizes; runs whose budgets differ by less than a fraction belong together.

    Of equal sizes the run with the lowest loss counts. A column D gives the tokens, else D = C / (6 N).
    """
    log_c = np.log(runs[budget])
    order = np.argsort(log_c, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(log_c[order]) > np.log1p(tolerance)) + 1)
    return [_sizes(runs, rows, float(np.exp(log_c[rows].mean()))) for rows in groups]


def _sizes(runs: Runs, rows: np.ndarray, compute: float) -> Sizes:
    N, loss = runs["N"][rows], runs["loss"][rows]
    order = np.lexsort((loss, N))
    first = order[np.unique(N[order], return_index=True)[1]]
    D = runs["D"][rows][first] if "D" in runs else compute / (6 * N[first])
    return Sizes(compute, np.log(N[first]), np.log(D), loss[first], rows[first])


def within(sizes: Sizes, window: float) -> Sizes:
    """The sizes within so many decades of the one with the lowest loss."""
    near = np.abs(sizes.log_n - sizes.log_n[sizes.loss.argmin()]) <= window * np.log(10) + 1e-9
    return sizes.where(near)


def rejected(reason: str, kept: float = 0.0) -> Minimum:
    """A budget without a minimum."""
    return Minimum(log=np.full(2, np.nan), loss=np.nan, sd=np.nan, kept=kept, draws=np.zeros((0, 2)), reason=reason)


def interpolated(sizes: Sizes, sd: Any, *, replicates: int, points: int, floor: float, rng: np.random.Generator) -> Minimum:
    r"""The minimum of Akima's interpolation of log L over log N, the median over losses that are shaken by the noise.

    Args:
        sizes: at least three.
        sd: of the noise of the loss, one number or one a size.
        replicates: of the noise; those whose minimum lies at the first or last size say nothing of the optimum and are dropped.
        points: interpolated sizes for each step between sizes.
        floor: least sd of log N*, as a share of the mean step of log N. The sd is divided by the share of replicates kept.
    """
    log_n, loss = sizes.log_n, sizes.loss
    if len(log_n) < 3:
        return rejected(f"only {len(log_n)} sizes")
    grid = np.linspace(log_n[0], log_n[-1], (len(log_n) - 1) * points)
    noisy = loss + sd * rng.standard_normal((replicates, len(loss)))
    values = akima(log_n, np.log(np.maximum(noisy, 1e-3 * loss)), grid)
    place = values.argmin(axis=1)
    inner = (place > 0) & (place < len(grid) - 1)
    kept = float(inner.mean())
    best = akima(log_n, np.log(loss), grid)
    if kept < 0.5:
        return rejected(f"minimum at the edge of the sizes in {100 * (1 - kept):.0f} % of the replicates", kept)
    if best.argmin() in (0, len(grid) - 1):
        return rejected("minimum at the edge of the sizes", kept)
    stars = _between(grid, values[inner], place[inner])
    draws = np.stack([stars, np.interp(stars, log_n, sizes.log_d)], axis=1)
    step = (log_n[-1] - log_n[0]) / (len(log_n) - 1)
    spread = max(float(stars.std()), floor * step) / kept
    return Minimum(np.median(draws, axis=0), float(np.exp(best.min())), spread, kept, draws)


def _between(grid: np.ndarray, values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Minima of the parabolas through the lowest grid points and their neighbours."""
    left, middle, right = (values[np.arange(len(place)), place + i] for i in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(bend > 0, (left - right) / (2 * np.where(bend > 0, bend, 1.0)), 0.0)
    return grid[place] + np.clip(shift, -1.0, 1.0) * (grid[1] - grid[0])


def polynomial(sizes: Sizes, degree: int, sd: float, replicates: int, rng: np.random.Generator) -> Minimum:
    """The minimum of a polynomial of the loss in log N; its draws are of polynomials through losses that are shaken by the noise `sd`."""
    log_n, loss = sizes.log_n, sizes.loss
    if len(log_n) < degree + 1:
        return rejected(f"only {len(log_n)} sizes")
    center, scale = (log_n[0] + log_n[-1]) / 2, (log_n[-1] - log_n[0]) / 2
    design = np.vander((log_n - center) / scale, degree + 1)
    inverse = np.linalg.pinv(design)
    coefficients = inverse @ loss
    place = _bottom(coefficients[None])[0]
    if np.isnan(place):
        return rejected("no minimum")
    if abs(place) > 1:
        return rejected("minimum outside the sizes")
    slope = np.polyder(coefficients)
    # The minimum moves by -(d slope) / slope' when the coefficients move.
    lean = np.asarray([-p * place ** (p - 1) if p else 0.0 for p in range(degree, -1, -1)]) / np.polyval(np.polyder(slope), place)
    spread = scale * sd * float(np.linalg.norm(lean @ inverse))
    noisy = _bottom(coefficients + sd * rng.standard_normal((replicates, len(loss))) @ inverse.T)
    inner = np.abs(noisy) <= 1  # false for NaN
    stars = center + scale * np.append(noisy[inner], place)
    both = np.stack([stars, np.interp(stars, log_n, sizes.log_d)], axis=1)
    return Minimum(both[-1], float(np.polyval(coefficients, place)), spread, float(inner.mean()) if replicates else 1.0, both[:-1])


def polynomial_at(log_n: np.ndarray, loss: np.ndarray, degree: int, x: np.ndarray) -> np.ndarray:
    """The polynomial through the losses, or of a lower degree where they are too few, at log N = x."""
    center, scale = (log_n[0] + log_n[-1]) / 2, max((log_n[-1] - log_n[0]) / 2, 1e-12)
    return np.polyval(np.polyfit((log_n - center) / scale, loss, min(degree, len(log_n) - 1)), (x - center) / scale)


def _bottom(coefficients: np.ndarray) -> np.ndarray:
    """(n,) where polynomials of degree 2 or 3 (n, degree + 1) have their minimum, NaN where they have none."""
    a, b, c = ([np.zeros(len(coefficients))] if coefficients.shape[1] == 3 else []) + list(coefficients.T[:-1])
    # Slope 3 a z^2 + 2 b z + c; the root where it rises, in the form that does not cancel as a goes to 0.
    root = np.sqrt(np.maximum(b**2 - 3 * a * c, 0.0))
    under = b + root
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.where(b >= 0, -c / under, (root - b) / (3 * a))
    return np.where((root > 0) & np.isfinite(place), place, np.nan)


def misfit(sizes: Sizes, degree: int) -> tuple[float, int]:
    """Sum of squares about a polynomial, and its degrees of freedom."""
    left = len(sizes.log_n) - degree - 1
    if left < 1:
        return 0.0, 0
    return float(np.sum(_residuals(sizes.log_n, sizes.loss, degree) ** 2)), left


def contrasts(sizes: Sizes) -> np.ndarray:
    """Deviations of four neighbouring sizes from a parabola, in units of one loss, for all fours that hold the lowest loss."""
    n, low = len(sizes.log_n), int(sizes.loss.argmin())
    fours = range(max(0, low - 3), min(n - 3, low + 1))
    return np.asarray([np.linalg.norm(_residuals(sizes.log_n[i : i + 4], sizes.loss[i : i + 4], 2)) for i in fours])


def _residuals(x: np.ndarray, y: np.ndarray, degree: int) -> np.ndarray:
    design = np.vander(x - x.mean(), degree + 1)
    return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
