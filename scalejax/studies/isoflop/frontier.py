"""Compute-optimal sizes without a loss law: approaches 1 (envelope) and 2 (isoFLOP) of Hoffmann et al. 2022, arXiv:2203.15556.

Both find the best N at a number of budgets and regress log N and log D on log C. They are NumPy procedures, kept beside approach 3
(`fit` and `allocate`) because much of the literature reports them; approach 2 is biased when alpha and beta differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ...core.checks import check_count
from ...core.errors import FitError, suggest
from ...core.numeric.precision import double
from ...core.numeric.statistics import akima, ends, lower_hull
from ...core.runs import Runs
from ...core.table import Note, Shown, Table, formatted, number
from ...data.readers import read_runs
from .minima import Minimum, Sizes, contrasts, interpolated, misfit, polynomial, polynomial_at, sizes_by_budget, within
from .oddities import LEAST, below_runs, checked, tell

_METHODS = ("auto", "polynomial", "interpolation")
_MISFIT = 3.0  # standard errors of the logarithm of a ratio of mean squares
_DISAGREES = 0.15  # of C and 6 N D; figures that were read off a plot differ by a tenth


@dataclass(frozen=True, eq=False, repr=False)
class Frontier(Shown):
    """Best sizes per budget and the power laws N = k_N C^a, D = k_D C^b through them.

    Attributes:
        compute, N, D, loss: (budgets,) at each budget; D is that of the runs at N, or C / (6 N) where they hold none.
        used: (budgets,) which enter the regression.
        reasons: (budgets,) why one does not, or "".
        a, b: exponents of N and D. k_N, k_D: factors.
        draws: "a", "b", "log_k_N", "log_k_D" with a draw axis, empty without replicates, infinite where nothing tells the noise.
        method: "isoFLOP (degree 2)", "isoFLOP (interpolation)", "envelope", ...
        notes: what a reader of the numbers must know.
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
    notes: tuple[str, ...]
    _sizes: tuple[Sizes, ...] = field(default=(), kw_only=True)
    _degree: int = field(default=0, kw_only=True)

    @property
    def sizes(self) -> tuple[Sizes, ...]:
        """(budgets,) what went into every budget's minimum: sizes, tokens and losses; empty for an envelope."""
        return self._sizes

    def curve(self, index: int, N: Any) -> np.ndarray:
        """The curve over N whose minimum counts at the budget number `index`: the polynomial, or Akima's interpolation of log L."""
        log_n, loss, x = self._sizes[index].log_n, self._sizes[index].loss, np.log(np.asarray(N, dtype=np.float64))
        if not self._degree:
            return np.exp(akima(log_n, np.log(loss)[None], x)[0])
        return polynomial_at(log_n, loss, self._degree, x)

    def allocate(self, compute: Any) -> tuple[Any, Any]:
        """(N, D) on the regressed lines at one or more budgets."""
        C = np.asarray(compute, dtype=np.float64)
        N, D = self.k_N * C**self.a, self.k_D * C**self.b
        return (N, D) if C.ndim else (float(N), float(D))

    def interval(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """(low, high) of the exponents "a" and "b" over the draws; infinite where nothing tells the noise."""
        if not self.draws:
            raise FitError(f"The {self.method} has no draws; pass replicates=1000.")
        if not np.isfinite(self.draws["a"]).all():
            return {name: (-np.inf, np.inf) for name in ("a", "b")}
        limits = {name: ends(self.draws[name], level) for name in ("a", "b")}
        return {name: (float(low), float(high)) for name, (low, high) in limits.items()}

    def table(self) -> Table:
        """A row for every budget."""
        rows = [
            [formatted(c, ".3g"), number(n, 4), number(d, 4), number(d / n, 4), number(x, 5), reason]
            for c, n, d, x, reason in zip(self.compute, self.N, self.D, self.loss, self.reasons, strict=True)
        ]
        lines = f"{self.method}: N = {self.k_N:.4g} C^{self.a:.4f}, D = {self.k_D:.4g} C^{self.b:.4f}"
        if self.draws:
            low, high = self.interval()["a"]
            lines += f"; a in {low:.4f} – {high:.4f} (90 %)"
        return Table(["compute", "N", "D", "D/N", "loss", ""], rows, notes=[lines, *self.notes])


@double
def isoflop(
    runs: Runs | Any,
    *,
    budget: str = "C",
    method: Literal["auto", "polynomial", "interpolation"] = "auto",
    degree: int = 2,
    window: float = np.inf,
    tolerance: float = 0.05,
    weighted: bool = False,
    replicates: int = 0,
    seed: int = 0,
) -> Frontier:
    r"""Approach 2: per budget the size of least loss, then log N* and log D* against log C.

        log N* = log k_N + a log C,        log D* = log k_D + b log C

    The minimum is that of a polynomial of the loss in log N, as in the paper, where a polynomial describes the sizes. Over sizes decades
    apart it does not, and its minimum is biased, differently at every budget: then it is that of Akima's interpolation of log L over
    log N, the median over losses shaken by the noise. "auto" decides for all budgets together: the polynomials are given up where the mean
    square about them exceeds that of four neighbouring sizes about a parabola, pooled over the budgets, by more than three standard errors
    of its logarithm.

    Args:
        runs: with columns N, loss and the nominal budget in FLOPs; of equal sizes the lowest loss counts. A column D gives the tokens at
            the optimum by interpolation in log N; without it D = C / (6 N).
        budget: name of the budget column.
        method: "polynomial", "interpolation", or "auto" to let the runs decide.
        degree: of the polynomial, 2 (parabola) or 3 (cubic, which follows the asymmetry that biases the parabola).
        window: sizes within so many decades of the one with the lowest loss enter the polynomial.
        tolerance: runs whose budgets differ by less than this fraction belong together.
        weighted: weight budgets by the inverse variance of log N*.
        replicates: draws of the lines, through minima of losses shaken by the noise that the runs show; 0 for none. They are spread by the
            scatter of the minima about the lines where that is larger.
        seed: of the draws.

    A run far off the curve through the other sizes of its budget, such as one that diverged, is named and left out; runs that split by a
    column of text (two architectures in one table) are said to. Notes tell of runs that may be odd, with the answer without them, and of
    minima far below every loss of their budget.

    Returns:
        Frontier. Budgets without an inner minimum, or with fewer than three sizes (degree + 1), stay in the table with the reason. Through
        three sizes a parabola goes exactly, which is said; where that is so at every budget intervals are infinite.

    Warns:
        DataWarning: if the budgets differ from 6 N D, and by how much; and of runs that are left out or split.

    Raises:
        FitError: if fewer than two budgets have a minimum.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law, C = sj.laws.chinchilla, np.repeat([1e19, 1e20, 1e21], 9)
        >>> N = (C / 6) ** 0.45 * 1.3 * np.tile(np.logspace(-0.5, 0.5, 9), 3)
        >>> runs = sj.simulate(law, law.published["hoffmann2022"], N=N, D=C / (6 * N)).with_columns(C=C)
        >>> round(sj.isoflop(runs).a, 2)
        0.46

    References: Hoffmann et al. 2022, arXiv:2203.15556 (parabolas); Porian et al. 2024, arXiv:2406.19146 (interpolation); Czech et al. 2026,
    arXiv:2603.22339 (the bias of parabolas over wide grids).
    """
    if degree not in (2, 3):
        raise FitError(f"degree={degree} must be 2 (parabola) or 3 (cubic).")
    if method not in _METHODS:
        raise FitError(f"method={method!r} is unknown; {suggest(str(method), _METHODS)}")
    if not (0 < tolerance < 1 and window > 0):
        raise FitError(f"tolerance={tolerance!r} must be a share between 0 and 1, and window={window!r} positive.")
    check_count("replicates", replicates, 0)
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    runs, odd = checked(runs, budget, tolerance, window)
    rng = np.random.default_rng(seed)
    sizes = sizes_by_budget(runs, budget, tolerance)
    near = [within(s, window) for s in sizes]
    noise, freedom, ratio, excess = _noise(near, sizes, degree)
    chosen = method if method != "auto" else "interpolation" if excess > _MISFIT else "polynomial"
    notes = [*disagreement(runs, budget), *odd]
    tell(disagreement(runs, budget))
    if chosen == "interpolation":
        noise = noise if np.isfinite(noise) else 0.0
        found = [interpolated(s, noise, replicates=replicates or 200, points=25, floor=0.0, rng=rng) for s in sizes]
        label = "interpolation"
        if method == "auto":
            said = f"polynomials of degree {degree} miss the losses by {np.sqrt(ratio):.3g} times the noise between neighbouring sizes"
            notes.append(Note(f"{said}: the minima are interpolated", "interpolated"))
    else:
        found = [polynomial(s, degree, noise if np.isfinite(noise) else 0.0, replicates, rng) for s in near]
        label = f"degree {degree}"
        notes += below_runs(near, found)
        exact = [f"{s.compute:.3g}" for s, m in zip(near, found, strict=True) if not m.reason and len(s.loss) == degree + 1]
        if exact:
            said = f"the polynomial goes exactly through its {degree + 1} sizes, without an error of its own"
            notes.append(Note(f"{said}, at {', '.join(exact)}", "exact-polynomial"))
    used = np.asarray([not m.reason for m in found])
    if used.sum() < 2:
        raise FitError(
            "Fewer than two budgets have an inner minimum ("
            + "; ".join(f"{s.compute:.3g}: {m.reason or 'good'}" for s, m in zip(sizes, found, strict=True))
            + "); add sizes on both sides of it, or budgets."
        )
    compute, logs = np.asarray([s.compute for s in sizes]), np.asarray([m.log for m in found])
    sd = np.asarray([m.sd for m in found])[used]
    weight = sd**-2 if weighted and (sd > 0).all() else np.ones(used.sum())
    (a, b), (k_n, k_d) = line(np.log(compute[used]), logs[used], weight)
    draws: dict[str, np.ndarray] = {}
    if replicates and not freedom:
        draws = dict.fromkeys(("a", "b", "log_k_N", "log_k_D"), np.asarray([-np.inf, np.inf]))
        notes.append(Note("nothing tells the noise, so that intervals are infinite: train one size more at some budgets", "no-noise"))
    elif replicates:
        draws = _drawn([m for m in found if not m.reason], np.log(compute[used]), logs[used], weight, freedom, replicates, rng)
    loss = np.asarray([m.loss for m in found])
    return Frontier(
        compute=compute, N=np.exp(logs[:, 0]), D=np.exp(logs[:, 1]), loss=loss, used=used, reasons=tuple(m.reason for m in found),
        a=float(a), b=float(b), k_N=float(np.exp(k_n)), k_D=float(np.exp(k_d)), draws=draws, method=f"isoFLOP ({label})",
        notes=tuple(notes), _sizes=tuple(near if chosen == "polynomial" else sizes), _degree=degree if chosen == "polynomial" else 0,
    )  # fmt: skip


def _noise(near: list[Sizes], sizes: list[Sizes], degree: int) -> tuple[float, float, float, float]:
    """Noise of a loss, its degrees of freedom, the mean square about the polynomials over that of the noise, and its excess in errors."""
    squares, freedom = np.sum([misfit(s, degree) for s in near], axis=0)
    about = float(np.sqrt(squares / freedom)) if freedom else np.nan
    fours = [four for four in map(contrasts, sizes) if len(four)]
    if not fours or not freedom:
        return about, freedom, 1.0, 0.0
    least = LEAST * float(np.median(np.concatenate([s.loss for s in sizes])))
    four = np.concatenate(fours)
    ratio = about**2 / max(float(np.mean(four**2)), least**2)
    independent = len(fours)  # budgets: fours of one budget share most of their sizes
    excess = np.log(max(ratio, 1e-300)) / np.sqrt(2 / freedom + 2 / independent)
    if excess <= _MISFIT:
        return about, freedom, ratio, excess
    # The noise of most budgets, for the smallest ones, of the highest losses, can have far more.
    return max(float(np.median(four)) / 0.6745, least), independent, ratio, excess


def _drawn(
    found: list[Minimum], x: np.ndarray, y: np.ndarray, weight: np.ndarray, freedom: float, replicates: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Lines through draws of the minima, whose spread is that of the noise or, if larger, of the minima about the line."""
    picked = np.stack([m.draws[rng.integers(0, len(m.draws), replicates)] - m.log for m in found])  # (budgets, replicates, N and D)
    picked *= np.sqrt(freedom / rng.chisquare(freedom, replicates))[:, None]  # the noise is itself an estimate
    slope, constant = line(x, y, weight)
    if len(x) > 2:
        miss = y - slope * x[:, None] - constant
        scatter = np.sum(weight[:, None] * miss**2, axis=0) / (len(x) - 2)
        known = np.sum(weight[:, None] * np.median(np.abs(picked), axis=1) ** 2, axis=0) / 0.6745**2 / len(x)
        picked *= np.sqrt(np.maximum(scatter / np.maximum(known, 1e-300), 1.0))
    slopes, constants = line(x, y[:, None] + picked, weight)
    return {"a": slopes[:, 0], "b": slopes[:, 1], "log_k_N": constants[:, 0], "log_k_D": constants[:, 1]}


def disagreement(runs: Runs, budget: str) -> tuple[str, ...]:
    """A note where the budgets of the runs are not 6 N D."""
    if "D" not in runs or runs["D"].shape != runs[budget].shape:
        return ()
    ratio = runs[budget] / (6 * runs["N"] * runs["D"])
    if (np.abs(ratio - 1) <= _DISAGREES).all():
        return ()
    ends = dict.fromkeys((f"{ratio.min():.3g}", f"{ratio.max():.3g}"))
    said = f"{budget} is {' to '.join(ends)} times 6 N D: the tokens at the optimum are those of the runs"
    return (Note(said, "not-six-nd"),)


@double
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
    if inner.sum() < 2:
        raise FitError("Fewer than two budgets have an inner minimum; add sizes on both sides of it, or budgets.")
    logs = np.stack([np.log(N[winner]), grid - np.log(6 * N[winner])], axis=1)
    (a, b), (k_n, k_d) = line(grid[inner], logs[inner], np.ones(inner.sum()))
    n, d = np.exp(logs).T
    label = "envelope" + (" (hull)" if hull else "")
    return Frontier(
        compute=np.exp(grid), N=n, D=d, loss=np.exp(best), used=inner, reasons=reasons, a=float(a), b=float(b), k_N=float(np.exp(k_n)),
        k_D=float(np.exp(k_d)), draws={}, method=label, notes=(),
    )  # fmt: skip


def line(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and constant of the weighted regression of y (points, ...) on x (points,)."""
    share = weight / weight.sum()
    middle, level = share @ x, np.tensordot(share, y, axes=1)
    slope = np.tensordot(share * (x - middle), y - level, axes=1) / (share @ (x - middle) ** 2)
    return slope, level - slope * middle
