"""Loss by size, data, learning rate and batch: a bowl over the two hyper-parameters whose bottom follows power laws."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.law import law
from .. import ranges
from ..scale.chinchilla import chinchilla

N_0, D_0 = 1e9, 2e10  # where lr_0 and batch_0 are the best values; far from it factors and powers could not be told apart
_POWER = Real(-1.5, 1.5)
_WIDTH = Positive(1e-2, 0.3)


@law(
    reference="our own bowl around the best values of Li et al. 2025, arXiv:2503.04715",
    N=ranges.N,
    D=ranges.D,
    lr=Positive(1e-5, 1e-1),
    batch=Positive(1e4, 1e8, unit="tokens"),
    E=ranges.E,
    A=Positive(1e1, 1e5, zero=True),
    alpha=ranges.EXPONENT,
    B=Positive(1e1, 1e5, zero=True),
    beta=ranges.EXPONENT,
    lr_0=Positive(1e-4, 1e-2),
    p_N=_POWER,
    p_D=_POWER,
    batch_0=Positive(1e5, 1e7, unit="tokens"),
    q_N=_POWER,
    q_D=_POWER,
    w_lr=_WIDTH,
    w_batch=_WIDTH,
    w_cross=Real(-0.3, 0.3),
)
def lr_batch_surface(
    N, D, lr, batch, *, E, A, alpha, B, beta, lr_0, p_N, p_D, batch_0, q_N, q_D, w_lr, w_batch, w_cross
):  # fmt: skip
    r"""Loss at any size, data, learning rate and batch; the best rate and batch are power laws of size and data.

        L = E + A N^-alpha + B D^-beta + (w_lr u + w_cross v)^2 + (w_batch v)^2
        u = ln(lr / lr*),       lr* = lr_0 (N / 1e9)^p_N (D / 2e10)^p_D
        v = ln(batch / batch*), batch* = batch_0 (N / 1e9)^q_N (D / 2e10)^q_D

    Symbols: N parameters; D tokens; lr peak learning rate; batch in tokens; L nats/token; lr_0 and batch_0 the best values at 1e9
    parameters and 2e10 tokens; the widths w in root nats: a factor e off the best rate costs w_lr^2. w_cross tilts the bowl: at
    another batch the best rate differs by u = -v w_cross / w_lr, so that it grows as batch^-(w_cross / w_lr).

    Note: the bowl is a quadratic form and holds near its bottom only. Fit runs within a few per cent of the best of their (N, D), as
    `studies.fit_lr_batch_surface` does; with `by=` and a free E for every (N, D) no form of the loss is assumed. Step Law is q_N = 0.

    Example:
        >>> from scalejax import laws
        >>> base = dict(laws.chinchilla.published["besiroglu2024"])
        >>> bowl = dict(lr_0=1e-3, p_N=-0.7, p_D=0.3, batch_0=5e5, q_N=0.0, q_D=0.6, w_lr=0.1, w_batch=0.1, w_cross=-0.05)
        >>> best, off = (laws.lr_batch_surface(1e9, 2e10, lr, 5e5, **base, **bowl) for lr in (1e-3, 2e-3))
        >>> round(off - best, 6)  # 0.01 (ln 2)^2
        0.004805
    """
    n, d = jnp.log(N / N_0), jnp.log(D / D_0)
    u = jnp.log(lr / lr_0) - p_N * n - p_D * d
    v = jnp.log(batch / batch_0) - q_N * n - q_D * d
    return chinchilla(N, D, E=E, A=A, alpha=alpha, B=B, beta=beta) + (w_lr * u + w_cross * v) ** 2 + (w_batch * v) ** 2
