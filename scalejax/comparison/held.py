"""`Holdout`: how well laws predicted runs that they had not seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core.errors import FitError
from ..core.table import Shown, Table, formatted, number
from ..posteriors.checks.predictive import LEVELS
from ..posteriors.checks.psis import stacking_weights
from .scores import Ranking, ranking, verdict


@dataclass(frozen=True, eq=False, repr=False)
class Holdout(Shown):
    """Predictions of left-out runs, see `holdout`; printing it gives the table.

    Attributes:
        laws, splits: names.
        rows, split: (observations,) row in the table of runs, and index of the split that left it out.
        lpd: (observations, laws) log predictive density of the output.
        error: (observations, laws) observed less predicted, of logarithms if `on` is "log".
        pit: (observations, laws) predictive probability of a smaller output; uniform if the intervals are right.
        on: scale of the residuals.
        method: "fit", or how posteriors were sampled.
        held: refits that ran away and were made anew with a weak prior, such as "m4 without the largest 25 %".
    """

    laws: tuple[str, ...]
    splits: tuple[str, ...]
    rows: np.ndarray
    split: np.ndarray
    lpd: np.ndarray
    error: np.ndarray
    pit: np.ndarray
    on: str
    method: str
    held: tuple[str, ...] = ()

    @cached_property
    def ranking(self) -> Ranking:
        """Order, elpd, difference to the best and its standard error."""
        return ranking(self.lpd)

    @property
    def best(self) -> str:
        """Name of the law with the highest log density of the left-out runs."""
        return self.laws[self.ranking.order[0]]

    @cached_property
    def weights(self) -> dict[str, float]:
        """Stacking weights: those of the mixture of laws that predicts the left-out runs best."""
        return dict(zip(self.laws, stacking_weights(self.lpd).tolist(), strict=True))

    @property
    def rmse(self) -> dict[str, float]:
        """Root mean square error of every law, of logarithms if `on` is "log"."""
        return dict(zip(self.laws, np.sqrt(np.mean(self.error**2, axis=0)).tolist(), strict=True))

    def coverage(self, level: float = 0.9) -> dict[str, float]:
        """Share of the left-out observations inside every law's interval for a new run at this `level`."""
        if not 0 < level < 1:
            raise FitError(f"level={level!r} must lie between 0 and 1, such as 0.9.")
        return dict(zip(self.laws, self._inside(level).mean(axis=0).tolist(), strict=True))

    def _inside(self, level: float) -> np.ndarray:
        return np.abs(self.pit - 0.5) <= level / 2

    @property
    def verdict(self) -> str:
        """Which law predicts best, in a sentence."""
        return verdict(self.laws, self.ranking)

    def table(self) -> Table:
        """Laws from best to worst: log density, how far behind the best, error, coverage of intervals, weight."""
        found, rmse = self.ranking, list(self.rmse.values())
        inside = [self._inside(level).mean(axis=0) for level in LEVELS]
        rows = [
            [
                self.laws[i], *(formatted(v[i], ".1f") for v in (found.elpd, found.difference, found.se)), number(rmse[i], 3),
                *(formatted(share[i], ".2f") for share in inside), formatted(self.weights[self.laws[i]], ".3f"),
            ]
            for i in found.order
        ]  # fmt: skip
        header = ["law", "log density", "behind", "std. error", self._rmse, *(f"in {100 * v:g} %" for v in LEVELS), "stacking weight"]
        how = "point fits" if self.method == "fit" else "posteriors"
        splits = "1 split" if len(self.splits) == 1 else f"{len(self.splits)} splits"
        note = f"{len(self.rows)} left-out observations, {splits}, {how}. {self.verdict}"
        held = [f"held by a weak prior: {', '.join(self.held)}"] if self.held else []
        return Table(header, rows, notes=[note.strip(), *held])

    def scores(self) -> Table:
        """The same for every split: which group, or how large a step of scale, does each law miss?"""
        rows = []
        for k, name in enumerate(self.splits):
            mine = self.split == k
            for i, law in enumerate(self.laws):
                rmse = float(np.sqrt(np.mean(self.error[mine, i] ** 2)))
                cells = (formatted(self.lpd[mine, i].mean(), ".3f"), number(rmse, 3), formatted(self._inside(0.9)[mine, i].mean(), ".2f"))
                rows.append([name, law, str(mine.sum()), *cells])
        return Table(["left out", "law", "observations", "mean log density", self._rmse, "in 90 %"], rows)

    @property
    def _rmse(self) -> str:
        return "RMSE of logs" if self.on == "log" else "RMSE"

    def _repr_html_(self) -> str:
        return self.table().html() + self.scores().html()
