"""Many problems of one form solved side by side: from many starts at the point estimate, from its optimum for every draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from ..core.numeric.batching import in_parallel
from .interior import Solution, solve
from .program import Program

_STARTS = 16
_NUMBERS = 2**14  # of Hessians that stay in the CPU's cache
_ROOT = 0.618033988749895


class Box(NamedTuple):
    """Bounds of the packed inputs, (width, scenarios), and the range in which starts are drawn, (width,)."""

    low: np.ndarray
    high: np.ndarray
    plausible: tuple[np.ndarray, np.ndarray]


class Optima(NamedTuple):
    """Optima as NumPy arrays, every one with trailing axes (draws, scenarios); see `Solution`."""

    x: np.ndarray
    slack: np.ndarray
    f: np.ndarray
    lam: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    residual: np.ndarray
    violation: np.ndarray
    active: np.ndarray
    ok: np.ndarray
    steps: np.ndarray


def optimise(
    program: Program,
    box: Box,
    draws: Mapping[str, Any],
    scenarios: Mapping[str, Any],
    common: Mapping[str, Any],
    near: np.ndarray | None = None,
    pairs: Mapping[str, Any] | None = None,
) -> Optima:
    """Optimum for every draw and scenario.

    Args:
        program: what is solved; its functions get one dictionary of draws, scenarios and common.
        box: bounds.
        draws: trees of arrays with a leading draw axis. scenarios: the same with a leading scenario axis.
        common: arrays that belong to all.
        near: (width, scenarios) optima to start from; without them, several starts are tried and the best optimum is kept.
        pairs: trees of arrays with leading axes (draws, scenarios), which go before those of draws and scenarios.
    """
    r, s = (len(jax.tree.leaves(tree)[0]) for tree in (draws, scenarios))
    which = np.arange(r * s)

    def attempt(which: np.ndarray, x: np.ndarray, near: bool) -> Solution:
        """Solve the members `which` from x (width, len(which))."""
        each = {
            **jax.tree.map(lambda a: np.moveaxis(np.asarray(a, dtype=np.float64)[which // s], 0, -1), dict(draws)),
            **jax.tree.map(lambda a: np.moveaxis(np.asarray(a, dtype=np.float64)[which % s], 0, -1), dict(scenarios)),
            **jax.tree.map(lambda a: np.moveaxis(np.asarray(a, dtype=np.float64)[which // s, which % s], 0, -1), dict(pairs or {})),
        }
        low, high = box.low[:, which % s], box.high[:, which % s]
        return _in_chunks(program, x, low, high, each, dict(common), near)

    def cold(which: np.ndarray) -> Solution:
        begin = np.tile(starts(box, program), (1, len(which)))
        found = attempt(np.repeat(which, _STARTS), begin, False)
        f = np.where(found.ok, found.f, np.inf).reshape(len(which), _STARTS)
        worst = np.max(found.violation, axis=0, initial=0.0).reshape(len(which), _STARTS)
        best = np.where(np.isfinite(f).any(axis=1), np.argmin(f, axis=1), np.argmin(np.nan_to_num(worst, nan=np.inf), axis=1))
        return jax.tree.map(lambda a: a[..., np.arange(len(which)) * _STARTS + best], found)

    if near is None:
        found = cold(which)
    else:
        found = attempt(which, near[:, which % s], True)
        missed = np.flatnonzero(~found.ok)
        if len(missed):
            again = cold(missed)
            for whole, part in zip(found, again, strict=True):
                whole[..., missed] = part
    return Optima(*(a.reshape(*a.shape[:-1], r, s) for a in found))


def starts(box: Box, program: Program) -> np.ndarray:
    """(width, starts) points spread over the plausible range: its middle, then a Kronecker sequence; simplexes sum to one."""
    low, high = box.plausible
    steps = np.arange(_STARTS)[None] * (_ROOT ** np.arange(1, len(low) + 1))[:, None]
    points = low[:, None] + (high - low)[:, None] * ((0.5 + steps) % 1.0)
    for v, part in program.places:
        if v.simplex:
            share = -np.log((points[part] - low[part, None] + 1e-3) / (high - low + 2e-3)[part, None])
            share[:, 0] = 1.0
            points[part] = share / share.sum(axis=0) * (1.0 - sum(dict(v.held).values()))
    return points


def _in_chunks(
    program: Program, x: np.ndarray, low: np.ndarray, high: np.ndarray, each: dict[str, Any], common: dict[str, Any], near: bool
) -> Solution:
    """`solve` in chunks that share one compiled program; the last is padded with copies."""
    members, size = x.shape[1], chunk_size(program)
    parts: dict[int, Solution] = {}

    def work(begin: int) -> None:
        here = np.resize(np.arange(begin, min(begin + size, members)), size)
        found = solve(program, x[:, here], low[:, here], high[:, here], jax.tree.map(lambda a: a[..., here], each), common, near)
        parts[begin] = jax.tree.map(lambda a: np.asarray(a)[..., : members - begin], found)

    in_parallel(work, range(0, members, size))
    return jax.tree.map(lambda *a: np.concatenate(a, axis=-1), *(parts[begin] for begin in sorted(parts)))


def chunk_size(program: Program) -> int:
    """Members that one compiled call works on."""
    limit = _NUMBERS if jax.default_backend() == "cpu" else 2**25
    return int(2 ** np.clip(np.floor(np.log2(limit / program.width**2)), 4, 9 if jax.default_backend() == "cpu" else 16))
