"""Double precision and JAX's own rules inside, NumPy outside, and the user's settings untouched."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import ScalejaxError
from .programs import keep_programs

P = ParamSpec("P")
R = TypeVar("R")

# What everything here is written for, by the names of JAX's settings. Solvers meet NaN on their way and turn away from it, seeds give the
# same numbers everywhere, and what is compiled runs compiled.
_INSIDE: tuple[tuple[str, Any, Callable[[Any], Any]], ...] = (
    ("jax_enable_x64", True, jax.enable_x64),
    ("jax_numpy_dtype_promotion", "standard", jax.numpy_dtype_promotion),
    ("jax_numpy_rank_promotion", "allow", jax.numpy_rank_promotion),
    ("jax_debug_nans", False, jax.debug_nans),
    ("jax_debug_infs", False, jax.debug_infs),
    ("jax_disable_jit", False, jax.disable_jit),
    ("jax_default_matmul_precision", None, jax.default_matmul_precision),
    ("jax_default_prng_impl", "threefry2x32", jax.default_prng_impl),
    ("jax_threefry_partitionable", True, jax.threefry_partitionable),
    *((f"jax_transfer_guard_{way}", None, lambda _: jax.transfer_guard("allow")) for way in ("host_to_device", "device_to_host")),
)
_process: dict[str, int] = {}  # the process that first computed with JAX


@contextmanager
def inside() -> Iterator[None]:
    """JAX with 64-bit types and its own defaults, whatever the user has set; `jax.disable_jit` and `debug_nans` are for laws alone.

    Raises:
        ScalejaxError: in a process that was forked from one that had computed: JAX would wait there for threads that are gone.
    """
    if _process.setdefault("id", os.getpid()) != os.getpid():
        raise ScalejaxError(
            "This process was forked after JAX had started its threads, and would wait for them for ever; start workers with "
            "multiprocessing.get_context('spawn'), or fork before the first fit."
        )
    keep_programs()
    with ExitStack() as stack:
        for name, value, setting in _INSIDE:
            if getattr(jax.config, name) not in (value, "allow"):
                stack.enter_context(setting(value))
        yield


def double(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` with 64-bit JAX types and the settings it is written for, whatever the user's are."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with inside():
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
