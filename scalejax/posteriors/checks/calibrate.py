"""`calibrate`: simulation-based calibration, the proof that posteriors of a law mean what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ...core.errors import FitError
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.progress import Progress, reporter
from ...core.runs import Runs
from ...core.table import Note, Shown, Table, entry
from ...data.readers import read_runs
from ...fitting.fit import find_law
from ..model.coordinates import unconstrained
from ..model.density import Evidence
from ..model.many import draws_of_sets, of_flat, sets
from ..model.nuts import Settings
from ..model.prior_draws import from_prior, outputs
from ..model.setup import OPTIONS, Setup, check_options, set_up
from .predictive import LEVELS
from .uniformity import p_value

_SPARE = 2  # prior draws for every simulation, as some laws overflow far out in their priors


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Shown):
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
            f"The posterior of {entry(name, index)} is not calibrated (p = {p:.2g}): its intervals do not hold what they promise."
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
                rows.append([entry(name, index), f"{np.asarray(p)[index]:.3f}", *cells])
        count = len(next(iter(self.ranks.values())))
        notes = [f"{count:,} simulations, ranks among {self.draws} draws, divergent draws: {self.divergences:,}."]
        if self.skipped:
            notes.append(Note(f"{self.skipped} prior draws were skipped: the law's output is not finite there.", "not-finite"))
        notes += [Note(said, "uneven-ranks") for said in self.complaints] or ["The ranks are as even as those of right posteriors."]
        return Table(["quantity", "p of even ranks", *(f"{100 * level:g} % holds" for level in LEVELS)], rows, notes=notes)


@double
def calibrate(
    law: Law | str,
    runs: Runs | Any,
    *,
    simulations: int = 200,
    draws: int = 99,
    warmup: int = 300,
    accept: float = 0.8,
    seed: int = 0,
    progress: bool | Progress | None = None,
    **options: Any,
) -> Calibration:
    r"""Simulation-based calibration of a law's posteriors, for the runs that you have or plan.

    Every simulation draws parameters theta from the prior, outputs y from the likelihood at the inputs of the runs, samples the posterior
    p(theta | y), and counts the draws below the truth. If law, likelihood and sampler are right the ranks are uniform on 0..draws; if
    intervals are too narrow they pile up at both ends. All posteriors are sampled together in one compiled program, one chain each, from
    the mode that is reached from the truth.

    Args:
        law, warmup, accept: as in `sample`.
        runs: inputs (and groups); an output column is not needed. Where there is one, the prior takes the level of the outputs from it (one
            level for all simulations: it belongs to the prior, not to the simulated outputs), and `on="linear"` the scale of the noise.
        simulations: how many data sets. draws: kept draws of each posterior.
        seed: of simulations and chains. progress: as in `fit`.
        **options: those of `sample` that make the model: likelihood, priors, on, fix, tie, bounds, by, share, pool, covariates, sizes,
            level_prior, groups.

    Returns:
        Calibration; printing it gives the table.

    Raises:
        DataError, LawError, FitError: as `sample`; if outputs are not finite in more than half of the prior draws.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> found = sj.calibrate("power_law", {"x": np.logspace(3, 8, 12)}, likelihood="normal", simulations=20)
        >>> found.complaints
        []

    References: Talts, Betancourt, Simpson, Vehtari and Gelman (2018); Modrak et al. (2023) for the likelihood as a quantity.
    """
    if min(simulations, draws, warmup) < 1 or not 0 < accept < 1:
        raise FitError(f"simulations={simulations}, draws={draws}, warmup={warmup} must be 1 or more, accept={accept} between 0 and 1.")
    check_options("calibrate", options, tuple(name for name in OPTIONS if name != "weights"))
    options = {**options, "level_prior": options.get("level_prior", True) and _observed(law, runs)}
    setup = set_up(law, _with_output(law, runs), padded=False, **options)
    model, evidence = setup.model, setup.evidence
    evidence = evidence._replace(weight=(evidence.weight > 0).astype(np.float64))
    truth, targets, skipped = _simulations(setup, evidence, simulations, seed)
    many = sets(evidence, targets)
    found, diverging = draws_of_sets(model, many, truth, Settings(warmup), draws=draws, accept=accept, seed=seed,
                                     progress=reporter("calibrate", progress))  # fmt: skip
    true = of_flat(model, many, truth)
    ranks = {name: np.sum(draw < true[name][:, None], axis=1) for name, draw in found.items()}
    return Calibration(ranks=ranks, draws=draws, divergences=int(diverging.sum()), skipped=skipped)


def _observed(law: Law | str, runs: Runs | Any) -> bool:
    """Do the runs have an output, whose level the prior knows?"""
    return find_law(law).output in (runs if isinstance(runs, Runs | Mapping) else read_runs(runs))


def _with_output(law: Law | str, runs: Runs | Any) -> Runs:
    """The runs with an output column, of ones if there is none; excluded runs stay out."""
    output = find_law(law).output
    if isinstance(runs, Mapping):
        runs = {**runs, output: runs.get(output, np.ones(max((np.shape(v)[0] for v in runs.values() if np.ndim(v)), default=1)))}
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    return runs if output in runs else runs.with_columns(**{output: np.ones(len(runs))})


def _simulations(setup: Setup, evidence: Evidence, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Unconstrained truths (count, size) and targets (count, rows) from the prior, and how many others had no finite output."""
    sites = from_prior(setup.model, evidence, _SPARE * count, seed + 1)  # chains use the seed itself
    targets = np.asarray(outputs(setup.model, evidence, sites, jax.random.fold_in(jax.random.key(seed + 1), 0)))
    used = np.asarray(evidence.weight > 0)
    finite = np.all(np.isfinite(np.where(used, targets, 0.0)).reshape(len(targets), -1), axis=1)
    if finite.sum() < count:
        raise FitError(
            f"The law's output is not finite at {np.mean(~finite):.0%} of the prior draws, so that there is nothing to simulate; "
            "give narrower priors=."
        )
    chosen = np.flatnonzero(finite)[:count]
    flat = unconstrained(setup.model, evidence, {n: np.asarray(v)[chosen] for n, v in sites.items()})
    return flat, np.where(used, targets[chosen], 0.0), int(np.sum(~finite[: chosen[-1] + 1]))
