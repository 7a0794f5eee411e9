"""Numbers of bits: training and quantising in few, floating-point formats, compressed representations, and drafts of small models."""

from __future__ import annotations

import numpy as np

import scalejax as sj
from scalejax import formulas, laws, papers

from .claim import Claim, Unchecked

# What the library has of each paper.
PROVIDES = {
    "precision": (
        "laws.precision", "laws.precision_ptq", "laws.precision_unified", "formulas.optimal_precision", "formulas.critical_tokens",
    ),
    "fp_quantization": (
        "laws.fp_quantization", "formulas.float_layout", "formulas.float_critical_tokens", "formulas.float_precision",
    ),
    "qid": ("laws.qid", "equivalent"),
    "compressed_capacity": (
        "laws.capacity", "laws.compressed", "papers.gaussian_error", "papers.sparsity_error", "papers.uniform_grid", "papers.float_grid",
    ),
    "speculative_decoding": ("papers.speculative_speedup", "papers.draft_length", "laws.logarithmic"),
}  # fmt: skip

# Training in low precision, and quantising after it

_TRAINED = (laws.precision, laws.precision.published["kumar2024"])
_QUANTISED = laws.precision_ptq.published["kumar2024"]
_FULL = {"P_w": 1e3, "P_a": 1e3, "P_kv": 1e3}


def kept(part: str, P: float) -> float:
    """Effective parameters, as a share, with P bits for one part and full precision for all else: read off the loss."""
    law, params = _TRAINED
    loss = law(1e9, 1e30, **{**_FULL, part: P}, **params)
    return ((loss - law(1e30, 1e30, **_FULL, **params)) / params["A"]) ** (-1 / params["alpha"]) / 1e9


def best_bits(offsets: bool = True) -> float:
    law, params = _TRAINED
    return sj.derive((law, {n: v if offsets or n[0] != "n" else 0.0 for n, v in params.items()}), formulas.optimal_precision).P


def bits_times_parameters_and_tokens(N, D, P_w):
    """Compute in FLOPs: 6 N D for 16 bits."""
    return 6 / 16 * N * D * P_w


def bits_by_compute() -> float:
    """By how much P / gamma - (1 - beta) ln P of the best bits of a model of 1e9 parameters grows with an e-fold of compute."""
    params = _TRAINED[1]
    plan = sj.allocate(
        _TRAINED, compute=[1e24, 1e28], cost=bits_times_parameters_and_tokens, N=1e9, P_a=16.0, P_kv=16.0, bounds={"P_w": (1.0, 64.0)}
    )
    P = plan.inputs["P_w"]
    return float(np.diff(P / params["gamma_w"] - (1 - params["beta"]) * np.log(P))[0] / np.log(1e4))


def degradation_factors() -> list[float]:
    """With twice the tokens, and with twice the parameters (the inverse)."""
    base = laws.precision_ptq(1e8, 1e10, 4.0, **_QUANTISED)
    return [laws.precision_ptq(1e8, 2e10, 4.0, **_QUANTISED) / base, base / laws.precision_ptq(2e8, 1e10, 4.0, **_QUANTISED)]


def qid(N, D, P):
    return laws.qid(N, D, P, **laws.qid.published["ouyang2024"])


def later() -> float:
    """Tokens at which 70B has lost what 7B has at 1e12 tokens, as a multiple."""
    source = (laws.qid, laws.qid.published["ouyang2024"])
    return sj.equivalent(source, "D", like=qid(7e9, 1e12, 4.0), N=70e9, P=4.0).value / 1e12


# Floating-point formats

_FLOAT = (laws.fp_quantization, laws.fp_quantization.published["sun2025"])
_LAYOUTS = "00 10 11 21 22 32 33 43 44 54 55 65 66 76 77 87"  # exponent and mantissa bits of FP1 to FP16


def layouts() -> list[int]:
    found = sj.derive(_FLOAT, formulas.float_layout, P=np.arange(1.0, 17.0))
    return [int(v) for pair in zip(found.E, found.M, strict=True) for v in pair]


def critical() -> list[float]:
    """Trillions of tokens for BF16, FP8 and FP4, 1e9 parameters and blocks of 128."""
    return sj.derive(_FLOAT, formulas.float_critical_tokens, N=1e9, E=[8, 4, 2], M=[7, 3, 1], B=128).value / 1e12


def float_bits(**given) -> list[float]:
    return sj.derive(_FLOAT, formulas.float_precision, B=128, **given).P


# Compressed representations and drafts

_MAX = [0.3634, 0.1188, 0.03744, 0.01154, 0.003495]  # errors of uniform quantisers with 2 to 32 levels
_ACCEPTED, _DRAFTED = [0.6, 0.7, 0.8, 0.8, 0.9, 0.9], [2, 3, 2, 5, 2, 10]


