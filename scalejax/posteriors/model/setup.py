"""From the arguments of `sample` to a model, its evidence and where to start: what all ways to a posterior have in common."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from ...core.errors import DataError, FitError, LawError, suggest
from ...core.laws.chain import Chain
from ...core.laws.law import Law
from ...core.runs import Runs
from ...fitting.finish import finish
from ...fitting.fit import find_law, make_request
from ...fitting.misfit import informed
from ...fitting.objective.data import padded_rows
from ...fitting.objective.groups import grouping
from ...fitting.objective.layout import Layout, Slot, make_layout
from ...fitting.objective.losses import huber
from ...fitting.objective.problem import Spec
from ...fitting.request import Request
from ...fitting.result import Fit
from ...fitting.solvers.gradient import as_solver
from ...fitting.solvers.search import search
from ..likelihoods import Likelihood, as_likelihood
from ..priors import Priors, describe, inside, replaced
from ..units import units_of
from .coordinates import unconstrained
from .density import UNIT, Evidence, Model, default_priors, evidence_of
from .level import sentence

# Arguments of `sample` that make the model.
OPTIONS = ("likelihood", "priors", "on", "fix", "tie", "bounds", "by", "share", "pool", "covariates", "weights", "misfit", "sizes",
           "level_prior",
           "groups")  # fmt: skip
RELATIVE_ERROR = 0.01  # of ordinary residuals on logs: the median of the prior of their scale


@dataclass(frozen=True)
class Setup:
    """A posterior that is ready to be sampled: what was asked, the NumPyro model, its priors, and its argument."""

    request: Request
    model: Model
    priors: Priors
    evidence: Evidence


def set_up(
    law: Law | str,
    runs: Runs | Any,
    *,
    likelihood: Likelihood | str = "student_t",
    priors: Mapping[str, Any] | None = None,
    on: str = "log",
    fix: Mapping[str, Any] | None = None,
    tie: Mapping[str, str] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    by: str | Mapping[str, str] | None = None,
    share: Sequence[str] | str = (),
    pool: Sequence[str] | str | None = None,
    covariates: Sequence[str] | str = (),
    weights: Any = None,
    misfit: bool | float = False,
    sizes: Mapping[str, int] | None = None,
    level_prior: bool = True,
    groups: str | None = None,
    padded: bool = True,
) -> Setup:
    """Check the arguments of `sample` and build model and evidence; `padded` lets data sets of similar size share a program."""
    if isinstance(find_law(law), Chain):
        raise FitError("Posteriors are of one law, and this is a chain; sample a stage by itself, or bootstrap the fit of the chain.")
    by, share = grouping(find_law(law), by, share)
    likelihood = as_likelihood(likelihood, by if isinstance(by, str) else None)
    on = "linear" if likelihood.counts else on
    request = make_request(law, runs, loss=huber(RELATIVE_ERROR), on=on, fix=fix, tie=tie, bounds=bounds, by=by, share=share,
                           weights=weights, sizes=sizes)  # fmt: skip
    request = informed(request, misfit) if misfit else request
    if (pool or covariates) and by is None:
        raise FitError("pool and covariates speak of groups; say which column names the groups with by=...")
    law, runs = request.law, request.runs
    rows, layout = request.grouping.used, group_layout(request)
    likelihood = likelihood.among(runs, rows)
    if likelihood.pooled and likelihood.by in law.inputs:
        raise DataError(
            f"by={likelihood.by!r} is an input of the law, so that a new value of it would have no noise; name the groups in a column of "
            "their own."
        )
    units, of_unit = units_of(runs, groups, rows, likelihood)
    together = likelihood.scaling is not None and likelihood.by in request.grouping.columns
    axis = request.grouping.columns.index(likelihood.by) if together else None
    model = Model(Spec(law, layout, request.loss, on), likelihood, _pooled(layout, pool), units, axis)
    if clash := sorted(set(model.noise) & set(law.parameters)):
        raise LawError(f"{law.name!r} has a parameter {clash[0]!r}, which is also the name of the likelihood's noise; rename the law's.")
    weight = request.ungrouped.row_weights[0]
    columns = _covariates(request, (covariates,) if isinstance(covariates, str) else tuple(covariates), model)
    size = RELATIVE_ERROR if on == "log" else RELATIVE_ERROR * float(np.median(np.abs(runs[law.output][rows])))
    shapes = {slot.name: (slot.size,) for slot in layout.slots if slot.size is not None}
    shapes |= {f"{name}_slope": (columns.shape[1],) for name in model.pooled}
    used = replaced(default_priors(model, size, columns.shape[1]), priors, shapes)
    _check_supports(model, used, priors or {})
    evidence = evidence_of(
        model, runs, rows, weight, request.codes, request.held, dict(used), columns,
        padded_rows(len(rows), least=64) if padded else len(rows),
        level_prior and not likelihood.counts and _has_defaults(model, priors or {}), of_unit,
    )  # fmt: skip
    return Setup(request, model, replace(used, note=sentence(evidence.level)), evidence)


def _has_defaults(model: Model, given: Mapping[str, Any]) -> bool:
    """Is the prior of any parameter of the law the default one? Those of the user's say all there is to know."""
    names = [f"{slot.name}_typical" if slot.name in model.pooled else slot.name for slot in model.spec.layout.slots]
    return any(name not in given for name in names)


