"""Laws from formulas in a text, such as those that symbolic regression finds."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import lru_cache
from inspect import Parameter, Signature
from typing import Any

import jax
import jax.numpy as jnp

from ..arithmetic import parse, value
from ..errors import LawError, ScalejaxError, suggest
from .domains import Domain, Positive
from .law import Law, law

_INPUTS = ("N", "D", "C", "U", "x", "n", "t", "lr", "batch")
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": jnp.exp, "log": jnp.log, "log1p": jnp.log1p, "expm1": jnp.expm1, "sqrt": jnp.sqrt, "tanh": jnp.tanh, "abs": jnp.abs,
    "minimum": jnp.minimum, "maximum": jnp.maximum, "sigmoid": jax.nn.sigmoid, "softplus": jax.nn.softplus,
}  # fmt: skip
_FLOOR, _EXPONENT, _COEFFICIENT = Positive(1e-2, 10.0, zero=True), Positive(0.05, 1.5), Positive(1e-3, 1e6)


def law_from_expression(
    text: str, *, inputs: Sequence[str] | str | None = None, output: str = "loss", reference: str = "", **domains: Domain
) -> Law:
    r"""A law from its formula in a text; nothing in it is run as code.

    Args:
        text: such as "E + A*N**-alpha + B*D**-beta": numbers, names, + - * / **, and exp, log, log1p, expm1, sqrt, tanh, abs, sigmoid,
            softplus, minimum, maximum.
        inputs: which names are inputs, in order; default those of N, D, C, U, x, n, t, lr and batch that the formula has. All other
            names are parameters.
        output: the column that the law predicts.
        reference: where the formula is from.
        **domains: a `Domain` for inputs and parameters by name; default positive ones, exponents between 0.05 and 1.5 in plausible range,
            "E" between 0.01 and 10, everything else between 1e-3 and 1e6.

    Returns:
        Law, as `@law` makes it; equal formulas share compiled programs.

    Raises:
        LawError: if the text is no such formula, has no input or no parameter, or a name does not occur.

    Example:
        >>> import scalejax as sj
        >>> law = sj.law_from_expression("E + A*N**-alpha")
        >>> law, law(1e4, E=1.0, A=10.0, alpha=0.5)
        (expression(N; E, A, alpha), 1.1)
    """
    wrong = f"{text!r} is not a formula; write for instance E + A*N**-alpha, with {', '.join(_FUNCTIONS)} as functions."
    try:
        tree = parse(text.strip(), wrong)
    except (ScalejaxError, AttributeError):
        raise LawError(wrong) from None
    if any(isinstance(node, ast.List | ast.Tuple | ast.Compare | ast.BoolOp | ast.Not) for node in ast.walk(tree)):
        raise LawError(wrong)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    names = list(dict.fromkeys(node.id for node in sorted(found, key=lambda node: node.col_offset)))
    chosen = [name for name in _INPUTS if name in names] if inputs is None else [inputs] if isinstance(inputs, str) else list(inputs)
    for name in [*chosen, *domains]:
        if name not in names:
            raise LawError(f"{text!r} has no {name!r}; {suggest(name, names)}")
    parameters = [name for name in names if name not in chosen]
    if not chosen or not parameters:
        what = "input; say which of its names are, inputs=[...]" if not chosen else "parameter; leave something in it to be fitted"
        raise LawError(f"{text!r} has no {what}.")
    exponents = {
        inner.id for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)
        for inner in ast.walk(node.right) if isinstance(inner, ast.Name)
    }  # fmt: skip
    usual = {name: _FLOOR if name == "E" else _EXPONENT if name in exponents else _COEFFICIENT for name in parameters}
    function = _function(ast.unparse(tree), tuple(chosen), tuple(parameters))
    return law(output=output, reference=reference, **{**usual, **domains})(function)


@lru_cache(maxsize=256)
def _function(text: str, inputs: tuple[str, ...], parameters: tuple[str, ...]) -> Callable[..., Any]:
    """The formula as the function that one would write by hand, the same object for the same formula."""
    wrong = f"{text!r} may have numbers, names, + - * / ** and {', '.join(_FUNCTIONS)} only."
    tree = parse(text, wrong)
    signature = Signature(
        [Parameter(x, Parameter.POSITIONAL_OR_KEYWORD) for x in inputs] + [Parameter(p, Parameter.KEYWORD_ONLY) for p in parameters]
    )

    def call(name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
        if name not in _FUNCTIONS or keywords:
            raise LawError(f"{text!r} calls {name!r}; {suggest(name, _FUNCTIONS)}")
        return _FUNCTIONS[name](*args)

    def expression(*values: Any, **named: Any) -> Any:
        given = signature.bind(*values, **named).arguments
        try:
            return value(tree, given, call, wrong)
        except LawError:
            raise
        except ScalejaxError as error:
            raise LawError(str(error)) from None

    expression.__signature__ = signature  # type: ignore[attr-defined]  # read by `inspect`, unknown to stubs
    expression.__doc__ = f"A formula given as text.\n\n    L = {text}\n\nSymbols: those of the text."
    expression(*(1.0 for _ in inputs), **dict.fromkeys(parameters, 1.0))  # says what is wrong now, not when it is fitted
    return expression
