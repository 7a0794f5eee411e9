"""Counted outcomes in fits: residuals whose sum of squares is the deviance, so that least squares are maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from .losses import Squared

EDGE = 1e-12  # how near a predicted probability may come to 0 and 1: no law says that something cannot happen at all
_WINDOW, _BLOCK = 140, 2**14  # counts around the mean that carry a deviance, ten standard deviations of a variance of 50; rows at a time
_NEAR = 1e-2  # below this a series is as exact as the formula, and keeps the digits that the formula loses


@dataclass(frozen=True)
class Binomial(Squared):
    """See `binomial` and `beta_binomial`: half the square of deviance residuals."""

    trials: str = "trials"
    overdispersed: bool = False


def binomial(trials: str = "trials") -> Binomial:
    r"""Counts out of `trials`: the law predicts a probability p, the output column holds the observed share of successes y.

    Residuals are those of the deviance,

        r = sign(y - p) sqrt(2 n [y log(y/p) + (1 - y) log((1 - y)/(1 - p))]),    sum r^2/2 = -log likelihood + constant

    so that the fit is the maximum-likelihood fit, and shares of exactly 0 and 1 are as good as any. For `sj.fit`, of a law or of the stage
    of a chain; `sj.likelihoods.binomial` is the same for `sj.sample`.

    Args:
        trials: the column that holds the number n of trials of every run.

    Example:
        >>> import jax, numpy as np, scalejax as sj
        >>> @sj.law(output="accuracy", x=sj.Real(-3, 3), a=sj.Real(-2, 2), b=sj.Real(-2, 2))
        ... def logistic(x, *, a, b):
        ...     return jax.nn.sigmoid(a + b * x)
        >>> x, n = np.linspace(-3, 3, 30), np.full(30, 200.0)
        >>> share = np.random.default_rng(0).binomial(200, 1 / (1 + np.exp(-0.5 - x))) / 200
        >>> f = sj.fit(logistic, {"x": x, "n": n, "accuracy": share}, loss=sj.binomial(trials="n"))
        >>> bool(abs(f.params["b"] - 1) < 4 * f.standard_errors["b"])
        True

    References: McCullagh and Nelder, "Generalized Linear Models", 1989, section 2.4.3.
    """
    return Binomial(trials)


def beta_binomial(trials: str = "trials") -> Binomial:
    r"""As `binomial`, with runs that scatter more than coin tosses do: Var(y) = p (1 - p) [1 + (n - 1) phi] / n.

    Deviance residuals are divided by sqrt(1 + (n - 1) phi), with the overdispersion phi for which the mean squared Pearson residual is 1 a
    degree of freedom. That is the variance of a beta-binomial of concentration 1/phi - 1, and quasi-likelihood beside it: the means are
    estimated as well as by its likelihood where phi is small, and without its assumption on the shape. `fit.noise` holds phi.

    References: Williams 1982, Applied Statistics 31, 144.
    """
    return Binomial(trials, True)


def deviance_residual(y: Any, n: Any, p: Any) -> Any:
    """Signed root of the deviance of shares y of n trials at probabilities p, smooth in p and finite at y = 0 and 1."""
    p = jnp.clip(p, EDGE, 1 - EDGE)
    return (y - p) * jnp.sqrt(2 * n * (_share(y, p) + _share(1 - y, 1 - p)))


def _share(y: Any, p: Any) -> Any:
    """y phi(t) / (p - y)^2 with phi(t) = t - log(1 + t), t = (p - y)/y: terms of first order cancel between y and 1 - y."""
    none = y <= 0
    safe = jnp.where(none, 1.0, y)
    t = jnp.where(none, 1.0, (p - safe) / safe)
    near = jnp.abs(t) < _NEAR
    small, large = jnp.where(near, t, 0.0), jnp.where(near, 1.0, t)
    series = sum((-small) ** k / (k + 2) for k in range(8))  # phi(t)/t^2 = 1/2 - t/3 + t^2/4 - ...
    return jnp.where(none, 1 / p, jnp.where(near, series, (large - jnp.log1p(large)) / large**2) / safe)


def overdispersion(y: np.ndarray, n: np.ndarray, p: np.ndarray, weight: np.ndarray, freedom: float) -> float:
    """phi for which sum (y - p)^2 n / (p (1 - p) [1 + (n - 1) phi]) is the degrees of freedom; 0 where even coin tosses scatter more."""
    p = np.clip(p, EDGE, 1 - EDGE)
    square = weight * (y - p) ** 2 * n / (p * (1 - p))
    low, high = 0.0, 1.0
    if np.sum(square) <= freedom:
        return 0.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.sum(square / (1 + (n - 1) * middle)) > freedom else (low, middle)
    return 0.5 * (low + high)


def deviance_moments(n: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the deviance of every count of n trials at its probability p; of a squared normal from a variance of 50."""
    p = np.clip(p, EDGE, 1 - EDGE)
    mean, variance = np.ones(len(p)), np.full(len(p), 2.0)
    few = np.flatnonzero(n * p * (1 - p) < _WINDOW**2 / 400)
    for part in np.split(few, range(_BLOCK, len(few), _BLOCK)):
        mean[part], variance[part] = _summed_moments(n[part, None], p[part, None])
    return mean, variance


def _summed_moments(n: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sums over counts that carry weight, of columns (rows, 1)."""
    from scipy.special import gammaln, xlog1py, xlogy

    first = np.maximum(np.round(n * p) - _WINDOW // 2, 0)
    k = first + np.arange(min(_WINDOW, n.max(initial=0)) + 1)
    inside, k = k <= n, np.minimum(k, n)
    log = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlog1py(n - k, -p)
    weight = np.where(inside, np.exp(log), 0.0)
    deviance = 2 * (xlogy(k, k / (n * p)) + xlogy(n - k, (n - k) / (n * (1 - p))))
    mean = np.sum(weight * deviance, axis=1)
    return mean, np.maximum(np.sum(weight * deviance**2, axis=1) - mean**2, 0.0)
