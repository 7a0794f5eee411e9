"""Laplace's approximation: normal draws around the optimum."""

from __future__ import annotations

import numpy as np

from ..core.errors import FitError, IdentifiabilityError
from ..fitting.draws import Draws
from ..fitting.result import Fit


def laplace(fit: Fit, draws: int = 4000, *, seed: int = 0) -> Draws:
    """Draws from the normal distribution around the optimum, on the unconstrained scale with the sandwich covariance.

    Args:
        fit: a fit.
        draws: how many.
        seed: of the draws.

    Returns:
        Draws. Parameters at a boundary stay where they are.

    Raises:
        IdentifiabilityError: if a parameter is not determined, so that its variance is infinite.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.power_law
        >>> runs = sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> low, high = sj.laplace(sj.fit(law, runs)).interval(0.95)["alpha"]
        >>> low < 0.3 < high
        True
    """
    if draws < 2:
        raise FitError(f"draws={draws} must be at least 2.")
    rng = np.random.default_rng(seed)
    parts = []
    for theta, shape in zip(fit.theta.T, fit.curvature, strict=True):
        if shape.flat:
            raise IdentifiabilityError(
                f"{', '.join(shape.flat)} of {fit.law.name!r} are not determined by the runs, so there is no normal distribution to draw "
                "from; fix one of them, or use sj.bootstrap."
            )
        covariance = np.nan_to_num(shape.covariance, nan=0.0)  # at a boundary: held
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        parts.append(theta[:, None] + root @ rng.standard_normal((len(theta), draws)))
    return Draws(fit, np.stack(parts, axis=1), f"Laplace (seed {seed})")
