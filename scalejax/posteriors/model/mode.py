"""The mode of posteriors and the coordinates around it, for many data sets at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ...core.numeric.batching import traced
from ...core.numeric.programs import compiled
from .coordinates import Groups, Place, energy, free_values, populations, split, unravel
from .density import Evidence, Model, hyper_sites

SETS = Evidence._make((0, 0, None, None, None, None, None, None, None))  # inputs and targets differ between data sets
_STEPS = 100  # of Newton's method, at most
_FLOOR = 1e-3  # of curvatures: below it the priors rule
_NEAR = 0.01  # distance, in standard deviations, over which third derivatives are taken
_SHARP = 12.0  # curvature of a group's valley, at most
_ROUNDS = 8  # of the spreads of populations

Local = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


@compiled(0, once=True)
def _local(model: Model, groups: tuple[Groups, ...], evidence: Evidence, w: Any) -> tuple[Any, Any, Any]:
    """Energy, gradient and Hessian at w (sets, size)."""
    traced("local")

    def one(groups: tuple[Groups, ...], evidence: Evidence, w: Any) -> tuple[Any, Any, Any]:
        def gradient(v: Any) -> tuple[Any, Any]:
            value, slope = jax.value_and_grad(lambda x: energy(model, groups, evidence, x))(v)
            return slope, (value, slope)

        hessian, (value, slope) = jax.jacfwd(gradient, has_aux=True)(w)
        return value, slope, hessian

    return jax.vmap(one, in_axes=(0, SETS, 0))(groups, evidence, w)


def local(model: Model, groups: tuple[Groups, ...], evidence: Evidence) -> Local:
    """Energy, gradient and Hessian as a function of w (sets, size)."""

    def at(w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        value, slope, hessian = _local(model, groups, evidence, w)
        return np.asarray(value), np.asarray(slope), np.asarray(hessian)

    return at


def locate(model: Model, evidence: Evidence, starts: list[np.ndarray]) -> tuple[Place, tuple[Groups, ...], np.ndarray]:
    """Coordinates around the best mode that is reached from the starts, each (sets, size) in unconstrained sites, and its energy."""
    groups: tuple[Groups, ...] = ()
    if model.blocks:
        start, groups = _populations(model, evidence, starts)
        starts = [start]
    found = [_newton(local(model, groups, evidence), start) for start in starts]
    values = np.stack([value for _, value, _, _ in found])
    best = np.argmin(np.where(np.isfinite(values), values, np.inf), axis=0)
    w, value, _, hessian = (np.stack(parts)[best, np.arange(len(best))] for parts in zip(*found, strict=True))
    widths, axes = _axes(hessian)
    root = axes / np.sqrt(widths)[:, None, :]
    return Place(w, root, _bend(local(model, groups, evidence), w, root, (axes * widths[:, None, :]) @ axes.swapaxes(1, 2))), groups, value


def _axes(hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    widths, axes = np.linalg.eigh(hessian)
    return np.maximum(np.abs(widths), _FLOOR), axes


def _newton(local: Local, w: np.ndarray, free: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """Damped Newton steps in the free coordinates from w (sets, size): the points, their energies, gradients and Hessians."""
    free = np.arange(w.shape[1]) if free is None else free
    block = np.ix_(np.arange(len(w)), free, free)
    f, g, H = local(w)
    if not (np.isfinite(f).all() and np.isfinite(H).all()):
        bad = ~(np.isfinite(f) & np.isfinite(H).all((1, 2)))
        f, g, H = np.where(bad, np.inf, f), np.where(bad[:, None], 0.0, g), np.where(bad[:, None, None], np.eye(w.shape[1]), H)
    damping = np.ones(len(w))
    for _ in range(_STEPS):
        widths, axes = _axes(H[block])
        along = np.einsum("bij,bi->bj", axes, g[:, free])
        if (np.sum(along**2 / widths, axis=1) < 1e-9).all():
            break
        trial = w.copy()
        trial[:, free] -= np.einsum("bij,bj->bi", axes, along / (widths + damping[:, None]))
        moved, slope, curved = local(trial)
        better = (moved <= f) & np.isfinite(slope).all(1) & np.isfinite(curved).all((1, 2))
        damping = np.where(better, damping / 8, np.maximum(8 * damping, 1e-3 * widths.max(1)))
        w, f = np.where(better[:, None], trial, w), np.where(better, moved, f)
        g, H = np.where(better[:, None], slope, g), np.where(better[:, None, None], curved, H)
    return w, f, g, H


def _bend(local: Local, w: np.ndarray, root: np.ndarray, hessian: np.ndarray, limit: float = 3.0) -> np.ndarray:
    r"""Second derivatives c of an elementwise change of coordinates that make the valley straight, to third order at the mode.

    Along each axis a of the round coordinates the third derivative becomes D3[a, a] + H (c a^2) + 2 c a (H a): c by least squares.
    An exponent, whose logarithm is what the priors make unconstrained, thus becomes linear, and its valley with the amplitude a line.
    """
    sets, size = w.shape
    normal, right = np.zeros((sets, size, size)), np.zeros((sets, size))
    for j in range(size):
        a = root[:, :, j]
        ahead, behind = local(w + _NEAR * a)[2], local(w - _NEAR * a)[2]
        third = np.einsum("bij,bik,bk->bj", root, (ahead - behind) / (2 * _NEAR), a)
        flat = np.einsum("bij,bj->bi", hessian, a)
        change = np.swapaxes(root, 1, 2) @ (hessian * (a**2)[:, None, :] + np.einsum("bi,ij->bij", 2 * a * flat, np.eye(size)))
        normal += np.swapaxes(change, 1, 2) @ change
        right -= np.einsum("bij,bi->bj", change, third)
    scale = np.sqrt(np.maximum(np.einsum("bii->bi", normal), 1e-24))
    unit = normal / (scale[:, :, None] * scale[:, None, :]) + 1e-3 * np.eye(size)
    with np.errstate(all="ignore"):
        c = np.linalg.solve(np.where(np.isfinite(unit), unit, np.eye(size)), (right / scale)[..., None])[..., 0] / scale
    return np.clip(np.nan_to_num(c, nan=0.0), -limit, limit)


def _populations(model: Model, evidence: Evidence, starts: list[np.ndarray]) -> tuple[np.ndarray, tuple[Groups, ...]]:
    """A start in standardised group values, and what the groups' runs say, near the most likely spreads of the populations (by EM)."""
    centred = local(model, (), evidence)
    sets, size = starts[0].shape
    index, (others, places) = unravel(model, evidence, np.arange(size)), split(model, np.arange(size))
    spreads = [[int(index[f"{slot.name}_spread"]) for slot in block] for block in model.blocks]
    free = np.setdiff1d(np.arange(size), np.concatenate(spreads))
    for k in range(_ROUNDS):
        found = [_newton(centred, start, free) for start in starts]
        best = np.argmin(np.stack([f for _, f, _, _ in found]), axis=0)
        w, _, slope, hessian = (np.stack(parts)[best, np.arange(sets)] for parts in zip(*found, strict=True))
        known = [tuple(np.asarray(v) for v in part) for part in _hyper(model, evidence, w)]
        if k == _ROUNDS - 1:
            break
        widths, axes = _axes(hessian[np.ix_(np.arange(sets), free, free)])
        variance = np.zeros((sets, size))
        variance[:, free] = np.einsum("bij,bj->bi", axes**2, 1 / widths)
        for block, (mu, _), place, at in zip(model.blocks, known, places, spreads, strict=True):
            spread = np.sqrt(np.mean((w[:, place] - mu) ** 2 + variance[:, place], axis=1))
            for i, slot in enumerate(block):
                w[:, at[i]] = free_values(evidence.priors[f"{slot.name}_spread"], spread[:, i])
        starts = [w]
    hyper = np.concatenate([np.ravel(index[site]) for block in model.blocks for slot in block for site in hyper_sites(slot.name, evidence)])
    start = w.copy()
    start[:, np.concatenate([np.ravel(place) for place in places])] = 0.0
    said = (_said(centred, w, slope, hessian, mu, spread, place, others, hyper) for (mu, spread), place in zip(known, places, strict=True))
    return start, tuple(said)


