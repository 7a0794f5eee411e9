"""Pictures of checks: ranks of a calibration, what the prior expects, what the posterior would have shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import DataError, FitError, suggest
from ...core.numeric.statistics import ends
from ...core.runs import Runs
from ...core.table import entry
from ...decisions.costs import six_nd
from ...posteriors.checks.calibrate import Calibration
from ...posteriors.checks.predictive import PredictiveCheck
from ...posteriors.checks.prior_predictive import PriorPredictive
from ...posteriors.checks.uniformity import band
from . import style
from .posteriors import TINTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALARM = 0.01  # chance that any curve of right posteriors leaves the wide band, as in `Calibration.complaints`
BINS = 16  # places along the input at which a fan is drawn
COLUMNS = 4  # of small pictures
PALE = ("#e6eff6", "#c9deec")  # bands on which thin curves are read
NAMED = (style.VERMILION, style.GREEN, style.PURPLE, style.BLACK, style.ORANGE, style.SKY)  # neighbours that are told apart


def ranks(calibration: Calibration, *, level: float = 0.95, ax: Axes | None = None, **line: Any) -> Axes:
    """Are the ranks of the truths even? The distribution function of the ranks of every quantity, less that of even ranks.

    Posteriors that are right stay in the narrow band with probability `level`, each; all of them in the wide one with probability 0.99.
    Curves that leave the wide band are named, with what is wrong: draws too narrow (the curve falls from above to below), too wide (it
    rises), too high (it lies above) or too low.

    Args:
        calibration: from `sj.calibrate`.
        level: of the narrow band.
        ax: where to draw.
        **line: for `Axes.plot`.

    Returns:
        The axes.

    Example: `sj.plot.ranks(sj.calibrate("power_law", {"x": np.logspace(3, 8, 12)}))`.

    References: Sailynoja, Burkner and Vehtari, "Graphical test for discrete uniformity", Statistics and Computing 2022.
    """
    if not 0 < level < 1:
        raise FitError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    curves, draws = dict(_curves(calibration)), calibration.draws
    simulations, together = len(next(iter(calibration.ranks.values()))), 1 - ALARM / len(curves)
    ax = style.canvas(ax)
    bands = (together, PALE[0], f"{100 * (1 - ALARM):g} % band of all"), (level, PALE[1], f"{100 * level:g} % band of one")
    for share, tint, label in bands:
        x, low, high = (np.concatenate([[0], v, [1]]) for v in band(simulations, draws, share))
        ax.fill_between(x, low - x, high - x, color=tint, linewidth=0, label=label)
    x, low, high = band(simulations, draws, together)
    cells = np.rint(x * (draws + 1)).astype(int)
    outside = [name for name, y in curves.items() if ((y[cells] + x < low) | (y[cells] + x > high)).any()]
    across, inside = np.linspace(0, 1, draws + 2), len(curves) - len(outside)
    for name in sorted(curves, key=outside.__contains__):  # the named ones on top
        look = {"color": style.GREY, "linewidth": 0.8}
        if name in outside:
            colour = NAMED[outside.index(name) % len(NAMED)]
            look = {"color": colour, "linewidth": 1.8, "label": f"{style.inert(name)}: draws {_wrong(across, curves[name])}"}
        elif inside:
            look["label"], inside = f"{inside} quantities inside" if inside > 1 else f"{style.inert(name)}, inside", 0
        ax.plot(across, curves[name], **{**look, **line})
    ax.axhline(0, color=style.BLACK, linewidth=0.8)
    ax.set(xlim=(0, 1), xlabel="rank of the truth among the draws (share)", ylabel="share of ranks below, less what is even")
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return style.finish(ax)


def _curves(calibration: Calibration) -> Iterator[tuple[str, np.ndarray]]:
    """Label and (draws + 2,) distribution function of the ranks, less the even one, of every quantity; 0 at both ends."""
    even = np.linspace(0, 1, calibration.draws + 2)
    for name, ranks_ in calibration.ranks.items():
        for index in np.ndindex(ranks_.shape[1:]):
            count = np.bincount(ranks_[(slice(None), *index)], minlength=calibration.draws + 1)
            label = entry(name, index)
            yield label, np.concatenate([[0], np.cumsum(count) / len(ranks_)]) - even


def _wrong(x: np.ndarray, y: np.ndarray) -> str:
    """What is wrong with draws whose curve is this."""
    shift, spread = np.mean(y), np.mean(y * np.sign(0.5 - x))
    if abs(shift) > abs(spread):
        return "too high" if shift > 0 else "too low"
    return "too narrow" if spread > 0 else "too wide"


def prior_predictive(
    found: PriorPredictive,
    runs: Runs | Mapping[str, np.ndarray] | None = None,
    by: str | None = None,
    *,
    levels: Sequence[float] = (0.5, 0.8, 0.95),
    ax: Axes | None = None,
    **look: Any,
) -> Axes:
    """What the prior expects of the runs, as bands along an input, and what was observed.

    Neighbours along the input share a place of the bands, which then also hold what their other inputs change.

    Args:
        found: from `sj.prior_predictive` or `posterior.prior_predictive()`.
        runs: the table that it was made for, to take the input from; without it the runs are ordered by what was observed.
        by: column along which to draw; default compute, C or 6 N D, if the runs have it.
        levels: of the bands.
        ax: where to draw.
        **look: for `Axes.scatter`.

    Returns:
        The axes.

    Raises:
        DataError: if the runs have no such column.

    Example: `sj.plot.prior_predictive(posterior.prior_predictive(), runs)`.

    References: Gabry, Simpson, Vehtari, Betancourt and Gelman, "Visualization in Bayesian workflow", JRSS A 2019.
    """
    name, x = _along(found, runs, by)
    places, pooled = _places(x, found.outputs)
    ax = style.canvas(ax)
    widest, low_high = max(levels), []
    for i, level in enumerate(sorted(levels, reverse=True)):
        low, high = np.transpose([ends(values, level) for values in pooled])
        low_high += [low, high]
        ax.fill_between(places, low, high, color=TINTS[min(i, len(TINTS) - 1)], linewidth=0, label=f"prior, {100 * level:g} %")
    middle = [np.nanmedian(values) for values in pooled]
    ax.plot(places, middle, color=style.BLACK, linewidth=1.6, label="prior, median")
    low, high = found.interval(widest)["outputs"]
    inside = np.mean((low <= found.observed) & (found.observed <= high))
    label = f"observed, {100 * inside:.0f} % of them\nin their {100 * widest:g} %"
    ax.scatter(
        x, found.observed, **{"color": style.VERMILION, "s": 14, "linewidths": 0, "zorder": 2.5, "clip_on": False, "label": label, **look}
    )
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.set(xlim=(x.min(), x.max()), xlabel=name, ylabel="output")
    ax.margins(y=0.05)
    if min(found.observed.min(), np.nanmin(low_high)) > 0:
        style.log_axis(ax, "y", "output", style.plain)
    if by is not None or name == "C":
        label, text = style.unit_of(name)
        ax.set_xlabel(label)
        if x.min() > 0:
            style.log_axis(ax, "x", label, text)
    return style.finish(ax)


def _along(found: PriorPredictive, runs: Runs | Mapping[str, np.ndarray] | None, by: str | None) -> tuple[str, np.ndarray]:
    """Name and (observations,) values of the horizontal axis."""
    if runs is None:
        return "observation, in the order of the outputs", np.argsort(np.argsort(found.observed)).astype(float)
    columns = {name: np.asarray(v) for name, v in (runs.columns if isinstance(runs, Runs) else runs).items()}
    numbers = {name: v.astype(np.float64) for name, v in columns.items() if v.ndim == 1 and v.dtype.kind in "iuf"}
    if by is None and "C" not in numbers and {"N", "D"} <= set(numbers):
        return "C", six_nd(numbers["N"], numbers["D"])[found.rows]
    name = "C" if by is None else by
    if name not in numbers:
        raise DataError(f"prior_predictive() finds no column {name!r} with one number a run to draw along; {suggest(name, numbers)}")
    return name, numbers[name][found.rows]


def _places(x: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Where the bands are drawn, and the outputs that are pooled there; equal values stay together."""
    distinct, index = np.unique(x, return_inverse=True)
    parts = np.array_split(np.arange(len(distinct)), min(BINS, len(distinct)))
    places = np.asarray([np.median(distinct[part]) for part in parts])
    places[0], places[-1] = distinct[0], distinct[-1]
    return places, [outputs[:, np.isin(index, part)].ravel() for part in parts]


