"""Best-of-n sampling: how far it moves a policy, and the true reward of the best by a proxy, from samples without bias."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.numeric.precision import plain
from ...core.table import Computed


def best_of_n_kl(n: Any) -> Any:
    r"""Kullback-Leibler divergence of the best of n samples from one of them.

        KL(n) = ln n - (n - 1) / n

    Exact if no two samples have the same reward, an upper bound if some do.

    Args:
        n: samples, at least 1; a number or an array.

    Returns:
        Nats, in the shape of n.

    Raises:
        DataError: if n is less than 1.

    Example:
        >>> round(best_of_n_kl(1000), 3), best_of_n_kl(1)
        (5.909, 0.0)

    References: Gao, Schulman and Hilton 2022, arXiv:2210.10760, section 3; Beirami et al. 2024, arXiv:2401.01879 (the bound).
    """
    n = np.asarray(n, dtype=np.float64)
    if not (n >= 1).all():
        raise DataError("best_of_n_kl() needs n of at least 1 sample.")
    return plain(np.log(n) - (n - 1) / n)


def best_of_n_reward(proxy: Any, gold: Any, n: Any) -> Any:
    r"""Mean true reward of the best of n samples by a proxy, from M samples: the average over all subsets of n.

        R_n = sum_{i = n}^{M} C(i - 1, n - 1) / C(M, n) gold_(i),    in the order of the proxy

    Args:
        proxy, gold: (M,) rewards of the samples of one prompt; of equal proxies the order is as given.
        n: how many to choose from, 1 to M; a number or an array.

    Returns:
        True rewards, in the shape of n.

    Raises:
        DataError: if the columns differ in length or have gaps, or n is not a whole number from 1 to M.

    Example:
        >>> best_of_n_reward([0.1, 0.7, 0.4], [1.0, 2.0, 6.0], [1, 2, 3]).round(9).tolist()
        [3.0, 3.333333333, 2.0]

    References: Gao, Schulman and Hilton 2022, arXiv:2210.10760; Nakano et al. 2021, arXiv:2112.09332, appendix I.
    """
    p, g, n = (np.asarray(v, dtype=np.float64) for v in (proxy, gold, n))
    M = len(p) if p.ndim == 1 else 0
    if not M or p.shape != g.shape or not (np.isfinite(p).all() and np.isfinite(g).all()):
        raise DataError("best_of_n_reward() needs two flat columns of rewards of one length, without gaps.")
    if not ((n >= 1) & (n <= M) & (n == np.round(n))).all():
        raise DataError(f"n must be whole numbers from 1 to the {M} samples.")
    ranked = g[np.argsort(p, kind="stable")]
    return plain(np.asarray([_weights(M, int(one)) @ ranked for one in n.ravel()]).reshape(n.shape))


def _weights(M: int, n: int) -> NDArray[np.float64]:
    """Chance that the best of n is the i-th of M: from the best downwards, n / M times how likely all n - 1 others are below."""
    i = np.arange(M - 1, 0, -1)  # how many lie below the next one
    steps = np.maximum(i - n + 1, 0) / i
    return (n / M) * np.concatenate([[1.0], np.cumprod(steps)])[::-1]


def goodhart(proxy: Any, *, mean: float, variance: float, noise_mean: float = 0.0, noise_variance: float) -> Computed:
    r"""What a proxy tells of the true reward where it is the true reward and independent noise, both normal.

        E[X | X + Z = x] = E X + (x - E X - E Z) Var X / (Var X + Var Z)

    Args:
        proxy: x, a number or an array.
        mean, variance: of the true reward X.
        noise_mean, noise_variance: of the noise Z.

    Returns:
        `expected`, the mean of X given the proxy; `share`, of a gain in the proxy that is a gain in X.

    Raises:
        DataError: if a variance is negative, or both are 0.

    Example:
        >>> found = goodhart(3.0, mean=1.0, variance=1.0, noise_variance=3.0)
        >>> found.expected, found.share
        (1.5, 0.25)

    References: Gao, Schulman and Hilton 2022, arXiv:2210.10760, appendix A.
    """
    if not (variance >= 0 and noise_variance >= 0 and variance + noise_variance > 0):
        raise DataError("goodhart() needs variances that are not negative, one of them positive.")
    share = variance / (variance + noise_variance)
    x = np.asarray(proxy, dtype=np.float64)
    if not np.isfinite(x).all():
        raise DataError("goodhart() needs proxies that are finite.")
    return Computed({"expected": plain(mean + share * (x - mean - noise_mean)), "share": share}, "true reward behind a proxy")
