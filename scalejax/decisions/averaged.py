"""Decisions from several laws at once: every law's answer, and their average."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar, ParamSpec, TypeVar, cast

import numpy as np

from ..core.answer import Answer
from ..core.errors import DecisionError, ScalejaxError
from ..core.table import Table, number
from ..fitting.result import Fit

_DRAWS = 1000
P = ParamSpec("P")
R = TypeVar("R", bound=Answer)


class LawAverage:
    """What averages laws, such as a forecast: `fits` gives each law's weight and fit, and decisions take it as their source."""

    @property
    def fits(self) -> Mapping[str, tuple[float, Fit]]:
        """Law to its weight and its fit to the same runs."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False, repr=False)
class Averaged(Answer):
    """Answers of several laws to one question, and their average, whose draws are those of the laws in proportion to their weights.

    Every number of the answer is an attribute: `plan.N`, `plan.loss`. Positive ones are averaged as logarithms.

    Attributes:
        answers: law to its own answer. weights: law to weight.
        values: name to the average. draws: the same with a leading draw axis.
        refused: laws that have no answer, with the reason.
    """

    answers: Mapping[str, Answer]
    weights: Mapping[str, float]
    values: Mapping[str, Any]
    draws: Mapping[str, np.ndarray]
    refused: Mapping[str, str]
    _name: ClassVar[str] = "average"

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("values", {})
        if name in values:
            return values[name]
        if name == "inputs":
            return {n: v for n, v in values.items() if n.isidentifier() and n not in ("loss", "compute")}
        raise AttributeError(f"This answer has no {name!r}; it has {', '.join(values)}.")

    def table(self, level: float = 0.9) -> Table:
        """Rows for every budget: of the average, with intervals, and of every law."""
        columns = {name: (value, 4) for name, value in self.values.items()}
        head, rows = self._rows(columns, level)
        intervals = [name not in columns for name in head]
        out = []
        for i, row in enumerate(rows):
            out.append(["average", *row])
            for law, answer in self.answers.items():
                cells = iter([number(float(np.ravel(point_of(answer, name))[i]), 4) for name in columns])
                out.append([f"{law} ({100 * self.weights[law]:.0f} %)", *("" if interval else next(cells) for interval in intervals)])
        notes = [*self._drawn, *(f"{law} has no answer: {why}" for law, why in self.refused.items())]
        return Table(["law", *head], out, notes=notes)


def over_laws(decide: Callable[P, R]) -> Callable[P, R]:
    """A decision that also takes an average of laws as its source: asked of every law, and averaged."""

    @wraps(decide)
    def asked(*args: P.args, **options: P.kwargs) -> R:
        if args and isinstance(args[0], LawAverage):
            return cast(R, _averaged(cast(Any, decide), args[0], args[1:], dict(options)))
        return decide(*args, **options)

    return asked


def _averaged(decide: Callable[..., Answer], source: LawAverage, rest: tuple[Any, ...], options: dict[str, Any]) -> Averaged:
    answers: dict[str, Answer] = {}
    refused: dict[str, str] = {}
    for law, (_, fit) in source.fits.items():
        try:
            answers[law] = decide(fit, *rest, **options)
        except ScalejaxError as error:
            refused[law] = str(error)
    if not answers:
        raise DecisionError(f"None of the laws has an answer: {next(iter(refused.values()))}")
    total = sum(source.fits[law][0] for law in answers)
    weights = {law: source.fits[law][0] / total for law in answers}
    names = [name for name in next(iter(answers.values())).draws if all(name in answer.draws for answer in answers.values())]
    values = {name: _mean([(weights[law], point_of(answer, name)) for law, answer in answers.items()]) for name in names}
    draws = {name: _pooled([(weights[law], np.asarray(answer.draws[name])) for law, answer in answers.items()]) for name in names}
    return Averaged(answers=answers, weights=weights, values=values, draws=draws, refused=refused, kind="those of the laws, by weight")


def point_of(answer: Answer, name: str) -> Any:
    """An answer's own value of one of the numbers that it has draws of."""
    if name == "D/N":
        return point_of(answer, "D") / point_of(answer, "N")
    inputs = getattr(answer, "inputs", {})
    return inputs[name] if name in inputs else getattr(answer, name)


def _mean(parts: list[tuple[float, Any]]) -> Any:
    stacked, weight = np.stack([np.asarray(value, dtype=np.float64) for _, value in parts]), np.asarray([w for w, _ in parts])
    positive = bool((stacked > 0).all())
    mean = np.tensordot(weight, np.log(stacked) if positive else stacked, 1)
    mean = np.exp(mean) if positive else mean
    return float(mean) if mean.ndim == 0 else mean


def _pooled(parts: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """Draws of every law, as many as its weight asks for, spread evenly over its own."""
    out = []
    for weight, drawn in parts:
        count = round(_DRAWS * weight)
        out.append(drawn[np.linspace(0, len(drawn) - 1, count).round().astype(int)])
    return np.concatenate(out)
