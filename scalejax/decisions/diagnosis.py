"""What an optimum is worth: why there is none, how flat its valley is, and what moves it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..core.errors import DecisionError
from ..core.numeric.kept import remembered
from ..core.numeric.programs import compiled
from ..optimum.implicit import attached
from ..optimum.many import Optima, optimise
from ..optimum.program import Condition, Program
from .known import Known
from .question import Question


@remembered
def _signed(function: Condition, sign: float) -> Condition:
    return lambda x, v: sign * jnp.max(function(x, v))


@remembered
def _edge(program: Program) -> Program:
    """The end of a valley: how far the inputs can go in a direction while the objective stays below a ceiling."""

    def along(inputs: Any, v: Any) -> Any:
        parts = [jnp.ravel(jnp.log(inputs[x.name]) if x.log else inputs[x.name]) for x in program.variables]
        return v["direction"] @ jnp.concatenate(parts)

    return Program(
        program.variables, along, program.equal, (*program.below, ("valley", lambda x, v: program.objective(x, v) - v["ceiling"]))
    )


@remembered
def _held(program: Program, name: str) -> Program:
    """The problem with one input held at a value."""
    return program._replace(equal=(*program.equal, (name, lambda inputs, v: jnp.log(inputs[name]) - jnp.log(v["held"]))))


def reach(question: Question, known: Known, scenario: int, condition: Condition) -> tuple[float, float]:
    """Least and largest value of a condition (the worst of several) within the bounds, at the point estimate, whatever the others say."""
    ends = []
    for sign in (1.0, -1.0):
        alone = Program(question.program.variables, _signed(condition, sign))
        one = question.only(np.asarray([scenario]))
        found = optimise(alone, one.box, {"params": known.leading()}, one.scenarios, one.common)
        ends.append(sign * float(found.f[0, 0]))
    return ends[0], ends[1]


def explain(question: Question, known: Known, point: Optima, target: str, unit: str) -> None:
    """Raise a DecisionError that names the condition which cannot be met, if the optimum at the point estimate was not found."""
    bad = np.flatnonzero(~point.ok[0])
    if not len(bad):
        return
    worst = int(bad[0])
    names = " and ".join(v.name for v in question.program.variables)
    wanted = float(np.asarray(question.scenarios["target"])[worst])
    for name, condition in (*question.program.equal, *question.program.below):
        low, high = reach(question, known, worst, condition)
        if name == "loss" and not low <= 1e-9:
            raise DecisionError(
                f"loss={wanted:g} cannot be reached: the least that {known.law.name!r} predicts within the bounds is {wanted + low:.5g}."
            )
        if name == "loss" and high < 0:
            raise DecisionError(f"loss={wanted:g} is above all that {known.law.name!r} predicts within the bounds, {wanted + high:.5g}.")
        if name == "budget" and not low <= 1e-9 <= high + 2e-9:
            raise DecisionError(
                f"No {names} within the bounds cost {target}={wanted:g} under {unit}: they cost from {np.exp(low) * wanted:.3g} to "
                f"{np.exp(high) * wanted:.3g}; raise the budget, widen bounds=, or check the units."
            )
        if not low <= 1e-9:
            raise DecisionError(f"The cap on {name} cannot be kept: within the bounds {name} is at least {np.exp(low):.3g} times its cap.")
    if question.program.below:
        caps = ", ".join(name for name, _ in question.program.below)
        raise DecisionError(
            f"No {names} meet {target}={wanted:g} and the caps on {caps} at once, though each can be met alone; raise a cap."
        )
    raise DecisionError(
        f"The search for {names} at {target}={wanted:g} did not settle (KKT residual {point.residual[0, worst]:.1g}); the law may have no "
        "inner optimum there: give bounds=."
    )


def unlimited(question: Question, point: Optima, unit: str) -> None:
    """Raise a DecisionError if an input that nobody bounded ran away."""
    for v, at in question.program.places:
        if v.name in question.free and np.any(point.active[at, 0]):
            end = "grow without end" if point.active[at, 0].max() > 0 else "shrink towards nothing"
            raise DecisionError(
                f"The best {v.name} would {end}: under {unit} the law has no inner optimum; give bounds={{{v.name!r}: (low, high)}}, or "
                "check law and cost."
            )


def valley(question: Question, known: Known, point: Optima, tolerance: float, relative: bool) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Smallest and largest value of every chosen input at which the objective is within `tolerance` of its least, all others at their best.

    The tolerance is a share of the objective, or added to it where it is a logarithm (`relative` false: its logarithm is added). Arrays end
    in the scenario axis; NaN where the end was not found.
    """
    program, best = question.program, np.asarray(point.f[0])
    ceiling = best + (tolerance * np.abs(best) if relative else np.log1p(tolerance))
    directions = np.concatenate([np.eye(program.width), -np.eye(program.width)])
    count = question.box.low.shape[1]
    which = np.tile(np.arange(count), len(directions))  # every direction is one more set of scenarios
    wide = question.only(which)
    scenarios = {**wide.scenarios, "ceiling": ceiling[which], "direction": np.repeat(directions, count, axis=0)}
    found = optimise(_edge(program), wide.box, {"params": known.leading()}, scenarios, question.common, near=point.x[:, 0, which])
    ends = np.where(found.ok[0], found.f[0], np.nan).reshape(2, program.width, count) * np.asarray([1.0, -1.0])[:, None, None]
    low, high = (program.named(e) for e in ends)
    return {name: (low[name], high[name]) for name in low}


