"""Laws that are linear in all their free parameters: the optimum by linear least squares, no search.

With f = f_0 + Phi c the objective sum_i w_i rho(y_i - f_i) of a convex loss has one optimum. For least squares it is the solution of the
normal equations; for a robust loss these are solved again and again, with the weights of iteratively reweighted least squares, which give
way to the curvature of the loss as steps become small, as in `lm`. Parameters with a support, such as positive ones, are solved for on
their natural scale; where the optimum lies outside, the usual solver is for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...core.laws.domains import Domain, Interval, Positive, Real
from ...core.numeric.programs import compiled
from ..objective.data import Batch
from ..objective.losses import Absolute, Asymmetric, Huber, LogCosh, Loss, Squared
from ..objective.penalty import CENTRAL, ranges
from ..objective.problem import Data, Spec, residuals
from ..status import Ends, Status, code, no_ends
from .projection import linear_entries

_NUMBERS = 2**24  # of weighted design matrices that are held at once
_RANK = 1e-13  # eigenvalues below this share of the largest are flat directions
_NEAR = 1e-6  # as `LM.near`
_TOLERANCE = 1e-15
_ITERATIONS = 500


def is_linear(spec: Spec, batch: Batch) -> bool:
    """Can the problem be solved here? The law must be linear on the scale of the residuals, the loss convex, the table of a sane size."""
    entries = linear_entries(spec) if spec.on == "linear" and _convex(spec.loss) else ()
    if len(entries) != spec.layout.size or batch.rows * spec.layout.size > _NUMBERS:
        return False
    return not spec.prior or all(_straight(domain) for _, domain in entries)


def _convex(loss: Loss) -> bool:
    return isinstance(loss, Squared | Huber | LogCosh | Absolute) or (isinstance(loss, Asymmetric) and _convex(loss.base))


def _straight(domain: Domain) -> bool:
    """Is the parameter its unconstrained form but for a factor?"""
    return type(domain) in (Real, Domain)


class Problem(NamedTuple):
    """Least squares of some members: design (members or 1, rows, size), target and weight (members, rows), pull (members,)."""

    design: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    penalty_weight: np.ndarray


def solve(spec: Spec, batch: Batch, sets: np.ndarray, weight: np.ndarray | None = None) -> tuple[Ends, np.ndarray]:
    """Ends of members, and which of them have their optimum inside the support of every parameter.

    Args:
        sets: (members,) data set of each. weight: (rows, members) in place of the sets' own.
    """
    members, size = len(sets), spec.layout.size
    ends, inside = no_ends(np.zeros((size, members))), np.zeros(members, bool)
    shared = not any(batch.batched[:-1])
    parts = _columns(spec, batch, np.unique(sets)[:1] if shared else np.unique(sets))
    place = np.zeros(members, int) if shared else np.searchsorted(np.unique(sets), sets)
    step = max(_NUMBERS // (batch.rows * size), 1)
    for begin in range(0, members, step):
        some = np.arange(begin, min(begin + step, members))
        w = (batch.weight[:, sets[some]] if weight is None else weight[:, some]).T
        target = _target(batch, sets[some]) - parts[0][place[some]]
        design = parts[1][:1] if shared else parts[1][place[some]]
        c, objective, iterations = _minimise(spec, Problem(design, target, w, batch.penalty_weight[sets[some]]))
        ends.theta[:, some], inside[some] = _theta(spec, c)
        ends.objective[some], ends.iterations[some] = objective, iterations
        ends.status[some] = code(Status.CONVERGED if iterations < _ITERATIONS else Status.MAX_ITERATIONS)
    return ends, inside & np.isfinite(ends.objective)


def _target(batch: Batch, sets: np.ndarray) -> np.ndarray:
    """(members, rows)."""
    batched = batch.target[..., sets] if batch.batched[-1] else np.repeat(batch.target[..., None], len(sets), axis=-1)
    return batched.reshape(-1, len(sets)).T


def _columns(spec: Spec, batch: Batch, sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The law at c = 0, (sets, rows), and its derivatives along c, (sets, rows, size)."""
    data = batch.gather(sets)._replace(target=np.zeros(batch.target.shape[: batch.target.ndim - batch.batched[-1]]))
    offset, design = _linearised(spec, (*batch.batched[:-1], False), data, len(sets))
    return np.asarray(offset), np.moveaxis(np.asarray(design), -1, 1)


