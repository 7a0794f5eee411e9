"""Pruned data: the best kept fraction for every size, and how steep the error falls along that envelope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.answer import Answer
from ..core.errors import DecisionError
from ..core.precision import double
from ..core.table import Table
from ..decisions.known import known
from ..fitting.result import Fit
from ..fitting.uncertainty.draws import Draws

_STEP = 1e-4  # in log P, of the local exponent


@dataclass(frozen=True, eq=False, repr=False)
class PruningFrontier(Answer):
    """The lower envelope of error curves at several kept fractions, see `pruning_frontier`.

    Attributes:
        P: (sizes,) kept examples.
        error: (sizes,) least error.
        kept: (sizes,) kept fraction of the curve that has it.
        exponent: (sizes,) -d log error / d log P along the envelope.
        draws: "error", "kept" and "exponent" with a leading draw axis.
    """

    P: np.ndarray
    error: np.ndarray
    kept: np.ndarray
    exponent: np.ndarray
    draws: Mapping[str, np.ndarray]
    _name: ClassVar[str] = "pruning frontier"

    def table(self, level: float = 0.9) -> Table:
        """A row for every size."""
        columns = {"P": (self.P, 4), "error": (self.error, 4), "kept": (self.kept, 3), "exponent": (self.exponent, 3)}
        head, rows = self._rows(columns, level)
        return Table(head, rows, title="Least error over kept fractions", notes=self._drawn)


@double
def pruning_frontier(source: Fit | Draws, P: Any) -> PruningFrontier:
    r"""The best fraction to keep of a ranked data set for every number of kept examples, and the local exponent of the error there.

        eps*(P) = min_f eps(P; f),    exponent = -d log eps* / d log P

    P counts the examples that are trained on: a fraction f comes from P / f examples ranked by difficulty. Each curve at a fixed f is a
    power law with a floor; if the metric is good, the envelope falls faster than any of them, and its exponent grows with P. With
    random scores all curves coincide.

    Args:
        source: a fit with a group for every kept fraction, such as fit("power_law", {"x": P, "loss": error, "f": f}, by="f"), or draws of
            it; a fit brings 1,000 Laplace draws.
        P: (sizes,) where to look.

    Returns:
        PruningFrontier: `error`, `kept`, `exponent`, `interval(level)`, `table()`.

    Raises:
        DecisionError: if the law has more than one input, there are no numeric groups, or P is not positive.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> P, f = (a.ravel() for a in np.meshgrid(np.logspace(3, 6, 8), [1.0, 0.3]))
        >>> error = np.where(f == 1, 3 * P**-0.3, 0.01 + 30 * P**-0.6)
        >>> fitted = sj.fit("power_law", {"x": P, "loss": error, "f": f}, by="f", starts=256, unidentified="warn")
        >>> sj.procedures.pruning_frontier(fitted, [1e3, 1e5]).kept.tolist()
        [1.0, 0.3]

    Source: Sorscher et al. 2022, arXiv:2206.14486.
    """
    fitted = source.fit if isinstance(source, Draws) else source
    if not isinstance(fitted, Fit) or not fitted.groups or len(fitted.law.inputs) != 1:
        raise DecisionError("pruning_frontier() takes a fit (or its draws) of a law with one input, with a group for every kept fraction.")
    try:
        kept = np.asarray([float(g) for g in fitted.groups])
    except ValueError:
        raise DecisionError(f"The groups {', '.join(fitted.groups)} are no kept fractions; fit with by= their column.") from None
    x = np.atleast_1d(np.asarray(P, dtype=np.float64))
    if x.ndim != 1 or not ((x > 0) & np.isfinite(x)).all():
        raise DecisionError(f"P={P!r} must hold positive numbers.")
    groups = [known(source, group, "pruning_frontier") for group in fitted.groups]
    point = _envelope(np.stack([_curves(g.law, g.leading(), x) for g in groups]), kept)
    draws: dict[str, np.ndarray] = {}
    if all(g.draws for g in groups):
        drawn = _envelope(np.stack([_curves(g.law, g.draws, x) for g in groups]), kept)
        draws = dict(zip(("error", "kept", "exponent"), drawn, strict=True))
    return PruningFrontier(x, *(v[0] for v in point), draws, kind=groups[0].kind)


def _curves(law: Any, params: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Error and local exponent, (2, draws, sizes)."""
    own = {name: np.asarray(v)[:, None] for name, v in params.items()}
    middle, below, above = (np.asarray(law(x[None] * np.exp(s), **own)) for s in (0.0, -_STEP, _STEP))
    return np.stack([middle, np.log(below / above) / (2 * _STEP)])


def _envelope(curves: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least error over the groups (groups, 2, draws, sizes), the fraction that has it, and its exponent."""
    best = curves[:, 0].argmin(axis=0)
    error, exponent = (np.take_along_axis(curves[:, i], best[None], axis=0)[0] for i in (0, 1))
    return error, kept[best], exponent
