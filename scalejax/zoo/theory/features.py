"""Random features with power-law spectra: bottlenecks of time, size and data, and the exponents that follow from them."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Interval, Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.numeric.powers import power

_BORDELON = "Bordelon et al. 2024, arXiv:2402.01092, section 4"
_FACTOR = Positive(0.1, 10.0)


@law(
    reference=_BORDELON,
    linear=("A_t", "A_N", "A_P"),
    t=Positive(10.0, 1e6, unit="steps"),
    N=Positive(10.0, 1e5, unit="features"),
    P=Positive(10.0, 1e5, unit="samples"),
    a=Interval(1.05, 3.0),
    b=Interval(1.05, 3.0),
    A_t=_FACTOR,
    A_N=_FACTOR,
    A_P=_FACTOR,
)
def bottlenecks(t, N, P, *, a, b, A_t, A_N, A_P):
    r"""Loss of random features trained by gradient flow, as the sum of what time, size and data each leave unlearned.

        L(t, N, P) = A_t t^(-(a - 1) / b) + A_N N^-min(a - 1, b) + A_P P^-min(a - 1, 2 b)

    Symbols: t training time in units of the rate of the first mode (steps times learning rate); N random features; P samples; spectrum
    lambda_k = k^-b and target lambda_k w_k^2 = k^-a, so that the modes from k on hold a loss of k^-(a - 1); A factors of order one. Two of
    the three exponents give a and b: a - 1 is that of N or P, b its ratio to that of t, where a - 1 < b.

    Note: an asymptotic sum, without what happens where bottlenecks meet; with both, `papers.flow_loss` and `papers.simulate_flow`. The
    paper prints min(a - 1, 2 b) for N too. The best predictor on N random features leaves sum_k k^-a kappa / (lambda_k + kappa) with
    kappa ~ N^-b, whose power is min(a - 1, b): it is the same for all targets with a - 1 < b, those of the paper's examples included.

    Example:
        >>> from scalejax import laws
        >>> round(laws.bottlenecks(1e4, 100.0, 1e4, a=1.5, b=2.0, A_t=1.0, A_N=1.0, A_P=1.0), 6)
        0.21
    """
    hard = a - 1
    by_size, by_data = jnp.minimum(hard, b), jnp.minimum(hard, 2 * b)
    return A_t * power(t, -hard / b) + A_N * power(N, -by_size) + A_P * power(P, -by_data)


@formula
def bottleneck_exponents(a, b):
    r"""Exponents of the bottlenecks of time, size and data, and of the best use of a compute budget C = N t.

        alpha_t = (a - 1) / b,    alpha_N = min(a - 1, b),    alpha_P = min(a - 1, 2 b)
        L ~ C^-(alpha_t alpha_N / (alpha_t + alpha_N)),    N ~ C^(alpha_t / (alpha_t + alpha_N)),    t ~ C^(alpha_N / (alpha_t + alpha_N))

    Args:
        a, b: exponents of `laws.bottlenecks`, above 1 and above 0.

    Returns:
        "t", "N", "P", exponents by which the loss falls; "compute", that of the least loss; "size" and "steps", by which N and t grow with
        C. For a - 1 < b: 1 / (1 + b) and b / (1 + b), so that steps grow faster than parameters.

    Raises:
        DecisionError: if a is not above 1 or b not positive.

    Example:
        >>> import scalejax as sj
        >>> {name: round(v, 3) for name, v in sj.formulas.bottleneck_exponents(1.15, b=2.0).items()}
        {'t': 0.075, 'N': 0.15, 'P': 0.15, 'compute': 0.05, 'size': 0.333, 'steps': 0.667}

    References: Bordelon et al. 2024, arXiv:2402.01092, section 4; on alpha_N see the note of `laws.bottlenecks`.
    """
    require((a > 1) & (b > 0), "The exponents need a > 1 and b > 0.")
    time, size, data = (a - 1) / b, jnp.minimum(a - 1, b), jnp.minimum(a - 1, 2 * b)
    both = time + size
    return {"t": time, "N": size, "P": data, "compute": time * size / both, "size": time / both, "steps": size / both}


@formula
def plrf_exponents(alpha, beta):
    r"""Compute-optimal exponents of one-pass SGD on power-law random features: d ~ f^xi, loss ~ f^-eta for f = d steps.

        Ia   alpha > 1/2 > beta           xi = 1 / (2 alpha + 1)               eta = s / (2 alpha + 1)
        Ib   alpha, beta < 1/2            xi = 1/2                             eta = s / 2
        Ic   alpha < 1/4, beta > 1/2      xi = s / (2 q)                       eta = alpha s / q
        II   alpha > beta > 1/2           xi = beta / (alpha + beta)           eta = s / (2 (alpha + beta))
        III  alpha > 1/2, beta > alpha    xi = 1/2                             eta = 1 - 1 / (4 alpha)
        IVa  u < 0, beta > 1/2            xi = 1/2                             eta = alpha
        IVb  u > 0, alpha > 1/4           xi = (beta - alpha) / p              eta = (1 - 2 alpha) s / (2 p)
        s = 2 alpha + 2 beta - 1,  q = 3 alpha + 2 beta - 2 alpha beta - 1,  p = 2 beta - alpha - 2 alpha beta,  u = 1 - 4 alpha + 2 alpha^2

    Args:
        alpha, beta: exponents of data, x_j ~ j^-alpha, and target, b_j = j^-beta, with alpha > 0 and alpha + beta > 1/2.

    Returns:
        "xi" and "eta".

    Raises:
        DecisionError: if alpha is not positive, or alpha + beta not above 1/2.

    Example:
        >>> import scalejax as sj
        >>> sj.formulas.plrf_exponents(0.75, beta=1.0)
        {'xi': 0.5, 'eta': 0.6666666666666667}

    References: Paquette et al. 2024, arXiv:2405.15074, table 2; each line equates two terms of the loss. Names: `papers.plrf_phase`.
    """
    require((alpha > 0) & (alpha + beta > 0.5), "The exponents need alpha > 0 and alpha + beta > 1/2.")
    s, q, p = 2 * alpha + 2 * beta - 1, 3 * alpha + 2 * beta - 2 * alpha * beta - 1, 2 * beta - alpha - 2 * alpha * beta
    easy = beta > 0.5
    steep = alpha > 0.5
    where = [
        steep & ~easy,
        ~steep & ~easy,
        easy & (alpha <= 0.25),
        steep & easy & (beta < alpha),
        steep & easy,
        ~steep & easy & (1 - 4 * alpha + 2 * alpha**2 <= 0),
    ]
    q, p = jnp.where(where[2], q, 1.0), jnp.where(jnp.any(jnp.stack(where), axis=0), 1.0, p)
    half = 0.5 + 0 * s
    xi = [1 / (2 * alpha + 1), half, s / (2 * q), beta / (alpha + beta), half, half]
    eta = [s / (2 * alpha + 1), s / 2, alpha * s / q, s / (2 * (alpha + beta)), 1 - 1 / (4 * alpha), alpha + 0 * s]
    xi, eta = ([v + 0 * s for v in values] for values in (xi, eta))
    return {
        "xi": jnp.select(where, xi, (beta - alpha) / p),
        "eta": jnp.select(where, eta, (1 - 2 * alpha) * s / (2 * p)),
    }


@formula
def resolution_exponent(d, smoothness=1.0):
    r"""Least exponent of a loss that is limited by how finely data or parameters resolve a manifold.

        alpha = 4 / d    (piecewise linear interpolation of a smooth target, squared error or cross-entropy)

    Args:
        d: intrinsic dimension of the data (`papers.intrinsic_dimension`).
        smoothness: order to which the target is followed between neighbours: 1 for lines, as above; 0 for steps, which give 2 / d.

    Returns:
        2 (smoothness + 1) / d.

    Raises:
        DecisionError: if d is not positive or smoothness negative.

    Example:
        >>> import scalejax as sj
        >>> sj.formulas.resolution_exponent(16.0)
        0.25

    References: Bahri et al. 2021, arXiv:2102.06701; Sharma and Kaplan 2020, arXiv:2004.10802.
    """
    require((d > 0) & (smoothness >= 0), "resolution_exponent() needs a positive dimension and smoothness of 0 or more.")
    return 2 * (smoothness + 1) / d
