"""Learning curves: error or loss from the examples seen, with and without saturation at either end."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.numeric.powers import power, softplus
from .power import power_law

_PAPER = "Alabdulmohsin et al. 2022, arXiv:2209.06640"
_X = Positive(1e5, 1e12, unit="examples or tokens seen")
_BETA = Positive(0.1, 1e12)
_C = Positive(0.02, 2.0)
_Y_INF = Positive(1e-3, 0.5, zero=True)
_LOG_2 = 0.6931471805599453
_END = 800.0  # logit beyond which a share is 0 or 1 in double precision
_NEWTON = 2  # steps to the root, not differentiated; `core.numeric.roots.root` needs ten times as many here
_POLISH = 2  # steps from the root, which give it implicit derivatives of first to third order


@law(reference=f"{_PAPER}, M1", linear=("beta",), x=_X, beta=_BETA, c=_C)
def m1(x, *, beta, c):
    r"""Learning curve M1: a power law without a limit.

        y = beta x^-c

    Symbols: x examples or tokens seen; y error or loss; beta in the unit of y. The failure rate 1 - score of a policy against the number of
    training environments, objects or pairs of them (Lin et al. 2024, arXiv:2410.18647) is this law, too.

    Note: the paper writes x^c with c < 0; here c is the positive magnitude.

    Example:
        >>> from scalejax import laws
        >>> round(laws.m1(1e4, beta=10.0, c=0.25), 6)
        1.0
    """
    return beta * power(x, -c)


@law(reference=f"{_PAPER}, M2", linear=("y_inf", "beta"), x=_X, y_inf=_Y_INF, beta=_BETA, c=_C)
def m2(x, *, y_inf, beta, c):
    r"""Learning curve M2: a power law with a limit; `power_law` with the paper's symbols.

        y = y_inf + beta x^-c

    Symbols: x examples or tokens seen; y error or loss; y_inf its limit for endless data.

    Note: the paper writes x^c with c < 0; here c is the positive magnitude.

    Example:
        >>> from scalejax import laws
        >>> round(laws.m2(1e4, y_inf=0.5, beta=10.0, c=0.25), 6)
        1.5
    """
    return power_law(x, E=y_inf, A=beta, alpha=c)


@law(reference=f"{_PAPER}, M3", linear=("beta",), x=_X, beta=_BETA, gamma=Positive(1e-12, 1e-4, zero=True), c=_C)
def m3(x, *, beta, gamma, c):
    r"""Learning curve M3: a power law of the examples seen beside a fixed number of examples.

        y = beta (1/x + gamma)^c

    Symbols: x examples or tokens seen; y error or loss; 1/gamma examples beyond which the curve is flat: its limit is beta gamma^c.

    Example:
        >>> from scalejax import laws
        >>> round(laws.m3(1e4, beta=10.0, gamma=3e-4, c=0.5), 6)
        0.2
    """
    return beta * power(1 / x + gamma, c)


@law(
    reference=f"{_PAPER}, M4",
    x=_X,
    y_inf=_Y_INF,
    y_0=Positive(0.6, 2.0),
    beta=_BETA,
    c=_C,
    alpha=Positive(0.05, 5.0, zero=True),
)
def m4(x, *, y_inf, y_0, beta, c, alpha):
    r"""Learning curve M4: a power law that saturates at the level of random guesses for few examples and at a limit for many.

        (y - y_inf) / (y_0 - y)^alpha = beta x^-c

    Symbols: x examples or tokens seen; y error or loss, rescaled so that y_0 is about 1; y_inf < y < y_0; y_0 the level of random guesses
    (bound it by 1 for error rates); alpha how gradually the curve leaves it: alpha = 0 is `m2`, alpha = 1 a logistic curve in log x,
    y = (y_inf + f y_0) / (1 + f) with f = beta x^-c. `sj.equivalent` gives the x that a y needs.

    Note: the paper writes x^c with c < 0; here c is the positive magnitude. As alpha falls to 0 the curve approaches min(m2, y_0); at 0 it
    is `m2` everywhere, as in the authors' code. y is not finite for y_0 <= y_inf.

    Example:
        >>> from scalejax import laws
        >>> round(laws.m4(1e6, y_inf=0.2, y_0=1.0, beta=1e3, c=0.5, alpha=1.0), 6)
        0.6
    """
    log_f, span = jnp.log(beta) - c * jnp.log(x), y_0 - y_inf
    none = jnp.equal(alpha, 0.0)
    return y_inf + jnp.where(none, _unsaturated(log_f, span, alpha), _saturated(log_f, span, jnp.where(none, 1.0, alpha)))


def _saturated(log_f, span, alpha):
    """w with w = f (span - w)^alpha, for alpha > 0: the logit z of w / span solves z + (alpha - 1) softplus(z) = t."""
    t = log_f + (alpha - 1) * jnp.log(span)
    held = jax.lax.stop_gradient((t, alpha))
    z = _start(*held)
    for _ in range(_NEWTON):
        z = _newton(z, *held)
    for _ in range(_POLISH):
        z = _newton(z, t, alpha)
    return span * jax.nn.sigmoid(z)


def _newton(z, t, alpha):
    e = jnp.exp(-jnp.abs(z))
    value, slope = jnp.maximum(z, 0.0) + jnp.log1p(e), jnp.where(z < 0, e, 1.0) / (1 + e)  # of softplus
    return z - (z + (alpha - 1) * value - t) / (1 + (alpha - 1) * slope)


def _start(t, alpha):
    """Close to the logit. With alpha the equation is that of -z with 1 / alpha and -t / alpha, so alpha > 1 is enough: it is convex.

    Below 0, softplus(z) is nearly e^z: z = t - w with w e^w = (alpha - 1) e^t, and Winitzki's w is within 1 % of that. Above, z is at most
    t / alpha, from where Newton's method never overshoots.
    """
    mirrored = alpha < 1
    sign, t, alpha = jnp.where(mirrored, -1.0, 1.0), jnp.where(mirrored, -t / alpha, t), jnp.where(mirrored, 1 / alpha, alpha)
    size = softplus(jnp.log(alpha - 1) + t)
    below = t - size * (1 - jnp.log1p(size) / (2 + size))
    return sign * jnp.clip(jnp.where(below < 0, below, t / alpha), -_END, _END)


def _unsaturated(log_f, span, alpha):
    """The same at alpha = 0, with its derivative along alpha where f < span."""
    f = jnp.exp(log_f)
    rest = jnp.where(f < span, span - f, 1.0)
    return f * power(rest, alpha)


@law(
    output="score",
    linear=("a", "b"),
    reference="Zhai et al. 2024, arXiv:2402.17152; He et al. 2025, arXiv:2509.15709",
    x=Positive(1.0, 1e12),
    a=Real(-1.0, 1.0),
    b=Real(-0.2, 0.2),
)
def logarithmic(x, *, a, b):
    r"""A score that grows by the same amount with every doubling.

        y = a + b ln x

    Symbols: x compute, embedding dimension or any other size; y hit rate, NDCG, recall or another score; b gain for every e-fold of x.
    The limit of power laws with small exponents: a + b ln x = lim (a - b/p) + (b/p) x^p for p -> 0. It has no bound: not for extrapolation
    to where a score would exceed its maximum.

    Example:
        >>> from scalejax import laws
        >>> round(laws.logarithmic(100.0, a=0.1, b=0.02), 6)
        0.192103
    """
    return a + b * jnp.log(x)


@formula
def prediction_horizon(x, low, high, widest=0.2, largest=None):
    r"""How far to extrapolate: the largest input up to which the interval of the prediction is narrower than a limit.

        x_max = max { x : high(x') / low(x') - 1 <= widest for all x' <= x }

    Asked how many samples reach a target, buy min(what `equivalent` says, x_max), train, refit, and ask again.

    Args:
        x: (points,) inputs that rise.
        low, high: (points,) ends of the interval there, of any curve that `derive` gives.
        widest: relative width of the interval that is still acceptable.
        largest: the largest input of the runs, for "beyond".

    Returns:
        "x_max", the first input if no interval is narrow enough; "width", (points,) high / low - 1; with `largest` also "beyond", decades
        from there to x_max.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.m1, {"beta": 2.0, "c": 0.3}, x=np.logspace(0, 2, 12), noise=0.05, seed=1)
        >>> fit = sj.fit("m1", runs, loss=sj.squared(), starts=64)
        >>> curve = sj.derive(fit, fit.law, x=np.geomspace(1.0, 1e9, 257))
        >>> low, high = curve.interval(0.9)["value"]
        >>> near, far = (sj.formulas.prediction_horizon(curve.x, low, high, widest=w)["x_max"] for w in (0.1, 0.2))
        >>> 100 < near < far < 1e9
        True

    References: Jain et al. 2023, arXiv:2303.01598 (confidence bounds that limit the horizon).
    """
    require(jnp.ndim(x) == 1 and jnp.all(x > 0) & jnp.all(jnp.diff(x) > 0), "x must be positive inputs that rise.")
    require(widest > 0, "widest={widest} must be positive.", widest=widest)
    width = jnp.where(low > 0, high / jnp.where(low > 0, low, 1.0) - 1, jnp.inf)
    wide = width > widest
    x_max = jnp.where(jnp.any(wide), x[jnp.maximum(jnp.argmax(wide) - 1, 0)], x[-1])
    return {"x_max": x_max, "width": width, **({} if largest is None else {"beyond": jnp.log10(x_max / largest)})}