def predictive_check(check: PredictiveCheck, names: Sequence[str] | None = None) -> np.ndarray:
    """Statistics of the observed runs among those of runs that the posterior would have shown.

    Histograms are of the replicated runs, the line is the observed one's median, the strip around it its central 90 % where it differs
    between draws. Titles give the tail probability; suspicious ones are in red.

    Args:
        check: from `posterior.predictive_check()`.
        names: of statistics; default all.

    Returns:
        (rows, columns) axes of a new figure.

    Raises:
        FitError: if there is no such statistic.

    Example: `sj.plot.predictive_check(posterior.predictive_check())[0, 0].figure.savefig("check.png")`.
    """
    for name in names or ():
        if name not in check.replicated:
            raise FitError(f"{name!r} is not a statistic of this check; {suggest(name, check.replicated)}")
    chosen = list(names or check.replicated)
    columns = min(COLUMNS, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = style.new_figure(figsize=(1.0 + 2.1 * columns, 0.5 + 1.75 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat[len(chosen) :]:
        ax.set_axis_off()
    for ax, name in zip(axes.flat, chosen, strict=False):
        _statistic(ax, check, name)
    shown = {label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown, loc="outside lower center", ncols=min(columns, 3), frameon=False, fontsize="small")
    return axes


def _statistic(ax: Axes, check: PredictiveCheck, name: str) -> None:
    """One histogram with the observed value."""
    replicated, observed, suspicious = check.replicated[name], check.observed[name], name in check.suspicious
    ax.hist(replicated, bins=_bins(replicated), color=style.BLUE, alpha=0.55, label="replicated runs")
    low, high = ends(observed, 0.9)
    ax.axvspan(low, high, color="#f9e3d6", linewidth=0, zorder=0)
    ax.axvline(np.median(observed), color=style.VERMILION, linewidth=1.8, label="observed runs, median")
    if len(np.unique(observed)) > 1:
        ax.plot([], [], color="#f9e3d6", linewidth=7, label="90 % over the draws")
    title = f"{style.inert(name)}\np = {check.tail[name]:.3f}"
    ax.set_title(title, fontsize="small", pad=3, color=style.ink(style.VERMILION) if suspicious else style.BLACK)
    ax.set_yticks([])
    ax.locator_params(axis="x", nbins=3)
    ax.tick_params(labelsize="small", length=2, pad=2)
    ax.spines[["top", "right", "left"]].set_visible(False)


def _bins(values: np.ndarray) -> Any:
    """Edges of bins: one for each value if there are few, as of shares of few runs."""
    distinct = np.unique(values)
    if not 1 < len(distinct) <= 2 * BINS:
        return np.linspace(*ends(values, 0.998), 25) if np.ptp(values) > 0 else 1
    middle = 0.5 * (distinct[1:] + distinct[:-1])
    return np.concatenate([[2 * distinct[0] - middle[0]], middle, [2 * distinct[-1] - middle[-1]]])
