"""The verb `recommend`: from a table of proxy runs to training proportions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .fit import loss_of, loss_option
from .options import limits_of, pairs, show, values, verb, weight_limits

EPILOG = """\
one row a proxy run (or a checkpoint): the weights of the domains, the losses of the targets, and N and D if the runs differ in size.
Printed are the weights with intervals, then what it costs to deviate, with the limits that a mixture breaks.

  scalejax recommend proxies.csv --weights web code maths --losses on_web on_code --caps 0.6
  scalejax recommend proxies.csv --weights web code --losses a b --caps code=0.3 --importance a=0.8 b=0.2 --plot weights.png
  scalejax recommend proxies.csv --weights web code --losses a b --columns N=params D=tokens --at N=7e9 D=1e12 --available code=2e11
"""


def add_verbs(verbs: Any) -> None:
    """Add `recommend` to a subparsers object."""
    about = "training proportions for a larger run from a table of proxy runs"
    verb(verbs, "recommend", about, _run, _options, loss_option, weight_limits, epilog=EPILOG)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="proxy runs: .csv, .tsv, .jsonl, .json or .parquet")
    parser.add_argument("--weights", nargs="+", required=True, metavar="COLUMN", help="columns with the weights of the domains")
    parser.add_argument("--losses", nargs="+", required=True, metavar="COLUMN", help="columns with the losses of the targets")
    parser.add_argument(
        "--columns", nargs="+", default=[], metavar="ROLE=COLUMN", help="other inputs of the law, such as N=params D=tokens"
    )
    parser.add_argument("--law", help="a mixture law (default by the columns: mixture_additive, mixture_tokens or data_mixing_m4)")
    parser.add_argument(
        "--at", nargs="+", default=[], metavar="INPUT=VALUE", help="the run to recommend for (default the largest in the table)"
    )
    parser.add_argument("--importance", nargs="+", default=[], metavar="TARGET=WEIGHT", help="importance of the targets (default equal)")
    parser.add_argument("--uncertainty", default="bootstrap", choices=["bootstrap", "laplace", "none"], help="how intervals are made")
    parser.add_argument("--draws", type=int, default=200, help="refits to resampled mixtures, or draws (default 200)")
    parser.add_argument("--by", type=float, default=0.05, help="deviation to price, as a share of all data (default 0.05)")
    parser.add_argument("--level", type=float, default=0.9, help="level of the intervals (default 0.9)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="save a picture, .png, .svg or .pdf")


def _run(options: argparse.Namespace) -> None:
    from ..reporting import plot
    from ..studies.mixtures.recommend import recommend_mixture

    found = recommend_mixture(
        options.table, weights=options.weights, losses=options.losses, law=options.law, at=values(options.at, "--at") or None,
        importance=values(options.importance, "--importance") or None, uncertainty=options.uncertainty, draws=options.draws,
        loss=loss_of(options), seed=options.seed, roles=pairs(options.columns, "--columns") or None, **limits_of(options),
    )  # fmt: skip
    costs = found.deviations(options.by, options.level)  # before anything is printed: it says what is wrong with the two
    show(found.table(options.level), options, lambda: plot.mixture(found.mixture, level=options.level))
    print()
    show(costs, argparse.Namespace(markdown=options.markdown, plot=None))
