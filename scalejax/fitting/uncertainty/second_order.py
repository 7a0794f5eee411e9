"""First and second derivatives at the optimum, and what follows from them for every data set: see `covariance`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.numeric.programs import compiled
from ...core.numeric.sparse import factored
from ..objective.data import Blocks, make_blocks
from ..objective.layout import one_group
from ..objective.losses import loss_terms
from ..objective.penalty import CENTRAL, MISFIT, penalty, ranges
from ..objective.problem import Data, Spec, arguments, data_axes, jacobian, residuals
from ..request import Request
from ..solvers.search import rounding_level
from ..solvers.system import places
from .covariance import Curvature, curvatures
from .sums import BlockRows, DenseRows, InformedRows

_BLOCKS = 512  # whose derivatives are held at once,
_HEIGHT = 8  # more of them where they have fewer rows
_TINY = 1e-9  # share of the objective that a step may promise; a larger one is not a matter of the last digits


@dataclass(frozen=True)
class _Point:
    """What is known at theta (size, sets), made by `_apart` or `_in_blocks`; `shapes` gives the covariances there."""

    theta: np.ndarray
    objective: np.ndarray  # (sets,)
    gradient: np.ndarray  # (sets, size)
    newton: np.ndarray  # (sets, size, size): second derivatives of the objective, where it has them
    shapes: Callable[[], list[Curvature]]


def second_order(request: Request, theta: np.ndarray) -> tuple[np.ndarray, list[Curvature], np.ndarray]:
    """Theta (size, sets) with its last digits; covariance and diagnosis there; and what another step promises, of every set.

    The solver stops when the objective can fall no further, which leaves half the digits of theta open. A Newton step on the gradient fills
    them in, so that the numbers do not depend on which of the agreeing starts came first, or on the number of devices. What is promised is
    a share of the objective, or of rounding errors where these are larger.
    """
    plain = partial(_in_blocks if request.joint or request.batch.long else _apart, request)
    at = (lambda theta: _penalised(request, plain(theta))) if request.spec.prior else plain
    point = at(theta)
    step, expected_fall, sound = _newton_step(point)
    moving = sound & (expected_fall <= _TINY * point.objective)
    if moving.any():
        trial = at(np.where(moving, theta + step, theta))
        _, left, sound = _newton_step(trial)
        better = sound & (left < expected_fall)
        expected_fall = np.where(better, left, expected_fall)
        if (better | ~moving).all():
            point = trial
        elif (better & moving).any():  # the others are as good as they get and stay where they are
            point = at(np.where(better, trial.theta, theta))
    scale = np.maximum(point.objective, rounding_level(request.spec, request.batch))
    return point.theta, point.shapes(), expected_fall / scale


def _penalised(request: Request, point: _Point) -> _Point:
    """The point with the penalty's part. The covariances are those of the runs alone: what only the penalty decides is not known."""
    value, slope, curved = (np.asarray(a) for a in penalty(ranges(request.layout), request.batch.penalty_weight, point.theta))
    newton = point.newton + np.eye(len(slope)) * curved.T[:, :, None]
    return replace(point, objective=point.objective + value, gradient=point.gradient + slope.T, newton=newton)


