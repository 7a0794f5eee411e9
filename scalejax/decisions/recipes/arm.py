"""The sides of a comparison: a source, the values that hold for it, its cost, and what it reaches at its own best."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ...core.errors import DecisionError, suggest
from ...core.laws.law import Law
from ...core.numeric.programs import compiled
from ...optimum.many import Optima
from ..allocate import answers, best_choice
from ..diagnosis import explain, unlimited
from ..known import Known
from ..pairing import Pair, knowns
from ..question import Cost, Question, law_condition, name_of, numbers, pose
from ..unvaried import hold_unvaried


class Best(NamedTuple):
    """Optima of a side: chosen inputs and "answer", the least loss or cost; at the point (targets,), and for draws (draws, targets)."""

    point: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]
    question: Question
    found: Optima


class Arm(NamedTuple):
    """One side of a comparison.

    Attributes:
        known: law, point and draws; those of all sides of a comparison have the same length.
        cost: its cost. given: values of inputs that hold for it. bounds, caps, choices: see `allocate`.
        what: the public function that asks, for errors.
    """

    known: Known
    cost: Cost
    given: dict[str, Any]
    bounds: dict[str, Any]
    caps: dict[Cost, float]
    choices: dict[str, Any]
    what: str
    over: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All inputs of the law, and arguments of the costs."""
        taken = [n for c in (self.cost, *self.caps) for n in inspect.signature(c).parameters]
        return tuple(dict.fromkeys([*self.known.law.inputs, *taken]))

    def ask(self, targets: np.ndarray, for_budget: bool, each: Mapping[str, np.ndarray] | None = None) -> Question:
        """The question for every target, with inputs `each` (targets,) of its own."""
        each = each or {}
        given = {**self.given, **{name: values[0] for name, values in each.items()}}
        question = pose(
            self.known.law, self.cost, target=targets, for_budget=for_budget, over=self.over, bounds=self.bounds, caps=self.caps,
            choices=self.choices, given=given, what=self.what,
        )  # fmt: skip
        question, _ = hold_unvaried(question, self.known)
        many = len(question.choices)
        choice = question.scenarios["choice"] | {name: np.repeat(values, many) for name, values in each.items()}
        common = {**question.common, "given": {n: v for n, v in question.common["given"].items() if n not in each}}
        return question._replace(scenarios={**question.scenarios, "choice": choice}, common=common)

    def best(
        self,
        targets: np.ndarray,
        for_budget: bool,
        each: Mapping[str, np.ndarray] | None = None,
        own: Mapping[str, np.ndarray] | None = None,
        must: bool = True,
    ) -> Best:
        """Least loss of every budget, or least cost of every loss; infinite where there is none.

        Args:
            targets: (targets,). each: inputs that differ between them.
            own: "target" or names of `each` to what every draw has instead, (draws, targets).
            must: raise a DecisionError where the point has no optimum.
        """
        question, own = self.ask(targets, for_budget, each), dict(own or {})
        many = len(question.choices)
        pairs: dict[str, Any] = {name: np.repeat(values, many, axis=1) for name, values in own.items()}
        if set(pairs) - {"target"}:
            shape = (self.known.count, len(targets) * many)
            mine = {n: pairs.pop(n) for n in list(pairs) if n != "target"}
            pairs["choice"] = {n: mine.get(n, np.broadcast_to(v, shape)) for n, v in question.scenarios["choice"].items()}
        point, draws = question.solve(self.known, pairs)
        picked = best_choice(question, point, len(targets))
        chosen, at = question.only(picked[0]), Optima(*(a[..., picked[0]] for a in point))
        if must:
            explain(chosen, self.known, at, "compute" if for_budget else "loss", name_of(self.cost))
            unlimited(chosen, at, name_of(self.cost))
        at_point = {name: values[0] for name, values in answers(question, point, picked, for_budget).items()}
        at_draws = {} if draws is None else answers(question, draws, best_choice(question, draws, len(targets)), for_budget)
        return Best(at_point, at_draws, chosen, at)

    def predict(self, inputs: Mapping[str, Any], draws: bool = False) -> np.ndarray:
        """The law at inputs of one shape (sets, points), at the point (sets 1) or for every draw; those that are missing are given."""
        law, params = self.known.law, self.known.drawn if draws else self.known.leading()
        shape = np.broadcast_shapes(*(np.shape(v) for v in inputs.values()), (len(next(iter(params.values()))), 1))
        at = {n: np.broadcast_to(v, shape) for n, v in inputs.items() if n in law.inputs}
        return np.asarray(_values(law, params, at, {n: self.value(n) for n in law.inputs if n not in at}))

    def value(self, name: str) -> np.ndarray:
        """A given input, checked."""
        if name not in self.given:
            raise DecisionError(f"{self.what}() needs a value for {name!r} of law {self.known.law.name!r}: pass {name}=...")
        value, domain = numbers(name, self.given[name]), self.known.law.domains.get(name)
        if domain is not None and not np.all(domain.contains(value)):
            raise DecisionError(f"{name}={self.given[name]!r} must be {domain.support} for law {self.known.law.name!r}.")
        return value

    def scalars(self, leave: Collection[str] = ()) -> dict[str, np.ndarray]:
        """The law's given inputs that are numbers or lists of them, but for those to leave out."""
        return {n: self.value(n) for n in self.known.law.inputs if n not in leave and not self.known.law.domains[n].axis}

    def costs(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The cost at inputs (points,); those that are missing are given or have a default."""
        arguments = inspect.signature(self.cost).parameters
        at = {n: v for n, v in inputs.items() if n in arguments}
        rest = {n: self.given[n] for n in arguments if n not in at and n in self.given}
        for n, argument in arguments.items():
            if n not in at and n not in rest and argument.default is argument.empty:
                raise DecisionError(f"{self.what}() needs a value for {n!r} of the cost {name_of(self.cost)}: pass {n}=...")
        return np.asarray(jax.vmap(lambda row: self.cost(**row, **rest))(at), dtype=np.float64)


@compiled(0, once=True)
def _values(law: Law, params: Any, inputs: Any, given: Any) -> Any:
    """The law for sets of parameters and points, (sets, points)."""
    value = law_condition(law)

    def one(params: Any, inputs: Any) -> Any:
        return value(inputs, {"params": params, "choice": {}, "given": given})

    return jax.vmap(jax.vmap(one, in_axes=(None, 0)))(params, inputs)


def arms(
    sources: Sequence[Any],
    costs: Sequence[Cost],
    given: Mapping[str, Any],
    what: str,
    *,
    bounds: Mapping[str, Any] | None = None,
    caps: Mapping[Cost, float] | None = None,
    choices: Mapping[str, Any] | None = None,
    over: tuple[str, ...] | None = None,
    pair: Pair = None,
) -> list[Arm]:
    """Sides of sources, each a source or (source, {input: value}) with values of its own; `given` values go to all that know them.

    Their draws are paired where they share units, and otherwise independent; see `pairing`.
    """
    common = dict(given)
    group = common.pop("group", None)
    limits, options = dict(bounds or {}), dict(choices or {})
    made, used = [], set()
    parts = [own_values(source, what) for source in sources]
    grouped = [bool(getattr(getattr(inner, "fit", inner), "groups", ())) for inner, _ in parts]
    groups = [own.pop("group", group if has else None) for (_, own), has in zip(parts, grouped, strict=True)]
    known_by = knowns([inner for inner, _ in parts], groups, pair, what)
    for knowledge, (_, own), cost in zip(known_by, parts, costs, strict=True):
        for c in (cost, *(caps or {})):
            if not callable(c):
                raise DecisionError(f"{what}() takes a cost, a function of inputs by name such as sj.costs.six_nd, got {c!r}.")
        arm = Arm(known=knowledge, cost=cost, given={}, bounds={}, caps=dict(caps or {}), choices={}, what=what, over=over)
        for n in own:
            if n not in arm.names:
                raise DecisionError(f"{what}() got {n!r} for law {knowledge.law.name!r}, which does not know it; {suggest(n, arm.names)}")
        values = {n: v for n, v in common.items() if n in arm.names} | own
        left = set(arm.names) - set(values)
        mine = {n: v for n, v in limits.items() if n in left}
        made.append(arm._replace(given=values, bounds=mine, choices={n: v for n, v in options.items() if n in left}))
        used |= set(arm.names)
    for n in [*common, *limits, *options]:
        if n not in used:
            raise DecisionError(f"{what}() got {n}=, which no law and no cost here knows.")
    return made


def own_values(source: Any, what: str) -> tuple[Any, dict[str, Any]]:
    """A source and the values that belong to it."""
    if isinstance(source, tuple) and len(source) == 2 and not isinstance(source[0], Law):
        inner, own = source
        if not isinstance(own, Mapping):
            raise DecisionError(f"{what}() takes a source, or (source, {{input: value}}); got {type(own).__name__} beside a source.")
        return inner, dict(own)
    return source, {}


def made_by(group: Sequence[Arm]) -> str:
    """How the draws of the sides were made, or why there are none."""
    return " and ".join(dict.fromkeys(arm.known.kind for arm in group if arm.known.kind))


def one_each(cost: Any, count: int, what: str) -> list[Cost]:
    """One cost for all sides, or one for each."""
    if callable(cost):
        return [cost] * count
    if isinstance(cost, Sequence) and len(cost) == count and all(callable(c) for c in cost):
        return list(cost)
    raise DecisionError(f"{what}() takes cost= one function, or a tuple of {count}, one for each recipe; got {cost!r}.")


def positive(name: str, value: Any, unit: str = "") -> np.ndarray:
    """Positive finite numbers, or a sentence."""
    array = numbers(name, value)
    if array.ndim > 1 or array.size == 0 or not np.isfinite(array).all() or (array <= 0).any():
        raise DecisionError(f"{name}={value!r} must be one positive number or a list of them{unit}.")
    return array


def no_cost() -> float:
    """The cost of a side whose cost nobody asks for."""
    return 1.0
