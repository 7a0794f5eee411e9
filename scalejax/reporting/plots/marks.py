"""Marks that several pictures share: runs, smooth trends, contour labels, what lies beyond the runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import FitError
from ...fitting.objective.groups import label as label_of
from ...fitting.result import Fit
from . import points, style
from .interactive import named

ROBUST = 4  # rounds in which runs far from the trend lose their weight
NAMED = 16  # groups that a legend has room for
ENOUGH_FOR_A_TREND = 12  # runs; fewer show no trend

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def runs(ax: Axes, fit: Fit, x: np.ndarray, y: np.ndarray, by: str | None, marks: Mapping[str, Any], keep: Any = None) -> None:
    """The runs: coloured by group (the legend names few groups only), or by a column, or all alike."""
    look = {"s": 18, "alpha": 0.85, "linewidths": 0, "zorder": 2.5, **marks}
    keep = np.ones(len(x), bool) if keep is None else keep
    if fit.groups:
        groups = np.unique(points.group_of(fit)[keep])
        for g in groups:
            mine = keep & (points.group_of(fit) == g)
            label = {"label": style.inert(fit.groups[g])} if len(groups) <= NAMED else {}
            dots = {"color": style.PALETTE[g % len(style.PALETTE)], **label, **look}
            name_runs(ax.scatter(x[mine], y[mine], **dots), fit, mine)
        style.legend(ax)
        return
    value = points.column(fit, by) if by is not None else None
    if by is None or value is None or value.min() <= 0 or value.min() == value.max() or {"c", "color"} & set(marks):
        plain = ax.scatter(x[keep], y[keep], **{"color": style.BLUE} | look if not {"c", "color"} & set(marks) else look)
        name_runs(plain, fit, keep)
        return
    drawn = ax.scatter(x[keep], y[keep], **{"c": value[keep], "cmap": "viridis", "norm": colour_norm(value.min(), value.max()), **look})
    name_runs(drawn, fit, keep)
    style.colour_bar(ax, drawn, *style.unit_of(by))


def name_runs(dots: Any, fit: Fit, keep: np.ndarray) -> None:
    """Let points know which runs they are, for charts under whose pointer they tell it."""
    named(dots, [run_name(fit, int(row)) for row in points.used_rows(fit)[keep]])


def run_name(fit: Fit, row: int) -> str:
    """What a run is called: by its columns of words, else by its row."""
    text = [name for name in fit.runs.names if fit.runs[name].dtype.kind in "OUS" and name not in fit.request.columns]
    return label_of(fit.runs[text[0]][row]) if text else f"row {row}"


def legend_below(ax: Axes) -> None:
    """A legend in a row below axes without an axis."""
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.04), ncols=min(len(labels), 3), frameon=False, fontsize="small")


def residuals(ax: Axes, fit: Fit, against: str, look: Mapping[str, Any]) -> None:
    """Relative residuals over a column, in per cent, with a smooth trend to both ends and the deviations about it."""
    x, percent = points.column(fit, against), 100 * points.relative_errors(fit)
    ax.axhline(0, color=style.GREY, linewidth=1)
    runs(ax, fit, x, percent, "N" if "N" in fit.law.inputs and against != "N" else None, look)
    if len(x) >= ENOUGH_FOR_A_TREND:
        centre, trend, spread = running(x, percent)
        ax.fill_between(centre, trend - spread, trend + spread, color=style.GREY, **style.BAND)
        ax.plot(centre, trend, color=style.BLACK, linewidth=1.8, label="smooth trend")
    label, text = style.unit_of(against)
    ax.margins(y=0.12)
    ax.set(xlabel=label, ylabel="residual, observed − predicted (%)")
    if x.min() > 0:
        style.log_axis(ax, "x", label, text)
    ax.text(0.98, 0.98, "law too low", transform=ax.transAxes, ha="right", va="top", color=style.GREY, fontsize="small")
    ax.text(0.98, 0.02, "law too high", transform=ax.transAxes, ha="right", color=style.GREY, fontsize="small")


def colour_norm(low: float, high: float) -> Any:
    """Logarithmic colour scale from low to high."""
    from matplotlib.colors import LogNorm

    return LogNorm(low, high)


def group_colour(fit: Fit, group: str | None) -> str:
    """Colour of a group, or of the only one."""
    return style.VERMILION if group is None else style.PALETTE[fit.groups.index(group) % len(style.PALETTE)]


def running(x: np.ndarray, y: np.ndarray, places: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places from the smallest to the largest x (every x if they are few), there a smooth robust trend of y, and 1.4826 median deviations.

    Local lines through the nearest third of the runs (nine at least), in the logarithm of positive x, that outliers hardly pull
    (Cleveland 1979, JASA 74, 829): smooth, and unbiased by a slope up to both ends.
    """
    known = np.unique(x)
    positive = x.min() > 0
    centre = known if len(known) <= places else (np.geomspace if positive else np.linspace)(known[0], known[-1], places)
    u, at = (np.log(x), np.log(centre)) if positive else (x, centre)
    trust = np.ones(len(x))
    for _ in range(ROBUST):
        trend, weight = _local_lines(u, y, trust, at)
        miss = y - np.interp(u, at, trend)
        scale = max(float(np.median(np.abs(miss))), 1e-300)
        trust = np.clip(1 - (miss / (6 * scale)) ** 2, 0, None) ** 2
    return centre, trend, 1.4826 * _weighted_medians(np.abs(y - np.interp(u, at, trend)), weight)


