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
from ..numeric.precision import namespace


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

    @property
    def above_zero(self) -> bool:
        """Are all numbers that its transform gives positive? As an input or a fixed value it may hold 0 beside them."""
        return False

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
        """Number from its unconstrained form; of a vector along the first axis. JAX arrays give JAX arrays, all else NumPy's."""
        return namespace(u).asarray(u) * self.scale

    def inverse(self, x):
        """Unconstrained form of a number."""
        return namespace(x).asarray(x) / self.scale

    def slopes(self, u: np.ndarray) -> np.ndarray:
        """Derivatives (..., entries, free) of `forward` at unconstrained numbers (..., free)."""
        return _diagonal(np.full(np.shape(u), self.scale))

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "forward" in vars(cls) and "slopes" not in vars(cls):
            cls.slopes = _slopes_by_jax  # type: ignore[method-assign, assignment]  # those of the parent are of another transform

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

    @property
    def above_zero(self) -> bool:
        return True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise LawError(f"Positive({self.low}, {self.high}): the plausible range must lie above 0.")

    def forward(self, u):
        return _quiet("exp", u)

    def inverse(self, x):
        return _quiet("log", x)

    def slopes(self, u: np.ndarray) -> np.ndarray:
        return _diagonal(self.forward(u))

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

    @property
    def above_zero(self) -> bool:
        return self.low > 0

    def forward(self, u):
        return self.low + (self.high - self.low) * _share(u)

    def inverse(self, x):
        p = (namespace(x).asarray(x) - self.low) / (self.high - self.low)
        return _quiet("log", p) - _quiet("log1p", -p)

    def slopes(self, u: np.ndarray) -> np.ndarray:
        return _diagonal((self.high - self.low) * _share(u) * _share(-u))

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
        if isinstance(u, jax.Array):
            return jax.nn.softmax(jnp.concatenate([u, jnp.zeros_like(u[:1])]), axis=0)
        u = np.concatenate([u, np.zeros_like(u[:1])])
        weights = np.exp(u - u.max(axis=0))
        return weights / weights.sum(axis=0)

    def inverse(self, x):
        logs = _quiet("log", x)
        with np.errstate(invalid="ignore"):  # of weights that are 0
            return logs[:-1] - logs[-1:]

    def slopes(self, u: np.ndarray) -> np.ndarray:
        p = np.moveaxis(self.forward(np.moveaxis(u, -1, 0)), 0, -1)
        return (_diagonal(p) - p[..., :, None] * p[..., None, :])[..., :-1]

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
        xp = namespace(u)
        steps = xp.concatenate([u[:1] + self.low / self.scale, _quiet("exp", u[1:])])
        return self.scale * xp.cumsum(steps, axis=0)

    def inverse(self, x):
        xp = namespace(x)
        x = xp.asarray(x) / self.scale
        return xp.concatenate([x[:1] - self.low / self.scale, _quiet("log", xp.diff(x, axis=0))])

    def slopes(self, u: np.ndarray) -> np.ndarray:
        steps = self.scale * np.concatenate([np.ones_like(u[..., :1]), _quiet("exp", u[..., 1:])], axis=-1)
        return np.tril(np.ones((np.shape(u)[-1],) * 2)) * steps[..., None, :]

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

    @property
    def above_zero(self) -> bool:
        return self.low > 0

    def contains(self, x) -> np.ndarray:
        x = np.asarray(x, dtype=float)
        return np.isfinite(x) & (x == np.round(x)) & (x >= self.low)


@dataclass(frozen=True)
class Fixed(Domain):
    """A parameter with a known value, which no fit moves."""

    value: float = 0.0

    def contains(self, x) -> np.ndarray:
        return np.isfinite(np.asarray(x, dtype=float))


def _slopes_by_jax(domain: Domain, u: np.ndarray) -> np.ndarray:
    """`Domain.slopes` of a transform whose derivatives nobody wrote out."""
    u = np.asarray(u, dtype=np.float64)
    found = np.asarray(jax.vmap(jax.jacfwd(domain.forward))(u.reshape(-1, u.shape[-1])))
    return found.reshape(*u.shape[:-1], *found.shape[1:])


def _quiet(function: str, x: Any) -> Any:
    """A function of JAX or NumPy; what lies outside its support is infinite or NaN without a warning."""
    with np.errstate(all="ignore"):
        return getattr(namespace(x), function)(x)


def _share(u: Any) -> Any:
    """The logistic function."""
    return jax.nn.sigmoid(u) if isinstance(u, jax.Array) else 1 / (1 + _quiet("exp", -np.asarray(u)))


def _diagonal(values: np.ndarray) -> np.ndarray:
    """(..., k, k) matrices with these (..., k) on their diagonals."""
    return values[..., None] * np.eye(values.shape[-1])


def confined(domain: Domain, low: float, high: float) -> Domain:
    """`domain` with hard bounds, as asked for in `fit(bounds=...)`."""
    if isinstance(domain, Simplex | Ordered | Integer):
        raise LawError(f"Bounds are for single numbers; a {type(domain).__name__} parameter takes none.")
    if not low < high:
        raise LawError(f"The bounds ({low:g}, {high:g}) must rise.")
    return replace(domain.within(low, high), axis=domain.axis)
