"""Fits of chains, and of single laws whose outcomes are counted or bounded: all stages at once, weighed by their own noise."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...core.errors import DataError, FitError
from ...core.laws.chain import Chain, chain
from ...core.laws.law import Law
from ..finish import finish
from ..fit import check
from ..objective.counts import overdispersion
from ..objective.groups import columns_of, grouping, split_fixed
from ..objective.problem import residuals_at
from ..request import Request
from ..solvers.gradient import Solver, as_solver
from ..solvers.search import Found, minimise, search
from ..solvers.starts import Starts, make_starts
from .measure import Measure, common, measures, per_stage
from .result import ChainFit
from .rows import stage_curvatures
from .stacking import INDEX, TRIALS, UNIT, Stacked, observed, stack

ALONE = "output of the stage"  # what a stage is called when it is fitted by itself
_ROUNDS = 200  # of noise and parameters in turn
_SETTLED = 1e-10  # relative change of every noise at which they are done
_VANISHED = 1e-3  # share of the noise of a stage alone, below which that of the joint fit runs to zero
_JITTER = 0.3  # of the starts around the fit stage by stage, on the unconstrained scale
_EDGE = 15.0  # unconstrained value of a parameter at the edge of its support, from which it can come back
_STARTS = 64
_MAD = 0.6744897501960817  # median of |z|, z standard normal


@dataclass(frozen=True)
class ChainRequest:
    """What `fit` was given for a chain, checked."""

    joined: Chain
    single: Law | None  # the law, where it is one alone
    output: str  # what is predicted if nothing else is said
    each: Mapping[str, Measure]
    noise: Mapping[str, float]  # those that are known
    fix: Mapping[str, Any]
    tie: Mapping[str, str]
    bounds: Mapping[str, tuple[float, float]]
    by: str | Mapping[str, str] | None
    share: tuple[str, ...]
    weights: Any
    sizes: Mapping[str, int]
    anchors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # values fixed in some groups
    below: float | None = None  # predict how far the output stays below this


def chain_request(
    law: Law, *, loss: Any, on: Any, floor: Any, ceiling: Any, noise: Any, fix: Any, tie: Any, bounds: Any, by: Any, share: Any,
    weights: Any, sizes: Any,
) -> ChainRequest:  # fmt: skip
    """The arguments of `fit`, checked; a single law is a chain of one stage."""
    joined = law if isinstance(law, Chain) else chain(**{law.output: law})
    by, share = grouping(joined, by, share)
    fix, tie, bounds = dict(fix or {}), dict(tie or {}), dict(bounds or {})
    for where, names in (("fix", fix), ("tie", {**tie, **dict.fromkeys(tie.values())}), ("bounds", bounds), ("share", share)):
        for name in names:
            joined.check_parameter(where, name)
    fix, anchors = split_fixed(fix, by, tie)
    if share and by is None:
        raise FitError("share names parameters that groups have in common; say which column names the groups with by=...")
    each = measures(joined.outputs, loss, on, floor, ceiling)
    known = {name: value for name, value in per_stage("noise", noise, joined.outputs, None).items() if value is not None}
    for name, value in known.items():
        if not (np.isfinite(value) and (value > 0 or (each[name].counts and value == 0))):
            raise FitError(f"noise={{{name!r}: {value!r}}} must be a positive number, a standard deviation of residuals.")
    for name, measure in each.items():
        if measure.counts and not measure.overdispersed:
            known[name] = 0.0  # deviances have a size of their own
    if len(joined.outputs) == 1 and not each[joined.output].counts:
        known.setdefault(joined.output, 1.0)  # there is no other stage to weigh it against
    return ChainRequest(
        joined=joined, single=None if isinstance(law, Chain) else law, output=joined.output, each=each, noise=known, fix=fix, tie=tie,
        bounds=bounds, by=by, share=share, weights=weights, sizes=dict(sizes or {}), anchors=anchors,
    )  # fmt: skip


def fit_chain(asked: ChainRequest, table: Any, *, starts: Any, solver: Any, seed: int, unidentified: str, progress: Any) -> ChainFit:
    """All stages at once: see `fit`."""
    begun, solver = time.perf_counter(), as_solver(solver or "lm")
    stacked = stack(asked.joined, table, asked.each, columns_of(asked.by), asked.weights)
    problem = Joint(asked, stacked)
    points = starts
    if len(asked.joined.stages) == 1:
        noise = {name: asked.noise.get(name, 1.0) for name in asked.joined.outputs}
    else:
        start, noise = stage_by_stage(problem, seed, progress)
        points = _around(problem.request(noise), start, seed) if starts is None else starts
    check(problem.request(noise), unidentified)
    if problem.learned:
        found, noise = _alternating(problem, noise, points, solver, seed, progress)
    else:
        found = search(problem.request(noise), points, solver, seed, progress)
    request = problem.request(noise)
    fitted = finish(request, found, solver, None, seed, time.perf_counter() - begun)
    return ChainFit.made(fitted, asked, stacked, noise, stage_curvatures(problem, request, fitted))


@dataclass(frozen=True)
class Joint:
    """A chain with its stacked table."""

    asked: ChainRequest
    stacked: Stacked

    @property
    def learned(self) -> tuple[str, ...]:
        """Stages whose noise is estimated."""
        return tuple(name for name in self.asked.joined.outputs if name not in self.asked.noise)

    def request(self, noise: Mapping[str, float]) -> Request:
        """The regression, with this noise of the stages."""
        a = self.asked
        loss, factors = common(a.each, noise)
        return Request(
            law=self.stacked.law, runs=self.stacked.runs(noise, factors), loss=loss, on="linear", fix=a.fix, tie=a.tie, bounds=a.bounds,
            by=a.by, share=a.share, weights=self.stacked.weights(factors), sizes=a.sizes, anchors=a.anchors,
        )  # fmt: skip

    def residuals(self, request: Request, theta: np.ndarray) -> np.ndarray:
        """(rows,) residuals in units of the noise that the request has, in the order of the stacked table."""
        batch, places = request.batch, request.places
        r = np.asarray(residuals_at(request.spec, batch.batched, theta, batch.gather(np.arange(theta.shape[1]))))
        out = np.empty(len(self.stacked.stage))
        for s, place in enumerate(places):
            out[place] = r[: len(place), s]
        return out

    def noise(self, before: Mapping[str, float], theta: np.ndarray) -> dict[str, float]:
        """Noise of every stage at theta: the root mean square of its residuals (that of maximum likelihood), of robust losses from their
        median; of overdispersed counts see `beta_binomial`."""
        request = self.request(before)
        raw = self.residuals(request, theta) / request.runs[UNIT]
        out = dict(before)
        for name in self.learned:
            out[name] = self._noise(name, raw, request, theta)
        return out

    def _noise(self, name: str, raw: np.ndarray, request: Request, theta: np.ndarray) -> float:
        here = self.stacked.stage == self.asked.joined.outputs.index(name)
        here &= self.stacked.weight > 0
        weight, measure = self.stacked.weight[here], self.asked.each[name]
        if measure.counts:
            y, n = self.stacked.value[here], self.stacked.columns[TRIALS][here]
            p = fitted_values(self, request, theta, name)[here]
            called = {called for _, called in self.asked.joined.stage(name).parameters}
            own = theta.shape[1] * sum(slot.stop - slot.start for slot in request.layout.slots if slot.name in called)
            return overdispersion(y, n, p, weight, max(here.sum() - own, 1))
        unit = np.sqrt(weight) * raw[here]
        if type(measure.loss).__name__ == "Squared":
            return float(np.sqrt(np.mean(unit**2)))
        return float(np.median(np.abs(unit)) / _MAD)


def fitted_values(problem: Joint, request: Request, theta: np.ndarray, output: str) -> np.ndarray:
    """(rows,) a stage's output at every row of the stacked table."""
    view = replace(request, law=problem.asked.joined.of(output))
    out = np.empty(len(problem.stacked.stage))
    for place, values in zip(request.places, view.predict_rows(theta), strict=True):
        out[place] = values
    return out


