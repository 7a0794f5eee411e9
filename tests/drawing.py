"""Random inputs and parameters of any law, drawn from its domains."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from scalejax.core.domains import Domain, Integer

VECTOR, STEPS = 3, 24  # length of vectors in these tests, and of curves (axis "step")


def length(domain: Domain) -> int | None:
    return None if domain.axis is None else STEPS if domain.axis == "step" else VECTOR


def draw(domain: Domain, n: int, rng: np.random.Generator, low: float = 0.0, high: float = 1.0, size: int | None = None) -> np.ndarray:
    """n values spread over (a part of) the plausible range: (n,), or (n, size) for a vector."""
    size = size or length(domain)
    uniform = rng.uniform(low, high, (1 if size is None else domain.free(size), n))
    with jax.enable_x64(True):
        value = np.asarray(domain.forward(jnp.asarray(domain.sample(uniform))), dtype=np.float64)
    value = np.maximum(np.round(value), domain.low) if isinstance(domain, Integer) else value
    return value[0] if size is None else value.T
