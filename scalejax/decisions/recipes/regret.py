"""`regret`: what given runs cost more than the best runs of the same loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from ...core.answer import Answer, shaped
from ...core.errors import DecisionError, suggest
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.numeric.programs import compiled
from ...core.table import Table
from ..costs import six_nd
from ..question import law_condition, name_of, numbers
from .arm import Arm, arms


@dataclass(frozen=True, eq=False, repr=False)
class Regret(Answer):
    """What runs lose against the best runs. Numbers for one run, arrays for several.

    Attributes:
        compute: cost of the runs.
        loss: what the law predicts for them.
        best_loss: the least loss for their cost.
        excess: loss - best_loss.
        needed: the least cost of their loss.
        wasted: 1 - needed / compute, the share of the cost that the best run saves.
        best: name of every chosen input to its optimum for the cost of the run.
        inference: tokens of inference for which the run would be the best, None for laws without N and D.
        draws: "loss", "best loss", "excess", "needed", "wasted", the chosen inputs and "D_inf", with a leading draw axis.
        cost: name of the cost.
    """

    compute: Any
    loss: Any
    best_loss: Any
    excess: Any
    needed: Any
    wasted: Any
    best: Mapping[str, Any]
    inference: Any
    draws: Mapping[str, np.ndarray]
    cost: str
    _name: ClassVar[str] = "regret"

    def table(self, level: float = 0.9) -> Table:
        """A row for every run."""
        columns = {
            "compute": (self.compute, 4), "loss": (self.loss, 5), "excess": (self.excess, 3), "wasted": (self.wasted, 3),
            **{f"best {name}": (values, 4) for name, values in self.best.items()},
        }  # fmt: skip
        if self.inference is not None:
            columns["D_inf"] = (self.inference, 4)
        head, rows = self._rows(columns, level)
        notes = ["; ".join([f"cost {self.cost}", *self._drawn]), "wasted: share of the cost that the best run of the same loss saves"]
        if self.inference is not None:
            notes.append("D_inf: tokens of inference for which the run is the best; negative: it is larger than best even without any")
        return Table(head, rows, title="Regret", notes=notes)


@double
def regret(source: Any, *, cost: Callable[..., Any] = six_nd, over: Sequence[str] | None = None, **inputs: Any) -> Regret:
    r"""What given runs lose against the best runs of their cost, and the inference demand that would make up for it.

        excess = L(x) - min { L : cost = cost(x) },    wasted = 1 - min { cost : L = L(x) } / cost(x)
        D_inf = 3 D (eps_N / eps_D - 1),    eps_N = -dL / dlog N,  eps_D = -dL / dlog D

    The last is the number of inference tokens for which the run minimises the lifetime compute 6 N D + 2 N D_inf of its loss: the
    demand that the choice implies. Negative values belong to runs that are larger than best for training alone.

    Args:
        source: a fit, draws or (law, parameters); a fit with groups as (fit, {"group": name}), or with group=name.
        cost: function of inputs by name.
        over: the inputs that could have been chosen; default N and D, else all inputs of the law that the cost takes.
        **inputs: all inputs of the law and further arguments of the cost: numbers, or arrays with an entry for every run.

    Returns:
        Regret with `.excess`, `.wasted`, `.needed`, `.best_loss`, `.best`, `.inference`, `.interval(level)`, `.table()`.

    Raises:
        DecisionError: if an input is missing, unknown or outside its domain, or arrays have different lengths.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> llama = sj.regret((law, law.published["besiroglu2024"]), N=8e9, D=15e12)
        >>> f"{llama.wasted:.3f} {llama.excess:.4f} {llama.inference / 15e12:.2f}"
        '0.819 0.0538 12.65'

    References: Sardana et al. 2023, arXiv:2401.00448; Besiroglu et al. 2024, arXiv:2404.10102.
    """
    (arm,) = arms([source], [cost], inputs, "regret")
    chosen = _chosen(arm, over)
    points, shape = _points(arm, chosen)
    C = arm.costs(points)
    if not np.isfinite(C).all() or (C <= 0).any():
        raise DecisionError(f"regret() under {name_of(cost)} finds runs that cost {C.min():g}; costs must be positive.")
    rows = {n: v[None] for n, v in points.items()}
    loss = arm.predict(rows)[0]
    losses = arm.predict(rows, draws=True) if arm.known.count else None

    each = {n: v for n, v in points.items() if n not in chosen and np.size(arm.given[n]) > 1}
    asked = arm._replace(given={n: v for n, v in arm.given.items() if n not in chosen}, over=chosen)
    best = asked.best(C, True, each)
    least = asked.best(loss, False, each, None if losses is None else {"target": losses})
    answers = _answers(C, loss, best.point, least.point)
    demand = _demand(arm, rows, draws=False)
    draws: dict[str, Any] = {}
    if losses is not None:
        draws = _answers(C, losses, best.draws, least.draws) | {f"best {n}": best.draws[n] for n in chosen}
        draws |= {} if demand is None else {"D_inf": _demand(arm, rows, draws=True)}
    one = {n: shaped(v, shape) for n, v in answers.items()}
    return Regret(
        compute=shaped(C, shape), loss=one["loss"], best_loss=one["best loss"], excess=one["excess"], needed=one["needed"],
        wasted=one["wasted"], best={n: shaped(best.point[n], shape) for n in chosen},
        inference=None if demand is None else shaped(demand[0], shape), draws={n: shaped(v, shape) for n, v in draws.items()},
        cost=name_of(cost), kind=arm.known.kind,
    )  # fmt: skip


def _answers(C: np.ndarray, loss: np.ndarray, best: Mapping[str, Any], least: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Everything in the unit of loss or cost; the best cannot be worse than the run, but for rounding. NaN without an optimum."""
    least_loss = np.where(np.isfinite(best["answer"]), np.minimum(best["answer"], loss), np.nan)
    needed = np.where(np.isfinite(least["answer"]), np.minimum(least["answer"], C), np.nan)
    return {"loss": loss, "best loss": least_loss, "excess": loss - least_loss, "needed": needed, "wasted": 1.0 - needed / C}