def profile(question: Question, known: Known, point: Optima, name: str, values: np.ndarray) -> np.ndarray:
    """(scenarios, values) least objective with a positive input held at each value, the others chosen anew; NaN where none can be."""
    count = point.f.shape[1]
    which = np.repeat(np.arange(count), len(values))
    wide = question.only(which)
    near = point.x[:, 0, which].copy()
    near[next(at for v, at in question.program.places if v.name == name)] = np.log(np.tile(values, count))
    scenarios = {**wide.scenarios, "held": np.tile(values, count)}
    found = optimise(_held(question.program, name), wide.box, {"params": known.leading()}, scenarios, question.common, near=near)
    return np.where(found.ok[0], found.f[0], np.nan).reshape(count, len(values))


@compiled(0, once=True)
def _slopes(program: Program, x: Any, lam: Any, low: Any, high: Any, each: Any, common: Any) -> Any:
    """Derivatives of (packed inputs, objective) with respect to everything the problem depends on."""

    def one(x: Any, lam: Any, low: Any, high: Any, own: Any) -> Any:
        def moved(change: Any) -> Any:
            v = jax.tree.map(lambda a, d: a + d, {**own, **common}, change)
            at, _ = attached(program, x, lam, low, high, v)
            y = at[: program.width]
            return jnp.concatenate([y, program.objective(program.unpack(y), v)[None]])

        return jax.jacfwd(moved)(jax.tree.map(jnp.zeros_like, {**own, **common}))

    return jax.vmap(one, in_axes=-1)(x, lam, low, high, each)


def slopes(question: Question, known: Known, point: Optima) -> Any:
    """d (packed inputs, objective) / d value for every value: trees like those of the values, arrays (scenarios, width + 1, ...)."""
    slacks, scenarios = len(point.slack), question.box.low.shape[1]
    edge = np.zeros((slacks, scenarios))
    each = {
        "params": {n: np.repeat(np.asarray(p, dtype=np.float64)[..., None], scenarios, axis=-1) for n, p in known.point.items()},
        **jax.tree.map(lambda a: np.moveaxis(np.asarray(a, dtype=np.float64), 0, -1), question.scenarios),
    }
    x = np.concatenate([point.x[:, 0], point.slack[:, 0]])
    low, high = np.concatenate([question.box.low, edge]), np.concatenate([question.box.high, edge + np.inf])
    return jax.tree.map(np.asarray, _slopes(question.program, x, point.lam[:, 0], low, high, each, question.common))
