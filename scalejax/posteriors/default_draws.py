"""The draws that a fit brings to a decision: Laplace's where they can be trusted, else a bootstrap."""

from __future__ import annotations

import numpy as np

from ..core.errors import IdentifiabilityError
from ..fitting.objective.penalty import MISFIT
from ..fitting.result import Fit
from ..fitting.uncertainty.bootstrap import bootstrap
from ..fitting.uncertainty.draws import Draws
from ..fitting.uncertainty.linearity import MOST, nonlinearity
from .laplace import laplace


def default_draws(fit: Fit, draws: int = 1000) -> Draws:
    """Draws of the uncertainty of a fit, made as its residuals ask: `Draws.kind` says how, and why.

    Laplace's approximation takes the law as straight over the width of the draws. Where runs determine combinations of parameters but not
    each of them, as on ladders of few sizes, it is not, and draws that follow a straight valley leave the bent one: the bootstrap then
    takes over, as it does where a parameter lies at the edge of its support, from which Laplace's draws do not come back.

    Raises:
        IdentifiabilityError: if the runs do not determine a parameter, or leave no degree of freedom.
    """
    quick = laplace(fit, draws)
    factor = float(np.max(nonlinearity(quick)))
    edge = list(dict.fromkeys(label for shape in fit.curvature for label in shape.boundary))
    if factor <= MOST and (not edge or MISFIT in fit.law.parameters):
        return quick
    if MISFIT in fit.law.parameters:
        raise IdentifiabilityError(
            f"Laplace's draws miss the law by a factor of {factor:.2g} at the runs, and a bootstrap does not know the prior of its misfit; "
            "decide from sj.sample(..., misfit=True)."
        )
    found = bootstrap(fit, draws, progress=False)
    why = (
        "they leave what the law can say" if not np.isfinite(factor)
        else f"they miss the law by a factor of {factor:.2g} at the runs" if factor > MOST
        else f"they hold {', '.join(edge)} at the edge"
    )  # fmt: skip
    return Draws(fit, found.theta, f"{found.kind}; Laplace's draws are not used: {why}", found.failed, found.units)
