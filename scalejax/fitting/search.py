"""Multi-start in stages: evaluate every start, refine the most promising, keep the best and count who agrees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .data import Bank
from .lm import LM, State, chunk_size
from .lm import solve as levenberg_marquardt
from .parallel import in_parallel
from .problem import Data, Spec, objective, traced
from .request import Request
from .solvers import Solver, descend
from .starts import DEFAULT, Starts, make_starts

FEWEST = 8  # starts refined for each of many data sets


@dataclass(frozen=True)
class Found:
    """Outcome of a search.

    Attributes:
        theta: (size, sets) best parameters of every set.
        state: of all refined starts, members ordered (set, start).
        refined: number of refined starts a set.
        screened: number of starts evaluated a set.
        starts: (size, refined * sets) where the refined ones began.
    """

    theta: np.ndarray
    state: State
    refined: int
    screened: int
    starts: np.ndarray


@partial(jax.jit, static_argnums=(0, 1))
def _screen(spec: Spec, batched: tuple[bool, ...], theta: Any, data: Data) -> Any:
    traced("screen")
    value = objective(spec, batched, theta, data)
    return jnp.where(jnp.isfinite(value), value, jnp.inf)


def screen(spec: Spec, bank: Bank, theta: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Objective of every member (theta, set)."""
    size = chunk_size(bank.rows, spec.layout.size)
    values = np.empty(theta.shape[1])

    def work(start: int) -> None:
        chunk = np.arange(start, min(start + size, len(values)))
        padded = np.resize(chunk, size)
        values[chunk] = np.asarray(_screen(spec, bank.batched, theta[:, padded], bank.gather(sets[padded])))[: len(chunk)]

    in_parallel(work, range(0, len(values), size))
    return values


def minimise(
    spec: Spec,
    bank: Bank,
    theta: np.ndarray,
    sets: np.ndarray,
    solver: Solver,
    weight: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> State:
    """Refine members; `sets` names the data set of each, `weight` (rows, members) replaces the sets' own weights."""

    def gather(members: np.ndarray) -> Data:
        return bank.gather(sets[members], None if weight is None else weight[:, members])

    run = levenberg_marquardt if isinstance(solver, LM) else descend
    return run(spec, bank.batched, theta, gather, bank.rows, solver, rounding_floor(spec, bank), progress)


def rounding_floor(spec: Spec, bank: Bank) -> float:
    """Objective below which only rounding is left: residuals of 1e-15, relative to the target's size."""
    size = 1.0 if spec.on == "log" else float(np.max(np.abs(bank.target)))
    return float(spec.loss.rho(1e-15 * size)) * bank.rows


def search(request: Request, starts: Starts | None, solver: Solver, seed: int, progress: Callable[[int, int], None] | None) -> Found:
    """Screen and refine the starts of every set.

    The best half of the refined starts is chosen by objective and the other half spread evenly over the remaining ranks, because the
    best start by value is not always in the best basin.
    """
    spec, bank, sets = request.spec, request.bank(), len(request.tables)
    points = make_starts(request.layout, max(DEFAULT // sets, 64) if starts is None else starts, seed)
    count = points.shape[1]
    values = screen(spec, bank, np.tile(points, sets), np.repeat(np.arange(sets), count)).reshape(sets, count)
    room = chunk_size(bank.rows, spec.layout.size) if isinstance(solver, LM) else 32
    refined = min(count, max(room // sets, FEWEST))
    chosen = []
    for row in values:
        order = np.argsort(row, kind="stable")
        top, rest = order[: (refined + 1) // 2], order[(refined + 1) // 2 :]
        spread = rest[np.linspace(0, len(rest) - 1, refined - len(top)).astype(int)] if len(rest) else rest
        chosen.append(np.concatenate([top, spread]))
    members = np.repeat(np.arange(sets), refined)
    begin = points[:, np.concatenate(chosen)]
    state = minimise(spec, bank, begin, members, solver, progress=progress)
    values = state.objective.reshape(sets, refined)
    best = np.argmin(np.where(np.isfinite(values), values, np.inf), axis=1) + refined * np.arange(sets)
    return Found(state.theta[:, best], state, refined, count, begin)
