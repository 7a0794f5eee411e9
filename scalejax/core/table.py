"""One table model, rendered as text, Markdown, HTML and LaTeX."""

from __future__ import annotations

import csv
import html
import io
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, fields
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from .edge.public import edged
from .errors import ScalejaxError
from .forms import inert

_SHORT = 8  # values that are shown one by one
_FEW = 2  # rows that are printed rather than counted


class Cell(str):
    """The text of a cell that knows what it shows: a number, or the (low, high) of an interval."""

    value: float | tuple[float, float]

    def __new__(cls, text: str, value: float | tuple[float, float]) -> Cell:
        cell = super().__new__(cls, text)
        cell.value = value
        return cell


class Note(str):
    """A line beside a table that programs can tell by its code, such as "extrapolation", and its severity: info, warning or error."""

    code: str
    severity: str

    def __new__(cls, text: str, code: str, severity: str = "warning") -> Note:
        note = super().__new__(cls, text)
        note.code, note.severity = code, severity
        return note


def number(value: Any, digits: int = 5) -> Cell:
    """A number as a person writes it: 5 significant digits, no exponent where none is needed."""
    value = math.nan if value is None else float(value)
    return Cell(_written(value, digits), value)


def _written(value: float, digits: int) -> str:
    if math.isnan(value):
        return "—"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e6:
        decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
        return f"{value:.{decimals}f}"
    return f"{value:.{digits - 1}e}"


def formatted(value: Any, form: str) -> Cell:
    """A number in a format of Python's: formatted(1.2345e21, ".3g"); "%" forms have a blank before the sign."""
    text = f"{float(value):{form}}"
    return Cell(text.replace("%", " %"), float(value))


def percent(share: Any, digits: int = 3) -> Cell:
    """A share in per cent; with digits=0 in whole ones."""
    return Cell(f"{100 * float(share):.{digits}{'g' if digits else 'f'}} %", float(share))


def span(low: Any, high: Any, digits: int = 5) -> Cell:
    """An interval: low – high."""
    return Cell(f"{number(low, digits)} – {number(high, digits)}", (float(low), float(high)))


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; the first column is text, the others are numbers by nature and aligned right.

    Texts are inert in every form: what stands in a name is shown, and neither ends a cell nor runs.

    Args:
        header: names of the columns.
        rows: cells, already formatted; those made by `number`, `formatted` and `span` carry their values along.
        title, notes: lines above and below.
        ends: how many rows of a long table are printed from its beginning and from its end; None for all. Values are always those of all.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    notes: Sequence[str] = ()
    ends: tuple[int, int] | None = None

    def text(self) -> str:
        """Plain text with aligned columns."""
        cells = [[inert.line(cell) for cell in row] for row in [self.header, *self._printed]]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.header))]
        lines = [inert.line(self.title)] if self.title else []
        for row in cells:
            first = row[0].ljust(widths[0])
            lines.append("  ".join([first, *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]).rstrip())
        return "\n".join([*lines, *map(inert.line, self.notes)])

    def markdown(self) -> str:
        """GitHub-flavoured Markdown."""
        head, *body = ("| " + " | ".join(map(inert.markdown, row)) + " |" for row in [self.header, *self._printed])
        rule = "|" + "|".join([" --- "] + [" ---: "] * (len(self.header) - 1)) + "|"
        title = [f"**{inert.markdown(self.title)}**", ""] if self.title else []
        notes = ["", *map(inert.markdown, self.notes)] if self.notes else []
        return "\n".join([*title, head, rule, *body, *notes])

    def html(self) -> str:
        """An HTML table."""
        head = "".join(f"<th scope='col'>{html.escape(cell)}</th>" for cell in self.header)
        body = "".join(
            "<tr>" + f"<th scope='row'>{html.escape(row[0])}</th>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:]) + "</tr>"
            for row in self._printed
        )
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        notes = "".join(f"<p class='note'>{html.escape(note)}</p>" for note in self.notes)
        return f"<div class='table'><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{notes}"

    def latex(self) -> str:
        """A LaTeX tabular with booktabs rules."""
        lines = [" & ".join(map(inert.latex, row)) + r" \\" for row in [self.header, *self._printed]]
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

    @property
    def _printed(self) -> Sequence[Sequence[str]]:
        first, last = self.ends or (len(self.rows), 0)
        left = len(self.rows) - first - last
        if left <= _FEW:
            return self.rows
        between = [f"… {left} more", *[""] * (len(self.header) - 1)]
        return [*self.rows[:first], between, *self.rows[len(self.rows) - last :]]

    def columns(self) -> dict[str, list[Any]]:
        """Values by column: numbers in full, NaN where a column of numbers is empty, texts as they are shown.

        An interval is two columns, "N low 90 %" and "N high 90 %", named after what stands before it.
        """
        found: dict[str, list[Any]] = {}
        before = ""
        for i, name in enumerate(self.header):
            cells = [row[i] for row in self.rows]
            level = _LEVEL.fullmatch(name)
            before = before if level else name
            if any(isinstance(cell, Cell) and isinstance(cell.value, tuple) for cell in cells):
                pairs = [cell.value if isinstance(cell, Cell) and isinstance(cell.value, tuple) else (math.nan, math.nan) for cell in cells]
                parts = {
                    f"{before} {end} {level[1] if level else ''}": list(side)
                    for end, side in zip(("low", "high"), zip(*pairs, strict=True), strict=True)
                }
            else:
                values = [_value(cell) for cell in cells]
                parts = {f"{before} {level[1]}" if level else name: values if None not in values else [_own(cell) for cell in cells]}
            for label, column in parts.items():
                found[_unused(label.strip() or ("name" if i == 0 else "remark"), found)] = column
        return found

    def records(self) -> list[dict[str, Any]]:
        """A mapping from column to value for every row, in the types of JSON."""
        columns = self.columns()
        return [{name: plain_value(column[i]) for name, column in columns.items()} for i in range(len(self.rows))]

    def csv(self) -> str:
        """The values as csv: numbers in full, empty where there is none; without title and notes."""
        return csv_of(self.columns())

    def to_dict(self) -> dict[str, Any]:
        """Title, rows as mappings and notes in the types of JSON; a note with a code is a mapping with "code", "severity", "message"."""
        return {"title": self.title, "rows": self.records(), "notes": [noted(note) for note in self.notes]}

    def to_pandas(self) -> Any:
        """A pandas data frame of `columns()`: numbers in full, intervals as two columns; needs pandas."""
        return frame(self.columns())

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


