"""Bootstrap over mixtures: fits by target repeated on the same resampled mixtures, so that errors which targets share stay shared."""

from __future__ import annotations

import numpy as np

from ...core.checks import check_count
from ...core.errors import ConvergenceWarning, DecisionError, warn
from ...fitting.objective.data import Batch
from ...fitting.result import Fit
from ...fitting.runaways import at_edge, noted, refit
from ...fitting.solvers.lm import LM
from ...fitting.status import Ends, Status, code
from ...fitting.uncertainty.draws import Draws
from ...fitting.uncertainty.resampling import FEWEST, resampled


def bootstrap_mixtures(fitted: Fit, draws: int, seed: int) -> Draws:
    """Draws of a fit by target from `stack_targets`; a replicate draws whole mixtures with all their checkpoints, repeats and targets."""
    counts = mixture_counts(int(fitted.runs["mixture"].max()) + 1, draws, seed)
    request = fitted.request
    rows = [table["mixture"][used].astype(int) for table, used in zip(request.tables, request.used, strict=True)]
    ends, held = refit_mixtures(fitted, [counts[row] for row in rows])
    return as_draws(fitted, ends, draws, noted(f"bootstrap (mixtures, seed {seed})", held, len(ends.status)))


def mixture_counts(mixtures: int, draws: int, seed: int) -> np.ndarray:
    """(mixtures, draws): how often each mixture is drawn in every replicate."""
    check_count("draws", draws, 2, DecisionError)
    if mixtures < FEWEST:
        raise DecisionError(f"The table has only {mixtures} mixtures; resampling them needs at least {FEWEST}: ask for no intervals.")
    return resampled(mixtures, draws, np.random.default_rng(seed))


def refit_mixtures(fitted: Fit, counts: list[np.ndarray], batch: Batch | None = None) -> tuple[Ends, int]:
    """The fit repeated from its optimum, each row as often as `counts` says: (rows, draws) for every set; and how many a prior holds.

    Args:
        fitted: sets fitted apart, or one joint fit.
        counts: of every set.
        batch: data in place of the fit's own, a data set for every set and draw.
    """
    own, draws = fitted.request.batch, counts[0].shape[1]
    sets = np.repeat(np.arange(len(counts)), draws)
    weight = own.weight[:, sets]
    for i, rows in enumerate(counts):
        weight[: len(rows), i * draws : (i + 1) * draws] *= rows
    which = sets if batch is None else np.arange(len(sets))
    edge = at_edge(fitted.request, fitted.curvature)
    return refit(fitted.request, fitted.theta, sets, batch or own, which, LM().warm, weight, edge=edge)


def as_draws(fitted: Fit, ends: Ends, draws: int, kind: str, *before: Ends) -> Draws:
    """Draws from refits; warns where too many, of those `before` them included, did not converge."""
    status = np.concatenate([e.status for e in (*before, ends)])
    failed = int((status != code(Status.CONVERGED)).sum())
    if failed > 0.02 * len(status):
        warn(
            f"{failed} of {len(status)} refits to resampled mixtures did not converge: the intervals are not to be trusted. Train more "
            "mixtures, or fix a parameter that they barely determine.",
            ConvergenceWarning,
        )
    return Draws(fitted, ends.theta.reshape(-1, fitted.theta.shape[1], draws), kind, failed)
