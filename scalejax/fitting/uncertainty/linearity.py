"""Is a law straight over the width of draws from a normal approximation? Where it is not, the draws are not what the runs allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.numeric.programs import compiled
from ..objective.problem import Data, Spec, residuals

if TYPE_CHECKING:
    from .draws import Draws

MOST = 1.5  # `nonlinearity` beyond which draws are not trusted: intervals of predictions at the runs themselves would be half as wide again
_LOOKED_AT = 200  # draws


def nonlinearity(draws: Draws) -> np.ndarray:
    r"""By what factor draws move the law at the runs further than a straight law, or less far, (sets,): 1 where the law is straight.

    Compared are the 90th percentiles over the draws of the root mean square change of the predictions at the runs, by the law and by its
    derivatives at the point estimate. Infinite where the law has no value.
    """
    request, batch = draws.request, draws.request.batch
    count = min(len(draws), _LOOKED_AT)
    out = np.ones(draws.theta.shape[1])
    for s in range(len(out)):
        centre, moved = draws.fit.theta[:, [s]], draws.theta[:, s, :count]
        if not np.isfinite(moved).all():
            continue
        there = np.broadcast_to(batch.weight[:, [s]], (batch.rows, count))
        data = batch.gather(np.full(count, s), there)
        changes = _changes(request.spec, batch.batched, np.repeat(centre, count, axis=1), moved, data)
        sizes = np.sqrt([np.sum(there * np.asarray(c) ** 2, axis=0) for c in changes])
        real, linear = np.quantile(np.where(np.isfinite(sizes), sizes, np.inf), 0.9, axis=1, method="nearest")
        out[s] = 1.0 if linear == 0 else max(real / linear, linear / max(real, 1e-300))
    return out


@compiled(0, 1, once=True)
def _changes(spec: Spec, batched: tuple[bool, ...], centre: Any, moved: Any, data: Data) -> tuple[Any, Any]:
    """Changes of the residuals from the centre to the draws, by the law and by its derivatives, (rows, draws) each."""
    here, push = jax.jvp(lambda theta: residuals(spec, batched, theta, data), (centre,), (moved - centre,))
    return jnp.where(data.weight > 0, residuals(spec, batched, moved, data) - here, 0.0), jnp.where(data.weight > 0, push, 0.0)
