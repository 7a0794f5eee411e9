"""Compute-optimal sizes without a loss law: approaches 1 (envelope) and 2 (isoFLOP) of Hoffmann et al. 2022, arXiv:2203.15556.

Both find the best N at a number of budgets and regress log N and log D on log C. They are NumPy procedures, kept beside approach 3
(`fit` and `allocate`) because much of the literature reports them; approach 2 is biased when alpha and beta differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import FitError
from ..core.runs import Runs
from ..core.table import Table, number
from .draws import ends


@dataclass(frozen=True, eq=False)
class Frontier:
    """Best sizes per budget and the power laws N = k_N C^a, D = k_D C^b through them.

    Attributes:
        compute, N, D, loss: (budgets,) at each budget; D = C / (6 N).
        used: (budgets,) which enter the regression.
        reasons: (budgets,) why one does not, or "".
        a, b: exponents of N and D. k_N, k_D: factors.
        draws: "a", "b", "log_k_N", "log_k_D" with a draw axis, empty without bootstrap.
        method: "isoFLOP (degree 2)", "envelope", ...
    """

    compute: np.ndarray
    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    used: np.ndarray
    reasons: tuple[str, ...]
    a: float
    b: float
    k_N: float
    k_D: float
    draws: dict[str, np.ndarray]
    method: str

    def allocate(self, compute: Any) -> tuple[Any, Any]:
        """(N, D) on the regressed lines at one or more budgets."""
        C = np.asarray(compute, dtype=np.float64)
        N, D = self.k_N * C**self.a, self.k_D * C**self.b
        return (N, D) if C.ndim else (float(N), float(D))

    def interval(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """(low, high) of the exponents "a" and "b" over the bootstrap draws."""
        if not self.draws:
            raise FitError(f"The {self.method} has no bootstrap draws; pass replicates=1000.")
        return {name: tuple(float(v) for v in ends(self.draws[name], level)) for name in ("a", "b")}

    def table(self) -> Table:
        """A row for every budget."""
        rows = [
            [f"{c:.3g}", number(n, 4), number(d, 4), number(d / n, 4), number(x, 5), reason]
            for c, n, d, x, reason in zip(self.compute, self.N, self.D, self.loss, self.reasons, strict=True)
        ]
        line = f"{self.method}: N = {self.k_N:.4g} C^{self.a:.4f}, D = {self.k_D:.4g} C^{self.b:.4f}"
        if self.draws:
            low, high = self.interval()["a"]
            line += f"; a in {low:.4f} – {high:.4f} (90 %)"
        return Table(["compute", "N", "D", "D/N", "loss", ""], rows, notes=[line])

    def __repr__(self) -> str:
        return self.table().text()


def isoflop(
    runs: Runs,
    *,
    budget: str = "C",
    degree: int = 2,
    tolerance: float = 0.05,
    weighted: bool = False,
    replicates: int = 0,
    seed: int = 0,
) -> Frontier:
    """Approach 2: per budget a polynomial of loss in log N, its minimum, then log N* and log D* against log C.

    Args:
        runs: with columns N, loss and the nominal budget in FLOPs.
        budget: name of the budget column.
        degree: 2 (parabola) or 3 (cubic, which follows the asymmetry that biases the parabola).
        tolerance: runs whose budgets differ by less than this fraction belong together.
        weighted: weight budgets by the inverse variance of log N*.
        replicates: bootstrap replicates (runs resampled within budgets); 0 for none.
        seed: of the bootstrap.

    Returns:
        Frontier. Budgets without an inner minimum, or with fewer than degree + 2 runs, stay in the table with the reason.

    Raises:
        FitError: if fewer than two budgets have a minimum.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law, C = sj.laws.chinchilla, np.repeat([1e19, 1e20, 1e21], 9)
        >>> N = (C / 6) ** 0.45 * 1.3 * np.tile(np.logspace(-0.5, 0.5, 9), 3)
        >>> runs = sj.simulate(law, law.published["hoffmann2022"], N=N, D=C / (6 * N)).with_columns(C=C)
        >>> round(sj.isoflop(runs).a, 2)
        0.46
    """
    if degree not in (2, 3):
        raise FitError(f"degree={degree} must be 2 (parabola) or 3 (cubic).")
    keep = ~runs.excluded
    C, x, y = runs[budget][keep], np.log(runs["N"][keep]), runs["loss"][keep]
    groups = _budgets(C, tolerance)
    found = [_minimum(x[g], y[g], degree) for g in groups]
    compute = np.asarray([np.exp(np.mean(np.log(C[g]))) for g in groups])
    log_n, loss, variance = (np.asarray([f[i] for f in found], dtype=float) for i in range(3))
    reasons = tuple(f[3] for f in found)
    used = np.asarray([not r for r in reasons])
    lines = _regress(compute, log_n, used, 1 / variance if weighted else None)
    draws: dict[str, np.ndarray] = {}
    if replicates:
        rng, rows = np.random.default_rng(seed), []
        for _ in range(replicates):
            again = [_minimum(x[i], y[i], degree) for g in groups for i in [rng.choice(g, len(g))]]
            ok = np.asarray([not f[3] for f in again]) & used
            if ok.sum() > 1:
                rows.append(_regress(compute, np.asarray([f[0] for f in again], dtype=float), ok, None))
        draws = dict(zip(("a", "b", "log_k_N", "log_k_D"), np.asarray(rows).T, strict=True))
    return _frontier(compute, log_n, loss, used, reasons, lines, draws, f"isoFLOP (degree {degree})")


def envelope(runs: Runs, *, budgets: int = 1500, hull: bool = False) -> Frontier:
    """Approach 1: at each of many budgets the run whose training curve is lowest, then log N and log D against log C.

    Args:
        runs: with N and the curve columns D (tokens seen at each step) and loss, shape (runs, steps).
        budgets: how many log-spaced budgets between the smallest and the largest compute that the curves share.
        hull: use the corners of the lower convex hull of the (log C, log L) cloud instead of the pointwise minimum.

    Returns:
        Frontier; "used" leaves out budgets that only the smallest or only the largest model reaches best, where the grid of sizes ends.
    """
    N, D, loss = runs["N"], runs["D"], runs["loss"]
    if D.ndim != 2 or loss.shape != D.shape:
        raise FitError("envelope() needs curves: columns D and loss of shape (runs, steps); read them as lists a row.")
    mask = runs.masks.get("loss", np.ones(D.shape, bool)) & np.isfinite(loss)
    curves = [(np.log(6 * n * d[m]), np.log(v[m])) for n, d, v, m in zip(N, D, loss, mask, strict=True)]
    low, high = min(c[0].min() for c in curves), max(c[0].max() for c in curves)
    grid = np.linspace(low, high, budgets)
    values = np.stack([np.interp(grid, c, v, left=np.inf, right=np.inf) for c, v in curves])
    winner, best = values.argmin(axis=0), values.min(axis=0)
    if hull:
        corners = lower_hull(grid, best)
        grid, winner, best = grid[corners], winner[corners], best[corners]
    inner = np.isfinite(best) & (N[winner] > N.min()) & (N[winner] < N.max())
    reasons = tuple("" if ok else "edge of the sizes" for ok in inner)
    log_n = np.log(N[winner])
    lines = _regress(np.exp(grid), log_n, inner, None)
    return _frontier(np.exp(grid), log_n, np.exp(best), inner, reasons, lines, {}, "envelope" + (" (hull)" if hull else ""))


def _budgets(C: np.ndarray, tolerance: float) -> list[np.ndarray]:
    order = np.argsort(C)
    splits = np.flatnonzero(np.diff(np.log(C[order])) > np.log1p(tolerance)) + 1
    return np.split(order, splits)


def _minimum(x: np.ndarray, y: np.ndarray, degree: int) -> tuple[float, float, float, str]:
    """log N*, loss, variance of log N*, and why there is none."""
    if len(np.unique(x)) < degree + 2:
        return np.nan, np.nan, np.nan, f"only {len(np.unique(x))} sizes"
    center, scale = x.mean(), np.ptp(x) / 2
    z = (x - center) / scale
    design = np.vander(z, degree + 1)
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    slope = np.polyder(coefficients)
    roots = np.roots(slope)
    bottoms = [r.real for r in roots if abs(r.imag) < 1e-12 and np.polyval(np.polyder(slope), r.real) > 0]
    if not bottoms:
        return np.nan, np.nan, np.nan, "no minimum"
    best = bottoms[0]
    residual = y - design @ coefficients
    covariance = np.linalg.inv(design.T @ design) * (residual @ residual) / max(len(x) - degree - 1, 1)
    # The minimum moves by -(d slope)/(slope') when the coefficients move.
    lean = np.asarray([-p * best ** (p - 1) if p else 0.0 for p in range(degree, -1, -1)]) / np.polyval(np.polyder(slope), best)
    variance = max(float(lean @ covariance @ lean), 1e-24) * scale**2
    if not z.min() <= best <= z.max():
        return center + scale * best, np.polyval(coefficients, best), variance, "minimum outside the sizes"
    return center + scale * best, float(np.polyval(coefficients, best)), variance, ""


def _regress(compute: np.ndarray, log_n: np.ndarray, used: np.ndarray, weight: np.ndarray | None) -> tuple[float, float, float, float]:
    """a, b, log k_N, log k_D."""
    if used.sum() < 2:
        raise FitError("Fewer than two budgets have an inner minimum; add sizes on both sides of it, or budgets.")
    log_c, n = np.log(compute[used]), log_n[used]
    w = None if weight is None else np.sqrt(weight[used])
    a, k_n = np.polyfit(log_c, n, 1, w=w)
    b, k_d = np.polyfit(log_c, log_c - np.log(6) - n, 1, w=w)
    return float(a), float(b), float(k_n), float(k_d)


def _frontier(compute, log_n, loss, used, reasons, lines, draws, method) -> Frontier:
    a, b, k_n, k_d = lines
    N = np.exp(log_n)
    return Frontier(compute, N, compute / (6 * N), loss, used, reasons, a, b, float(np.exp(k_n)), float(np.exp(k_d)), draws, method)


def lower_hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Indices of the lower convex hull of points sorted by x (Andrew's monotone chain)."""
    hull: list[int] = []
    for i in np.flatnonzero(np.isfinite(y)):
        while len(hull) > 1:
            (x0, y0), (x1, y1) = ((x[j], y[j]) for j in hull[-2:])
            if (x1 - x0) * (y[i] - y0) <= (y1 - y0) * (x[i] - x0):
                hull.pop()
            else:
                break
        hull.append(int(i))
    return np.asarray(hull)
