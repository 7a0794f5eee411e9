"""The additive power law in any number of inputs: one term each, exponents free or tied, an outer exponent, factors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, reduce
from inspect import Parameter, Signature
from typing import Any

import jax.numpy as jnp

from ...core.errors import LawError
from ...core.laws.domains import Domain, Positive
from ...core.laws.law import Law, law
from .. import ranges

_INPUTS = {"N": ranges.N, "D": ranges.D, "C": ranges.C, "T": ranges.D}
_COEFFICIENT = Positive(1e-2, 1e8)
_FACTOR = Positive(1e-5, 1.0)
_TAKEN = ("E", "alpha", "q", "output", "output_axis", "reference", "published", "linear")


def power_sum(E: Any, *terms: tuple[Any, Any, Any], q: Any = None) -> Any:
    """E + sum_j A_j x_j^-alpha_j for terms (A_j, x_j, alpha_j), the sum to the power q if that is given.

    In logs: A_j may be as large and x_j^-alpha_j as small as degenerate fits make them.
    """
    logs = [jnp.log(A) - alpha * jnp.log(x) for A, x, alpha in terms]
    if q is not None:
        return E + jnp.exp(q * reduce(jnp.logaddexp, logs))
    return E + sum(jnp.exp(log) for log in logs)


def rising_factor(gamma: Any, x: Any, kappa: Any) -> Any:
    """1 + gamma x^kappa, which makes a loss worse by a share that grows with x."""
    return 1.0 + gamma * jnp.exp(kappa * jnp.log(x))


def additive(
    *inputs: str,
    times: Sequence[str] | str = (),
    tied: bool = False,
    outer: bool = False,
    output: str = "loss",
    **domains: Domain,
) -> Law:
    r"""A law with one power-law term for every input.

        L(x) = ( E + sum_j A_j x_j^-alpha_j ) prod_k (1 + gamma_k y_k^kappa_k)

    Args:
        inputs: names of the inputs x_j, such as "w", "d", "T".
        times: names of the inputs y_k of the factors; none by default.
        tied: one exponent alpha for all terms and factors. To tie some of them, pass `tie=` to `fit`.
        outer: the sum of the terms to the power q, which every term shares: E + (sum_j A_j x_j^-alpha_j)^q.
        output: the column that the law predicts.
        domains: domains of inputs and parameters by name, where the defaults do not suit.

    Returns:
        Law with the inputs x_j and y_k, and the parameters E, then A_x and alpha_x for every input x, then q, then gamma_y and kappa_y for
        every input y. Equal arguments give the same law, so that it is compiled once. Pass it to `load_fit(path, law)`: it is not
        registered.

    Raises:
        LawError: if there is no input, one is named twice, is no name or has that of a parameter, or `domains` names what the law does
            not have.

    Example:
        >>> law = additive("w", "d", "T")
        >>> law
        additive_w_d_T(w, d, T; E, A_w, alpha_w, A_d, alpha_d, A_T, alpha_T)
        >>> law(16.0, 4.0, 100.0, E=1.0, A_w=4.0, alpha_w=0.5, A_d=2.0, alpha_d=0.5, A_T=10.0, alpha_T=0.5)
        4.0
        >>> additive("w", "d", "T") is law
        True

    References: McLeish et al. 2025, arXiv:2502.06857 (terms for width, depth, parameters and tokens); Bian et al. 2025, arXiv:2501.18107
    (a factor for the shape); Hoffmann et al. 2022, arXiv:2203.15556 (two terms).
    """
    factors = (times,) if isinstance(times, str) else tuple(times)
    for name in (*inputs, *factors):
        if not (isinstance(name, str) and name.isidentifier()) or name in _TAKEN:
            raise LawError(f"additive() takes names of inputs such as 'N' and 'D', got {name!r}; {', '.join(_TAKEN)} are taken.")
    if not inputs or len({*inputs, *factors}) < len(inputs) + len(factors):
        raise LawError(f"additive() needs one input or more, each named once, got {[*inputs, *factors]}.")
    return _build(inputs, factors, bool(tied), bool(outer), output, tuple(sorted(domains.items())))


@cache
def _build(
    inputs: tuple[str, ...], factors: tuple[str, ...], tied: bool, outer: bool, output: str, domains: tuple[tuple[str, Domain], ...]
) -> Law:
    exponents = _exponents(inputs, factors, tied)
    ranges_of: dict[str, Domain] = {"E": ranges.E}
    for x in inputs:
        ranges_of |= {f"A_{x}": _COEFFICIENT, exponents[x]: ranges.EXPONENT}
    if outer:
        ranges_of["q"] = Positive(0.1, 1.5)
    for y in factors:
        ranges_of |= {f"gamma_{y}": _FACTOR, exponents[y]: ranges.EXPONENT}
    linear = ("E",) if outer else ("E", *(f"A_{x}" for x in inputs))
    known = {name: _INPUTS[name] for name in (*inputs, *factors) if name in _INPUTS}
    function = _function(inputs, factors, tied, tuple(ranges_of), outer)
    chosen: ranges.Shared = {**known, **ranges_of, **dict(domains)}
    return law(output=output, reference="McLeish et al. 2025, arXiv:2502.06857", linear=linear, **chosen)(function)


def _exponents(inputs: tuple[str, ...], factors: tuple[str, ...], tied: bool) -> dict[str, str]:
    """Names of the exponents by input."""
    return {x: "alpha" if tied else f"alpha_{x}" for x in inputs} | {y: "alpha" if tied else f"kappa_{y}" for y in factors}


@cache
def _function(
    inputs: tuple[str, ...], factors: tuple[str, ...], tied: bool, parameters: tuple[str, ...], outer: bool
) -> Callable[..., Any]:
    """The law's function, with the signature, name and docstring that a handwritten one would have."""
    names, exponents = (*inputs, *factors), _exponents(inputs, factors, tied)
    signature = Signature(
        [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        + [Parameter(name, Parameter.KEYWORD_ONLY) for name in parameters]
    )

    def function(*values: Any, **named: Any) -> Any:
        given = signature.bind(*values, **named).arguments
        terms = ((given[f"A_{x}"], given[x], given[exponents[x]]) for x in inputs)
        out = power_sum(given["E"], *terms, q=given.get("q"))
        for y in factors:
            out = out * rising_factor(given[f"gamma_{y}"], given[y], given[exponents[y]])
        return out

    options = [*(["times", *factors] if factors else []), *(["tied"] if "alpha" in parameters else []), *(["q"] if outer else [])]
    function.__signature__ = signature  # type: ignore[attr-defined]  # read by `inspect`, unknown to stubs
    function.__name__ = "_".join(["additive", *inputs, *options])
    function.__doc__ = _docstring(inputs, factors, exponents, outer)
    return function


def _docstring(inputs: tuple[str, ...], factors: tuple[str, ...], exponents: Mapping[str, str], outer: bool) -> str:
    terms = " + ".join(f"A_{x} {x}^-{exponents[x]}" for x in inputs)
    inner = f"E + ({terms})^q" if outer else f"E + {terms}"
    product = "".join(f" (1 + gamma_{y} {y}^{exponents[y]})" for y in factors)
    formula = f"({inner}){product}" if factors else inner
    return (
        f"Additive power law of {', '.join((*inputs, *factors))}.\n\n    L = {formula}\n\n"
        "Symbols: E what is left when all inputs are large; a coefficient A_x and an exponent for every input x."
    )
