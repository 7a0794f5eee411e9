"""Pictures of uncertainty: intervals of several sources side by side, profiles of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import FitError, suggest
from ...fitting.result import Fit
from ...fitting.uncertainty.draws import Draws
from ...fitting.uncertainty.profiles.profile import Profile
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def intervals(sources: Mapping[str, Draws | Fit], *, level: float = 0.9, ax: Axes | None = None, **line: Any) -> Axes:
    """Intervals of every parameter relative to its estimate, from several sources side by side.

    Args:
        sources: name to draws (or a fit, for its sandwich interval); the first one's fit gives the estimates.
        level: of the intervals.
        ax: where to draw.
        **line: for `Axes.plot`.

    Returns:
        The axes.

    Raises:
        FitError: if there is no source.

    Example: `sj.plot.intervals({"bootstrap": sj.bootstrap(fit), "Laplace": sj.laplace(fit)})`.
    """
    if not sources:
        raise FitError("intervals() needs at least one source, such as {'bootstrap': sj.bootstrap(fit)}.")
    tables = {name: source.table(level).rows for name, source in sources.items()}
    first = next(iter(sources.values()))
    fit = first if isinstance(first, Fit) else first.fit
    estimates = np.concatenate([np.ravel(fit.params[name]) for name in fit.law.shown])
    labels = [style.inert(f"{row[0]} = {row[1]}") for row in next(iter(tables.values()))]
    ax = style.canvas(ax)
    ax.axvline(0, color=style.GREY, linewidth=1)
    place = np.arange(len(labels))
    for i, (name, source) in enumerate(sources.items()):
        found = source.interval(level)
        limits = [found[n] for n in fit.law.shown]
        low, high = (np.concatenate([np.ravel(pair[end]) for pair in limits]) for end in (0, 1))
        offset = place + 0.22 * (i - (len(sources) - 1) / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            left, right = (100 * (end / estimates - 1) for end in (low, high))
        colour = style.PALETTE[i % len(style.PALETTE)]
        ax.plot(np.stack([left, right]), np.stack([offset, offset]), **{"color": colour, "linewidth": 3, "solid_capstyle": "butt", **line})
        ax.plot([], [], color=colour, linewidth=3, label=style.inert(name))
        center = source.params if isinstance(source, Fit) else source.center
        middle = np.concatenate([np.ravel(center[n]) for n in fit.law.shown])
        with np.errstate(divide="ignore", invalid="ignore"):
            ax.plot(100 * (middle / estimates - 1), offset, "o", color="white", markeredgecolor=colour, markersize=5)
    ax.set_yticks(place, labels)
    ax.invert_yaxis()
    ax.set_xlabel(f"{100 * level:g} % interval, difference from the estimate (%)")
    left, right = ax.get_xlim()
    ax.set_xlim(max(left, -105), min(right, 400))  # an interval that is wider says only that the parameter is unknown
    style.legend(ax)
    return style.finish(ax)


def profile(found: Profile, name: str | None = None, *, ax: Axes | None = None, **line: Any) -> Axes:
    """The profile of one parameter: how far the objective rises where it is held, and the interval where the rise is bearable.

    The root of the rise is drawn, in units of its threshold: two straight lines where the sandwich interval tells all, bent ones where not.

    Args:
        found: from `sj.profile`.
        name: the parameter, or one number of it such as "alpha[web]"; default the first that was profiled.
        ax: where to draw.
        **line: for `Axes.plot`.

    Returns:
        The axes.

    Raises:
        FitError: if the parameter was not profiled, or has several entries and none is named.

    Example: `sj.plot.profile(sj.profile(fit, "alpha"))`.
    """
    entries = _entries(found)
    label = name or next(iter(entries))
    if label not in entries:
        raise FitError(f"There is no profile of one number called {label!r}; {suggest(label, entries)}")
    name, index = entries[label]
    root = np.sqrt(np.maximum(found.rise[name][index], 0) / np.asarray(found.threshold[name])[index])
    shown = np.isfinite(root) & (root < 2)
    low, high, best = (float(np.asarray(v[name])[index]) for v in (found.low, found.high, found.fit.params))
    ax = style.canvas(ax)
    grid = found.grid[name][index][shown]
    span = (max(low, grid.min()), min(high, grid.max()))
    ax.axvspan(*span, color=style.BLUE, label=f"{100 * found.level:g} % interval", **style.BAND)
    ax.plot(grid, root[shown], **{"color": style.BLUE, "marker": ".", **line})
    ax.axhline(1, color=style.GREY, linewidth=1)
    ax.axvline(best, ymax=0.88, color=style.BLACK, linewidth=1)
    ax.set(xlabel=style.inert(label), ylabel="root of the rise, in units of the threshold", ylim=(0, 2))
    style.legend(ax)
    return style.finish(ax)


def profiles(found: Profile, *, columns: int = 4) -> np.ndarray:
    """The profiles of all parameters, those of every group included, in one figure.

    Args:
        found: from `sj.profile`.
        columns: of small pictures.

    Returns:
        (rows, columns) axes of a new figure; those without a profile are empty.

    Example: `sj.plot.profiles(sj.profile(fit))`.
    """
    entries = list(_entries(found))
    across = min(columns, len(entries))
    rows = -(-len(entries) // across)
    figure = style.new_figure(figsize=(0.6 + 2.3 * across, 0.4 + 2.0 * rows), layout="constrained")
    axes = figure.subplots(rows, across, squeeze=False, sharey=True)
    for ax, label in zip(axes.flat, entries, strict=False):
        profile(found, label, ax=ax)
        ax.legend().remove()
        ax.set_ylabel("")
        ax.locator_params(axis="x", nbins=4)
        ax.tick_params(labelsize="small")
    for ax in axes.flat[len(entries) :]:
        ax.set_axis_off()
    figure.supylabel("root of the rise", fontsize="medium")
    return axes


def _entries(found: Profile) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Label of every profiled number to its parameter and place."""
    return {
        name + found.fit._index_text(name, index): (name, index)
        for name, grid in found.grid.items()
        for index in np.ndindex(grid.shape[:-1])
    }
