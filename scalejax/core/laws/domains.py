"""What is to be known of a number: its support, its plausible range, its unit and its axis.

A domain maps an unconstrained number `u` to the number itself and back, so that solvers and samplers work without
constraints. The plausible range is where starts are drawn and what default priors are made from; it is not a bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import LawError


@dataclass(frozen=True)
class Domain:
    """Base of all domains: the real line, with a plausible range from `low` to `high`.

    Args:
        low, high: plausible range (not a bound), in the number's own unit.
        unit: unit as text, such as "tokens" or "nats/token".
        axis: name of the axis for a vector; its length is decided by the data.
    """

    low: float = -1.0
    high: float = 1.0
    unit: str = ""
    axis: str | None = None

    @property
    def support(self) -> str:
        """The numbers that it holds, in words."""
        return "any real number"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise LawError(f"{type(self).__name__}({self.low}, {self.high}): the plausible range must be finite and rise.")

    @property
    def transform(self) -> tuple[Any, ...]:
        """What `forward` and `inverse` depend on, hashable: compiled programs are shared by domains that agree in it."""
        return (type(self), self.axis, self.scale)

    @property
    def scale(self) -> float:
        """Half the plausible width: one unit of the unconstrained number moves this far."""
        return 0.5 * (self.high - self.low)

    def forward(self, u):
        """Number from its unconstrained form; works on JAX and NumPy arrays."""
        return u * self.scale

    def inverse(self, x):
        """Unconstrained form of a number."""
        return jnp.asarray(x) / self.scale

    def contains(self, x) -> np.ndarray:
        """Boolean array: does each number lie in the support?"""
        return np.isfinite(np.asarray(x, dtype=float))

    def free(self, size: int) -> int:
        """How many unconstrained numbers a vector of `size` numbers has."""
        return size

    def sample(self, uniform: np.ndarray) -> np.ndarray:
        """Unconstrained numbers from uniforms in (0, 1): spread over the plausible range."""
        low, high = (np.asarray(self.inverse(v)) for v in (self.low, self.high))
        return low + (high - low) * uniform

    def within(self, low: float, high: float) -> Domain:
        """The same number confined to `low`..`high` (a hard bound)."""
        return Interval(low, high, unit=self.unit, axis=self.axis)


@dataclass(frozen=True)
class Real(Domain):
    """Any real number, with a plausible range."""


@dataclass(frozen=True)
class Data(Domain):
    """Numbers that a law is given with the runs, such as the places of knots: neither fitted nor shown."""


@dataclass(frozen=True)
class Positive(Domain):
    """A positive number; its logarithm is unconstrained. `zero=True` admits 0 itself (as an input or a fixed value)."""

    low: float = 1e-3
    high: float = 1e3
    zero: bool = False

    support = "a positive number"

    @property
    def transform(self) -> tuple[Any, ...]:
        return (type(self), self.axis)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise LawError(f"Positive({self.low}, {self.high}): the plausible range must lie above 0.")

    def forward(self, u):
        return jnp.exp(u)

    def inverse(self, x):
        return jnp.log(jnp.asarray(x))

    def contains(self, x) -> np.ndarray:
        x = np.asarray(x, dtype=float)
        return np.isfinite(x) & ((x >= 0) if self.zero else (x > 0))

    def within(self, low: float, high: float) -> Domain:
        return Interval(max(low, 0.0), high, unit=self.unit, axis=self.axis)


@dataclass(frozen=True)
class Interval(Domain):
    """A number between the hard bounds `low` and `high`; its logit is unconstrained."""

    low: float = 0.0
    high: float = 1.0

    @property
    def support(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"

    @property
    def transform(self) -> tuple[Any, ...]:
        return (Interval, self.axis, self.low, self.high)  # hard bounds

    def forward(self, u):
        return self.low + (self.high - self.low) * jax.nn.sigmoid(u)

    def inverse(self, x):
        p = (jnp.asarray(x) - self.low) / (self.high - self.low)
        return jnp.log(p) - jnp.log1p(-p)

    def contains(self, x) -> np.ndarray:
        x = np.asarray(x, dtype=float)
        return np.isfinite(x) & (x >= self.low) & (x <= self.high)

    def sample(self, uniform: np.ndarray) -> np.ndarray:
        p = 0.02 + 0.96 * uniform  # the bounds themselves are infinitely far away
        return np.log(p) - np.log1p(-p)


@dataclass(frozen=True)
class Unit(Interval):
    """A number from 0 to 1."""


@dataclass(frozen=True)
class Simplex(Domain):
    """Weights that are not negative and sum to one, along `axis`; log-ratios to the last are unconstrained."""

    low: float = 0.0
    high: float = 1.0
    axis: str | None = "domain"

    support = "non-negative weights that sum to one"

    @property
    def transform(self) -> tuple[Any, ...]:
        return (type(self), self.axis)

    def forward(self, u):
        return jax.nn.softmax(jnp.concatenate([u, jnp.zeros_like(u[:1])]), axis=0)

    def inverse(self, x):
        logs = jnp.log(jnp.asarray(x))
        return logs[:-1] - logs[-1:]

    def contains(self, x) -> np.ndarray:
        x = np.asarray(x, dtype=float)
        return np.isfinite(x).all(-1) & (x >= 0).all(-1) & (np.abs(x.sum(-1) - 1) < 5e-3)

    def free(self, size: int) -> int:
        return size - 1

    def sample(self, uniform: np.ndarray) -> np.ndarray:
        return 4.0 * uniform - 2.0


@dataclass(frozen=True)
class Ordered(Domain):
    """Real numbers that rise along `axis`; the first and the logarithms of the increments are unconstrained."""

    axis: str | None = "break"

    support = "rising real numbers"

    @property
    def transform(self) -> tuple[Any, ...]:
        return (type(self), self.axis, self.low, self.high)

    def forward(self, u):
        steps = jnp.concatenate([u[:1] + self.low / self.scale, jnp.exp(u[1:])])
        return self.scale * jnp.cumsum(steps, axis=0)

    def inverse(self, x):
        x = jnp.asarray(x) / self.scale
        return jnp.concatenate([x[:1] - self.low / self.scale, jnp.log(jnp.diff(x, axis=0))])

    def contains(self, x) -> np.ndarray:
        x = np.asarray(x, dtype=float)
        return np.isfinite(x).all(-1) & (np.diff(x, axis=-1) > 0).all(-1)

    def sample(self, uniform: np.ndarray) -> np.ndarray:
        return 2.0 * uniform - 1.0


@dataclass(frozen=True)
class Integer(Domain):
    """A whole number from `low` to `high`; for inputs, or for a parameter that is held fixed."""

    low: float = 1
    high: float = 1_000_000

    support = "a whole number"

    def contains(self, x) -> np.ndarray:
        x = np.asarray(x, dtype=float)
        return np.isfinite(x) & (x == np.round(x)) & (x >= self.low)


@dataclass(frozen=True)
class Fixed(Domain):
    """A parameter with a known value, which no fit moves."""

    value: float = 0.0

    def contains(self, x) -> np.ndarray:
        return np.isfinite(np.asarray(x, dtype=float))


def confined(domain: Domain, low: float, high: float) -> Domain:
    """`domain` with hard bounds, as asked for in `fit(bounds=...)`."""
    if isinstance(domain, Simplex | Ordered | Integer):
        raise LawError(f"Bounds are for single numbers; a {type(domain).__name__} parameter takes none.")
    if not low < high:
        raise LawError(f"The bounds ({low:g}, {high:g}) must rise.")
    return replace(domain.within(low, high), axis=domain.axis)
