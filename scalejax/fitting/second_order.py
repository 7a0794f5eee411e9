"""First and second derivatives at the optimum, and what follows from them for every data set: see `covariance`."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .covariance import Curvature, Sums, bandwidth, curvatures, model_covariance, model_variance
from .data import make_blocks
from .layout import one_group
from .losses import Loss
from .problem import Data, Spec, jacobian, residuals
from .request import Request
from .system import entries


def second_order(request: Request, theta: np.ndarray) -> list[Curvature]:
    """Covariance and diagnosis of every set at its optimum, theta (size, sets)."""
    return _joint(request, theta) if request.joint else _apart(request, theta)


def _apart(request: Request, theta: np.ndarray) -> list[Curvature]:
    bank, sets = request.bank, np.arange(theta.shape[1])
    r, jac, bending = (np.asarray(a) for a in _derivatives(request.spec, bank.batched, theta, bank.gather(sets)))
    weight = bank.weight.T
    widths = np.asarray([bandwidth(r[:, i], bank.weight[:, i]) for i in sets])
    psi, bend = (np.asarray(a).T for a in _slopes(request.loss, r, widths))
    jac = np.where((weight > 0)[..., None], np.moveaxis(jac, 0, -1).swapaxes(0, 1), 0.0)  # (sets, rows, size)
    gauss_newton = np.swapaxes(jac, 1, 2) @ (jac * (weight * bend)[..., None])
    score = jac * (weight * psi)[..., None]
    sums = Sums((weight > 0).sum(axis=1), np.abs(jac).max(axis=1), gauss_newton, bending, np.swapaxes(score, 1, 2) @ score)

    def model(which: np.ndarray, free: np.ndarray) -> np.ndarray:
        return model_covariance(jac[which][:, :, free], *(a[which] for a in (weight, psi, bend)))

    return curvatures(request.layout, theta, sums, model)


def _joint(request: Request, theta: np.ndarray) -> list[Curvature]:
    """As `_apart` for one joint fit: derivatives are taken block by block, with respect to the parameters that act there."""
    spec, blocks = request.spec, request.bank.blocks or make_blocks(request.bank)
    index = entries(spec.layout)[0]
    local = Spec(spec.law, one_group(spec.layout), spec.loss, spec.on)
    data = blocks.gather(np.zeros(1, int))
    data = data._replace(weight=data.weight[..., 0], group=np.zeros(len(data.target), int))
    place = index[:, blocks.group]  # (local size, blocks)
    r, jac, bending = (np.asarray(a) for a in _derivatives(local, (True,) * len(request.bank.batched), theta[place, 0], data))
    weight = data.weight
    psi, bend = (np.asarray(a) for a in _slopes(request.loss, r, bandwidth(r.ravel(), weight.ravel())))
    jac = np.where(weight > 0, jac, 0.0)
    size = request.layout.size

    def whole(local_sums: np.ndarray) -> np.ndarray:
        """(1, size, size) from sums over blocks (local size, local size, blocks)."""
        out = np.zeros((size, size))
        np.add.at(out, (place[:, None], place[None]), local_sums)
        return out[None]

    def gram(row_weight: np.ndarray) -> np.ndarray:
        return whole(np.einsum("irb,rb,jrb->ijb", jac, row_weight, jac, optimize=True))

    influence = np.zeros(size)
    np.maximum.at(influence, place, np.abs(jac).max(axis=1))
    n = np.asarray([(weight > 0).sum()])
    sums = Sums(n, influence[None], gram(weight * bend), whole(np.moveaxis(bending, 0, -1)), gram((weight * psi) ** 2))
    normal = gram(weight)

    def model(which: np.ndarray, free: np.ndarray) -> np.ndarray:
        factor = model_variance(n, len(free), *(a.reshape(1, -1) for a in (weight, psi, bend)))
        scale = np.sqrt(np.maximum(np.diagonal(normal[0])[free], 1e-300))
        unit = normal[:, free[:, None], free] / np.outer(scale, scale)
        try:
            inverse = np.linalg.inv(unit)
        except np.linalg.LinAlgError:  # a flat direction, which `curvatures` marks
            inverse = np.linalg.pinv(unit, hermitian=True)
        return factor[:, None, None] * inverse / np.outer(scale, scale)

    return curvatures(request.layout, theta, sums, model)


@partial(jax.jit, static_argnums=0)
def _slopes(loss: Loss, r: Any, width: Any) -> tuple[Any, Any]:
    """psi(r), and its mean derivative within the width."""
    return loss.psi(r), (loss.psi(r + width) - loss.psi(r - width)) / (2 * width)


@partial(jax.jit, static_argnums=(0, 1))
def _derivatives(spec: Spec, batched: tuple[bool, ...], theta: Any, data: Data) -> tuple[Any, Any, Any]:
    """Residuals (rows, sets), their derivatives (size, rows, sets), and their second ones summed with w psi(r): (sets, size, size)."""
    r, columns = jacobian(spec, batched, theta, data)
    slope = data.weight * spec.loss.psi(r)
    axes = Data(tuple(-1 if b else None for b in batched[:-1]), -1 if batched[-1] else None, -1, None, None)

    def one(vector, slope, member):
        return jax.hessian(lambda t: jnp.sum(slope * residuals(spec, (False,) * len(batched), t[:, None], member)[:, 0]))(vector)

    return r, jnp.stack(columns), jax.vmap(one, in_axes=(-1, -1, axes))(theta, slope, data)
