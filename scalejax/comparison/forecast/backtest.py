"""`backtest`: how laws, and their average, would have forecast runs that are known."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...core.errors import DataError, suggest
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.progress import Progress, reporter
from ...core.table import Shown, Table, number
from .averaging import Evidence, evidence, forecast, rises
from .columns import beyond, make_columns, number_of, outcome_of, table_of
from .members import described
from .metrics import Scores, scores
from .origins import make_origins
from .result import Forecast

AVERAGE = "average"


class Trial(NamedTuple):
    """One law, or the average of all, at one split.

    Attributes:
        split: what was held out. law: the law, or "average". known, asked: runs that it was fitted to, and asked for.
        scores: how it did. weight: of the law in the average.
    """

    split: str
    law: str
    known: int
    asked: int
    scores: Scores
    weight: float


@dataclass(frozen=True, eq=False, repr=False)
class Backtest(Shown):
    """How laws would have forecast known runs, see `backtest`; printing it gives the table.

    Attributes:
        trials: every law at every split, the average first.
        level: of the intervals.
        seconds: that it took.
    """

    trials: tuple[Trial, ...]
    level: float
    seconds: float
    _asked: Mapping[str, Any] = field(repr=False)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""
        return tuple(dict.fromkeys(trial.split for trial in self.trials))

    @property
    def laws(self) -> tuple[str, ...]:
        """The average, and the laws from the least error upwards."""
        names = tuple(dict.fromkeys(trial.law for trial in self.trials if trial.law != AVERAGE))
        return (AVERAGE, *sorted(names, key=lambda name: self.mean(name).error))

    def mean(self, law: str = AVERAGE) -> Scores:
        """Scores of a law, the mean over splits; those that no split has are NaN."""
        found = np.asarray([trial.scores for trial in self.trials if trial.law == law])
        if not len(found):
            raise DataError(f"There is no law {law!r} in this backtest; {suggest(law, self.laws)}")
        counts = np.isfinite(found).sum(axis=0)
        return Scores(*np.where(counts > 0, np.nansum(found, axis=0) / np.maximum(counts, 1), np.nan).tolist())

    def forecast(self, at: Any, **options: Any) -> Forecast:
        """The forecast of other points, from all runs and with the same settings; `options` as in `forecast`."""
        return forecast(at=at, **{**self._asked, **options})

    def table(self) -> Table:
        """A row for every law, the average first: mean scores over splits."""
        head = ["law", "error", "RMSE", "R2", "CRPS", f"{100 * self.level:g} % held", "width", "rank", "pairs", "regret"]
        rows = []
        for law in self.laws:
            s = self.mean(law)
            rows.append([
                law, _percent(s.error), number(s.rmse, 3), number(s.r2, 3), number(s.crps, 3), _percent(s.coverage), _percent(s.width),
                number(s.rank, 3), _percent(s.pairs), _percent(s.regret),
            ])  # fmt: skip
        asked = ", ".join(f"{t.split} ({t.known} known, {t.asked} asked)" for t in self.trials if t.law == AVERAGE)
        return Table(head, rows, notes=[f"held out: {asked}"])


def _percent(value: float) -> str:
    return "—" if np.isnan(value) else f"{100 * value:.3g} %"


@double
def backtest(
    runs: Any,
    laws: Sequence[Law | str] | Law | str | None = None,
    *,
    target: str = "loss",
    inputs: Sequence[str] | str | None = None,
    by: str | None = None,
    splits: str | Mapping[str, Any] = "scale",
    shares: float | Sequence[float] = (0.2, 0.4),
    scale: str | Callable[..., Any] | None = None,
    level: float = 0.9,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Backtest:
    r"""How would laws, and their average, have forecast runs that are known?

    At every split the laws are fitted to the other runs alone, and weighed by what they forecast among these; they are then asked for the
    runs held out. Intervals are those of `forecast`.

    Args:
        runs, target, inputs, by, scale, seed, progress: as in `forecast`.
        laws: as in `forecast`.
        splits: "scale" holds out the largest runs; the name of an input those that are largest in it; of a column of text one group after
            the other; "last" the last rows; or a mapping from names to masks (n,) of the runs held out.
        shares: of the runs, held out by size or as last rows, a split each.
        level: of the intervals that are scored.

    Returns:
        Backtest: `.table()`, `.mean(law)`, `.trials`, `.forecast(at)`.

    Raises:
        DataError, FitError: one sentence: what, where, what to do.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 3e10, 6)))
        >>> law = sj.laws.chinchilla
        >>> runs = sj.simulate(law, law.published["besiroglu2024"], N=N, D=D, noise=0.002)
        >>> found = sj.backtest(runs, ["chinchilla", "kaplan"])
        >>> found.laws, found.mean("chinchilla").error < found.mean("kaplan").error
        (('average', 'chinchilla', 'kaplan'), True)
    """
    begun, report = time.perf_counter(), reporter("backtest", progress)
    table, left_out = table_of(runs)
    if not 0 < level < 1:
        raise DataError(f"level={level!r} must lie between 0 and 1, such as 0.9.")
    target = outcome_of(table, target)
    usable = ~left_out & np.isfinite(number_of(table, target))
    asked = _splits({name: column[usable] for name, column in table.items()}, target, inputs, by, splits, shares, scale, seed)
    trials: list[Trial] = []
    for i, (name, held) in enumerate(asked.items()):
        known, hidden = ({n: column[usable][rows] for n, column in table.items()} for rows in (~held, held))
        columns = make_columns(known, hidden, target, inputs, by)
        told = evidence(columns, make_origins(columns, scale, seed), laws, seed, None)
        trials += _trials(name, told, np.asarray(hidden[target], dtype=np.float64), target, level)
        if report:
            report(i + 1, len(asked))
    options = {"runs": runs, "target": target, "inputs": inputs, "laws": laws, "by": by, "scale": scale, "seed": seed}
    return Backtest(tuple(trials), level, time.perf_counter() - begun, options)


def _trials(split: str, told: Evidence, observed: np.ndarray, target: str, level: float) -> list[Trial]:
    """The average, and every law alone, at a split."""
    on_scale = observed / told.unit if told.link == "linear" else np.log(described(told.link, observed))
    better_up, known, out = rises(told.columns, told.rolling), len(told.columns.y), []
    weights = told.forecast("learned", target, 0.0).weights
    for law in (AVERAGE, *told.laws):
        found = (told if law == AVERAGE else told.alone(law)).forecast("learned", target, 0.0)
        sd = np.sqrt(sum(found.variances.values()))
        ends = found.interval(level)
        got = scores(observed, found.prediction, *ends, miss=found.centre - on_scale, sd=sd, freedom=found.freedom, rises=better_up)
        out.append(Trial(split, law, known, len(observed), got, weights.get(law, 1.0)))
    return out


def _splits(
    table: Mapping[str, np.ndarray],
    target: str,
    inputs: Sequence[str] | str | None,
    by: str | None,
    splits: str | Mapping[str, Any],
    shares: float | Sequence[float],
    scale: str | Callable[..., Any] | None,
    seed: int,
) -> dict[str, np.ndarray]:
    """Name to mask of the rows held out."""
    rows = len(table[target])
    if isinstance(splits, Mapping):
        return {str(name): _mask(str(name), mask, rows) for name, mask in splits.items()}
    if splits in table and table[splits].dtype.kind not in "fiub":
        return {f"{splits} {name}": table[splits] == name for name in dict.fromkeys(table[splits].tolist())}
    try:
        wanted = np.atleast_1d(np.asarray(shares, dtype=np.float64))
    except (TypeError, ValueError):
        wanted = np.empty(0)
    if not wanted.size or not ((wanted > 0) & (wanted < 1)).all():
        raise DataError(f"shares={shares!r} must lie between 0 and 1, such as 0.2.")
    if splits == "last":
        return {f"last {100 * share:g} %": np.arange(rows) >= rows - max(round(share * rows), 1) for share in wanted}
    if splits not in ("scale", *table):
        raise DataError(f"splits={splits!r} is unknown; {suggest(splits, ['scale', 'last', *table])}")
    columns = make_columns(table, beyond(table), target, inputs, by)
    size = make_origins(columns, scale if splits == "scale" else splits, seed).size
    if len(size) != rows or np.ptp(size) == 0:
        raise DataError(f"The runs do not differ in {splits}; hold out others with splits=...")
    out = {}
    for share in wanted:
        held = np.zeros(rows, bool)
        for g in range(max(len(columns.groups), 1)):
            mine = columns.of_run == g
            held |= mine & (size > np.quantile(size[mine], 1 - share, method="lower") + 1e-9)
        if not held.any() or held.all():
            raise DataError(f"The largest {100 * share:g} % of the runs are all of one size; give other shares=...")
        out[f"largest {100 * share:g} %"] = held
    return out


def _mask(name: str, mask: Any, rows: int) -> np.ndarray:
    array = np.asarray(mask)
    if array.dtype != bool or array.shape != (rows,):
        raise DataError(
            f"The split {name!r} must be a mask of {rows} truth values, one for each run that can be used; it is {array.dtype} of shape "
            f"{array.shape}."
        )
    if array.all() or not array.any():
        every = "every run" if array.all() else "no run"
        raise DataError(f"The split {name!r} holds out {every}; leave some to learn from and some to ask for.")
    return array
