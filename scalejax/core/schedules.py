"""Learning-rate schedules: one rate for every optimiser step, from plain parts that compose; `sj.schedules`.

A schedule is an array `eta` of shape (steps,): `eta[k]` is the rate of step k, counted from 0, and x = k / steps how much of it has
passed. Rates, fractions and exponents may be JAX numbers, traced and differentiated, and then the schedule is a JAX array; else it is
NumPy in double precision. The number of steps is a plain whole number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .edge.public import publish
from .errors import DataError, suggest
from .numeric.precision import numpy_or_jax

__all__ = ["constant", "cosine", "cyclic", "decay", "from_optax", "join", "linear", "multi_step", "power", "to_optax", "with_warmup", "wsd"]

# How a decay falls from 1 to 0 while x goes from 0 to 1; shapes as in Haegele et al. 2024, arXiv:2405.18392.
SHAPES: dict[str, Callable[[Any], Any]] = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: 0.5 * (1 + jnp.cos(jnp.pi * x)),
    "mirror-cosine": lambda x: 2 * (1 - x) - 0.5 * (1 + jnp.cos(jnp.pi * x)),
    "1-sqrt": lambda x: 1 - jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0),
    "square": lambda x: 1 - x**2,
}


def _steps(steps: Any) -> Any:
    if not isinstance(steps, int | np.integer) or steps < 1:
        raise DataError(f"A schedule needs a whole number of steps from 1, got steps={steps!r}.")
    return jnp.arange(int(steps), dtype=float)


def _fall(x: Any, shape: str | float, end: Any, peak: Any) -> Any:
    """From peak to end while x goes from 0 to 1."""
    if shape == "exp":
        return peak * (end / peak) ** x
    if isinstance(shape, str):
        if shape not in SHAPES:
            raise DataError(f"There is no decay shape {shape!r}; {suggest(shape, [*SHAPES, 'exp'])} A number p gives (1 - x)^p.")
        left = SHAPES[shape](x)
    else:
        left = jnp.where(x < 1, jnp.where(x < 1, 1 - x, 1.0) ** shape, 0.0)
    return end + (peak - end) * left


@numpy_or_jax
def constant(steps: int, peak: Any = 1.0) -> Any:
    """One rate throughout.

    >>> constant(3, 3e-4)
    array([0.0003, 0.0003, 0.0003])
    """
    return jnp.full(_steps(steps).shape, peak)


@numpy_or_jax
def decay(steps: int, peak: Any = 1.0, end: Any = 0.0, shape: str | float = "linear") -> Any:
    """A decay from peak towards end over all steps.

        eta_k = end + (peak - end) f(k / steps)        f one of the shapes, or (1 - x)^p; "exp" is peak (end / peak)^x

    Args:
        steps: number of steps.
        peak, end: first rate, and the rate that would follow the last step.
        shape: "linear", "cosine", "mirror-cosine", "1-sqrt", "square", "exp", or the exponent p.

    >>> decay(4, 1.0, shape="linear")
    array([1.  , 0.75, 0.5 , 0.25])
    """
    return _fall(_steps(steps) / steps, shape, end, peak)


def linear(steps: int, peak: Any = 1.0, end: Any = 0.0) -> Any:
    """Linear decay; with end=0 "decay to zero"."""
    return decay(steps, peak, end, "linear")


def cosine(steps: int, peak: Any = 1.0, end: Any = 0.0) -> Any:
    """Half a cosine from peak to end.

    >>> cosine(2, 1.0)
    array([1. , 0.5])
    """
    return decay(steps, peak, end, "cosine")


@numpy_or_jax
def wsd(steps: int, peak: Any = 1.0, end: Any = 0.0, decay: Any = 0.2, shape: str | float = "1-sqrt") -> Any:
    """Warm-up-stable-decay without its warm-up (see `with_warmup`): constant, then a cooldown over the last fraction `decay` of the steps.

        eta_k = peak for k < T - n, else end + (peak - end) f((k - (T - n)) / n)        n = decay T

    Args:
        steps: number of steps T.
        peak, end: rate before the cooldown and the one it leads to.
        decay: share of the steps in the cooldown, in (0, 1]; may be traced.
        shape: see `decay`. Hu et al. 2024, arXiv:2404.06395, use "exp"; Haegele et al. 2024, arXiv:2405.18392, recommend "1-sqrt".

    >>> wsd(5, 1.0, decay=0.4, shape="linear")
    array([1. , 1. , 1. , 1. , 0.5])
    """
    x = jnp.clip((_steps(steps) - steps * (1 - decay)) / (steps * decay), 0.0, 1.0)
    return _fall(x, shape, end, peak)


@numpy_or_jax
def multi_step(steps: int, peak: Any = 1.0, at: Sequence[float] = (0.8, 0.9), factor: Any = 0.1**0.5) -> Any:
    """The rate falls by a factor at given shares of the steps; the default is the 8-1-1 schedule (Bi et al. 2024, arXiv:2401.02954).

    >>> multi_step(10, 1.0, factor=0.1)
    array([1.  , 1.  , 1.  , 1.  , 1.  , 1.  , 1.  , 1.  , 0.1 , 0.01])
    """
    k = _steps(steps)
    falls = sum((k >= share * steps - 1e-9).astype(k.dtype) for share in at)
    return peak * factor**falls


@numpy_or_jax
def power(steps: int, peak: Any = 1.0, exponent: Any = 0.5, delay: Any = 1.0) -> Any:
    """A power of time: eta_k = peak (1 + k / delay)^-exponent; exponent 1/2 is the inverse square root of Transformer and Adafactor.

    >>> power(4, 1.0, exponent=1.0)
    array([1.        , 0.5       , 0.33333333, 0.25      ])
    """
    return peak * (1 + _steps(steps) / delay) ** -exponent


@numpy_or_jax
def cyclic(steps: int, peak: Any = 1.0, end: Any = 0.0, cycles: int = 2, shape: str | float = "cosine") -> Any:
    """Equal cycles, each a decay from peak to end, with a jump back to peak between them (warm restarts).

    >>> cyclic(4, 1.0, cycles=2, shape="linear")
    array([1. , 0.5, 1. , 0.5])
    """
    return _fall(_steps(steps) * cycles / steps % 1.0, shape, end, peak)


@numpy_or_jax
def join(*parts: Any) -> Any:
    """Schedules one after the other: a trunk and a branch, say.

    >>> join(constant(2, 1.0), linear(2, 1.0))
    array([1. , 1. , 1. , 0.5])
    """
    return jnp.concatenate([jnp.atleast_1d(jnp.asarray(part)) for part in parts])


@numpy_or_jax
def with_warmup(schedule: Any, steps: int, start: Any = 0.0) -> Any:
    """A linear warm-up of some steps before a schedule, from `start` to the schedule's first rate, which is then given twice.

    >>> with_warmup(constant(2, 1.0), 3)
    array([0. , 0.5, 1. , 1. , 1. ])
    """
    schedule = jnp.asarray(schedule)
    x = _steps(steps) / max(steps - 1, 1)
    return jnp.concatenate([start + (schedule[0] - start) * x, schedule])


def from_optax(schedule: Callable[[Any], Any], steps: int) -> np.ndarray:
    """The rates of an optax schedule, or of any function from step to rate.

    Args:
        schedule: function of the step k = 0, 1, ...
        steps: how many steps to ask it for.

    Returns:
        (steps,) its rates in double precision.

    Raises:
        DataError: if it gives something other than one finite rate a step.

    >>> import optax
    >>> from_optax(optax.linear_schedule(1.0, 0.0, 4), 5)
    array([1.  , 0.75, 0.5 , 0.25, 0.  ])
    """
    count = len(_steps(steps))
    if not callable(schedule):
        raise DataError(f"An optax schedule is a function of the step, got {type(schedule).__name__}; pass an array of rates as it is.")
    with jax.enable_x64(True):
        try:
            rates = np.asarray(schedule(jnp.arange(count)), dtype=np.float64)
        except (TypeError, ValueError):  # it asks of one step whether it is this or that
            rates = np.asarray([schedule(k) for k in range(count)], dtype=np.float64)
    rates = np.full(count, float(rates)) if rates.ndim == 0 else rates
    if rates.shape != (count,) or not np.isfinite(rates).all():
        raise DataError(f"The schedule must give one finite rate for each of {count} steps, got shape {rates.shape}.")
    return rates


def to_optax(schedule: Any) -> Callable[[Any], Any]:
    """A schedule as a function from step to rate, which optax takes as `learning_rate`; it works under `jit` and `vmap`.

    Args:
        schedule: (steps,) rates; after the last step its rate stays.

    Raises:
        DataError: if it is no array of finite rates.

    >>> import optax
    >>> optimizer = optax.adam(to_optax(wsd(1000, 3e-4)))
    >>> float(to_optax([0.5, 0.25])(7))
    0.25
    """
    rates = np.asarray(schedule, dtype=np.float64)
    if rates.ndim != 1 or not len(rates) or not np.isfinite(rates).all():
        raise DataError(f"A schedule is an array of one finite rate a step, got shape {rates.shape}.")
    # An explicit type, since JAX remembers the precision in which it first saw an array.
    return lambda step: jnp.asarray(rates, dtype=float)[jnp.clip(step, 0, len(rates) - 1)]


publish(globals())
