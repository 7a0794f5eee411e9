"""The verbs that ask which law to believe: `compare` posteriors, `holdout` runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..core.errors import ScalejaxError
from .fit import loss_of, loss_option
from .options import quantity, saved, seed_option, show, verb
from .sample import posterior_of, posterior_options
from .shell.own_laws import own_law_option
from .table import model_of, model_options, runs_of, table_options

COMPARE_EPILOG = """\
  scalejax sample runs.csv --columns N=params D=tokens loss=loss --method laplace --out chinchilla.npz
  scalejax sample runs.csv --columns N=params D=tokens loss=loss --method laplace --law kaplan --out kaplan.npz
  scalejax compare chinchilla.npz "another law=kaplan.npz"

posteriors of the same runs, from `scalejax sample --out`; their names are those of the files, or given before a sign =.
"""

HOLDOUT_EPILOG = """\
  scalejax holdout runs.csv --laws chinchilla kaplan --columns N=params D=tokens loss=loss --largest 0.2
  scalejax holdout archs.csv --laws chinchilla mylaw.py:one_power --columns N=params D=tokens loss=loss arch=arch --groups arch
  scalejax holdout runs.csv --laws chinchilla --columns N=params D=tokens loss=loss --largest 0.2 0.4 --size N --method laplace

every law is fitted without some runs, and asked to predict them.
"""


def add_verbs(verbs: Any) -> None:
    """Add both verbs to a subparsers object."""
    verb(
        verbs, "compare", "which law predicts runs best: leave-one-out, from saved posteriors", _run_compare, _compare, own_law_option,
        epilog=COMPARE_EPILOG,
    )  # fmt: skip
    verb(
        verbs, "holdout", "which law predicts the largest runs, or new groups, best", _run_holdout, table_options, _holdout, model_options,
        loss_option, posterior_options, epilog=HOLDOUT_EPILOG,
    )  # fmt: skip


def _compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("posteriors", nargs="+", metavar="POSTERIOR", help="files that `scalejax sample --out` wrote, or name=file")


def _run_compare(options: argparse.Namespace) -> None:
    from ..comparison.compare import compare
    from ..posteriors.posterior import Posterior

    found = {}
    for text in options.posteriors:
        name, _, file = ("", "", text) if Path(text).exists() or "=" not in text else text.partition("=")
        name = name or Path(file).stem
        if name in found:
            raise ScalejaxError(f"Two posteriors are called {name!r}; name them, such as first={file}.")
        posterior = saved(Path(file))
        if not isinstance(posterior, Posterior):
            raise ScalejaxError(f"{file} holds a fit, and compare needs posteriors; make one with scalejax sample --out.")
        found[name] = posterior
    show(compare(found), options)


def _holdout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--laws", nargs="+", required=True, metavar="LAW", help="names of laws (see `scalejax laws`), or FILE.py:NAME")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--largest", nargs="+", type=quantity, metavar="SHARE", help="leave out this share of the runs, the largest")
    what.add_argument("--groups", metavar="COLUMN", help="leave out the groups of this column in turn")
    parser.add_argument("--size", metavar="SOURCE", help="what is large: a role or arithmetic on roles (default compute, C or 6*N*D)")
    parser.add_argument("--method", choices=["fit", "nuts", "laplace", "svi"], default="fit", help="point fits (default) or posteriors")
    seed_option(parser, "the refits")


def _run_holdout(options: argparse.Namespace) -> None:
    from ..comparison.holdout import holdout
    from ..data.columns import of_columns

    bayes, loss = posterior_of(options), loss_of(options)
    if options.method == "fit" and bayes:
        raise ScalejaxError(f"Point fits have no {' and no '.join(bayes)}; choose --method laplace, nuts or svi.")
    if options.method != "fit" and loss is not None:
        raise ScalejaxError(f"--loss is of point fits; --method {options.method} takes a --likelihood.")
    size = options.size
    scale = None if size is None else lambda runs: runs[size] if size in runs else of_columns(size)(runs.columns)
    found = holdout(
        {name: name for name in options.laws}, runs_of(options), groups=options.groups, largest=options.largest,
        scale=scale, method=options.method, seed=options.seed,
        **({"loss": loss} if options.method == "fit" else bayes), **model_of(options),
    )  # fmt: skip
    show(found, options)
    if len(found.splits) > 1:
        show(found.scores(), options)
