"""How the law did when it was asked to look ahead: its largest runs held out, and predicted from the others."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import comb

import numpy as np

from ..comparison.holdout import holdout
from ..core.errors import ScalejaxError
from ..fitting.result import Fit
from .plots import points

SHARE = 0.2  # of the runs that are left out
FEWEST = 15  # runs, fewer leave nothing to learn from
CHANCE = 0.05  # of so few runs inside the band, below which it is too narrow


@dataclass(frozen=True)
class BeyondRuns:
    """A hold-out of the largest runs.

    Attributes:
        factor: how many times larger the largest run is than the largest that was kept. scale: in what, such as "compute".
        count: runs held out. error: their median relative error. inside: how many lie in the interval for a new run. level: of it.
    """

    factor: float
    scale: str
    count: int
    error: float
    inside: int
    level: float

    @property
    def failed(self) -> bool:
        """Lie so few runs inside the band that it must be too narrow?"""
        chance = sum(comb(self.count, k) * self.level**k * (1 - self.level) ** (self.count - k) for k in range(self.inside + 1))
        return chance < CHANCE

    @property
    def sentence(self) -> str:
        """What happened."""
        return (
            f"Asked to look {self.factor:.2g} times ahead in {self.scale} ({self.count} largest runs held out), this law missed by "
            f"{100 * self.error:.2g} %, and its {100 * self.level:g} % band held {self.inside} of {self.count}."
        )


def predict_largest(fit: Fit, level: float) -> BeyondRuns | None:
    """The law fitted to all but the largest fifth of the runs and asked for these; None where that cannot be done."""
    scale, request = points.default_scale(fit), fit.request
    used = points.used_rows(fit)
    if fit.runs[fit.law.output].ndim > 1 or scale is None or len(used) < max(FEWEST, 2 * request.layout.size):
        return None
    size = np.full(len(fit.runs), np.nan)
    size[used] = points.column(fit, scale)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a refit is in doubt shows in what it predicts
            found = holdout(fit.law, fit.runs, largest=SHARE, scale=size, weights=request.weights, **fit.asked_again)
    except ScalejaxError:
        return None
    left = np.isin(used, found.rows)
    kept = size[used[~left]].max()
    if not (found.rows.size and 0 < kept < size[used].max()):
        return None
    observed = fit.runs[fit.law.output][found.rows]
    relative = np.expm1(np.abs(found.error[:, 0])) if request.on == "log" else np.abs(found.error[:, 0] / observed)
    name = "compute" if scale == "C" else scale
    inside = round(len(found.rows) * found.coverage(level)[found.laws[0]])
    return BeyondRuns(
        factor=float(size[used].max() / kept), scale=name, count=len(found.rows), error=float(np.median(relative)), inside=inside,
        level=level,
    )  # fmt: skip
