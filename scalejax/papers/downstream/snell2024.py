"""Compute at test time: the strategy that is best for each difficulty, and what inference is worth against a larger model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.errors import DataError, DecisionError
from ...core.table import Computed


def matched_inference(M: Any, R: Any) -> Any:
    r"""How much more inference a small model may do for the compute of a model M times as large.

        6 P D_pre + k 2 P D_inf = M (6 P D_pre + 2 P D_inf)    =>    k = M + 3 (M - 1) / R,    R = D_inf / D_pre

    Args:
        M: how many times larger the other model is, 1 or more; a number or an array.
        R: tokens of inference over the lifetime per token of pre-training, of the same data for both.

    Returns:
        k, tokens of the small model for a token of the large one. With little inference, R << 1, it is large: test-time compute is cheap
        where answers are few.

    Raises:
        DecisionError: if M is below 1 or R is not positive.

    Example:
        >>> round(matched_inference(14, 0.16), 2), round(matched_inference(14, 22), 2)
        (257.75, 15.77)

    References: Snell et al. 2024, arXiv:2408.03314, section 7.
    """
    size, ratio = np.asarray(M, dtype=np.float64), np.asarray(R, dtype=np.float64)
    if not (size >= 1).all() or not (ratio > 0).all():
        raise DecisionError(f"matched_inference() needs M of 1 or more and a positive R, got M={M!r} and R={R!r}.")
    k = size + 3.0 * (size - 1) / ratio
    return k if k.ndim else float(k)


def best_strategies(correct: Any, difficulty: Any, *, bins: int | Sequence[float] = 5, folds: int = 2, seed: int = 0) -> Computed:
    r"""The strategy of each difficulty and budget, chosen on some questions and scored on others.

        theta*(bin, N) = argmax_theta mean over the bin's questions of other folds of correct[theta, N, question]

    Args:
        correct: (strategies, budgets, questions) whether, or with what chance, a question is answered rightly.
        difficulty: (questions,) share of single samples that are right, of the model itself or a reference; or a verifier's guess of it.
        bins: how many bins of equally many questions, or the edges between them, such as (0.1, 0.5) for hard, medium and easy ones.
        folds: parts of the questions, drawn at random; each is scored with the choice that is best on all others. Two in the paper.
        seed: of the parts.

    Returns:
        "accuracy", (budgets,) of the choice by difficulty; "fixed", the same with one strategy for all questions, chosen likewise;
        "chosen", (bins, budgets) index of the best strategy over all questions, hardest bin first; "bins", (bins,) questions in each.

    Raises:
        DataError: if shapes do not agree, a number is missing, or a bin is too small to be parted.

    Example:
        >>> hard, easy = [[0.1, 0.1], [0.3, 0.5]], [[0.8, 0.95], [0.7, 0.8]]  # sequential and parallel, for two budgets
        >>> correct = np.stack([hard, easy] * 8, axis=-1)
        >>> found = best_strategies(correct, [0.1, 0.7] * 8, bins=2)
        >>> found.accuracy.round(3).tolist(), found.fixed.round(3).tolist(), found.chosen.tolist()
        ([0.55, 0.725], [0.5, 0.65], [[1, 1], [0, 0]])

    References: Snell et al. 2024, arXiv:2408.03314, section 3 (bins of equally many questions); Liu et al. 2025, arXiv:2502.06703 (edges,
        and strategies with different reward models).
    """
    table, ease = np.asarray(correct, dtype=np.float64), np.asarray(difficulty, dtype=np.float64)
    if table.ndim != 3 or ease.shape != table.shape[2:] or not (np.isfinite(table).all() and np.isfinite(ease).all()):
        shapes = f"{table.shape} and {ease.shape}"
        raise DataError(f"correct must be (strategies, budgets, questions) and difficulty (questions,), both finite; got {shapes}.")
    edges = np.quantile(ease, np.arange(1, bins) / bins) if isinstance(bins, int) else np.asarray(bins, dtype=np.float64)
    which = np.searchsorted(edges, ease, side="right")
    sizes = np.bincount(which, minlength=len(edges) + 1)
    if not isinstance(folds, int) or folds < 2 or sizes.min() < folds:
        raise DataError(f"Every bin needs at least as many questions as folds={folds!r}, two or more; the bins have {sizes.tolist()}.")
    part = _parts(which, folds, np.random.default_rng(seed))
    accuracy = np.zeros(table.shape[1:])
    for b in range(len(sizes)):
        _score(table, which == b, part, accuracy)
    fixed = np.zeros_like(accuracy)
    _score(table, np.ones(len(ease), dtype=bool), part, fixed)
    chosen = np.stack([table[:, :, which == b].mean(axis=2).argmax(axis=0) for b in range(len(sizes))])
    return Computed({"accuracy": accuracy.mean(axis=1), "fixed": fixed.mean(axis=1), "chosen": chosen, "bins": sizes}, "best strategies")


def _parts(which: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """(questions,) part of each, equally many of every bin."""
    part = np.zeros(len(which), dtype=int)
    for b in np.unique(which):
        inside = np.flatnonzero(which == b)
        part[rng.permutation(inside)] = np.arange(len(inside)) % folds
    return part


def _score(table: np.ndarray, inside: np.ndarray, part: np.ndarray, out: np.ndarray) -> None:
    """Fill `out`, (budgets, questions), for the questions inside, with the strategy that is best on those of other parts."""
    for fold in np.unique(part[inside]):
        held, rest = inside & (part == fold), inside & (part != fold)
        best = table[:, :, rest].mean(axis=2).argmax(axis=0)
        out[:, held] = table[best, np.arange(table.shape[1])][:, held]
