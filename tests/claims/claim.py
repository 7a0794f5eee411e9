"""A claim: a figure that is stated somewhere, and the computation that must give it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
