"""Trials of a hyper-parameter search on the front of loss and cost: the front's law, and how each hyper-parameter grows along it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DataError, suggest
from ...core.runs import Runs
from ...core.table import Shown, Table, number
from ...fitting.fit import fit
from ...fitting.objective.losses import Loss, squared
from ...fitting.result import Fit
from ...zoo.scale.power import power_law
from ...zoo.scale.power_product import power_product
from .cells import check_varied, left_out, outermost, where_cut

_ABOUT, _SAME = 2.0, 1.05  # factors of cost within which trials compete, and are of one cost


def pareto_set(loss: Any, cost: Any) -> np.ndarray:
    r"""Rows that no other row beats in loss at the same or a lower cost.

        P = { i : no j with c_j <= c_i and y_j < y_i, nor with c_j < c_i and y_j <= y_i }

    Args:
        loss, cost: (n,) both to be small.

    Returns:
        Row indices in rising order of cost; of equal rows the first.

    Raises:
        DataError: if the lengths differ, or no row is finite.

    Example:
        >>> pareto_set([3.0, 2.5, 2.6, 2.0], [1.0, 2.0, 3.0, 4.0]).tolist()
        [0, 1, 3]

    References: Fetterman et al. 2023, arXiv:2306.08055.
    """
    loss, cost = (np.asarray(v, dtype=float) for v in (loss, cost))
    if loss.ndim != 1 or loss.shape != cost.shape:
        raise DataError(f"loss and cost must be two flat lists of one length, got shapes {loss.shape} and {cost.shape}.")
    rows = np.flatnonzero(np.isfinite(loss) & np.isfinite(cost))
    if not len(rows):
        raise DataError("No trial has a finite loss and cost.")
    rows = rows[np.lexsort((loss[rows], cost[rows]))]
    before = np.concatenate([[np.inf], np.minimum.accumulate(loss[rows])[:-1]])
    return rows[loss[rows] < before]


@dataclass(frozen=True, eq=False, repr=False)
class ParetoHyperparameters(Shown):
    """The front of a search and its laws; see `pareto_hyperparameters`.

    Attributes:
        runs: trials on the front, in rising order of cost.
        front: the fit of `laws.power_law` to them, y = E + A x^-alpha with x = c / c_0.
        unit: c_0, the geometric mean of their costs.
        laws: hyper-parameter to the fit of c (cost / c_0)^p_cost.
        edges: hyper-parameter to the costs on the front that its law leaves out, since the trial there has the "highest" or "lowest" value
            of those of about its cost.
    """

    runs: Runs
    front: Fit
    unit: float
    laws: Mapping[str, Fit]
    edges: Mapping[str, Mapping[str, str]]

    def at(self, cost: Any) -> dict[str, Any]:
        """Loss and hyper-parameters on the front at a cost, also beyond the trials."""
        ratio = np.asarray(cost, dtype=float) / self.unit
        out = {"loss": self.front.predict(x=ratio), **{name: found.predict(cost=ratio) for name, found in self.laws.items()}}
        return {name: value if np.ndim(cost) else float(np.squeeze(value)) for name, value in out.items()}

    def table(self, level: float = 0.9) -> Table:
        """A row for every hyper-parameter: its value at the mean cost, and the power of cost with which it grows."""
        rows = []
        for name, found in self.laws.items():
            rows.append([name, number(found.params["c"]), number(found.params["p_cost"]), *map(number, found.interval(level)["p_cost"])])
        p = self.front.params
        note = f"front of {len(self.runs)} trials: loss = {p['E']:.4g} + {p['A']:.4g} (cost / {self.unit:.4g})^-{p['alpha']:.4g}"
        percent = f"{100 * level:g} %"
        said = "the best one is not known there, and the law leaves that out; try values beyond"
        edges = [line for name, sides in self.edges.items() for line in left_out(name, sides, said)]
        return Table(["hyper-parameter", "at mean cost", "power of cost", f"low {percent}", f"high {percent}"], rows, notes=[note, *edges])


def pareto_hyperparameters(
    runs: Runs,
    names: Sequence[str],
    *,
    cost: str = "cost",
    loss: str = "loss",
    near: float | None = None,
    objective: Loss | None = None,
) -> ParetoHyperparameters:
    r"""Laws of hyper-parameters in cost from the trials of any search.

        front:  y(c) = E + A c^-alpha;    hyper-parameters:  ln x_k = u_k + v_k ln c, weighted by the distance to the front

    A trial on the front with the outermost of the values tried at about its cost (within a factor of two) says only that the best value
    lies there or beyond: the law of that hyper-parameter leaves it out.

    Args:
        runs: trials, with columns of cost, loss and the hyper-parameters.
        names: hyper-parameters, positive; make others so first, such as 1 - beta for beta.
        cost, loss: names of these columns.
        near: None takes the trials on the front only; a number takes all, with the weight exp(-(L / L_front(c) - 1) / near).
        objective: of the front's fit; default least squares in logarithms.

    Returns:
        ParetoHyperparameters with `.at(cost)`, `.laws`, `.edges`, `.front`, `.table()`. With N and D among the hyper-parameters and
        FLOPs as the cost, their powers add up to about 1, and are those of compute-optimal allocation.

    Raises:
        DataError, FitError: if columns are missing, values are not positive, fewer than four trials lie on the front, or fewer than four of
            them tell a hyper-parameter.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> C = np.geomspace(1e18, 1e21, 8)
        >>> runs = sj.read_runs({"cost": C, "loss": 1.7 + (C / 1e18) ** -0.15, "N": 0.1 * C**0.5, "lr": 1e-3 * (C / 1e18) ** -0.1})
        >>> found = sj.studies.pareto_hyperparameters(runs, ["N", "lr"])
        >>> {name: round(law.params["p_cost"], 4) for name, law in found.laws.items()}
        {'N': 0.5, 'lr': -0.1}

    References: Fetterman et al. 2023, arXiv:2306.08055. Their proposal of new trials is not part of it; see `sj.next_runs`.
    """
    if near is not None and not near > 0:
        raise DataError(f"near={near!r} must be positive, a relative excess of loss such as 0.01, or None for the front alone.")
    used = runs.take(np.flatnonzero(~runs.excluded))
    for name in (cost, loss, *names):
        if name not in used:
            raise DataError(f"The trials have no column {name!r}; {suggest(name, used.names)}")
        if not (np.isfinite(used[name]) & (used[name] > 0)).all():
            raise DataError(f"Column {name!r} must hold positive numbers: its law is a power of the cost.")
    on_front = pareto_set(used[loss], used[cost])
    if len(on_front) < 4:
        raise DataError(f"Only {len(on_front)} trials lie on the front of {loss} and {cost}; its law needs four.")
    unit = float(np.exp(np.log(used[cost][on_front]).mean()))
    ratio = used[cost] / unit
    scaled = used.with_columns(x=ratio, cost=ratio, loss=used[loss])
    best = scaled.take(on_front)
    front = fit(power_law, best, loss=objective or squared(), on="log", starts=64)
    weights = None
    if near is not None:
        excess = scaled["loss"] / front.predict(x=scaled["x"]) - 1
        weights = np.exp(-np.maximum(excess, 0.0) / near)
    edges, laws = {}, {}
    for name in names:
        cut = _cut_off(used[name], used[cost], on_front)
        edges[name] = {f"{cost}={used[cost][i]:.3g}": side for i, side in cut.items()}
        rows = _telling(used[cost], on_front, cut) if near is not None else np.setdiff1d(on_front, list(cut))
        count = len(on_front) - len(cut)
        if cut and count < 4:
            raise DataError(
                f"The {where_cut(name, edges[name])}, so that only {count} trials on the front tell the best {name}, and its law needs 4; "
                "try values beyond."
            )
        check_varied(name, used[name][rows], f"{count} trials on the front")
        share = None if weights is None else weights[rows]
        laws[name] = fit(power_product("cost", output=name), scaled.take(rows), loss=squared(), on="log", starts=16, weights=share)
    return ParetoHyperparameters(runs=used.take(on_front), front=front, unit=unit, laws=laws, edges=edges)


def _cut_off(values: np.ndarray, cost: np.ndarray, on_front: np.ndarray) -> dict[int, str]:
    """Trials on the front that have the outermost value among the cheaper and among the dearer ones of about their cost, and which.

    Both, since a value that grows with the cost is the largest of the cheaper ones by nature.
    """
    found = {}
    for i in on_front:
        ratio = cost / cost[i]
        cheaper, dearer = (ratio <= _SAME) & (ratio >= 1 / _ABOUT), (ratio >= 1 / _SAME) & (ratio <= _ABOUT)
        sides = {outermost(values[i], values[near]) for near in (cheaper, dearer)}
        if len(sides) == 1 and sides <= {"highest", "lowest"}:
            found[int(i)] = sides.pop()
    return found


def _telling(cost: np.ndarray, on_front: np.ndarray, cut: Mapping[int, str]) -> np.ndarray:
    """Trials whose nearest one on the front, by cost, is not cut off."""
    nearest = on_front[np.abs(np.log(cost)[:, None] - np.log(cost[on_front])).argmin(axis=1)]
    return np.flatnonzero(~np.isin(nearest, list(cut)))
