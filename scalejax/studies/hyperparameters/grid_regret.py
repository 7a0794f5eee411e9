"""What a recommended learning rate and batch cost on grids of runs that were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DecisionError
from ...core.laws.law import Law
from ...core.runs import Runs
from ...core.table import Shown, Table, number
from ...fitting.result import Fit
from .cells import cells_of, cut_off, labels_of, left_out

Recommendation = Fit | tuple[Law, Mapping[str, float]] | float


@dataclass(frozen=True, eq=False, repr=False)
class GridRegret(Shown):
    """Regret of recommended hyper-parameters, one entry a cell; see `grid_regret`.

    Attributes:
        cells: column to its values.
        asked: hyper-parameter to the recommended values.
        tried: the same at the nearest run.
        regret: L / min L - 1 of the nearest run.
        rank: how many runs of the cell are better than it.
        edges: hyper-parameter to the cells whose best run has the "highest", "lowest" or "only" value tried. Better ones may lie beyond, so
            that the regret there is a lower bound.
        bounded: (cells,) which regrets are only lower bounds.
    """

    cells: Mapping[str, np.ndarray]
    asked: Mapping[str, np.ndarray]
    tried: Mapping[str, np.ndarray]
    regret: np.ndarray
    rank: np.ndarray
    edges: Mapping[str, Mapping[str, str]]
    bounded: np.ndarray

    @property
    def mean(self) -> float:
        """Mean regret over the cells, a lower bound where some of them are; NaN if all are."""
        return float(self.regret.mean()) if not self.bounded.all() else float("nan")

    @property
    def worst(self) -> float:
        """Largest regret, a lower bound where some of them are; NaN if all are."""
        return float(self.regret.max()) if not self.bounded.all() else float("nan")

    @property
    def inner_mean(self) -> float:
        """Mean regret over the cells whose best run is known, those that are not `bounded`; NaN without one."""
        return float(self.regret[~self.bounded].mean()) if not self.bounded.all() else float("nan")

    def table(self) -> Table:
        """A row for every cell."""
        rows = []
        for i in range(len(self.regret)):
            values = [f"{self.asked[n][i]:.3g} ({self.tried[n][i]:.3g})" for n in self.asked]
            regret = f"{'≥ ' if self.bounded[i] else ''}{100 * self.regret[i]:.3f} %"
            rows.append([*(number(v[i]) for v in self.cells.values()), *values, regret, str(self.rank[i])])
        least = "≥ " if self.bounded.any() else ""
        known = f"mean {least}{100 * self.mean:.3f} %, worst {least}{100 * self.worst:.3f} %; in brackets the nearest run"
        said = "better runs may lie beyond, so that the regret there is a lower bound; try values there"
        notes: list[str] = [note for name, sides in self.edges.items() for note in left_out(name, sides, said)]
        if self.bounded.all():
            known = "mean and worst are not known; in brackets the nearest run"
        elif notes:
            notes.append(f"mean of the {int((~self.bounded).sum())} other cells {100 * self.inner_mean:.3f} %")
        return Table([*self.cells, *self.asked, "regret", "better runs"], rows, notes=[known, *notes])


def grid_regret(
    runs: Runs, recommended: Mapping[str, Recommendation], *, cells: Sequence[str] = ("N", "D"), loss: str = "loss"
) -> GridRegret:
    r"""Score a law of hyper-parameters on grids: the loss of the run nearest to its advice, relative to the best run of the cell.

        regret = L(nearest) / min L - 1,    nearest: least sum_k (ln x_k - ln x_k*)^2 over the runs of the cell

    Args:
        runs: grids of hyper-parameters, with the columns of `cells`, the hyper-parameters and the loss. A law of C finds it as 6 N D if
            there is no such column.
        recommended: hyper-parameter (its column) to a fit, (law, parameters) or a number.
        cells: columns whose values make up a cell.
        loss: column to be small.

    Returns:
        GridRegret with `.mean`, `.worst`, `.inner_mean`, `.regret`, `.table()`. No grid is finer than its runs: the best law has a
        regret as well. Where the best run of a cell has the outermost value tried, its regret is a lower bound, which `.inner_mean` leaves
        out.

    Raises:
        DecisionError: if nothing is recommended, or a law needs an input that the runs do not have.

    Example:
        >>> import scalejax as sj
        >>> runs = sj.read_runs({"N": [1e8] * 2 + [1e9] * 3, "lr": [2e-3, 4e-3, 5e-4, 1e-3, 2e-3], "loss": [3, 3.1, 2.55, 2.5, 2.52]})
        >>> law = sj.laws.lr_params
        >>> sj.studies.grid_regret(runs, {"lr": (law, law.published["porian2024"])}, cells="N").regret.round(4).tolist()
        [0.0333, 0.008]

    References: Li et al. 2025, arXiv:2503.04715, table 1.
    """
    if not recommended:
        raise DecisionError("grid_regret() needs a recommendation, such as {'lr': (law, parameters), 'batch': fit}.")
    names = (cells,) if isinstance(cells, str) else tuple(cells)
    index, values = cells_of(runs, names)
    place = dict(zip(names, values.T, strict=True))
    asked = {name: _advice(name, source, place, runs, index) for name, source in recommended.items()}
    tried = {name: np.empty(len(values)) for name in asked}
    regret, rank = np.empty(len(values)), np.empty(len(values), dtype=int)
    for i in range(len(values)):
        rows = np.flatnonzero(index == i)
        distance = sum((np.log(runs[name][rows]) - np.log(value[i])) ** 2 for name, value in asked.items())
        nearest, y = rows[np.argmin(distance)], runs[loss][rows]
        regret[i], rank[i] = runs[loss][nearest] / y.min() - 1, (y < runs[loss][nearest]).sum()
        for name in asked:
            tried[name][i] = runs[name][nearest]
    edges = {name: cut_off(runs, name, names, loss) for name in asked}
    labels = labels_of(names, values)
    bounded = np.asarray([any(label in sides for sides in edges.values()) for label in labels])
    return GridRegret(cells=place, asked=asked, tried=tried, regret=regret, rank=rank, edges=edges, bounded=bounded)


def _advice(name: str, source: Recommendation, place: Mapping[str, np.ndarray], runs: Runs, index: np.ndarray) -> np.ndarray:
    """Recommended values in all cells."""
    count = len(next(iter(place.values())))
    if isinstance(source, int | float):
        return np.full(count, float(source))
    law, params = (source.law, source.params) if isinstance(source, Fit) else source
    known: dict[str, Any] = dict(place)
    for column in runs.names:
        if column in law.inputs and column not in known:
            known[column] = np.asarray([runs[column][index == i][0] for i in range(count)])
    if "C" not in known and {"N", "D"} <= known.keys():
        known["C"] = 6 * known["N"] * known["D"]
    if "TPP" not in known and {"N", "D"} <= known.keys():
        known["TPP"] = known["D"] / known["N"]
    missing = [n for n in law.inputs if n not in known]
    if missing:
        raise DecisionError(f"The law for {name!r} needs {missing[0]!r}, which is not a column of the runs; add it with with_columns().")
    return np.asarray(law(*(known[n] for n in law.inputs), **params), dtype=float)
