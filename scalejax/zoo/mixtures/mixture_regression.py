"""Regression of a loss on training proportions: linear and quadratic; the exponential form is `data_mixing_m4`."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from ...core.laws.domains import Real, Simplex
from ...core.laws.law import law

_LIU = "Liu et al. 2024, arXiv:2407.01492"
_H = Simplex(axis="domain")
_W = Real(0.0, 10.0, axis="domain")


@law(reference=_LIU, linear=("w",), h=_H, w=_W)
def mixture_linear(h, *, w):
    r"""Loss from training proportions, linear.

        L(h) = sum_j w_j h_j

    Symbols: h shares of the domains, sum 1; w_j the loss of a model trained on domain j alone, nats/token on one target. As shares sum to
    one, a constant would be w_j + c. Its optimum is a corner: use it to rank mixtures.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> laws.mixture_linear(np.array([0.25, 0.75]), w=np.array([4.0, 2.0]))
        2.5
    """
    return jnp.sum(w * h, axis=-1)


@law(reference=_LIU, linear=("w", "q"), h=_H, w=_W, q=Real(-5.0, 5.0, axis="pair"))
def mixture_quadratic(h, *, w, q):
    r"""Loss from training proportions, quadratic.

        L(h) = sum_j w_j h_j + sum_{i<j} q_ij h_i h_j

    Symbols: q the M (M - 1) / 2 interactions in the order 12, 13, .., 1M, 23, ..: pass `sizes={"pair": M * (M - 1) // 2}` to `fit`;
    all else as in `mixture_linear`. On the simplex this is every quadratic.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> laws.mixture_quadratic(np.array([0.5, 0.5, 0.0]), w=np.array([4.0, 2.0, 1.0]), q=np.array([-2.0, 0.0, 0.0]))
        2.5
    """
    i, j = np.triu_indices(h.shape[-1], 1)
    return jnp.sum(w * h, axis=-1) + jnp.sum(q * h[..., i] * h[..., j], axis=-1)
