"""Pictures of isoFLOP studies: parabolas with their minima, and the sizes that follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import DecisionError, FitError
from ...core.numeric.statistics import ends
from ...fitting.result import Fit
from ...studies.isoflop.frontier import Frontier
from . import marks, style
from .interactive import engines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLACES = 120  # along a parabola and a line
BEYOND = 10.0  # times the largest budget that lines go on


@engines
def isoflop(found: Frontier, *, fit: Fit | None = None, ax: Axes | None = None, **look: Any) -> Axes:
    """IsoFLOP curves: the losses of every budget over size, the polynomial through them with its minimum, and the frontier of minima.

    Budgets go from dark to light. A hollow minimum is none: see `Frontier.reasons`.

    Args:
        found: from `sj.isoflop`.
        fit: of a law of N and D, whose slices at the same budgets are drawn dashed.
        ax: where to draw.
        **look: for `Axes.scatter`.

    Returns:
        The axes.

    Raises:
        FitError: if the frontier knows no sizes of its budgets, as an envelope.
        DecisionError: if the fit is of a law of other inputs than N and D.

    Example: `sj.plot.isoflop(sj.isoflop(runs))`.

    References: Hoffmann et al. 2022, arXiv:2203.15556, figure 3.
    """
    if not found.sizes:
        raise FitError(f"isoflop() draws the sizes of every budget, and the {found.method} knows none; pass what sj.isoflop(runs) returns.")
    if fit is not None and set(fit.law.inputs) != {"N", "D"}:
        raise DecisionError(f"isoflop() draws the slices of a law of N and D; {fit.law.name!r} has {', '.join(fit.law.inputs)}.")
    ax, count = style.canvas(ax), len(found.sizes)
    from matplotlib import colormaps

    colours = [colormaps["viridis"](0.88 * i / max(count - 1, 1)) for i in range(count)]
    for i, (sizes, colour) in enumerate(zip(found.sizes, colours, strict=True)):
        N = np.exp(sizes.log_n)
        ax.scatter(N, sizes.loss, **{"color": [colour], "s": 16, "linewidths": 0, "zorder": 2.5, **look})
        if len(N) < 3:
            continue
        grid = np.geomspace(N[0], N[-1], PLACES)
        ax.plot(grid, found.curve(i, grid), color=colour, linewidth=1.2)
        if fit is not None:
            slices = fit.predict(N=grid, D=sizes.compute / (6 * grid))
            ax.plot(grid, slices, color=colour, linewidth=1.1, linestyle="--")
    best = np.isfinite(found.N)
    ax.plot(found.N[found.used], found.loss[found.used], color=style.VERMILION, linewidth=1.4, label="minima", zorder=2.8)
    for i in np.flatnonzero(best).tolist():
        face = style.VERMILION if found.used[i] else "white"
        ax.plot(found.N[i], found.loss[i], "D", color=style.VERMILION, markerfacecolor=face, markersize=5.5, zorder=3)
    ax.plot([], [], color=style.GREY, linewidth=1.2, label=found.method.split(" (")[-1].rstrip(")") + " through the runs")
    if fit is not None:
        ax.plot([], [], color=style.GREY, linewidth=1.1, linestyle="--", label=f"law {style.inert(fit.law.name)}")
    ax.set_ylabel("loss")
    ax.margins(x=0.05, y=0.06)
    style.log_axis(ax, "x", *style.unit_of("N"))
    style.log_axis(ax, "y", "loss", style.plain)
    style.steps(ax, colours, [sizes.compute for sizes in found.sizes], "budget (FLOP)", style.power_of_ten)
    style.legend(ax)
    return style.finish(ax)


@engines
def frontier(found: Frontier | Mapping[str, Frontier], *, name: str = "N", level: float = 0.9, ax: Axes | None = None, **line: Any) -> Axes:
    """Best size (or tokens) of every budget, and the power law through them; several studies, such as of architectures, side by side.

    Args:
        found: from `sj.isoflop` or `sj.envelope`, or name to such.
        name: "N" or "D".
        level: of the bands, where there are replicates.
        ax: where to draw.
        **line: for `Axes.plot` of the lines.

    Returns:
        The axes.

    Raises:
        DecisionError: if name is neither.

    Example: `sj.plot.frontier({"dense": sj.isoflop(dense, replicates=500), "moe": sj.isoflop(moe, replicates=500)})`.
    """
    if name not in ("N", "D"):
        raise DecisionError(f"name={name!r} must be 'N' or 'D'.")
    ax = style.canvas(ax)
    several = {"": found} if isinstance(found, Frontier) else dict(found)
    last = max(float(one.compute.max()) for one in several.values())
    exponent, factor = ("a", "k_N") if name == "N" else ("b", "k_D")
    for i, (label, one) in enumerate(several.items()):
        colour, best = style.PALETTE[i % len(style.PALETTE)], one.N if name == "N" else one.D
        grid = np.geomspace(one.compute.min(), BEYOND * last, PLACES)
        if one.draws and np.isfinite(one.draws[exponent]).all():
            drawn = one.draws[f"log_{factor}"][:, None] + one.draws[exponent][:, None] * np.log(grid)
            ax.fill_between(grid, *np.exp(ends(drawn, level)), color=colour, **style.BAND)
        text = f"{style.inert(label)}: " * bool(label) + f"{name} ∝ C^{getattr(one, exponent):.3f}"
        ax.plot(grid, getattr(one, factor) * grid ** getattr(one, exponent), **{"color": colour, "linewidth": 1.8, "label": text, **line})
        ax.plot(one.compute[one.used], best[one.used], "o", color=colour, markersize=5)
        other = np.isfinite(best) & ~one.used
        ax.plot(one.compute[other], best[other], "o", color=colour, markerfacecolor="white", markersize=5)
    ax.margins(x=0.02)
    style.log_axis(ax, "x", "budget C (FLOP)", style.power_of_ten)
    style.log_axis(ax, "y", f"best {style.unit_of(name)[0]}", style.quantity)
    marks.extrapolated(ax, last, BEYOND * last)
    style.legend(ax)
    return style.finish(ax)
