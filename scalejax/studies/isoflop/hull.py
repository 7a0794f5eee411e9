"""Approach 1 on the lower convex hull of all checkpoints, for any measure of cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DataError, FitError
from ...core.numeric.statistics import lower_hull
from ...core.table import Shown, Table, number


@dataclass(frozen=True, eq=False, repr=False)
class HullFrontier(Shown):
    """The checkpoints on the hull, and the power laws through them.

    Attributes:
        rows: (corners,) indices of the checkpoints, by rising cost.
        cost, loss: (corners,) of these.
        lines: name of a column to (slope, intercept) of log column = slope log cost + intercept, natural logarithms.
    """

    rows: np.ndarray
    cost: np.ndarray
    loss: np.ndarray
    lines: Mapping[str, tuple[float, float]]

    def predict(self, name: str, cost: Any) -> Any:
        """The column on its line at one or more costs."""
        slope, intercept = self.lines[name]
        value = np.exp(intercept + slope * np.log(np.asarray(cost, dtype=np.float64)))
        return value if value.ndim else float(value)

    def table(self) -> Table:
        """A row for every line."""
        rows = [[name, number(slope), number(intercept)] for name, (slope, intercept) in self.lines.items()]
        return Table(["column", "slope", "intercept"], rows, notes=[f"{len(self.rows)} checkpoints on the hull"])


def hull_frontier(cost: Any, loss: Any, **columns: Any) -> HullFrontier:
    r"""Regress sizes on cost over the checkpoints at the lower convex hull of (log cost, log loss).

        log x* = slope log cost + intercept

    The hull takes fewer, more certain checkpoints than the lowest of every budget: those that no mixture of others undercuts. Only its
    falling part counts. Unlike `envelope` it interpolates nothing, and the cost is yours: FLOPs counted exactly, or device hours.

    Args:
        cost, loss: (n,) of all checkpoints of all models, positive.
        **columns: (n,) sizes to regress, such as N=..., D=....

    Returns:
        HullFrontier with `.lines`, `.rows`, `.predict(name, cost)`, `.table()`.

    Raises:
        DataError: if the columns differ in length or hold numbers that are not positive.
        FitError: if the falling part of the hull has fewer than two corners.

    Example:
        >>> import numpy as np
        >>> C = np.array([1.0, 10.0, 100.0, 10.0])
        >>> front = hull_frontier(C, np.array([4.0, 3.0, 2.5, 3.5]), N=np.array([1.0, 3.0, 10.0, 7.0]))
        >>> front.rows.tolist(), round(front.lines["N"][0], 3)
        ([0, 1, 2], 0.5)

    References: McLeish et al. 2025, arXiv:2502.06857.
    """
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in {"cost": cost, "loss": loss, **columns}.items()}
    for name, values in arrays.items():
        if values.ndim != 1 or values.shape != arrays["cost"].shape or not (np.isfinite(values) & (values > 0)).all():
            raise DataError(f"hull_frontier() needs {name} as positive numbers, one for each checkpoint, as cost has them.")
    x, y = np.log(arrays["cost"]), np.log(arrays["loss"])
    rows = _falling_hull(x, y)
    if len(rows) < 2:
        raise FitError("The lower hull has fewer than two corners, so that no line is determined; add checkpoints at other costs.")
    lines = {}
    for name in columns:
        slope, intercept = np.polyfit(x[rows], np.log(arrays[name][rows]), 1)
        lines[name] = (float(slope), float(intercept))
    return HullFrontier(rows=rows, cost=arrays["cost"][rows], loss=arrays["loss"][rows], lines=lines)


def _falling_hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Indices of the lower convex hull from the least x, where the lowest y counts, to the least y."""
    order = np.lexsort((y, x))
    corners = order[lower_hull(x[order], y[order])]
    return corners[: int(np.argmin(y[corners])) + 1]
