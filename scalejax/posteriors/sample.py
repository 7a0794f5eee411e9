"""`sample`: a law, runs and priors in, posterior draws out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import jax
import numpy as np

from ..core.errors import ConvergenceWarning, FitError, LawError, suggest
from ..core.law import Law
from ..core.precision import double
from ..core.progress import Progress, reporter
from ..core.runs import Runs
from ..fitting.data import padded_rows, usable_rows
from ..fitting.fit import make_request
from ..fitting.layout import Layout, make_layout
from ..fitting.losses import huber
from ..fitting.problem import Spec
from ..fitting.request import Request
from ..fitting.result import Fit, finish
from ..fitting.search import search
from ..fitting.solvers import as_solver
from .diagnostics import Chains
from .likelihoods import Likelihood, as_likelihood
from .model import Evidence, Model, default_priors, evidence_of
from .nuts import Place, Settings, locate, nuts, prototype, sites
from .posterior import Posterior
from .priors import replaced

RELATIVE_ERROR = 0.01  # of ordinary residuals on logs: the median of the prior of their scale


@double
def sample(
    law: Law | str,
    runs: Runs | Any,
    *,
    likelihood: Likelihood | str = "student_t",
    priors: Mapping[str, Any] | None = None,
    on: Literal["log", "linear"] = "log",
    fix: Mapping[str, Any] | None = None,
    tie: Mapping[str, str] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    by: str | None = None,
    share: Sequence[str] | str = (),
    pool: Sequence[str] | str | None = None,
    weights: Any = None,
    sizes: Mapping[str, int] | None = None,
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 300,
    accept: float = 0.8,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Posterior:
    r"""Posterior draws of a law's parameters by the No-U-Turn sampler: p(theta, noise | runs) is proportional to

        prior(theta) prior(noise) prod_i p(log y_i | log f(x_i; theta), noise)^w_i

    Sampling starts at the mode, found from the batched point fit, in coordinates that the second and third derivatives there make round
    and straight (`nuts`). All chains run in one compiled program, which other data sets of similar size use again.

    Args:
        law: a law or its name. runs: as in `fit`.
        likelihood: "student_t" (default), "normal", "huber", "binomial", "beta_binomial", or one of `likelihoods` with settings.
        priors: name to NumPyro distribution, instead of the default: see `Posterior.priors` for what was used. A parameter's plausible
            range holds the central 95 % of its default prior.
        on: residuals of logarithms (default) or of values.
        fix, tie, bounds, weights, sizes: as in `fit`; weights are powers of the likelihood.
        by: a column that names groups. share: parameters that all groups have in common.
        pool: parameters whose values in the groups come from one population, so that groups with few runs borrow from the others; default
            all single numbers that are not shared. `pool=()` gives every group its own. The population's center is `<name>_typical`, its
            standard deviation `<name>_spread`, a relative one for positive parameters.
        chains, draws: kept draws are chains times draws. warmup: steps before them.
        accept: target acceptance; 0.95 takes smaller steps.
        seed: of chains and starts.
        progress: as in `fit`.

    Returns:
        Posterior.

    Raises:
        DataError, LawError, FitError: one sentence: what, where, what to do.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.power_law
        >>> runs = sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> posterior = sj.sample(law, runs, likelihood="normal", draws=250)
        >>> low, high = posterior.interval(0.95)["alpha"]
        >>> low < 0.3 < high
        True

    References: Hoffman and Gelman (2014) for the sampler; Phan, Pradhan and Jankowiak (2019) for NumPyro.
    """
    if min(chains, draws, warmup) < 1 or not 0 < accept < 1:
        raise FitError(f"chains={chains}, draws={draws} and warmup={warmup} must be 1 or more, accept={accept} between 0 and 1.")
    begun = time.perf_counter()
    likelihood = as_likelihood(likelihood)
    on = "linear" if likelihood.counts else on
    request = make_request(law, runs, loss=huber(RELATIVE_ERROR), on=on, fix=fix, tie=tie, bounds=bounds, by=by, share=share,
                           weights=weights, sizes=sizes)  # fmt: skip
    law, runs = request.law, request.runs
    if pool and by is None:
        raise FitError("pool names parameters that groups draw from one population; say which column names the groups with by=...")
    fitted = _point(request, seed)
    layout = _layout(request)
    model = Model(Spec(law, layout, request.loss, on), likelihood, _pooled(layout, pool))
    size = RELATIVE_ERROR if on == "log" else RELATIVE_ERROR * float(np.median(np.abs(fitted.observed)))
    used = replaced(default_priors(model, size), priors, _shapes(model))
    rows = usable_rows(law, runs)
    weight = replace(request, by=None, share=()).row_weights[0]
    evidence = evidence_of(model, runs, rows, weight, request.group_of_row, request.fix, dict(used), _length(len(rows)))
    place, evidence = _place(model, evidence, request, fitted, seed)
    trace = nuts(model, Settings(warmup, accept), place, evidence, chains=chains, draws=draws, seed=seed,
                 progress=reporter("sample", progress))  # fmt: skip
    z = np.swapaxes(trace.z, 0, 1).reshape(chains * draws, -1)
    values = {name: np.asarray(v) for name, v in sites(model, place, evidence, z).items()}
    free = {slot.name for slot in layout.slots}
    hidden = ("_free", "_group", "_decentered")
    others = {name: v for name, v in values.items() if name not in free and not name.endswith(hidden)}
    kind = f"posterior ({type(likelihood).__name__}, {chains} chains, seed {seed}, {time.perf_counter() - begun:.1f} s)"
    posterior = Posterior(
        fitted, _theta(request, values), kind, sites=others, priors=used, model=model, evidence=evidence,
        sampler=Chains(trace.diverging.T, trace.energy.T, trace.steps.T),
    )  # fmt: skip
    if posterior.complaints:
        warnings.warn(" ".join(posterior.complaints), ConvergenceWarning, stacklevel=3)
    return posterior


def _point(request: Request, seed: int) -> Fit:
    """The point fit, groups with too few runs for one of their own included; the posterior has its own diagnostics."""
    solver = as_solver("lm")
    begun = time.perf_counter()
    found = search(request, None, solver, seed, None)
    return finish(request, found, solver, None, seed, time.perf_counter() - begun)


def _layout(request: Request) -> Layout:
    """The request's layout, with a group axis also where the point fit treats groups apart."""
    if request.by is None or request.joint:
        return request.layout
    known = {slot.domain.axis: slot.size for slot in request.layout.slots if slot.domain.axis}
    return make_layout(request.law, fix=request.fix, tie=request.tie, bounds=request.bounds, sizes={**known, **request.sizes},
                       groups=len(request.groups), share=frozenset())  # fmt: skip


