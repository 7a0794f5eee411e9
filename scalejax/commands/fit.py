"""The verb `fit`: from a table of runs to a saved fit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .options import count, level_option, made, seed_option, show, verb
from .table import law_option, model_of, model_options, runs_of, table_options

if TYPE_CHECKING:
    from ..fitting.objective.losses import Loss

EPILOG = """\
  scalejax fit runs.csv --columns N=params D=tokens loss=loss --out fit.json
  scalejax fit runs.csv --columns N=params D="flops/(6*params)" loss=loss --where "flops < 1e20" --bootstrap 200
  scalejax fit archs.csv --columns N=params D=tokens loss=loss arch=arch --by arch --share alpha beta E --out archs.json
  scalejax fit wandb.csv --columns N=model/params D="`data/tokens`*1e9" loss=eval/loss --where "State == 'finished'"
  scalejax fit runs.csv --columns N=params D=tokens loss=loss --law mylaw.py:one_power --out mine.json

columns are ROLE=SOURCE: the name that the law uses (see `scalejax laws chinchilla`), then the name in your table, or arithmetic on columns
with + - * / ** log exp sqrt min max; a column of exactly that name goes first, and names such as eval/loss stand in back-quotes.
"""


def add_verbs(verbs: Any) -> None:
    """Add `fit` to a subparsers object."""
    verb(verbs, "fit", "fit a law to a table of runs", _run, table_options, law_option, model_options, loss_option, _options, epilog=EPILOG)


def loss_option(parser: argparse.ArgumentParser) -> None:
    """How residuals of a point fit count."""
    parser.add_argument("--loss", metavar="LOSS", help="huber (default), huber:DELTA, squared, absolute, log_cosh, student_t")


def loss_of(options: argparse.Namespace) -> Loss | None:
    """The loss that `loss_option` asks for, None for the default."""
    from ..fitting.objective import losses

    if options.loss is None:
        return None
    parameters = {"huber": "delta", "squared": "", "absolute": "", "log_cosh": "delta", "student_t": "nu"}
    return made(options.loss, {name: (getattr(losses, name), parameter) for name, parameter in parameters.items()}, "--loss")


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", help="a published procedure, which brings its law: hoffmann2022, besiroglu2024, gadre2024")
    parser.add_argument("--solver", help="lm (default), varpro, lbfgs, adam")
    parser.add_argument("--starts", type=count, help="number of starts (default 2048)")
    parser.add_argument("--bootstrap", type=count, default=0, metavar="N", help="bootstrap replicates to print intervals from")
    level_option(parser)
    parser.add_argument("--unidentified", choices=["raise", "warn"], default="raise", help="when the runs cannot tell parameters apart")
    seed_option(parser, "starts and bootstrap")
    parser.add_argument("--out", type=Path, help="save the fit as JSON for the verbs that decide and report")


def _run(options: argparse.Namespace) -> None:
    from ..fitting.fit import fit
    from ..fitting.uncertainty.bootstrap import bootstrap

    fitted = fit(
        options.law or (None if options.recipe else "chinchilla"), runs_of(options), recipe=options.recipe, solver=options.solver,
        loss=loss_of(options), starts=options.starts, seed=options.seed, unidentified=options.unidentified, **model_of(options),
    )  # fmt: skip
    options.output.line(f"{fitted.law.name}: {fitted.status.value}. {fitted.status.sentence}")
    show(fitted, options, table=fitted.table(options.level))
    if fitted.groups:
        show(fitted.table(options.level, rows="group"), options)
    if options.bootstrap:
        show(bootstrap(fitted, options.bootstrap, seed=options.seed).table(options.level), options)
    if options.out:
        fitted.save(options.out)
        options.output.wrote(options.out, f"scalejax allocate {options.out} --compute 1e21")
