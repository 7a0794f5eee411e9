"""Where two recipes are equally good, and which is better on either side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ...core.answer import Answer, share
from ...core.errors import DecisionError, suggest
from ...core.numeric.precision import double
from ...core.numeric.roots import between as root_between
from ...core.numeric.roots import changes
from ...core.table import Note, Table
from ..costs import six_nd
from ..pairing import Pair
from ..question import numbers
from .arm import Arm, arms, made_by, no_cost, one_each, positive

_GRID = 65
Curve = Callable[[np.ndarray, Any], tuple[np.ndarray, Any]]


@dataclass(frozen=True, eq=False, repr=False)
class BreakEven(Answer):
    """All values of an input at which two recipes are equally good.

    Attributes:
        over: the input, "compute" or "loss".
        between: the range that was searched.
        values: (crossings,) where they are equal, rising; empty if one is better throughout.
        at: (crossings,) the loss, or the cost, that both have there.
        better: which of `names` is better before the first crossing, between the others, and after the last.
        draws: the input with axes (draws, crossings): for every crossing at the point estimate the nearest one of the same direction.
            With a single crossing, a draw without one is 0 or infinite, as one recipe is better throughout; with several, NaN.
        missing: (crossings,) share of the draws without such a crossing in the range.
    """

    over: str
    between: tuple[float, float]
    values: np.ndarray
    at: np.ndarray
    better: tuple[str, ...]
    names: tuple[str, str]
    draws: Mapping[str, np.ndarray]
    missing: np.ndarray
    what: str = "loss"
    _name: ClassVar[str] = "break-even"

    def table(self, level: float = 0.9) -> Table:
        """A row for every crossing."""
        low, high = self.between
        if not len(self.values):
            notes = [f"{self.better[0]} is better for all {self.over} from {low:g} to {high:g}", *self._drawn]
            return Table([self.over], [], title=f"Break-even of {' and '.join(self.names)}", notes=notes)
        columns = {
            self.over: (self.values, 4), self.what: (self.at, 5), "better below": (list(self.better[:-1]), 0),
            "better above": (list(self.better[1:]), 0),
        }  # fmt: skip
        head, rows = self._rows(columns, level)
        notes = ["; ".join([f"{self.over} from {low:g} to {high:g}", *self._drawn])]
        if np.any(self.missing):
            where = "; they count as 0 or infinite" if len(self.values) == 1 else "; they are left out"
            notes.append(Note(f"in up to {share(self.missing)} of the draws there is no such crossing{where}", "unmet"))
        return Table(head, rows, title=f"Break-even of {' and '.join(self.names)}", notes=notes)


@double
def break_even(
    a: Any,
    b: Any,
    over: str,
    between: tuple[float, float],
    *,
    compute: float | None = None,
    loss: float | None = None,
    cost: Callable[..., Any] | Sequence[Callable[..., Any]] = six_nd,
    names: tuple[str, str] = ("a", "b"),
    bounds: Mapping[str, tuple[float, float]] | None = None,
    caps: Mapping[Callable[..., Any], float] | None = None,
    choices: Mapping[str, Sequence[float]] | None = None,
    pair: Pair = None,
    **given: Any,
) -> BreakEven:
    r"""All values of an input at which two recipes are equally good, and which one is better in between.

        x such that  f_a(x) = f_b(x)

    where f is, for each recipe,

    - the loss at given inputs, for an input x of a law (D, N, U, ...);
    - the least loss for the budget x, for over="compute"; the least cost of the loss x, for over="loss";
    - the least loss for the budget `compute`, or the least cost of the target `loss`, if one of these is given, for any input x of a law
      or a cost: such as the inference demand over="D_inf" at which a smaller model pays.

    The range is scanned at 65 points, and every change of sign is refined; two crossings between neighbouring points go unseen.

    Args:
        a, b: fits, draws or (law, parameters); or (source, {input: value}) with values that hold for this side alone.
        over: name of the input, "compute" or "loss".
        between: (low, high), the range to search; in logarithms if both are positive.
        compute: a budget. loss: a target loss.
        cost: function of inputs by name, or (cost of a, cost of b).
        names: of the two recipes, for tables.
        bounds, caps, choices: as in `allocate`, for each side that knows the name.
        pair: column (or columns) of the runs that names what plain fits share: "config", "seed", "corpus". Units of the same name are then
            resampled together for all of them (`bootstrap(groups=...)`). Default: where residuals clearly correlate over a column, over
            equal inputs, or run by run; False takes the fits as independent. Draws carry how they were resampled: those of one seed that
            share units are paired, others are not.
        **given: values of inputs, for each side that knows them.

    Returns:
        BreakEven with `.values`, `.better`, `.interval(level)`, `.table()`.

    Raises:
        DecisionError: if the range does not rise, a name is missing or unknown, or nothing in the range can be computed.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> first, second = (law, law.published["hoffmann2022"]), (law, law.published["besiroglu2024"])
        >>> even = sj.break_even(first, second, "compute", (1e15, 1e26), names=("Hoffmann", "Besiroglu"))
        >>> [f"{C:.3g}" for C in even.values], even.better
        (['3.01e+19', '1.01e+20'], ('Hoffmann', 'Besiroglu', 'Hoffmann'))

    References: Sardana et al. 2023, arXiv:2401.00448; Kaplan et al. 2020, arXiv:2001.08361.
    """
    fixed = [(kind, value) for kind, value in (("compute", compute), ("loss", loss)) if value is not None]
    if len(fixed) > 1 or (fixed and over in ("compute", "loss")):
        raise DecisionError("break_even() takes one of compute=, loss=, over='compute' and over='loss'.")
    ends = numbers("between", between)
    if ends.shape != (2,) or not np.isfinite(ends).all() or not ends[0] < ends[1]:
        raise DecisionError(f"between={between!r} must be two numbers that rise, (low, high).")
    if isinstance(names, str) or len(names) != 2:
        raise DecisionError(f"names={names!r} must be two names, one for each recipe.")
    for kind, value in fixed:
        if positive(kind, value).ndim:
            raise DecisionError(f"{kind}={value!r} must be one positive number; call break_even() once for each.")
    if over in ("compute", "loss") and ends[0] <= 0:
        raise DecisionError(f"between={between!r} must be positive for over={over!r}.")
    free = not fixed and over not in ("compute", "loss")
    costs = [no_cost] * 2 if free else one_each(cost, 2, "break_even")
    both = arms((a, b), costs, given, "break_even", bounds=bounds, caps=caps, choices=choices, pair=pair)
    known = dict.fromkeys(["compute", "loss", *(n for arm in both for n in arm.names)])
    if over not in known:
        raise DecisionError(f"break_even() was asked for {over!r}, which no law and no cost here knows; {suggest(over, known)}")
    kind, target = fixed[0] if fixed else (over, np.nan)
    curves = [fixed_inputs(arm, over) if free else at_best(arm, over, kind, target) for arm in both]
    return crossings(
        curves, over, (float(ends[0]), float(ends[1])), names, both[0].known.count, "cost" if kind == "loss" else "loss", made_by(both)
    )


def fixed_inputs(arm: Arm, over: str) -> Curve:
    """The loss at given inputs."""
    own_input = over in arm.known.law.inputs and over not in arm.given
    others = arm.scalars(leave=(over,) if own_input else ())
    for n, v in others.items():
        if v.ndim:
            raise DecisionError(f"{n}={arm.given[n]!r} must be one value; call break_even() once for each.")

    def curve(x: np.ndarray, own: Any) -> tuple[np.ndarray, Any]:
        def value(x: np.ndarray, draws: bool) -> np.ndarray:
            return np.broadcast_to(arm.predict({**others, over: x} if own_input else others, draws), x.shape)

        return value(x[None], False)[0], None if own is None else value(own, True)

    return curve


def at_best(arm: Arm, over: str, kind: str, target: float = np.nan) -> Curve:
    """The least loss of a budget (`kind` "compute"), or the logarithm of the least cost of a loss; infinite where there is none.

    `over` is the budget or the loss itself, or an input; then the target holds for all its values.
    """
    own_input = over in arm.names and over not in arm.given

    def curve(x: np.ndarray, own: Any) -> tuple[np.ndarray, Any]:
        asked = arm if own is not None else arm._replace(known=replace(arm.known, draws=None))
        if over == kind:
            best = asked.best(x, kind == "compute", own=None if own is None else {"target": own}, must=False)
        else:
            each, mine = ({over: x}, None if own is None else {over: own}) if own_input else (None, None)
            best = asked.best(np.full(x.shape, float(target)), kind == "compute", each, mine, must=False)
        scale: Callable[[Any], Any] = np.asarray if kind == "compute" else np.log
        return scale(best.point["answer"]), None if own is None else scale(best.draws["answer"])

    return curve


def crossings(
    curves: Sequence[Curve], over: str, ends: tuple[float, float], names: tuple[str, str], draws: int, what: str, kind: str = ""
) -> BreakEven:
    """Where two curves meet, at the point estimate and for every one of the draws."""
    to_scale, from_scale = (np.log, np.exp) if ends[0] > 0 else (np.asarray, np.asarray)
    low, high = to_scale(np.asarray(ends))
    grid = np.linspace(low, high, _GRID)

    def difference(t: np.ndarray, own: Any = None) -> tuple[np.ndarray, Any]:
        x, own_x = from_scale(t), None if own is None else from_scale(own)
        (a, many_a), (b, many_b) = (curve(x, own_x) for curve in curves)
        with np.errstate(invalid="ignore"):  # infinity less infinity: neither can
            return a - b, None if own is None else many_a - many_b

    d, _ = difference(grid)
    if np.isnan(d).all():
        raise DecisionError(
            f"Neither recipe has an optimum for any {over} from {ends[0]:g} to {ends[1]:g}; check between=, bounds= and units."
        )
    turns = changes(d)
    places = np.flatnonzero(turns)
    better = (names[int(d[~np.isnan(d)][0] > 0)], *(names[int(turn > 0)] for turn in turns[places]))
    roots, at, drawn, missing = np.zeros(0), np.zeros(0), {}, np.zeros(len(places))
    if len(places):
        roots = root_between(lambda t: difference(t)[0], grid[places], grid[places + 1])
        at = np.asarray(curves[0](from_scale(roots), None)[0])
    if draws and len(places):
        found = _of_draws(difference, grid, roots, turns[places], draws)
        drawn, missing = {over: from_scale(found)}, (~np.isfinite(found)).mean(axis=0)
    return BreakEven(
        over=over, between=ends, values=from_scale(roots), at=np.exp(at) if what == "cost" else at, better=better, names=names,
        draws=drawn, missing=missing, what=what, kind=kind,
    )  # fmt: skip


def _of_draws(difference: Callable[..., Any], grid: np.ndarray, roots: np.ndarray, turns: np.ndarray, draws: int) -> np.ndarray:
    """(draws, crossings): of every draw the nearest crossing of the same direction; NaN without one, ±inf if one is all."""
    _, d = difference(grid, np.broadcast_to(grid, (draws, len(grid))))
    own, middle = changes(d), 0.5 * (grid[:-1] + grid[1:])
    distance = np.where(own[:, None] == turns[:, None], np.abs(middle - roots[:, None]), np.inf)
    place, there = distance.argmin(axis=-1), np.isfinite(distance.min(axis=-1))
    left, right = np.where(there, grid[place], roots), np.where(there, grid[place + 1], roots)
    found = root_between(lambda t: difference(roots, t)[1], left, right)
    beyond = np.where(d[:, -1:] * turns < 0, np.inf, -np.inf) if len(roots) == 1 else np.nan
    return np.where(there, found, beyond)
