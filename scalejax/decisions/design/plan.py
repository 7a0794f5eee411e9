"""`NextRuns`: the runs to train next, and how sure they are expected to make us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.answer import without
from ...core.errors import DecisionError
from ...core.table import Shown, Table, number
from ...fitting.uncertainty.intervals import quantile_of

_SHOWN = 20  # runs of a long plan that a table shows
_SAYS = {
    "target": "the variance of the target",
    "D": "the information on all parameters (D-optimal)",
    "random": "chance",
    "cheapest": "cost, cheapest first",
}


@dataclass(frozen=True, eq=False, repr=False)
class NextRuns(Shown):
    """Runs to train next, in the order in which they pay most.

    Attributes:
        runs: the chosen inputs by name, one entry a run.
        index: (runs,) their rows in the candidates; -1 for points of a continuous space.
        cost: (runs,) cost of each.
        target: the target at the fit, a number or (k,).
        deviation: (runs + 1,) or (runs + 1, k) standard deviation of the target now, and as expected after each run.
        log: is it the deviation of the target's logarithm (a relative error)?
        noise: standard deviation of one run's residual that was reckoned with.
        criterion, method: how they were chosen, and from which knowledge.
        budget: what could be spent; infinite without a budget.
        considered: number of candidates.
        silent: why no interval can be had, or "": then the noise is a guess, and the deviations say only which share of them is left.
    """

    runs: Mapping[str, np.ndarray]
    index: np.ndarray
    cost: np.ndarray
    target: Any
    deviation: np.ndarray
    log: bool
    noise: float
    criterion: str
    method: str
    budget: float
    considered: int
    silent: str = ""

    @property
    def total(self) -> float:
        """Cost of all chosen runs."""
        return float(self.cost.sum())

    def __len__(self) -> int:
        return len(self.cost)

    def interval(self, level: float = 0.9) -> dict[str, tuple[Any, Any]]:
        """(low, high) of the target at this confidence `level`: "before" the runs and, as expected, "after" all of them.

        Both are centred on today's estimate: what the runs will show is not known, how sure they will make us is.

        Raises:
            DecisionError: if the runs of the fit tell nothing of their noise, and no noise= was given.
        """
        if self.silent:
            raise DecisionError(without("plan", self.silent))
        z = quantile_of(level)
        return {name: self._ends(z * self.deviation[i]) for name, i in (("before", 0), ("after", -1))}

    def _ends(self, half: Any) -> tuple[Any, Any]:
        ends = (self.target * np.exp(-half), self.target * np.exp(half)) if self.log else (self.target - half, self.target + half)
        low, high = (float(end) if np.ndim(end) == 0 else end for end in ends)
        return low, high

    def table(self, level: float = 0.9) -> Table:
        """A row for every run, in order: inputs, cost, cost so far, and how sure the target will be (for several, the mean share).

        Of plans of more than 24 runs the first 20 and the last 2 are shown; `runs` holds all.
        """
        z, several = quantile_of(level), np.ndim(self.target) > 0 or bool(self.silent)
        head = ["run", *self.runs, "cost", "spent", "deviation left" if several else f"target {100 * level:g} %"]
        spent, rows = np.concatenate([[0.0], np.cumsum(self.cost)]), []
        for i, deviation in enumerate(self.deviation):
            if several:
                sure = f"{100 * np.sqrt(np.mean(_share(deviation, self.deviation[0]) ** 2)):.3g} %"
            else:
                sure = " – ".join(number(end) for end in self._ends(z * deviation))
            inputs = [_cell(column[i - 1]) for column in self.runs.values()] if i else [""] * len(self.runs)
            rows.append([str(i) if i else "now", *inputs, f"{self.cost[i - 1]:.3g}" if i else "", f"{spent[i]:.3g}" if i else "", sure])
        if len(self) > _SHOWN + 4:
            between = ["…", *[""] * (len(head) - 2), f"{len(self) - _SHOWN - 2} runs"]
            rows = [*rows[: _SHOWN + 1], between, *rows[-2:]]
        return Table(head, rows, notes=self._notes())

    def _notes(self) -> list[str]:
        before, after = (np.sqrt(np.mean(self.deviation[i] ** 2)) for i in (0, -1))
        what = "relative standard deviation" if self.log else "standard deviation"
        left = f"{what} of the target {before:.3g} now, {after:.3g} expected after them, if the law is right"
        if self.silent:
            left = f"{100 * after / before:.3g} % of the {what} of the target is left after them, if the law is right; {self.silent}"
        budget = f" of a budget of {self.budget:.3g}" if np.isfinite(self.budget) else ""
        return [
            f"{len(self)} runs for {self.total:.3g}{budget}, from {self.considered:,} candidates by {_SAYS[self.criterion]}",
            f"{left} ({self.method}; noise of a run {self.noise:.3g})",
        ]


def _share(deviation: np.ndarray, first: np.ndarray) -> np.ndarray:
    return deviation[first > 0] / first[first > 0]


def _cell(value: Any) -> str:
    if isinstance(value, str | np.str_):
        return str(value)
    return f"{value:.4g}" if np.ndim(value) == 0 else " ".join(f"{v:.3g}" for v in value)
