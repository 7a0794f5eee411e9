"""Are predicted probabilities right as often as they say? Errors of calibration, and two ways to mend it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.checks import check_count
from ...core.errors import DataError
from ...core.table import Computed

_ROUNDS, _FLAT = 100, 1e-12


def calibration_error(p: Any, y: Any, *, bins: int = 15) -> Computed:
    r"""Expected calibration error and Brier score of predicted probabilities.

        ECE = sum_b (n_b / n) |mean y - mean p in bin b|,    Brier = mean (p - y)^2

    Args:
        p: (n,) predicted probabilities, such as the confidence in an answer.
        y: (n,) what came: 1 if it was right, 0 if not, or shares.
        bins: of equal width over 0 to 1.

    Returns:
        `value`, the ECE; `brier`; `confidence`, `frequency` and `count` of every bin that is not empty.

    Raises:
        DataError: if the columns do not match or hold no probabilities.

    Example:
        >>> found = calibration_error([0.9, 0.9, 0.9, 0.9, 0.1], [1, 1, 1, 0, 0])
        >>> round(found.value, 4), round(found.brier, 4)
        (0.14, 0.17)

    References: Guo et al. 2017, arXiv:1706.04599.
    """
    check_count("bins", bins, 1, DataError)
    p, y = _columns(p, y)
    if not ((p >= 0) & (p <= 1)).all():
        raise DataError("p must be probabilities, from 0 to 1.")
    place = np.minimum((p * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    full = count > 0
    confidence, frequency = (np.bincount(place, v, minlength=bins)[full] / count[full] for v in (p, y))
    value = float(np.sum(count[full] * np.abs(confidence - frequency)) / len(p))
    parts = {"confidence": confidence, "frequency": frequency, "count": count[full]}
    return Computed({"value": value, "brier": float(np.mean((p - y) ** 2)), **parts}, "calibration")


def temperature(logits: Any, labels: Any) -> float:
    r"""The temperature that makes softmax probabilities most likely, by Newton steps in 1/T.

        p = softmax(z / T),    T = argmin -sum_i log p_i[label_i]

    Args:
        logits: (n, classes) z. labels: (n,) index of the right class.

    Returns:
        T: above 1 where the model is too sure of itself.

    Raises:
        DataError: if the shapes do not match, or no finite T is best.

    Example:
        >>> round(temperature([[4.0, 0.0]] * 4, [0, 0, 0, 1]), 4)  # sure to 98 %, right in 3 of 4: log 3 instead of 4
        3.641

    References: Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    z, right = np.asarray(logits, dtype=np.float64), np.asarray(labels, dtype=int)
    if z.ndim != 2 or right.shape != (len(z),) or ((right < 0) | (right >= z.shape[-1])).any() or not np.isfinite(z).all():
        raise DataError(f"logits must be (n, classes) and labels name a class of each; got {z.shape} and {right.shape}.")
    own, inverse = z[np.arange(len(z)), right].mean(), 0.0
    low, high = 0.0, np.inf
    for _ in range(_ROUNDS):  # the objective is convex in 1/T; bisect where a step leaves what is left
        share = np.exp(inverse * (z - z.max(axis=1, keepdims=True)))
        share /= share.sum(axis=1, keepdims=True)
        mean = np.sum(share * z, axis=1)
        slope = mean.mean() - own
        bend = np.mean(np.sum(share * z**2, axis=1) - mean**2)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / max(bend, _FLAT)
        after = step if low <= step <= high else 0.5 * (low + high) if np.isfinite(high) else 2 * low + 1
        if abs(after - inverse) <= _FLAT * (1 + inverse):
            break
        inverse = after
    if inverse <= 1e-9 or inverse > 1e9:
        raise DataError("No finite temperature is best: the logits are no better than guesses, or the labels always the likeliest class.")
    return float(1 / inverse)


def platt(s: Any, y: Any) -> tuple[float, float]:
    r"""Platt's recalibration of a score: the logistic curve of greatest likelihood, by Newton steps.

        p = 1 / (1 + exp(-(a s + b)))

    Args:
        s: (n,) scores, such as logits of predicted probabilities.
        y: (n,) what came, 0, 1 or shares.

    Returns:
        (a, b); 1 and 0 for logits that are calibrated as they are.

    Raises:
        DataError: if the columns do not match, all scores are equal, or the outcomes are separated by the score, so that no curve is best.

    Example:
        >>> import numpy as np
        >>> s = np.array([-2.0, 0.0, 2.0])
        >>> a, b = platt(s, 1 / (1 + np.exp(-(0.5 * s + 1))))
        >>> round(a, 6), round(b, 6)
        (0.5, 1.0)

    References: Platt 1999, Advances in Large Margin Classifiers; Gupta and Ramdas 2023, arXiv:2305.00070.
    """
    s, y = _columns(s, y)
    if np.ptp(s) == 0:
        raise DataError("platt() needs scores that differ.")
    columns, theta = np.stack([s, np.ones_like(s)], axis=1), np.zeros(2)

    def likelihood(theta: np.ndarray) -> float:
        u = columns @ theta
        return float(np.sum(y * u - np.logaddexp(0, u)))

    for _ in range(_ROUNDS):
        p = 1 / (1 + np.exp(-columns @ theta))
        step = np.linalg.lstsq((columns.T * (p * (1 - p))) @ columns, columns.T @ (y - p), rcond=None)[0]
        while likelihood(theta + step) < likelihood(theta) - _FLAT and np.abs(step).max() > _FLAT:
            step = 0.5 * step
        theta = theta + step
        if np.abs(step).max() <= _FLAT * (1 + np.abs(theta).max()):
            break
    if np.abs(columns @ theta).min() > 15:
        raise DataError("The scores separate the outcomes, so that no curve is best; give more outcomes.")
    return float(theta[0]), float(theta[1])


def _columns(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    a, b = (np.asarray(v, dtype=np.float64) for v in (a, b))
    if a.ndim != 1 or a.shape != b.shape or not len(a) or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DataError("Predictions and outcomes must be two flat columns of the same length, without gaps.")
    if not ((b >= 0) & (b <= 1)).all():
        raise DataError("Outcomes must be 0, 1 or shares between them.")
    return a, b
