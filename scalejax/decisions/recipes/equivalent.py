"""`equivalent`: the size or the data that one recipe needs to equal another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from ...core.answer import Answer, shaped, share
from ...core.errors import DecisionError, suggest
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.numeric.roots import between, changes
from ...core.table import Note, Table
from ..pairing import Pair
from ..question import limits, numbers
from .arm import Arm, arms, made_by, no_cost

_GRID = 129  # points between which a root is looked for; the default range is 60 e-folds wide


@dataclass(frozen=True, eq=False, repr=False)
class Equivalent(Answer):
    """The value of one input that gives a wanted loss. Numbers, or arrays.

    Attributes:
        name: the input.
        value: at the point estimate; infinite where no value is large enough, 0 (-inf) where the smallest is more than enough.
        loss: the loss to be equalled.
        ratio: value divided by what `like` has of the same input, if it names it.
        draws: the input, "loss" and "ratio" with a leading draw axis.
        unreached: share of the draws in which no value gives the loss.
        several: do several values give the loss? Then the smallest is reported.
    """

    name: str
    value: Any
    loss: Any
    ratio: Any
    draws: Mapping[str, np.ndarray]
    unreached: Any
    several: bool = False
    _name: ClassVar[str] = "equivalent"

    def table(self, level: float = 0.9) -> Table:
        """A row for every loss."""
        columns = {"loss": (self.loss, 5), self.name: (self.value, 4)} | ({} if self.ratio is None else {"ratio": (self.ratio, 4)})
        head, rows = self._rows(columns, level)
        notes = self._drawn
        if not np.all(np.isfinite(self.value)):
            notes.append(Note(f"∞: no {self.name} is enough for this loss", "unreachable"))
        if np.any(np.asarray(self.value) == 0):
            notes.append(Note(f"0: the smallest {self.name} is already better", "at-bound"))
        if np.any(self.unreached):
            said = f"in up to {share(self.unreached)} of the draws no {self.name} gives the loss; they count as infinite or 0"
            notes.append(Note(said, "unmet"))
        if self.several:
            notes.append(Note(f"several values of {self.name} give the loss; the smallest is shown", "several"))
        return Table(head, rows, title=f"Equivalent {self.name}", notes=notes)


@double
def equivalent(
    base: Any,
    name: str,
    *,
    like: Any,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    pair: Pair = None,
    **given: Any,
) -> Equivalent:
    r"""The value of one input at which a recipe predicts a wanted loss: a dense-equivalent size, or what repeated data are worth.

        x such that L(x, given) = l,    l = like, or the prediction at the inputs in like

    Args:
        base: a fit, draws or (law, parameters); or (source, {input: value}).
        name: the input that is sought, a number.
        like: a loss or a list of losses; or {input: value} where `base` itself is evaluated, draw by draw; or (source, {input: value})
            for another source. Values may be arrays. What `like` does not name is taken from given.
        bounds: {name: (low, high)} limits the search; default far beyond the law's plausible range.
        pair: column (or columns) of the runs that names what plain fits share: "config", "seed", "corpus". Units of the same name are then
            resampled together for all of them (`bootstrap(groups=...)`). Default: where residuals clearly correlate over a column, over
            equal inputs, or run by run; False takes the fits as independent. Draws carry how they were resampled: those of one seed that
            share units are paired, others are not.
        **given: the other inputs of `base`, numbers or arrays.

    Returns:
        Equivalent with `.value`, `.ratio`, `.loss`, `.interval(level)`, `.table()`. No value may give the loss: then it is infinite (none
        is enough) or 0 (the smallest is better already), and the table says so.

    Raises:
        DecisionError: if the input is unknown, a value is missing or outside its domain, or arrays do not fit together.

    Example:
        Four epochs of 25 billion unique tokens are worth as much as how many fresh ones?

        >>> import scalejax as sj
        >>> law = sj.laws.data_constrained
        >>> four = {"N": 1e9, "D": 100e9, "U": 25e9}
        >>> fresh = sj.equivalent((law, law.published["muennighoff2023"]), "D", like=four, N=1e9, U=1e15)
        >>> f"{fresh.value:.4g} {fresh.ratio:.3f}"
        '9.314e+10 0.931'

    References: Muennighoff et al. 2023, arXiv:2305.16264; Ludziejewski et al. 2025, arXiv:2502.05172.
    """
    arm, loss, losses, theirs, kind = _wanted(base, name, like, bounds, pair, given)
    law = arm.known.law
    if name not in law.inputs or law.domains[name].axis:
        scalar = [n for n in law.inputs if not law.domains[n].axis]
        raise DecisionError(f"equivalent() cannot solve for {name!r}; {suggest(name, scalar)}")
    others = arm.scalars(leave=(name,))
    try:
        shape = np.broadcast_shapes(np.shape(loss), *(v.shape for v in others.values()))
    except ValueError:
        raise DecisionError("equivalent() got arrays of different lengths in like= and the inputs; give one length, or numbers.") from None
    if len(shape) > 1:
        raise DecisionError("equivalent() takes numbers or flat arrays.")
    flat = {n: np.broadcast_to(v, shape).reshape(1, -1) for n, v in others.items()}
    low, high = (float(end) for end in limits(name, law.domains[name], arm.bounds))
    if not np.isfinite(high - low):
        raise DecisionError(f"equivalent() needs bounds={{{name!r}: (low, high)}}, since {name} may be {law.domains[name].support}.")

    def solved(target: np.ndarray, draws: bool) -> tuple[np.ndarray, ...]:
        target = np.broadcast_to(target.reshape(len(target), -1), (len(target), int(np.prod(shape))))
        return _solve(lambda x: arm.predict({**flat, name: x}, draws) - target, target.shape, low, high)

    value, missed, count = (v[0] for v in solved(np.asarray(loss)[None], False))
    ratio = None if theirs is None else shaped(value / np.broadcast_to(theirs, shape).reshape(-1), shape)
    draws, unreached = {}, np.zeros(len(value))
    if losses is not None:
        drawn, missed, _ = solved(losses, True)
        draws = {name: shaped(drawn, shape)}
        if isinstance(like, Mapping | tuple):  # else the loss is known
            draws["loss"] = shaped(np.broadcast_to(losses.reshape(len(losses), -1), drawn.shape), shape)
        draws |= {} if theirs is None else {"ratio": draws[name] / theirs}
        unreached = missed.mean(axis=0)
    wanted = shaped(np.broadcast_to(loss, shape).reshape(-1), shape)
    return Equivalent(
        name=name, value=shaped(value, shape), loss=wanted, ratio=ratio, draws=draws, unreached=shaped(unreached, shape),
        several=bool((count > 1).any()), kind=kind,
    )  # fmt: skip


def _wanted(base: Any, name: str, like: Any, bounds: Any, pair: Pair, given: Mapping[str, Any]) -> tuple[Arm, Any, Any, Any, str]:
    """The side to solve, the loss at the point and for draws, what `like` has of the input, and how the draws were made."""
    for n in bounds or {}:
        if n != name:
            raise DecisionError(f"bounds names {n!r}; equivalent() looks for {name} alone.")
    other = isinstance(like, tuple) and len(like) == 2 and isinstance(like[1], Mapping)
    if other and isinstance(like[0], Law):
        raise DecisionError("like= names a law without inputs; write like=((law, parameters), {input: value}).")
    if not other and not isinstance(like, Mapping):
        (arm,) = arms([base], [no_cost], given, "equivalent", bounds=bounds)
        loss = numbers("like", like)
        if not loss.size or not np.isfinite(loss).all():
            raise DecisionError(f"like={like!r} must be a loss, {{input: value}}, or (source, {{input: value}}).")
        return arm, loss, None if not arm.known.count else np.broadcast_to(loss, (arm.known.count, *loss.shape)), None, arm.known.kind
    inner = base[0] if isinstance(base, tuple) and not isinstance(base[0], Law) else base
    own = dict(base[1]) if inner is not base else {}
    theirs = like if other else (inner, {**own, **like})
    arm, model = arms([base, theirs], [no_cost] * 2, given, "equivalent", bounds=bounds, pair=pair)
    inputs = model.scalars()
    try:
        arrays = dict(zip(inputs, np.broadcast_arrays(*inputs.values()), strict=True))
    except ValueError:
        raise DecisionError("like= has arrays of different lengths; give arrays of one length, or numbers.") from None
    shape = next(iter(arrays.values())).shape
    rows = {n: v.reshape(1, -1) for n, v in arrays.items()}
    losses = model.predict(rows, True).reshape(-1, *shape) if arm.known.count else None
    return arm, model.predict(rows)[0].reshape(shape), losses, arrays.get(name) if name in model.given else None, made_by((arm, model))


def _solve(function: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...], low: float, high: float) -> tuple[np.ndarray, ...]:
    """Smallest root of every function (sets, points), which of them have none, and how many there are."""
    log = low > 0
    first_end, last_end = np.log([low, high]) if log else (low, high)
    from_scale: Callable[[Any], Any] = np.exp if log else np.asarray

    def at(t: Any) -> np.ndarray:
        return function(np.broadcast_to(from_scale(t), shape))

    grid = np.linspace(first_end, last_end, _GRID)
    first = last = at(grid[0])
    left, right, count = np.full(shape, grid[0]), np.full(shape, grid[0]), np.zeros(shape, int)
    for before, after in pairwise(grid):
        now = at(after)
        turn = changes(np.stack([last, now], axis=-1))[..., 0] != 0
        new = turn & (count == 0)
        left, right, last = np.where(new, before, left), np.where(new, after, right), now
        count = count + turn
    none = count == 0
    beyond = np.where(np.abs(last) < np.abs(first), np.inf, 0.0 if log else -np.inf)
    return np.where(none, beyond, from_scale(between(at, left, right))), none, count
