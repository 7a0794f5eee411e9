"""Entropic mirror descent on the capped simplex, the papers' method for mixtures: a second way to the optima of `optimal_mixture`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

_ROUNDS = 60  # bisections of the projection's factor


def mirror_descent(objective, low, high, steps=2000):
    """Weights after h <- P(h exp(-eta grad f)), P the KL projection on the caps; eta grows while f falls and halves when it rises."""
    with jax.enable_x64(True):
        low, high = jnp.asarray(low, float), jnp.asarray(high, float)
        slope_of = jax.value_and_grad(objective)

        def step(_, now):
            h, value, slope, eta = now
            new = _projected(jnp.log(jnp.maximum(h, 1e-300)) - eta * (slope - jnp.min(slope)), low, high)
            above, gradient = slope_of(new)
            better = above <= value
            kept = (jnp.where(better, a, b) for a, b in ((new, h), (above, value), (gradient, slope)))
            return (*kept, jnp.where(better, 1.2 * eta, 0.5 * eta))

        start = low + (high - low) * (1 - low.sum()) / (high - low).sum()
        value, slope = slope_of(start)
        eta = 1.0 / jnp.maximum(jnp.max(jnp.abs(slope - jnp.mean(slope))), 1e-12)
        return np.asarray(jax.jit(lambda now: jax.lax.fori_loop(0, steps, step, now))((start, value, slope, eta))[0])


def _projected(logits, low, high):
    """clip(c exp(logits), low, high) with the c that sums to one."""
    logits = logits - jax.nn.logsumexp(logits)

    def halve(_, ends):
        middle = 0.5 * (ends[0] + ends[1])
        over = jnp.sum(jnp.clip(jnp.exp(logits + middle), low, high)) > 1.0
        return jnp.where(over, ends[0], middle), jnp.where(over, middle, ends[1])

    a, b = jax.lax.fori_loop(0, _ROUNDS, halve, (jnp.min(-logits) - 50.0, jnp.max(-logits) + 50.0))
    return jnp.clip(jnp.exp(logits + 0.5 * (a + b)), low, high)
