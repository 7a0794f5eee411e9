"""The parser of the command line, how a line is run, and the verbs `laws`, `report`, `demo` and `examples`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..core.edge.public import foreseen
from ..core.errors import ScalejaxError
from ..core.version import __version__
from . import compare, decide, doctor, fit, forecast, importing, plan, predict, recommend, sample, studies
from .options import level_option, quantity, saved, verb
from .shell import completion, examples
from .shell.language import in_options
from .shell.output import Output, emit
from .shell.own_laws import own_law_option, own_laws

_EPILOG = """\
the main job, from a table of runs to a plan (`scalejax examples` writes the files):

  scalejax examples
  scalejax fit runs.csv --columns N=params D=tokens loss=loss --out fit.json
  scalejax predict fit.json N=7B D=1.4T
  scalejax allocate fit.json --compute 1e21 1e22 1e23
  scalejax plan fit.json --compute 1e21 --shapes llama3 --out plan.yaml
  scalejax report fit.json report.html

from what trackers and logs hold to such a table, and what it can answer (also wandb/, mlruns/, folders of logs):

  scalejax import wandb.csv --columns N=model/params loss=eval/loss --keep finished --out study.csv
  scalejax doctor runs.csv

with priors, and posterior draws in place of the bootstrap:

  scalejax sample runs.csv --columns N=params D=tokens loss=loss --out posterior.npz
  scalejax allocate posterior.npz --compute 1e21 1e22 1e23

what larger runs will show, from any table of smaller ones:

  scalejax forecast runs.csv --inputs params tokens --at params=70B tokens=1.4T

from a table of small runs on different mixtures to training proportions:

  scalejax recommend proxies.csv --weights web code maths --losses on_web on_code --caps 0.6

every verb has examples in its help: scalejax VERB --help

exit status: 0 with an answer; 2 if the question cannot be answered, with one sentence on standard error; 130 after an interrupt.
--json, --csv and --markdown print the answer of any verb for programs; with --json an error is a document, too.
completion: eval "$(scalejax completion bash)", or zsh, or scalejax completion fish | source.
"""

_LAWS_EPILOG = """\
  scalejax laws
  scalejax laws chinchilla
  scalejax laws --search mixture
"""

_REPORT_EPILOG = """\
  scalejax fit runs.csv --columns N=params D=tokens loss=loss --out fit.json
  scalejax report fit.json report.html
  scalejax report fit.json report.md --compute 1e21 1e23 --title "Our next model"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status. Errors are one sentence on standard error, status 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser()
    options = parser.parse_args(words)
    if not hasattr(options, "run"):
        parser.print_help()
        return 0
    verbs = _verbs(parser)
    output = Output(options.verb, options.form, lambda message: in_options(message, verbs[options.verb], verbs))
    options.output = output
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, category, *_, **__: output.warn(message, category)
        try:
            with foreseen("scalejax"), own_laws(options):
                options.run(options)
            output.close()
        except ScalejaxError as error:
            output.fail(error)
            return 2
        except BrokenPipeError:
            sys.stderr.close()
            return 0
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser with all verbs."""
    parser = _Parser(
        "scalejax",
        description="Neural scaling laws: fit them, know how sure you are, decide what to train next.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"scalejax {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    verb(verbs, "laws", "list the laws, or explain one", _run_laws, _laws, epilog=_LAWS_EPILOG)
    for group in (importing, doctor, fit, sample, predict, forecast, compare, decide, plan, studies, recommend):
        group.add_verbs(verbs)
    verb(
        verbs, "report", "write an HTML (or Markdown) report of a saved fit or posterior", _run_report, _report, level_option,
        own_law_option, epilog=_REPORT_EPILOG,
    )  # fmt: skip
    verb(verbs, "demo", "the whole path on embedded real runs: fit, hold-out, posterior, plan, report", _run_demo, _demo)
    examples.add_verbs(verbs)
    completion.add_verbs(verbs, build_parser)
    return parser


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a line in one sentence."""

    def error(self, message: str) -> NoReturn:
        shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in message)
        emit(f"{self.prog}: {shown}; see {self.prog} --help.", file=sys.stderr)
        raise SystemExit(2)


