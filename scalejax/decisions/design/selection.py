"""Choosing runs under a budget: greedy by several rules, then exchanges, over a posterior that every run sharpens.

All that a choice needs are the covariances between what candidates and targets show. Those of a chosen run with all candidates are
computed once, however many plans it is tried in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

_POWERS = (1.0, 0.5, 0.0)  # of the cost that the gain of the next run is divided by; the best whole plan is kept
MOVED = 40  # runs up to which a plan is improved by exchanges and its points are moved
_SPLITS = 16  # equal parts of the budget, at most, that plans of equally dear runs are tried for
_PASSES = 10
_STEPS = 60  # of the search for better points
_FIRST_STEP = 0.25
_SMALLEST_STEP = 1e-3
_WORTH = 1e-9  # of the target's variance, or of a unit of information: a run that brings less is not worth its cost


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates, as a design sees them.

    Attributes:
        target: (axes, k) response of the targets to what is unknown, scaled so that their variances may be added.
        runs: (axes, n, T) response of what the candidates show.
        cost: (n,); infinite where a candidate cannot be run.
        noise: (n,) variance of each observation.
    """

    target: np.ndarray
    runs: np.ndarray
    cost: np.ndarray
    noise: np.ndarray

    def __len__(self) -> int:
        return len(self.cost)

    @cached_property
    def between(self) -> np.ndarray:
        """(n, T, T) covariances among the observations of a candidate."""
        return np.einsum("zni,znj->nij", self.runs, self.runs)

    @cached_property
    def cross(self) -> np.ndarray:
        """(n, T, k) covariances of the candidates with the targets."""
        return np.tensordot(self.runs, self.target, axes=(0, 0))

    @cached_property
    def _met(self) -> dict[int, np.ndarray]:
        return {}

    def meet(self, run: int) -> np.ndarray:
        """(T, n, T) covariances of a candidate with all."""
        if run not in self._met:
            self._met[run] = np.tensordot(self.runs[:, run], self.runs, axes=(0, 0))
        return self._met[run]


@dataclass(frozen=True)
class Limits:
    """What a plan must keep to.

    Attributes:
        budget: total cost. count: number of runs. repeats: may a candidate be run again? each: cost of a run.
        worth: share of the target's variance that is left (or information) which every run but the first must bring.
    """

    budget: float
    count: int
    repeats: bool
    each: float = np.inf
    worth: float = _WORTH

    def left(self, pool: Pool, chosen: Sequence[int]) -> float:
        """What one more run may cost."""
        return min(self.budget - pool.cost[list(chosen)].sum() + 1e-9 * self.budget, self.each * (1 + 1e-9))

    def open(self, pool: Pool, chosen: Sequence[int]) -> np.ndarray:
        """(n,) which candidates may be added."""
        if len(chosen) >= self.count:
            return np.zeros(len(pool), bool)
        fits = np.isfinite(pool.cost) & (pool.cost <= self.left(pool, chosen))
        if not self.repeats:
            fits[list(chosen)] = False
        return fits


class Posterior:
    """What is known once some candidates have been run.

    `between` (n, T, T) and `cross` (n, T, k) are the covariances that are left among a candidate's observations and with the target;
    `variance` (k,) is what is left of the target's.
    """

    def __init__(self, pool: Pool, chosen: Sequence[int] = ()):
        self.pool = pool
        self.variance = np.sum(pool.target**2, axis=0)
        self.between, self.cross = pool.between, pool.cross
        self.information = 0.0  # log det of the prior covariance over the posterior's
        self._seen = np.zeros((0, *pool.runs.shape[1:]))  # (m, n, T): the prior covariance less the sum of their products is left
        if len(chosen):
            self.add(chosen)

    def add(self, chosen: Sequence[int]) -> None:
        """Run these candidates too."""
        rows, several = list(chosen), self.pool.runs.shape[2]
        noise = np.repeat(self.pool.noise[rows], several)
        prior = np.concatenate([self.pool.meet(run) for run in rows])
        left = prior - np.tensordot(self._seen[:, rows].reshape(-1, len(noise)), self._seen, axes=(0, 0))  # (m, n, T)
        show = np.linalg.cholesky(left[:, rows].reshape(len(noise), -1) + np.diag(noise))
        new = np.linalg.solve(show, left.reshape(len(noise), -1)).reshape(left.shape)
        on_target = np.linalg.solve(show, self.cross[rows].reshape(len(noise), -1))
        self.between = self.between - np.einsum("mni,mnj->nij", new, new)
        self.cross = self.cross - np.tensordot(new, on_target, axes=(0, 0))
        self.variance = np.maximum(self.variance - np.sum(on_target**2, axis=0), 0.0)
        self.information += float(2 * np.log(np.diag(show)).sum() - np.log(noise).sum())
        self._seen = np.concatenate([self._seen, new])

    def gain(self, criterion: str) -> np.ndarray:
        """(n,) what each candidate would bring: fall of the sum of the target's variances, or rise of log det ("D")."""
        several = self.between.shape[1]
        shown = self.between + self.pool.noise[:, None, None] * np.eye(several)
        if criterion == "D":
            return np.linalg.slogdet(shown)[1] - several * np.log(self.pool.noise)
        if several == 1:
            return np.sum(self.cross[:, 0] ** 2, axis=1) / shown[:, 0, 0]
        return np.einsum("nik,nik->n", self.cross, np.linalg.solve(shown, self.cross))

    def value(self, criterion: str) -> float:
        """What all runs have brought, in the unit of `gain`."""
        return self.information if criterion == "D" else -float(self.variance.sum())


