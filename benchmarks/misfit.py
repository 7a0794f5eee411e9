"""What do forecasts miss? Learns the prior of `sj.forecast` from public sweeps: python -m benchmarks.misfit --write

Every sweep is cut twice, at the top fifth of its runs and at the top decade of its compute, learning curves at half of their length; what
is left is forecast to what was cut off. Tables of one input, curves that is, have a prior of their own.
Seven numbers (see `scalejax/comparison/forecast/misfit.py`) make these errors most likely under Student's t, families of sweeps counting
alike. `held_out` learns them without a family and looks at that family with them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

import scalejax
from scalejax.comparison.forecast.averaging import Evidence, evidence
from scalejax.comparison.forecast.columns import make_columns
from scalejax.comparison.forecast.misfit import Prior
from scalejax.comparison.forecast.origins import make_origins
from scalejax.core.numeric.precision import double

from .sweeps import Cut, Sweep, curves, cuts, sweeps

_START = Prior(0.7, 0.7, 0.004, 0.008, 1.0, 4.0, 1.0)
_STIFF = 0.02  # how strongly logarithms of the numbers are drawn to these


class Case(NamedTuple):
    """A cut, what its smaller runs say, and what the larger ones showed."""

    cut: Cut
    told: Evidence
    error: np.ndarray

    @property
    def family(self) -> str:
        """Family of the sweep."""
        return self.cut.sweep.family


@double
def case(cut: Cut) -> Case:
    """Forecast the runs that were cut off."""
    sweep = cut.sweep
    train = {name: values[cut.train] for name, values in sweep.table.items()}
    at = {name: sweep.table[name][cut.test] for name in (*sweep.inputs, *([sweep.by] if sweep.by else []))}
    columns = make_columns(train, at, sweep.target, None, sweep.by)
    told = evidence(columns, make_origins(columns, None, 0), None, 0, None)
    return Case(cut, told, told.centre - np.log(sweep.table[sweep.target][cut.test]))


def cases(of: Iterable[Sweep]) -> list[Case]:
    """All cuts of these sweeps."""
    out = []
    for sweep in of:
        for cut in cuts(sweep):
            begun = time.perf_counter()
            out.append(case(cut))
            print(
                f"{sweep.name[:44]:44s} {cut.kind:10s} {100 * np.mean(np.abs(out[-1].error)):6.2f} %  {time.perf_counter() - begun:5.1f} s",
                flush=True,
            )
    return out


def learn(of: Iterable[Case]) -> Prior:
    """The numbers that make the errors most likely, families alike and cuts of a family alike."""
    of = list(of)
    share = [1 / sum(other.family == one.family for other in of) for one in of]
    centre = np.log(np.asarray(list(vars(_START).values())))

    def cost(logs: np.ndarray) -> float:
        prior = Prior(*np.exp(logs))
        total = sum(w * _surprise(prior, one) for w, one in zip(share, of, strict=True))
        return total / sum(share) + _STIFF * float(np.sum((logs - centre) ** 2))

    found = optimize.minimize(cost, centre, method="L-BFGS-B", options={"maxiter": 200}, bounds=[(at - 3, at + 3) for at in centre])
    return Prior(*(float(f"{value:.4g}") for value in np.exp(found.x)))


def _surprise(prior: Prior, one: Case) -> float:
    found = one.told.scaled(prior)
    sd = np.sqrt(sum(found.parts.values()))
    return float(np.mean(np.log(sd) - stats.t.logpdf(one.error / sd, found.freedom)))


def held_out(of: list[Case]) -> dict[str, Prior]:
    """Family to the numbers learned from all others."""
    return {family: learn(one for one in of if one.family != family) for family in dict.fromkeys(one.family for one in of)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the numbers into the package")
    options = parser.parse_args()
    tables = {
        "runs": cases(s for s in sweeps() if len(s.inputs) > 1),
        "curves": cases([*(s for s in sweeps() if len(s.inputs) == 1), *curves()]),
    }
    content: dict[str, Any] = {kind: vars(learn(found)) for kind, found in tables.items()}
    print(content)
    if options.write:
        path = Path(scalejax.__file__).parent / "comparison" / "forecast" / "misfit.json"
        content["sweeps"] = sorted({one.cut.sweep.name for found in tables.values() for one in found})
        path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
