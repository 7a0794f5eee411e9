"""The verb `doctor`: what a table of runs can answer."""

from __future__ import annotations

import argparse
from typing import Any

from .importing import reading_of, reading_options
from .options import verb

EPILOG = """\
which columns are known, which inputs vary and on which rays, which laws the runs can tell, what is missing, how noisy the loss is, which
rows look wrong, and the next sensible call.

  scalejax doctor runs.csv
  scalejax doctor runs.csv --target val_loss --keep finished
  scalejax doctor mlruns/ --columns N=n_params loss=val/loss
"""


def add_verbs(verbs: Any) -> None:
    """Add `doctor` to a subparsers object."""
    verb(verbs, "doctor", "what a table of runs can answer, and what is missing", _run, reading_options, _options, epilog=EPILOG)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", default="loss", metavar="COLUMN", help="column to explain (default loss)")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")


def _run(options: argparse.Namespace) -> None:
    from ..studies.examination import diagnose

    found = diagnose(options.table, options.target, **reading_of(options))
    print(found.table().markdown() if options.markdown else found)
