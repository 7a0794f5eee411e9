"""A law refitted to some runs and scored on the others, by a point fit or by a posterior."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..core.errors import FitError, IdentifiabilityError
from ..core.laws.law import Law
from ..core.numeric.batching import traced
from ..core.numeric.programs import compiled
from ..core.runs import Runs
from ..fitting.chained.result import ChainFit
from ..fitting.chained.stacking import TRIALS
from ..fitting.fit import fit
from ..fitting.objective.counts import EDGE
from ..fitting.objective.penalty import CENTRAL, ranges
from ..fitting.objective.problem import Spec, predictions
from ..fitting.request import Request
from ..fitting.result import Fit
from ..fitting.status import Status
from ..posteriors.checks.influence import densities
from ..posteriors.checks.predictive import replicates
from ..posteriors.laplace import laplace
from ..posteriors.sample import sample
from .splits import Split

_DRAWS = 400  # of the probabilities of counts


class Scores(NamedTuple):
    """How well left-out observations were predicted, each (observations,).

    Attributes:
        rows: row of each in the table of runs. lpd: log predictive density of the output. error: observed less predicted, on the scale of
            the residuals. pit: probability of a smaller output, uniform if the predictive distribution is right.
        on: scale of the residuals. held: did the refit need a weak prior?
    """

    rows: np.ndarray
    lpd: np.ndarray
    error: np.ndarray
    pit: np.ndarray
    on: str
    held: bool = False


def by_fit(law: Law, runs: Runs, split: Split, weights: np.ndarray, seed: int, options: Mapping[str, Any]) -> Scores:
    r"""Scores of a point fit. Around the prediction a new observation has Student's t with n - p degrees of freedom, scaled by

        variance = s^2 + J' Sigma J,    s^2 = RSS / (n - p)

    J the derivatives of the prediction, Sigma the model covariance of the parameters: exact for least squares and normal noise if the law
    is linear in its parameters. n, p and s count what was kept. A refit whose optimum is none, or uncertain, is made anew with
    `prior="weak"`, whose precision then adds to that of the runs.
    """
    from scipy.special import gammaln, stdtr

    fitted = _refitted(law, runs, np.where(split.left_out, 0.0, weights), seed, options)
    if isinstance(fitted, ChainFit) and fitted.usual_trials is not None:
        return _of_counts(fitted, split, seed)
    held = fitted.request.spec.prior and options.get("prior") is None
    batch, size = fitted.request.batch, fitted.request.layout.size
    predicted, jac = (np.asarray(a) for a in _linearised(fitted.request.spec, fitted.theta[:, 0], batch.inputs, batch.codes, batch.fixed))
    target, weight = batch.target.ravel(), batch.weight[:, 0]
    kept = weight > 0
    nu = int(kept.sum()) - size
    if nu < 1:
        raise FitError(f"Without {split.name} only {kept.sum()} observations are left for the {size} parameters of {law.name!r}.")
    error = target - predicted
    s2 = np.sum((weight * error**2)[kept]) / np.mean(weight[kept]) / nu
    share = weight / np.mean(weight[kept])
    covariance = _with_ranges(fitted, jac, share / s2) if fitted.request.spec.prior else _covariance(fitted, split)
    left, rows = _left_out(fitted.request, split, len(batch.target))
    error, jac, y = error[left.ravel()], jac[left.ravel()], target[left.ravel()]
    variance = np.maximum(s2 + np.einsum("ni,ij,nj->n", jac, covariance, jac), 1e-30)
    z = error / np.sqrt(variance)
    constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu * np.pi)
    lpd = constant - 0.5 * np.log(variance) - (nu + 1) / 2 * np.log1p(z**2 / nu)
    return Scores(
        rows=rows, lpd=lpd - y if fitted.request.on == "log" else lpd, error=error, pit=stdtr(nu, z), on=fitted.request.on, held=held
    )


def _of_counts(fitted: ChainFit, split: Split, seed: int) -> Scores:
    """Scores of counts: binomial, or beta-binomial with the fit's overdispersion, around the probabilities that Laplace draws predict."""
    from scipy.special import logsumexp
    from scipy.stats import betabinom, binom

    _covariance(fitted, split)  # refuses what the kept runs do not determine
    stacked, request = fitted.stacked, fitted.request
    left = split.left_out[stacked.row]
    at: dict[str, Any] = {name: request.runs[name][left] for name in fitted.law.inputs}
    named = {column: request.runs[column][left] for column in request.columns}
    at |= {"group": named if request.crossed else named[request.columns[0]]} if named else {}
    n, phi = stacked.columns[TRIALS][left], float(fitted.noise[fitted.asked.output])
    p = np.clip(laplace(fitted, _DRAWS, seed=seed).predict(**at), EDGE, 1 - EDGE)
    count = np.round(stacked.value[left] * n)
    spread = betabinom(n, p * (1 / phi - 1), (1 - p) * (1 / phi - 1)) if phi > 0 else binom(n, p)
    log, below = spread.logpmf(count), spread.cdf(count)
    return Scores(
        rows=stacked.row[left], lpd=logsumexp(log, axis=0) - np.log(len(log)), error=stacked.value[left] - fitted.predict(**at),
        pit=np.mean(below - 0.5 * np.exp(log), axis=0), on="linear",
    )  # fmt: skip


