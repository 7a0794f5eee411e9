"""Picture of a ladder: accuracy of tasks against their loss, from the runs to what larger ones will show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...studies.downstream.task_ladder import Ladder
from .style import PALETTE, canvas, finish, listed

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
        label = name if curve.fit is not None else f"{name} (no curve)"
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
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    if len(found.tasks) > _TASKS:
        ax.set_title(f"{listed(list(found.tasks[:_TASKS]), most=3)} of {len(found.tasks)} tasks", fontsize=9)
    return finish(ax)
