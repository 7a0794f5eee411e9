"""The residuals of a fit, row by row, with what the parameters have to do with each: the ground on which every check stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..data import usable_rows
from ..request import Request
from ..second_order import block_derivatives, blocks_of, derivatives
from ..system import entries

_ROUNDING = 1e-9  # relative residuals that are taken for rounding errors
_LARGE = 2**27  # numbers of a matrix of derivatives, beyond which a joint fit goes without


@dataclass(frozen=True, eq=False)
class Rows:
    """One set of a fit, its residuals in the order of the table as read; curves and several targets have T of them a run.

    Attributes:
        row: (n,) index of each run in the table as read.
        group: (n,) index of each run's group.
        weight: (n, T), 0 where nothing was observed.
        residual: (n, T) observed - predicted, of logarithms if the fit is on logs; 0 where the weight is 0.
        slope: (n, T, p) its derivatives along theta, or None where there would be too many of them.
        size: p, free parameters.
        level: 1 for residuals of logarithms, else the median absolute observation: what rounding errors are relative to.
    """

    row: np.ndarray
    group: np.ndarray
    weight: np.ndarray
    residual: np.ndarray
    slope: np.ndarray | None
    size: int
    level: float

    @cached_property
    def counted(self) -> np.ndarray:
        """(n,) runs that the fit looks at."""
        return (self.weight > 0).any(axis=1)

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


def rows_of(request: Request, theta: np.ndarray) -> list[Rows]:
    """The rows of every set at theta (size, sets)."""
    bank = request.bank
    found = _of_blocks(request, theta) if request.joint or bank.blocks else _of_sets(request, theta)
    out = []
    for s, (table, place, (r, jac)) in enumerate(zip(request.tables, request.places, found, strict=True)):
        rows, runs = usable_rows(request.law, table), len(bank.group)
        weight = bank.weight[:, s].reshape(runs, -1)[: len(rows)]
        counts = weight > 0
        level = 1.0 if request.on == "log" else float(np.median(np.abs(table[request.law.output][rows])))
        residual = np.where(counts, r.reshape(runs, -1)[: len(rows)], 0.0)
        slope = None if jac is None else np.where(counts[..., None], jac.reshape(runs, -1, len(theta))[: len(rows)], 0.0)
        out.append(Rows(place[rows], request.group_of_row[place[rows]], weight, residual, slope, len(theta), level))
    return out


def _of_sets(request: Request, theta: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Residuals (rows,) and derivatives (rows, p) of every set, by the program that `second_order` has compiled."""
    bank = request.bank
    r, jac, _ = (np.asarray(a) for a in derivatives(request.spec, bank.batched, theta, bank.gather(np.arange(theta.shape[1]))))
    r, jac = observed_less_predicted(r, jac)
    return list(zip(r.T, np.moveaxis(jac, (2, 1, 0), (0, 1, 2)), strict=True))


def _of_blocks(request: Request, theta: np.ndarray) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """The same of the one set of a joint fit or of a very long table, block by block."""
    bank, blocks, size = request.bank, blocks_of(request), len(theta)
    runs = len(bank.group)
    steps = bank.rows // runs
    residual = np.zeros((runs, steps))
    slope = np.zeros((runs, steps, size)) if bank.rows * size <= _LARGE else None
    place = entries(request.layout)[0][:, blocks.group]  # (local size, blocks)
    for part, r, jac, _ in block_derivatives(request, theta):
        r, jac = observed_less_predicted(r, jac)
        used, row = blocks.used[:, part], blocks.place[:, part]
        high, block = np.nonzero(used)
        residual[row[high, block]] = r.reshape(len(used), steps, -1)[high, :, block]
        if slope is not None:
            own = jac.reshape(len(jac), len(used), steps, -1)[:, high, :, block]  # (places, local size, steps)
            slope[row[high, block][:, None], :, place[:, part][:, block].T] = own
    return [(residual.reshape(-1), None if slope is None else slope.reshape(-1, size))]


def observed_less_predicted(r: np.ndarray, jac: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residuals and their derivatives from the solver's, which are predicted - observed."""
    return -r, -jac
