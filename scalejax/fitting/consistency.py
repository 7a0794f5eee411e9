"""What must be so of every fit, whether it was computed or read from a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import FitError

if TYPE_CHECKING:
    from .result import Fit
    from .uncertainty.covariance import Curvature

_RANGE = 1e-6  # of the largest variance: how far rounding takes others below 0


def check_consistent(fit: Fit) -> None:
    """Refuse a fit whose parts do not belong together.

    Raises:
        FitError: if arrays have other shapes than the law, the groups and the runs ask for, or parameters of a set with an answer are not
            finite, or variances are negative.
    """
    size, sets = fit.request.layout.size, len(fit.request.tables)
    parts = {
        "theta": (fit.theta.shape, (size, sets)),
        "statuses": ((len(fit.statuses),), (sets,)),
        "curvature": ((len(fit.curvature),), (sets,)),
        "starts.objective": (fit.starts.objective.shape, (sets, fit.starts.objective.shape[-1])),
        "starts.status": (fit.starts.status.shape, fit.starts.objective.shape),
        "starts.iterations": (fit.starts.iterations.shape, fit.starts.objective.shape),
        "starts.theta": (fit.starts.theta.shape, (size, *fit.starts.objective.shape)),
    }
    for name, (shape, wanted) in parts.items():
        if tuple(shape) != tuple(wanted):
            raise FitError(f"A fit of {fit.law.name!r} to these runs has {name} of shape {wanted}, not {shape}; fit the runs again.")
    names = [f" of group {name!r}" for name in fit.groups] if sets > 1 else [""]
    for i, (name, curvature, status) in enumerate(zip(names, fit.curvature, fit.statuses, strict=True)):
        if status.usable and not (np.isfinite(fit.theta[:, i]).all() and np.isfinite(fit.starts.objective[i, 0])):
            raise FitError(f"The fit of {fit.law.name!r} is {status.value}, but its parameters{name} are not finite; fit the runs again.")
        wrong = _wrong(curvature, size, fit.request.layout.labels)
        if wrong:
            raise FitError(f"The fit of {fit.law.name!r} has {wrong}{name}; fit the runs again.")


def _wrong(shape: Curvature, size: int, labels: Sequence[str]) -> str:
    """What cannot be of a covariance, "" if nothing."""
    for name in ("covariance", "model_covariance"):
        matrix = getattr(shape, name)
        if matrix.shape != (size, size):
            return f"a {name} of shape {matrix.shape}, not {(size, size)},"
        variance = np.diagonal(matrix)
        finite = variance[np.isfinite(variance)]
        if (variance == -np.inf).any() or (finite < -_RANGE * finite.max(initial=0.0)).any():
            return f"negative variances in its {name}"
    if shape.freedom.shape != (size,):
        return f"degrees of freedom of shape {shape.freedom.shape}, not {(size,)},"
    unknown = set(shape.boundary + shape.flat) - set(labels)
    return f"marks of parameters that it has not ({', '.join(sorted(map(str, unknown)))})" if unknown else ""
