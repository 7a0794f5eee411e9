"""The laws of a forecast as fits, for decisions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.errors import ConvergenceWarning, DecisionError, IdentifiabilityWarning
from ...core.runs import Runs
from ...fitting.fit import fit
from ...fitting.misfit import KNOTS
from ...fitting.objective.losses import huber
from ...fitting.result import Fit
from .columns import Columns
from .members import Candidates, Link, in_units
from .refits import Refits

_LEAST = 0.05  # weight of a law that is fitted, at least
_MOST = 5


def fits_of(
    columns: Columns,
    link: Link,
    values: np.ndarray,
    weights: dict[str, float],
    candidates: Sequence[tuple[Candidates, Refits]],
    weighting: int,
    row_weights: np.ndarray,
) -> dict[str, tuple[float, Fit]]:
    """The heaviest laws to their weights and fits, from the optimum and the weights of the runs that the forecast has.

    Args:
        candidates: the laws and their refits. weighting: from which of them a fit starts. row_weights: (n,) its weights of the runs.

    Raises:
        DecisionError: if the forecast is of groups.
    """
    if columns.groups:
        raise DecisionError("This forecast is of groups, apart; forecast the runs of one group to decide from it.")
    out: dict[str, tuple[float, Fit]] = {}
    for name in [n for n, w in list(weights.items())[:_MOST] if w >= _LEAST or len(weights) == 1]:
        given, refits = next(pair for pair in candidates if name in pair[0].names)
        index = given.names.index(name)
        params = refits.params(index, 0, weighting)
        law = given.law if given.masks is None else in_units(given, given.masks[index], params, link)
        start: dict[str, Any] = dict(law.published["fitted"]) if given.masks is not None else params
        start = {name: value for name, value in start.items() if name != KNOTS}
        table = {x: columns.runs[c] for x, c in given.columns.items() if x in law.inputs}
        with warnings.catch_warnings():  # what a law has against a decision, the decision says
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", IdentifiabilityWarning)
            fitted = fit(
                law, Runs({**table, law.output: values}), loss=huber(1e-3), on="linear" if link == "linear" else "log", starts=[start],
                weights=row_weights, misfit=given.misfit, sizes=given.sizes, unidentified="warn",
            )  # fmt: skip
        out[name] = weights[name], fitted
    return out
