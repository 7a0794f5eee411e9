"""Options of the verbs that read a table of runs: its columns, and the model that is put on it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..core.errors import ScalejaxError
from .importing import column_options, reading_of
from .options import pairs, values

if TYPE_CHECKING:
    from ..core.runs import Runs


def table_options(parser: argparse.ArgumentParser) -> None:
    """The table and what it calls its columns."""
    file_option(parser)
    column_options(parser)


def file_option(parser: argparse.ArgumentParser) -> None:
    """The table, and which rows of it."""
    parser.add_argument("table", help="table of runs: csv, tsv, json, jsonl, parquet, npz, a log, or what trackers write, also packed")
    parser.add_argument(
        "--where", metavar="CONDITION", help="keep only such rows, by roles or columns: 'D/N >= 1 and state == \"finished\"'"
    )


def runs_of(options: argparse.Namespace) -> Runs:
    """The runs that `table_options` ask for."""
    from ..data.readers import read_runs

    asked = reading_of(options)
    return read_runs(rows_of(options, roles_of(options), asked.get("scale", {})), **asked)


def roles_of(options: argparse.Namespace) -> dict[str, str]:
    """Role to column or arithmetic."""
    return pairs(options.columns, "--columns")


def rows_of(options: argparse.Namespace, roles: Mapping[str, str] | None = None, scale: Mapping[str, float] | None = None) -> Any:
    """The table that `file_option` asks for: its path, or the columns of the rows that --where keeps.

    Rows are chosen before anything is checked, by roles, with their factors, and by any column.
    """
    if not options.where:
        return options.table
    from .expressions import rows_where

    return rows_where(options.table, options.where, roles or {}, scale or {})


def law_option(parser: argparse.ArgumentParser) -> None:
    """One law."""
    parser.add_argument("--law", help="name of a law, or FILE.py:NAME for one of your own (default chinchilla)")


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
