"""One-pass SGD on power-law random features: simulated step by step, in the limit of large sizes, and at its best size for a budget."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ...core.checks import check_count
from ...core.errors import DecisionError
from ...core.laws.formula import require
from ...core.numeric.precision import numpy_or_jax
from ...core.numeric.spectra import effective_ridge, from_laplace, modes
from ...zoo.theory.features import plrf_exponents

_SIZES = 64  # sizes that are tried for a budget
_REACH = 0.2  # how far from the predicted exponent of the best size they lie


def plrf_phase(alpha: float, beta: float) -> str:
    r"""Phase of the plane of data and target complexity: which two terms of the loss meet at the best size.

        Ia, Ib, Ic   F_pp = F_0     beta < 1/2 with alpha above (Ia) or below 1/2 (Ib); beta > 1/2 with alpha < 1/4 (Ic)
        II           F_pp = F_ac    1/2 < beta < alpha
        III          K_pp = F_ac    alpha > 1/2, beta > alpha
        IVa, IVb     K_pp = F_0 or F_pp = K_pp    1/4 < alpha < 1/2 < beta, above or below 1 - 1/sqrt(2) = 0.293

    Args:
        alpha, beta: exponents of data and target, with alpha + beta > 1/2.

    Returns:
        "Ia", "Ib", "Ic", "II", "III", "IVa" or "IVb".

    Raises:
        DecisionError: if alpha + beta is not above 1/2: the target would have no finite loss.

    Example:
        >>> plrf_phase(0.7, 0.3), plrf_phase(0.7, 0.6), plrf_phase(0.7, 0.9)
        ('Ia', 'II', 'III')

    References: Paquette et al. 2024, arXiv:2405.15074. Exponents: `sj.formulas.plrf_exponents`.
    """
    if not (alpha > 0 and alpha + beta > 0.5):
        raise DecisionError(f"alpha={alpha!r}, beta={beta!r}: alpha must be positive and alpha + beta above 1/2.")
    if alpha > 0.5:
        return "Ia" if beta < 0.5 else "II" if beta < alpha else "III"
    if beta < 0.5:
        return "Ib"
    return "Ic" if alpha < 0.25 else "IVb" if alpha < 1 - 0.5**0.5 else "IVa"


@numpy_or_jax
def plrf_loss(r: Any, d: Any, *, alpha: Any, beta: Any, ratio: Any = 4.0, kernel_norm: Any = 0.25, B: Any = 1.0) -> Any:
    r"""Loss after r steps of one-pass SGD on d random features, in the limit of large d: the Volterra equation solved by its transform.

        P(r) = F(r) + int_0^r K(r - s) P(s) ds
        F(r) = int exp(-2 gamma B sigma r) mu_F(d sigma),    K(r) = gamma^2 B int sigma^2 exp(-2 gamma B sigma r) mu_K(d sigma)

    with the spectral measures mu of the features' covariance by their deterministic equivalent, so that sizes and steps may be as large as
    one likes. A step is taken as a short time: gamma B sigma must be small for the modes that still matter at r.

    Args:
        r: steps, positive. d: features; they broadcast, with the parameters too.
        alpha, beta: exponents of data, x_j ~ j^-alpha, and target, b_j = j^-beta.
        ratio: ambient dimension v = ratio d.
        kernel_norm: gamma sum_j j^(-2 alpha) / 2, below 1 for a stable rate gamma; it makes gamma ~ d^(2 alpha - 1) for alpha < 1/2.
        B: examples a step, over which gradients are summed.

    Returns:
        Losses in the common shape; differentiable in everything.

    Raises:
        DecisionError: if r or d is not positive, or JAX arrays come in single precision.

    Example:
        >>> f"{plrf_loss(1e6, 1e4, alpha=1.0, beta=0.7):.3g}"
        '5.6e-07'

    References: Paquette et al. 2024, arXiv:2405.15074, sections 2 and 3.
    """
    given = [jnp.asarray(value, float) for value in (r, d, alpha, beta, ratio, kernel_norm, B)]
    require((given[0] > 0) & (given[1] > 0), "plrf_loss() needs positive steps r and features d.")
    return _losses(*given)


@jax.jit
@partial(jnp.vectorize, signature="(),(),(),(),(),(),()->()")
def _losses(r, d, alpha, beta, ratio, kernel_norm, B):
    j, weight = modes(ratio * d)
    spectrum = jnp.exp(-2 * alpha * jnp.log(j))
    target = spectrum * jnp.exp(-2 * beta * jnp.log(j))
    trace = jnp.sum(weight * spectrum)
    gamma = 2 * kernel_norm / trace

    def transform(z: Any) -> Any:
        ridge = z / (2 * gamma * B)
        kappa = effective_ridge(ridge, d, spectrum, weight)
        forcing = jnp.sum(weight * target * kappa[:, None] / (spectrum + kappa[:, None]), axis=-1) / z
        kernel = 0.5 * gamma * (trace - ridge * d * (1 - ridge / kappa))
        return forcing / (1 - kernel)

    return from_laplace(transform, r)


@numpy_or_jax
def plrf_optimum(f: Any, *, alpha: Any, beta: Any, ratio: Any = 4.0, kernel_norm: Any = 0.25, B: Any = 1.0) -> dict[str, Any]:
    r"""Size of least loss for a budget f = d r B, from `plrf_loss` at many sizes and a parabola through the lowest three.

    Args:
        f: budgets, a number or (n,). Others as in `plrf_loss`, numbers.

    Returns:
        "d", the best sizes, and "loss", the least losses, in the shape of f: over budgets d ~ f^xi and loss ~ f^-eta.

    Example:
        >>> import numpy as np
        >>> best = plrf_optimum(np.array([1e12, 1e14]), alpha=1.0, beta=0.7)
        >>> round(float(-np.diff(np.log(best["loss"]))[0] / np.log(100)), 2)  # 12/17 = 0.706
        0.71

    References: Paquette et al. 2024, arXiv:2405.15074, section 4.
    """
    f = jnp.asarray(f, float)
    xi = plrf_exponents(jnp.asarray(alpha), jnp.asarray(beta))["xi"]
    powers = jnp.linspace(jnp.maximum(xi - _REACH, 0.05), jnp.minimum(xi + _REACH, 0.95), _SIZES)
    logs = jnp.log(f)[..., None] * powers
    d = jnp.exp(logs)
    losses = jnp.log(plrf_loss(f[..., None] / (d * B), d, alpha=alpha, beta=beta, ratio=ratio, kernel_norm=kernel_norm, B=B))
    place = jnp.clip(jnp.argmin(losses, axis=-1), 1, _SIZES - 2)[..., None]
    left, middle, right = (jnp.take_along_axis(losses, place + i, axis=-1)[..., 0] for i in (-1, 0, 1))
    width, bend = logs[..., 1] - logs[..., 0], left - 2 * middle + right
    shift = 0.5 * (left - right) / bend
    size = jnp.take_along_axis(logs, place, axis=-1)[..., 0] + shift * width
    return {"d": jnp.exp(size), "loss": jnp.exp(middle - 0.25 * (left - right) * shift)}


@numpy_or_jax
def simulate_plrf(
    alpha: Any, beta: Any, *, d: int, v: int, steps: int, kernel_norm: Any = 0.25, B: int = 1, runs: int = 1, seed: int = 0
) -> Any:
    r"""Losses of one-pass SGD on power-law random features, run step by step.

        theta <- theta - gamma sum_{i <= B} W^T x_i (x_i . (W theta - b)),    x_j = j^-alpha z_j,  b_j = j^-beta,  W_ij ~ N(0, 1/d)
        P = sum_j j^(-2 alpha) (W theta - b)_j^2

    Args:
        alpha, beta: exponents of data and target, one for all runs or (runs,).
        d, v: features and ambient dimension. steps: of SGD.
        kernel_norm: gamma sum_j j^(-2 alpha) / 2, one or (runs,).
        B: fresh examples a step. runs: simulations with features and data of their own. seed: of all of them.

    Returns:
        (runs, steps + 1) losses before the first step and after each; differentiable in the exponents and the rate.

    Example:
        >>> losses = simulate_plrf(1.0, 0.7, d=20, v=80, steps=200, runs=3)
        >>> losses.shape, bool((losses[:, -1] < 0.1 * losses[:, 0]).all())
        ((3, 201), True)

    References: Paquette et al. 2024, arXiv:2405.15074, section 1.1.
    """
    for name, value in {"d": d, "v": v, "steps": steps, "B": B, "runs": runs}.items():
        check_count(name, value, 1, DecisionError)
    given = [jnp.broadcast_to(jnp.asarray(value, float), (runs,)) for value in (alpha, beta, kernel_norm)]
    return _sgd(jax.random.split(jax.random.key(seed), runs), *given, d=d, v=v, steps=steps, B=B)


@partial(jax.jit, static_argnames=("d", "v", "steps", "B"))
def _sgd(keys, alpha, beta, kernel_norm, *, d, v, steps, B):
    def one(key, alpha, beta, kernel_norm):
        logs = jnp.log(jnp.arange(1.0, v + 1))
        scale, target = jnp.exp(-alpha * logs), jnp.exp(-beta * logs)
        gamma = 2 * kernel_norm / jnp.sum(scale**2)
        of_features, of_data = jax.random.split(key)
        W = jax.random.normal(of_features, (v, d), scale.dtype) / jnp.sqrt(d)

        def step(theta, key):
            missed = scale * (W @ theta - target)
            z = jax.random.normal(key, (B, v), scale.dtype)
            return theta - gamma * W.T @ (scale * (z.T @ (z @ missed))), jnp.sum(missed**2)

        theta, losses = jax.lax.scan(step, jnp.zeros(d, scale.dtype), jax.random.split(of_data, steps))
        return jnp.append(losses, jnp.sum((scale * (W @ theta - target)) ** 2))

    return jax.vmap(one)(keys, alpha, beta, kernel_norm)
