"""Axes to SVG and PNG, without windows, one thread at a time, and with Matplotlib's settings as they were before."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from ..core.errors import DataError
from ..core.files import write_bytes
from ..core.lazy import whole
from .plots.style import unregistered

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DRAWING = RLock()
READABLE = 12.5  # size of letters in points on a picture 460 wide: a phone shows three quarters of it


def drawn(draw: Callable[[], Axes]) -> Axes:
    """The axes that `draw` returns, with letters that are large enough for a phone."""
    with _alone({"font.size": READABLE}), unregistered():
        return draw()


@contextmanager
def _alone(settings: Mapping[str, Any]) -> Iterator[None]:
    """Matplotlib with these settings, which are those of the whole process; nobody else here draws meanwhile, and no other is touched."""
    matplotlib = whole("matplotlib")
    with _DRAWING:
        before = {name: matplotlib.rcParams[name] for name in settings}
        try:
            matplotlib.rcParams.update(settings)
            yield
        finally:
            matplotlib.rcParams.update(before)


def _figure(ax: Axes) -> Figure:
    """The whole figure, for axes of a part of one too."""
    from matplotlib.figure import Figure

    return ax.figure if isinstance(ax.figure, Figure) else ax.figure.figure


def svg(ax: Axes, prefix: str, caption: str) -> str:
    """The figure of these axes as an SVG element for an HTML page.

    Args:
        ax: the axes.
        prefix: put before every id, so that several pictures can share a page.
        caption: id of the element that says what is seen.
    """
    buffer = io.StringIO()
    # text stays text; the same picture gives the same bytes
    with _alone({"svg.fonttype": "none", "svg.hashsalt": "scalejax"}):
        _figure(ax).savefig(buffer, format="svg", metadata={"Date": None})
    text = re.sub(r"<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.DOTALL)
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'href="#', f'href="#{prefix}-', text)
    text = text.replace("url(#", f"url(#{prefix}-")
    text = re.sub(r"'[^']*'(?:, (?:'[^']*'|[\w-]+))*, sans-serif", "sans-serif", text)  # no list of fonts at every word
    text = re.sub(r' (?:d|x|y)="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text)  # finer than any screen
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt" ', "", text, count=1)  # the page decides on the size
    return text.replace("<svg ", f'<svg role="img" aria-labelledby="{caption}" ', 1).strip()


def png(ax: Axes) -> bytes:
    """The figure of these axes as a PNG of twice the screen's resolution."""
    buffer = io.BytesIO()
    with _alone({}):
        _figure(ax).savefig(buffer, format="png", dpi=160)
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
    with _alone({}), unregistered():
        _figure(draw()).savefig(buffer, format=kind, dpi=160)
    return write_bytes(path, buffer.getvalue())