_LEVEL = re.compile(r"(?:.*, )?([\d.]+ %)")  # a header of intervals, which belong to the column before


def csv_of(columns: Mapping[str, Any]) -> str:
    """Columns of equal lengths as csv, NaN as an empty cell."""
    rows = zip(*(np.asarray(column, object).tolist() for column in columns.values()), strict=True)
    cells = ([*columns], *(["" if isinstance(value, float) and math.isnan(value) else value for value in row] for row in rows))
    return "".join(map(_csv_line, cells))


def _csv_line(cells: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)  # by which cells with either sign are quoted
    return out.getvalue().removesuffix("\r\n") + "\n"


def frame(columns: Mapping[str, Any]) -> Any:
    """A pandas data frame.

    Raises:
        ScalejaxError: if pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise ScalejaxError("A data frame needs pandas; install it with pip install pandas, or take table().columns().") from None
    return pandas.DataFrame(columns)


def noted(note: str) -> str | dict[str, str]:
    """A note as JSON holds it."""
    return {"code": note.code, "severity": note.severity, "message": str(note)} if isinstance(note, Note) else str(note)


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    """The name, or the first of "name 2", "name 3", ... that is free."""
    return next(label for n in itertools.count(1) if (label := name if n == 1 else f"{name} {n}") not in taken)


def _value(cell: str) -> float | int | None:
    """The number that a cell shows, NaN where it is empty; None for a text."""
    if isinstance(cell, Cell):
        return cell.value if isinstance(cell.value, float) else None
    if cell in _EMPTY:
        return _EMPTY[cell]
    text, share = cell.replace(",", ""), 100 if cell.endswith(" %") else 1
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text.removesuffix(" %")) / share
    except ValueError:
        return None


def _own(cell: str) -> float | str:
    """The value of a cell of a column of texts, the number if it is made of one."""
    return cell.value if isinstance(cell, Cell) and isinstance(cell.value, float) else str(cell)


_EMPTY = {"": math.nan, "—": math.nan, "∞": math.inf, "-∞": -math.inf}


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

        NaN is None and infinity "Infinity", which JSON lacks. Data, laws and compiled problems are left out.
        """
        named = {f.name: plain_value(getattr(self, f.name)) for f in fields(self) if f.name not in self._BULKY and f.name[0] != "_"}
        out = {name: value for name, value in named.items() if value is not _OTHER}
        try:
            limits = plain_value(getattr(self, "interval", dict)())
        except ScalejaxError:  # there are no draws
            limits = {}
        return out | ({"interval": limits} if limits else {})

    def to_pandas(self, **options: Any) -> Any:
        """The table as a pandas data frame of numbers in full, intervals as two columns; needs pandas.

        Args:
            **options: as `table` takes them, such as level=0.8.
        """
        return self.table(**options).to_pandas()

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
    """A value in the types of JSON, NaN as None and infinity as "Infinity", or `_OTHER`."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):  # JSON has neither
        return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Note):
        return noted(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Shown):
        return value.to_dict()
    if isinstance(value, np.ndarray | np.generic):
        finite = value.dtype.kind != "f" or np.isfinite(value).all()
        return value.tolist() if finite and value.dtype.kind != "O" else plain_value(value.tolist())
    if isinstance(value, Mapping):
        parts = {str(k): plain_value(v) for k, v in value.items()}
        return _OTHER if any(part is _OTHER for part in parts.values()) else parts
    if isinstance(value, list | tuple):
        items = [plain_value(v) for v in value]
        return _OTHER if any(item is _OTHER for item in items) else items
    return _OTHER


def _said(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, bool | str) or value is None:
        return str(value)
    if isinstance(value, int):
        return Cell(str(value), float(value))
    if isinstance(value, Mapping):
        return ", ".join(map(str, value)) or "none"
    array = np.asarray(value) if isinstance(value, float | list | tuple | np.ndarray | np.generic) else None
    if array is None:  # what prints in lines of its own is named only
        return type(value).__name__
    if array.dtype.kind in "fiu" and array.size == 1:
        return number(array.item())
    if array.dtype.kind not in "fiub" or array.size <= _SHORT:
        return ", ".join(number(v) if array.dtype.kind in "fiu" else str(v) for v in array.ravel()[:_SHORT]) + ", …" * (array.size > _SHORT)
    shape = " x ".join(map(str, array.shape))
    return f"{shape} values from {number(np.nanmin(array), 4)} to {number(np.nanmax(array), 4)}"
