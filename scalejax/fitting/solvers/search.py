"""Multi-start in stages: evaluate every start, refine the most promising in waves until several agree on the best, and count who agrees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.numeric.batching import in_parallel, over_devices, over_hosts, traced
from ...core.numeric.precision import double
from ...core.numeric.programs import compiled
from ..objective.data import Batch
from ..objective.losses import loss_terms
from ..objective.problem import Data, Spec, arguments, data_axes
from ..request import Request
from ..status import Ends, Status, code
from .closed_form import is_linear
from .closed_form import solve as closed_form
from .gradient import Solver, descend
from .lm import LM, Late, chunk_size
from .lm import solve as levenberg_marquardt
from .starts import DEFAULT, Starts, make_starts
from .system import objective

AGREE = 1e-6  # relative difference of objectives below which two starts found the same optimum
ENOUGH = 3  # starts that must agree before the search of a data set ends
FEWEST = 64  # starts evaluated a set, at least
_EVALUATIONS = 2**24  # of the law at one run, to evaluate the starts: a fraction of a second
_WAVES = (1, 1, 2, 4)  # sizes of the waves of refined starts, relative to the first,
_FIRST, _FULL = 2**15, 256  # which works through so many numbers an iteration, with no more starts than that but where one chunk takes them
_OTHER = 1e-3  # relative difference of objectives that tells another optimum from one reached imprecisely
_DONORS = 64  # sets whose optima are offered to the others
_LENT = 2  # of them the best by value, and as many at random, are refined for each set
_ROUNDS = 5  # of lending
_PATIENCE = 4  # a start is given up after so many times the iterations in which `ENOUGH` others agreed
_RACE = 150  # iterations after which, where nobody agrees, the worst starts are given up,
_LAP = 1.5  # and again after every so many times more,
_STAYS = 0.25  # but for this share of those that still run,
_LEAST = 8  # and so many at least,
_WORSE = 1e-3  # and all whose objective is above the best by no more than this share
_WORK = 2**27  # numbers worked through, times parameters, after which no third wave begins unless the caller asked for starts


@dataclass(frozen=True)
class Found:
    """Outcome of a search.

    Attributes:
        theta: (size, sets, refined) ends of the refined starts, best first; NaN where a set needed fewer.
        objective, status, iterations: (sets, refined) infinite, 0 and 0 where a set needed fewer.
        screened: number of starts evaluated a set.
        closed: was there nothing to search, because the law is linear in all its parameters?
    """

    theta: np.ndarray
    objective: np.ndarray
    status: np.ndarray
    iterations: np.ndarray
    screened: int
    closed: bool = False

    @property
    def converged(self) -> np.ndarray:
        """(sets, refined) starts that converged."""
        return self.status == code(Status.CONVERGED)

    @property
    def best(self) -> np.ndarray:
        """(size, sets) best parameters of every set."""
        return self.theta[:, :, 0]


def agreement(objective: np.ndarray) -> np.ndarray:
    """Which starts, (sets, refined), found the best optimum of their set."""
    return _reaches(objective, objective.min(axis=1, keepdims=True))


def _reaches(objective: np.ndarray, best: np.ndarray) -> np.ndarray:
    return (objective / (1 + AGREE) <= best + 1e-25) & np.isfinite(objective)


@dataclass(frozen=True)
class StartTable:
    """What became of the refined starts, best first within each set; sets that needed fewer have an empty status at the end.

    Attributes:
        objective: (sets, refined). status: (sets, refined) names. iterations: (sets, refined). theta: (size, sets, refined).
        screened: starts that were evaluated before.
    """

    objective: np.ndarray
    status: np.ndarray
    iterations: np.ndarray
    theta: np.ndarray
    screened: int

    @property
    def refined(self) -> int:
        """Refined starts, of the set where the smallest share of them agree."""
        return int(self._counts[1])

    @property
    def agreeing(self) -> int:
        """How many of these `refined` starts reached the best objective."""
        return int(self._counts[0])

    @cached_property
    def _counts(self) -> np.ndarray:
        agree, ran = agreement(self.objective).sum(axis=1), (self.status != "").sum(axis=1)
        worst = np.argmin(agree / np.maximum(ran, 1))
        return np.stack([agree, ran])[:, worst]

    @property
    def optima(self) -> int:
        """Distinct objective values among the converged starts (of the set with the most)."""
        counts = []
        for values, status in zip(self.objective, self.status, strict=True):
            done = np.sort(values[status == Status.CONVERGED.value])
            counts.append(int((np.diff(done) > 1e-4 * np.abs(done[1:])).sum()) + 1 if len(done) else 0)
        return max(counts)


@compiled(0, 1)
def _screen(spec: Spec, batched: tuple[bool, ...], theta: Any, data: Data) -> Any:
    traced("screen")
    value = over_devices(lambda t, d: objective(spec, batched, d, t), (theta, data), (-1, data_axes(batched)))
    return jnp.where(jnp.isfinite(value), value, jnp.inf)


def screen(spec: Spec, batch: Batch, theta: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Objective of every member (theta, set)."""
    source = batch.blocks or batch
    size = chunk_size(source.work, spec.layout.size) * jax.local_device_count()
    values = np.empty(theta.shape[1])

    def work(start: int) -> None:
        chunk = np.arange(start, min(start + size, len(values)))
        padded = np.resize(chunk, size)
        data = arguments(spec, source.gather(sets[padded]))
        values[chunk] = np.asarray(_screen(spec, batch.batched, theta[:, padded], data))[: len(chunk)]

    in_parallel(work, range(0, len(values), size))
    return values


