"""What a new run shows beyond the law: the residuals of the fit, by group and by weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import FitError
from ..objective.data import CURVE
from .intervals import no_freedom

if TYPE_CHECKING:
    from ..result import Fit

ENOUGH = 10  # degrees of freedom from which residuals themselves are drawn, below it normal noise of their size


@dataclass(frozen=True)
class Noise:
    """Residuals of one group and one target in units of weight 1, and the degrees of freedom of their size."""

    unit: np.ndarray
    freedom: float

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Noise of weight 1, with a leading axis of draws.

        Residuals are drawn as they are, skew and all, but larger by what the parameters took from them. Of a few residuals only the size
        is used, and its uncertainty: one chi-squared number a draw.
        """
        n = len(self.unit)
        if self.freedom >= ENOUGH:
            return rng.choice(self.unit, size=shape) * np.sqrt(n / self.freedom)
        size = np.sqrt(np.sum(self.unit**2) / rng.chisquare(self.freedom, (shape[0], *[1] * (len(shape) - 1))))
        return size * rng.standard_normal(shape)


def new_noise(fit: Fit, rng: np.random.Generator, value: np.ndarray, group: np.ndarray, weight: Any) -> np.ndarray:
    """Noise of new runs, on the scale of the residuals.

    Args:
        value: (draws, points, ...) predictions, whose noise is drawn.
        group: (points, columns) index of each run's group in every column.
        weight: of the new runs, one or (points,); needed where the runs of the fit have different weights.

    Raises:
        FitError: if no degree of freedom is left, or the weight is missing or not positive.
    """
    weights = weight_of_new(fit, weight, value.shape[1])
    out = np.empty(value.shape)
    which = fit.request.grouping.noise(group)
    for g in np.unique(which):
        here = np.flatnonzero(which == g)
        noises = group_noise(fit, int(g))
        for target, noise in enumerate(noises):
            at = (slice(None), here) if len(noises) == 1 else (slice(None), here, target)
            out[at] = noise.draw(rng, out[at].shape)
    return out / np.sqrt(weights).reshape(1, -1, *[1] * (value.ndim - 2))


def group_noise(fit: Fit, group: int) -> list[Noise]:
    """The noise of a group, one for every target of a law of several, else one; of all runs where columns of groups cross.

    Runs that the diagnosis names as outliers are left out: a diverged run is not the noise of the next one. A group of a joint fit has the
    degrees of freedom that are left of all residuals in proportion to its own.
    """
    request = fit.request
    rows = fit.diagnosis.rows[group if request.apart else 0]
    counts = int((rows.weight > 0).sum())
    left = counts - request.layout.size
    if left <= 0:
        raise FitError(no_freedom(request))
    mine = ~np.isin(rows.row, fit.diagnosis.outliers.rows) & ((rows.group == group) if request.joint else True)
    targets = rows.unit.shape[1]
    columns = [[k] for k in range(targets)] if 1 < targets <= CURVE and not request.curves else [slice(None)]
    found = [rows.unit[mine][:, column][rows.weight[mine][:, column] > 0] for column in columns]
    return [Noise(unit, len(unit) * left / counts) for unit in found]


def weight_of_new(fit: Fit, weight: Any, points: int) -> np.ndarray:
    """(points,) weights of new runs, by default that of all runs of the fit."""
    used = np.concatenate([w[~table.excluded] for w, table in zip(fit.request.row_weights, fit.request.tables, strict=True)])
    used = used[used > 0]
    if weight is None:
        if np.ptp(used) > 1e-9 * used.max():
            raise FitError(
                f"The runs have weights from {used.min():.3g} to {used.max():.3g}, so that the noise of a new run depends on its own; pass "
                "weight=... (kind='run'), in the unit of theirs."
            )
        return np.full(points, used[0])
    values = np.asarray(weight, dtype=np.float64)
    if not (np.isfinite(values) & (values > 0)).all() or values.shape not in ((), (points,)):
        raise FitError(f"weight={weight!r} of a new run must be a positive number, or one for each of the {points} points.")
    return np.broadcast_to(values, (points,))
