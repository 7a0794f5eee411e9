"""The power law in any number of inputs: one factor, real powers, an optional constant."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import Parameter, Signature
from typing import Any

import jax.numpy as jnp

from ...core.errors import LawError
from ...core.laws.domains import Domain, Positive, Real
from ...core.laws.law import Law, law
from .. import ranges

_INPUTS = {"N": ranges.N, "D": ranges.D, "C": ranges.C}
COEFFICIENT = Positive(1e-8, 1e8)
POWER = Real(-1.5, 1.5)
_OFFSET = Positive(1e-6, 1e6, zero=True)
_TAKEN = ("c", "y_0", "offset", "output", "output_axis", "reference", "published", "linear")
_REFERENCE = "Li et al. 2025, arXiv:2503.04715"


def product(c: Any, *terms: tuple[Any, Any]) -> Any:
    """c prod_i x_i^p_i for terms (x_i, p_i), the powers summed in logarithms."""
    return c * jnp.exp(sum(p * jnp.log(x) for x, p in terms))


def power_product(*inputs: str, offset: bool = False, output: str = "lr", **domains: Domain) -> Law:
    r"""A hyper-parameter as a product of powers of any quantities of a run.

        y = c prod_i x_i^p_i          (offset: y = y_0 + c prod_i x_i^p_i)

    Args:
        inputs: names of the inputs x_i: "C", "N", "D", "B", "TPP", "width", "depth", "L", any positive column.
        offset: add a constant y_0.
        output: the column that the law predicts: "lr", "batch", "weight_decay", "tau", ...
        domains: domains of inputs and parameters by name, where the defaults do not suit.

    Returns:
        Law with the inputs x_i and the parameters c and p_x for every input x (a real number, of either sign), and y_0 with an offset.
        Equal arguments give the same law, so that it is compiled once. `sj.compare` of several says which arguments matter. With
        `loss=sj.squared()` and without an offset, `fit` is the ordinary least squares in logarithms of the papers.

    Raises:
        LawError: if there is no input, one is named twice, is no name or has that of a parameter, or `domains` names what the law does
            not have.

    Example:
        >>> import scalejax as sj
        >>> law = sj.power_product("N", "D", output="lr")
        >>> law
        lr_of_N_D(N, D; c, p_N, p_D)
        >>> f"{law(1e9, 1e11, c=1.79, p_N=-0.713, p_D=0.307):.4e}"
        '1.6325e-03'

    References: Li et al. 2025, arXiv:2503.04715 (N and D); Bi et al. 2024, arXiv:2401.02954 (C); Filatov et al. 2025, arXiv:2510.03871 (B
    and D).
    """
    for name in inputs:
        if not (isinstance(name, str) and name.isidentifier()) or name in _TAKEN:
            raise LawError(f"power_product() takes names of inputs such as 'N' and 'D', got {name!r}; {', '.join(_TAKEN)} are taken.")
    if not inputs or len(set(inputs)) < len(inputs):
        raise LawError(f"power_product() needs one input or more, each named once, got {[*inputs]}.")
    return _build(inputs, bool(offset), output, tuple(sorted(domains.items())))


@cache
def _build(inputs: tuple[str, ...], offset: bool, output: str, domains: tuple[tuple[str, Domain], ...]) -> Law:
    parameters: dict[str, Domain] = {"c": COEFFICIENT, **{f"p_{x}": POWER for x in inputs}}
    if offset:
        parameters["y_0"] = _OFFSET
    known = {name: _INPUTS[name] for name in inputs if name in _INPUTS}
    chosen: ranges.Shared = {**known, **parameters, **dict(domains)}
    linear = ("c", "y_0") if offset else ("c",)
    return law(output=output, reference=_REFERENCE, linear=linear, **chosen)(_function(inputs, tuple(parameters), output))


def _function(inputs: tuple[str, ...], parameters: tuple[str, ...], output: str) -> Callable[..., Any]:
    """The law's function, with the signature, name and docstring that a handwritten one would have."""
    signature = Signature(
        [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in inputs]
        + [Parameter(name, Parameter.KEYWORD_ONLY) for name in parameters]
    )

    def function(*values: Any, **named: Any) -> Any:
        given = signature.bind(*values, **named).arguments
        out = product(given["c"], *((given[x], given[f"p_{x}"]) for x in inputs))
        return given["y_0"] + out if "y_0" in given else out

    offset = "y_0" in parameters
    formula = ("y_0 + " if offset else "") + "c " + " ".join(f"{x}^p_{x}" for x in inputs)
    function.__signature__ = signature  # type: ignore[attr-defined]  # read by `inspect`, unknown to stubs
    function.__name__ = "_".join([output, "of", *inputs, *(["offset"] if offset else [])])
    function.__doc__ = (
        f"Power law of {', '.join(inputs)}.\n\n    {output} = {formula}\n\n"
        f"Symbols: c the value where all inputs are 1{' (less y_0)' if offset else ''}; a real power p_x for every input x."
    )
    return function
