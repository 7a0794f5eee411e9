"""What a scaling study costs when every length is trained anew, and when cooldowns branch off one long run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DecisionError
from ...core.table import Shown, Table, number


@dataclass(frozen=True, eq=False, repr=False)
class StudyCost(Shown):
    """Cost of a study under both plans, in tokens times the cost of a token.

    Attributes:
        horizons: for every model size the lengths that are wanted, in tokens.
        per_token: (sizes,) cost of a token, FLOPs or GPU hours.
        cooldown: share of a run that is cooldown.
        cosine: (sizes,) cost of training every length on its own, as a cosine schedule needs.
        reuse: (sizes,) cost of one run of the largest length and a cooldown for each of the others.
    """

    horizons: tuple[tuple[float, ...], ...]
    per_token: np.ndarray
    cooldown: float
    cosine: np.ndarray
    reuse: np.ndarray

    @property
    def saved(self) -> np.ndarray:
        """(sizes,) share of the cosine plan's cost that reuse saves."""
        return 1.0 - self.reuse / self.cosine

    @property
    def total_saved(self) -> float:
        """The same share over all sizes together."""
        return float(1.0 - self.reuse.sum() / self.cosine.sum())

    def table(self) -> Table:
        """A row for every size, and one for all."""
        rows = [
            [str(i), str(len(lengths)), number(cosine, 4), number(reuse, 4), f"{100 * saved:.1f} %"]
            for i, (lengths, cosine, reuse, saved) in enumerate(zip(self.horizons, self.cosine, self.reuse, self.saved, strict=True))
        ]
        count = sum(map(len, self.horizons))
        rows.append(["all", str(count), number(self.cosine.sum(), 4), number(self.reuse.sum(), 4), f"{100 * self.total_saved:.1f} %"])
        return Table(["size", "lengths", "cosine", "reuse", "saved"], rows, notes=[f"cooldown {100 * self.cooldown:g} % of a run"])


def study_cost(horizons: Sequence[Any], per_token: Any = 1.0, *, cooldown: float = 0.2) -> StudyCost:
    r"""Cost of training models to several lengths: each anew, or with cooldowns that branch off one run at constant learning rate.

        cosine = c sum_j D_j            reuse = c (D_max + f sum_{j != max} D_j)

    The last f D_j tokens of length j are its cooldown; its first part is shared with the longest run. The longest run has its own cooldown
    at its end, so that it costs D_max. Averages of weights instead of cooldowns have f = 0.

    Args:
        horizons: lengths D_j in tokens of one model size, or a list of such lists, one for each size.
        per_token: cost c of a token: one number, or one for each size, such as `costs.deepseek_flops(...)` or 6 N.
        cooldown: f, from 0 to 1; 0.2 matches a cosine of the same length, 0.05 to 0.1 nearly.

    Returns:
        StudyCost with `.cosine`, `.reuse`, `.saved`, `.total_saved`, `.table()`.

    Raises:
        DecisionError: if there are no lengths, a number is not positive, the counts do not match, or cooldown is not a share.

    Example:
        >>> plan = study_cost([10e9, 20e9, 30e9], per_token=6e9)
        >>> f"{plan.cosine[0]:.3g} {plan.reuse[0]:.3g} {plan.total_saved:.2f}"
        '3.6e+20 2.16e+20 0.40'

    References: Hägele et al. 2024, arXiv:2405.18392, and the authors' notebook, which counts the longest run once and no second cooldown.
    """
    try:
        nested = [horizons] if np.ndim(horizons[0]) == 0 else list(horizons)
        lengths = [np.asarray(row, dtype=np.float64) for row in nested]
        costs = np.asarray(per_token, dtype=np.float64)
    except (TypeError, ValueError, LookupError):
        raise DecisionError(f"horizons={horizons!r} must be a list of token counts, or one such list for each model size.") from None
    if any(row.ndim != 1 or not len(row) or not (np.isfinite(row) & (row > 0)).all() for row in lengths):
        raise DecisionError(f"horizons={horizons!r} must hold positive token counts, at least one for each model size.")
    if costs.ndim > 1 or (costs.ndim and len(costs) != len(lengths)) or not (np.isfinite(costs) & (costs > 0)).all():
        raise DecisionError(f"per_token={per_token!r} must be one positive number, or one for each of the {len(lengths)} model sizes.")
    if not 0 <= cooldown <= 1:
        raise DecisionError(f"cooldown={cooldown!r} must be a share of a run, from 0 to 1.")
    costs = np.broadcast_to(costs, len(lengths))
    total, longest = np.array([row.sum() for row in lengths]), np.array([row.max() for row in lengths])
    reuse = costs * (longest + cooldown * (total - longest))
    return StudyCost(tuple(tuple(map(float, row)) for row in lengths), costs, float(cooldown), costs * total, reuse)