# What is known of other points of a continuous space: their coordinates (n, d) to responses (axes, n, T) and costs (n,).
Look = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def plan(pool: Pool, limits: Limits, criterion: str) -> list[int]:
    """Rows of the chosen candidates, in the order in which they pay most.

    With room for many runs, dividing the gain by the cost spends a budget well. With room for few it would not spend it at all: so plans
    of runs that take up to an equal part of the budget each are tried, too.
    """
    if np.isfinite(limits.budget):
        parts = range(2, min(limits.count, _SPLITS) + 1)
        equal = [replace(limits, each=min(limits.each, limits.budget / part)) for part in parts]
        rules = [*((power, limits) for power in _POWERS), *((0.0, part) for part in equal)]
    else:
        rules = [(0.0, limits)]
    plans = [list(greedy(pool, rule, criterion, power)) for power, rule in rules]
    values = [Posterior(pool, p).value(criterion) for p in plans]
    best = plans[int(np.argmax(values))]
    if len(best) <= MOVED:
        best = exchanged(pool, limits, criterion, best)
    return ordered(pool, criterion, best)


def greedy(pool: Pool, limits: Limits, criterion: str, power: float, chosen: Sequence[int] = ()) -> Iterator[int]:
    """One candidate after the other, each with the largest gain per cost^power given those before it, until none brings anything."""
    taken, state = list(chosen), Posterior(pool, chosen)
    price = pool.cost**power
    while True:
        gain = state.gain(criterion)
        worth = (limits.worth if taken else _WORTH) * (1.0 if criterion == "D" else state.variance.sum())
        useful = limits.open(pool, taken) & (gain > worth)
        if not useful.any():
            break
        run = int(np.argmax(np.where(useful, gain / price, -1.0)))
        taken.append(run)
        yield run
        state.add([run])


def exchanged(pool: Pool, limits: Limits, criterion: str, chosen: list[int]) -> list[int]:
    """Swap single runs for better ones, and fill what that leaves of the budget, until nothing improves."""
    chosen = list(chosen)
    for _ in range(_PASSES):
        better = False
        for place in range(len(chosen)):
            others = chosen[:place] + chosen[place + 1 :]
            gain = Posterior(pool, others).gain(criterion)
            new = int(np.argmax(np.where(limits.open(pool, others), gain, -1.0)))
            if gain[new] > gain[chosen[place]] * (1 + 1e-6):
                chosen[place], better = new, True
        chosen += greedy(pool, limits, criterion, 1.0, chosen)
        if not better:
            break
    return chosen


def refined(target: np.ndarray, noise: float, limits: Limits, criterion: str, units: np.ndarray, look: Look) -> np.ndarray:
    """Move chosen points (m, d) of a continuous space where they bring more within the budget, each while the others are held.

    A pattern search in the unit cube: steps along the coordinates and along the diagonals, halved when none helps, doubled when one does.
    The steps of all points are looked at in one call.
    """
    m, d = units.shape
    pattern = np.concatenate([np.eye(d), -np.eye(d), *([np.ones((1, d)), -np.ones((1, d)), *_crossed(d)] if d > 1 else [])])
    step = np.full(m, _FIRST_STEP)
    for _ in range(_STEPS):
        if (step <= _SMALLEST_STEP).all():
            break
        trials = np.clip(units[:, None] + step[:, None, None] * pattern, 0.0, 1.0)
        points = np.concatenate([units, trials.reshape(-1, d)])
        runs, cost = look(points)
        pool, places = Pool(target, runs, cost, np.full(len(cost), noise)), list(range(m))
        for place in range(m):
            others = places[:place] + places[place + 1 :]
            gain = Posterior(pool, others).gain(criterion)
            near = m + place * len(pattern) + np.arange(len(pattern))
            value = np.where(cost[near] <= limits.left(pool, others), gain[near], -np.inf)
            better = value.max() > gain[place] * (1 + 1e-9)
            places[place] = int(near[np.argmax(value)]) if better else place
            step[place] *= 2 if better and step[place] < _FIRST_STEP else 1 if better else 0.5
        units = points[places]
    return units


def _crossed(d: int) -> list[np.ndarray]:
    """One coordinate up and another down: along a line of equal cost."""
    return [np.eye(d)[[i]] - np.eye(d)[[j]] for i in range(d) for j in range(d) if i != j]


def ordered(pool: Pool, criterion: str, chosen: Sequence[int]) -> list[int]:
    """The chosen runs so that the largest gain per cost comes first."""
    left, out, state = list(chosen), [], Posterior(pool)
    while left:
        gain = state.gain(criterion)[left] / pool.cost[left]
        out.append(left.pop(int(np.argmax(gain))))
        state.add(out[-1:])
    return out


def drawn(pool: Pool, limits: Limits, criterion: str, seed: int) -> list[int]:
    """Affordable candidates at random, or the cheapest first (ties at random); with repeats round and round."""
    order = np.random.default_rng(seed).permutation(len(pool))
    if criterion == "cheapest":
        order = order[np.argsort(pool.cost[order], kind="stable")]
    chosen: list[int] = []
    while limits.open(pool, chosen).any():
        spent = pool.cost[chosen].sum()
        for run in order[np.isfinite(pool.cost[order])].tolist():
            if len(chosen) < limits.count and pool.cost[run] <= limits.each and spent + pool.cost[run] <= limits.budget * (1 + 1e-9):
                chosen.append(run)
                spent += pool.cost[run]
        if not limits.repeats:
            break
    return chosen
