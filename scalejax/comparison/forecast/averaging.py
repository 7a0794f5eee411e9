"""`forecast`: what larger runs will show, from all laws that the columns can serve, with the error that such forecasts had."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ...core.errors import FitError, suggest
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.outcomes import less_is_better
from ...core.progress import Progress, reporter
from ...fitting.objective.losses import huber
from .columns import Columns, Link, make_columns
from .ensemble import average, past_errors, weigh
from .members import Candidates, make_candidates, outcome, unit_of
from .misfit import Past, Prior, Scale, learned, scale_of
from .origins import ORIGINS, Origins, make_origins, weightings
from .refits import Refits, refit
from .result import Forecast, Origin

_REPLICATES = 8
_TOP = 0.5  # share of the runs, the largest, whose residuals are the noise at the points
_CAPPED = 4.0  # robust standard deviations at which a residual's size is capped
_GROUP_NOISE = 5.0  # runs' worth of the noise of all groups, beside those of a group's own
_LEVEL = 0.9


class Predicted(NamedTuple):
    """What every member says, on the scale of laws (logarithms, or standard deviations of targets without a sign).

    Attributes:
        names: (members,) law and index of the emphasis.
        past: (members, n, origins + 1) at the runs. ahead: (members, m) at the points.
        replicates: (laws, m, replicates) at the points, from reweighted runs under the middle emphasis.
        candidates: the laws and their refits, in the order of the members.
        weighting, row_weights: see `Evidence`.
    """

    names: tuple[tuple[str, int], ...]
    past: np.ndarray
    ahead: np.ndarray
    replicates: np.ndarray
    candidates: tuple[tuple[Candidates, Refits], ...]
    weighting: int
    row_weights: np.ndarray


@double
def forecast(
    runs: Any,
    at: Any,
    *,
    target: str = "loss",
    inputs: Sequence[str] | str | None = None,
    laws: Sequence[Law | str] | Law | str | None = None,
    by: str | None = None,
    scale: str | Callable[..., Any] | None = None,
    misfit: Literal["learned"] | Prior | None = "learned",
    origins: int = ORIGINS,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Forecast:
    r"""What will runs show that have not been trained? A weighted average of laws, with intervals that hold what such forecasts promise.

    Every law is fitted as if only the smaller runs were known, from several origins, and asked for the larger ones, whose outcome is
    known. These errors weigh the laws, and tell how wrong the average is:

        log y = sum_k w_k log f_k(x),    w_k ~ 1 / (geometric mean over origins of the error of law k)^2
        variance = noise + parameters + spread of the laws + (u + v * decades beyond the runs)^2

    each scaled by what the average missed at the origins, shrunk towards what forecasts of public sweeps missed (see `misfit`). Laws are
    fitted to all runs alike and with weights that fall towards the smaller ones: beyond the runs the largest tell most.

    Args:
        runs: a table as for `read_runs`; columns may have any names.
        at: the points to forecast: a mapping of inputs to numbers or arrays, or a table with the same columns.
        target: the column to forecast. Falling outcomes such as losses and errors are described as they are; rising shares, and
            scores in per cent, as their complement and other rising ones as their reciprocal, so that laws can fall.
        inputs: the columns that it depends on; default all other numeric ones that the points have, too. Columns of shares that sum to one
            are a mixture.
        laws: laws or names to average; default all of the zoo that the columns can serve, and sums of powers of them.
        by: a column whose groups are forecast apart, with weights of the laws and an error in common where a group says little.
        scale: what is large: an input, or a function of the columns; default compute (6 N D or C), or what the points exceed the runs in.
        misfit: "learned" from public sweeps and the runs' own origins, a `Prior` of your own, or None for noise, parameters and
            spread alone.
        origins: how many, at most. Where most points lie among the runs, and none beyond them by half a decade, they are five random folds.
        seed: of starts, folds and replicates.
        progress: True, False, a function of (done, total), or None for a line on terminals when it takes long.

    Returns:
        Forecast: `.prediction`, `.interval(level, kind)`, `.weights`, `.parts`, `.origins`, `.table()`, `.plot()`.

    Raises:
        DataError, FitError: one sentence: what, where, what to do.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> N, D = np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 2e10, 4))
        >>> runs = sj.simulate(law, law.published["besiroglu2024"], N=N.ravel(), D=D.ravel(), noise=0.003)
        >>> found = sj.forecast(runs, {"N": [7e9], "D": [1.4e11]})
        >>> low, high = found.interval(0.9)
        >>> bool(low[0] < law(7e9, 1.4e11, **law.published["besiroglu2024"]) < high[0])
        True

    References: Tashman 2000, International Journal of Forecasting 16, 437 (rolling origins); Bates and Granger 1969, Operational Research
    Quarterly 20, 451 (weights from past errors). The law of the misfit and its prior are our own.
    """
    begun = time.perf_counter()
    if misfit not in ("learned", None) and not isinstance(misfit, Prior):
        raise FitError(f"misfit={misfit!r} is unknown; {suggest(str(misfit), ['learned'])} None leaves it out.")
    if not isinstance(seed, int):
        raise FitError(f"seed={seed!r} must be a whole number.")
    if not isinstance(origins, int) or not 0 <= origins <= 50:
        raise FitError(f"origins={origins!r} must be a whole number from 0 to 50.")
    columns = make_columns(runs, at, target, inputs, by)
    rolling = make_origins(columns, scale, seed, origins)
    told = evidence(columns, rolling, laws, seed, reporter("forecast", progress))
    return told.forecast(misfit, columns.target, time.perf_counter() - begun)


class Evidence(NamedTuple):
    """What the runs say of the points and of such forecasts, before it is scaled; on the scale of laws.

    Attributes:
        columns, rolling: the tables and the origins.
        link, unit, values: how laws describe the target, what it is divided by where it has no sign, and the target so described, (n,).
        said: what every member says.
        errors: (members, groups, origins) of the members at the origins. weight: (members, groups) that follow.
        centre, spread, parameters, noise: (m,) at the points.
        past: what every origin forecast.
    """

    columns: Columns
    rolling: Origins
    link: Link
    unit: float
    values: np.ndarray
    said: Predicted
    errors: np.ndarray
    weight: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    parameters: np.ndarray
    noise: np.ndarray
    past: list[Past]

    @property
    def laws(self) -> tuple[str, ...]:
        """Names of the laws."""
        return tuple(dict.fromkeys(name for name, _ in self.said.names))

    def alone(self, law: str) -> Evidence:
        """What one law says by itself, its emphases weighed among each other."""
        mine = np.asarray([[name == law] for name, _ in self.said.names])
        weight = np.where(mine, self.weight, 0.0)
        return _weighed(self, weight / weight.sum(axis=0))

    def scaled(self, misfit: Literal["learned"] | Prior | None) -> Scale:
        """Variances by part."""
        of = (self.spread, self.parameters, self.rolling.reach, self.noise, self.columns.of_point)
        return _scaled(self.chosen(misfit), self.past, *of)

    def chosen(self, misfit: Literal["learned"] | Prior | None) -> Prior | None:
        """The prior that is asked for."""
        return learned(len(self.columns.inputs)) if misfit == "learned" else misfit

    def forecast(self, misfit: Literal["learned"] | Prior | None, target: str, seconds: float) -> Forecast:
        """The forecast that follows."""
        columns, rolling, found = self.columns, self.rolling, self.scaled(misfit)
        return Forecast(
            target=target, at=dict(columns.at), group=tuple(columns.groups[g] for g in columns.of_point) if columns.groups else (),
            link=self.link, unit=self.unit, centre=self.centre, variances=found.parts, freedom=found.freedom,
            weights=_by_law(self.said.names, self.weight), weights_by_group=_by_group(self.said.names, self.weight, columns),
            origins=_judged(self, self.chosen(misfit)), axis=rolling.axis, size=rolling.size, asked=rolling.asked,
            reach=rolling.reach, runs=len(columns.y), notes=columns.left_out, seconds=seconds, columns=columns, _values=self.values,
            _candidates=self.said.candidates, _weighting=self.said.weighting, _row_weights=self.said.row_weights,
        )  # fmt: skip


def evidence(columns: Columns, rolling: Origins, laws: Any, seed: int, progress: Callable[[int, int], None] | None) -> Evidence:
    """Fit all laws from all origins, weigh them, and average what they say."""
    link, values = outcome(columns.y, rises(columns, rolling), columns.target)
    unit = unit_of(link, values)
    said = _predict(columns, rolling, link, values, unit, laws, seed, progress)
    observed, groups, none = on_scale(values, link, 1.0, unit), max(len(columns.groups), 1), np.empty(0)
    errors = past_errors(said.past[:, :, :-1], observed, rolling.seen[:, :-1], columns.of_run, groups)
    told = Evidence(columns, rolling, link, unit, values, said, errors, none, none, none, none, none, [])
    return _weighed(told, weigh(errors))


def _observed(told: Evidence) -> np.ndarray:
    """(n,) the target on the scale of laws."""
    return on_scale(told.values, told.link, 1.0, told.unit)


def _weighed(told: Evidence, weight: np.ndarray) -> Evidence:
    """The evidence with these weights (members, groups) of the laws."""
    columns, rolling, said, observed = told.columns, told.rolling, told.said, _observed(told)
    centre = average(said.ahead, weight[:, columns.of_point])
    of_law = weight.reshape(len(said.replicates), -1, weight.shape[1]).sum(axis=1)[:, columns.of_point]
    replicates = [average(said.replicates[:, :, i], of_law).mean for i in range(_REPLICATES)]
    noise = _noise(columns, rolling, observed - average(said.past[:, :, -1], weight[:, columns.of_run]).mean)
    return told._replace(
        weight=weight, centre=centre.mean, spread=centre.spread, parameters=np.std(replicates, axis=0, ddof=1),
        noise=noise[columns.of_point],
        past=[_past(columns, rolling, said, observed, weight, noise, k) for k in range(rolling.count)],
    )  # fmt: skip


def rises(columns: Columns, rolling: Origins) -> bool:
    """Does the target rise with scale? Not if its name says that it is a loss; else by the sign of most groups' rank correlation."""
    if less_is_better(columns.target):
        return False
    size = rolling.size if rolling.axis else columns.largeness
    signs = []
    for g in range(max(len(columns.groups), 1)):
        rows = columns.of_run == g
        a, b = (np.argsort(np.argsort(v[rows])) for v in (size, columns.y))
        signs.append(np.sum((a - a.mean()) * (b - b.mean())))
    return float(np.sum(np.sign(signs))) > 0


