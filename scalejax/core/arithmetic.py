"""Arithmetic in a text, evaluated without running code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import partial, reduce
from typing import Any

import numpy as np

from .errors import ScalejaxError

_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne, ast.Not: np.logical_not, ast.And: np.logical_and, ast.Or: np.logical_or,
}  # fmt: skip

Call = Callable[[str, list[Any], dict[str, Any]], Any]


def parse(text: str, wrong: str) -> ast.AST:
    """The expression of a text.

    Raises:
        ScalejaxError: the sentence `wrong`, if it is none.
    """
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last three of text that is no formula, or far too long
        raise ScalejaxError(wrong) from None


def value(node: ast.AST, names: Mapping[str, Any], call: Call | None, wrong: str) -> Any:
    """The value of numbers, texts, names, arithmetic and comparisons; of lists and calls, too, if there is something to call."""
    inner = partial(value, names=names, call=call, wrong=wrong)
    match node:
        case ast.Constant(value=constant) if isinstance(constant, int | float | str):
            return constant if isinstance(constant, str) else float(constant)
        case ast.Name(id=name):
            return names[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](inner(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](inner(left), inner(right))
        case ast.Compare(left=left, ops=ops, comparators=rest) if all(type(op) in _OPERATORS for op in ops):
            terms = [inner(term) for term in (left, *rest)]
            pairs = zip(ops, terms, terms[1:], strict=False)
            return reduce(np.logical_and, [_OPERATORS[type(op)](a, b) for op, a, b in pairs])
        case ast.BoolOp(op=op, values=terms):
            return reduce(_OPERATORS[type(op)], [inner(term) for term in terms])
        case ast.List(elts=parts) | ast.Tuple(elts=parts) if call:
            return np.asarray([inner(part) for part in parts])
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if call and all(k.arg for k in keywords):
            return call(name, [inner(a) for a in args], {k.arg: inner(k.value) for k in keywords if k.arg})
    raise ScalejaxError(wrong)
