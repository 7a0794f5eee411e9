"""Laws refitted under many weightings of the same runs, as one batch: origins, emphases, replicates and structures are members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from ...core.laws.law import Law
from ...core.numeric.programs import compiled
from ...core.runs import Runs
from ...core.table import Shown
from ...fitting.fit import make_request
from ...fitting.misfit import informed
from ...fitting.objective.data import Batch
from ...fitting.objective.problem import Data, Spec, predictions
from ...fitting.request import Request
from ...fitting.runaways import penalty_weights
from ...fitting.solvers.lm import LM
from ...fitting.solvers.search import minimise, screen
from ...fitting.solvers.starts import make_starts
from ...fitting.uncertainty.sums import mean_curvature, mean_score
from ...zoo.scale.terms import MASK

_STARTS = 48  # evaluated for every weighting,
_REFINED = 3  # of them the best are refined
_LENT = 2  # optima of other weightings that are refined, too
_SOLVER = LM(max_iterations=150, tolerance=1e-10)
_NOISE = 0.01  # relative residuals before any are known
_LEAST, _MOST = 1e-4, 1e2  # how far the weight of the prior may move from there
_BLOCK = 8192  # rows that are predicted at a time
_ROWS = 64  # predictions are padded to multiples of it, so that tables of many lengths share a program


@dataclass(frozen=True)
class _Members(Batch):
    """Data sets whose members have fixed values of their own, such as the mask of a structure."""

    own: Mapping[str, np.ndarray] = field(kw_only=True)  # (..., sets)

    blocks = None  # rows stay in one column: what differs are the members

    def gather(self, sets: np.ndarray, weight: np.ndarray | None = None) -> Data:
        return super().gather(sets, weight)._replace(own={name: value[..., sets] for name, value in self.own.items()})


@dataclass(frozen=True, eq=False, repr=False)
class Refits(Shown):
    """Laws at the optimum of every weighting.

    Attributes:
        request: of the law and the runs that it was fitted to.
        theta: (size, structures, groups, weightings) parameters; one structure for a plain law, one group without `by`.
        own: (parameters, structures) masks, empty for a plain law.
    """

    request: Request
    theta: np.ndarray
    own: Mapping[str, np.ndarray]

    def at(self, runs: Runs, groups: np.ndarray, weightings: np.ndarray) -> np.ndarray:
        """Predictions (structures, rows, weightings) at new runs, each by its group (rows,), 0 without `by`."""
        columns = tuple(runs[name] for name in self.request.law.inputs)
        structures = self.theta.shape[1]
        out = np.full((structures, len(runs), len(weightings)), np.nan)
        own = {name: np.repeat(mask, len(weightings), axis=1) for name, mask in self.own.items()}
        for g in np.unique(groups):
            theta, rows = self.theta[:, :, g][:, :, weightings].reshape(len(self.theta), -1), np.flatnonzero(groups == g)
            for here in np.split(rows, range(_BLOCK, len(rows), _BLOCK)):
                padded = np.resize(here, -(-len(here) // _ROWS) * _ROWS)
                found = np.asarray(_values(self.request.spec, theta, tuple(c[padded] for c in columns), self.request.batch.fixed, own))
                out[:, here] = found[:, : len(here)].reshape(structures, len(weightings), -1).swapaxes(1, 2)
        return out

    def params(self, structure: int, group: int, weighting: int) -> dict[str, Any]:
        """Natural parameters of one optimum."""
        found = self.request.layout.natural(self.theta[None, :, structure, group, weighting], self.request.batch.fixed)
        return {name: value[0] for name, value in found.items()}


@compiled(0, once=True)
def _values(spec: Spec, theta: Any, inputs: tuple[Any, ...], fixed: dict[str, Any], own: dict[str, Any]) -> Any:
    """The law at every theta (size, members) and row, (members, rows)."""
    group = np.zeros((len(inputs[0]), 1), int)
    return jax.vmap(lambda t, mine: predictions(spec, t, inputs, group, {**fixed, **mine}), in_axes=(-1, -1))(theta, own)


def refit(
    law: Law,
    runs: Runs,
    weights: np.ndarray,
    earlier: np.ndarray,
    *,
    masks: np.ndarray | None = None,
    misfit: bool = False,
    by: str | None = None,
    on: str,
    loss: Any,
    sizes: Mapping[str, int] | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Refits:
    """Fit a law under every weighting, with a weak prior from its plausible ranges, so that no refit runs away.

    Args:
        law: a law, or the masked law of a term library with the `masks` (structures, parameters) of its structures.
        weights: (rows, weightings).
        misfit: with a smooth misfit beside it, whose knots are among all runs.
        earlier: (weightings, weightings) whose optima a weighting may try: never one that has seen more runs.
        by: column whose groups are fitted apart.
        on, loss, sizes, seed: as in `fit`.
        progress: called with (done, members).
    """
    fix = {} if masks is None else {MASK: np.ones(masks.shape[1])}
    request = make_request(law, runs, loss=loss, on=on, fix=fix, tie=None, bounds=None, by=by, share=(), weights=None, sizes=sizes)
    request = informed(request, True) if misfit else request
    batch = _expanded(request, weights, masks)
    spec, sets = replace(request.spec, prior=True), np.arange(batch.weight.shape[1])
    assumed = _assumed(request, batch)
    batch = replace(batch, penalty_weight=np.full(len(sets), assumed))
    points = make_starts(request.layout, _STARTS, seed)
    values = screen(spec, batch, np.tile(points, len(sets)), np.repeat(sets, _STARTS)).reshape(len(sets), _STARTS)
    best, value = _refined(spec, batch, points[:, np.argsort(values, axis=1, kind="stable")[:, :_REFINED]], progress)
    more, lower = _refined(spec, batch, _lent(spec, batch, best, earlier), progress)
    best = np.where(lower < value, more, best)
    batch = replace(batch, penalty_weight=_noise(spec, batch, best, assumed))
    best, _ = _refined(spec, batch, best[:, :, None], progress)
    structures = 1 if masks is None else len(masks)
    return Refits(
        request, best.reshape(len(best), structures, -1, weights.shape[1]), {} if masks is None else {MASK: masks.T.astype(float)}
    )


def _expanded(request: Request, weights: np.ndarray, masks: np.ndarray | None) -> _Members:
    """The batch with a set for every structure, group and weighting, in this order."""
    batch, count, places = request.batch, weights.shape[1], request.places
    height = -(-max(map(len, places)) // _ROWS) * _ROWS  # many small groups are not padded to the height of a fit
    padded = np.zeros((height, len(places), count))
    for g, place in enumerate(places):
        padded[: len(place), g] = weights[place]
    structures = 1 if masks is None else len(masks)
    sets = np.tile(np.repeat(np.arange(len(places)), count), structures)
    *inputs, target = ((a[..., sets] if b else a)[:height] for a, b in zip((*batch.inputs, batch.target), batch.batched, strict=True))
    own = {} if masks is None else {MASK: np.repeat(masks.T.astype(float), len(places) * count, axis=1)}
    fixed = {name: value for name, value in batch.fixed.items() if name not in own}
    weight = np.tile(padded.reshape(len(padded), -1), structures)
    return _Members(tuple(inputs), target, weight, batch.codes[:height], batch.batched, fixed, np.zeros(len(sets)), own=own)


def _refined(spec: Spec, batch: Batch, theta: np.ndarray, progress: Callable[[int, int], None] | None) -> tuple[np.ndarray, np.ndarray]:
    """The lowest end (size, sets) of refining theta (size, sets, starts), and its objective."""
    size, sets, starts = theta.shape
    ends = minimise(spec, batch, theta.reshape(size, -1), np.repeat(np.arange(sets), starts), _SOLVER, progress=progress)
    objective = np.nan_to_num(ends.objective.reshape(sets, starts), nan=np.inf)
    first = np.argmin(objective, axis=1)
    return ends.theta.reshape(theta.shape)[:, np.arange(sets), first], objective[np.arange(sets), first]


def _lent(spec: Spec, batch: Batch, best: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """(size, sets, lent) optima of weightings of the same structure and group that saw no more runs, those best by value."""
    count = len(earlier)
    sets = np.arange(best.shape[1])
    donors = (sets - sets % count)[:, None] + np.arange(count)
    values = screen(spec, batch, best[:, donors.ravel()], np.repeat(sets, count)).reshape(donors.shape)
    values = np.where(np.tile(earlier, (len(sets) // count, 1)), values, np.inf)
    order = np.argsort(values, axis=1, kind="stable")[:, :_LENT]
    none = ~np.isfinite(np.take_along_axis(values, order, axis=1))
    return best[:, np.where(none, sets[:, None], np.take_along_axis(donors, order, axis=1))]


def _assumed(request: Request, batch: Batch) -> float:
    """Weight of the prior beside residuals of a hundredth of the outputs."""
    scale = _NOISE if request.on == "log" else _NOISE * float(np.ptp(batch.target))
    r = scale * np.random.default_rng(0).standard_normal((1, 256))
    of = (request.loss, request.layout.size, np.ones_like(r), r)
    return float((mean_score(*of) / mean_curvature(*of))[0])


def _noise(spec: Spec, batch: Batch, theta: np.ndarray, assumed: float) -> np.ndarray:
    """(sets,) weight of the prior beside the residuals that are left."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = penalty_weights(spec, batch, theta)
    return np.where(np.isfinite(found), np.clip(found, _LEAST * assumed, _MOST * assumed), assumed)
