"""The best of many shapes of a model: by predicted loss under limits, and at a budget with the cost of every shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np

from ..core.errors import DecisionError, suggest
from ..core.laws.law import Law
from ..core.numeric.roots import between
from ..core.table import Shown, Table, number
from ..fitting.result import Fit

Source = Fit | tuple[Law, Mapping[str, Any]]
_FAR = 60.0  # in log tokens: what more tokens than e^60 times the budget's cannot reach is out of reach


def _law_and_params(source: Source, what: str) -> tuple[Law, Mapping[str, Any]]:
    if isinstance(source, Fit) and not source.groups:
        return source.law, source.params
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], Law):
        source[0].check_params(source[1])
        return source
    raise DecisionError(f"{what}() takes a fit without groups or (law, parameters), got {source!r:.80}.")


def _columns(shapes: Mapping[str, Any], what: str) -> dict[str, np.ndarray]:
    """Columns of one length; single numbers are repeated."""
    try:
        arrays = {str(name): np.asarray(values, dtype=np.float64) for name, values in shapes.items()}
        count = np.broadcast_shapes(*(a.shape for a in arrays.values()))
    except (TypeError, ValueError, AttributeError):
        raise DecisionError(f"{what}() takes shapes as a mapping of columns of one length, such as {{'w': [...], 'd': [...]}}.") from None
    if len(count) != 1 or not count[0]:
        raise DecisionError(f"{what}() needs at least one shape, each column a list of numbers.")
    return {name: np.broadcast_to(a, count) for name, a in arrays.items()}


def _inputs(law: Law, columns: Mapping[str, np.ndarray], what: str, leave: str = "") -> dict[str, np.ndarray]:
    for name in law.inputs:
        if name not in columns and name != leave:
            raise DecisionError(f"{what}() has no {name!r}, an input of {law.name!r}; {suggest(name, columns)}")
    return {name: columns[name] for name in law.inputs if name != leave}


@dataclass(frozen=True, eq=False, repr=False)
class ShapeRanking(Shown):
    """Shapes in the order of their predicted loss.

    Attributes:
        shapes: the columns as given, (n,) each.
        loss: (n,) predicted losses.
        allowed: (n,) which shapes keep all limits.
        order: indices of these, the best first.
    """

    shapes: Mapping[str, np.ndarray]
    loss: np.ndarray
    allowed: np.ndarray
    order: np.ndarray

    def table(self, top: int = 10) -> Table:
        """The best shapes, a row each."""
        rows = [[str(i + 1), *(number(v[k]) for v in self.shapes.values()), number(self.loss[k])] for i, k in enumerate(self.order[:top])]
        notes = [f"{len(self.order)} of {len(self.loss)} shapes keep the limits"]
        return Table(["rank", *self.shapes, "loss"], rows, notes=notes)


def rank_shapes(source: Source, shapes: Mapping[str, Any], *, limits: Mapping[str, float] | None = None) -> ShapeRanking:
    r"""Rank shapes by predicted loss among those that keep limits, such as one on latency: train the first few of them.

        order = argsort { L(x_i) : c(x_i) <= limit for every limited column c }

    Args:
        source: a fit, or (law, parameters).
        shapes: columns by name, one row a shape: all inputs of the law, and whatever is limited or to be shown (latency, memory, ...).
        limits: name of a column to its largest allowed value.

    Returns:
        ShapeRanking with `.order`, `.loss`, `.table()`.

    Raises:
        DecisionError: if an input or a limited column is missing, or no shape keeps the limits.

    Example:
        >>> from scalejax import laws
        >>> law = laws.inference_shape_tied
        >>> shapes = {"N": [1.44e9, 1.67e9], "D": 29e9, "R": [2048 / 24, 3072 / 12], "latency": [3.61, 1.96]}
        >>> rank_shapes((law, law.published["bian2025"]), shapes, limits={"latency": 2.0}).order.tolist()
        [1]

    References: Bian et al. 2025, arXiv:2501.18107.
    """
    law, params = _law_and_params(source, "rank_shapes")
    columns = _columns(shapes, "rank_shapes")
    inputs = _inputs(law, columns, "rank_shapes")
    allowed = np.ones(len(next(iter(columns.values()))), bool)
    for name, limit in (limits or {}).items():
        if name not in columns:
            raise DecisionError(f"limits names {name!r}, which is not a column of the shapes; {suggest(name, columns)}")
        allowed &= columns[name] <= limit
    if not allowed.any():
        raise DecisionError(f"No shape keeps the limits {dict(limits or {})}; raise them or add shapes.")
    loss = np.asarray(law(*(np.array(inputs[name]) for name in law.inputs), **params))
    order = np.argsort(loss, kind="stable")
    return ShapeRanking(shapes=columns, loss=loss, allowed=allowed, order=order[allowed[order]])


@dataclass(frozen=True, eq=False, repr=False)
class ShapePlan(Shown):
    """What every shape reaches with every budget.

    Attributes:
        shapes: the columns as given, (n,) each.
        budgets: (budgets,) in the unit of `per_token` times tokens.
        per_token: (n,) cost of a token.
        tokens, loss: (budgets, n) of each shape with each budget.
        overspend: (budgets, n) share of the budget that a shape needs in addition to reach the loss of the best one: 0 for the best,
            infinite if it never does.
    """

    shapes: Mapping[str, np.ndarray]
    budgets: np.ndarray
    per_token: np.ndarray
    tokens: np.ndarray
    loss: np.ndarray
    overspend: np.ndarray

    @property
    def best(self) -> np.ndarray:
        """(budgets,) index of the shape of least loss."""
        return self.loss.argmin(axis=1)

    def table(self) -> Table:
        """The best shape of every budget, a row each."""
        rows = [
            [number(C, 4), *(number(v[k]) for v in self.shapes.values()), number(self.tokens[i, k], 4), number(self.loss[i, k])]
            for i, (C, k) in enumerate(zip(self.budgets, self.best, strict=True))
        ]
        return Table(["budget", *self.shapes, "tokens", "loss"], rows, notes=[f"best of {len(self.per_token)} shapes"])


def shape_plan(
    source: Source, shapes: Mapping[str, Any], per_token: Callable[..., Any] | Any, budget: Any, *, tokens: str = "T"
) -> ShapePlan:
    r"""Brute force over shapes: with each budget every shape trains on the tokens it can afford, and the least loss wins.

        min over shapes h of  L(h, T),   T = budget / c(h)

    Shapes are discrete, costs as odd as hardware makes them, and optima flat; so all shapes are evaluated and the overspend of the others
    is told. Equal parameters at unequal speed are a special case: the fastest shape wins.

    Args:
        source: a fit, or (law, parameters).
        shapes: columns by name, one row a shape: all inputs of the law but the tokens, and whatever per_token needs.
        per_token: cost of a token, (n,) numbers or a function of columns by name: FLOPs, or seconds from a table of measured times.
        budget: one budget or a list, in the unit of that cost.
        tokens: the law's input that counts tokens.

    Returns:
        ShapePlan with `.best`, `.loss`, `.tokens`, `.overspend`, `.table()`.

    Raises:
        DecisionError: if an input is missing, or a cost or a budget is not positive.

    Example:
        >>> import numpy as np
        >>> from scalejax import costs, laws
        >>> w, d = (grid.ravel() for grid in np.meshgrid(128.0 * np.arange(2, 33), np.arange(2.0, 65.0)))
        >>> law = laws.gemstones_shape_params
        >>> shapes = {"w": w, "d": d, "p": costs.gemstones_params(w, d)}
        >>> plan = shape_plan((law, law.published["hot"]), shapes, costs.gemstones_flops(w, d), 1e20)
        >>> [float(plan.shapes[name][plan.best[0]]) for name in "wd"]
        [1280.0, 30.0]

    References: McLeish et al. 2025, arXiv:2502.06857 (overspend); Inbar and Sernau 2024, arXiv:2406.18922 (time).
    """
    law, params = _law_and_params(source, "shape_plan")
    if tokens not in law.inputs:
        raise DecisionError(f"{law.name!r} has no input {tokens!r}; {suggest(tokens, law.inputs)}")
    columns = _columns(shapes, "shape_plan")
    fixed = _inputs(law, columns, "shape_plan", leave=tokens)
    cost = np.asarray(_cost(per_token, columns), dtype=np.float64)
    count = len(next(iter(columns.values())))
    if cost.shape not in ((), (count,)) or not (np.isfinite(cost) & (cost > 0)).all():
        raise DecisionError(f"per_token must give a positive cost for each of the {count} shapes.")
    budgets = np.atleast_1d(np.asarray(budget, dtype=np.float64))
    if budgets.ndim != 1 or not len(budgets) or not (np.isfinite(budgets) & (budgets > 0)).all():
        raise DecisionError(f"budget={budget!r} must be one positive number or a list of them.")

    def loss(log_tokens: np.ndarray) -> np.ndarray:
        many = {name: np.broadcast_to(v, log_tokens.shape).ravel() for name, v in fixed.items()} | {tokens: np.exp(log_tokens).ravel()}
        return np.asarray(law(*(many[name] for name in law.inputs), **params)).reshape(log_tokens.shape)

    cost = np.broadcast_to(cost, count)
    log_tokens = np.log(budgets[:, None] / cost)
    reached = loss(log_tokens)
    overspend = _overspend(loss, log_tokens, reached.min(axis=1, keepdims=True))
    return ShapePlan(shapes=columns, budgets=budgets, per_token=cost, tokens=np.exp(log_tokens), loss=reached, overspend=overspend)


def _cost(per_token: Any, columns: Mapping[str, np.ndarray]) -> Any:
    if not callable(per_token):
        return per_token
    names = list(signature(per_token).parameters)
    for name in names:
        if name not in columns:
            raise DecisionError(f"per_token takes {name!r}, which is not a column of the shapes; {suggest(name, columns)}")
    return per_token(**{name: columns[name] for name in names})


def _overspend(loss: Callable[[np.ndarray], np.ndarray], log_tokens: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Relative extra budget at which every shape reaches the target."""
    reachable = loss(log_tokens + _FAR) < target
    high = np.where(reachable, log_tokens + _FAR, log_tokens)
    found = between(lambda t: loss(t) - target, log_tokens, high)
    return np.where(reachable, np.expm1(found - log_tokens), np.inf)