def _chosen(arm: Arm, over: Sequence[str] | None) -> tuple[str, ...]:
    """The inputs that could have been chosen."""
    law, taken = arm.known.law, inspect.signature(arm.cost).parameters
    if over is None:
        both = [n for n in law.inputs if n in taken]
        chosen = tuple(n for n in both if n in ("N", "D")) if {"N", "D"} <= set(both) else tuple(both)
        if not chosen:
            raise DecisionError(f"The cost {name_of(arm.cost)} takes none of the inputs of law {law.name!r}, {', '.join(law.inputs)}.")
        return chosen
    for n in over:
        if n not in law.inputs:
            raise DecisionError(f"over= names {n!r}, which is not an input of law {law.name!r}; {suggest(n, law.inputs)}")
    return tuple(over)


def _points(arm: Arm, chosen: tuple[str, ...]) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
    """The runs: every number by name, (runs,), and the shape in which they were given."""
    law = arm.known.law
    values = arm.scalars()
    values |= {n: numbers(n, v) for n, v in arm.given.items() if n not in law.inputs}
    try:
        shape = np.broadcast_shapes(*(v.shape for v in values.values()))
    except ValueError:
        shapes = ", ".join(f"{n} {v.shape}" for n, v in values.items())
        raise DecisionError(f"regret() got inputs of different lengths, {shapes}; give arrays of one length, or numbers.") from None
    if len(shape) > 1:
        raise DecisionError("regret() takes numbers or flat arrays, one entry for every run.")
    return {n: np.broadcast_to(v, shape).reshape(-1) for n, v in values.items()}, shape


@compiled(0, once=True)
def _elasticities(law: Law, params: Any, inputs: Any, given: Any) -> Any:
    """-dL / dlog N and -dL / dlog D for sets of parameters and points, (2, sets, points)."""
    value = law_condition(law)

    def one(params: Any, inputs: Any) -> Any:
        def at(logs: Any) -> Any:
            return value({**inputs, "N": jnp.exp(logs[0]), "D": jnp.exp(logs[1])}, {"params": params, "choice": {}, "given": given})

        return -jax.grad(at)(jnp.log(jnp.stack([inputs["N"], inputs["D"]])))

    return jnp.moveaxis(jax.vmap(jax.vmap(one, in_axes=(None, 0)), in_axes=(0, None))(params, inputs), -1, 0)


def _demand(arm: Arm, rows: Mapping[str, np.ndarray], *, draws: bool) -> np.ndarray | None:
    """Inference tokens (sets, points) for which the runs are the best; None for laws without N and D."""
    law = arm.known.law
    if not {"N", "D"} <= set(law.inputs):
        return None
    params = arm.known.draws if draws else arm.known.leading()
    inputs = {n: v[0] for n, v in rows.items() if n in law.inputs}
    eps_N, eps_D = np.asarray(_elasticities(law, params, inputs, {n: arm.value(n) for n in law.inputs if n not in inputs}))
    return 3.0 * inputs["D"] * (eps_N / eps_D - 1.0)
