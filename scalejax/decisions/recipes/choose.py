"""`choose`: which of several recipes is the best for a budget, how sure that is, and where the choice changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from ...core.answer import Answer, shaped
from ...core.errors import DecisionError, suggest
from ...core.numeric.precision import double
from ...core.table import Note, Table, number
from ...optimum.many import Optima
from ..costs import six_nd
from ..diagnosis import unlimited
from ..pairing import Pair
from ..question import Cost, name_of
from .arm import Arm, Best, arms, made_by, one_each, positive
from .break_even import BreakEven, at_best, crossings

_BEYOND = 100.0  # how far outside the budgets a draw may change its choice


@dataclass(frozen=True, eq=False, repr=False)
class Choice(Answer):
    """The best recipe for every budget. A name and numbers for one budget, arrays for several.

    Attributes:
        names: of the recipes.
        compute: budgets.
        best: name of the best recipe.
        inputs: its plan: name of an input to optimal value; NaN where the best recipe does not have it.
        loss: what it reaches: the lower envelope.
        losses: name of every recipe to its least loss, infinite where bounds and caps leave none.
        probability: name to the share of the draws in which the recipe is the best; empty without uncertainty.
        regret: name to what the recipe loses on the best of the same draw, the mean over draws; empty without uncertainty.
        switches: where the best recipe changes between the least and the largest budget, each a `BreakEven` with one value.
        draws: "loss" with a leading draw axis.
    """

    names: tuple[str, ...]
    compute: Any
    best: Any
    inputs: Mapping[str, Any]
    loss: Any
    losses: Mapping[str, Any]
    probability: Mapping[str, Any]
    regret: Mapping[str, Any]
    switches: tuple[BreakEven, ...]
    draws: Mapping[str, np.ndarray]
    _name: ClassVar[str] = "choice"

    def table(self, level: float = 0.9) -> Table:
        """A row for every budget."""
        best = [str(name) for name in np.ravel(self.best)]
        columns: dict[str, tuple[Any, int]] = {"compute": (self.compute, 4), "best": (best, 0)}
        if self.probability:
            columns["P(best)"] = ([np.ravel(self.probability[name])[i] for i, name in enumerate(best)], 3)
            columns["regret"] = ([np.ravel(self.regret[name])[i] for i, name in enumerate(best)], 2)
        columns |= {name: (values, 4) for name, values in self.inputs.items()}
        head, rows = self._rows({**columns, "loss": (self.loss, 5)}, level)
        notes = self._drawn
        none = [name for name, loss in self.losses.items() if not np.all(np.isfinite(loss))]
        if none:
            notes.append(Note(f"no plan for some budgets within bounds and caps: {', '.join(none)}", "no-plan"))
        for switch in self.switches:
            text = f"{switch.better[0]} to {switch.better[1]} at {number(switch.values[0], 4)}"
            if switch.draws:
                low, high = (number(end[0], 3) for end in switch.interval(level)["compute"])
                text += f", {100 * level:g} %: {low} – {high}"
            notes.append(text)
        return Table(head, rows, notes=notes)


@double
def choose(
    sources: Mapping[str, Any],
    *,
    compute: Any,
    cost: Callable[..., Any] | Mapping[str, Callable[..., Any]] = six_nd,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    caps: Mapping[Callable[..., Any], float] | None = None,
    choices: Mapping[str, Sequence[float]] | None = None,
    pair: Pair = None,
    **given: Any,
) -> Choice:
    r"""The best of several recipes for every budget, each at its own optimum.

        r*(C) = argmin_r min { L_r(x) : cost_r(x) = C }

    The switch points are where the lower envelope of the recipes changes hands. Draws that share units are paired, see `pair`.

    Args:
        sources: name to fit, draws or (law, parameters); or to (source, {input: value}) with values that hold for this recipe alone.
        compute: one budget or a list, in the unit of the cost, FLOPs. Switches are sought between neighbouring ones.
        cost: function of inputs by name, or name of the recipe to one.
        bounds, caps, choices: as in `allocate`, for each recipe that knows the name.
        pair: column (or columns) of the runs that names what plain fits share: "config", "seed", "corpus". Units of the same name are then
            resampled together for all of them (`bootstrap(groups=...)`). Default: where residuals clearly correlate over a column, over
            equal inputs, or run by run; False takes the fits as independent. Draws carry how they were resampled: those of one seed that
            share units are paired, others are not.
        **given: values of inputs, for each recipe that knows them.

    Returns:
        Choice with `.best`, `.inputs`, `.loss`, `.probability`, `.regret`, `.switches`, `.interval(level)`, `.table()`.

    Raises:
        DecisionError: if there are fewer than two recipes, a name is missing or unknown, or no recipe has an optimum for a budget.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> old = law.published["besiroglu2024"]
        >>> wide = {**old, "A": 900.0, "alpha": 0.38}  # worse when small, better when large
        >>> pick = sj.choose({"old": (law, old), "wide": (law, wide)}, compute=[1e17, 1e20])
        >>> pick.best.tolist(), f"{pick.switches[0].values[0]:.3g}"
        (['old', 'wide'], '8.99e+18')

    References: Ludziejewski et al. 2025, arXiv:2502.05172 (number of experts); Hoffmann et al. 2022, arXiv:2203.15556.
    """
    if not isinstance(sources, Mapping) or len(sources) < 2:
        raise DecisionError("choose() takes two or more recipes by name, such as {'dense': fit1, 'moe': fit2}.")
    names, budgets = tuple(map(str, sources)), positive("compute", compute, ", in FLOPs")
    group = arms(list(sources.values()), _costs(cost, names), given, "choose", bounds=bounds, caps=caps, choices=choices, pair=pair)
    C, shape = budgets.reshape(-1), budgets.shape
    found = [arm.best(C, True, must=False) for arm in group]
    losses = np.stack([best.point["answer"] for best in found])
    _some_optimum(group, found, losses, C)
    winner = losses.argmin(axis=0)

    inputs = dict.fromkeys(n for best in found for n in best.point if n != "answer")
    missing = np.full(len(C), np.nan)
    plan = {n: np.choose(winner, [best.point.get(n, missing) for best in found]) for n in inputs}
    draws, probability, regret = {}, {}, {}
    if group[0].known.count:
        many = np.stack([best.draws["answer"] for best in found])
        least, which = many.min(axis=0), many.argmin(axis=0)
        draws = {"loss": shaped(least, shape)}
        probability = {n: shaped((np.isfinite(least) & (which == i)).mean(axis=0), shape) for i, n in enumerate(names)}
        behind = many - np.where(np.isfinite(least), least, 0.0)  # a draw without any plan has an infinite regret, of all
        regret = {n: shaped(behind[i].mean(axis=0), shape) for i, n in enumerate(names)}
    order = np.argsort(C)
    switches = [
        switch
        for i, j in pairwise(order)
        for switch in _switches(group, names, int(winner[i]), int(winner[j]), (C[i], C[j]), (C.min(), C.max()))
    ]
    best = np.asarray(names)[winner].reshape(shape)
    return Choice(
        names=names, compute=shaped(C, shape), best=best if shape else str(best[()]),
        inputs={n: shaped(v, shape) for n, v in plan.items()}, loss=shaped(losses.min(axis=0), shape),
        losses={n: shaped(row, shape) for n, row in zip(names, losses, strict=True)}, probability=probability, regret=regret,
        switches=tuple(switches), draws=draws, kind=made_by(group),
    )  # fmt: skip


def _costs(cost: Any, names: tuple[str, ...]) -> list[Cost]:
    """A cost for every recipe."""
    if not isinstance(cost, Mapping):
        return one_each(cost, len(names), "choose")
    for name in names:
        if name not in cost:
            raise DecisionError(f"choose() has no cost for {name!r}; cost= names {', '.join(map(str, cost))}.")
    for name in cost:
        if name not in names:
            raise DecisionError(f"cost= names {name!r}, which is not a recipe; {suggest(name, names)}")
    return [cost[name] for name in names]


def _some_optimum(group: Sequence[Arm], found: Sequence[Best], losses: np.ndarray, C: np.ndarray) -> None:
    """Raise if a budget has no optimum at all, or one that nothing limits."""
    none = np.flatnonzero(~np.isfinite(losses).any(axis=0))
    if len(none):
        group[0].best(C[none[:1]], True)  # says why
        raise DecisionError(f"No recipe has an optimum for compute={C[none[0]]:g}; widen bounds= or caps=, or check units.")
    for arm, best in zip(group, found, strict=True):
        ok = np.flatnonzero(best.found.ok[0])
        unlimited(best.question.only(ok), Optima(*(a[..., ok] for a in best.found)), name_of(arm.cost))


def _switches(
    group: Sequence[Arm], names: tuple[str, ...], before: int, after: int, ends: tuple[float, float], budgets: tuple[float, float]
) -> list[BreakEven]:
    """Where the envelope changes hands between two budgets: one switch, or several if a third recipe is the best in between."""
    if before == after:
        return []
    wide = (budgets[0] / _BEYOND, budgets[1] * _BEYOND)
    pair = [at_best(group[i], "compute", "compute") for i in (before, after)]
    even = crossings(pair, "compute", wide, (names[before], names[after]), group[0].known.count, "loss", made_by(group))
    here = np.flatnonzero((even.values >= ends[0]) & (even.values <= ends[1]))[:1]
    if not len(here):
        return []
    at = float(even.values[here[0]])
    losses = [at_best(arm, "compute", "compute")(np.asarray([at]), None)[0][0] for arm in group]
    third = int(np.argmin(losses))
    if third not in (before, after) and losses[third] < min(losses[before], losses[after]) * (1 - 1e-9):
        parts = ((before, third, (ends[0], at)), (third, after, (at, ends[1])))
        return [switch for a, b, part in parts for switch in _switches(group, names, a, b, part, budgets)]
    return [_one(even, int(here[0]), names[before], names[after])]


def _one(even: BreakEven, i: int, before: str, after: str) -> BreakEven:
    """One crossing alone."""
    draws = {name: values[:, [i]] for name, values in even.draws.items()}
    return BreakEven(
        over=even.over, between=even.between, values=even.values[[i]], at=even.at[[i]], better=(before, after), names=(before, after),
        draws=draws, missing=even.missing[[i]], what=even.what, kind=even.kind,
    )  # fmt: skip
