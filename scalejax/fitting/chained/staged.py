"""Chains stage by stage, as papers fit them: every law to its own rows, given the laws before it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from ...core.errors import ConvergenceWarning, FitError, suggest, warn
from ..finish import finish
from ..fit import check
from ..objective.data import Batch
from ..request import Request
from ..result import Fit
from ..runaways import at_edge, refit
from ..solvers.gradient import as_solver
from ..solvers.search import StartTable, search
from ..status import Status, code
from ..uncertainty.covariance import Curvature
from ..uncertainty.draws import Draws
from ..uncertainty.resampling import FEWEST
from ..uncertainty.second_order import derivatives
from ..uncertainty.units import Units, resampled_units, unit_names
from .joint import ALONE, ChainRequest, Joint, in_chain, stage_alone
from .result import ChainFit
from .stacking import stack

INPUTS = ("observed", "predicted")


def fit_staged(
    asked: ChainRequest, table: Any, *, inputs: str, starts: Any, solver: Any, seed: int, unidentified: str, progress: Any
) -> ChainFit:  # fmt: skip
    """Every stage by itself; the result predicts through all of them. See `fit`."""
    if inputs not in INPUTS:
        raise FitError(f"inputs={inputs!r} is unknown; {suggest(str(inputs), INPUTS)}")
    if asked.by is not None:
        raise FitError("A chain is fitted stage by stage to one group at a time; fit runs.where(...) of each group, or leave out staged=.")
    if starts is not None and not isinstance(starts, int):
        raise FitError("With staged=True starts= is how many there are of each stage; give a number.")
    for a, b in asked.tie.items():
        if not any({a, b} <= {called for _, called in stage.parameters} for stage in asked.joined.stages):
            raise FitError(f"tie={{{a!r}: {b!r}}} joins parameters of two stages, which are fitted apart; leave out staged=.")
    begun, observing = time.perf_counter(), inputs == "observed"
    problem = Joint(asked, stack(asked.joined, table, asked.each, (), asked.weights, observing))
    params: dict[str, Any] = {}
    noise = {name: asked.noise.get(name, 1.0) for name in asked.joined.outputs}
    fits: list[Fit] = []
    for name in asked.joined.outputs:
        alone = stage_alone(problem, name, params, inputs)
        request = alone.request({ALONE: noise[name]})
        check(request, unidentified)
        found = search(request, starts, as_solver(solver or "lm"), seed, progress)
        if name in problem.learned:
            noise[name] = alone.noise({ALONE: noise[name]}, found.best)[ALONE]
            if noise[name] <= 0 and not asked.each[name].counts:
                raise FitError(f"The stage {name!r} fits its rows exactly, so nothing tells its noise; pass noise={{{name!r}: ...}}.")
        fitted = finish(request, found, as_solver(solver or "lm"), None, seed, 0.0)
        fits.append(fitted)
        params |= in_chain(problem, name, fitted.params)
    request = problem.request(noise)
    theta = request.layout.inverse({slot.name: np.asarray(params[slot.name]) for slot in request.layout.slots})[:, None]
    # What a parameter ran off to is finite on the unconstrained scale of its own stage only.
    theta = np.where(np.isfinite(theta), theta, _theta_of(problem, request, fits))
    whole = _joined(request, fits, theta, time.perf_counter() - begun, seed)
    return ChainFit.made(whole, asked, problem.stacked, noise, (curvature(problem, request, theta, fits),), inputs)


def _theta_of(problem: Joint, request: Request, fits: list[Fit]) -> np.ndarray:
    """Theta of the chain from those of the stages, (size, 1)."""
    out = np.zeros((request.layout.size, 1))
    places = {slot.name: slot for slot in request.layout.slots}
    for stage, fitted in zip(problem.asked.joined.stages, fits, strict=True):
        called = dict(stage.parameters)
        for slot in fitted.request.layout.slots:
            here = places[called[slot.name]]
            out[here.start : here.stop] = fitted.theta[slot.start : slot.stop]
    return out


def _joined(request: Request, fits: list[Fit], theta: np.ndarray, seconds: float, seed: int) -> Fit:
    """The stages' fits as one: the worst status, the sum of the objectives, the starts of the stage where fewest agree."""
    worst = min(fits, key=lambda f: f.starts.agreeing / max(f.starts.refined, 1)).starts
    batch = request.batch
    r = np.asarray(derivatives(request.spec, batch.batched, theta, batch.gather(np.arange(1)))[0])
    objective = float(np.sum(batch.weight * np.asarray(request.loss.rho(r))))
    starts = StartTable(
        worst.objective, worst.status, worst.iterations, np.repeat(theta[..., None], worst.status.shape[1], 2), worst.screened
    )
    status = max((f.status for f in fits), key=list(Status).index)
    return replace(
        fits[-1], objective=objective, statuses=(status,), theta=theta, starts=starts, request=request,
        curvature=(), seconds=seconds, seed=seed,
    )  # fmt: skip


