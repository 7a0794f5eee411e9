"""The verbs that ask a saved fit: `predict` the loss of runs, `profile` the parameters."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..core.errors import ScalejaxError
from .options import asked, common, count, draws_of, level_option, plot_option, saved, show, values, verb
from .shell.own_laws import own_law_option

_FIT = "file that `scalejax fit --out` or `scalejax sample --out` wrote"

PREDICT_EPILOG = """\
  scalejax fit runs.csv --columns N=params D=tokens loss=loss --out fit.json
  scalejax predict fit.json N=7B D=1.4T
  scalejax predict fit.json N=1B,7B,70B D=1T --csv
  scalejax fit archs.csv --columns N=params D=tokens loss=loss arch=arch --by arch --share alpha beta E --out archs.json
  scalejax predict archs.json N=7B D=1T --group moe --json
  scalejax fit runs.csv --columns N=params D=tokens loss=loss --law mylaw.py:one_power --out mine.json
  scalejax predict mine.json N=7B D=1T --law mylaw.py:one_power
"""

PROFILE_EPILOG = """\
  scalejax fit runs.csv --columns N=params D=tokens loss=loss --out fit.json
  scalejax profile fit.json alpha --points 9
"""


def add_verbs(verbs: Any) -> None:
    """Add both verbs to a subparsers object."""
    verb(verbs, "predict", "the loss of runs, with the intervals of the law and of a new run", _run_predict, _predict, common,
         epilog=PREDICT_EPILOG)  # fmt: skip
    verb(verbs, "profile", "intervals of parameters from the profile of the objective", _run_profile, _profile, level_option, plot_option,
         own_law_option, epilog=PROFILE_EPILOG)  # fmt: skip


def _predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help=_FIT)
    parser.add_argument("inputs", nargs="*", metavar="INPUT=VALUE", help="inputs, such as N=7B D=1.4T (or lists N=1B,7B)")
    parser.add_argument("--points", type=Path, metavar="TABLE", help="a table with a row a run and the inputs as columns, instead")


def _run_predict(options: argparse.Namespace) -> None:
    import numpy as np

    from ..core.table import Table, number, span
    from ..decisions.beyond import extrapolation

    draws = draws_of(options.fit, options)
    fit = getattr(draws, "fit", draws)
    inputs = _points(options, fit.law.inputs)
    named = {**inputs, **asked(draws.predict, values(options.given, "--given"), "--given")}
    group = {"group": options.group} if options.group else {}
    prediction = np.atleast_1d(fit.predict(**named, **group))
    if prediction.ndim > 1:
        raise ScalejaxError("scalejax predict takes laws with one value a run; for others use predict() of the fit in Python.")
    limits = [draws.predict_interval(options.level, kind=kind, **named, **group) for kind in ("mean", "run")]
    columns = {name: np.broadcast_to(np.asarray(v, float), prediction.shape) for name, v in named.items() if np.ndim(v) < 2}
    ends = [[np.atleast_1d(end) for end in pair] for pair in limits]
    rows = [
        [
            *(number(column[i], 4) for column in columns.values()),
            number(prediction[i]),
            *(span(low[i], high[i]) for low, high in ends),
        ]
        for i in range(len(prediction))
    ]
    percent = f"{100 * options.level:g} %"
    head = [*columns, fit.law.output, percent, f"new run, {percent}"]
    how = draws.kind if hasattr(draws, "kind") else "Laplace's approximation, or a bootstrap where it does not hold"
    notes = [f"{fit.law.name}: the law's value with the interval of the parameters, and that of a new run with its noise; draws: {how}"]
    beyond = extrapolation(getattr(fit, "runs", None), fit.law.inputs, columns)
    show(Table(head, rows, notes=[*notes, *beyond]), options)


def _points(options: argparse.Namespace, inputs: tuple[str, ...]) -> dict[str, Any]:
    """Inputs by name, from the words or from a table."""
    if bool(options.inputs) == bool(options.points):
        raise ScalejaxError(f"scalejax predict takes inputs, such as {' '.join(f'{name}=...' for name in inputs)}, or --points TABLE.")
    if not options.points:
        return values(options.inputs, "input")
    from ..data.readers import read_runs

    roles: dict[str, Any] = {name: name for name in inputs}
    table = read_runs(options.points, **roles)
    return {name: table[name] for name in inputs}


def _profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help="file that `scalejax fit --out` wrote")
    parser.add_argument("names", nargs="*", metavar="PARAM", help="parameters (default all free ones)")
    parser.add_argument("--points", type=count, default=21, help="values at which a parameter is held at first (default 21)")


def _run_profile(options: argparse.Namespace) -> None:
    from ..fitting.result import Fit
    from ..fitting.uncertainty.profiles.profile import profile
    from ..reporting import plot

    fit = saved(options.fit)
    if not isinstance(fit, Fit):
        raise ScalejaxError(f"{options.fit} holds a posterior, and profile needs a fit; make one with scalejax fit --out.")
    found = profile(fit, options.names or None, options.level, points=options.points)
    show(found, options, lambda: plot.profile(found))
