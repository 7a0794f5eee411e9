"""What `allocate` and its kin ask, as programs: the least loss for a budget, or the least cost for a loss, over some inputs of a law."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..core.errors import DecisionError
from ..core.laws.domains import Domain, Fixed, Integer, Interval, Ordered, Positive, Simplex
from ..core.laws.law import Law
from ..core.laws.values import values_at
from ..core.numeric.kept import remembered
from ..core.numeric.statistics import spearman
from ..core.runs import Runs
from ..optimum.many import Box, Optima, optimise
from ..optimum.program import Condition, Program, Variable
from .costs import Converted
from .known import Known

_FAR = 1e14  # how far beyond the plausible range an input may go when nobody bounds it
_BUDGET = 1e6  # a budget this many times below the cheapest run is meant in another unit
_INPUT = 1e4  # the same for inputs, which scale less
_TELLING, _RISING = 5, 0.9  # different costs and values, and their rank correlation, from which an outcome is said to rise
_HINT = ", FLOPs (a PF-day is 8.64e19)"
Cost = Callable[..., Any]
_ENDLESS = 1e200  # stands for a cap that is infinite
_LITTLE = 1e-3  # caps of several values are on log(cost / cap + this), which is finite where a domain's tokens are 0


def variable(name: str, domain: Domain, size: int = 0) -> Variable:
    """Coordinates of an input: positive ones as logarithms, all others as they are."""
    if isinstance(domain, Integer | Ordered | Fixed):
        raise DecisionError(f"{name} is {domain.support}, which cannot be varied smoothly; give the values to try with choices=.")
    if isinstance(domain, Simplex) and not size:
        raise DecisionError(f"{name} is a vector of weights; say how many there are.")
    return Variable(name, size, isinstance(domain, Positive), isinstance(domain, Simplex))


def limits(name: str, domain: Domain, bounds: Mapping[str, tuple[Any, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """(low, high) of an input in its own unit: as asked for, else hard bounds or far beyond the plausible range."""
    low: float | np.ndarray
    high: float | np.ndarray
    if isinstance(domain, Simplex | Interval):
        low, high = domain.low, domain.high
    elif isinstance(domain, Positive):
        low, high = min(domain.low, max(domain.low / _FAR, 1.0)), domain.high * _FAR
    else:
        low, high = -np.inf, np.inf
    if name in bounds:
        pair = [np.asarray(end, dtype=np.float64) for end in bounds[name]]
        if not (len(pair) == 2 and np.all(pair[0] < pair[1]) and (not isinstance(domain, Positive) or np.all(pair[0] > 0))):
            shown = ", ".join(f"{np.ravel(end)[0]:g}" for end in pair)
            positive = "be positive and " if isinstance(domain, Positive) else ""
            raise DecisionError(f"bounds of {name} are ({shown}); they must {positive}rise.")
        low, high = (np.maximum(pair[0], low), np.minimum(pair[1], high)) if isinstance(domain, Interval) else pair
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)


def box(program: Program, domains: Mapping[str, Domain], bounds: Mapping[str, tuple[Any, Any]], scenarios: int = 1) -> Box:
    """Bounds and starting ranges of all chosen inputs, packed. A bound may have a trailing axis of scenarios."""
    lows, highs, first, last = [], [], [], []
    for v in program.variables:
        domain = domains[v.name]
        ends = [np.broadcast_to(end if end.ndim != 1 or not v.size else end[:, None], (v.width, scenarios)) for end in
                limits(v.name, domain, bounds)]  # fmt: skip
        low, high = (np.log(end) for end in ends) if v.log else ends
        lows.append(low)
        highs.append(high)
        around = np.log([domain.low, domain.high]) if v.log else np.asarray([domain.low, domain.high], dtype=np.float64)
        around = np.clip(around[:, None], low[:, 0], high[:, 0])
        narrow = around[1] <= around[0]
        first.append(np.where(narrow, low[:, 0], around[0]))
        last.append(np.where(narrow, high[:, 0], around[1]))
    return Box(np.concatenate(lows), np.concatenate(highs), (np.concatenate(first), np.concatenate(last)))


def check_units(runs: Runs | None, cost: Callable[..., Any], given: Mapping[str, Any], compute: np.ndarray | None) -> None:
    """Raise a DecisionError if a budget or a given input lies far below all runs of the fit.

    Args:
        runs: of the fit; None knows no units.
        cost: of a run.
        given: inputs by name.
        compute: budgets; None for target losses.
    """
    if runs is None:
        return
    for name, value in given.items():
        if name in runs and runs[name].ndim == 1 and runs[name].dtype.kind == "f" and np.ndim(value) == 0:
            least = float(np.min(runs[name][~runs.excluded]))
            if 0 < float(value) * _INPUT < least:
                raise DecisionError(
                    f"{name}={value:g} is {least / value:.2g} times below the smallest {name} of the runs, {least:.3g}; check its unit."
                )
    names = [n for n, a in inspect.signature(cost).parameters.items() if n in runs or n in given or a.default is a.empty]
    if compute is None or not all(n in runs or n in given for n in names):
        return
    spent = np.asarray(cost(**{n: given[n] if n in given else runs[n] for n in names}))
    least = float(np.min(np.broadcast_to(spent, len(runs))[~runs.excluded]))
    lowest = float(compute.min())
    if lowest * _BUDGET < least:
        name = getattr(cost, "__name__", "the cost")
        raise DecisionError(
            f"compute={lowest:g} is {least / lowest:.2g} times below the cheapest of the runs, {least:.3g} under {name}; give it in the "
            f"unit of the cost{_HINT if name.startswith('six_nd') else ''}."
        )


def check_direction(law: Law, point: Mapping[str, Any], runs: Runs | None, cost: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raise a DecisionError if what the law predicts at the runs rises with their cost: the lowest value is then no aim.

    Args:
        law, point: a law and its parameters. runs: of the fit; None tells nothing. cost, given: as in `allocate`.
    """
    names = [n for n, a in inspect.signature(cost).parameters.items() if a.default is a.empty or (runs is not None and n in runs)]
    if runs is None or any(n not in runs and n not in given for n in (*names, *law.inputs)):
        return
    rows = ~runs.excluded
    here = {n: runs[n][rows] if n in runs else given[n] for n in {*names, *law.inputs}}
    spent = np.broadcast_to(np.asarray(cost(**{n: here[n] for n in names}), dtype=np.float64), rows.sum())
    value = values_at(law, {n: here[n] for n in law.inputs}, point)
    if value.shape != spent.shape or min(len(np.unique(spent)), len(np.unique(value))) < _TELLING or spearman(spent, value) < _RISING:
        return
    raise DecisionError(
        f"{law.output!r} rises with {name_of(cost)} at the runs, and the lowest value would be sought: of a chain ask for "
        f"fit.of({law.output!r}, below=1.0) or a stage that falls; of another law fit the error in place of the score."
    )


