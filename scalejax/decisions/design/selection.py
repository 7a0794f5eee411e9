"""Choosing runs under a budget: greedy by several rules, then exchanges, over a posterior that every run sharpens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_POWERS = (1.0, 0.5, 0.0)  # of the cost that the gain of the next run is divided by; the best whole plan is kept
_EXCHANGES = 40  # runs up to which a plan is improved by exchanges
_PASSES = 10
_SWEEPS = 3
_SMALLEST_STEP = 1e-3
_WORTH = 1e-9  # of the target's variance, or of a unit of information: a run that brings less is not worth its cost


@dataclass(frozen=True)
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

    def with_run(self, runs: np.ndarray, cost: float) -> Pool:
        """The same pool with one candidate more, (axes, T)."""
        more = np.concatenate([self.runs, runs[:, None]], axis=1)
        return Pool(self.target, more, np.append(self.cost, cost), np.append(self.noise, self.noise[-1]))


@dataclass(frozen=True)
class Limits:
    """Total cost, number of runs, and whether a candidate may be run again."""

    budget: float
    count: int
    repeats: bool

    def open(self, pool: Pool, chosen: Sequence[int]) -> np.ndarray:
        """(n,) which candidates may be added."""
        spent = pool.cost[list(chosen)].sum()
        if len(chosen) >= self.count:
            return np.zeros(len(pool), bool)
        left = self.budget - spent + 1e-9 * self.budget if np.isfinite(self.budget) else np.inf
        fits = np.isfinite(pool.cost) & (pool.cost <= left)
        if not self.repeats:
            fits[list(chosen)] = False
        return fits


class Posterior:
    """What is known once some candidates have been run: z has covariance 1 - W'W.

    `between` (n, T, T) and `cross` (n, T, k) are the covariances that are left among a candidate's observations and with the target;
    `variance` (k,) is what is left of the target's.
    """

    def __init__(self, pool: Pool, chosen: Sequence[int] = ()):
        self.pool = pool
        self.axes = np.zeros((0, len(pool.target)))  # W
        self.variance = np.sum(pool.target**2, axis=0)
        self.between = np.einsum("zni,znj->nij", pool.runs, pool.runs)
        self.cross = np.einsum("zni,zk->nik", pool.runs, pool.target, optimize=True)
        self.information = 0.0  # log det of the prior covariance over the posterior's
        if len(chosen):
            self.add(chosen)

    def add(self, chosen: Sequence[int]) -> None:
        """Run these candidates too."""
        runs, count = self.pool.runs, self.pool.runs.shape[2]
        s = runs[:, list(chosen)].reshape(len(runs), -1)
        left = s - self.axes.T @ (self.axes @ s)
        noise = np.repeat(self.pool.noise[list(chosen)], count)
        show = np.linalg.cholesky(s.T @ left + np.diag(noise))
        new = np.linalg.solve(show, left.T)
        on_runs = (new @ runs.reshape(len(runs), -1)).reshape(len(new), *runs.shape[1:])
        on_target = new @ self.pool.target
        self.axes = np.concatenate([self.axes, new])
        self.variance = np.maximum(self.variance - np.sum(on_target**2, axis=0), 0.0)
        self.between = self.between - np.einsum("mni,mnj->nij", on_runs, on_runs)
        self.cross = self.cross - np.einsum("mni,mk->nik", on_runs, on_target, optimize=True)
        self.information += float(2 * np.log(np.diag(show)).sum() - np.log(noise).sum())

    def gain(self, criterion: str) -> np.ndarray:
        """(n,) what each candidate would bring: fall of the sum of the target's variances, or rise of log det ("D")."""
        return _gains(self.between, self.cross, self.pool.noise, criterion)

    def gain_of(self, runs: np.ndarray, noise: float, criterion: str) -> np.ndarray:
        """As `gain` for other runs, (axes, n, T)."""
        seen = (self.axes @ runs.reshape(len(runs), -1)).reshape(-1, *runs.shape[1:])
        between = np.einsum("zni,znj->nij", runs, runs) - np.einsum("mni,mnj->nij", seen, seen)
        cross = np.einsum("zni,zk->nik", runs, self.pool.target, optimize=True)
        cross = cross - np.einsum("mni,mk->nik", seen, self.axes @ self.pool.target, optimize=True)
        return _gains(between, cross, np.full(runs.shape[1], noise), criterion)

    def value(self, criterion: str) -> float:
        """What all runs have brought, in the unit of `gain`."""
        return self.information if criterion == "D" else -float(self.variance.sum())