def minimise(
    spec: Spec,
    batch: Batch,
    theta: np.ndarray,
    sets: np.ndarray,
    solver: Solver,
    weight: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
    rivals: bool = False,
) -> Ends:
    """Refine members; `sets` names the data set of each, `weight` (rows, members) replaces the sets' own weights.

    With `rivals` the members of a set are starts of one problem: those that take far longer than several who agree are given up, and where
    nobody agrees those that lag behind the best.
    """
    if type(solver) is LM and is_linear(spec, batch):
        ends, inside = closed_form(spec, batch, sets, weight)
        if inside.all():
            return ends
    source = batch.blocks if type(solver) is LM and batch.blocks else batch

    def share(mine: np.ndarray) -> Ends:
        def gather(members: np.ndarray) -> Data:
            which = mine[members]
            return source.gather(sets[which], None if weight is None else weight[:, which])

        begin, floor = theta[:, mine], rounding_floor(spec, batch)
        if isinstance(solver, LM):
            late = _stragglers(sets[mine]) if rivals else None
            return levenberg_marquardt(spec, batch.batched, begin, gather, source.work, solver, floor, progress, late=late)
        return descend(spec, batch.batched, begin, gather, source.work, solver, floor, progress)

    return over_hosts(share, theta.shape[1])


def _stragglers(sets: np.ndarray) -> Late:
    """Which members to give up, see `_PATIENCE` and `_RACE`; most of them crawl along a plateau where a term of the law has vanished."""
    agreed_after = np.full(sets.max(initial=0) + 1, np.inf)  # iterations, by set
    lap = float(_RACE)

    def late(members: np.ndarray, objective: np.ndarray, iterations: np.ndarray, status: np.ndarray) -> np.ndarray:
        nonlocal agreed_after, lap
        of, best = sets[members], np.full(len(agreed_after), np.inf)
        np.minimum.at(best, of, objective)
        there, running = _reaches(objective, best[of]), status == 0
        agreed = np.bincount(of[there & (status == code(Status.CONVERGED))], minlength=len(best)) >= ENOUGH
        agreed_after = np.where(agreed, np.minimum(agreed_after, iterations.max()), np.inf)
        out = running & ~there & (iterations >= _PATIENCE * agreed_after[of])
        spent = iterations[running].max(initial=0)
        lap = min(lap, _RACE * _LAP ** max(np.ceil(np.log(max(spent, 1) / _RACE) / np.log(_LAP)), 0))  # members of a new slab begin anew
        if spent >= lap:
            lap = _LAP * spent
            out |= _lagging(of, objective, running & ~agreed[of], best)
        return out

    return late


