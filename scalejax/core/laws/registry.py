"""The registry of laws: iterable, indexable by name, readable at a glance."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import LawError, suggest
from .law import Law


class Registry:
    """Laws by name: `laws["chinchilla"]`, `laws.chinchilla`, `for law in laws`, `"kaplan" in laws`, `print(laws)`."""

    def __init__(self) -> None:
        self._laws: dict[str, Law] = {}

    def register(self, law: Law) -> Law:
        """Add a law, so that the command line and saved fits find it by name. Returns the law.

        Raises:
            LawError: if another law has the name already.
        """
        if self._laws.get(law.name, law) != law:
            raise LawError(f"A law named {law.name!r} is registered already; give yours another name.")
        self._laws[law.name] = law
        return law

    @property
    def names(self) -> list[str]:
        """Names of all laws, sorted."""
        return sorted(self._laws)

    def __getitem__(self, name: str) -> Law:
        if name not in self._laws:
            raise LawError(f"There is no law {name!r}; {suggest(name, self.names)}")
        return self._laws[name]

    def __getattr__(self, name: str) -> Law:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except LawError as error:
            raise AttributeError(str(error)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._laws

    def __iter__(self) -> Iterator[Law]:
        return iter(self._laws[name] for name in self.names)

    def __len__(self) -> int:
        return len(self._laws)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.names]

    def __repr__(self) -> str:
        rows = [(law.name, ", ".join(law.inputs), law.summary) for law in self]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(2)]
        lines = [f"{name:{widths[0]}}  {inputs:{widths[1]}}  {purpose}" for name, inputs, purpose in rows]
        return f"{len(self)} laws: name, inputs, purpose\n" + "\n".join(lines)


laws = Registry()
