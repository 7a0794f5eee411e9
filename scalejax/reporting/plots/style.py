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
    return known.get(name, (name, plain))


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
    axis.set_major_locator(FixedLocator(log_ticks(low, high, most=6 if text is power_of_ten else 8).tolist()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_formatter(NullFormatter())
    axis.set_label_text(label)


def log_ticks(low: float, high: float, most: int = 8) -> np.ndarray:
    """Round numbers from low to high: 1-2-5, 1-3 or powers of ten, whichever is finest without crowding.

    >>> log_ticks(0.9, 110).tolist()
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    """
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    for step, leads in ((1, (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)), (1, (1, 2, 5)), (1, (1, 3)), (1, (1,)), (2, (1,)), (4, (1,))):
        ticks = np.asarray([lead * 10.0**k for k in range(first, last + 1, step) for lead in leads])
        ticks = ticks[(ticks >= low * (1 - 1e-9)) & (ticks <= high * (1 + 1e-9))]
        if len(ticks) <= most:
            break
    if len(ticks) >= 3:
        return ticks
    from matplotlib.ticker import MaxNLocator

    ticks = np.asarray(MaxNLocator(5).tick_values(low, high))
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
