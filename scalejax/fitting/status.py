"""How a fit ended: a short name and a sentence for each case."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np


class Status(StrEnum):
    """Outcome of one start, or of a whole fit."""

    CONVERGED = "converged"
    BOUNDARY = "at boundary"
    FLAT = "flat direction"
    DOUBTFUL = "uncertain optimum"
    STOPPED = "stopped early"
    MAX_ITERATIONS = "max iterations"
    STUCK = "did not move"
    NOT_FINITE = "not finite"
    GIVEN_UP = "given up"
    BLOCKED = "blocked"
    TOO_FEW = "too few runs"

    @property
    def sentence(self) -> str:
        """What it means."""
        return _SENTENCES[self]

    @property
    def usable(self) -> bool:
        """Is the parameter vector what was asked for: an optimum (perhaps at a boundary or along a flat direction), or an early stop?

        An uncertain optimum is the best that was found, but the runs, or the search, do not single it out.
        """
        return self in (Status.CONVERGED, Status.BOUNDARY, Status.FLAT, Status.DOUBTFUL, Status.STOPPED)


_SENTENCES = {
    Status.CONVERGED: "No step can lower the objective further.",
    Status.BOUNDARY: "The optimum lies at the edge of a parameter's support; the other parameters are converged.",
    Status.FLAT: "The objective does not change along some direction; parameters along it are not determined.",
    Status.DOUBTFUL: "Hardly any other start found this optimum, or a parameter lies far from plausible: the runs may not single it out.",
    Status.STOPPED: "The solver stopped before the optimum, as its settings ask; intervals belong to optima and do not hold here.",
    Status.MAX_ITERATIONS: "The iteration limit was reached first; raise it or look at the starts.",
    Status.STUCK: "No step from the start lowered the objective, and the start is no optimum.",
    Status.NOT_FINITE: "The objective is not finite at the start.",
    Status.BLOCKED: "No step lowers the objective although its derivatives are not zero: the law jumps here, or has no value beyond.",
    Status.TOO_FEW: "There are fewer observations than parameters, so that many values fit them equally well.",
    Status.GIVEN_UP: "Other starts were far ahead, or had long agreed on a better optimum.",
}

# The order is the integer code that compiled solvers use; 0 means still running.
CODES = (None, *Status)


def code(status: Status) -> int:
    """Integer code of a status inside compiled programs."""
    return CODES.index(status)


_NAMED = 6


def failures(groups: Sequence[str], statuses: Sequence[Status]) -> str:
    """The groups whose parameters are not what was asked for, with how they ended: "a (not finite), b (did not move)"; "" without any."""
    bad = [f"{name} ({status.value})" for name, status in zip(groups, statuses, strict=False) if not status.usable]
    return ", ".join(bad[:_NAMED]) + (f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else "")


class Ends(NamedTuple):
    """Where members of a batch ended: theta (size, members), and for each the objective, the iterations and the code of its status."""

    theta: np.ndarray
    objective: np.ndarray
    iterations: np.ndarray
    status: np.ndarray


def no_ends(theta: np.ndarray) -> Ends:
    """Ends to be filled in, of members that begin at theta."""
    members = theta.shape[1]
    return Ends(np.array(theta, float), np.full(members, np.inf), np.zeros(members, int), np.zeros(members, int))
