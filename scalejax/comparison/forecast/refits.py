"""One law refitted under many weightings of the same runs, as one batch: origins, emphases and replicates are columns of weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...core.law import Law
from ...core.runs import Runs
from ...fitting.data import Bank
from ...fitting.fit import make_request
from ...fitting.losses import Loss
from ...fitting.problem import Spec, residuals
from ...fitting.request import Request, _predict_sets
from ...fitting.solvers.lm import LM
from ...fitting.solvers.search import minimise, screen
from ...fitting.solvers.starts import make_starts
from ...fitting.status import Ends
from ...fitting.uncertainty.rows import mean_curvature, mean_score

_STARTS = 48  # evaluated for every weighting,
_REFINED = 3  # of them the best are refined
_LENT = 2  # optima of other weightings that are refined, too
_SOLVER = LM(max_iterations=150, tolerance=1e-10)
_NOISE = 0.01  # relative residuals before any are known


@dataclass(frozen=True, eq=False)
class Refits:
    """A law at the optimum of every weighting.

    Attributes:
        request: of the law and the runs that it was fitted to.
        theta: (size, groups, weightings) parameters; one group without `by`.
    """

    request: Request
    theta: np.ndarray

    def at(self, runs: Runs, groups: np.ndarray, weightings: np.ndarray) -> np.ndarray:
        """Predictions (rows, weightings) at new runs, each by its group (rows,), 0 without `by`."""
        request, law = self.request, self.request.law
        columns = tuple(runs[name] for name in law.inputs)
        spec, fixed = request.spec, request.bank.fixed
        out = np.full((len(runs), len(weightings)), np.nan)
        for g in np.unique(groups):
            rows = np.flatnonzero(groups == g)
            padded = np.resize(rows, -(-len(rows) // 64) * 64)
            theta = self.theta[:, g, weightings]
            found = _predict_sets(spec, (False,) * len(columns), theta, tuple(c[padded] for c in columns), np.zeros((len(padded), 1), int), fixed)
            out[rows] = np.asarray(found)[:, : len(rows)].T
        return out


def refit(
    law: Law,
    runs: Runs,
    weights: np.ndarray,
    earlier: np.ndarray,
    *,
    by: str | None,
    on: str,
    loss: Loss,
    seed: int,
    sizes: Mapping[str, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Refits:
    """Fit a law under every weighting, with a weak prior from its plausible ranges, so that no refit runs away.

    Args:
        weights: (rows, weightings).
        earlier: (weightings, weightings) whose optima a weighting may try: never one that has seen more runs.
        by: column whose groups are fitted apart.
        on, loss, sizes: as in `fit`.
    """
    request = make_request(
        law, runs, loss=loss, on=on, fix=None, tie=None, bounds=None, by=by, share=(), weights=None, sizes=sizes,
    )  # fmt: skip
    bank, count = _expanded(request, weights), weights.shape[1]
    spec, sets = replace(request.spec, prior=True), np.arange(bank.weight.shape[1])
    bank = replace(bank, pull=_assumed(request, bank))
    points = make_starts(request.layout, _STARTS, seed)
    values = screen(spec, bank, np.tile(points, len(sets)), np.repeat(sets, _STARTS)).reshape(len(sets), _STARTS)
    order = np.argsort(values, axis=1, kind="stable")[:, :_REFINED]
    best, value = _refined(spec, bank, points[:, order], progress)
    groups = len(sets) // count
    lent = _lent(spec, bank, best.reshape(-1, groups, count), earlier)
    more, lower = _refined(spec, bank, lent, progress)
    best = np.where(lower < value, more, best)
    bank = replace(bank, pull=_noise(request, bank, best))
    best, _ = _refined(spec, bank, best[:, :, None], progress)
    return Refits(request, best.reshape(-1, groups, count))


def _expanded(request: Request, weights: np.ndarray) -> Bank:
    """The bank with a set for every group and weighting, groups first."""
    bank, count = request.bank, weights.shape[1]
    height = bank.weight.shape[0]
    rows = [place[request_rows] for place, request_rows in zip(request.places, _usable(request), strict=True)]
    padded = np.zeros((height, len(rows), count))
    for g, place in enumerate(rows):
        padded[: len(place), g] = weights[place]
    sets = np.repeat(np.arange(len(rows)), count)
    inputs = tuple(a[..., sets] if b else a for a, b in zip(bank.inputs, bank.batched, strict=False))
    target = bank.target[..., sets] if bank.batched[-1] else bank.target
    return replace(bank, inputs=inputs, target=target, weight=padded.reshape(height, -1), pull=np.zeros(len(sets)))


def _usable(request: Request) -> list[np.ndarray]:
    return [np.flatnonzero(~table.excluded) for table in request.tables]


def _refined(spec: Spec, bank: Bank, theta: np.ndarray, progress: Callable[[int, int], None] | None) -> tuple[np.ndarray, np.ndarray]:
    """The lowest end (size, sets) of refining theta (size, sets, starts), and its objective."""
    size, sets, starts = theta.shape
    ends: Ends = minimise(spec, bank, theta.reshape(size, -1), np.repeat(np.arange(sets), starts), _SOLVER, progress=progress)
    objective = np.nan_to_num(ends.objective.reshape(sets, starts), nan=np.inf)
    first = np.argmin(objective, axis=1)
    return ends.theta.reshape(theta.shape)[:, np.arange(sets), first], objective[np.arange(sets), first]


def _lent(spec: Spec, bank: Bank, best: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """(size, sets, lent) optima of weightings that saw no more, those best by value; a weighting without any tries its own."""
    size, groups, count = best.shape
    flat = best.reshape(size, -1)
    donors = np.arange(groups)[:, None, None] * count + np.arange(count)  # (groups, 1, weightings)
    donors = np.broadcast_to(donors, (groups, count, count)).reshape(-1, count)
    takers = np.repeat(np.arange(groups * count), count)
    values = screen(spec, bank, flat[:, donors.ravel()], takers).reshape(-1, count)
    values = np.where(np.tile(earlier, (groups, 1)), values, np.inf)
    order = np.argsort(values, axis=1, kind="stable")[:, :_LENT]
    chosen = np.take_along_axis(donors, order, axis=1)
    none = ~np.isfinite(np.take_along_axis(values, order, axis=1))
    return flat[:, np.where(none, np.arange(groups * count)[:, None], chosen)]


def _assumed(request: Request, bank: Bank) -> np.ndarray:
    """(sets,) weight of the prior beside residuals of a hundredth of the outputs."""
    scale = _NOISE if request.on == "log" else _NOISE * float(np.ptp(bank.target))
    r = scale * np.random.default_rng(0).standard_normal((1, 256))
    weight = np.ones_like(r)
    of = (request.loss, request.layout.size, weight, r)
    return np.full(bank.weight.shape[1], (mean_score(*of) / mean_curvature(*of)).item())


def _noise(request: Request, bank: Bank, theta: np.ndarray) -> np.ndarray:
    """(sets,) weight of the prior beside the residuals that are left."""
    plain = replace(request.spec, prior=False)
    r = np.asarray(residuals(plain, bank.batched, theta, bank.gather(np.arange(theta.shape[1])))).T
    weight = np.where(np.isfinite(r), bank.weight.T, 0.0)
    of = (request.loss, request.layout.size, weight, np.where(weight > 0, r, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        pull = mean_score(*of) / mean_curvature(*of)
    assumed = _assumed(request, bank)
    return np.where(np.isfinite(pull), np.clip(pull, 1e-4 * assumed, 1e2 * assumed), assumed)
