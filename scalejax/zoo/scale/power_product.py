"""The power law in any number of inputs: one factor, real powers, an optional constant."""

from __future__ import annotations

from functools import cache

from ...core.errors import LawError
from ...core.laws.domains import Domain, Positive, Real
from ...core.laws.law import Law, law
from ...core.laws.sums import Factor, Structure, Term
from .. import ranges
from .terms import function_of

_INPUTS = {"N": ranges.N, "D": ranges.D, "C": ranges.C}
COEFFICIENT = Positive(1e-8, 1e8)
POWER = Real(-1.5, 1.5)
_OFFSET = Positive(1e-6, 1e6, zero=True)
_TAKEN = ("c", "y_0", "offset", "output", "output_axis", "reference", "published", "linear")
_REFERENCE = "Li et al. 2025, arXiv:2503.04715"


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
    powers = {x: f"p_{x}" for x in inputs}
    parameters: dict[str, Domain] = {"c": COEFFICIENT, **dict.fromkeys(powers.values(), POWER), **({"y_0": _OFFSET} if offset else {})}
    term = Term("c", "c", tuple(Factor(x, p, rising=True) for x, p in powers.items()))
    structure = Structure(inputs, (term,), "y_0" if offset else None, order=tuple(parameters))
    doc = (
        f"Power law of {', '.join(inputs)}.\n\n    {output} = {structure.formula}\n\n"
        f"Symbols: c the value where all inputs are 1{' (less y_0)' if offset else ''}; a real power p_x for every input x."
    )
    known = {name: _INPUTS[name] for name in inputs if name in _INPUTS}
    chosen: ranges.Shared = {**known, **parameters, **dict(domains)}
    function = function_of(structure, "_".join([output, "of", *inputs, *(["offset"] if offset else [])]), doc)
    return law(output=output, reference=_REFERENCE, linear=("c", "y_0") if offset else ("c",), **chosen)(function)
