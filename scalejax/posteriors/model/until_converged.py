"""Sampling that goes on until its own criteria hold, within a budget of gradients.

A round is a warm-up and steps after it. Of the steps so far as many draws as were asked for are kept, evenly spaced, and judged. If they do
not pass, one of three things is done, the first that helps:

    draws diverged          a new round with a higher target acceptance, that is smaller steps
    chains labour or lag    a new round, in coordinates made round by the draws themselves
    else                    twice as many steps

Rounds begin where the chains of the last one are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...core.numeric.statistics import evenly
from ...core.progress import Progress
from ..checks.diagnostics import Chains
from .coordinates import Groups, Place
from .density import Evidence, Model
from .nuts import Settings, Trace, joined, warmed

LADDER = (0.8, 0.95, 0.99, 0.998)  # target acceptances, until no draw diverges
BUDGET = 1_000_000  # gradients of all chains
_LAG = 0.1  # effective over kept draws, below which other coordinates are tried
_ROUNDED = 2  # times that coordinates are made anew, at most
_SEEDS = 7919  # between rounds


class Order(NamedTuple):
    """What was asked for: chains, kept draws of each, steps of a warm-up, target acceptances, gradients at most, seed."""

    chains: int
    draws: int
    warmup: int
    ladder: tuple[float, ...]
    budget: int
    seed: int


class Quality(NamedTuple):
    """Have the chains mixed, are the draws enough, and how many independent ones are they worth?"""

    passed: bool
    effective: float


Judge = Callable[[np.ndarray, Place, Chains], Quality]  # of draws z (chains * draws, size)


def sample_until_converged(
    model: Model, place: Place, groups: tuple[Groups, ...], many: Evidence, order: Order, judge: Judge, progress: Progress | None = None
) -> tuple[np.ndarray, Chains, Place]:
    """Kept draws (chains * draws, size), what is known of their quality, and their coordinates."""
    step_of_ladder = rounded = spent = done = expected_steps = 0
    z = None

    def tell(steps: int) -> None:
        nonlocal done
        done += steps
        if progress:
            progress(done, max(expected_steps, done))

    while True:
        expected_steps = done + order.warmup + order.draws
        walk, cost = warmed(
            model, Settings(order.warmup), place, groups, many, chains=order.chains, accept=order.ladder[step_of_ladder],
            seed=order.seed + _SEEDS * (step_of_ladder + rounded), z=z, tell=tell,
        )  # fmt: skip
        trace, spent = walk.steps(order.draws, tell), spent + cost
        spent += int(trace.steps.sum())
        while True:
            kept, sampler = _kept(trace, order, walk.accept, spent)
            quality = judge(kept, walk.place, sampler)
            diverges = bool(trace.diverging.any()) and step_of_ladder + 1 < len(order.ladder)
            slow = quality.effective < _LAG * len(kept) and rounded < _ROUNDED
            more = min(len(trace.steps), int((order.budget - spent) / trace.steps.sum(axis=(1, 2)).mean()))
            if diverges or slow or quality.passed or more < 1:
                break
            expected_steps = done + more
            further = walk.steps(more, tell)
            trace, spent = joined([trace, further]), spent + int(further.steps.sum())
        if more < 1 or not (diverges or (slow and not quality.passed)):
            return kept, sampler, walk.place
        place, z = rounder(walk.place, trace.z)
        step_of_ladder, rounded = step_of_ladder + diverges, rounded + (not diverges)


def _kept(trace: Trace, order: Order, accept: float, spent: int) -> tuple[np.ndarray, Chains]:
    """As many draws as were asked for, evenly spaced, those of a chain side by side; divergences between them are not forgotten."""
    at = evenly(len(trace.steps), order.draws)
    z = np.swapaxes(trace.z[at, 0], 0, 1).reshape(order.chains * order.draws, -1)
    diverging = np.add.reduceat(trace.diverging[:, 0], at, axis=0) > 0
    return z, Chains(
        diverging=diverging.T, energy=trace.energy[at, 0].T, steps=trace.steps[at, 0].T, accept=accept, gradients=spent, budget=order.budget
    )


def rounder(place: Place, z: np.ndarray) -> tuple[Place, np.ndarray]:
    """Coordinates in which draws z (steps, 1, chains, size) are uncorrelated and of unit width, and where their chains end in them.

    Nothing is shrunk: chains that crawl along a valley know its narrow directions best.
    """
    size = z.shape[3]
    covariance = np.cov(z[:, 0].reshape(-1, size), rowvar=False).reshape(size, size)
    root = np.linalg.cholesky(covariance + 1e-9 * np.diag(np.diag(covariance)))
    return place._replace(root=place.root @ root[None]), np.linalg.solve(root, z[-1, 0].T).T[None]
