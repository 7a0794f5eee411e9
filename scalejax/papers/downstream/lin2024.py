"""Which pre-trained model to fine-tune: extrapolate each one's loss from subsets of the data, and judge the choice."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.checks import check_count
from ...core.errors import DataError
from ...core.table import Computed


def accept_then_stop(D: Any, loss: Any, target: float, *, k: int = 3, delta: float = 5.0) -> Computed:
    r"""Loss after fine-tuning on all examples, from the subsets beyond the flat stretch: accept, then stop.

        log L = u + v log D,    over the largest subsets

    The line goes through the k largest subsets at first, and accepts the next smaller one while that lies within delta standard deviations
    of the residuals of those accepted.

    Note: as in the authors' code, the smallest subset of all is compared and never accepted, unless there are no more than k.

    Args:
        D: (sizes,) examples of the subsets, rising, all positive.
        loss: (sizes,) or (models, sizes), losses of one or more models.
        target: examples to extrapolate to.
        k: subsets accepted unseen; where there are no more, all are used.
        delta: limit of the standardised residual.

    Returns:
        `predicted`, losses at the target; `first`, examples of the smallest subset accepted; `v`, slopes: a number each, or (models,).

    Raises:
        DataError: if sizes do not rise or are fewer than two, losses are not positive, or shapes do not match.

    Example:
        >>> D = 200 * 2.0 ** np.arange(10)
        >>> loss = np.minimum(3.0 * (D / 1600) ** -0.2, 3.0) * np.tile([1.002, 0.998], 5)
        >>> found = accept_then_stop(D, loss, 1e6)
        >>> found.first, round(found.predicted, 2)
        (1600.0, 0.83)

    References: Lin et al. 2024, arXiv:2402.02314, section 5 and the authors' code.
    """
    x, y = np.asarray(D, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    check_count("k", k, 2, DataError)
    if x.ndim != 1 or len(x) < 2 or y.ndim not in (1, 2) or y.shape[-1] != len(x):
        raise DataError(f"loss must have a column for each of at least two sizes D; got shapes {y.shape} and {x.shape}.")
    if not ((x > 0).all() and (np.diff(x) > 0).all() and (y > 0).all() and np.isfinite(y).all() and target > 0 and delta > 0):
        raise DataError("accept_then_stop() needs sizes that are positive and rise, positive losses, and a positive target and delta.")
    log_x, rows = np.log(x), []
    for row in np.atleast_2d(np.log(y)):
        used = _accepted(log_x, row, k, delta)
        v, u = np.polyfit(log_x[-used:], row[-used:], 1)
        rows.append([np.exp(u + v * np.log(target)), x[-used], v])
    values = zip(("predicted", "first", "v"), np.transpose(rows), strict=True)
    return Computed({name: float(v[0]) if y.ndim == 1 else v for name, v in values}, "accept, then stop")


def _accepted(x: np.ndarray, y: np.ndarray, k: int, delta: float) -> int:
    """How many of the largest subsets belong to the line."""
    used = min(k, len(x))
    while used < len(x):
        line = np.polyfit(x[-used:], y[-used:], 1)
        off = y[-used - 1 :] - np.polyval(line, x[-used - 1 :])
        if abs(off[0]) > delta * off[1:].std():
            break
        if used == len(x) - 1:  # as in the authors' code: the smallest subset is compared, and not used
            break
        used += 1
    return used


def selection_quality(predicted: Any, actual: Any) -> Computed:
    r"""How good a choice of the model with the least predicted loss is, once the losses are known.

        relative accuracy = (worst - chosen) / (worst - best),    regret = chosen - best

    Args:
        predicted: (models,) scores by which the least is chosen.
        actual: (models,) losses.

    Returns:
        `chosen` and `best`, indices; `pearson`, the correlation of both; `relative_accuracy`; `regret`, in the unit of the losses.

    Raises:
        DataError: if there are fewer than two models, values are missing, or all losses are equal.

    Example:
        >>> found = selection_quality([1.0, 0.9, 2.0], [1.1, 1.2, 2.0])
        >>> found.chosen, round(found.relative_accuracy, 4), round(found.regret, 4)
        (1, 0.8889, 0.1)

    References: Lin et al. 2024, arXiv:2402.02314, section 5.
    """
    x, y = (np.asarray(v, dtype=np.float64) for v in (predicted, actual))
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()) or np.ptp(y) == 0:
        raise DataError("selection_quality() needs two flat columns of at least two numbers, without gaps, and losses that differ.")
    chosen, best = int(x.argmin()), int(y.argmin())
    pearson = float(np.corrcoef(x, y)[0, 1]) if np.ptp(x) > 0 else float("nan")
    accuracy = float((y.max() - y[chosen]) / np.ptp(y))
    return Computed(
        {"chosen": chosen, "best": best, "pearson": pearson, "relative_accuracy": accuracy, "regret": float(y[chosen] - y[best])},
        "quality of a selection",
    )