def _verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Name to parser of every verb."""
    return next(action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))


def _laws(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="a law to explain")
    parser.add_argument("--search", metavar="WORD", help="only laws with this word in name, inputs or purpose")


def _run_laws(options: argparse.Namespace) -> None:
    from ..zoo import laws

    if options.name is not None:
        _explain(laws[options.name], options.output)
        return
    word = (options.search or "").lower()
    found = [row for row in laws.listing() if word in " ".join(map(str, row)).lower()]
    if not found:
        raise ScalejaxError(f"No law has the word {options.search!r} in its name, inputs or purpose; scalejax laws lists all.")
    options.output.listing(["name", "inputs", "purpose"], found)


def _explain(law: Any, output: Output) -> None:
    """A law with its formula and published constants."""
    output.line(f"{law!r}\n{law.reference}\n\n{(law.__doc__ or '').strip()}")
    for name, values in law.published.items():
        output.line(f"\npublished {name} ({values.status}): {values.context}; {values.source}")
        output.line("  " + ", ".join(f"{k} = {_digits(v)}" for k, v in values.items()))
    if output.form in ("json", "csv"):
        from ..core.table import plain_value

        output.answer = {
            "name": law.name, "inputs": list(law.inputs), "parameters": list(law.parameters), "reference": law.reference,
            "formula": law.formula, "summary": law.summary,
            "published": {
                name: {"values": plain_value(dict(v)), "status": v.status, "context": v.context, "source": v.source}
                for name, v in law.published.items()
            },
        }  # fmt: skip
        rows = [(name, k, _digits(v)) for name, values in law.published.items() for k, v in values.items()]
        output.rows(["set", "parameter", "value"], rows)


def _digits(value: float | Iterable[float]) -> str:
    """A number, or a vector of them in brackets."""
    return f"[{', '.join(map(_digits, value))}]" if isinstance(value, Iterable) else f"{value:.8g}"


def _report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help="file that `scalejax fit --out` or `scalejax sample --out` wrote")
    parser.add_argument("path", type=Path, help="report to write, .html or .md")
    parser.add_argument("--posterior", type=Path, help="posterior of the same law and runs, to show beside the fit and to rely on")
    parser.add_argument("--compute", nargs="+", type=quantity, metavar="FLOPS", help="budgets of the allocation table")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="replicates for the intervals (default 1000; 0: Laplace)")
    parser.add_argument("--title", help="title of the report")


def _run_report(options: argparse.Namespace) -> None:
    from ..fitting.uncertainty.bootstrap import bootstrap
    from ..posteriors.laplace import laplace
    from ..posteriors.posterior import Posterior
    from ..reporting.report import report

    found = saved(options.fit)
    posterior = saved(options.posterior) if options.posterior else None
    if isinstance(found, Posterior):
        if posterior is not None:
            raise ScalejaxError(f"{options.fit} is a posterior itself; give it alone, or a saved fit with --posterior.")
        posterior = found
        found = posterior.fit
    elif posterior is not None and not isinstance(posterior, Posterior):
        raise ScalejaxError(f"{options.posterior} holds a fit; --posterior takes a file that `scalejax sample --out` wrote.")
    draws = bootstrap(found, options.bootstrap) if options.bootstrap else laplace(found)
    path = report(found, options.path, posterior=posterior, draws=draws, compute=options.compute, title=options.title, level=options.level)
    options.output.wrote(path)


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo"), help="where tables, plots and report go (default demo/)")


def _run_demo(options: argparse.Namespace) -> None:
    from .demo import run_demo

    run_demo(options.folder, say=options.output.line)
