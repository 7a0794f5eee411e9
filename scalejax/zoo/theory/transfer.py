"""Infinitely wide and deep residual networks: how the covariance of two inputs changes with depth, whichever limit is first."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from ...core.laws.domains import Interval, Positive
from ...core.laws.law import law

_HAYOU = "Hayou and Yang 2023, arXiv:2302.00453; Hayou 2023, arXiv:2310.01683"
_T = Interval(0.0, 1.0)
_SIGMA = Positive(0.2, 3.0)
_STEPS = 32  # of the fourth-order Runge-Kutta method; 16 and 64 agree to 1e-7


@law(output="q", reference=_HAYOU, q_0=Positive(1e-2, 1e2), t=_T, sigma=_SIGMA)
def residual_variance(q_0, t, *, sigma):
    r"""Variance of the pre-activations of a ReLU residual network with branches scaled by 1 / sqrt(depth).

        q(t) = q_0 exp(sigma^2 t / 2),    dq / dt = sigma^2 q / 2

    Symbols: t = layer / depth; q variance at t, q_0 that of the first layer; sigma standard deviation of a weight times sqrt(width), 1 in
    the paper: Y_l = Y_(l-1) + depth^(-1/2) W_l relu(Y_(l-1)) with W of variance sigma^2 / width. At finite depth L it is exactly
    q_0 (1 + sigma^2 / (2 L))^(t L) in the limit of large width.

    Example:
        >>> from scalejax import laws
        >>> round(laws.residual_variance(1.0, 1.0, sigma=1.0), 6)
        1.648721
    """
    return q_0 * jnp.exp(0.5 * sigma**2 * t)


@law(output="correlation", reference=_HAYOU, c_0=Interval(-1.0, 1.0), t=_T, sigma=_SIGMA)
def residual_correlation(c_0, t, *, sigma):
    r"""Correlation of the pre-activations of two inputs in a ReLU residual network with branches scaled by 1 / sqrt(depth).

        dc / dt = sigma^2 (f(c) - c) / 2,    c(0) = c_0,    f(c) = (c asin(c) + sqrt(1 - c^2)) / pi + c / 2

    Symbols: t = layer / depth; c correlation of two inputs at t, c_0 that of the first layer; sigma as in `residual_variance`. All inputs
    drift together, but not into one: c(1) < 1 for c_0 < 1, however deep the network. Width and depth may go to infinity in any order; the
    error of a finite network falls with 1 / sqrt(width) and 1 / depth.

    Example:
        >>> from scalejax import laws
        >>> round(laws.residual_correlation(0.0, 1.0, sigma=1.0), 4)
        0.1413
    """
    step = sigma**2 * t / _STEPS
    c = jnp.asarray(c_0, dtype=jnp.result_type(float, c_0, t, sigma)) + 0.0 * step

    def improve(c, _):
        k1 = _drift(c)
        k2 = _drift(c + 0.5 * step * k1)
        k3 = _drift(c + 0.5 * step * k2)
        k4 = _drift(c + step * k3)
        return c + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    return jax.lax.scan(improve, c, None, length=_STEPS)[0]


@partial(jax.custom_jvp)
def _drift(c):
    """(f(c) - c) / 2, with c = cos(angle): (sin(angle) - angle cos(angle)) / (2 pi)."""
    c = jnp.clip(c, -1.0, 1.0)
    return (jnp.sqrt((1 - c) * (1 + c)) - jnp.arccos(c) * c) / (2 * jnp.pi)


@_drift.defjvp
def _drift_jvp(primals, tangents):
    # The two infinite derivatives at c = 1 and -1 cancel.
    (c,), (dc,) = primals, tangents
    return _drift(c), -_angle(c) / (2 * jnp.pi) * dc


def _angle(c):
    inside = jnp.abs(c) < 1
    return jnp.where(inside, jnp.arccos(jnp.where(inside, c, 0.0)), jnp.where(c > 0, 0.0, jnp.pi))
