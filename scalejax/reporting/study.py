"""What a report is made from: a fit, its draws, and the allocations that follow."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..comparison.forecast.averaging import forecast as forecast_of
from ..comparison.forecast.result import Forecast
from ..core.errors import DataError, DecisionError, IdentifiabilityError, ScalejaxError
from ..core.laws.values import values_at
from ..decisions.allocate import Allocation, allocate
from ..decisions.costs import six_nd
from ..decisions.known import known
from ..fitting.objective.penalty import MISFIT
from ..fitting.result import Fit
from ..fitting.uncertainty.bootstrap import bootstrap
from ..fitting.uncertainty.draws import Draws
from ..posteriors.laplace import laplace
from ..posteriors.posterior import Posterior
from .beyond_runs import FEWEST, BeyondRuns, predict_largest
from .plots import points
from .plots.style import flops, quantity, unit_of_cost

FACTORS = {"half the best N": 0.5, "twice the best N": 2.0, "4 times the best N": 4.0}  # wrong choices


@dataclass(frozen=True, eq=False)
class Study:
    """A fit with everything that the report tells of it.

    Attributes:
        fit: the fit.
        sources: name to draws, in the order in which they are shown.
        plans: group (None without groups) to allocation; empty if the law cannot be allocated from.
        level: of all intervals.
        posterior: one of the sources.
        comparison: of laws, see `report`.
        without: plans of the fit without its outliers, by group; empty if it has none.
        beyond_runs: what a hold-out of the largest runs showed, None where there is none.
        forecast: what an average of laws says of the plan, point by point; None where it says nothing.
        no_plan: why there is none, in a sentence; "" where there is one, or nobody asks.
    """

    fit: Fit
    sources: Mapping[str, Draws]
    plans: Mapping[str | None, Allocation]
    level: float
    posterior: Posterior | None = None
    comparison: Any = None
    without: Mapping[str | None, Allocation] = field(default_factory=dict)
    beyond_runs: BeyondRuns | None = None
    forecast: Forecast | None = None
    no_plan: str = ""

    @property
    def draws(self) -> Draws:
        """The draws to rely on: the posterior, else the first."""
        return self.posterior or next(iter(self.sources.values()))

    @property
    def source(self) -> str:
        """Name of the draws to rely on."""
        return next(name for name, draws in self.sources.items() if draws is self.draws)

    @property
    def why_recommended(self) -> str:
        """Why these draws and not the others."""
        if self.posterior is not None:
            return "a posterior says what the runs and the priors leave open together"
        if len(self.sources) > 1 and self.source == "bootstrap":
            return "refits of resampled runs follow the law where it bends, as Laplace's approximation does not"
        return "no others were asked for"

    def point(self, group: str | None) -> dict[str, Any]:
        """The parameters that these draws surround, those of one group if there are groups."""
        return known(self.draws, group).point

    @cached_property
    def limits(self) -> dict[str, tuple[Any, Any]]:
        """Interval of every parameter from the draws to rely on."""
        return self.draws.interval(self.level)

    @property
    def one_output(self) -> bool:
        """Does the law predict one number a run, so that its fit can be drawn?"""
        return self.fit.runs[self.fit.law.output].ndim == 1

    @property
    def percent(self) -> str:
        """The level in words."""
        return f"{100 * self.level:g} %"

    def budget(self, plan: Allocation, value: float) -> str:
        """A budget with its unit, as the plan counts it."""
        unit = unit_of_cost(plan.cost)
        return f"${quantity(value)}" if unit == "dollars" else f"{flops(value)} {unit}"

    def beyond(self, plan: Allocation, index: int = -1) -> float:
        """How many times the compute 6 N D of the largest run a budget's optimum takes; 1 for laws of other inputs."""
        if not {"N", "D"} <= set(plan.inputs) or not {"N", "D"} <= set(self.fit.runs.names):
            return 1.0
        largest = float(np.max(six_nd(self.fit.runs["N"], self.fit.runs["D"])[points.used_rows(self.fit)]))
        return float(six_nd(np.atleast_1d(plan.N)[index], np.atleast_1d(plan.D)[index])) / largest

    def drawable(self, group: str | None) -> bool:
        """Can the plane of N and D be drawn for this plan? Not for other costs, further inputs, or a group that nobody named."""
        sizes_only = set(self.fit.law.inputs) == {"N", "D"} and self.plans[group].cost == "six_nd"
        return sizes_only and self.one_output and (group is not None or not self.fit.groups)


