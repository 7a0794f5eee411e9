"""The verbs of whole studies: `curves` and `schedule`, `isoflop`, `downstream`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..core.errors import ScalejaxError
from .fit import loss_of, loss_option
from .forecast import point_of
from .options import asked, common, count, draws_of, level_option, number, pairs, plot_option, quantity, seed_option, show, values, verb
from .table import file_option, model_of, model_options, roles_of, rows_of, runs_of, table_options

CURVES_EPILOG = """\
  scalejax curves curves.csv --run run --lr lr --law lr_annealing --out curves.json
  scalejax curves curves.csv --run run --lr lr --law lr_annealing --every 4 --first 100 --json
"""

SCHEDULE_EPILOG = """\
  scalejax curves curves.csv --run run --lr lr --law lr_annealing --out curves.json
  scalejax schedule curves.json --steps 2000 --peak 1e-3 --warmup 100 --shape wsd --out schedule.csv
"""

ISOFLOP_EPILOG = """\
  scalejax isoflop runs.csv --columns N=params D=tokens C=flops loss=loss
  scalejax isoflop runs.csv --columns N=params D=tokens C=flops loss=loss --replicates 500 --csv
"""

DOWNSTREAM_EPILOG = """\
  scalejax downstream tasks.csv --tasks hellaswag --losses hellaswag=bpb --chance 0.25 --items 10042 --laws chinchilla --at N=13B D=5T
