"""What `derive` returns: quantities computed from parameters, with their draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..core.answer import Answer
from ..core.table import Named, Table, entry, number, span

_DIGITS = 5


@dataclass(frozen=True, eq=False, repr=False)
class Derived(Named, Answer):
    """Quantities that follow from a law's parameters. Made by `sj.derive`.

    Every quantity is an attribute: `found.best`; a function that returns one value has it as `found.value`. So is every number that the
    function was given: `found.N`.

    Attributes:
        values: name to the value at the point estimate, a float or an array.
        draws: the same with a leading draw axis; empty without uncertainty.
        given: name to what the function was given.
        title: what was computed: the first line of the function's docstring.
        laws: of several sources, name to law.
    """

    values: Mapping[str, Any]
    draws: Mapping[str, np.ndarray]
    given: Mapping[str, Any]
    title: str = ""
    laws: Mapping[str, str] = field(default_factory=dict)
    _name: ClassVar[str] = "derived quantity"
    _HOLDERS: ClassVar[tuple[str, ...]] = ("values", "given")

    def table(self, level: float = 0.9) -> Table:
        """A row for every value; quantities of one shape stand side by side, with what was given in that shape before them."""
        shapes = {np.shape(v) for v in self.values.values() if np.ndim(v)}
        if len(shapes) != 1:
            return self._by_value(self.values, level)
        (shape,) = shapes
        given = {n: v for n, v in self.given.items() if n not in self.values}
        arrays = {n: (v, _DIGITS) for n, v in {**given, **self.values}.items() if np.shape(v) == shape}
        head, rows = self._rows(arrays, level)
        return Table(head, rows, title=self.title, notes=[*self._alone(level), *self._asked, *self._drawn])

    def _by_value(self, values: Mapping[str, Any], level: float) -> Table:
        """A row for every number of quantities of several shapes."""
        limits = self.interval(level) if self.draws else {}
        rows = []
        for name, value in values.items():
            for at in np.ndindex(np.shape(value)):
                row = [entry(name, at), number(float(np.asarray(value)[at]), _DIGITS)]
                rows.append([*row, *([self._range(limits[name], at)] if limits else [])])
        return Table(["", "value", *([f"{100 * level:g} %"] if limits else [])], rows, title=self.title, notes=[*self._asked, *self._drawn])

    @property
    def _asked(self) -> list[str]:
        """Which sources, and single numbers that were given, in a line each."""
        said = [f"{n} = {number(v, _DIGITS)}" for n, v in self.given.items() if not np.ndim(v)]
        sources = ", ".join(f"{n} is {law}" for n, law in self.laws.items())
        return [*([sources] if sources else []), *([f"at {', '.join(said)}"] if said else [])]

    def _alone(self, level: float) -> list[str]:
        """Single numbers beside arrays, in a line each."""
        limits = self.interval(level) if self.draws else {}
        lines = []
        for name, value in self.values.items():
            if not np.ndim(value):
                between = f" ({100 * level:g} %: {self._range(limits[name], ())})" if limits else ""
                lines.append(f"{name}: {number(value, _DIGITS)}{between}")
        return lines

    @staticmethod
    def _range(limits: tuple[Any, Any], at: tuple[int, ...]) -> str:
        return span(np.asarray(limits[0])[at], np.asarray(limits[1])[at], _DIGITS)


RESERVED = frozenset({*dir(Answer), *Derived.__dataclass_fields__, "kind", "draws"})
