"""Cells of a grid of hyper-parameters, and those whose best run has the outermost value tried: there the best value is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ...core.errors import DataError
from ...core.runs import Runs
from ...core.table import Note

_FEW = 3  # cells that are named; of more the number is said as well


def cells_of(runs: Runs, cells: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Number of every run's cell, -1 for rows left out, and the cells' values, (cells, len(cells))."""
    names = (cells,) if isinstance(cells, str) else tuple(cells)
    used = ~runs.excluded
    values, inverse = np.unique(np.stack([runs[name][used] for name in names], axis=1), axis=0, return_inverse=True)
    index = np.full(len(runs), -1)
    index[used] = inverse.reshape(-1)
    return index, values


def labels_of(names: Sequence[str], values: np.ndarray) -> list[str]:
    """How cells are called: "N=1e+08, D=1e+11"."""
    return [", ".join(f"{n}={v:.6g}" for n, v in zip(names, row, strict=True)) for row in values]


def outermost(best: float, tried: np.ndarray) -> str:
    """Which of the values tried the best one is, "highest", "lowest" or "only", if none lies on its other side; else ""."""
    low, high = tried.min(), tried.max()
    if low == high:
        return "only"
    return "highest" if best >= high else "lowest" if best <= low else ""


def cut_off(runs: Runs, name: str, cells: Sequence[str], loss: str) -> dict[str, str]:
    """Cells whose best run has the outermost value of a hyper-parameter, and which; values of runs that diverged were tried as well."""
    index, places = cells_of(runs, cells)
    where, failed = np.stack([runs[c] for c in cells], axis=1), ~np.isfinite(runs[loss])
    found = {}
    for i, (place, label) in enumerate(zip(places, labels_of(cells, places), strict=True)):
        rows = np.flatnonzero((index == i) & ~failed)
        if len(rows):
            tried = (index == i) | (failed & (where == place).all(axis=1))
            found[label] = outermost(runs[name][rows[np.argmin(runs[loss][rows])]], runs[name][tried])
    return {label: side for label, side in found.items() if side}


def listed(places: Iterable[str]) -> str:
    """All of a few names, or the first of many and how many there are."""
    places = list(places)
    if len(places) <= _FEW:
        return "; ".join(places)
    return f"{'; '.join(places[:_FEW])} and {len(places) - _FEW} more"


def left_out(name: str, sides: Mapping[str, str], consequence: str) -> list[Note]:
    """A note that names the cells (or trials) where a hyper-parameter's best value is the outermost one, and what follows."""
    return [Note(f"the {where_cut(name, sides)}: {consequence}", "edge-of-grid")] if sides else []


def where_cut(name: str, sides: Mapping[str, str]) -> str:
    """What is cut off where: "best lr is the highest value tried at N=1e+08, D=1e+11 and N=1e+09, D=1e+11"."""
    parts = []
    for side in sorted(set(sides.values())):
        places = [label for label, its in sides.items() if its == side]
        parts.append(f"the {side} value tried at {listed(places)}")
    return f"best {name} is {' and '.join(parts)}"


def check_varied(name: str, values: np.ndarray, where: str) -> None:
    """Refuse one and the same best value everywhere: the steps of the grid, which would be its error, are not known to a fit."""
    if np.ptp(np.log(values)) < 1e-9:
        raise DataError(
            f"The best {name} is {values[0]:.4g} in all of {where}, so that the runs tell its power no better than the grid's steps; "
            "try values closer together."
        )