def curvature(problem: Joint, request: Request, theta: np.ndarray, fits: list[Fit]) -> Curvature:
    r"""Covariance of parameters that were estimated one stage after the other.

    The scores of stage k are those of its own rows along its own parameters, so that their derivatives A along all parameters are lower
    block-triangular, and theta has the covariance A^-1 S A^-T, S = sum s s' / (1 - h): Murphy and Topel's two-step estimator, with HC2's
    correction for what each stage took from its residuals (h).

    References: Murphy and Topel 1985, J. Business & Economic Statistics 3, 370.
    """
    batch, layout = request.batch, request.layout
    r, jac, _ = derivatives(request.spec, batch.batched, theta, batch.gather(np.arange(1)))
    n = len(problem.stacked.stage)
    jac, weight, r = jac[:, :n, 0].T, batch.weight[:n, 0], r[:n, 0]
    A, S = np.zeros((2, layout.size, layout.size))
    edge = np.zeros(layout.size, bool)
    flat: list[str] = []
    freedom = np.zeros(layout.size)
    model = np.zeros_like(S)
    bend = np.asarray(request.loss.majorizer(r))
    for k, (stage, fitted) in enumerate(zip(problem.asked.joined.stages, fits, strict=True)):
        called, here = dict(stage.parameters), problem.stacked.stage == k
        places = {slot.name: slot for slot in layout.slots}
        own = np.concatenate([np.arange(places[called[s.name]].start, places[called[s.name]].stop) for s in fitted.request.layout.slots])
        shape = fitted.curvature[0]
        labels = fitted.request.layout.labels
        edge[own] = [label in shape.boundary for label in labels]
        flat += [layout.labels[own[i]] for i, label in enumerate(labels) if label in shape.flat]
        freedom[own] = shape.freedom
        J, w = jac[here], weight[here]
        inner = J[:, own].T @ (J[:, own] * (w * bend[here])[:, None])
        # The curvature of the stage along its own parameters is what its own fit found, with all that robust losses need.
        with np.errstate(invalid="ignore"):
            finite = np.where(np.isfinite(shape.covariance), shape.covariance, 0.0)
        A[np.ix_(own, np.arange(layout.size))] = J[:, own].T @ (J * (w * bend[here])[:, None])
        S[np.ix_(own, own)] = inner @ finite @ inner
        model[np.ix_(own, own)] = inner @ np.where(np.isfinite(shape.model_covariance), shape.model_covariance, 0.0) @ inner
    free = np.flatnonzero(~edge)
    inverse = np.linalg.pinv(A[np.ix_(free, free)])
    covariance, textbook = np.full((2, layout.size, layout.size), np.nan)
    covariance[np.ix_(free, free)] = inverse @ S[np.ix_(free, free)] @ inverse.T
    textbook[np.ix_(free, free)] = inverse @ model[np.ix_(free, free)] @ inverse.T
    endless = [layout.labels.index(label) for label in flat]
    for matrix in (covariance, textbook):
        matrix[endless] = np.inf
        matrix[:, endless] = np.inf
    worst = max(f.curvature[0].condition for f in fits)
    boundary = tuple(np.asarray(layout.labels)[edge])
    return Curvature(
        covariance=covariance, model_covariance=textbook, freedom=freedom, condition=worst, boundary=boundary, flat=tuple(flat),
    )  # fmt: skip


