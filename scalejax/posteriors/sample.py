"""`sample`: a law, runs and priors in, posterior draws out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from ..core.errors import ConvergenceWarning, FitError, suggest, warn
from ..core.laws.law import Law
from ..core.numeric.precision import double
from ..core.progress import Progress, reporter
from ..core.runs import Runs
from ..fitting.request import Request
from .checks.diagnostics import Chains, Importance
from .likelihoods import Likelihood
from .model.approximation import importance, laplace_guide, variational_guide
from .model.coordinates import Groups, Place
from .model.many import sets
from .model.mode import locate
from .model.nuts import sites
from .model.setup import Setup, point_fit, set_up, starts
from .model.until_converged import BUDGET, LADDER, Judge, Order, Quality, sample_until_converged
from .posterior import Posterior

_METHODS = ("nuts", "laplace", "svi")


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
    by: str | Mapping[str, str] | None = None,
    share: Sequence[str] | str = (),
    pool: Sequence[str] | str | None = None,
    covariates: Sequence[str] | str = (),
    weights: Any = None,
    misfit: bool | float = False,
    sizes: Mapping[str, int] | None = None,
    level_prior: bool = True,
    groups: str | None = None,
    method: Literal["nuts", "laplace", "svi"] = "nuts",
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 300,
    accept: float | None = None,
    budget: int = BUDGET,
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
        fix, tie, bounds, weights, misfit, sizes: as in `fit`; weights are powers of the likelihood.
        by: a column that names groups; a likelihood given by its name then has noise of its own in every group, from one population (give
            `likelihoods.student_t()` for the same noise in all). share: parameters that all groups have in common. Or a mapping from
            parameter to column, as in `fit`: each column's groups have a population of their own, and the noise is the same in all.
        pool: parameters whose values in the groups come from one population, so that groups with few runs borrow from the others; default
            all single numbers that are not shared. `pool=()` gives every group its own. The population's center is `<name>_typical`, its
            standard deviation `<name>_spread`: relative for positive parameters, else on the domain's unconstrained scale.
        covariates: columns with one number a group that move the centers of all pooled parameters, standardised over the groups; their
            effects on the unconstrained scale are `<name>_slope`.
        level_prior: default priors come from plausible ranges of single parameters, which together may expect losses of 10^5. With True
            (default) the level of the observed outputs is prior knowledge, too: at the runs of a group the law's values are expected around
            their median, within a factor of 2.7 either way (and their own spread), all runs together counting as one such observation. It
            is left out where every parameter of the law has a prior of yours, and for counts, whose shares may all be 0 or 1.
            `Posterior.priors` tells it; `prior_predictive` shows it.
        groups: a column whose equal values mark rows that are not independent, such as the checkpoints of a run, or runs of one size,
            corpus or seed. Every unit g has an effect on the residuals of its rows, u_g ~ Normal(0, unit_spread^2), beside their own
            noise. Intervals are then those that so many units, not so many rows, allow, and `predict(kind="run")` is of a new unit. Not
            for counts.
        method: "nuts"; or a fast path, which says when it fails (`Posterior.complaints`): "laplace" draws from a Student t in the same
            coordinates, "svi" from a normal fitted there by variational inference, for large hierarchies; both are resampled with
            Pareto-smoothed importance weights.
        chains, draws: kept draws are chains times draws. warmup: steps before them.
        accept: target acceptance of the sampler; by default 0.8, and where draws diverge once more with 0.95, 0.99 and at last 0.998, which
            takes smaller steps.
        budget: gradients of all chains together, a million by default (half a minute to some minutes for tables of runs), within which
            sampling goes on until its criteria hold for every number: R-hat at most 1.01, bulk and tail effective sizes of 400 (of half the
            kept draws, if that is less), no divergence. Kept draws are spaced evenly over all steps. Fewer than 400 are not judged.
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
    if min(chains, draws, warmup, budget) < 1 or not 0 < (LADDER[0] if accept is None else accept) < 1:
        raise FitError(
            f"chains={chains}, draws={draws}, warmup={warmup} and budget={budget} must be 1 or more, accept={accept} between 0 and 1."
        )
    if method not in _METHODS:
        raise FitError(f"method={method!r} is unknown; {suggest(method, _METHODS)}")
    begun = time.perf_counter()
    setup = set_up(law, runs, likelihood=likelihood, priors=priors, on=on, fix=fix, tie=tie, bounds=bounds, by=by, share=share, pool=pool,
                   covariates=covariates, weights=weights, misfit=misfit, sizes=sizes,
                   level_prior=level_prior, groups=groups)  # fmt: skip
    fitted = point_fit(setup.request, seed)
    many = sets(setup.evidence, setup.evidence.target[None])
    place, around, value = locate(setup.model, many, starts(setup, fitted, seed))
    if not np.isfinite(value).all():
        raise FitError("The posterior density is zero at the point fit: a prior excludes it, or the likelihood does; look at both.")
    report = reporter("sample", progress)
    sampler: Chains | Importance
    if method == "nuts":
        order = Order(chains=chains, draws=draws, warmup=warmup, ladder=LADDER if accept is None else (accept,), budget=budget, seed=seed)
        z, sampler, place = sample_until_converged(setup.model, place, around, many, order, _judge(setup, around), report)
        how = f"{chains} chains, accept {sampler.accept:g}, {sampler.gradients:,} gradients"
    place, around = jax.tree.map(lambda part: part[0], (place, around))
    if method != "nuts":
        z, sampler, how = _approximated(setup, place, around, method, draws=chains * draws, seed=seed)
    kind = f"posterior ({type(setup.model.likelihood).__name__}, {how}, seed {seed}, {time.perf_counter() - begun:.1f} s)"
    values = _named(setup, sites(setup.model, place, around, setup.evidence, z))
    free = {slot.name for slot in setup.model.spec.layout.slots}
    others = {name: v for name, v in values.items() if name not in free}
    posterior = Posterior(
        fitted, _theta(setup.request, values), kind, sites=others, priors=setup.priors, model=setup.model, evidence=setup.evidence,
        sampler=sampler, covariates=(covariates,) if isinstance(covariates, str) else tuple(covariates),
    )  # fmt: skip
    if posterior.complaints:
        warn(" ".join(posterior.complaints), ConvergenceWarning)
    return posterior


def _judge(setup: Setup, groups: tuple[Groups, ...]) -> Judge:
    """Judges draws by every number that the posterior will have."""
    first = jax.tree.map(lambda part: part[0], groups)

    def judge(z: np.ndarray, place: Place, sampler: Chains) -> Quality:
        at = jax.tree.map(lambda part: part[0], place)
        values = _named(setup, sites(setup.model, at, first, setup.evidence, z))
        return Quality(*sampler.passed(values))

    return judge


def _named(setup: Setup, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The law's free parameters and all other sampled numbers; standardised and unconstrained ones are nobody's business."""
    free = {slot.name for slot in setup.model.spec.layout.slots}
    return {name: np.asarray(v) for name, v in values.items() if name in free or not name.endswith(("_free", "_group"))}


