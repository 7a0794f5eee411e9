"""A page is sections of blocks; it is written as one HTML file, or as Markdown with pictures beside it."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from ..core.table import Table
from . import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Block(Protocol):
    """What a page is made of. A block with a program of its own has it as `script`."""

    def html(self, name: str) -> str:
        """As HTML; `name` starts every id in it."""

    def markdown(self, name: str, pictures: dict[str, bytes]) -> str:
        """As Markdown; pictures are added by path."""


@dataclass(frozen=True)
class Text:
    """Paragraphs."""

    paragraphs: Sequence[str]

    def html(self, name: str) -> str:
        return "".join(f"<p>{html.escape(p)}</p>" for p in self.paragraphs)

    def markdown(self, name: str, pictures: dict[str, bytes]) -> str:
        return "\n\n".join(map(_markdown, self.paragraphs))


@dataclass(frozen=True)
class Verdict(Text):
    """The paragraphs that come first, set apart; `care` if something went wrong."""

    care: bool = False

    def html(self, name: str) -> str:
        return f"<div class='verdict{' care' if self.care else ''}'>{super().html(name)}</div>"

    def markdown(self, name: str, pictures: dict[str, bytes]) -> str:
        return "\n>\n".join(f"> {_markdown(p)}" for p in self.paragraphs)


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]

    def html(self, name: str) -> str:
        return "<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in self.items) + "</ul>"

    def markdown(self, name: str, pictures: dict[str, bytes]) -> str:
        return "\n".join(f"- {_markdown(item)}" for item in self.items)


@dataclass(frozen=True)
class Facts:
    """Key numbers: what it is, its value, a remark."""

    facts: Sequence[tuple[str, str, str]]

    def html(self, name: str) -> str:
        cards = "".join(
            f"<div><dt>{html.escape(label)}</dt><dd><b>{html.escape(value)}</b><span>{html.escape(remark)}</span></dd></div>"
            for label, value, remark in self.facts
        )
        return f"<dl class='facts'>{cards}</dl>"

    def markdown(self, name: str, pictures: dict[str, bytes]) -> str:
        return "\n".join(f"- {_markdown(label)}: **{value}** ({_markdown(remark)})" for label, value, remark in self.facts)


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str

    def html(self, name: str) -> str:
        return f"<h3>{html.escape(self.text)}</h3>"

    def markdown(self, name: str, pictures: dict[str, bytes]) -> str:
        return f"### {_markdown(self.text)}"


@dataclass(frozen=True)
class Code:
    """Text as it stands, such as a formula."""

    text: str

    def html(self, name: str) -> str:
        return f"<pre>{html.escape(self.text)}</pre>"

    def markdown(self, name: str, pictures: dict[str, bytes]) -> str:
        return f"```\n{self.text}\n```"


@dataclass(frozen=True)
class Numbers:
    """A table; `words` if its cells are words rather than numbers."""

    table: Table
    words: bool = False

    def html(self, name: str) -> str:
        return f"<div class='words'>{self.table.html()}</div>" if self.words else f"<div class='numbers'>{_labelled(self.table)}</div>"

    def markdown(self, name: str, pictures: dict[str, bytes]) -> str:
        t = self.table
        return Table(_cells(t.header), [_cells(row) for row in t.rows], _markdown(t.title), [_markdown(n) for n in t.notes]).markdown()


@dataclass(frozen=True)
class Picture:
    """A plot, drawn when the page is written."""

    draw: Callable[[], Axes]
    caption: str

    def html(self, name: str) -> str:
        picture = figures.svg(figures.drawn(self.draw), name, f"{name}-caption")
        return f"<figure>{picture}<figcaption id='{name}-caption'>{html.escape(self.caption)}</figcaption></figure>"

    def markdown(self, name: str, pictures: dict[str, bytes]) -> str:
        picture = figures.png(figures.drawn(self.draw))
        path = f"{name}-{hashlib.sha256(picture).hexdigest()[:8]}.png"  # another picture has another name: see `report`
        pictures[path] = picture
        return f"![{_markdown(self.caption)}]({quote(path)})\n\n*{_markdown(self.caption)}*"


@dataclass(frozen=True)
class Details:
    """Blocks that are seen on demand."""

    summary: str
    blocks: Sequence[Any]

    def html(self, name: str) -> str:
        inside = "\n".join(block.html(f"{name}-{i}") for i, block in enumerate(self.blocks))
        return f"<details><summary>{html.escape(self.summary)}</summary>\n{inside}</details>"

    def markdown(self, name: str, pictures: dict[str, bytes]) -> str:
        parts = [f"#### {_markdown(self.summary)}"]
        return "\n\n".join([*parts, *(block.markdown(f"{name}-{i}", pictures) for i, block in enumerate(self.blocks))])


@dataclass(frozen=True)
class Section:
    """Blocks under a heading; the anchor is made from the heading."""

    heading: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The heading as an id."""
        return re.sub(r"[^a-z0-9]+", "-", self.heading.lower()).strip("-")


