"""Arithmetic that the command line reads, evaluated without running code: on columns of a table, and in the arguments of priors."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..core.errors import ScalejaxError, suggest

_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip

Call = Callable[[str, list[Any], dict[str, Any]], Any]


def source(text: str) -> str | Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """A column name as it is, or a function for arithmetic on columns."""
    return expression(text) if any(sign in text for sign in "*/+()") else text


def expression(text: str) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """Arithmetic and one comparison on columns."""
    tree = _parse(text, f"{text!r} is not arithmetic on columns; write for instance flops/(6*params).")

    def evaluate(columns: Mapping[str, np.ndarray]) -> Any:
        try:
            return _value(tree, columns, None, f"{text!r} may use columns, numbers, + - * / ** and one comparison only.")
        except KeyError as error:
            raise ScalejaxError(f"{text!r} uses {error}, which is not a column; {suggest(error.args[0], columns)}") from None
        except (ArithmeticError, TypeError) as error:
            raise ScalejaxError(f"{text!r} cannot be computed: {error}; look at the columns and constants that it uses.") from None

    return evaluate


def distribution(text: str) -> Any:
    """A distribution of NumPyro, such as "LogNormal(log(0.35), 0.2)" or "TruncatedNormal(0.5, 0.1, low=0)"."""
    from ..core.numeric.precision import double

    return double(_distribution)(text)


def _distribution(text: str) -> Any:
    wrong = f"{text!r} is not a distribution with numbers as arguments; write for instance LogNormal(-1, 0.3)."
    tree = _parse(text, wrong)
    try:
        made = _value(tree, {}, _make, wrong)
    except KeyError:
        raise ScalejaxError(wrong) from None
    except ScalejaxError:
        raise
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ScalejaxError(f"{text!r} is not a distribution: {error}") from None
    if isinstance(made, float | str | np.ndarray):
        raise ScalejaxError(wrong)
    return made


def _parse(text: str, wrong: str) -> ast.AST:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        raise ScalejaxError(wrong) from None


def _value(node: ast.AST, names: Mapping[str, Any], call: Call | None, wrong: str) -> Any:
    """The value of numbers, texts, names, arithmetic and a comparison; of lists and calls, too, if there is something to call."""
    value = partial(_value, names=names, call=call, wrong=wrong)
    match node:
        case ast.Constant(value=constant) if isinstance(constant, int | float | str):
            return constant if isinstance(constant, str) else float(constant)
        case ast.Name(id=name):
            return names[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](value(left), value(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](value(left), value(right))
        case ast.List(elts=parts) | ast.Tuple(elts=parts) if call:
            return np.asarray([value(part) for part in parts])
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if call and all(k.arg for k in keywords):
            return call(name, [value(a) for a in args], {k.arg: value(k.value) for k in keywords if k.arg})
    raise ScalejaxError(wrong)


def _make(name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
    """The logarithm, or a distribution whose arguments are in its range."""
    import numpyro.distributions as dist

    if name == "log":
        return math.log(*args, **keywords)
    known = [n for n in dir(dist) if n[0].isupper() and callable(getattr(dist, n))]
    if name not in known:
        raise ScalejaxError(f"NumPyro has no distribution {name!r}; {suggest(name, known)}")
    make = getattr(dist, name)
    make(*args, **keywords, validate_args=True)
    return make(*args, **keywords)
