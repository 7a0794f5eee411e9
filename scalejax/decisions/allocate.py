"""`allocate`: the parameters and tokens that make the most of a compute budget, with their uncertainty."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.errors import DecisionError, IdentifiabilityError, suggest
from ..core.law import Law
from ..core.precision import double
from ..core.table import Table, number
from ..fitting.draws import Draws, ends
from ..fitting.request import label
from ..fitting.result import Fit
from ..posteriors.laplace import laplace
from .costs import six_nd
from .optimum import Problem, split

Source = Fit | Draws | tuple[Law, Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Allocation:
    """Compute-optimal sizes. Numbers for one budget, arrays for several.

    Attributes:
        compute: budget, in the unit of the cost (FLOPs).
        N, D, loss: at the point estimate.
        draws: "N", "D", "loss", "D/N" with a leading draw axis; empty without uncertainty.
        cost: name of the cost.
        edge: the optimum lies at a bound (or the law has no inner optimum there).
        observed: largest N and D of the runs, if any.
    """

    compute: Any
    N: Any
    D: Any
    loss: Any
    draws: Mapping[str, np.ndarray]
    cost: str
    edge: Any
    kind: str = ""
    observed: Mapping[str, float] = field(default_factory=dict)

    @property
    def tokens_per_parameter(self) -> Any:
        """D / N."""
        return self.D / self.N

    def interval(self, level: float = 0.9) -> dict[str, tuple[Any, Any]]:
        """(low, high) of "N", "D", "loss" and "D/N" over the draws at this confidence `level`.

        Raises:
            DecisionError: if the allocation came from bare parameters, which know no uncertainty.
        """
        if not self.draws:
            raise DecisionError(
                "This allocation comes from bare parameters, which know no uncertainty; allocate from a fit, or from sj.bootstrap(fit)."
            )
        return {name: tuple(v if np.ndim(v) else float(v) for v in ends(draws, level)) for name, draws in self.draws.items()}

    def table(self, level: float = 0.9) -> Table:
        """A row for every budget."""
        compute, N, D, loss = (np.atleast_1d(v) for v in (self.compute, self.N, self.D, self.loss))
        limits = self.interval(level) if self.draws else {}
        rows = []
        for i in range(len(compute)):
            row = [f"{compute[i]:.3g}"]
            for name, value in (("N", N), ("D", D), ("D/N", D / N), ("loss", loss)):
                digits = 5 if name == "loss" else 4
                row.append(number(value[i], digits))
                if limits:
                    low, high = (np.atleast_1d(v)[i] for v in limits[name])
                    row.append(f"{number(low, digits)} – {number(high, digits)}")
            rows.append(row)
        head = ["compute"]
        for name in ("N", "D", "D/N", "loss"):
            head += [name, f"{100 * level:g} %"] if limits else [name]
        return Table(head, rows, notes=self._notes())

    def _notes(self) -> list[str]:
        notes = [f"cost {self.cost}" + (f"; intervals from {len(self.draws['N']):,} draws, {self.kind}" if self.draws else "")]
        if np.any(self.edge):
            notes.append("at least one optimum lies at a bound: widen bounds=, or the law has no inner optimum at that budget")
        far = {name: float(np.max(value)) / self.observed[name] for name, value in (("N", self.N), ("D", self.D)) if name in self.observed}
        if far and max(far.values()) > 1:
            beyond = " and ".join(f"{factor:.3g} times the largest {name} of the runs" for name, factor in far.items() if factor > 1)
            notes.append(f"extrapolation: up to {beyond}")
        return notes

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


@double
def allocate(
    source: Source,
    *,
    compute: Any,
    cost: Callable[..., Any] = six_nd,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    group: str | None = None,
    **given: Any,
) -> Allocation:
    """N and D that minimise the law for a compute budget: min L(N, D) subject to cost(N, D) = compute.

    Works for any law with inputs N and D, by automatic differentiation; no closed form is needed.

    Args:
        source: a fit (intervals from 1,000 Laplace draws), draws (intervals from them), or (law, parameters) without intervals.
        compute: one budget or an array, in the unit of the cost; FLOPs for `costs.six_nd`.
        cost: function of N, D and any further named values, rising in D.
        bounds: {"N": (low, high), "D": (low, high)} limits the search.
        group: which group, for a fit with groups.
        **given: values of the law's other inputs (U=25e9) and of the cost's other arguments (D_inf=1e12).

    Returns:
        Allocation with `.N`, `.D`, `.loss`, `.interval(level)`, `.table()`.

    Raises:
        DecisionError: if the budget is not positive, an input is missing, or no N and D can meet the budget.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> plan = sj.allocate((law, law.published["hoffmann2022"]), compute=1e21)
        >>> f"{plan.N:.4g} {plan.D:.4g} {plan.loss:.5f}"
        '2.217e+09 7.518e+10 2.29549'
    """
    law, point, draws, kind, observed = _unpack(source, group)
    budgets = _numbers("compute", compute)
    if budgets.ndim > 1 or budgets.size == 0 or not np.isfinite(budgets).all() or (budgets <= 0).any():
        raise DecisionError(f"compute={compute!r} must be one positive number or a list of them, in FLOPs.")
    extra = _check_inputs(law, cost, given)
    box = _box(bounds or {})
    values = {name: _value(law, name, value) for name, value in given.items()}

    at_point, over = split(
        Problem(law, cost, extra), {name: np.asarray(value)[None] for name, value in point.items()}, draws, values, budgets.reshape(-1), box
    )
    if at_point is None:
        raise DecisionError(
            f"No N and D within the bounds cost {compute!r} under {_name(cost)}; raise the budget, widen bounds=, or check the units."
        )
    found = {name: over[name].reshape(-1, *budgets.shape) for name in ("N", "D", "loss")} if over else {}
    found |= {"D/N": found["D"] / found["N"]} if over else {}
    one = {name: value[0] if budgets.ndim else value.item() for name, value in at_point.items()}
    shown = budgets if budgets.ndim else float(budgets)
    return Allocation(shown, one["N"], one["D"], one["loss"], found, _name(cost), one["edge"], kind, observed)


def _unpack(source: Source, group: str | None) -> tuple[Law, Mapping[str, Any], Mapping[str, Any] | None, str, dict[str, float]]:
    """Law, point parameters, draws of them (or None), how they were made, and the largest observed sizes."""
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], Law):
        law, params = source
        law.check_params(params)
        return law, params, None, "", {}
    if isinstance(source, Fit):
        try:
            source = laplace(source, 1000)
        except IdentifiabilityError as error:
            raise DecisionError(f"This fit cannot be allocated from: {error}") from error
    if not isinstance(source, Draws):
        raise DecisionError(f"allocate() takes a fit, draws or (law, parameters), got a {type(source).__name__}.")
    fit = source.fit
    observed = {name: float(np.max(fit.runs[name])) for name in ("N", "D") if name in fit.runs}
    point, draws = dict(fit.params), dict(source.params)
    if group is not None and not fit.groups:
        raise DecisionError(f"group={group!r} was given, but the fit has no groups.")
    if fit.groups:
        group = None if group is None else label(group)
        if group not in fit.groups:
            raise DecisionError(f"The fit has groups; say which with group=..., {suggest(group, fit.groups)}")
        g = fit.groups.index(group)
        for name in point:
            if fit.request.grouped(name):
                point[name], draws[name] = point[name][g], draws[name][:, g]
    return fit.law, point, draws, source.kind, observed


def _check_inputs(law: Law, cost: Callable[..., Any], given: Mapping[str, Any]) -> tuple[str, ...]:
    """The cost's extra arguments; every input and argument must have a value."""
    for name in ("N", "D"):
        if name not in law.inputs:
            raise DecisionError(f"allocate() needs a law with inputs N and D; {law.name!r} has {', '.join(law.inputs)}.")
    arguments = inspect.signature(cost).parameters
    extra = tuple(
        name for name in arguments if name not in ("N", "D") and (name in given or arguments[name].default is inspect.Parameter.empty)
    )
    needed = [name for name in (*law.inputs, *extra) if name not in ("N", "D")]
    for name in needed:
        if name not in given:
            raise DecisionError(f"allocate() needs a value for {name!r} (of the law or the cost): pass {name}=...")
    for name in given:
        if name not in needed:
            raise DecisionError(f"allocate() got {name}=, which neither law {law.name!r} nor cost {_name(cost)} knows.")
    for name in ("N", "D"):
        if name not in arguments:
            raise DecisionError(f"The cost {_name(cost)} ignores {name}, so the best {name} would be infinite; make it depend on N and D.")
    return extra