class Question(NamedTuple):
    """A program with everything its functions need but the parameters.

    Attributes:
        program: what is solved. box: bounds of the chosen inputs.
        scenarios: arrays with a leading axis of targets x choices. common: what belongs to all.
        choices: one dictionary for every combination of enumerated values.
        free: chosen inputs that nobody bounded, so that an optimum at their end means that there is none.
    """

    program: Program
    box: Box
    scenarios: dict[str, Any]
    common: dict[str, Any]
    choices: list[dict[str, float]]
    free: tuple[str, ...]

    def only(self, which: np.ndarray) -> Question:
        """The question of these scenarios alone."""
        kept = jax.tree.map(lambda a: np.asarray(a)[which], self.scenarios)
        return self._replace(scenarios=kept, box=self.box._replace(low=self.box.low[:, which], high=self.box.high[:, which]))

    def values(self, scenario: int, params: Any = None) -> dict[str, Any]:
        """What the program's functions need, in one scenario."""
        return {"params": params, **jax.tree.map(lambda a: np.asarray(a)[scenario], self.scenarios), **self.common}

    def solve(self, known: Known, pairs: Mapping[str, Any] | None = None) -> tuple[Optima, Optima | None]:
        """Optima at the point estimate and for every draw, whose own values `pairs` (draws, scenarios) go before those of the scenarios."""
        point = optimise(self.program, self.box, {"params": known.leading()}, self.scenarios, self.common)
        if known.draws is None:
            return point, None
        draws = {"params": known.draws}
        return point, optimise(self.program, self.box, draws, self.scenarios, self.common, near=point.x[:, 0], pairs=pairs)


def value_of(name: str, inputs: Mapping[str, Any], v: Mapping[str, Any]) -> Any:
    """A named input: chosen, enumerated or given."""
    for values in (inputs, v["choice"]):
        if name in values:
            return values[name]
    return v["given"][name]


