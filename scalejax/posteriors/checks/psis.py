"""Importance sampling that says when it fails, and what it is for: leave-one-out densities and weights of models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.checks import rows_text
from ...core.errors import FitError
from ...core.numeric.precision import plain
from ...core.table import Shown, Table, number

_CHUNK = 16  # columns at a time, so that the working arrays of the tail fit stay in the cache
_SHORTEST_TAIL = 5  # ratios, to fit a distribution of two parameters


@dataclass(frozen=True, eq=False, repr=False)
class Loo(Shown):
    """Leave-one-out predictive accuracy of a model, see `loo`; printing it gives the verdict.

    Attributes:
        pointwise: (n,) log density of each observation given the others. khat: (n,) how far each estimate can be trusted.
        p_loo: effective number of parameters.
        limit: the k-hat above which an estimate is not to be trusted.
        rows: (n,) the row of each observation in the table of runs.
    """

    pointwise: np.ndarray
    khat: np.ndarray
    p_loo: float
    limit: float
    rows: np.ndarray

    @property
    def elpd(self) -> float:
        """Expected log predictive density of the observations: the sum of `pointwise`."""
        return float(self.pointwise.sum())

    @property
    def se(self) -> float:
        """Standard error of `elpd`."""
        n = len(self.pointwise)
        return float(np.sqrt(n * self.pointwise.var(ddof=1))) if n > 1 else np.nan

    @property
    def influential(self) -> np.ndarray:
        """Rows of the runs that decide too much for an estimate without a refit, the most influential first."""
        order = np.argsort(-self.khat, kind="stable")
        return self.rows[order[~(self.khat[order] <= self.limit)]]

    @property
    def verdict(self) -> str:
        """Whether the estimate can be trusted, in a sentence."""
        rows, n = self.influential, len(self.khat)
        if not len(rows):
            return f"Every k-hat is below {self.limit:.2f}: the estimate can be trusted."
        return (
            f"{len(rows)} of {n} observations are too influential, k-hat above {self.limit:.2f}: {rows_text(rows)}. "
            "Look at these runs, or score the law on them with sj.holdout."
        )

    def table(self) -> Table:
        """Estimates with their standard errors, and the verdict."""
        rows = [["elpd", number(self.elpd), number(self.se, 3)], ["p_loo", number(self.p_loo, 3), ""]]
        rows.append(["largest k-hat", f"{self.khat.max():.2f}", ""])
        return Table(["leave-one-out", "estimate", "std. error"], rows, notes=[self.verdict])


def pareto_smooth(log_ratios: np.ndarray, r_eff: float | np.ndarray = 1.0) -> tuple[np.ndarray, np.ndarray | float]:
    r"""Pareto-smoothed importance weights, with the tail index that says whether they can be trusted.

    The M = min(S/5, 3 sqrt(S/r_eff)) largest of S ratios are replaced by the expected order statistics of the generalised Pareto
    distribution fitted to their exceedances u over the next largest ratio,

        p(u) = (1 + k u/sigma)^(-1/k - 1) / sigma,

    none above the largest ratio. Moments of the ratios above order 1/k do not exist; compare khat with `khat_limit(S)`.

    Args:
        log_ratios: log of target density over that of the draws, up to a constant, of shape (draws, ...); minus infinity is allowed.
        r_eff: effective over actual number of draws, one value or one a column.

    Returns:
        Log weights, each column summing to one in weights, of the shape of `log_ratios`; and khat, of shape (...), infinite where
        fewer than 5 ratios make the tail, so that nothing was smoothed.

    Raises:
        FitError: if a ratio is NaN or infinite, or all of a column are zero.

    Example:
        >>> u = np.random.default_rng(0).uniform(size=4000)
        >>> weights, khat = pareto_smooth(-0.5 * np.log(u))  # ratios u^-1/2 have k = 1/2
        >>> round(khat, 1), round(float(np.exp(weights).sum()), 6)
        (0.5, 1.0)

    References: Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed importance sampling", JMLR 2024.
    """
    ratios = np.asarray(log_ratios, dtype=np.float64)
    if ratios.ndim < 1 or ratios.size == 0:
        raise FitError(f"log_ratios has shape {ratios.shape}; the first axis must hold the draws.")
    columns = ratios.reshape(len(ratios), -1)
    bad = np.flatnonzero(~(np.max(columns, axis=0) < np.inf) | (np.max(columns, axis=0) == -np.inf))
    if len(bad):
        raise FitError(
            f"log_ratios are NaN, infinite or all minus infinity in column {bad[0]}: there the target has no density to weigh by."
        )
    lengths = _tail_lengths(len(ratios), r_eff, ratios.shape[1:])
    weights, khat = np.empty_like(columns), np.empty(columns.shape[1])
    for start in range(0, columns.shape[1], _CHUNK):
        part = slice(start, start + _CHUNK)
        block = np.ascontiguousarray(columns[:, part].T)
        block -= block.max(axis=1, keepdims=True)
        khat[part] = _smooth_tails(block, lengths[part])
        weights[:, part] = (block - _log_sum_exp(block, axis=1)[:, None]).T
    return weights.reshape(ratios.shape), plain(khat.reshape(ratios.shape[1:]))


def khat_limit(draws: int) -> float:
    """Largest khat at which importance sampling with so many draws is reliable: min(1 - 1/log10(draws), 0.7).

    Args:
        draws: number of draws, at least 2.

    Returns:
        The limit; with 2,200 draws and more it is 0.7.

    Raises:
        FitError: if there are fewer than 2 draws.

    Example:
        >>> khat_limit(100), khat_limit(4000)
        (0.5, 0.7)

    References: Vehtari et al. 2024.
    """
    if draws < 2:
        raise FitError(f"draws={draws} must be at least 2.")
    return float(min(1.0 - 1.0 / np.log10(draws), 0.7))


def effective_size(log_weights: np.ndarray) -> np.ndarray | float:
    """Number of equally weighted draws that weighted ones are worth, 1 / sum w^2 for weights w that sum to one.

    Args:
        log_weights: of shape (draws, ...), normalised or not.

    Returns:
        Effective sizes of shape (...).

    Example:
        >>> round(effective_size(np.log([0.5, 0.25, 0.25])), 3)
        2.667

    References: Kong, Technical Report 348, University of Chicago 1992.
    """
    log_weights = np.asarray(log_weights, dtype=np.float64)
    return plain(np.exp(2.0 * _log_sum_exp(log_weights, axis=0) - _log_sum_exp(2.0 * log_weights, axis=0)))


def loo(log_likelihood: np.ndarray, r_eff: float | np.ndarray | None = None, rows: np.ndarray | None = None) -> Loo:
    r"""Leave-one-out cross-validation from one set of posterior draws.

        elpd = sum_i log p(y_i | y_-i),    p(y_i | y_-i) = sum_s w_is p(y_i | theta_s),    w_is proportional to 1/p(y_i | theta_s), smoothed

    Args:
        log_likelihood: log p(y_i | theta_s) of shape (draws, n), a column for each observation.
        r_eff: effective over actual number of draws, one value or one an observation (default 1, independent draws). From chains:
            `ess_mean(exp(log_likelihood))` over the number of draws.
        rows: (n,) what to call the observations; default their place.

    Returns:
        Loo: `pointwise` log densities (n,) of each observation given the others, `khat` (n,) (above `khat_limit(draws)` the
        observation is too influential for this estimate: refit without it), their sum `elpd` with standard error `se`, and
        `p_loo`, the effective number of parameters (log density of the fitted observations minus elpd).

    Raises:
        FitError: if the shape is not (draws, n) or values are not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = rng.standard_normal(20)
        >>> mean = y.mean() + rng.standard_normal((4000, 1)) / np.sqrt(20)  # posterior of a normal mean
        >>> result = loo(-0.5 * np.log(2 * np.pi) - 0.5 * (y - mean) ** 2)
        >>> bool(result.khat.max() < 0.7), 0 < result.p_loo < 2
        (True, True)

    References: Vehtari, Gelman and Gabry, "Practical Bayesian model evaluation", Statistics and Computing 2017.
    """
    log_likelihood = np.asarray(log_likelihood, dtype=np.float64)
    if log_likelihood.ndim != 2:
        raise FitError(f"log_likelihood has shape {log_likelihood.shape}; give one row a draw and one column an observation.")
    bad = np.flatnonzero(~np.isfinite(log_likelihood).all(axis=0))
    if len(bad):
        raise FitError(f"log_likelihood is not finite for the observations of {rows_text(bad)}: leave them out, or repair the model there.")
    draws, n = log_likelihood.shape
    weights, khat = pareto_smooth(-log_likelihood, 1.0 if r_eff is None else r_eff)
    pointwise = _log_sum_exp(weights + log_likelihood, axis=0)
    fitted = float(np.sum(_log_sum_exp(log_likelihood, axis=0) - np.log(draws)))
    p_loo = fitted - float(pointwise.sum())
    return Loo(
        pointwise=pointwise, khat=np.asarray(khat), p_loo=p_loo, limit=khat_limit(draws),
        rows=np.arange(n) if rows is None else np.asarray(rows),
    )  # fmt: skip


def stacking_weights(lpd: np.ndarray) -> np.ndarray:
    r"""Weights with which a mixture of models predicts best.

        maximise  1/n sum_i log sum_k w_k p_ik,    p_ik = exp(lpd_ik),    over w >= 0, sum w = 1

    Args:
        lpd: log predictive densities of observations that the models have not seen (`loo(...).pointwise`), of shape (n, models).

    Returns:
        Weights of shape (models,). Models that the optimum does without have weights of 1e-12 or so; copies of a model share
        its weight.

    Raises:
        FitError: if the shape is not (n, models), a density is NaN or infinite, or an observation has density zero in every model.

    Example:
        >>> stacking_weights(np.log([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]])).round(4)
        array([0.8125, 0.1875])

    References: Yao, Vehtari, Simpson and Gelman, "Using stacking to average Bayesian predictive distributions", Bayesian Analysis 2018.
    """
    lpd = _predictive_densities(lpd)
    p = np.exp(lpd - lpd.max(axis=1, keepdims=True))
    # At the optimum the gradient g_k = mean_i p_ik / (w p)_i is 1 where w_k > 0 and at most 1 elsewhere. Newton's method on
    # g + s = 1, w s = mu for slacks s > 0 and mu -> 0 (interior points) stays well behaved when models are copies of each other.
    models = p.shape[1]
    w, s = np.full(models, 1.0 / models), np.ones(models)
    for _ in range(200):
        score = p / (p @ w)[:, None]
        residual = score.mean(axis=0) + s - 1.0
        gap = w @ s / models
        if max(np.abs(residual).max(), models * gap) < 1e-12:
            break
        target = 0.1 * gap
        hessian = score.T @ score / len(p)
        dw = np.linalg.solve(hessian + np.diag(s / w), residual - s + target / w)
        ds = target / w - s - s / w * dw
        step = min(1.0, 0.99 / max(np.max(-dw / w), np.max(-ds / s), 1e-300))
        w, s = w + step * dw, s + step * ds
    return w / w.sum()


def pseudo_bma_weights(lpd: np.ndarray, seed: int = 0, *, replicates: int = 4000) -> np.ndarray:
    r"""Weights proportional to exp(elpd), averaged over the uncertainty of elpd: pseudo-BMA+.

    In each replicate of the Bayesian bootstrap the observations have weights v ~ Dirichlet(1, ..., 1) and the models weights
    proportional to exp(n sum_i v_i lpd_ik).

    Args:
        lpd: log predictive densities of observations that the models have not seen (`loo(...).pointwise`), of shape (n, models).
        seed: of the bootstrap.
        replicates: how many.

    Returns:
        Weights of shape (models,).

    Raises:
        FitError: if the shape is not (n, models), a density is NaN or infinite, or an observation has density zero in every model.

    Example:
        >>> pseudo_bma_weights(np.zeros((10, 2)))
        array([0.5, 0.5])

    References: Yao et al. 2018.
    """
    lpd = _predictive_densities(lpd)
    lpd = lpd - lpd.max(axis=1, keepdims=True)
    observations = np.random.default_rng(seed).dirichlet(np.ones(len(lpd)), size=replicates)
    elpd = len(lpd) * observations @ lpd
    return np.exp(elpd - _log_sum_exp(elpd, axis=1)[:, None]).mean(axis=0)


def _predictive_densities(lpd: np.ndarray) -> np.ndarray:
    lpd = np.asarray(lpd, dtype=np.float64)
    if lpd.ndim != 2 or lpd.size == 0:
        raise FitError(f"lpd has shape {lpd.shape}; give one row an observation and one column a model.")
    bad = np.flatnonzero(~(lpd.max(axis=1) < np.inf) | (lpd.max(axis=1) == -np.inf))
    if len(bad):
        raise FitError(f"lpd is NaN or infinite, or minus infinity for every model, in {rows_text(bad)}: leave these observations out.")
    return lpd


def _log_sum_exp(x: np.ndarray, axis: int) -> np.ndarray:
    top = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis=axis)) + np.squeeze(top, axis)


def _tail_lengths(draws: int, r_eff: float | np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    r_eff = np.asarray(r_eff, dtype=np.float64)
    if r_eff.shape not in ((), shape):
        raise FitError(f"r_eff has shape {r_eff.shape}; give one value, or one for each column of the ratios: shape {shape}.")
    if not np.all(r_eff > 0):
        raise FitError(f"r_eff={np.min(r_eff):g} must be positive: it is the effective over the actual number of draws.")
    return np.broadcast_to(np.ceil(np.minimum(draws / 5, 3 * np.sqrt(draws / r_eff))).astype(int), shape).reshape(-1)


def _smooth_tails(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Smooth the tails of log ratios (columns, draws), the largest 0, in place; return khat (columns,)."""
    longest = int(lengths.max())
    if longest < _SHORTEST_TAIL:
        return np.full(len(x), np.inf)
    places = np.argpartition(x, -longest - 1, axis=1)[:, -longest - 1 :]
    values = np.take_along_axis(x, places, axis=1)
    order = np.argsort(values, axis=1)
    places, values = (np.take_along_axis(a, order, axis=1) for a in (places, values))
    threshold = np.exp(np.take_along_axis(values, longest - lengths[:, None], axis=1))
    # Ratios at or below the threshold (shorter tails, ties, underflow) exceed it by zero and so add nothing to any sum.
    excess = np.maximum(np.exp(values[:, 1:]) - threshold, 0.0)
    count = np.count_nonzero(excess, axis=1)
    khat = np.full(len(x), np.inf)
    long = count >= _SHORTEST_TAIL
    if long.any():
        excess, count = excess[long], count[long, None]
        k, sigma = _fit_generalized_pareto(excess, count)
        rank = np.arange(1 - longest, 1) + count
        log_above = np.log1p(-(np.maximum(rank, 1) - 0.5) / count)
        quantile = sigma * np.where(np.abs(k) < 1e-15, -log_above, np.expm1(-k * log_above) / np.where(k == 0, 1.0, k))
        smooth = np.where(rank > 0, np.minimum(np.log(quantile + threshold[long]), 0.0), values[long, 1:])
        values[long, 1:] = smooth
        np.put_along_axis(x, places, values, axis=1)
        khat[long] = k[:, 0]
    return khat


