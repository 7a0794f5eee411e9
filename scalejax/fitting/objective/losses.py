"""How a residual counts: robust and plain losses, each a function rho of the residual.

A residual is observed minus predicted, of the logarithm by default. The fit minimises the weighted SUM of rho: a mean changes
nothing but makes quasi-Newton methods stop early, which is how a famous fit went wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import FitError
from ...core.numeric.precision import namespace
from ...core.numeric.programs import compiled
from ...core.runs import Runs

RELATIVE_DELTA = 1e-3  # of a residual of logarithms, which is a relative error


@dataclass(frozen=True)
class Loss:
    """Base of all losses; a subclass needs `rho(r)`, elementwise, at least 0 and 0 at r = 0."""

    @property
    def closed(self) -> bool:
        """Are its derivatives written out, so that NumPy can compute them?"""
        return False

    def rho(self, r):
        """Loss of residuals."""
        raise TypeError(f"{type(self).__name__} has no rho(r).")

    def psi(self, r):
        """Derivative of rho."""
        return jax.jvp(self.rho, (r,), (jnp.ones_like(r),))[1]

    def curvature(self, r):
        """Second derivative of rho, where it exists."""
        return jax.jvp(self.psi, (r,), (jnp.ones_like(r),))[1]

    def mean_curvature(self, r, width):
        """Mean of the second derivative over r - width .. r + width."""
        return (self.psi(r + width) - self.psi(r - width)) / (2 * width)

    def majorizer(self, r):
        """psi(r)/r: weight of the parabola that touches rho at r and lies above it (iteratively reweighted least squares)."""
        xp = namespace(r)
        near = xp.abs(r) < 1e-12
        return xp.where(near, self.curvature(r), self.psi(r) / xp.where(near, 1.0, r))


@dataclass(frozen=True)
class _Closed(Loss):
    """Losses whose derivatives are written out, of arrays of JAX or NumPy."""

    closed = True


@dataclass(frozen=True)
class Huber(_Closed):
    """See `huber`."""

    delta: float = 1e-3

    def rho(self, r):
        xp = namespace(r)
        a = xp.abs(r)
        return xp.where(a <= self.delta, 0.5 * r * r, self.delta * (a - 0.5 * self.delta))

    def psi(self, r):
        return namespace(r).clip(r, -self.delta, self.delta)

    def curvature(self, r):
        xp = namespace(r)
        return xp.heaviside(self.delta - xp.abs(r), 0.5)

    def majorizer(self, r):
        xp = namespace(r)
        return self.delta / xp.maximum(xp.abs(r), self.delta)


@dataclass(frozen=True)
class LogCosh(_Closed):
    """See `log_cosh`."""

    delta: float = 1e-3

    def rho(self, r):
        xp = namespace(r)
        z = xp.abs(r) / self.delta
        return self.delta**2 * (z + xp.log1p(xp.exp(-2 * z)) - np.log(2.0))

    def psi(self, r):
        return self.delta * namespace(r).tanh(r / self.delta)

    def curvature(self, r):
        return 1 - namespace(r).tanh(r / self.delta) ** 2


@dataclass(frozen=True)
class Squared(_Closed):
    """See `squared`."""

    def rho(self, r):
        return 0.5 * r * r

    def psi(self, r):
        return r

    def curvature(self, r):
        return namespace(r).ones_like(r)

    def majorizer(self, r):
        return namespace(r).ones_like(r)


@dataclass(frozen=True)
class Absolute(_Closed):
    """See `absolute`."""

    def rho(self, r):
        return namespace(r).abs(r)

    def psi(self, r):
        return namespace(r).sign(r)

    def majorizer(self, r):
        # 1/|r|, with a floor far below any noise so that a residual of exactly zero keeps the matrix finite.
        xp = namespace(r)
        return 1 / xp.maximum(xp.abs(r), 1e-9)

    def curvature(self, r):
        return self.majorizer(r)  # |r| has none of its own


@dataclass(frozen=True)
class Asymmetric(Loss):
    """See `asymmetric`."""

    over: float = 1.0
    under: float = 1.0
    base: Loss = Huber()

    @property
    def closed(self) -> bool:
        return self.base.closed

    def _factor(self, r):
        return namespace(r).where(r < 0, self.over, self.under)

    def rho(self, r):
        return self._factor(r) * self.base.rho(r)

    def psi(self, r):
        return self._factor(r) * self.base.psi(r)

    def majorizer(self, r):
        return self._factor(r) * self.base.majorizer(r)

    def curvature(self, r):
        return self._factor(r) * self.base.curvature(r)


@dataclass(frozen=True)
class StudentT(_Closed):
    """See `student_t`."""

    nu: float = 4.0
    scale: float = 1e-2

    def rho(self, r):
        return 0.5 * (self.nu + 1) * self.scale**2 * namespace(r).log1p(r * r / (self.nu * self.scale**2))

    def psi(self, r):
        wide = self.nu * self.scale**2
        return (self.nu + 1) * self.scale**2 * r / (wide + r * r)

    def curvature(self, r):
        wide = self.nu * self.scale**2
        return (self.nu + 1) * self.scale**2 * (wide - r * r) / (wide + r * r) ** 2


@dataclass(frozen=True)
class Custom(Loss):
    """Any elementwise JAX function of the residual; equal only to a loss of the same function object."""

    function: Callable[..., object] = jnp.square

    def rho(self, r):
        return self.function(r)


def loss_terms(loss: Loss, r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """rho(r), psi(r), rho''(r)."""
    return _of_numbers(("rho", "psi", "curvature"), loss, r)


def slope(loss: Loss, r: np.ndarray) -> np.ndarray:
    """psi(r)."""
    return _of_numbers(("psi",), loss, r)[0]


def mean_curvature(loss: Loss, r: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Mean of rho'' over r - width .. r + width."""
    return _of_numbers(("mean_curvature",), loss, r, width)[0]


