"""Pictures of several inputs: contours of the loss over two of them, residuals along each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import FitError, suggest
from ...core.runs import Runs
from ...fitting.result import Fit
from . import marks, points, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLACES = 80
WIDER = 1.3  # times the range of the runs that is shown
TRIANGLES = 4  # runs that contours without a law need
SAME = 0.01  # share of the best loss that is as good


def contours(
    source: Fit | Runs,
    x: str,
    y: str,
    *,
    at: Mapping[str, Any] | None = None,
    group: str | None = None,
    ax: Axes | None = None,
    **look: Any,
) -> Axes:
    """Loss over two inputs, such as learning rate and batch size, with the runs and the best place.

    Args:
        source: a fit, whose law is drawn; or runs, whose losses are interpolated.
        x, y: inputs of the law, or columns of the runs.
        at: values of the law's other inputs; default the median of the runs.
        group: which group, for a fit with groups.
        ax: where to draw.
        **look: for `Axes.scatter`.

    Returns:
        The axes.

    Raises:
        FitError: if there is no such input, or too few runs to interpolate between.

    Example: `sj.plot.contours(runs, "lr", "batch")`, `sj.plot.contours(fit, "N", "D")`.
    """
    fit = source if isinstance(source, Fit) else None
    columns = _of_fit(source, group) if isinstance(source, Fit) else _of_runs(source)
    for name in (x, y):
        if name not in columns:
            raise FitError(f"contours() finds no column {name!r} with one number a run; {suggest(name, columns)}")
    output = fit.law.output if fit is not None else "loss"
    across, up, loss = columns[x], columns[y], columns[output]
    log_x, log_y = (bool(v.min() > 0 and v.max() > 3 * v.min()) for v in (across, up))
    ax = style.canvas(ax)
    ax.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    if fit is not None:
        grid_x, grid_y = _grid(across, log_x), _grid(up, log_y)
        ax.set(xlim=grid_x[[0, -1]], ylim=grid_y[[0, -1]])
        value = _of_law(fit, x, y, grid_x, grid_y, at, group, columns)
        colours = marks.landscape(ax, grid_x, grid_y, value)
        row, column = np.unravel_index(np.argmin(value), value.shape)
        best, low = (grid_x[column], grid_y[row]), float(value.min())
        ax.contour(grid_x, grid_y, value, levels=[low * (1 + SAME)], colors=style.VERMILION, linewidths=1.6)
        edge = row in (0, PLACES - 1) or column in (0, PLACES - 1)
    else:
        colours = _interpolated(ax, across, up, loss)
        first = int(np.argmin(loss))
        best, low, edge = (across[first], up[first]), float(loss[first]), False
    ax.scatter(across, up, **{"c": loss, "s": 22, "edgecolors": "#222222", "linewidths": 0.5, "zorder": 2.5, **colours, **look})
    what = ("lowest in view" if edge else "best") if fit is not None else "best run"
    ax.plot(*best, "*", color=style.VERMILION, markeredgecolor="white", markersize=15, zorder=4, label=f"{what}: {low:.4g}", clip_on=False)
    if fit is not None:
        ax.plot([], [], color=style.VERMILION, linewidth=1.6, label=f"{100 * SAME:g} % above it")
    for which, name, log in (("x", x, log_x), ("y", y, log_y)):
        label, text = style.unit_of(name)
        if log:
            style.log_axis(ax, which, label, text)
        else:
            getattr(ax, f"set_{which}label")(label)
    style.legend(ax)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _of_fit(fit: Fit, group: str | None) -> dict[str, np.ndarray]:
    mine = points.of_group(fit, points.chosen_groups(fit, group)[0]) if fit.groups else slice(None)
    found = {name: points.column(fit, name)[mine] for name in points.scalar_inputs(fit)}
    return {**found, fit.law.output: points.observed_and_predicted(fit)[0][mine]}


def _of_runs(runs: Runs) -> dict[str, np.ndarray]:
    usable = runs.where(~runs.excluded)
    found = {name: usable[name] for name in usable.names if usable[name].ndim == 1 and usable[name].dtype.kind == "f"}
    if "loss" not in found:
        raise FitError("contours() needs a column 'loss'; say which it is with sj.read_runs(..., loss='column').")
    return found


def _grid(values: np.ndarray, log: bool) -> np.ndarray:
    low, high = values.min(), values.max()
    if log:
        return np.geomspace(low / WIDER, high * WIDER, PLACES)
    return np.linspace(low - 0.05 * (high - low), high + 0.05 * (high - low), PLACES)


def _of_law(
    fit: Fit, x: str, y: str, grid_x: np.ndarray, grid_y: np.ndarray, at: Mapping[str, Any] | None, group: str | None,
    columns: Mapping[str, np.ndarray],
) -> np.ndarray:  # fmt: skip
    """(y, x) values of the law."""
    for name in (x, y):
        if name not in fit.law.inputs:
            raise FitError(f"contours() draws over inputs of the law {fit.law.name!r}; {suggest(name, fit.law.inputs)}")
    given = dict(at or {})
    rest = [name for name in fit.law.inputs if name not in (x, y)]
    missing = [name for name in rest if name not in given and name not in columns]
    if missing:
        raise FitError(f"contours() needs a value for {', '.join(missing)}; pass at={{{missing[0]!r}: ...}}.")
    held = {name: given.get(name, float(np.median(columns[name])) if name in columns else None) for name in rest}
    mesh_x, mesh_y = np.meshgrid(grid_x, grid_y)
    named = {"group": group} if fit.groups else {}
    return np.asarray(fit.predict(**{x: mesh_x.ravel(), y: mesh_y.ravel(), **held, **named})).reshape(mesh_x.shape)


def _interpolated(ax: Axes, x: np.ndarray, y: np.ndarray, loss: np.ndarray) -> dict[str, Any]:
    """Filled contours of losses between the runs; of runs at one place the lowest counts."""
    places = np.stack([x, y], axis=1)
    order = np.lexsort((loss, y, x))
    _, first = np.unique(places[order], axis=0, return_index=True)
    keep = order[first]
    if len(keep) < TRIANGLES or min(len(np.unique(x)), len(np.unique(y))) < 2:
        raise FitError("contours() needs runs at four places or more that do not lie on one line.")
    levels = marks.round_levels(np.quantile(loss[keep], np.linspace(0.0, 0.95, 10)))
    colours = {"cmap": "viridis_r", "norm": marks.colour_norm(loss.min(), loss.max())}
    filled = ax.tricontourf(x[keep], y[keep], loss[keep], levels=np.unique([loss.min(), *levels, loss.max()]), alpha=0.4, **colours)
    ax.tricontour(x[keep], y[keep], loss[keep], levels=levels, linewidths=0.7, **colours)
    ax.use_sticky_edges = False
    ax.margins(0.04)
    bar = ax.figure.colorbar(filled, ax=ax, pad=0.02, aspect=32, format=lambda v, _: f"{v:.4g}")
    bar.outline.set_visible(False)
    bar.set_label("loss", labelpad=8)
    return colours