def _numbers(name: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise DecisionError(f"{name}={value!r} holds no numbers; give plain numbers, such as {name}=1e21.") from None


def _value(law: Law, name: str, value: Any) -> np.ndarray:
    """A given input, checked against the law's domain."""
    number = _numbers(name, value)
    domain = law.domains.get(name)
    if number.ndim != (1 if domain is not None and domain.axis else 0):
        raise DecisionError(f"{name}={value!r} must be one value; call allocate() once for each.")
    if domain is not None and not np.all(domain.contains(number)):
        raise DecisionError(f"{name}={value!r} must be {domain.support} for law {law.name!r}.")
    return number


def _box(bounds: Mapping[str, tuple[float, float]]) -> np.ndarray:
    box = []
    for name in ("N", "D"):
        low, high = bounds.get(name, (1.0, 1e26))
        if not 0 < low < high:
            raise DecisionError(f"bounds of {name} are ({low:g}, {high:g}); they must be positive and rise.")
        box += [np.log(low), np.log(high)]
    for name in bounds:
        if name not in ("N", "D"):
            raise DecisionError(f"bounds names {name!r}; only N and D are chosen.")
    return np.asarray(box)


def _name(cost: Callable[..., Any]) -> str:
    return getattr(cost, "__name__", type(cost).__name__)
