"""The verbs that look beyond the runs: `forecast` points, `backtest` laws, `search` for laws."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path
from typing import Any

from ..core.errors import ScalejaxError
from ..core.files import write_text
from .options import number, pairs, show, verb

FORECAST_EPILOG = """\
columns may have any names; all numeric ones but the target are inputs, unless --inputs says which.

  scalejax forecast runs.csv --at N=70e9 D=1.4e12
  scalejax forecast runs.csv --points larger.csv --target val_loss --by arch --plot forecast.png
  scalejax forecast curve.csv --at tokens=1e12,1e13 --target loss --laws m4 bnsl --out forecast.csv
"""


BACKTEST_EPILOG = """\
every law, and the average of all, is fitted to the smaller runs and asked for the larger ones.

  scalejax backtest runs.csv --target val_loss
  scalejax backtest runs.csv --laws chinchilla kaplan --splits N --shares 0.2 0.5
  scalejax backtest runs.csv --splits lab --inputs N D   (each value of the column lab in turn)
"""

SEARCH_EPILOG = """\
sums of powers of the columns, ranked by how they forecast the larger runs from the smaller ones.

  scalejax search runs.csv --target val_loss --inputs params tokens
"""


def add_verbs(verbs: Any) -> None:
    """Add the verbs to a subparsers object."""
    verb(
        verbs, "forecast", "what larger runs will show, with an interval that holds what it promises", _run_forecast, _table, _forecast,
        _laws, _printed, epilog=FORECAST_EPILOG,
    )  # fmt: skip
    verb(
        verbs, "backtest", "how laws, and their average, would have forecast known runs", _run_backtest, _table, _backtest, _laws, _printed,
        epilog=BACKTEST_EPILOG,
    )  # fmt: skip
    verb(verbs, "search", "which sums of powers of the columns forecast best", _run_search, _table, _search, _printed, epilog=SEARCH_EPILOG)


def _table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="file of runs, as for `scalejax fit`")
    parser.add_argument("--target", default="loss", metavar="COLUMN", help="column to forecast (default loss)")
    parser.add_argument("--inputs", nargs="+", metavar="COLUMN", help="columns that it depends on (default all other numeric ones)")
    parser.add_argument("--by", metavar="COLUMN", help="groups that are forecast apart")
    parser.add_argument("--larger-in", metavar="COLUMN", help="the input by which runs are small or large (default compute)")
    parser.add_argument("--seed", type=int, default=0, help="of starts and replicates")


def _laws(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--laws", nargs="+", metavar="LAW", help="laws to average (default all that the columns can serve)")
    parser.add_argument("--level", type=float, default=0.9, help="of the intervals (default 0.9)")


def _printed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.set_defaults(plot=None)  # of verbs without a picture


def _forecast(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--at", nargs="+", metavar="INPUT=VALUE", help="one point; several values with commas, N=1e9,1e10")
    where.add_argument("--points", metavar="FILE", help="file of points with the inputs, and the groups, as columns")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a csv file: a row a point, inputs, prediction, ends, variances")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="save a picture, .png, .svg or .pdf")


def _backtest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--splits", default="scale", metavar="WHAT", help="scale (default), last, an input, or a column of text")
    parser.add_argument("--shares", nargs="+", type=float, default=[0.2, 0.4], metavar="SHARE", help="held out (default 0.2 0.4)")


def _search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", type=int, default=7, metavar="N", help="laws to show (default 7)")


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    return {"target": options.target, "inputs": options.inputs, "by": options.by, "scale": options.larger_in, "seed": options.seed}


def _run_backtest(options: argparse.Namespace) -> None:
    from ..comparison.forecast.backtest import backtest

    found = backtest(options.table, options.laws, splits=options.splits, shares=options.shares, level=options.level, **_asked(options))
    show(found.table(), options)


def _run_search(options: argparse.Namespace) -> None:
    from ..comparison.forecast.search import search

    show(search(options.table, keep=options.keep, **_asked(options)).table(), options)


def _run_forecast(options: argparse.Namespace) -> None:
    from ..comparison.forecast.averaging import forecast

    at = options.points if options.points else _point(options.at)
    found = forecast(options.table, at, laws=options.laws, **_asked(options))
    show(found.table(options.level), options, lambda: found.plot(level=options.level))
    if options.out:
        columns = found.columns_at(options.level)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
        write_text(options.out, text.getvalue())
        print(f"saved {options.out}")


def _point(given: list[str]) -> dict[str, Any]:
    """Inputs by name, with one value or several."""
    out: dict[str, Any] = {}
    for name, text in pairs(given, "--at").items():
        values = [part for part in text.split(",") if part]
        try:
            out[name] = [number(part, "--at") for part in values]
        except ScalejaxError:
            out[name] = values
    return out