def _fit_generalized_pareto(excess: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shape k, shrunk to 1/2 with the weight of 10 exceedances, and scale sigma of sorted exceedances (columns, M), `count` above zero.

    With b = -k/sigma the likelihood has a profile in b alone, k(b) = mean log(1 - b u); b is its mean over a grid, weighted by the
    profile (Zhang and Stephens, Technometrics 2009).
    """
    size = excess.shape[1]
    quartile = np.take_along_axis(excess, size - count + (count / 4 + 0.5).astype(int) - 1, axis=1)
    points = 30 + np.sqrt(count).astype(int)
    j = np.arange(1, points.max() + 1)
    b = 1.0 / excess[:, -1:] + (1.0 - np.sqrt(points / (j - 0.5))) / (3.0 * quartile)
    b = np.where(j <= points, b, b[:, :1])
    k = np.log1p(-b[:, :, None] * excess[:, None, :]).sum(axis=2) / count
    profile = np.where(j <= points, count * (np.log(-b / k) - k - 1.0), -np.inf)
    weight = np.exp(profile - _log_sum_exp(profile, axis=1)[:, None])
    b = np.sum(weight * b, axis=1, keepdims=True)
    k = np.log1p(-b * excess).sum(axis=1, keepdims=True) / count
    return (count * k + 5.0) / (count + 10.0), -k / b
