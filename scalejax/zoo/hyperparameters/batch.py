"""Batch and learning rate: gradient noise, steps to a target, critical batches, and the loss at a finite batch."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Interval, Positive
from ...core.laws.law import Published, law
from ...core.numeric.powers import power, softplus
from ...core.numeric.roots import root
from .. import ranges
from ..scale.chinchilla import chinchilla

_MCCANDLISH = "McCandlish et al. 2018, arXiv:1812.06162"
_ZHANG = "Zhang et al. 2024, arXiv:2410.21676"
_B = Positive(1.0, 1e7, unit="examples or tokens")
_B_NOISE = Positive(1e1, 1e7, unit="as B")
_ETA = Positive(1e-5, 1.0)


@law(output="lr", reference=f"{_MCCANDLISH}, eq. 2.6 and appendix C", linear=("eta_max",), B=_B, eta_max=_ETA, B_noise=_B_NOISE,
     a=Positive(0.3, 1.2))  # fmt: skip
def noise_lr(B, *, eta_max, B_noise, a):
    r"""Best learning rate at a batch, limited by the noise of the gradient.

        eta(B) = eta_max / (1 + B_noise / B)^a

    Symbols: B batch and B_noise noise scale, in one unit; eta learning rate; eta_max that of the full gradient. a = 1 is plain SGD at zero
    temperature: pass `fix={"a": 1.0}`. At finite temperature B_noise is a fitted B_star; a is near 0.5 for Adam and RMSProp.

    Note: with a = 1 it is also the two-parameter form eta_inf / (1 + B_0 / B) for the largest stable rate of Granziol et al.; see
    `max_stable_lr` for their full formula.

    Example:
        >>> from scalejax import laws
        >>> laws.noise_lr(1e3, eta_max=0.1, B_noise=1e3, a=1.0)
        0.05
    """
    return eta_max * jnp.exp(-a * jnp.log1p(B_noise / B))


@law(output="dL", reference=f"{_MCCANDLISH}, eq. 2.7", linear=("dL_max",), B=_B, dL_max=Positive(1e-6, 1.0), B_noise=_B_NOISE)
def noise_progress(B, *, dL_max, B_noise):
    r"""Fall of the loss in one step at the best learning rate, limited by the noise of the gradient.

        dL(B) = dL_max / (1 + B_noise / B)

    Symbols: B batch and B_noise noise scale, in one unit; dL fall of the loss in one step. Half of dL_max is reached at B = B_noise: that
    batch takes twice the fewest steps, and twice the fewest examples.

    Example:
        >>> from scalejax import laws
        >>> laws.noise_progress(500.0, dL_max=0.01, B_noise=500.0)
        0.005
    """
    return noise_lr(B, eta_max=dL_max, B_noise=B_noise, a=1.0)


@law(output="lr", reference="Li et al. 2024, arXiv:2405.14578", linear=("eta_max",), B=_B, eta_max=_ETA, B_noise=_B_NOISE)
def surge_lr(B, *, eta_max, B_noise):
    r"""Best learning rate of Adam and other sign-like optimisers: it rises with the batch, then falls.

        eta(B) = eta_max / ( (sqrt(B_noise / B) + sqrt(B / B_noise)) / 2 ) = eta_max sech( ln(B / B_noise) / 2 )

    Symbols: B batch and B_noise noise scale, in one unit; eta_max the largest best rate, at B = B_noise. Small batches follow the square
    root, 2 eta_max sqrt(B / B_noise).

    Note: B_noise is also the critical batch of `steps_to_loss`, which may be fitted first and passed in `fix=`. For very large batches the
    paper expects a plateau instead of a fall to 0; it is outside this formula.

    Example:
        >>> from scalejax import laws
        >>> round(laws.surge_lr(4e3, eta_max=1e-3, B_noise=1e3), 9)
        0.0008
    """
    return eta_max / jnp.cosh(0.5 * (jnp.log(B) - jnp.log(B_noise)))


@law(
    output="Y",
    reference=_ZHANG,
    linear=("a", "b"),
    B=Positive(1e1, 1e5, unit="sequences"),
    a=Positive(1e2, 1e5, unit="optimiser steps"),
    b=Positive(1e4, 1e9),
    alpha=Positive(0.5, 1.5),
)
def steps_to_target(B, *, a, b, alpha):
    r"""Optimiser steps to a target loss at any batch, with a free power of the batch.

        Y(B) = a + b B^-alpha

    Symbols: B sequences (or tokens) of a batch; Y optimiser steps; a the fewest steps. With alpha = 1, as in the authors' fit, it is
    `steps_to_loss` with a = S_min and b = E_min. `studies.critical_batch_overhead` and `critical_batch_balance` turn a, b and alpha into
    the two critical batches in use, which differ by factors.

    Example:
        >>> from scalejax import laws
        >>> round(laws.steps_to_target(1e3, a=1e3, b=1e6, alpha=1.0), 6)
        2000.0
    """
    return a + b * power(B, -alpha)


@law(
    output="B_crit",
    reference=f"{_ZHANG}; Bergsma et al. 2025, arXiv:2505.13738",
    linear=("c", "d"),
    x=Positive(1.0, 1e12, unit="parameters or tokens"),
    c=Positive(1.0, 1e4, zero=True),
    d=Positive(1e-2, 1e3),
    beta=Positive(0.1, 1.0),
    published={
        "zhang2024_params": Published(
            {"c": 0.0, "d": 93.2, "beta": 0.468},
            "x in millions of parameters, 85M to 1.2B at 20 tokens a parameter; sequences of 512 tokens; 20 % overhead over batch 256",
            "hlzhang109/critical-batch-size, plots/chinchilla.ipynb", "verified",
        ),
        "zhang2024_params_linear": Published(
            {"c": 0.0, "d": 99.51, "beta": 0.458}, "the same five points, least squares without logarithms", "the same notebook", "printed"
        ),
        "zhang2024_tokens": Published(
            {"c": 0.0, "d": 22.91, "beta": 0.47}, "x in billions of tokens; sequences of 512 tokens", _ZHANG, "recalled"
        ),
        "power_lines": Published(
            {"c": 0.0, "d": 0.0471, "beta": 0.462},
            "x the fewest tokens D_min; sequences of 2,048 tokens; half the best efficiency, b / a of `steps_to_target`",
            "arXiv:2505.13738, figure 1; the exponent is traced, the factor is not", "recalled",
        ),
    },
)  # fmt: skip
def critical_batch_growth(x, *, c, d, beta):
    r"""Growth of the critical batch with size or data.

        B_crit(x) = c + d x^beta

    Symbols: x parameters or tokens in the unit of the published set; B_crit sequences. c = 0 is preferred.

    Note: Zhang et al. call critical the batch with 20 % overhead, Bergsma et al. that with 100 %: the sets are not to be mixed. At fixed
    tokens the critical batch hardly depends on the size.

    Example:
        >>> from scalejax import laws
        >>> round(laws.critical_batch_growth(302.0, **laws.critical_batch_growth.published["zhang2024_params"]))
        1349
    """
    return c + d * power(x, beta)


@law(
    output="lr",
    reference="Granziol et al. 2020, arXiv:2006.09092",
    B=Positive(1.0, 1e5, unit="examples"),
    P=Positive(1e2, 1e9, unit="parameters"),
    n=Positive(1e3, 1e9, unit="examples"),
    lam=Positive(1e-1, 1e3),
    sigma=Positive(1e-4, 1e1),
)
def max_stable_lr(B, P, n, *, lam, sigma):
    r"""Largest stable learning rate of SGD from the random-matrix noise in the Hessian of a batch.

        eta(B) = 2 / lam',    lam' = lam + v / lam   if lam^2 > v,   else 2 sqrt(v),    v = P sigma^2 / b,    1 / b = 1 / B - 1 / n

    Symbols: B batch; P parameters; n training examples; lam the largest eigenvalue of the full Hessian; sigma noise of a Hessian entry for
    one example; lam' the largest eigenvalue that a batch shows: the outlier of a spiked random matrix, or the edge of its bulk. For
    b >> P sigma^2 / lam^2 the rate saturates at 2 / lam. Adaptive methods with small damping follow its square root, eta ~ sqrt(B).

    Note: the linear rule eta ~ B keeps the outlier's formula for small batches, where lam' = v / lam; by the formula itself the outlier is
    then within the bulk, and d ln eta / d ln B never exceeds 1/2. `noise_lr` with a = 1, eta_max = 2 / lam and B_noise = P sigma^2 / lam^2
    is the linear rule.

    Example:
        >>> from scalejax import laws
        >>> round(laws.max_stable_lr(100.0, 1e4, 1e12, lam=20.0, sigma=1.0), 6)  # lam' = 20 + 100 / 20
        0.08
    """
    v = P * sigma**2 * jnp.maximum(1 / B - 1 / n, 0.0)
    apart = lam**2 > v
    return 2 / jnp.where(apart, lam + v / lam, 2 * jnp.sqrt(jnp.where(apart, 1.0, v)))


@law(
    reference="Bergsma et al. 2025, arXiv:2505.13738",
    N=ranges.N,
    D=ranges.D,
    batch=Positive(1e4, 1e8, unit="tokens"),
    E=ranges.E,
    A=Positive(1e1, 1e5),
    alpha=ranges.EXPONENT,
    B=Positive(1e1, 1e5),
    beta=ranges.EXPONENT,
    c_c=Positive(1e0, 1e4),
    m_c=Interval(0.05, 0.95),
)
def chinchilla_batch(N, D, batch, *, E, A, alpha, B, beta, c_c, m_c):
    r"""Chinchilla's loss at a finite batch: a large batch wastes tokens, the more the fewer there are.

        L = E + A N^-alpha + B D_min^-beta,    D_min (1 + batch / B_crit) = D,    B_crit = c_c D_min^m_c

    Symbols: N parameters; D tokens; batch in tokens; D_min the tokens that would do at a small batch; B_crit critical batch in tokens;
    L nats/token. The other symbols as in `chinchilla`, which it is for small batches. With the time N D / batch
    as a cost, `sj.pareto(..., against=time, compute=1e21, bounds={"batch": (1e4, 1e9)})` gives the best compromises of loss and time.

    Note: D_min is defined implicitly. m_c is below 1, so that there is exactly one.

    Example:
        >>> from scalejax import laws
        >>> constants = dict(laws.chinchilla.published["besiroglu2024"], c_c=96.5, m_c=0.462)
        >>> round(laws.chinchilla_batch(1e9, 2e10, 1e6, **constants), 4)
        2.5541
    """
    log_D, log_B, log_c = jnp.log(D), jnp.log(batch), jnp.log(c_c)
    # softplus(z) is at most log 2 + max(z, 0), which gives the lower end of the bracket.
    low = jnp.minimum(log_D, (log_D - log_B + log_c) / (1 - m_c)) - jnp.log(2.0) / (1 - m_c)
    log_D_min = root(_wasted, low, log_D, log_D, log_B, log_c, m_c)
    return chinchilla(N, jnp.exp(log_D_min), E=E, A=A, alpha=alpha, B=B, beta=beta)


def _wasted(log_D_min, log_D, log_B, log_c, m_c):
    return log_D_min + softplus(log_B - log_c - m_c * log_D_min) - log_D
