"""Which way is better, as far as the name of an outcome says."""

from __future__ import annotations

import re
from itertools import pairwise

_FALLING = ("loss", "ppl", "perplexity", "error", "nll", "entropy", "bpb", "brier")
_SHARES = frozenset({"accuracy", "accuracies", "acc", "score", "scores", "success", "f1", "em"})  # of 1, or of 100
_RISING = _SHARES | {"bleu", "rouge", "auc", "auroc", "pass", "reward", "winrate", "exact_match", "win_rate"}
_PERCENT = frozenset({"percent", "pct", "percentage"})


def less_is_better(name: str) -> bool:
    """Does a column's name say that it is a loss or an error?"""
    return any(word in name.lower() for word in _FALLING)


def more_is_better(name: str) -> bool:
    """Does a column's name say that it is a score, such as an accuracy?

    >>> [more_is_better(name) for name in ("gsm8k_acc", "mmlu/acc_norm,none", "pass@1", "acc_error", "accent")]
    [True, True, True, False, False]
    """
    words = _words(name)
    pairs = {f"{a}_{b}" for a, b in pairwise(words)}
    return not less_is_better(name) and not _RISING.isdisjoint({*words, *pairs})


def in_percent(name: str, largest: float) -> bool:
    """Does a column whose values reach so far count in per cent? Its name says so, or it is a share of more than 1.

    >>> [in_percent(name, 60.0) for name in ("gsm8k_acc", "pass_pct", "reward")], in_percent("gsm8k_acc", 0.6)
    ([True, True, False], False)
    """
    words = _words(name)
    return largest <= 100 and ("%" in name or not _PERCENT.isdisjoint(words) or (largest > 1 and not _SHARES.isdisjoint(words)))


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z0-9]+", name.lower())
