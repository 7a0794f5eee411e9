"""Closed forms that follow from laws: plain functions in double precision, with conditions on their arguments in a sentence."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import DecisionError
from ..numeric.precision import P, R, inside, plain

_COLLECTED: ContextVar[list[tuple[str, dict[str, Any]]] | None] = ContextVar("collected", default=None)


def formula(function: Callable[P, R]) -> Callable[P, R]:
    """A function of numbers and arrays for direct calls too: JAX arrays in, JAX arrays out; else NumPy or a float, in double precision.

    Example:
        >>> @formula
        ... def ratio(B, A):
        ...     return jnp.log(B) - jnp.log(A)
        >>> round(ratio(200, 100), 15)
        0.693147180559945
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves((args, kwargs))):
            return function(*args, **kwargs)
        with inside():
            return _returned(function(*map(_number, args), **{n: _number(v) for n, v in kwargs.items()}))

    return wrapper


def _returned(found: Any) -> Any:
    """What was computed as NumPy arrays and floats; a dictionary stays in the function's order."""
    return {n: plain(v) for n, v in found.items()} if isinstance(found, dict) else plain(found)


def _number(value: Any) -> Any:
    """Numbers as arrays of doubles, everything else as it is."""
    try:
        array = np.asarray(value)
    except ValueError:  # ragged
        return value
    return jnp.asarray(array, dtype=jnp.float64) if array.dtype.kind in "iuf" else value


def require(holds: Any, sentence: str, **values: Any) -> None:
    """Refuse arguments for which `holds` is not true everywhere.

    A traced condition cannot be looked at: inside `collect_conditions` it is handed on to whoever runs the program, elsewhere (in a
    `jax.jit` of the user's own) it is left out, as every check of values is in JAX.

    Args:
        holds: a condition, one or an array.
        sentence: what is wrong otherwise, for the error; {name} stands for one of the values, if there are any.

    Raises:
        DecisionError: with the sentence.

    Example:
        >>> require(2.0 > 0, "M must be positive.")
    """
    if not isinstance(holds, jax.core.Tracer):
        if not np.all(holds):
            raise DecisionError(filled_in(sentence, values))
        return
    found = _COLLECTED.get()
    if found is not None:
        found.append((sentence, {"": jnp.all(holds), **{n: jnp.asarray(v) for n, v in values.items()}}))


def filled_in(sentence: str, values: Mapping[str, Any]) -> str:
    """A sentence with its values in it."""
    said = {n: f"{float(v):g}" if np.ndim(v) == 0 else np.asarray(v).tolist() for n, v in values.items()}
    return sentence.format(**said) if said else sentence


@contextmanager
def collect_conditions() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """(sentence, values) of every traced condition that is required inside; the value under "" is the condition itself."""
    found: list[tuple[str, dict[str, Any]]] = []
    token = _COLLECTED.set(found)
    try:
        yield found
    finally:
        _COLLECTED.reset(token)