def _approximated(
    setup: Setup, place: Place, groups: tuple[Groups, ...], method: str, *, draws: int, seed: int
) -> tuple[np.ndarray, Chains | Importance, str]:
    """Draws (draws, size) of Laplace's or the variational approximation, resampled."""
    model, evidence = setup.model, setup.evidence
    guide = laplace_guide(place) if method == "laplace" else variational_guide(model, place, groups, evidence, seed)
    z, sampler = importance(model, place, groups, evidence, guide, draws=draws, seed=seed)
    return z, sampler, f"{method}, {sampler.proposals:,} proposals"


def _theta(request: Request, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """(size, sets, draws) unconstrained parameters as the point fit lays them out."""
    parts = []
    for slot in request.layout.slots:
        value = values[slot.name]
        inner = 0 if slot.size is None else 1
        flat = value.reshape(-1, *value.shape[value.ndim - inner :])
        u = np.moveaxis(slot.domain.inverse(np.moveaxis(flat, -1, 0)), 0, -1) if inner else slot.domain.inverse(flat)
        u = u.reshape(len(value), -1)  # (draws, copies or groups times free)
        parts.append(u.reshape(len(value), -1, slot.free).transpose(2, 1, 0) if request.apart else u.T[:, None])
    return np.concatenate(parts)
