"""Power laws in one quantity."""

from __future__ import annotations

from ..core.domains import Positive
from ..core.law import Published, law
from ..core.numerics import power
from . import ranges


@law(x=Positive(1e3, 1e12), E=ranges.E, A=Positive(0.1, 1e4), alpha=ranges.EXPONENT, linear=("E", "A"))
def power_law(x, *, E, A, alpha):
    r"""Power law with an irreducible constant in one variable of any kind.

        L(x) = E + A x^-alpha

    Symbols: x is size, data or compute in any unit (A changes with it); E and A in the unit of the loss; alpha has none.
    `hestness` and `henighan` are the same curve with their papers' parameters.

    Example:
        >>> from scalejax import laws
        >>> round(laws.power_law(1e4, E=1.0, A=10.0, alpha=0.25), 6)
        2.0
    """
    return E + A * power(x, -alpha)


@law(
    reference="Hestness et al. 2017, arXiv:1712.00409",
    linear=("alpha", "gamma"),
    m=Positive(1e4, 1e12, unit="training samples"),
    alpha=Positive(0.1, 1e4),
    beta_g=Positive(0.02, 1.0),
    gamma=Positive(1e-3, 5.0, zero=True),
    published={
        "word_lm": Published(
            {"alpha": 11.9, "beta_g": 0.0656, "gamma": 0.0},
            "word language models on the Billion Word benchmark; m in tokens",
            "arXiv:1712.00409, section 4.2",
        )
    },
)
def hestness(m, *, alpha, beta_g, gamma):
    r"""Generalisation error of the best model for a training set of a given size.

        eps(m) = alpha m^-beta_g + gamma

    Symbols: m training samples; eps error or cross-entropy of the best model found at that m; gamma the irreducible part.

    Note: the paper writes m^(beta_g) with beta_g < 0; here beta_g is the positive magnitude, as in every other law of the library.

    Example:
        >>> from scalejax import laws
        >>> round(laws.hestness(1e6, **laws.hestness.published["word_lm"]), 4)
        4.8078
    """
    return alpha * power(m, -beta_g) + gamma


@law(
    reference="Henighan et al. 2020, arXiv:2010.14701",
    linear=("L_inf",),
    x=Positive(1e3, 1e12),
    L_inf=Positive(1e-2, 5.0, zero=True),
    x_0=Positive(1e-9, 1e15),
    alpha_x=Positive(0.02, 1.0),
    published={
        "image_8x8_N": Published({"L_inf": 3.12, "x_0": 80.0, "alpha_x": 0.24}, "8x8 images, x = parameters", "table 1", "recalled"),
        "image_16x16_N": Published({"L_inf": 2.64, "x_0": 280.0, "alpha_x": 0.22}, "16x16 images, x = parameters", "table 1", "recalled"),
        "image_32x32_N": Published({"L_inf": 2.20, "x_0": 63.0, "alpha_x": 0.13}, "32x32 images, x = parameters", "table 1", "recalled"),
        "video_N": Published({"L_inf": 1.01, "x_0": 3.7e4, "alpha_x": 0.24}, "video VQ 16x16x16, x = parameters", "table 1", "recalled"),
        "math_N": Published({"L_inf": 0.28, "x_0": 1.1e4, "alpha_x": 0.16}, "mathematics, x = parameters", "table 1", "recalled"),
        "language_N": Published({"L_inf": 0.0, "x_0": 1.47e14, "alpha_x": 0.07}, "language, x = parameters", "table 1", "recalled"),
        "language_C": Published({"L_inf": 0.0, "x_0": 3.47e8, "alpha_x": 0.048}, "language, x = compute in PF-days", "table 1", "recalled"),
    },
)  # fmt: skip
def henighan(x, *, L_inf, x_0, alpha_x):
    r"""Power law plus constant for images, video, mathematics and language.

        L(x) = L_inf + (x_0 / x)^alpha_x

    Symbols: x non-embedding parameters, compute in PF-days, or tokens; L_inf the entropy of the data (nats); the reducible part
    estimates the Kullback-Leibler divergence from the truth to the model.

    Example:
        >>> from scalejax import laws
        >>> round(laws.henighan(80.0, **laws.henighan.published["image_8x8_N"]), 6)
        4.12
    """
    return L_inf + power(x_0 / x, alpha_x)
