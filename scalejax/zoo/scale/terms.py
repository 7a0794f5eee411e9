"""Sums of power-law terms whose structure is data: which terms, exponents and options a law has is a mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from inspect import Parameter, Signature
from itertools import combinations
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np

from ...core.errors import LawError, suggest
from ...core.laws.domains import Domain, Positive, Real
from ...core.laws.law import Law, law
from ...core.laws.sums import Factor, Structure, Term
from .. import ranges

INPUTS = {"N": ranges.N, "D": ranges.D, "C": ranges.C, "T": ranges.D}
COEFFICIENT = Positive(1e-2, 1e8)
FACTOR = Positive(1e-5, 1.0)
OUTER = Positive(0.1, 1.5)
CHANGE = Real(-0.5, 0.5)  # of an exponent at a break
HEIGHT, STEEPNESS = Positive(1e-4, 0.3), Positive(0.2, 3.0)  # of a bowl
_LOG_POWER = Real(-2.0, 2.0)
MASK = "present"
PLACES = "places"


@cache
def function_of(structure: Structure, name: str, doc: str, mask: bool = False) -> Callable[..., Any]:
    """The law's function, with the signature, name and docstring that a handwritten one would have.

    With `mask` it has one parameter more, the vector `present`, which says what of the structure counts.
    """
    parameters = (*structure.parameters, *([MASK] if mask else []))
    signature = Signature(
        [Parameter(x, Parameter.POSITIONAL_OR_KEYWORD) for x in structure.inputs]
        + [Parameter(p, Parameter.KEYWORD_ONLY) for p in parameters]
    )

    def function(*values: Any, **named: Any) -> Any:
        given = signature.bind(*values, **named).arguments
        return structure.value(given, given, given[MASK] if mask else None)

    function.__signature__ = signature  # type: ignore[attr-defined]  # read by `inspect`, unknown to stubs
    function.__name__, function.__doc__ = name, doc
    return function


def _plain(structure: Structure) -> Callable[..., Any]:
    doc = f"Sum of power-law terms of {', '.join(structure.inputs)}.\n\n    L = {structure.formula}\n\nSymbols: see `term_library`."
    return function_of(structure, structure.title, doc)


def _masked(structure: Structure) -> Callable[..., Any]:
    doc = f"Sum of power-law terms, of which those `present` count.\n\n    L = {structure.formula}\n\nSymbols: see `term_library`."
    return function_of(structure, f"{structure.title}_masked", doc, mask=True)


@dataclass(frozen=True)
class _Transform:
    """What a domain does to unconstrained numbers, whatever its plausible range: equal for domains that agree in it."""

    key: tuple[Any, ...]
    domain: Domain = field(compare=False)


@cache
def _packed(structure: Structure, transforms: tuple[_Transform, ...]) -> Callable[..., Any]:
    domains = [one.domain for one in transforms]

    def function(*values: Any, unknowns: Any, places: Any) -> Any:
        there = places >= 0
        entries = jnp.where(there, unknowns[jnp.maximum(places, 0).astype(int)], 0.0)
        own = {name: domain.forward(entries[i]) for i, (name, domain) in enumerate(zip(structure.parameters, domains, strict=True))}
        return structure.value(dict(zip(structure.inputs, values, strict=True)), own, there)

    order = [Parameter(x, Parameter.POSITIONAL_OR_KEYWORD) for x in structure.inputs]
    names = [Parameter(name, Parameter.KEYWORD_ONLY) for name in ("unknowns", PLACES)]
    function.__signature__ = Signature(order + names)  # type: ignore[attr-defined]  # read by `inspect`, unknown to stubs
    function.__name__ = f"{structure.title}_packed"
    function.__doc__ = f"Sum of power-law terms, of which those that have `places` count.\n\n    L = {structure.formula}"
    return function


@dataclass(frozen=True)
class TermLibrary:
    """All laws that are part of one sum of terms; made by `term_library`.

    Attributes:
        structure: the whole sum.
        output: the column that the laws predict.
        domains: name to `Domain`, for inputs and parameters.
    """

    structure: Structure
    output: str
    domains: Mapping[str, Domain] = field(compare=False)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters: the columns of masks."""
        return self.structure.parameters

    @cached_property
    def masked(self) -> Law:
        """The law of all structures, whose parameter `present` (parameters,) holds 1 for what counts and 0 for what does not."""
        domains = {**self.domains, MASK: Real(0.0, 1.0, axis=MASK)}
        return law(output=self.output, **domains)(_masked(self.structure))

    @cached_property
    def packed(self) -> Law:
        """The law of all structures in no more unknowns than the largest of them needs, which solvers are faster with.

        Its parameter `unknowns` holds unconstrained values of what is present, `places` (parameters,) where among them that of every
        parameter lies, -1 for what is not present.
        """
        domains = {name: self.domains[name] for name in self.structure.inputs}
        function = _packed(self.structure, tuple(_Transform(d.transform, d) for d in map(self.domains.__getitem__, self.parameters)))
        return law(output=self.output, **domains, unknowns=Real(-1.0, 1.0, axis="unknowns"), places=Real(axis=PLACES))(function)

    def mask(self, *names: str) -> np.ndarray:
        """Boolean mask (parameters,) in which these parameters are present.

        >>> import scalejax as sj
        >>> sj.term_library("N", "D").mask("E", "A_N", "alpha_N").sum()
        np.int64(3)
        """
        for name in names:
            if name not in self.parameters:
                raise LawError(f"The library has no parameter {name!r}; {suggest(name, self.parameters)}")
        return np.asarray([name in names for name in self.parameters])

    def check(self, masks: Any) -> np.ndarray:
        """Masks as booleans (structures, parameters).

        Raises:
            LawError: if a mask is no law: it has no term, a term without an exponent (which E is for), or a parameter of a term, a factor
                or an outer exponent that is not there.
        """
        array = np.asarray(masks)
        array = array[None] if array.ndim == 1 else array
        if array.ndim != 2 or array.shape[1] != len(self.parameters) or not len(array):
            raise LawError(
                f"masks have shape {np.shape(masks)}; give one row a structure and one column for each of the {len(self.parameters)} "
                "parameters of the library, such as [library.mask('E', 'A_N', 'alpha_N')]."
            )
        if array.dtype != bool and not np.isin(array, (0, 1)).all():
            raise LawError("masks hold other values than 0 and 1; give True for what a structure has and False for what it has not.")
        array = array.astype(bool)
        column = {name: array[:, i] for i, name in enumerate(self.parameters)}
        problems = [
            (~np.any([column[t.coefficient] for t in self.structure.terms], axis=0), "has no term; it needs one coefficient at least")
        ]
        for term in self.structure.terms:
            own = [name for name in term.parameters if name != term.coefficient]
            powers = [name for f in term.factors for name in (f.exponent, f.log) if name is not None]
            problems += [(column[n] & ~column[term.coefficient], f"has {n} without its coefficient {term.coefficient}") for n in own]
            bare = column[term.coefficient] & ~np.any([column[n] for n in powers], axis=0)
            problems.append((bare, f"has {term.coefficient} without an exponent, a constant, which E is for"))
            for f in term.factors:
                if f.shift is not None and f.exponent is not None:
                    problems.append((column[f.shift] & ~column[f.exponent], f"has {f.shift} without the exponent {f.exponent}"))
                if f.bend is not None and f.exponent is not None:
                    problems.append((column[f.bend[1]] & ~column[f.exponent], f"has {f.bend[1]} without the exponent {f.exponent}"))
        together = [(gamma, kappa) for _, gamma, kappa in self.structure.times]
        together += [pair for _, w, k, best in self.structure.bowls for pair in ((w, k), (k, best))]
        together += [f.bend for term in self.structure.terms for f in term.factors if f.bend is not None]
        for one, other in together:
            problems.append((column[one] != column[other], f"has one of {one} and {other}, which belong together"))
        for wrong, sentence in problems:
            if wrong.any():
                raise LawError(f"Structure {int(np.flatnonzero(wrong)[0])} {sentence}.")
        return array

    def law(self, mask: Any, params: Mapping[str, float] | None = None) -> Law:
        """The plain law of one structure; equal masks give laws that share compiled programs.

        Args:
            mask: (parameters,) what is present. params: a parameter set, to be found as `law.published["fitted"]`.
        """
        present = frozenset(n for n, there in zip(self.parameters, self.check(mask)[0], strict=True) if there)
        part = self.structure.restricted(present)
        linear = (
            ()
            if part.times or part.bowls
            else tuple(n for n in (part.offset, *(() if part.outer else (t.coefficient for t in part.terms))) if n)
        )
        domains = {name: self.domains[name] for name in (*part.inputs, *part.parameters)}
        sets = {} if params is None else {"fitted": {name: float(params[name]) for name in part.parameters}}
        return law(output=self.output, linear=linear, published=sets, **domains)(_plain(part))


