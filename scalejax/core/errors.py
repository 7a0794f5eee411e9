"""Errors and warnings that say, in a sentence: what, where, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ScalejaxError(ValueError):
    """Base of every error that scalejax raises on purpose."""


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


def suggest(name: object, options: Iterable[str]) -> str:
    """End of an error sentence: the nearest option, or all of them when none is near.

    >>> suggest("chinchila", ["chinchilla", "kaplan"])
    "did you mean 'chinchilla'?"
    """
    options = [str(o) for o in options]
    lowered = {o.lower(): o for o in reversed(options)}
    near = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f"did you mean {lowered[near[0]]!r}?"
    return f"choose from {', '.join(options)}." if options else "there is none to choose from."
