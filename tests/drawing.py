"""Random inputs and parameters of any law, drawn from its domains."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import scalejax as sj
from scalejax.core.laws.domains import Domain, Integer, Interval, Positive, Simplex

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


def random_of(law: sj.Law, salt: str = "") -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{law.name}{salt}".encode()))


def arguments(law: sj.Law, n: int, salt: str = "", low: float = 0.0, high: float = 1.0) -> dict[str, np.ndarray]:
    """n rows of all inputs and parameters over (a part of) their plausible ranges."""
    rng = random_of(law, salt)
    return {name: draw(law.domains[name], n, rng, low, high) for name in (*law.inputs, *law.parameters)}


def some_inputs(law: sj.Law, n: int, salt: str = "inputs") -> list[np.ndarray]:
    rng = random_of(law, salt)
    return [draw(law.domains[name], n, rng) for name in law.inputs]


@functools.cache
def value_and_gradient(law: sj.Law) -> Callable[[Mapping[str, Any]], Any]:
    """Sum of the outputs and its gradient for every input and parameter, over rows."""

    def total(row: Mapping[str, Any]) -> Any:
        return jnp.sum(law(*(row[name] for name in law.inputs), **{name: row[name] for name in law.parameters}))

    return jax.jit(jax.vmap(jax.value_and_grad(total)))


def edges(domain: Domain) -> list[Any]:
    """Values at the edge of the support that a law must survive."""
    if isinstance(domain, Simplex):
        return [row for row in np.eye(VECTOR)]
    if isinstance(domain, Interval):
        return [domain.low, domain.high]
    return [0.0] if isinstance(domain, Positive) and domain.zero else []