def _newton_step(point: _Point) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Newton's step (size, sets), the decrease that derivatives promise, and whether there is a minimum to step to (sets,).

    The promise is Newton's with the absolute values of the curvatures, leaving out flat directions: 0 only where the gradient vanishes.
    """
    large = factored(point.newton[0]) if len(point.newton) == 1 else None
    if large is not None:
        step = -large.solve(point.gradient[0])
        return step[:, None], np.asarray([-0.5 * point.gradient[0] @ step]), np.ones(1, bool)
    scale = np.sqrt(np.maximum(np.diagonal(point.newton, axis1=1, axis2=2), 1e-300))
    unit = point.newton / (scale[:, :, None] * scale[:, None])
    finite = np.isfinite(unit).all(axis=(1, 2))
    values, vectors = np.linalg.eigh(np.where(finite[:, None, None], unit, np.eye(unit.shape[1])))
    sound = finite & (values.min(axis=1) > 1e-12 * values.max(axis=1))
    along = np.einsum("sij,si->sj", vectors, point.gradient / scale)
    curved = np.abs(values) > 1e-12 * np.abs(values).max(axis=1, keepdims=True)
    moved = np.where(curved, along / np.where(curved, np.abs(values), 1.0), 0.0)
    step = -np.einsum("sij,sj->si", vectors, moved) / scale
    return step.T, np.where(finite, 0.5 * np.sum(along * moved, axis=1), np.inf), sound


def _apart(request: Request, theta: np.ndarray) -> _Point:
    batch, sets = request.batch, np.arange(theta.shape[1])
    r, jac, bending = derivatives(request.spec, batch.batched, theta, batch.gather(sets))
    weight = batch.weight.T
    rho, psi, rho2 = (a.T for a in loss_terms(request.loss, r))
    jac = np.where((weight > 0)[..., None], np.moveaxis(jac, 0, -1).swapaxes(0, 1), 0.0)  # (sets, rows, size)
    turned = np.swapaxes(jac, 1, 2)

    def rows(which: np.ndarray, free: np.ndarray) -> DenseRows:
        return DenseRows(request.loss, jac[which][:, :, free], weight[which], r.T[which], bending[which][:, free[:, None], free])

    def shapes() -> list[Curvature]:
        return curvatures(request.layout, theta, np.abs(jac).max(axis=1), _informed(request, rows))

    gradient = (turned @ (weight * psi)[..., None])[..., 0]
    newton = turned @ (jac * (weight * rho2)[..., None]) + bending
    return _Point(theta, np.sum(weight * rho, axis=1), gradient, newton, shapes)


def _in_blocks(request: Request, theta: np.ndarray) -> _Point:
    """As `_apart` for one joint fit or a very long table: block by block, with respect to the parameters that act there.

    Derivatives are taken anew for every sum and for `_BLOCKS` blocks at a time, so that memory grows by the residuals alone.
    """
    layout, blocks = request.layout, blocks_of(request)
    size, extended = layout.size, layout.extended
    weight = blocks.gather(np.zeros(1, int)).weight[..., 0]
    place = places(layout, blocks.codes)  # (local size, blocks), anchored values behind the others

    def whole(local_sums: np.ndarray) -> np.ndarray:
        """(1, size, size) from sums over blocks (local size, local size, blocks)."""
        out = np.zeros((extended, extended))
        np.add.at(out, (place[:, None], place[None]), local_sums)
        return out[None, :size, :size]

    def gram(jac: np.ndarray, row_weight: np.ndarray) -> np.ndarray:
        return np.einsum("irb,rb,jrb->ijb", jac, row_weight, jac, optimize=True)

    r, gradient, influence = np.empty(weight.shape), np.zeros(extended), np.zeros(extended)
    newton, bendings = np.empty((2, len(place), *place.shape))
    objective = 0.0
    for part, here, jac, bending in block_derivatives(request, theta):
        w = weight[:, part]
        rho, psi, rho2 = loss_terms(request.loss, here)
        objective += np.sum(w * rho)
        r[:, part], bendings[..., part], newton[..., part] = here, bending, gram(jac, w * rho2)
        np.add.at(gradient, place[:, part], np.einsum("irb,rb->ib", jac, w * psi))
        np.maximum.at(influence, place[:, part], np.abs(jac).max(axis=1))

    def weighed_sums(*row_weights: np.ndarray) -> list[np.ndarray]:
        """sum of J J' for each of these weights of residuals, (1, size, size)."""
        grams = np.empty((len(row_weights), *bendings.shape))
        for part, _, jac, _ in block_derivatives(request, theta):
            for out, row_weight in zip(grams, row_weights, strict=True):
                out[..., part] = gram(jac, row_weight[:, part])
        return list(map(whole, grams))

    def leverage(inverse: np.ndarray) -> np.ndarray:
        """Of every residual, from the inverse of J'WJ, shaped like the weights."""
        found, whole = np.empty(weight.shape), np.zeros((extended, extended))
        whole[:size, :size] = inverse
        for part, _, jac, _ in block_derivatives(request, theta):
            near = whole[place[:, None, part], place[None, :, part]]
            found[:, part] = weight[:, part] * np.einsum("irb,ijb,jrb->rb", jac, near, jac, optimize=True)
        return np.clip(found, 0.0, 1.0)

    def rows(_: np.ndarray, free: np.ndarray) -> BlockRows:
        return BlockRows(
            loss=request.loss, weight=weight, r=r, curved=whole(bendings), free=free, place=place, weighed_sums=weighed_sums,
            leverages=leverage,
        )  # fmt: skip

    def shapes() -> list[Curvature]:
        return curvatures(layout, theta, influence[None, :size], _informed(request, rows))

    return _Point(theta, np.asarray([objective]), gradient[None, :size], whole(newton + bendings), shapes)


