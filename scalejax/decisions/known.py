"""Where a decision's parameters come from: a fit, draws, or a law with bare parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.errors import DataError, DecisionError, IdentifiabilityError, LawError, suggest
from ..core.laws.arguments import checked
from ..core.laws.domains import Simplex
from ..core.laws.law import Law
from ..core.runs import Runs
from ..core.table import Shown
from ..fitting.objective.groups import label, meant
from ..fitting.result import Fit
from ..fitting.uncertainty.draws import Draws
from ..fitting.uncertainty.intervals import freedom, no_freedom
from ..posteriors.default_draws import default_draws
from .beyond import observed

Source = Fit | Draws | tuple[Law, Mapping[str, Any]]


@dataclass(frozen=True, eq=False, repr=False)
class Known(Shown):
    """What is known of a law's parameters.

    Attributes:
        law: the law.
        point: parameter name to value.
        draws: the same with a leading draw axis; None without uncertainty.
        kind: how the draws were made; of a fit without any, why ("no interval: ..."). Bare parameters have neither.
        fit: behind the draws, if there is one.
        source: the draws themselves, by which draws of other sources are known to be paired with them.
    """

    law: Law
    point: dict[str, np.ndarray]
    draws: dict[str, np.ndarray] | None
    kind: str = ""
    fit: Fit | None = None
    source: Draws | None = None

    @property
    def runs(self) -> Runs | None:
        """The runs of the fit, if there is one."""
        return None if self.fit is None else self.fit.runs

    @property
    def observed(self) -> dict[str, float]:
        """Largest value of every scalar input among the runs that were used, and of epochs D/U where a law takes unique tokens."""
        return {name: float(column.max()) for name, column in observed(self.runs, self.law.inputs).items()}

    def leading(self) -> dict[str, np.ndarray]:
        """The point estimate with a leading axis of one."""
        return {name: np.asarray(value, dtype=np.float64)[None] for name, value in self.point.items()}

    def length(self, name: str) -> int:
        """Length of a vector input, told by the parameters along the same axis; 0 if it cannot be told."""
        axis = self.law.domains[name].axis
        return next(
            (np.shape(self.point[n])[-1] for n in self.law.parameters if self.law.domains[n].axis == axis and np.ndim(self.point[n])), 0
        )

    @property
    def drawn(self) -> dict[str, np.ndarray]:
        """The draws; empty without uncertainty."""
        return self.draws or {}

    @property
    def count(self) -> int:
        """How many draws."""
        return len(next(iter(self.draws.values()))) if self.draws else 0


def known(source: Source, group: Any = None, what: str = "allocate") -> Known:
    """Law, point estimate and draws of a source; a fit brings 1,000 Laplace draws, but none if nothing tells its noise.

    Args:
        group: name of a group, or a mapping from columns to names where they cross.

    Raises:
        DecisionError: if the source is none, its parameters are not determined or outside their support, or its group is not named.
    """
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], Law):
        law, params = source
        law.check_params(params)
        if group is not None:
            raise DecisionError(f"group={group!r} was given, but bare parameters have no groups.")
        if what == "derive":  # any function of any numbers
            return Known(law, dict(params), None)
        try:
            return Known(law, checked(law, params), None)
        except LawError as error:
            raise DecisionError(f"{error} Elsewhere a law has no inner optimum, or one that means nothing.") from None
    if not isinstance(source, Fit | Draws):
        raise DecisionError(f"{what}() takes a fit, draws or (law, parameters), got a {type(source).__name__}.")
    fit = source if isinstance(source, Fit) else source.fit
    if group is not None and not fit.groups:
        raise DecisionError(f"group={group!r} was given, but the fit has no groups.")
    group = named(fit, group)
    drawn: Draws | None
    if isinstance(source, Draws):
        drawn, kind = source, source.kind
    else:
        if len(fit.curvature) > 1 and _troubled(fit):  # what ails one group is not the others' trouble
            fit = _alone(fit, fit.groups.index(group))
        drawn, kind = _of_fit(fit)
    point, draws = dict(fit.params if drawn is None else drawn.center), {} if drawn is None else dict(drawn.params)
    if fit.groups:
        point, draws = fit.request.of_group(point, group), fit.request.of_group(draws, group, lead=1)
    return Known(law=fit.law, point=point, draws=draws or None, kind=kind, fit=fit, source=drawn)


def named(fit: Fit, group: Any) -> str | None:
    """A group as `fit.groups` names it, None for a fit without any.

    Raises:
        DecisionError: if the fit has groups and this is none of them.
    """
    if not fit.groups:
        return None
    if group is None or (not isinstance(group, Mapping) and not fit.request.crossed and meant(group, fit.groups) not in fit.groups):
        columns = ", ".join(f"{column!r}: {levels[0]!r}" for column, levels in zip(fit.request.columns, fit.request.levels, strict=True))
        said = f"such as group={{{columns}}}." if fit.request.crossed else suggest(None if group is None else label(group), fit.groups)
        raise DecisionError(f"The fit has groups; say which with group=..., {said}")
    try:
        return fit.request.grouping.name(group)
    except DataError as error:
        raise DecisionError(str(error)) from error


def why_no_interval(fit: Fit) -> str:
    """Why a fit tells nothing of its noise, so that no interval can be had from it; "" if it does."""
    return "" if (freedom(fit.request) > 0).all() else f"no interval: {no_freedom(fit.request).rstrip('.')}"


def _constant(fit: Fit) -> str:
    """Inputs that all runs have alike, in words."""
    said = []
    for name in fit.law.inputs:
        rows = fit.runs[name][~fit.runs.excluded]
        weights = isinstance(fit.law.domains[name], Simplex)
        if rows.ndim == 1 or weights:
            rows = rows.reshape(len(rows), -1)
            same = np.flatnonzero(np.ptp(rows, axis=0) <= 1e-9 * np.abs(rows[0]))
            said += [f"{name}{f'[{i}]' if weights else ''} is {rows[0, i]:.4g} in all of them" for i in same]
    return f" In these runs {', '.join(said)}." if said else ""


def _troubled(fit: Fit) -> bool:
    """Can one of several sets not be drawn from?"""
    return bool(why_no_interval(fit)) or any(shape.flat for shape in fit.curvature)


def _alone(fit: Fit, g: int) -> Fit:
    """The fit of one group of those that were fitted apart."""
    asked, theta, starts = fit.request, fit.theta[:, [g]], fit.starts
    request = replace(asked, runs=asked.tables[g], by=None, share=(), weights=asked.row_weights[g])
    rows = {name: getattr(starts, name)[[g]] for name in ("objective", "status", "iterations")}
    return replace(
        fit, objective=float(starts.objective[g, 0]), statuses=(fit.statuses[g],), theta=theta,
        starts=replace(starts, theta=starts.theta[:, [g]], **rows), curvature=(fit.curvature[g],), request=request,
    )  # fmt: skip


def _of_fit(fit: Fit) -> tuple[Draws | None, str]:
    """The draws that a fit brings, and how they were made, or why there are none."""
    if why := why_no_interval(fit):
        return None, why
    try:
        drawn = default_draws(fit)
    except IdentifiabilityError as error:
        raise DecisionError(f"This fit cannot be decided from: {error}{_constant(fit)}") from error
    return drawn, drawn.kind