@remembered
def law_condition(law: Law) -> Condition:
    """The law's value."""
    return lambda inputs, v: law.function(**{n: value_of(n, inputs, v) for n in law.inputs}, **v["params"], **dict(law.bound))


@remembered
def cost_condition(cost: Cost, names: tuple[str, ...]) -> Condition:
    """A cost's value."""
    return lambda inputs, v: cost(**{n: value_of(n, inputs, v) for n in names})


@remembered
def log_cost(cost: Cost, names: tuple[str, ...]) -> Condition:
    """The logarithm of a cost."""
    return lambda inputs, v: jnp.log(cost(**{**v["numbers"], **{n: value_of(n, inputs, v) for n in names}}))


@remembered
def least_loss(law: Law, cost: Cost, names: tuple[str, ...], caps: tuple[Any, ...], variables: tuple[Variable, ...]) -> Program:
    """Least loss for a budget."""
    spent = log_cost(cost, names)
    return Program(variables, law_condition(law), (("budget", lambda x, v: spent(x, v) - jnp.log(v["target"])),), _below(caps))


@remembered
def least_cost(law: Law, cost: Cost, names: tuple[str, ...], caps: tuple[Any, ...], variables: tuple[Variable, ...]) -> Program:
    """Least cost for a loss."""
    loss = law_condition(law)
    return Program(variables, log_cost(cost, names), (("loss", lambda x, v: loss(x, v) - v["target"]),), _below(caps))


def _below(caps: tuple[tuple[Cost, tuple[str, ...]], ...]) -> tuple[tuple[str, Condition], ...]:
    def cap(index: int, function: Condition) -> Condition:
        def over(x: Any, v: Any) -> Any:
            ratio = function(x, v) / v["caps"][index]
            return jnp.log(ratio) if ratio.ndim == 0 else jnp.log(ratio + _LITTLE) - np.log1p(_LITTLE)

        return over

    return tuple((name_of(cost), cap(i, cost_condition(cost, names))) for i, (cost, names) in enumerate(caps))


def name_of(cost: Cost) -> str:
    """A cost's name, for tables and errors."""
    return getattr(cost, "__name__", type(cost).__name__)


def numbers_apart(cost: Cost) -> tuple[Cost, dict[str, float]]:
    """A cost without the numbers that it was made with, and these by name: costs that differ in them alone share a program."""
    if isinstance(cost, Converted):
        return replace(cost, given=()), dict(cost.given)
    if isinstance(cost, partial) and not cost.args and all(isinstance(v, int | float) for v in cost.keywords.values()):
        return cost.func, {name: float(v) for name, v in cost.keywords.items()}
    return cost, {}


def pose(
    law: Law,
    cost: Cost,
    *,
    target: np.ndarray,
    for_budget: bool,
    over: tuple[str, ...] | None,
    bounds: Mapping[str, tuple[float, float]],
    caps: Mapping[Cost, float],
    choices: Mapping[str, Any],
    given: Mapping[str, Any],
    what: str = "allocate",
    length: Callable[[str], int] = lambda name: 0,
) -> Question:
    """The question as a program, with every name and number checked; see `allocate` for the arguments.

    Raises:
        DecisionError: in one sentence, if a name is unknown or missing, or a number cannot be.
    """
    arguments = {c: inspect.signature(c).parameters for c in (cost, *caps)}
    names = _chosen(law, cost, arguments, over, bounds, given, choices, what)
    known = {*names, *choices, *given}
    taken = {c: tuple(n for n, a in arguments[c].items() if n in known or a.default is a.empty) for c in arguments}
    domains = {n: law.domains.get(n, Positive(1.0, 1e12)) for n in names}
    _check_names(law, cost, names, taken, domains, bounds, known, given, what)
    for c, limit in caps.items():
        if not (np.ndim(limit) < 2 and np.all(numbers(f"cap on {name_of(c)}", limit) > 0)):
            raise DecisionError(f"The cap on {name_of(c)} is {limit!r}; it must be a positive number, or one for each of its values.")
    values = {n: _given(law, n, value, what) for n, value in given.items()}
    combinations = _combinations(law, choices)
    many = len(combinations)
    variables = tuple(variable(n, domains[n], length(n) if domains[n].axis else 0) for n in names)
    build = least_loss if for_budget else least_cost
    function, fixed = numbers_apart(cost)
    program = build(law, function, taken[cost], tuple((c, taken[c]) for c in caps), variables)
    scenarios = {
        "target": np.repeat(target, many),
        "choice": {n: np.tile([float(c[n]) for c in combinations], len(target)) for n in choices},
    }
    common = {
        "given": values,
        "numbers": fixed,
        "caps": [np.minimum(np.asarray(limit, dtype=np.float64), _ENDLESS) for limit in caps.values()],
    }
    free = tuple(n for n in names if n not in bounds and isinstance(domains[n], Positive))
    return Question(
        program=program, box=box(program, domains, bounds, len(target) * many), scenarios=scenarios, common=common, choices=combinations,
        free=free,
    )  # fmt: skip