def _gains(between: np.ndarray, cross: np.ndarray, noise: np.ndarray, criterion: str) -> np.ndarray:
    several = between.shape[1]
    shown = between + noise[:, None, None] * np.eye(several)
    if criterion == "D":
        return np.linalg.slogdet(shown)[1] - several * np.log(noise)
    if several == 1:
        return np.sum(cross[:, 0] ** 2, axis=1) / shown[:, 0, 0]
    return np.einsum("nik,nik->n", cross, np.linalg.solve(shown, cross))


# What is known of other points of a continuous space: their coordinates (n, d) to responses (axes, n, T) and costs (n,).
Look = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def plan(pool: Pool, limits: Limits, criterion: str) -> list[int]:
    """Rows of the chosen candidates, in the order in which they pay most."""
    powers = _POWERS if np.isfinite(limits.budget) else (0.0,)
    plans = [list(greedy(pool, limits, criterion, power)) for power in powers]
    values = [Posterior(pool, p).value(criterion) for p in plans]
    best = plans[int(np.argmax(values))]
    if len(best) <= _EXCHANGES:
        best = exchanged(pool, limits, criterion, best)
    return ordered(pool, criterion, best)


def greedy(pool: Pool, limits: Limits, criterion: str, power: float, chosen: Sequence[int] = ()) -> Iterator[int]:
    """One candidate after the other, each with the largest gain per cost^power given those before it, until none brings anything."""
    taken, state = list(chosen), Posterior(pool, chosen)
    price = pool.cost**power
    while True:
        gain = state.gain(criterion)
        useful = limits.open(pool, taken) & (gain > _WORTH * (1.0 if criterion == "D" else state.variance.sum()))
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
        added = list(greedy(pool, limits, criterion, 1.0, chosen))
        chosen += added
        if not better:
            break
    return chosen


def refined(
    pool: Pool, limits: Limits, criterion: str, chosen: list[int], units: list[np.ndarray], look: Look
) -> tuple[Pool, list[int], list[np.ndarray]]:
    """Move the chosen points of a continuous space, one at a time and the others held, where they bring more within the budget.

    A pattern search in the unit cube: steps along the coordinates and along the diagonals, halved when none helps. The pool grows by the
    points that were moved to; `units` are the coordinates of the chosen.
    """
    chosen, units = list(chosen), list(units)
    d = len(units[0])
    pattern = np.concatenate([np.eye(d), -np.eye(d), *([np.ones((1, d)), -np.ones((1, d)), *_crossed(d)] if d > 1 else [])])
    for _ in range(_SWEEPS):
        for place in range(len(chosen)):
            others = chosen[:place] + chosen[place + 1 :]
            state, left = Posterior(pool, others), limits.budget * (1 + 1e-9) - pool.cost[others].sum()
            at, value = units[place], state.gain(criterion)[chosen[place]]
            best, step = None, 0.25
            while step > _SMALLEST_STEP:
                points = np.clip(at + step * pattern, 0.0, 1.0)
                runs, cost = look(points)
                gain = np.where(cost <= left, state.gain_of(runs, pool.noise[-1], criterion), -np.inf)
                i = int(np.argmax(gain))
                if gain[i] > value * (1 + 1e-9):
                    at, value, best = points[i], gain[i], (runs[:, i], float(cost[i]))
                else:
                    step /= 2
            if best is not None:
                pool = pool.with_run(*best)
                chosen[place], units[place] = len(pool) - 1, at
    return pool, chosen, units


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
            if len(chosen) < limits.count and spent + pool.cost[run] <= limits.budget * (1 + 1e-9):
                chosen.append(run)
                spent += pool.cost[run]
        if not limits.repeats:
            break
    return chosen