def _refitted(law: Law, runs: Runs, weights: np.ndarray, seed: int, options: Mapping[str, Any]) -> Fit:
    """The law fitted to what was kept, with a weak prior if it runs away without."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = fit(law, runs, weights=weights, seed=seed, **options)
    ours = (
        not isinstance(fitted, ChainFit)
        and options.get("prior") is None
        and options.get("recipe") is None
        and options.get("solver", "lm") in ("lm", "varpro")
    )
    if ours and (fitted.status is Status.DOUBTFUL or not fitted.status.usable):
        return fit(law, runs, weights=weights, seed=seed, **{**options, "solver": "lm", "prior": "weak"})
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return fitted


def by_sample(
    law: Law,
    runs: Runs,
    split: Split,
    weights: np.ndarray,
    seed: int,
    options: Mapping[str, Any],
    method: Literal["nuts", "laplace", "svi"] = "nuts",
) -> Scores:
    """Scores of a posterior: densities averaged over the draws, predictions at their medians."""
    posterior = sample(law, runs, weights=np.where(split.left_out, 0.0, weights), seed=seed, method=method, **options)
    evidence, counts = posterior.evidence, posterior.model.likelihood.counts
    left, rows = _left_out(posterior.request, split, len(evidence.target))
    usable = len(posterior.request.grouping.used)
    rows_of = {name: v for name, v in evidence.rows.items() if name != "configuration"}  # scored as runs of new configurations
    values = densities(posterior, evidence._replace(weight=left.astype(float), rows=rows_of))[:, left]
    top = values.max(axis=0)
    lpd = np.log(np.mean(np.exp(values - top), axis=0)) + top
    predicted, drawn = (a[:, left[:usable]] for a in replicates(posterior, seed))
    y = np.asarray(evidence.target)[left]
    pit = np.mean(drawn < y, axis=0) + 0.5 * np.mean(drawn == y, axis=0)
    share = y / np.asarray(evidence.rows["trials"])[left] if counts else y
    on = posterior.request.on
    return Scores(rows, lpd - y if on == "log" else lpd, share - np.median(predicted, axis=0), pit, on)


@compiled(0, once=True)
def _linearised(spec: Spec, theta: Any, inputs: tuple[Any, ...], group: Any, fixed: dict[str, Any]) -> tuple[Any, Any]:
    """Predictions at all rows, logarithms if the fit is on logs, and their derivatives: (rows * T,) and (rows * T, size)."""
    traced("linearised")

    def value(t: Any) -> Any:
        out = predictions(spec, t, inputs, group, fixed).reshape(-1)
        return jnp.log(out) if spec.on == "log" else out

    return value(theta), jax.jacfwd(value)(theta)


def _covariance(fitted: Fit, split: Split) -> np.ndarray:
    """Model covariance of theta; parameters at a boundary are held."""
    shape = fitted.curvature[0]
    if shape.flat:
        raise IdentifiabilityError(
            f"Without {split.name} the runs do not determine {', '.join(shape.flat)} of {fitted.law.name!r}, so nothing can be predicted; "
            "fix one of them, leave out fewer runs, or use method='nuts', where priors do."
        )
    return np.nan_to_num(shape.model_covariance, nan=0.0)


def _with_ranges(fitted: Fit, jac: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Covariance of theta where the plausible ranges add to what the runs determine; `weight` of rows over the residual variance."""
    return np.linalg.inv((jac.T * weight) @ jac + np.diag((CENTRAL / ranges(fitted.request.layout).width) ** 2))


def _left_out(request: Request, split: Split, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Mask of the left-out observations in arrays padded to `length`, (length,) or (length, T), and their rows in the runs."""
    law, runs, rows = request.law, request.runs, request.grouping.used
    shape = runs[law.output].shape[1:]
    left = np.zeros((length, *shape), bool)
    valid = np.asarray(runs.masks.get(law.output, np.ones(runs[law.output].shape, bool)))[rows]
    left[: len(rows)] = split.left_out[rows].reshape(-1, *[1] * len(shape)) & valid
    return left, rows[np.nonzero(left)[0]]
