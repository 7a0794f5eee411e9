r"""How far every run is off what a fit without it says, and how much it decides.

A fit follows a run that it looks at, so what is judged is the residual d that a run has from a fit without it, in units of what such a
residual scatters by if nothing is wrong:

    z = d / sqrt(s^2 (1 + k h / (1 - h))),    d = r + w psi(r) g / (1 - w c g)

g = J' H^-1 J with the curvatures c of the loss, h the leverage, k the loss's loss of efficiency (1 for least squares, where z is the
studentised residual), s the robust standard deviation of the residuals. A run is far if |z| would be as large in fewer than one of ten
such tables, by Student's t with as heavy tails as the other residuals show.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..uncertainty.residuals import Rows, robust_scale

CHANCE = 0.1  # of naming a run in a table without outliers whose tails are as heavy as assumed
_HEAVIEST, _LIGHTEST = 4.0, 30.0  # degrees of freedom of the tails that are allowed for
_MOST = 0.25  # share of the runs that can be outliers
_FEWEST = 8  # residuals of a group or target that give a scale of their own


@dataclass(frozen=True, eq=False)
class Judged:
    """Every run of a set beside what it may be.

    Attributes:
        z: (n,) see above, the largest of several targets; 0 where nothing was observed.
        limit: of |z|.
        leverage: (n,) largest of the run's residuals: 1 if it decides a parameter alone.
        shift: (n, p) by how many standard errors every parameter would move without the run; None where that would be too many numbers.
    """

    z: np.ndarray
    limit: float
    leverage: np.ndarray
    shift: np.ndarray | None

    @property
    def far(self) -> np.ndarray:
        """(n,) outliers, no more than a quarter of the runs."""
        size = np.abs(self.z)
        most = max(int(_MOST * len(size)), 1)
        return (size > self.limit) & (size >= np.sort(size)[-most])


def judge(rows: Rows, kept: np.ndarray, whole: bool = False) -> Judged | None:
    """The runs of a set, `kept` (n,) being those of the fit; curves as wholes. None if it is exact or has no freedom to tell."""
    active = (rows.weight > 0) & kept[:, None]
    spare = int(active.sum()) - rows.size
    if spare < 2 or rows.exact:
        return None
    if whole:
        return _judge_curves(rows, kept)
    scale = _scales(rows, active)
    efficiency = _efficiency(rows, active, spare)
    leverage, pull, shift = _pulls(rows, active, np.median(scale[active]) * np.sqrt(efficiency))
    inside = np.minimum(leverage, 1 - 1e-9)
    spread = np.where(active, inside / (1 - inside), leverage)
    z = np.where(rows.weight > 0, (rows.unit + pull) / (scale * np.sqrt(1 + efficiency * spread)), 0.0)
    return Judged(largest(z), limit(rows.unit[active] / scale[active], rows.size), leverage.max(axis=1), shift)


def _judge_curves(rows: Rows, kept: np.ndarray) -> Judged | None:
    """Whole curves by the root mean square of their residuals, beside that of the others."""
    count = (rows.weight > 0).sum(axis=1)
    size = np.sqrt(np.sum(rows.unit**2, axis=1) / np.maximum(count, 1))
    if (kept & (count > 0)).sum() < _FEWEST:
        return None
    z = size / max(np.median(size[kept & (count > 0)]), 1e-300)
    return Judged(z, _t_quantile(_HEAVIEST, CHANCE / len(z)), np.zeros(len(z)), np.zeros((len(z), rows.size)))


def limit(unit: np.ndarray, parameters: int) -> float:
    """The largest |z| to be expected, from residuals over their scale: Student's t whose tails are those of the residuals, or heavier.

    The weight of the tails shows in the ratio of the 90 % to the 50 % quantile, taken three of its standard errors higher than it is.
    """
    n = len(unit)
    size = np.sort(np.abs(unit))[min(parameters, n - 2) :]
    half, most = np.quantile(size, [0.5, 0.9])
    ratio = most / max(half, 1e-300) * (1 + 1 / np.sqrt(len(size)))
    nu = float(np.interp(-ratio, *_ratios()))
    nu = min(nu, max(0.37 * len(size), 1.5))  # the scale is itself known from few residuals
    return _t_quantile(nu, CHANCE / n)


@cache
def _ratios() -> tuple[np.ndarray, np.ndarray]:
    """Minus the ratio of quantiles of Student's t, increasing, and its degrees of freedom."""
    from scipy.special import stdtrit

    nu = np.geomspace(_HEAVIEST, _LIGHTEST, 30)
    return -stdtrit(nu, 0.95) / stdtrit(nu, 0.75), nu


