"""A law in JavaScript: what JAX traces of it, operation by operation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ...core.errors import LawError
from ...core.numeric.precision import double

_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")  # what calls of functions name their insides
_SAME = ("broadcast_in_dim", "copy", "copy_p", "reshape", "squeeze", "stop_gradient", "reduce_precision")
_OPERATORS = {"add": "+", "add_any": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "===",
              "ne": "!==", "and": "&&", "or": "||"}  # fmt: skip
_FUNCTIONS = {"exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt", "cbrt": "cbrt", "tanh": "tanh", "sin": "sin",
              "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "atan2": "atan2", "abs": "abs", "sign": "sign", "floor": "floor",
              "ceil": "ceil", "pow": "pow", "max": "max", "min": "min", "atan": "atan"}  # fmt: skip


@double
def javascript(function: Callable[..., Any], arguments: Sequence[str]) -> str:
    """An arrow function in JavaScript that does what a function of numbers does, in double precision.

    Args:
        function: of as many numbers as there are names, written with JAX.
        arguments: their names in JavaScript.

    Raises:
        LawError: if it does what has no counterpart here, such as loops and arrays.

    >>> import jax.numpy as jnp
    >>> javascript(lambda N, a: 1.5 + jnp.exp(-a * jnp.log(N)), ["N", "a"])
    '(N, a) => { const v0 = -(a), v1 = Math.log(N), v2 = (v0 * v1), v3 = Math.exp(v2), v4 = (1.5 + v3); return v4; }'
    """
    traced = jax.make_jaxpr(function)(*[jnp.float64(1.5)] * len(arguments))
    lines: list[str] = []
    (result,) = _inline(traced.jaxpr, [_constant(c) for c in traced.consts], list(arguments), lines)
    body = f"const {', '.join(lines)}; " if lines else ""
    return f"({', '.join(arguments)}) => {{ {body}return {result}; }}"


def _inline(jaxpr: Any, constants: Sequence[str], arguments: Sequence[str], lines: list[str]) -> list[str]:
    """Append the operations of a jaxpr; returns the names of its results."""
    known: dict[Any, str] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *arguments], strict=True))

    def read(one: Any) -> str:
        return _constant(one.val) if hasattr(one, "val") else known[one]

    for equation in jaxpr.eqns:
        given = [read(one) for one in equation.invars]
        inside = next((equation.params[key] for key in _CALLS if key in equation.params), None)
        if inside is not None and hasattr(inside, "eqns" if not hasattr(inside, "jaxpr") else "jaxpr"):
            closed = hasattr(inside, "jaxpr")
            own = [_constant(c) for c in inside.consts] if closed else []
            found = _inline(inside.jaxpr if closed else inside, own, given, lines)
        else:
            lines.append(f"v{len(lines)} = {_expression(equation.primitive.name, given, equation.params)}")
            found = [f"v{len(lines) - 1}"]
        known |= dict(zip(equation.outvars, found, strict=True))
    return [read(one) for one in jaxpr.outvars]


def _expression(name: str, given: Sequence[str], params: Mapping[str, Any]) -> str:
    if name in _OPERATORS:
        return f"({given[0]} {_OPERATORS[name]} {given[1]})"
    if name in _FUNCTIONS:
        return f"Math.{_FUNCTIONS[name]}({', '.join(given)})"
    if name in _SAME:
        return given[0]
    others = {
        "neg": "-({0})", "not": "!({0})", "square": "({0} * {0})", "rsqrt": "(1 / Math.sqrt({0}))",
        "logistic": "(1 / (1 + Math.exp(-({0}))))",
        "exp2": "Math.pow(2, {0})", "select_n": "({0} ? {2} : {1})", "is_finite": "Number.isFinite({0})",
        "clamp": "Math.min(Math.max({1}, {0}), {2})",
    }  # fmt: skip
    if name == "integer_pow":
        return f"Math.pow({given[0]}, {int(params['y'])})"
    if name == "convert_element_type":
        return f"({given[0]} !== 0)" if jnp.dtype(params["new_dtype"]).kind == "b" else f"Number({given[0]})"
    if name not in others or (name == "select_n" and len(given) != 3):
        raise LawError(f"This law does {name!r}, which the planner of a report cannot do in a browser.")
    return others[name].format(*given)


def _constant(value: Any) -> str:
    """A number as JavaScript writes it."""
    if jnp.ndim(value):
        raise LawError("This law holds an array, which the planner of a report cannot do in a browser.")
    if jnp.asarray(value).dtype.kind == "b":
        return "true" if value else "false"
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return repr(number) if number >= 0 else f"({number!r})"