def bootstrap_staged(fit: ChainFit, replicates: int, columns: tuple[str, ...], seed: int, solver: Any, progress: Any) -> Draws:
    """Every replicate resamples runs, and refits one stage after the other: what the first ones err goes through the later ones."""
    request, stacked, asked = fit.request, fit.stacked, fit.asked
    problem, units = Joint(asked, stacked), Units("groups", seed, columns)
    names = unit_names(request.runs, np.arange(len(stacked.stage)), columns)
    if len(set(names)) < FEWEST:
        raise FitError(
            f"Resampling the groups of {' and '.join(columns)!r} needs at least {FEWEST} of them, and there are {len(set(names))}; use "
            "fit.interval() or sj.laplace(fit)."
        )
    apart, drawn = fit.strata(np.arange(len(names)), units), np.zeros((len(names), replicates))
    strata = np.zeros(len(names), int) if apart is None else apart
    for stratum in np.unique(strata):
        drawn[strata == stratum] = resampled_units(names[strata == stratum], replicates, seed, columns)
    theta = np.repeat(fit.theta[:, :, None], replicates, axis=2)
    places, failed, edges = {slot.name: slot for slot in request.layout.slots}, 0, at_edge(request, fit.curvature)
    for k, stage in enumerate(asked.joined.stages):
        alone = stage_alone(problem, stage.name, fit.params, fit.staged or "predicted")
        own, called = alone.request({ALONE: fit.noise[stage.name]}), dict(stage.parameters)
        batch, here = own.batch, stacked.stage == k
        if fit.staged == "predicted" and stage.takes:
            batch = _predicted_anew(problem, stage.name, own, batch, request.params(theta))
        at = np.concatenate([np.arange(places[called[s.name]].start, places[called[s.name]].stop) for s in own.layout.slots])
        weight = np.zeros((batch.rows, replicates))
        weight[: here.sum()] = drawn[here] * own.batch.weight[: here.sum(), :1]
        sets = np.arange(replicates) if batch.weight.shape[1] > 1 else np.zeros(replicates, int)
        of = np.zeros(replicates, int)
        ends, _ = refit(own, fit.theta[at], of, batch, sets, as_solver(solver).warm, weight, progress, edges[at])
        failed += int((ends.status != code(Status.CONVERGED)).sum())
        for slot in own.layout.slots:
            to = places[called[slot.name]]
            theta[to.start : to.stop, 0] = ends.theta[slot.start : slot.stop]
    if failed > 0.02 * replicates * len(asked.joined.stages):
        warn(
            f"{failed} of {replicates * len(asked.joined.stages)} refits of stages did not converge: the intervals are not to be trusted; "
            "fix a parameter that the runs barely determine.",
            ConvergenceWarning,
        )
    return Draws(fit, theta, f"bootstrap (stage by stage, groups by {' and '.join(columns)}, seed {seed})", failed, units)


def _predicted_anew(problem: Joint, name: str, own: Request, batch: Batch, params: Mapping[str, np.ndarray]) -> Batch:
    """The bank of a stage whose inputs every replicate predicts from its own stages before."""
    joined, count = problem.asked.joined, len(next(iter(params.values())))
    arrays, batched = list(batch.inputs), list(batch.batched)
    stage, here, rows = joined.stage(name), problem.stacked.stage == joined.outputs.index(name), len(batch.group)
    given = {n: problem.stacked.columns[n][here] for n in joined.needs(name)}
    given = {n: np.concatenate([c, np.repeat(c[:1], rows - len(c), axis=0)]) for n, c in given.items()}  # padded as the bank is
    for own_name, called in zip(stage.law.inputs, stage.inputs, strict=True):
        if called in stage.takes:
            law, i = joined.of(called), own.law.inputs.index(own_name)
            values = jax.vmap(lambda p, law=law: law.function(*(given[n] for n in law.inputs), **p))({k: params[k] for k in law.parameters})
            arrays[i], batched[i] = np.asarray(values).T, True
    penalty_weight = np.repeat(batch.penalty_weight, count)
    return replace(
        batch, inputs=tuple(arrays), batched=tuple(batched), weight=np.repeat(batch.weight, count, axis=1), penalty_weight=penalty_weight
    )
