"""One word for a fit, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["good", "doubtful", "poor"]


@dataclass(frozen=True)
class Remark:
    """Something that speaks against a fit.

    Attributes:
        code: one word, as it stands in the printed fit after "flag".
        message: what, where, what to do.
        grave: does it alone make the fit useless for what a law is fitted for?
    """

    code: str
    message: str
    grave: bool = False


@dataclass(frozen=True)
class Verdict:
    """Whether to believe a fit.

    Attributes:
        level: "good" if nothing was found that speaks against it, "poor" if it is of no use as it stands, else "doubtful".
        reasons: what speaks against it, a sentence or two each. codes: the same in a word each.
    """

    level: Level
    reasons: tuple[str, ...]
    codes: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Does nothing speak against the fit?"""
        return self.level == "good"

    def __str__(self) -> str:
        return self.level + (f" ({', '.join(self.codes)})" if self.codes else "")


def judged(remarks: Sequence[Remark]) -> Verdict:
    """The verdict that follows from remarks."""
    level: Level = "good" if not remarks else "poor" if any(r.grave for r in remarks) else "doubtful"
    return Verdict(level, tuple(r.message for r in remarks), tuple(dict.fromkeys(r.code for r in remarks)))
