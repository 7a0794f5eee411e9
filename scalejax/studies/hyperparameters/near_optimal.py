"""Best learning rate and batch from grids of runs: near-optimal runs, bottoms of bowls, and the laws that they follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.runs import Runs
from ...core.table import Shown, Table, number
from ...fitting.fit import fit
from ...fitting.objective.losses import Loss, huber, squared
from ...fitting.result import Fit
from ...fitting.uncertainty.bootstrap import bootstrap
from ...fitting.uncertainty.draws import Draws
from ...fitting.uncertainty.resampling import FEWEST
from ...zoo.hyperparameters.lr_batch_surface import lr_batch_surface
from ...zoo.scale.power_product import power_product
from .cells import cells_of, check_varied, cut_off, labels_of, left_out, where_cut

_BOWL = ("lr_0", "p_N", "p_D", "batch_0", "q_N", "q_D", "w_lr", "w_batch", "w_cross")


def near_optimal(runs: Runs, *, cells: Sequence[str] = ("N", "D"), within: float = 0.0025, loss: str = "loss") -> Runs:
    r"""The runs whose loss is nearly the best of their cell.

        { i : L_i <= (1 + within) min of L over the runs with the same N and D }

    Args:
        runs: grids of hyper-parameters, one for every combination of the columns `cells`.
        cells: columns whose values make up a cell.
        within: relative distance from the best: 0.0025 in DeepSeek and Step Law; 0 keeps the best run of every cell.
        loss: column to be small.

    Returns:
        Runs of the kept rows, in order, with two columns more: "cell", as text, and "excess", L / min L - 1.

    Raises:
        DataError: if `within` is negative, or a column is missing.

    Example:
        >>> import scalejax as sj
        >>> runs = sj.read_runs({"N": [1e8, 1e8, 1e9], "lr": [1e-3, 2e-3, 1e-3], "loss": [3.0, 3.1, 2.5]})
        >>> sj.studies.near_optimal(runs, cells=["N"])["lr"].tolist()
        [0.001, 0.001]

    References: Bi et al. 2024, arXiv:2401.02954; Li et al. 2025, arXiv:2503.04715.
    """
    if not within >= 0:
        raise DataError(f"within={within!r} must be 0 or more: a relative distance from the best loss of the cell.")
    names = (cells,) if isinstance(cells, str) else tuple(cells)
    index, values = cells_of(runs, names)
    best = np.full(len(values), np.inf)
    np.minimum.at(best, index[index >= 0], runs[loss][index >= 0])
    with np.errstate(invalid="ignore"):
        excess = np.where(index >= 0, runs[loss] / best[index] - 1, np.inf)
    labels = np.asarray(labels_of(names, values))
    keep = np.flatnonzero(excess <= within)
    return runs.take(keep).with_columns(cell=labels[index[keep]], excess=excess[keep])


@dataclass(frozen=True, eq=False, repr=False)
class Bottoms(Shown):
    """Bottom of the bowl of every cell; see `sweep_bottoms`.

    Attributes:
        runs: one row a cell: the columns of the cell, those of the hyper-parameters at the bottom, "loss" there, "rows" used, and "inside",
            1 if the bottom lies within the values tried.
        names: the hyper-parameters.
        covariance: (cells, k, k) of their logarithms, from the scatter about the bowl; NaN where no degree of freedom is left.
        skipped: cells without a bottom, and why.
    """

    runs: Runs
    names: tuple[str, ...]
    covariance: np.ndarray
    skipped: Mapping[str, str]

    @property
    def standard_errors(self) -> dict[str, np.ndarray]:
        """Standard error of the logarithm of every hyper-parameter, (cells,)."""
        return {name: np.sqrt(self.covariance[:, i, i]) for i, name in enumerate(self.names)}

    def table(self) -> Table:
        """A row for every cell."""
        errors = self.standard_errors
        head = [n for n in self.runs.names if n not in (*self.names, "rows", "inside")]
        head.sort(key=lambda n: n == "loss")
        rows = []
        for i in range(len(self.runs)):
            found = [f"{self.runs[n][i]:.3g} ± {100 * errors[n][i]:.2g} %" for n in self.names]
            rows.append([*(number(self.runs[n][i], 6) for n in head), *found, "" if self.runs["inside"][i] else "outside the values tried"])
        notes = [f"{cell}: {reason}" for cell, reason in self.skipped.items()]
        return Table([*head, *self.names, ""], rows, notes=notes)


def sweep_bottoms(
    runs: Runs, *, over: Sequence[str] = ("lr", "batch"), cells: Sequence[str] = ("N", "D"), within: float = 0.02, loss: str = "loss"
) -> Bottoms:
    r"""Best hyper-parameters of every cell from a quadratic in their logarithms, with uncertainty.

        L = L_0 + g'z + z'H z / 2,  z = ln x,    bottom z* = -H^-1 g,    covariance from that of (g, H) by the delta method

    Args:
        runs: sweeps of the hyper-parameters, one for every combination of the columns `cells`.
        over: hyper-parameters that were swept: "lr" for the vertex of a parabola, ("lr", "batch") for the bottom of a bowl.
        cells: columns whose values make up a cell.
        within: the quadratic is fitted to runs with a loss at most this share above the best of the cell; it holds near the bottom only.
        loss: column to be small.

    Returns:
        Bottoms with `.runs` (fit laws to its rows with "inside" 1, with `weights=` 1 / standard error squared), `.standard_errors`,
        `.table()`. A cell with too few runs, or whose quadratic has no lowest point, is in `.skipped`.

    Raises:
        DataError: if no cell has a bottom.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> D, lr = (v.ravel() for v in np.meshgrid([1e10, 1e11], np.geomspace(1e-4, 1e-2, 19)))
        >>> loss = 3 + 0.01 * np.log(lr / (8e-4 * (D / 1e10) ** -0.3)) ** 2
        >>> found = sj.studies.sweep_bottoms(sj.read_runs({"D": D, "lr": lr, "loss": loss}), over="lr", cells="D")
        >>> [f"{x:.3g}" for x in found.runs["lr"]]
        ['0.0008', '0.000401']

    Note: runs are chosen by their own loss, so that `within` should be several times the noise of the loss.

    References: Bjorck et al. 2024, arXiv:2409.19913 (parabolas in log LR); Bergsma et al. 2025, arXiv:2505.13738.
    """
    swept = (over,) if isinstance(over, str) else tuple(over)
    names = (cells,) if isinstance(cells, str) else tuple(cells)
    grids, all_places = cells_of(runs, names)
    ranges = {tuple(place): _range(runs, swept, grids == i) for i, place in enumerate(all_places)}
    close = near_optimal(runs, cells=names, within=within, loss=loss)
    rows: list[dict[str, Any]] = []
    covariances, skipped = [], {}
    index, places = cells_of(close, names)
    for i, place in enumerate(places):
        here = close.where(index == i)
        z = np.stack([np.log(here[name]) for name in swept], axis=1)
        found = _bottom(z, here[loss])
        if isinstance(found, str):
            skipped[str(here["cell"][0])] = found
            continue
        bottom, value, covariance = found
        low, high = ranges[tuple(place)]
        inside = ((bottom >= low) & (bottom <= high)).all()
        at = dict(zip((*names, *swept), (*place, *np.exp(bottom)), strict=True))
        rows.append({**at, "loss": value, "rows": len(z), "inside": float(inside)})
        covariances.append(covariance)
    if not rows:
        raise DataError(f"No cell has a lowest point: {next(iter(skipped.values()))}; widen the sweeps, or `within`.")
    columns = {name: np.asarray([row[name] for row in rows], dtype=float) for name in rows[0]}
    return Bottoms(runs=Runs(columns), names=swept, covariance=np.stack(covariances), skipped=skipped)


def _range(runs: Runs, swept: Sequence[str], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest logarithms that were tried in some rows."""
    z = np.stack([np.log(runs[name][rows]) for name in swept], axis=1)
    return z.min(axis=0), z.max(axis=0)