def _local_lines(u: np.ndarray, y: np.ndarray, trust: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(places,) values of weighted lines through the runs near each place, and (places, runs) how near they are."""
    width = min(max(len(u) // 3, 9), len(u))
    far = np.abs(u - at[:, None])
    reach = 1.001 * np.partition(far, width - 1, axis=1)[:, width - 1 : width] + 1e-12 * (1 + np.ptp(u))
    near = np.clip(1 - (far / reach) ** 3, 0, None) ** 3
    w = near * np.maximum(trust, 1e-6)
    total = w.sum(axis=1)
    middle, level = w @ u / total, w @ y / total
    spread = np.sum(w * (u - middle[:, None]) ** 2, axis=1) / total
    lean = np.sum(w * (u - middle[:, None]) * y, axis=1) / total
    slope = np.where(spread > 1e-6 * np.ptp(u) ** 2, lean / np.where(spread > 0, spread, 1.0), 0.0)
    return level + slope * (at - middle), near


def _weighted_medians(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(places,) medians of values, (runs,) or (places, runs), interpolated so that they change smoothly with the weights."""
    values = np.broadcast_to(values, weight.shape)
    order = np.argsort(values, axis=1)
    values, weight = np.take_along_axis(values, order, axis=1), np.take_along_axis(weight, order, axis=1)
    share = (np.cumsum(weight, axis=1) - weight / 2) / weight.sum(axis=1, keepdims=True)
    return np.asarray([np.interp(0.5, s, v) for s, v in zip(share, values, strict=True)])


def round_levels(levels: np.ndarray) -> np.ndarray:
    """Contour levels with as few digits as tell them apart."""
    for digits in range(1, 8):
        rounded = np.asarray([float(f"{v:.{digits}g}") for v in levels])
        if (np.diff(rounded) > 0).all():
            return rounded
    return np.unique(levels)


def landscape(ax: Axes, x: np.ndarray, y: np.ndarray, value: np.ndarray) -> dict[str, Any]:
    """Filled and labelled contours of value (len(y), len(x)); returns the colours, for points to share."""
    low, high = float(value.min()), float(value.max())
    levels = round_levels(np.quantile(value, np.linspace(0.02, 0.98, 12)))
    levels = levels[(levels > low) & (levels < high)]
    if not len(levels):
        raise FitError(f"The law says {low:.6g} everywhere in view, so there are no contours to draw.")
    colours = {"cmap": "viridis_r", "norm": colour_norm(low, high)}
    ax.contourf(x, y, value, levels=[low, *levels, high], alpha=0.35, **colours)
    lines = ax.contour(x, y, value, levels=levels, linewidths=0.7, **colours)
    _label_along(ax, lines, x, y, value, -24, style.plain, "#222222")
    return colours


def budget_lines(ax: Axes, x: np.ndarray, y: np.ndarray, cost: np.ndarray) -> None:
    """Lines of equal cost at powers of ten."""
    exponents = np.arange(np.ceil(np.log10(cost.min())), np.floor(np.log10(cost.max())) + 1)
    if len(exponents):
        lines = ax.contour(x, y, cost, levels=10.0**exponents, colors=style.GREY, linewidths=0.9, linestyles=":")
        _label_along(ax, lines, x, y, cost, 24, lambda v: f"{style.power_of_ten(v)} FLOP", "#444444")


def _label_along(ax: Axes, lines: Any, x: np.ndarray, y: np.ndarray, value: np.ndarray, offset: int, text: Any, colour: str) -> None:
    """Label contours where they cross a diagonal of the grid, `offset` columns off the main one, so that two families keep apart."""
    rows, columns = np.arange(len(y))[max(offset, 0) :], np.arange(len(x))[max(-offset, 0) :]
    path = list(zip(rows, columns, strict=False))[3:-3]  # labels on the frame would be cut
    along = np.log([value[i, j] for i, j in path])
    crossed = [level for level in np.log(lines.levels) if along.min() < level < along.max()]
    nearest = [path[np.argmin(np.abs(along - level))] for level in crossed]
    places = [(x[j], y[i]) for i, j in nearest]
    if places:
        ax.clabel(lines, fmt=text, fontsize="x-small", colors=colour, manual=places)


def note(ax: Axes, text: str, x: float, y: float, shift: tuple[float, float], *, va: str = "bottom", color: str) -> None:
    """A label to the left of a point."""
    ax.annotate(text, (x, y), shift, textcoords="offset points", ha="right", va=va, color=style.ink(color))


def label_inside(ax: Axes, x: np.ndarray, y: np.ndarray, text: str, colour: str) -> None:
    """A label near the last point of a line that is in view."""
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    inside = np.flatnonzero((x > x0) & (x < x1) & (y > y0) & (y < y1))
    if len(inside):
        i = inside[int(0.95 * (len(inside) - 1))]
        ax.annotate(text, (x[i], y[i]), (-16, 8), textcoords="offset points", ha="right", color=style.ink(colour), bbox=style.PAPER)


def extrapolated(ax: Axes, start: float, end: float) -> None:
    """Shade what lies beyond the largest run."""
    if end > start:
        ax.axvspan(start, end, color=style.GREY, alpha=0.08, linewidth=0)
        ax.text(end, 0.98, "beyond the runs ", transform=ax.get_xaxis_transform(), ha="right", va="top", color=style.GREY, fontsize="small")
