"""A hold-out that is asked again and again: answers that do not give it away, and what happens without them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.table import Computed


def thresholdout(
    training: Any, holdout: Any, *, threshold: float, noise: float, budget: float = math.inf, spent: int = 0, seed: int = 0
) -> Computed:
    r"""Answers to questions about a hold-out, from the training data wherever both agree.

        answer_i = holdout_i + Lap(noise)  if |training_i - holdout_i| > threshold + Lap(2 noise) + Lap(4 noise),  else training_i

    The analyst sees only the answers, and may ask next what they suggest. A question on which both agree costs nothing; one on which they
    do not is over-fitted to the training data, gets a noisy answer, and is counted: after `budget` of those the hold-out is used up. The
    threshold's own noise is drawn anew after each of them.

    Args:
        training, holdout: (questions,) means over each set, such as the error of a law or the accuracy of a classifier; or one number each.
        threshold: how far both may be apart.
        noise: scale of the Laplace noise; a few times it is what an answer may be off.
        budget: answers from the hold-out in all; endless by default.
        spent: of them before this call, for one hold-out that is asked in several calls.
        seed: of the noise. Take another for every call: the same noise again would cancel.

    Returns:
        "answer", in the shape of the questions, NaN once the hold-out is used up; "spent", answers from the hold-out so far; "overfitted",
        whether each was one.

    Raises:
        DataError: if shapes do not agree, or a scale is not positive.

    Example:
        >>> found = thresholdout([0.70, 0.62], [0.50, 0.61], threshold=0.04, noise=0.001, budget=2)
        >>> found.answer.round(2).tolist(), found.spent
        ([0.5, 0.62], 1)

    Note: with a handful of large runs held out no noise protects them; then the number of laws that were tried on them is what to report.

    References: Dwork et al. 2015, Science 349, 636, and arXiv:1506.02629; Dwork et al. 2014, arXiv:1411.2664.
    """
    seen, held = np.atleast_1d(np.asarray(training, dtype=np.float64)), np.atleast_1d(np.asarray(holdout, dtype=np.float64))
    if seen.ndim != 1 or seen.shape != held.shape:
        raise DataError(f"training and holdout must be (questions,) of one length, got shapes {seen.shape} and {held.shape}.")
    if not (threshold > 0 and noise > 0 and spent >= 0):
        raise DataError(f"threshold={threshold!r} and noise={noise!r} must be positive, and spent={spent!r} not negative.")
    rng = np.random.default_rng(seed)
    each, own = rng.laplace(scale=4 * noise, size=len(seen)), rng.laplace(scale=noise, size=len(seen))
    limit = threshold + rng.laplace(scale=2 * noise)
    answers, overfitted = seen.copy(), np.zeros(len(seen), dtype=bool)
    for i in range(len(seen)):
        if spent >= budget:
            answers[i:] = np.nan
            break
        if abs(seen[i] - held[i]) > limit + each[i]:
            answers[i], overfitted[i] = held[i] + own[i], True
            limit, spent = threshold + rng.laplace(scale=2 * noise), spent + 1
    shape = np.shape(training)
    return Computed({"answer": answers if shape else float(answers[0]), "spent": int(spent), "overfitted": overfitted}, "reusable hold-out")


def reused_holdout(n: int, d: int, k: int, *, reusable: bool = False, repeats: int = 10, seed: int = 0) -> Computed:
    r"""What a hold-out says of a classifier whose variables were chosen with it, though none of them tells anything.

        f(x) = sign( sum over the k variables j of largest |w_j| of sign(w_j) x_j ),   w_j = mean of y x_j over the training data

    Among the variables whose correlations with the label on training data and on the hold-out have one sign and exceed 1/sqrt(n); all x
    and the labels y are random, so that no classifier is right more often than every other time.

    Args:
        n: examples of each set; d: variables; k: variables of the classifier.
        reusable: ask the hold-out through `thresholdout`, with threshold 4/sqrt(n) and noise 1/sqrt(n), as the paper does at n = 10,000.
        repeats: of the experiment. seed: of all draws.

    Returns:
        Means over the repeats: "training", accuracy there; "reported", what the hold-out says; "holdout", accuracy on it; "fresh", on new
        data.

    Raises:
        DataError: if a number is not a positive whole one, or k exceeds d.

    Example:
        >>> found = reused_holdout(1000, 1000, 50, repeats=2)
        >>> bool(found.reported > 0.6), bool(abs(found.fresh - 0.5) < 0.05)
        (True, True)

    References: Dwork et al. 2015, Science 349, 636, figure 1.
    """
    if not all(isinstance(v, int) and v > 0 for v in (n, d, k, repeats)) or k > d:
        raise DataError(f"reused_holdout() needs positive whole numbers with k <= d, got n={n!r}, d={d!r}, k={k!r}, repeats={repeats!r}.")
    rng = np.random.default_rng(seed)
    rows = np.array([_experiment(n, d, k, reusable, rng) for _ in range(repeats)])
    return Computed(
        {name: float(v) for name, v in zip(("training", "reported", "holdout", "fresh"), rows.mean(axis=0), strict=True)}, "reused hold-out"
    )


def _experiment(n: int, d: int, k: int, reusable: bool, rng: np.random.Generator) -> list[float]:
    """Accuracies on training data, as reported, on the hold-out and on fresh data."""
    sets = [(rng.standard_normal((n, d), dtype=np.float32), rng.choice([-1.0, 1.0], n)) for _ in range(3)]
    scale = 1 / math.sqrt(n)
    means = [x.T @ y / n for x, y in sets[:2]]
    said = means[1]
    if reusable:
        said = thresholdout(*means, threshold=4 * scale, noise=scale, seed=int(rng.integers(2**31))).answer
    usable = (means[0] * said > 0) & (np.abs(means[0]) > scale) & (np.abs(said) > scale)
    best = np.argsort(np.where(usable, -np.abs(means[0]), 0.0), kind="stable")[: min(k, int(usable.sum()))]
    accuracy = [float(np.mean(np.sign(x[:, best] @ np.sign(means[0][best])) == y)) for x, y in sets]
    reported = accuracy[1]
    if reusable:
        reported = thresholdout(*accuracy[:2], threshold=4 * scale, noise=scale, seed=int(rng.integers(2**31))).answer
    return [accuracy[0], reported, accuracy[1], accuracy[2]]
