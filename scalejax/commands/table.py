"""Options of the verbs that read a table of runs: its columns, and the model that is put on it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ScalejaxError
from .expressions import expression, source
from .options import number, pairs, values

if TYPE_CHECKING:
    from ..core.runs import Runs


def table_options(parser: argparse.ArgumentParser) -> None:
    """The table and what it calls its columns."""
    parser.add_argument("table", help="csv, tsv, jsonl, json or parquet file (csv, jsonl and json also gzipped)")
    parser.add_argument("--columns", nargs="+", default=[], metavar="ROLE=SOURCE", help="which column is N, D, loss, ...")
    parser.add_argument("--scale", nargs="+", default=[], metavar="ROLE=FACTOR", help="factors, such as N=1e9 for billions")
    parser.add_argument("--where", help="keep only runs for which this comparison of roles holds, such as 'D/N >= 1'")
    parser.add_argument("--on-bad", choices=["raise", "flag", "drop"], default="raise", help="rows with unusable values (default raise)")


def runs_of(options: argparse.Namespace) -> Runs:
    """The runs that `table_options` ask for."""
    from ..data.readers import read_runs

    roles: dict[str, Any] = {name: source(text) for name, text in pairs(options.columns, "--columns").items()}
    scale = {name: number(text, "--scale") for name, text in pairs(options.scale, "--scale").items()}
    runs = read_runs(options.table, on_bad=options.on_bad, scale=scale, **roles)
    return runs.where(np.asarray(expression(options.where)(runs.columns))) if options.where else runs


def law_option(parser: argparse.ArgumentParser) -> None:
    """One law."""
    parser.add_argument("--law", help="name of a law (default chinchilla)")


def model_options(parser: argparse.ArgumentParser) -> None:
    """What is held, equal or in common."""
    parser.add_argument("--on", choices=["log", "linear"], help="residuals of logarithms (default) or of values")
    parser.add_argument(
        "--fix", nargs="+", default=[], metavar="PARAM=VALUE", help="hold parameters at values, PARAM[GROUP]=VALUE in one group"
    )
    parser.add_argument("--tie", nargs="+", default=[], metavar="PARAM=PARAM", help="make parameters equal")
    parser.add_argument("--by", metavar="COLUMN", help="groups that get parameters of their own, or PARAM=COLUMN,... for crossing groups")
    parser.add_argument("--share", nargs="+", default=[], metavar="PARAM", help="parameters that the groups have in common")


def model_of(options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `fit` and `sample` that `model_options` ask for."""
    on = {"on": options.on} if options.on else {}
    tie = pairs(options.tie, "--tie") or None
    by = pairs(options.by.split(","), "--by") if options.by and "=" in options.by else options.by
    return {**on, "fix": _held(options.fix), "tie": tie, "by": by, "share": options.share}


def _held(texts: Sequence[str]) -> dict[str, Any]:
    """Fixed values by parameter, by parameter and group where the text is PARAM[GROUP]=VALUE."""
    found: dict[str, Any] = {}
    for place, value in values(texts, "--fix").items():
        name, bracket, group = place.partition("[")
        if bracket and group.endswith("]"):
            if not isinstance(found.setdefault(name, {}), dict):
                raise ScalejaxError(f"--fix holds {name} in all groups and in one; leave one of them out.")
            found[name][group[:-1]] = value
        else:
            found[place] = value
    return found
