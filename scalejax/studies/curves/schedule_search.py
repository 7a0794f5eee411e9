"""The searches of `optimal_schedule`: free schedules by Adam on their falls, and the best member of a family on grids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ...core import schedules
from ...core.laws.law import Law
from ...core.numeric.programs import compiled

_ROUNDS, _GRID = 6, 9  # of the search within a family
_RATE = 0.6  # of Adam, on the logarithms of shares of the fall


class Horizon(NamedTuple):
    """What compiled programs depend on: the law, steps between logged ones, all steps, steps of warm-up."""

    law: Law
    every: int
    T: int
    warmup: int


def some_of(draws: Mapping[str, Any], most: int) -> dict[str, Any]:
    """At most so many draws, evenly spread."""
    every = max(len(next(iter(draws.values()))) // most, 1)
    return {name: v[::every][:most] for name, v in draws.items()}


def _final(horizon: Horizon, eta: Any, rest: tuple[float, ...], params: Mapping[str, Any]) -> Any:
    """Predicted loss after the last step."""
    law, every, T, _ = horizon
    values = {**params, **dict(law.bound)}
    if law.inputs[1] == "step":
        return law.function(eta[every - 1 :: every], jnp.arange(every, T + 1.0, every), *rest, **values)[-1]
    return law.function(eta, jnp.asarray(T - 1.0), *rest, **values)


@compiled(0)
def final_losses(horizon: Horizon, etas: Any, rest: tuple[float, ...], params: Mapping[str, Any]) -> Any:
    """Loss at the end of every schedule of rates (schedules, T)."""
    return jax.lax.map(lambda eta: _final(horizon, eta, rest, params), etas)


def _with_ramp(eta: Any, peak: Any, warmup: int) -> Any:
    return jnp.concatenate([peak * jnp.arange(warmup) / max(warmup - 1, 1), eta])


def free_starts(n: int) -> list[Any]:
    """Shares of the fall in every one of n - 1 changes and, last, in none: of a WSD and of a linear decay."""
    x = np.arange(1, n) / n
    return [jnp.log(jnp.asarray(np.append(w / w.sum() * 0.98, 0.02))) for w in (np.exp(20 * (x - 1)), np.ones(n - 1))]


@compiled(0, 1)
def free_schedule(horizon: Horizon, iterations: int, z: Any, box: Any, rest: Any, params: Any) -> tuple[Any, Any, Any]:
    """Schedule, what its linear model could still gain, and loss."""
    peak, end = box

    def schedule(shares: Any) -> Any:
        fallen = jnp.concatenate([jnp.zeros(1), jnp.cumsum(shares[:-1])])
        return _with_ramp(peak - (peak - end) * jnp.minimum(fallen, 1.0), peak, horizon.warmup)

    def loss(shares: Any) -> Any:
        return _final(horizon, schedule(shares), rest, params)

    solver = optax.adam(optax.cosine_decay_schedule(_RATE, iterations))

    def step(carry: Any, _: Any) -> tuple[Any, None]:
        z, state = carry
        gradient = jax.grad(lambda z: loss(jax.nn.softmax(z)))(z)
        updates, state = solver.update(gradient, state)
        return (optax.apply_updates(z, updates), state), None

    (z, _), _ = jax.lax.scan(step, (z, solver.init(z)), None, length=iterations)
    shares = jax.nn.softmax(z)
    value, slope = jax.value_and_grad(loss)(shares)
    return schedule(shares), jnp.sum(slope * shares) - jnp.min(slope), value


def best_shapes(horizon: Horizon, box: Any, rest: Any, draws: Mapping[str, Any], most: int) -> dict[str, np.ndarray]:
    """Decay and exponent of the best member by each of at most so many draws."""
    if most < 1:
        return {}
    decay, exponent = best_members(horizon, box, rest, some_of(draws, most)).T
    return {"decay": decay, "exponent": exponent}


def best_members(horizon: Horizon, box: Any, rest: Any, draws: Mapping[str, Any]) -> np.ndarray:
    """(draws, 2) best decay and exponent, on a grid that is drawn closer around each draw's best point again and again."""
    count = len(next(iter(draws.values())))
    least, most = np.log([2.0 / (horizon.T - horizon.warmup), 0.2]), np.log([1.0, 5.0])
    low, high = np.tile(least, (count, 1)), np.tile(most, (count, 1))
    unit = np.stack(np.meshgrid(*[np.linspace(0, 1, _GRID)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    best = 0.5 * (low + high)
    for _ in range(_ROUNDS):
        points = low[:, None] + (high - low)[:, None] * unit
        values = np.asarray(_family_losses(horizon, jnp.asarray(np.exp(points)), box, rest, draws))
        best = points[np.arange(count), np.argmin(np.where(np.isnan(values), np.inf, values), axis=1)]
        reach = (high - low) / (_GRID - 1)
        low, high = np.maximum(best - reach, least), np.minimum(best + reach, most)
    return np.exp(best)


def member(horizon: Horizon, decay: Any, exponent: Any, peak: Any, end: Any) -> Any:
    """Rates (T,) of a schedule of the family: a ramp, a constant peak, and a decay of this share and exponent."""
    return _with_ramp(schedules.wsd(horizon.T - horizon.warmup, jnp.asarray(peak), end, decay, exponent), peak, horizon.warmup)


@compiled(0)
def _family_losses(horizon: Horizon, points: Any, box: Any, rest: Any, draws: Any) -> Any:
    """(draws, points)."""

    def one(p: Any, params: Any) -> Any:
        return _final(horizon, member(horizon, p[0], p[1], *box), rest, params)

    return jax.lax.map(lambda pair: jax.lax.map(lambda p: one(p, pair[1]), pair[0]), (points, dict(draws)))
