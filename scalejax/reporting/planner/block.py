"""What the planner asks and reads: the law as a program of the browser, its parameters, draws and sliders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

import numpy as np

from ...core.errors import LawError
from ...core.laws.law import Law
from ...core.numeric.statistics import evenly
from ...decisions.known import known
from ...zoo.scale.repetition import data_constrained, effective
from ..page import Section, Text
from ..plots import points
from ..study import Study
from .javascript import javascript

DRAWS = 200  # of every group that travel with the page
DIGITS = 10  # of every exported number
PRICE, PEAK, MFU = 2.0, 989e12, 0.4  # dollars an hour, FLOP/s, share: an H100 as it is rented and used
# What a further epoch is worth, where the law of the report knows nothing of repetition: R_D* of Muennighoff et al. 2023.
R_STAR = float(data_constrained.published["muennighoff2023"]["R_D_star"])


@dataclass(frozen=True)
class Planner:
    """The block of a page: controls, answers, data and script.

    Attributes:
        law: the two functions of the law in JavaScript, an object. data: what they are asked with.
    """

    law: str
    data: Mapping[str, Any]

    @cached_property
    def script(self) -> str:
        """The program."""
        return f"const LAW = {self.law};\n" + files(__package__).joinpath("planner.js").read_text(encoding="utf-8")

    def html(self, name: str) -> str:
        body = files(__package__).joinpath("planner.html").read_text(encoding="utf-8")
        data = json.dumps(self.data, allow_nan=False).replace("<", "\\u003c")  # no name ends the element it stands in
        return f"{body}<script type='application/json' id='planner-data'>{data}</script>\n<script>{self.script}</script>"

    def markdown(self, name: str, pictures: dict[str, bytes]) -> str:
        return "The planner, with sliders for budget, price, tokens to be served and unique tokens, is part of the HTML report."


def planner(study: Study) -> list[Section]:
    """The planner; none for laws of other inputs than N and D, or that a browser cannot compute."""
    if not study.plans or set(study.fit.law.inputs) not in ({"N", "D"}, {"N", "D", "U"}) or not study.one_output:
        return []
    if not all(study.fit.law.domains[name].axis is None for name in study.fit.law.parameters):
        return []
    try:
        block = Planner(_law(study.fit.law), _data(study))
    except LawError:
        return []
    return [Section("Plan your own run", [Text(_words(study)), block])]


def _law(law: Law) -> str:
    """Functions of (N, D, parameters) and of (N, D, U, parameters)."""
    names = [f"p{i}" for i in range(len(law.parameters))]

    def plain(N: Any, D: Any, *values: Any) -> Any:
        sizes = {"N": N, "D": D, "U": D}
        return law.function(*(sizes[name] for name in law.inputs), **dict(zip(law.parameters, values, strict=True)))

    def repeated(N: Any, D: Any, U: Any, *values: Any) -> Any:
        sizes = {"N": N, "D": D, "U": U} if "U" in law.inputs else {"N": N, "D": effective(D, U, R_STAR)}
        return law.function(*(sizes[name] for name in law.inputs), **dict(zip(law.parameters, values, strict=True)))

    first, second = javascript(plain, ["N", "D", *names]), javascript(repeated, ["N", "D", "U", *names])
    return f"{{ plain: {first}, repeated: {second} }}"


def _data(study: Study) -> dict[str, Any]:
    fit, draws = study.fit, study.draws
    groups = []
    for group in points.chosen_groups(fit, None):
        found = known(draws, group)
        some = evenly(found.count, DRAWS)
        every = np.stack([np.asarray(found.drawn[name])[some] for name in fit.law.parameters], axis=1)
        groups.append(
            {
                "name": group or "",
                "point": _numbers([float(found.point[name]) for name in fit.law.parameters]),
                "draws": [_numbers(row) for row in every.tolist()],
                "largest": float(points.column(fit, "C")[points.of_group(fit, group)].max()),
            }
        )
    compute, D = points.column(fit, "C"), points.column(fit, "D")
    per_dollar = 3600 * PEAK * MFU / PRICE
    largest = max(float(np.max(plan.compute)) for plan in study.plans.values())
    return {
        "level": study.level,
        "output": fit.law.output,
        "groups": groups,
        "defaults": {
            "budget": largest / per_dollar, "price": PRICE, "served": None, "unique": None, "peak": PEAK, "mfu": MFU,
            "group": groups[0]["name"],
        },
        "scales": {
            "budget": {"low": _rounded(np.median(compute) / per_dollar), "high": _rounded(1e3 * max(largest, compute.max()) / per_dollar)},
            "price": {"low": 0.1, "high": 20.0},
            "served": {"low": _rounded(D.min()), "high": _rounded(1e4 * D.max()), "none": "low"},
            "unique": {"low": _rounded(D.min() / 10), "high": _rounded(1e3 * D.max()), "none": "high"},
        },
    }  # fmt: skip


def _numbers(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values]


def _rounded(value: Any) -> float:
    return float(f"{value:.2g}")


def _words(study: Study) -> list[str]:
    worth = (
        "Repeated tokens are worth what the fitted law says."
        if "U" in study.fit.law.inputs
        else f"Repeated tokens are worth less with every epoch, as in Muennighoff et al. 2023 (R* = {R_STAR:.3g}): these runs do not tell."
    )
    return [
        "Move the sliders to see the best size and number of tokens within a budget for training, 6 N D FLOP, and serving, 2 N FLOP a "
        f"token. Bands hold {study.percent} of the {study.source} draws. They say how well the runs determine the "
        f"law, not whether it still holds there. {worth}"
    ]
