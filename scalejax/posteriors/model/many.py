"""Posteriors of many data sets of one shape, sampled together: what calibration and coverage rest on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.numeric.programs import compiled
from .coordinates import Groups, Place, transport, unravel
from .density import Evidence, Model
from .mode import SETS, locate
from .nuts import Settings, nuts

_THIN = 3  # steps between two kept draws, which are then as good as independent
_TOGETHER = 20  # sets in one program: the chains wait for each other at every draw, so that more of them would wait longer


def sets(evidence: Evidence, targets: np.ndarray, inputs: tuple[np.ndarray, ...] | None = None) -> Evidence:
    """Evidence of many sets: targets, and inputs unless all sets have the same, with a leading set axis."""
    repeated = tuple(np.broadcast_to(x, (len(targets), *x.shape)) for x in evidence.inputs)
    return evidence._replace(target=targets, inputs=repeated if inputs is None else inputs)


def draws_of_sets(
    model: Model, many: Evidence, starts: np.ndarray, settings: Settings, *, draws: int, seed: int, accept: float = 0.8,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, np.ndarray], np.ndarray]:  # fmt: skip
    """Draws (sets, draws, ...) of parameters, noise, populations and the log likelihood, one chain a set, and divergences of every set.

    `starts` (sets, size) are unconstrained numbers from which the modes are sought.
    """
    count, parts, diverging = len(starts), [], []
    for begin in range(0, count, _TOGETHER):
        # The last piece is filled up with sets of the first, so that all pieces share a program.
        chosen, kept = np.arange(begin, begin + min(_TOGETHER, count)) % count, min(_TOGETHER, count - begin)
        piece = many._replace(target=many.target[chosen], inputs=tuple(x[chosen] for x in many.inputs))
        place, groups, _ = locate(model, piece, [starts[chosen]])
        trace, place = nuts(model, settings, place, groups, piece, chains=1, draws=_THIN * draws, accept=accept, seed=seed + begin)
        values = _of_draws(model, place, groups, piece, np.swapaxes(trace.z[::_THIN, :, 0], 0, 1))
        parts.append({name: np.asarray(v)[:kept] for name, v in values.items()})
        diverging.append(trace.diverging.sum(axis=(0, 2))[:kept])
        if progress:
            progress(begin + kept, count)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, np.concatenate(diverging)


def of_flat(model: Model, many: Evidence, flat: np.ndarray) -> dict[str, np.ndarray]:
    """The same quantities, (sets, ...), at unconstrained numbers (sets, size)."""
    return {name: np.asarray(value) for name, value in _of_flat(model, many, flat).items()}


def _quantities(model: Model, evidence: Evidence, inner: dict[str, Any]) -> dict[str, Any]:
    """Parameters, noise, populations and the log likelihood at unconstrained sites."""
    from numpyro.infer.util import constrain_fn

    sites = constrain_fn(model, (evidence,), {}, inner, return_deterministic=True)
    density = jnp.sum(model.log_density(model.params(sites, evidence), sites, evidence))
    hidden = ("_free", "_group", "log_likelihood")
    return {**{name: v for name, v in sites.items() if not name.endswith(hidden)}, "log likelihood": density}


@compiled(0, once=True)
def _of_flat(model: Model, many: Evidence, flat: Any) -> dict[str, Any]:
    return jax.vmap(lambda evidence, w: _quantities(model, evidence, unravel(model, evidence, w)), in_axes=(SETS, 0))(many, flat)


@compiled(0)
def _of_draws(model: Model, place: Place, groups: tuple[Groups, ...], many: Evidence, z: Any) -> dict[str, Any]:
    def of_set(place: Place, groups: tuple[Groups, ...], evidence: Evidence, z: Any) -> dict[str, Any]:
        return jax.vmap(lambda one: _quantities(model, evidence, transport(model, groups, evidence, place.forward(one)[0])[0]))(z)

    return jax.vmap(of_set, in_axes=(0, 0, SETS, 0))(place, groups, many, z)
