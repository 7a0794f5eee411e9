"""What the runs never varied tells nothing of what would change: such shares and inputs are not chosen, but kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.errors import DecisionError
from ..optimum.many import Box
from .known import Known
from .question import Question

_SAME = 1e-9  # shares that differ by less are one share
_SEEN = 1e-6  # part of a change of the mixture, beyond what the runs varied, that counts as unseen


def trained_mixtures(k: Known, h: str) -> np.ndarray | None:
    """(mixtures, domains) that the law was fitted to; None where parameters come from elsewhere: bare, fixed, or with a prior."""
    return None if getattr(k.source, "priors", None) is not None else run_mixtures(k, h)


def run_mixtures(k: Known, h: str) -> np.ndarray | None:
    """(mixtures, domains) of the runs, a prior beside them or not; None where parameters are bare or fixed."""
    if k.fit is None:
        return None
    law, request = k.law, k.fit.request
    along = [n for n in law.parameters if law.domains[n].axis == law.domains[h].axis]
    if all(n in request.fix for n in along) and along:
        return None
    return np.unique(k.fit.runs[h][~k.fit.runs.excluded], axis=0)


def run_shares(question: Question, k: Known) -> dict[str, np.ndarray]:
    """Chosen input of shares to those of the runs, (mixtures, domains), where they are known."""
    given = {v.name: run_mixtures(k, v.name) for v in question.program.variables if v.simplex}
    return {name: h for name, h in given.items() if h is not None}


def kept_shares(trained: Sequence[np.ndarray], names: Sequence[str]) -> dict[int, float]:
    """Domain to the share that all mixtures of a target's runs have.

    Raises:
        DecisionError: if the runs of two targets have different shares.
    """
    kept: dict[int, float] = {}
    for h in trained:
        for i in np.flatnonzero(np.ptp(h, axis=0) < _SAME).tolist():
            share = float(h[0, i])
            if abs(kept.setdefault(i, share) - share) > _SAME:
                raise DecisionError(
                    f"{names[i]} is {kept[i]:g} in all runs of one target and {share:g} in all of another, so nothing tells what a share "
                    "in between does; train mixtures that vary it."
                )
    return kept


def hold_unvaried(question: Question, k: Known) -> tuple[Question, str]:
    """The question with shares that no run varied held where they were, and a note that says so.

    Raises:
        DecisionError: if another input that no run varied is to be chosen.
    """
    said = []
    for v, at in reversed(question.program.places):  # from the last, so that places before keep theirs
        if not v.simplex:
            _check_input(v.name, k)
            continue
        trained, names = trained_mixtures(k, v.name), [f"{v.name}[{i}]" for i in range(v.size)]
        if trained is None:
            continue
        kept, low, high = kept_shares([trained], names), question.box.low.copy(), question.box.high.copy()
        low[at], high[at] = keep(low[at], high[at], kept, names)
        check_directions([trained], low[at], high[at], names)
        if kept:
            start = tuple(np.clip(end, low[:, 0], high[:, 0]) for end in question.box.plausible)
            places = np.delete(np.arange(len(low)), at.start + np.asarray(list(kept)))
            box = Box(low[places], high[places], (start[0][places], start[1][places]))
            question = question._replace(program=question.program.holding(v.name, kept), box=box)
            said.append(note(kept, names))
    return question, "; ".join(said)


def _check_input(name: str, k: Known) -> None:
    """Raise a DecisionError if all runs have one value of this input, and nothing else says what another one does."""
    if k.fit is None or name not in k.law.inputs or getattr(k.source, "priors", None) is not None:
        return
    request, column = k.fit.request, k.fit.runs[name][~k.fit.runs.excluded]
    if not (request.fix or request.tie or request.bounds) and column.ndim == 1 and np.ptp(column) <= _SAME * abs(column[0]):
        raise DecisionError(
            f"{name} is {column[0]:.6g} in all runs of the fit, so nothing tells what another {name} does; pass {name}={column[0]:.6g}, or "
            "add runs that vary it."
        )


def keep(low: np.ndarray, high: np.ndarray, kept: dict[int, float], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Floors and caps (domains, path) with these shares held.

    Raises:
        DecisionError: if a floor or cap asks for another share, or the held shares leave no mixture.
    """
    low, high = low.copy(), high.copy()
    for i, share in kept.items():
        if (low[i] > share + _SAME).any() or (high[i] < share - _SAME).any():
            raise DecisionError(
                f"{names[i]} is {share:g} in all runs, so nothing tells what another share does, and floors= or caps= rule {share:g} out; "
                "train mixtures that vary it."
            )
        low[i] = high[i] = share
    if (low.sum(axis=0) > 1 + 1e-9).any() or (high.sum(axis=0) < 1 - 1e-9).any():
        raise DecisionError(
            f"{_listed(kept, names)} in all runs and kept so, which with floors= and caps= leaves no mixture; train mixtures that vary "
            "them, or loosen the limits."
        )
    return low, high


def check_directions(trained: Sequence[np.ndarray], low: np.ndarray, high: np.ndarray, names: Sequence[str]) -> None:
    """Raise a DecisionError if mixtures within the limits differ in a way in which no mixtures of the runs did."""
    free = np.flatnonzero((high - low > _SAME).any(axis=1))
    allowed = np.zeros((max(len(free) - 1, 0), len(names)))
    allowed[:, free[:1]] = -1.0
    allowed[np.arange(len(allowed)), free[1:]] = 1.0
    for h in trained:
        if not len(allowed):
            continue
        _, sizes, seen = np.linalg.svd(h - h.mean(axis=0), full_matrices=False)
        seen = seen[sizes > _SEEN * np.sqrt(len(h))]
        unseen = allowed - allowed @ seen.T @ seen
        _, strength, directions = np.linalg.svd(unseen, full_matrices=False)
        if strength[0] > _SEEN:
            loads = np.abs(directions[0])
            few = [names[int(i)] for i in np.flatnonzero(loads > 0.1 * loads.max())]
            raise DecisionError(
                f"The mixtures of the runs vary in {len(seen)} directions, too few for the {len(free)} domains that are free: nothing "
                f"tells shares of {', '.join(few)} apart. Train mixtures that vary them against each other, or make one domain of those "
                "that always go together."
            )


def note(kept: dict[int, float], names: Sequence[str]) -> str:
    """Which domains stay where they are, and why."""
    return f"{_listed(kept, names)} in all runs, and kept: nothing tells what another share does"


def _listed(kept: dict[int, float], names: Sequence[str]) -> str:
    return ", ".join(f"{names[i]} is {share:.4g}" for i, share in kept.items())