"""


def add_verbs(verbs: Any) -> None:
    """Add the verbs to a subparsers object."""
    verb(verbs, "curves", "fit a law of loss curves to logs of runs", _run_curves, file_option, _curves, model_options, loss_option,
         level_option, epilog=CURVES_EPILOG)  # fmt: skip
    verb(verbs, "schedule", "the learning-rate schedule with the lowest predicted loss", _run_schedule, _schedule, common,
         epilog=SCHEDULE_EPILOG)  # fmt: skip
    verb(verbs, "isoflop", "the best size at every budget of a sweep, and its power law", _run_isoflop, table_options, _isoflop,
         epilog=ISOFLOP_EPILOG)  # fmt: skip
    verb(verbs, "downstream", "accuracy of larger runs on tasks, by way of their losses", _run_downstream, file_option, _downstream,
         level_option, plot_option, epilog=DOWNSTREAM_EPILOG)  # fmt: skip


def _curves(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--law", default="lr_annealing", help="a law of whole curves, or FILE.py:NAME (default lr_annealing)")
    add("--run", dest="run_column", metavar="COLUMN", help="names the run of every row")
    add("--step", default="step", metavar="COLUMN", help="optimiser step (default step)")
    add("--target", default="loss", metavar="COLUMN", help="loss (default loss)")
    add("--lr", required=True, metavar="COLUMN", help="learning rate")
    add("--columns", nargs="+", default=[], metavar="ROLE=COLUMN", help="further inputs of the law, constant in a run, such as N=params")
    add("--warmup", type=count, default=0, metavar="STEPS", help="steps of warm-up (default 0)")
    add("--convention", choices=["true", "at_peak", "offset"], default="true", help="what the law sees of the warm-up (default true)")
    add("--first", type=count, default=0, metavar="STEP", help="leave out what was observed before this step")
    add("--every", type=count, default=1, metavar="N", help="keep every so-many-th observation of a run")
    add("--starts", type=count, help="number of starts")
    add("--unidentified", choices=["raise", "warn"], default="raise", help="when the curves cannot tell parameters apart")
    seed_option(parser, "the starts")
    add("--out", type=Path, help="save the fit as JSON, for `scalejax schedule` and `scalejax report`")


def _run_curves(options: argparse.Namespace) -> None:
    from ..data.curves import read_curves
    from ..fitting.fit import fit

    roles: dict[str, Any] = roles_of(options)
    curves = read_curves(
        rows_of(options), step=options.step, loss=options.target, run=options.run_column, lr=options.lr, warmup=options.warmup,
        convention=options.convention, first=options.first, every=options.every, **roles,
    )  # fmt: skip
    fitted = fit(
        options.law, curves, loss=loss_of(options), starts=options.starts, seed=options.seed, unidentified=options.unidentified,
        **model_of(options),
    )  # fmt: skip
    options.output.line(f"{fitted.law.name}: {fitted.status.value}. {fitted.status.sentence}")
    show(fitted, options, table=fitted.table(options.level))
    if options.out:
        fitted.save(options.out)
        options.output.wrote(options.out, f"scalejax schedule {options.out} --steps 10000 --peak 1e-3")


def _schedule(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("fit", type=Path, help="file that `scalejax curves --out` wrote")
    add("--steps", type=count, help="optimiser steps, warm-up included")
    add("--tokens", type=quantity, help="tokens to train on, with --batch, in place of --steps")
    add("--batch", type=quantity, metavar="TOKENS", help="tokens of a batch")
    add("--peak", type=quantity, required=True, help="highest rate: that of the curves of the fit")
    add("--end", type=quantity, default=0.0, help="lowest rate (default 0)")
    add("--warmup", type=count, default=0, metavar="STEPS", help="steps of warm-up (default 0)")
    add("--convention", choices=["true", "offset"], default="offset", help="whether changes in the warm-up count (default offset: no)")
    add("--shape", choices=["free", "wsd"], default="free", help="any schedule that does not rise (default), or constant and decay")
    add("--out", type=Path, metavar="FILE", help="write the rate of every step, .csv, .json or .yaml")


def _run_schedule(options: argparse.Namespace) -> None:
    from ..reporting import plot
    from ..studies.curves.optimal_schedule import optimal_schedule

    found = optimal_schedule(
        draws_of(options.fit, options), steps=options.steps, tokens=options.tokens,
        batch=options.batch, peak=options.peak, end=options.end, warmup=options.warmup, convention=options.convention, shape=options.shape,
        group=options.group, **asked(optimal_schedule, values(options.given, "--given"), "--given"),
    )  # fmt: skip
    show(found, options, lambda: plot.schedule(found), found.table(options.level))
    if options.out:
        found.save(options.out)
        options.output.wrote(options.out)


def _isoflop(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--budget", default="C", metavar="ROLE", help="role of the budget in FLOPs (default C)")
    add("--method", choices=["auto", "polynomial", "interpolation"], default="auto", help="how a minimum is found (default auto)")
    add("--degree", type=count, default=2, help="of the polynomial, 2 (default) or 3")
    add("--tolerance", type=quantity, default=0.05, metavar="SHARE", help="budgets closer than this belong together (default 0.05)")
    add("--replicates", type=count, default=0, metavar="N", help="draws for the interval of the exponent (default 0: none)")
    seed_option(parser, "the draws")


def _run_isoflop(options: argparse.Namespace) -> None:
    from ..studies.isoflop.frontier import isoflop

    found = isoflop(
        runs_of(options), budget=options.budget, method=options.method, degree=options.degree, tolerance=options.tolerance,
        replicates=options.replicates, seed=options.seed,
    )  # fmt: skip
    show(found, options)


def _downstream(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--tasks", nargs="+", required=True, metavar="COLUMN", help="columns with the accuracies of the tasks")
    add("--losses", nargs="+", default=[], metavar="TASK=COLUMN", help="column of the loss of a task (default loss)")
    add("--chance", nargs="+", default=[], metavar="TASK=VALUE", help="accuracy of guesses, one for all or by task (default learned)")
    add("--items", nargs="+", default=[], metavar="TASK=COUNT", help="questions of a task, one for all or by task")
    add("--at", nargs="+", required=True, metavar="INPUT=VALUE", help="larger runs, such as N=7B D=1T,4T; the inputs of the loss")
    add("--laws", nargs="+", metavar="LAW", help="laws of the loss to average (default all that the inputs can serve)")
    add("--kind", choices=["run", "mean"], default="run", help="intervals of a new run (default) or of the mean")
    add("--draws", type=count, default=2000, help="for the intervals (default 2000)")
    seed_option(parser, "starts and draws")


def _run_downstream(options: argparse.Namespace) -> None:
    from ..studies.downstream.task_ladder import ladder

    tasks: dict[str, dict[str, Any]] = {name: {} for name in options.tasks}
    told: dict[str, dict[str, Any]] = {
        "loss": pairs(options.losses, "--losses"),
        "chance": _by_task(options, "chance"),
        "items": _by_task(options, "items"),
    }
    for key, known in told.items():
        for name, value in known.items():
            if name not in tasks:
                raise ScalejaxError(f"--{'losses' if key == 'loss' else key} names {name!r}, which --tasks does not.")
            tasks[name][key] = int(value) if key == "items" and float(value).is_integer() else value
    found = ladder(
        rows_of(options), tasks, point_of(options.at), laws=options.laws, kind=options.kind, draws=options.draws, seed=options.seed,
        progress=False,
    )  # fmt: skip
    show(found, options, lambda: found.plot(), found.table(options.level))


def _by_task(options: argparse.Namespace, option: str) -> dict[str, float]:
    """A number for every task: one for all, or by name."""
    texts = getattr(options, option)
    if len(texts) == 1 and "=" not in texts[0]:
        return dict.fromkeys(options.tasks, number(texts[0], f"--{option}"))
    return {name: number(text, f"--{option}") for name, text in pairs(texts, f"--{option}").items()}
