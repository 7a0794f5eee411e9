"""Which laws can forecast a table: those of the zoo that its columns serve, and sums of power-law terms of any columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from ...core.errors import FitError
from ...core.laws.domains import Positive, Real, Simplex
from ...core.laws.law import Law
from ...core.outcomes import in_percent
from ...core.runs import Runs
from ...core.table import Shown
from ...fitting.fit import find_law
from ...fitting.misfit import can_have_misfit
from ...zoo import laws as registry
from ...zoo.scale.broken import OrderedPositive
from ...zoo.scale.terms import TermLibrary, term_library
from .columns import SIZES, TUNED, Columns, Link, words
from .surfaces import quadratic_surface

# Plausible ranges of laws of inputs and outputs that are divided by their middles.
FLOOR, COEFFICIENT, SHIFT = Positive(0.02, 1.0, zero=True), Positive(1e-3, 3.0), Positive(1e-3, 30.0)
PLACE = Positive(0.03, 30.0)  # of a break, or of the bottom of a bowl
_MIXTURES = ("data_mixing_m4", "data_mixing_m1", "mixture_linear")
_ROLES = (
    "farseer", "data_constrained", "routed_lm", "gemstones", "overtraining", "chinchilla_batch", "kaplan_irreducible", "lr_batch_surface",
)  # fmt: skip
_MANY = 4  # inputs that a sum of powers is made of, at most
# Curves of one input, with the ranges of laws whose input and output are of size one.
_CURVES: dict[str, dict[str, Any]] = {
    "m4": {"y_inf": FLOOR, "y_0": Positive(0.8, 5.0), "beta": Positive(1e-2, 10.0), "c": Positive(0.05, 1.5)},
    "bnsl": {
        "a": FLOOR,
        "b": Positive(0.05, 3.0),
        "c0": Real(0.0, 0.6),
        "c": Real(-0.5, 1.0, axis="break"),
        "d": OrderedPositive(1e-2, 1e2),
    },
}
UNIT = Positive(1e-3, 1e3)
_SIZES = {"break": 1}
_ROOM = 100.0  # how far plausible ranges of a law in the table's units reach from its parameters, as a factor


@dataclass(frozen=True, eq=False, repr=False)
class Candidates(Shown):
    """Laws of a table's columns that one program fits: a law, or structures of a term library.

    Attributes:
        law: the law, or the masked law of all structures. names: of the laws, one for a plain law.
        columns: the law's inputs to those of the table.
        middle: what the columns are divided by, and the output under "".
        sizes: lengths of vector parameters that no column shows.
        masks: (structures, parameters) of the library, None for a plain law.
        library: where the structures come from.
        misfit: is a smooth misfit fitted beside the law?
    """

    law: Law
    names: tuple[str, ...]
    columns: Mapping[str, str]
    middle: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    masks: np.ndarray | None = None
    library: TermLibrary | None = None
    misfit: bool = False

    def runs(
        self, values: Mapping[str, np.ndarray], output: np.ndarray | None = None, group: Mapping[str, np.ndarray] | None = None
    ) -> Runs:
        """A table that the law takes."""
        columns = {x: values[c] / self.middle.get(c, 1.0) for x, c in self.columns.items()}
        if output is not None:
            columns[self.law.output] = output / self.middle.get("", 1.0)
        return Runs({**columns, **(group or {})})


def outcome(y: np.ndarray, rising: bool, name: str = "") -> tuple[Link, np.ndarray]:
    """On which scale laws describe a target of this name, and its values there: falling and positive.

    Losses and errors are taken as they are, with relative errors; rising shares and per cents as their complement; what else rises as its
    reciprocal, so that a sum of falling powers is a saturating rise; and what has no sign as it is, with absolute errors.
    """
    if rising and (y >= 0).all():
        link: Link = "percent" if in_percent(name, float(y.max())) else "complement"
        if (described(link, y) > 0).all():
            return link, described(link, y)
    if (y <= 0).any():
        return "linear", y
    return ("reciprocal", 1 / y) if rising else ("log", y)


def described(link: Link, y: np.ndarray) -> np.ndarray:
    """A target on the scale of laws."""
    if link == "percent":
        return 1 - y / 100
    return 1 - y if link == "complement" else 1 / y if link == "reciprocal" else y


def returned(link: Link, value: np.ndarray) -> np.ndarray:
    """The target from values on the scale of laws."""
    if link == "percent":
        return 100 * (1 - value)
    return 1 - value if link == "complement" else 1 / value if link == "reciprocal" else value


def make_candidates(columns: Columns, link: Link, values: np.ndarray, laws: Any) -> list[Candidates]:
    """The laws that forecast; `laws` are those asked for, default all that the columns can serve.

    Raises:
        FitError: if a law that was asked for takes inputs that the table has not.
    """
    if laws is not None:
        chosen = [laws] if isinstance(laws, str | Law) else list(laws)
        if not chosen:
            raise FitError("laws=[] names no law to forecast with; leave it out for all that the columns can serve.")
        found = [_asked(columns, find_law(law)) for law in chosen]
        named = Counter(one.law.name for one in found)
        return [one if named[one.law.name] == 1 else replace(one, names=(_said(one.law),)) for one in found]
    found = [*_zoo(columns, link), *_sums(columns, link, values)]
    if not found:
        raise FitError(
            f"No law of the zoo can be fitted to the inputs {', '.join(columns.inputs)}; pass laws=[...] of your own, or inputs=[...] that "
            "hold positive numbers or shares that sum to one."
        )
    return found


def _asked(columns: Columns, law: Law) -> Candidates:
    served = _served(columns, law)
    if served is None:
        wanted = [x for x in law.inputs if columns.role(x) is None] or list(law.inputs)
        raise FitError(
            f"Law {law.name!r} takes {', '.join(law.inputs)}, and the table has no {', '.join(wanted)}; its inputs are "
            f"{', '.join(columns.inputs)}. Rename columns, or leave the law out."
        )
    return Candidates(law, (law.name,), served, sizes=_sizes(law))


def _said(law: Law) -> str:
    """A law's formula, which tells laws of one name apart."""
    return law.formula.removeprefix("L = ")


