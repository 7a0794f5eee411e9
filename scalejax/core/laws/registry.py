"""The registry of laws: iterable, indexable by name, readable at a glance, and each law imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from ..errors import LawError, suggest

if TYPE_CHECKING:
    from .law import Law


class Listed(NamedTuple):
    """What is known of a law before its module is imported."""

    module: str
    inputs: tuple[str, ...]
    summary: str


class Registry:
    """Laws by name: `laws["chinchilla"]`, `laws.chinchilla`, `for law in laws`, `"kaplan" in laws`, `print(laws)`.

    Args:
        listing: called once, when a name is first looked up: the laws by name that modules have under that name.
    """

    def __init__(self, listing: Callable[[], Mapping[str, Listed]] = dict) -> None:
        self._laws: dict[str, Law] = {}
        self._listing = listing

    @cached_property
    def _listed(self) -> Mapping[str, Listed]:
        return self._listing()

    def register(self, law: Law) -> Law:
        """Add a law, so that the command line and saved fits find it by name. Returns the law.

        Raises:
            LawError: if another law has the name already.
        """
        if law.name in self and self[law.name] != law:
            raise LawError(f"A law named {law.name!r} is registered already; give yours another name.")
        self._laws[law.name] = law
        return law

    @contextmanager
    def known(self, *own: Law) -> Iterator[None]:
        """Further laws, which are registered within a `with` block only."""
        before = dict(self._laws)
        try:
            for law in own:
                self.register(law)
            yield
        finally:
            self._laws = before

    @property
    def names(self) -> list[str]:
        """Names of all laws, sorted."""
        return sorted({*self._laws, *self._listed})

    def __getitem__(self, name: str) -> Law:
        if name not in self._laws:
            if name not in self._listed:
                raise LawError(f"There is no law {name!r}; {suggest(name, self.names)}")
            self._laws[name] = getattr(import_module(self._listed[name].module), name)
        return self._laws[name]

    def __getattr__(self, name: str) -> Law:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except LawError as error:
            raise AttributeError(str(error)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._laws or name in self._listed

    def __iter__(self) -> Iterator[Law]:
        return iter([self[name] for name in self.names])

    def __len__(self) -> int:
        return len(self.names)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.names]

    def listing(self) -> list[tuple[str, str, str]]:
        """Name, inputs and purpose of every law, by name; no law is imported for it."""
        known = {name: (law.inputs, law.summary) for name, law in self._laws.items()}
        known |= {name: (listed.inputs, listed.summary) for name, listed in self._listed.items()}
        return [(name, ", ".join(inputs), purpose) for name, (inputs, purpose) in sorted(known.items())]

    def __repr__(self) -> str:
        rows = self.listing()
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(2)]
        lines = [f"{name:{widths[0]}}  {inputs:{widths[1]}}  {purpose}" for name, inputs, purpose in rows]
        return f"{len(self)} laws: name, inputs, purpose\n" + "\n".join(lines)
