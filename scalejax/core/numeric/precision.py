"""Double precision inside, NumPy outside, and the user's global JAX flag untouched."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from .programs import keep_programs

P = ParamSpec("P")
R = TypeVar("R")


def double(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` with 64-bit JAX types, whatever the global flag says."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        keep_programs()
        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return wrapper


def namespace(value: Any) -> Any:
    """The module that computes with this number or array: JAX's NumPy for arrays of JAX, else NumPy, which needs no compiled programs."""
    return jnp if isinstance(value, jax.Array) else np


def plain(value: Any) -> Any:
    """The same tree with every array as NumPy float64 and every scalar array as a Python float."""

    def leaf(x: Any) -> Any:
        array = np.asarray(x, dtype=np.float64)
        return float(array) if array.ndim == 0 else array

    return jax.tree.map(leaf, value)


def numpy_or_jax(function: Callable[P, R]) -> Callable[P, R]:
    """JAX arrays in, JAX arrays out; else double precision inside and NumPy or a float out."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves((args, kwargs))):
            return function(*args, **kwargs)
        return plain(double(function)(*args, **kwargs))

    return wrapper
