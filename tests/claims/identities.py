"""Claims that hold exactly, of entries whose runs are not public; most by the formula itself, which is not an evidence."""

from __future__ import annotations

import numpy as np

import scalejax as sj
from scalejax import laws, papers, studies

from .claim import Claim

# What the library has of each paper.
PROVIDES = {
    "sgd_noise_phase": (
        "power_product",
        "papers.collapse_power",
        "papers.crossover_power",
        "papers.perceptron_power",
        "papers.optimal_temperature_power",
    ),
    "mixture_under_data_constraints": ("laws.mixture_repeated", "studies.matched_tokens"),
}


def matched_epochs() -> np.ndarray:
    """Epochs of two domains in a proxy of a sixteenth of the tokens, over those in the run itself."""
    unique, tokens, shares = np.array([1e9, 8e9]), 1e11, np.array([0.3, 0.7])
    proxy = studies.matched_tokens(unique, tokens, tokens / 16)
    return (shares * tokens / 16 / proxy) / (shares * tokens / unique)


def frequency_factor() -> float:
    """Frequency that 12 points more take, over that before, at 6 points for ten times as many."""
    known = (laws.concept_frequency, {"b_0": 10.0, "b_1": 6.0})
    return float(sj.equivalent(known, "f", like=28.0 + 12.0).value / sj.equivalent(known, "f", like=28.0).value)


def dimension_powers() -> list[float]:
    """Power of the training samples in the loss for dimensions 19 and 24."""
    ends = [[laws.intrinsic_dimension_loss(n, d, 0.106, c=1.0) for n in (1e3, 1e5)] for d in (19.0, 24.0)]
    return [float(np.log(b / a) / np.log(100)) for a, b in ends]


def worth_of_repeats() -> float:
    """Fresh tokens that one more repeated token is worth after R_D* repeats."""
    values = laws.data_constrained.published["muennighoff2023"]
    U, repeats = 25e9, values["R_D_star"]
    D = U * (1 + repeats + np.array([-1e-3, 1e-3]))
    fresh = sj.equivalent((laws.data_constrained, values), "D", like={"N": 1e9, "D": D, "U": U}, N=1e9, U=1e15).value
    return float((fresh[1] - fresh[0]) / (D[1] - D[0]))


def collapse_of_powers() -> float:
    """Power found for curves of T^1.2 P^0.6."""
    T, P = (v.ravel() for v in np.meshgrid(np.geomspace(1e-3, 1, 12), [1e2, 1e3, 1e4]))
    return papers.collapse_power(T, P, np.log(T**1.2 * P**0.6)).power


CLAIMS = [
    Claim("mixture_under_data_constraints", "epochs in a repetition-matched proxy over those in the run", [1, 1], matched_epochs, 1e-12,
          kind="identity"),
    Claim("concept_frequency_loglinear", "x points more take 10^(x / b_1) times the frequency: x = 12, b_1 = 6", 100.0,
          frequency_factor, 1e-4, kind="identity"),
    Claim("intrinsic_dataset_properties", "power of the samples for dimensions 19, 24: -1 / d", [-1 / 19, -1 / 24], dimension_powers,
          1e-12, kind="identity"),
    Claim(
        "data_constrained", "fresh tokens that one more repeated token is worth after R_D* repeats: 1 / e", np.exp(-1.0), worth_of_repeats,
        1e-5, kind="exact", note="by differences over 0.002 repeats",
    ),
    Claim(
        "sgd_noise_phase", "power of the temperature's cross-over for changes of T^delta P^gamma, delta = 1.2, gamma = 0.6: gamma / delta",
        0.5, collapse_of_powers, 1e-6, kind="exact",
    ),
]  # fmt: skip
