"""The additive power law in any number of inputs: one term each, exponents free or tied, an outer exponent, factors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from ...core.errors import LawError
from ...core.laws.domains import Domain
from ...core.laws.law import Law, law
from ...core.laws.sums import Factor, Structure, Term
from .. import ranges
from .terms import INPUTS, function_of, plausible

_TAKEN = ("E", "alpha", "q", "output", "output_axis", "reference", "published", "linear")


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
    exponents = {x: "alpha" if tied else f"alpha_{x}" for x in inputs} | {y: "alpha" if tied else f"kappa_{y}" for y in factors}
    structure = Structure(
        (*inputs, *factors), tuple(Term(x, f"A_{x}", (Factor(x, exponents[x]),)) for x in inputs), "E", "q" if outer else None,
        tuple((y, f"gamma_{y}", exponents[y]) for y in factors),
    )  # fmt: skip
    options = [*(["times", *factors] if factors else []), *(["tied"] if tied else []), *(["q"] if outer else [])]
    doc = (
        f"Additive power law of {', '.join(structure.inputs)}.\n\n    L = {structure.formula}\n\n"
        "Symbols: E what is left when all inputs are large; a coefficient A_x and an exponent for every input x."
    )
    known = {x: INPUTS[x] for x in structure.inputs if x in INPUTS}
    linear = ("E",) if outer else ("E", *(f"A_{x}" for x in inputs))
    chosen: ranges.Shared = {**known, **plausible(structure), **dict(domains)}
    function = function_of(structure, "_".join(["additive", *inputs, *options]), doc)
    return law(output=output, reference="McLeish et al. 2025, arXiv:2502.06857", linear=linear, **chosen)(function)
