"""How sure a single fit is: sandwich covariance, flat directions and parameters at a boundary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from ...core.laws.domains import Interval, Positive
from ...core.numeric.sparse import Factored, factored
from ..objective.layout import Layout

_VANISHED = 1e-6  # relative influence on the prediction of an e-fold of a parameter, below which it has left the law
_SINGULAR = 1e-13


@dataclass(frozen=True)
class Curvature:
    """Second-order picture of one optimum.

    Attributes:
        covariance: (size, size) sandwich covariance of theta; infinite variance along flat directions and where there are no more
            observations than parameters, NaN for parameters at a boundary.
        model_covariance: (size, size) of theta if all residuals are draws from one distribution, as textbooks assume; see
            `rows.model_covariance`.
        freedom: (size,) degrees of freedom of the variances in `covariance`.
        condition: condition number of the normal matrix with unit diagonal.
        boundary: labels of parameters at the edge of their support.
        flat: labels of parameters that load on a direction the data do not determine.
    """

    covariance: np.ndarray
    model_covariance: np.ndarray
    freedom: np.ndarray
    condition: float
    boundary: tuple[str, ...]
    flat: tuple[str, ...]

    @cached_property
    def correlation(self) -> np.ndarray:
        """(size, size) of theta, NaN where there is none."""
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # rounding leaves variances below 0 where nothing is determined
            deviation = np.sqrt(np.diagonal(self.covariance))
            return self.covariance / np.outer(deviation, deviation)


class Rows(Protocol):
    """What `curvatures` needs of some sets, whose free parameters are the same: sums over their residuals. See `rows`."""

    @property
    def n(self) -> np.ndarray:
        """(sets,) residuals that count."""

    def hessian(self) -> tuple[np.ndarray, np.ndarray]:
        """sum w c J J', with c the curvature of the loss about the residuals, and the bending sum w psi r'' to be added to it."""

    def scatter(self) -> np.ndarray:
        """sum v J J' with v the variance of the score w psi of every residual, (sets, p, p)."""

    def freedom(self, inverse: np.ndarray) -> np.ndarray:
        """Degrees of freedom from which the variance of every parameter is known, (sets, p)."""

    def model(self) -> np.ndarray:
        """The textbook's covariance, see `model_covariance`."""


def curvatures(layout: Layout, theta: np.ndarray, influence: np.ndarray, rows: Callable[[np.ndarray, np.ndarray], Rows]) -> list[Curvature]:
    r"""Sandwich covariance H^-1 S H^-1 of theta at the optimum of every set, and beside it the textbook's.

    H = sum w c J J' + sum w psi(r) r'' is the mean curvature of the objective, S = sum (w psi)^2 / (1 - h) J J' the scatter of the score.
    The leverage h = w J' (J'WJ)^-1 J of a residual is what the fit took from it, so that psi^2 / (1 - h) has the right mean (MacKinnon
    and White's HC2), and every parameter has the degrees of freedom of its own variance (Satterthwaite's, as Bell and McCaffrey give
    them): few where a handful of runs decide. The squares psi^2 / (1 - h) are mixed with their mean, by the degrees of freedom, since a few
    residuals cannot tell which of them vary more. Without these corrections intervals of 90 % covered 81 % at 12 runs and 87 at 30
    (chinchilla, equal noise, least squares); how far they cover with them, and for which laws, says `python -m benchmarks.families`.

    Args:
        theta: (size, sets).
        influence: (sets, size) largest derivative of a residual.
        rows: of some sets and free parameters, given their indices.

    References: MacKinnon and White 1985, J. Econometrics 29, 305; Bell and McCaffrey 2002, Survey Methodology 28, 169.
    """
    at_edge = np.stack([_at_boundary(layout, t, i) for t, i in zip(theta.T, influence, strict=True)])
    out: list[Any] = [None] * len(at_edge)
    for edge in np.unique(at_edge, axis=0):  # sets with the same free parameters are one stack of matrices
        which = np.flatnonzero((at_edge == edge).all(axis=1))
        for i, shape in zip(which, _stack(layout, edge, rows(which, np.flatnonzero(~edge))), strict=True):
            out[i] = shape
    return out


