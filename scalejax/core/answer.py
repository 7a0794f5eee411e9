"""What all answers share: intervals over their draws, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .errors import DecisionError
from .numeric.statistics import ends
from .table import Shown, number, span


class _Drawn(Shown):
    """What subclasses of `Answer` declare as fields of their own, in places of their own."""

    draws: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class Answer(_Drawn):
    """A result with draws: subclasses are dataclasses with `draws` and a `table`.

    Attributes:
        kind: how the draws were made; without draws, why there are none.
    """

    kind: str = field(default="", kw_only=True)
    _name: ClassVar[str] = "answer"

    def interval(self, level: float = 0.9) -> dict[str, tuple[Any, Any]]:
        """(low, high) of every number at this confidence `level`; infinite draws count as such.

        Raises:
            DecisionError: if there are no draws: the answer came from bare parameters, or from a fit that tells nothing of its noise.
        """
        if not self.draws:
            raise DecisionError(without(self._name, self.kind))
        limits = {name: ends(draws, level) for name, draws in self.draws.items()}
        return {name: (low, high) if np.ndim(low) else (float(low), float(high)) for name, (low, high) in limits.items()}

    def _rows(self, columns: Mapping[str, tuple[Any, int]], level: float) -> tuple[list[str], list[list[str]]]:
        """Header and a row for every element of the columns, name to (values, digits), with an interval beside what has draws."""
        limits = self.interval(level) if self.draws else {}
        head = [cell for name in columns for cell in ([name, f"{100 * level:g} %"] if name in limits else [name])]
        rows = []
        for i in range(max(np.size(values) for values, _ in columns.values())):
            row = []
            for name, (values, digits) in columns.items():
                value = np.ravel(values)[i]
                row.append(value if isinstance(value, str) else number(float(value), digits))
                if name in limits:
                    low, high = (float(np.ravel(end)[i]) for end in limits[name])
                    row.append(span(low, high, digits))
            rows.append(row)
        return head, rows

    @property
    def _drawn(self) -> list[str]:
        """A note on the draws, or on why there are none."""
        if not self.draws:
            return [self.kind] if self.kind else []
        return [drawn_by(len(next(iter(self.draws.values()))), self.kind)]


def drawn_by(count: int, kind: str) -> str:
    """Where intervals come from, for notes."""
    return f"intervals from {count:,} draws" + (f", {kind}" if kind else "")


def without(name: str, kind: str) -> str:
    """Why an answer has no interval, in a sentence."""
    if kind:
        return f"This {name} has {kind}."
    return f"This {name} comes from bare parameters, which know no uncertainty; ask with a fit or with draws."


def shaped(values: Any, shape: tuple[int, ...]) -> Any:
    """Values (..., n) in the shape the user asked in: a float for one, else an array with the leading axes kept."""
    values = np.asarray(values)
    out = values.reshape((*values.shape[:-1], *shape))
    return out.item() if out.ndim == 0 else out


def share(values: np.ndarray) -> str:
    """A share of draws as text: 3.1 %."""
    return f"{100 * float(np.max(values)):.3g} %"
