"""`pareto`: the best compromises between loss and a cost, or between two costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import numpy as np

from ...core.answer import Answer, share
from ...core.errors import DecisionError
from ...core.numeric.precision import double
from ...core.table import Note, Table
from ...optimum.many import Optima
from ..costs import six_nd
from ..diagnosis import explain, unlimited
from ..question import Question, name_of, numbers
from .arm import Arm, arms, positive

_LOOSE = 1e30  # a cap that never holds, in units of the cost at the optimum


@dataclass(frozen=True, eq=False, repr=False)
class Pareto(Answer):
    """A Pareto front of two objectives, along the second one.

    Attributes:
        names: of the two objectives: "loss" or a cost, then a cost.
        first, second: (points,) their values; less of one is more of the other.
        inputs: name of every chosen input to its values, (points,).
        rate: (points,) -d first / d log second: what the first objective gains if the second one may rise by 1 %, times 100; for a cost as
            first objective relative to it, an elasticity.
        knee: index of the point that lies farthest below the chord between the ends, in first against log second (costs in logarithms).
        held: what both are under, such as "six_nd = 1e+21", or "".
        draws: the first objective with a leading draw axis, at the same values of the second.
        unmet: (points,) share of the draws that have no such plan.
    """

    names: tuple[str, str]
    first: np.ndarray
    second: np.ndarray
    inputs: Mapping[str, np.ndarray]
    rate: np.ndarray
    knee: int
    held: str
    draws: Mapping[str, np.ndarray]
    unmet: np.ndarray
    _name: ClassVar[str] = "front"

    def table(self, level: float = 0.9) -> Table:
        """A row for every point of the front."""
        columns = {
            self.names[1]: (self.second, 4), self.names[0]: (self.first, 5), **{name: (values, 4) for name, values in self.inputs.items()},
            "rate": (self.rate, 3), "": (["knee" if i == self.knee else "" for i in range(len(self.first))], 0),
        }  # fmt: skip
        head, rows = self._rows(columns, level)
        unit = " / 100" if self.names[0] == "loss" else " %"
        notes = ["; ".join([*([f"all at {self.held}"] if self.held else []), *self._drawn])] if self.held or self._drawn else []
        notes.append(f"rate: {self.names[0]} gains rate{unit} for 1 % more {self.names[1]}")
        if np.any(self.unmet):
            notes.append(Note(f"up to {share(self.unmet)} of the draws have no such plan; they count as infinite", "unmet"))
        return Table(head, rows, title=f"Front of {self.names[0]} and {self.names[1]}", notes=notes)


@double
def pareto(
    source: Any,
    *,
    against: Callable[..., Any] | None = None,
    compute: float | None = None,
    loss: float | None = None,
    cost: Callable[..., Any] = six_nd,
    between: tuple[float, float] | None = None,
    points: int = 20,
    over: Sequence[str] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    caps: Mapping[Callable[..., Any], float] | None = None,
    **given: Any,
) -> Pareto:
    r"""The Pareto front of loss and a cost, of loss and a second cost at a fixed budget, or of two costs at a fixed loss.

        min_x f1(x)   subject to   f2(x) <= eps   and what is fixed,   for eps from the optimum of f2 to that of f1

    All points are solved side by side (the epsilon-constraint method), and every point has its multiplier as rate of exchange.

    - `pareto(fit, cost=dollars, between=(1e4, 1e6))`: loss against a cost.
    - `pareto(fit, compute=1e21, against=per_token)`: loss against a second cost, such as that of an inference token, at a fixed budget.
    - `pareto(fit, loss=2.2, against=weight_bytes)`: the budget against a second cost, at a fixed loss.

    Args:
        source: a fit (intervals from 1,000 Laplace draws), draws, or (law, parameters); or (source, {input: value}).
        against: the second cost, a function of inputs by name.
        compute: a budget that every plan spends. loss: a loss that every plan reaches.
        cost: function of inputs by name that the budget is in, or that is traded.
        between: range of the second objective; default from its own optimum to that of the first, which needs both to exist.
        points: of the front, in equal ratios.
        over, bounds, caps: as in `allocate`.
        **given: values of inputs that are not chosen.

    Returns:
        Pareto with `.first`, `.second`, `.inputs`, `.rate`, `.knee`, `.interval(level)`, `.table()`.

    Raises:
        DecisionError: if a name is missing or unknown, a number is not positive, or an end of the front does not exist.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> def per_token(N):
        ...     return 2 * N
        >>> front = sj.pareto((law, law.published["hoffmann2022"]), compute=1e21, against=per_token, bounds={"N": (2e8, 1e11)}, points=5)
        >>> [f"{n:.3g}" for n in front.inputs["N"]], f"{front.first[0]:.4f} {front.first[-1]:.4f}"
        (['2e+08', '3.65e+08', '6.66e+08', '1.21e+09', '2.22e+09'], '2.4798 2.2955')

    References: Miettinen 1999, Nonlinear Multiobjective Optimization (epsilon constraint); Sardana et al. 2023, arXiv:2401.00448.
    """
    alone = against is None
    _check(against, compute, loss, points, between)
    second = cost if against is None else against
    limits = {**(caps or {})} | ({} if against is None else {against: 1.0})
    (arm,) = arms([source], [cost], given, "pareto", bounds=bounds, caps=limits, over=None if over is None else tuple(over))
    for_budget, names = loss is None, ("loss" if loss is None else name_of(cost), name_of(second))
    target = compute if loss is None else loss
    if target is None:
        low, high = numbers("between", between)
        levels = np.geomspace(low, high, points)
        question = arm.ask(levels, True)
    else:
        target = float(target)
        low, high = numbers("between", between) if between is not None else _ends(arm.ask(np.asarray([target]), for_budget), arm, names)
        levels = np.geomspace(low, high, points)
        question = _capped(arm.ask(np.full(points, target), for_budget), levels)
    point, draws = question.solve(arm.known)
    _found(question, arm, point, name_of(cost))

    scale: Callable[[Any], Any] = np.asarray if for_budget else np.exp
    drawn, unmet = {}, np.zeros(points)
    if draws is not None:
        drawn, unmet = {names[0]: np.where(draws.ok, scale(draws.f), np.inf)}, 1.0 - draws.ok.mean(axis=0)
    held = "" if alone else f"{name_of(cost)} = {compute:g}" if for_budget else f"loss = {loss:g}"
    rate = point.lam[sum(v.simplex for v in question.program.variables) if alone else -1, 0]
    first, knee = scale(point.f[0]), _knee(point.f[0], np.log(levels))
    # a multiplier of a cap that does not hold is 0 but for rounding
    return Pareto(
        names=names, first=first, second=levels, inputs=_named(question, point), rate=np.where(rate > 1e-12, rate, 0.0), knee=knee,
        held=held, draws=drawn, unmet=unmet, kind=arm.known.kind,
    )  # fmt: skip


def _found(question: Question, arm: Arm, point: Optima, cost: str) -> None:
    """Raise a DecisionError where there is no optimum, or nothing limits it."""
    explain(question, arm.known, point, "loss" if question.program.equal[0][0] == "loss" else "compute", cost)
    unlimited(question, point, cost)


def _check(against: Any, compute: Any, loss: Any, points: Any, between: Any) -> None:
    """Raise a DecisionError if the question is not one of the three."""
    if (against is None) != (compute is None and loss is None) or (compute is not None and loss is not None):
        raise DecisionError("pareto() takes cost= and between= alone, or against= with one of compute= (a budget) and loss=.")
    for name, value in (("compute", compute), ("loss", loss)):
        if value is not None and positive(name, value).ndim:
            raise DecisionError(f"{name}={value!r} must be one positive number; call pareto() once for each.")
    if not isinstance(points, int) or points < 2:
        raise DecisionError(f"points={points!r} must be a whole number of at least 2.")
    if between is None and against is None:
        raise DecisionError("pareto() of loss and a cost needs between=(low, high), the costs to look at.")
    if between is not None:
        ends = positive("between", between)
        if ends.shape != (2,) or not ends[0] < ends[1]:
            raise DecisionError(f"between={between!r} must be two positive numbers that rise, (low, high).")


def _capped(question: Question, levels: np.ndarray) -> Question:
    """The question with the last cap at these levels, one for each scenario."""
    caps = [np.full(len(levels), float(cap)) for cap in question.common["caps"][:-1]]
    common = {name: value for name, value in question.common.items() if name != "caps"}
    return question._replace(scenarios={**question.scenarios, "caps": [*caps, levels]}, common=common)


def _named(question: Question, found: Any) -> dict[str, np.ndarray]:
    """Chosen inputs by name at the point, (points,) or (points, length) for vectors."""
    return {name: value.T for name, value in question.program.named(found.x[:, 0]).items()}


def _ends(question: Question, arm: Arm, names: tuple[str, str]) -> tuple[float, float]:
    """The second objective at its own optimum and at that of the first. Its cap in the question is 1, so its condition is its logarithm."""
    point_only = replace(arm.known, draws=None)
    free, _ = _capped(question, np.asarray([_LOOSE])).solve(point_only)
    _found(question, arm, free, names[0])
    *below, (_, second) = question.program.below
    v = {"params": arm.known.point, **jax.tree.map(lambda a: a[0], question.scenarios), **question.common}
    high = float(second(question.program.unpack(free.x[:, 0, 0]), v))

    least = question._replace(program=question.program._replace(objective=second, below=tuple(below)))
    found, _ = least.solve(point_only)
    ran = [x.name for i, x in enumerate(least.program.variables) if x.name in least.free and found.active[i, 0, 0]]
    if ran or not found.ok[0, 0]:
        raise DecisionError(
            f"The least {names[1]} has no inner optimum, so the front has no end; give between=(low, high) of {names[1]}, or bounds= of "
            f"{' and '.join(ran or least.free)}."
        )
    # just inside, where the bound or cap that makes this end does not share its multiplier with the second objective
    return float(np.exp(found.f[0, 0] + 1e-7)), float(np.exp(high))


def _knee(first: np.ndarray, second: np.ndarray) -> int:
    """The point farthest below the chord between the ends."""
    x, y = (second - second[0]) / (second[-1] - second[0]), (first - first[-1]) / (first[0] - first[-1])
    return int(np.argmax(1.0 - x - y))
