"""`paper`: any picture at the size and with the letters of a printed page."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import FitError, suggest
from .figures import save
from .plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS = {"column": 3.25, "text": 5.5, "page": 6.75}  # inches: a column of two, the text of one, both columns
USUAL = 10.0  # points, the letters of a picture that is made for a screen


def paper(
    draw: Callable[..., Any],
    *args: Any,
    width: str | float = "column",
    height: float | None = None,
    letters: float = 8.0,
    path: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Any:
    """Draw a picture for print: at the width of a column or of the text, with letters, lines and points to match.

    The figures of a scaling-law paper are one call each: `isoflop` (parabolas), `frontier` (best sizes), `loss_against_compute`,
    `iso_loss`, `fit_against_observed`, `residuals_by_input`, `intervals` or `pairs`, `groups` (recipes and their difference),
    `curves` (loss over step), `stages` (accuracy in two stages), `contours` (learning rate by batch size), `triangle` (mixtures).
    Letters have the size that they will have in print, if the file is included as it is. No setting of Matplotlib is touched: for fonts
    of type 42, which some venues ask for, set `matplotlib.rcParams["pdf.fonttype"] = 42` yourself.

    Args:
        draw: a function of `sj.plot`.
        *args: what it draws.
        width: "column" (3.25 inches), "text" (5.5), "page" (6.75), or inches.
        height: in inches; default as high as on a screen, in proportion.
        letters: size of the letters, in points.
        path: file to write, .pdf, .svg or .png.
        **options: for `draw`.

    Returns:
        What `draw` returns.

    Raises:
        FitError: if the width is none, or `draw` makes no axes.
        DataError: if the path ends otherwise, or cannot be written.

    Example: `sj.plot.paper(sj.plot.isoflop, sj.isoflop(runs), path="figure1.pdf")`.
    """
    if isinstance(width, str) and width not in WIDTHS:
        raise FitError(f"width={width!r} is unknown; {suggest(width, WIDTHS)} Inches do as well.")
    inches = WIDTHS[width] if isinstance(width, str) else float(width)
    if not (0.5 <= inches <= 50 and 2 <= letters <= 40 and (height is None or 0.5 <= height <= 50)):
        raise FitError("paper() takes a width and a height from 0.5 to 50 inches, and letters from 2 to 40 points.")
    drawn = draw(*args, **options)
    first = np.ravel(np.asarray(drawn, dtype=object))[0]
    figure = getattr(first, "figure", None)
    if figure is None or not hasattr(first, "get_xlim"):
        raise FitError("paper() takes a function that draws, such as sj.plot.isoflop, and then what it draws.")
    figure = getattr(figure, "figure", figure)
    _fit_to_page(figure, inches, height, letters / USUAL)
    if path is not None:
        save(lambda: first, Path(path))
    return drawn


def _fit_to_page(figure: Figure, width: float, height: float | None, factor: float) -> None:
    """Set the size; letters, lines and points keep their proportions to each other."""
    from matplotlib.collections import PathCollection
    from matplotlib.lines import Line2D

    usual_width, usual_height = figure.get_size_inches()
    figure.set_size_inches(width, height if height is not None else width * usual_height / usual_width)
    style.scale_letters(figure, factor)
    for ax in figure.axes:
        made = ax.get_legend()
        if ax.get_label() != "<colorbar>":
            style.thin_ticks(ax, USUAL * factor)
        if made is not None and made.get_gid() == style.LEGEND:
            style.legend(ax, fontsize=made.get_texts()[0].get_fontsize())
    for line in figure.findobj(Line2D):
        line.set_linewidth(factor * line.get_linewidth())
        line.set_markersize(factor * line.get_markersize())
    for points in figure.findobj(PathCollection):
        points.set_sizes(factor**2 * points.get_sizes())
