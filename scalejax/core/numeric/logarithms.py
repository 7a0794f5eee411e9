"""Powers of positive numbers as exponentials of logarithms, whoever wrote them.

`N**-alpha` costs twice what exp(-alpha log N) does, and its derivative is another power.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, Literal


class Sign(IntEnum):
    """What is known of a number. One that lies above zero does so by its kind; a power or an exponential may round to zero."""

    ANY, NOT_BELOW_ZERO, ABOVE_ZERO = range(3)


def powers_in_logs(function: Callable[..., Any], values: Any, above_zero: Any) -> Any:
    """`function(*values)`, every power of a base above zero with an exponent that is computed as exp(exponent log(base)).

    Other powers stay as they are: x**2 is a product and x**0.5 a root, and the logarithm of a base that may be 0 has no derivative. So does
    a function with derivatives of its own inside, whose steps cannot be taken one by one.

    Args:
        values: a tuple of trees of numbers. above_zero: a tree of booleans of the same structure, which numbers are positive.
    """
    if not any(jax.tree.leaves(above_zero)):
        return function(*values)
    leaves, structure = jax.tree.flatten(values)
    written, shape = jax.make_jaxpr(lambda *moving: function(*jax.tree.unflatten(structure, moving)), return_shape=True)(*leaves)
    signs = [Sign.ABOVE_ZERO if positive else Sign.ANY for positive in jax.tree.leaves(above_zero)]
    try:
        found, _ = _evaluated(written.jaxpr, written.consts, leaves, signs)
    except _OfItsOwn:
        return function(*values)
    return jax.tree.unflatten(jax.tree.structure(shape), found)


class _OfItsOwn(Exception):
    """A step that has derivatives of its own."""


def _evaluated(written: Jaxpr, constants: Sequence[Any], values: Sequence[Any], known: Sequence[Sign]) -> tuple[list[Any], list[Sign]]:
    """Results of a traced function and their signs."""
    value: dict[Any, Any] = dict(zip(written.constvars, constants, strict=True)) | dict(zip(written.invars, values, strict=True))
    sign: dict[Any, Sign] = {x: _sign_of(c) for x, c in zip(written.constvars, constants, strict=True)}
    sign |= dict(zip(written.invars, known, strict=True))

    def read(atoms: Sequence[Any]) -> tuple[list[Any], list[Sign]]:
        plain = [isinstance(atom, Literal) for atom in atoms]
        return (
            [atom.val if constant else value[atom] for atom, constant in zip(atoms, plain, strict=True)],
            [_sign_of(atom.val) if constant else sign[atom] for atom, constant in zip(atoms, plain, strict=True)],
        )

    for step in written.eqns:
        given, signs = read(step.invars)
        name, out = step.primitive.name, [Sign.ANY] * len(step.outvars)
        if name in ("jit", "pjit"):
            inner = step.params["jaxpr"]
            results, out = _evaluated(inner.jaxpr, inner.consts, given, signs)
        elif name == "pow" and signs[0] is Sign.ABOVE_ZERO and not isinstance(step.invars[1], Literal):
            results, out = [jnp.exp(given[1] * jnp.log(given[0]))], [Sign.NOT_BELOW_ZERO]
        elif name.startswith("custom_"):
            raise _OfItsOwn
        else:
            found = step.primitive.bind(*given, **step.params)
            results = found if step.primitive.multiple_results else [found]
            if name in _SIGNS:
                out = [_SIGNS[name](signs)]
        value |= dict(zip(step.outvars, results, strict=True))
        sign |= dict(zip(step.outvars, out, strict=True))
    return read(written.outvars)


def _sign_of(number: Any) -> Sign:
    """Of a constant; of one that is traced nothing is known."""
    if isinstance(number, jax.core.Tracer):
        return Sign.ANY
    values = np.asarray(number)
    if values.dtype.kind not in "fiu":
        return Sign.ANY
    return Sign.ABOVE_ZERO if (values > 0).all() else Sign.NOT_BELOW_ZERO if (values >= 0).all() else Sign.ANY


def _sum(signs: Sequence[Sign]) -> Sign:
    return Sign.ANY if Sign.ANY in signs else max(signs)


def _first(signs: Sequence[Sign]) -> Sign:
    return signs[0]


def _positive_part(signs: Sequence[Sign]) -> Sign:
    return Sign.NOT_BELOW_ZERO


_SIGNS: dict[str, Callable[[Sequence[Sign]], Sign]] = {
    "add": _sum, "mul": min, "div": min, "min": min, "max": max, "sqrt": _first, "log1p": _first, "integer_pow": _first,
    "convert_element_type": _first, "broadcast_in_dim": _first, "reshape": _first, "squeeze": _first, "copy": _first,
    "exp": _positive_part, "exp2": _positive_part, "logistic": _positive_part, "abs": _positive_part,
}  # fmt: skip
