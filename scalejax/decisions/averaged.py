"""Decisions from several laws at once: every law's answer, and their average."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar, ParamSpec, TypeVar, cast

import numpy as np

from ..core.answer import Answer
from ..core.errors import DecisionError, ScalejaxError
from ..core.numeric.statistics import evenly
from ..core.table import Named, Note, Table, number
from ..fitting.result import Fit

_DRAWS = 1000
_ASKED = ("compute", "D/N", "loss")  # numbers of an allocation that are no inputs
P = ParamSpec("P")
R = TypeVar("R", bound=Answer)


class LawAverage(ABC):
    """What averages laws, such as a forecast: `fits` gives each law's weight and fit, and decisions take it as their source."""

    @property
    @abstractmethod
    def fits(self) -> Mapping[str, tuple[float, Fit]]:
        """Law to its weight and its fit to the same runs."""


@dataclass(frozen=True, eq=False, repr=False)
class Averaged(Named, Answer):
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

    @property
    def inputs(self) -> dict[str, Any]:
        """Name to the average of every chosen input."""
        return {name: value for name, value in self.values.items() if name not in _ASKED}

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
        notes = [*self._drawn, *(Note(f"{law} has no answer: {why}", "law-without-answer") for law, why in self.refused.items())]
        return Table(["law", *head], out, notes=notes)


def over_laws(decide: Callable[P, R]) -> Callable[P, R]:
    """A decision that also takes an average of laws as its source: asked of every law, and averaged."""

    @wraps(decide)
    def asked(*args: P.args, **options: P.kwargs) -> R:
        source = args[0] if args else options.get("source")
        if isinstance(source, LawAverage):
            others = {name: value for name, value in options.items() if name != "source"}
            return cast(R, _averaged(cast(Any, decide), source, args[1:], others))
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
        raise DecisionError(f"None of the laws has an answer: {Counter(refused.values()).most_common(1)[0][0]}")
    total = sum(source.fits[law][0] for law in answers)
    weights = {law: source.fits[law][0] / total for law in answers}
    values = {name: _mean([(weights[law], point_of(answer, name)) for law, answer in answers.items()]) for name in _numbers(answers)}
    silent = [law for law, answer in answers.items() if not answer.draws]
    drawn = {} if silent else next(iter(answers.values())).draws  # no interval where a law has none
    draws = {name: _pooled([(weights[law], np.asarray(answer.draws[name])) for law, answer in answers.items()]) for name in drawn}
    kind = f"no interval: the fit of {silent[0]} tells nothing of its noise" if silent else "those of the laws, by weight"
    return Averaged(answers=answers, weights=weights, values=values, draws=draws, refused=refused, kind=kind)


def _numbers(answers: Mapping[str, Answer]) -> list[str]:
    """What every answer has: what was asked, the chosen inputs, their ratio, and what was found."""
    every = [getattr(answer, "inputs", {}) for answer in answers.values()]
    inputs = [name for name in every[0] if all(name in one for one in every)]
    return ["compute", *inputs, *(["D/N"] if {"N", "D"} <= set(inputs) else []), "loss"]


def point_of(answer: Answer, name: str) -> Any:
    """An answer's own value of one of the numbers that it has draws of."""
    if name == "D/N":
        return point_of(answer, "D") / point_of(answer, "N")
    inputs = getattr(answer, "inputs", {})
    return inputs[name] if name in inputs else getattr(answer, name)


def _mean(parts: list[tuple[float, Any]]) -> Any:
    stacked, weight = np.stack([np.asarray(value, dtype=np.float64) for _, value in parts]), np.asarray([w for w, _ in parts])
    if (stacked == stacked[0]).all():  # what was asked stays as it was
        return parts[0][1]
    positive = bool((stacked > 0).all())
    mean = np.tensordot(weight, np.log(stacked) if positive else stacked, 1)
    mean = np.exp(mean) if positive else mean
    return float(mean) if mean.ndim == 0 else mean


def _pooled(parts: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """Draws of every law, as many as its weight asks for, spread evenly over its own."""
    out = []
    for weight, drawn in parts:
        out.append(drawn[evenly(len(drawn), round(_DRAWS * weight))])
    return np.concatenate(out)
