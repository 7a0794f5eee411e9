"""The noise of gradients: its scale from two batches, batches that follow it, and the critical batch in its two definitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from ...core.errors import DataError, DecisionError
from ...core.numeric.precision import numpy_or_jax
from ...core.numeric.roots import root
from ...core.table import Shown


@dataclass(frozen=True, eq=False, repr=False)
class NoiseScale(Shown):
    """Gradient noise from two batches; see `gradient_noise_scale`.

    Attributes:
        B_simple: tr(Sigma) / |G|^2, in the unit of the batches: the simple noise scale.
        trace: tr(Sigma), variance of the gradient of one example. squared_norm: |G|^2 of the true gradient.
    """

    B_simple: float
    trace: float
    squared_norm: float


def gradient_noise_scale(squared_small: Any, squared_big: Any, *, B_small: float, B_big: float) -> NoiseScale:
    r"""Noise scale of the gradient from its squared norms at two batch sizes, without bias in numerator and denominator.

        |G|^2 = (B_big |g_big|^2 - B_small |g_small|^2) / (B_big - B_small)
        tr(Sigma) = (|g_small|^2 - |g_big|^2) / (1 / B_small - 1 / B_big),    B_simple = <tr(Sigma)> / <|G|^2>

    Args:
        squared_small, squared_big: squared norms of gradients averaged over B_small and B_big examples: numbers, or arrays of many steps,
            whose means are taken first, as the ratio of two noisy numbers is biased.
        B_small, B_big: batches in examples or tokens, such as the batch of one worker and of all.

    Returns:
        NoiseScale with `.B_simple`, `.trace`, `.squared_norm`.

    Raises:
        DataError: if the batches are not 0 < B_small < B_big, norms are not positive, or their noise hides the gradient.

    Example:
        >>> from scalejax.studies import gradient_noise_scale
        >>> round(gradient_noise_scale(1 + 500 / 100, 1 + 500 / 1000, B_small=100, B_big=1000).B_simple, 6)
        500.0

    References: McCandlish et al. 2018, arXiv:1812.06162, appendix A.1.
    """
    if not 0 < B_small < B_big:
        raise DataError(f"gradient_noise_scale() needs 0 < B_small < B_big, got {B_small!r} and {B_big!r}.")
    means = [float(np.mean(np.asarray(v, dtype=float))) for v in (squared_small, squared_big)]
    if not (np.isfinite(means).all() and min(means) > 0):
        raise DataError("gradient_noise_scale() needs squared norms of gradients: positive numbers.")
    small, big = means
    squared_norm = (B_big * big - B_small * small) / (B_big - B_small)
    trace = (small - big) / (1 / B_small - 1 / B_big)
    if squared_norm <= 0 or trace < 0:
        raise DataError(
            f"These norms give |G|^2 = {squared_norm:.3g} and tr(Sigma) = {trace:.3g}, which must be positive: average over more steps, or "
            "take batches farther apart."
        )
    return NoiseScale(trace / squared_norm, trace, squared_norm)


def quadratic_noise_scale(G: Any, H: Any, Sigma: Any) -> tuple[float, float]:
    r"""Noise scales (B_noise, B_simple) from gradient, Hessian and gradient covariance, for small problems where these are known.

        B_noise = tr(H Sigma) / (G' H G),    B_simple = tr(Sigma) / |G|^2

    Args:
        G: (p,) gradient. H: (p, p) Hessian. Sigma: (p, p) covariance of the gradient of one example.

    Raises:
        DataError: if the shapes do not fit, or G'H G is not positive.

    Example:
        >>> import numpy as np
        >>> quadratic_noise_scale([1.0, 1.0], np.eye(2), 50 * np.eye(2))  # equal where H is a multiple of the unit matrix
        (50.0, 50.0)

    References: McCandlish et al. 2018, arXiv:1812.06162, eqs. 2.8 and 2.9.
    """
    G, H, Sigma = (np.asarray(v, dtype=float) for v in (G, H, Sigma))
    if G.ndim != 1 or H.shape != (len(G), len(G)) or Sigma.shape != H.shape:
        raise DataError(f"G, H and Sigma must have the shapes (p,), (p, p) and (p, p), got {G.shape}, {H.shape} and {Sigma.shape}.")
    bend = float(G @ H @ G)
    if not bend > 0:
        raise DataError("G'H G must be positive: no step along the gradient has a best length otherwise.")
    return float(np.trace(H @ Sigma)) / bend, float(np.trace(Sigma) / (G @ G))


@dataclass(frozen=True, eq=False, repr=False)
class AdaptiveGain(Shown):
    """What batches that follow the noise scale gain; see `adaptive_batch`.

    Attributes:
        B: best batch at every point of the run. steps, examples: totals with these batches.
        S_min, E_min: fewest steps (batches without limit) and fewest examples (smallest batches).
        gamma: (steps / S_min - 1) (examples / E_min - 1), at most 1; 1 where nothing can be gained.
    """

    B: np.ndarray
    steps: float
    examples: float
    S_min: float
    E_min: float
    gamma: float


def adaptive_batch(s: Any, B_noise: Any, *, rho: float) -> AdaptiveGain:
    r"""The batch schedule that spends steps and examples best as the noise scale grows during a run.

        dS = (1 + B_noise / B) ds,  dE = (B + B_noise) ds;    least E + rho S:  B(s) = sqrt(rho B_noise(s))
        (S / S_min - 1) (E / E_min - 1) = gamma = (int sqrt(B_noise) ds)^2 / (int ds  int B_noise ds) <= 1

    Args:
        s: (n,) rising: steps that the run would take without noise.
        B_noise: (n,) noise scale there.
        rho: examples that one step is worth.

    Returns:
        AdaptiveGain: `.gamma` below 1 is the gain over any constant batch, for which the product is 1. Integrals are by trapezoids.

    Raises:
        DataError: if s does not rise, or the noise scale or rho is not positive.

    Example:
        >>> from scalejax.studies import adaptive_batch
        >>> round(adaptive_batch([0.0, 1.0, 2.0], [1e3, 1e4, 1e5], rho=1e4).gamma, 3)
        0.62

    References: McCandlish et al. 2018, arXiv:1812.06162, appendix D (the product derived anew).
    """
    s, B_noise = (np.asarray(v, dtype=float) for v in (s, B_noise))
    if s.ndim != 1 or s.shape != B_noise.shape or len(s) < 2 or not (np.diff(s) > 0).all():
        raise DataError("adaptive_batch() needs s and B_noise of one length, at least 2, with s rising.")
    if not ((B_noise > 0).all() and np.isfinite(B_noise).all() and rho > 0):
        raise DataError("adaptive_batch() needs positive noise scales and a positive rho.")

    def integral(y: np.ndarray) -> float:
        return float((0.5 * (y[1:] + y[:-1]) * np.diff(s)).sum())

    S_min, E_min, middle = integral(np.ones_like(s)), integral(B_noise), integral(np.sqrt(B_noise))
    steps, examples = S_min + middle / np.sqrt(rho), E_min + middle * np.sqrt(rho)
    return AdaptiveGain(
        B=np.sqrt(rho * B_noise), steps=float(steps), examples=float(examples), S_min=S_min, E_min=E_min, gamma=middle**2 / (S_min * E_min)
    )


@numpy_or_jax
def critical_batch_balance(a: Any, b: Any, alpha: Any = 1.0) -> Any:
    r"""Critical batch at which a target takes twice the fewest steps.

        Y(B) = a + b B^-alpha = 2 a:    B_crit = (b / a)^(1 / alpha)

    For alpha = 1 it is E_min / S_min, where the examples are twice their fewest as well.

    Args:
        a, b, alpha: of `laws.steps_to_target`; arrays broadcast. JAX arrays can be differentiated.

    Example:
        >>> round(critical_batch_balance(1e3, 1e6), 6)
        1000.0

    References: McCandlish et al. 2018, arXiv:1812.06162.
    """
    return jnp.exp((jnp.log(b) - jnp.log(a)) / alpha)


@numpy_or_jax
def critical_batch_overhead(a: Any, b: Any, alpha: Any = 1.0, *, B_0: Any = 256.0, overhead: float = 0.2) -> Any:
    r"""Critical batch at which a target takes 20 % more examples than at a small reference batch.

        B Y(B) = (1 + overhead) B_0 Y(B_0),  Y(B) = a + b B^-alpha;    alpha = 1:  B = 1.2 B_0 + b / (5 a)

    Args:
        a, b, alpha: of `laws.steps_to_target`; arrays broadcast. JAX arrays can be differentiated.
        B_0: reference batch, 256 in the paper. overhead: share of additional examples.

    Returns:
        The batch, in the unit of B_0. It is smaller than `critical_batch_balance`, by factors of 3 to 4.4 in the paper's runs.

    Raises:
        DecisionError: if the overhead is not positive.

    Note: B Y(B) must grow with B from B_0 on, which it does for alpha <= 1; for alpha > 1 the larger root is meant.

    Example:
        >>> round(critical_batch_overhead(1e3, 1e6), 6)  # 1.2 * 256 + 1e6 / 5e3
        507.2

    References: Zhang et al. 2024, arXiv:2410.21676.
    """
    if not overhead > 0:
        raise DecisionError(f"overhead={overhead!r} must be positive: a share of additional examples, such as 0.2.")
    a, b, alpha, B_0 = (jnp.asarray(v, dtype=float) for v in (a, b, alpha, B_0))
    target = (1 + overhead) * (a * B_0 + b * B_0 ** (1 - alpha))
    # a B <= target bounds the root above. For alpha > 1 the least of a B + b B^(1 - alpha) lies below the larger root.
    least = jnp.where(alpha > 1, (jnp.maximum(alpha - 1, 1e-30) * b / a) ** (1 / alpha), B_0)
    low, high = jnp.log(jnp.maximum(B_0, least)), jnp.log(target / a)
    return jnp.exp(root(_examples, low, jnp.maximum(high, low), a, b, alpha, target))


def _examples(log_B: Any, a: Any, b: Any, alpha: Any, target: Any) -> Any:
    return jnp.log(a * jnp.exp(log_B) + b * jnp.exp((1 - alpha) * log_B)) - jnp.log(target)
