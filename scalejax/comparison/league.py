"""`league`: laws fitted to the first part of many learning curves and ranked by how well they continue them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import ConvergenceWarning, DataError, FitError, IdentifiabilityWarning
from ..core.laws.law import Law
from ..core.numeric.precision import double
from ..core.runs import Runs
from ..core.table import Shown, Table, number
from ..data.readers import read_runs
from ..fitting.fit import find_law, fit
from ..fitting.objective.groups import label

_Entry = tuple[Law, dict[str, Any]]


@dataclass(frozen=True, eq=False, repr=False)
class League(Shown):
    """Errors of laws on the continuations of curves, see `league`; printing it gives the table.

    Attributes:
        laws: names of the contenders. curves: names of the curves.
        rmse: (laws, curves) root mean square of log predicted - log observed on the held-out part; NaN where a curve has fewer points than
            the law has parameters, or a prediction is not finite.
        standard_error: (laws, curves) of the RMSE, sqrt(MSE + sd(squared error) / sqrt(n)) - RMSE.
        chosen: (laws, curves) index of the alternative in use; 0 for a single law.
        points: (curves,) held-out points.
        resolution: RMSE are rounded down to multiples of it before they are compared.
    """

    laws: tuple[str, ...]
    curves: tuple[str, ...]
    rmse: np.ndarray
    standard_error: np.ndarray
    chosen: np.ndarray
    points: np.ndarray
    resolution: float

    @property
    def wins(self) -> np.ndarray:
        """(laws,) curves on which each law is best; a tie is shared."""
        steps = np.floor(self.rmse / self.resolution) if self.resolution else self.rmse
        best = steps == np.nanmin(steps, axis=0)
        return (best / best.sum(axis=0)).sum(axis=1)

    @property
    def best(self) -> str:
        """Name of the law with the most wins."""
        return self.laws[int(np.argmax(self.wins))]

    def table(self) -> Table:
        """A row for every law, most wins first."""
        wins, count = self.wins, len(self.curves)
        rows = [
            [
                self.laws[i], number(wins[i], 3), f"{100 * wins[i] / count:.1f} %", number(np.nanmedian(self.rmse[i]), 3),
                number(np.nanmean(self.rmse[i]), 3), str(int(np.isfinite(self.rmse[i]).sum())),
            ]
            for i in np.argsort(-wins, kind="stable")
        ]  # fmt: skip
        note = f"{count} curves, {int(self.points.sum())} held-out points; errors of logarithms"
        return Table(["law", "wins", "share", "median RMSE", "mean RMSE", "curves"], rows, notes=[note])

    def scores(self) -> Table:
        """RMSE of every law on every curve."""
        rows = [[curve, *(number(value, 3) for value in self.rmse[:, j])] for j, curve in enumerate(self.curves)]
        return Table(["curve", *self.laws], rows)

    def _repr_html_(self) -> str:
        return self.table().html() + self.scores().html()


@double
def league(
    laws: Mapping[str, Any],
    runs: Runs | Any,
    *,
    curve: str,
    training: Any,
    tail: float = 0.3,
    resolution: float = 0.0,
    **options: Any,
) -> League:
    r"""Fit laws to the training part of every curve and score how they continue it.

        RMSE = sqrt( mean (log y - log f(x))^2 )    over the held-out points of a curve

    Every law is fitted to all curves in one batched call, each curve with parameters of its own. A contender may be a list of alternatives,
    such as broken power laws with one, two, three breaks: for every curve the one is taken that, fitted to the first 1 - `tail` of its
    TRAINING points, predicts the others best; it is then fitted to all of them. The held-out part plays no role in that choice.

    Args:
        laws: name to a law (or its name), to (law, options of `fit`), or to a list of these.
        runs: as in `fit`, with the first input of all laws in one column.
        curve: column that names the curve of a row.
        training: column of ones (fitted) and zeros (held out), or one boolean a row.
        tail: share of a curve's training points, those of largest input, that choose between alternatives.
        resolution: errors that differ by less count as ties, which share the win; Alabdulmohsin et al. use 1e-3.
        **options: of `fit`, for all laws, such as loss, starts, bounds, seed.

    Returns:
        League: `rmse`, `wins`, `best`, `table()`, `scores()`.

    Raises:
        DataError, FitError: if a curve has no held-out or no training points, or arguments make no sense.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> x = np.tile(np.logspace(4, 9, 21), 2)
        >>> name = np.repeat(["first", "second"], 21)
        >>> y = 0.2 + np.where(name == "first", 10.0, 20.0) * x**-0.3
        >>> found = sj.league({"M1": sj.laws.m1, "M2": sj.laws.m2}, {"x": x, "loss": y, "curve": name},
        ...                              curve="curve", training=x < 1e8, starts=64)
        >>> found.best, found.wins.tolist()
        ('M2', [0.0, 2.0])

    References: Alabdulmohsin et al. 2022, arXiv:2209.06640 (benchmark and its score); Caballero et al. 2022, arXiv:2210.14891.
    """
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    usable = ~runs.excluded
    mask, runs = _training(runs, training)[usable], runs.take(np.flatnonzero(usable))
    entries = {name: _entries(name, value) for name, value in _checked(laws).items()}
    if not 0 < tail < 1 or not resolution >= 0:
        raise FitError(f"tail={tail!r} must lie between 0 and 1, and resolution={resolution!r} must not be negative.")
    size = next(iter(entries.values()))[0][0].inputs[0]
    names, index = np.unique(runs[curve], return_inverse=True)
    for part, text in ((mask, "training"), (~mask, "held-out")):
        missing = np.flatnonzero(np.bincount(index[part], minlength=len(names)) == 0)
        if len(missing):
            raise DataError(f"Curve {label(names[missing[0]])!r} has no {text} points; drop it or change training=.")
    early = mask & ~_last(runs[size], index, mask, tail)
    scored = [_contender(options_of, runs, curve, index, (early, mask), options) for options_of in entries.values()]
    rmse, error, chosen = (np.stack(values) for values in zip(*scored, strict=True))
    if np.isnan(rmse).all(axis=0).any():
        raise FitError(f"No law could be fitted to curve {label(names[np.isnan(rmse).all(axis=0)][0])!r}: it has too few training points.")
    return League(
        laws=tuple(entries), curves=tuple(map(label, names.tolist())), rmse=rmse, standard_error=error, chosen=chosen,
        points=np.bincount(index[~mask]), resolution=resolution,
    )  # fmt: skip


def _checked(laws: Any) -> Mapping[str, Any]:
    if not isinstance(laws, Mapping) or not laws:
        raise FitError("league() takes a mapping of names to laws, such as {'M2': sj.laws.m2, 'M4': sj.laws.m4}.")
    return laws


def _entries(name: str, value: Any) -> list[_Entry]:
    """The alternatives of a contender with their own options."""
    alternatives = value if isinstance(value, list) else [value]
    pairs = [(v if isinstance(v, tuple) else (v, {})) for v in alternatives]
    if not pairs or any(len(pair) != 2 or not isinstance(pair[1], Mapping) for pair in pairs):
        raise FitError(f"laws[{name!r}] must be a law, (law, options of fit), or a list of these.")
    return [(find_law(law), dict(options)) for law, options in pairs]


def _training(runs: Runs, training: Any) -> np.ndarray:
    """Which rows are for training."""
    values = runs[training] if isinstance(training, str) else np.asarray(training)
    if values.shape != (len(runs),) or not np.isin(values, (0, 1)).all():
        raise DataError(f"training= must give a 0 or 1 for each of the {len(runs)} rows: a column or booleans.")
    return values.astype(bool)


def _last(x: np.ndarray, index: np.ndarray, mask: np.ndarray, share: float) -> np.ndarray:
    """Which training rows are the last of their curve: this share of them, at least one, those of largest x."""
    last = np.zeros(len(x), bool)
    for k in range(index.max() + 1):
        mine = np.flatnonzero((index == k) & mask)
        last[mine[np.argsort(x[mine], kind="stable")][-max(round(share * len(mine)), 1) :]] = True
    return last


def _contender(
    entries: list[_Entry], runs: Runs, curve: str, index: np.ndarray, parts: tuple[np.ndarray, np.ndarray], options: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RMSE, its standard error and the alternative of every curve, (curves,) each."""
    early, mask = parts
    scores = [_score(law, runs, curve, index, mask, ~mask, {**options, **own}) for law, own in entries]
    chosen = np.zeros(index.max() + 1, int)
    if len(entries) > 1:
        seen = np.stack([_score(law, runs, curve, index, early, mask & ~early, {**options, **own})[0] for law, own in entries])
        usable = np.where(np.isnan([score[0] for score in scores]), np.inf, np.where(np.isnan(seen), np.inf, seen))
        chosen = np.argmin(usable, axis=0)
    rmse, error = (np.stack(part)[chosen, np.arange(len(chosen))] for part in zip(*scores, strict=True))
    return rmse, error, chosen


