"""Which laws can forecast a table: those of the zoo that its columns serve, and sums of power-law terms of any columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ...core.domains import Positive, Real, Simplex
from ...core.errors import FitError, LawError
from ...core.law import Law
from ...core.registry import laws as registry
from ...core.runs import Runs
from ...fitting.fit import find_law
from ...zoo.scale.terms import TermLibrary, term_library
from .columns import Columns, Link, identifier

# Plausible ranges of laws of inputs and outputs that are divided by their middles.
_E, _COEFFICIENT, _SHIFT = Positive(0.02, 1.0, zero=True), Positive(1e-3, 3.0), Positive(1e-3, 30.0)
_MIXTURES = ("data_mixing_m4", "data_mixing_m1", "mixture_linear")
_ROLES = ("farseer", "data_constrained", "routed_lm", "gemstones", "overtraining", "chinchilla_batch", "kaplan_irreducible")
_CURVES = ("m4", "bnsl")
_SIZES = {"break": 1}


@dataclass(frozen=True, eq=False)
class Member:
    """A law of a table's columns.

    Attributes:
        law: the law. columns: the law's inputs to those of the table.
        middle: what the columns are divided by, and the output under "".
        sizes: lengths of vector parameters that no column shows.
    """

    law: Law
    columns: Mapping[str, str]
    middle: Mapping[str, float]
    sizes: Mapping[str, int]

    @property
    def name(self) -> str:
        """Of the law."""
        return self.law.name

    def runs(self, values: Mapping[str, np.ndarray], output: np.ndarray | None = None, group: Mapping[str, np.ndarray] | None = None) -> Runs:
        """A table that the law takes."""
        columns = {x: values[c] / self.middle.get(c, 1.0) for x, c in self.columns.items()}
        if output is not None:
            columns[self.law.output] = output / self.middle.get("", 1.0)
        return Runs({**columns, **(group or {})})


def outcome(y: np.ndarray, rising: bool) -> tuple[Link, np.ndarray]:
    """On which scale laws describe a target, and its values there: falling and positive.

    Losses and errors are taken as they are, with relative errors; rising shares as their complement; what else rises as its reciprocal,
    so that a sum of falling powers is a saturating rise; and what has no sign as it is, with absolute errors.
    """
    if (y <= 0).any():
        return ("complement", 1 - y) if rising and (y >= 0).all() and (y < 1).all() else ("linear", y)
    if not rising:
        return "log", y
    return ("complement", 1 - y) if (y < 1).all() else ("reciprocal", 1 / y)


def returned(link: Link, value: np.ndarray) -> np.ndarray:
    """The target from values on the scale of laws."""
    return 1 - value if link == "complement" else 1 / value if link == "reciprocal" else value


def make_members(columns: Columns, link: Link, values: np.ndarray, laws: Sequence[Law | str] | None) -> list[Member]:
    """The laws that forecast; `laws` are those asked for, default all that the columns can serve.

    Raises:
        FitError: if a law that was asked for takes inputs that the table has not.
    """
    if laws is not None:
        chosen = [laws] if isinstance(laws, str | Law) else list(laws)
        if not chosen:
            raise FitError("laws=[] names no law to forecast with; leave it out for all that the columns can serve.")
        return [_asked(columns, find_law(law)) for law in chosen]
    found = list(_zoo(columns, link)) + list(_sums(columns, link, values))
    if not found:
        raise FitError(
            f"No law of the zoo can be fitted to the inputs {', '.join(columns.inputs)}; pass laws=[...] of your own, or inputs=[...] that "
            "hold positive numbers or shares that sum to one."
        )
    return found


def _asked(columns: Columns, law: Law) -> Member:
    served = _served(columns, law)
    if served is None:
        wanted = [x for x in law.inputs if columns.role(x) is None] or list(law.inputs)
        raise FitError(
            f"Law {law.name!r} takes {', '.join(law.inputs)}, and the table has no {', '.join(wanted)}; its inputs are "
            f"{', '.join(columns.inputs)}. Rename columns, or leave the law out."
        )
    return Member(law, served, {}, _SIZES)


def _served(columns: Columns, law: Law) -> dict[str, str] | None:
    """The columns that are a law's inputs; None if one is missing."""
    if len(law.inputs) == 1 and len(columns.inputs) == 1 and law.inputs[0] in ("x", "C", "n", "m"):
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
    try:
        return bool(np.all(domain.contains(values)) and np.all(domain.contains(columns.at[column])))
    except LawError:
        return False


def _zoo(columns: Columns, link: Link) -> Iterator[Member]:
    """Named laws of all inputs of the table."""
    if link != "log":
        return
    names = _CURVES if len(columns.inputs) == 1 and columns.scalars else (*_ROLES, *_MIXTURES)
    for name in names:
        law = registry[name]
        served = _served(columns, law)
        if served is not None and set(served.values()) == set(columns.inputs):
            yield Member(law, served, {}, _SIZES)


def _sums(columns: Columns, link: Link, values: np.ndarray) -> Iterator[Member]:
    """Sums of powers of the table's positive columns, divided by their middles."""
    inputs = columns.scalars
    if not inputs or len(inputs) > 4:
        return
    words = {identifier(x): x for x in inputs}
    middle = {x: float(np.exp(np.mean(np.log(columns.runs[x])))) for x in inputs}
    middle[""] = float(np.median(np.abs(values))) if link != "linear" else float(np.std(values)) or 1.0
    for law in structures(tuple(words), link):
        yield Member(law, {word: words[word] for word in law.inputs}, middle, {})


def structures(inputs: tuple[str, ...], link: Link) -> Iterator[Law]:
    """Sums of power-law terms of these inputs: plain, without a floor, with an outer exponent, with products, and what bends."""
    shifted = inputs if len(inputs) == 1 else ()
    library = term_library(*inputs, outer=True, shifted=shifted, **_ranges(inputs, link, shifted))
    floor, alone = ["E"], [name for x in inputs for name in (f"A_{x}", f"alpha_{x}")]
    chosen: list[list[str]] = [floor + alone, alone]
    if len(inputs) == 1:
        chosen += [floor + alone + [f"s_{inputs[0]}"], alone + [f"s_{inputs[0]}"]]
    else:
        chosen += [floor + alone + ["q"], alone + ["q"]]
        for pair in list(combinations(inputs, 2))[:1]:
            product = [f"A_{'_'.join(pair)}", *(f"alpha_{'_'.join(pair)}_{x}" for x in pair)]
            rest = [name for x in inputs if x not in pair for name in (f"A_{x}", f"alpha_{x}")]
            chosen += [floor + product + rest, floor + alone + product]
    if link == "linear":
        chosen = [names for names in chosen if "E" in names]
    for names in chosen:
        yield library.law(library.mask(*names))


def _ranges(inputs: tuple[str, ...], link: Link, shifted: tuple[str, ...]) -> dict[str, Any]:
    """Plausible ranges of the library's parameters, for inputs and outputs of size one."""
    plain: TermLibrary = term_library(*inputs, outer=True, shifted=shifted)
    out: dict[str, Any] = {"E": Real(-5.0, 5.0) if link == "linear" else _E}
    out |= {name: _COEFFICIENT for name in plain.parameters if name.startswith("A_")}
    out |= {name: _SHIFT for name in plain.parameters if name.startswith("s_")}
    return out | {x: Positive(1e-3, 1e3) for x in inputs}