def _bottom(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float, np.ndarray] | str:
    """Lowest point of the least-squares quadratic, its value and covariance, or why there is none."""
    k = z.shape[1]
    centre, scale = z.mean(axis=0), np.maximum(z.std(axis=0), 1e-12)
    t = (z - centre) / scale
    pairs = [(i, j) for i in range(k) for j in range(i, k)]
    design = np.stack([np.ones(len(t)), *t.T, *(t[:, i] * t[:, j] for i, j in pairs)], axis=1)
    if len(t) < design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        return f"{len(t)} runs near the best do not determine a quadratic of {design.shape[1]} coefficients"
    coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
    g, H = coefficients[1 : k + 1], np.zeros((k, k))
    for (i, j), c in zip(pairs, coefficients[k + 1 :], strict=True):
        H[i, j] += c
        H[j, i] += c
    if np.linalg.eigvalsh(H)[0] <= 0:
        return "the quadratic has no lowest point"
    best = -np.linalg.solve(H, g)
    # Of H t* + g = 0 by the coefficients: H dt* = -(dg + dH t*).
    shift = np.zeros((k, design.shape[1]))
    shift[:, 1 : k + 1] = np.eye(k)
    for column, (i, j) in enumerate(pairs, start=k + 1):
        shift[i, column] += best[j]
        shift[j, column] += best[i]
    jacobian = -np.linalg.solve(H, shift)
    freedom = len(t) - design.shape[1]
    variance = ((y - design @ coefficients) ** 2).sum() / freedom if freedom else np.nan
    covariance = variance * jacobian @ np.linalg.inv(design.T @ design) @ jacobian.T * np.outer(scale, scale)
    return centre + scale * best, float(coefficients[0] + 0.5 * g @ best), covariance