def _sizes(law: Law) -> dict[str, int]:
    axes = {law.domains[name].axis for name in law.parameters}
    return {axis: size for axis, size in _SIZES.items() if axis in axes}


def _served(columns: Columns, law: Law) -> dict[str, str] | None:
    """The columns that are a law's inputs; None if one is missing."""
    if len(law.inputs) == 1 and len(columns.inputs) == 1 and law.inputs[0] not in "ND":
        names: dict[str, str | None] = {law.inputs[0]: columns.inputs[0]}
    else:
        names = {x: columns.role(x) for x in law.inputs}
    if any(column is None or not _fits(columns, law, x, column) for x, column in names.items()):
        return None
    return {x: column for x, column in names.items() if column is not None}


def _fits(columns: Columns, law: Law, name: str, column: str) -> bool:
    domain, values = law.domains[name], columns.runs[column]
    if isinstance(domain, Simplex) != (values.ndim == 2):
        return False
    return bool(np.all(domain.contains(values)) and np.all(domain.contains(columns.at[column])))


def _zoo(columns: Columns, link: Link) -> Iterator[Candidates]:
    """Named laws of all inputs of the table."""
    if link != "log":
        return
    for name in () if len(columns.inputs) == 1 and columns.scalars else (*_ROLES, *_MIXTURES):
        law = registry[name]
        served = _served(columns, law)
        if served is not None and set(served.values()) == set(columns.inputs):
            yield Candidates(law, (name,), served, sizes=_sizes(law))


def _sums(columns: Columns, link: Link, values: np.ndarray) -> Iterator[Candidates]:
    """Sums of powers of the table's positive columns, and curves of one of them, divided by their middles."""
    inputs = columns.scalars
    if not inputs or len(inputs) > _MANY:
        return
    called = words(inputs)
    middle = middles(columns, link, values)
    library, masks = structures(tuple(called), link)
    names = tuple(_said(library.law(mask)) for mask in masks)
    yield Candidates(library.masked, names, called, middle, masks=masks, library=library)
    if len(inputs) > 1 and can_have_misfit(columns.runs[x] for x in inputs):
        whole = library.law(masks[0])
        yield Candidates(whole, (f"{_said(whole)} with misfit",), called, middle, misfit=True)
    if len(inputs) > 1 and link == "log" and not set(called) <= SIZES:  # sizes do not bend back
        surface = quadratic_surface(tuple(called))
        yield Candidates(surface, (surface.name,), called, middle)
    if len(inputs) == 1 and link == "log":
        for name, ranges in _CURVES.items():
            law = registry[name]
            scaled = replace(law, domains={**law.domains, law.inputs[0]: UNIT, **ranges})
            yield Candidates(scaled, (name,), {law.inputs[0]: inputs[0]}, middle, sizes=_sizes(law))


def middles(columns: Columns, link: Link, values: np.ndarray) -> dict[str, float]:
    """What the positive inputs are divided by, and the output under ""."""
    found = {x: float(np.exp(np.mean(np.log(columns.runs[x])))) for x in columns.scalars}
    return {**found, "": unit_of(link, values) if link == "linear" else float(np.median(np.abs(values)))}


def unit_of(link: Link, values: np.ndarray) -> float:
    """What a target without a sign is measured in: its standard deviation; 1 for others, whose logarithms are taken."""
    return float(np.std(values)) or 1.0 if link == "linear" else 1.0


