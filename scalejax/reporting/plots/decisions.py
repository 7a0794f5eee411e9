"""Pictures of decisions: how flat an optimum is, mixtures, effective compute, the best recipe by budget, fronts, the next runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import DecisionError
from ...decisions.allocate import Allocation
from ...decisions.design.next_runs import NextRuns
from ...decisions.recipes.break_even import BreakEven
from ...decisions.recipes.choose import Choice
from ...decisions.recipes.equivalent import Equivalent
from ...decisions.recipes.multiplier import ComputeMultiplier
from ...decisions.recipes.pareto import Pareto
from ...decisions.recipes.regret import Regret
from . import marks, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOLERANCE = 0.01
_SHOWN = 10.0  # per cent above the least that a valley shows


def valley(allocation: Allocation, name: str = "N", *, span: float = 30.0, ax: Axes | None = None, **line: Any) -> Axes:
    """How flat the optimum is: what is lost when one input is larger or smaller than its best, the others chosen anew.

    Args:
        allocation: from `allocate`.
        name: the input that is held.
        span: factor on either side of the optimum.
        ax: where to draw.
        **line: for `Axes.plot`.

    Returns:
        The axes.

    Example: `sj.plot.valley(sj.allocate(fit, compute=[1e21, 1e23]))`.
    """
    ax = style.canvas(ax)
    found, asked = allocation.compute, allocation.loss
    if allocation.for_budget:
        found, asked = asked, found
    best = np.atleast_1d(allocation.inputs.get(name, np.nan))
    every = np.unique(np.concatenate([b * np.geomspace(1 / span, span, 61) for b in best]))
    values = np.atleast_2d(allocation.profile(name, every))
    top = 0.0
    for i, (target, b) in enumerate(zip(np.atleast_1d(asked), best, strict=True)):
        inside = (every >= b / span * 0.999) & (every <= b * span * 1.001)
        worse = 100 * (values[i][inside] / np.atleast_1d(found)[i] - 1)
        shown = np.isfinite(worse)
        colour = style.PALETTE[i % len(style.PALETTE)]
        what = f"{style.flops(target)} {style.unit_of_cost(allocation.cost)}" if allocation.for_budget else f"loss {target:g}"
        ax.plot(every[inside][shown], worse[shown], **{"color": colour, "linewidth": 1.8, "label": what, **line})
        ax.plot(b, 0, "o", color=colour, markersize=5, clip_on=False, zorder=3)
        top = max(top, float(np.quantile(worse[shown], 0.9)))
    ax.axhspan(0, 100 * _TOLERANCE, color=style.GREY, **style.BAND)
    ax.text(0.99, 100 * _TOLERANCE, "within 1 %", transform=ax.get_yaxis_transform(), ha="right", va="bottom", color=style.GREY)
    ax.set(ylim=(0, min(top, _SHOWN)), ylabel=f"{'loss' if allocation.for_budget else 'cost'} above its least (%)")
    style.log_axis(ax, "x", *style.unit_of(name))
    style.legend(ax)
    return style.finish(ax)


def multiplier(found: ComputeMultiplier, *, level: float = 0.9, ax: Axes | None = None, **line: Any) -> Axes:
    """Effective compute of one recipe over another against the budget.

    Args:
        found: from `compute_multiplier`, for two budgets or more.
        level: of the band.
        ax: where to draw.
        **line: for `Axes.plot`.

    Returns:
        The axes.

    Raises:
        DecisionError: if there is only one budget.

    Example: `sj.plot.multiplier(sj.compute_multiplier(new, base, compute=np.logspace(20, 24, 9)))`.
    """
    compute, value = _budgets(found.compute, "multiplier"), np.asarray(found.multiplier)
    ax = style.canvas(ax)
    if found.draws:
        low, high = found.interval(level)["multiplier"]
        top = np.where(np.isfinite(high), high, 100 * np.nanmax(value[np.isfinite(value)], initial=1.0))
        ax.fill_between(compute, low, top, color=style.BLUE, **style.BAND)
    ax.plot(compute, value, **{"color": style.BLUE, "linewidth": 2, **line})
    ax.axhline(1, color=style.GREY, linewidth=1)
    ax.text(0.01, 1, "no gain", transform=ax.get_yaxis_transform(), va="bottom", color=style.GREY)
    ax.margins(x=0.02)
    style.log_axis(ax, "x", "budget of the new recipe (FLOP)", style.power_of_ten)
    style.log_axis(ax, "y", "compute the base needs for the same loss (times)", style.plain)
    return style.finish(ax)


def choice(found: Choice, *, level: float = 0.9, ax: Axes | None = None, **line: Any) -> Axes:
    """What every recipe reaches above the best of them, and the budgets at which the best one changes, with their intervals.

    Args:
        found: from `choose`, for two budgets or more.
        level: of the switches' intervals.
        ax: where to draw.
        **line: for `Axes.plot`.

    Returns:
        The axes.

    Raises:
        DecisionError: if there is only one budget.

    Example: `sj.plot.choice(sj.choose({"dense": fit1, "moe": fit2}, compute=np.logspace(18, 24, 25)))`.
    """
    compute = _budgets(found.compute, "choice")
    ax = style.canvas(ax)
    for i, (name, losses) in enumerate(found.losses.items()):
        above = 100 * (np.asarray(losses) / found.loss - 1)
        shown = np.isfinite(above)
        ax.plot(
            compute[shown],
            above[shown],
            **{"color": style.PALETTE[i % len(style.PALETTE)], "linewidth": 1.8, "label": style.inert(name), **line},
        )
    for switch in found.switches:
        if switch.draws:
            low, high = (float(end[0]) for end in switch.interval(level)["compute"])
            if np.isfinite([low, high]).all():
                ax.axvspan(low, high, color=style.GREY, **style.BAND)
        ax.axvline(switch.values[0], color=style.GREY, linewidth=1, linestyle=":")
    ax.margins(x=0.02)
    style.log_axis(ax, "x", "budget (FLOP)", style.power_of_ten)
    ax.set(ylabel="loss above the best recipe's (%)", ylim=(0, None))
    style.legend(ax)
    return style.finish(ax)


def break_even(found: BreakEven, *, level: float = 0.9, ax: Axes | None = None, **line: Any) -> Axes:
    """Which of two recipes is better along an input, and how sure the points are where they change places.

    Args:
        found: from `break_even`.
        level: of the intervals.
        ax: where to draw.
        **line: for `Axes.plot`.

    Returns:
        The axes.

    Example: `sj.plot.break_even(sj.break_even(new, base, "compute", (1e18, 1e25)))`.
    """
    ax = style.canvas(ax)
    low, high = found.between
    ends = [low, *found.values, high]
    for i, name in enumerate(found.better):
        which = found.names.index(name)
        ax.plot(ends[i : i + 2], [which, which], **{"color": style.PALETTE[which], "linewidth": 6, "solid_capstyle": "butt", **line})
    limits = found.interval(level)[found.over] if found.draws and len(found.values) else None
    for i, value in enumerate(found.values):
        if limits is not None:
            left, right = (float(np.clip(end[i], low, high)) for end in limits)
            ax.axvspan(left, right, color=style.GREY, **style.BAND)
        ax.axvline(value, color=style.GREY, linewidth=1)
        marks.note(ax, style.flops(value), value, 1.25, (-4, 0), color=style.GREY)
    ax.set_yticks([0, 1], [f"{style.inert(name)} better" for name in found.names])
    ax.set(ylim=(1.5, -0.5), xlim=(low, high), xlabel=found.over)
    if low > 0:
        style.log_axis(ax, "x", *style.unit_of({"compute": "C"}.get(found.over, found.over)))
    return style.finish(ax)


def equivalent(found: Equivalent, *, level: float = 0.9, ax: Axes | None = None, **mark: Any) -> Axes:
    """The value of an input that gives each wanted loss, with its interval.

    Args:
        found: from `equivalent`.
        level: of the intervals.
        ax: where to draw.
        **mark: for `Axes.plot`.

    Returns:
        The axes.

    Example: `sj.plot.equivalent(sj.equivalent(fit, "D", like=[2.4, 2.3, 2.2], N=1e9))`.
    """
    ax = style.canvas(ax)
    loss, value = np.ravel(found.loss), np.ravel(found.value)
    if found.draws:
        low, high = (np.ravel(end) for end in found.interval(level)[found.name])
        top = np.where(np.isfinite(high), high, 10 * value)  # an end that is infinite leaves the picture
        ax.plot(np.stack([loss, loss]), np.stack([np.maximum(low, value / 10), top]), color=style.BLUE, linewidth=4, alpha=0.3)
        ax.plot([], [], color=style.BLUE, linewidth=4, alpha=0.3, label=f"{100 * level:g} % interval")
    ax.plot(loss, value, "o", **{"color": style.BLUE, "label": f"equivalent {found.name}", **mark})
    if len(loss) == 1:
        ax.set_xlim(0.99 * loss[0], 1.01 * loss[0])
    ax.invert_xaxis()
    ax.set_xlabel("loss to be reached")
    if (value > 0).all():
        style.log_axis(ax, "y", *style.unit_of(found.name))
    style.legend(ax)
    return style.finish(ax)


def regret(found: Regret, *, labels: Sequence[str] | None = None, level: float = 0.9, ax: Axes | None = None, **bar: Any) -> Axes:
    """The share of every run's cost that the best run of the same loss would have saved, with intervals.

    Args:
        found: from `regret`.
        labels: names of the runs; default their cost.
        level: of the intervals.
        ax: where to draw.
        **bar: for `Axes.barh`.

    Returns:
        The axes.

    Example: `sj.plot.regret(sj.regret(fit, N=[8e9, 70e9], D=[15e12, 1.4e12]), labels=["8B", "70B"])`.
    """
    ax = style.canvas(ax)
    wasted, cost = 100 * np.ravel(found.wasted), np.ravel(found.compute)
    place = np.arange(len(wasted))
    ax.barh(place, wasted, **{"color": style.BLUE, "height": 0.5, **bar})
    if found.draws:
        low, high = (100 * np.ravel(end) for end in found.interval(level)["wasted"])
        ax.plot(np.stack([low, high]), np.stack([place, place]), color=style.BLACK, linewidth=1.5)
    ax.set_yticks(place, [style.flops(c) for c in cost] if labels is None else [style.inert(one) for one in labels])
    ax.invert_yaxis()
    ax.set(xlabel=f"share of the cost wasted (%), {found.cost}", xlim=(0, None))
    return style.finish(ax)


def front(found: Pareto, *, level: float = 0.9, ax: Axes | None = None, **line: Any) -> Axes:
    """A Pareto front with its knee.

    Args:
        found: from `pareto`.
        level: of the band.
        ax: where to draw.
        **line: for `Axes.plot`.

    Returns:
        The axes.

    Example: `sj.plot.front(sj.pareto(fit, compute=1e22, against=sj.costs.six_nd_inference))`.
    """
    ax = style.canvas(ax)
    first, second = found.names
    if found.draws:
        low, high = next(iter(found.interval(level).values()))
        shown = np.isfinite(low) & np.isfinite(high)
        ax.fill_between(found.second[shown], low[shown], high[shown], color=style.BLUE, **style.BAND)
    ax.plot(found.second, found.first, **{"color": style.BLUE, "marker": ".", "linewidth": 1.8, **line})
    ax.plot(found.second[found.knee], found.first[found.knee], "o", color=style.VERMILION, markersize=7)
    marks.note(ax, "knee", found.second[found.knee], found.first[found.knee], (10, 10), color=style.VERMILION)
    style.log_axis(ax, "x", second, style.power_of_ten)
    if first == "loss":
        ax.set_ylabel("loss")
    else:
        style.log_axis(ax, "y", first, style.power_of_ten)
    if found.held:
        ax.set_title(f"at {found.held}", fontsize="medium", color=style.GREY)
    return style.finish(ax)


def design(found: NextRuns, *, ax: Axes | None = None, **line: Any) -> Axes:
    """How sure the target is expected to be after each of the next runs, against what they cost.

    Args:
        found: from `next_runs`.
        ax: where to draw.
        **line: for `Axes.plot`.

    Returns:
        The axes.

    Example: `sj.plot.design(sj.next_runs(fit, space={"N": (1e7, 1e9), "D": (1e8, 1e11)}, target={"N": 7e10, "D": 1.4e12}, runs=8))`.
    """
    ax = style.canvas(ax)
    spent = np.concatenate([[0.0], np.cumsum(found.cost)])
    left = found.deviation.reshape(len(spent), -1)
    share = 100 * np.sqrt(np.mean((left / np.where(left[0] > 0, left[0], 1.0)) ** 2, axis=1))
    ax.step(spent, share, where="post", **{"color": style.BLUE, "linewidth": 1.8, **line})
    ax.plot(spent, share, "o", color=style.BLUE, markersize=4)
    ax.set(ylim=(0, 105), xlabel="spent on further runs", ylabel="standard deviation of the target left (%)")
    return style.finish(ax)


def _budgets(compute: Any, what: str) -> np.ndarray:
    if np.ndim(compute) == 0 or len(compute) < 2:
        raise DecisionError(f"{what}() draws a line; ask for two budgets or more.")
    return np.asarray(compute)
