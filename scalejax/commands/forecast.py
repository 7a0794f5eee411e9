"""The verbs that look beyond the runs: `forecast` points, `backtest` laws, `search` for laws."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..core.errors import ScalejaxError
from ..core.files import write_text
from .options import count, level_option, number, pairs, plot_option, quantity, seed_option, show, verb
from .table import file_option, rows_of

FORECAST_EPILOG = """\
  scalejax forecast runs.csv --inputs params tokens --at params=70B tokens=1.4T
  scalejax forecast archs.csv --inputs params tokens --by arch --at params=7B,70B tokens=1T,1.4T arch=moe,dense --plot forecast.png
  scalejax forecast runs.csv --inputs params tokens --laws chinchilla kaplan --at params=1B tokens=20B,200B --out forecast.csv

columns may have any names; all numeric ones but the target are inputs, unless --inputs says which.
"""

BACKTEST_EPILOG = """\
  scalejax backtest runs.csv --inputs params tokens --laws chinchilla kaplan
  scalejax backtest runs.csv --inputs params tokens --laws chinchilla --splits params --shares 0.2 0.5

every law, and the average of all, is fitted to the smaller runs and asked for the larger ones.
"""

SEARCH_EPILOG = """\
  scalejax search runs.csv --inputs params tokens --keep 3

sums of powers of the columns, ranked by how they forecast the larger runs from the smaller ones.
"""


def add_verbs(verbs: Any) -> None:
    """Add the verbs to a subparsers object."""
    verb(
        verbs, "forecast", "what larger runs will show, with an interval that holds what it promises", _run_forecast, _table, _forecast,
        _laws, epilog=FORECAST_EPILOG,
    )  # fmt: skip
    verb(
        verbs, "backtest", "how laws, and their average, would have forecast known runs", _run_backtest, _table, _backtest, _laws,
        epilog=BACKTEST_EPILOG,
    )  # fmt: skip
    verb(verbs, "search", "which sums of powers of the columns forecast best", _run_search, _table, _search, epilog=SEARCH_EPILOG)


def _table(parser: argparse.ArgumentParser) -> None:
    file_option(parser)
    parser.add_argument("--target", default="loss", metavar="COLUMN", help="column to forecast (default loss)")
    parser.add_argument("--inputs", nargs="+", metavar="COLUMN", help="columns that it depends on (default all other numeric ones)")
    parser.add_argument("--by", metavar="COLUMN", help="groups that are forecast apart")
    parser.add_argument("--larger-in", metavar="COLUMN", help="the input by which runs are small or large (default compute)")
    seed_option(parser, "starts and replicates")


def _laws(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--laws", nargs="+", metavar="LAW", help="laws to average (default all that the columns can serve)")
    level_option(parser)


def _forecast(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--at", nargs="+", metavar="INPUT=VALUE", help="one point; several values with commas, N=1e9,1e10")
    where.add_argument("--points", metavar="FILE", help="file of points with the inputs, and the groups, as columns")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a csv file: a row a point, inputs, prediction, ends, variances")
    plot_option(parser)


def _backtest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--splits", default="scale", metavar="WHAT", help="scale (default), last, an input, or a column of text")
    parser.add_argument("--shares", nargs="+", type=quantity, default=[0.2, 0.4], metavar="SHARE", help="held out (default 0.2 0.4)")


def _search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", type=count, default=7, metavar="N", help="laws to show (default 7)")


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    return {"target": options.target, "inputs": options.inputs, "by": options.by, "scale": options.larger_in, "seed": options.seed}


def _run_backtest(options: argparse.Namespace) -> None:
    from ..comparison.forecast.backtest import backtest

    found = backtest(rows_of(options), options.laws, splits=options.splits, shares=options.shares, level=options.level, **_asked(options))
    show(found, options)


def _run_search(options: argparse.Namespace) -> None:
    from ..comparison.forecast.search import search

    show(search(rows_of(options), keep=options.keep, **_asked(options)), options)


def _run_forecast(options: argparse.Namespace) -> None:
    from ..comparison.forecast.averaging import forecast

    at = options.points if options.points else point_of(options.at)
    found = forecast(rows_of(options), at, laws=options.laws, **_asked(options))
    show(found, options, lambda: found.plot(level=options.level), found.table(options.level))
    if options.out:
        from ..core.table import csv_of

        write_text(options.out, csv_of(found.columns_at(options.level)))
        options.output.wrote(options.out)


def point_of(given: list[str]) -> dict[str, Any]:
    """Inputs by name, with one value or several."""
    out: dict[str, Any] = {}
    for name, text in pairs(given, "--at").items():
        values = [part for part in text.split(",") if part]
        try:
            out[name] = [number(part, "--at") for part in values]
        except ScalejaxError:
            out[name] = values
    return out
