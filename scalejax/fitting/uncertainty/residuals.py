"""The residuals of a fit, row by row, with what the parameters have to do with each: the ground on which every check stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..objective.losses import loss_terms
from ..request import Request
from ..solvers.system import places
from .second_order import block_derivatives, blocks_of, derivatives
from .sums import row_curvature

WINSOR = 3.0  # robust standard deviations
_ROUNDING = 1e-9  # relative residuals that are taken for rounding errors
_LARGE = 2**27  # numbers of a matrix of derivatives, beyond which a joint fit goes without,
_LARGE_CROSSED = 2**22  # where columns of groups cross earlier: each row depends on few of very many parameters


@dataclass(frozen=True, eq=False)
class Rows:
    """One set of a fit, its residuals in the order of the table as read; curves and several targets have T of them a run.

    Attributes:
        row: (n,) index of each run in the table as read.
        group: (n,) index of each run's group; 0 where columns of groups cross, as cells have few runs.
        weight: (n, T), 0 where nothing was observed.
        residual: (n, T) observed - predicted, of logarithms if the fit is on logs; 0 where the weight is 0.
        slope: (n, T, p) its derivatives along theta, or None where there would be too many of them.
        size: p, free parameters.
        rho, psi, bend: (n, T) loss of every residual, its derivative, and its mean second derivative around the residual.
        level: 1 for residuals of logarithms, else the median absolute observation: what rounding errors are relative to.
    """

    row: np.ndarray
    group: np.ndarray
    weight: np.ndarray
    residual: np.ndarray
    slope: np.ndarray | None
    rho: np.ndarray
    psi: np.ndarray
    bend: np.ndarray
    size: int
    level: float

    @cached_property
    def counted(self) -> np.ndarray:
        """(n,) runs that the fit looks at."""
        return np.any(self.weight > 0, axis=1)

    @property
    def freedom(self) -> int:
        """Residuals that count less free parameters."""
        return int((self.weight > 0).sum()) - self.size

    @cached_property
    def unit(self) -> np.ndarray:
        """(n, T) residuals of one variance, if weights are what they say: times the root of the weight."""
        return self.residual * np.sqrt(self.weight)

    @cached_property
    def unit_slope(self) -> np.ndarray | None:
        """(n, T, p) the derivatives on the same scale."""
        return None if self.slope is None else self.slope * np.sqrt(self.weight)[..., None]

    @cached_property
    def scale(self) -> float:
        """Robust standard deviation of `unit`: see `robust_scale`."""
        return robust_scale(self.unit[self.weight > 0], self.size)

    @property
    def exact(self) -> bool:
        """Does the law pass through the runs, so that residuals are rounding errors?"""
        return self.scale <= _ROUNDING * self.level


def robust_scale(values: np.ndarray, parameters: int = 0) -> float:
    """The median absolute value over 0.6745, of the n - p largest: a fit passes close to p runs whatever the noise. 0 without any."""
    size = np.sort(np.abs(values))[min(parameters, len(values)) :]
    return float(np.median(size) / 0.6745) if len(size) else 0.0


def scaled(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """One number a run, of unit variance and winsorised, and an orthonormal basis (runs, rank) of what the fit can follow."""
    keep, steps = rows.counted, np.maximum((rows.weight > 0).sum(axis=1), 1)[rows.counted]
    y = rows.unit[keep].sum(axis=1) / steps
    # Numbers of groups of a joint fit may scatter differently.
    for g in np.unique(rows.group[keep]):
        mine = rows.group[keep] == g
        scale = robust_scale(y[mine])
        y[mine] = np.clip(y[mine] / scale, -WINSOR, WINSOR) if scale > 0 else 0.0
    if rows.unit_slope is None:
        return y, np.zeros((len(y), 0))
    mean_slope = rows.unit_slope[keep].sum(axis=1) / steps[:, None]
    size = np.linalg.norm(mean_slope, axis=0)
    left, values, _ = np.linalg.svd(mean_slope / np.where(size > 0, size, 1.0), full_matrices=False)
    return y, left[:, values > 1e-10 * max(values.max(), 1e-300)]


def rows_of(request: Request, theta: np.ndarray, most: int | None = None) -> list[Rows]:
    """The rows of every set at theta (size, sets), with derivatives if there are at most so many numbers of them."""
    batch = request.batch
    most = (_LARGE if request.layout.simple else _LARGE_CROSSED) if most is None else most
    found = _of_blocks(request, theta, most) if request.joint or batch.long else _of_sets(request, theta)
    out = []
    for s, (table, place, terms) in enumerate(zip(request.tables, request.places, found, strict=True)):
        rows, runs = request.used[s], len(batch.group)
        weight = batch.weight[:, s].reshape(runs, -1)[: len(rows)]
        residual, rho, psi, bend = (np.where(weight > 0, a.reshape(runs, -1)[: len(rows)], 0.0) for a in terms[:4])
        slope = terms.slope
        if slope is not None:
            slope = np.where((weight > 0)[..., None], slope.reshape(runs, -1, len(theta))[: len(rows)], 0.0)
        level = 1.0 if request.on == "log" else float(np.median(np.abs(table[request.law.output][rows])))
        out.append(
            Rows(
                row=place[rows], group=request.grouping.noise(request.codes[place[rows]]), weight=weight, residual=residual, slope=slope,
                rho=rho, psi=psi, bend=bend, size=len(theta), level=level,
            )
        )  # fmt: skip
    return out


class _Terms(NamedTuple):
    """What a residual adds to the objective, all of them in a row or by run and step."""

    residual: np.ndarray
    rho: np.ndarray
    psi: np.ndarray
    bend: np.ndarray
    slope: np.ndarray | None


def _of_sets(request: Request, theta: np.ndarray) -> list[_Terms]:
    """Residuals, rho, psi and bend (rows,), and derivatives (rows, p) of every set, by the programs that `second_order` has compiled."""
    batch = request.batch
    r, jac, _ = derivatives(request.spec, batch.batched, theta, batch.gather(np.arange(theta.shape[1])))
    rho, psi, bend = _of_loss(request, r, batch.weight)
    slopes = np.moveaxis(jac, (2, 1, 0), (0, 1, 2))
    return [_Terms(*parts) for parts in zip(r.T, rho.T, psi.T, bend.T, slopes, strict=True)]


def _of_blocks(request: Request, theta: np.ndarray, most: int) -> list[_Terms]:
    """The same of the one set of a joint fit or of a very long table, block by block; no derivatives where they would be too many."""
    batch, blocks, size = request.batch, blocks_of(request), len(theta)
    runs, steps = len(batch.group), batch.rows // len(batch.group)
    weight = blocks.gather(np.zeros(1, int)).weight[..., 0]
    cut = np.empty(weight.shape)
    extended = request.layout.extended
    slope = np.zeros((runs, steps, extended)) if batch.rows * extended <= most else None
    place = places(request.layout, blocks.codes)  # (local size, blocks), anchored values behind the others
    for part, r, jac, _ in block_derivatives(request, theta):
        cut[:, part] = r
        if slope is not None:
            high, block = np.nonzero(blocks.used[:, part])
            own = jac.reshape(len(jac), -1, steps, jac.shape[-1])[:, high, :, block]  # (places, local size, steps)
            slope[blocks.place[:, part][high, block][:, None], :, place[:, part][:, block].T] = own
    high, block = np.nonzero(blocks.used)
    whole = np.zeros((4, runs, steps))
    for out, array in zip(whole, (cut, *_of_loss(request, cut, weight)), strict=True):
        out[blocks.place[high, block]] = array.reshape(-1, steps, array.shape[-1])[high, :, block]
    residual, rho, psi, bend = whole
    return [_Terms(residual=residual, rho=rho, psi=psi, bend=bend, slope=None if slope is None else slope[..., :size])]


def _of_loss(request: Request, r: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """rho, psi and bend at residuals (rows, sets) or (rows, blocks)."""
    joint = request.joint or request.batch.long
    flat = (r.reshape(1, -1), weight.reshape(1, -1)) if joint else (r.T, weight.T)
    bend = row_curvature(request.loss, *flat, request.layout.size)
    rho, psi, _ = loss_terms(request.loss, r)
    return rho, psi, bend.reshape(r.shape) if joint else bend.T


def share(residual: float, on: str, digits: int = 2) -> str:
    """A residual in words: how far above (+) or below (-) the law, in percent if the fit is on logs."""
    if on != "log":
        return f"{residual:+.{digits + 1}g}"
    percent = 100 * np.expm1(residual)
    return f"{percent:+,.0f} %" if abs(percent) >= 10 else f"{percent:+.{digits}g} %"
