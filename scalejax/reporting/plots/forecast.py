"""Pictures of forecasts: the runs with the bands of what larger ones will show, and where the width of a band comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...comparison.forecast.result import Forecast
from ...core.errors import DataError
from .style import (
    BAND,
    GREEN,
    GREY,
    ORANGE,
    PALETTE,
    PURPLE,
    VERMILION,
    canvas,
    finish,
    inert,
    listed,
    log_axis,
    plain,
    power_of_ten,
    quantity,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PARTS = {"noise": GREY, "parameters": GREEN, "laws": ORANGE, "misfit": PURPLE}
_GROUPS = len(PALETTE)


def forecast(found: Forecast, *, observed: Any = None, level: float = 0.9, ax: Axes | None = None) -> Axes:
    """The runs over scale, and beyond them what is forecast: points with an interval for a new run, and a narrower one of half of them.

    Args:
        found: from `sj.forecast`.
        observed: (m,) what the points turned out to show, drawn beside the forecast.
        level: of the wide interval.
        ax: axes to draw on; default a new figure.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = {"D": np.geomspace(1e6, 1e9, 12), "loss": 1 + 40 * np.geomspace(1e6, 1e9, 12) ** -0.25}
        >>> ax = forecast(sj.forecast(runs, {"D": [1e10]}))
    """
    ax = canvas(ax)
    truth = None if observed is None else np.asarray(observed, dtype=np.float64)
    if truth is not None and truth.shape != (len(found),):
        raise DataError(f"observed has shape {truth.shape} for {len(found)} points; give one value a point.")
    groups = found.columns.groups or ("",)
    wide, narrow = found.interval(level), found.interval(0.5)
    x_runs, x_points = (10**found.size, 10**found.asked) if found.axis else _side_by_side(found)
    for g, name in enumerate(groups[:_GROUPS]):
        runs, points = found.columns.of_run == g, found.columns.of_point == g
        colour = PALETTE[g % _GROUPS]
        ax.plot(
            x_runs[runs], found.columns.y[runs], "o", color=colour, markersize=3, alpha=0.6, markeredgewidth=0, label=inert(name) or None
        )
        order = np.argsort(x_points[points], kind="stable")
        x, middle = x_points[points][order], found.prediction[points][order]
        ends = [[end[points][order] for end in pair] for pair in (wide, narrow)]
        if len(x) > 1 and len(np.unique(x)) == len(x) and len(found.at) == 1:
            ax.plot(x, middle, color=colour, linewidth=1.5)
            for low, high in ends:
                ax.fill_between(x, low, high, color=colour, **BAND)
        else:
            for (low, high), width in zip(ends, (1.0, 3.0), strict=True):
                ax.vlines(x, low, high, color=colour, linewidth=width, alpha=0.5)
            ax.plot(x, middle, "_", color=colour, markersize=7)
        if truth is not None:
            ax.plot(x, truth[points][order], "x", color=VERMILION if len(groups) == 1 else colour, markersize=5)
    ax.set_ylabel(inert(found.target))
    if found.axis:
        log_axis(ax, "x", inert(found.axis), power_of_ten if np.ptp(found.asked) + np.ptp(found.size) > 2 else plain)
    else:
        ax.set_xlabel("points")
    if len(groups) > 1:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, title=inert(found.columns.by))
    if len(groups) > _GROUPS:
        ax.set_title(f"{listed([inert(g) for g in groups[:_GROUPS]], most=3)} of {len(groups)} groups", fontsize=9)
    return finish(ax)


def _side_by_side(found: Forecast) -> tuple[np.ndarray, np.ndarray]:
    """Places of runs and points where nothing orders them: runs by what they showed, points after them."""
    runs = np.argsort(np.argsort(-found.columns.y, kind="stable")).astype(float)
    return runs, len(runs) + np.argsort(np.argsort(-found.prediction, kind="stable")).astype(float)


def forecast_parts(found: Forecast, *, ax: Axes | None = None) -> Axes:
    """Where the width of every point's interval comes from: noise, parameters, choice of law, and misfit of all laws.

    Bars are standard deviations, shared out by variance; the nearest points first.

    Args:
        found: from `sj.forecast`.
        ax: axes to draw on; default a new figure.
    """
    ax = canvas(ax)
    order = np.argsort(found.reach, kind="stable")
    order = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), 24)).round().astype(int))]
    parts = found.parts
    total = np.sqrt(sum(parts.values()))[order]
    share = {name: variance[order] / np.maximum(total**2, 1e-300) for name, variance in parts.items()}
    percent = 100.0 if found.link != "linear" else 1.0
    bottom = np.zeros(len(order))
    for name, colour in _PARTS.items():
        height = percent * total * share[name]
        ax.bar(np.arange(len(order)), height, bottom=bottom, color=colour, width=0.8, label=name)
        bottom += height
    ax.set_xticks(np.arange(len(order)), [quantity(float(10 ** found.reach[i])) for i in order], fontsize=8)
    ax.set_xlabel(f"times beyond the runs{f' in {inert(found.axis)}' if found.axis else ''}")
    ax.set_ylabel(f"standard deviation of {inert(found.target)}{' (%)' if percent > 1 else ''}")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    return finish(ax)


__all__ = ["forecast", "forecast_parts"]
