"""Pictures of uncertainty: the fan beyond the runs, and the pairs of parameters with what the data added to the prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import FitError, suggest
from ...core.numeric.statistics import ends
from ...decisions.allocate import allocate
from ...decisions.known import known
from ...fitting.result import Fit
from ...fitting.uncertainty.draws import Draws
from ...posteriors.laplace import laplace
from ...posteriors.posterior import Posterior
from ..prior_share import Entry, entries
from . import marks, points, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRID = 48  # places along the scale
SMOOTH = 20_000  # simulated new runs at every place: fewer leave a ragged edge
MOST = 6  # parameters in a picture of pairs
CLOUD = 250  # draws of a group that are dots
TINTS = ("#b8d6ea", "#6aaad2", "#2a7fb8")  # of bands, wide to narrow
FOLD = 3.0  # positive parameters whose draws spread wider are shown on a logarithmic scale


def fan(
    fit: Fit,
    draws: Draws | None = None,
    *,
    decades: float = 2.0,
    group: str | None = None,
    levels: Sequence[float] = (0.5, 0.8, 0.95),
    ax: Axes | None = None,
    **look: Any,
) -> Axes:
    """The law beyond the runs: bands of its value, and the wider one in which a new run would lie.

    Laws of N and D are followed along the sizes that are best for each budget 6ND, laws of one scalar input along that input.

    Args:
        fit: a fit of a law of N and D, or of one scalar input.
        draws: whose uncertainty is drawn; default Laplace draws.
        decades: how far beyond the largest run; in a tenfold of compute or input.
        group: which group, for a fit with groups.
        levels: of the bands; the widest is drawn for a new run too.
        ax: where to draw.
        **look: for `Axes.scatter`.

    Returns:
        The axes.

    Raises:
        FitError: if the law has other inputs or predicts several numbers a run.
        DecisionError: if the group is not named.

    Example: `sj.plot.fan(posterior.fit, posterior)`.
    """
    observed = points.observed_and_predicted(fit)[0]
    source = laplace(fit) if draws is None else draws
    mine = points.of_group(fit, points.chosen_groups(fit, group)[0] if group else None)
    name, x, inputs = _path(fit, source, decades, group)
    inputs |= {"group": group} if group else {}
    value, run = source.predict(**inputs), _new_runs(source, inputs)
    ax = style.canvas(ax)
    widest = max(levels)
    ax.fill_between(x, *ends(run, widest), color=style.ORANGE, alpha=0.3, linewidth=0, label=f"a new run, {100 * widest:g} %")
    for end in ends(run, widest):
        ax.plot(x, end, color=style.VERMILION, linewidth=1, linestyle="--")
    for i, level in enumerate(sorted(levels, reverse=True)):
        tint = TINTS[min(i, len(TINTS) - 1)]
        ax.fill_between(x, *ends(value, level), color=tint, linewidth=0, label=f"law, {100 * level:g} %")
    middle = np.median(value, axis=0)
    ax.plot(x, middle, color=style.BLACK, linewidth=1.6, label="law, median")
    scale = points.column(fit, name)
    marks.runs(ax, fit, scale, observed, None, {"color": "#333333", "s": 12, "label": "runs", **look}, mine)
    style.legend(ax)
    _frame(ax, fit, name, x, observed[mine], [middle, *ends(value, 0.8), *ends(run, widest)])
    marks.extrapolated(ax, scale[mine].max(), x[-1])
    return style.finish(ax)


def _path(fit: Fit, source: Draws, decades: float, group: str | None) -> tuple[str, np.ndarray, dict[str, Any]]:
    """The scale, its grid, and the law's inputs along it."""
    point = known(source, group, "fan").point
    sizes = set(fit.law.inputs) == {"N", "D"}
    if not sizes and (len(fit.law.inputs) != 1 or not points.scalar_inputs(fit)):
        raise FitError(f"fan() needs a law of N and D or of one scalar input; {fit.law.name!r} has {', '.join(fit.law.inputs)}.")
    name = "C" if sizes else fit.law.inputs[0]
    values = points.column(fit, name)[points.of_group(fit, group)]
    if values.min() <= 0:
        return name, np.linspace(values.min(), values.max(), GRID), {name: np.linspace(values.min(), values.max(), GRID)}
    x = np.geomspace(values.min(), values.max() * 10**decades, GRID)
    if not sizes:
        x = x[fit.law.domains[name].contains(x)]  # a share ends at 1
        return name, x, {name: x}
    plan = allocate((fit.law, point), compute=x)
    return name, x, {"N": plan.N, "D": plan.D}