def _said(centred: Local, w: np.ndarray, slope: np.ndarray, hessian: np.ndarray, mu: np.ndarray, spread: np.ndarray, place: np.ndarray,
          others: np.ndarray, hyper: np.ndarray) -> Groups:  # fmt: skip
    """What the runs say of a block's groups at w: slope and curvature without the populations' share in them."""
    sets, (groups, k), u = len(w), place.shape, w[:, place]

    def of_groups(at: np.ndarray) -> tuple[Any, Any, np.ndarray]:
        moved = w.copy()
        moved[:, place] = at.reshape(sets, groups, k)
        return None, None, _blocks(centred(moved)[2], place)

    whole = _blocks(hessian, place)
    widths, axes = _axes(whole)
    bend = _bend(of_groups, u.reshape(-1, k), axes / np.sqrt(widths)[:, None, :], whole, _SHARP).reshape(sets, groups, k)
    inverse = 1 / spread[:, None, :] ** 2
    steep = slope[:, place] - (u - mu) * inverse
    precision = whole.reshape(sets, groups, k, k) + (steep * bend - inverse)[..., None] * np.eye(k)
    widths, axes = np.linalg.eigh(precision)
    precision = np.einsum("bgij,bgj,bgkj->bgik", axes, np.maximum(widths, 0.0), axes)
    coupling = np.where(np.isin(others, hyper), 0.0, hessian[:, place[:, :, None], others])
    return Groups(u, bend, precision, -steep, coupling, w[:, others])


def _blocks(hessian: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Every group's own part of the Hessians of all sets, (sets * groups, k, k)."""
    return hessian[:, place[:, :, None], place[:, None, :]].reshape(-1, place.shape[1], place.shape[1])


@compiled(0, once=True)
def _hyper(model: Model, evidence: Evidence, w: Any) -> list[tuple[Any, Any]]:
    """Centers (sets, groups, k) and spreads (sets, k) of every block's populations."""
    return jax.vmap(lambda one: [populations(block, evidence, unravel(model, evidence, one)) for block in model.blocks])(w)