def stage_by_stage(problem: Joint, seed: int, progress: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """Parameters of every stage from its own rows, given what the stages before predict there, and the noise that is left."""
    params: dict[str, Any] = {}
    noise = {name: problem.asked.noise.get(name, 1.0) for name in problem.asked.joined.outputs}
    for name in problem.asked.joined.outputs:
        alone = stage_alone(problem, name, params)
        request = alone.request({ALONE: noise[name]})
        found = search(request, None, as_solver("lm"), seed, progress)
        if not np.isfinite(found.objective[0, 0]):
            raise FitError(f"The law of {name!r} is finite at no start; bound its parameters, or pass starts=...")
        params |= in_chain(problem, name, request.params(found.best))
        if name in problem.learned:
            noise[name] = alone.noise({ALONE: noise[name]}, found.best)[ALONE]
        if noise[name] <= 0 and not problem.asked.each[name].counts:
            raise FitError(
                f"The stage {name!r} fits its {int((alone.stacked.weight > 0).sum())} rows exactly, so nothing tells its noise from them; "
                f"pass noise={{{name!r}: ...}}, the standard deviation of its residuals, or fix parameters."
            )
    return params, noise


def in_chain(problem: Joint, name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a stage alone by their names in the chain."""
    return {called: params[own] for own, called in problem.asked.joined.stage(name).parameters}


def stage_alone(problem: Joint, name: str, params: Mapping[str, Any], inputs: str = "predicted") -> Joint:
    """One stage as a chain of its own, called `ALONE` so that stages of one law share compiled programs; its inputs and parameters have the
    law's own names, and those from other stages are columns: predicted at `params`, or observed."""
    a, stacked, stage = problem.asked, problem.stacked, problem.asked.joined.stage(name)
    here = stacked.stage == a.joined.outputs.index(name)
    rows = int(here.sum())
    columns = {key: value[here] for key, value in stacked.columns.items()}
    given = {n: columns[n] for n in stage.inputs if n not in stage.takes}
    for other in stage.takes:
        given[other] = columns[observed(other)] if inputs == "observed" else _predicted(a, other, columns, params)
    columns |= {own: given[called] for own, called in zip(stage.law.inputs, stage.inputs, strict=True)} | {
        INDEX: np.zeros(rows),
        ALONE: stacked.value[here],
    }
    alone, each = chain(**{ALONE: stage.law}), {ALONE: a.each[name]}
    taken = (stacked.row[here], stacked.value[here], stacked.target[here], stacked.weight[here])
    own = Stacked(alone, each, False, columns, np.zeros(rows, int), *taken, title=f"{stage.law.name} of {name!r}")
    back = {called: own for own, called in stage.parameters}
    fixed = {back[called]: value for called, value in a.fix.items() if called in back}
    tie = {back[x]: back[y] for x, y in a.tie.items() if x in back and y in back}
    bounds = {back[called]: pair for called, pair in a.bounds.items() if called in back}
    known = {ALONE: a.noise[name]} if name in a.noise else {}
    return Joint(
        ChainRequest(
            joined=alone,
            single=None,
            output=ALONE,
            each=each,
            noise=known,
            fix=fixed,
            tie=tie,
            bounds=bounds,
            by=None,
            share=(),
            weights=None,
            sizes=a.sizes,
        ),
        own,
    )


def _predicted(asked: ChainRequest, output: str, columns: Mapping[str, np.ndarray], params: Mapping[str, Any]) -> np.ndarray:
    """A stage's output at rows, at parameters of the stages that lead to it."""
    known: dict[str, Any] = {name: columns[name] for name in asked.joined.needs(output)}
    for stage in asked.joined.leading_to(output):
        own = {name: params[called] for name, called in stage.parameters}
        law = stage.law
        values = [known[name] for name in stage.inputs]
        known[stage.name] = np.asarray(law(*values, **own))
    out = known[output]
    if not np.isfinite(out).all():
        raise DataError(f"The stage {output!r} alone predicts no finite value in every row that the next one needs; bound its parameters.")
    return out


def _around(request: Request, start: Mapping[str, Any], seed: int) -> np.ndarray:
    """(size, starts) the fit stage by stage and points around it."""
    layout = request.layout
    whole = layout.inverse({s.name: np.broadcast_to(start[s.name], _shape(s)) for s in layout.slots})
    whole = np.nan_to_num(whole, posinf=_EDGE, neginf=-_EDGE)  # a stage alone may end at the edge of a parameter's support
    rng = np.random.default_rng(seed)
    return whole[:, None] + _JITTER * rng.standard_normal((len(whole), _STARTS)) * (np.arange(_STARTS) > 0)


def _shape(slot: Any) -> tuple[int, ...]:
    return ((slot.groups,) if slot.grouped else ()) + (() if slot.size is None else (slot.size,))


def _alternating(
    problem: Joint, noise: dict[str, float], points: Starts | np.ndarray, solver: Solver, seed: int, progress: Any
) -> tuple[Found, dict[str, float]]:
    """Search, then noise and parameters in turn until neither moves, then search again at that noise."""
    alone = dict(noise)
    found = search(problem.request(noise), points, solver, seed, progress)
    for _ in range(2):
        theta = found.best
        for _ in range(_ROUNDS):
            fresh = problem.noise(noise, theta)
            _refuse_vanished(problem, fresh, alone)
            change = max(abs(np.log(max(fresh[k], 1e-300) / max(noise[k], 1e-300))) for k in problem.learned)
            noise = fresh
            request = problem.request(noise)
            sets = np.arange(theta.shape[1])
            theta = minimise(request.spec, request.batch, theta, sets, solver.warm).theta
            if change < _SETTLED:
                break
        request = problem.request(noise)
        again = search(request, _with(request, theta, points, seed), solver, seed, progress)
        moved = np.abs(again.best - theta).max()
        found = again
        if moved < 1e-4:
            break
    return found, noise


def _with(request: Request, theta: np.ndarray, points: Any, seed: int) -> np.ndarray:
    """The starts, and the parameters of every set beside them."""
    return np.concatenate([theta, make_starts(request.layout, points, seed)], axis=1)


def _refuse_vanished(problem: Joint, noise: Mapping[str, float], alone: Mapping[str, float]) -> None:
    for name in problem.learned:
        if not problem.asked.each[name].counts and noise[name] < _VANISHED * alone[name]:
            raise FitError(
                f"The noise of {name!r} runs to zero in the joint fit: its few rows can be fitted exactly through the stages before it. "
                f"Pass noise={{{name!r}: ...}}, the standard deviation of its residuals, add rows, or fix parameters."
            )
