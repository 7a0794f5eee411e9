"""Small tables of results by scale: does it get better throughout, which way of scaling is steeper, and where do two lines cross?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from jax.scipy.special import betainc

from ..core.errors import DataError, DecisionError, suggest
from ..core.numeric.precision import double
from ..core.table import Shown, Table, number
from ..fitting.objective.groups import meant
from ..fitting.uncertainty.intervals import quantile_of

_EXACT = 100  # runs up to which permutations are counted


@dataclass(frozen=True, eq=False, repr=False)
class MonotoneTrend(Shown):
    """Does y rise or fall with x? See `monotone_trend`.

    Attributes:
        direction: "rising", "falling" or "none".
        tau: Kendall's tau-b, from -1 (y falls throughout) to 1 (it rises throughout).
        p: two-sided, the chance of a tau at least as large in size if y had nothing to do with x.
        agreeing, against: pairs of runs with different x whose y differ with the direction and against it.
    """

    direction: str
    tau: float
    p: float
    agreeing: int
    against: int


@double
def monotone_trend(x: Any, y: Any) -> MonotoneTrend:
    r"""Test for a monotone trend (Mann and Kendall), for claims that a score rises reliably with size or data.

        S = sum_{i < j} sign(x_j - x_i) sign(y_j - y_i),   tau = S / sqrt(pairs with different x * pairs with different y)

    No shape of the curve is assumed. Without ties p is exact, from the number of permutations with S; with ties, such as replicates, and
    for more than 100 runs it is from the normal approximation.

    Args:
        x, y: (n,) scale and result of at least 3 runs.

    Returns:
        MonotoneTrend. Four runs that rise throughout have p = 0.083: fewer than five prove nothing at the usual level.

    Raises:
        DataError: if there are fewer than 3 runs, values are missing, or all x or all y are equal.

    Example:
        >>> from scalejax import monotone_trend
        >>> found = monotone_trend([1e6, 1e7, 1e8, 1e9, 1e10], [60.1, 63.0, 64.2, 66.5, 66.9])
        >>> found.direction, found.tau, round(found.p, 4)
        ('rising', 1.0, 0.0167)

    References: Mann 1945, doi:10.2307/1907187; Kendall 1938, doi:10.1093/biomet/30.1-2.81.
    """
    x, y = _columns(x, y)
    n = len(x)
    if n < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise DataError("A trend needs at least 3 runs whose x and y are not all equal.")
    pairs = np.triu_indices(n, 1)
    signs = [np.sign(v[pairs[1]] - v[pairs[0]]) for v in (x, y)]
    product = signs[0] * signs[1]
    S, agreeing, against = int(product.sum()), int((product > 0).sum()), int((product < 0).sum())
    tau = S / float(np.sqrt(np.prod([np.abs(s).sum() for s in signs])))
    tied = any((s == 0).any() for s in signs)
    p = _normal_tail(S, x, y) if tied or n > _EXACT else _exact_tail(abs(S), n)
    direction = "rising" if S > 0 else "falling" if S < 0 else "none"
    return MonotoneTrend(direction, tau, p, max(agreeing, against), min(agreeing, against))


def _exact_tail(S: int, n: int) -> float:
    """Share of the permutations of n with |S| at least this large; their numbers of inversions are counted one element at a time."""
    share = np.ones(1)
    for k in range(2, n + 1):
        share = np.convolve(share, np.full(k, 1 / k))
    inversions = np.arange(len(share))
    return float(min(share[np.abs(len(share) - 1 - 2 * inversions) >= S].sum(), 1.0))


def _normal_tail(S: int, x: np.ndarray, y: np.ndarray) -> float:
    """Two-sided p of S with ties in x and y."""
    n = len(x)
    t, u = (np.unique(v, return_counts=True)[1].astype(float) for v in (x, y))
    variance = (n * (n - 1) * (2 * n + 5) - sum((c * (c - 1) * (2 * c + 5)).sum() for c in (t, u))) / 18
    variance += (t * (t - 1)).sum() * (u * (u - 1)).sum() / (2 * n * (n - 1))
    variance += (t * (t - 1) * (t - 2)).sum() * (u * (u - 1) * (u - 2)).sum() / (9 * n * (n - 1) * (n - 2))
    return 2 * NormalDist().cdf(-abs(S) / float(np.sqrt(variance)))


@dataclass(frozen=True, eq=False, repr=False)
class Crossing(Shown):
    """Where two lines cross: x, and its interval (0 and infinity where it is open)."""

    x: float
    low: float
    high: float


@dataclass(frozen=True, eq=False, repr=False)
class SlopeComparison(Shown):
    """Log-log lines of several groups with one scatter; see `compare_slopes`.

    Attributes:
        groups: their names.
        slopes: (groups,) d log y / d log x.
        heights: (groups,) log y of the line at the common centre of log x.
        centre: mean of log x over all runs.
        sigma: scatter of log y about the lines, with `freedom` = n - 2 groups degrees of freedom.
        p_equal: chance of slopes at least as different if all are equal (F test); NaN for one group.
        covariance: (groups, 2, 2) of height and slope, per unit of sigma^2.
    """

    groups: tuple[str, ...]
    slopes: np.ndarray
    heights: np.ndarray
    centre: float
    sigma: float
    freedom: int
    p_equal: float
    covariance: np.ndarray

    def interval(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """(low, high) of every group's slope: Student's t."""
        reach = self._reach(level) * np.sqrt(self.covariance[:, 1, 1])
        return {g: (float(s - r), float(s + r)) for g, s, r in zip(self.groups, self.slopes, reach, strict=True)}

    def difference(self, a: str, b: str, level: float = 0.9) -> tuple[float, float, float]:
        """Slope of a less slope of b: (estimate, low, high). Wholly below 0, the error of a falls faster."""
        d, covariance = self._contrast(a, b)
        reach = self._reach(level) * np.sqrt(covariance[1, 1])
        return float(d[1]), float(d[1] - reach), float(d[1] + reach)

    def crossing(self, a: str, b: str, level: float = 0.9) -> Crossing:
        """The x at which the lines of a and b meet, with Fieller's interval: all x at which they do not differ at this `level`.

        It is (0, infinity) if the slopes themselves do not differ; then no crossing is established.
        """
        d, covariance = self._contrast(a, b)
        M = np.outer(d, d) - self._reach(level) ** 2 * covariance  # t' M t <= 0 for t = (1, log x - centre)
        with np.errstate(divide="ignore", over="ignore"):
            x = float(np.exp(self.centre - np.divide(*d)))
            if M[1, 1] <= 0:
                return Crossing(x, 0.0, np.inf)
            half = np.sqrt(max(M[0, 1] ** 2 - M[0, 0] * M[1, 1], 0.0))
            low, high = (float(np.exp(self.centre + (s * half - M[0, 1]) / M[1, 1])) for s in (-1, 1))
        return Crossing(x, low, high)

    def table(self, level: float = 0.9) -> Table:
        """A row for every group."""
        limits = self.interval(level)
        rows = [[g, number(s), number(limits[g][0]), number(limits[g][1])] for g, s in zip(self.groups, self.slopes, strict=True)]
        note = f"scatter {self.sigma:.3g} of log y, {self.freedom} degrees of freedom; equal slopes: p = {self.p_equal:.3g}"
        return Table(["group", "slope", f"low {100 * level:g} %", f"high {100 * level:g} %"], rows, notes=[note])

    def _reach(self, level: float) -> float:
        return float(quantile_of(level, np.asarray(self.freedom))) * self.sigma

    def _contrast(self, a: str, b: str) -> tuple[np.ndarray, np.ndarray]:
        """Difference of (height, slope), and its covariance per unit of sigma^2."""
        a, b = meant(a, self.groups), meant(b, self.groups)
        for name in (a, b):
            if name not in self.groups:
                raise DecisionError(f"There is no group {name!r}; {suggest(name, self.groups)}")
        i, j = self.groups.index(a), self.groups.index(b)
        d = np.asarray([self.heights[i] - self.heights[j], self.slopes[i] - self.slopes[j]])
        return d, self.covariance[i] + self.covariance[j] if i != j else np.zeros((2, 2))


@double
def compare_slopes(x: Any, y: Any, group: Sequence[Any] | None = None) -> SlopeComparison:
    r"""Compare the log-log slopes of several groups, such as ways of adding parameters, by analysis of covariance.

        log y = a_g + b_g log x + e,    e normal with one variance for all groups

    Slopes may have any sign, unlike exponents of laws. Where a power law with a constant is meant, fit it with by= and compare with
    `equality_test`; its break-even is `break_even`.

    Args:
        x, y: (n,) scale and error (or score), positive.
        group: (n,) group of every run; default one.

    Returns:
        SlopeComparison with `.slopes`, `.interval(level)`, `.difference(a, b)`, `.crossing(a, b)`, `.p_equal`, `.table()`.

    Raises:
        DataError: if a value is not positive, a group has fewer than two different x, or no degree of freedom is left.

    Example:
        >>> from scalejax import compare_slopes
        >>> sizes = [1e6, 1e7, 1e8, 1e9]
        >>> found = compare_slopes(sizes * 2, [9.0, 6.1, 4.0, 2.7, 7.0, 6.0, 5.1, 4.4], ["attention"] * 4 + ["other"] * 4)
        >>> found.slopes.round(3).tolist(), found.p_equal < 0.001
        ([-0.175, -0.068], True)
        >>> f"{found.crossing('attention', 'other').x:.2g}"
        '1.1e+07'

    References: Qu and Krishnapriyan 2024, arXiv:2410.24169 (slopes by kind of parameter); Fieller 1954 (interval of a ratio).
    """
    x, y = _columns(x, y)
    names = np.full(len(x), "all") if group is None else np.asarray([str(g) for g in group])
    if len(names) != len(x):
        raise DataError(f"group has {len(names)} entries for {len(x)} runs; give one a run.")
    if not ((x > 0).all() and (y > 0).all()):
        raise DataError("Slopes are of logarithms; x and y must be positive.")
    t, z = np.log(x), np.log(y)
    centre = float(t.mean())
    groups = tuple(dict.fromkeys(names.tolist()))
    freedom = len(x) - 2 * len(groups)
    spread = [float(((t[names == g] - t[names == g].mean()) ** 2).sum()) for g in groups]
    for g, s in zip(groups, spread, strict=True):
        if s == 0:
            raise DataError(f"Group {g!r} has runs at one x only, which show no slope; give two or more.")
    if freedom < 1:
        raise DataError(f"{len(x)} runs leave no degree of freedom for the scatter about {len(groups)} lines; give more runs.")
    lines = [_line(t[names == g] - centre, z[names == g]) for g in groups]
    slopes, heights = np.asarray([line[0][1] for line in lines]), np.asarray([line[0][0] for line in lines])
    rss = sum(line[2] for line in lines)
    common = float(np.average(slopes, weights=spread))
    between = float((np.asarray(spread) * (slopes - common) ** 2).sum())
    sigma = float(np.sqrt(rss / freedom))
    return SlopeComparison(
        groups=groups, slopes=slopes, heights=heights, centre=centre, sigma=sigma, freedom=freedom,
        p_equal=_f_tail(between, rss, len(groups) - 1, freedom), covariance=np.stack([line[1] for line in lines]),
    )  # fmt: skip


def _line(t: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Height at t = 0 and slope of the least-squares line, their covariance per unit variance, and the sum of squared residuals."""
    design = np.stack([np.ones_like(t), t], axis=1)
    covariance = np.linalg.inv(design.T @ design)
    line = np.linalg.lstsq(design, z, rcond=None)[0]
    return line, covariance, float(((z - design @ line) ** 2).sum())


def _f_tail(between: float, within: float, df_between: int, df_within: int) -> float:
    """Upper tail of the F distribution at (between / df_between) / (within / df_within)."""
    if df_between < 1:
        return float("nan")
    return float(betainc(df_within / 2, df_between / 2, within / (within + between)))


def _columns(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """x and y as arrays of finite numbers of one length."""
    x, y = (np.asarray(v, dtype=np.float64) for v in (x, y))
    if x.ndim != 1 or x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("x and y must be two flat lists of numbers of one length, without gaps.")
    return x, y
