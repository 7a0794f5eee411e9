r"""A weak penalty from the plausible ranges of the parameters: the mode of a posterior, `fit(..., prior="weak")`.

Every entry u of theta that belongs to a free parameter is drawn to the middle of its plausible range,

    minimise   sum_i w_i rho(r_i) + tau / 2 sum_j ((u_j - m_j) / s_j)^2,      s_j = range / 3.92

on the unconstrained scale (logarithms of positive parameters), so that the range holds the central 95 % of a normal prior: what `sample`
assumes by default. tau turns units of the objective into those of a log likelihood, sum rho / tau. It follows from the residuals of a
plain fit of p parameters,

    tau = sum_i (w_i psi(r_i)^2) / (n - p) / c,      c the mean curvature of the loss (`rows.mean_curvature`)

for least squares the residual variance. What n runs determine to a standard error of e moves by e^2 / s^2 of
its distance from the middle, next to nothing; what they leave open stays where it is plausible instead of running away.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from .layout import Layout

CENTRAL = 3.92  # standard deviations between the ends of a range that holds the central 95 %
MISFIT = "misfit"  # axis of the parameters whose prior is knowledge rather than a fence, and counts in intervals: see `with_misfit`


class Ranges(NamedTuple):
    """Lower and upper ends of the plausible ranges on the unconstrained scale, each (size,)."""

    low: np.ndarray
    high: np.ndarray

    @property
    def middle(self) -> np.ndarray:
        """Their middles."""
        return 0.5 * (self.low + self.high)

    @property
    def width(self) -> np.ndarray:
        """Their widths."""
        return self.high - self.low


@lru_cache(maxsize=64)
def ranges(layout: Layout) -> Ranges:
    """Where starts are drawn from, for every entry of theta."""
    ends = []
    with jax.ensure_compile_time_eval():  # also while a program is traced
        for slot in layout.slots:
            pair = np.sort([np.asarray(slot.domain.sample(np.full(slot.free, share))) for share in (0.0, 1.0)], axis=0)
            ends.append(np.tile(pair, (1, slot.copies)))
    low, high = np.concatenate(ends, axis=1)
    return Ranges(low, high)


def penalty(known: Ranges, penalty_weight: Any, theta: Any) -> tuple[Any, Any, Any]:
    """Value (members,), gradient and second derivatives (size, members), from pull = tau (members,) and theta (size, members)."""
    middle, precision = known.middle[:, None], (CENTRAL / known.width[:, None]) ** 2
    off = theta - middle
    return 0.5 * penalty_weight * (precision * off**2).sum(axis=0), penalty_weight * precision * off, penalty_weight * precision
