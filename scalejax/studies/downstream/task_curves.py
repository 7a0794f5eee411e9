"""The second stage of a ladder: accuracy of a task from its loss, or the finding that the runs show no such curve."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...comparison.trend import monotone_trend
from ...core.errors import ConvergenceWarning, DataError, IdentifiabilityError, IdentifiabilityWarning, suggest
from ...core.numeric.precision import double
from ...core.table import Shown
from ...fitting.chained.result import ChainFit
from ...fitting.fit import fit
from ...fitting.objective.counts import beta_binomial
from ...fitting.objective.losses import squared
from ...fitting.result import Fit
from ...posteriors.laplace import laplace
from ...zoo import laws

FEWEST = 5  # runs: fewer that rise throughout do not show that accuracy rises at all
_TRIED = 8  # runs, of which a third can be left out to see what the curve misses there
UNSURE = 0.1  # two-sided p of the trend above which accuracy is not taken to rise
ABOVE = 2.0  # standard errors by which the best runs must lie above chance
_STARTS = 128
_MISS, _COUNTED = 0.2, 4  # what curves of the runs of Gadre et al. missed so, on the scale of logits, and how many runs that counts as
_EDGE = 1e-6  # how near accuracies come to 0 and 1 on the scale of logits


class Task(NamedTuple):
    """What is known of a task: its columns, the number of its items, and the levels of guesses and of a perfect model."""

    name: str
    accuracy: str
    loss: str
    items: int | None
    chance: float | None
    best: float | None


def tasks_of(given: Mapping[str, Mapping[str, Any]]) -> list[Task]:
    """The tasks as `ladder` is told of them, checked."""
    if not isinstance(given, Mapping) or not given:
        raise DataError("tasks= must name at least one task: {'arc_easy': {'loss': 'arc_bpb', 'items': 2376, 'chance': 0.25}}.")
    known = {"accuracy": None, "loss": "loss", "items": None, "chance": None, "best": 1.0}
    found = []
    for name, told in given.items():
        for key in told:
            if key not in known:
                raise DataError(f"Task {name!r} has {key!r}; {suggest(str(key), known)}")
        task = Task(str(name), **{**known, "accuracy": str(name), **told})
        chance, best = 0.0 if task.chance is None else task.chance, 1.0 if task.best is None else task.best
        if not 0 <= chance < best <= 1:
            raise DataError(f"Task {name!r} needs 0 <= chance < best <= 1; got chance={task.chance!r}, best={task.best!r}.")
        if task.chance is None and task.best not in (None, 1.0):
            raise DataError(f"Task {name!r} has best={task.best!r}; say its chance, too, or leave out best.")
        if task.items is not None and (not isinstance(task.items, int | np.integer) or task.items < 1):
            raise DataError(f"Task {name!r} has items={task.items!r}, which must be a whole number of at least 1.")
        found.append(task)
    return found


@dataclass(frozen=True, eq=False, repr=False)
class TaskCurve(Shown):
    """Accuracy of a task from its loss.

    Attributes:
        task: what is known of it.
        loss, accuracy: (n,) of the runs.
        reason: why there is no curve, "" if there is one.
        fit: the sigmoid, None without a curve.
        missed: standard deviation, on the scale of logits and beyond noise, of what the curve of the other runs missed of the third with
            the lowest losses, drawn towards what such curves missed in a public sweep. span: how far below the others these losses lay.
        notes: what the fit warned of.
    """

    task: Task
    loss: np.ndarray
    accuracy: np.ndarray
    reason: str = ""
    fit: Fit | None = None
    missed: float = 0.0
    span: float = 1.0
    notes: tuple[str, ...] = ()

    def at(self, loss: np.ndarray) -> np.ndarray:
        """Accuracy at losses; NaN without a curve."""
        return np.full(np.shape(loss), np.nan) if self.fit is None else np.asarray(self.fit.predict(nll=loss))

    @double
    def drawn(self, loss: np.ndarray, kind: str, seed: int) -> np.ndarray:
        """Accuracies at drawn losses (draws, points), each through a drawn curve; kind "run" adds the noise of a new run."""
        if self.fit is None:
            return np.full(loss.shape, np.nan)
        rng, count = np.random.default_rng(seed), len(loss)
        params = {name: v[:, None] for name, v in laplace(self.fit, count, seed=seed).params.items()}
        p = np.asarray(laws.llama3_accuracy.function(loss, **params))
        ahead = np.maximum(self.loss.min() - loss, 0.0)
        shift = self.missed * np.maximum(ahead / self.span, 1.0) * rng.standard_normal((count, 1))
        p = _from_logit(_logit(p) + shift)
        return p if kind == "mean" else self._noisy(p, rng)

    def _noisy(self, p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Accuracies that a new run would show."""
        n, noise = self.task.items, noise_of(self)
        if n is None:
            return np.clip(p + noise * rng.standard_normal(p.shape), 0.0, 1.0)
        if noise > 0:
            p = rng.beta(np.maximum(p * (1 / noise - 1), 1e-9), np.maximum((1 - p) * (1 / noise - 1), 1e-9))
        return rng.binomial(n, p) / n


