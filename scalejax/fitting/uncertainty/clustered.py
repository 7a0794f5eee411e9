r"""Covariances of fits whose residuals are not independent: rows that share a run, a size or a seed, and neighbours on a curve or
along the only input.

The residuals u, times the roots of their weights, have the covariance

    units:    R = a I + b Z Z',    Z_ig = 1 where residual i belongs to unit g;
    curves:   R = a T,             T_ij = rho^|i - j| within a curve,

so that theta has the covariance A R A', A = sqrt(k) (X'X)^-1 X', X the derivatives times the roots of the weights and k >= 1 what the loss
gives away beside least squares where noise is normal. What the fit took from the residuals is reckoned with: u'u and |Z'u|^2 have the means
a (n - p) + b tr K and a tr K + b tr K^2, K = Z'MZ, M = I - X (X'X)^-1 X'. A sandwich from sums over units needs dozens of them; two numbers
are known from a few units, with the degrees of freedom that K's eigenvalues give (Satterthwaite). Where the parameters could explain every
difference between the units, none is left and the interval is infinite.

References: Henderson 1953, Biometrics 9, 226 (moments of variance components); Moulton 1986, J. Econometrics 32, 385.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...core.errors import FitError, suggest
from .residuals import rows_of
from .sums import DenseRows, excess, mean_curvature
from .units import column_names, unit_names

if TYPE_CHECKING:
    from ..request import Request
    from ..result import Fit

_NUMBERS = 2**26  # derivatives held at once
_ZERO = 1e-8  # eigenvalue of K, relative to the largest possible, below which the parameters explain a difference between units


class Sizes(NamedTuple):
    """a and b of the module's formula, and the degrees of freedom that each is known from."""

    row: float
    unit: float
    row_freedom: float
    unit_freedom: float


class DataSet(NamedTuple):
    """One data set: dense rows with their free parameters, the run of every residual, and the shape of theta."""

    rows: DenseRows
    run: np.ndarray
    free: np.ndarray
    held: np.ndarray
    endless: np.ndarray


