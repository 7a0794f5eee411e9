"""The verb `recommend`: from a table of proxy runs to training proportions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .fit import loss_of, loss_option
from .options import count, level_option, limits_of, pairs, plot_option, quantity, seed_option, show, values, verb, weight_limits
from .table import file_option, rows_of

EPILOG = """\
  scalejax recommend proxies.csv --weights web code maths --losses on_web on_code --caps 0.6
  scalejax recommend proxies.csv --weights web code maths --losses on_web on_code --importance on_web=0.8 on_code=0.2 --plot weights.png
  scalejax recommend proxies.csv --weights web code maths --losses on_web on_code --caps code=0.3 --uncertainty none --out mixture.yaml

one row a proxy run (or a checkpoint): the weights of the domains, the losses of the targets, and N and D if the runs differ in size.
Printed are the weights with intervals, then what it costs to deviate, with the limits that a mixture breaks; --out writes the weights.
"""


def add_verbs(verbs: Any) -> None:
    """Add `recommend` to a subparsers object."""
    about = "training proportions for a larger run from a table of proxy runs"
    verb(verbs, "recommend", about, _run, file_option, _options, loss_option, weight_limits, epilog=EPILOG)


def _options(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument("--draws", type=count, default=200, help="refits to resampled mixtures, or draws (default 200)")
    parser.add_argument("--by", type=quantity, default=0.05, help="deviation to price, as a share of all data (default 0.05)")
    level_option(parser)
    seed_option(parser, "the draws")
    plot_option(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the weights by domain, .yaml, .json or .csv")


def _run(options: argparse.Namespace) -> None:
    from ..reporting import plot
    from ..studies.mixtures.recommend import recommend_mixture

    found = recommend_mixture(
        rows_of(options), weights=options.weights, losses=options.losses, law=options.law, at=values(options.at, "--at") or None,
        importance=values(options.importance, "--importance") or None, uncertainty=options.uncertainty, draws=options.draws,
        loss=loss_of(options), seed=options.seed, roles=pairs(options.columns, "--columns") or None, **limits_of(options),
    )  # fmt: skip
    costs = found.deviations(options.by, options.level)  # before anything is printed: it says what is wrong with the two
    show(found, options, lambda: plot.mixture(found.mixture, level=options.level), found.table(options.level))
    show(costs, options)
    if options.out:
        found.mixture.save(options.out)
        options.output.wrote(options.out)
