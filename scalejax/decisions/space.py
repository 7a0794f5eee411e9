"""Chosen inputs: their coordinates, bounds and starting ranges, made from domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.domains import Domain, Fixed, Integer, Interval, Ordered, Positive, Simplex
from ..core.errors import DecisionError
from ..optimum.many import Box
from ..optimum.program import Program, Variable

_FAR = 1e14  # how far beyond the plausible range an input may go when nobody bounds it


def variable(name: str, domain: Domain, size: int = 0) -> Variable:
    """Coordinates of an input: positive ones as logarithms, all others as they are."""
    if isinstance(domain, Integer | Ordered | Fixed):
        raise DecisionError(f"{name} is {domain.support}, which cannot be varied smoothly; give the values to try with choices=.")
    if isinstance(domain, Simplex) and not size:
        raise DecisionError(f"{name} is a vector of weights; say how many there are.")
    return Variable(name, size, isinstance(domain, Positive), isinstance(domain, Simplex))


def limits(name: str, domain: Domain, bounds: Mapping[str, tuple[Any, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """(low, high) of an input in its own unit: as asked for, else hard bounds or far beyond the plausible range."""
    low: float | np.ndarray
    high: float | np.ndarray
    if isinstance(domain, Simplex | Interval):
        low, high = domain.low, domain.high
    elif isinstance(domain, Positive):
        low, high = min(domain.low, max(domain.low / _FAR, 1.0)), domain.high * _FAR
    else:
        low, high = -np.inf, np.inf
    if name in bounds:
        pair = [np.asarray(end, dtype=np.float64) for end in bounds[name]]
        if not (len(pair) == 2 and np.all(pair[0] < pair[1]) and (not isinstance(domain, Positive) or np.all(pair[0] > 0))):
            shown = ", ".join(f"{np.ravel(end)[0]:g}" for end in pair)
            positive = "be positive and " if isinstance(domain, Positive) else ""
            raise DecisionError(f"bounds of {name} are ({shown}); they must {positive}rise.")
        low, high = (np.maximum(pair[0], low), np.minimum(pair[1], high)) if isinstance(domain, Interval) else pair
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)


def box(program: Program, domains: Mapping[str, Domain], bounds: Mapping[str, tuple[Any, Any]], scenarios: int = 1) -> Box:
    """Bounds and starting ranges of all chosen inputs, packed. A bound may have a trailing axis of scenarios."""
    lows, highs, first, last = [], [], [], []
    for v in program.variables:
        domain = domains[v.name]
        ends = [np.broadcast_to(end if end.ndim != 1 or not v.size else end[:, None], (v.width, scenarios)) for end in
                limits(v.name, domain, bounds)]  # fmt: skip
        low, high = (np.log(end) for end in ends) if v.log else ends
        lows.append(low)
        highs.append(high)
        around = np.log([domain.low, domain.high]) if v.log else np.asarray([domain.low, domain.high], dtype=np.float64)
        around = np.clip(around[:, None], low[:, 0], high[:, 0])
        narrow = around[1] <= around[0]
        first.append(np.where(narrow, low[:, 0], around[0]))
        last.append(np.where(narrow, high[:, 0], around[1]))
    return Box(np.concatenate(lows), np.concatenate(highs), (np.concatenate(first), np.concatenate(last)))
