"""Profiles under way: parameters held at many values at once while the others make the best of it, all in one batch."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from ....core.laws.domains import Interval, Positive
from ....core.laws.law import Law
from ....core.numeric.kept import remembered
from ....core.numeric.precision import plain
from ....core.progress import Progress
from ...objective.layout import Layout, Slot
from ...objective.problem import Data, residuals_at
from ...solvers.gradient import Solver, descend
from ...solvers.lm import LM, chunk_size
from ...solvers.lm import solve as levenberg_marquardt
from ...solvers.search import rounding_floor
from ...status import Status, code
from ..intervals import freedom, quantile_of
from ..sums import mean_curvature, mean_score

if TYPE_CHECKING:
    from ...result import Fit

MOST = 60  # parameters of one fit
_WIDTH = 4.0  # standard errors that the first grid reaches to either side
_FAR = 30.0  # unconstrained units (e-folds of a positive number) that the widest search reaches at least
_LOCAL = np.array([-1.0, -2 / 3, -1 / 3, 1 / 3, 2 / 3, 1.0])  # where the curvature at the optimum is read, in its window
_SIDES = np.array([-1.0, 1.0])[:, None, None]


class Curves:
    """Profiles under way, one a data set and entry of theta: `u`, `rise` (curves, points), and `theta` (size, curves, points) there."""

    def __init__(self, fit: Fit, slots: list[Slot], solver: Solver, report: Progress | None) -> None:
        request = fit.request
        self.fit, self.slots, self.solver, self.report, self.failed = fit, slots, solver, report, 0
        self.batch, self.spec = request.batch, replace(request.spec, law=_holding(request.law, request.layout))
        self.floor = rounding_floor(self.spec, self.batch)
        sets = range(fit.theta.shape[1])
        rows = [(k, s, g if slot.grouped else -1, slot.axis or 0, slot.start + i, slot.start + c * slot.free + i)
                for k, slot in enumerate(slots) for s in sets for c, g in enumerate(slot.members) for i in range(slot.free)]  # fmt: skip
        self.slot, self.set, self.group, self.axis, self.code, self.entry = np.array(rows).T
        self.theta = fit.theta[:, self.set, None]
        self.centre = fit.theta[self.entry, self.set]
        self.best = fit.starts.objective[self.set, 0]
        self.u, self.rise = self.centre[:, None], np.zeros((len(rows), 1))

    def natural(self, u: np.ndarray) -> np.ndarray:
        """Natural values of unconstrained ones (curves, ...)."""
        out = np.empty_like(u)
        for k, slot in enumerate(self.slots):
            out[self.slot == k] = np.asarray(slot.domain.forward(u[self.slot == k]))
        return out

    def shaped(self, values: np.ndarray) -> dict[str, Any]:
        """Values (curves, ...) by name, in the shape of `Fit.params`."""
        return {slot.name: plain(self._of_all(slot, values[self.slot == k])) for k, slot in enumerate(self.slots)}

    def _of_all(self, slot: Slot, values: np.ndarray) -> np.ndarray:
        """Values of a parameter (entries, ...) with those of anchored groups: the fixed value where there is one an entry, else NaN."""
        shape = np.shape(self.fit.params[slot.name])
        if not slot.anchored:
            return values.reshape(shape + values.shape[1:])
        held = self.fit.params[slot.name] if values.ndim == 1 else np.full(shape + values.shape[1:], np.nan)
        out = np.array(held, dtype=np.float64)
        out[slot.members] = values.reshape(slot.copies, *out.shape[1:])
        return out

    def add(self, u: np.ndarray, *starts: np.ndarray) -> np.ndarray:
        """Profile at more points (curves, k), NaN for none, each from several starts (size, curves, k) of which the best counts."""
        wanted = np.isfinite(u)
        curve, value, tries = np.tile(np.nonzero(wanted)[0], len(starts)), np.tile(self.natural(u)[wanted], len(starts)), len(starts)

        def gather(members: np.ndarray) -> Data:
            data, of = self.batch.gather(self.set[curve[members]]), curve[members]
            held = (self.group[of] < 0) | (self.batch.codes[:, self.axis[of]] == self.group[of])
            which = np.where(held, self.code[of], -1)
            return data._replace(inputs=(*data.inputs, which, np.broadcast_to(value[members], which.shape)))

        batched = (*self.batch.batched[:-1], True, True, self.batch.batched[-1])
        begin = np.concatenate([start[:, wanted] for start in starts], axis=1)
        solver, work = self.solver, self.batch.work
        if isinstance(solver, LM):
            state = levenberg_marquardt(self.spec, batched, begin, gather, work, solver, self.floor, self.report)
        else:
            state = descend(self.spec, batched, begin, gather, work, solver, self.floor, self.report)
        found = np.where(np.isfinite(state.objective), state.objective, np.inf).reshape(tries, -1)
        chosen = np.argmin(found, axis=0) * found.shape[1] + np.arange(found.shape[1])
        self.failed += int((state.status[chosen] != code(Status.CONVERGED)).sum())
        rise, theta = np.full(u.shape, np.nan), np.full((len(begin), *u.shape), np.nan)
        rise[wanted], theta[:, wanted] = found.ravel()[chosen] - self.best[curve[: found.shape[1]]], state.theta[:, chosen]
        self.u, self.rise = np.concatenate([self.u, u], axis=1), np.concatenate([self.rise, rise], axis=1)
        self.theta = np.concatenate([self.theta, theta], axis=2)
        return rise

    def first(self, points: int, kind: str) -> np.ndarray:
        """First grid, and kappa (curves,)."""
        shapes = [self.fit.curvature[s] for s in self.set]
        variance = np.array([c.covariance[j, j] for c, j in zip(shapes, self.entry, strict=True)])
        with np.errstate(invalid="ignore", divide="ignore"):
            # Where the others go as one moves, to first order: a start from which far fewer steps are left.
            path = np.stack([c.model_covariance[:, j] / c.model_covariance[j, j] for c, j in zip(shapes, self.entry, strict=True)], axis=-1)
        deviation = np.sqrt(np.where(np.isfinite(variance), variance, np.inf))
        self.width = np.minimum(_WIDTH * deviation, _FAR)
        near = np.minimum(deviation, 0.5)[:, None] * _LOCAL
        away = np.concatenate([self.width[:, None] * np.linspace(-1, 1, points), near], axis=1)
        still = np.repeat(self.theta[:, :, :1], away.shape[1], axis=2)
        rise = self.add(self.centre[:, None] + away, still, still + np.nan_to_num(path)[:, :, None] * away)[:, points:]
        bend = 2 * np.sum(rise * near**2, axis=1) / np.sum(near**4, axis=1)
        kappa = variance * bend if kind == "sandwich" else np.full(len(bend), np.nan)
        good = np.isfinite(kappa) & (bend > 0)
        return kappa if good.all() else np.where(good, kappa, model_kappa(self.fit)[self.set])

    def quantile(self, level: float, kind: str) -> np.ndarray:
        """(curves,) quantile of the level, with the degrees of freedom that `kind` knows the noise from."""
        if kind == "model":
            return quantile_of(level, freedom(self.fit.request))[self.set]
        return quantile_of(level, np.asarray([self.fit.curvature[s].freedom[j] for s, j in zip(self.set, self.entry, strict=True)]))

    def widen(self, threshold: np.ndarray) -> None:
        """Search further, up to three times, where the rise has not reached its threshold."""
        domains = [self.slots[k].domain for k in self.slot]
        plausible = np.clip([[float(d.inverse(d.low)), float(d.inverse(d.high))] for d in domains], -_FAR, _FAR).T
        # A parameter that ran off to an edge must at least be taken to the other end of its plausible range, and beyond.
        least = np.maximum(_SIDES[:, 0] * (plausible - self.centre) + 5, _FAR)
        # The exponentials of these overflow where no number is meant any more.
        most = np.where([isinstance(d, Positive | Interval) for d in domains], np.maximum(least, 2 * _FAR), np.inf)
        for limit in (4 * self.width, 16 * self.width, np.maximum(64 * self.width, least)):
            inside, _, distance, beyond = self.brackets(threshold)
            limit = np.minimum(limit, most)
            todo = np.isinf(beyond) & (limit > distance)
            if todo.any():
                with np.errstate(divide="ignore", invalid="ignore"):  # of curves that nobody asks for
                    growth = (limit / distance)[..., None] ** (np.arange(1, 7) / 6)
                    away = np.where(todo[..., None], distance[..., None] * growth, np.nan)
                self._add_sides(away, inside, np.zeros_like(inside))

    def ends(self, threshold: np.ndarray, precise: float) -> tuple[np.ndarray, np.ndarray]:
        """Natural low and high end of every curve; see `distances`."""
        distance = self.distances(threshold, precise)
        return self.natural(self.centre - distance[0]), self.natural(self.centre + distance[1])

    def distances(self, threshold: np.ndarray, precise: float) -> np.ndarray:
        """From the optimum to the low and high end of every curve, (2, curves); infinite where there is none.

        Args:
            threshold: (curves,) or, by side, (2, curves) rise at the ends.
            precise: width of the bracket of an end, as a share of the distance.
        """
        for _ in range(12):
            inside, outside, a, b = self.brackets(threshold)
            todo = np.isfinite(b) & (b - a > precise * b)
            if not todo.any():
                break
            count = int(np.clip(chunk_size(self.batch.work, self.spec.layout.size) // (2 * todo.sum()), 4, 16))
            share = np.arange(1, count + 1) / (count + 1)
            between = np.where(todo, a, np.nan)[..., None] + np.where(todo, b - a, np.nan)[..., None] * share
            self._add_sides(between, inside, np.where(todo, outside, inside))
        # The root of the rise is nearly straight in theta, where the rise is a parabola.
        curve = np.arange(len(self.u))
        inner, root, outer = (np.sqrt(np.maximum(v, 0.0)) for v in (self.rise[curve, inside], threshold, self.rise[curve, outside]))
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(np.isfinite(outer), (root - inner) / (outer - inner), 0.0)
            return np.where(np.isfinite(b), a + (b - a) * share, np.inf)

    def brackets(self, threshold: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """For every end (2, curves): indices of the last point inside and the first outside, and their distances (inf: none outside)."""
        distance = _SIDES * (self.u - self.centre[:, None])
        distance = np.where(distance >= 0, distance, np.inf)
        order = np.argsort(distance, axis=2, kind="stable")
        ranked = np.take_along_axis(distance, order, axis=2)
        above = np.isfinite(ranked) & (self.rise[np.arange(len(self.u))[:, None], order] >= threshold[..., None])
        above[..., 0] = False  # the optimum itself, also where rounding has it that nothing rises
        found = above.any(axis=2)
        place = np.where(found, np.argmax(above, axis=2), np.isfinite(ranked).sum(axis=2))[..., None]
        outer = np.minimum(place, ranked.shape[2] - 1)
        inside, outside, a, b = (np.take_along_axis(x, i, axis=2)[..., 0] for x in (order, ranked) for i in (place - 1, outer))
        return inside, outside, a, np.where(found, b, np.inf)

    def _add_sides(self, distance: np.ndarray, *begin: np.ndarray) -> None:
        """Points at these distances (2, curves, k) from the optimum, each started from the known points with indices `begin`."""
        curve = np.arange(len(self.u))
        u = np.concatenate(list(self.centre[:, None] + _SIDES * distance), axis=1)
        known = [np.moveaxis(self.theta[:, curve, i], 1, 2) for i in begin]  # (size, curves, 2)
        self.add(u, *(np.repeat(k, distance.shape[2], axis=2) for k in known))


def model_kappa(fit: Fit) -> np.ndarray:
    """(sets,) kappa if all residuals of a set are draws from one distribution; then it is the same for all parameters."""
    sets, request = np.arange(fit.theta.shape[1]), fit.request
    loss, p, weight = request.loss, request.layout.size, request.batch.weight.T
    r = np.asarray(residuals_at(request.spec, request.batch.batched, fit.theta, request.batch.gather(sets))).T
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean_score(loss, p, weight, r) / mean_curvature(loss, p, weight, r)


@remembered
def _holding(law: Law, layout: Layout) -> Law:
    """The law with two more inputs: the code of the parameter entry that is held, and its value.

    Held values are data then, which differ between runs and members, so one compiled program serves all parameters and values; theta keeps
    its layout, and its held entry has no influence. Cached, because a law is known by its function and a new one would compile anew.
    """
    codes = {slot.name: slot.start for slot in layout.slots}
    codes |= {name: codes[other] for name, other in layout.tied}

    @wraps(law.function)
    def function(*inputs: Any, **params: Any) -> Any:
        *rest, which, value = inputs
        for name, first in codes.items():
            here = first + jnp.arange(params[name].shape[0]) if jnp.ndim(params[name]) else first
            params[name] = jnp.where(which == here, value, params[name])
        return law.function(*rest, **params)

    return replace(law, function=function)
