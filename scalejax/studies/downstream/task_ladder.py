"""Accuracy of large runs on several tasks from small ones: parameters and tokens -> loss of the task -> accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ...comparison.forecast.averaging import forecast
from ...comparison.forecast.columns import table_of
from ...comparison.forecast.result import Forecast
from ...core.answer import Answer
from ...core.checks import check_count
from ...core.errors import DataError, FitError, suggest
from ...core.lazy import picture
from ...core.table import Note, Table, number, span
from .task_curves import Task, TaskCurve, task_curve, tasks_of

_SHOWN = 40


@dataclass(frozen=True, eq=False, repr=False)
class Ladder(Answer):
    """Accuracies of larger runs, see `ladder`; printing it gives the table.

    Attributes:
        tasks: their names.
        at: input to its values at the points, (m,).
        loss: (tasks, m) forecast losses.
        accuracy: (tasks, m) predicted accuracies, NaN of tasks without a curve.
        curves: task to its second stage, with the fit and the runs behind it.
        forecast: of the losses; with several columns of losses, each is a group of it.
        draws: "loss" and "accuracy", (draws, tasks, m).
    """

    tasks: tuple[str, ...]
    at: Mapping[str, np.ndarray]
    loss: np.ndarray
    accuracy: np.ndarray
    curves: Mapping[str, TaskCurve]
    forecast: Forecast
    draws: Mapping[str, np.ndarray]
    _name: ClassVar[str] = "ladder"

    @property
    def undetermined(self) -> dict[str, str]:
        """Tasks without a prediction, and why."""
        return {name: curve.reason for name, curve in self.curves.items() if curve.reason}

    def table(self, level: float = 0.9) -> Table:
        """A row for every task and point: inputs, loss and accuracy with intervals, and the best accuracy of the runs."""
        limits = self.interval(level)
        percent = f"{100 * level:g} %"
        rows = []
        for t, name in enumerate(self.tasks):
            seen = number(float(self.curves[name].accuracy.max()), 3) if len(self.curves[name].accuracy) else "—"
            for i in range(self.loss.shape[1]):
                row = [name, *(number(float(v[i]), 4) for v in self.at.values())]
                for what, values in (("loss", self.loss), ("accuracy", self.accuracy)):
                    low, high = (float(end[t, i]) for end in limits[what])
                    known = np.isfinite(values[t, i])
                    row += [number(float(values[t, i]), 4), span(low, high, 3) if known else "—"]
                rows.append([*row, seen])
        head = ["task", *self.at, "loss", percent, "accuracy", percent, "best run"]
        notes: list[str] = [Note(f"{name}: no prediction, {why}.", "no-prediction") for name, why in self.undetermined.items()]
        notes += [Note(f"{name}: {said}", "uncertain") for name, curve in self.curves.items() for said in curve.notes]
        notes += [f"Losses: {self.forecast.verdict}", *self._drawn]
        return Table(head, rows, "Accuracy of tasks", notes, ends=(_SHOWN, 0))

    def plot(self, **options: Any) -> Any:
        """Accuracy against loss, with the runs and the predictions, see `plot.ladder`."""
        return picture("ladder")(self, **options)


def ladder(
    runs: Any,
    tasks: Mapping[str, Mapping[str, Any]],
    at: Any,
    *,
    checkpoints: Any = None,
    laws: Any = None,
    kind: Literal["run", "mean"] = "run",
    draws: int = 2000,
    seed: int = 0,
    progress: Any = None,
) -> Ladder:
    r"""Predict the accuracy of larger runs on tasks: forecast the loss of each task, then go through its curve of accuracy.

        L(N, D) by `sj.forecast`,    accuracy(L) = L_0 + K / (1 + exp(k (L - x_0)))

    The loss is an average of laws with the error that such averages have had when asked to look as far ahead. The curve is fitted to all
    runs by the likelihood of counted answers that scatter more than coin tosses do; what the curve of the runs with higher losses missed
    of those with the lowest, drawn towards what curves of a public sweep missed, widens the interval, more the farther a loss lies beyond
    the runs. A task whose accuracy does not rise, or
    whose best runs are not above chance, has no curve: its loss is forecast, and no accuracy.

    Args:
        runs: a table as for `read_runs`, with the inputs, and loss and accuracy of every task.
        tasks: name to what is known of the task: "loss", the column of its loss (default "loss"; several tasks may share one, such as that
            on a validation set); "accuracy", its column (default the task's name); "items", how many questions it has, for the noise of
            counts; "chance", the accuracy of guesses (default learned); "best", that of a perfect model (default 1, None to learn it).
        at: the larger runs: input to a number or an array, such as {"N": 7e9, "D": [1e12, 4e12]}. Its names are the inputs of the loss.
        checkpoints: a table of losses and accuracies for the curves instead of that of the runs, such as all checkpoints of them.
        laws: laws of the loss, as in `sj.forecast`, such as "chinchilla"; default all.
        kind: "run" for what a new run would show, "mean" without its noise.
        draws: how many, for intervals.
        seed: of starts and draws.
        progress: as in `sj.forecast`.

    Returns:
        Ladder: `accuracy`, `loss`, `interval(level)`, `undetermined`, `curves`, `table()`, `plot()`.

    Raises:
        DataError, FitError: one sentence: what, where, what to do.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> N, D = (v.ravel() for v in np.meshgrid([1.9e8, 3.7e8, 7.6e8, 1.28e9], [1e10, 2e10, 5e10, 1e11]))
        >>> chain = sj.chain(loss=sj.laws.chinchilla, accuracy=(sj.laws.llama3_accuracy, {"nll": "loss"}))
        >>> params = {**sj.laws.chinchilla.published["bhagia2024_hellaswag"], **sj.laws.llama3_accuracy.published["bhagia2024_hellaswag"]}
        >>> runs = {"N": N, "D": D, "bpb": chain.of("loss")(N, D, **params), "hellaswag": chain(N, D, **params)}
        >>> task = {"hellaswag": {"loss": "bpb", "items": 10042, "chance": 0.25}}
        >>> found = sj.studies.ladder(runs, task, at={"N": 1.3e10, "D": 5e12}, laws="chinchilla")
        >>> low, high = found.interval(0.9)["accuracy"]
        >>> bool(low[0, 0] < 0.853 < high[0, 0])
        True

    References: Bhagia et al. 2024, arXiv:2412.04403; Grattafiori et al. 2024, arXiv:2407.21783, section 3.2.1. The test for a curve and the
        width beyond the runs are our own.
    """
    check_count("draws", draws, 2)
    if kind not in ("run", "mean"):
        raise FitError(f"kind={kind!r} is unknown; {suggest(str(kind), ['run', 'mean'])}")
    chosen = tasks_of(tasks)
    table, left_out = table_of(runs)
    curve_table, curve_out = (table, left_out) if checkpoints is None else table_of(checkpoints)
    points = {name: np.asarray(v, dtype=float) for name, v in table_of(at, len_one=True)[0].items()}
    curves = {t.name: task_curve(t, *_pairs(t, curve_table, curve_out), seed=seed) for t in chosen}
    columns = list(dict.fromkeys(t.loss for t in chosen))
    found = _forecast(table, ~left_out, columns, points, laws, seed, progress)
    losses, drawn = _losses(found, columns, draws, kind, seed)
    place = [columns.index(t.loss) for t in chosen]
    loss = losses[place]
    accuracy = np.stack([curves[t.name].at(loss[i]) for i, t in enumerate(chosen)])
    each = [curves[t.name].drawn(drawn[:, place[i]], kind, seed + 1 + i) for i, t in enumerate(chosen)]
    return Ladder(
        tasks=tuple(t.name for t in chosen), at=points, loss=loss, accuracy=accuracy, curves=curves, forecast=found,
        draws={"loss": drawn[:, place], "accuracy": np.stack(each, axis=1)},
        kind=f"of the forecast loss and of the curve ({'new runs' if kind == 'run' else 'mean'}, seed {seed})",
    )  # fmt: skip


def _pairs(task: Task, table: Mapping[str, np.ndarray], left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loss and accuracy of a task where both are known."""
    both = []
    for column in (task.loss, task.accuracy):
        if column not in table:
            raise DataError(f"Task {task.name!r} names the column {column!r}, which the runs do not have; {suggest(column, table)}")
        both.append(np.asarray(table[column], dtype=float))
    known = np.isfinite(both[0]) & np.isfinite(both[1]) & ~left_out
    return both[0][known], both[1][known]


def _forecast(
    table: Mapping[str, np.ndarray],
    used: np.ndarray,
    columns: list[str],
    points: Mapping[str, np.ndarray],
    laws: Any,
    seed: int,
    progress: Any,
) -> Forecast:  # fmt: skip
    """The losses at the points: of one column, or of several as groups of one table."""
    for name in points:
        if name not in table:
            raise DataError(f"at= has {name!r}, which the runs do not have; {suggest(name, table)}")
    rows = {name: np.asarray(table[name], dtype=float)[used] for name in points}
    losses = {column: np.asarray(table[column], dtype=float)[used] for column in columns}
    how: dict[str, Any] = {"target": "loss", "inputs": list(points), "laws": laws, "seed": seed, "progress": progress}
    if len(columns) == 1:
        known = np.isfinite(losses[columns[0]])
        return forecast({n: v[known] for n, v in rows.items()} | {"loss": losses[columns[0]][known]}, points, **how)
    stacked = {name: np.tile(v, len(columns)) for name, v in rows.items()}
    stacked |= {"loss": np.concatenate([losses[c] for c in columns]), "task": np.repeat(columns, int(used.sum()))}
    known = np.isfinite(stacked["loss"])
    asked = {name: np.tile(v, len(columns)) for name, v in points.items()}
    asked["task"] = np.repeat(columns, len(next(iter(points.values()))))
    return forecast({name: v[known] for name, v in stacked.items()}, asked, by="task", **how)


def _losses(found: Forecast, columns: list[str], draws: int, kind: Literal["run", "mean"], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(columns, points) losses and (draws, columns, points) of them."""
    shape = (len(columns), len(found) // len(columns))
    return found.prediction.reshape(shape), found.drawn(draws, kind=kind, seed=seed).reshape(draws, *shape)
