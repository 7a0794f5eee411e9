"""Sums over the changes of a learning rate, for laws in which every change acts on the loss long afterwards.

    F(t) = sum_{k=1..t} (eta_{k-1} - eta_k) f(eta_k, u_{k-1}, u_t)

at M observed steps of a schedule of T steps; u is the sum of the rates so far, or the steps. Summed as it stands this costs M T evaluations
of f. Far before t, f is smooth in eta and u. There the changes of one block and one sign are replaced by two that have the same total,
means and spreads, and blocks double in length with their distance from t (a fast multipole method in one direction). Only the last steps
are summed one by one. At 24,000 steps that is 200 times less work, at an error of 4e-6 nats for the published schedules. Rates must be as
they were set: in rates with noise large falls and rises cancel, and so do not their errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

BLOCK = 16
_FEW = 4  # up to this many observations, and
_SHORT = 256  # up to this many steps, everything is summed one by one


class Changes(NamedTuple):
    """Changes of the rate, or nodes that stand for many: mass eta_{k-1} - eta_k, the rate eta_k, and the clock before, u_{k-1}."""

    mass: Any
    eta: Any
    before: Any


def change_sum(f: Callable[[Any, Any, Any], Any], eta: Any, clock: Any, t: Any, after: Any = 0) -> Any:
    """F at the observed steps of one run.

    Args:
        f: elementwise function of eta_k, u_{k-1} and u_t.
        eta: (T,) learning rate of every step, from step 0.
        clock: (T,) u, which does not fall.
        t: (M,) observed steps, whole numbers below T.
        after: changes up to this step do not count.

    Returns:
        (M,) F.
    """
    steps = jnp.arange(eta.shape[0])
    mass = jnp.concatenate([jnp.zeros_like(eta[:1]), jnp.where(steps[1:] > after, -jnp.diff(eta), 0.0)])
    each = Changes(mass, eta, jnp.concatenate([jnp.zeros_like(clock[:1]), clock[:-1]]))
    if len(t) <= _FEW or len(eta) <= _SHORT:
        return _pairs(f, each, clock[t], steps <= t[:, None])
    return _near(f, each, clock, t) + _far(f, each, clock, t)


def _pairs(f: Any, changes: Changes, now: Any, counted: Any) -> Any:
    """Sum over the last axis of `changes` for every observation, where `counted`."""
    now = now[:, None]
    # What does not count is evaluated at the observation itself, so that f meets no argument outside its domain.
    return jnp.sum(jnp.where(counted, changes.mass * f(changes.eta, jnp.minimum(changes.before, now), now), 0.0), axis=-1)


def _near(f: Any, each: Changes, clock: Any, t: Any) -> Any:
    """Changes in the shortest block of t and the one before, one by one."""
    steps = jnp.maximum(t // BLOCK - 1, 0)[:, None] * BLOCK + jnp.arange(2 * BLOCK)
    inside = jnp.minimum(steps, len(each.eta) - 1)
    return _pairs(f, jax.tree.map(lambda a: a[inside], each), clock[t], steps <= t[:, None])


def _far(f: Any, each: Changes, clock: Any, t: Any) -> Any:
    """All earlier changes by nodes: of every length of block the one or two that are not neighbours of t but whose parents are."""
    levels = _levels(each)
    level = jnp.arange(levels.mass.shape[0])
    own = t[:, None] // (BLOCK * 2**level)
    first = (own // 2 * 2 - 2)[..., None]
    second = jnp.arange(2)
    place = jnp.maximum(first + second, 0)  # (M, levels, 2)
    counted = (first >= 0) & ((second == 0) | (own % 2 == 1)[..., None])
    nodes = jax.tree.map(lambda a: a[level[:, None], place].reshape(len(t), -1), levels)
    return _pairs(f, nodes, clock[t], jnp.repeat(counted.reshape(len(t), -1), 4, axis=1))


class _Moments(NamedTuple):
    """Of the falls and of the rises of every block: total mass, and mean and covariance of two coordinates; (..., 2, blocks)."""

    mass: Any
    mean: Any
    covariance: Any  # of the first, of both, of the second


def _levels(each: Changes) -> Changes:
    """Nodes of blocks of all lengths, (levels, blocks, 4); at every level the first blocks count."""
    levels = max(int(np.ceil(np.log2(len(each.eta) / (2 * BLOCK)))), 1)
    # f bends at small rates as a power below 1 does; a root straightens it.
    root = jnp.where(each.eta > 0, jnp.where(each.eta > 0, each.eta, 1.0) ** 0.25, 0.0)
    fill = -len(root) % (2 * BLOCK)
    mass = jnp.pad(each.mass, (0, fill))
    x = jnp.pad(jnp.stack([root, each.before]), ((0, 0), (0, fill)), mode="edge")
    signed = jnp.stack([jnp.maximum(mass, 0.0), jnp.minimum(mass, 0.0)])
    single = _Moments(signed, jnp.stack([x, x], axis=1), jnp.zeros((3, *signed.shape), mass.dtype))
    shortest = _merged(jax.tree.map(lambda a: a.reshape(*a.shape[:-1], -1, BLOCK), single))

    def double(moments: _Moments, _: None) -> tuple[_Moments, _Moments]:
        pairs = _merged(jax.tree.map(lambda a: a.reshape(*a.shape[:-1], -1, 2), moments))
        rest = shortest.mass.shape[-1] - pairs.mass.shape[-1]
        return jax.tree.map(lambda a: jnp.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, rest)]), pairs), moments

    return jax.vmap(_nodes)(jax.lax.scan(double, shortest, None, length=levels)[1])


def _merged(parts: _Moments) -> _Moments:
    """Moments of the union over the last axis."""
    whole = parts.mass.sum(axis=-1)
    share = parts.mass / jnp.where(whole == 0, 1.0, whole)[..., None]
    mean = (share * parts.mean).sum(axis=-1)
    off = parts.mean - mean[..., None]
    covariance = parts.covariance + jnp.stack([off[0] ** 2, off[0] * off[1], off[1] ** 2])
    return _Moments(whole, mean, (share * covariance).sum(axis=-1))


def _nodes(moments: _Moments) -> Changes:
    """Two nodes of half the mass a spread before and after the mean, for the falls and the rises of every block, (blocks, 4)."""
    variance = moments.covariance[::2]
    spread = jnp.where(variance > 0, jnp.sqrt(jnp.where(variance > 0, variance, 1.0)), 0.0)
    along = jnp.where(moments.covariance[1] < 0, -1.0, 1.0)
    root = jnp.concatenate([moments.mean[0] - along * spread[0], moments.mean[0] + along * spread[0]])
    before = jnp.concatenate([moments.mean[1] - spread[1], moments.mean[1] + spread[1]])
    half = 0.5 * jnp.concatenate([moments.mass, moments.mass])
    return Changes(half.T, jnp.maximum(root, 0.0).T ** 4, jnp.maximum(before, 0.0).T)
