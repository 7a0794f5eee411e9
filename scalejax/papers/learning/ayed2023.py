"""What choosing data by a score does to the loss with many data: an example in which the limit is known."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jax.scipy.stats import norm

from ...core.errors import DecisionError
from ...core.laws.formula import formula, require
from ...core.numeric.precision import double


@formula
def pruning_gap(r: Any, *, c: Any = 0.2) -> Any:
    r"""Excess loss with infinitely many data if the share r with the largest score is kept, in the example of `prune_regression`.

        gap(r) = c^2 (m_4 / m_2 - 3)^2,    m_k = E[x^k | |x| > t],    P(|x| > t) = r

    Args:
        r: share that is kept, above 0 and up to 1. c: what the model cannot fit.

    Returns:
        The gap in the shape of r: 0 for r = 1.

    Example:
        >>> pruning_gap([0.1, 1.0]).round(4)
        array([0.1747, 0.    ])

    References: the example is ours; Ayed and Hayou 2023, arXiv:2302.06960, prove that there is a gap.
    """
    require((jnp.asarray(r) > 0) & (jnp.asarray(r) <= 1), "r must be above 0 and up to 1.")
    t = -ndtri(0.5 * r)
    density = norm.pdf(t)
    return (c * 2 * t**3 * density / (r + 2 * t * density)) ** 2


@double
def prune_regression(
    n: Any, r: float, *, by_score: float = 1.0, c: float = 0.2, sigma: float = 0.5, trials: int = 256, seed: int = 0
) -> np.ndarray:
    r"""Excess loss of a fit to r n of n examples, of which some are chosen by a score and the others at random with weights that calibrate.

        y = x + c (x^3 - 3 x) + sigma noise,    x standard normal,    model y = w x,    excess (w - 1)^2,    score |x|
        w minimises sum over the by_score r n largest scores + (1 - by_score r) / ((1 - by_score) r) sum over (1 - by_score) r n others

    With by_score = 1 the loss tends to `pruning_gap`, with less to 0: choosing by a score changes the asymptote, not the exponent, 1.

    Args:
        n: examples, a number or an array. r: share that is kept. by_score: share of the kept that the score chooses; 0 prunes at random.
        c: what the model cannot fit. sigma: noise. trials: fits that are averaged. seed: of the random numbers.

    Returns:
        Mean excess loss in the shape of n.

    Raises:
        DecisionError: if a share is out of range or too few examples are left.

    Example:
        >>> prune_regression([100, 10_000], 0.2, by_score=0.0).round(4)
        array([0.0697, 0.001 ])

    References: Ayed and Hayou 2023, arXiv:2302.06960 (pruning and exact calibration); the example is ours.
    """
    sizes = np.atleast_1d(np.asarray(n))
    if not (0 < r <= 1 and 0 <= by_score <= 1) or sizes.dtype.kind not in "iu" or (sizes * r < 4).any():
        raise DecisionError("prune_regression() needs 0 < r <= 1, 0 <= by_score <= 1, and whole n of which 4 or more are kept.")
    keys = jax.random.split(jax.random.key(seed), trials)
    losses = []
    for size in sizes.ravel():
        top = round(by_score * r * size)
        losses.append(float(_excess(keys, c, sigma, int(size), top, round(r * size) - top)))
    return np.asarray(losses).reshape(np.shape(n))


@partial(jax.jit, static_argnums=(3, 4, 5))
def _excess(keys: Any, c: float, sigma: float, n: int, top: int, others: int) -> Any:
    weight = (n - top) / max(others, 1)

    def one(key: Any) -> Any:
        drawn, noise = jax.random.split(key)
        x = jax.random.normal(drawn, (n,))
        scored = jnp.zeros(n, bool)
        if top:
            scored = jnp.abs(x) >= jax.lax.top_k(jnp.abs(x), top)[0][-1]
        random = ~scored & (jnp.cumsum(~scored) <= others)  # the order of the draws is random
        w = scored + weight * random
        y = x + c * (x**3 - 3 * x) + sigma * jax.random.normal(noise, (n,))
        return (jnp.sum(w * x * y) / jnp.sum(w * x**2) - 1) ** 2

    return jnp.mean(jax.lax.map(one, keys))
