"""A claim: a figure that is stated somewhere, and the computation that must give it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

COUNTED = ("recomputed", "exact", "repro", "paper", "corrected")
UNCOUNTED = ("identity", "data")


@dataclass(frozen=True)
class Claim:
    """One stated figure, or a row of them.

    Attributes:
        id: entry of the catalogue (see catalogue.toml).
        what: the quantity, with its inputs and units.
        stated: the figure as it is printed, one number or several.
        ours: computes the same from public functions of scalejax, in the same shape.
        tolerance: largest absolute difference, for all figures or each: half a unit of the last printed digit, unless `note` says why not.
        kind: "recomputed" (from printed constants), "exact" (an identity or the authors' code), "repro" (a fit to public data gives it),
            "paper" (as a paper prints it) or "corrected" (`stated` is the right figure, `note` gives the printed one and why it is wrong).
            Two kinds are no evidence, and are not counted: "identity" (it holds by the formula itself, whatever its constants) and "data"
            (read off public data: no law or procedure has a part in it).
        data: the public data set it needs, or "".
        slow: takes more than about ten seconds.
        note: what a reader must know.
    """

    id: str
    what: str
    stated: Any
    ours: Callable[[], Any]
    tolerance: Any
    kind: str = "recomputed"
    data: str = ""
    slow: bool = False
    note: str = ""


@dataclass(frozen=True)
class Unchecked:
    """A stated figure that nothing here can check, and why: its data are not public, say."""

    id: str
    what: str
    why: str


CATALOGUE: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(
    Path(__file__).parents[1].joinpath("catalogue.toml").read_text(encoding="utf-8")
)
STATES = ("provides", "expressible", "same_as", "planned", "reason")


def state(entry: dict[str, Any]) -> str:
    """What the catalogue says of an entry: exactly one of the states."""
    (found,) = (name for name in STATES if name in entry)
    return found


def names(entry: dict[str, Any]) -> list[str]:
    """Public names, below scalejax, that provide an entry or express it."""
    found = entry.get("provides", entry.get("expressible", []))
    return [found] if isinstance(found, str) else found


def entry_of(id: str) -> tuple[str, dict[str, Any]]:
    """(id, entry) that counts for this id: papers that stand in two files of the catalogue have one."""
    entries = [file[id] for file in CATALOGUE.values() if id in file]
    for entry in entries:
        if "same_as" not in entry:
            return id, entry
    file, other = entries[0]["same_as"].split(".")
    return other, CATALOGUE[file][other]


def files() -> list[str]:
    """The files of claims in this folder."""
    return sorted(m.name for m in iter_modules([str(Path(__file__).parent)]) if m.name not in ("claim", "mutants", "__main__"))


def every() -> Iterator[Claim | Unchecked]:
    """All claims of all files in this folder, in order."""
    for file in files():
        yield from import_module(f".{file}", __package__).CLAIMS
