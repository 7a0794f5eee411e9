"""Many samples, imperfect verifiers, compute at test time, and hold-outs that are used again."""

from __future__ import annotations

import numpy as np

import scalejax as sj
from scalejax import costs, datasets, formulas, laws, papers

from .claim import Claim, Unchecked

# What the library has of each paper.
PROVIDES = {
    "coverage_exp_power": (
        "laws.coverage_power", "laws.coverage_beta", "laws.success_after", "papers.pass_at_k", "papers.attempts", "equivalent",
    ),
    "imperfect_verifier": ("laws.resampling", "formulas.best_attempts", "formulas.best_attempts_beta"),
    "rag_allocation": ("laws.rag_error", "allocate"),
    "tts_compute_optimal": ("papers.matched_inference", "papers.best_strategies", "allocate"),
    "pass_n_training": ("formulas.coverage_loss", "laws.coverage_beta"),
    "adaptive_data_analysis": ("papers.thresholdout", "papers.reused_holdout"),
}  # fmt: skip

# Coverage: points of the paper's figures, and counts of single problems.

_CURVES = {
    "llama3_8b_math": "llama38Binstruct_oracle.csv",
    "llama3_70b_math": "llama370Binstruct_oracle.csv",
    "gemma_2b_math": "gemma2B.csv",
    "pythia_2b8_math": "pythia28B.csv",
}


def points(file: str) -> tuple[np.ndarray, np.ndarray]:
    """Samples and the share of problems."""
    k, share = np.loadtxt(datasets.path("monkeys_coverage", file), delimiter=",", skiprows=1).T
    return np.maximum(k, 1.0), share


def fitted() -> list[float]:
    """a and b of the four curves by least squares."""
    found = []
    for file in _CURVES.values():
        k, share = points(file)
        fit = sj.fit(laws.coverage_power, {"k": k, "coverage": share}, on="linear", loss=sj.squared(), starts=16)
        found += [fit.params["a"], fit.params["b"]]
    return found


def off() -> list[float]:
    """Mean absolute errors of the published sets at the points of their curves."""
    found = []
    for key, file in _CURVES.items():
        k, share = points(file)
        found.append(float(np.abs(laws.coverage_power(k, **laws.coverage_power.published[key]) - share).mean()))
    return found


def voted() -> list[float]:
    """Accuracy of majority votes at 100 and 10,000 samples by a power law with a floor for the errors, from three samples on."""
    k, share = points("llama38Binstruct_maj.csv")
    kept = k > 2.5
    fit = sj.fit("m2", {"x": k[kept], "loss": 1 - share[kept]}, on="linear", loss=sj.squared(), starts=32)
    return [1 - float(laws.m2(k, **fit.params)) for k in (100.0, 1e4)]


def solved() -> list[float]:
    """Chances that 2 samples solve problems 0 and 4, and that 168 solve problems 0, 3 and 123."""
    right = [154, 3, 2319, 192]  # of 10,000 samples for these four
    each = papers.pass_at_k([10_000] * 4, right, [2, 168]).each
    return [*each[0, [0, 2]], *each[1, [0, 1, 3]]]


def tail(u: float, v: float) -> float:
    """Exponent of -ln coverage between 1e6 and 1e7 samples."""
    logs = np.log(-np.log(laws.coverage_beta([1e6, 1e7], u=u, v=v)))
    return float(-np.diff(logs)[0] / np.log(10))


# Verifiers

_ILLUSTRATED = (laws.resampling, laws.resampling.published["stroebl2024_illustration"])


def stopped(V_f: float) -> list[float]:
    found = sj.derive(_ILLUSTRATED, formulas.best_attempts, V_f=V_f)
    return [found.K, found.reward]


# Compute at test time


def matched(R: float) -> float:
    """Compute of a model 14 times as large over that of the small one with matched inference, per parameter of the latter."""
    D_pre = 1e12
    small = costs.six_nd_inference(1.0, D_pre, papers.matched_inference(14, R) * R * D_pre)
    return costs.six_nd_inference(14.0, D_pre, R * D_pre) / small


def trained() -> list[float]:
    """In 1e23 FLOPs: Llama 3.2 3B, Llama 3.1 405B, R1-Distill-Qwen-7B and R1 with all its parameters."""
    return [float(v) / 1e23 for v in costs.six_nd(np.array([3e9, 405e9, 7e9, 671e9]), np.array([9e12, 15e12, 18e12, 14.8e12]))]


def reused() -> list[float]:
    """Accuracy that the hold-out reports and that on fresh data, with the paper's ratios of numbers, a tenth of each."""
    found = papers.reused_holdout(1000, 1000, 50, repeats=20)
    return [found.reported, found.fresh]


