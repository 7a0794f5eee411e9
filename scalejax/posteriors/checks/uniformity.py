"""Are ranks uniform? The largest deviation of their distribution function from the binomial one, everywhere at once."""

from __future__ import annotations

from functools import lru_cache
from math import lgamma
from typing import Any

import numpy as np

from ...core.numeric.statistics import evenly

_REPLICATES = 4000  # of even ranks; p-values below 1/4000 are not resolved
_CELLS = 100  # points of the distribution function that are looked at, at most


def p_value(ranks: np.ndarray, draws: int) -> Any:
    r"""Probability that even ranks on 0..draws deviate at least as much, shaped like `ranks` without its leading axis (simulations).

    The deviation is gamma = 2 min_k min(F(c_k), 1 - F(c_k - 1)) with c_k of S ranks at or below k, and F binomial(S, (k+1)/(draws+1)).

    References: Sailynoja, Burkner and Vehtari, "Graphical test for discrete uniformity", Statistics and Computing 2022.

    Example:
        >>> even = np.random.default_rng(0).integers(0, 100, 200)
        >>> p_value(even, 99) > 0.01, p_value(even // 2, 99) < 0.001
        (True, True)
    """
    null = _even(len(ranks), draws)
    values = _gamma(np.reshape(ranks, (len(ranks), -1)), draws)
    p = (1 + np.searchsorted(null, values, side="right")) / (1 + len(null))
    return float(p[0]) if np.ndim(ranks) == 1 else p.reshape(np.shape(ranks)[1:])


def band(simulations: int, draws: int, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simultaneous band of the distribution function of even ranks: shares (k+1)/(draws+1), lower and upper ends."""
    gamma = np.quantile(_even(simulations, draws), 1 - level)
    cells = evenly(draws, _CELLS)
    cdf = np.stack([_binomial_cdf(simulations, (k + 1) / (draws + 1)) for k in cells])
    low = np.sum(cdf < gamma / 2, axis=1)
    high = np.sum(cdf < 1 - gamma / 2, axis=1)
    return (cells + 1) / (draws + 1), low / simulations, high / simulations


@lru_cache(maxsize=8)
def _even(simulations: int, draws: int) -> np.ndarray:
    """Sorted deviations of even ranks."""
    rng = np.random.default_rng(0)
    parts = [rng.integers(0, draws + 1, (simulations, 500)) for _ in range(_REPLICATES // 500)]
    return np.sort(np.concatenate([_gamma(part, draws) for part in parts]))


def _gamma(ranks: np.ndarray, draws: int) -> np.ndarray:
    """Deviation of every column."""
    simulations, out = len(ranks), np.full(ranks.shape[1], np.inf)
    for k in evenly(draws, _CELLS):
        cdf = _binomial_cdf(simulations, (k + 1) / (draws + 1))
        count = np.sum(ranks <= k, axis=0)
        out = np.minimum(out, 2 * np.minimum(cdf[count], 1 - np.where(count > 0, cdf[count - 1], 0.0)))
    return out


@lru_cache(maxsize=2048)
def _binomial_cdf(count: int, share: float) -> np.ndarray:
    """P(X <= k) for k = 0..count, in logarithms until the sum, for probabilities of large counts underflow."""
    k = np.arange(count + 1)
    choose = lgamma(count + 1) - np.array([lgamma(i + 1) + lgamma(count - i + 1) for i in k])
    return np.minimum(np.cumsum(np.exp(choose + k * np.log(share) + (count - k) * np.log1p(-share))), 1.0)