def _new_runs(source: Draws, inputs: dict[str, Any]) -> np.ndarray:
    """(many, places) outputs that new runs would show, several of each draw."""
    again = -(-SMOOTH // len(source))
    tiled: dict[str, Any] = {name: np.tile(v, again) if isinstance(v, np.ndarray) else v for name, v in inputs.items()}
    if source.usual_trials is not None:
        tiled["trials"] = source.usual_trials
    return source.predict(kind="run", **tiled).reshape(len(source) * again, -1)


def _frame(ax: Axes, fit: Fit, name: str, x: np.ndarray, observed: np.ndarray, lines: Sequence[np.ndarray]) -> None:
    """Axes that show the bands as far as they tell something: at most a factor of two above the data and of four below the law."""
    low, high = min(np.nanmin(line) for line in lines), max(np.nanmax(line) for line in lines)
    if observed.min() > 0:
        low, high = max(low, 0.25 * min(observed.min(), lines[0].min())), min(high, 2 * max(observed.max(), lines[0].max()))
        ax.set_ylim(0.97 * min(low, observed.min()), 1.03 * max(high, observed.max()))
        style.log_axis(ax, "y", style.inert(fit.law.output), style.plain)
    ax.set(ylabel=style.inert(fit.law.output), xlim=(x[0], x[-1]))
    label, text = style.unit_of(name)
    unit = "" if name == "C" else fit.law.domains[name].unit
    label = f"{label} ({unit})" if unit and unit not in label else label
    ax.set_xlabel(label)
    if x[0] > 0:
        style.log_axis(ax, "x", label, text)


def pairs(posterior: Draws, names: Sequence[str] | None = None) -> np.ndarray:
    """The law's parameters two by two, and one by one: how much the data added to the prior, and what they leave entangled.

    With groups every group has its colour, and parameters that all share are grey, so that no parameter is left out.

    Args:
        posterior: from `sj.sample`; other draws are shown without priors.
        names: labels of the parameters, such as "alpha" or "A[web]", drawn without regard to groups; default the first six, see `shown`.

    Returns:
        (k, k) axes of a new figure: histograms, of a posterior with the prior as a line, on the diagonal, densities below it, empty above.

    Raises:
        FitError: if there is no such parameter.

    Example: `sj.plot.pairs(posterior, ["A", "alpha"])[0, 0].figure.savefig("pairs.png")`.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if names is None and posterior.fit.groups:
        chosen, groups = _by_group(posterior), posterior.fit.groups
    else:
        there = {entry.label: entry for entry in entries(posterior)}
        for name in names or ():
            if name not in there:
                raise FitError(f"{name!r} is not a free parameter of this posterior; {suggest(name, there)}")
        chosen, groups = [_Scaled([there[name]]) for name in names] if names else [_Scaled([e]) for e in shown(posterior)[0]], []
    k = len(chosen)
    layout = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    figure = style.new_figure(figsize=(1.6 + 0.95 * k, 1.6 + 0.95 * k), layout=layout)
    axes = figure.subplots(k, k, squeeze=False)
    panels: list[list[Axes]] = axes.tolist()
    for i, j in np.ndindex(k, k):
        ax = panels[i][j]
        if j > i:
            ax.set_axis_off()
            continue
        if i == j:
            _histogram(ax, chosen[i], groups, "posterior" if isinstance(posterior, Posterior) else "draws")
        elif groups:
            _clouds(ax, chosen[j], chosen[i])
        else:
            _density(ax, chosen[j], chosen[i])
        _ticks(ax, chosen[j], chosen[i], bottom=i == k - 1, left=j == 0 and i > 0)
    shown_labels = {label: handle for ax in np.diag(axes) for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(shown_labels.values(), shown_labels, loc="upper right", frameon=False)
    return axes


def _by_group(draws: Draws) -> list[_Scaled]:
    """The law's free parameters, each with the draws of every group, or with the only ones if groups share it."""
    free = [slot.name for slot in draws.request.layout.slots if draws.params[slot.name].ndim <= 1 + draws.request.grouped(slot.name)]
    own = {entry.name: entry for entry in entries(draws)}
    out = []
    for name in dict.fromkeys(free):
        if not draws.request.grouped(name):
            out.append(_Scaled([Entry(name, name, draws.params[name], own[name].prior if name in own else None)]))
            continue
        prior = own[name].prior if name in own else None
        out.append(
            _Scaled([Entry(name, name, draws.request.of_group(draws.params, group, lead=1)[name], prior) for group in draws.fit.groups])
        )
    return out[:MOST]


def shown(posterior: Draws) -> tuple[list[Entry], list[Entry]]:
    """The law's parameters that `pairs` draws by itself, and those that it leaves out."""
    own = [entry for entry in entries(posterior) if entry.name in posterior.law.parameters]
    if posterior.fit.groups:  # a parameter of all groups is one place of the picture
        drawn = {one.entry.name for one in _by_group(posterior)}
        return [entry for entry in own if entry.name in drawn], [entry for entry in own if entry.name not in drawn]
    return own[:MOST], own[MOST:]


class _Scaled:
    """A parameter, of one or of several groups, on the scale on which it is drawn."""

    def __init__(self, several: Sequence[Entry]) -> None:
        low, high = np.min([np.quantile(e.draws, 0.025) for e in several]), np.max([np.quantile(e.draws, 0.975) for e in several])
        self.entry, self.log = several[0], bool(min(e.draws.min() for e in several) > 0 and high > FOLD * low)
        self.every = [np.log10(e.draws) if self.log else e.draws for e in several]
        self.draws = self.every[0]
        first = np.min([np.quantile(draws, 0.002) for draws in self.every])
        last = np.max([np.quantile(draws, 0.998) for draws in self.every])
        margin = max(0.08 * (last - first), 1e-12 + 1e-6 * abs(first))
        self.range = (first - margin, last + margin)

    def natural(self, x: np.ndarray) -> np.ndarray:
        return 10.0**x if self.log else x

    def prior(self, x: np.ndarray) -> np.ndarray | None:
        """Density of the prior on the drawn scale."""
        density = self.entry.prior_density(self.natural(x))
        return density if density is None or not self.log else density * self.natural(x) * np.log(10)

    def ticks(self) -> tuple[list[float], list[str]]:
        from matplotlib.ticker import MaxNLocator

        low, high = self.range
        inner = np.asarray(self.range) + 0.12 * (high - low) * np.asarray([1, -1])
        first, last = inner
        places = (
            np.log10(style.log_ticks(10.0**first, 10.0**last, most=3)) if self.log else np.asarray(MaxNLocator(2).tick_values(first, last))
        )
        places = places[(places >= inner[0]) & (places <= inner[1])]
        if len(places) > 1:  # two at most, one where they would touch
            places = places[[0, -1]] if places[-1] - places[0] > 0.35 * (high - low) else places[:1]
        return places.tolist(), [style.quantity(v) if v >= 1e4 else style.plain(v) for v in self.natural(places)]


def _histogram(ax: Axes, one: _Scaled, groups: Sequence[str], what: str) -> None:
    if groups:
        for g, draws in enumerate(one.every):
            several = len(one.every) > 1
            colour = style.PALETTE[g % len(style.PALETTE)] if several else style.GREY
            label = style.inert(groups[g]) if several else "all groups"
            ax.hist(draws, bins=24, range=one.range, density=True, histtype="step", color=colour, linewidth=1.4, label=label)
    else:
        ax.hist(one.draws, bins=24, range=one.range, density=True, color=style.BLUE, alpha=0.55, label=what)
    grid = np.linspace(*one.range, 200)
    density = one.prior(grid)
    if density is not None:
        ax.plot(grid, density, color=style.BLACK if groups else style.VERMILION, linewidth=1.2 if groups else 1.8, label="prior")
    ax.set_title(style.inert(one.entry.label), fontsize="medium", pad=3)
    ax.set_ylim(bottom=0)


def _clouds(ax: Axes, x: _Scaled, y: _Scaled) -> None:
    """Draws of every group as dots."""
    count = max(len(x.every), len(y.every))
    for g in range(count):
        one, other = x.every[g % len(x.every)], y.every[g % len(y.every)]
        step = max(1, len(one) // CLOUD)
        colour = style.PALETTE[g % len(style.PALETTE)] if count > 1 else style.GREY
        ax.plot(one[::step], other[::step], ".", color=colour, markersize=3, alpha=0.55, markeredgewidth=0)
    ax.set_ylim(y.range)


def _density(ax: Axes, x: _Scaled, y: _Scaled) -> None:
    counts, _, _ = np.histogram2d(y.draws, x.draws, bins=24, range=[y.range, x.range])
    shade = np.ma.masked_equal(np.sqrt(counts), 0)  # the root, so that the tails are seen
    ax.imshow(shade, extent=(*x.range, *y.range), origin="lower", aspect="auto", cmap="Blues", vmin=-0.25 * shade.max())
    ax.set_ylim(y.range)


def _ticks(ax: Axes, x: _Scaled, y: _Scaled, *, bottom: bool, left: bool) -> None:
    places, labels = x.ticks()
    ax.set_xlim(x.range)
    ax.set_xticks(places, labels if bottom else [""] * len(places))
    places, labels = y.ticks() if left else ([], [])
    ax.set_yticks(places, labels)
    ax.tick_params(length=2, pad=2, labelsize="small")
    ax.spines[["top", "right"]].set_visible(False)
