"""Superposition: features in fewer dimensions than there are of them, by geometry alone and trained."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.checks import check_count
from ...core.errors import DecisionError
from ...core.laws.formula import formula
from ...core.numeric.precision import double, numpy_or_jax, plain
from ...core.table import Computed

_MEAN_SQUARE = 4 / 3  # of an active feature, uniform between 0 and 2
_VALUES, _WEIGHTS = np.polynomial.legendre.leggauss(4)


@formula
def superposition_exponents(alpha: Any) -> Any:
    r"""Exponents of the loss in the width m for features of frequency i^-alpha: when few are represented (weak) and when all are (strong).

        weak: alpha - 1;    strong: 1, and up to 2 (alpha - 1) above alpha = 3/2

    Args:
        alpha: exponent of the frequencies, a number or an array.

    Returns:
        "weak", and "strong", max(1, 2 (alpha - 1)), the upper end.

    Example:
        >>> superposition_exponents(2.0)
        {'weak': 1.0, 'strong': 2.0}

    References: Liu et al. 2025, arXiv:2505.10465. Language models have 0.91 (`laws.power_law`, sets liu2025).
    """
    return {"weak": alpha - 1.0, "strong": jnp.maximum(1.0, 2 * (alpha - 1.0))}


@formula
def width_exponent(alpha_N: Any, *, power: Any = 2.52) -> Any:
    r"""Exponent of the loss in the width, from that in parameters: alpha_m = 2.52 alpha_N, for models whose parameters grow as m^2.52.

    Args:
        alpha_N: exponent in parameters. power: with which parameters grow with the width; 2.52 is the paper's, for language models.

    Returns:
        alpha_m.

    Example:
        >>> round(width_exponent(0.4, power=2.5), 9)
        1.0

    References: Liu et al. 2025, arXiv:2505.10465.
    """
    return power * alpha_N


@numpy_or_jax
def weak_superposition_loss(m: Any, *, n: int, alpha: Any) -> Any:
    r"""Loss of an autoencoder that keeps the m most frequent of n features and none of the others.

        L(m) = <v^2> sum_{i > m} p_i,    p_i = i^-alpha / sum_j j^-alpha,    <v^2> = 4/3

    For n much above m it falls as m^-(alpha - 1). A fractional m keeps a share of the next feature.

    Args:
        m: dimensions, up to n; a number or an array. n: features. alpha: exponent of their frequencies.

    Returns:
        The loss, summed over features, in the shape of m.

    Example:
        >>> weak_superposition_loss([10.0, 100.0], n=100, alpha=2.0).round(4)
        array([0.0695, 0.    ])

    References: Liu et al. 2025, arXiv:2505.10465, section 3.
    """
    i = jnp.arange(1, n + 1)
    p = jnp.exp(-alpha * jnp.log(i))
    kept = jnp.clip(jnp.asarray(m)[..., None] - i + 1, 0.0, 1.0)
    return _MEAN_SQUARE * jnp.sum((1 - kept) * p, axis=-1) / jnp.sum(p)


@numpy_or_jax
def strong_superposition_loss(m: Any, *, n: int, alpha: Any, seed: int = 0) -> Any:
    r"""Loss of an autoencoder in which all n features are random directions of m dimensions: what their overlaps add to one another.

        L(m) = <v^2> / 2 sum_i p_i sum_{j != i} (w_i w_j)^2,    |w_i| = 1,    mean of (w_i w_j)^2 = 1/m

    One feature is active at a time and the readout is relu without a bias, which passes half of the overlaps. The loss is as m^-1 whatever
    the frequencies.

    Args:
        m: dimensions, a whole number. n: features. alpha: exponent of their frequencies. seed: of the directions.

    Returns:
        The loss, summed over features.

    Example:
        >>> round(strong_superposition_loss(16, n=512, alpha=1.5) / (4 / 3 * 511 / 16 / 2), 1)
        1.0

    References: Liu et al. 2025, arXiv:2505.10465, section 3; the two simplifications are ours.
    """
    check_count("m", m, 1, DecisionError)
    w = jax.random.normal(jax.random.key(seed), (n, m), jnp.result_type(float, alpha))
    w = w / jnp.linalg.norm(w, axis=1, keepdims=True)
    p = jnp.exp(-alpha * jnp.log(jnp.arange(1, n + 1)))
    overlaps = jnp.sum((w @ w.T) ** 2, axis=1) - 1
    return 0.5 * _MEAN_SQUARE * (p @ overlaps) / jnp.sum(p)


def train_superposition(
    m: int, *, n: int = 256, alpha: Any = 1.0, weight_decay: float = -1.0, steps: int = 600, rate: float = 1e-2, seed: int = 0
) -> Computed:
    r"""Train the toy model y = relu(W W' x + b) on sparse features: decay of the weights keeps few of them, growth to norm 1 keeps all.

        x = v e_i with chance p_i as i^-alpha, v uniform between 0 and 2;    L = E |y - x|^2, by quadrature over v: no samples are drawn
        weight_decay >= 0: W <- (1 - rate decay) W;    < 0: W <- W + rate |decay| W (1 / |W_i| - 1) row by row

    Args:
        m: dimensions. n: features. alpha: exponent of their frequencies; a JAX number has derivatives through the training.
        weight_decay: sets the degree of superposition. steps, rate: of Adam, with a tenth of warm-up and cosine decay to 5 %.
        seed: of the initial W.

    Returns:
        `loss` at the end; `norms`, (n,) of the rows of W; `represented`, share of norms above 1/2; `overlap`, mean squared cosine between
        different rows, 1/m for random directions.

    Raises:
        DecisionError: if a size is not positive.

    Example:
        >>> found = train_superposition(4, n=32, steps=300)
        >>> round(found.represented, 1), bool(0.5 < 4 * found.overlap < 1.5)
        (1.0, True)

    References: Liu et al. 2025, arXiv:2505.10465; their code draws batches in which several features can be active at once. With one at a
    time, the limit of sparse data, biases remove much of the overlaps, so that the loss falls faster than 1/m.
    """
    if min(m, n, steps) < 1 or rate <= 0:
        raise DecisionError("train_superposition() needs positive m, n, steps and rate.")
    train = partial(_trained, m=m, n=n, steps=steps, decay=float(weight_decay), rate=float(rate))
    key = jax.random.key(seed)
    values = train(alpha, key) if isinstance(alpha, jax.Array) else plain(double(train)(float(alpha), key))
    return Computed(values, f"{n} features in {m} dimensions")


@partial(jax.jit, static_argnames=("m", "n", "steps", "decay", "rate"))
def _trained(alpha: Any, key: Any, *, m: int, n: int, steps: int, decay: float, rate: float) -> Any:
    p = jnp.exp(-alpha * jnp.log(jnp.arange(1, n + 1)))
    p = p / jnp.sum(p)
    one = jnp.eye(n)

    def loss(parameters: Any) -> Any:
        W, b = parameters
        gram = W @ W.T
        off = [jnp.sum((jax.nn.relu(v * gram + b) - v * one) ** 2, axis=1) for v in _VALUES + 1]
        return p @ sum(q / 2 * each for q, each in zip(_WEIGHTS, off, strict=True))

    warm = max(steps // 10, 1)

    def step(state: Any, t: Any) -> Any:
        (W, b), first, second = state
        slope = jax.grad(loss)((W, b))
        after = 0.5 * (1 + jnp.cos(jnp.pi * jnp.maximum(t - warm, 0) / max(steps - warm, 1)))
        lr = rate * jnp.where(t < warm, (t + 1) / warm, 0.05 + 0.95 * after)
        norm = jnp.linalg.norm(W, axis=1, keepdims=True)
        W = W * (1 - decay * lr) if decay >= 0 else W - decay * lr * W * (1 / (norm + 1e-8) - 1)
        first = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, first, slope)
        second = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g**2, second, slope)

        def moved(x: Any, a: Any, s: Any) -> Any:
            # The floor inside the root: the slope of sqrt at 0 is infinite.
            return x - lr * a / (1 - 0.9 ** (t + 1)) / jnp.sqrt(s / (1 - 0.999 ** (t + 1)) + 1e-16)

        return (jax.tree.map(moved, (W, b), first, second), first, second), None

    W = jax.random.normal(key, (n, m), jnp.result_type(float, alpha)) / np.sqrt(m)
    zero = (jnp.zeros_like(W), jnp.zeros(n, W.dtype))
    (parameters, _, _), _ = jax.lax.scan(step, ((W, zero[1]), zero, zero), jnp.arange(steps))
    norms = jnp.linalg.norm(parameters[0], axis=1)
    unit = parameters[0] / norms[:, None]
    overlap = (jnp.sum((unit @ unit.T) ** 2) - n) / (n * (n - 1))
    return {"loss": loss(parameters), "norms": norms, "represented": jnp.mean(norms > 0.5), "overlap": overlap}
