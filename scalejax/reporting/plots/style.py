"""What all pictures share: colours, units, axes. Matplotlib is imported inside functions, so that importing scalejax stays quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.lazy import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision tell apart; yellow is left out, it vanishes on white.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
GREY = "#666666"
BAND: dict[str, Any] = {"alpha": 0.2, "linewidth": 0}
PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5}  # behind labels that lie on lines

LEGEND = "scalejax-legend"  # mark of a legend that can be made again
LONGEST = 40  # letters of a name in a picture
HAIR = "\u200a"  # a hair space: legends leave out labels that begin with an underscore
_ROW = 62  # letters of a legend in a row above the axes

_UNREGISTERED: ContextVar[bool] = ContextVar("unregistered", default=False)
_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def ink(colour: str) -> Any:
    """The colour, darkened until letters of it can be read on white (contrast 4.5 or more)."""
    from matplotlib.colors import to_rgb

    rgb = np.asarray(to_rgb(colour))
    while 1.05 / (0.05 + np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92) @ [0.2126, 0.7152, 0.0722]) < 4.5:
        rgb = 0.95 * rgb
    return tuple(rgb.tolist())


def quantity(value: float) -> str:
    """A count as people say it.

    >>> quantity(1e9), quantity(2.04e10), quantity(750)
    ('1B', '20.4B', '750')
    """
    for size, suffix in _SUFFIXES:
        if 0.9995 * size <= value < 999.5e12:
            return f"{value / size:.3g}{suffix}"
    return flops(value)


def flops(value: float) -> str:
    """A large number in short scientific notation.

    >>> flops(1e21), flops(3.2e21)
    ('1e21', '3.2e21')
    """
    return f"{value:.3g}".replace("e+", "e")


def power_of_ten(value: float) -> str:
    """A tick label such as 10 to the 21; 3e21 becomes 3 x 10 to the 21."""
    exponent = int(np.floor(np.log10(value) + 1e-9))
    lead = value / 10.0**exponent
    return f"$10^{{{exponent}}}$" if abs(lead - 1) < 1e-6 else rf"${lead:.3g}{{\times}}10^{{{exponent}}}$"


def inert(name: object) -> str:
    r"""A name of the user's as it stands: no formula begins at a dollar, nothing hides a label from a legend, and long ones are cut.

    >>> inert(r"$\input{x}$"), inert("web")
    ('\\$\\input{x}\\$', 'web')
    """
    text = "".join(c if c.isprintable() else " " for c in " ".join(str(name).split()))
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return (HAIR if text[:1] == "_" else "") + text.replace("$", r"\$")


def listed(words: Sequence[str], most: int = 8) -> str:
    """Words with commas and an "and", the first few of many.

    >>> listed(["A", "B", "beta"]), listed(["A", "B", "C", "D"], most=2)
    ('A, B and beta', 'A, B and 2 more')
    """
    if len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def plain(value: float) -> str:
    """A tick label without needless digits."""
    return flops(value) if value and not 1e-3 <= abs(value) < 1e5 else f"{value:.6g}"


def unit_of(name: str) -> tuple[str, Callable[[float], str]]:
    """Axis label and tick text of a column."""
    known = {
        "C": ("training compute C = 6ND (FLOP)", power_of_ten),
        "N": ("parameters N", quantity),
        "D": ("tokens D", quantity),
        "loss": ("loss", plain),
    }
    return known.get(name, (inert(name), plain))


def unit_of_cost(cost: str) -> str:
    """The unit of budgets that this cost counts."""
    for unit in ("dollars", "seconds"):
        if cost.startswith(unit):
            return unit
    return "FLOP" if cost.startswith(("six_nd", "distillation")) else f"of {cost}"


def canvas(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure."""
    return new_figure(figsize=(6.4, 4.4), layout="constrained").subplots() if ax is None else ax


def new_figure(**options: Any) -> Figure:
    """A figure of pyplot, so that notebooks show it and `plt.show()` and `plt.savefig` know it; within `unregistered` one of its own."""
    if _UNREGISTERED.get():
        return whole("matplotlib.figure").Figure(**options)
    return whole("matplotlib.pyplot").figure(**options)


@contextmanager
def unregistered() -> Iterator[None]:
    """Figures drawn within are for files: no window opens, and none stays in memory."""
    token = _UNREGISTERED.set(True)
    try:
        yield
    finally:
        _UNREGISTERED.reset(token)


def below(ax: Axes, share: float = 0.32) -> Axes:
    """Axes below these, with the same horizontal axis; they take this share of the height."""
    spec = ax.get_subplotspec()
    if spec is None:  # axes that were put somewhere by hand
        left, bottom, width, height = ax.get_position().bounds
        ax.set_position((left, bottom + share * height, width, (1 - share) * height))
        under = ax.figure.add_axes((left, bottom, width, 0.88 * share * height), sharex=ax)
    else:
        grid = spec.subgridspec(2, 1, height_ratios=(1 - share, share), hspace=0.04)
        ax.set_subplotspec(grid[0])
        under = ax.figure.add_subplot(grid[1], sharex=ax)
    ax.tick_params(labelbottom=False)
    ax.set_xlabel("")
    return under


def figure_of(ax: Axes) -> Figure:
    """The whole figure, for axes of a part of one too."""
    from matplotlib.figure import Figure

    return ax.figure if isinstance(ax.figure, Figure) else ax.figure.figure