def _stack(layout: Layout, edge: np.ndarray, rows: Rows) -> list[Curvature]:
    """Curvatures of sets whose parameters at the edge are the same."""
    free, size, sets = np.flatnonzero(~edge), len(edge), len(rows.n)
    gauss_newton, bending = rows.hessian()
    hessian, scatter = gauss_newton + bending, rows.scatter()
    large = factored(hessian[0]) if sets == 1 and rows.n[0] > size else None
    if large is not None and (factored(scatter[0]) is not None or not scatter.any()):
        return [_of_many(layout, edge, rows, scatter[0], large)]
    # Away from an optimum, on noise-free runs, or along a direction that no residual feels, what bending adds is rounding:
    indefinite = np.linalg.eigvalsh(hessian).min(axis=1, initial=np.inf) <= 0
    hessian = np.where((indefinite | _singular(scatter))[:, None, None], gauss_newton, hessian)
    scale = np.sqrt(np.maximum(np.diagonal(hessian, axis1=1, axis2=2), 1e-300))
    outer = scale[:, :, None] * scale[:, None]
    values, vectors = np.linalg.eigh(hessian / outer)
    good = values > _SINGULAR * values.max(axis=1, keepdims=True)
    inverse = (vectors * np.where(good, 1 / np.where(good, values, 1.0), 0.0)[:, None]) @ np.swapaxes(vectors, 1, 2) / outer
    half = inverse @ _root(scatter)
    small = half @ np.swapaxes(half, 1, 2)
    load = ((np.abs(vectors) > 0.05) & ~good[:, None]).any(axis=2)
    load |= (rows.n <= size)[:, None]  # as many parameters as observations: nothing is left to tell the noise by
    whole, freedom = np.full((2, sets, size, size), np.nan), np.repeat((rows.n - size)[:, None].astype(float), size, axis=1)
    for full, part in zip(whole, (small, rows.model()), strict=True):
        part = 0.5 * (part + np.swapaxes(part, 1, 2))  # to the last bit
        full[:, free[:, None], free] = np.where(load[:, :, None] | load[:, None], np.inf, part)
    seen = np.where(load[:, :, None] | load[:, None], 0.0, inverse)  # of what is not determined the inverse is rounding, up to 1e300
    freedom[:, free] = np.minimum(rows.freedom(seen), np.maximum(freedom[:, free], 0.0))
    with np.errstate(invalid="ignore", over="ignore"):
        condition = values.max(axis=1) / np.maximum(values.min(axis=1), 1e-300)
    labels = np.asarray(layout.labels)
    flat = load & (rows.n > size)[:, None]
    return [
        Curvature(
            covariance=whole[0, i],
            model_covariance=whole[1, i],
            freedom=freedom[i],
            condition=float(condition[i]),
            boundary=tuple(labels[edge]),
            flat=tuple(labels[free][flat[i]]),
        )
        for i in range(sets)
    ]


def _singular(matrix: np.ndarray) -> np.ndarray:
    """(sets,) is there a direction along which the matrix (sets, p, p), its diagonal made one, has nothing but rounding?"""
    scale = np.sqrt(np.maximum(np.diagonal(matrix, axis1=1, axis2=2), 1e-300))
    values = np.linalg.eigvalsh(matrix / (scale[:, :, None] * scale[:, None]))
    return values.min(axis=1, initial=np.inf) <= _SINGULAR * values.max(axis=1, initial=0.0)


def _of_many(layout: Layout, edge: np.ndarray, rows: Rows, scatter: np.ndarray, hessian: Factored) -> Curvature:
    """As `_stack`, of one joint fit of many parameters all of which are determined."""
    free, size = np.flatnonzero(~edge), len(edge)
    whole, freedom = np.full((2, size, size), np.nan), np.full(size, float(rows.n[0] - size))
    for full, part in zip(whole, (hessian.around(scatter), rows.model()[0]), strict=True):
        full[free[:, None], free] = part
    freedom[free] = np.minimum(rows.freedom(hessian.inverse()[None])[0], freedom[free])
    return Curvature(
        covariance=whole[0], model_covariance=whole[1], freedom=freedom, condition=hessian.condition,
        boundary=tuple(np.asarray(layout.labels)[edge]), flat=(),
    )  # fmt: skip


def _root(scatter: np.ndarray) -> np.ndarray:
    """(sets, p, p) L with L L' = scatter: from it, no variance along a nearly flat direction is rounded below 0."""
    scale = np.sqrt(np.maximum(np.diagonal(scatter, axis1=1, axis2=2), 1e-300))
    values, vectors = np.linalg.eigh(scatter / (scale[:, :, None] * scale[:, None]))
    return scale[:, :, None] * vectors * np.sqrt(np.maximum(values, 0.0))[:, None]


def _at_boundary(layout: Layout, theta: np.ndarray, influence: np.ndarray) -> np.ndarray:
    """Which entries of theta ran off to the edge of their support, so that the prediction no longer depends on them."""
    result = np.zeros(len(theta), bool)
    for slot in layout.slots:
        here = slice(slot.start, slot.stop)
        if isinstance(slot.domain, Positive):
            result[here] = (influence[here] < _VANISHED * max(influence.max(), 1e-300)) & (
                (theta[here] < np.log(slot.domain.low)) | (theta[here] > np.log(slot.domain.high))
            )
        elif isinstance(slot.domain, Interval):
            result[here] = np.abs(theta[here]) > 12
    return result
