"""The verb `import`: from what a training program or a tracker wrote to a plain table."""

from __future__ import annotations

import argparse
import csv
import io
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..core.errors import ScalejaxError
from .options import number, pairs, verb

EPILOG = """\
  scalejax import wandb.csv --columns N=model/params loss=eval/loss --keep finished --out study.csv
  scalejax import curves.csv --curves --out long.csv   (a row an observation)
  scalejax import curves.csv --summary 0.1 --out last.csv

files, folders and stores of trackers, such as wandb/, mlruns/ and folders of logs, become one csv with a row a run, which the other verbs
read.
"""


def add_verbs(verbs: Any) -> None:
    """Add `import` to a subparsers object."""
    about = "read files of trackers, logs and odd tables, and write a plain csv"
    verb(verbs, "import", about, _run, reading_options, _options, epilog=EPILOG)


def reading_options(parser: argparse.ArgumentParser) -> None:
    """What to read, and how."""
    parser.add_argument("table", help="a file, a folder with one file a run, a tracker's folder or database, or wandb:entity/project")
    column_options(parser)
    parser.add_argument(
        "--summary", metavar="HOW", help="one row a run from curves: last, min, or a share of the steps at the end, such as 0.1"
    )
    parser.add_argument("--step", help="column of the steps (default step)")
    parser.add_argument("--replicates", choices=["keep", "mean"], help="runs of one setting as they are (default), or their mean")
    parser.add_argument("--format", help="the format, where content and suffix mislead: csv, json, markdown, log, tensorboard, wandb, ...")


def column_options(parser: argparse.ArgumentParser) -> None:
    """What a table calls its columns, in which units, and which rows count."""
    parser.add_argument(
        "--columns", nargs="+", default=[], metavar="ROLE=SOURCE", help="which column, or arithmetic on columns, is N, D, loss, ..."
    )
    parser.add_argument(
        "--unit", nargs="+", default=[], metavar="ROLE=UNIT", help="nats, bits, perplexity, bits_per_byte[:BYTES], k, M, B, T"
    )
    parser.add_argument("--scale", nargs="+", default=[], metavar="ROLE=FACTOR", help="factors, such as N=1e9 for billions")
    parser.add_argument(
        "--keep", nargs="+", default=[], metavar="CONDITION", help="which rows: finished, all, or a comparison such as 'loss < 5'"
    )
    parser.add_argument("--on-bad", choices=["raise", "flag", "drop"], help="rows with unusable values (default raise)")


def reading_of(options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `read_runs` that `reading_options` ask for."""
    found: dict[str, Any] = {name: _source(text) for name, text in pairs(options.columns, "--columns").items()}
    units = {}
    for name, text in pairs(options.unit, "--unit").items():
        word, colon, size = text.partition(":")
        units[name] = (word, number(size, "--unit")) if colon else word
    scale = {name: number(text, "--scale") for name, text in pairs(options.scale, "--scale").items()}
    given = vars(options)
    summary = given.get("summary")
    summary = summary if summary in (None, "last", "min") else number(summary, "--summary")
    asked = {
        "unit": units, "scale": scale, "keep": options.keep[0] if len(options.keep) == 1 else options.keep, "summary": summary,
        "on_bad": options.on_bad, **({name: given[name] for name in ("step", "replicates", "format")} if "summary" in given else {}),
    }  # fmt: skip
    return found | {name: value for name, value in asked.items() if value}


def _source(text: str) -> str | float | list[str]:
    """A column, arithmetic or a number for all rows; several columns for a vector: h=web,code."""
    with suppress(ValueError):
        return float(text)
    parts = text.split(",")
    return parts if len(parts) > 1 and all(parts) and not set("`()") & set(text) else text


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--curves", action="store_true", help="a row an observation instead of a row a run")
    parser.add_argument("--out", type=Path, help="csv to write (default: print it)")


def _run(options: argparse.Namespace) -> None:
    columns = _curves(options) if options.curves else _runs(options)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    rows = list(zip(*columns.values(), strict=True))
    writer.writerows([[_cell(value) for value in row] for row in rows])
    options.output.answer = {"rows": len(rows), "columns": list(columns)}
    if options.out is None:
        options.output.text(buffer.getvalue())
        return
    from ..core.files import write_text

    write_text(options.out, buffer.getvalue())
    options.output.line(f"{len(rows)} rows and {len(columns)} columns")
    options.output.wrote(options.out, f"scalejax doctor {options.out}")


def _runs(options: argparse.Namespace) -> dict[str, Any]:
    from ..data.readers import read_runs

    runs = read_runs(options.table, **reading_of(options))
    columns: dict[str, Any] = {}
    for name, column in runs.columns.items():
        if column.ndim == 1:
            columns[name] = column
        elif name not in runs.masks:
            columns |= {f"{name}.{k}": column[:, k] for k in range(column.shape[1])}
        else:
            raise ScalejaxError(f"Column {name!r} holds a curve a run; write its observations with --curves, or one number with --summary.")
    return columns


def _curves(options: argparse.Namespace) -> dict[str, Any]:
    from ..data.readers import load

    raw, observations = load(options.table, (), options.format)
    roles = pairs(options.columns, "--columns")
    if not observations and "run" not in raw:
        raise ScalejaxError(f"{options.table} does not say which rows are of one run; it is a table already.")
    missing = [source for source in roles.values() if source not in raw]
    if missing:
        raise ScalejaxError(f"There is no column {missing[0]!r}; it has {', '.join(list(raw)[:12])}.")
    named = {source: role for role, source in roles.items()}
    kept = [name for name in raw if not roles or name in named or name in ("run", "step", "state")]
    return {named.get(name, name): raw[name] for name in kept}


def _cell(value: Any) -> Any:
    """A cell that reads back as it was: all digits, empty where nothing is known."""
    import numpy as np  # takes a while, and help needs none

    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        plain = float(value)
        return "" if np.isnan(plain) else repr(int(plain)) if plain.is_integer() and abs(plain) < 1e15 else repr(plain)
    return value