def noise_of(curve: TaskCurve) -> float:
    """Overdispersion of counted answers, else the standard deviation about the curve."""
    if isinstance(curve.fit, ChainFit):
        return float(curve.fit.noise["accuracy"])
    left = curve.accuracy - curve.at(curve.loss)
    return float(np.sqrt(np.sum(left**2) / max(len(left) - len(_fixed(curve.task)[1]), 1)))


def task_curve(task: Task, loss: np.ndarray, accuracy: np.ndarray, seed: int = 0) -> TaskCurve:
    """Fit the curve of a task, if its runs show one."""
    if not ((accuracy >= 0) & (accuracy <= 1)).all():
        raise DataError(f"Column {task.accuracy!r} must hold shares of right answers, from 0 to 1.")
    reason = no_curve(task, loss, accuracy)
    if reason:
        return TaskCurve(task, loss, accuracy, reason)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = _fitted(task, loss, accuracy, seed)
            laplace(found, 2)
        except IdentifiabilityError as error:
            return TaskCurve(task, loss, accuracy, f"its runs do not determine a curve ({error})")
        missed, span = _tried(task, loss, accuracy, found, seed)
    notes = tuple(str(w.message) for w in said if issubclass(w.category, ConvergenceWarning | IdentifiabilityWarning))
    for w in said:
        if not issubclass(w.category, ConvergenceWarning | IdentifiabilityWarning):
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    return TaskCurve(task, loss, accuracy, "", found, missed, span, notes)


def no_curve(task: Task, loss: np.ndarray, accuracy: np.ndarray) -> str:
    """Why no curve can be told from these runs, or ""."""
    if len(loss) < FEWEST:
        return f"only {len(loss)} runs show it, and {FEWEST} are the least"
    if np.ptp(loss) == 0 or np.ptp(accuracy) == 0:
        return "all runs show the same loss or accuracy"
    trend = monotone_trend(-loss, accuracy)
    if trend.direction != "rising" or trend.p > UNSURE:
        return f"its accuracy does not rise as the loss falls (Kendall's tau {trend.tau:.2f}, p {trend.p:.2g})"
    if task.chance is not None:
        top = accuracy[np.argsort(loss)[: max(len(loss) // 3, 2)]]
        error = np.sqrt(task.chance * (1 - task.chance) / task.items) if task.items else accuracy.std(ddof=1) / np.sqrt(len(top))
        if top.mean() - task.chance <= ABOVE * error:
            return f"its best runs, at {top.mean():.3g}, are not above chance, {task.chance:g}"
    return ""


def _fixed(task: Task) -> tuple[dict[str, float], tuple[str, ...]]:
    """Parameters of the curve that are known, and names of the others."""
    fix = {} if task.chance is None else {"L_0": float(task.chance)}
    if task.best is not None:
        fix["r"] = float((task.best - (task.chance or 0.0)) / (1 - (task.chance or 0.0)))
    return fix, tuple(name for name in laws.llama3_accuracy.parameters if name not in fix)


def _fitted(task: Task, loss: np.ndarray, accuracy: np.ndarray, seed: int) -> Fit:
    table = {"nll": loss, "accuracy": accuracy}
    how: dict[str, Any] = {"loss": squared(), "on": "linear"}
    if task.items is not None:
        table["trials"] = np.full(len(loss), float(task.items))
        how = {"loss": beta_binomial("trials")}
    fix, _ = _fixed(task)
    return fit(laws.llama3_accuracy, table, fix=fix, starts=_STARTS, seed=seed, unidentified="warn", progress=False, **how)


def _tried(task: Task, loss: np.ndarray, accuracy: np.ndarray, whole: Fit, seed: int) -> tuple[float, float]:
    """What the curve of the other runs misses of the third with the lowest losses, and how far below the others these lie."""
    count = len(loss)
    order = np.argsort(loss)
    low, rest = order[: count // 3], order[count // 3 :]
    span = float(np.median(loss[rest].min() - loss[low]))
    untried = _MISS, float(np.ptp(loss)) / 3
    if count < _TRIED or span <= 0 or no_curve(task, loss[rest], accuracy[rest]):
        return untried
    try:
        earlier = TaskCurve(task, loss[rest], accuracy[rest], "", _fitted(task, loss[rest], accuracy[rest], seed))
    except IdentifiabilityError:
        return untried
    p = np.clip(earlier.at(loss[low]), _EDGE, 1 - _EDGE)
    square = (_logit(accuracy[low]) - _logit(p)) ** 2
    noise = noise_of(TaskCurve(task, loss, accuracy, "", whole))
    spread = p * (1 - p)
    variance = spread * (1 + (task.items - 1) * noise) / task.items if task.items else noise**2
    beyond = max(float(np.mean(square - variance / spread**2)), 0.0)
    return float(np.sqrt((len(low) * beyond + _COUNTED * _MISS**2) / (len(low) + _COUNTED))), span


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, _EDGE, 1 - _EDGE)
    return np.log(p) - np.log1p(-p)


def _from_logit(u: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-u))