def _lagging(of: np.ndarray, objective: np.ndarray, running: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Which of the `running` members have to go: of every set all but the best few, and but those that are nearly as good as the best."""
    worse = running & ~(objective <= (1 + _WORSE) * best[of])
    counts = [np.bincount(of[which], minlength=len(best)) for which in (running, worse)]
    places = np.maximum(np.ceil(_STAYS * counts[0]), _LEAST) - (counts[0] - counts[1])  # left for the worse
    order = np.flatnonzero(worse)[np.lexsort((objective[worse], of[worse]))]
    first = np.cumsum(counts[1]) - counts[1]
    out = np.zeros(len(of), bool)
    out[order] = np.arange(len(order)) - first[of[order]] >= places[of[order]]
    return out


@double
def rounding_floor(spec: Spec, batch: Batch) -> float:
    """Objective below which only rounding is left: residuals of 1e-15, relative to the target's size."""
    size = 1.0 if spec.on == "log" else float(np.max(np.abs(batch.target)))
    return float(loss_terms(spec.loss, np.asarray(1e-15 * size))[0]) * batch.rows


def rounding_level(spec: Spec, batch: Batch) -> float:
    """Objective of residuals of 1e-12, which noise-free runs leave: differences below it are rounding."""
    return 1e6 * rounding_floor(spec, batch)


def search(
    request: Request, starts: Starts | np.ndarray | None, solver: Solver, seed: int, progress: Callable[[int, int], None] | None
) -> Found:
    """Screen the starts of every set and refine them in waves, until `ENOUGH` converged on the best optimum of the set or none is left.

    A wave fills the processor: many starts for one data set, three each for hundreds of them. So few can all miss the best optimum: where
    starts of any set ended in several, the sets try each other's. Where the law is dear and nobody agrees, two waves must do,
    unless the caller asked for a number of starts.
    """
    spec, batch, sets = request.spec, request.batch, len(request.tables)
    if type(solver) is LM and is_linear(spec, batch):
        ends, inside = closed_form(spec, batch, np.arange(sets))
        if inside.all():
            return Found(
                theta=ends.theta[..., None], objective=ends.objective[:, None], status=ends.status[:, None],
                iterations=ends.iterations[:, None], screened=1, closed=True,
            )  # fmt: skip
    points = make_starts(request.layout, default_count(batch, sets) if starts is None else starts, seed)
    count = points.shape[1]
    values = screen(spec, batch, np.tile(points, sets), np.repeat(np.arange(sets), count)).reshape(sets, count)
    room = first_wave(batch.work, spec.layout.size) if isinstance(solver, LM) else 32
    waves = np.minimum(np.cumsum(_WAVES) * max(room // sets, ENOUGH), count)
    order = np.stack([refining_order(row, waves[-1], seed) for row in values])
    theta = np.full((spec.layout.size, sets, waves[-1]), np.nan)
    objective = np.full((sets, waves[-1]), np.inf)
    status, iterations = np.zeros((2, sets, waves[-1]), int)
    done, open_sets = 0, np.arange(sets)
    for wave, end in enumerate(waves):
        spent = int(iterations.sum()) * batch.work * spec.layout.size
        if not len(open_sets) or end == done or (wave > 1 and starts is None and spent > _WORK * sets):
            break
        begin = points[:, order[open_sets, done:end].ravel()]
        state = minimise(spec, batch, begin, np.repeat(open_sets, end - done), solver, progress=progress, rivals=True)
        theta[:, open_sets, done:end] = state.theta.reshape(-1, len(open_sets), end - done)
        for whole, part in ((objective, state.objective), (status, state.status), (iterations, state.iterations)):
            whole[open_sets, done:end] = part.reshape(len(open_sets), end - done)
        objective[np.isnan(objective)] = np.inf
        confirmed = (agreement(objective) & (status == code(Status.CONVERGED))).sum(axis=1) >= ENOUGH
        done, open_sets = end, np.flatnonzero(~confirmed)
    found = ranked(theta[:, :, :done], objective[:, :done], status[:, :done], iterations[:, :done], count)
    for turn in range(_ROUNDS if sets > 1 else 0):
        if not (found.converged & (found.objective / (1 + _OTHER) > found.objective[:, :1])).any():
            break
        found, better = _lend(found, spec, batch, solver, np.random.default_rng([seed, turn]), progress)
        if not better:
            break
    return found


def ranked(theta: np.ndarray, objective: np.ndarray, status: np.ndarray, iterations: np.ndarray, screened: int) -> Found:
    """Ends (size, sets, refined) and their (sets, refined) objectives, status and iterations, best first within every set."""
    ranks = np.argsort(objective, axis=1, kind="stable")
    objective, status, iterations = (np.take_along_axis(a, ranks, axis=1) for a in (objective, status, iterations))
    return Found(np.take_along_axis(theta, ranks[None], axis=2), objective, status, iterations, screened)


def _lend(
    found: Found, spec: Spec, batch: Batch, solver: Solver, rng: np.random.Generator, progress: Callable[[int, int], None] | None
) -> tuple[Found, bool]:
    """Refine, for every set, optima of other sets: the best by value and some at random. Was a better optimum found for any set?"""
    sets = found.objective.shape[0]
    donors = np.sort(rng.permutation(np.flatnonzero(np.isfinite(found.objective[:, 0])))[:_DONORS])
    values = screen(spec, batch, np.tile(found.best[:, donors], sets), np.repeat(np.arange(sets), len(donors))).reshape(sets, -1)
    values = np.where(donors == np.arange(sets)[:, None], np.inf, values)
    nearest = donors[np.argsort(values, axis=1)[:, : len(donors) - 1]]
    lent = np.concatenate([nearest[:, :_LENT], rng.permuted(nearest[:, _LENT:], axis=1)[:, :_LENT]], axis=1)
    state = minimise(spec, batch, found.best[:, lent.ravel()], np.repeat(np.arange(sets), lent.shape[1]), solver, progress=progress)
    objective = np.nan_to_num(state.objective.reshape(lent.shape), nan=np.inf)
    more = ranked(
        np.concatenate([found.theta, state.theta.reshape(-1, *lent.shape)], axis=2),
        np.concatenate([found.objective, objective], axis=1),
        np.concatenate([found.status, state.status.reshape(lent.shape)], axis=1),
        np.concatenate([found.iterations, state.iterations.reshape(lent.shape)], axis=1),
        found.screened,
    )
    return more, bool((objective.min(axis=1) < found.objective[:, 0] * (1 - _OTHER)).any())


def default_count(batch: Batch, sets: int) -> int:
    """How many starts are evaluated a set, unless the caller says: fewer for many data sets, and for many rows or long curves."""
    return max(min(DEFAULT // sets, _EVALUATIONS // (batch.work * sets)), FEWEST)


def first_wave(work: int, parameters: int) -> int:
    """How many starts, of all sets together, are refined at first: as many chunks as are full."""
    chunk = chunk_size(work, parameters)
    return max(min(_FIRST // work, _FULL) // chunk, 1) * chunk


def refining_order(values: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Which starts to refine, first to last: the best by value take turns with others at random.

    The best start by value is not always in the best basin.
    """
    ranked = np.argsort(values, kind="stable")
    top, rest = ranked[: (count + 1) // 2], ranked[(count + 1) // 2 :]
    chosen = np.empty(count, int)
    chosen[::2], chosen[1::2] = top, np.random.default_rng(seed).permutation(rest)[: count // 2]
    return chosen
