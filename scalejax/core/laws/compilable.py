"""What JAX cannot compile in a law, in a sentence that says where it stands and what to write instead."""

from __future__ import annotations

import functools
import inspect
import linecache
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ..errors import LawError

_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (jax.errors.TracerArrayConversionError, "makes a NumPy array of what JAX traces; use jax.numpy there, such as jnp.log for np.log"),
    (
        jax.errors.TracerBoolConversionError,
        "decides by a value that is not known yet when the law is compiled; write jnp.where(condition, a, b) for an if, jnp.maximum(a, b) "
        "for max(a, b), and no and, or, not",
    ),
    (
        jax.errors.ConcretizationTypeError,
        "makes a Python number of what JAX traces; leave out float() and int(), and use jax.numpy, such as jnp.exp for math.exp",
    ),
)
_KEPT = "_scalejax_compilable"
_LETTERS = 120  # of a line that are shown


def compilable(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function of a law; where it cannot be compiled, it raises LawError with the line and what to write instead.

    The same for the same function, by which laws are known.
    """
    made = getattr(function, _KEPT, None)
    if made is not None and made.__wrapped__ is function:
        return made

    @functools.wraps(function)
    def told(*inputs: Any, **parameters: Any) -> Any:
        try:
            value = function(*inputs, **parameters)
        except tuple(kind for kind, _ in _ADVICE) as error:
            advice = next(advice for kind, advice in _ADVICE if isinstance(error, kind))
            raise LawError(f"Law {name!r} cannot be compiled: {_place(function, error)} {advice}.") from error
        if not isinstance(value, jax.Array | np.ndarray | np.generic | float | int):
            raise LawError(f"Law {name!r} returns {type(value).__name__}, not numbers; end it with return and an expression of jax.numpy.")
        return value

    setattr(function, _KEPT, told)
    return told


def _place(function: Callable[..., Any], error: Exception) -> str:
    """The innermost line of the function's own file that was on the way to the error."""
    file = inspect.unwrap(function).__code__.co_filename
    trace, line = error.__traceback__, 0
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == file else line
        trace = trace.tb_next
    text = linecache.getline(file, line).strip()[:_LETTERS]
    return f"line {line}, `{text}`," if text else f"line {line}"
