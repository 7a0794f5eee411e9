"""One table model, rendered as text, Markdown, HTML and LaTeX."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, fields
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from .edge import edged
from .errors import ScalejaxError

_SHORT = 8  # values that are shown one by one


def number(value: Any, digits: int = 5) -> str:
    """A number as a person writes it: 5 significant digits, no exponent where none is needed."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "—"
    value = float(value)
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e6:
        decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
        return f"{value:.{decimals}f}"
    return f"{value:.{digits - 1}e}"


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; the first column is text, the others are numbers by nature and aligned right.

    Args:
        header: names of the columns.
        rows: cells, already formatted.
        title, notes: lines above and below.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    notes: Sequence[str] = ()

    def text(self) -> str:
        """Plain text with aligned columns."""
        cells = [list(self.header), *(list(row) for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.header))]
        lines = [self.title] if self.title else []
        for row in cells:
            first = row[0].ljust(widths[0])
            lines.append("  ".join([first, *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]).rstrip())
        return "\n".join([*lines, *self.notes])

    def markdown(self) -> str:
        """GitHub-flavoured Markdown."""
        head = "| " + " | ".join(self.header) + " |"
        rule = "|" + "|".join([" --- "] + [" ---: "] * (len(self.header) - 1)) + "|"
        body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in self.rows]
        title = [f"**{self.title}**", ""] if self.title else []
        notes = ["", *self.notes] if self.notes else []
        return "\n".join([*title, head, rule, *body, *notes])

    def html(self) -> str:
        """An HTML table."""
        head = "".join(f"<th scope='col'>{html.escape(cell)}</th>" for cell in self.header)
        body = "".join(
            "<tr>" + f"<th scope='row'>{html.escape(row[0])}</th>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:]) + "</tr>"
            for row in self.rows
        )
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        notes = "".join(f"<p class='note'>{html.escape(note)}</p>" for note in self.notes)
        return f"<div class='table'><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{notes}"

    def latex(self) -> str:
        """A LaTeX tabular with booktabs rules."""
        lines = [" & ".join(_tex(cell) for cell in row) + r" \\" for row in [self.header, *self.rows]]
        columns = "l" + "r" * (len(self.header) - 1)
        return "\n".join(
            [
                rf"\begin{{tabular}}{{{columns}}}",
                r"\toprule",
                lines[0],
                r"\midrule",
                *lines[1:],
                r"\bottomrule",
                r"\end{tabular}",
            ]
        )

    def to_pandas(self) -> Any:
        """A pandas data frame of the cells: numbers where a column holds nothing else, texts as they are shown."""
        import pandas

        head: list[str] = []
        for name in self.header:  # intervals stand beside what they belong to, under equal names
            head.append(f"{head[-1]} {name}" if name in head else name)
        frame = pandas.DataFrame([list(row) for row in self.rows], columns=head)
        for i, name in enumerate(head):
            values = [_parsed(row[i]) for row in self.rows]
            if values and None not in values:
                frame[name] = values
        return frame

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


def _parsed(cell: str) -> float | None:
    """The number that a cell shows, NaN where it is empty; None for a text."""
    special = {"": math.nan, "—": math.nan, "∞": math.inf, "-∞": -math.inf}
    try:
        return special[cell] if cell in special else float(cell.replace(",", ""))
    except ValueError:
        return None


def _tex(cell: str) -> str:
    for old, new in (
        ("\\", r"\textbackslash{}"),
        ("_", r"\_"),
        ("%", r"\%"),
        ("&", r"\&"),
        ("#", r"\#"),
        ("∞", r"$\infty$"),
        ("—", "--"),
    ):
        cell = cell.replace(old, new)
    return cell


def entry(name: str, index: tuple[int | str, ...]) -> str:
    """Name of one number of a parameter: "E", "t[0]", "A[1, 2]"."""
    return name + (f"[{', '.join(map(str, index))}]" if index else "")


class Shown:
    """A result that prints as its table; as a dataclass it is declared with repr=False, which would print raw arrays.

    The table of a result that has none of its own is a row for every field.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]  # every result is a dataclass
    _BULKY: ClassVar[frozenset[str]] = frozenset({"draws", "theta"})

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        edged(cls)

    def table(self) -> Table:
        """A row for every field: numbers, short arrays, ranges of long ones."""
        return Table(["", type(self).__name__], [[f.name, _said(getattr(self, f.name))] for f in fields(self)])

    def to_dict(self) -> dict[str, Any]:
        """What can be written as JSON: numbers, texts and arrays by name, and with draws the 90 % "interval" instead of them.

        Data, laws and compiled problems are left out.
        """
        named = {f.name: plain_value(getattr(self, f.name)) for f in fields(self) if f.name not in self._BULKY and f.name[0] != "_"}
        out = {name: value for name, value in named.items() if value is not _OTHER}
        try:
            limits = plain_value(getattr(self, "interval", dict)())
        except ScalejaxError:  # there are no draws
            limits = {}
        return out | ({"interval": limits} if limits else {})

    def to_pandas(self) -> Any:
        """The table as a pandas data frame; needs pandas."""
        return self.table().to_pandas()

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


class Named:
    """A result whose `values` are attributes, `found.best`, and entries, `found["best"]`."""

    values: Mapping[str, Any]
    _HOLDERS: ClassVar[tuple[str, ...]] = ("values",)  # fields that hold values by name

    def __getattr__(self, name: str) -> Any:
        for held in self._HOLDERS:
            if name in self.__dict__.get(held, ()):
                return self.__dict__[held][name]
        raise AttributeError(f"This result has no {name!r}; it has {', '.join(self.__dict__.get('values', ()))}.")

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for held in self._HOLDERS for name in getattr(self, held))})


@dataclass(frozen=True, eq=False, repr=False)
class Computed(Named, Shown):
    """Values that a function computes, by name.

    Attributes:
        values: name to a number, a text or an array. title: what was computed.
    """

    values: Mapping[str, Any]
    title: str = ""

    def table(self) -> Table:
        """A row for every value."""
        return Table(["", "value"], [[name, _said(value)] for name, value in self.values.items()], title=self.title)

    def to_dict(self) -> dict[str, Any]:
        """Name to plain value."""
        return {name: plain_value(value) for name, value in self.values.items() if name not in self._BULKY}


_OTHER = object()  # what is no plain value


def plain_value(value: Any) -> Any:
    """A value in the types of JSON, or `_OTHER`."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Shown):
        return value.to_dict()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        parts = {str(k): plain_value(v) for k, v in value.items()}
        return _OTHER if any(part is _OTHER for part in parts.values()) else parts
    if isinstance(value, list | tuple):
        items = [plain_value(v) for v in value]
        return _OTHER if any(item is _OTHER for item in items) else items
    return _OTHER


def _said(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, bool | str | int) or value is None:
        return str(value)
    if isinstance(value, Mapping):
        return ", ".join(map(str, value)) or "none"
    array = np.asarray(value) if isinstance(value, float | list | tuple | np.ndarray | np.generic) else None
    if array is None:  # what prints in lines of its own is named only
        return type(value).__name__
    if array.dtype.kind not in "fiub" or array.size <= _SHORT:
        return ", ".join(number(v) if array.dtype.kind in "fiu" else str(v) for v in array.ravel()[:_SHORT]) + ", …" * (array.size > _SHORT)
    shape = " x ".join(map(str, array.shape))
    return f"{shape} values from {number(np.nanmin(array), 4)} to {number(np.nanmax(array), 4)}"