def check_options(verb: str, given: Mapping[str, Any], known: Sequence[str] = OPTIONS) -> None:
    """Refuse options that a verb does not take."""
    for name in given:
        if name not in known:
            raise FitError(f"{verb}() takes no {name}=; {suggest(name, known)}")


def _check_supports(model: Model, priors: Priors, given: Mapping[str, Any]) -> None:
    """Refuse priors of the user's that reach beyond what their parameters can be."""
    for slot in model.spec.layout.slots:
        site = f"{slot.name}_typical" if slot.name in model.pooled else slot.name
        if site in given and not inside(slot.domain, priors[site]):
            raise FitError(
                f"The prior of {site!r}, {describe(priors[site])}, reaches beyond what {slot.name!r} can be ({slot.domain.support}); "
                "truncate it, such as numpyro.distributions.TruncatedNormal(0.0, 1.0, low=0.0)."
            )


def point_fit(request: Request, seed: int) -> Fit:
    """The point fit, groups with too few runs for one of their own included; the posterior has its own diagnostics."""
    solver = as_solver("lm")
    begun = time.perf_counter()
    found = search(request, None, solver, seed, None)
    return finish(request, found, solver, None, seed, time.perf_counter() - begun)


def starts(setup: Setup, fitted: Fit, seed: int) -> list[np.ndarray]:
    """Unconstrained sites (1, size) at the point fit; with pooled parameters also at the fit of all groups together."""
    own = start_at(setup, fitted.params, np.ravel(fitted.residuals))
    if not setup.model.pooled:
        return [own]
    together = point_fit(setup.request.ungrouped, seed)
    along, groups = setup.model.spec.layout.axes, setup.model.spec.layout.groups
    repeated = {n: np.broadcast_to(v, (groups[along[n]], *np.shape(v))) if n in along else v for n, v in together.params.items()}
    return [own, start_at(setup, repeated, np.ravel(together.residuals))]


