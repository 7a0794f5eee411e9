"""What a decision asks beyond its runs: how far its inputs lie outside them, and whether it counts compute as they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.runs import Runs
from ..core.table import Note
from .costs import six_nd
from .mixtures.reach import shares as beyond_shares

if TYPE_CHECKING:
    from .known import Known

_DISAGREES = 0.15  # of compute and cost; figures that were read off a plot differ by a tenth


def observed(runs: Runs | None, inputs: tuple[str, ...]) -> dict[str, np.ndarray]:
    """What the used runs hold of every scalar input, and epochs where unique tokens are an input."""
    return {} if runs is None else _with_epochs({name: runs[name][~runs.excluded] for name in inputs if runs[name].ndim == 1})


def notes(known: Known, cost: str, values: Mapping[str, Any], shares: Mapping[str, np.ndarray], widened: bool) -> list[Note]:
    """What to say of an answer with these values of inputs; `shares` of the runs by input, `widened`: do intervals reach back to them?"""
    return compute_of_runs(known.runs, cost) + extrapolation(known.runs, known.law.inputs, values) + beyond_shares(values, shares, widened)


def extrapolation(runs: Runs | None, inputs: tuple[str, ...], values: Mapping[str, Any]) -> list[Note]:
    """A note of how far values of a law's inputs, chosen and given, lie outside the runs."""
    seen = observed(runs, inputs)
    asked = _with_epochs({name: np.asarray(values[name], dtype=np.float64) for name in seen if name in values})
    above = {name: float(np.max(v) / seen[name].max()) for name, v in asked.items() if seen[name].max() > 0}
    below = {name: float(np.min(v) / seen[name].min()) for name, v in asked.items() if seen[name].min() > 0}
    said = [f"{factor:.3g} times the largest {name} of the runs" for name, factor in above.items() if factor > 1]
    short = [f"{factor:.3g} times the smallest {name} of the runs" for name, factor in below.items() if factor < 1]
    parts = [f"{which} {_listed(words)}" for which, words in (("up to", said), ("down to", short)) if words]
    return [Note(f"extrapolation: {', '.join(parts)}", "extrapolation")] if parts else []


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 2 else words)


def _with_epochs(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inputs and, of unique tokens U, the epochs D/U, on which laws of repeated data depend."""
    return {**values, "D/U (epochs)": values["D"] / values["U"]} if {"D", "U"} <= set(values) else values


def compute_of_runs(runs: Runs | None, cost: str) -> list[Note]:
    """A note where budgets are counted as 6 N D, and the runs count their own compute otherwise."""
    if cost != six_nd.__name__ or runs is None or not all(n in runs and runs[n].dtype.kind == "f" and runs[n].ndim == 1 for n in "NDC"):
        return []
    used = ~runs.excluded & (runs["C"] > 0) & (runs["N"] > 0) & (runs["D"] > 0)
    factor = runs["C"][used] / (runs["N"][used] * runs["D"][used])
    middle = float(np.median(factor)) if used.any() else 6.0
    if abs(middle / 6 - 1) <= _DISAGREES:
        return []
    same = np.ptp(factor) < 0.02 * middle
    said = f"C of the runs is {middle:.3g} N D{'' if same else ' in the median'}, and budgets are counted as 6 N D here"
    return [Note(f"{said}: to count them as the runs do, pass cost=lambda N, D: {middle:.3g} * N * D", "not-six-nd")]