def legend(ax: Axes, **options: Any) -> None:
    """A legend off the points: in rows above the axes where it is short, else beside them. Called again, it fits what has changed."""
    from matplotlib.font_manager import FontProperties

    handles, labels = ax.get_legend_handles_labels()
    if not labels:
        return
    look = {"frameon": False, "fontsize": "small", "borderaxespad": 0.2, **options}
    widest = max(len(label) for label in labels) + 5
    size = FontProperties(size=look["fontsize"]).get_size_in_points()
    across = sum(other.get_position().y1 > 0.5 for other in ax.figure.axes if other.get_label() != "<colorbar>")
    bars = any(other.get_label() == "<colorbar>" for other in ax.figure.axes)
    row = int(_ROW * figure_of(ax).get_figwidth() / 6.4 * 8.33 / size / max(across, 1)) - 14 * bars
    columns = min(len(labels), max(1, row // widest))
    if -(-len(labels) // columns) <= 3 and "title" not in look and not any("\n" in label for label in labels):
        made = ax.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.0, 1.01), ncols=columns, columnspacing=1.2, **look)
    else:
        made = ax.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1.0), **look)
    made.set_gid(LEGEND)


def scale_letters(figure: Figure, factor: float) -> None:
    """Make all letters of a figure larger, or smaller; nobody else's settings change."""
    from matplotlib.text import Text

    ticks = [(axis, axis.get_ticklabels()) for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    sizes = [(axis, float(labels[0].get_fontsize())) for axis, labels in ticks if labels]
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_fontsize(factor * float(text.get_fontsize()))
    for axis, size in sizes:  # for ticks that are yet to come, too
        axis.set_tick_params(labelsize=factor * size)


def finish(ax: Axes) -> Axes:
    """A light grid behind the data, and no frame where no axis is."""
    ax.grid(True, color="#e4e4e4", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def log_axis(ax: Axes, which: str, label: str, text: Callable[[float], str]) -> None:
    """Make an axis logarithmic with readable ticks; call it when its limits are final."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    getattr(ax, f"set_{which}scale")("log")
    low, high = sorted(getattr(ax, f"get_{which}lim")())
    if text is plain and high > 1e4 * low:
        text = power_of_ten
    axis = getattr(ax, f"{which}axis")
    most = min(6 if text is power_of_ten else 8, _room(ax, which))
    axis.set_major_locator(FixedLocator(log_ticks(low, high, most=most).tolist()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_formatter(NullFormatter())
    axis.set_label_text(label)


def _room(ax: Axes, which: str) -> int:
    """How many labels an axis has room for, as long as its figure is laid out by default."""
    place, (width, height) = ax.get_position(), figure_of(ax).get_size_inches()
    return max(3, int(1.7 * place.width * width if which == "x" else 3.0 * place.height * height))


def thin_ticks(ax: Axes, letters: float) -> None:
    """Leave out labels of axes that have become too short for them."""
    from matplotlib.ticker import FixedLocator

    for which, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        places = axis.get_major_locator()
        if getattr(ax, f"get_{which}scale")() == "log" and isinstance(places, FixedLocator):
            low, high = sorted(getattr(ax, f"get_{which}lim")())
            most = max(3, min(len(places()), int(_room(ax, which) * 10.0 / letters)))
            axis.set_major_locator(FixedLocator(log_ticks(low, high, most=most).tolist()))


def log_ticks(low: float, high: float, most: int = 8) -> np.ndarray:
    """Round numbers from low to high: 1-2-5, 1-3 or powers of ten, whichever is finest without crowding.

    >>> log_ticks(0.9, 110).tolist()
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    """
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    known: list[np.ndarray] = []
    for step, leads in ((1, (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)), (1, (1, 2, 5)), (1, (1, 3)), (1, (1,)), (2, (1,)), (4, (1,)), (10, (1,))):
        ticks = np.asarray([lead * 10.0**k for k in range(first, last + 1, step) for lead in leads])
        ticks = ticks[(ticks >= low * (1 - 1e-9)) & (ticks <= high * (1 + 1e-9))]
        known.append(ticks)
        if len(ticks) <= most:
            break
    if len(known[-1]) >= 3:
        return known[-1]
    if high > 20 * low:  # two labels are better than many, and many better than one
        return next(ticks for ticks in reversed(known) if len(ticks) >= 2)
    from matplotlib.ticker import MaxNLocator

    ticks = np.asarray(MaxNLocator(min(5, most)).tick_values(low, high))
    return ticks[(ticks > 0) & (ticks >= low) & (ticks <= high)]


def colour_bar(ax: Axes, points: Any, label: str, text: Callable[[float], str]) -> None:
    """A slim, logarithmic colour bar beside the axes."""
    bar = ax.figure.colorbar(points, ax=ax, pad=0.02, aspect=32)
    bar.outline.set_visible(False)
    bar.set_label(label, labelpad=8)
    low, high = points.get_clim()
    text = power_of_ten if text is plain and high > 1e4 * low else text
    ticks = log_ticks(low, high, most=6).tolist()
    bar.set_ticks(ticks, labels=[text(tick) for tick in ticks])
    bar.ax.minorticks_off()


def steps(ax: Axes, colours: Sequence[Any], values: Sequence[float], label: str, text: Callable[[float], str]) -> None:
    """A colour bar of a few values, each in its own colour; of many, every other one is named."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    count = len(values)
    shades = ScalarMappable(BoundaryNorm(np.arange(count + 1) - 0.5, count), ListedColormap(list(colours)))
    bar = ax.figure.colorbar(shades, ax=ax, pad=0.02, aspect=32)
    bar.outline.set_visible(False)
    shown = range(0, count, -(-count // 12))
    bar.set_ticks([float(i) for i in shown], labels=[text(values[i]) for i in shown])
    bar.ax.minorticks_off()
    bar.ax.tick_params(length=0)
    bar.set_label(label, labelpad=8)