@dataclass(frozen=True, eq=False, repr=False)
class NearOptimalLaws(Shown):
    """Laws of hyper-parameters through near-optimal runs; see `near_optimal_laws`.

    Attributes:
        runs: the pooled near-optimal runs.
        fits: hyper-parameter to the fit of its law.
        draws: hyper-parameter to the bootstrap of that fit.
        edges: hyper-parameter to the cells that its law leaves out, since their best run has the "highest", "lowest" or "only" value tried.
    """

    runs: Runs
    fits: Mapping[str, Fit]
    draws: Mapping[str, Draws]
    edges: Mapping[str, Mapping[str, str]]

    def table(self, level: float = 0.95) -> Table:
        """A row for every parameter: least squares, mean of the bootstrap, and its percentiles."""
        rows = []
        for name, fitted in self.fits.items():
            draws, limits = self.draws[name].params, self.draws[name].interval(level)
            for p in fitted.law.parameters:
                mean = np.exp(np.log(draws[p]).mean()) if p == "c" else draws[p].mean()  # the factor enters as its logarithm
                rows.append([f"{name}: {p}", *(number(v) for v in (fitted.params[p], mean, *limits[p]))])
        percent = f"{100 * level:g} %"
        said = "the best one is not known there, and the law leaves that out; try values beyond"
        notes = [note for name, sides in self.edges.items() for note in left_out(name, sides, said)]
        return Table(["parameter", "estimate", "bootstrap mean", f"low {percent}", f"high {percent}"], rows, notes=notes)


def near_optimal_laws(
    runs: Runs,
    *,
    of: Mapping[str, Sequence[str]] | None = None,
    cells: Sequence[str] = ("N", "D"),
    within: float = 0.0025,
    loss: str = "loss",
    replicates: int = 1000,
    whole_cells: bool = False,
    seed: int = 0,
) -> NearOptimalLaws:
    r"""The published recipe for laws of hyper-parameters: pool the near-optimal runs of all cells, regress in logarithms, bootstrap.

        ln y = ln c + sum_i p_i ln x_i,    least squares over { runs within 0.25 % of the best of their cell }

    A cell whose best run has the outermost value tried of a hyper-parameter says only that the best one lies there or beyond: the law of
    that hyper-parameter leaves it out.

    Args:
        runs: grids of hyper-parameters, with the columns of `cells`, the hyper-parameters and the loss.
        of: hyper-parameter to the arguments of its law; default Step Law's {"lr": ("N", "D"), "batch": ("D",)}.
        cells, within, loss: as in `near_optimal`.
        replicates, seed: of the bootstrap.
        whole_cells: resample cells with all their runs, ten cells or more, instead of single runs as the papers do.

    Returns:
        NearOptimalLaws with `.fits["lr"]`, `.draws["lr"]`, `.edges["lr"]`, `.table()`.

    Raises:
        DataError, FitError: if columns are missing or the cells, without those at the edge of their grid, do not determine the laws.

    Note: the pooled runs of a cell share one bottom; resampled as single runs they do not show how far the laws depend on the cells that
    were run. Cells with flatter bottoms count more. `fit_lr_batch_surface` needs no pool.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> N, D, lr = (v.ravel() for v in np.meshgrid([1e8, 1e9], [1e10, 1e11], np.geomspace(1e-4, 1e-2, 41)))
        >>> loss = 3 + 0.05 * np.log(lr / (1e-3 * (N / 1e9) ** -0.7 * (D / 1e10) ** 0.3)) ** 2
        >>> found = sj.studies.near_optimal_laws(sj.read_runs({"N": N, "D": D, "lr": lr, "loss": loss}), of={"lr": ("N", "D")})
        >>> round(found.fits["lr"].params["p_N"], 1), round(found.fits["lr"].params["p_D"], 1)
        (-0.7, 0.3)

    References: Li et al. 2025, arXiv:2503.04715; Bi et al. 2024, arXiv:2401.02954.
    """
    names = (cells,) if isinstance(cells, str) else tuple(cells)
    close = near_optimal(runs, cells=names, within=within, loss=loss)
    asked = of if of is not None else {"lr": ("N", "D"), "batch": ("D",)}
    edges = {y: cut_off(runs, y, names, loss) for y in asked}
    pools = {y: _pool(close, y, x, edges[y], whole_cells) for y, x in asked.items()}
    fits = {y: fit(power_product(*x, output=y), pools[y], loss=squared(), on="log", starts=16) for y, x in asked.items()}
    draws = {y: bootstrap(found, replicates, groups="cell" if whole_cells else None, seed=seed) for y, found in fits.items()}
    return NearOptimalLaws(close, fits, draws, edges)


