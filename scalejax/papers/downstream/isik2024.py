"""How well the languages of pre-training suit a translation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DataError


def translation_alignment(source: Any, target: Any) -> Any:
    r"""Alignment of a pre-training mixture with a translation task.

        A = P_src P_dest + 0.7 P_src + 0.8 P_dest

    Args:
        source, target: shares of the source and of the target language in the tokens of pre-training; numbers or arrays.

    Returns:
        The score: 1 for equal halves of the two languages, 0 for neither.

    Raises:
        DataError: if shares are negative or add up to more than 1.

    Example:
        >>> round(translation_alignment(0.5, 0.5), 6), translation_alignment(1.0, 0.0), translation_alignment(0.0, 1.0)
        (1.0, 0.7, 0.8)

    References: Isik et al. 2024, arXiv:2402.04177, section 3.2.
    """
    a, b = (np.asarray(v, dtype=np.float64) for v in (source, target))
    if not ((a >= 0) & (b >= 0) & (a + b <= 1 + 1e-9)).all():
        raise DataError("Shares of the two languages must not be negative nor add up to more than 1.")
    found = a * b + 0.7 * a + 0.8 * b
    return found if found.ndim else float(found)
