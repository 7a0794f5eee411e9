"""How wrong a parabola through isoFLOP runs is when nothing else is: no noise, a known surface, a chosen grid of sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...core.errors import DecisionError
from ...core.numeric.precision import double, plain
from ...core.table import Shown, Table, number
from ...decisions.allocate import allocate
from ...decisions.known import Source, known
from ...decisions.recipes.arm import positive
from ...decisions.recipes.regret import Regret, regret


def vertex_shift(alpha: Any, beta: Any, width: Any, points: int = 15, offset: Any = 0.0) -> Any:
    r"""Distance of the parabola's vertex from the true optimum on `chinchilla`, without simulation.

        log10 N_vertex / N* = c + v / ln 10,    v = -(sum u y / sum u^2) / (2 sum (u^2 - m) y / sum (u^2 - m)^2),    m = mean u^2
        y = exp(-alpha w) / alpha + exp(beta w) / beta,    w = u + c ln 10

    with u the natural logarithms of an even grid of sizes around its centre. Along C = 6 N D the loss is E + K y with one K for all sizes,
    so that the shift depends on the exponents and on the grid, not on C, E, A or B; it vanishes for alpha = beta on a centred grid.

    Args:
        alpha, beta: exponents of parameters and tokens.
        width: width of the grid in decades; a grid from N*/16 to 16 N* has 2 log10(16) = 2.41.
        points: sizes on the grid, at least 4.
        offset: log10 of the grid's centre over N*.

    Returns:
        The shift in decades, in the common shape of the arguments. The inferred N is 10^shift times the true one, the inferred D
        10^-shift times.

    Raises:
        DecisionError: if exponents or width are not positive, or there are fewer than 4 points.

    Example:
        >>> from math import log10
        >>> round(10 ** vertex_shift(0.34, 0.28, 2 * log10(16)) - 1, 4)
        0.0537

    References: Czech et al. 2026, arXiv:2603.22339. Their "4.1 %" for this grid is not 10^shift - 1 but the relative error of the
    logarithm of the factor of D, log10 k_D.
    """
    alpha, beta, width, c = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64)[..., None] for v in (alpha, beta, width, offset)))
    for name, value in (("alpha", alpha), ("beta", beta), ("width", width)):
        if not (value > 0).all():
            raise DecisionError(f"vertex_shift() got {name}={value.min():g}; it must be positive.")
    u = np.log(10) * width * _grid(points)
    w = u + c * np.log(10)
    y = np.exp(-alpha * w) / alpha + np.exp(beta * w) / beta
    bend = u**2 - (u**2).mean(axis=-1, keepdims=True)
    slope, curvature = (u * y).sum(-1) / (u**2).sum(-1), (bend * y).sum(-1) / (bend**2).sum(-1)
    shift = c[..., 0] - slope / (2 * curvature) / np.log(10)
    return shift if shift.ndim else float(shift)


@dataclass(frozen=True, eq=False, repr=False)
class IsoflopBias(Shown):
    """What approach 2 would infer from noise-free runs, beside the truth.

    Attributes:
        budgets: (budgets,) of the runs, FLOPs.
        shift: (budgets,) log10 of the vertex over the true N.
        used: (budgets,) which vertices enter the regression.
        a, b, k_N, k_D: the inferred lines N = k_N C^a and D = k_D C^b.
        compute: budgets that the lines are extrapolated to. N, D: inferred there. true_N, true_D: optimal there. Floats for one budget.
        error: D / true_D - 1.
        regret: loss of the inferred runs, their excess, and the least compute that reaches it.
    """

    budgets: np.ndarray
    shift: np.ndarray
    used: np.ndarray
    a: float
    b: float
    k_N: float
    k_D: float
    compute: Any
    N: Any
    D: Any
    true_N: Any
    true_D: Any
    regret: Regret

    @property
    def error(self) -> Any:
        """Relative error of the inferred tokens."""
        return self.D / self.true_D - 1

    @property
    def dead_weight(self) -> Any:
        """Compute that the wrong allocation wastes, in FLOPs: C less the least compute that reaches its loss."""
        return self.compute * self.regret.wasted

    def table(self) -> Table:
        """A row for every budget that the lines are extrapolated to."""
        columns = (self.compute, self.true_N, self.N, self.true_D, self.D, self.error, self.regret.excess, self.dead_weight)
        rows = [[number(v, 4) for v in row] for row in zip(*(np.atleast_1d(c) for c in columns), strict=True)]
        shifts = f"vertices at {10 ** self.shift.min():.4g} to {10 ** self.shift.max():.4g} of the true N on {len(self.budgets)} budgets"
        left = len(self.used) - int(self.used.sum())
        shifts += f", {left} of them outside the sizes and left out" if left else ""
        lines = f"inferred N = {self.k_N:.4g} C^{self.a:.4f}, D = {self.k_D:.4g} C^{self.b:.4f}"
        head = ["compute", "true N", "N", "true D", "D", "error of D", "excess loss", "dead-weight compute"]
        return Table(head, rows, title="Bias of isoFLOP parabolas", notes=[shifts, lines])


@double
def isoflop_bias(
    source: Source,
    *,
    budgets: Sequence[float],
    compute: Any,
    width: float,
    points: int = 15,
    offset: float = 0.0,
    drift: float = 0.0,
    outside: Literal["keep", "drop"] = "keep",
    group: str | None = None,
) -> IsoflopBias:
    r"""Run approach 2 on noise-free losses of a surface, extrapolate its lines, and price the error.

        centre of the grid:   log10 N_c = log10 N*(C) + offset + drift (log C - log C_1) / (log C_n - log C_1)
        dead-weight compute:  DCL = C - min { C' : L*(C') = L(C / (6 D), D) },    D = k_D C^b

    A centred grid leaves the exponents right and the factors wrong; a centre that drifts away biases the exponents. Works for any law of N
    and D; for `chinchilla` the shifts are `vertex_shift`'s.

    Args:
        source: a fit, draws or (law, parameters); the point estimate is taken as the truth.
        budgets: at least two, in FLOPs, at which sizes are compared.
        compute: one budget or a list to extrapolate to.
        width: width of the grid of sizes in decades.
        points: sizes a budget.
        offset: log10 of the grid's centre over the true N*, at every budget.
        drift: the same, rising from 0 at the first budget to `drift` at the last; negative towards smaller models.
        outside: vertices outside the grid: "keep" them, as is common, or "drop" them, as `isoflop` does.
        group: which group, for a fit with groups.

    Returns:
        IsoflopBias with `.shift`, `.a`, `.b`, `.D`, `.true_D`, `.error`, `.dead_weight`, `.regret`, `.table()`.

    Raises:
        DecisionError: if budgets are not two or more positive numbers that rise, or fewer than two vertices remain.

    Example:
        >>> from math import log10
        >>> import numpy as np, scalejax as sj
        >>> surface = (sj.laws.chinchilla, sj.laws.chinchilla.published["hoffmann2022_rounded"])
        >>> grid = {"budgets": np.logspace(18, 22, 5), "width": 2 * log10(2), "drift": -log10(3)}
        >>> bias = sj.studies.isoflop_bias(surface, compute=3.8e25, **grid)
        >>> f"{bias.true_D:.3g} {bias.D:.3g} {bias.dead_weight:.2g}"
        '2.97e+13 3.35e+13 1.7e+23'

    References: Czech et al. 2026, arXiv:2603.22339.
    """
    C = positive("budgets", budgets, ", in FLOPs")
    if C.ndim != 1 or len(C) < 2 or (np.diff(C) <= 0).any():
        raise DecisionError(f"budgets={budgets!r} must be at least two numbers that rise.")
    if not width > 0:
        raise DecisionError(f"width={width!r} must be a positive number of decades.")
    if outside not in ("keep", "drop"):
        raise DecisionError(f"outside={outside!r} must be 'keep' or 'drop'.")
    knowledge = known(source, group, "isoflop_bias")
    truth = (knowledge.law, knowledge.point)
    decades = np.log10(C / C[0]) / np.log10(C[-1] / C[0])
    center, u = offset + drift * decades, width * _grid(points)
    optimal = allocate(truth, compute=C).N
    sizes = optimal[:, None] * 10 ** (center[:, None] + u)
    losses = np.asarray(knowledge.law(N=sizes, D=C[:, None] / (6 * sizes), **knowledge.point))
    p, q, _ = np.polyfit(u, losses.T, 2)
    vertex = -q / (2 * p)  # from the centre of the grid, in decades
    used = (p > 0) & ((np.abs(vertex) <= width / 2) | (outside == "keep"))
    if used.sum() < 2:
        raise DecisionError("Fewer than two parabolas have a minimum within the sizes; widen the grid, centre it, or pass outside='keep'.")
    shift = center + vertex
    a, log_k = np.polyfit(np.log(C[used]), (np.log(optimal) + np.log(10) * shift)[used], 1)
    target = positive("compute", compute, ", in FLOPs")
    N = np.exp(log_k) * target**a
    D = target / (6 * N)
    cost = regret(truth, N=N, D=D)
    k_N, k_D = float(np.exp(log_k)), float(np.exp(-log_k) / 6)
    best = cost.best
    return IsoflopBias(
        budgets=C, shift=shift, used=used, a=float(a), b=float(1 - a), k_N=k_N, k_D=k_D, compute=plain(target), N=plain(N), D=plain(D),
        true_N=best["N"], true_D=best["D"], regret=cost,
    )  # fmt: skip


def _grid(points: int) -> np.ndarray:
    """An even grid from -1/2 to 1/2."""
    if points < 4:
        raise DecisionError(f"points={points} are too few to show that a parabola does not fit; give at least 4.")
    return np.linspace(-0.5, 0.5, points)
