"""Pictures: functions of a result that draw on axes and return them.

`ax` is drawn on if given, otherwise a new figure of pyplot: notebooks show it, scripts with `plt.show()` or `plt.savefig(path)`. Further
keyword arguments go to the marks (`Axes.scatter` for runs, `Axes.plot` for lines).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.edge.public import publish
from ..core.errors import DecisionError, FitError
from ..core.numeric.statistics import ends
from ..decisions.allocate import Allocation
from ..decisions.costs import six_nd
from ..fitting.result import Fit
from ..fitting.uncertainty.draws import Draws
from .paper import paper
from .plots import marks, points, style
from .plots.checks import predictive_check, prior_predictive, ranks
from .plots.curves import curves
from .plots.decisions import break_even, choice, design, equivalent, front, multiplier, regret, valley
from .plots.forecast import forecast, forecast_parts
from .plots.groups import groups
from .plots.interactive import engines
from .plots.isoflop import frontier, isoflop
from .plots.ladder import ladder, stages
from .plots.mixtures import mixture, triangle
from .plots.posteriors import fan, pairs
from .plots.schedules import schedule
from .plots.surfaces import contours
from .plots.uncertainty import intervals, profile, profiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "break_even", "choice", "contours", "curve", "curves", "design", "equivalent", "fan", "fit_against_observed", "forecast",
    "forecast_parts", "front", "frontier", "groups", "intervals", "iso_loss", "isoflop", "ladder", "loss_against_compute", "mixture",
    "multiplier", "optimal_sizes", "pairs", "paper", "predictive_check", "prior_predictive", "profile", "profiles", "ranks", "regret",
    "residuals", "residuals_by_input", "schedule", "stages", "triangle", "valley",
]  # fmt: skip


@engines
def fit_against_observed(fit: Fit, *, ax: Axes | None = None, **look: Any) -> Axes:
    """Observed against predicted, with the diagonal and the band that holds nine in ten runs.

    Args:
        fit: a fit with one output a run.
        ax: where to draw.
        **look: for `Axes.scatter`.

    Returns:
        The axes.

    Raises:
        FitError: if the law predicts several numbers a run.

    Example: `sj.plot.fit_against_observed(fit).figure.savefig("fit.png")`.
    """
    observed, predicted = points.observed_and_predicted(fit)
    ax, output = style.canvas(ax), style.inert(fit.law.output)
    both = np.concatenate([observed, predicted])
    low, high = both.min(), both.max()
    wide = low > 0 and high > 5 * low
    margin = (high / low) ** 0.04 if wide else 0.04 * (high - low)
    ends_ = np.asarray([low / margin, high * margin] if wide else [low - margin, high + margin])
    width = np.quantile(np.abs(points.relative_errors(fit)), 0.9)
    ax.fill_between(ends_, ends_ * (1 - width), ends_ * (1 + width), color=style.GREY, **style.BAND)
    ax.plot(ends_, ends_, color=style.GREY, linewidth=1)
    marks.runs(ax, fit, predicted, observed, points.default_scale(fit), look)
    ax.set(xlim=ends_, ylim=ends_, xlabel=f"predicted {output}", ylabel=f"observed {output}")
    if wide:
        style.log_axis(ax, "x", ax.get_xlabel(), style.plain)
        style.log_axis(ax, "y", ax.get_ylabel(), style.plain)
    ax.text(0.03, 0.97, f"grey band: ±{100 * width:.2g} %, holds 9 in 10 runs", transform=ax.transAxes, va="top", color=style.GREY)
    return style.finish(ax)


@engines
def residuals(fit: Fit, against: str | None = None, *, ax: Axes | None = None, **look: Any) -> Axes:
    """Relative residuals (observed minus predicted) by scale, with a smooth trend to both ends and 1.48 median deviations about it.

    Args:
        fit: a fit with one output a run.
        against: "C" for 6ND, an input, or any numeric column; default "C" for laws of N and D, else the first scalar input.
        ax: where to draw.
        **look: for `Axes.scatter`.

    Returns:
        The axes.

    Raises:
        FitError: if there is no such column.

    Example: `sj.plot.residuals(fit, "N")`.
    """
    against = against or points.default_scale(fit)
    if against is None:
        raise FitError(f"Law {fit.law.name!r} has no scalar input; name a numeric column with against=...")
    ax = style.canvas(ax)
    marks.residuals(ax, fit, against, look)
    return style.finish(ax)


def residuals_by_input(fit: Fit, *, columns: int = 3, **look: Any) -> np.ndarray:
    """Residuals (observed minus predicted) along every input that varies, and along compute for laws of N and D, with smooth trends.

    The black lines are smooth trends that go to both ends: a slope at the right end is what extrapolations suffer from.

    Args:
        fit: a fit with one output a run.
        columns: of small pictures.
        **look: for `Axes.scatter`.

    Returns:
        (rows, columns) axes of a new figure; those without a picture are empty.

    Raises:
        FitError: if the law has no scalar input that varies.

    Example: `sj.plot.residuals_by_input(fit)`.
    """
    names = [name for name in points.scalar_inputs(fit) if np.ptp(points.column(fit, name)) > 0]
    names += ["C"] if points.has_sizes(fit) and "C" not in names else []
    if not names:
        raise FitError(f"Law {fit.law.name!r} has no scalar input that varies; name a column in sj.plot.residuals(fit, against=...).")
    across = min(columns, len(names))
    rows = -(-len(names) // across)
    figure = style.new_figure(figsize=(0.6 + 3.1 * across, 0.5 + 2.9 * rows), layout="constrained")
    axes = figure.subplots(rows, across, squeeze=False, sharey=True)
    for i, (ax, name) in enumerate(zip(axes.flat, names, strict=False)):
        marks.residuals(ax, fit, name, {"color": style.BLUE, **look} if not fit.groups else look)
        if i % across:
            ax.set_ylabel("")
        if i and ax.get_legend():
            ax.get_legend().remove()
        style.finish(ax)
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    return axes


def iso_loss(
    fit: Fit,
    draws: Draws | None = None,
    cost: Callable[..., Any] = six_nd,
    *,
    group: str | None = None,
    at: Mapping[str, float] | None = None,
    level: float = 0.9,
    ax: Axes | None = None,
    **look: Any,
) -> Axes:
    """Predicted loss over N and D, with the runs in the same colours and the compute-optimal frontier with its uncertainty.

    Args:
        fit: a fit of a law with inputs N and D.
        draws: for the frontier's band; default Laplace draws.
        cost: what a run costs; see `allocate`.
        group: which group, for a fit with groups.
        at: values of the law's other inputs and of the cost's other arguments.
        level: of the band.
        ax: where to draw.
        **look: for `Axes.scatter`.

    Returns:
        The axes.

    Raises:
        DecisionError: if the law has no inputs N and D, a value is missing, or the group is not named.

    Example: `sj.plot.iso_loss(fit, sj.bootstrap(fit))`.
    """
    points.need_sizes(fit, "iso_loss", cost, at)
    if fit.groups and group is None:
        raise DecisionError(f"iso_loss() draws one group; say which with group=..., one of {', '.join(fit.groups)}.")
    mine, at = points.of_group(fit, points.chosen_groups(fit, group)[0]), dict(at or {})
    N, D, observed = points.column(fit, "N")[mine], points.column(fit, "D")[mine], points.observed_and_predicted(fit)[0][mine]
    ax = style.canvas(ax)
    x, y = (np.geomspace(v.min() / 1.6, v.max() * 4, 80) for v in (N, D))
    ax.set(xscale="log", yscale="log", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))  # first: contour labels are turned to fit
    grid = dict(zip(("N", "D"), np.meshgrid(x, y), strict=True))
    of_law = {k: v for k, v in at.items() if k in fit.law.inputs} | ({"group": group} if group else {})
    of_cost = {k: v for k, v in at.items() if k not in fit.law.inputs}
    colours = marks.landscape(ax, x, y, fit.predict(**grid, **of_law))
    marks.budget_lines(ax, x, y, cost(**grid, **of_cost))
    ax.scatter(N, D, **{"c": observed, "s": 20, "edgecolors": "#222222", "linewidths": 0.5, "zorder": 2.5, **colours, **look})
    compute = cost(N=np.asarray([N.min(), x[-1]]), D=np.asarray([D.min(), y[-1]]), **of_cost)
    plan = points.frontier(fit, draws, np.geomspace(compute[0], compute[1], 32), cost, group, at)
    (n_low, n_high), (d_low, d_high) = plan.interval(level)["N"], plan.interval(level)["D"]
    # along a budget D falls as N rises, so the low end of N meets the high end of D
    ax.fill(np.r_[n_low, n_high[::-1]], np.r_[d_high, d_low[::-1]], color=style.VERMILION, alpha=0.25, linewidth=0)
    ax.plot(plan.N, plan.D, color=style.VERMILION, linewidth=2, label="compute-optimal")
    marks.label_inside(ax, plan.N, plan.D, "compute-optimal", style.VERMILION)
    style.log_axis(ax, "x", *style.unit_of("N"))
    style.log_axis(ax, "y", *style.unit_of("D"))
    ax.spines[["top", "right"]].set_visible(False)
    return ax


@engines
def optimal_sizes(allocation: Allocation, *, level: float = 0.9, ax: Axes | None = None, **line: Any) -> Axes:
    """Compute-optimal N and D against the budget; dashed beyond the largest of the runs.

    Args:
        allocation: from `allocate`, for two budgets or more.
        level: of the bands.
        ax: where to draw.
        **line: for `Axes.plot`.

    Returns:
        The axes.

    Raises:
        DecisionError: if there is only one budget.

    Example: `sj.plot.optimal_sizes(sj.allocate(fit, compute=np.logspace(20, 24, 9)))`.
    """
    compute = np.atleast_1d(allocation.compute)
    if len(compute) < 2:
        raise DecisionError("optimal_sizes() draws lines; allocate for two budgets or more.")
    ax = style.canvas(ax)
    limits = allocation.interval(level) if allocation.draws else {}
    for name, value, colour in (("N", allocation.N, style.BLUE), ("D", allocation.D, style.VERMILION)):
        top = limits[name][1] if limits else value
        if limits:
            ax.fill_between(compute, *limits[name], color=colour, **style.BAND)
        text = {"N": "parameters N", "D": "tokens D"}[name]
        known = value <= allocation.observed.get(name, np.inf)
        ax.plot(compute, value, **{"color": colour, "linestyle": "--", "linewidth": 1.8, "label": text, **line})
        ax.plot(compute[known], value[known], **{"color": colour, "linewidth": 1.8, **line})
        marks.note(ax, text, compute[-1], top[-1], (-4, 2), color=colour)
    ax.margins(x=0.02)
    if allocation.observed:
        ax.text(0.98, 0.03, "dashed: beyond the largest run", transform=ax.transAxes, ha="right", color=style.GREY, fontsize="small")
    label = style.unit_of("C")[0] if allocation.cost == "six_nd" else f"budget ({style.unit_of_cost(allocation.cost)})"
    style.log_axis(ax, "x", label, style.power_of_ten)
    style.log_axis(ax, "y", "parameters, tokens", style.quantity)
    return style.finish(ax)


@engines
def loss_against_compute(
    fit: Fit,
    draws: Draws | None = None,
    *,
    decades: float = 2.0,
    group: str | None = None,
    at: Mapping[str, float] | None = None,
    level: float = 0.9,
    ax: Axes | None = None,
    **look: Any,
) -> Axes:
    """The runs' loss against their compute, with the loss that the best split of each budget would reach.

    Args:
        fit: a fit of a law with inputs N and D.
        draws: for the band; default Laplace draws.
        decades: how far beyond the largest run.
        group: one group only, for a fit with groups.
        at: values of the law's other inputs.
        level: of the band.
        ax: where to draw.
        **look: for `Axes.scatter`.

    Returns:
        The axes.

    Raises:
        DecisionError: if the law has no inputs N and D, or a value is missing.

    Example: `sj.plot.loss_against_compute(fit, sj.bootstrap(fit), decades=1)`.
    """
    points.need_sizes(fit, "loss_against_compute", six_nd, at)
    C, observed = points.column(fit, "C"), points.observed_and_predicted(fit)[0]
    groups, end = points.chosen_groups(fit, group), C.max() * 10**decades
    ax = style.canvas(ax)
    marks.runs(ax, fit, C, observed, "N", look, points.of_group(fit, group))
    for name in groups:
        colour = marks.group_colour(fit, name)
        budgets = np.geomspace(C[points.of_group(fit, name)].min(), end, 32)
        plan = points.frontier(fit, draws, budgets, six_nd, name, at)
        ax.fill_between(budgets, *plan.interval(level)["loss"], color=colour, **style.BAND)
        ax.plot(budgets, plan.loss, color=colour, linewidth=2, label="compute-optimal" + (f", {style.inert(name)}" if name else ""))
    marks.extrapolated(ax, C.max(), end)
    if fit.groups:
        said: dict[str, Any] = {"transform": ax.transAxes, "color": style.GREY, "fontsize": "small"}
        ax.text(0.02, 0.03, "lines: the best split of each budget", **said)
    else:
        marks.note(ax, "compute-optimal", budgets[20], plan.loss[20], (-4, -6), va="top", color=colour)
    style.log_axis(ax, "x", *style.unit_of("C"))
    style.log_axis(ax, "y", style.inert(fit.law.output), style.plain)
    return style.finish(ax)


@engines
def curve(
    fit: Fit,
    draws: Draws | None = None,
    *,
    decades: float = 1.0,
    group: str | None = None,
    level: float = 0.9,
    ax: Axes | None = None,
    **look: Any,
) -> Axes:
    """Runs and fitted curve of a law of one scalar input.

    Args:
        fit: a fit of a law with one scalar input.
        draws: for the band; default Laplace draws.
        decades: how far beyond the largest run.
        group: one group only, for a fit with groups.
        level: of the band.
        ax: where to draw.
        **look: for `Axes.scatter`.

    Returns:
        The axes.

    Raises:
        FitError: if the law has several inputs.

    Example: `sj.plot.curve(sj.fit("power_law", runs))`.
    """
    if len(fit.law.inputs) != 1 or len(points.scalar_inputs(fit)) != 1:
        raise FitError(f"curve() needs a law of one scalar input; {fit.law.name!r} has {', '.join(fit.law.inputs)}.")
    (name,), observed = fit.law.inputs, points.observed_and_predicted(fit)[0]
    x, source, groups = points.column(fit, name), points.thinned(fit, draws), points.chosen_groups(fit, group)
    ax = style.canvas(ax)
    logarithmic = x.min() > 0
    end = x.max() * 10**decades if logarithmic else x.max()
    for label in groups:
        colour = marks.group_colour(fit, label)
        grid = (np.geomspace if logarithmic else np.linspace)(x[points.of_group(fit, label)].min(), end, 200)
        inputs: dict[str, Any] = {name: grid} | ({"group": label} if label else {})
        ax.fill_between(grid, *ends(source.predict(**inputs), level), color=colour, **style.BAND)
        ax.plot(grid, fit.predict(**inputs), color=colour, linewidth=2, label="fit" + (f", {style.inert(label)}" if label else ""))
    marks.runs(ax, fit, x, observed, None, look, points.of_group(fit, group))
    label, text = style.unit_of(name)
    unit = fit.law.domains[name].unit
    label = f"{label} ({unit})" if unit and unit not in label else label
    ax.set(xlabel=label, ylabel=style.inert(fit.law.output))
    if logarithmic:
        marks.extrapolated(ax, x.max(), end)
        style.log_axis(ax, "x", label, text)
    if observed.min() > 0:
        style.log_axis(ax, "y", style.inert(fit.law.output), style.plain)
    return style.finish(ax)


publish(globals())
