"""`Draws`: parameter vectors that express uncertainty, whatever made them (bootstrap, Laplace, posterior)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ...core.errors import FitError
from ...core.frozen import Frozen, read_only
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.numeric.statistics import ends
from ...core.table import Shown, Table, number, plain_value
from ..predict import arrange, evaluate, inputs_by_name
from ..request import Request
from ..result import Fit
from .linearity import nonlinearity
from .units import Units


@dataclass(frozen=True, eq=False, repr=False)
class Draws(Shown):
    """Draws of a law's parameters around a fit.

    Attributes:
        fit: the point fit they belong to.
        theta: (size, sets, draws) unconstrained.
        kind: how they were made, such as "bootstrap (cases)".
        failed: how many draws did not converge (they are kept, and reported).
        units: what was resampled, by which draws of other fits are known to be paired with these; None if nothing was.
    """

    fit: Fit
    theta: np.ndarray
    kind: str
    failed: int = 0
    units: Units | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "theta", read_only(np.asarray(self.theta)))

    @property
    def law(self) -> Law:
        """The law."""
        return self.fit.law

    @property
    def request(self) -> Request:
        """What the fit was asked for."""
        return self.fit.request

    def __len__(self) -> int:
        return self.theta.shape[-1]

    @cached_property
    @double
    def params(self) -> Frozen[np.ndarray]:
        """Parameter name to an array with a leading draw axis; nothing can change it."""
        full = self.request.params(self.theta)
        count = len(self)
        return Frozen({n: np.broadcast_to(v, (count, *np.shape(v))) if np.ndim(v) == 0 else np.asarray(v) for n, v in full.items()})

    @property
    def center(self) -> dict[str, Any]:
        """The point estimate that the draws surround: the fit's parameters."""
        return self.fit.params

    @cached_property
    @double
    def nonlinearity(self) -> float:
        """By what factor these draws move the law at the runs further, or less far, than a straight law: near 1 for draws to be trusted.

        Of interest for draws from a normal approximation (`laplace`). The largest of all sets.
        """
        return float(nonlinearity(self).max())

    @property
    def usual_trials(self) -> float | None:
        """Median number of trials of the runs, where the outcome is counted."""
        return self.fit.usual_trials

    @property
    def standard_errors(self) -> dict[str, Any]:
        """Standard deviation of every parameter over the draws."""
        return {name: _plain(np.std(v, axis=0, ddof=1)) for name, v in self.params.items()}

    def interval(self, level: float = 0.9) -> dict[str, tuple[Any, Any]]:
        """(low, high) of every parameter: the central percentiles of the draws at this `level`."""
        return {name: tuple(_plain(v) for v in ends(draws, level)) for name, draws in self.params.items()}

    @inputs_by_name
    @double
    def predict(self, *, kind: Literal["mean", "run"] = "mean", seed: int = 0, weight: Any = None, **inputs: Any) -> np.ndarray:
        """Predictions of every draw, with a leading draw axis.

        Args:
            kind: "mean" for the law's value, "run" for what a new run would show: the law's value with the noise of its group added, drawn
                from the fit's residuals (observed - predicted, as skewed as they are, and larger by what the parameters took from them)
                but for those that `Fit.diagnosis` names as outliers.
            seed: of the noise.
            weight: of the new runs, for kind="run": their noise has the variance of the fit's residuals of weight 1 over it. Needed where
                the runs of the fit have different weights.
            **inputs: as in `Fit.predict`; of a chain also `output=`, the stage, and for kind="run" of counted outcomes `trials=`.

        Raises:
            FitError: for kind="run" if the fit leaves no degree of freedom to tell the noise by.
        """
        if kind not in ("mean", "run"):
            raise FitError(f"kind={kind!r} must be 'mean' or 'run'.")
        trials = inputs.pop("trials", None) if "trials" not in self.law.inputs else None
        view, inputs = self.fit.view(inputs)
        points = arrange(view, inputs)
        value = np.asarray(evaluate(view, self.theta, points))
        return value if kind == "mean" else self.fit.with_noise(view, value, points, np.random.default_rng(seed), weight, trials)

    def predict_interval(self, level: float = 0.9, **arguments: Any) -> tuple[Any, Any]:
        """(low, high) of `predict(**arguments)` over the draws."""
        low, high = ends(self.predict(**arguments), level)
        return _plain(low), _plain(high)

    def table(self, level: float = 0.9) -> Table:
        """Point estimate, standard error and interval of every parameter."""
        rows = []
        for name in self.law.shown:
            draws = self.params[name]
            low, high = ends(draws, level)
            point = np.asarray(self.center[name])
            for index in np.ndindex(point.shape):
                label = name + self.fit._index_text(name, index)
                spread = np.std(draws[(slice(None), *index)], ddof=1)
                rows.append([label, number(point[index]), number(spread, 3), number(low[index]), number(high[index])])
        percent = f"{100 * level:g} %"
        note = f"{len(self):,} draws, {self.kind}" + (f"; {self.failed} did not converge" if self.failed else "")
        return Table(["parameter", "estimate", "std. error", f"low {percent}", f"high {percent}"], rows, notes=[note])

    def __repr__(self) -> str:
        return f"{self.law.name}: {self.kind}\n{self.table().text()}"

    def to_dict(self) -> dict[str, Any]:
        """As of every result, with the parameters of the fit."""
        return {"law": self.law.name, "params": plain_value(self.center), **super().to_dict()}


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value
