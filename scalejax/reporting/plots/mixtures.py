"""Pictures of mixtures: weights as bars with intervals, along a path, and on the triangle of three domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import DecisionError
from ...decisions.mixtures.mixture import Mixture
from . import marks, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CORNERS = np.asarray([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])  # of the triangle, in the order of the domains
FINE = 60  # steps of the grid on the triangle


def mixture(best: Mixture, others: Mapping[str, Any] | None = None, *, level: float = 0.9, ax: Axes | None = None, **bar: Any) -> Axes:
    """Weights of every domain as bars with their intervals, caps, and other mixtures beside them; along a path, as stacked areas.

    Args:
        best: from `optimal_mixture`.
        others: name to weights, such as what is used today.
        level: of the intervals.
        ax: where to draw.
        **bar: for `Axes.barh`.

    Returns:
        The axes.

    Example: `sj.plot.mixture(best, {"uniform": np.full(5, 0.2)})`.
    """
    ax = style.canvas(ax)
    if not best.single:
        return _along_path(ax, best)
    place = np.arange(len(best.domains))
    ax.barh(place, best.h, **{"color": style.BLUE, "alpha": 0.55, "height": 0.55, "label": "optimum", **bar})
    if best.draws is not None:
        limits = best.interval(level)
        low, high = (np.asarray([limits[name][end] for name in best.domains]) for end in (0, 1))
        ax.hlines(place, low, high, color=style.BLACK, linewidth=1.6, label=f"{100 * level:g} % interval", zorder=2.5)
        ax.plot(np.stack([low, high]), np.stack([place, place]), "|", color=style.BLACK, markersize=9, markeredgewidth=1.6)
    for i, (name, h) in enumerate((others or {}).items()):
        colour = style.PALETTE[1 + i % (len(style.PALETTE) - 1)]
        ax.plot(_weights(h), place, "d", color=colour, markeredgecolor="white", markersize=8, label=style.inert(name), zorder=3)
    caps = best.problem.high[:, 0]
    held = caps < 1
    if held.any():
        ax.plot(caps[held], place[held], "|", color=style.VERMILION, markersize=22, markeredgewidth=2, label="cap")
    ax.set_yticks(place, [style.inert(name) for name in best.domains])
    ax.invert_yaxis()
    ax.set(xlabel="weight", xlim=(0, None))
    style.legend(ax)
    style.finish(ax)
    ax.grid(False, axis="y")
    return ax


def _weights(h: Any) -> np.ndarray:
    return np.asarray(list(h.values()) if isinstance(h, Mapping) else h, dtype=np.float64)


def _along_path(ax: Axes, best: Mixture) -> Axes:
    scales = {n: a for n, a in best.problem.path["given"].items() if a.ndim == 1 and len(set(a)) > 1}
    if not scales:
        raise DecisionError("mixture() draws a path along an input of one number; this one has none.")
    name, x = next(iter(scales.items()))
    order = np.argsort(x)
    colours = [style.PALETTE[i % len(style.PALETTE)] for i in range(len(best.domains))]
    ax.stackplot(x[order], best.h[order].T, labels=[style.inert(d) for d in best.domains], colors=colours, alpha=0.75)
    ax.set(ylim=(0, 1), xlim=(x.min(), x.max()), ylabel="weight")
    style.log_axis(ax, "x", *style.unit_of(name))
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True)
    return style.finish(ax)


def triangle(
    best: Mixture, others: Mapping[str, Any] | None = None, *, runs: Any = None, ax: Axes | None = None, **mark: Any
) -> Axes:  # fmt: skip
    """A mixture of three domains on their triangle: the predicted objective, the optimum, where draws put it, and other mixtures.

    The nearer a corner, the more of its domain.

    Args:
        best: from `optimal_mixture`, of three domains.
        others: name to weights, such as what is used today.
        runs: (n, 3) mixtures that were trained, drawn as crosses.
        ax: where to draw.
        **mark: for `Axes.plot` of the optimum.

    Returns:
        The axes.

    Raises:
        DecisionError: if there are not three domains, or a whole path of mixtures.

    Example: `sj.plot.triangle(best, {"today": [0.6, 0.3, 0.1]}, runs=runs["h"])`.
    """
    if len(best.domains) != 3 or not best.single:
        what = f"{len(best.domains)} domains" if best.single else "a path of mixtures"
        raise DecisionError(f"triangle() draws one mixture of three domains, and this one has {what}; sj.plot.mixture draws it.")
    ax = style.canvas(ax)
    grid = np.asarray([(i, j, FINE - i - j) for i in range(FINE + 1) for j in range(FINE + 1 - i)]) / FINE
    value = best.at(grid)
    x, y = (np.clip(grid, 1e-9, None) @ CORNERS).T
    seen = np.isfinite(value)
    levels = np.unique(np.quantile(value[seen], np.linspace(0, 0.9, 13) ** 1.5))
    if len(levels) > 2:
        filled = ax.tricontourf(x[seen], y[seen], value[seen], levels=levels, cmap="viridis_r", alpha=0.55, extend="max")
        bar = ax.figure.colorbar(filled, ax=ax, pad=0.06, shrink=0.8, aspect=28, format=lambda v, _: f"{v:.4g}")
        bar.outline.set_visible(False)
        bar.set_label("predicted objective")
    ax.plot(*CORNERS[[0, 1, 2, 0]].T, color=style.BLACK, linewidth=1)
    for k in (0.25, 0.5, 0.75):  # lines of equal weight
        for i in range(3):
            a, b = (CORNERS[i] * k + CORNERS[j] * (1 - k) for j in range(3) if j != i)
            ax.plot(*np.stack([a, b]).T, color="white", linewidth=0.7, alpha=0.8)
    if best.draws is not None:
        cloud = best.draws[~np.isnan(best.draws).any(axis=1)][:500]
        ax.plot(*(cloud @ CORNERS).T, ".", color=style.BLACK, markersize=4, alpha=0.5, label="optimum in the draws", markeredgewidth=0)
    if runs is not None:
        h = np.asarray(runs, dtype=np.float64)
        ax.plot(*(h / h.sum(axis=1, keepdims=True) @ CORNERS).T, "x", color=style.GREY, markersize=5, label="runs")
    for i, (name, h) in enumerate((others or {}).items()):
        colour = style.PALETTE[1 + i % (len(style.PALETTE) - 1)]
        ax.plot(*(_weights(h) @ CORNERS), "d", color=colour, markeredgecolor="white", markersize=9, label=style.inert(name), zorder=4)
    optimum = best.h @ CORNERS
    star: dict[str, Any] = {"marker": "*", "linestyle": "none", "color": style.VERMILION, "markeredgecolor": "white", "markersize": 17}
    ax.plot(*optimum, **{**star, "label": "optimum", "zorder": 5, **mark})
    for i, (shift, ha, va) in enumerate((((0, -6), "left", "top"), ((0, -6), "right", "top"), ((0, 5), "center", "bottom"))):
        ax.annotate(style.inert(best.domains[i]), CORNERS[i], shift, textcoords="offset points", ha=ha, va=va)
    for i, (j, shift, ha) in enumerate(((1, (0, -4), "center"), (2, (5, 0), "left"), (0, (-5, 0), "right"))):
        for k in (0.25, 0.5, 0.75):  # shares along the edge from corner i to corner j
            place = CORNERS[i] * (1 - k) + CORNERS[j] * k
            va = "top" if i == 0 else "center"
            ax.annotate(f"{k:g}", place, shift, textcoords="offset points", ha=ha, va=va, color=style.GREY, fontsize="x-small")
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.margins(0.06)
    marks.legend_below(ax)
    return ax