@compiled(0, 1, 3, once=True)
def _linearised(spec: Spec, batched: tuple[bool, ...], data: Data, sets: int) -> tuple[Any, Any]:
    """Offset (sets, rows) and derivatives (sets, size, rows) on the natural scale, about theta = 0, where c is of the order of one."""
    theta = jnp.zeros((spec.layout.size, sets))

    def predicted(theta: Any) -> Any:
        return -residuals(spec, batched, theta, data)  # (rows, sets)

    at, push = jax.linearize(predicted, theta)
    columns = jax.vmap(lambda entry: push(jnp.zeros_like(theta).at[entry].set(1.0)))(jnp.arange(spec.layout.size))  # (size, rows, sets)
    value, slope = zip(*(jax.jvp(domain.forward, (0.0,), (1.0,)) for _, domain in linear_entries(spec)), strict=True)
    columns = columns / jnp.stack(slope)[:, None, None]
    offset = at - jnp.einsum("prs,p->rs", columns, jnp.stack(value))
    return offset.T, jnp.moveaxis(columns, -1, 0)


def _theta(spec: Spec, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Theta (size, members) from natural values c (members, size), and whether all of a member lie inside their support."""
    theta, inside = np.zeros(c.T.shape), np.isfinite(c).all(axis=1)
    for i, domain in linear_entries(spec):
        low = domain.low if isinstance(domain, Interval) else 0.0 if isinstance(domain, Positive) else -np.inf
        high = domain.high if isinstance(domain, Interval) else np.inf
        good = (c[:, i] > low) & (c[:, i] < high)
        theta[i] = np.where(good, np.asarray(domain.inverse(np.where(good, c[:, i], domain.forward(0.0)))), 0.0)
        inside &= good
    return theta, inside


def _minimise(spec: Spec, problem: Problem) -> tuple[np.ndarray, np.ndarray, int]:
    """c (members, size), the objective (members,), and the iterations of the slowest member."""
    loss, (design, target, weight, _) = spec.loss, problem
    middle, precision = _penalty(spec, problem.penalty_weight)
    turned = np.swapaxes(design, 1, 2)

    def value(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r = target - (design @ c[..., None])[..., 0]
        return r, np.sum(weight * np.asarray(loss.rho(r)), axis=1) + 0.5 * np.sum(precision * (c - middle) ** 2, axis=1)

    def slope(c: np.ndarray, r: np.ndarray) -> np.ndarray:
        return (turned @ (weight * np.asarray(loss.psi(r)))[..., None])[..., 0] - precision * (c - middle)

    c = np.zeros((len(target), design.shape[2]))
    plain = _inverse(turned @ (design * weight[..., None]), precision)
    for _ in range(3):  # twice more on what rounding left
        r = target - (design @ c[..., None])[..., 0]
        push = (turned @ (weight * r)[..., None])[..., 0] - precision * (c - middle)
        c = c + (plain @ push[..., None])[..., 0]
    r, f = value(c)
    if isinstance(loss, Squared):
        return c, f, 1
    safe, width = np.ones(len(f)), np.ones(len(f))
    for k in range(1, _ITERATIONS):
        bend = np.asarray(loss.majorizer(r)) * safe[:, None] + np.asarray(loss.mean_curvature(r, width[:, None])) * (1 - safe[:, None])
        bend = weight * np.maximum(bend, 0.0)
        push = slope(c, r)
        move = (_inverse(turned @ (design * bend[..., None]), precision) @ push[..., None])[..., 0]
        expected_fall = 0.5 * np.sum(push * move, axis=1)
        trial_r, trial = value(c + move)
        better = trial < f
        c, r, f = np.where(better[:, None], c + move, c), np.where(better[:, None], trial_r, r), np.where(better, trial, f)
        # Steps by the majorizer never fail but by rounding.
        running = np.where(better, expected_fall > _TOLERANCE * f, safe < 1) & (expected_fall > 1e-300)
        if not running.any():
            return c, f, k
        safe = np.where(better, expected_fall / (expected_fall + _NEAR * f + 1e-300), 1.0)
        width = np.sqrt(2 * np.maximum(expected_fall, 1e-14 * f) / np.maximum(bend.sum(axis=1), 1e-300)) + 1e-300
    return c, f, _ITERATIONS


def _penalty(spec: Spec, penalty_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles (size,) and precisions (members, size) of a weak prior, on the natural scale."""
    if not spec.prior:
        return np.zeros(spec.layout.size), np.zeros((len(penalty_weight), spec.layout.size))
    known, scale = ranges(spec.layout), np.asarray([domain.scale for _, domain in linear_entries(spec)])
    return known.middle * scale, penalty_weight[:, None] * (CENTRAL / (known.width * scale)) ** 2


def _inverse(normal: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Of the normal matrices (members, size, size); 0 along directions that are flat."""
    normal = normal + np.eye(normal.shape[-1]) * precision[:, None]
    scale = np.sqrt(np.diagonal(normal, axis1=1, axis2=2))
    scale = np.where(scale > 0, scale, 1.0)
    outer = scale[:, :, None] * scale[:, None]
    values, vectors = np.linalg.eigh(normal / outer)
    good = values > _RANK * values.max(axis=1, keepdims=True)
    return (vectors * np.where(good, 1 / np.where(good, values, 1.0), 0.0)[:, None]) @ np.swapaxes(vectors, 1, 2) / outer
