"""Where a law bends within an interval: its ends are then those of the profile of the objective, not some standard errors away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ....core.laws.domains import Ordered, Simplex
from ....core.numeric.programs import compiled
from ...objective.problem import Data, Spec, arguments, residuals
from ...solvers.lm import LM
from .held import MOST, Curves, model_kappa

if TYPE_CHECKING:
    from ...result import Fit

_BENT = 0.1  # share of the way to an end by which law and straight line may differ
_STEPS = 8  # of the other parameters, before a curve counts as bent
_PRECISE = 0.02  # width of the bracket of an end; interpolation is finer
_FIRST = np.array([0.5, 1.0, 1.6])  # of the way to the straight end, where the profile is looked at first
_ROWS_AT_ONCE = 4_000_000  # rows times members
_SIDES = np.array([-1.0, 1.0])


def reaches(fit: Fit, covariance: np.ndarray, z: np.ndarray) -> np.ndarray:
    r"""Standard errors between the estimate and the low and high ends, (2, sets, size): -z and z where the law is straight.

    Moving z standard errors away along a line, the others following to first order, would raise the objective of a straight law by R_j.
    The profile of the law's own objective rises there by Q_j. Where the distances, the roots of these, differ by more than a tenth on
    either side, the ends are where the profile reaches R_j (see `profile`): those of the symmetric interval if the law is straight,
    whatever the loss and the covariance. An end that does not exist is infinitely far.

    Args:
        covariance: (sets, size, size) of theta. z: (sets, size) quantiles.

    References: Bates and Watts 1988, Nonlinear Regression Analysis, chapter 6; Venzon and Moolgavkar 1988, Applied Statistics 37, 87.
    """
    out = _SIDES[:, None, None] * z
    slots = [slot for slot in fit.request.layout.slots if not isinstance(slot.domain, Simplex | Ordered)]
    if not slots or fit.request.layout.size > MOST or fit.request.spec.prior:
        return out
    model = np.stack([c.model_covariance for c in fit.curvature])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        step = z * np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        path = model / np.diagonal(model, axis1=1, axis2=2)[:, None, :] * step[:, None, :]  # (sets, size, entries)
    looked = np.isfinite(path).all(axis=1) & np.isfinite(step) & (step > 0)
    among = np.concatenate([np.arange(slot.start, slot.stop) for slot in slots])
    looked &= np.isin(np.arange(looked.shape[1]), among)
    sets, entries = np.nonzero(looked)
    if len(sets):
        rise, straight = _rises(fit, model, sets, entries, path[sets, :, entries].T)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            bent = ~(np.abs(np.sqrt(rise / straight) - 1) <= _BENT).all(axis=0) & (straight > 0).all(axis=0)
        if bent.any():
            places = sets[bent], entries[bent]
            distance = _distances(fit, slots, places, path, step, straight[:, bent])
            out[:, *places] *= distance / step[places]
    return out


def _rises(fit: Fit, model: np.ndarray, sets: np.ndarray, entries: np.ndarray, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rises of the objective from the optima of `sets` to both ends of `path` (size, members), (2, members) each: the profile's after a few
    steps of the other parameters with the curvature at the optimum, an upper bound; and a straight law's along the path.
    """
    both, others = np.tile(sets, 2), np.tile(entries, 2)
    ahead = (_SIDES[:, None, None] * path).transpose(1, 0, 2).reshape(len(path), -1)
    precondition = _follow(model[both], others, model_kappa(fit)[both])
    law, line = (_lowest(fit, straight, both, fit.theta[:, both] + ahead, precondition).reshape(2, -1) for straight in (False, True))
    return law, line


def _follow(model: np.ndarray, held: np.ndarray, kappa: np.ndarray) -> np.ndarray:
    """(members, size, size) inverse curvatures of the objective with an entry of each held."""
    place = np.arange(len(held))
    column = model[place, :, held]
    with np.errstate(all="ignore"):
        return (model - column[:, :, None] * column[:, None] / column[place, held][:, None, None]) / kappa[:, None, None]


def _lowest(fit: Fit, straight: bool, sets: np.ndarray, there: np.ndarray, follow: np.ndarray) -> np.ndarray:
    """Rise of the objective from the optima to theta (size, members) after a few steps that `follow`, for the law or a straight one."""
    (rise, slope), size = _gains(fit, straight, sets, there), np.ones(len(sets))
    for _ in range(_STEPS):
        with np.errstate(all="ignore"):
            trial = there - size * np.einsum("mij,jm->im", follow, slope)
        lower, steeper = _gains(fit, straight, sets, trial)
        better = lower < rise
        rise, there, slope = np.where(better, lower, rise), np.where(better, trial, there), np.where(better, steeper, slope)
        size = np.where(better, size, size / 3)
    return rise


def _gains(fit: Fit, straight: bool, sets: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rise of the objective from the optima to theta (size, members), and its slope there."""
    batch = fit.request.batch
    size, out = max(1, _ROWS_AT_ONCE // len(batch.weight)), []
    for first in range(0, len(sets), size):
        here = slice(first, first + size)
        centre, data = fit.theta[:, sets[here]], batch.gather(sets[here])
        out.append(_gain(fit.request.spec, batch.batched, float(straight), centre, there[:, here], arguments(fit.request.spec, data)))
    rise, slope = (np.concatenate(parts, axis=-1) for parts in zip(*out, strict=True))
    return rise, slope


@compiled(0, 1, once=True)
def _gain(spec: Spec, batched: tuple[bool, ...], straight: Any, centre: Any, there: Any, data: Data) -> tuple[Any, Any]:
    def at(theta: Any) -> Any:
        return residuals(spec, batched, theta, data)

    def rise(theta: Any) -> Any:
        here, push = jax.jvp(at, (centre,), (theta - centre,))
        r = jnp.where(straight > 0, here + push, at(theta))
        return jnp.sum(jnp.where(data.weight > 0, data.weight * (data.loss.rho(r) - data.loss.rho(here)), 0.0), axis=0)

    return rise(there), jax.grad(lambda theta: rise(theta).sum())(there)


def _distances(fit: Fit, slots: list, places: tuple, path: np.ndarray, step: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """How far theta[entry] of each place (sets, entries) can go to either side, (2, places), until its profile rises by the threshold."""
    curves = Curves(fit, slots, LM().warm, None)
    index = {place: i for i, place in enumerate(zip(curves.set, curves.entry, strict=True))}
    chosen = np.asarray([index[place] for place in zip(*places, strict=True)])
    curves.width = np.full(len(curves.u), np.nan)  # of a curve that nobody asks for
    curves.width[chosen] = step[places]
    limit = np.full((2, len(curves.u)), np.inf)
    limit[:, chosen] = threshold
    away = (_SIDES[:, None] * _FIRST).ravel()
    still = np.repeat(curves.theta[:, :, :1], len(away), axis=2)
    follow = np.zeros_like(still)
    follow[:, chosen] = path[places[0], :, places[1]].T[:, :, None] * away
    curves.add(curves.centre[:, None] + curves.width[:, None] * away, still, still + follow)
    curves.widen(limit)
    return curves.distances(limit, _PRECISE)[:, chosen]