def start_at(setup: Setup, params: Mapping[str, Any], residuals: np.ndarray) -> np.ndarray:
    """Unconstrained sites (1, size) at a fit's parameters, kept within reach: a fit may have run off to the edge of the support."""
    likelihood = setup.model.likelihood
    values: dict[str, Any] = dict(likelihood.start(residuals))
    for name in likelihood.pooled:
        typical = values.pop(name)
        values |= {f"{name}_typical": typical, f"{name}_spread": 0.5, f"{name}_group": np.full(len(likelihood.groups), np.log(typical))}
    if setup.model.units:
        values |= {
            f"{UNIT}_spread": likelihood.start(residuals).get("sigma", RELATIVE_ERROR),
            f"{UNIT}_group": np.zeros(len(setup.model.units)),
        }
    for slot in setup.model.spec.layout.slots:
        low, high = (np.min(slot.domain.sample(np.zeros(slot.free))) - 3, np.max(slot.domain.sample(np.ones(slot.free))) + 3)
        inverse = slot.domain.inverse if slot.size is None or not slot.grouped else jax.vmap(slot.domain.inverse)
        u = np.clip(np.nan_to_num(np.asarray(inverse(_of_copies(slot, params[slot.name])))), low, high)
        if slot.name in setup.model.pooled:
            values[f"{slot.name}_typical"] = np.asarray(slot.domain.forward(np.mean(u)))
            values[f"{slot.name}_spread"] = max(float(np.std(u)), 0.05)
            values[f"{slot.name}_slope"] = np.zeros(setup.evidence.covariates.shape[1])
            values[f"{slot.name}_group"] = u
        elif f"{slot.name}_free" in setup.priors:
            values[f"{slot.name}_free"] = u
        else:
            forward = slot.domain.forward if slot.size is None or not slot.grouped else jax.vmap(slot.domain.forward)
            values[slot.name] = np.asarray(forward(u))
    return unconstrained(setup.model, setup.evidence, {name: np.asarray(value)[None] for name, value in values.items()})


def _of_copies(slot: Slot, value: Any) -> np.ndarray:
    """A parameter's value, in the groups that are not anchored if it differs between groups."""
    value = np.asarray(value, dtype=np.float64)
    return value[slot.members] if slot.grouped else value


def group_layout(request: Request) -> Layout:
    """The request's layout, with a group axis also where the point fit treats groups apart."""
    if not request.apart:
        return request.layout
    known = {slot.domain.axis: slot.size for slot in request.layout.slots if slot.domain.axis and slot.size is not None}
    return make_layout(request.law, fix=request.fix, tie=request.tie, bounds=request.bounds, sizes={**known, **request.sizes},
                       groups=(len(request.groups),), axes=request.axes)  # fmt: skip


def _pooled(layout: Layout, pool: Sequence[str] | str | None) -> tuple[str, ...]:
    possible = [slot.name for slot in layout.slots if slot.grouped and slot.size is None]
    if pool is None:
        return tuple(possible)
    names = (pool,) if isinstance(pool, str) else tuple(pool)
    for name in names:
        if name not in possible:
            raise LawError(f"pool names {name!r}, which is not a single number that differs between groups; {suggest(name, possible)}")
    return tuple(name for name in possible if name in names)


def _covariates(request: Request, names: tuple[str, ...], model: Model) -> np.ndarray:
    """(groups, covariates) standardised over the groups."""
    if names and request.crossed:
        raise FitError("covariates describe the groups of one column; where columns cross, leave covariates out.")
    raw = group_covariates(request, names)
    if names and not model.pooled:
        raise FitError("covariates move the centers of pooled parameters, and none is pooled; drop covariates or give pool=...")
    for i, name in enumerate(names):
        if np.ptp(raw[:, i]) == 0:
            raise DataError(f"Covariate {name!r} is the same in every group, so it explains no difference between them; drop it.")
    return (raw - raw.mean(0)) / raw.std(0) if names else raw


def group_covariates(request: Request, names: tuple[str, ...]) -> np.ndarray:
    """(groups, covariates) value of every column in every group."""
    rows = request.grouping.used
    index = request.group_of_row[rows]
    out = np.zeros((len(request.groups), len(names)))
    for i, name in enumerate(names):
        if name not in request.runs or request.runs[name].dtype.kind != "f" or request.runs[name].ndim != 1:
            raise DataError(f"covariates names {name!r}, which is not a column of numbers; {suggest(name, request.runs.names)}")
        values = request.runs[name][rows]
        for g, group in enumerate(request.groups):
            if np.ptp(values[index == g]) > 0 or not np.isfinite(values[index == g]).all():
                raise DataError(f"Covariate {name!r} must be one finite number a group; in group {group!r} it varies or is missing.")
            out[g, i] = values[index == g][0]
    return out
