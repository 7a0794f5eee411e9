"""The command line: `scalejax laws | fit | allocate | report | demo`."""

from __future__ import annotations

import argparse
import ast
import operator
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .core.errors import ScalejaxError

_EPILOG = """\
the main job, from a table of runs to a plan:

  scalejax fit runs.csv --law chinchilla --columns N=params D="flops/(6*params)" loss=val_loss --out fit.json
  scalejax allocate fit.json --compute 1e21 1e22 1e23
  scalejax report fit.json report.html

try it on embedded runs first:  scalejax demo demo/
"""

_FIT_EPILOG = """\
columns are role=source: the name the law uses (see `scalejax laws chinchilla`), then the name in your table, or arithmetic on columns.

  scalejax fit runs.csv --columns N=params D=tokens loss=loss
  scalejax fit runs.jsonl --columns N=params D="flops/(6*params)" loss=val_loss --scale N=1e6
  scalejax fit sweep.parquet --law kaplan --columns N=n D=d loss=l arch=arch --by arch --share alpha_N alpha_D
  scalejax fit runs.csv --columns N=params D=tokens loss=loss C="6*params*tokens" --where "C < 1e21"   (any role may serve as a filter)
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
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    _laws(verbs.add_parser("laws", help="list the laws, or explain one"))
    _fit(
        verbs.add_parser(
            "fit",
            help="fit a law to a table of runs",
            epilog=_FIT_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _allocate(verbs.add_parser("allocate", help="compute-optimal N and D from a saved fit"))
    _report(verbs.add_parser("report", help="write an HTML (or Markdown) report of a saved fit"))
    _demo(verbs.add_parser("demo", help="the whole path on embedded real runs: fit, hold-out, plan, report"))
    return parser


def _laws(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="a law to explain")
    parser.set_defaults(run=_run_laws)


def _run_laws(options: argparse.Namespace) -> None:
    from .zoo import laws

    if options.name is None:
        print(laws)
        return
    law = laws[options.name]
    print(f"{law!r}\n{law.reference}\n\n{law.__doc__.strip()}")
    for name, values in law.published.items():
        print(f"\npublished {name} ({values.status}): {values.context}; {values.source}")
        print("  " + ", ".join(f"{k} = {v:.8g}" for k, v in values.items()))


def _fit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="csv, tsv, jsonl, json or parquet file (csv, jsonl and json also gzipped)")
    parser.add_argument("--law", help="name of a law (default chinchilla, or the recipe's)")
    parser.add_argument("--columns", nargs="+", default=[], metavar="ROLE=SOURCE", help="which column is N, D, loss, ...")
    parser.add_argument("--scale", nargs="+", default=[], metavar="ROLE=FACTOR", help="factors, such as N=1e9 for billions")
    parser.add_argument("--where", help="keep only runs for which this comparison of roles holds, such as 'D/N >= 1'")
    parser.add_argument("--on-bad", choices=["raise", "flag", "drop"], default="raise", help="rows with unusable values (default raise)")
    parser.add_argument("--recipe", help="a published procedure: hoffmann2022, besiroglu2024, gadre2024")
    parser.add_argument("--loss", default=None, metavar="LOSS", help="huber (default), huber:DELTA, squared, absolute, log_cosh, student_t")
    parser.add_argument("--on", choices=["log", "linear"], help="residuals of logarithms (default) or of values")
    parser.add_argument("--solver", default=None, help="lm (default), varpro, lbfgs, adam")
    parser.add_argument("--fix", nargs="+", default=[], metavar="PARAM=VALUE", help="hold parameters at values")
    parser.add_argument("--tie", nargs="+", default=[], metavar="PARAM=PARAM", help="make parameters equal")
    parser.add_argument("--by", help="column of groups that get parameters of their own")
    parser.add_argument("--share", nargs="+", default=[], metavar="PARAM", help="parameters that the groups have in common")
    parser.add_argument("--starts", type=int, help="number of starts (default 2048)")
    parser.add_argument("--bootstrap", type=int, default=0, metavar="N", help="bootstrap replicates to print intervals from")
    parser.add_argument("--level", type=float, default=0.9, help="level of the intervals (default 0.9)")
    parser.add_argument("--unidentified", choices=["raise", "warn"], default="raise", help="when the runs cannot tell parameters apart")
    parser.add_argument("--seed", type=int, default=0, help="of starts and bootstrap")
    parser.add_argument("--out", type=Path, help="save the fit as JSON for allocate and report")
    parser.set_defaults(run=_run_fit)


def _run_fit(options: argparse.Namespace) -> None:
    from .core.readers import read_runs
    from .fitting.bootstrap import bootstrap
    from .fitting.fit import fit

    roles = {name: _source(text) for name, text in _pairs(options.columns, "--columns").items()}
    scale = {name: _number(text, "--scale") for name, text in _pairs(options.scale, "--scale").items()}
    runs = read_runs(options.table, on_bad=options.on_bad, scale=scale, **roles)
    if options.where:
        runs = runs.where(np.asarray(_expression(options.where)(runs.columns)))
    fitted = fit(
        options.law or (None if options.recipe else "chinchilla"), runs, recipe=options.recipe, on=options.on, solver=options.solver,
        loss=_loss(options.loss), fix={k: _number(v, "--fix") for k, v in _pairs(options.fix, "--fix").items()},
        tie=_pairs(options.tie, "--tie") or None, by=options.by, share=options.share, starts=options.starts, seed=options.seed,
        unidentified=options.unidentified,
    )  # fmt: skip
    print(fitted.law.name + ": " + fitted.status.value + ". " + fitted.status.sentence)
    print(fitted.summary(options.level).text())
    if options.bootstrap:
        print("\n" + bootstrap(fitted, options.bootstrap, seed=options.seed).summary(options.level).text())
    if options.out:
        fitted.save(options.out)
        print(f"\nsaved {options.out}; next: scalejax allocate {options.out} --compute 1e21")


def _allocate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help="JSON file that `scalejax fit --out` wrote")
    parser.add_argument("--compute", nargs="+", type=float, required=True, metavar="FLOPS", help="one or more budgets in FLOPs")
    parser.add_argument("--inference", type=float, metavar="TOKENS", help="count 2 N TOKENS of inference in the budget")
    parser.add_argument("--given", nargs="+", default=[], metavar="INPUT=VALUE", help="the law's other inputs, such as U=25e9")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="replicates for the intervals (default 1000; 0: Laplace)")
    parser.add_argument("--group", help="which group of a grouped fit")
    parser.add_argument("--level", type=float, default=0.9, help="level of the intervals (default 0.9)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.set_defaults(run=_run_allocate)


def _run_allocate(options: argparse.Namespace) -> None:
    from .decisions import costs
    from .decisions.allocate import allocate
    from .fitting.bootstrap import bootstrap
    from .fitting.storage import load_fit

    source: Any = load_fit(options.fit)
    if options.bootstrap:
        source = bootstrap(source, options.bootstrap, seed=options.seed)
    given = {k: _number(v, "--given") for k, v in _pairs(options.given, "--given").items()}
    cost: Callable[..., Any] = costs.six_nd
    if options.inference is not None:
        cost, given["D_inf"] = costs.six_nd_inference, options.inference
    table = allocate(source, compute=options.compute, cost=cost, group=options.group, **given).table(options.level)
    print(table.markdown() if options.markdown else table.text())


def _report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help="JSON file that `scalejax fit --out` wrote")
    parser.add_argument("path", type=Path, help="report to write, .html or .md")
    parser.add_argument("--compute", nargs="+", type=float, metavar="FLOPS", help="budgets of the allocation table")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="replicates for the intervals (default 1000)")
    parser.add_argument("--level", type=float, default=0.9, help="level of the intervals (default 0.9)")
    parser.add_argument("--title", help="title of the report")
    parser.set_defaults(run=_run_report)


def _run_report(options: argparse.Namespace) -> None:
    from .fitting.bootstrap import bootstrap
    from .fitting.storage import load_fit
    from .reporting.report import report

    fitted = load_fit(options.fit)
    draws = bootstrap(fitted, options.bootstrap)
    print(f"wrote {report(fitted, options.path, draws=draws, compute=options.compute, title=options.title, level=options.level)}")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo"), help="where tables, plots and report go (default demo/)")
    parser.set_defaults(run=_run_demo)


def _run_demo(options: argparse.Namespace) -> None:
    from .demo import run_demo

    run_demo(options.folder)


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (sign and name.strip() and value.strip()):
            raise ScalejaxError(f"{option} {text!r} must read name=value.")
        pairs[name.strip()] = value.strip()
    return pairs


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ScalejaxError(f"{option}: {text!r} is no number.") from None


def _loss(text: str | None) -> Any:
    from .core.errors import suggest
    from .fitting import losses

    if text is None:
        return None
    name, _, argument = text.partition(":")
    makers = {"huber": losses.huber, "squared": losses.squared, "absolute": losses.absolute, "log_cosh": losses.log_cosh,
              "student_t": losses.student_t}  # fmt: skip
    if name not in makers:
        raise ScalejaxError(f"--loss {name!r} is unknown; {suggest(name, makers)}")
    return makers[name](*([_number(argument, "--loss")] if argument else []))


def _source(text: str) -> str | Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """A column name as it is, or a function for arithmetic on columns."""
    return _expression(text) if any(sign in text for sign in "*/+()") else text


_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip


def _expression(text: str) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """Arithmetic and one comparison on columns, evaluated without running code."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise ScalejaxError(f"{text!r} is no arithmetic on columns; write for instance flops/(6*params).") from None

    def value(node: ast.AST, columns: Mapping[str, np.ndarray]) -> Any:
        match node:
            case ast.Constant(value=constant) if isinstance(constant, int | float | str):
                return constant if isinstance(constant, str) else float(constant)
            case ast.Name(id=name):
                return columns[name]
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(operand, columns))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left, columns), value(right, columns))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left, columns), value(right, columns))
        raise ScalejaxError(f"{text!r} may use columns, numbers, + - * / ** and one comparison only.")

    def evaluate(columns: Mapping[str, np.ndarray]) -> Any:
        try:
            return value(tree, columns)
        except KeyError as error:
            from .core.errors import suggest

            raise ScalejaxError(f"{text!r} uses {error}, which is no column; {suggest(error.args[0], columns)}") from None

    return evaluate
