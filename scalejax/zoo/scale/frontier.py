"""Error along the compute frontier: a power law that saturates at small and at large compute."""

from __future__ import annotations

from ...core.laws.domains import Positive
from ...core.laws.law import Published, law
from ...core.numeric.powers import power

_COMPUTE = Positive(1e6, 1e12, unit="GFLOPs")
_COEFFICIENT = Positive(0.1, 1e4)
_EXPONENT = Positive(0.02, 1.0)
_CHERTI = "Cherti et al. 2022, arXiv:2212.07143"
_NEZHURINA = "Nezhurina et al. 2025, arXiv:2506.04598"
_IMAGENET = (
    "ImageNet zero-shot error of {}, C in GFLOPs, samples hardly repeated. "
    "B stayed near where the search began: runs of more than 1e6 GFLOPs do not determine it"
)


@law(
    output="error",
    reference=f"{_NEZHURINA}; Anagnostidis et al. 2023, arXiv:2311.03233",
    linear=("A", "E_inf"),
    C=_COMPUTE,
    A=_COEFFICIENT,
    B=Positive(1.0, 1e9, zero=True, unit="GFLOPs"),
    c=_EXPONENT,
    E_inf=Positive(1e-3, 1.0, zero=True),
    published={
        "nezhurina2025_clip": Published(
            {"A": 57.862083, "B": 18.391321, "c": 0.226604, "E_inf": 0.111169},
            _IMAGENET.format("openCLIP"),
            "authors' code, tables of figure 1",
        ),
        "nezhurina2025_mammut": Published(
            {"A": 125.356572, "B": 19.289384, "c": 0.255670, "E_inf": 0.101112},
            _IMAGENET.format("openMaMMUT"),
            "authors' code, tables of figure 1",
        ),
    },
)
def offset_power_law(C, *, A, B, c, E_inf):
    r"""Error of the best model for a compute budget, which saturates at both ends.

        E(C) = A (C + B)^-c + E_inf

    Symbols: C compute; B compute below which the error is flat, in the unit of C; E error rate (or loss); E_inf its floor.
    Nezhurina et al. call it "saturation" with E_inf = 0 (`bind(E_inf=0)`) and "simple" with B = E_inf = 0 (`bind(B=0, E_inf=0)`); the
    shapes of vision transformers of Anagnostidis et al. have a_P = A, b_P = c, c_P = E_inf, d_P = B.

    Note: the paper writes (C + B)^c with c < 0; here c is the positive magnitude. A changes with the unit of C (and c). The plausible
    ranges suit C of 1e6 to 1e12, as giga-FLOPs are: other units converge too, from fewer of the starts.

    Example:
        >>> from scalejax import laws
        >>> round(laws.offset_power_law(9e6, A=100.0, B=1e6, c=0.5, E_inf=0.1), 6)
        0.131623
    """
    return A * power(C + B, -c) + E_inf


@law(
    output="error",
    reference=_CHERTI,
    linear=("beta",),
    C=Positive(1e8, 1e13, unit="GMACs"),
    beta=_COEFFICIENT,
    alpha=_EXPONENT,
    published={
        key: Published(
            {"beta": beta, "alpha": alpha},
            f"{context}, error = 1 - {metric}; C in GMACs",
            f"{_CHERTI}, figure 1 and code",
            "verified" if key.startswith("robustness") else "printed",
        )
        for key, beta, alpha, context, metric in (
            ("imagenet_laion", 5.858, 0.111, "ImageNet zero-shot, 29 CLIP models trained on LAION", "top-1 accuracy"),
            ("imagenet_wit", 23.18, 0.164, "ImageNet zero-shot, 3 CLIP models trained on OpenAI's WIT", "top-1 accuracy"),
            ("robustness_laion", 11.61, 0.126, "mean of the ImageNet robustness sets, LAION", "top-1 accuracy"),
            ("robustness_wit", 211.66, 0.238, "mean of the ImageNet robustness sets, WIT", "top-1 accuracy"),
            ("coco_laion", 2.75, 0.079, "MS-COCO image retrieval, LAION", "recall at 5"),
            ("coco_wit", 1.589, 0.051, "MS-COCO image retrieval, WIT", "recall at 5"),
            ("flickr_laion", 15.506, 0.189, "Flickr30K image retrieval, LAION", "recall at 5"),
            ("flickr_wit", 2.208, 0.103, "Flickr30K image retrieval, WIT", "recall at 5"),
        )
    },
)
def openclip(C, *, beta, alpha):
    r"""Zero-shot error of CLIP models from total training compute.

        E(C) = beta C^-alpha

    Symbols: C multiply-accumulates of one sample times samples seen, in GMACs; E = 1 - top-1 accuracy, or 1 - recall at 5.
    It is `offset_power_law` with B = E_inf = 0; `pareto_bins` makes the frontier that the paper fits.

    Note: the paper writes C^alpha with alpha < 0; here alpha is the positive magnitude.

    Example:
        >>> from scalejax import laws
        >>> round(laws.openclip(1e11, **laws.openclip.published["imagenet_laion"]), 4)
        0.3522
    """
    return offset_power_law(C, A=beta, B=0.0, c=alpha, E_inf=0.0)