def term_library(
    *inputs: str,
    terms: Mapping[str, Sequence[str] | str] | None = None,
    outer: bool = False,
    shifted: Sequence[str] | str = (),
    breaks: Sequence[str] | str = (),
    logs: Sequence[str] | str = (),
    times: Sequence[str] | str = (),
    bowls: Sequence[str] | str = (),
    output: str = "loss",
    **domains: Domain,
) -> TermLibrary:
    r"""A library of terms, from which a mask chooses a law.

        L = (E + (sum_k A_k prod_j (x_j + s_kj)^-alpha_kj (1 + x_j/d_kj)^-c_kj ln(1 + x_j)^b_kj)^q) prod_i (1 + gamma_i y_i^kappa_i)
            prod_l (1 + w_l (cosh(k_l ln(z_l/best_l)) - 1))

    A mask says which of the parameters a law has. Without E it is 0, without A_k the term k, without an exponent alpha_kj its power is
    missing, without s_kj the power is pure, without d_kj and c_kj it does not break, without b_kj there is no logarithm, without q it is 1,
    without gamma_i and kappa_i, or w_l, k_l and best_l, the factor.
    So E + A/N^a + B/D^b, (A/N^a + B/D^b)^q, E + A/(N^a D^b), E + A/(N + s)^a (which saturates below s) are all members of one library, and
    one compiled program fits thousands of them: `fit_terms`.

    Args:
        inputs: names of the inputs x_j, such as "N", "D".
        terms: label of every term to the inputs in it, such as {"N": "N", "D": "D", "mix": ("N", "D")}; default one term for every input
            and one for every pair.
        outer: with the exponent q.
        shifted: inputs that have an s in every term.
        breaks: inputs whose power changes from alpha to alpha + c at d in every term.
        logs: inputs that have a power b of their logarithm in every term.
        times: names of the inputs y_i of the factors.
        bowls: names of inputs z_l, such as a learning rate, of which there is a best: a factor whose sides rise like powers.
        output: the column that the laws predict.
        domains: domains of inputs and parameters by name, where the defaults do not suit.

    Returns:
        TermLibrary. Its parameters are E; for every term A_label and, where it has one input, alpha_label, s_label, d_label, c_label,
        b_label, else alpha_label_x, s_label_x and so on for every input x; q; gamma_y, kappa_y; and w_z, k_z, best_z.

    Raises:
        LawError: if names are missing, twice, unknown or no names.

    Example:
        >>> import scalejax as sj
        >>> library = sj.term_library("N", "D", outer=True)
        >>> library.parameters
        ('E', 'A_N', 'alpha_N', 'A_D', 'alpha_D', 'A_N_D', 'alpha_N_D_N', 'alpha_N_D_D', 'q')
        >>> law = library.law(library.mask("E", "A_N", "alpha_N", "A_D", "alpha_D"))
        >>> law
        terms_N_D(N, D; E, A_N, alpha_N, A_D, alpha_D)
        >>> law.formula
        'L = E + A_N N^-alpha_N + A_D D^-alpha_D'

    References: Hoffmann et al. 2022, arXiv:2203.15556 (two terms); Kaplan et al. 2020, arXiv:2001.08361 (an outer exponent);
    Bian et al. 2025, arXiv:2501.18107 (a factor for the shape). The library as a whole is our own composition.
    """
    shifts, broken, logged, factors, curved = (
        (names,) if isinstance(names, str) else tuple(names) for names in (shifted, breaks, logs, times, bowls)
    )
    if terms is None:
        terms = {x: x for x in inputs} | {"_".join(pair): pair for pair in combinations(inputs, 2)}
    chosen = {label: (names,) if isinstance(names, str) else tuple(names) for label, names in terms.items()}
    _check_names(inputs, chosen, {"shifted": shifts, "breaks": broken, "logs": logged}, factors, curved)
    structure = Structure(
        tuple(dict.fromkeys((*inputs, *factors, *curved))),
        tuple(_term(label, names, shifts, broken, logged) for label, names in chosen.items()), "E", "q" if outer else None,
        tuple((y, f"gamma_{y}", f"kappa_{y}") for y in factors), tuple((z, f"w_{z}", f"k_{z}", f"best_{z}") for z in curved),
    )  # fmt: skip
    known = {name: INPUTS.get(name, Positive(1.0, 1e12)) for name in structure.inputs}
    full = {**known, **plausible(structure), **domains}
    for name in domains:
        if name not in (*structure.inputs, *structure.parameters):
            raise LawError(f"term_library() has nothing called {name!r}; {suggest(name, (*structure.inputs, *structure.parameters))}")
    return TermLibrary(structure, output, MappingProxyType(full))


