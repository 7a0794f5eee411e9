"""The catalogue of papers, with what the files of this folder say they provide."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from .claim import Claim, Unchecked


def files() -> list[str]:
    """The files of claims in this folder."""
    return sorted(
        m.name
        for m in iter_modules([str(Path(__file__).parent)])
        if m.name not in ("catalogue", "claim", "mirror_descent", "mutants", "__main__")
    )


def _catalogue() -> dict[str, dict[str, dict[str, Any]]]:
    """File of the catalogue to id to entry."""
    found = tomllib.loads(Path(__file__).parents[1].joinpath("catalogue.toml").read_text(encoding="utf-8"))
    homes = {id: entry for entries in found.values() for id, entry in entries.items() if "same_as" not in entry}
    for file in files():
        for id, provided in getattr(import_module(f".{file}", __package__), "PROVIDES", {}).items():
            if "provides" in homes[id]:
                raise ValueError(f"{id} is provided by two files of claims")
            homes[id]["provides"] = list(provided)
    return found


CATALOGUE = _catalogue()
STATES = ("provides", "expressible", "same_as", "planned", "reason")


def state(entry: dict[str, Any]) -> str:
    """What is said of an entry: exactly one of the states, "planned" if nothing."""
    found = [name for name in STATES if name in entry] or ["planned"]
    (one,) = found
    return one


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


def every() -> Iterator[Claim | Unchecked]:
    """All claims of all files in this folder, in order."""
    for file in files():
        yield from import_module(f".{file}", __package__).CLAIMS
