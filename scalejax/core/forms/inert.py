"""Texts that nobody vouches for, such as names of groups, made inert: they are shown as they are and do nothing else."""

from __future__ import annotations

import re

# What would end a line or change the terminal: controls, separators of lines, and marks that turn the direction of writing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_MARKDOWN = re.compile(r"[\\`*{}<>|$~^#]|(?<![^\W_])_|_(?![^\W_])|(?<=\])\(|&(?=[#\w]+;)|!(?=\[)")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_LATEX = {
    "\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\textquotedbl{}", "∞": r"$\infty$", "–": "--", "—": "---", "×": r"$\times$", "±": r"$\pm$", "²": r"$^2$", "≤": r"$\leq$",
    "≥": r"$\geq$", "≈": r"$\approx$", "−": r"$-$", "…": r"\ldots{}",
}  # fmt: skip
_SPECIAL = re.compile("|".join(map(re.escape, _LATEX)))


def line(text: str) -> str:
    """One line of plain text: controls and line breaks become a blank."""
    return _CONTROL.sub(" ", text)


def markdown(text: str) -> str:
    """GitHub-flavoured Markdown, also within a table: no markup, no mathematics, no HTML."""
    return _MARKDOWN.sub(lambda m: _ENTITIES.get(m[0], "\\" + m[0]), line(text))


def latex(text: str) -> str:
    r"""LaTeX: no command and no mathematics but for signs that text fonts lack."""
    return _SPECIAL.sub(lambda m: _LATEX[m[0]], line(text))