def _check_names(
    inputs: tuple[str, ...],
    terms: Mapping[str, tuple[str, ...]],
    options: Mapping[str, Any],
    times: tuple[str, ...],
    bowls: tuple[str, ...],
) -> None:
    for name in (*inputs, *terms, *times, *bowls):
        if not (isinstance(name, str) and name.isidentifier()) or name in ("E", "q", MASK, "output", "reference", "published", "linear"):
            raise LawError(f"term_library() takes names such as 'N' and 'D', got {name!r}.")
    if not inputs or not terms or len({*inputs, *times}) < len(inputs) + len(times) or len(set(bowls)) < len(bowls):
        raise LawError(f"term_library() needs inputs, each named once, and terms, got {[*inputs, *times]} and {list(terms)}.")
    used = [(f"terms[{label!r}]", names) for label, names in terms.items()] + list(options.items())
    for where, names in used:
        for name in names:
            if name not in inputs:
                raise LawError(f"{where} names {name!r}, which is no input; {suggest(name, inputs)}")
    for where, names in used[: len(terms)]:
        if not names or len(set(names)) < len(names):
            raise LawError(f"{where} must name its inputs once each, got {list(names)}.")
    for x in inputs:
        if not any(x in names for names in terms.values()):
            raise LawError(f"The input {x!r} is in no term; add one, or leave it out.")