def _chosen(
    law: Law,
    cost: Cost,
    arguments: Mapping[Cost, Mapping[str, inspect.Parameter]],
    over: tuple[str, ...] | None,
    bounds: Mapping[str, Any],
    given: Mapping[str, Any],
    choices: Mapping[str, Any],
    what: str,
) -> list[str]:
    """The inputs to choose: those asked for, else all of the law that are not given; N and D alone where nothing else has a price."""
    for name, argument in arguments[cost].items():
        if name in ("N", "D") and name not in law.inputs and name not in given and argument.default is argument.empty:
            raise DecisionError(
                f"{what}() under {name_of(cost)} needs N and D; law {law.name!r} has {', '.join(law.inputs)}: give cost= a function of "
                f"these, or {name}=..."
            )
    names = list(over) if over is not None else [n for n in law.inputs if n not in given and n not in choices]
    if over is None and {"N", "D"} <= set(names):
        names = [n for n in names if n in ("N", "D") or n in bounds or any(n in a for a in arguments.values())]
    every = {*law.inputs, *(a for c in arguments.values() for a in c)}
    for n in [*names, *choices]:
        if n not in every:
            raise DecisionError(f"{what}() was asked to choose {n!r}, which neither law {law.name!r} nor cost {name_of(cost)} knows.")
    return names


def _check_names(
    law: Law,
    cost: Cost,
    names: list[str],
    taken: Mapping[Cost, tuple[str, ...]],
    domains: Mapping[str, Domain],
    bounds: Mapping[str, Any],
    known: set[str],
    given: Mapping[str, Any],
    what: str,
) -> None:
    """Every input has a value, every value an input, and every chosen input a price or a bound."""
    needed = dict.fromkeys([*law.inputs, *(a for arguments in taken.values() for a in arguments)])
    for n in needed:
        if n not in known:
            raise DecisionError(f"{what}() needs a value for {n!r} (of the law or the cost): pass {n}=...")
    for n in given:
        if n not in needed:
            raise DecisionError(f"{what}() got {n}=, which neither law {law.name!r} nor cost {name_of(cost)} knows.")
    for n in bounds:
        if n not in names:
            raise DecisionError(f"bounds names {n!r}; only {' and '.join(names)} are chosen.")
    for n in names:
        if n not in taken[cost] and n not in bounds and isinstance(domains[n], Positive):
            raise DecisionError(
                f"The cost {name_of(cost)} ignores {n}, so the best {n} would be infinite; make it depend on {n}, or give bounds={{{n!r}: "
                "(low, high)}."
            )


def _combinations(law: Law, choices: Mapping[str, Any]) -> list[dict[str, float]]:
    """Every combination of the enumerated values."""
    for name, options in choices.items():
        array = numbers(name, options)
        domain: Domain | None = law.domains.get(name)
        if array.ndim != 1 or not len(array):
            raise DecisionError(f"choices of {name} are {options!r}; give a list of numbers to try.")
        if domain is not None and not np.all(domain.contains(array)):
            raise DecisionError(f"choices of {name} are {options!r}; each must be {domain.support}.")
    return [dict(zip(choices, map(float, row), strict=True)) for row in product(*choices.values())]


def numbers(name: str, value: Any) -> np.ndarray:
    """`value` as an array, or a sentence."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise DecisionError(f"{name}={value!r} holds no numbers; give plain numbers, such as {name}=1e21.") from None


def _given(law: Law, name: str, value: Any, what: str) -> np.ndarray:
    """A given input, checked against the law's domain."""
    number = numbers(name, value)
    domain = law.domains.get(name)
    if number.ndim != (1 if domain is not None and domain.axis else 0):
        raise DecisionError(f"{name}={value!r} must be one value; call {what}() once for each.")
    if domain is not None and not np.all(domain.contains(number)):
        raise DecisionError(f"{name}={value!r} must be {domain.support} for law {law.name!r}.")
    return number
