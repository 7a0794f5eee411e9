"""Pictures of two stages, from scale to loss and from loss to accuracy: of a ladder of tasks, and of a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import FitError
from ...core.numeric.statistics import ends
from ...decisions.allocate import allocate
from ...decisions.costs import six_nd
from ...fitting.chained.result import ChainFit
from ...fitting.uncertainty.draws import Draws
from ...studies.downstream.task_ladder import Ladder
from . import marks, points, style
from .style import BAND, BLUE, GREY, PALETTE, VERMILION, canvas, finish, inert, legend, log_axis, plain, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TASKS = len(PALETTE)


def ladder(found: Ladder, *, level: float = 0.9, ax: Axes | None = None, **look: Any) -> Axes:
    """Accuracy against the loss of each task, falling to the right: runs, curve, level of guesses, and predictions with their intervals.

    Args:
        found: from `studies.ladder`.
        level: of the intervals, of loss and of accuracy.
        ax: axes to draw on; default a new figure.
        **look: for `Axes.plot` of the runs.

    Returns:
        The axes.

    Example: `sj.plot.ladder(sj.studies.ladder(runs, tasks, at={"N": 7e9, "D": 4e12}))`.
    """
    ax = canvas(ax)
    limits = found.interval(level)
    for t, name in enumerate(found.tasks[:_TASKS]):
        curve, colour = found.curves[name], PALETTE[t % _TASKS]
        ax.plot(curve.loss, curve.accuracy, "o", **{"color": colour, "markersize": 3, "alpha": 0.6, "markeredgewidth": 0, **look})
        ends = np.concatenate([curve.loss, found.loss[t]])
        grid = np.linspace(ends.max(), ends.min(), 200)
        label = inert(name) if curve.fit is not None else f"{inert(name)} (no curve)"
        ax.plot(grid, curve.at(grid), color=colour, linewidth=1.5, label=label)
        if curve.task.chance is not None:
            ax.plot(grid[[0, -1]], [curve.task.chance] * 2, color=colour, linewidth=0.8, linestyle=":")
        if curve.fit is None:
            continue
        (left, right), (low, high) = ([end[t] for end in limits[what]] for what in ("loss", "accuracy"))
        ax.hlines(found.accuracy[t], left, right, color=colour, linewidth=1.0, alpha=0.5)
        ax.vlines(found.loss[t], low, high, color=colour, linewidth=2.0, alpha=0.5)
        ax.plot(found.loss[t], found.accuracy[t], "D", color=colour, markersize=4)
    ax.invert_xaxis()
    ax.set(xlabel="loss of the task", ylabel="accuracy")
    if len(found.tasks) > 1:
        legend(ax)
    if len(found.tasks) > _TASKS:
        ax.text(0.01, 0.99, f"{_TASKS} of {len(found.tasks)} tasks", transform=ax.transAxes, va="top", color=GREY, fontsize="small")
    return finish(ax)


def stages(
    fit: ChainFit,
    draws: Draws | None = None,
    *,
    decades: float = 1.0,
    level: float = 0.9,
    **look: Any,
) -> np.ndarray:
    """A chain of two stages, such as N, D -> loss -> accuracy: the first over compute, the second over the first, and both together.

    Lines follow the sizes that the first stage takes as best for each budget 6ND, so that runs trained otherwise lie off them.

    Args:
        fit: of a chain whose first stage depends on N and D alone and whose second on nothing but the first.
        draws: for the bands; default Laplace draws.
        decades: how far beyond the largest run.
        level: of the bands.
        **look: for `Axes.plot` of the runs.

    Returns:
        (3,) axes of a new figure.

    Raises:
        FitError: if the chain is no such one.

    Example: `sj.plot.stages(sj.fit(sj.chain(loss="chinchilla", accuracy=("llama3_accuracy", {"nll": "loss"})), runs))`.

    References: Bhagia et al. 2024, arXiv:2412.04403, figure 1.
    """
    if not isinstance(fit, ChainFit) or len(fit.chain.stages) != 2:
        raise FitError("stages() draws the fit of a chain of two laws, sj.fit(sj.chain(loss=..., accuracy=...), runs).")
    first, second = fit.chain.stages
    if set(first.inputs) != {"N", "D"} or second.inputs != (first.name,):
        raise FitError(f"stages() needs a first law of N and D and a second one of {first.name} alone.")
    source = points.thinned(fit, draws)
    figure = style.new_figure(figsize=(9.9, 3.5), layout="constrained")
    axes = figure.subplots(1, 3)
    columns, stage = fit.stacked.columns, fit.stacked.stage
    one, two = (stage == fit.chain.outputs.index(name) for name in (first.name, second.name))
    C = six_nd(columns["N"], columns["D"])
    grid = np.geomspace(C.min(), C.max() * 10**decades, 48)
    best = allocate((first.law, {n: fit.params[called] for n, called in first.parameters}), compute=grid)
    sizes = {"N": best.N, "D": best.D}
    dots = {"color": BLUE, "linestyle": "none", "marker": "o", "markersize": 4, "alpha": 0.75, "markeredgewidth": 0, **look}
    for ax, name, here in ((axes[0], first.name, one), (axes[2], second.name, two)):
        ax.plot(C[here], fit.rows(name).observed, **dots)
        ax.fill_between(grid, *ends(source.predict(output=name, **sizes), level), color=VERMILION, **BAND)
        ax.plot(grid, fit.predict(output=name, **sizes), color=VERMILION, linewidth=1.8)
        marks.extrapolated(ax, C.max(), grid[-1])
        log_axis(ax, "x", "compute 6ND (FLOP)", unit_of("C")[1])
        ax.set_ylabel(inert(name))
    shown, loss_of = fit.rows(second.name), dict(zip(fit.rows(first.name).row.tolist(), fit.rows(first.name).observed, strict=True))
    both = np.asarray([row in loss_of for row in shown.row.tolist()])
    seen = np.asarray([loss_of[row] for row in shown.row[both].tolist()])
    x = np.linspace(seen.max(), min(float(np.nanmin(fit.predict(output=first.name, **sizes))), seen.min()), 120)

    def along(params: Any) -> np.ndarray:
        own = {n: np.asarray(params[called])[..., None] for n, called in second.parameters}
        return np.asarray(second.law(x, **own))

    axes[1].plot(seen, shown.observed[both], **dots)
    axes[1].fill_between(x, *ends(along(source.params), level), color=VERMILION, **BAND)
    axes[1].plot(x, np.ravel(along(fit.params)), color=VERMILION, linewidth=1.8)
    axes[1].axvspan(seen.min(), x[-1], color=GREY, alpha=0.08, linewidth=0)
    axes[1].invert_xaxis()
    axes[1].set(xlabel=inert(first.name), ylabel=inert(second.name))
    if fit.rows(first.name).observed.min() > 0:
        log_axis(axes[0], "y", inert(first.name), plain)
    for ax in axes:
        finish(ax)
    return axes