def _pooled(layout: Layout, pool: Sequence[str] | str | None) -> tuple[str, ...]:
    possible = [slot.name for slot in layout.slots if slot.grouped and slot.size is None]
    if pool is None:
        return tuple(possible)
    names = (pool,) if isinstance(pool, str) else tuple(pool)
    for name in names:
        if name not in possible:
            raise LawError(f"pool names {name!r}, which is no single number that differs between groups; {suggest(name, possible)}")
    return names


def _shapes(model: Model) -> dict[str, tuple[int, ...]]:
    return {slot.name: (slot.size,) for slot in model.spec.layout.slots if slot.size is not None}


def _length(rows: int) -> int:
    """Padded rows: in steps of 64 up to 256, then as point fits are padded."""
    return -(-rows // 64) * 64 if rows <= 256 else padded_rows(rows)


def _place(model: Model, evidence: Evidence, request: Request, fitted: Fit, seed: int) -> tuple[Place, Evidence]:
    """Coordinates at the mode; with pooled parameters also the centring that the runs of every group ask for."""
    noise = model.likelihood.start(np.ravel(fitted.residuals))
    if not model.pooled:
        return _mode(model, evidence, [{**_start(model, fitted.params), **noise}])[0], evidence
    together = _point(replace(request, by=None, share=()), seed)
    grouped, groups = model.spec.layout.grouped, model.spec.layout.groups
    repeated = {n: np.broadcast_to(v, (groups, *np.shape(v))) if n in grouped else v for n, v in together.params.items()}
    shared = {**_start(model, repeated), **model.likelihood.start(np.ravel(together.residuals))}
    place, start = _mode(model, evidence, [{**_start(model, fitted.params), **noise}, shared])
    variance = prototype(model, evidence)[1](np.sum(place.root**2, axis=1))
    centring = {name: np.clip(1 - np.asarray(variance[f"{name}_group_decentered"]), 0.0, 1.0) for name in model.pooled}
    moved = dict(start)
    for slot in model.spec.layout.slots:
        if slot.name in model.pooled:
            name, c = slot.name, centring[slot.name]
            center, spread = np.asarray(slot.domain.inverse(start[f"{name}_typical"])), start[f"{name}_spread"]
            moved[f"{name}_group_decentered"] = c * center + spread**c * start[f"{name}_group_decentered"]
    evidence = evidence._replace(centring=centring)
    return _mode(model, evidence, [moved])[0], evidence


def _mode(model: Model, evidence: Evidence, starts: list[dict[str, Any]]) -> tuple[Place, dict[str, Any]]:
    """The best mode that is reached from the starts, and its sites."""
    from jax.flatten_util import ravel_pytree
    from numpyro.infer.util import unconstrain_fn

    latent = prototype(model, evidence)[1](np.zeros(prototype(model, evidence)[0]))
    found = []
    for values in starts:
        u = ravel_pytree(unconstrain_fn(model, (evidence,), {}, {name: values[name] for name in latent}))[0]
        place, value = locate(model, u, evidence)
        found.append((float(value), place))
    value, place = min(found, key=lambda pair: pair[0] if np.isfinite(pair[0]) else np.inf)
    if not np.isfinite(value):
        raise FitError("The posterior density is zero at the point fit: a prior excludes it, or the likelihood does; look at both.")
    at = sites(model, place, evidence, np.zeros((1, place.center.size)))
    return place, {name: np.asarray(v)[0] for name, v in at.items()}


def _start(model: Model, params: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the sites at a fit's parameters, kept within reach: a fit may have run off to the edge of the support."""
    out: dict[str, Any] = {}
    for slot in model.spec.layout.slots:
        low, high = (np.min(slot.domain.sample(np.zeros(slot.free))) - 3, np.max(slot.domain.sample(np.ones(slot.free))) + 3)
        value = np.asarray(params[slot.name], dtype=np.float64)
        inverse = slot.domain.inverse if slot.size is None or not slot.grouped else jax.vmap(slot.domain.inverse)
        u = np.clip(np.nan_to_num(np.asarray(inverse(value))), low, high)
        if slot.name in model.pooled:
            spread = max(float(np.std(u)), 0.05)
            out[f"{slot.name}_typical"] = np.asarray(slot.domain.forward(np.mean(u)))
            out[f"{slot.name}_spread"], out[f"{slot.name}_group_decentered"] = spread, (u - np.mean(u)) / spread
        elif slot.size is None:
            out[slot.name] = np.asarray(slot.domain.forward(u))
        else:
            forward = jax.vmap(slot.domain.forward) if slot.grouped else slot.domain.forward
            out[slot.name], out[f"{slot.name}_free"] = np.asarray(forward(u)), u
    return out


def _theta(request: Request, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """(size, sets, draws) unconstrained parameters as the point fit lays them out."""
    apart = request.by is not None and not request.joint
    parts = []
    for slot in request.layout.slots:
        value = values[slot.name]
        inner = 0 if slot.size is None else 1
        flat = value.reshape(-1, *value.shape[value.ndim - inner :])
        u = np.asarray(jax.vmap(slot.domain.inverse)(flat)).reshape(len(value), -1)  # (draws, copies or groups times free)
        parts.append(u.reshape(len(value), -1, slot.free).transpose(2, 1, 0) if apart else u.T[:, None])
    return np.concatenate(parts)
