"""Do residuals go with columns that the fit does not use? The tests of `clusters` and `trends`, over columns from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.runs import Runs
from ..uncertainty.residuals import Rows, scaled
from .clusters import Cluster, Partition, cluster, coded, mean_residuals
from .trends import FLAGGED, Trend, trend


@dataclass(frozen=True)
class Unused:
    """A column that residuals go with.

    Attributes:
        column: its name.
        p: probability of going so well together by chance, times the tests made. share: of the variance of the residuals.
    """

    column: str
    p: float
    share: float


def unused(columns: Mapping[str, np.ndarray], sets: Sequence[Rows]) -> tuple[Unused, ...]:
    """Those of the columns, a value a row of the fitted table, that residuals go with beyond chance, most significant first."""
    sets = [s for s in sets if s.counted.any()]
    if not columns or not sets or any(s.exact for s in sets):
        return ()
    rows, data, runs = np.concatenate([s.row[s.counted] for s in sets]), [scaled(s) for s in sets], Runs(dict(columns))
    raw, tried, found = mean_residuals(sets), 2 * len(columns), []
    for name in columns:
        values, named = runs[name][rows], coded(runs, name, rows)
        groups = named is not None and 2 <= len(named[0]) <= len(rows) / 2
        tests: list[Cluster | Trend | None] = (
            [cluster(Partition(name, (), *named, False), raw, data, tried)] if named is not None and groups else []
        )
        tests += [trend(name, values, data, tried)] if values.dtype.kind == "f" else []
        best = min((t for t in tests if t is not None), key=lambda t: t.p, default=None)
        if best is not None and best.p < FLAGGED:
            found.append(Unused(name, best.p, best.share))
    return tuple(sorted(found, key=lambda u: u.p))
