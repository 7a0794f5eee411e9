"""The verb `plan`: from a saved fit to runs that can be started."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .options import common, cost_of, count, draws_of, quantity, ranges, show, values, verb

EPILOG = """\
  scalejax fit wandb.csv --columns N=model/params D="`data/tokens`*1e9" loss=eval/loss --keep finished --out study.json
  scalejax plan study.json --compute 1e20 1e21 --out plan.yaml
  scalejax plan study.json --compute 1e21 --shapes pythia --hyperparameters deepseek --sequence 2048 --out plan.json

depth and width are those between released models of the family; rate and batch are published laws at the size and tokens of the plan.
"""


def add_verbs(verbs: Any) -> None:
    """Add `plan` to a subparsers object."""
    verb(verbs, "plan", "runs to start for a budget: layers, width, heads, rate, batch, steps", _run, _options, common, epilog=EPILOG)


def _options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("fit", type=Path, help="file that `scalejax fit --out` or `scalejax sample --out` wrote")
    add("--compute", nargs="+", type=quantity, required=True, metavar="FLOPS", help="one or more budgets")
    add("--cost", default="six_nd", metavar="NAME", help="a cost of scalejax.costs (default six_nd)")
    add("--bounds", nargs="+", default=[], metavar="INPUT=LOW:HIGH", help="limits of chosen inputs")
    add("--shapes", default="llama3", metavar="FAMILY", help="llama3 (default), llama, qwen3, pythia or gpt3")
    add("--hyperparameters", default="step_law", metavar="RULE", help="step_law (default), deepseek, moonlight or porian2024")
    add("--sequence", type=count, default=4096, metavar="TOKENS", help="tokens of a sequence (default 4096)")
    add("--vocab", type=count, metavar="ENTRIES", help="entries of the vocabulary (default that of the family)")
    add("--count", choices=["total", "nonembedding"], default="total", help="what N of the fit counts (default total)")
    add("--multiple", type=count, default=8, metavar="N", help="a batch is a multiple of so many sequences (default 8)")
    add("--out", type=Path, metavar="FILE", help="write the configurations, .yaml, .json or .csv")


def _run(options: argparse.Namespace) -> None:
    from ..decisions.allocate import allocate
    from ..decisions.configured.training import configure
    from ..reporting import plot
    from .options import asked

    plan = allocate(
        draws_of(options.fit, options), compute=options.compute, cost=cost_of(options.cost), bounds=ranges(options.bounds, "--bounds"),
        group=options.group, **asked(allocate, values(options.given, "--given"), "--given"),
    )  # fmt: skip
    found = configure(
        plan, shapes=options.shapes, hyperparameters=options.hyperparameters, sequence=options.sequence, vocab=options.vocab,
        count=options.count, multiple=options.multiple,
    )  # fmt: skip
    show(found, options, lambda: plot.optimal_sizes(plan, level=options.level))
    show(plan.table(options.level), options)
    if options.out:
        found.save(options.out)
        options.output.wrote(options.out)
