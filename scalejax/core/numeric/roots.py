"""Roots: inside laws, where JAX differentiates the solution, and of many functions side by side in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_STEPS = 100  # a dozen are usual
_POLISH = 2  # Newton steps that are differentiated; k of them carry derivatives up to order 2^k - 1


def root(function: Callable[..., Any], low: Any, high: Any, *args: Any) -> Any:
    """Where function(x, *args) vanishes between low and high, elementwise: the value of an implicit law.

    Newton's method within a shrinking bracket, which is halved where it fails, without derivatives; then two Newton steps from the root,
    which do not change it and give it derivatives of first to third order (the implicit function theorem, carried out by arithmetic).

    Args:
        function: monotone in x between low and high, elementwise in all its arguments. It must not close over values to be
            differentiated: they are `args`.
        low, high: the bracket; the function has opposite signs there, or else the nearer end is returned (without derivatives).
        args: arrays that broadcast with low and high.

    Returns:
        The roots, in the common shape.

    Example:
        >>> round(float(root(lambda x, a: x**3 - a, 0.0, 5.0, 8.0)), 6)
        2.0
        >>> round(float(jax.grad(lambda a: root(lambda x, a: x**3 - a, 0.0, 5.0, a))(8.0)), 6)  # 1 / (3 x^2)
        0.083333
    """
    dtype = jnp.result_type(float, low, high, *args)
    low, high, *arrays = jnp.broadcast_arrays(*(jnp.asarray(v, dtype) for v in (low, high, *args)))
    start, crossed = _bracketed(function, *map(jax.lax.stop_gradient, (low, high, *arrays)))
    x = start
    for _ in range(_POLISH):
        value, rate = _slope(function, x, arrays)
        x = x - value / jnp.where(rate == 0, 1.0, rate)
    return jnp.where(crossed, x, start)


def _slope(function: Callable[..., Any], x: Any, args: Any) -> tuple[Any, Any]:
    return jax.jvp(lambda x: function(x, *args), (x,), (jnp.ones_like(x),))


def _bracketed(function: Callable[..., Any], low: Any, high: Any, *args: Any) -> tuple[Any, Any]:
    """The root without derivatives, and whether there is one; else the nearer end."""
    at_low, at_high = function(low, *args), function(high, *args)
    rising = at_high > at_low
    crossed = jnp.sign(at_low) * jnp.sign(at_high) <= 0
    near = 4 * jnp.finfo(low.dtype).eps

    def unfinished(state: Any) -> Any:
        step, *_, done = state
        return (step < _STEPS) & ~done.all()

    def improve(state: Any) -> Any:
        step, x, low, high, before, done = state
        value, rate = _slope(function, x, args)
        above = (value > 0) == rising  # the root lies below x
        low, high = jnp.where(above, low, x), jnp.where(above, x, high)
        newton = x - value / jnp.where(rate == 0, 1.0, rate)
        there = (jnp.abs(newton - x) <= near * jnp.abs(x)) | (high - low <= near * jnp.abs(x))
        done |= (value == 0) | ((rate != 0) & there)
        # Newton's step while it halves the value at least, the middle of the bracket otherwise.
        trusted = (rate != 0) & (newton >= low) & (newton <= high) & (jnp.abs(value) <= 0.5 * before)
        moved = jnp.where(trusted, newton, 0.5 * (low + high))
        return step + 1, jnp.where(done, x, moved), low, high, jnp.where(trusted, jnp.abs(value), jnp.inf), done

    whole = jnp.full_like(low, jnp.inf)
    x = jax.lax.while_loop(unfinished, improve, (0, 0.5 * (low + high), low, high, whole, ~crossed))[1]
    return jnp.where(crossed, x, jnp.where(jnp.abs(at_low) < jnp.abs(at_high), low, high)), crossed


_TURNS = 60


def between(function: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, tolerance: float = 1e-13) -> np.ndarray:
    """The root of every function between low and high, where it has opposite signs (Chandrupatla 1997).

    Inverse quadratic interpolation where the last three points allow it, else bisection.

    Args:
        function: values of all functions at an array of points, one point for each.
        low, high: arrays of one shape.
        tolerance: of a root, relative to 1 + |root|.
    """
    a, b = np.array(high, dtype=np.float64), np.array(low, dtype=np.float64)
    fa, fb = function(a), function(b)
    c, fc, step = a, fa, np.full(a.shape, 0.5)
    for _ in range(_TURNS):
        x = a + step * (b - a)
        fx = function(x)
        same = np.sign(fx) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        best = np.where(np.abs(fa) < np.abs(fb), a, b)
        near = tolerance * (1.0 + np.abs(best))
        done = (np.minimum(np.abs(fa), np.abs(fb)) == 0) | (np.abs(b - a) <= near)
        if done.all():
            break
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio, level = (a - b) / (c - b), (fa - fb) / (fc - fb)
            inverse = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
            least = 0.5 * near / np.abs(b - a)
            smooth = (level**2 < ratio) & ((1 - level) ** 2 < 1 - ratio) & np.isfinite(inverse)
        step = np.clip(np.where(smooth, inverse, 0.5), np.where(done, 0.5, least), np.where(done, 0.5, 1 - least))
    return best


def changes(values: np.ndarray) -> np.ndarray:
    """Where the sign changes from one point to the next along the last axis: +1 upwards, -1 downwards, 0 not. NaN have no sign."""
    side = np.sign(np.where(np.isnan(values), 0.0, values))
    before, after = side[..., :-1], side[..., 1:]
    up, down = (before < 0) & (after >= 0), (before > 0) & (after <= 0)
    known = ~np.isnan(values[..., :-1]) & ~np.isnan(values[..., 1:])
    return np.where(known, up.astype(int) - down.astype(int), 0)