def _predict(
    columns: Columns, rolling: Origins, link: Link, values: np.ndarray, unit: float, laws: Any, seed: int, progress: Any
) -> Predicted:
    """Every law under every weighting: at the runs from every origin, and at the points from all runs."""
    weights, origin, emphasis = weightings(columns, rolling)
    last = np.flatnonzero(origin == rolling.count)
    rng = np.random.default_rng(seed)
    middle_emphasis = int(last[len(last) // 2])
    reweighted = weights[:, [middle_emphasis]] * rng.exponential(size=(len(weights), _REPLICATES))
    every = np.concatenate([weights, reweighted], axis=1)
    when = np.concatenate([origin, np.full(_REPLICATES, rolling.count)])
    first = np.arange(len(when)) < len(origin)
    earlier = (when[None, :] <= when[:, None]) & first
    on = "linear" if link == "linear" else "log"
    names, past, ahead, replicates, candidates = [], [], [], [], []
    chosen = make_candidates(columns, link, values, laws)
    for i, one in enumerate(chosen):
        group = {"group": np.asarray(columns.of_run).astype(str)} if columns.by else {}
        refits = refit(
            one.law, one.runs(columns.runs, values, group), every, earlier, masks=one.masks, misfit=one.misfit,
            by="group" if group else None, on=on, loss=huber(1e-3), sizes=one.sizes, seed=seed,
        )  # fmt: skip
        middle = one.middle.get("", 1.0)
        at_runs = on_scale(refits.at(one.runs(columns.runs), columns.of_run, np.arange(len(origin))), link, middle, unit)
        wanted = np.concatenate([last, np.flatnonzero(~first)])
        at_points = on_scale(refits.at(one.runs(columns.at), columns.of_point, wanted), link, middle, unit)
        structures, n, m = at_runs.shape[0], at_runs.shape[1], at_points.shape[1]
        past.append(at_runs.reshape(structures, n, rolling.count + 1, len(last)).transpose(0, 3, 1, 2).reshape(-1, n, rolling.count + 1))
        ahead.append(at_points[:, :, : len(last)].swapaxes(1, 2).reshape(-1, m))
        replicates.append(at_points[:, :, len(last) :])
        names += [(name, int(e)) for name in one.names for e in emphasis[last]]
        candidates.append((one, refits))
        if progress:
            progress(i + 1, len(chosen))
    return Predicted(
        tuple(names), np.concatenate(past), np.concatenate(ahead), np.concatenate(replicates), tuple(candidates), middle_emphasis,
        weights[:, middle_emphasis],
    )  # fmt: skip


def on_scale(found: np.ndarray, link: Link, middle: float, unit: float) -> np.ndarray:
    """What laws say of outputs divided by `middle`, on the scale on which they are averaged."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return found * (middle / unit) if link == "linear" else np.log(found * middle)


def _noise(columns: Columns, rolling: Origins, residual: np.ndarray) -> np.ndarray:
    """(groups,) root mean square of the residuals of the largest runs of every group, shrunk towards that of all."""
    groups = max(len(columns.groups), 1)
    square, count = np.empty(groups), np.empty(groups)
    for g in range(groups):
        rows = np.flatnonzero(columns.of_run == g)
        large = rows[rolling.size[rows] >= np.quantile(rolling.size[rows], 1 - _TOP)]
        size = np.abs(residual[large])
        cap = _CAPPED * np.median(size) / 0.6745 + 1e-9
        square[g], count[g] = np.mean(np.minimum(size, cap) ** 2), len(large)
    pooled = np.sum(square * count) / np.sum(count)
    return np.sqrt((count * square + _GROUP_NOISE * pooled) / (count + _GROUP_NOISE)) if groups > 1 else np.sqrt(square)


def _past(columns: Columns, rolling: Origins, said: Predicted, observed: np.ndarray, weight: np.ndarray, noise: np.ndarray, k: int) -> Past:
    """What the average says from origin k of the runs that it does not know."""
    rows = np.flatnonzero(~rolling.seen[:, k])
    group = columns.of_run[rows]
    found = average(said.past[:, rows, k], weight[:, group])
    return Past(found.mean - observed[rows], found.spread, rolling.ahead[rows, k], noise[group], group)


def _scaled(prior: Prior | None, past: list[Past], *points: np.ndarray) -> Scale:
    """Variances by part, from the spread, parameters, reach, noise and group of points."""
    if prior is None:
        return scale_of(Prior(1.0, 1.0, 0.0, 0.0, 1.0, 1e6, 0.0), [], *points)
    return scale_of(prior, past, *points)


def _by_law(names: tuple[tuple[str, int], ...], weight: np.ndarray) -> dict[str, float]:
    """Weight of every law, its emphases together, the mean over groups; the heaviest first."""
    total: dict[str, float] = {}
    for (name, _), w in zip(names, weight.mean(axis=1), strict=True):
        total[name] = total.get(name, 0.0) + float(w)
    return dict(sorted(total.items(), key=lambda item: -item[1]))


def _by_group(names: tuple[tuple[str, int], ...], weight: np.ndarray, columns: Columns) -> dict[str, dict[str, float]]:
    return {name: _by_law(names, weight[:, [g]]) for g, name in enumerate(columns.groups)}


def _judged(told: Evidence, prior: Prior | None) -> tuple[Origin, ...]:
    """How every origin did, with weights of the laws and a scale from the other origins."""
    columns, rolling, observed = told.columns, told.rolling, _observed(told)
    noise = np.zeros(told.weight.shape[1])
    for past in told.past:
        noise[past.group] = past.noise
    out = []
    for k in range(rolling.count):
        weight = np.where(told.weight > 0, weigh(np.delete(told.errors, k, axis=2)), 0.0)
        here = _past(columns, rolling, told.said, observed, weight / weight.sum(axis=0), noise, k)
        others = [p for i, p in enumerate(told.past) if i != k]
        found = _scaled(prior, others, here.spread, np.zeros_like(here.spread), here.ahead, here.noise, here.group)
        held = found.within(here.error, _LEVEL)
        known = int(rolling.seen[:, k].sum())
        out.append(Origin(known, len(here.error), float(10 ** np.max(here.ahead)), float(np.mean(np.abs(here.error))), int(held.sum())))
    return tuple(out)
