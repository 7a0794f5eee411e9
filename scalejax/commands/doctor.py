"""The verb `doctor`: what a table of runs can answer."""

from __future__ import annotations

import argparse
from typing import Any

from .importing import reading_of, reading_options
from .options import show, verb

EPILOG = """\
  scalejax doctor runs.csv
  scalejax doctor wandb.csv --columns N=model/params loss=eval/loss --keep finished

which columns are known, which inputs vary and on which rays, which laws the runs can tell, what is missing, how noisy the loss is, which
rows look wrong, and the next sensible call.
"""


def add_verbs(verbs: Any) -> None:
    """Add `doctor` to a subparsers object."""
    verb(verbs, "doctor", "what a table of runs can answer, and what is missing", _run, reading_options, _options, epilog=EPILOG)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", default="loss", metavar="COLUMN", help="column to explain (default loss)")


def _run(options: argparse.Namespace) -> None:
    from ..studies.examination import diagnose

    found = diagnose(options.table, options.target, **reading_of(options))
    show(found, options)
