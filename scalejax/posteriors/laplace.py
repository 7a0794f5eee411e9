"""Laplace's approximation: draws from Student's t around the optimum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.checks import check_count
from ..core.errors import IdentifiabilityError
from ..core.numeric.precision import double
from ..fitting.result import Fit
from ..fitting.uncertainty.draws import Draws
from ..fitting.uncertainty.resampling import undetermined
from ..fitting.uncertainty.spread import Covariance, spread


@double
def laplace(
    fit: Fit, draws: int = 4000, *, covariance: Covariance | None = None, groups: str | Sequence[str] | None = None, seed: int = 0
) -> Draws:
    r"""Draws from the multivariate Student t around the optimum on the unconstrained scale:

        theta = theta_hat + sqrt(nu / c) L z,    z ~ N(0, 1),  c ~ chi^2(nu),  L L' the covariance

    with the degrees of freedom nu that the covariance is known from (for "clustered" a sum of two such terms). They are those of
    `Fit.interval`. The law is taken as linear over the width of the draws: see `Draws.nonlinearity`, and `bootstrap` for draws that
    need no such thing.

    Args:
        fit: a fit.
        draws: how many.
        covariance, groups: see `Fit.errors`.
        seed: of the draws.

    Returns:
        Draws. Parameters at the edge of their support stay where they are, so that what they could be is not in the intervals; use
        `bootstrap` there.

    Raises:
        IdentifiabilityError: if the runs do not determine a parameter, or leave no degree of freedom.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.power_law
        >>> runs = sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> low, high = sj.laplace(sj.fit(law, runs)).interval(0.95)["alpha"]
        >>> low < 0.3 < high
        True
    """
    check_count("draws", draws, 2)
    unknown = np.array(undetermined(fit))
    found = spread(fit, covariance, groups)
    unknown |= np.isinf(np.diagonal(found.matrix, axis1=1, axis2=2)).T
    if unknown.all(axis=0).all():
        raise IdentifiabilityError(
            f"The runs hold too few different values of {found.units!r} to tell how much the residuals differ between them, so no interval "
            f"of {fit.law.name!r} is finite; add some, or fix a parameter."
        )
    deviations = found.deviations(np.random.default_rng(seed), draws)
    how = {"wider": "the wider of sandwich and model", "clustered": f"clustered by {found.units}"}.get(found.kind, found.kind)
    theta = np.where(unknown[:, :, None], np.nan, fit.theta[:, :, None] + deviations)
    edge = list(dict.fromkeys(label for shape in fit.curvature for label in shape.boundary))
    held = f", {', '.join(edge)} held at the edge" if edge else ""
    return Draws(fit, theta, f"Laplace ({how}{held}, seed {seed})")
