"""Published parameter sets: written in a law's decorator, or in a TOML file beside its module that is read on first use."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..edge.accepted import said
from ..errors import LawError


@dataclass(frozen=True)
class Published(Mapping[str, Any]):
    """A published parameter set; a mapping, so that `law(N, D, **law.published["name"])` works.

    Args:
        params: parameter name to value.
        context: what was fitted, in which units.
        source: where the numbers are printed.
        status: "verified" (checked against data, claims or the authors' code), "printed" (as printed, no check here), or
            "recalled" (not traced to its source: do not rely on it).
    """

    params: Mapping[str, Any]
    context: str = ""
    source: str = ""
    status: str = "printed"

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", MappingProxyType(dict(self.params)))

    def __getitem__(self, name: str) -> Any:
        return self.params[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.params)

    def __len__(self) -> int:
        return len(self.params)


@dataclass(frozen=True, eq=False, repr=False)
class PublishedFile(Mapping[str, Published]):
    """The tables `[law.set]` of a TOML file as published sets by name, read on first use."""

    path: Path
    law: str
    parameters: frozenset[str]

    @cached_property
    def _sets(self) -> Mapping[str, Published]:
        tables = tomllib.loads(self.path.read_text(encoding="utf-8")).get(self.law)
        if not tables:
            raise LawError(f"Law {self.law!r}: {self.path.name} has no table [{self.law}.<name of a set>].")
        sets = {key: {**table, "params": {n: _number(v) for n, v in table.get("params", {}).items()}} for key, table in tables.items()}
        return checked({key: Published(**table) for key, table in sets.items()}, self.law, self.parameters)

    def __getitem__(self, name: str) -> Published:
        return self._sets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)

    def __repr__(self) -> str:
        return repr(self._sets)


def published_sets(given: Any, function: Callable[..., Any], name: str, parameters: frozenset[str]) -> Mapping[str, Published]:
    """Sets by name, checked against the law's parameters: from a mapping, or from the file beside the function's module that is named."""
    if given is not None and not isinstance(given, str | Mapping):
        raise LawError(f"Law {name!r}: published={said(given)} must be a mapping from names to sets of constants, or the name of a file.")
    if not isinstance(given, str):
        return checked({k: v if isinstance(v, Published) else Published(dict(v)) for k, v in (given or {}).items()}, name, parameters)
    module = inspect.getfile(inspect.unwrap(function))
    path = Path(module).with_name(given)
    if not path.is_file():
        raise LawError(f"Law {name!r}: there is no file {given!r} of published sets beside {module}.")
    return PublishedFile(path, name, parameters)


def checked(sets: Mapping[str, Published], name: str, parameters: frozenset[str]) -> Mapping[str, Published]:
    """The sets, read-only, each of which must name all parameters."""
    for key, values in sets.items():
        if set(values) != parameters:
            raise LawError(f"Law {name!r}: the published set {key!r} names {sorted(values)}, the parameters are {sorted(parameters)}.")
    return MappingProxyType(sets)


def _number(value: Any) -> Any:
    """A number or a list of them as it stands; "exp(x)" where a paper fits and prints logarithms, since rounded constants mislead."""
    return exp(float(value.removeprefix("exp(").removesuffix(")"))) if isinstance(value, str) else value
