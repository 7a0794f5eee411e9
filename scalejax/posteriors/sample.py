"""`sample`: a law, runs and priors in, posterior draws out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from ..core.errors import ConvergenceWarning, FitError, suggest
from ..core.law import Law
from ..core.precision import double
from ..core.progress import Progress, reporter
from ..core.runs import Runs
from ..fitting.request import Request
from .approximation import importance, laplace_guide, variational_guide
from .coordinates import Groups, Place
from .diagnostics import Chains, Importance
from .likelihoods import Likelihood
from .many import sets
from .mode import locate
from .model import Evidence, Model
from .nuts import Settings, nuts, sites
from .posterior import Posterior
from .setup import Setup, point_fit, set_up, starts

_ACCEPT = (0.8, 0.95, 0.99)  # until no draw diverges
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
    by: str | None = None,
    share: Sequence[str] | str = (),
    pool: Sequence[str] | str | None = None,
    covariates: Sequence[str] | str = (),
    weights: Any = None,
    sizes: Mapping[str, int] | None = None,
    level: bool = True,
    method: Literal["nuts", "laplace", "svi"] = "nuts",
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 300,
    accept: float | None = None,
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
            standard deviation `<name>_spread`: relative for positive parameters, else on the domain's unconstrained scale.
        covariates: columns with one number a group that move the centers of all pooled parameters, standardised over the groups; their
            effects on the unconstrained scale are `<name>_slope`.
        level: default priors come from plausible ranges of single parameters, which together may expect losses of 10^5. With True (default)
            the level of the observed outputs is prior knowledge, too: at the runs of a group the law's values are expected around their
            median, within a factor of 2.7 either way (and their own spread), all runs together counting as one such observation. It says
            nothing where every parameter of the law has a prior of yours. `Posterior.priors` tells the range; `prior_predictive` shows it.
        method: "nuts"; or a fast path, which says when it fails (`Posterior.complaints`): "laplace" draws from a Student t in the same
            coordinates, "svi" from a normal fitted there by variational inference, for large hierarchies; both are resampled with
            Pareto-smoothed importance weights.
        chains, draws: kept draws are chains times draws. warmup: steps before them.
        accept: target acceptance of the sampler; by default 0.8, and where draws diverge once more with 0.95 and at last with 0.99, which
            takes smaller steps.
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
    if min(chains, draws, warmup) < 1 or not 0 < (_ACCEPT[0] if accept is None else accept) < 1:
        raise FitError(f"chains={chains}, draws={draws} and warmup={warmup} must be 1 or more, accept={accept} between 0 and 1.")
    if method not in _METHODS:
        raise FitError(f"method={method!r} is unknown; {suggest(method, _METHODS)}")
    begun = time.perf_counter()
    setup = set_up(law, runs, likelihood=likelihood, priors=priors, on=on, fix=fix, tie=tie, bounds=bounds, by=by, share=share, pool=pool,
                   covariates=covariates, weights=weights, sizes=sizes,
                   level=level)  # fmt: skip
    fitted = point_fit(setup.request, seed)
    many = sets(setup.evidence, setup.evidence.target[None])
    place, groups, value = locate(setup.model, many, starts(setup, fitted, seed))
    if not np.isfinite(value).all():
        raise FitError("The posterior density is zero at the point fit: a prior excludes it, or the likelihood does; look at both.")
    report = reporter("sample", progress)
    if method == "nuts":
        ladder = _ACCEPT if accept is None else (accept,)
        z, sampler, how, place = _chains(
            setup.model, place, groups, many, warmup, ladder, chains=chains, draws=draws, seed=seed, progress=report
        )
    place, groups = jax.tree.map(lambda part: part[0], (place, groups))
    if method != "nuts":
        z, sampler, how = _approximated(setup, place, groups, method, draws=chains * draws, seed=seed)
    kind = f"posterior ({type(setup.model.likelihood).__name__}, {how}, seed {seed}, {time.perf_counter() - begun:.1f} s)"
    values = {name: np.asarray(v) for name, v in sites(setup.model, place, groups, setup.evidence, z).items()}
    free = {slot.name for slot in setup.model.spec.layout.slots}
    others = {name: v for name, v in values.items() if name not in free and not name.endswith(("_free", "_group"))}
    posterior = Posterior(
        fitted, _theta(setup.request, values), kind, sites=others, priors=setup.priors, model=setup.model, evidence=setup.evidence,
        sampler=sampler, covariates=(covariates,) if isinstance(covariates, str) else tuple(covariates),
    )  # fmt: skip
    if posterior.complaints:
        warnings.warn(" ".join(posterior.complaints), ConvergenceWarning, stacklevel=3)
    return posterior


def _chains(
    model: Model, place: Place, groups: tuple[Groups, ...], many: Evidence, warmup: int, ladder: tuple[float, ...], *, chains: int,
    draws: int, seed: int, progress: Progress | None,
) -> tuple[np.ndarray, Chains | Importance, str, Place]:  # fmt: skip
    """Draws (chains * draws, size) of NUTS with the first target acceptance of the ladder at which no draw diverges; their coordinates."""
    for accept in ladder:
        trace, place = nuts(
            model, Settings(warmup), place, groups, many, chains=chains, draws=draws, accept=accept, seed=seed, progress=progress
        )
        if not trace.diverging.any():
            break
    z = np.swapaxes(trace.z[:, 0], 0, 1).reshape(chains * draws, -1)
    sampler = Chains(*(part[:, 0].T for part in (trace.diverging, trace.energy, trace.steps)))
    return z, sampler, f"{chains} chains, accept {accept:g}", place


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
    apart = request.by is not None and not request.joint
    parts = []
    for slot in request.layout.slots:
        value = values[slot.name]
        inner = 0 if slot.size is None else 1
        flat = value.reshape(-1, *value.shape[value.ndim - inner :])
        u = np.asarray(jax.vmap(slot.domain.inverse)(flat)).reshape(len(value), -1)  # (draws, copies or groups times free)
        parts.append(u.reshape(len(value), -1, slot.free).transpose(2, 1, 0) if apart else u.T[:, None])
    return np.concatenate(parts)
