"""`allocate`: the inputs of a law that make the most of a budget, or reach a loss at the least cost, with their uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, ClassVar, Literal

import jax
import numpy as np

from ..core.answer import Answer
from ..core.errors import DecisionError
from ..core.numeric.precision import double
from ..core.table import Note, Table, formatted, number, span
from ..optimum.many import Optima
from . import beyond
from .averaged import over_laws
from .costs import six_nd
from .diagnosis import explain, profile, slopes, unlimited, valley
from .known import Known, Source, known
from .mixtures.reach import back
from .question import Question, check_direction, check_units, name_of, numbers, pose
from .unvaried import hold_unvaried, run_shares


@dataclass(frozen=True, eq=False, repr=False)
class Allocation(Answer):
    """Optimal inputs of a law. Numbers for one budget (or target loss), arrays for several.

    Attributes:
        compute: budgets as given, or the least cost of the target losses, in the unit of the cost (FLOPs).
        loss: the least loss of the budgets, or the target losses as given.
        inputs: name to optimal value of every chosen input, at the point estimate; `.N` and `.D` are short for two of them.
        draws: every chosen input, "loss" or "compute", and "D/N", with a leading draw axis; empty without uncertainty.
        cost: name of the cost.
        active: for every budget the bounds and caps that hold there, such as "N at its upper bound".
        residual: largest violation of the KKT equations, relative to the gradient.
        observed: largest value of every input among the runs, if any.
        kept: shares that no run varied, and that stay where they were, in words; "" without.
        unmet: share of the draws that have no optimum, for every budget (they count as infinite cost).
        left_out: `choices` that cannot spend some budget (or reach some loss) within bounds and caps, such as "P=4".
    """

    compute: Any
    loss: Any
    inputs: Mapping[str, Any]
    draws: Mapping[str, np.ndarray]
    cost: str
    active: tuple[tuple[str, ...], ...]
    residual: float
    observed: Mapping[str, float] = field(default_factory=dict)
    unmet: Any = 0.0
    for_budget: bool = True
    kept: str = ""
    left_out: tuple[str, ...] = ()
    _question: Question = field(kw_only=True)
    _known: Known = field(kw_only=True)
    _point: Optima = field(kw_only=True)
    _name: ClassVar[str] = "allocation"

    @property
    def N(self) -> Any:
        """Optimal parameters."""
        return self._input("N")

    @property
    def D(self) -> Any:
        """Optimal tokens."""
        return self._input("D")

    def _input(self, name: str) -> Any:
        if name not in self.inputs:
            raise DecisionError(f"This allocation chose {', '.join(self.inputs)}, not {name}.")
        return self.inputs[name]

    @property
    def tokens_per_parameter(self) -> Any:
        """D / N."""
        return self.D / self.N

    @property
    def edge(self) -> Any:
        """Does a bound or cap hold? One truth value, or one a budget."""
        held = np.asarray([bool(names) for names in self.active])
        return held if np.ndim(self.compute) else bool(held[0])

    @property
    def _shares(self) -> dict[str, np.ndarray]:
        """Input of shares to those of the runs, (mixtures, domains)."""
        return run_shares(self._question, self._known)

    @property
    def _found(self) -> str:
        return "loss" if self.for_budget else "compute"

    def interval(self, level: float = 0.9, method: Literal["draws", "delta"] = "draws") -> dict[str, tuple[Any, Any]]:
        """(low, high) of every input, of "D/N" and of what was minimised, at this confidence `level`.

        Args:
            level: of the interval.
            method: "draws" for their percentiles, "delta" for normal intervals of the logarithms, from the derivatives of the optimum and
                the covariance of the parameters (logarithms of positive ones) over the draws.

        Raises:
            DecisionError: if the allocation came from bare parameters, which know no uncertainty.
        """
        if method not in ("draws", "delta"):
            raise DecisionError(f"method={method!r} must be 'draws' or 'delta'.")
        found = super().interval(level)
        found |= {name: back(*found[name], self.inputs[name], [h]) for name, h in self._shares.items()}
        return found if method == "draws" else self._delta(level, found)

    @double
    def _delta(self, level: float, by_draws: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
        known, relative = self._known, self._relative_slopes()
        flat = np.concatenate([np.asarray(known.drawn[n]).reshape(known.count, -1) for n in known.point], axis=1)
        now = np.concatenate([np.ravel(p) for p in known.point.values()])
        log = (flat > 0).all(axis=0) & (now > 0)  # in logarithms, where positive parameters are nearly normal
        covariance = np.atleast_2d(np.cov(np.where(log, np.log(np.where(log, flat, 1.0)), flat).T))
        result = {}
        for name in self.draws:
            if name not in relative:  # weights and enumerated values have no logarithm to be normal in
                result[name] = by_draws[name]
                continue
            gradient = np.concatenate([relative[name]["params"][p].reshape(len(self.active), -1) for p in known.point], axis=1)
            gradient = gradient * np.where(log, now, 1.0)
            reach = NormalDist().inv_cdf(0.5 + level / 2) * np.sqrt(np.einsum("si,ij,sj->s", gradient, covariance, gradient))
            middle = np.atleast_1d(self._value(name))
            low, high = middle * np.exp(-reach), middle * np.exp(reach)
            result[name] = (low, high) if np.ndim(self.compute) else (float(low[0]), float(high[0]))
        return result

    def _value(self, name: str) -> Any:
        return self.tokens_per_parameter if name == "D/N" else self.inputs[name] if name in self.inputs else getattr(self, name)

    def _relative_slopes(self) -> dict[str, Any]:
        """d log(answer) / d value for every answer and value."""
        out, relative = slopes(self._question, self._known, self._point), {}
        program = self._question.program
        for v, at in program.places:
            if not v.size:
                unit = np.ones(len(self.active)) if v.log else np.atleast_1d(self.inputs[v.name])
                relative[v.name] = _map(out, at.start, unit)
        # the logarithm of the cost is what least cost minimises; a loss is divided by itself
        relative[self._found] = _map(out, program.width, np.atleast_1d(self.loss) if self.for_budget else np.ones(len(self.active)))
        if {"N", "D"} <= set(self.inputs):
            relative["D/N"] = jax.tree.map(np.subtract, relative["D"], relative["N"])
        return relative

    @double
    def sensitivity(self, index: int = 0) -> Table:
        """Elasticities of the optimum: the per cent by which every answer changes when a value rises by one per cent.

        Exact derivatives by the implicit function theorem, for the budget (or target loss) number `index`, with respect to the budget, the
        parameters, given values and caps. A bound that holds is held.
        """
        relative, values = self._relative_slopes(), {**self._question.scenarios, **self._question.common}
        target = "compute" if self.for_budget else "loss"
        sources: dict[str, tuple[tuple[Any, ...], Any]] = {target: (("target",), np.asarray(values["target"])[index])}
        sources |= {n: (("params", n), p) for n, p in self._known.point.items()}
        sources |= {n: (("given", n), p) for n, p in values["given"].items()}
        sources |= {f"cap on {n}": (("caps", i), values["caps"][i]) for i, (n, _) in enumerate(self._question.program.below)}
        rows = []
        for label, (path, value) in sources.items():
            changes = {}
            for answer, tree in relative.items():
                for key in path:
                    tree = tree[key]
                changes[answer] = tree[index] * value
            for place in np.ndindex(np.shape(value)):
                name = label + (f"[{', '.join(map(str, place))}]" if place else "")
                rows.append([name, number(np.asarray(value)[place], 4), *(f"{changes[answer][place]:+.4f}" for answer in relative)])
        note = f"per cent for one per cent more, at {target} = {number(sources[target][1], 4)}"
        return Table(["value", "now", *relative], rows, notes=[note])

    @double
    def within(self, tolerance: float = 0.01) -> dict[str, tuple[Any, Any]]:
        """How flat the optimum is: the range of every input in which what is minimised stays within `tolerance` (0.01: 1 %) of its best.

        The other inputs are chosen anew at every value. For target losses the tolerance is on the cost. (low, high) are numbers, or arrays
        like the budgets.

        Raises:
            DecisionError: if tolerance is not positive.
        """
        if not 0 < tolerance < 10:
            raise DecisionError(f"tolerance={tolerance!r} must be a positive share, such as 0.01 for 1 %.")
        ranges = valley(self._question, self._known, self._point, tolerance, relative=self.for_budget)
        shape = np.shape(self.compute)

        def one(end: np.ndarray) -> Any:
            end = np.moveaxis(end, -1, 0)
            return end if shape else end[0] if end.ndim > 1 else float(end[0])

        return {name: (one(low), one(high)) for name, (low, high) in ranges.items()}

    @double
    def profile(self, name: str, values: Any) -> np.ndarray:
        """What a given value of one input costs: the least loss (or cost) with that input held there and the others chosen anew.

        Args:
            name: a chosen input, such as "N".
            values: (k,) to hold it at.

        Returns:
            (k,), or (budgets, k); NaN where no choice of the others can meet the budget.

        Raises:
            DecisionError: if the input was not chosen, or a value is not positive.
        """
        if name not in self.inputs:
            raise DecisionError(f"This allocation chose {', '.join(self.inputs)}, not {name}.")
        held = np.atleast_1d(numbers(name, values))
        if not (held > 0).all():
            raise DecisionError(f"{name} is held at {values!r}; give positive numbers.")
        found = profile(self._question, self._known, self._point, name, held)
        found = found if self.for_budget else np.exp(found)
        return found if np.ndim(self.compute) else found[0]

    def table(self, level: float = 0.9) -> Table:
        """A row for every budget."""
        first, last = ("compute", "loss") if self.for_budget else ("loss", "compute")
        names = [first, *self.inputs, *(["D/N"] if {"N", "D"} <= set(self.inputs) else []), last]
        limits = self.interval(level) if self.draws else {}
        columns = {name: (self._value(name), *limits.get(name, ())) for name in names}
        vectors = {v.name: v.size for v in self._question.program.variables if v.size}
        for name, size in vectors.items():  # a column for every entry, in place
            entries = {f"{name}[{i}]": tuple(np.asarray(part)[..., i] for part in columns[name]) for i in range(size)}
            columns = {k: v for n, old in columns.items() for k, v in (entries if n == name else {n: old}).items()}
        rows = []
        for i in range(len(self.active)):
            row: list[str] = []
            for name, parts in columns.items():
                digits = 5 if name == "loss" else 4
                value, *ends_ = (np.atleast_1d(part)[i] for part in parts)
                row.append(formatted(value, ".3g") if name == "compute" and self.for_budget else number(value, digits))
                row += [span(ends_[0], ends_[1], digits)] if ends_ else []
            rows.append(row)
        head = [cell for name, parts in columns.items() for cell in ([name, f"{100 * level:g} %"] if len(parts) > 1 else [name])]
        return Table(head, rows, notes=self._notes())

    def _notes(self) -> list[str]:
        notes = ["; ".join([f"cost {self.cost}", *self._drawn])]
        held = dict.fromkeys(name for names in self.active for name in names)
        if held:
            notes.append(Note(f"held by {', '.join(held)}: the optimum lies at a bound, move it if it is not meant", "at-bound", "info"))
        if self.kept:
            notes.append(self.kept)
        if self.left_out:
            what = "cannot spend the whole budget" if self.for_budget else "cannot reach the loss"
            said = f"left out, since they {what} within bounds and caps: {'; '.join(self.left_out)}"
            notes.append(Note(said, "choices-left-out", "info"))
        if np.any(self.unmet):
            share = f"{100 * np.max(self.unmet):.2g} %"
            notes.append(Note(f"{share} of the draws cannot reach a target loss; they count as infinite cost", "unmet"))
        asked = {**self._question.common["given"], **self.inputs}
        return notes + beyond.notes(self._known, self.cost, asked, self._shares, bool(self.draws))


def _map(tree: Any, row: int, unit: np.ndarray) -> Any:
    """One answer's derivatives, divided by its unit; arrays lead with the scenario axis."""
    return jax.tree.map(lambda a: a[:, row] / unit.reshape(-1, *[1] * (a.ndim - 2)), tree)


