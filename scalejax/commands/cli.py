"""The command line: `scalejax laws | report | demo`, and the verbs of `commands/`, which fit, sample, compare and decide."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..core.edge import foreseen
from ..core.errors import ScalejaxError
from ..core.version import __version__
from . import compare, decide, doctor, fit, forecast, importing, recommend, sample
from .options import saved, verb

_EPILOG = """\
the main job, from a table of runs to a plan:

  scalejax fit runs.csv --law chinchilla --columns N=params D="flops/(6*params)" loss=val_loss --out fit.json
  scalejax allocate fit.json --compute 1e21 1e22 1e23
  scalejax report fit.json report.html

from what trackers and logs hold to such a table, and what it can answer:

  scalejax import mlruns/ --columns N=n_params D=tokens loss=val_loss --keep finished --out runs.csv
  scalejax doctor runs.csv

with priors, and posterior draws in place of the bootstrap:

  scalejax sample runs.csv --columns N=params D=tokens loss=loss --out posterior.npz
  scalejax allocate posterior.npz --compute 1e21 1e22 1e23
  scalejax report posterior.npz report.html

what larger runs will show, from any table of smaller ones:

  scalejax forecast runs.csv --at N=70e9 D=1.4e12 --target val_loss

which law to believe:

  scalejax holdout runs.csv --laws chinchilla kaplan --columns N=params D=tokens loss=loss --largest 0.2
  scalejax compare chinchilla.npz kaplan.npz   (posteriors of the same runs)

from a table of small runs on different mixtures to training proportions:

  scalejax recommend proxies.csv --weights web code maths --losses on_web on_code --caps 0.6

and from saved fits or posteriors to further decisions (each with --help):

  scalejax regret fit.json N=70e9 D=1.4e12   (what a given run wastes)
  scalejax multiplier new.json base.json --compute 1e22   (how much compute a recipe saves)
  scalejax next-runs fit.json --target N=70e9 D=1.4e12 --space N=1e7:1e9 D=1e8:1e11 --budget 1e21

try it on embedded runs first:  scalejax demo demo/
"""

_REPORT_EPILOG = """\
  scalejax report fit.json report.html
  scalejax report posterior.npz report.html --compute 1e21 1e23
  scalejax report fit.json report.md --posterior posterior.npz --title "Our next model"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status. Errors are one sentence on standard error, status 2."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return 0
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: print(f"note: {message}", file=sys.stderr)
        try:
            with foreseen("scalejax"):
                options.run(options)
        except ScalejaxError as error:
            print(f"scalejax: {error}", file=sys.stderr)
            return 2
        except BrokenPipeError:
            sys.stderr.close()
            return 0
        except KeyboardInterrupt:
            print("scalejax: interrupted; files written before are whole.", file=sys.stderr)
            return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser with all verbs."""
    parser = argparse.ArgumentParser(
        "scalejax",
        description="Neural scaling laws: fit them, know how sure you are, decide what to train next.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"scalejax {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    verb(verbs, "laws", "list the laws, or explain one", _run_laws, _laws)
    for group in (importing, doctor, fit, sample, forecast, compare, decide, recommend):
        group.add_verbs(verbs)
    verb(verbs, "report", "write an HTML (or Markdown) report of a saved fit or posterior", _run_report, _report, epilog=_REPORT_EPILOG)
    verb(verbs, "demo", "the whole path on embedded real runs: fit, hold-out, posterior, plan, report", _run_demo, _demo)
    return parser


def _laws(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="a law to explain")


def _run_laws(options: argparse.Namespace) -> None:
    from ..zoo import laws

    if options.name is None:
        print(laws)
        return
    law = laws[options.name]
    print(f"{law!r}\n{law.reference}\n\n{(law.__doc__ or '').strip()}")
    for name, values in law.published.items():
        print(f"\npublished {name} ({values.status}): {values.context}; {values.source}")
        print("  " + ", ".join(f"{k} = {_digits(v)}" for k, v in values.items()))


def _digits(value: float | Iterable[float]) -> str:
    """A number, or a vector of them in brackets."""
    return f"[{', '.join(map(_digits, value))}]" if isinstance(value, Iterable) else f"{value:.8g}"


def _report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help="file that `scalejax fit --out` or `scalejax sample --out` wrote")
    parser.add_argument("path", type=Path, help="report to write, .html or .md")
    parser.add_argument("--posterior", type=Path, help="posterior of the same law and runs, to show beside the fit and to rely on")
    parser.add_argument("--compute", nargs="+", type=float, metavar="FLOPS", help="budgets of the allocation table")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="replicates for the intervals (default 1000; 0: Laplace)")
    parser.add_argument("--level", type=float, default=0.9, help="level of the intervals (default 0.9)")
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
    print(f"wrote {path}")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo"), help="where tables, plots and report go (default demo/)")


def _run_demo(options: argparse.Namespace) -> None:
    from .demo import run_demo

    run_demo(options.folder)
