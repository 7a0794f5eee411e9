"""`calibrate`: simulation-based calibration, the proof that posteriors of a law mean what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from ..core.errors import FitError
from ..core.law import Law
from ..core.precision import double
from ..core.progress import Progress, reporter
from ..core.readers import read_runs
from ..core.runs import Runs
from ..core.table import Table
from ..fitting.fit import find_law
from .coordinates import Groups, Place, transport, unconstrained, unravel
from .likelihoods import Likelihood
from .mode import SETS, locate
from .model import Evidence, Model
from .nuts import Settings, nuts
from .setup import Setup, set_up
from .uniformity import p_value

LEVELS = (0.5, 0.8, 0.9, 0.95)
_THIN = 3  # steps between two kept draws, which are then as good as independent
_TOGETHER = 20  # sets in one program: the chains wait for each other at every draw, so that more of them would wait longer
_SPARE = 2  # prior draws for every simulation, as some laws overflow far out in their priors


@dataclass(frozen=True, eq=False)
class Calibration:
    """Where the truth lies among the draws of its own posterior, over many simulated data sets.

    Attributes:
        ranks: name to (simulations, ...) number of draws below the truth, of every parameter, noise number and the log likelihood.
        draws: how many draws each rank is among.
        divergences: of all chains. skipped: prior draws at which the law's output was not finite.
    """

    ranks: dict[str, np.ndarray]
    draws: int
    divergences: int
    skipped: int

    @property
    def p_values(self) -> dict[str, Any]:
        """Probability of ranks at least as uneven if the posteriors are right, of every quantity."""
        return {name: p_value(ranks, self.draws) for name, ranks in self.ranks.items()}

    def coverage(self, level: float) -> dict[str, Any]:
        """Share of simulations in which the central interval at this level held the truth."""
        if not 0 < level < 1:
            raise FitError(f"level={level!r} must lie between 0 and 1, such as 0.9.")
        # The rank is uniform on 0..draws: the central ranks, with the share of the outermost ones that makes the level exact.
        outside = 0.5 * (1 - level) * (self.draws + 1)
        place = {name: np.minimum(r, self.draws - r) for name, r in self.ranks.items()}
        return {name: np.mean(np.clip(r + 1 - outside, 0.0, 1.0), axis=0) for name, r in place.items()}

    @property
    def complaints(self) -> list[str]:
        """Quantities whose ranks are not uniform at the 1 % level, corrected for their number; empty if all is well."""
        cells = [
            (name, index, p[index]) for name, p in ((n, np.asarray(p)) for n, p in self.p_values.items()) for index in np.ndindex(p.shape)
        ]
        return [
            f"The posterior of {_label(name, index)} is not calibrated (p = {p:.2g}): its intervals do not hold what they promise."
            for name, index, p in cells
            if p < 0.01 / len(cells)
        ]

    def table(self) -> Table:
        """p-value of uniform ranks and coverage of intervals, for every quantity."""
        shares = [self.coverage(level) for level in LEVELS]
        rows = []
        for name, p in self.p_values.items():
            for index in np.ndindex(np.shape(p)):
                cells = [f"{100 * np.asarray(share[name])[index]:.1f}" for share in shares]
                rows.append([_label(name, index), f"{np.asarray(p)[index]:.3f}", *cells])
        count = len(next(iter(self.ranks.values())))
        notes = [f"{count:,} simulations, ranks among {self.draws} draws, {self.divergences} divergences."]
        notes += [f"{self.skipped} prior draws were skipped: the law's output is not finite there."] if self.skipped else []
        notes += self.complaints or ["The ranks are as even as those of right posteriors."]
        return Table(["quantity", "p of even ranks", *(f"{100 * level:g} % holds" for level in LEVELS)], rows, notes=notes)

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


@double
def calibrate(
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
    sizes: Mapping[str, int] | None = None,
    simulations: int = 200,
    draws: int = 99,
    warmup: int = 300,
    accept: float = 0.8,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Calibration:
    r"""Simulation-based calibration of a law's posteriors, for the runs that you have or plan.

    Every simulation draws parameters theta from the prior, outputs y from the likelihood at the inputs of the runs, samples the posterior
    p(theta | y), and counts the draws below the truth. If law, likelihood and sampler are right the ranks are uniform on 0..draws; if
    intervals are too narrow they pile up at both ends. All posteriors are sampled together in one compiled program, one chain each, from
    the mode that is reached from the truth.

    Args:
        law, likelihood, priors, on, fix, tie, bounds, by, share, pool, covariates, sizes, warmup, accept: as in `sample`.
        runs: inputs (and groups); an output column is not needed, and its values are not looked at.
        simulations: how many data sets. draws: kept draws of each posterior.
        seed: of simulations and chains. progress: as in `fit`.

    Returns:
        Calibration; printing it gives the table.

    Raises:
        DataError, LawError, FitError: as `sample`; if outputs are not finite in more than half of the prior draws.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> found = sj.calibrate("power_law", {"x": np.logspace(3, 8, 12)}, likelihood="normal", simulations=50)
        >>> found.complaints
        []

    References: Talts, Betancourt, Simpson, Vehtari and Gelman (2018); Modrak et al. (2023) for the likelihood as a quantity.
    """
    if min(simulations, draws, warmup) < 1 or not 0 < accept < 1:
        raise FitError(f"simulations={simulations}, draws={draws}, warmup={warmup} must be 1 or more, accept={accept} between 0 and 1.")
    setup = set_up(law, _with_output(law, runs), likelihood=likelihood, priors=priors, on=on, fix=fix, tie=tie, bounds=bounds, by=by,
                   share=share, pool=pool, covariates=covariates, weights=None, sizes=sizes, padded=False)  # fmt: skip
    model, evidence = setup.model, setup.evidence
    evidence = evidence._replace(weight=(evidence.weight > 0).astype(np.float64))
    truth, targets, skipped = _simulations(setup, evidence, simulations, seed)
    report, parts, divergences = reporter("calibrate", progress), [], 0
    for begin in range(0, simulations, _TOGETHER):
        # The last piece is filled up with sets of the first, so that all pieces share a program.
        chosen = np.arange(begin, begin + min(_TOGETHER, simulations)) % simulations
        ranks, diverging = _ranks(model, evidence, truth[chosen], targets[chosen], Settings(warmup, accept), draws, seed + begin)
        kept = min(_TOGETHER, simulations - begin)
        parts.append({name: v[:kept] for name, v in ranks.items()})
        divergences += int(diverging[:kept].sum())
        if report:
            report(begin + kept, simulations)
    return Calibration({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, draws, divergences, skipped)


def _ranks(
    model: Model, evidence: Evidence, truth: np.ndarray, targets: np.ndarray, settings: Settings, draws: int, seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Ranks of the truths (sets, size) among draws of their posteriors, and divergences of every set."""
    many = evidence._replace(target=targets)
    place, groups, _ = locate(model, many, [truth])
    trace = nuts(model, settings, place, groups, many, chains=1, draws=_THIN * draws, seed=seed)
    kept = np.swapaxes(trace.z[::_THIN, :, 0], 0, 1)  # (sets, draws, size)
    found, true = _of_draws(model, place, groups, many, kept), _of_truth(model, many, truth)
    ranks = {name: np.sum(np.asarray(draw) < np.asarray(true[name])[:, None], axis=1) for name, draw in found.items()}
    return ranks, trace.diverging.sum(axis=(0, 2))


