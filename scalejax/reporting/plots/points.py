"""The numbers behind the pictures: used runs, their scale, the compute-optimal frontier."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...core.errors import DecisionError, FitError, suggest
from ...core.numeric.statistics import evenly
from ...decisions.allocate import Allocation, allocate
from ...decisions.costs import six_nd
from ...fitting.objective.groups import meant
from ...fitting.result import Fit
from ...fitting.uncertainty.draws import Draws
from ...posteriors.default_draws import default_draws

ENOUGH = 256  # draws behind a drawn band: more cannot be seen


def used_rows(fit: Fit) -> np.ndarray:
    """Indices of the runs that were fitted, in the order of `fit.observed`."""
    rows = np.flatnonzero(~fit.runs.excluded)
    if fit.request.apart:
        rows = rows[np.argsort(fit.request.group_of_row[rows], kind="stable")]
    return rows


def group_of(fit: Fit) -> np.ndarray:
    """Index of the group of every used run."""
    return fit.request.group_of_row[used_rows(fit)]


def has_sizes(fit: Fit) -> bool:
    """Are N and D inputs of the law?"""
    return {"N", "D"} <= set(fit.law.inputs)


def scalar_inputs(fit: Fit) -> list[str]:
    """Inputs with one number a run."""
    return [name for name in fit.law.inputs if fit.runs[name].ndim == 1]


def column(fit: Fit, name: str) -> np.ndarray:
    """A scalar column at the used runs; "C" is 6ND unless the runs have a column of that name.

    Raises:
        FitError: if there is no such column or it does not hold one number a run.
    """
    runs, rows = fit.runs, used_rows(fit)
    if name not in runs and name == "C" and {"N", "D"} <= set(runs.names):
        return six_nd(runs["N"], runs["D"])[rows]
    numeric = [n for n in runs.names if runs[n].dtype.kind == "f" and runs[n].ndim == 1]
    if name not in numeric:
        raise FitError(f"{name!r} is not a column with one number a run; {suggest(name, numeric)}")
    return runs[name][rows]


def default_scale(fit: Fit) -> str | None:
    """Compute for laws of N and D, else the first scalar input."""
    return "C" if has_sizes(fit) else next(iter(scalar_inputs(fit)), None)


def observed_and_predicted(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Both at the used runs.

    Raises:
        FitError: if the law predicts more than one number a run.
    """
    if fit.runs[fit.law.output].ndim != 1:
        raise FitError(f"Law {fit.law.name!r} predicts several numbers a run; this picture needs one.")
    return fit.observed, fit.fitted


def relative_errors(fit: Fit) -> np.ndarray:
    """Observed over predicted, less one: residuals as shares, at the used runs."""
    observed, predicted = observed_and_predicted(fit)
    return observed / predicted - 1


def need_sizes(fit: Fit, what: str, cost: Callable[..., Any], at: Mapping[str, float] | None) -> None:
    """Raise a DecisionError unless the law has inputs N and D, and `at` values for all other inputs of law and cost."""
    if not has_sizes(fit):
        raise DecisionError(f"{what}() needs a law with inputs N and D; {fit.law.name!r} has {', '.join(fit.law.inputs)}.")
    required = [name for name, argument in inspect.signature(cost).parameters.items() if argument.default is argument.empty]
    for name in [*fit.law.inputs, *required]:
        if name not in ("N", "D", *(at or {})):
            raise DecisionError(f"{what}() needs a value for {name!r} (of the law or the cost): pass at={{{name!r}: ...}}.")


def chosen_groups(fit: Fit, group: str | None) -> list[str | None]:
    """The group asked for, or all; [None] for a fit without groups."""
    if isinstance(group, Mapping) and fit.groups:
        group = fit.request.grouping.name(group)
    group = None if group is None else meant(group, fit.groups)
    if group is not None and group not in fit.groups:
        raise FitError(f"There is no group {group!r}; {suggest(group, fit.groups)}")
    return [group] if group is not None else [*fit.groups] or [None]


def of_group(fit: Fit, group: str | None) -> np.ndarray:
    """Boolean over the used runs: those of the group, all for None."""
    rows = used_rows(fit)
    return fit.request.grouping.rows(group)[rows] if group is not None else np.ones(len(rows), bool)


def thinned(fit: Fit, draws: Draws | None) -> Draws:
    """A few hundred of the draws, or as many Laplace draws."""
    if draws is None:
        return default_draws(fit, ENOUGH)
    return replace(draws, theta=draws.theta[..., evenly(len(draws), ENOUGH)], failed=0)


def frontier(
    fit: Fit, draws: Draws | None, compute: np.ndarray, cost: Callable[..., Any], group: str | None, at: Mapping[str, float] | None
) -> Allocation:
    """Compute-optimal sizes over a fine grid of budgets."""
    given: dict[str, Any] = dict(at or {})
    return allocate(thinned(fit, draws), compute=compute, cost=cost, group=group, **given)
