"""Quadratic surfaces of logarithms: bowls of learning rate and batch, and whatever bends between the runs."""

from __future__ import annotations

from functools import cache
from inspect import Parameter, Signature
from itertools import combinations_with_replacement
from typing import Any

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.law import Law, law

_SLOPE, _BEND, _LEVEL = Real(-0.5, 0.5), Real(-0.2, 0.2), Real(-3.0, 1.0)
_FLOOR, _UNIT = Positive(0.02, 1.0, zero=True), Positive(1e-3, 1e3)


@cache
def quadratic_surface(inputs: tuple[str, ...]) -> Law:
    """A floor and the exponential of a quadratic form of the logarithms of inputs of size one.

    L = E + exp( c + sum_i b_i ln x_i + sum_{i <= j} a_ij ln x_i ln x_j )
    """
    slopes = {f"b_{x}": x for x in inputs}
    bends = {f"a_{x}_{y}": (x, y) for x, y in combinations_with_replacement(inputs, 2)}
    names = ("E", "c", *slopes, *bends)
    signature = Signature(
        [Parameter(x, Parameter.POSITIONAL_OR_KEYWORD) for x in inputs] + [Parameter(n, Parameter.KEYWORD_ONLY) for n in names]
    )

    def function(*values: Any, **named: Any) -> Any:
        p = signature.bind(*values, **named).arguments
        u = {x: jnp.log(p[x]) for x in inputs}
        inner = p["c"] + sum(p[name] * u[x] for name, x in slopes.items()) + sum(p[name] * u[x] * u[y] for name, (x, y) in bends.items())
        return p["E"] + jnp.exp(inner)

    function.__signature__ = signature  # type: ignore[attr-defined]  # read by `inspect`, unknown to stubs
    function.__name__, function.__doc__ = "quadratic_surface", quadratic_surface.__wrapped__.__doc__
    ranges: dict[str, Any] = {"E": _FLOOR, "c": _LEVEL, **dict.fromkeys(slopes, _SLOPE), **dict.fromkeys(bends, _BEND)}
    return law(**dict.fromkeys(inputs, _UNIT), **ranges)(function)
