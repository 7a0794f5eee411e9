r"""The level of the observed outputs as prior knowledge, for laws whose plausible ranges were drawn for other data.

Independent priors of amplitudes and exponents say nothing on what a law predicts: their product allows losses of 10^5 where 3 was measured.
All runs of a group together therefore count as one observation, with a wide error s, of the group's level c:

    log p(level | theta) = -1/2 sum_g mean_(i in g) ((eta_i - c_g) / s_g)^2,    s_g^2 = s_0^2 + spread_g^2

eta_i is the law at run i (its logarithm when on logs), c_g the median of what the group observed and spread_g its robust standard
deviation; s_0 = 0.5 is a factor of 2.7 either way. Among laws that follow the runs this hardly differs, so posteriors stay as they are;
what goes are predictions that nobody who had seen the runs would have expected.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ...core.table import number

WIDTH = 0.5  # standard deviation of the level, relative when outputs are on a linear scale


class Level(NamedTuple):
    """What is expected of the law at every run.

    Attributes:
        center: shaped like the targets, level of the run's group. power: the same, weight of the squared distance, 0 where none was seen.
        ends: (2, groups) central 95 % of the level, on the scale of the outputs.
    """

    center: Any
    power: Any
    ends: Any


def level_of(targets: np.ndarray, seen: np.ndarray, group: np.ndarray, log: bool) -> Level:
    """Level of the targets (rows, ...) among those `seen`, by `group` (rows,)."""
    center, power, ends = np.zeros(targets.shape), np.zeros(targets.shape), []
    group = np.broadcast_to(group.reshape(-1, *[1] * (targets.ndim - 1)), targets.shape)
    for g in np.unique(group[seen]):
        of_group = seen & (group == g)
        some = targets[of_group]
        middle = float(np.median(some))
        unit = 1.0 if log else float(np.mean(np.abs(some))) or 1.0
        width = float(np.hypot(WIDTH * unit, 1.4826 * np.median(np.abs(some - middle))))
        center[of_group], power[of_group] = middle, 1.0 / (some.size * width**2)
        ends.append([middle - 1.96 * width, middle + 1.96 * width])
    return Level(center, power, (np.exp if log else np.asarray)(np.transpose(ends)))


def log_level(level: Level, predicted: Any) -> Any:
    """Log density of the level where the law predicts these values, 0 at most."""
    return -0.5 * jnp.sum(jnp.where(level.power > 0, level.power * (predicted - level.center) ** 2, 0.0))


def sentence(level: Level | None) -> str:
    """What the table of priors says of it."""
    if level is None:
        return "The level of the observed outputs is not part of these priors."
    low, high = np.asarray(level.ends)
    whose = "the observed outputs" if len(low) == 1 else "what their group observed"
    where = f"{number(float(low[0]), 2)} to {number(float(high[0]), 2)}" + ("" if len(low) == 1 else " in the first group")
    return (
        f"Beside these, the law's values at the runs are expected at the level of {whose}, {where} (central 95 %, all runs as one "
        "observation); level_prior=False leaves this out."
    )