CLAIMS = [
    Claim(
        "precision", "share of the parameters that count with 8 and 4 bits of weights, activations, keys and values",
        [0.932, 0.891, 0.997, 0.696, 0.331, 0.828], lambda: [kept(part, P) for P in (8.0, 4.0) for part in ("P_w", "P_a", "P_kv")], 5e-4,
    ),
    Claim("precision", "best bits when all parts have the same", 7.00, best_bits, 5e-3),
    Claim(
        "precision", "the same, in the paper's words 7 to 8", 7.5, best_bits, 0.5, kind="paper",
        note="only with the offsets, which the main text leaves out",
    ),
    Claim("precision", "the same without the offsets of the exponents", 3.47, lambda: best_bits(offsets=False), 5e-3),
    Claim(
        "precision", "bits of a model of given size grow with the logarithm of compute: P / gamma - (1 - beta) ln P for an e-fold", 0.4965,
        bits_by_compute, 2e-3, kind="exact", note="exact as f(P) tends to 1",
    ),
    Claim(
        "precision", "twice the tokens multiply the degradation, twice the parameters divide it by", [1.42, 1.27],
        degradation_factors, 5e-3,
    ),
    Unchecked("precision", "R2 of the alternatives on held-out runs: 0.82, 0.71, 0.74, 0.79, 0.84, 0.75", "the 465 runs are not public"),
    Unchecked("precision", "the constants C_x of the law that joins both", "they are not printed"),
    Claim(
        "fp_quantization", "critical tokens of BF16, E4M3 and E2M1, 1e9 parameters, in trillions", [1730.0, 27.0, 0.4], critical,
        [0.5, 0.5, 0.05],
    ),
    Claim(
        "fp_quantization", "exponent and mantissa bits of the best formats of 1 to 16 bits", [*map(int, _LAYOUTS.replace(" ", ""))],
        layouts, 0,
    ),
    Claim(
        "fp_quantization", "best bits at 1e21 and 1e31 FLOPs, in the paper's words between 4 and 8", [4.0, 8.0],
        lambda: float_bits(C=[1e21, 1e31]), 0.5, kind="paper", note="4.19 and 7.58",
    ),
    Claim(
        "fp_quantization", "best bits for 0.1 and 100 trillion tokens, in the paper's words between 4 and 8", [4.0, 8.0],
        lambda: float_bits(C=1e21, D=[1e11, 1e14]), 0.5, kind="paper", note="4.27 and 7.62",
    ),
    Unchecked("fp_quantization", "the marginal fits and the fit to 358 runs", "their settings are printed, their losses are not"),
    Claim(
        "qid", "degradation at 1e14 tokens: 7B, 70B, 405B with 4 bits; 7B, 70B with 3 bits; 7B with 2 bits",
        [1.113, 0.661, 0.445, 5.41, 3.21, 50.3],
        lambda: qid(np.array([7e9, 70e9, 405e9, 7e9, 70e9, 7e9]), 1e14, np.array([4.0, 4, 4, 3, 3, 2])), [5e-4] * 3 + [5e-3] * 2 + [0.05],
    ),
    Claim(
        "qid", "degradation of 12B with 3 bits at 1e11 tokens, which the paper calls negligible", 0.127, lambda: qid(12e9, 1e11, 3.0), 5e-4,
    ),
    Claim(
        "qid", "tokens at which 4 bits cost 70B what they cost 7B at 1e12 tokens, as a multiple: 10^(alpha / beta)", 2.695, later, 5e-4,
    ),
    Unchecked("qid", "fits with AWQ and bitsandbytes, and to Spectra, Llama and Qwen", "the losses of the checkpoints are not in a table"),
    Claim(
        "compressed_capacity", "error of uniform grids of 1 to 5 bits on standard normal numbers, as Max printed it in 1960", _MAX,
        lambda: [papers.gaussian_error(papers.uniform_grid(bits)).error for bits in range(1, 6)], [5e-5, 5e-5, 5e-6, 5e-6, 5e-7],
    ),
    Claim(
        "compressed_capacity", "error of leaving out the smaller half", 0.0714, lambda: papers.sparsity_error(0.5), 1e-4,
        note="about 0.0714",
    ),
    Unchecked(
        "compressed_capacity", "capacities of single formats, and the errors 4.2e-4 to 4.5e-3 of four forms of the law",
        "the runs are not public, and A and B of the fits are not printed",
    ),
    Claim(
        "speculative_decoding", "speed-up for a free draft: acceptance 0.6 to 0.9, 2 to 10 drafted tokens (Leviathan et al., table 1)",
        [1.96, 2.53, 2.44, 3.69, 2.71, 6.86], lambda: papers.speculative_speedup(_ACCEPTED, _DRAFTED).speedup, 5e-3,
    ),
    Claim(
        "speculative_decoding", "operations of the same, as a multiple of the large model's", [1.53, 1.58, 1.23, 1.63, 1.11, 1.60],
        lambda: papers.speculative_speedup(_ACCEPTED, _DRAFTED).operations, 5e-3,
    ),
    Unchecked(
        "speculative_decoding", "slopes of acceptance in the logarithms of tokens, size and batch",
        "no text of the paper with its constants could be found",
    ),
]  # fmt: skip
