r"""How wrong forecasts are: noise, parameters, choice of law, and a misfit that grows with distance, scaled by past errors.

    sd_i^2 = c^2 ( (a spread_i)^2 + (b parameters_i)^2 + (u + v reach_i)^2 + (g noise)^2 )

spread_i is the weighted standard deviation of the laws, parameters_i that of refits to reweighted runs, reach_i how many decades a point
lies beyond the runs. The scale c^2 has a scaled inverse chi-square prior about 1 with nu_0 degrees of freedom, to which every origin
adds f: what the forecasts made there turned out to miss, in a point's own group and in all. New runs follow Student's t with nu_0 + f K + 1
degrees of freedom.

The seven numbers are priors learned from public sweeps and learning curves (`misfit.json`, made by `benchmarks/misfit.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from ...fitting.uncertainty.intervals import quantile_of

_WORST = 25.0  # squared standardised errors count at most so much: a failed origin says "much", not how much


@dataclass(frozen=True)
class Prior:
    """What public sweeps say of the errors of forecasts; see the module.

    Attributes:
        spread, parameters, noise: a, b, g. near, far: u, and v a decade, relative errors.
        freedom: nu_0. per_origin: f.
    """

    spread: float
    parameters: float
    near: float
    far: float
    noise: float
    freedom: float
    per_origin: float


class Past(NamedTuple):
    """What an origin forecast: errors, spread of the laws, decades ahead, noise, and the group of these rows, all (rows,)."""

    error: np.ndarray
    spread: np.ndarray
    ahead: np.ndarray
    noise: np.ndarray
    group: np.ndarray


class Scale(NamedTuple):
    """Variances of a forecast by part, (rows,), and the degrees of freedom of their common scale."""

    parts: dict[str, np.ndarray]
    freedom: float

    def half(self, level: float, kind: str = "run") -> np.ndarray:
        """Half the width of an interval; kind "mean" leaves the noise out."""
        return half_width(self.parts, self.freedom, level, kind)

    def within(self, error: np.ndarray, level: float) -> np.ndarray:
        """Which errors the interval holds."""
        return np.abs(error) <= self.half(level)


def learned(inputs: int = 2) -> Prior:
    """The prior that ships with the package, for tables with so many inputs: curves of one input miss otherwise than sweeps of runs."""
    return Prior(**_table()["curves" if inputs == 1 else "runs"])


def sweeps() -> list[str]:
    """Names of the public sweeps that the prior was learned from."""
    return list(_table()["sweeps"])


@cache
def _table() -> dict[str, Any]:
    return json.loads(files(__package__).joinpath("misfit.json").read_text(encoding="utf-8"))


def scale_of(
    prior: Prior, past: list[Past], spread: np.ndarray, parameters: np.ndarray, reach: np.ndarray, noise: np.ndarray, group: np.ndarray
) -> Scale:
    """Variances of a forecast, by part; the scale is that of each point's group (m,), shrunk half way towards that of all."""
    groups = int(max([group.max(), *(p.group.max() for p in past if len(p.group))])) + 1
    missed = np.stack([_missed(prior, p, groups) for p in past if len(p.error)]).sum(axis=0) if past else np.zeros(groups)
    freedom = prior.freedom + prior.per_origin * len(past)
    inflation = ((prior.freedom + prior.per_origin * missed) / freedom)[group]
    parts = {
        "noise": inflation * (prior.noise * noise) ** 2,
        "parameters": inflation * (prior.parameters * parameters) ** 2,
        "laws": inflation * (prior.spread * spread) ** 2,
        "misfit": inflation * (prior.near + prior.far * reach) ** 2,
    }
    return Scale(parts, freedom + 1)


def _missed(prior: Prior, past: Past, groups: int) -> np.ndarray:
    """(groups,) mean squared error of an origin beside its variance."""
    square = np.minimum(past.error**2 / _variance(prior, past.spread, 0.0, past.ahead, past.noise), _WORST)
    count, total = (np.bincount(past.group, weight, minlength=groups) for weight in (None, square))
    own = np.where(count > 0, total / np.maximum(count, 1), square.mean())
    return 0.5 * (own + square.mean())


def half_width(parts: Mapping[str, np.ndarray], freedom: float, level: float, kind: str = "run") -> np.ndarray:
    """Half the width of the interval of Student's t with these variances."""
    return quantile_of(level, freedom) * deviation(parts, kind)


def deviation(parts: Mapping[str, np.ndarray], kind: str = "run") -> np.ndarray:
    """Scale of Student's t with these variances; kind "mean" leaves the noise out."""
    return np.sqrt(sum(variance for name, variance in parts.items() if kind == "run" or name != "noise"))


def _variance(prior: Prior, spread: Any, parameters: Any, reach: Any, noise: Any) -> Any:
    return (
        (prior.spread * spread) ** 2
        + (prior.parameters * parameters) ** 2
        + (prior.near + prior.far * reach) ** 2
        + (prior.noise * noise) ** 2
    )
