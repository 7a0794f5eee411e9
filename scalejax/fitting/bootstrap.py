"""Bootstrap: the fit repeated on resampled runs, all replicates in one compiled program."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Literal

import numpy as np

from ..core.errors import ConvergenceWarning, FitError, suggest
from ..core.precision import double
from ..core.progress import Progress, reporter
from .data import Bank, usable_rows
from .draws import Draws
from .request import Request
from .result import Fit
from .search import minimise
from .solvers import Solver, as_solver
from .status import Ends, Status, code

Kind = Literal["cases", "bayesian", "residual", "groups"]
_KINDS = ("cases", "bayesian", "residual", "groups")


@double
def bootstrap(
    fit: Fit,
    replicates: int = 1000,
    *,
    kind: Kind = "cases",
    groups: str | None = None,
    seed: int = 0,
    solver: Solver | str = "lm",
    progress: bool | Progress | None = None,
) -> Draws:
    """Uncertainty by refitting.

    Args:
        fit: a fit.
        replicates: how many refits; each starts at the optimum.
        kind: "cases" resamples runs with replacement; "bayesian" draws exponential weights, so that no run is ever lost (better for few
            runs); "residual" keeps the inputs and resamples centred residuals; "groups" resamples whole groups (runs of one sweep, say).
        groups: the column that names the groups, for kind="groups" (which it implies).
        seed: of the resampling.
        solver: as in `fit`.
        progress: as in `fit`.

    Returns:
        Draws with `replicates` draws. Replicates that did not converge are kept and counted.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.power_law
        >>> runs = sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> low, high = sj.bootstrap(sj.fit(law, runs), 500).interval(0.95)["alpha"]
        >>> low < 0.3 < high
        True
    """
    kind = "groups" if groups is not None else kind
    if kind not in _KINDS:
        raise FitError(f"kind={kind!r} is no bootstrap; {suggest(kind, _KINDS)}")
    if replicates < 2:
        raise FitError(f"replicates={replicates} must be at least 2.")
    if kind == "groups" and groups is None:
        raise FitError("kind='groups' needs the column that names the groups: groups='...'.")
    report = reporter("bootstrap", progress)
    rng = np.random.default_rng(seed)
    parts, failed = [], 0
    for table, weights, theta in zip(fit.request.tables, fit.request.row_weights, fit.theta.T, strict=True):
        apart = not fit.request.joint
        single = replace(fit.request, runs=table, weights=weights, by=None if apart else fit.request.by)
        state = _replicate(single, theta, replicates, kind, groups, rng, as_solver(solver), report)
        failed += int((state.status != code(Status.CONVERGED)).sum())
        parts.append(state.theta)
    if failed > 0.02 * replicates * len(parts):
        warnings.warn(
            f"{failed} of {replicates * len(parts)} bootstrap replicates did not converge: the intervals are not to be trusted. Use "
            "kind='bayesian', or fix a parameter that the runs barely determine.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return Draws(fit, np.stack(parts, axis=1), f"bootstrap ({kind}, seed {seed})", failed)


def _replicate(
    request: Request,
    theta: np.ndarray,
    count: int,
    kind: str,
    groups: str | None,
    rng: np.random.Generator,
    solver: Solver,
    report: Progress | None,
) -> Ends:
    """Refit one set `count` times from its optimum."""
    rows, bank = usable_rows(request.law, request.runs), request.bank
    starts, sets = np.repeat(theta[:, None], count, axis=1), np.zeros(count, int)
    if kind == "residual":
        bank, sets = _shaken(request, bank, theta, rows, count, rng), np.arange(count)
        weight = np.broadcast_to(bank.weight, (bank.rows, count))
    else:
        per_run = int(np.prod(request.runs[request.law.output].shape[1:]))  # steps of a curve, or targets
        factors = np.zeros((bank.rows // per_run, count))
        factors[: len(rows)] = _factors(request, rows, count, kind, groups, rng)
        weight = bank.weight * np.repeat(factors, per_run, axis=0)
    return minimise(request.spec, bank, starts, sets, solver.warm, weight=weight, progress=report)


def _factors(request: Request, rows: np.ndarray, count: int, kind: str, groups: str | None, rng: np.random.Generator) -> np.ndarray:
    """(used rows, replicates) weights: how often each run was drawn."""
    if kind == "bayesian":
        weights = rng.standard_exponential((len(rows), count))
        return weights * (len(rows) / weights.sum(axis=0))
    if kind == "groups":
        labels, index = np.unique(request.runs[groups][rows], return_inverse=True)
        if len(labels) < 3:
            raise FitError(f"Column {groups!r} names only {len(labels)} groups; resampling groups needs at least 3.")
        return resampled(len(labels), count, rng)[index]
    if not request.joint:
        return resampled(len(rows), count, rng)
    drawn = np.zeros((len(rows), count))
    for g in range(len(request.groups)):  # within groups, so that no group's own parameters lose all their runs
        members = np.flatnonzero(request.group_of_row[rows] == g)
        drawn[members] = resampled(len(members), count, rng)
    return drawn


def resampled(n: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(n, count): how often each of n is drawn in `count` samples of n with replacement. Ten times faster than `rng.multinomial`."""
    places = rng.integers(0, n, (n, count)) * count + np.arange(count)
    return np.bincount(places.ravel(), minlength=n * count).reshape(n, count).astype(float)


def _shaken(request: Request, bank: Bank, theta: np.ndarray, rows: np.ndarray, count: int, rng: np.random.Generator) -> Bank:
    """The runs with resampled residuals, centred and inflated for the parameters they cost, one set a replicate."""
    predicted, observed = request.predict_rows(theta[:, None])[0], request.runs[request.law.output][rows]
    if request.on == "log":
        predicted, observed = np.log(predicted), np.log(observed)
    r = observed - predicted
    r = (r - r.mean()) * np.sqrt(r.size / max(r.size - request.layout.size, 1))
    target = predicted[..., None] + rng.choice(r.ravel(), size=(*r.shape, count))
    padding = np.repeat(target[:1], bank.target.shape[0] - len(rows), axis=0)
    return replace(bank, target=np.concatenate([target, padding]), batched=(*bank.batched[:-1], True))
