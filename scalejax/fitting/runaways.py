"""Optima that are not to be believed: which parameters ran away, which optima nobody else found, and refits that a weak prior holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.laws.domains import Positive, Real
from .objective.data import Batch
from .objective.layout import Layout
from .objective.penalty import ranges
from .objective.problem import Spec, residuals_at
from .request import Request
from .solvers.closed_form import is_linear
from .solvers.gradient import Solver
from .solvers.lm import LM
from .solvers.search import AGREE, ENOUGH, minimise, rounding_level
from .status import Ends, Status, code
from .uncertainty.covariance import Curvature
from .uncertainty.sums import mean_curvature, mean_score

_FAR = 1.0  # widths of its plausible range that a parameter may lie outside it,
_TRIED = 12  # refined starts from which it says something that few of them agree,
_SHARE = 0.05  # fewer than this share
_FARTHER = 3.0  # and so many units (e-folds of a positive parameter) at least
_NATS = 10.0  # no loss in nats per token is higher
_INSIDE = (0.15, 0.5, 0.85)  # of the plausible range: where a parameter at the edge of its support begins once more
_FAR_START = LM(tolerance=LM().warm.tolerance)  # for replicates that do not begin near their optimum
_SMALLEST = 1e-30  # weight of a prior where the runs have no noise at all


def beyond(layout: Layout, theta: np.ndarray, unit: float = 1.0) -> np.ndarray:
    """Which entries of theta (size, members) have left their plausible range by orders of magnitude.

    Published sets lie within 0.64 widths of the middle, 0.14 beyond an end. Positive parameters count upwards only: a term that falls to 0
    is at the edge of its support, which may well be the truth. Shares, bounded and ordered parameters have no far away. `unit` is how many
    times larger the outputs are than losses in nats: amplitudes may be so much larger, too.
    """
    known = ranges(layout)
    low, high = np.full((2, layout.size), [[-np.inf], [np.inf]])
    reach = np.maximum(_FAR * known.width, _FARTHER)
    for slot in layout.slots:
        here = slice(slot.start, slot.stop)
        if isinstance(slot.domain, Positive | Real):
            high[here] = (known.high + reach)[here] + (np.log(unit) if isinstance(slot.domain, Positive) else 0.0)
        if isinstance(slot.domain, Real):
            low[here] = (known.low - reach)[here]
    return ~((theta >= low[:, None]) & (theta <= high[:, None]))


def doubts(request: Request, objective: np.ndarray, theta: np.ndarray, shape: Curvature) -> tuple[str, ...]:
    """What speaks against the optimum theta of a set, in words, from the objectives of its refined starts; nothing where all is well.

    Of 38 laws with 0.5 % noise, fits to 64 runs at their published constants ended where more than half of the refined starts did, and
    within the plausible ranges. Those that ended in another, better optimum that fits the noise had 1 in 30 at most, or a parameter many
    widths outside.
    """
    if is_linear(request.spec, request.batch):  # there is only one optimum
        return ()
    objective = objective[np.isfinite(objective)]
    same = np.sum(objective <= max(np.min(objective, initial=np.inf) * (1 + AGREE), rounding_level(request.spec, request.batch)))
    out = []
    if len(objective) >= _TRIED and same < max(ENOUGH, _SHARE * len(objective)):
        out.append(f"only {same} of {len(objective)} refined starts found this optimum")
    level = float(np.median(np.abs(request.runs[request.law.output][~request.runs.excluded])))
    far = beyond(request.layout, theta[:, None], max(level / _NATS, 1.0))[:, 0]
    names = [n for n, b in zip(request.layout.labels, far, strict=True) if b and n not in (*shape.boundary, *shape.flat)]
    if names:
        out.append(f"{', '.join(names)} left the plausible range by orders of magnitude")
    return tuple(out)


def with_prior(request: Request, theta: np.ndarray) -> Request:
    """The request with a weak prior, beside the noise that is left at theta (size, sets) of a plain fit."""
    return replace(request, penalty_weight=penalty_weights(request.spec, request.batch, theta))


def penalty_weights(spec: Spec, batch: Batch, theta: np.ndarray) -> np.ndarray:
    """(sets,) weights of that prior."""
    r = np.asarray(residuals_at(replace(spec, prior=False), batch.batched, theta, batch.gather(np.arange(theta.shape[1])))).T
    weight = np.where(np.isfinite(r), batch.weight.T, 0.0)
    of = (spec.loss, spec.layout.size, weight, np.where(weight > 0, r, 0.0))
    return np.maximum(mean_score(*of) / mean_curvature(*of), _SMALLEST)


def refit(
    request: Request,
    theta: np.ndarray,
    of: np.ndarray,
    batch: Batch,
    sets: np.ndarray,
    solver: Solver,
    weight: np.ndarray,
    progress: Callable[[int, int], None] | None = None,
    edge: np.ndarray | None = None,
) -> tuple[Ends, int]:
    """Refits to resampled runs from the optimum of a fit; those that run away are made anew with a weak prior, and counted.

    A refit has run away if it did not converge, or if a parameter left its plausible range by orders of magnitude and did not in the fit.
    A parameter at the edge of its support has no slope there that could lead back, so such refits begin inside, too.

    Args:
        request: of the fit. theta: (size, sets) its optimum. of: (members,) the set of the fit that each refit starts from.
        batch: the runs. sets: (members,) which data set of the bank each refit is made to. weight: (rows, members).
        solver, progress: as in `minimise`.
        edge: (size, sets) which entries of theta are at the edge, see `at_edge`.
    """
    start = theta[:, of]
    ends = minimise(request.spec, batch, start, sets, solver, weight=weight, progress=progress)
    if edge is not None and edge.any():
        _from_inside(request, ends, start, edge[:, of], batch, sets, weight, progress)
    if request.spec.prior or not isinstance(solver, LM):
        return ends, 0
    away = (beyond(request.layout, ends.theta) & ~beyond(request.layout, start)).any(axis=0)
    lost = np.flatnonzero((ends.status != code(Status.CONVERGED)) | away)
    if not len(lost):
        return ends, 0
    penalty_weight = np.zeros(len(batch.penalty_weight))
    penalty_weight[sets] = penalty_weights(request.spec, request.batch, theta)[of]
    spec, held = replace(request.spec, prior=True), replace(batch, penalty_weight=penalty_weight)
    again = minimise(spec, held, start[:, lost], sets[lost], LM().warm, weight=weight[:, lost], progress=progress)
    for whole, part in zip(ends, again, strict=True):
        whole[..., lost] = part
    return ends, len(lost)


def at_edge(request: Request, curvature: Sequence[Curvature]) -> np.ndarray:
    """(size, sets) which entries of theta lie at the edge of their support."""
    return np.asarray([[label in shape.boundary for shape in curvature] for label in request.layout.labels])


def _from_inside(
    request: Request, ends: Ends, start: np.ndarray, edge: np.ndarray, batch: Batch, sets: np.ndarray, weight: np.ndarray, progress: Any
) -> None:
    """Put lower optima into `ends` that are found when entries at the edge, (size, members), begin within their plausible ranges."""
    known, members = ranges(request.layout), np.flatnonzero(edge.any(axis=0))
    for share in _INSIDE:
        begin = np.where(edge, (known.low + share * known.width)[:, None], start)[:, members]
        again = minimise(request.spec, batch, begin, sets[members], _FAR_START, weight=weight[:, members], progress=progress)
        lower = (again.objective < ends.objective[members]) & (again.status == code(Status.CONVERGED))
        for whole, part in zip(ends, again, strict=True):
            whole[..., members[lower]] = part[..., lower]


def noted(kind: str, held: int, refits: int) -> str:
    """How draws were made, with the refits that a weak prior held."""
    return f"{kind}; {held} of {refits} refits held by a weak prior" if held else kind
