"""Bootstrap: the fit repeated on resampled runs, all replicates in one compiled program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ...core.checks import check_count
from ...core.errors import ConvergenceWarning, FitError, suggest, warn
from ...core.numeric.precision import double
from ...core.progress import Progress, reporter
from ..chained.result import ChainFit
from ..chained.staged import bootstrap_staged
from ..objective.data import Batch
from ..objective.penalty import MISFIT
from ..result import Fit
from ..runaways import at_edge, noted, refit
from ..solvers.gradient import Solver, as_solver
from ..status import Ends, Status, code
from .draws import Draws
from .resampling import Moved, check_units, default_kind, noise_drawn, undetermined, weights_of
from .units import Units, column_names

Kind = Literal["cases", "groups", "blocks", "residual", "bayesian"]
_KINDS = ("cases", "groups", "blocks", "residual", "bayesian")
_NUMBERS = 2**23  # weights held at once,
_FEWEST = 64  # but for so many replicates at least
_MANY = 2**16  # replicates that pay for compiling a program without padding: a third of the time for 400 sets of 12 runs


@double
def bootstrap(
    fit: Fit,
    replicates: int = 1000,
    *,
    kind: Kind | None = None,
    groups: str | Sequence[str] | None = None,
    seed: int = 0,
    solver: Solver | str = "lm",
    progress: bool | Progress | None = None,
) -> Draws:
    r"""Uncertainty by refitting.

    "cases" resamples the runs and trusts nothing about their noise. "groups" resamples whole groups of runs that are not independent:
    checkpoints of a run, runs of a size, a corpus or a seed. "blocks" resamples stretches of loss curves, within each curve. "residual"
    keeps the inputs and draws the noise anew,

        log y* = log f + u e,    u^2 = (n - p) / c,  c ~ chi^2(n - p), one u a replicate,

    (without logarithms on="linear") with e from the n - p largest of the n residuals, scaled to a mean square of RSS / (n - p). The p
    smallest are left out because a fit of p parameters passes close to p runs whatever the noise, Huber's through them; u accounts for the
    noise being known from n - p numbers only, as Student's t does. Where n - p is below ten, e is normal noise of that size. With
    `groups`, "residual" draws one error a group and one a run, as large as the variance components say.

    By default, the residuals decide: "groups" where `Fit.diagnosis` finds that they cluster strongly by a column of ten groups or more,
    "residual" with that column's errors where it has fewer; "residual" with correlated normal noise where residuals follow each other along
    the law's only input; else "cases" from ten runs on, "residual" below; curves are resampled whole from ten on, in blocks below. Fewer
    than ten units are never resampled: there are too few different samples.

    How well do they cover? On simulated runs with equal noise "residual" is within 3 points of 50, 80, 90 and 95 % for 30, 100 and 300
    runs (Huber: up to 4 above), where "cases" covers 59, 89, 97 and 99 % at 12 runs and 50, 79, 90 and 95 % at 30 (Huber: 65, 92, 98, 99
    and 57, 87, 95, 98). With 30 runs of each of four public sweeps and the default loss, 95 % intervals of "cases" held the optimum of the
    whole sweep in 96 to 98 % of the draws, those of "residual" in 79 to 96 %. See `python -m benchmarks.coverage`.

    Args:
        fit: a fit.
        replicates: how many refits; each starts at the optimum, and where a parameter ended at the edge of its support inside, too.
        kind: see above; "bayesian" draws exponential weights, so that no run is ever lost (too narrow below a hundred runs with least
            squares).
        groups: the column that names the groups, or several that do together, for kind="groups" (which it implies) or "residual".
        seed: of the resampling. Groups are drawn by name: with one seed, all sets of a fit, and all fits, draw a group that they share
            alike, so that their draws are paired; what they do not share is independent.
        solver: as in `fit`.
        progress: as in `fit`.

    Returns:
        Draws with `replicates` draws. Replicates that do not converge, or in which a parameter leaves its plausible range by orders of
        magnitude that the fit is not out of, are made anew with `prior="weak"`; `kind` says how many. What does not converge then either is
        kept and counted. Sets fitted apart are resampled one after the other and refitted together. Parameters that the runs of a group do
        not determine have infinite intervals.

    Raises:
        IdentifiabilityError: if the runs do not determine a parameter, or leave no degree of freedom.
        FitError: if fewer than ten units would be resampled, or the law has a misfit, whose prior no refit knows to vary.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.power_law
        >>> runs = sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> low, high = sj.bootstrap(sj.fit(law, runs), 500).interval(0.95)["alpha"]
        >>> low < 0.3 < high
        True
    """
    if kind not in (None, *_KINDS):
        raise FitError(f"kind={kind!r} is not a bootstrap; {suggest(kind, _KINDS)}")
    check_count("replicates", replicates, 2)
    if MISFIT in fit.law.parameters:
        raise FitError(
            "A bootstrap resamples runs, and not what is known beforehand of a misfit: its intervals would be too narrow. Take "
            "sj.laplace(fit), or sj.sample(..., misfit=True)."
        )
    if kind == "groups" and groups is None:
        raise FitError("kind='groups' needs the column that names the groups: groups='...'.")
    if groups is not None and kind not in (None, "groups", "residual"):
        raise FitError(f"kind={kind!r} knows no groups; leave out groups= or kind=.")
    unknown = undetermined(fit)
    found = (kind or "groups", column_names(groups)) if groups is not None else (kind, ()) if kind else default_kind(fit)
    units = Units(found[0], seed, found[1])
    for column in units.columns:
        if column not in fit.runs:
            raise FitError(f"groups={column!r} names no column of the runs; {suggest(column, fit.runs.names)}")
    if isinstance(fit, ChainFit) and fit.staged:
        if units.kind != "groups":
            raise FitError("A chain fitted stage by stage is resampled by runs, ten or more; leave out kind=, or use sj.laplace(fit).")
        return bootstrap_staged(fit, replicates, units.columns, seed, as_solver(solver), reporter("bootstrap", progress))
    check_units(fit, units)
    report = reporter("bootstrap", progress)
    rng = np.random.default_rng(seed)
    sets, parts, failed, held, batch = fit.theta.shape[1], [], 0, 0, fit.request.batch
    batch = _cut(batch) if sets * replicates > _MANY else batch
    step, most = max(_NUMBERS // (batch.rows * replicates), 1), max(_NUMBERS // batch.rows, _FEWEST)
    for begin in range(0, sets, step):
        some, pieces = np.arange(begin, min(begin + step, sets)), []
        moved: Moved = {}
        for done in range(0, replicates, most):
            count = min(most, replicates - done)
            state, runaways = _replicate(fit, batch, some, count, units, rng, as_solver(solver), report, moved)
            held += runaways
            failed += int((state.status != code(Status.CONVERGED)).sum())
            pieces.append(state.theta.reshape(-1, len(some), count))
        parts.append(np.concatenate(pieces, axis=2))
    if failed > 0.02 * replicates * sets:
        warn(
            f"{failed} of {replicates * sets} bootstrap replicates did not converge: the intervals are not to be trusted. Use "
            "kind='bayesian', or fix a parameter that the runs barely determine.",
            ConvergenceWarning,
        )
    theta = np.where(unknown[:, :, None], np.nan, np.concatenate(parts, axis=1))
    how = units.kind + (f" by {' and '.join(units.columns)}" if units.columns else "")
    note = noted(f"bootstrap ({how}, seed {seed})", held, replicates * sets)
    return Draws(fit, theta, note, failed, None if units.kind in ("residual", "blocks") else units)


def _cut(batch: Batch) -> Batch:
    """The bank without most of its padding."""
    runs, per_run = len(batch.group), batch.rows // len(batch.group)
    last = np.flatnonzero(batch.weight.any(axis=1))[-1] // per_run + 1
    keep = min(-(-last // 32) * 32, runs)
    inputs, weight = tuple(a[:keep] for a in batch.inputs), batch.weight[: keep * per_run]
    return replace(batch, inputs=inputs, target=batch.target[:keep], weight=weight, codes=batch.codes[:keep])


def _replicate(
    fit: Fit,
    batch: Batch,
    some: np.ndarray,
    count: int,
    units: Units,
    rng: np.random.Generator,
    solver: Solver,
    report: Progress | None,
    moved: Moved,
) -> tuple[Ends, int]:
    """Refit `some` of the sets `count` times each from their optima; `moved` is where the replicates before left off."""
    request, sets = fit.request, np.repeat(some, count)
    weight = batch.weight[:, sets]
    if units.kind == "residual":
        batch, sets = noise_drawn(fit, batch, some, count, units.columns, rng), np.arange(len(sets))
    else:
        weight = weight * weights_of(fit, batch, some, count, units, rng, moved)
    edge = at_edge(request, fit.curvature)
    return refit(request, fit.theta, np.repeat(some, count), batch, sets, solver.warm, weight, report, edge)
