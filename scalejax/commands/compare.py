"""The verbs that ask which law to believe: `compare` posteriors, `holdout` runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..core.errors import ScalejaxError
from .expressions import source
from .fit import loss_of, loss_option
from .options import saved, show, verb
from .sample import posterior_of, posterior_options
from .table import model_of, model_options, runs_of, table_options

COMPARE_EPILOG = """\
posteriors of the same runs, from `scalejax sample --out`; their names are those of the files, or given before a sign =.

  scalejax compare chinchilla.npz kaplan.npz
  scalejax compare "heavy tails=student.npz" normal=normal.npz --markdown
"""

HOLDOUT_EPILOG = """\
every law is fitted without some runs, and asked to predict them.

  scalejax holdout runs.csv --laws chinchilla kaplan --columns N=params D=tokens loss=loss --largest 0.2
  scalejax holdout runs.csv --laws chinchilla kaplan --columns N=params D=tokens loss=loss arch=arch --groups arch
  scalejax holdout runs.csv --laws power_law --columns x=compute loss=loss --largest 0.1 0.3 --size x --method laplace
"""


def add_verbs(verbs: Any) -> None:
    """Add both verbs to a subparsers object."""
    verb(
        verbs, "compare", "which law predicts runs best: leave-one-out, from saved posteriors", _run_compare, _compare, _markdown,
        epilog=COMPARE_EPILOG,
    )  # fmt: skip
    verb(
        verbs, "holdout", "which law predicts the largest runs, or new groups, best", _run_holdout, table_options, _holdout, model_options,
        loss_option, posterior_options, _markdown, epilog=HOLDOUT_EPILOG,
    )  # fmt: skip


def _markdown(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.set_defaults(plot=None)


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
    show(compare(found).table(), options)


def _holdout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--laws", nargs="+", required=True, metavar="LAW", help="names of laws (see `scalejax laws`)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--largest", nargs="+", type=float, metavar="SHARE", help="leave out this share of the runs, the largest")
    what.add_argument("--groups", metavar="COLUMN", help="leave out the groups of this column in turn")
    parser.add_argument("--size", metavar="SOURCE", help="what is large: a role or arithmetic on roles (default compute, C or 6*N*D)")
    parser.add_argument("--method", choices=["fit", "nuts", "laplace", "svi"], default="fit", help="point fits (default) or posteriors")
    parser.add_argument("--seed", type=int, default=0, help="of the refits")


def _run_holdout(options: argparse.Namespace) -> None:
    from ..comparison.holdout import holdout

    bayes, loss = posterior_of(options), loss_of(options)
    if options.method == "fit" and bayes:
        raise ScalejaxError(f"Point fits have no {' and no '.join(bayes)}; choose --method laplace, nuts or svi.")
    if options.method != "fit" and loss is not None:
        raise ScalejaxError(f"--loss is of point fits; --method {options.method} takes a --likelihood.")
    size = source(options.size) if options.size else None
    found = holdout(
        {name: name for name in options.laws}, runs_of(options), groups=options.groups, largest=options.largest,
        scale=(lambda runs: size(runs.columns)) if callable(size) else size, method=options.method, seed=options.seed,
        **({"loss": loss} if options.method == "fit" else bayes), **model_of(options),
    )  # fmt: skip
    show(found.table(), options)
    if len(found.splits) > 1:
        print()
        show(found.scores(), options)