def _t_quantile(nu: float, chance: float) -> float:
    """What |t| exceeds with this chance, in units of its median / 0.6745."""
    from scipy.special import stdtrit

    return float(stdtrit(nu, 1 - chance / 2) / stdtrit(nu, 0.75) * 0.6745)


def _scales(rows: Rows, active: np.ndarray) -> np.ndarray:
    """(n, T) robust standard deviations: of every target, and of every group of a joint fit, where they have enough residuals."""
    cell = rows.group[:, None] * active.shape[1] + np.arange(active.shape[1])
    floor = max(1e-6 * rows.scale, 1e-300)
    whole = max(robust_scale(rows.unit[active], rows.size), floor)
    out = np.full(active.shape, whole)
    cells, where, count = np.unique(cell[active], return_inverse=True, return_counts=True)
    if len(cells) == 1:
        return out
    values = rows.unit[active]
    order = np.argsort(where, kind="stable")
    known = dict(zip(cells.tolist(), np.split(values[order], np.cumsum(count)[:-1]), strict=True))
    share = rows.size / len(values)
    for name, mine in known.items():
        if len(mine) >= _FEWEST:
            out[cell == name] = max(robust_scale(mine, int(np.ceil(share * len(mine)))), floor)
    return out


def _efficiency(rows: Rows, active: np.ndarray, spare: int) -> float:
    """Variance of the estimates relative to that of least squares with normal noise, between 1 and 2."""
    w, psi, bend = (a[active] for a in (rows.weight, rows.psi, rows.bend))
    curvature = max(float(np.sum(w * bend) / np.sum(w)), 1e-300)
    return float(np.clip(np.sum(w * psi**2) / spare / curvature**2 / max(rows.scale, 1e-300) ** 2, 1.0, 2.0))


def _pulls(rows: Rows, active: np.ndarray, deviation: float) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Leverage (n, T), what a residual (times the root of its weight) would grow by without its run, and `Judged.shift`."""
    n, steps = active.shape
    if rows.unit_slope is None:
        return np.zeros((n, steps)), np.zeros((n, steps)), None
    flat, used = rows.unit_slope.reshape(n * steps, -1), active.ravel()
    length = np.linalg.norm(flat[used], axis=0)
    flat = flat / np.where(length > 0, length, 1.0)
    normal = _inverse(flat[used].T @ flat[used])
    leverage = np.einsum("ij,ij->i", flat @ normal, flat)
    bend = np.where(active, rows.bend, 0.0).ravel()
    inverse = _inverse(flat.T @ (flat * np.maximum(bend, 0.0)[:, None]))
    moved = flat @ inverse
    grip = np.einsum("ij,ij->i", moved, flat)  # w g
    score = np.where(active, np.sqrt(rows.weight) * rows.psi, 0.0).ravel() / (1 - np.minimum(bend * grip, 0.999))
    # No further than least squares: from few runs the curvature of a robust loss is hardly known.
    most = np.abs(rows.unit.ravel()) * np.minimum(leverage / np.maximum(1 - leverage, 1e-9), 1e9)
    pull = np.abs(grip * score)
    score *= np.where(pull > most, most / np.where(pull > most, pull, 1.0), 1.0)
    known = np.diagonal(normal) > 0  # where the runs determine the parameter
    errors = np.where(known, deviation * np.sqrt(np.where(known, np.diagonal(normal), 1.0)), np.inf)
    shift = (moved * score[:, None]).reshape(n, steps, -1).sum(axis=1) / errors
    return leverage.reshape(n, steps), (grip * score).reshape(n, steps), shift


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a normal matrix whose columns have been scaled; directions that the runs do not determine are left out."""
    unit = np.sqrt(np.maximum(np.diagonal(matrix), 1e-300))
    values, vectors = np.linalg.eigh(matrix / np.outer(unit, unit))
    good = values > 1e-12 * max(values.max(), 1e-300)
    return (vectors[:, good] / values[good]) @ vectors[:, good].T / np.outer(unit, unit)


def largest(values: np.ndarray) -> np.ndarray:
    """(n,) the entry of largest size in every row."""
    return np.take_along_axis(values, np.argmax(np.abs(values), axis=1)[:, None], axis=1)[:, 0]