def _with_output(law: Law | str, runs: Runs | Any) -> Runs:
    """The runs with an output column, of ones if there is none; excluded runs stay out."""
    output = find_law(law).output
    if isinstance(runs, Mapping) and output not in runs:
        runs = {**runs, output: np.ones(max(np.shape(v)[0] for v in runs.values() if np.ndim(v)))}
    return runs if isinstance(runs, Runs) else read_runs(runs)


def _simulations(setup: Setup, evidence: Evidence, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Unconstrained truths (count, size) and targets (count, rows) from the prior, and how many others had no finite output."""
    from numpyro.infer import Predictive

    prior, noise = jax.random.split(jax.random.key(seed + 1))  # chains use the seed itself
    sites = Predictive(setup.model, num_samples=_SPARE * count, parallel=True)(prior, evidence)
    targets = np.asarray(_outputs(setup.model, evidence, {n: v for n, v in sites.items() if n != "log_likelihood"}, noise))
    used = np.asarray(evidence.weight > 0)
    finite = np.isfinite(np.where(used, targets, 0.0)).reshape(len(targets), -1).all(1)
    if finite.sum() < count:
        raise FitError(
            f"The law's output is not finite at {np.mean(~finite):.0%} of the prior draws, so that there is nothing to simulate; "
            "give narrower priors=."
        )
    chosen = np.flatnonzero(finite)[:count]
    flat = unconstrained(setup.model, evidence, {n: np.asarray(v)[chosen] for n, v in sites.items()})
    return flat, np.where(used, targets[chosen], 0.0), int(np.sum(~finite[: chosen[-1] + 1]))


@partial(jax.jit, static_argnums=0)
def _outputs(model: Model, evidence: Evidence, sites: dict[str, Any], key: Any) -> Any:
    """Simulated targets (draws, rows) at every draw of the sites."""

    def one(sites: dict[str, Any], key: Any) -> Any:
        predicted = model.predict(model.params(sites, evidence), evidence)
        return model.likelihood.distribution(sites, predicted, evidence.rows).sample(key)

    return jax.vmap(one)(sites, jax.random.split(key, len(next(iter(sites.values())))))


def _quantities(model: Model, evidence: Evidence, inner: dict[str, Any]) -> dict[str, Any]:
    """Parameters, noise, populations and the log likelihood at unconstrained sites."""
    from numpyro.infer.util import constrain_fn

    sites = constrain_fn(model, (evidence,), {}, inner, return_deterministic=True)
    density = jnp.sum(model.log_density(model.params(sites, evidence), sites, evidence))
    hidden = ("_free", "_group", "log_likelihood")
    return {**{name: v for name, v in sites.items() if not name.endswith(hidden)}, "log likelihood": density}


@partial(jax.jit, static_argnums=0)
def _of_truth(model: Model, many: Evidence, truth: Any) -> dict[str, Any]:
    return jax.vmap(lambda evidence, w: _quantities(model, evidence, unravel(model, evidence, w)), in_axes=(SETS, 0))(many, truth)


@partial(jax.jit, static_argnums=0)
def _of_draws(model: Model, place: Place, groups: Groups | None, many: Evidence, z: Any) -> dict[str, Any]:
    def of_set(place: Place, groups: Groups | None, evidence: Evidence, z: Any) -> dict[str, Any]:
        return jax.vmap(lambda one: _quantities(model, evidence, transport(model, groups, evidence, place.forward(one)[0])[0]))(z)

    return jax.vmap(of_set, in_axes=(0, 0, SETS, 0))(place, groups, many, z)


def _label(name: str, index: tuple[int, ...]) -> str:
    return name + (f"[{', '.join(map(str, index))}]" if index else "")
