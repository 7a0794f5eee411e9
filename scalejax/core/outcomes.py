"""Which way is better, as far as the name of an outcome says."""

from __future__ import annotations

import re
from itertools import pairwise

_FALLING = ("loss", "ppl", "perplexity", "error", "nll", "entropy", "bpb", "brier")
_RISING = frozenset(
    ["acc", "accuracy", "score", "f1", "bleu", "rouge", "auc", "auroc", "pass", "reward", "winrate", "exact_match", "win_rate"]
)


def less_is_better(name: str) -> bool:
    """Does a column's name say that it is a loss or an error?"""
    return any(word in name.lower() for word in _FALLING)


def more_is_better(name: str) -> bool:
    """Does a column's name say that it is a score, such as an accuracy?

    >>> [more_is_better(name) for name in ("gsm8k_acc", "mmlu/acc_norm,none", "pass@1", "acc_error", "accent")]
    [True, True, True, False, False]
    """
    words = re.split(r"[^a-z0-9]+", name.lower())
    pairs = {f"{a}_{b}" for a, b in pairwise(words)}
    return not less_is_better(name) and not _RISING.isdisjoint({*words, *pairs})
