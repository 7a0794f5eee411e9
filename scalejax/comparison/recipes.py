"""Which of two training recipes (procedures, data sets) to prefer, from their scaling laws and how well these predict held-out runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import DecisionError
from ..core.numeric.precision import double
from ..core.numeric.statistics import ends
from ..core.runs import Runs
from ..core.table import Shown, Table, formatted, number
from ..decisions.known import Known
from ..decisions.pairing import Pair
from ..decisions.recipes.arm import arms, made_by, no_cost
from ..decisions.recipes.break_even import BreakEven, crossings, fixed_inputs


@dataclass(frozen=True, eq=False, repr=False)
class RecipeComparison(Shown):
    """Two recipes over a span of compute, see `compare_recipes`; printing it gives the table.

    Attributes:
        names: of the recipes.
        compute: (points,) over the span.
        first, second: (points,) error of each recipe.
        low, high: (points,) interval of the difference, first less second; NaN without draws.
        crossing: where they are equally good.
        rmse: held-out root mean square error of each, or NaN.
        admitted: does every law whose held-out runs were given predict them within the gate?
        level: of the intervals.
    """

    names: tuple[str, str]
    compute: np.ndarray
    first: np.ndarray
    second: np.ndarray
    low: np.ndarray
    high: np.ndarray
    crossing: BreakEven
    rmse: tuple[float, float]
    admitted: bool
    level: float

    @property
    def difference(self) -> np.ndarray:
        """Error of the first recipe less that of the second."""
        return self.first - self.second

    @property
    def better(self) -> tuple[str, ...]:
        """The better recipe at every point of compute, or "" where the interval of the difference holds 0."""
        sure = np.where(np.isnan(self.low), self.difference != 0, (self.low > 0) | (self.high < 0))
        return tuple(self.names[int(d > 0)] if s else "" for d, s in zip(self.difference, sure, strict=True))

    @property
    def verdict(self) -> str:
        """Which recipe to prefer, in a sentence."""
        if not self.admitted:
            return "The laws predict their held-out runs too badly to decide by them."
        at = " and ".join(f"{C:.3g}" for C in self.crossing.values)
        order = ", then ".join(self.crossing.better)
        sure = (
            f"the {100 * self.level:g} % interval of the difference leaves 0 at {sum(map(bool, self.better))} of {len(self.compute)} points"
        )
        return (f"{order} is better, with equality at {at}; " if at else f"{order} is better throughout; ") + sure + "."

    def table(self) -> Table:
        """A row for every point of compute."""
        rows = [
            [formatted(C, ".3g"), number(a), number(b), number(a - b, 3), number(low, 3), number(high, 3), better or "undecided"]
            for C, a, b, low, high, better in zip(
                self.compute, self.first, self.second, self.low, self.high, self.better, strict=True
            )
        ]  # fmt: skip
        percent = f"{100 * self.level:g} %"
        notes = [self.verdict]
        if not np.isnan(self.rmse).all():
            notes.append(
                "held-out root mean square error: " + ", ".join(f"{n} {number(r, 3)}" for n, r in zip(self.names, self.rmse, strict=True))
            )
        return Table(["compute", *self.names, "difference", f"low {percent}", f"high {percent}", "better"], rows, notes=notes)


@double
def compare_recipes(
    first: Any,
    second: Any,
    span: tuple[float, float],
    *,
    names: tuple[str, str] = ("first", "second"),
    points: int = 9,
    level: float = 0.95,
    held: tuple[Runs | None, Runs | None] = (None, None),
    gate: float = np.inf,
    pair: Pair = None,
) -> RecipeComparison:
    r"""Compare two recipes by their laws of one input: sign and interval of the difference, crossing, held-out error.

        difference(C) = E_1(C) - E_2(C),    its central `level` interval over the draws of both,    C* where it is 0

    Args:
        first, second: a fit, draws, or (law, parameters) without intervals, of a law of one input such as `laws.offset_power_law`; or
            (source, {"group": name}).
        span: (low, high) of that input; beyond the fitted runs it is an extrapolation.
        names: of the recipes.
        points: where the difference is shown, equally spaced in logarithms.
        level: of the intervals.
        held: runs of each recipe that its fit has not seen, or None.
        gate: largest held-out root mean square error, in the unit of the output, with which a law is admitted to the comparison.
        pair: columns that name what the runs of both share, as in `sj.compute_multiplier`.

    Returns:
        RecipeComparison: `verdict`, `table()`, `crossing` (a `BreakEven` with its interval).

    Raises:
        DecisionError: if a law has several inputs, or the span does not rise.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.offset_power_law
        >>> clip, mammut = ((law, law.published[f"nezhurina2025_{name}"]) for name in ("clip", "mammut"))
        >>> found = compare_recipes(clip, mammut, (1e8, 1e12), names=("CLIP", "openMaMMUT"))
        >>> found.crossing.better, f"{found.crossing.values[0]:.3g}"
        (('CLIP', 'openMaMMUT'), '6.76e+10')

    References: Nezhurina et al. 2025, arXiv:2506.04598.
    """
    both = arms((first, second), [no_cost] * 2, {}, "compare_recipes", pair=pair)
    laws = [arm.known.law for arm in both]
    for law in laws:
        if len(law.inputs) != 1:
            raise DecisionError(f"compare_recipes() takes laws of one input; {law.name!r} has {', '.join(law.inputs)}.")
    (over,), (other,) = (law.inputs for law in laws)
    if over != other:
        raise DecisionError(f"The laws have different inputs, {over} and {other}.")
    if not 0 < span[0] < span[1]:
        raise DecisionError(f"span={span!r} must be two positive numbers that rise.")
    compute = np.geomspace(*span, points)
    a, b = (arm.predict({over: compute[None]})[0] for arm in both)
    low = high = np.full_like(compute, np.nan)
    if both[0].known.count:
        low, high = ends(np.subtract(*(arm.predict({over: compute[None]}, draws=True) for arm in both)), level)
    rmse = (_held_out(both[0].known, held[0]), _held_out(both[1].known, held[1]))
    crossing = crossings([fixed_inputs(arm, over) for arm in both], over, span, names, both[0].known.count, "loss", made_by(both))
    admitted = all(np.isnan(r) or r <= gate for r in rmse)
    return RecipeComparison(
        names=(names[0], names[1]), compute=compute, first=a, second=b, low=low, high=high, crossing=crossing, rmse=rmse,
        admitted=admitted, level=level,
    )  # fmt: skip


def _held_out(arm: Known, runs: Runs | None) -> float:
    if runs is None:
        return float("nan")
    law = arm.law
    predicted = law(runs[law.inputs[0]], **arm.point)
    return float(np.sqrt(np.mean((predicted - runs[law.output]) ** 2)))