def _score(
    law: Law, runs: Runs, curve: str, index: np.ndarray, fitted: np.ndarray, scored: np.ndarray, options: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """RMSE of logarithms on the rows `scored` after a fit to the rows `fitted`, and its standard error, (curves,) each."""
    count = np.bincount(index[fitted], minlength=index.max() + 1)
    long = (count >= _parameters(law, options))[index]
    rmse, error = np.full((2, len(count)), np.nan)
    if not (fitted & long).any():
        return rmse, error
    with warnings.catch_warnings():
        # Some curves never determine all parameters; their predictions are scored all the same.
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = fit(law, runs.where(fitted & long), **{"by": curve, "unidentified": "warn", **options})
    new = runs.where(scored & long)
    predicted = found.predict(**{name: new[name] for name in law.inputs}, group=[label(v) for v in new[curve].tolist()])
    square = (np.log(predicted) - np.log(new[law.output])) ** 2
    for k in np.unique(index[scored & long]):
        mine = square[index[scored & long] == k]
        rmse[k] = np.sqrt(mine.mean())
        if len(mine) > 1:
            error[k] = np.sqrt(mine.mean() + mine.std(ddof=1) / np.sqrt(len(mine))) - rmse[k]
    return rmse, error


def _parameters(law: Law, options: Mapping[str, Any]) -> int:
    """Free numbers a curve."""
    held = {*options.get("fix", {}), *options.get("tie", {})}
    domains = [law.domains[name] for name in law.parameters if name not in held]
    return sum(1 if d.axis is None else d.free(options.get("sizes", {}).get(d.axis, 1)) for d in domains)