CLAIMS = [
    Claim(
        "coverage_exp_power", "coverage of Llama 3 8B on MATH with 100 and 10,000 samples", [0.829, 0.9844],
        lambda: laws.coverage_power([100.0, 1e4], **laws.coverage_power.published["llama3_8b_math"]), 1e-2, kind="repro",
        note="the constants are of the whole curve, from points of a figure, which it passes within 0.004 on average",
    ),
    Claim(
        "coverage_exp_power", "a and b of Llama 3 8B and 70B, Gemma 2B and Pythia 2.8B, by another least-squares routine",
        [1.347, 0.435, 0.767, 0.461, 2.679, 0.417, 4.302, 0.346], fitted, 6e-4, kind="repro", data="monkeys_coverage",
    ),
    Claim(
        "coverage_exp_power", "mean absolute errors of the four curves", [0.004, 0.006, 0.014, 0.008], off, 5e-4, kind="repro",
        data="monkeys_coverage",
    ),
    Claim(
        "coverage_exp_power", "majority votes of Llama 3 8B on MATH: 40.50 % with 100 samples, 41.41 % with 10,000", [0.4050, 0.4141],
        voted, 3e-3, kind="repro", data="monkeys_coverage", note="a power law with a floor through points of a figure",
    ),
    Claim(
        "coverage_exp_power", "pass@2 of problems 0, 4 and pass@168 of problems 0, 3, 123, Pythia 6.9B on MATH, in the authors' table",
        [0.03056435643564448, 0.41004020402040053, 0.9278868930886414, 0.04956289451709717, 0.9625497750105856], solved, 1e-12,
        kind="exact",
    ),
    Claim(
        "coverage_exp_power", "exponent of -ln coverage for many samples: that of the left tail, 0.3 and 0.7", [0.3, 0.7],
        lambda: [tail(0.3, 5.0), tail(0.7, 2.0)], 3e-3, kind="exact", note="exact for endless samples",
    ),
    Unchecked(
        "coverage_exp_power", "mean absolute error of 0.002 for Llama 3 8B on CodeContests; SWE-bench Lite from 15.9 % to 56 %",
        "the samples are public as sets of gigabytes, the curves as figures",
    ),
    Unchecked(
        "coverage_exp_power", "coverage of 10,000 samples from 100 of each problem", "the counts by problem have no licence",
    ),
    Unchecked(
        "coverage_exp_power", "relative errors of exponents an order of magnitude lower than by least squares",
        "the table of estimates is not public",
    ),
    Claim(
        "imperfect_verifier", "best number of samples and its reward in the illustration, a wrong answer worth -0.7, -1 and -2",
        [3, 0.5246, 2, 0.4724, 1, 0.3388], lambda: [*stopped(-0.7), *stopped(-1.0), *stopped(-2.0)], [0, 5e-5] * 3,
        note="from the notebook's printed constants; its own formula weights the types twice and has 0.5541, 0.4884 and 0.3388",
    ),
    Claim(
        "imperfect_verifier", "the same: precision of what is accepted, easy and hard problems, and the limit of endless samples",
        [0.964, 0.374, 0.716], lambda: [*(found := sj.derive(_ILLUSTRATED, formulas.best_attempts)).precision, found.limit], 5e-4,
    ),
    Claim(
        "imperfect_verifier", "the same with one sample and with ten thousand: share that ends right", [0.5592, 0.7162],
        lambda: laws.resampling([1.0, 1e4], **_ILLUSTRATED[1]), 5e-5, note="0.58 x 0.87 + 0.42 x 0.13, and the limit in four digits",
    ),
    Unchecked(
        "imperfect_verifier", "correlation of accuracy and false positives on HumanEval and MBPP; at most 10 samples under realistic costs",
        "the raw samples are downloads apart from the repository",
    ),
    Unchecked(
        "rag_allocation", "R2 of 0.903 and of the ablations; shares of the oracle on unseen domains and lengths; gains of up to 58.9 %",
        "neither the runs nor the coefficients are public",
    ),
    Claim(
        "tts_compute_optimal", "compute of 14 times the parameters over that of the small model with matched inference, R = 0.16, 0.79, 22",
        [1.0, 1.0, 1.0], lambda: [matched(R) for R in (0.16, 0.79, 22.0)], 1e-12, kind="exact",
    ),
    Unchecked(
        "tts_compute_optimal", "four times fewer samples than best-of-N; +27.8 % to -52.9 % against 14 times the parameters",
        "the samples of PaLM 2 are not public",
    ),
    Claim(
        "reward_aware_tts", "training FLOPs in 1e23: Llama 3.2 3B, Llama 3.1 405B, R1-Distill-Qwen-7B, R1", [1.62, 365.0, 7.56, 596.0],
        trained, [5e-3, 0.5001, 5e-3, 0.5], note="R1 with all 671e9 parameters; its 37e9 active ones have 3.3e24: not 79 times, but 4",
    ),
    Unchecked("reward_aware_tts", "MATH-500: 26.0 to 66.2 for 1B, 83.8 to 91.8 for 72B", "no samples of strategies are public"),
    Unchecked(
        "pass_n_training", "pass@N falls with epochs of cross-entropy while pass@1 rises", "chances of single problems are not public"
    ),
    Claim(
        "adaptive_data_analysis", "random labels, 500 of 10,000 variables, 10,000 examples: reported by the hold-out, and on fresh data",
        [0.63, 0.50], reused, 1e-2, kind="paper", slow=True, note="simulated with a tenth of each number, on whose ratios it depends",
    ),
]  # fmt: skip