@over_laws
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
        source: a fit (intervals from 1,000 Laplace draws), draws (intervals from them), (law, parameters) without intervals, or a
            forecast, whose laws are all asked and averaged.
        compute: one budget or a list, in the unit of the cost; FLOPs for `costs.six_nd`.
        loss: one target loss or a list, instead of compute.
        cost: function of the chosen inputs and any further named values, such as those in `sj.costs`.
        over: the inputs to choose; default all that are not given.
        bounds: {"N": (low, high)} limits an input.
        caps: {function: limit} holds other costs at or below a limit, such as {sj.costs.six_nd: 1e23}; for functions that return several
            numbers one limit or one for each, such as {sj.costs.domain_tokens: 4 * U}.
        choices: {"E": [1, 2, 4, 8]} tries every value of an input that cannot vary smoothly, and keeps the best of those that can spend
            the whole budget (or reach the loss) within bounds and caps; the others are named in `left_out`.
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
    question, kept = hold_unvaried(question, knowledge)
    check_units(knowledge.runs, cost, question.common["given"], targets if for_budget else None)
    check_direction(knowledge.law, knowledge.point, knowledge.runs, cost, question.common["given"])
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
        if not for_budget:  # what is out of reach needs runs without end
            over_draws |= {n: np.where(np.isinf(over_draws["answer"]), np.inf, over_draws[n]) for n in {"N", "D"} & over_draws.keys()}
    shown = targets if shape else float(targets)
    answer = one.pop("answer")
    over_draws = {("loss" if for_budget else "compute") if n == "answer" else n: v for n, v in over_draws.items()}
    return Allocation(
        compute=shown if for_budget else answer, loss=answer if for_budget else shown, inputs=one, draws=over_draws, cost=name_of(cost),
        active=_held(best, point_at, knowledge), residual=float(point_at.residual.max()), observed=knowledge.observed,
        unmet=unmet if shape else float(unmet[0]), for_budget=for_budget, kept=kept,
        left_out=_left_out(question, point), kind=knowledge.kind, _question=best, _known=knowledge, _point=point_at,
    )  # fmt: skip


