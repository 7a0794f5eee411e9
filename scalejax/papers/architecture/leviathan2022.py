"""Speculative decoding: what drafts of a small model save, and how long they should be."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DecisionError
from ...core.table import Computed

_LONGEST = 128


def speculative_speedup(p: Any, g: Any, *, c: Any = 0.0, c_hat: Any = 0.0) -> Computed:
    r"""Tokens a step, time saved and operations spent when a small model drafts and the large one checks.

        tokens = (1 - p^(g + 1)) / (1 - p),    speedup = tokens / (1 + g c),    operations = (1 + g + g c_hat) / tokens

    Args:
        p: chance that a drafted token is accepted, independently of the others, from 0 to 1.
        g: drafted tokens a step. Numbers or arrays that broadcast, as all others.
        c: time of a pass of the small model, as a share of one of the large model.
        c_hat: its operations, as a share likewise.

    Returns:
        `tokens`, expected a step, of which one is the large model's own; `speedup` over the large model alone, if checking g + 1 tokens
        takes the time of one; `operations`, as a multiple of those of the large model alone.

    Raises:
        DecisionError: if p is not a chance, or g or a cost is negative.

    Example:
        >>> found = speculative_speedup(0.8, 5)
        >>> round(found.speedup, 2), round(found.operations, 2)
        (3.69, 1.63)

    References: Leviathan et al. 2022, arXiv:2211.17192; Yan et al. 2025, arXiv:2505.07858, whose measured acceptance is linear in the
        logarithm of the small model's tokens and of its size (`laws.logarithmic`).
    """
    p, g, c, c_hat = (np.asarray(v, dtype=np.float64) for v in (p, g, c, c_hat))
    if not ((p >= 0) & (p <= 1)).all() or min(g.min(), c.min(), c_hat.min()) < 0:
        raise DecisionError("speculative_speedup() needs p from 0 to 1, and g, c and c_hat that are not negative.")
    tokens = np.where(p < 1, (1 - p ** (g + 1)) / np.where(p < 1, 1 - p, 1.0), g + 1)
    values = {"tokens": tokens, "speedup": tokens / (1 + g * c), "operations": (1 + g + g * c_hat) / tokens}
    return Computed({n: v if v.ndim else float(v) for n, v in values.items()}, "speculative decoding")


def draft_length(p: float, c: float) -> Computed:
    r"""The number of drafted tokens that saves most time, up to 128; none if drafting does not pay.

        g* = argmax over g = 0, 1, ... of (1 - p^(g + 1)) / ((1 - p) (1 + g c))

    Args:
        p: chance that a drafted token is accepted.
        c: time of a pass of the small model, as a share of one of the large model.

    Returns:
        `length`, g*, and the `speedup` with it.

    Raises:
        DecisionError: as `speculative_speedup`.

    Example:
        >>> [draft_length(p, 0.05).length for p in (0.04, 0.6, 0.8, 0.9)]
        [0, 4, 8, 13]

    References: Leviathan et al. 2022, arXiv:2211.17192, section 3.
    """
    found = speculative_speedup(p, np.arange(_LONGEST + 1), c=c).speedup
    best = int(np.argmax(found))
    return Computed({"length": best, "speedup": float(found[best])}, "length of drafts")
