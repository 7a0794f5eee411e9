r"""How wrong forecasts are: noise, parameters, choice of law, and a misfit that grows with distance, scaled by past errors.

    sd_i^2 = c^2 ( (a spread_i)^2 + (b parameters_i)^2 + (u + v reach_i)^2 + (g noise)^2 )

spread_i is the weighted standard deviation of the laws, parameters_i that of refits to reweighted runs, reach_i how many decades a point
lies beyond the runs. The scale c^2 has a scaled inverse chi-square prior about 1 with nu_0 degrees of freedom, to which every origin
adds f: what the forecasts made there turned out to miss. New runs follow Student's t with nu_0 + f K + 1 degrees of freedom.

The seven numbers are the prior learned from public sweeps (`misfit.json`, made by `benchmarks/misfit.py`).
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
    """What an origin forecast: errors, spread of the laws, decades ahead, all (rows,), and the noise of these rows."""

    error: np.ndarray
    spread: np.ndarray
    ahead: np.ndarray
    noise: np.ndarray


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


@cache
def learned() -> Prior:
    """The prior that ships with the package."""
    return Prior(**_table()["prior"])


def sweeps() -> list[str]:
    """Names of the public sweeps that the prior was learned from."""
    return list(_table()["sweeps"])


@cache
def _table() -> dict[str, Any]:
    return json.loads(files(__package__).joinpath("misfit.json").read_text(encoding="utf-8"))


def scale_of(prior: Prior, past: list[Past], spread: np.ndarray, parameters: np.ndarray, reach: np.ndarray, noise: np.ndarray) -> Scale:
    """Variances of a forecast, by part."""
    missed = [np.mean(np.minimum(p.error**2 / _variance(prior, p.spread, 0.0, p.ahead, p.noise), _WORST)) for p in past if len(p.error)]
    freedom = prior.freedom + prior.per_origin * len(missed)
    inflation = (prior.freedom + prior.per_origin * float(np.sum(missed))) / freedom
    parts = {
        "noise": inflation * (prior.noise * noise) ** 2,
        "parameters": inflation * (prior.parameters * parameters) ** 2,
        "laws": inflation * (prior.spread * spread) ** 2,
        "misfit": inflation * (prior.near + prior.far * reach) ** 2,
    }
    return Scale(parts, freedom + 1)


def half_width(parts: Mapping[str, np.ndarray], freedom: float, level: float, kind: str = "run") -> np.ndarray:
    """Half the width of the interval of Student's t with these variances."""
    total = sum(variance for name, variance in parts.items() if kind == "run" or name != "noise")
    return quantile_of(level, freedom) * np.sqrt(total)


def _variance(prior: Prior, spread: Any, parameters: Any, reach: Any, noise: Any) -> Any:
    return (
        (prior.spread * spread) ** 2
        + (prior.parameters * parameters) ** 2
        + (prior.near + prior.far * reach) ** 2
        + (prior.noise * noise) ** 2
    )
