"""Pictures for the browser: axes of Matplotlib as a chart of Altair, in which a run tells its name under the pointer."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import DataError, FitError
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENGINES = ("matplotlib", "altair")
_NAMES = "_scalejax_names"  # of the runs behind a collection of points


def engines(draw: Callable[..., Axes]) -> Callable[..., Any]:
    """Give a picture the argument `engine`: "altair" returns an interactive chart of the same marks."""

    @functools.wraps(draw)
    def drawn(*args: Any, engine: str = "matplotlib", **options: Any) -> Any:
        if engine not in ENGINES:
            raise FitError(f"engine={engine!r} must be one of {', '.join(map(repr, ENGINES))}.")
        if engine == "matplotlib":
            return draw(*args, **options)
        with style.unregistered():
            return chart(draw(*args, **options))

    signature = inspect.signature(draw)
    extra = inspect.Parameter("engine", inspect.Parameter.KEYWORD_ONLY, default="matplotlib", annotation="str")
    others = list(signature.parameters.values())
    place = next((i for i, p in enumerate(others) if p.kind is p.VAR_KEYWORD), len(others))
    drawn.__signature__ = signature.replace(parameters=[*others[:place], extra, *others[place:]])  # type: ignore[attr-defined]
    drawn.__doc__ = (
        (draw.__doc__ or "")
        .replace(
            "\n    Returns:\n        The axes.",
            '\n        engine: "altair" for a chart of Altair, where it is installed, in which the pointer tells the name of a run.'
            "\n\n    Returns:\n        The axes, or the chart.",
        )
        .replace("\n\n        engine:", "\n        engine:")
    )
    return drawn


def named(points: Any, names: Sequence[str]) -> None:
    """Say which runs the points of a collection are."""
    setattr(points, _NAMES, list(names))


def chart(ax: Axes) -> Any:
    """Lines, points and bands of these axes as a layered chart of Altair; x and y can be moved and enlarged.

    Raises:
        DataError: if Altair is not installed, or the axes hold what has no counterpart, such as filled contours.
    """
    try:
        import altair
    except ImportError:
        raise DataError("engine='altair' needs Altair; install it with pip install altair, or leave engine= out.") from None
    from matplotlib.collections import LineCollection, PathCollection, PolyCollection
    from matplotlib.contour import ContourSet

    if any(isinstance(child, ContourSet) for child in ax.get_children()):
        raise DataError("This picture has contours, which engine='altair' cannot show; leave engine= out.")
    make, layers = _Marks(altair, ax), []
    for band in (c for c in ax.collections if isinstance(c, PolyCollection)):
        layers += make.band(band)
    for line in ax.lines:
        layers += make.line(line)
    for lines in (c for c in ax.collections if isinstance(c, LineCollection)):
        layers += make.segments(lines)
    for points in (c for c in ax.collections if isinstance(c, PathCollection)):
        layers += make.points(points)
    if not layers:
        raise DataError("This picture has no lines, points or bands for engine='altair' to show; leave engine= out.")
    return altair.layer(*layers).properties(width=560, height=380).resolve_scale(color="independent").interactive()


class _Marks:
    """Artists of Matplotlib as marks of Altair on the axes' scales."""

    def __init__(self, altair: Any, ax: Axes) -> None:
        self.alt, self.ax = altair, ax
        self.x, self.y = self._axis("x"), self._axis("y")
        self.number = 0

    def _axis(self, which: str) -> dict[str, Any]:
        scale = getattr(self.ax, f"get_{which}scale")()
        low, high = (float(v) for v in getattr(self.ax, f"get_{which}lim")())
        kind = "log" if scale == "log" else "linear"
        limits = {"type": kind, "domain": sorted((low, high)), "nice": False, "clamp": False, "reverse": low > high, "zero": False}
        label = getattr(self.ax, f"get_{which}label")().replace(r"\$", "$")
        top, expression = max(abs(low), abs(high)), "replace(format(datum.value, '~s'), 'G', 'B')"  # billions, as people say them
        axis = self.alt.Axis(format="~e") if top >= 1e15 else self.alt.Axis(labelExpr=expression) if top >= 1e4 else self.alt.Axis()
        return {"scale": self.alt.Scale(**limits), "title": label, "axis": axis}

    def _place(self, field: str, which: str) -> Any:
        return getattr(self.alt, which.upper())(f"{field}:Q", **(self.x if which == "x" else self.y))

    def _base(self, rows: list[dict[str, Any]]) -> Any:
        self.number += 1
        return self.alt.Chart(self.alt.Data(values=rows, name=f"marks{self.number}"))

    def _data(self, points: np.ndarray, transform: Any) -> np.ndarray:
        """Places in data, of artists that are placed by other means, such as lines across the axes."""
        if transform is not None and transform != self.ax.transData:
            points = self.ax.transData.inverted().transform(transform.transform(points))
        return points

    def line(self, line: Any) -> list[Any]:
        x, y = (np.asarray(v, dtype=float) for v in line.get_data())
        if not len(x):
            return []
        places = self._data(np.stack([x, y], axis=1), line.get_transform())
        rows, label = _rows(places), _label(line)
        dash = [6, 4] if line.get_linestyle() == "--" else [2, 3] if line.get_linestyle() == ":" else [1, 0]
        layers, colour = [], _hex(line.get_color())
        tips = [self.alt.Tooltip("label:N", title=" ")] if label else []
        for row in rows:
            row["label"] = label
        if line.get_linestyle() not in ("None", "", " "):
            mark = self._base(rows).mark_line(color=colour, strokeWidth=float(line.get_linewidth()), strokeDash=dash, clip=True)
            layers.append(mark.encode(self._place("x", "x"), self._place("y", "y"), order="i:Q", **({"tooltip": tips} if tips else {})))
        if line.get_marker() not in ("None", "", " ", None):
            names = getattr(line, _NAMES, None)
            layers.append(self._circles(rows, [colour] * len(rows), 1.4 * float(line.get_markersize()) ** 2, names))
        return layers

    def points(self, points: Any) -> list[Any]:
        places: np.ndarray = np.ma.filled(np.ma.asarray(points.get_offsets(), dtype=float), np.nan)
        colours = points.get_facecolor() if points.get_array() is None else points.to_rgba(points.get_array())
        colours = [_hex(c) for c in np.broadcast_to(np.atleast_2d(colours), (len(places), 4))]
        rows = _rows(places)
        for row in rows:
            row["label"] = _label(points)
        sizes = points.get_sizes()
        return [self._circles(rows, colours, 2.5 * float(sizes[0]) if len(sizes) else 40.0, getattr(points, _NAMES, None))] if rows else []

    def _circles(self, rows: list[dict[str, Any]], colours: list[str], size: float, names: Sequence[str] | None) -> Any:
        for row in rows:
            row["colour"] = colours[row["i"]]
            row["run"] = str(names[row["i"]]) if names is not None else row.get("label", "")
        tips = [self.alt.Tooltip("run:N"), self.alt.Tooltip("x:Q", title=self.x["title"], format=".4g"),
                self.alt.Tooltip("y:Q", title=self.y["title"], format=".4g")]  # fmt: skip
        mark = self._base(rows).mark_circle(size=size, opacity=0.85, clip=True)
        return mark.encode(self._place("x", "x"), self._place("y", "y"), color=self.alt.Color("colour:N", scale=None), tooltip=tips)

    def band(self, band: Any) -> list[Any]:
        layers = []
        for path in band.get_paths():
            places = self._data(np.asarray(path.vertices, dtype=float), band.get_transform())
            edges = _edges(places)
            if edges is None:
                continue
            rows = [{"x": float(x), "low": float(a), "high": float(b)} for x, a, b in edges if np.isfinite([x, a, b]).all()]
            colour = np.atleast_2d(band.get_facecolor())[0]
            mark = self._base(rows).mark_area(color=_hex(colour), opacity=float(colour[3]), clip=True)
            layers.append(mark.encode(self._place("x", "x"), self._place("low", "y"), y2="high:Q"))
        return layers

    def segments(self, lines: Any) -> list[Any]:
        layers = []
        for places in lines.get_segments():
            rows = _rows(np.asarray(places, dtype=float))
            mark = self._base(rows).mark_line(color=_hex(np.atleast_2d(lines.get_color())[0]), strokeWidth=1.5, opacity=0.6, clip=True)
            layers.append(mark.encode(self._place("x", "x"), self._place("y", "y"), order="i:Q"))
        return layers


def _rows(places: np.ndarray) -> list[dict[str, Any]]:
    return [{"i": i, "x": float(x), "y": float(y)} for i, (x, y) in enumerate(places) if math.isfinite(x) and math.isfinite(y)]


def _edges(places: np.ndarray) -> np.ndarray | None:
    """(x, low, high) of a band between two lines, from its outline; None for other shapes."""
    known = np.unique(places[:, 0])
    if len(known) < 2:
        return None
    return np.asarray([[x, *_ends(places[places[:, 0] == x, 1])] for x in known])


def _ends(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _label(artist: Any) -> str:
    text = str(artist.get_label())
    return "" if text.startswith("_") else text.replace(r"\$", "$").lstrip(style.HAIR)


def _hex(colour: Any) -> str:
    from matplotlib.colors import to_hex

    return str(to_hex(colour))
