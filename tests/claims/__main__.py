"""Print the catalogue's coverage and every claim beside our figure: `python -m tests.claims [file or id ...]`."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import numpy as np

from scalejax import ScalejaxError

from .catalogue import CATALOGUE, STATES, entry_of, every, names, state
from .claim import COUNTED, Claim

WORDS = dict(zip(STATES, ("provided", "expressible", "in two files", "planned", "not coming, with a reason"), strict=True))


def chosen(words: list[str]) -> dict[str, dict[str, Any]]:
    """Entries of the catalogue by id, each paper once: those of the named files and ids, or all."""
    picked = [name for file, entries in CATALOGUE.items() for name in entries if not words or {file, name} & set(words)]
    return dict(map(entry_of, picked))


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


def totals(entries: dict[str, dict[str, Any]], claims: list[Any]) -> list[str]:
    """How many entries are in each state, and how many claims there are."""
    states = Counter(state(entry) for entry in entries.values())
    own = [c for c in claims if entry_of(c.id)[0] in entries]
    kinds = Counter("counted" if c.kind in COUNTED else c.kind for c in own if isinstance(c, Claim))
    rest = sum(not isinstance(c, Claim) for c in own)
    return [
        f"{len(entries)} entries: " + ", ".join(f"{states[s]} {WORDS[s]}" for s in STATES if states[s]),
        f"{kinds['counted']} claims checked; {kinds['identity']} identities and {kinds['data']} figures read off data beside them; "
        f"{rest} that nothing here can check",
    ]


def main(words: list[str]) -> None:
    entries, claims = chosen(words), list(every())
    count = Counter(entry_of(c.id)[0] for c in claims if isinstance(c, Claim) and c.kind in COUNTED)
    for kind in ("law", "theory_law", "procedure", "finding", "out_of_scope"):
        rows = [
            f"  {name:32}{count[name]:>3}  {', '.join(names(entry)) or entry.get('reason', 'planned')}"
            + (" (expressible)" if "expressible" in entry else "")
            for name, entry in entries.items()
            if entry["kind"] == kind
        ]
        if rows:
            print(f"{kind}: {len(rows)} (name, claims checked, provided by)", *rows, sep="\n", end="\n\n")
    for name in entries:
        own = [c for c in claims if entry_of(c.id)[0] == name]
        if own:
            print(name)
            print("\n".join(compared(c) if isinstance(c, Claim) else f"  {c.what}\n      not checked: {c.why}" for c in own))
    print("", *totals(entries, claims), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
