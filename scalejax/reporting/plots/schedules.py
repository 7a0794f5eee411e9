"""Pictures of learning-rate schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...studies.curves.optimal_schedule import OptimalSchedule
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def schedule(found: OptimalSchedule, *, ax: Axes | None = None, **line: Any) -> Axes:
    """The optimised schedule and those it was compared with, each with its predicted loss.

    Args:
        found: from `optimal_schedule`.
        ax: where to draw.
        **line: for `Axes.plot`.

    Returns:
        The axes.

    Example: `sj.plot.schedule(sj.optimal_schedule(fit, steps=24000, peak=3e-4, warmup=2160))`.
    """
    ax = style.canvas(ax)
    losses = {"optimised": found.loss, **found.others}
    for i, name in enumerate(sorted(losses, key=losses.__getitem__)):
        best = name == "optimised"
        rates = found.eta if best else found.rates[name]
        look = {"color": style.PALETTE[i % len(style.PALETTE)], "linewidth": 2.4 if best else 1.4, "zorder": 3 if best else 2}
        ax.plot(np.arange(len(rates)), rates, **{**look, "label": f"{style.inert(name)}: {losses[name]:.4f}", **line})
    ax.set_xlabel("step")
    ax.set_ylabel("learning rate")
    ax.set_ylim(bottom=0)
    ax.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    style.legend(ax, title="predicted loss")
    return style.finish(ax)
