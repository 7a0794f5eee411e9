r"""Is the law's shape right? Residuals that follow each other along an input.

Four cosines of the rank of an input are added to the linearised law; if they explain more of the (winsorised) residuals than chance would,
by the F test of nested models, neighbours err together and the law bends otherwise than the runs. Along loss curves, and along the only
input of a law, the correlation of residuals that follow each other says how many independent numbers they hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..request import Request
from ..uncertainty.residuals import Rows, scaled

FLAGGED = 1e-3  # probability, times the inputs tried, below which a trend is said
CORRELATED = 0.5  # correlation of neighbouring steps from which it is said
_WAVES = 4
_CHANCE = 3.3  # standard errors: a correlation along an input below that is nothing


@dataclass(frozen=True)
class Trend:
    """How residuals follow each other along an input.

    Attributes:
        column: the input, or "C" for 6ND.
        F: statistic. p: probability of a larger one if the law is right, times the inputs tried.
        share: of the variance that the trend explains beyond chance.
    """

    column: str
    F: float
    p: float
    share: float

    @property
    def flagged(self) -> bool:
        """Beyond chance?"""
        return self.p < FLAGGED


def trends(request: Request, sets: Sequence[Rows]) -> tuple[Trend, ...]:
    """One for every input with enough values, and for compute; most significant first."""
    sets = [s for s in sets if s.counted.any()]
    if not sets or any(s.exact for s in sets):
        return ()
    rows = np.concatenate([s.row[s.counted] for s in sets])
    columns = _scales(request, rows)
    data = [scaled(s) for s in sets]
    found = [trend(name, x, data, len(columns)) for name, x in columns.items()]
    return tuple(sorted((t for t in found if t is not None), key=lambda t: t.p))


def _scales(request: Request, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Inputs with one number a run, and compute."""
    runs, law = request.runs, request.law
    columns = {name: runs[name][rows] for name in law.inputs if runs[name].ndim == 1 and name not in law.outcomes}
    if {"N", "D"} <= set(columns) and "C" not in columns:
        columns["C"] = columns["N"] * columns["D"]
    return columns


def trend(name: str, x: np.ndarray, data: Sequence[tuple[np.ndarray, np.ndarray]], tried: int) -> Trend | None:
    """The nested test along x, one number a counted row of the scaled `data`; None where x has too few values."""
    from scipy.special import fdtrc

    known, index, counts = np.unique(x, return_inverse=True, return_counts=True)
    waves = min(_WAVES, len(known) - 2)
    if waves < 1:
        return None
    place = (np.cumsum(counts) - counts / 2)[index] / len(x)
    pieces = np.split(np.cos(np.pi * np.outer(place, np.arange(1, waves + 1))), np.cumsum([len(y) for y, _ in data])[:-1])
    left = [(y - b @ (b.T @ y), p - b @ (b.T @ p)) for (y, b), p in zip(data, pieces, strict=True)]
    y, extra = np.concatenate([y for y, _ in left]), np.concatenate([p for _, p in left])
    values, vectors = np.linalg.eigh(extra.T @ extra)
    good = values > 1e-8 * len(x)
    q, spare = int(good.sum()), len(x) - sum(b.shape[1] for _, b in data) - int(good.sum())
    before = float(y @ y)
    if q < 1 or spare < 2 or before <= 0:
        return None
    gain = float(np.sum((vectors[:, good].T @ (extra.T @ y)) ** 2 / values[good]))
    after = max(before - gain, 0.0)
    F = gain / q / max(after / spare, 1e-300)
    share = max(1 - after / spare / (before / (q + spare)), 0.0)
    return Trend(name, F, min(float(fdtrc(q, spare, F)) * tried, 1.0), share)


def neighbours(request: Request, sets: Sequence[Rows]) -> float | None:
    """Correlation of residuals that follow each other: of steps of a curve, or along the law's only input where it is beyond chance.

    None where residuals do not follow each other.
    """
    if not request.curves and (request.series is None or any(s.exact for s in sets)):
        return None
    over = under = pairs = 0.0
    for s in sets:
        unit, weight, steps = s.unit.ravel(), s.weight.ravel(), s.weight.shape[1]
        order, curve = request.along(np.repeat(s.row, steps))
        both = (curve[1:] == curve[:-1]) & (weight[order[1:]] > 0) & (weight[order[:-1]] > 0)
        a, b = unit[order[1:]][both], unit[order[:-1]][both]
        over, under, pairs = over + float(a @ b), under + float(np.sqrt((a @ a) * (b @ b))), pairs + len(a)
    found = over / under if under > 0 else None
    return found if request.curves or found is None or found > _CHANCE / np.sqrt(pairs) else None


def said(found: Sequence[Trend], along: float | None, size: str, series: str | None) -> list[str]:
    """A sentence for the input along which residuals follow each other most, and one for curves or a `series`."""
    sentences = []
    most = max((t for t in found if t.flagged), key=lambda t: t.share, default=None)
    if most is not None:
        columns = ", ".join([most.column, *(t.column for t in found if t.flagged and t is not most)])
        sentences.append(
            f"residuals follow each other along {columns} (F = {most.F:.3g}, p = {most.p:.1g}, {100 * most.share:.0f} % of their "
            f"variance): the runs bend otherwise than the law. Half of them lie within {size} of it, but beyond them it may miss by more."
        )
    if along is not None and series is not None:
        sentences.append(
            f"residuals that follow each other along {series} correlate {along:.2f}: as if only about "
            f"{100 * (1 - along) / (1 + along):.2g} % of the rows were independent, which intervals allow for."
        )
    elif along is not None and along > CORRELATED:
        sentences.append(
            f"residuals of steps that follow each other on a curve correlate {along:.2f}: a curve holds no more independent numbers than "
            f"about {100 * (1 - along) / (1 + along):.2g} % of its steps; intervals must come from whole curves or blocks of steps."
        )
    return sentences