def to_html(title: str, sections: Sequence[Section]) -> str:
    """One self-contained HTML file. It may load nothing, and run no script but those of its own blocks: their hashes stand in its head."""
    css = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    links = "".join(f"<li><a href='#{s.anchor}'>{html.escape(s.heading)}</a></li>" for s in sections)
    body = "\n".join(
        f"<section id='{s.anchor}' aria-labelledby='{s.anchor}-title'><h2 id='{s.anchor}-title'>{html.escape(s.heading)}</h2>\n"
        + "\n".join(block.html(f"{s.anchor}-{i}") for i, block in enumerate(s.blocks))
        + "</section>"
        for s in sections
    )
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<meta http-equiv='Content-Security-Policy' content=\"{_policy(sections)}\">\n"
        f"<title>{html.escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        f"<header><h1>{html.escape(title)}</h1>\n<nav aria-label='Contents'><ul>{links}</ul></nav></header>\n"
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _policy(sections: Sequence[Section]) -> str:
    """What a browser may do with the page: nothing but show it, and run the programs of its blocks."""
    programs = [block.script for s in sections for block in s.blocks if hasattr(block, "script")]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(p.encode()).digest()).decode()}'" for p in programs]
    allowed = f"script-src {' '.join(hashes)}" if hashes else "script-src 'none'"
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; {allowed}; base-uri 'none'; form-action 'none'"


def _labelled(table: Table) -> str:
    """The table's HTML; cells know their column, for narrow screens, and intervals in brackets are set apart."""
    labels = [html.escape(name, quote=True) for name in table.header[1:]]
    count = 0

    def cell(match: re.Match[str]) -> str:
        nonlocal count
        label = labels[count % len(labels)]
        count += 1
        text = re.sub(r"^(\S+) (\(.+\))$", r"\1 <span class='ends'>\2</span>", match[1])
        return f"<td data-label='{label}'><span>{text}</span></td>"

    return re.sub(r"<td>(.*?)</td>", cell, table.html(), flags=re.DOTALL) if labels else table.html()


def to_markdown(title: str, sections: Sequence[Section], folder: str) -> tuple[str, dict[str, bytes]]:
    """Markdown, and its pictures by the path, inside `folder`, at which it expects them."""
    pictures: dict[str, bytes] = {}
    parts = [f"# {_markdown(title)}"]
    for s in sections:
        parts.append(f"## {_markdown(s.heading)}")
        parts += [block.markdown(f"{folder}/{s.anchor}-{i}", pictures) for i, block in enumerate(s.blocks)]
    return "\n\n".join(parts) + "\n", pictures


def _cells(row: Sequence[str]) -> list[str]:
    """Cells of a table of Markdown: no tag and no formula begins in them, and none breaks its row."""
    return [" ".join(cell.split()).replace("<", "&lt;").replace("$", r"\$") for cell in row]


def _markdown(text: str) -> str:
    """Text whose characters mean nothing to Markdown."""
    return re.sub(r"([\\*_<>`$\[\]])", r"\\\1", " ".join(text.split()))
