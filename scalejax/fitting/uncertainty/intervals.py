"""Standard errors and interval ends of natural parameters from the covariance of theta."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from ...core.errors import FitError
from ...core.laws.domains import Ordered, Simplex
from ..objective.layout import Slot
from ..request import Request


def quantile_of(level: float, freedom: np.ndarray | float | None = None) -> Any:
    """Quantile of a two-sided confidence level: normal, or Student's t with these degrees of freedom; infinite where there are none."""
    if not 0 < level < 1:
        raise FitError(f"level={level!r} must lie between 0 and 1, such as 0.9.")
    if freedom is None:
        return NormalDist().inv_cdf(0.5 + level / 2)
    from scipy.special import stdtrit

    return np.where(np.asarray(freedom) > 0, stdtrit(np.maximum(freedom, 1e-3), 0.5 + level / 2), np.inf)


def freedom(request: Request) -> np.ndarray:
    """Degrees of freedom of every set, (sets,): observations less free parameters. Nothing is known of the noise where none is left."""
    return (request.batch.weight > 0).sum(axis=0) - request.layout.size


def no_freedom(request: Request) -> str:
    """Why nothing is known of the noise, and what to do."""
    return (
        f"{request.law.name!r} has as many free parameters as there are observations ({request.layout.size}), so the law passes through "
        "every run and nothing is left to tell the noise by: no interval is finite. Add runs, or fix or share parameters."
    )


def standard_errors(request: Request, theta: np.ndarray, covariance: np.ndarray) -> dict[str, np.ndarray]:
    """Delta-method standard errors of every set's parameters, with a leading axis of sets.

    Args:
        theta: (size, sets).
        covariance: (sets, size, size) of theta; infinite or NaN where a variance is.
    """
    out = {name: np.zeros((theta.shape[1], *np.shape(value))) for name, value in request.held.items()}
    for slot in request.layout.slots:
        here = _places(slot)
        jac = _slopes(slot, theta, here)
        block = covariance[:, here[:, :, None], here[:, None, :]]
        variance = np.einsum("sgij,sgjk,sgik->sgi", jac, np.where(np.isfinite(block), block, 0.0), jac)
        # An entry of a vector is as unknown as what it depends on; the others keep their errors.
        own = np.where(jac != 0, np.diagonal(block, axis1=2, axis2=3)[:, :, None], 0.0)
        variance = np.where(np.isfinite(own).all(axis=-1), variance, np.where(np.isnan(own).any(axis=-1), np.nan, np.inf))
        errors = np.sqrt(variance) if slot.size is not None else np.sqrt(variance[..., 0])
        out[slot.name] = np.asarray(slot.among(errors, out.get(slot.name), axis=1)) if slot.grouped else errors[:, 0]
    out.update({name: out[other] for name, other in request.tie.items()})
    return out


def interval_end(request: Request, theta: np.ndarray, covariance: np.ndarray, z: np.ndarray) -> dict[str, np.ndarray]:
    """One end of the interval of every set's parameters: a number moves on its unconstrained scale, and so do the entries of a vector whose
    entries are free of each other; those of a simplex or an ordered vector move by their standard errors.

    Args:
        theta, covariance: as in `standard_errors`.
        z: (sets, size) standard errors between the estimate and the end.
    """
    errors = standard_errors(request, theta, covariance)
    with np.errstate(invalid="ignore"):  # a parameter at its boundary has no variance
        moved = theta.T + z * np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    out = {name: np.repeat(np.asarray(value, dtype=np.float64)[None], len(moved), axis=0) for name, value in request.held.items()}
    for slot in request.layout.slots:
        here = _places(slot)
        if slot.size is None or not isinstance(slot.domain, Simplex | Ordered):
            value = np.asarray(slot.domain.forward(moved[:, here if slot.size is not None else here[:, 0]]))
        else:
            value = np.moveaxis(np.asarray(slot.domain.forward(np.moveaxis(theta.T[:, here], -1, 0))), 0, -1)
            reach = np.where(_slopes(slot, theta, here) != 0, np.abs(z[:, here])[:, :, None], 0.0).max(axis=-1)  # (sets, copies, entries)
            error = errors[slot.name][:, slot.members] if slot.grouped else errors[slot.name][:, None]
            value = value + np.sign(z[:, :1, None]) * reach * error
        out[slot.name] = np.asarray(slot.among(value, out.get(slot.name), axis=1)) if slot.grouped else value[:, 0]
    out.update({name: out[other] for name, other in request.tie.items()})
    return out


def _slopes(slot: Slot, theta: np.ndarray, here: np.ndarray) -> np.ndarray:
    """(sets, copies, entries, free) derivatives of the natural values."""
    return slot.domain.slopes(theta.T[:, here])


def _places(slot: Slot) -> np.ndarray:
    """Where the slot's copies lie in theta, (copies, free)."""
    return np.arange(slot.start, slot.stop, slot.free)[:, None] + np.arange(slot.free)