def clustered_parts(fit: Fit, groups: str | Sequence[str] | None) -> tuple[str, tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """What the units are, and parts and degrees of freedom of the covariance, as `Spread` holds them.

    Args:
        groups: the column that names the units, or several that do together; None for curves, whose steps are correlated with their
            neighbours, and for runs that follow each other along the only input.
    """
    request = fit.request
    columns = () if groups is None else column_names(groups)
    for column in columns:
        if column not in request.runs:
            raise FitError(f"groups={column!r} names no column of the runs; {suggest(column, request.runs.names)}")
    if groups is None and not request.curves and request.series is None:
        raise FitError("covariance='clustered' needs the column that names what is not independent inside: groups='...'.")
    size, sets = fit.theta.shape
    parts = np.full((2, sets, size, size), np.nan)
    freedoms = np.zeros((2, sets, size))
    for s, one in enumerate(sets_of(fit)):
        if not columns:
            found = [_serial(request, one), (np.zeros((len(one.free),) * 2), 1.0)]
        else:
            found = _by_unit(one, unit_names(request.runs, one.run, columns))
        for k, (matrix, degrees) in enumerate(found):
            bad = np.isinf(matrix).any() | (degrees <= 0)
            parts[k, s][np.ix_(one.free, one.free)] = np.inf if bad else matrix
            parts[k, s][one.endless] = np.inf
            parts[k, s][:, one.endless] = np.inf
            parts[k, s][one.held] = np.nan
            parts[k, s][:, one.held] = np.nan
            freedoms[k, s] = degrees
    alone = f"stretches of {request.series}" if request.series else "blocks of steps"
    return " and ".join(columns) or alone, tuple(parts), tuple(freedoms)


def _by_unit(one: DataSet, names: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """The share of single residuals and that of units, with the degrees of freedom of their sizes."""
    rows = one.rows
    sizes, scores = (unit_sizes(rows, names, seen[0]) for seen in (rows.errors, rows.score))
    if sizes is None or scores is None:
        endless = np.full((len(one.free),) * 2, np.inf)
        return [(endless, 0.0), (endless, 0.0)]
    push = _influence(rows)
    carried = _totals(names, push.T)
    c = mean_curvature(rows.loss, rows.jac.shape[2], rows.weight, rows.r)[0]
    own = scores.row / c**2 * rows.inverse[0]  # inside units a robust loss looks at the scores, which errors of the units cut off
    return [(own, scores.row_freedom), (sizes.unit * carried.T @ carried, sizes.unit_freedom)]


def unit_sizes(rows: DenseRows, names: np.ndarray, u: np.ndarray) -> Sizes | None:
    """Variance of single residuals and of units; None where the parameters could explain all differences between units.

    Args:
        rows: of one set.
        names: (n,) the unit of every residual. u: (n,) the residuals, or the scores of the loss.
    """
    p, used, Q = rows.jac.shape[2], rows.weight[0] > 0, rows.basis[0]
    n, taken = int(used.sum()), _totals(names, Q)
    eigen = np.linalg.eigvalsh(np.diag(_totals(names, used.astype(float))) - taken @ taken.T)
    eigen = np.where(eigen > _ZERO * max(eigen.max(), 1.0), eigen, 0.0)
    means = np.asarray([[n - p, eigen.sum()], [eigen.sum(), np.sum(eigen**2)]])
    seen = np.asarray([u @ u, np.sum(_totals(names, u) ** 2)])
    if n <= p or not eigen.any() or np.linalg.det(means) <= 1e-9 * means[0, 0] * means[1, 1]:
        return None
    solve = np.linalg.inv(means)
    a, b = solve @ seen
    if b <= 0:
        return Sizes(seen[0] / (n - p), 0.0, float(n - p), float(n - p))
    a = max(a, 0.0)
    # Variance of a form k_1 u'u + k_2 |Z'u|^2 of normal scores; the n - p directions that are left have the eigenvalues of K or 0.
    left = np.concatenate([eigen, np.zeros(max(n - p - len(eigen), 0))])
    variances = [2 * np.sum(((k[0] + k[1] * left) * (a + b * left)) ** 2) for k in solve]
    degrees = [max(2 * value**2 / max(v, 1e-300), 1.0) for value, v in zip((a, b), variances, strict=True)]
    return Sizes(float(a), float(b), *degrees)


def _totals(names: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sums over the units, in the order of their names."""
    known, index = np.unique(names, return_inverse=True)
    out = np.zeros((len(known), *values.shape[1:]))
    np.add.at(out, index, values)
    return out


class Serial(NamedTuple):
    """Noise whose neighbours are correlated: variance, correlation, degrees of freedom, and which residuals follow each other on curves."""

    variance: float
    rho: float
    freedom: float
    curves: list[np.ndarray]


def serial(request: Request, one: DataSet) -> Serial | None:
    """The noise of a set whose residuals follow each other; None without a degree of freedom."""
    rows, p = one.rows, len(one.free)
    order, curve = request.along(one.run)
    kept = rows.weight[0][order] > 0
    order, curve = order[kept], curve[kept]
    u, Q, n = rows.errors[0][order], rows.basis[0][order], len(order)
    if n <= p:
        return None
    curves = np.split(np.arange(n), np.flatnonzero(np.diff(curve)) + 1)

    def neighbours(x: np.ndarray) -> np.ndarray:
        """Mean of both neighbours on the curve."""
        out = np.zeros_like(x)
        for c in curves:
            out[c[:-1]] += 0.5 * x[c[1:]]
            out[c[1:]] += 0.5 * x[c[:-1]]
        return out

    near, pairs = neighbours(Q), sum(max(len(c) - 1, 0) for c in curves)
    inner = Q.T @ near

    def means(rho: float) -> tuple[float, float]:
        """Of u'u and of u'Lu, L the mean of neighbours, for a = 1."""
        moved = _correlated(curves, Q, rho)
        square = n - np.sum(Q * moved)
        return square, rho * pairs - 2 * np.sum(near * moved) + np.sum(inner * (Q.T @ moved))

    wanted = (u @ neighbours(u)) / max(u @ u, 1e-300)
    grid = np.linspace(0.0, 0.995, 200)
    ratio = np.asarray([product / square for square, product in map(means, grid)])
    rho = float(grid[np.argmin(np.abs(ratio - wanted))])
    square = means(rho)[0]
    spread = n * (1 + rho**2) / (1 - rho**2)  # sum of the squared entries of T
    degrees = max(square**2 / spread - p * (rho == 0), 1.0)
    return Serial(float(u @ u) / square, rho, degrees, [order[c] for c in curves])


def _correlated(curves: Sequence[np.ndarray], x: np.ndarray, rho: float) -> np.ndarray:
    """T x, by one recursion forward and one backward; 0 where no curve is."""
    from scipy.signal import lfilter

    out = np.zeros_like(x)
    for c in curves:
        ahead, back = lfilter([1.0], [1.0, -rho], x[c], axis=0), lfilter([1.0], [1.0, -rho], x[c][::-1], axis=0)[::-1]
        out[c] = ahead + back - x[c]
    return out


def _serial(request: Request, one: DataSet) -> tuple[np.ndarray, float]:
    """Covariance with correlated neighbours, and the degrees of freedom of its size."""
    noise = serial(request, one)
    if noise is None:
        return np.full((len(one.free),) * 2, np.inf), 0.0
    push = _influence(one.rows)
    return noise.variance * push @ _correlated(noise.curves, push.T.copy(), noise.rho), noise.freedom


def _influence(rows: DenseRows) -> np.ndarray:
    """A, (p, n)."""
    k = excess(rows.loss, rows.jac.shape[2], rows.weight, rows.r)[0]
    return np.sqrt(k) * rows.inverse[0] @ rows.root[0].T


def sets_of(fit: Fit, which: Sequence[int] | None = None) -> Iterator[DataSet]:
    """The data sets of a fit (or some of them), one after the other."""
    request, labels = fit.request, fit.request.layout.labels
    if fit.theta.shape[0] * request.batch.rows > _NUMBERS:
        raise FitError(
            f"The covariance of {request.batch.rows:,} residuals and {fit.theta.shape[0]:,} parameters that are not independent takes too "
            "much memory; use sj.bootstrap(fit, groups=...)."
        )
    every = fit.diagnosis.rows
    if any(rows.slope is None for rows in every):
        every = rows_of(request, fit.theta, 2 * _NUMBERS)
    for s in range(len(every)) if which is None else which:
        rows, shape = every[s], fit.curvature[s]
        held, endless = (np.asarray([labels.index(label) for label in names], int) for names in (shape.boundary, shape.flat))
        free = np.setdiff1d(np.arange(len(labels)), held)
        slope = np.asarray(rows.slope)[..., free].reshape(1, -1, len(free))
        dense = DenseRows(
            loss=request.loss, jac=slope, weight=rows.weight.reshape(1, -1), r=rows.residual.reshape(1, -1),
            bending=np.zeros((1, len(free), len(free))),
        )  # fmt: skip
        yield DataSet(rows=dense, run=rows.row.repeat(rows.weight.shape[1]), free=free, held=held, endless=endless)