def make_study(
    fit: Fit,
    draws: Draws | None,
    allocation: Allocation | None,
    compute: Any,
    level: float,
    posterior: Posterior | None = None,
    comparison: Any = None,
    forecast: bool = True,
) -> Study:
    """Draw and allocate what was not given; see `report`."""
    if isinstance(draws, Posterior) and posterior is None:
        draws, posterior = None, draws
    usual = laplace if MISFIT in fit.law.parameters else partial(bootstrap, replicates=1000)
    sources = _sources(fit, usual(fit) if draws is None else draws, posterior)
    others = fit.diagnosis.without
    plans: dict[str | None, Allocation] = {}
    no_plan = ""
    without: dict[str | None, Allocation] = {}
    if allocation is not None:
        plans = {None: allocation}
    elif set(fit.law.inputs) == {"N", "D"}:
        budgets = default_budgets(fit) if compute is None else np.atleast_1d(np.asarray(compute, dtype=np.float64))
        relied = posterior or next(iter(sources.values()))
        try:
            plans = {group: allocate(relied, compute=budgets, group=group) for group in points.chosen_groups(fit, None)}
        except DecisionError as error:
            no_plan = str(error)
        if others is not None and plans:
            without = {group: allocate(others, compute=budgets, group=group) for group in plans}
    return Study(
        fit=fit, sources=sources, plans=plans, level=level, posterior=posterior, comparison=comparison, without=without,
        beyond_runs=predict_largest(others or fit, level), forecast=_forecast(others or fit, plans) if forecast else None,
        no_plan=no_plan,
    )  # fmt: skip


def _forecast(fit: Fit, plans: Mapping[str | None, Allocation]) -> Forecast | None:
    """What an average of laws says of the plan of runs without groups; None where nothing can be forecast."""
    if [*plans] != [None] or fit.groups or len(points.used_rows(fit)) < FEWEST:
        return None
    plan, inputs = plans[None], [*fit.law.inputs]
    if set(inputs) != {"N", "D"}:
        return None
    at = {name: np.atleast_1d(getattr(plan, name)) for name in inputs}
    with suppress(ScalejaxError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what speaks against single laws is weighed
        return forecast_of(fit.runs, at, target=fit.law.output, inputs=inputs, progress=False)
    return None


def _sources(fit: Fit, draws: Draws, posterior: Posterior | None) -> dict[str, Draws]:
    """The draws, Laplace draws, and the posterior, by name."""
    sources = {draws.kind.split(" (")[0]: draws}
    if "Laplace" not in sources:
        with suppress(IdentifiabilityError):  # the report says that a parameter is not determined
            sources["Laplace"] = laplace(fit)
    if posterior is None:
        return sources
    if posterior.law != fit.law or posterior.fit.runs.digest != fit.runs.digest:
        raise DataError(
            f"The posterior is of law {posterior.law.name!r} and data {posterior.fit.runs.digest}, the fit of {fit.law.name!r} and "
            f"{fit.runs.digest}; sample from the law and the runs that were fitted, or pass report() the posterior alone."
        )
    return {**sources, "posterior": posterior}


def default_budgets(fit: Fit) -> np.ndarray:
    """Powers of ten from the median run's compute to a hundred times the largest."""
    compute = points.column(fit, "C")
    first, last = np.ceil(np.log10(np.median(compute))), np.floor(np.log10(100 * compute.max()))
    return 10.0 ** np.arange(first, last + 1)


def wrong_sizes(study: Study, group: str | None) -> np.ndarray:
    """(budgets, factors) loss at multiples of the best N, with the tokens that the same budget 6ND leaves."""
    plan, law = study.plans[group], study.fit.law
    N, D = (np.atleast_1d(v)[:, None] for v in (plan.N, plan.D))
    factor = np.asarray([*FACTORS.values()])
    sizes = {"N": N * factor, "D": D / factor}
    return values_at(law, {name: sizes[name] for name in law.inputs}, study.point(group))


def compute_wasted(study: Study, group: str | None) -> np.ndarray:
    """(factors,) share of the largest budget that a wrong N wastes: the best split reaches the same loss with so much less."""
    budgets = np.atleast_1d(study.plans[group].compute)
    largest = int(np.argmax(budgets))
    smaller = budgets[largest] * np.geomspace(1e-3, 1, 64)
    best = allocate((study.fit.law, study.point(group)), compute=smaller).loss
    wrong = wrong_sizes(study, group)[largest]
    needed = np.exp(np.interp(-wrong, -best, np.log(smaller)))
    return 1 - needed / budgets[largest]
