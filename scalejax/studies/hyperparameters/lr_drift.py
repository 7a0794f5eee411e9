"""Does the best learning rate stay where it is as models grow? The test of a parametrisation that promises transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.errors import DataError
from ...core.runs import Runs
from ...core.table import Note, Shown, Table, number
from ...fitting.fit import fit
from ...fitting.objective.losses import squared
from ...fitting.result import Fit
from ...zoo.scale.power_product import power_product
from .cells import labels_of, listed
from .near_optimal import Bottoms, sweep_bottoms


@dataclass(frozen=True, eq=False, repr=False)
class Drift(Shown):
    """Powers with which the best learning rate moves; see `lr_drift`.

    Attributes:
        bottoms: the best rate of every cell; those outside the values tried are no best rates and do not enter the fit.
        fit: of lr = c prod x^p_x to them.
        powers: column to its power. intervals: the same, (low, high) at `level`.
        expected: powers that the parametrisation promises.
    """

    bottoms: Bottoms
    fit: Fit
    powers: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    expected: Mapping[str, float]
    level: float

    @property
    def transfers(self) -> bool:
        """Do all intervals hold what is expected? True proves nothing where the intervals are wide."""
        return all(low <= self.expected[name] <= high for name, (low, high) in self.intervals.items())

    def table(self) -> Table:
        """A row for every column."""
        percent = f"{100 * self.level:g} %"
        rows = [[n, number(p), *(number(v) for v in self.intervals[n]), number(self.expected[n])] for n, p in self.powers.items()]
        note = f"best rates of {len(self.fit.runs)} sweeps; " + ("as expected" if self.transfers else "NOT as expected")
        outside = _outside(self.bottoms, tuple(self.powers))
        left = [Note(f"the best rate lies outside the values tried at {outside}: left out", "edge-of-grid")] if outside else []
        return Table(["", "power", f"low {percent}", f"high {percent}", "expected"], rows, notes=[note, *left])


def lr_drift(
    runs: Runs, over: Sequence[str] = ("width",), *, expected: Mapping[str, float] | None = None, within: float = 0.02, level: float = 0.9
) -> Drift:
    r"""Fit lr* = c prod x^p to the best learning rates of sweeps, and test the powers.

        per sweep: parabola in ln lr, vertex lr*;    ln lr* = ln c + sum p_x ln x;    transfer: p_x = 0 for every x

    Args:
        runs: columns lr, loss and those of `over`, one sweep of the rate for every combination of them.
        over: "width" (maximal update parametrisation), ("width", "depth") (with branches scaled by 1 / sqrt(depth)), "N", "D", ...
        expected: powers to test; default 0. The standard parametrisation has about -1 for the width.
        within: of `sweep_bottoms`.
        level: of the intervals.

    Returns:
        Drift with `.powers`, `.intervals`, `.transfers`, `.table()`.

    Raises:
        DataError: if fewer than two more sweeps than columns have a vertex within the rates tried.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> width, lr = (v.ravel() for v in np.meshgrid([128, 256, 512, 1024], np.geomspace(1e-4, 1e-1, 13)))
        >>> best = 0.01 * np.tile([1.05, 0.97, 1.0, 0.99], 13)  # noise about one rate for all widths
        >>> loss = 3 * width**-0.02 + 0.01 * np.log(lr / best) ** 2
        >>> found = sj.studies.lr_drift(sj.read_runs({"width": width, "lr": lr, "loss": loss}))
        >>> found.transfers, bool(abs(found.powers["width"]) < 0.05)
        (True, True)

    References: Yang et al. 2022, arXiv:2203.03466; Bordelon et al. 2023, arXiv:2309.16620.
    """
    names = (over,) if isinstance(over, str) else tuple(over)
    bottoms = sweep_bottoms(runs, over="lr", cells=names, within=within)
    inside = bottoms.runs["inside"] > 0
    if inside.sum() < len(names) + 2:
        outside = _outside(bottoms, names)
        raise DataError(
            f"Only {inside.sum()} of {len(inside)} sweeps have a lowest loss within the rates tried; the powers of {', '.join(names)} need "
            f"{len(names) + 2}" + (f": try rates on both sides of the best at {outside}." if outside else ".")
        )
    best = bottoms.runs.take(np.flatnonzero(inside))
    errors = bottoms.standard_errors["lr"][inside]
    # Sweeps without scatter, such as three-point ones, say nothing of their errors: all count alike then.
    weights = 1 / errors**2 if np.isfinite(errors).all() and (errors > 1e-6).all() else None
    found = fit(power_product(*names, output="lr"), best, loss=squared(), on="log", weights=weights, starts=16)
    limits = found.interval(level, "model")
    powers = {n: found.params[f"p_{n}"] for n in names}
    wanted = {n: float((expected or {}).get(n, 0.0)) for n in names}
    return Drift(bottoms=bottoms, fit=found, powers=powers, intervals={n: limits[f"p_{n}"] for n in names}, expected=wanted, level=level)


def _outside(bottoms: Bottoms, names: Sequence[str]) -> str:
    """The sweeps whose vertex lies outside the rates tried."""
    rows = np.flatnonzero(bottoms.runs["inside"] == 0)
    return listed(labels_of(names, np.stack([bottoms.runs[name][rows] for name in names], axis=1)))
