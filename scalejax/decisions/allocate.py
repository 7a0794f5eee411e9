"""`allocate`: the inputs of a law that make the most of a budget, or reach a loss at the least cost, with their uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import DecisionError
from ..core.precision import double
from ..optimum.many import Optima
from .allocation import Allocation
from .costs import six_nd
from .diagnosis import explain, unlimited
from .known import Source, known
from .question import Question, name_of, numbers, pose
from .units import check_units
from .unvaried import settled


@double
def allocate(
    source: Source,
    *,
    compute: Any = None,
    loss: Any = None,
    cost: Callable[..., Any] = six_nd,
    over: Sequence[str] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    caps: Mapping[Callable[..., Any], float] | None = None,
    choices: Mapping[str, Sequence[float]] | None = None,
    group: str | None = None,
    **given: Any,
) -> Allocation:
    r"""The inputs that minimise a law for a budget, or that reach a loss at the least cost.

        min_x L(x)  subject to  cost(x) = compute        or        min_x cost(x)  subject to  L(x) = loss

    with bounds, and caps on further costs. Works for any law and any cost, by automatic differentiation; no closed form is needed.

    Args:
        source: a fit (intervals from 1,000 Laplace draws), draws (intervals from them), or (law, parameters) without intervals.
        compute: one budget or a list, in the unit of the cost; FLOPs for `costs.six_nd`.
        loss: one target loss or a list, instead of compute.
        cost: function of the chosen inputs and any further named values, such as those in `sj.costs`.
        over: the inputs to choose; default all that are not given.
        bounds: {"N": (low, high)} limits an input.
        caps: {function: limit} holds other costs at or below a limit, such as {sj.costs.six_nd: 1e23}; for functions that return several
            numbers one limit or one for each, such as {sj.costs.domain_tokens: 4 * U}.
        choices: {"E": [1, 2, 4, 8]} tries every value of an input that cannot vary smoothly, and keeps the best.
        group: which group, for a fit with groups.
        **given: values of the law's other inputs (U=25e9) and of the costs' other arguments (D_inf=1e12).

    Returns:
        Allocation with `.N`, `.D`, `.loss`, `.compute`, `.inputs`, `.interval(level)`, `.within(0.01)`, `.sensitivity()`, `.table()`.

    Raises:
        DecisionError: if a number is not positive, a name is missing or unknown, the budget cannot be spent (or the loss not reached)
            within bounds and caps, or nothing limits an input.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> plan = sj.allocate((law, law.published["hoffmann2022"]), compute=1e21)
        >>> f"{plan.N:.4g} {plan.D:.4g} {plan.loss:.5f}"
        '2.217e+09 7.518e+10 2.29549'
        >>> same = sj.allocate((law, law.published["hoffmann2022"]), loss=plan.loss)
        >>> f"{same.compute:.4g} {same.N:.4g}"
        '1e+21 2.217e+09'
    """
    if (compute is None) == (loss is None):
        raise DecisionError("allocate() takes either compute= (a budget) or loss= (a target to reach at the least cost).")
    knowledge, for_budget = known(source, group), loss is None
    name, asked = ("compute", compute) if for_budget else ("loss", loss)
    targets = numbers(name, asked)
    if targets.ndim > 1 or targets.size == 0 or not np.isfinite(targets).all() or (targets <= 0).any():
        unit = ", in FLOPs" if for_budget else ""
        raise DecisionError(f"{name}={asked!r} must be one positive number or a list of them{unit}.")
    question = pose(
        knowledge.law, cost, target=targets.reshape(-1), for_budget=for_budget, over=None if over is None else tuple(over),
        bounds=bounds or {}, caps=caps or {}, choices=choices or {}, given=given, length=knowledge.length,
    )  # fmt: skip
    question, kept = settled(question, knowledge)
    check_units(knowledge.runs, cost, question.common["given"], targets if for_budget else None)
    point, draws = question.solve(knowledge)
    chosen = best_choice(question, point, targets.size)
    best = question.only(chosen[0])
    point_at = Optima(*(a[..., chosen[0]] for a in point))
    explain(best, knowledge, point_at, name, name_of(cost))
    unlimited(best, point_at, name_of(cost))

    shape = targets.shape
    one = {n: v[0].reshape((*shape, *v.shape[2:])) for n, v in answers(question, point, chosen, for_budget).items()}
    one = {n: v if v.ndim else float(v) for n, v in one.items()}
    over_draws, unmet = {}, np.zeros(targets.size)
    if draws is not None:
        picked = best_choice(question, draws, targets.size)
        over_draws = {n: v.reshape((len(v), *shape, *v.shape[2:])) for n, v in answers(question, draws, picked, for_budget).items()}
        unmet = 1.0 - np.take_along_axis(draws.ok, picked, axis=1).mean(axis=0)
        if {"N", "D"} <= set(over_draws):
            over_draws["D/N"] = over_draws["D"] / over_draws["N"]
    shown = targets if shape else float(targets)
    answer = one.pop("answer")
    over_draws = {("loss" if for_budget else "compute") if n == "answer" else n: v for n, v in over_draws.items()}
    return Allocation(
        compute=shown if for_budget else answer,
        loss=answer if for_budget else shown,
        inputs=one,
        draws=over_draws,
        cost=name_of(cost),
        active=_held(best, point_at),
        residual=float(point_at.residual.max()),
        observed=knowledge.observed,
        unmet=unmet if shape else float(unmet[0]),
        for_budget=for_budget,
        kept=kept,
        kind=knowledge.kind,
        _question=best,
        _known=knowledge,
        _point=point_at,
    )


def best_choice(question: Question, found: Optima, targets: int) -> np.ndarray:
    """(draws, targets) scenario of the best enumerated combination."""
    many = len(question.choices)
    f = np.where(found.ok, found.f, np.inf).reshape(-1, targets, many)
    return np.argmin(f, axis=-1) + many * np.arange(targets)


def answers(question: Question, found: Optima, picked: np.ndarray, for_budget: bool) -> dict[str, np.ndarray]:
    """Name to (draws, targets): chosen inputs (vectors end in their own axis), enumerated ones, and "answer", the least loss or cost.

    Without an optimum inputs are NaN and the answer is infinite.
    """
    x, f = (np.take_along_axis(a, picked if a.ndim == 2 else picked[None], axis=-1) for a in (found.x, found.f))
    ok = np.take_along_axis(found.ok, picked, axis=-1)
    named = question.program.named(x)
    named |= {name: np.asarray(values)[picked] for name, values in question.scenarios["choice"].items()}
    named = {name: np.moveaxis(np.where(ok, value, np.nan), (-2, -1), (0, 1)) for name, value in named.items()}
    return named | {"answer": np.where(ok, f if for_budget else np.exp(f), np.inf)}


def _held(question: Question, point: Optima) -> tuple[tuple[str, ...], ...]:
    """For every target, the bounds and caps that hold."""
    sides = {-1: "lower", 1: "upper"}
    names = [label for v in question.program.variables for label in v.labels]
    caps = question.program.labels(point.x[:, 0, 0], question.values(0))[-len(point.slack) :] if len(point.slack) else ()
    rows = []
    for s in range(point.f.shape[1]):
        held = [f"{n} at its {sides[int(side)]} bound" for n, side in zip(names, point.active[: len(names), 0, s], strict=True) if side]
        held += [f"the cap on {n}" for n, side in zip(caps, point.active[len(names) :, 0, s], strict=True) if side]
        rows.append(tuple(held))
    return tuple(rows)