def scaled_library(inputs: tuple[str, ...], pairs: Sequence[tuple[str, ...]], link: Link, **options: Any) -> TermLibrary:
    """Every input alone, these pairs, an outer exponent, with ranges for inputs and outputs of size one; options of `term_library`."""
    terms = {x: (x,) for x in inputs} | {"_".join(pair): pair for pair in pairs}
    plain = term_library(*inputs, terms=terms, outer=True, **options)
    ranges: dict[str, Any] = {"E": Real(-5.0, 5.0) if link == "linear" else FLOOR, **dict.fromkeys(inputs, UNIT)}
    ranges |= {name: COEFFICIENT for name in plain.parameters if name.startswith("A_")}
    ranges |= {name: SHIFT for name in plain.parameters if name.startswith("s_")}
    ranges |= {name: PLACE for name in plain.parameters if name.startswith(("d_", "best_"))}
    return term_library(*inputs, terms=terms, outer=True, **options, **ranges)


def structures(inputs: tuple[str, ...], link: Link) -> tuple[TermLibrary, np.ndarray]:
    """Sums of power-law terms of these inputs: with and without a floor, with an outer exponent, with a product, and shifted; or with a
    bowl of each input of which there is a best, in place of its term."""
    pairs = list(combinations(inputs, 2))[:1]
    tuned = tuple(x for x in inputs if x in TUNED) if link == "log" and not TUNED >= set(inputs) else ()
    library = scaled_library(inputs, pairs, link, shifted=inputs if len(inputs) == 1 else (), bowls=tuned)
    alone = [name for x in inputs for name in (f"A_{x}", f"alpha_{x}")]
    chosen = [["E", *alone], alone]
    if len(inputs) == 1:
        chosen += [["E", *alone, f"s_{inputs[0]}"], [*alone, f"s_{inputs[0]}"]]
    for pair in pairs:
        product = [f"A_{'_'.join(pair)}", *(f"alpha_{'_'.join(pair)}_{x}" for x in pair)]
        rest = [name for x in inputs if x not in pair for name in (f"A_{x}", f"alpha_{x}")]
        chosen += [["E", *alone, "q"], [*alone, "q"], ["E", *product, *rest], ["E", *alone, *product]]
    if tuned:
        bowls = [f"{part}_{x}" for x in tuned for part in ("w", "k", "best")]
        others = [name for x in inputs if x not in tuned for name in (f"A_{x}", f"alpha_{x}")]
        chosen += [["E", *others, *bowls], [*others, *bowls]]
    if link == "linear":
        chosen = [names for names in chosen if "E" in names]
    return library, np.stack([library.mask(*names) for names in chosen])


def in_units(given: Candidates, mask: np.ndarray, params: Mapping[str, Any], link: Link) -> Law:
    """The law of inputs and outputs in the table's own units.

    With x = X m and y = Y n: A_k grows by n^(1/q) prod_j m_j^alpha_kj, a shift, a break and the bottom of a bowl by m, and E by n.
    """
    library, middle = given.library, given.middle
    assert library is not None  # only structures are scaled
    q = float(params["q"]) if mask[library.parameters.index("q")] else 1.0
    size = {word: middle[column] for word, column in given.columns.items()}
    present = {name for name, there in zip(library.parameters, mask, strict=True) if there}
    found: dict[str, float] = {}
    for term in library.structure.terms:
        factor = middle[""] ** (1 / q)
        for part in term.factors:
            if part.exponent in present and part.exponent is not None:
                factor *= size[part.input] ** float(params[part.exponent])
            if part.shift in present and part.shift is not None:
                found[part.shift] = float(params[part.shift]) * size[part.input]
            if part.bend is not None and part.bend[0] in present:
                found[part.bend[0]] = float(params[part.bend[0]]) * size[part.input]
        found[term.coefficient] = float(params[term.coefficient]) * factor
    found |= {best: float(params[best]) * size[z] for z, _, _, best in library.structure.bowls if best in present}
    found["E"] = float(params["E"]) * middle[""]
    found = {name: found.get(name, float(params[name])) for name in library.parameters if name in present}
    law = library.law(mask, found)
    domains: dict[str, Any] = dict(law.domains)
    for name, value in found.items():
        if name.startswith(("A_", "s_", "d_", "best_")):
            domains[name] = Positive(value / _ROOM, value * _ROOM)
    if "E" in found:
        wide = 5 * middle[""]
        domains["E"] = Real(-wide, wide) if link == "linear" else Positive(0.02 * middle[""], middle[""], zero=True)
    domains |= {word: Positive(size[word] / _ROOM, size[word] * _ROOM) for word in law.inputs}
    return replace(law, domains=domains)
