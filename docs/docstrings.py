"""Docstrings as Markdown: paragraphs as they are, indented blocks as formulas or code, sections as lists."""

from __future__ import annotations

import re
import textwrap

from notation import display

SECTION = re.compile(r"^(Args|Returns|Raises|Warns|Attributes|Example|Examples|References|Note|Notes|Symbols):\s*(.*)$")
TITLES = {"Args": "Arguments", "Examples": "Example"}


def markdown(text: str, *, formula: bool = True) -> str:
    """A docstring, cleaned of its indentation, as Markdown."""
    blocks = [block for block in re.split(r"\n\s*\n", text) if block.strip()]
    return "\n\n".join(_block(block, formula) for block in _merged(blocks))


def _merged(blocks: list[str]) -> list[str]:
    """Blocks whose section goes on after an empty line are one."""
    out: list[str] = []
    for block in blocks:
        goes_on = out and SECTION.match(out[-1].splitlines()[0]) and block.startswith("    ")
        if goes_on:
            out[-1] += "\n\n" + block
        else:
            out.append(block)
    return out


def _block(block: str, formula: bool) -> str:
    first = block.splitlines()[0]
    if match := SECTION.match(first):
        rest = "\n".join(block.splitlines()[1:])
        return _section(match[1], match[2], textwrap.dedent(rest) if rest.strip() else "")
    if all(line.startswith("    ") or not line.strip() for line in block.splitlines()):
        body = textwrap.dedent(block)
        if body.lstrip().startswith(">>>"):
            return f"```python\n{body.strip()}\n```"
        return f"```{{math}}\n{display(body.splitlines())}\n```" if formula and _is_formula(body) else f"```text\n{body.rstrip()}\n```"
    return escaped(block)


def _is_formula(body: str) -> bool:
    words = re.findall(r"\b[a-z]{4,}\b", body)
    return ("=" in body or "^" in body) and "`" not in body and len(words) <= 4 + 6 * len(body.splitlines())


def _section(name: str, inline: str, body: str) -> str:
    title = f"**{TITLES.get(name, name)}**"
    if name in ("Example", "Examples"):
        parts = [inline, *re.split(r"\n\s*\n", body)]
        return f"{title}\n\n" + "\n\n".join(_example(part) for part in parts if part.strip())
    if name in ("Args", "Attributes", "Raises", "Warns") and body:
        return f"{title}\n\n" + "\n".join(_item(entry) for entry in _entries(body))
    return f"{title}: " + escaped(" ".join([inline, *(line.strip() for line in body.splitlines())]).strip())


def _example(part: str) -> str:
    lines = part.strip().splitlines()
    code = lines[0].startswith((">>>", "...")) or not lines[-1].endswith((".", ":", "?"))
    return f"```python\n{part.strip()}\n```" if code else escaped(part)


def _entries(body: str) -> list[str]:
    out: list[str] = []
    for line in body.splitlines():
        if line.startswith("    ") and out:
            out[-1] += " " + line.strip()
        elif line.strip():
            out.append(line.strip())
    return out


def _item(entry: str) -> str:
    name, colon, text = entry.partition(":")
    return f"- `{name.strip()}`: {escaped(text.strip())}" if colon and len(name) < 80 else f"- {escaped(entry)}"


def escaped(text: str) -> str:
    """Markdown's own signs, as the letters they are in a docstring; code stays code."""
    parts = re.split(r"(`[^`\n]+`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<\[\]|$~{}])", r"\\\1", part) for part in parts)
