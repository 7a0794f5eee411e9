"""Power laws of other fields: time series, text-to-image and recommendation."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.laws.domains import Positive, Real, Unit
from ...core.laws.law import Published, law
from ...core.numeric.powers import power
from ..scale.power import henighan

_YAO = "Yao et al. 2024, arXiv:2410.12360"
_LI = "Li et al. 2024, arXiv:2404.02883"
_X_0 = Positive(1e-9, 1e15)
_ALPHA = Positive(0.02, 1.0)
_SCALE = Positive(0.1, 1e12)


@law(reference=_YAO, x=Positive(1e3, 1e12), x_0=_X_0, alpha_x=_ALPHA)
def time_series(x, *, x_0, alpha_x):
    r"""Error of a time-series foundation model from its parameters, training points or compute.

        L(x) = (x_0 / x)^alpha_x

    Symbols: x parameters (872 to 1e9 in the paper), time points (1e7 to 1.6e10) or compute in PF-days (6 x batch x length x parameters x
    steps / 8.64e19); L a positive error such as MAPE, or a negative log-likelihood that stays above 0; x_0 in the unit of x.

    Note: the paper fits lines, log10 L = k log10 x + b: alpha_x = -k, x_0 = 10^(-b/k). A negative log-likelihood of a density may fall
    below 0, where a power law ends: use `time_series_nll`. Its coefficients could not be traced.

    Example:
        >>> from scalejax import laws
        >>> round(laws.time_series(1e8, x_0=1.0, alpha_x=0.125), 6)
        0.1
    """
    return henighan(x, L_inf=0.0, x_0=x_0, alpha_x=alpha_x)


@law(output="nll", reference=_YAO, linear=("L_inf",), x=Positive(1e3, 1e12), L_inf=Real(-5.0, 5.0, unit="nats"), x_0=_X_0, alpha_x=_ALPHA)
def time_series_nll(x, *, L_inf, x_0, alpha_x):
    r"""Negative log-likelihood of a time-series model that may fall below 0: a power law above a constant of any sign.

        L(x) = L_inf + (x_0 / x)^alpha_x

    Symbols: as `time_series`; L_inf the lowest value, nats. The column is called nll, since a column called loss must be positive; fit it
    with on="linear".

    Note: the paper fits `time_series` to the likelihood as well; densities have no zero of their own, since a change of the unit of the
    series adds a constant to every loss, which changes that law's exponent and leaves this law's as it is.

    Example:
        >>> from scalejax import laws
        >>> round(laws.time_series_nll(1e8, L_inf=-0.5, x_0=1.0, alpha_x=0.125), 6)
        -0.4
    """
    return henighan(x, L_inf=L_inf, x_0=x_0, alpha_x=alpha_x)


@law(
    output="score",
    reference=_LI,
    linear=("k",),
    x=_SCALE,
    k=Positive(0.1, 2.0),
    p=Positive(0.005, 0.5),
    published={
        "compute": Published({"k": 0.47, "p": 0.02}, "TIFA on the Pareto frontier, x = compute in GFLOPs", "section 5", "recalled"),
        "parameters": Published({"k": 0.77, "p": 0.11}, "TIFA on the frontier, x = billions of parameters", "section 5", "recalled"),
        "images": Published({"k": 0.64, "p": 0.03}, "TIFA on the frontier, x = millions of images, up to 600", "section 5", "recalled"),
    },
)  # fmt: skip
def alignment_score(x, *, k, p):
    r"""Text-image alignment of a text-to-image model, rising with compute, size or data.

        S(x) = k x^p

    Symbols: x compute in GFLOPs, billions of parameters or millions of images; S the TIFA score, from 0 to 1, on the Pareto frontier.

    Note: S passes 1, which no score can, at x = k^(-1/p): do not extrapolate; `alignment_score_bounded` keeps below its ceiling.

    Example:
        >>> from scalejax import laws
        >>> laws.alignment_score(1.0, **laws.alignment_score.published["parameters"])
        0.77
    """
    return k * power(x, p)


@law(
    output="score",
    reference=f"our own saturating link, after {_LI}",
    x=_SCALE,
    S_max=Unit(),
    k=Positive(0.1, 10.0),
    p=Positive(0.005, 1.0),
)
def alignment_score_bounded(x, *, S_max, k, p):
    r"""Score that rises as a power law while it is low and saturates below a ceiling.

        S(x) = S_max u / (1 + u),   u = k x^p

    Symbols: x and S as in `alignment_score`; S_max the ceiling, at most 1. S / (S_max - S) = k x^p is a line in log-log axes, as log S
    is for `alignment_score`; for a score with the ceiling 1 pass fix={"S_max": 1.0}.

    Note: the link is this library's, not the paper's.

    Example:
        >>> from scalejax import laws
        >>> laws.alignment_score_bounded(4.0, S_max=0.9, k=1.0, p=0.5)
        0.6
    """
    return S_max * jax.nn.sigmoid(jnp.log(k) + p * jnp.log(x))


@law(
    output="change",
    reference="Zhang et al. 2024, arXiv:2403.02545",
    linear=("a",),
    x=Positive(0.5, 500.0, unit="GFLOP/example"),
    a=Positive(90.0, 110.0, unit="per cent"),
    p=Positive(1e-4, 1e-2),
    published={"wukong2024": Published({"a": 99.56, "p": 0.00071}, "internal data, x = GFLOP per example", "figure 1", "recalled")},
)  # fmt: skip
def wukong(x, *, a, p):
    r"""Change of a recommender's log-loss against a baseline, in per cent, from compute per example.

        y(x) = -100 + a x^p

    Symbols: x GFLOP per example; y per cent, by the paper's convention rising with quality; a the value at x = 1, above -100.

    Note: with p near 0 this is a line in log x, y = (a - 100) + a p log x, and only a - 100 and a p matter: a is nearly 100 and is
    determined to the noise of y, p to that noise over 100 log x. It is computed without forming a x^p, whose digits cancel. Changes may
    be negative: fit it with on="linear". Every fourfold compute adds about 0.1 per cent.

    Example:
        >>> from scalejax import laws
        >>> [round(laws.wukong(x, **laws.wukong.published["wukong2024"]), 3) for x in (1.0, 4.0, 16.0)]
        [-0.44, -0.342, -0.244]
    """
    return (a - 100.0) + a * jnp.expm1(p * jnp.log(x))
