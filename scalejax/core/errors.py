"""Errors and warnings that say, in a sentence: what, where, what to do."""

from __future__ import annotations

import difflib
import re
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

LONGEST = 400  # characters of a message
_HEAD = 290
_OPTIONS = 12  # names that a sentence lists
_PACKAGE = str(Path(__file__).parent.parent)


class ScalejaxError(ValueError):
    """Base of every error that scalejax raises on purpose: one sentence on one line, whatever it quotes."""

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))


class CallError(ScalejaxError, TypeError):
    """A function was called with an argument that it does not have, or without one that it needs."""


class UnforeseenError(ScalejaxError):
    """Something failed that no check foresaw; the original error is its cause."""


class LawError(ScalejaxError):
    """A law's definition or its parameters are inconsistent."""


class DataError(ScalejaxError):
    """A table of runs cannot be used as given."""


class FitError(ScalejaxError):
    """A fit was asked for that cannot be done."""


class IdentifiabilityError(FitError):
    """The runs cannot tell some parameters of the law apart."""


class DecisionError(ScalejaxError):
    """An optimum was asked for that does not exist or is not determined."""


class ScalejaxWarning(UserWarning):
    """Base of every warning of scalejax, which programs tell by its code.

    Attributes:
        code: short fixed name: that of the class, or a finer one such as "duplicate".
        severity: "info", "warning", or "error" if the answer is of no use as it stands.
    """

    code = "warning"
    severity = "warning"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code


class ConvergenceWarning(ScalejaxWarning):
    """A solver stopped before the optimum was confirmed."""

    code = "convergence"


class IdentifiabilityWarning(ScalejaxWarning):
    """Some parameters are poorly or not at all determined by the runs."""

    code = "identifiability"


class DataWarning(ScalejaxWarning):
    """Something in a table of runs looks unintended."""

    code = "data"


def one_line(text: str, longest: int = LONGEST) -> str:
    """Text on one line without control characters, its middle left out where it is too long.

    >>> one_line("a\\nb\\x1b[31m")
    'a b [31m'
    """
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(flat) <= longest:
        return flat
    head = _HEAD * longest // LONGEST
    return f"{flat[:head].rstrip()} ... {flat[-(longest - head - 5) :].lstrip()}"


def warn(message: str | Warning, category: type[Warning] | None = None) -> None:
    """Warn at the line of the user's that called scalejax, however many functions lie between."""
    frame, level, outside = sys._getframe(1), 2, 2
    while frame is not None:
        level += 1
        if frame.f_code.co_filename.startswith(_PACKAGE):
            outside = level
        frame = frame.f_back  # type: ignore[assignment]
    warnings.warn(message, category, stacklevel=outside)


def suggest(name: object, options: Iterable[str]) -> str:
    """End of an error sentence: the nearest option, or all of them when none is near and they are few.

    >>> suggest("chinchila", ["chinchilla", "kaplan"])
    "did you mean 'chinchilla'?"
    """
    options = [one_line(str(o), 60) for o in options]
    lowered = {o.lower(): o for o in reversed(options)}
    asked = str(name)[:100].lower()
    near = difflib.get_close_matches(asked, lowered, n=1, cutoff=0.6)
    if near:
        return f"did you mean {lowered[near[0]]!r}?"
    if len(options) > _OPTIONS:
        nearest = [lowered[o] for o in difflib.get_close_matches(asked, lowered, n=_OPTIONS, cutoff=0.3)]
        nearest = list(dict.fromkeys([*nearest, *options]))[:_OPTIONS]
        return f"choose from {', '.join(nearest)} and {len(options) - _OPTIONS} more."
    return f"choose from {', '.join(options)}." if options else "there is none to choose from."
