"""What data are worth: utility that fades with repetition, noisy samples, frequent concepts, intrinsic properties, hours of experience."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import DecisionError
from ...core.laws.domains import Interval, Positive, Real
from ...core.laws.formula import formula, require
from ...core.laws.law import Published, law
from ...core.numeric.powers import power
from ..scale.learning_curves import logarithmic
from ..scale.power import power_law
from ..scale.repetition import geometric_sum

_GOYAL = "Goyal et al. 2024, arXiv:2404.07177"
_CODE = "authors' repository scaling_laws_data_filtering, results/parameter_values.jsonl"
_UNIT = 1e5  # samples; the authors count samples in it before they take powers
_EPOCHS = 128  # counted after the first: with half-lives below 10 epochs what comes later has less than 2e-4 of the first one's utility
_LOG_10 = 2.302585092994046

_N = Positive(1e6, 1e10, unit="samples seen")
_M = Positive(1e6, 1e9, unit="samples in a bucket")
_A = Positive(1e-3, 0.2)
_D = Interval(0.0, 1.0, unit="error")
_S = Interval(0.0, 1.0, axis="bucket", unit="share of the bucket in the union")
_B = Positive(0.005, 0.5, axis="bucket")
_TAU = Positive(0.5, 10.0, unit="epochs", axis="bucket")

_SETTING = "ImageNet zero-shot error of CLIP on DataComp medium, buckets of 12.8M samples by T-MARS score; d held at 0.1"


@jax.jit  # one program instead of forty operations where a law is called outside of one
def _utility(n, m, s, a, b, tau):
    """Error of a union of buckets after the first epoch, and the factor of all later ones; s, b, tau have the bucket axis last."""
    p = jnp.maximum(jnp.sum(s, axis=-1), 1e-6)  # buckets in the union
    share, size = s / p[..., None], m * p
    before = jnp.arange(1, _EPOCHS + 1, dtype=jnp.result_type(float, n, m, s, a, b, tau))  # full epochs before each later one
    x = (n / size)[..., None]
    gain = jnp.log(jnp.clip(x / before, 1.0, 1 + 1 / before))  # what an epoch adds to log n
    fading = jnp.exp2(-1 / (p[..., None] * tau))  # of a bucket's utility in an epoch
    first = jnp.sum(share * b, axis=-1) * jnp.log(a * jnp.minimum(n, size) / _UNIT)
    later = jnp.sum(share * b * fading * _polynomial(gain[..., None, :], fading), axis=-1)
    return jnp.exp(-first), jnp.exp(-later)


def _polynomial(c, x):
    """sum_k c_k x^k along the last axis of c, whose length is a power of two: halves are added until one number is left."""
    powers = [x[..., None]]
    while 2 ** len(powers) < c.shape[-1]:
        powers.append(powers[-1] ** 2)
    for half in reversed(powers):
        c = c[..., : c.shape[-1] // 2] + half * c[..., c.shape[-1] // 2 :]
    return c[..., 0]


@law(
    output="error",
    reference=_GOYAL,
    linear=("d",),
    n=_N,
    m=_M,
    a=_A,
    b=Positive(0.005, 0.5),
    tau=Positive(0.5, 10.0, unit="epochs"),
    d=_D,
)
def filtering_utility(n, m, *, a, b, tau, d):
    r"""Error from samples seen of one bucket of data, whose utility halves every tau epochs.

        y(n) = d + (a n_1)^-b_1 prod_{k >= 2} (n_k / n_{k-1})^-b_k
        n_k = min(k m, n),   b_k = b 2^(-(k - 1) / tau)

    Symbols: n samples seen in all; m samples in the bucket, seen again in every epoch k; y error, 1 - accuracy; b utility; tau its
    half-life in epochs; a in 1 / 1e5 samples; d the error that no data remove. The integral of dy/dn = -(y - d) b_k / n.

    Note: b is the positive magnitude of the paper's negative exponent. n counts in units of 1e5 samples inside, as in the authors' code.
    That code multiplies d by the later epochs' ratios, too (`filtering_pool_code`); here, as in the paper, d stays. Epochs after the
    129th add nothing. Buckets share a and d: fit(..., by="bucket", share=("a", "d")).

    Example:
        >>> from scalejax import laws
        >>> round(laws.filtering_utility(128e6, 12.8e6, a=0.022, b=0.13106060606060607, tau=3.0, d=0.1), 6)
        0.846818
    """
    kind = jnp.result_type(float, n, m, a, b, tau)
    b, tau = jnp.asarray(b, kind)[..., None], jnp.asarray(tau, kind)[..., None]
    first, later = _utility(n, m, jnp.ones_like(b), a, b, tau)
    return d + first * later


@law(output="error", reference=_GOYAL, linear=("d",), n=_N, m=_M, s=_S, a=_A, b=_B, tau=_TAU, d=_D)
def filtering_pool(n, m, s, *, a, b, tau, d):
    r"""Error from samples seen of any union of buckets, without training on it.

        y(n) = d + (a n_1)^-b_1 prod_{k >= 2} (n_k / n_{k-1})^-b_k
        n_k = min(k p m, n),   b_k = (1/p) sum_i s_i b_i 2^(-(k - 1) / (p tau_i)),   p = sum_i s_i

    Symbols: m samples in every bucket; s_i 1 for a bucket in the union, 0 for others; p buckets in the union, so that an epoch has p m
    samples, and half-lives are p times as long; b_i, tau_i of each bucket alone; all else as `filtering_utility`, which is p = 1.

    Note: constants of four buckets are those of `filtering_pool_code`, whose form they were fitted with. Shares between 0 and 1
    interpolate the paper's rule, which is for whole buckets. `papers.best_pools` compares unions.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> buckets = laws.filtering_pool_code.published["tmars"]
        >>> best, all_four = np.array([1.0, 0.0, 0.0, 0.0]), np.ones(4)
        >>> [round(laws.filtering_pool(n, 12.8e6, s, **buckets), 3) for n in (32e6, 640e6) for s in (best, all_four)]
        [0.83, 0.883, 0.714, 0.672]
    """
    first, later = _utility(n, m, s, a, b, tau)
    return d + first * later


@law(
    output="error",
    reference=_GOYAL,
    linear=("d",),
    n=_N,
    m=_M,
    s=_S,
    a=_A,
    b=_B,
    tau=_TAU,
    d=_D,
    published={
        "tmars": Published(
            {
                "a": 0.025,
                "b": np.asarray([0.16, 0.125, 0.1, 0.085]),
                "tau": np.asarray([6.7272727272727275, 8.545454545454547, 5.2727272727272725, 2.2727272727272725]),
                "d": 0.1,
            },
            f"top 10 %, 10 to 20 %, 20 to 30 %, 30 to 40 % of the scores; {_SETTING}",
            _CODE,
        )
    },
)
def filtering_pool_code(n, m, s, *, a, b, tau, d):
    r"""Error from samples seen of any union of buckets, as the authors' code has it: repetition lowers d, too.

        y(n) = [ d + (a n_1)^-b_1 ] prod_{k >= 2} (n_k / n_{k-1})^-b_k

    Symbols: as `filtering_pool`, whose d stays. The authors fitted the published constants with this form, each bucket alone.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> bucket = {"a": 0.022, "b": np.array([0.13106060606060607]), "tau": np.array([3.0]), "d": 0.1}
        >>> round(laws.filtering_pool_code(128e6, 12.8e6, np.ones(1), **bucket), 6)
        0.832353
    """
    first, later = _utility(n, m, s, a, b, tau)
    return (d + first) * later


@law(
    output="error",
    reference=_GOYAL,
    linear=("d",),
    n=_N,
    m=_M,
    a=_A,
    b=Positive(0.005, 0.5),
    tau=Positive(0.5, 10.0, unit="epochs"),
    d=_D,
    published={
        f"tmars_{name}": Published(
            {"a": 0.022, "b": b, "tau": tau, "d": 0.1}, f"{name.replace('_', ' ')} % of the scores; {_SETTING}", _CODE
        )
        for name, b, tau in (
            ("top_10", 0.18227272727272728, 4.0),
            ("10_to_20", 0.14484848484848487, 4.363636363636363),
            ("20_to_30", 0.13530303030303031, 2.909090909090909),
            ("30_to_40", 0.09757575757575758, 1.4545454545454546),
        )
    },
)
def filtering_effective_data(n, m, *, a, b, tau, d):
    r"""Error from samples seen of one bucket, whose samples (not their utility) are worth half after tau epochs.

        y(n) = d + (a n_eff)^-b,    n_eff = sum_k (n_k - n_{k-1}) 2^(-(k - 1) / tau),    n_k = min(k m, n)

    Symbols: n_eff what the n samples seen are worth, counted as fresh ones; all else as `filtering_utility`, with which the paper compares
    it. The rival of `data_constrained`'s effective tokens, with whole epochs for a continuous decay.

    Example:
        >>> from scalejax import laws
        >>> law = laws.filtering_effective_data
        >>> round(law(128e6, 12.8e6, **law.published["tmars_top_10"]), 4)
        0.7137
    """
    return d + power(a * effective_samples(n, m, tau) / _UNIT, -b)


def effective_samples(n, m, tau):
    """Samples seen, of which m differ, when each epoch is worth 2^(-1/tau) of the one before: sum of (n_k - n_{k-1}) 2^(-(k-1)/tau).

    >>> float(effective_samples(2.5, 1.0, 1.0))
    1.625
    """
    full = jnp.floor(n / m)
    delta = jnp.exp2(-1 / tau)
    return m * geometric_sum(full, 1 - delta) + (n - full * m) * jnp.exp2(-full / tau)


@law(
    output="fid",
    reference="our own form, after Daras et al. 2024, arXiv:2411.02780",
    linear=("E", "A"),
    n_clean=Positive(1e3, 1e7, unit="clean images"),
    n_noisy=Positive(1e3, 1e7, unit="noisy images", zero=True),
    E=Positive(0.1, 20.0, unit="FID", zero=True),
    A=Positive(1.0, 1e4),
    alpha=Positive(0.05, 1.5),
    price=Positive(1.0, 20.0, unit="noisy images for a clean one"),
)
def noisy_images(n_clean, n_noisy, *, E, A, alpha, price):
    r"""Quality of a generative model trained on clean and noisy images, at an exchange rate.

        F(n_clean, n_noisy) = E + A n_eff^-alpha,    n_eff = n_clean + n_noisy / price

    Symbols: F Frechet inception distance; price noisy images that are worth a clean one, at least 1, for one strength of the noise. For
    ImageNet and noise of standard deviation 0.2 (14.15 dB) it lies between 1.5 and 1.75, for the same loss with clean images alone.

    Note: our operational form; the paper measures exchange rates and proves bounds for mixtures of Gaussians. It holds where some images
    are clean (about 10 % in the paper): noisy images alone do not reach the quality of clean ones. `papers.cheapest_images` buys.

    Example:
        >>> from scalejax import laws
        >>> law = laws.noisy_images
        >>> law(1e4, 1.5e5, E=2.0, A=100.0, alpha=0.4, price=1.5) == law(1.1e5, 0.0, E=2.0, A=100.0, alpha=0.4, price=1.5)
        True
    """
    return power_law(n_clean + n_noisy / price, E=E, A=A, alpha=alpha)


@law(
    output="score",
    reference="Udandarao et al. 2024, arXiv:2404.04125",
    linear=("b_0", "b_1"),
    f=Positive(1.0, 1e7, unit="images with the concept"),
    b_0=Real(-20.0, 60.0),
    b_1=Positive(0.5, 30.0),
)
def concept_frequency(f, *, b_0, b_1):
    r"""Zero-shot performance on a concept from how often it occurs in the training data; `logarithmic` with a base of ten.

        perf(f) = b_0 + b_1 log10 f

    Symbols: f images whose caption and image both show the concept; perf score, per cent; b_1 points for ten times as many. x points more
    take 10^(x / b_1) times the frequency.

    Note: a line has no bounds: not for scores near 0 or 100. The same law serves accuracy of questions against relevant documents
    (Kandpal et al. 2022, arXiv:2211.08411). For one line a model, fit(..., by="model").

    Example:
        >>> from scalejax import laws
        >>> round(laws.concept_frequency(1000.0, b_0=10.0, b_1=6.0), 6)
        28.0
    """
    return logarithmic(f, a=b_0, b=b_1 / _LOG_10)


@law(
    reference="Konz and Mazurowski 2024, arXiv:2401.08865",
    linear=("c",),
    N=Positive(100.0, 1e6, unit="training samples"),
    d_data=Positive(5.0, 60.0, unit="dimensions"),
    K_F=Positive(0.02, 1.0, unit="1 / distance"),
    c=Positive(0.1, 1e3),
)
def intrinsic_dimension_loss(N, d_data, K_F, *, c):
    r"""Loss of a classifier from the size, the intrinsic dimension and the label sharpness of its training set.

        L = c K_F N^(-1 / d_data)

    Symbols: N training samples; d_data intrinsic dimension of the images (or of representations), `papers.intrinsic_dimension`; K_F
    label sharpness, the largest |y_j - y_k| / |x_j - x_k| over pairs, `papers.label_sharpness`; c one constant a model. Data of higher
    dimension learn more slowly; medical images have sharper labels, hence higher losses at equal dimension.

    Note: the paper proves L = O(K_F N^(-1/d_data)), an upper bound; read as a law, log L = log c + log K_F - log(N) / d_data.

    Example:
        >>> from scalejax import laws
        >>> round(laws.intrinsic_dimension_loss(1e4, 4.0, 0.5, c=2.0), 6)
        0.1
    """
    return c * K_F * jnp.exp(-jnp.log(N) / d_data)


@law(
    output="accuracy",
    reference="Orhan 2023, arXiv:2308.03712",
    linear=("b_0", "b_hours", "b_N", "b_res"),
    hours=Positive(0.5, 2e4, unit="hours of video"),
    N=Positive(1e7, 3e9, unit="parameters"),
    resolution=Positive(100.0, 1000.0, unit="pixels"),
    b_0=Real(-100.0, 20.0),
    b_hours=Positive(0.5, 20.0),
    b_N=Positive(0.5, 20.0),
    b_res=Positive(0.5, 40.0),
    published={
        "finetuning_logs": Published(
            {"b_0": -58.698, "b_hours": 5.0395, "b_N": 4.2543, "b_res": 16.8711},
            "ImageNet top-1 accuracy in per cent, 2 % of the labels; least squares on the best epochs of the 78 public fine-tuning logs, "
            "R2 0.9487",
            "computed from the logs in the authors' repository humanlike-vits",
        )
    },
)
def visual_experience(hours, N, resolution, *, b_0, b_hours, b_N, b_res):
    r"""Accuracy of a vision model from hours of human-like video, its size and its resolution.

        acc = b_0 + b_hours log10(hours) + b_N log10(N) + b_res log10(resolution)

    Symbols: hours of head-mounted and other human-like video; N parameters; resolution of the images in pixels a side; acc per cent.

    Note: the form is recalled, not traced to the paper. A plane has no bounds. For the cheapest point of a level set use `allocate`
    with a cost of hours, N and resolution.

    Example:
        >>> from scalejax import laws
        >>> round(laws.visual_experience(2e4, 2.5e9, 952.0, **laws.visual_experience.published["finetuning_logs"]), 1)
        53.2
    """
    logs = logarithmic(hours, a=b_0, b=b_hours / _LOG_10) + logarithmic(N, a=0.0, b=b_N / _LOG_10)
    return logs + logarithmic(resolution, a=0.0, b=b_res / _LOG_10)


@formula
def pruning_frontier(law, P, kept):
    r"""Best fraction to keep of a ranked data set for every number of kept examples, and how steeply the error falls along that envelope.

        eps*(P) = min_f eps(P; f),    exponent = -d log eps* / d log P

    P counts the examples that are trained on: a fraction f comes from P / f examples ranked by difficulty. Each curve at a fixed f is a
    power law with a floor; if the metric is good, the envelope falls faster than any of them, and its exponent grows with P. With
    random scores all curves coincide.

    Args:
        law: a law of one input with a group for every kept fraction; `derive` gives it from a fit such as
            fit("power_law", {"x": P, "loss": error, "f": f}, by="f") with group=fit.groups.
        P: where to look, a number or an array.
        kept: (groups,) the fractions, such as fit.groups.

    Returns:
        "error", the least; "kept", the fraction that has it; "exponent", that of its curve. Each in the shape of P.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> P, f = (a.ravel() for a in np.meshgrid(np.logspace(3, 6, 8), [1.0, 0.3]))
        >>> error = np.where(f == 1, 3 * P**-0.3, 0.01 + 30 * P**-0.6)
        >>> fit = sj.fit("power_law", {"x": P, "loss": error, "f": f}, by="f", starts=256, unidentified="warn")
        >>> sj.derive(fit, sj.formulas.pruning_frontier, group=fit.groups, P=[1e3, 1e5], kept=fit.groups).kept.tolist()
        [1.0, 0.3]

    References: Sorscher et al. 2022, arXiv:2206.14486.
    """
    require(P > 0, "P={P} must hold positive numbers of examples.", P=P)
    log_error, slope = jax.jvp(lambda s: jnp.log(law(P * jnp.exp(s))), (jnp.zeros_like(P),), (jnp.ones_like(P),))
    if len(law.inputs) != 1 or jnp.ndim(kept) != 1 or jnp.shape(log_error) != (*jnp.shape(kept), *jnp.shape(P)):
        raise DecisionError(
            "pruning_frontier() takes a fit of a law with one input and a group for every kept fraction: group=fit.groups, kept=fit.groups."
        )
    best = jnp.argmin(log_error, axis=0)
    error, exponent = (jnp.take_along_axis(v, best[None], axis=0)[0] for v in (jnp.exp(log_error), -slope))
    return {"error": error, "kept": kept[best], "exponent": exponent}
