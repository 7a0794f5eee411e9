"""Outliers and decisive runs in words."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from ...core.checks import rows_text
from ...core.table import number
from ..objective.groups import label
from ..request import Request
from ..uncertainty.residuals import share
from .outliers import Outliers

if TYPE_CHECKING:
    from ..result import Fit

_NAMED = 5
_NOTICED = 0.02  # relative change of a parameter that is told
_ENOUGH, _ALONE, _SHIFT = 4, 0.95, 2.5  # runs a parameter from which single runs should not decide: by leverage, by standard errors


def named(found: Outliers, on: str) -> str:
    """Which rows, and how far off each: "rows 4, 17 (+130 %, +360 %)"."""
    far = ", ".join(share(r, on) for r in found.residual[:_NAMED])
    return f"{rows_text(found.rows)} ({far}{', ...' if len(found) > _NAMED else ''})"


def typical_residual(found: Outliers, on: str) -> str:
    """The median absolute residual of the others in words."""
    return f"{100 * found.half:.2g} %" if on == "log" else f"{found.half:.3g}"


def one_group(request: Request, rows: np.ndarray) -> str:
    """A sentence if the outliers are all the runs with one value in some column: a value that was mistyped, say."""
    runs = request.runs
    for name in runs.names:
        column = runs[name]
        if name in request.law.outcomes or column.ndim > 1 or len(rows) < 2:
            continue
        same = column == column[rows[0]]
        if same[rows].all() and not (same & ~runs.excluded).sum() > len(rows):
            return f" They are all the runs with {name} = {label(column[rows[0]])}: check it."
    return ""


def compared(fit: Fit, without: Fit) -> str:
    """The parameters that differ noticeably without the outliers."""
    moved = []
    errors = without.standard_errors
    for name in fit.law.parameters:
        here, there, error = np.ravel(fit.params[name]), np.ravel(without.params[name]), np.ravel(errors[name])
        for i, (a, b) in enumerate(zip(here, there, strict=True)):
            place = next(itertools.islice(np.ndindex(np.shape(fit.params[name])), i, None))
            if abs(a - b) > _NOTICED * abs(b) or (np.isfinite(error[i]) and abs(a - b) > error[i]):
                moved.append(f"{name}{fit._index_text(name, place)} {number(b, 4)} instead of {number(a, 4)}")
    them = "it" if without.runs.used == fit.runs.used - 1 else "them"
    return f"Without {them}: {', '.join(moved[:8])}." if moved else f"Without {them} no parameter moves noticeably."


def decisive(found: Outliers, fit: Fit) -> list[str]:
    """Sentences for runs that decide the answer alone: of leverage near 1, or that move a parameter by several standard errors."""
    count, size = len(found.others), fit.request.layout.size
    if count < _ENOUGH * size:  # of few runs all decide
        return []
    sentences = []
    alone = np.sort(found.others[found.leverage > _ALONE])
    if len(alone):
        verb, each = ("decides", "") if len(alone) == 1 else ("decide", " each")
        sentences.append(
            f"{rows_text(alone)} {verb}{each} a parameter alone (leverage above {_ALONE:g}): no other run checks what is said there."
        )
    if found.shift is None:
        return sentences
    move = np.abs(found.shift).max(axis=1)
    for i in np.argsort(-move)[:3]:
        if move[i] > _SHIFT:
            which = list(fit.request.entry_names.values())[int(np.argmax(np.abs(found.shift[i])))]
            sentences.append(f"row {found.others[i]} alone moves {which} by {move[i]:.2g} standard errors.")
    return sentences
