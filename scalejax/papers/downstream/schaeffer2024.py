"""Multiple choice, link by link: from the likelihood of an answer to accuracy, and where scale stops to show."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DataError, DecisionError, suggest
from ...core.numeric.statistics import ranks
from ...core.table import Computed

_METHODS = ("spearman", "pearson", "kendall")


def choice_metrics(logp: Any, correct: Any) -> Computed:
    r"""The metrics of multiple choice that follow from one another, of every item.

        p_vocab = exp(logp[correct]),    p_choices = p_vocab / sum_i exp(logp_i)
        accuracy = 1[correct is the likeliest option],    brier = sum_i (1[i = correct] - p_i)^2

    The step to p_choices takes in the wrong options, whose likelihood varies by orders of magnitude at one likelihood of the right one:
    an item of four options with p_choices = 0.4 is right or wrong by how the other 0.6 is spread.

    Args:
        logp: (..., items, options) log likelihoods of the options.
        correct: (items,) index of the right option.

    Returns:
        `log_p`, `p_vocab`, `p_choices`, `brier` and `accuracy`, each (..., items). Options that are equally likely share the accuracy.

    Raises:
        DataError: if the shapes do not match.

    Example:
        >>> import numpy as np
        >>> found = choice_metrics(np.log([[0.4, 0.2, 0.2, 0.2], [0.4, 0.6, 1e-9, 1e-9]]), [0, 0])
        >>> found.p_choices.round(2).tolist(), found.accuracy.tolist()
        ([0.4, 0.4], [1.0, 0.0])

    References: Schaeffer et al. 2024, arXiv:2406.04391.
    """
    scores, right = np.asarray(logp, dtype=np.float64), np.asarray(correct, dtype=int)
    if scores.ndim < 2 or right.shape != scores.shape[-2:-1] or ((right < 0) | (right >= scores.shape[-1])).any():
        raise DataError(f"logp must be (..., items, options) and correct name an option of each item; got {scores.shape}, {right.shape}.")
    at = np.broadcast_to(right[:, None], (*scores.shape[:-1], 1))
    own = np.take_along_axis(scores, at, axis=-1)[..., 0]
    top = scores.max(axis=-1, keepdims=True)
    share = np.exp(scores - top)
    share /= share.sum(axis=-1, keepdims=True)
    p = np.take_along_axis(share, at, axis=-1)[..., 0]
    best = scores == top
    accuracy = np.take_along_axis(best, at, axis=-1)[..., 0] / best.sum(axis=-1)
    brier = np.sum(share**2, axis=-1) - 2 * p + 1
    return Computed({"log_p": own, "p_vocab": np.exp(own), "p_choices": p, "brier": brier, "accuracy": accuracy}, "multiple choice")


def score_correlations(scores: Any, compute: Any, *, method: str = "spearman", above: float = 0.75) -> Computed:
    r"""How much of every item's score scale explains: correlations with compute over models, and their distribution over items.

        C_s = corr over models (log compute, score_s),    S(c) = share of items with C_s > c

    Args:
        scores: (models, items) scores of any metric.
        compute: (models,) training FLOPs.
        method: "spearman", "pearson" or "kendall".
        above: c, at which S is given.

    Returns:
        `values`, (items,) C_s, NaN for items on which all models score the same; `mean`, `median`, `share` S(c) of all items; `distance`,
        mean |C_s - 1| or |C_s + 1|, whichever is smaller: how far the items are from being ordered by compute throughout.

    Raises:
        DataError: if the shapes do not match or there are fewer than three models. DecisionError: for another method.

    Example:
        >>> import numpy as np
        >>> logp = np.array([[-3.0, -2.0], [-2.5, -2.2], [-1.0, -1.5]])
        >>> [round(score_correlations(m, [1e20, 1e21, 1e22]).mean, 6) for m in (logp, np.exp(logp))]
        [0.75, 0.75]

    References: Schaeffer et al. 2024, arXiv:2406.04391, section 4.
    """
    if method not in _METHODS:
        raise DecisionError(f"method={method!r} is unknown; {suggest(method, _METHODS)}")
    table, size = np.asarray(scores, dtype=np.float64), np.asarray(compute, dtype=np.float64)
    if table.ndim != 2 or size.shape != table.shape[:1] or len(size) < 3 or not (size > 0).all() or not np.isfinite(table).all():
        raise DataError("score_correlations() needs scores (models, items) without gaps, and the compute of three models or more.")
    x = np.log(size)[:, None]
    if method == "kendall":
        a, b = np.triu_indices(len(x), 1)
        x, table = (np.sign(v[b] - v[a]) for v in (x, table))
        found = _cosine(x, table)
    else:
        if method == "spearman":
            x, table = (np.apply_along_axis(ranks, 0, v) for v in (x, table))
        found = _cosine(x - x.mean(axis=0), table - table.mean(axis=0))
    known = found[~np.isnan(found)]
    mean, median = (float(f(known)) if len(known) else np.nan for f in (np.mean, np.median))
    values = {"values": found, "mean": mean, "median": median, "share": float(np.mean(found > above)), "distance": 1 - abs(mean)}
    return Computed(values, f"correlation with compute ({method})")


def _cosine(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Of x (n, 1) and every column, NaN where a column is 0."""
    size = np.sqrt(np.sum(x**2) * np.sum(table**2, axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 1e-12, np.sum(x * table, axis=0) / size, np.nan)
