"""Standard errors and interval ends of natural parameters from the covariance of theta."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import jax
import numpy as np

from ..core.errors import FitError
from .layout import Slot
from .request import Request


def quantile_of(level: float) -> float:
    """Normal quantile of a two-sided confidence level."""
    if not 0 < level < 1:
        raise FitError(f"level={level!r} must lie between 0 and 1, such as 0.9.")
    return NormalDist().inv_cdf(0.5 + level / 2)


def standard_errors(request: Request, theta: np.ndarray, covariance: np.ndarray) -> dict[str, Any]:
    """Delta-method standard errors of one set's parameters."""
    out: dict[str, Any] = {name: np.zeros(np.shape(value)) for name, value in request.fix.items()}
    for slot in request.layout.slots:
        starts = np.arange(slot.start, slot.stop, slot.free)
        here = starts[:, None] + np.arange(slot.free)  # (copies, free)
        jac = np.asarray(jax.vmap(jax.jacfwd(_natural(slot)))(theta[here]))
        block = covariance[here[:, :, None], here[:, None, :]]
        finite = np.isfinite(block).all(axis=(1, 2))
        variance = np.einsum("gij,gjk,gik->gi", jac, np.where(finite[:, None, None], block, 0.0), jac)
        variance[~finite] = np.where(np.isnan(block[~finite]).any(axis=(1, 2)), np.nan, np.inf)[:, None]
        errors = np.sqrt(variance) if slot.size is not None else np.sqrt(variance[:, 0])
        out[slot.name] = errors if slot.grouped else errors[0]
    out.update({name: out[other] for name, other in request.tie.items()})
    return out


def _natural(slot: Slot) -> Callable[[Any], Any]:
    """The slot's transform, of its free numbers to a vector."""
    return slot.domain.forward if slot.size is not None else lambda u: slot.domain.forward(u[0])[None]


def interval_end(request: Request, theta: np.ndarray, covariance: np.ndarray, z: float) -> dict[str, Any]:
    """One end of the interval of every parameter: a scalar moves on its unconstrained scale, a vector by its standard error."""
    errors = standard_errors(request, theta, covariance)
    moved = theta + z * np.sqrt(np.diag(covariance))
    out: dict[str, Any] = {name: np.asarray(value, dtype=np.float64) for name, value in request.fix.items()}
    for slot in request.layout.slots:
        here = slice(slot.start, slot.stop)
        if slot.size is None:
            value = np.asarray(slot.domain.forward(moved[here]))
            out[slot.name] = value if slot.grouped else value[0]
        else:
            out[slot.name] = np.asarray(request.layout.forward(theta, dict(request.fix))[slot.name]) + z * errors[slot.name]
    out.update({name: out[other] for name, other in request.tie.items()})
    return out
