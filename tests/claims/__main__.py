"""Print the catalogue's coverage and every claim beside our figure: `python -m tests.claims [file or id ...]`."""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from scalejax import ScalejaxError

from .claim import Claim, every

CATALOGUE = tomllib.loads(Path(__file__).parents[1].joinpath("catalogue.toml").read_text(encoding="utf-8"))


def chosen(words: list[str]) -> dict[str, dict[str, Any]]:
    """Entries of the catalogue by id: those of the named files and ids, or all."""
    found: dict[str, dict[str, Any]] = {}
    for file, entries in CATALOGUE.items():
        for name, entry in entries.items():
            if not words or {file, name} & set(words):
                found.setdefault(name, entry)  # a paper may stand in two files
    return found


def figures(value: Any) -> str:
    return ", ".join(f"{v:.8g}" for v in np.atleast_1d(np.asarray(value, dtype=float)).ravel())


def compared(claim: Claim) -> str:
    """A claim in two lines: what is stated, and what we compute."""
    try:
        ours = claim.ours()
    except ScalejaxError as error:
        return f"  {claim.what} ({claim.kind})\n      stated {figures(claim.stated)}; not computed: {error}"
    holds = np.all(np.abs(np.asarray(ours, dtype=float) - np.asarray(claim.stated, dtype=float)) <= claim.tolerance)
    verdict = "" if holds else "  DIFFERS"
    note = f"\n      {claim.note}" if claim.note else ""
    return f"  {claim.what} ({claim.kind})\n      stated {figures(claim.stated)}; ours {figures(ours)}{verdict}{note}"


def main(words: list[str]) -> None:
    entries, claims = chosen(words), list(every())
    count = Counter(c.id for c in claims if isinstance(c, Claim))
    for kind in ("law", "theory_law", "procedure", "finding", "out_of_scope"):
        rows = [
            [name, str(count[name]), ", ".join(np.atleast_1d(entry["provides"])) if "provides" in entry else entry.get("reason", "planned")]
            for name, entry in entries.items()
            if entry["kind"] == kind
        ]
        if rows:
            provided = sum("provides" in entry for entry in entries.values() if entry["kind"] == kind)
            print(f"{kind}: {provided} of {len(rows)} provided (name, claims checked, provided by)")
            print("\n".join(f"  {name:32}{claims:>3}  {by}" for name, claims, by in rows), end="\n\n")
    for name in entries:
        own = [c for c in claims if c.id == name]
        if own:
            print(name)
            print("\n".join(compared(c) if isinstance(c, Claim) else f"  {c.what}\n      not checked: {c.why}" for c in own))


if __name__ == "__main__":
    main(sys.argv[1:])
