"""`Diagnosis`: everything that speaks against a fit, computed when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...core.numeric.precision import double
from ...core.table import Table, number
from ..status import Status, failures
from ..uncertainty.residuals import Rows, rows_of
from . import baseline, clusters, groups, naming, outliers, trends
from .trends import Trend
from .verdict import Remark, Verdict, judged

if TYPE_CHECKING:
    from ..request import Request
    from ..result import Fit

_ENOUGH = 2  # degrees of freedom, fewer are said
_AGREE = 0.1  # share of the refined starts that must have found the best optimum


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """The diagnosis that belongs to every fit; `fit.verdict` sums it up, and printing the fit shows its remarks.

    Attributes:
        fit: the fit.
        expected: the same regression with every observation where the law predicts it, if derivatives depend on observations (counts):
            those at the noise itself would pass for a direction that the fit cannot follow.
        counts: which of its runs were counted, if any were.
        asked: the fit in the words of its user, where `fit` is the regression behind it.
    """

    fit: Fit
    expected: Request | None = None
    counts: groups.Counts | None = None
    asked: Fit | None = None

    @cached_property
    @double
    def rows(self) -> list[Rows]:
        """Residuals with their derivatives, set by set."""
        found = rows_of(self.fit.request, self.fit.theta)
        if self.expected is None:
            return found
        return [replace(one, slope=other.slope) for one, other in zip(found, rows_of(self.expected, self.fit.theta), strict=True)]

    @property
    def counted(self) -> str:
        """How much was fitted, in words: runs, points of curves, or losses of several targets."""
        fit, numbers = self.fit, sum(int((rows.weight > 0).sum()) for rows in self.rows)
        if fit.runs[fit.law.output].ndim == 1:
            return f"{numbers:,} runs"
        return f"{numbers:,} points of {fit.runs.used:,} curves" if fit.request.curves else f"{numbers:,} losses of {fit.runs.used:,} runs"

    @cached_property
    def clusters(self) -> tuple[clusters.Cluster, ...]:
        """Analysis of variance of the residuals over every column that repeats its values, most significant first."""
        return clusters.clusters(self.fit.request, self.rows)

    @property
    def units(self) -> str | None:
        """The column whose groups err together so strongly that they, not rows, are the units to resample; None if rows are."""
        runs = self.fit.runs
        return next((c.column for c in sorted(self.clusters, key=lambda c: -c.share) if c.strong and runs[c.column].ndim == 1), None)

    @cached_property
    def trends(self) -> tuple[trends.Trend, ...]:
        """Whether residuals follow each other along an input: the law bends otherwise than the runs. Most significant first."""
        return trends.trends(self.fit.request, self.rows)

    @cached_property
    def neighbours(self) -> float | None:
        """Correlation of residuals that follow each other, on curves or along the law's only input; None where they do not."""
        return trends.neighbours(self.fit.request, self.rows)

    @cached_property
    @double
    def outliers(self) -> outliers.Outliers:
        """Runs that the law misses by far more than the others, and the runs that decide the answer."""
        return outliers.find_outliers(self.fit.request, self.fit.theta, self.rows, self.fit.starts.theta)

    @cached_property
    @double
    def without(self) -> Fit | None:
        """The law fitted without the outliers, by the program of the fit; None if there are none."""
        return outliers.fitted_without(self.fit, self.outliers) if len(self.outliers) else None

    @cached_property
    @double
    def groups(self) -> tuple[groups.Described, ...]:
        """How well the law describes every group, or all runs: status, agreeing starts, R² against a constant, median residual."""
        found = self.outliers
        others = rows_of(self.fit.request, found.theta) if len(found) else self.rows
        return groups.described(self.fit, self.rows, others, found.rows, self.counts)

    def __repr__(self) -> str:
        return "\n".join([f"{self.fit.law.name}: {self.verdict}", self.table().text(), *(f"{r.code}: {r.message}" for r in self.remarks)])

    def table(self, most: int | None = None) -> Table:
        """`groups` as a table, or the `most` of them that the law describes worst."""
        return groups.table(self.groups, " and ".join(self.fit.request.columns), most)

    @cached_property
    @double
    def remarks(self) -> tuple[Remark, ...]:
        """What speaks against the fit, most basic first."""
        hopeless = baseline.hopeless(self.groups)
        found = [
            *self._of_search(),
            *(Remark("baseline", s, grave=hopeless) for s in baseline.said(self.asked or self.fit, self.groups)),
            *(Remark("step", s) for s in baseline.stepped(self.fit)),
        ]
        if hopeless and len(self.rows) == 1:  # what is far from a law that describes nothing is not an outlier
            return tuple(found)
        found += [
            *(Remark("outliers", s) for s in self._of_outliers()),
            *(Remark("leverage", s) for s in naming.decisive(self.outliers, self.fit)),
            *(Remark("clusters", s) for s in clusters.said(self.clusters, self.rows, self.fit.request.on, self.outliers.rows)),
            *(Remark("trend", s) for s in trends.said(*self._bend, self._size, self.fit.request.series)),
        ]
        return tuple(found)

    @cached_property
    def verdict(self) -> Verdict:
        """Whether to believe the fit, and why."""
        return judged(self.remarks)

    @property
    def _bend(self) -> tuple[tuple[Trend, ...], float | None]:
        """Trends and correlation of neighbours of the fit without the outliers, which would bend it."""
        source = self
        if len(self.rows) == 1 and self.without is not None:  # of many sets the one that is bent hardly counts
            source = self.without.diagnosis
        return source.trends, source.neighbours

    @property
    def _size(self) -> str:
        """Of an ordinary residual, in words."""
        half = float(np.median(np.concatenate([np.abs(r.residual[r.weight > 0]) for r in self.rows])))
        return f"{100 * half:.2g} %" if self.fit.request.on == "log" else number(half, 2)

    def _of_search(self) -> list[Remark]:
        """Status, degrees of freedom and agreeing starts; of sets fitted apart, which."""
        fit, found = self.fit, []
        lost = failures(fit.groups, fit.statuses) if len(fit.statuses) > 1 else ""
        if lost:
            found.append(Remark("status", f"without an answer: {lost}", grave=not any(s.usable for s in fit.statuses)))
        elif fit.status is Status.DOUBTFUL:
            which = fit.statuses.index(fit.status)
            found.append(Remark("status", f"{_of(fit, which)}{fit.status.value}: {'; '.join(fit.doubts[which])}."))
        elif fit.status is not Status.CONVERGED:
            which = fit.statuses.index(fit.status)
            found.append(Remark("status", f"{_of(fit, which)}{fit.status.value}: {fit.status.sentence}", grave=not fit.status.usable))
        spare = [r.freedom if status.usable else _ENOUGH for r, status in zip(self.rows, fit.statuses, strict=True)]
        which = int(np.argmin(spare))
        if spare[which] < _ENOUGH:
            size, left = self.rows[which].size, max(spare[which], 0)
            message = (
                f"{_of(fit, which)}{size + spare[which]} observations for {size} parameters leave {left} degrees of freedom: the law "
                "passes close to the runs whatever they are, and they do not say how far off it is elsewhere."
            )
            found.append(Remark("freedom", message, grave=len(spare) == 1 and spare[0] < 1))
        agreeing, refined = fit.starts.agreeing, fit.starts.refined
        if refined >= 8 and agreeing < max(_AGREE * refined, 2) and fit.status is not Status.DOUBTFUL:
            found.append(
                Remark(
                    "starts",
                    f"only {agreeing} of {refined} refined starts found the best optimum; a better one may exist: give more starts.",
                )
            )
        return found

    def _of_outliers(self) -> list[str]:
        found, fit = self.outliers, self.fit
        if not len(found):
            return []
        total, lie = sum(int(r.counted.sum()) for r in self.rows), "lies" if len(found) == 1 else "lie"
        sentence = f"{len(found)} of {total:,} runs {lie} far from the law, "
        sentence += (
            naming.named(found, fit.request.on) + f", where half of the others lie within {naming.typical_residual(found, fit.request.on)}."
        )
        sentence += naming.one_group(fit.request, found.rows)
        if len(self.rows) > 1 or self.without is None:
            return [sentence]
        return [f"{sentence} {naming.compared(fit, self.without)}"]


def _of(fit: Fit, which: int) -> str:
    """The group of a set fitted apart."""
    return f"{fit.request.columns[0]} {fit.groups[which]}: " if len(fit.statuses) > 1 else ""
