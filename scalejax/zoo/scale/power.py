"""Power laws in one quantity."""

from __future__ import annotations

from ...core.laws.domains import Positive
from ...core.laws.law import Published, law
from ...core.numeric.powers import power
from .. import ranges


@law(
    reference="Cortes et al. 1993, Learning curves: asymptotic values and rate of convergence, NeurIPS 6",
    linear=("E", "A"),
    x=Positive(1e3, 1e12),
    E=ranges.E,
    A=Positive(0.1, 1e4),
    alpha=ranges.EXPONENT,
    published="power.toml",
)
def power_law(x, *, E, A, alpha):
    r"""Power law with an irreducible constant in one variable of any kind.

        L(x) = E + A x^-alpha

    Symbols: x is size, data or compute in any unit (A changes with it); E and A in the unit of the loss; alpha has none.
    `hestness` and `henighan` are the same curve with their papers' parameters. The sets liu2025 are of language models, x their width,
    with one alpha for all families.

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
    output="N",
    reference="Hestness et al. 2017, arXiv:1712.00409",
    linear=("sigma",),
    m=Positive(1e4, 1e12, unit="training samples"),
    sigma=Positive(1e-3, 1e6),
    beta_p=Positive(0.3, 1.2),
)
def hestness_size(m, *, sigma, beta_p):
    r"""Parameters of the model that fits a training set of a given size best.

        s(m) = sigma m^beta_p

    Symbols: m training samples; s parameters of the best of the models tried. beta_p is 0.57 to 0.92 in the paper (word language models
    0.69 and 0.78, character models 0.78 and 0.92, ImageNet 0.573); it prints no sigma. Compute of one pass grows as m^(1 + beta_p).

    Example:
        >>> from scalejax import laws
        >>> round(laws.hestness_size(1e8, sigma=10.0, beta_p=0.5))
        100000
    """
    return sigma * power(m, beta_p)


@law(
    reference="Henighan et al. 2020, arXiv:2010.14701",
    linear=("L_inf",),
    x=Positive(1e3, 1e12),
    L_inf=Positive(1e-2, 5.0, zero=True),
    x_0=Positive(1e-9, 1e15),
    alpha_x=Positive(0.02, 1.0),
    published={
        key: Published({"L_inf": L_inf, "x_0": x_0, "alpha_x": alpha_x}, context, "arXiv:2010.14701, table 1", "recalled")
        for key, L_inf, x_0, alpha_x, context in (
            ("image_8x8_N", 3.12, 80.0, 0.24, "8x8 images, x = parameters"),
            ("image_8x8_C", 3.13, 1.8e-8, 0.19, "8x8 images, x = compute in PF-days"),
            ("image_16x16_N", 2.64, 280.0, 0.22, "16x16 images, x = parameters"),
            ("image_16x16_C", 2.64, 1.6e-8, 0.16, "16x16 images, x = compute in PF-days"),
            ("image_32x32_N", 2.20, 63.0, 0.13, "32x32 images, x = parameters"),
            ("image_32x32_C", 2.21, 3.6e-9, 0.10, "32x32 images, x = compute in PF-days"),
            ("image_vq_16x16_N", 3.99, 2.7e4, 0.13, "images as 16x16 codes of a VQ-VAE, x = parameters"),
            ("image_vq_32x32_N", 3.07, 1.9e4, 0.14, "images as 32x32 codes of a VQ-VAE, x = parameters"),
            ("video_N", 1.01, 3.7e4, 0.24, "video VQ 16x16x16, x = parameters"),
            ("math_N", 0.28, 1.1e4, 0.16, "mathematics, x = parameters"),
            ("language_N", 0.0, 1.47e14, 0.07, "language, x = parameters"),
            ("language_C", 0.0, 3.47e8, 0.048, "language, x = compute in PF-days"),
        )
    }
    | {
        key: Published({"L_inf": 0.0, "x_0": x_0, "alpha_x": alpha_x}, context, "Tian et al. 2024, arXiv:2404.02905", "recalled")
        for key, x_0, alpha_x, context in (
            ("var_last_scale_N", 5e8, 0.23, "images by next-scale prediction, loss of the last scale, x = parameters"),
            ("var_all_scales_N", 4e8, 0.20, "images by next-scale prediction, mean loss of all scales, x = parameters"),
        )
    },
)  # fmt: skip
def henighan(x, *, L_inf, x_0, alpha_x):
    r"""Power law plus constant for images, video, mathematics and language.

        L(x) = L_inf + (x_0 / x)^alpha_x

    Symbols: x non-embedding parameters, compute in PF-days (8.64e19 FLOPs), or tokens; L_inf the entropy of the data (nats/token); the
    reducible part estimates the Kullback-Leibler divergence from the truth to the model, and is 1 at x_0.

    Note: losses count per token of the modality (a byte of a pixel, a code of a VQ-VAE, a token of text). `sj.equivalent` gives the size
    for a loss. The law of N is for trained-out models, that of C for the compute-efficient frontier of the learning curves.

    Example:
        >>> from scalejax import laws
        >>> round(laws.henighan(80.0, **laws.henighan.published["image_8x8_N"]), 6)
        4.12
    """
    return L_inf + power(x_0 / x, alpha_x)
