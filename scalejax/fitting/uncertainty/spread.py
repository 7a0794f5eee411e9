"""How far theta may be from the truth: covariances with the degrees of freedom that they are known from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...core.errors import FitError, suggest
from ..objective.penalty import MISFIT
from .clustered import clustered_parts
from .intervals import freedom, quantile_of

if TYPE_CHECKING:
    from ..result import Fit

Covariance = Literal["wider", "sandwich", "model", "clustered"]
KINDS = ("wider", "sandwich", "model", "clustered")
_LEVEL = 0.9  # of the intervals whose widths are compared


@dataclass(frozen=True)
class Spread:
    """Covariance of theta, a sum of parts whose sizes are known independently of each other.

    Attributes:
        kind: "wider", "sandwich", "model" or "clustered". units: what is independent: "runs", "blocks of steps", "stretches of"
            an input or a column of the runs.
        parts: (sets, size, size) each; infinite where nothing is determined, NaN for parameters at a boundary.
        freedoms: (sets, size) degrees of freedom of the variances of every part.
    """

    kind: Covariance
    units: str
    parts: tuple[np.ndarray, ...]
    freedoms: tuple[np.ndarray, ...]

    @property
    def matrix(self) -> np.ndarray:
        """The covariance, (sets, size, size)."""
        return np.sum(self.parts, axis=0)

    @property
    def freedom(self) -> np.ndarray:
        """Degrees of freedom of every variance, (sets, size), by Welch's formula."""
        variances = np.stack([np.diagonal(part, axis1=1, axis2=2) for part in self.parts])
        nu = np.maximum(np.stack(self.freedoms), 0.0)
        if len(self.parts) == 1:
            return nu[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = variances.sum(axis=0) ** 2 / np.sum(np.where(variances > 0, variances**2 / nu, 0.0), axis=0)
        return np.where(np.isfinite(whole), whole, nu.min(axis=0))

    def deviations(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(size, sets, count) draws of theta's error: each part a normal whose size varies as its degrees of freedom say."""
        out = np.zeros((self.parts[0].shape[1], len(self.parts[0]), count))
        for part, nu in zip(self.parts, self.freedoms, strict=True):
            for s, matrix in enumerate(part):
                known = np.where(np.isfinite(matrix), matrix, 0.0)  # a parameter at its boundary is held, as is one without an answer
                values, vectors = np.linalg.eigh(known)
                normal = vectors @ (np.sqrt(np.maximum(values, 0.0))[:, None] * rng.standard_normal((len(matrix), count)))
                degrees = max(float(np.median(nu[s])), 1e-3)
                out[:, s] += normal * np.sqrt(degrees / rng.chisquare(degrees, count))
        return out


def spread(fit: Fit, kind: Covariance | None = None, groups: str | Sequence[str] | None = None) -> Spread:
    """The covariance of a fit's theta, see `Fit.errors`: of this kind, or of the one that fits what its residuals look like.

    Raises:
        FitError: if there is no such kind or column.
    """
    if kind is None:
        kind, groups = ("clustered", groups) if groups is not None else default(fit)
    if kind not in KINDS:
        raise FitError(f"covariance={kind!r} is unknown; {suggest(str(kind), KINDS)}")
    if groups is not None and kind != "clustered":
        raise FitError(
            f"groups={groups!r} names units that are not independent inside, which covariance={kind!r} cannot say; leave it out."
        )
    if kind == "clustered":
        units, parts, freedoms = clustered_parts(fit, groups)
        return Spread(kind, units, parts, freedoms)
    if kind == "wider":
        return _wider(spread(fit, "sandwich"), spread(fit, "model"))
    stacked = np.stack([c.covariance if kind == "sandwich" else c.model_covariance for c in fit.curvature])
    left = np.repeat(freedom(fit.request)[:, None], stacked.shape[1], axis=1)
    degrees = np.stack([c.freedom for c in fit.curvature]) if kind == "sandwich" else left
    return Spread(kind, "runs", (stacked,), (degrees,))


def _wider(robust: Spread, model: Spread) -> Spread:
    """The robust covariance, with every parameter's deviation and degrees of freedom from the one whose interval is wider.

    A sandwich knows a variance from few residuals where few runs decide a parameter, and these are small because the fit follows such
    runs; the model's knows nothing of runs that vary more than others. See `python -m benchmarks.families`.

    Reference: Angrist and Pischke 2009, Mostly Harmless Econometrics, section 8.1.
    """
    deviations = [np.sqrt(np.diagonal(s.matrix, axis1=1, axis2=2)) for s in (robust, model)]
    with np.errstate(invalid="ignore", divide="ignore"):
        reach, other = (quantile_of(_LEVEL, s.freedom) * d for s, d in zip((robust, model), deviations, strict=True))
        taken = np.isfinite(reach) & np.isfinite(other) & (other > reach)
        scale = np.where(taken, deviations[1] / deviations[0], 1.0)
    matrix = robust.matrix * (scale[:, :, None] * scale[:, None])
    return Spread("wider", robust.units, (matrix,), (np.where(taken, model.freedom, robust.freedom),))


def default(fit: Fit) -> tuple[Covariance, str | None]:
    """Kind and units of a fit's intervals: the model's with a misfit, clustered for curves and residuals that cluster or follow each
    other, else the wider."""
    if MISFIT in fit.law.parameters:
        return "model", None  # what residuals have in common is what the misfit describes, whose prior counts
    if fit.request.curves:
        return "clustered", None
    units = fit.diagnosis.units
    if units is not None and all(_shared(t[units][rows]) for t, rows in zip(fit.request.tables, fit.request.used, strict=True)):
        return "clustered", units
    return ("wider" if fit.diagnosis.neighbours is None else "clustered"), None


def _shared(names: np.ndarray) -> bool:
    """Do some rows share a unit?"""
    return len(np.unique(names)) < len(names)