def _informed(request: Request, rows: Callable[..., Any]) -> Callable[..., Any]:
    """Sums of the runs, and of the prior of a misfit: without it nothing could be told of either law or misfit."""
    layout, tau = request.layout, np.asarray(request.batch.penalty_weight)
    known = np.concatenate([np.full(slot.stop - slot.start, slot.domain.axis == MISFIT) for slot in layout.slots])
    if not known.any() or not request.spec.prior:
        return rows
    precision = np.where(known, (CENTRAL / ranges(layout).width) ** 2, 0.0)

    def informed(which: np.ndarray, free: np.ndarray) -> InformedRows:
        unit = tau[which]
        return InformedRows(rows(which, free), unit[:, None] * precision[free], unit)

    return informed


def blocks_of(request: Request) -> Blocks:
    """The blocks of a joint fit or of a very long table."""
    return request.batch.blocks or make_blocks(request.batch)


def block_derivatives(request: Request, theta: np.ndarray) -> Iterator[tuple[slice, Any, Any, Any]]:
    """Some blocks after the other: which, and their residuals, derivatives and second derivatives, (..., blocks)."""
    spec, blocks = request.spec, blocks_of(request)
    local = Spec(spec.law, one_group(spec.layout), spec.loss, spec.on)
    data, count = blocks.gather(np.zeros(1, int)), len(blocks.codes)
    weight, group = data.weight[..., 0], np.zeros((len(data.target), 1), int)
    place, step = places(spec.layout, blocks.codes), min(count, _BLOCKS * max(1, _HEIGHT // len(blocks.place)))
    theta = np.asarray(spec.layout.with_anchors(theta, data.fixed))
    for begin in range(0, count, step):
        which = np.minimum(np.arange(begin, begin + step), count - 1)  # one shape; what is repeated at the end is cut off
        arrays = (*data.inputs, data.target, weight)
        *inputs, target, w = (a[..., which] for a in arrays)
        part = slice(begin, min(begin + step, count))
        kept = part.stop - part.start
        cut = Data(tuple(inputs), target, w, group, data.fixed, np.zeros(len(which)))
        found = derivatives(local, (True,) * (len(inputs) + 1), theta[place[:, which], 0], cut)
        r, jac, bending = found
        yield part, r[:, :kept], np.where(w > 0, jac, 0.0)[..., :kept], np.moveaxis(bending, 0, -1)[..., :kept]


def derivatives(spec: Spec, batched: tuple[bool, ...], theta: Any, data: Data) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residuals (rows, sets), their derivatives (size, rows, sets), and their second ones summed with w psi(r): (sets, size, size).

    A set without finite derivatives gets zeros, as if nothing were determined there, so that it does not spoil the others; one without
    finite second derivatives, where a parameter has run off to the last number that its transform can hold, gets zeros for these alone.
    """
    r, jac, bending = (np.asarray(a) for a in _derivatives(spec, batched, theta, arguments(spec, data)))
    lost = ((data.weight > 0) & ~(np.isfinite(r) & np.isfinite(jac).all(axis=0))).any(axis=0)
    bendings = np.isfinite(bending).all(axis=(1, 2)) & ~lost
    return np.where(lost, 0.0, r), np.where(lost, 0.0, jac), np.where(bendings[:, None, None], bending, 0.0)


@compiled(0, 1, once=True)
def _derivatives(spec: Spec, batched: tuple[bool, ...], theta: Any, data: Data) -> tuple[Any, Any, Any]:
    r, columns = jacobian(spec, batched, theta, data)
    slope = data.weight * data.loss.psi(r)

    def one(vector, slope, member):
        return jax.hessian(lambda t: jnp.sum(slope * residuals(spec, (False,) * len(batched), t[:, None], member)[:, 0]))(vector)

    return r, jnp.stack(columns), jax.vmap(one, in_axes=(-1, -1, data_axes(batched)))(theta, slope, data)
