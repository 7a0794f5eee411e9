"""How noisy a benchmark is: seeds, items, whether it rises during training, and the difference that two runs must show."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from ...comparison.trend import monotone_trend
from ...core.errors import DataError
from ...core.table import Computed


def benchmark_noise(scores: Any, *, items: int | None = None, level: float = 0.95) -> Computed:
    r"""Noise of a benchmark from runs that differ in their seed only.

        seed_sd = sd over seeds,    item_sd = sqrt(p (1 - p) / items),    signal_to_noise = mean / seed_sd
        monotonicity = Kendall's tau between the order of checkpoints and the score,    detectable = z sqrt(2) seed_sd

    Args:
        scores: (seeds, checkpoints) in the order of training, or (seeds,) at the end of it.
        items: of the benchmark, for scores that are shares of them.
        level: of the interval and of what is detectable.

    Returns:
        `seed_sd`, the mean over checkpoints in squares, and `signal_to_noise`, at the last checkpoint; `detectable`, how far two single
        runs on the same items must differ to be told apart; with items `item_sd` of the last mean score and the half width `interval` of
        its interval, and `weight` = 1 / (seed_sd^2 + item_sd^2) for fits; with three checkpoints or more `monotonicity`, the mean over
        seeds.

    Raises:
        DataError: if there are fewer than two seeds, gaps, or items with scores that are no shares.

    Example:
        >>> found = benchmark_noise([[0.30, 0.35, 0.41], [0.28, 0.36, 0.39]], items=1172)
        >>> round(found.seed_sd, 4), round(found.item_sd, 4), round(found.detectable, 3), found.monotonicity
        (0.0122, 0.0143, 0.034, 1.0)

    References: Madaan et al. 2024, arXiv:2406.10229.
    """
    table = np.asarray(scores, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or len(table) < 2 or not np.isfinite(table).all():
        raise DataError("benchmark_noise() needs the scores of two seeds or more, (seeds,) or (seeds, checkpoints), without gaps.")
    if not 0 < level < 1:
        raise DataError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    z, last = NormalDist().inv_cdf(0.5 + level / 2), table[:, -1]
    spread, mean = float(np.sqrt(table.var(axis=0, ddof=1).mean())), float(last.mean())
    values = {"seed_sd": spread, "signal_to_noise": mean / spread if spread > 0 else np.inf, "detectable": float(z * np.sqrt(2) * spread)}
    if items is not None:
        if items < 1 or not 0 <= mean <= 1:
            raise DataError("items= is for scores that are shares of them, from 0 to 1.")
        item = float(np.sqrt(mean * (1 - mean) / items))
        noise = spread**2 + item**2
        values |= {"item_sd": item, "interval": z * item, "weight": 1 / noise if noise > 0 else np.inf}
    if table.shape[1] >= 3:
        order = np.arange(table.shape[1])
        values["monotonicity"] = float(np.mean([monotone_trend(order, row).tau if np.ptp(row) > 0 else 0.0 for row in table]))
    return Computed(values, "noise of a benchmark")