def _term(label: str, names: tuple[str, ...], shifts: tuple[str, ...], breaks: tuple[str, ...], logs: tuple[str, ...]) -> Term:
    def factor(x: str) -> Factor:
        end = label if len(names) == 1 else f"{label}_{x}"
        return Factor(
            x, f"alpha_{end}", f"s_{end}" if x in shifts else None, f"b_{end}" if x in logs else None,
            bend=(f"d_{end}", f"c_{end}") if x in breaks else None,
        )  # fmt: skip

    return Term(label, f"A_{label}", tuple(map(factor, names)))


def plausible(structure: Structure) -> dict[str, Domain]:
    """Plausible ranges of a structure's parameters."""
    out: dict[str, Domain] = {"E": ranges.E, "q": OUTER}
    for term in structure.terms:
        out[term.coefficient] = COEFFICIENT
        for f in term.factors:
            inside = INPUTS.get(f.input, Positive(1.0, 1e12))
            for name, domain in ((f.exponent, ranges.EXPONENT), (f.shift, Positive(inside.low, inside.high)), (f.log, _LOG_POWER)):
                out |= {} if name is None else {name: domain}
            if f.bend is not None:
                out |= dict(zip(f.bend, (Positive(inside.low, inside.high), CHANGE), strict=True))
    for _, gamma, kappa in structure.times:
        out |= {gamma: FACTOR, kappa: ranges.EXPONENT}
    for z, w, k, best in structure.bowls:
        inside = INPUTS.get(z, Positive(1.0, 1e12))
        out |= {w: HEIGHT, k: STEEPNESS, best: Positive(inside.low, inside.high)}
    return {name: out[name] for name in structure.parameters}
