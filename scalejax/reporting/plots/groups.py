"""Picture of groups: their runs and curves in one plot, and below it how far they lie from one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...core.errors import FitError
from ...core.numeric.statistics import ends
from ...decisions.costs import six_nd
from ...fitting.result import Fit
from ...fitting.uncertainty.draws import Draws
from . import marks, points, style
from .interactive import engines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLACES = 40


class Curve(NamedTuple):
    """What the law says of one group over the common scale: at the point estimate, (places,), and in every draw, (draws, places)."""

    point: np.ndarray
    draws: np.ndarray


def compared(
    fit: Fit, draws: Draws | None, decades: float, at: Mapping[str, float] | None
) -> tuple[str, np.ndarray, dict[str, Curve]]:  # fmt: skip
    """Name and values of the scale that the groups share, and the curve of every group over it.

    Raises:
        FitError: if the fit has no groups, or its law no single scale.
    """
    if len(fit.groups) < 2:
        raise FitError("groups() compares groups, and this fit has none; fit with by='column'.")
    sizes, scalars = points.has_sizes(fit), points.scalar_inputs(fit)
    if not sizes and [*fit.law.inputs] != scalars[:1]:
        raise FitError(f"groups() needs a law of N and D or of one scalar input; {fit.law.name!r} has {', '.join(fit.law.inputs)}.")
    if sizes:
        points.need_sizes(fit, "groups", six_nd, at)
    name = "C" if sizes else scalars[0]
    scale, source = points.column(fit, name), points.thinned(fit, draws)
    low, high = scale.min(), scale.max()
    grid = np.geomspace(low, high * 10**decades, PLACES) if low > 0 else np.linspace(low, high, PLACES)
    curves = {}
    for group in fit.groups:
        if sizes:
            plan = points.frontier(fit, source, grid, six_nd, group, at)
            curves[group] = Curve(np.asarray(plan.loss), plan.draws["loss"])
        else:
            inputs: dict[str, Any] = {name: grid, "group": group}
            curves[group] = Curve(np.asarray(fit.predict(**inputs)), source.predict(**inputs))
    return name, grid, curves


@engines
def groups(
    fit: Fit,
    draws: Draws | None = None,
    *,
    base: str | None = None,
    decades: float = 1.0,
    at: Mapping[str, float] | None = None,
    level: float = 0.9,
    ax: Axes | None = None,
    **look: Any,
) -> Axes:
    """Groups in one picture: runs and curves with bands, and below the difference of every group from one of them, with its band.

    Laws of N and D are followed along the best sizes of every budget 6ND, laws of one scalar input along that input. Differences are
    taken draw by draw, so that what groups share does not widen them.

    Args:
        fit: with groups.
        draws: for the bands; default Laplace draws.
        base: the group that the others are compared with; default the first.
        decades: how far beyond the largest run.
        at: values of the law's other inputs.
        level: of the bands.
        ax: where to draw; axes for the difference are made below them.
        **look: for `Axes.scatter`.

    Returns:
        The axes of the curves; those of the difference are the next ones of their figure.

    Raises:
        FitError: if the fit has no groups, its law no single scale, or there is no such group.

    Example: `sj.plot.groups(sj.fit("chinchilla", runs, by="arch"), base="dense")`.
    """
    if base is not None:
        (base,) = points.chosen_groups(fit, base)
    name, grid, curves = compared(fit, draws, decades, at)
    base = base or fit.groups[0]
    scale, observed = points.column(fit, name), points.observed_and_predicted(fit)[0]
    ax = style.canvas(ax)
    under = style.below(ax)
    last = scale.max()
    for group, curve in curves.items():
        colour, mine = marks.group_colour(fit, group), points.of_group(fit, group)
        ax.fill_between(grid, *ends(curve.draws, level), color=colour, **style.BAND)
        ax.plot(grid, curve.point, color=colour, linewidth=1.8, label=style.inert(group))
        dots = ax.scatter(scale[mine], observed[mine], **{"color": colour, "s": 14, "alpha": 0.8, "linewidths": 0, "zorder": 2.5, **look})
        marks.name_runs(dots, fit, mine)
        if group == base:
            continue
        gap = curve.draws - curves[base].draws
        under.fill_between(grid, *ends(gap, level), color=colour, **style.BAND)
        under.plot(grid, curve.point - curves[base].point, color=colour, linewidth=1.8)
    under.axhline(0, color=marks.group_colour(fit, base), linewidth=1.4)
    marks.extrapolated(ax, last, grid[-1])
    under.axvspan(last, grid[-1], color=style.GREY, alpha=0.08, linewidth=0)
    low = min(float(np.min(curve.point)) for curve in curves.values())
    if low > 0 and observed.min() > 0:
        ax.set_ylim(0.97 * min(low, observed.min()), 1.03 * max(observed.max(), *(float(c.point.max()) for c in curves.values())))
        style.log_axis(ax, "y", style.inert(fit.law.output), style.plain)
    _frame(under, np.stack([c.point - curves[base].point for c in curves.values()]), f"less {style.inert(base)}")
    label, text = style.unit_of(name)
    ax.set_xlim(grid[0], grid[-1])
    if grid[0] > 0:
        style.log_axis(ax, "x", "", text)
        style.log_axis(under, "x", label, text)
    else:
        under.set_xlabel(label)
    style.legend(ax)
    style.finish(under)
    return style.finish(ax)


def _frame(under: Axes, gaps: np.ndarray, label: str) -> None:
    """Differences fill their axes as far as they tell something: bands may be far wider than the lines."""
    reach = max(3 * float(np.abs(gaps).max()), 1e-12)
    low, high = under.get_ylim()
    under.set_ylim(max(low, -reach), min(high, reach))
    under.set_ylabel(label)
