"""`Diagnosis`: everything that speaks against a fit, computed when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.precision import double
from ..request import Request
from .clusters import Cluster, clusters, said
from .outliers import Outliers, find_outliers
from .rows import Rows, rows_of


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """The diagnosis that belongs to every fit.

    Attributes:
        request: what was asked for. theta: (size, sets) the optimum. ends: (size, sets, starts) where the search ended.
    """

    request: Request
    theta: np.ndarray
    ends: np.ndarray

    @cached_property
    @double
    def rows(self) -> list[Rows]:
        """Residuals with their derivatives, set by set."""
        return rows_of(self.request, self.theta)

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        """Analysis of variance of the residuals over every column that repeats its values, most significant first."""
        return clusters(self.request, self.rows)

    @property
    def units(self) -> str | None:
        """The column whose groups err together so strongly that they, not rows, are the units to resample; None if rows are."""
        return next((c.column for c in sorted(self.clusters, key=lambda c: -c.share) if c.strong), None)

    @cached_property
    @double
    def outliers(self) -> Outliers:
        """Runs that the law misses by far more than the others, and the fit without them."""
        return find_outliers(self.request, self.theta, self.rows, self.ends)

    @cached_property
    def flags(self) -> list[str]:
        """A line for each thing that speaks against the fit, as its print shows them."""
        return [f"clusters: {sentence}" for sentence in said(self.clusters, self.rows, self.request.on)]
