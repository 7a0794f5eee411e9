"""`finish`: from where a search ended to a `Fit` with statuses, covariance and provenance."""

from __future__ import annotations

import jax
import numpy as np

from ..core.version import __version__
from .consistency import check_consistent
from .no_value import overflowing
from .request import Request, too_few
from .result import Fit
from .runaways import doubts
from .solvers.gradient import Solver
from .solvers.search import Found, StartTable
from .status import CODES, Status
from .uncertainty.covariance import Curvature
from .uncertainty.second_order import second_order

_BLOCKED = 1e-3  # share of the objective that a Newton step promises where no optimum is: what converged promises a millionth of it at most


def finish(request: Request, found: Found, solver: Solver, recipe: str | None, seed: int, seconds: float) -> Fit:
    """The `Fit` of a search: statuses, covariance, provenance."""
    try:
        best, shapes, expected_falls = second_order(request, found.best)
    except np.linalg.LinAlgError as error:
        raise overflowing(request, found.best) from error
    names = np.asarray([s.value if s else "" for s in CODES], dtype=object)[found.status]
    starts = StartTable(found.objective, names, found.iterations, found.theta, found.screened)
    ends = zip(found.status[:, 0], shapes, expected_falls, strict=True)
    statuses = [_status(CODES[s], c, p) for s, c, p in ends]
    for i, status in enumerate(statuses):
        if status in (Status.CONVERGED, Status.BOUNDARY) and doubts(request, found.objective[i], best[:, i], shapes[i]):
            statuses[i] = Status.DOUBTFUL
    for i in too_few(request):
        statuses[i] = Status.TOO_FEW
    versions = {
        "scalejax": __version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "backend": jax.default_backend(),
    }
    name = "closed form" if found.closed else getattr(solver, "name", "lm")
    fitted = Fit(
        objective=float(found.objective[:, 0].sum()), statuses=tuple(statuses), theta=best, starts=starts,
        curvature=tuple(shapes), request=request, solver=name, recipe=recipe, seed=seed, seconds=seconds, versions=versions,
    )  # fmt: skip
    check_consistent(fitted)
    return fitted


def _status(code_of_best: Status | None, shape: Curvature, expected_fall: float) -> Status:
    if code_of_best is None or code_of_best is not Status.CONVERGED:
        return code_of_best or Status.MAX_ITERATIONS
    if shape.flat:
        return Status.FLAT
    return Status.BOUNDARY if shape.boundary else Status.BLOCKED if expected_fall > _BLOCKED else Status.CONVERGED