def best_choice(question: Question, found: Optima, targets: int) -> np.ndarray:
    """(draws, targets) scenario of the best enumerated combination."""
    many = len(question.choices)
    f = np.where(found.ok, found.f, np.inf).reshape(-1, targets, many)
    return np.argmin(f, axis=-1) + many * np.arange(targets)


def _left_out(question: Question, point: Optima) -> tuple[str, ...]:
    """Enumerated combinations without an optimum for some target."""
    done = point.ok[0].reshape(-1, len(question.choices)).all(axis=0)
    return tuple(", ".join(f"{n}={v:g}" for n, v in one.items()) for one, ok in zip(question.choices, done, strict=True) if one and not ok)


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


def _held(question: Question, point: Optima, known: Known) -> tuple[tuple[str, ...], ...]:
    """For every target, the bounds and caps that hold."""
    sides = {-1: "lower", 1: "upper"}
    names = [label for v in question.program.variables for label in v.labels]
    caps = question.program.labels(point.x[:, 0, 0], question.values(0, known.point))[-len(point.slack) :] if len(point.slack) else ()
    rows = []
    for s in range(point.f.shape[1]):
        held = [f"{n} at its {sides[int(side)]} bound" for n, side in zip(names, point.active[: len(names), 0, s], strict=True) if side]
        held += [f"the cap on {n}" for n, side in zip(caps, point.active[len(names) :, 0, s], strict=True) if side]
        rows.append(tuple(held))
    return tuple(rows)
