"""`compute_multiplier`: how much more compute one recipe needs to equal another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...core.answer import Answer, shaped, share
from ...core.numeric.precision import double
from ...core.table import Note, Table
from ..costs import six_nd
from ..diagnosis import explain, reach
from ..pairing import Pair
from ..question import name_of
from .arm import Arm, arms, made_by, one_each, positive


@dataclass(frozen=True, eq=False, repr=False)
class ComputeMultiplier(Answer):
    """How much more compute the base needs for what the new recipe reaches. Numbers for one budget, arrays for several.

    Attributes:
        compute: budgets of the new recipe.
        loss: what it reaches with them.
        base_compute: what the base needs for the same loss; infinite where it cannot reach it.
        multiplier: base_compute / compute: above 1, the new recipe is better.
        draws: "loss", "base compute" and "multiplier" with a leading draw axis.
        unreached: share of the draws in which the base cannot reach the loss; their multiplier is infinite.
    """

    compute: Any
    loss: Any
    base_compute: Any
    multiplier: Any
    draws: Mapping[str, np.ndarray]
    unreached: Any
    costs: tuple[str, str]
    _name: ClassVar[str] = "multiplier"

    def table(self, level: float = 0.9) -> Table:
        """A row for every budget."""
        columns = {"compute": (self.compute, 4), "loss": (self.loss, 5)}
        columns |= {"base compute": (self.base_compute, 4), "multiplier": (self.multiplier, 4)}
        head, rows = self._rows(columns, level)
        notes = ["; ".join([f"cost {' and '.join(dict.fromkeys(self.costs))}", *self._drawn])]
        if not np.all(np.isfinite(self.base_compute)):
            notes.append(Note("∞: the base cannot reach this loss with any compute", "unreachable"))
        if np.any(self.unreached):
            said = f"in up to {share(self.unreached)} of the draws the base cannot reach the loss; their multiplier is infinite"
            notes.append(Note(said, "unmet"))
        return Table(head, rows, title="Effective compute", notes=notes)


@double
def compute_multiplier(
    new: Any,
    base: Any,
    *,
    compute: Any,
    cost: Callable[..., Any] | Sequence[Callable[..., Any]] = six_nd,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    caps: Mapping[Callable[..., Any], float] | None = None,
    choices: Mapping[str, Sequence[float]] | None = None,
    pair: Pair = None,
    **given: Any,
) -> ComputeMultiplier:
    r"""How much more compute the base recipe needs for the loss that the new one reaches, both at their own optimum.

        k(C) = C_base(L_new*(C)) / C,    L_new*(C) = min L_new subject to cost = C,    C_base(l) = min cost subject to L_base = l

    Above 1, the new recipe is better: it does with C what takes the base k C. Draws that share units are paired, see `pair`.

    Args:
        new, base: fits, draws or (law, parameters); or (source, {"E": 8}) with values of inputs that hold for this side alone (a `group`
            of a fit among them).
        compute: one budget or a list, in the unit of the cost, FLOPs.
        cost: function of inputs by name, or (cost of new, cost of base).
        bounds, caps, choices: as in `allocate`, for each side that knows the name.
        pair: column (or columns) of the runs that names what plain fits share: "config", "seed", "corpus". Units of the same name are then
            resampled together for all of them (`bootstrap(groups=...)`). Default: where residuals clearly correlate over a column, over
            equal inputs, or run by run; False takes the fits as independent. Draws carry how they were resampled: those of one seed that
            share units are paired, others are not.
        **given: values of inputs, for each side that knows them.

    Returns:
        ComputeMultiplier with `.multiplier`, `.base_compute`, `.loss`, `.interval(level)`, `.table()`.

    Raises:
        DecisionError: if a budget is not positive, a name is missing or unknown, or the new recipe has no optimum.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> old = law.published["besiroglu2024"]
        >>> gain = sj.compute_multiplier((law, {**old, "A": 0.8 * old["A"], "B": 0.8 * old["B"]}), (law, old), compute=[1e20, 1e23])
        >>> [f"{k:.4f}" for k in gain.multiplier]
        ['3.4959', '3.4959']

    References: Hoffmann et al. 2022, arXiv:2203.15556; Ho et al. 2024, arXiv:2403.05812 (effective compute).
    """
    budgets = positive("compute", compute, ", in FLOPs")
    costs = one_each(cost, 2, "compute_multiplier")
    fresh, old = arms((new, base), costs, given, "compute_multiplier", bounds=bounds, caps=caps, choices=choices, pair=pair)
    best = fresh.best(budgets.reshape(-1), True)
    loss, losses = best.point["answer"], best.draws.get("answer")
    needed = old.best(loss, False, own=None if losses is None else {"target": losses}, must=False)
    _only_unreachable(old, needed.question, needed.found)
    shape, C = budgets.shape, budgets.reshape(-1)
    draws, unreached = {}, np.zeros(len(C))
    if losses is not None:
        base_compute = np.where(np.isfinite(losses), needed.draws["answer"], np.nan)
        draws = {n: shaped(v, shape) for n, v in
                 {"loss": losses, "base compute": base_compute, "multiplier": base_compute / C}.items()}  # fmt: skip
        unreached = np.isinf(base_compute).mean(axis=0)
    at = needed.point["answer"]
    return ComputeMultiplier(
        compute=shaped(C, shape), loss=shaped(loss, shape), base_compute=shaped(at, shape), multiplier=shaped(at / C, shape), draws=draws,
        unreached=shaped(unreached, shape), costs=(name_of(costs[0]), name_of(costs[1])), kind=made_by((fresh, old)),
    )  # fmt: skip


def _only_unreachable(arm: Arm, question: Any, found: Any) -> None:
    """Raise unless every loss without an optimum lies below all that the law predicts."""
    (_, condition), *_ = question.program.equal
    for s in np.flatnonzero(~found.ok[0]):
        low, _ = reach(question, arm.known, int(s), condition)
        if low <= 1e-9:
            explain(question.only(np.asarray([s])), arm.known, type(found)(*(a[..., [s]] for a in found)), "loss", name_of(arm.cost))
