"""Where fits start: a spread over the plausible ranges, a grid as the papers use, or points of the user's own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.errors import FitError, suggest
from ...core.laws.domains import Positive
from ..objective.layout import Layout, Slot

Starts = int | Mapping[str, Any] | Sequence[Mapping[str, Any]]
DEFAULT = 2048


def make_starts(layout: Layout, starts: Starts | np.ndarray | None, seed: int) -> np.ndarray:
    """Unconstrained starts of shape (size, count).

    Args:
        layout: of the free parameters.
        starts: a number of Latin-hypercube points over the plausible ranges (default 2048); a mapping of names to lists, for the full grid
            of natural values (a parameter left out starts in the middle of its range); or a list of parameter mappings.
        seed: of the Latin hypercube.
    """
    if isinstance(starts, np.ndarray):  # from inside: unconstrained points (size, count)
        return starts
    if starts is None or isinstance(starts, int | np.integer):
        count = DEFAULT if starts is None else int(starts)
        if count < 1:
            raise FitError(f"starts={count} must be at least 1.")
        return _latin_hypercube(layout, count, seed)
    if isinstance(starts, Mapping):
        names = [slot.name for slot in layout.slots]
        _check_names(starts, names)
        axes = [np.atleast_1d(np.asarray(starts.get(n, middle(s)), dtype=np.float64)) for n, s in zip(names, layout.slots, strict=True)]
        if all(slot.size is None for slot in layout.slots):
            return _grid(layout, axes)
        points = [dict(zip(names, point, strict=True)) for point in itertools.product(*axes)]
    else:
        try:
            points = [dict(point) for point in starts]
        except (TypeError, ValueError):
            raise FitError(f"starts={starts!r} must be a number, a mapping of lists, or a list of parameter mappings.") from None
        if not points:
            raise FitError("The list of starts is empty; give at least one mapping of parameter values.")
    return np.stack([_unconstrained(layout, point) for point in points], axis=1)


def middle(slot: Slot) -> Any:
    """Natural value in the middle of a parameter's plausible range."""
    u = np.asarray(slot.domain.sample(np.full(slot.free, 0.5)))
    value = np.asarray(slot.domain.forward(u))
    return value if slot.size is not None else float(value[0])


def _latin_hypercube(layout: Layout, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    columns = []
    for slot in layout.slots:
        # Groups start from the same point; only the shape of the landscape tells them apart.
        uniform = (np.stack([rng.permutation(count) for _ in range(slot.free)]) + rng.random((slot.free, count))) / count
        columns.append(np.tile(np.asarray(slot.domain.sample(uniform)), (slot.copies, 1)))
    return np.concatenate(columns)


def _grid(layout: Layout, axes: list[np.ndarray]) -> np.ndarray:
    """Full grid of scalar parameters, each axis transformed once."""
    free = [np.asarray(slot.domain.inverse(_off_zero(slot, axis))) for slot, axis in zip(layout.slots, axes, strict=True)]
    _check_finite(free, axes)
    points = np.stack(np.meshgrid(*free, indexing="ij")).reshape(len(free), -1)
    return np.repeat(points, [slot.copies for slot in layout.slots], axis=0)


def _off_zero(slot: Slot, value: np.ndarray) -> np.ndarray:
    """Published grids contain 0 for exponents, whose logarithm is not finite: a tenth of the range's lower end stands for it."""
    return np.where(value == 0, 0.1 * slot.domain.low, value) if isinstance(slot.domain, Positive) else value


def _check_finite(theta: Any, given: Any) -> None:
    if not all(np.isfinite(t).all() for t in theta):
        raise FitError(f"The starts {given} lie outside the parameters' domains; choose values inside.")


def _check_names(given: Mapping[str, Any], names: list[str]) -> None:
    for name in given:
        if name not in names:
            raise FitError(f"starts names {name!r}, which is not a free parameter; {suggest(name, names)}")


def _unconstrained(layout: Layout, point: Mapping[str, Any]) -> np.ndarray:
    _check_names(point, [slot.name for slot in layout.slots])
    full = {s.name: _off_zero(s, np.asarray(point.get(s.name, middle(s)), dtype=np.float64)) for s in layout.slots}
    theta = layout.inverse(full)
    _check_finite([theta], dict(point))
    return theta