def _pool(close: Runs, name: str, arguments: Sequence[str], sides: Mapping[str, str], whole_cells: bool) -> Runs:
    """The near-optimal runs of the cells that know the best value of a hyper-parameter; refused where these are too few."""
    rows = np.flatnonzero(~np.isin(close["cell"], list(sides)))
    count = len(set(close["cell"][rows].tolist()))
    if sides and count <= len(arguments):
        raise DataError(
            f"The {where_cut(name, sides)}, so that only {count} cells tell the best {name}, and its law needs {len(arguments) + 1}; "
            "try values beyond."
        )
    if whole_cells and count < FEWEST:
        raise DataError(
            f"whole_cells=True resamples cells, at least {FEWEST} of them, and the law of {name} has {count}; leave whole_cells out to "
            "resample single runs."
        )
    check_varied(name, close[name][rows], f"{count} cells")
    return close.take(rows)


def fit_lr_batch_surface(runs: Runs, *, within: float = 0.01, separable: bool = False, loss: Loss | None = None) -> Fit:
    r"""One fit of all grids together: a bowl over log learning rate and log batch whose bottom follows power laws of N and D.

        L = E_cell + (w_lr u + w_cross v)^2 + (w_batch v)^2,    u, v: distances from the bottom, see `laws.lr_batch_surface`

    Every run near its cell's best counts by its own loss, so that no set of "near-optimal" runs is declared, correlations between the best
    rate and the best batch are kept, and the powers come with intervals. The height of every cell is free: no law of the loss in N and D is
    assumed, whose misfit (a few tenths of a per cent) would be as large as what the hyper-parameters change.

    Args:
        runs: columns N, D, lr, batch (tokens) and loss.
        within: runs at most this share above the best of their cell are used; the bowl holds near its bottom.
        separable: the best batch does not depend on N, as in Step Law (q_N = 0).
        loss: of the residuals of logarithms; default `sj.huber(1e-3)`.

    Returns:
        Fit of `laws.lr_batch_surface`: `.params["p_N"]`, `.interval(0.9)`; E has one value a cell.

    Raises:
        DataError, FitError: if columns are missing, or the runs do not determine the bowl.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> true = dict(lr_0=1e-3, p_N=-0.7, p_D=0.3, batch_0=4e5, q_N=0.0, q_D=0.6, w_lr=0.1, w_batch=0.1, w_cross=-0.05)
        >>> grid = np.meshgrid([2e8, 1e9], [1e10, 4e10], np.geomspace(2e-4, 8e-3, 9), np.geomspace(1e5, 2e6, 7))
        >>> N, D, lr, batch = (v.ravel() for v in grid)
        >>> y = sj.laws.lr_batch_surface(N, D, lr, batch, E=2.0, A=400.0, alpha=0.34, B=400.0, beta=0.28, **true)
        >>> found = sj.studies.fit_lr_batch_surface(sj.read_runs({"N": N, "D": D, "lr": lr, "batch": batch, "loss": y}))
        >>> round(found.params["p_N"], 4), round(found.params["q_D"], 4)
        (-0.7, 0.6)
    """
    close = near_optimal(runs, within=within)
    start = _surface_start(close)
    # Only the height of a cell is free, and the bowl is common to all.
    fix = {"A": 0.0, "alpha": 0.3, "B": 0.0, "beta": 0.3, **({"q_N": 0.0} if separable else {})}
    return fit(
        lr_batch_surface, close, by="cell", share=_BOWL, fix=fix, loss=loss or huber(1e-3), on="log",
        starts=[{k: v for k, v in start.items() if k not in fix}],
    )  # fmt: skip


def _surface_start(close: Runs) -> dict[str, float]:
    """Powers of zero about the middle of the runs, which a bowl in so few coordinates starts well from."""
    return {
        "E": float(np.median(close["loss"])), "lr_0": float(np.exp(np.log(close["lr"]).mean())), "p_N": 0.0, "p_D": 0.0,
        "batch_0": float(np.exp(np.log(close["batch"]).mean())), "q_N": 0.0, "q_D": 0.0, "w_lr": 0.1, "w_batch": 0.1, "w_cross": 0.0,
    }  # fmt: skip
