"""The verbs that decide: allocate, regret, multiplier, equivalent, break-even, choose, front, mixture, next-runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ScalejaxError
from .options import (
    asked,
    between,
    common,
    cost_of,
    count,
    draws_of,
    limits_of,
    pairs,
    quantity,
    ranges,
    saved,
    show,
    values,
    verb,
    weight_limits,
)

if TYPE_CHECKING:
    from ..fitting.result import Fit
    from ..fitting.uncertainty.draws import Draws

_ONE = "  scalejax fit runs.csv --columns N=params D=tokens loss=loss --out fit.json\n"
_TWO = """\
  scalejax fit archs.csv --columns N=params D=tokens loss=loss --where "arch == 'dense'" --out dense.json
  scalejax fit archs.csv --columns N=params D=tokens loss=loss --where "arch == 'moe'" --out moe.json
"""
EPILOGS = {
    "allocate": f"""\
{_ONE}\
  scalejax allocate fit.json --compute 1e21 1e22 1e23 --plot sizes.png
  scalejax allocate fit.json --loss 2.2 --inference 1T --within 0.01 --sensitivity
  scalejax allocate fit.json --compute 1e22 --bounds N=1B:20B --json
""",
    "regret": f"""\
{_ONE}\
  scalejax regret fit.json N=70B D=1.4T
  scalejax regret fit.json N=7B,13B D=2T,1T --csv
""",
    "multiplier": f"""\
{_TWO}\
  scalejax multiplier moe.json dense.json --compute 1e21 1e22
""",
    "equivalent": f"""\
{_ONE}\
  scalejax equivalent fit.json D --like N=7B D=1T --given N=3B
  scalejax equivalent fit.json N --loss 2.3 --given D=1T
""",
    "break-even": f"""\
{_TWO}\
  scalejax break-even moe.json dense.json --between 1e18:1e26
""",
    "choose": f"""\
{_TWO}\
  scalejax choose dense=dense.json moe=moe.json --compute 1e20 1e22
""",
    "front": f"""\
{_ONE}\
  scalejax front fit.json --compute 1e22 --against six_nd_inference --given D_inf=1T --bounds N=500M:100B --points 8
""",
    "mixture": """\
  scalejax fit proxies.csv --law data_mixing_m4 --columns h=web,code,maths loss=on_web --out web.json
  scalejax fit proxies.csv --law data_mixing_m4 --columns h=web,code,maths loss=on_code --out code.json
  scalejax mixture web=web.json code=code.json --domains web code maths --caps 0.6 --out mixture.yaml
""",
    "next-runs": f"""\
{_ONE}\
  scalejax next-runs fit.json --target N=7B D=140B --space N=100M:3B D=2B:100B --budget 1e21 --runs 4
