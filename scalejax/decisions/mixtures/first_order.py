"""Entropic mirror descent on the capped simplex, the papers' method for mixtures, and any optax transformation on softmax weights."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ...core.numeric.batching import traced
from ...optimum.program import Program

_ROUNDS = 60  # bisections of the projection's factor


@partial(jax.jit, static_argnums=(0, 4))
def mirror(program: Program, h: Any, low: Any, high: Any, steps: int, each: Any) -> Any:
    """Weights (width, members) after mirror descent h <- P(h exp(-eta grad f)); P is the KL projection on the caps.

    The step eta of every member grows while the objective falls and halves when it rises.
    """
    traced("mirror")

    def member(h: Any, low: Any, high: Any, own: Any) -> Any:
        def f(h: Any) -> Any:
            return program.objective(program.unpack(h), own)

        def step(_: int, now: tuple[Any, Any, Any, Any]) -> tuple[Any, Any, Any, Any]:
            h, value, slope, eta = now
            new = capped(jnp.log(jnp.maximum(h, 1e-300)) - eta * (slope - jnp.min(slope)), low, high)
            above, gradient = jax.value_and_grad(f)(new)
            better = above <= value
            return (
                jnp.where(better, new, h), jnp.where(better, above, value), jnp.where(better, gradient, slope),
                jnp.where(better, 1.2 * eta, 0.5 * eta),
            )  # fmt: skip

        value, slope = jax.value_and_grad(f)(h)
        eta = 1.0 / jnp.maximum(jnp.max(jnp.abs(slope - jnp.mean(slope))), 1e-12)
        return jax.lax.fori_loop(0, steps, step, (h, value, slope, eta))[0]

    return jax.vmap(member, in_axes=-1, out_axes=-1)(h, low, high, each)


def capped(logits: Any, low: Any, high: Any) -> Any:
    """The KL projection of exp(logits) on weights between low and high that sum to one: clip(c exp(logits)) with the c that sums to one."""
    logits = logits - jax.nn.logsumexp(logits)

    def halve(_: int, ends: tuple[Any, Any]) -> tuple[Any, Any]:
        a, b = ends
        c = 0.5 * (a + b)
        over = jnp.sum(jnp.clip(jnp.exp(logits + c), low, high)) > 1.0
        return jnp.where(over, a, c), jnp.where(over, c, b)

    ends = jax.lax.fori_loop(0, _ROUNDS, halve, (jnp.min(-logits) - 50.0, jnp.max(-logits) + 50.0))
    return jnp.clip(jnp.exp(logits + 0.5 * (ends[0] + ends[1])), low, high)


@partial(jax.jit, static_argnums=(0, 2, 3))
def on_logits(program: Program, h: Any, optimiser: Any, steps: int, each: Any) -> Any:
    """Weights (width, members) after `steps` of an optax transformation on logits z, h = softmax(z)."""
    traced("logits")

    def member(h: Any, own: Any) -> Any:
        def f(z: Any) -> Any:
            return program.objective(program.unpack(jax.nn.softmax(z)), own)

        def step(_: int, now: tuple[Any, Any]) -> tuple[Any, Any]:
            z, state = now
            value, slope = jax.value_and_grad(f)(z)
            update, state = optimiser.update(slope, state, z, value=value, grad=slope, value_fn=f)
            return z + update, state

        z = jnp.log(h)
        return jax.nn.softmax(jax.lax.fori_loop(0, steps, step, (z, optimiser.init(z)))[0])

    return jax.vmap(member, in_axes=-1, out_axes=-1)(h, each)
