"""Axes to SVG and PNG, without windows and without global state."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import DataError
from ..core.files import write_bytes
from .plots.style import figure_of, scale_letters, unregistered

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

READABLE = 1.25  # times the usual letters, on a picture 460 points wide: a phone shows three quarters of it


def drawn(draw: Callable[[], Axes]) -> Axes:
    """The axes that `draw` returns, with letters that are large enough for a phone."""
    with unregistered():
        ax = draw()
    scale_letters(figure_of(ax), READABLE)
    return ax


def svg(ax: Axes, prefix: str, caption: str) -> str:
    """The figure of these axes as an SVG element for an HTML page.

    Args:
        ax: the axes.
        prefix: put before every id, so that several pictures can share a page.
        caption: id of the element that says what is seen.
    """
    text = _rendered(figure_of(ax))
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text[text.index("<svg") :]
    found = dict.fromkeys(re.findall(r'\bid="([^"]+)"', text))
    places = {name: f"{prefix}-{i}" for i, name in enumerate(found)}  # the same bytes every time
    text = re.sub(r'\bid="([^"]+)"', lambda m: f'id="{places[m[1]]}"', text)
    text = re.sub(r'(href="#|url\(#)([^")]+)', lambda m: m[1] + places[m[2]], text)
    text = re.sub(r"'[^']*'(?:, (?:'[^']*'|[\w-]+))*, sans-serif", "sans-serif", text)  # no list of fonts at every word
    text = re.sub(r' (?:d|x|y)="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text)  # finer than any screen
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt" ', "", text, count=1)  # the page decides on the size
    return text.replace("<svg ", f'<svg role="img" aria-labelledby="{caption}" ', 1).strip()


def _rendered(figure: Figure) -> str:
    """The SVG file of a figure whose text is text: what `svg.fonttype` would do, which all threads of a program share."""
    from matplotlib.backends.backend_svg import RendererSVG

    class Words(RendererSVG):
        def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
            self._draw_text_as_text(gc, x, y, s, prop, angle, ismath, mtext)

    figure.set_dpi(72)
    width, height = 72 * figure.get_size_inches()
    buffer = io.StringIO()
    renderer = Words(width, height, buffer, metadata={"Date": None})
    figure.draw(renderer)
    renderer.finalize()
    return buffer.getvalue()


def png(ax: Axes) -> bytes:
    """The figure of these axes as a PNG of twice the screen's resolution."""
    buffer = io.BytesIO()
    figure_of(ax).savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()


def save(draw: Callable[[], Axes], path: Path) -> Path:
    """Write the figure of the axes that `draw` returns, as its name says: .png, .svg or .pdf.

    Raises:
        DataError: if the name ends otherwise, or the folder cannot be written.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in ("png", "svg", "pdf"):
        raise DataError(f"A picture called {path.name} is of no known kind; end its name in .png, .svg or .pdf.")
    buffer = io.BytesIO()
    with unregistered():
        figure_of(draw()).savefig(buffer, format=kind, dpi=160)
    return write_bytes(path, buffer.getvalue())