""",
}
_FIT = "file that `scalejax fit --out` or `scalejax sample --out` wrote"
_BUDGETS = "one or more budgets, in FLOPs unless the cost says otherwise"


def add_verbs(verbs: Any) -> None:
    """Add all verbs of this file to a subparsers object."""
    for name, help_, options, run in (
        ("allocate", "optimal N and D for a budget or a target loss", _allocate, _run_allocate),
        ("regret", "what given runs lose against the best of their cost", _regret, _run_regret),
        ("multiplier", "how much more compute the base recipe needs than the new one", _multiplier, _run_multiplier),
        ("equivalent", "the size or data at which a law predicts a wanted loss", _equivalent, _run_equivalent),
        ("break-even", "where two recipes are equally good", _break_even, _run_break_even),
        ("choose", "the best of several recipes by budget", _choose, _run_choose),
        ("front", "Pareto front of the loss and a cost", _front, _run_front),
        ("mixture", "optimal training proportions from fits of mixing laws", _mixture, _run_mixture),
        ("next-runs", "which runs to train next", _next_runs, _run_next_runs),
    ):
        verb(verbs, name, help_, run, options, common, epilog=EPILOGS[name])


def _costs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cost", default="six_nd", metavar="NAME", help="a cost of scalejax.costs (default six_nd)")
    parser.add_argument("--bounds", nargs="+", default=[], metavar="INPUT=LOW:HIGH", help="limits of chosen inputs")


def _allocate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help=_FIT)
    parser.add_argument("--compute", nargs="+", type=quantity, metavar="FLOPS", help=_BUDGETS)
    parser.add_argument("--loss", nargs="+", type=quantity, metavar="LOSS", help="target losses to reach at the least cost, instead")
    parser.add_argument("--inference", type=quantity, metavar="TOKENS", help="count 2 N TOKENS of inference in the cost")
    parser.add_argument("--choices", nargs="+", default=[], metavar="INPUT=A,B,C", help="values to try of inputs that cannot vary smoothly")
    parser.add_argument("--within", type=quantity, metavar="SHARE", help="print the ranges in which the optimum is this flat, such as 0.01")
    parser.add_argument("--sensitivity", action="store_true", help="print the elasticities of the optimum")
    _costs(parser)


def _run_allocate(options: argparse.Namespace) -> None:
    from ..core.table import Table, formatted, span
    from ..decisions.allocate import allocate
    from ..reporting import plot

    given, cost = {**asked(allocate, values(options.given, "--given"), "--given")}, cost_of(options.cost)
    if options.inference is not None:
        cost, given["D_inf"] = cost_of("six_nd_inference"), options.inference
    choices = {
        name: value.tolist() if hasattr(value, "tolist") else [value] for name, value in values(options.choices, "--choices").items()
    }
    plan = allocate(
        draws_of(options.fit, options), compute=options.compute, loss=options.loss, cost=cost, bounds=ranges(options.bounds, "--bounds"),
        choices=choices, group=options.group, **given,
    )  # fmt: skip

    def picture() -> Any:
        many = options.compute is not None and len(options.compute) > 1
        return plot.optimal_sizes(plan, level=options.level) if many else plot.valley(plan, next(iter(plan.inputs)))

    show(plan, options, picture, plan.table(options.level))
    if options.within is not None:
        ranges_ = plan.within(options.within)
        targets = options.compute if plan.for_budget else options.loss
        rows = [
            [formatted(target, ".3g"), *(span(low[i], high[i], 4) for low, high in ranges_.values())] for i, target in enumerate(targets)
        ]
        show(Table(["target", *ranges_], rows, title=f"within {100 * options.within:g} % of the best"), options)
    if options.sensitivity:
        show(plan.sensitivity(), options)


def _regret(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help=_FIT)
    parser.add_argument("inputs", nargs="+", metavar="INPUT=VALUE", help="inputs of the runs, such as N=70e9 D=1.4e12 (or lists N=1e9,7e9)")
    parser.add_argument("--cost", default="six_nd", metavar="NAME", help="a cost of scalejax.costs (default six_nd)")


def _run_regret(options: argparse.Namespace) -> None:
    from ..decisions.recipes.regret import regret
    from ..reporting import plot

    inputs = asked(regret, {**values(options.inputs, "inputs"), **values(options.given, "--given")}, "input")
    found = regret(_source(options.fit, options), cost=cost_of(options.cost), **inputs)
    show(found, options, lambda: plot.regret(found, level=options.level), found.table(options.level))


def _multiplier(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("new", type=Path, help=_FIT)
    parser.add_argument("base", type=Path, help=_FIT)
    parser.add_argument("--compute", nargs="+", type=quantity, required=True, metavar="FLOPS", help=_BUDGETS)
    _costs(parser)


def _run_multiplier(options: argparse.Namespace) -> None:
    from ..decisions.recipes.multiplier import compute_multiplier
    from ..reporting import plot

    found = compute_multiplier(
        _source(options.new, options), _source(options.base, options), compute=options.compute, cost=cost_of(options.cost),
        bounds=ranges(options.bounds, "--bounds"), **asked(compute_multiplier, values(options.given, "--given"), "--given"),
    )  # fmt: skip
    show(found, options, lambda: plot.multiplier(found, level=options.level), found.table(options.level))


def _equivalent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help=_FIT)
    parser.add_argument("input", help="the input that is sought, such as D")
    parser.add_argument("--loss", nargs="+", type=quantity, help="losses to reach")
    parser.add_argument("--like", nargs="+", default=[], metavar="INPUT=VALUE", help="inputs whose predicted loss is wanted, instead")
    parser.add_argument("--of", type=Path, metavar="FIT", help="another fit that predicts the loss at --like")


def _run_equivalent(options: argparse.Namespace) -> None:
    from ..decisions.recipes.equivalent import equivalent
    from ..reporting import plot

    if bool(options.loss) == bool(options.like):
        raise ScalejaxError("scalejax equivalent takes either --loss or --like.")
    like: Any = options.loss or values(options.like, "--like")
    if options.of:
        like = (draws_of(options.of, options), like)
    found = equivalent(
        _source(options.fit, options), options.input, like=like, **asked(equivalent, values(options.given, "--given"), "--given")
    )
    show(found, options, lambda: plot.equivalent(found, level=options.level), found.table(options.level))


def _break_even(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", type=Path, help=_FIT)
    parser.add_argument("b", type=Path, help=_FIT)
    parser.add_argument("--over", default="compute", help="compute (default), loss, or an input of both laws")
    parser.add_argument("--between", type=between, required=True, metavar="LOW:HIGH", help="the range to search")
    _costs(parser)


def _run_break_even(options: argparse.Namespace) -> None:
    from ..decisions.recipes.break_even import break_even
    from ..reporting import plot

    found = break_even(
        _source(options.a, options), _source(options.b, options), options.over, options.between, cost=cost_of(options.cost),
        names=(options.a.stem, options.b.stem), bounds=ranges(options.bounds, "--bounds"), 
        **asked(break_even, values(options.given, "--given"), "--given"),
    )  # fmt: skip
    show(found, options, lambda: plot.break_even(found, level=options.level), found.table(options.level))


def _choose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fits", nargs="+", metavar="NAME=FIT", help="names and their saved fits")
    parser.add_argument("--compute", nargs="+", type=quantity, required=True, metavar="FLOPS", help=_BUDGETS)
    _costs(parser)


def _run_choose(options: argparse.Namespace) -> None:
    from ..decisions.recipes.choose import choose
    from ..reporting import plot

    sources = {name: _source(Path(file), options) for name, file in pairs(options.fits, "fits").items()}
    found = choose(
        sources, compute=options.compute, cost=cost_of(options.cost), bounds=ranges(options.bounds, "--bounds"),
        **asked(choose, values(options.given, "--given"), "--given"),
    )  # fmt: skip
    show(found, options, lambda: plot.choice(found, level=options.level), found.table(options.level))


def _front(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help=_FIT)
    parser.add_argument("--compute", type=quantity, metavar="FLOPS", help="a budget that all points of the front spend")
    parser.add_argument("--against", metavar="NAME", help="a cost of scalejax.costs to trade the loss for")
    parser.add_argument("--between", type=between, metavar="LOW:HIGH", help="range of that cost")
    parser.add_argument("--points", type=count, default=20, help="points of the front (default 20)")
    _costs(parser)


def _run_front(options: argparse.Namespace) -> None:
    from ..decisions.recipes.pareto import pareto
    from ..reporting import plot

    found = pareto(
        _source(options.fit, options), against=cost_of(options.against) if options.against else None, compute=options.compute,
        cost=cost_of(options.cost), between=options.between, points=options.points,
        bounds=ranges(options.bounds, "--bounds"), **asked(pareto, values(options.given, "--given"), "--given"),
    )  # fmt: skip
    show(found, options, lambda: plot.front(found, level=options.level), found.table(options.level))


def _mixture(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fits", nargs="+", metavar="TARGET=FIT", help="targets and their saved fits, or one fit by target")
    parser.add_argument("--domains", nargs="+", help="names of the domains, in the order of the weights")
    parser.add_argument("--weights", nargs="+", default=[], metavar="TARGET=WEIGHT", help="importance of the targets (default equal)")
    weight_limits(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the weights by domain, .yaml, .json or .csv")


def _run_mixture(options: argparse.Namespace) -> None:
    from ..decisions.mixtures.optimal_mixture import optimal_mixture
    from ..reporting import plot

    targets: Fit | Draws | dict[str, Fit | Draws]
    if len(options.fits) == 1 and "=" not in options.fits[0]:
        targets = draws_of(Path(options.fits[0]), options)
    else:
        targets = {name: draws_of(Path(file), options) for name, file in pairs(options.fits, "fits").items()}

    found = optimal_mixture(
        targets, weights=values(options.weights, "--weights") or None, domains=options.domains, group=options.group,
        **limits_of(options), **asked(optimal_mixture, values(options.given, "--given"), "--given"),
    )  # fmt: skip
    show(found, options, lambda: plot.mixture(found, level=options.level), found.table(options.level))
    if options.out:
        found.save(options.out)
        options.output.wrote(options.out)


def _next_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help=_FIT)
    parser.add_argument(
        "--target", nargs="+", required=True, metavar="INPUT=VALUE", help="where the loss is wanted, such as N=7e10 D=1.4e12"
    )
    parser.add_argument("--space", nargs="+", default=[], metavar="INPUT=LOW:HIGH", help="ranges of the inputs of further runs")
    parser.add_argument("--candidates", type=Path, metavar="TABLE", help="a table of runs that could be trained, instead")
    parser.add_argument("--budget", type=quantity, help="what all runs may cost together, in FLOPs (6 N D)")
    parser.add_argument("--overhead", type=quantity, default=0.0, help="what every run costs besides, in FLOPs")
    parser.add_argument("--ratio", metavar="LOW:HIGH", help="tokens per parameter that runs keep to (default near those of the fit)")
    parser.add_argument("--runs", type=count, help="how many runs at most (default eight at most)")
    parser.add_argument("--criterion", default="target", help="target (default), D, random or cheapest")


def _run_next_runs(options: argparse.Namespace) -> None:
    from ..decisions.design.next_runs import next_runs
    from ..reporting import plot

    candidates = None
    if options.candidates:
        from ..data.readers import read_runs

        candidates = read_runs(options.candidates)
    space: dict[str, Any] | None = None
    if options.space:
        fixed = [text for text in options.space if ":" not in text]
        space = {**ranges([text for text in options.space if ":" in text], "--space"), **values(fixed, "--space")}
    found = next_runs(
        saved(options.fit), candidates, target=values(options.target, "--target"), space=space, budget=options.budget, runs=options.runs,
        ratio=ranges([f"ratio={options.ratio}"], "--ratio")["ratio"] if options.ratio else None, overhead=options.overhead,
        criterion=options.criterion, seed=options.seed,
    )  # fmt: skip
    show(found, options, lambda: plot.design(found), found.table(options.level))


def _source(path: Path, options: argparse.Namespace) -> Any:
    """A source for questions, which take the group beside it."""
    draws = draws_of(path, options)
    return (draws, {"group": options.group}) if options.group else draws