def _of_numbers(names: tuple[str, ...], loss: Loss, *r: np.ndarray) -> Any:
    """Methods of a loss at residuals in NumPy; those of a user's function are one compiled program."""
    if loss.closed:
        with np.errstate(all="ignore"):
            return tuple(getattr(loss, name)(*r) for name in names)
    return tuple(np.asarray(value) for value in _program(names, loss, *r))


@compiled(0, 1, once=True)
def _program(names: tuple[str, ...], loss: Loss, *r: Any) -> Any:
    return tuple(getattr(loss, name)(*r) for name in names)


@jax.tree_util.register_pytree_node_class
class LossArgument:
    """A loss as an argument of compiled programs: its numbers are arrays, so that losses that differ in them alone share a program."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        """Numbers and further losses; those of a class of the user's, which may look at them, are part of the program."""
        if not self.loss.closed:
            return (), self.loss
        parts = {f.name: getattr(self.loss, f.name) for f in fields(self.loss)}
        return tuple(LossArgument(v) if isinstance(v, Loss) else v for v in parts.values()), (type(self.loss), tuple(parts))

    @classmethod
    def tree_unflatten(cls, known: Any, parts: tuple[Any, ...]) -> LossArgument:
        """The inverse."""
        if isinstance(known, Loss):
            return cls(known)
        kind, names = known
        return cls(kind(**{n: v.loss if isinstance(v, LossArgument) else v for n, v in zip(names, parts, strict=True)}))


def huber(delta: float = RELATIVE_DELTA) -> Loss:
    """Quadratic up to `delta`, linear beyond: r^2/2, then delta (|r| - delta/2). The field's default, with delta = 1e-3 on logs.

    `delta` is in the unit of the residual: with on="linear" that of the loss itself.
    """
    return Huber(_positive("delta", delta))


def usual_loss(on: str, runs: Runs, output: str) -> Loss:
    """The loss of a fit that names none: `huber(1e-3)` of logarithms; of values a delta of 1e-3 times their median size, in any unit."""
    if on != "linear" or output not in runs or runs[output].dtype.kind != "f":
        return huber()
    size = np.abs(runs[output])[~runs.excluded]
    size = size[runs.masks[output][~runs.excluded]] if output in runs.masks else size
    level = float(np.median(size)) or float(np.mean(size)) or 1.0
    return huber(RELATIVE_DELTA * level)


def log_cosh(delta: float = 1e-3) -> Loss:
    """Smooth relative of `huber`: delta^2 log cosh(r / delta)."""
    return LogCosh(_positive("delta", delta))


def squared() -> Loss:
    """Least squares: r^2/2."""
    return Squared()


def absolute() -> Loss:
    """Least absolute deviations: |r|."""
    return Absolute()


def asymmetric(over: float = 1.0, under: float = 1.0, base: Loss | None = None) -> Loss:
    """`base` (default `absolute()`) times `over` where the prediction is too high and `under` where it is too low."""
    return Asymmetric(_positive("over", over), _positive("under", under), Absolute() if base is None else as_loss(base))


def student_t(nu: float = 4.0, scale: float = 1e-2) -> Loss:
    """Negative log density of Student's t times scale^2: (nu+1)/2 scale^2 log(1 + r^2/(nu scale^2)); forgets far outliers."""
    return StudentT(_positive("nu", nu), _positive("scale", scale))


def as_loss(loss: Loss | Callable[..., object]) -> Loss:
    """A `Loss` from itself or from any elementwise JAX function of the residual."""
    if isinstance(loss, Loss):
        return loss
    if callable(loss):
        return Custom(loss)
    raise FitError(f"loss={loss!r} is not a loss; pass for instance sj.huber(1e-3), sj.squared() or a function of the residual.")


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise FitError(f"{name}={value!r} must be a positive number.")
    return float(value)
