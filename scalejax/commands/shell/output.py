"""Where the answer of a verb goes: printed as text or Markdown while it comes, as csv, or gathered as one JSON document."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...core.errors import ScalejaxError, ScalejaxWarning
from ...core.version import __version__

if TYPE_CHECKING:
    from ...core.table import Table

# What terminals without these signs show instead.
_PLAIN = str.maketrans(
    {"–": "-", "—": "-", "−": "-", "∞": "inf", "²": "^2", "×": "x", "±": "+-", "…": "...", "≤": "<=", "≥": ">=", "≈": "~", "’": "'"}
)


def format_options(parser: argparse.ArgumentParser) -> None:
    """How an answer is printed."""
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", dest="form", action="store_const", const="json", help="print one JSON document: answer, tables, warnings")
    forms.add_argument("--csv", dest="form", action="store_const", const="csv", help="print the first table as csv, numbers in full")
    forms.add_argument("--markdown", dest="form", action="store_const", const="markdown", help="print Markdown")
    parser.set_defaults(form="text")


class Output:
    """What a verb has said so far.

    Args:
        verb: its name.
        form: "text", "markdown", "csv" or "json".
        worded: puts messages into the language of the command line.
    """

    def __init__(self, verb: str, form: str = "text", worded: Callable[[str], str] = str) -> None:
        self.verb, self.form, self.worded = verb, form, worded
        self.answer: Any = None
        self.tables: list[Table] = []
        self.warnings: list[dict[str, str]] = []
        self.files: list[str] = []

    def line(self, text: str) -> None:
        """A line for readers, which programs do not need."""
        if self.form in ("text", "markdown"):
            emit(text)

    def text(self, text: str) -> None:
        """A text that is the answer itself, such as a csv; in JSON it is the answer, too."""
        if self.form == "json":
            self.answer = {"text": text}
        else:
            emit(text, end="")

    def show(self, answer: Any, table: Table | None = None) -> None:
        """A result with a table, or a table alone."""
        from ...core.table import Table

        table = table or (answer if isinstance(answer, Table) else answer.table())
        if self.answer is None:
            self.answer = answer.to_dict()
        first = not self.tables
        self.tables.append(table)
        if self.form in ("text", "markdown"):
            emit(("" if first else "\n") + (table.text() if self.form == "text" else table.markdown()))
        elif self.form == "csv" and first:
            emit(table.csv(), end="")

    def listing(self, header: list[str], found: Sequence[tuple[str, ...]]) -> None:
        """Rows of texts, printed in columns."""
        self.answer = [dict(zip(header, row, strict=True)) for row in found]
        widths = [max(len(row[i]) for row in found) for i in range(len(header))]
        self.line(f"{len(found)} {self.verb}: {', '.join(header)}")
        for row in found:
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        self.rows(header, found)

    def rows(self, header: list[str], found: Sequence[tuple[str, ...]]) -> None:
        """Rows of texts for --csv alone."""
        if self.form == "csv":
            import csv

            csv.writer(sys.stdout, lineterminator="\n").writerows([header, *found])

    def wrote(self, path: Any, then: str = "") -> None:
        """A file that was written, and what to do next."""
        self.files.append(str(path))
        self.line(f"saved {path}" + (f"; next: {then}" if then else ""))

    def warn(self, message: Warning | str, category: type[Warning]) -> None:
        """A warning, said on standard error and kept for JSON."""
        code, severity = (message.code, message.severity) if isinstance(message, ScalejaxWarning) else (category.__name__, "warning")
        said = self.worded(str(message))
        self.warnings.append({"code": code, "severity": severity, "message": said})
        emit(f"note: {said}", file=sys.stderr)

    def fail(self, error: ScalejaxError) -> None:
        """The end of a verb that has no answer: one sentence on standard error."""
        said = self.worded(str(error))
        emit(f"scalejax: {said}", file=sys.stderr)
        self.close({"error": {"type": type(error).__name__, "message": said}})

    def close(self, ending: dict[str, Any] | None = None) -> None:
        """The document, if it is JSON that is wanted."""
        if self.form != "json":
            return
        from ...core.table import Note, noted

        coded = [noted(note) for table in self.tables for note in table.notes if isinstance(note, Note)]
        document = {"scalejax": __version__, "verb": self.verb, **(ending or {"answer": self.answer})}
        document |= {"tables": [t.to_dict() for t in self.tables], "warnings": [*self.warnings, *coded], "files": self.files}
        emit(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1))


def emit(text: str, *, end: str = "\n", file: Any = None) -> None:
    """Print, with other signs where the terminal's encoding lacks some."""
    file = file or sys.stdout
    encoding = getattr(file, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        text = text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    print(text, end=end, file=file)


def picture(draw: Callable[[], Any], options: argparse.Namespace) -> None:
    """Save what `draw` draws if --plot asks for it."""
    if getattr(options, "plot", None):
        from ...reporting.figures import save

        options.output.wrote(save(draw, options.plot))
