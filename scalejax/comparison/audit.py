"""Are these parameters an optimum? A check of fits that others made."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import ConvergenceWarning, FitError, IdentifiabilityWarning, LawError
from ..core.laws.law import Law
from ..core.numeric.precision import double
from ..core.runs import Runs
from ..core.table import Shown
from ..fitting.fit import fit
from ..fitting.objective.losses import loss_terms
from ..fitting.objective.problem import residuals_at
from ..fitting.result import Fit
from ..fitting.status import Status

_SAME = 1e-6  # relative difference of parameters, or of objectives, that counts as none


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Shown):
    """What an audit found, see `audit`.

    Attributes:
        status: "converged" if no step lowers the objective, "did not move" if one does and the parameters are those the fit started from,
            else "max iterations".
        objective: at the given parameters. best: at the optimum nearest to them.
        fit: that optimum.
    """

    status: Status
    objective: float
    best: float
    fit: Fit

    def __repr__(self) -> str:
        fall = 100 * (1 - self.best / self.objective) if self.objective else 0.0
        return f"{self.fit.law.name}: {self.status.value}; the objective {self.objective:.6g} can fall by {fall:.3g} % to {self.best:.6g}"


@double
def audit(law: Law, runs: Runs, params: Mapping[str, Any], *, start: Mapping[str, Any] | None = None, **options: Any) -> Audit:
    """Check parameters that some other program fitted: are they an optimum, or did its optimiser never leave its start?

    A solver that stops by absolute tolerances calls any start converged when the weights are tiny, which is what passing 1 / sd^2 where a
    standard deviation is meant makes them. Here convergence is relative to the objective.

    Args:
        law, runs, options: as in `fit`, with the loss and weights that the parameters are to be judged by.
        params: the parameters to be checked.
        start: where their optimiser began, if that is known.

    Returns:
        Audit: `status`, `objective` and the `best` that a descent from there reaches, its `fit`.

    Raises:
        LawError: if `params` does not name the law's parameters, or fix= contradicts them.
        FitError: if by= is among the options.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law, start = sj.laws.power_law, {"E": 1.0, "A": 150.0, "alpha": 0.1}
        >>> runs = sj.simulate(law, {"E": 2.0, "A": 130.0, "alpha": 0.106}, x=np.geomspace(1e16, 5e17, 8), noise=0.001)
        >>> audit(law, runs, start, start=start, loss=sj.squared()).status.value
        'did not move'

    References: a case in the data of Porian et al. 2024, arXiv:2406.19146, and again in those of Li et al. 2025, arXiv:2502.18969.
    """
    law.check_params(params)
    held = {**(options.get("fix") or {})}
    for name, value in held.items():
        if name in params and not np.allclose(params[name], value, rtol=_SAME, atol=0.0):
            raise LawError(f"fix={{{name!r}: {value!r}}} contradicts params, which has {name}={params[name]!r}; leave one out.")
    if options.get("by"):
        raise FitError("audit() checks one set of parameters; call it for each group's runs, such as runs.where(...).")
    begin = {name: value for name, value in params.items() if name not in held and name not in (options.get("tie") or {})}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        found = fit(law, runs, starts=[begin], unidentified="warn", **options)
    given = _objective(found, params)
    if found.objective >= given * (1 - _SAME):
        status = Status.CONVERGED
    else:
        still = start is not None and all(np.allclose(params[k], start[k], rtol=_SAME, atol=0.0) for k in params)
        status = Status.STUCK if still else Status.MAX_ITERATIONS
    return Audit(status=status, objective=given, best=found.objective, fit=found)


@double
def _objective(found: Fit, params: Mapping[str, Any]) -> float:
    """The fit's objective at other parameters: of all used steps of curves, with the weights of the fit."""
    request = found.request
    theta = request.layout.inverse(params)[:, None]
    data = request.batch.gather(np.zeros(1, int))
    residual = np.asarray(residuals_at(request.spec, request.batch.batched, theta, data))
    counts = data.weight > 0  # beyond the end of a curve nothing was observed
    return float(np.sum(data.weight[counts] * loss_terms(request.loss, residual[counts])[0]))
