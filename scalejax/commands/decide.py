"""The verbs that decide: allocate, regret, multiplier, equivalent, break-even, choose, front, mixture, next-runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ScalejaxError
from .options import common, cost_of, draws_of, limits_of, pairs, ranges, saved, show, values, verb, weight_limits

if TYPE_CHECKING:
    from ..fitting.result import Fit
    from ..fitting.uncertainty.draws import Draws

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
        verb(verbs, name, help_, run, options, common)


def _costs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cost", default="six_nd", metavar="NAME", help="a cost of scalejax.costs (default six_nd)")
    parser.add_argument("--bounds", nargs="+", default=[], metavar="INPUT=LOW:HIGH", help="limits of chosen inputs")


def _allocate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help=_FIT)
    parser.add_argument("--compute", nargs="+", type=float, metavar="FLOPS", help=_BUDGETS)
    parser.add_argument("--loss", nargs="+", type=float, metavar="LOSS", help="target losses to reach at the least cost, instead")
    parser.add_argument("--inference", type=float, metavar="TOKENS", help="count 2 N TOKENS of inference in the cost")
    parser.add_argument("--choices", nargs="+", default=[], metavar="INPUT=A,B,C", help="values to try of inputs that cannot vary smoothly")
    parser.add_argument("--within", type=float, metavar="SHARE", help="print the ranges in which the optimum is this flat, such as 0.01")
    parser.add_argument("--sensitivity", action="store_true", help="print the elasticities of the optimum")
    _costs(parser)


def _run_allocate(options: argparse.Namespace) -> None:
    from ..core.table import Table
    from ..core.table import number as text
    from ..decisions.allocate import allocate
    from ..reporting import plot

    given, cost = values(options.given, "--given"), cost_of(options.cost)
    if options.inference is not None:
        cost, given["D_inf"] = cost_of("six_nd_inference"), options.inference
    choices = {name: np.atleast_1d(value).tolist() for name, value in values(options.choices, "--choices").items()}
    plan = allocate(
        draws_of(options.fit, options), compute=options.compute, loss=options.loss, cost=cost, bounds=ranges(options.bounds, "--bounds"),
        choices=choices, group=options.group, **given,
    )  # fmt: skip

    def picture() -> Any:
        many = options.compute is not None and len(options.compute) > 1
        return plot.optimal_sizes(plan, level=options.level) if many else plot.valley(plan, next(iter(plan.inputs)))

    show(plan.table(options.level), options, picture)
    if options.within is not None:
        ranges_ = plan.within(options.within)
        targets = options.compute if plan.for_budget else options.loss
        rows = [
            [f"{target:.3g}", *(f"{text(low[i], 4)} – {text(high[i], 4)}" for low, high in ranges_.values())]
            for i, target in enumerate(targets)
        ]
        print()
        show(Table(["target", *ranges_], rows, title=f"within {100 * options.within:g} % of the best"), options)
    if options.sensitivity:
        print()
        show(plan.sensitivity(), options)


def _regret(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help=_FIT)
    parser.add_argument("inputs", nargs="+", metavar="INPUT=VALUE", help="inputs of the runs, such as N=70e9 D=1.4e12 (or lists N=1e9,7e9)")
    parser.add_argument("--cost", default="six_nd", metavar="NAME", help="a cost of scalejax.costs (default six_nd)")


def _run_regret(options: argparse.Namespace) -> None:
    from ..decisions.recipes.regret import regret
    from ..reporting import plot

    inputs = {**values(options.inputs, "inputs"), **values(options.given, "--given")}
    found = regret(_source(options.fit, options), cost=cost_of(options.cost), **inputs)
    show(found.table(options.level), options, lambda: plot.regret(found, level=options.level))


def _multiplier(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("new", type=Path, help=_FIT)
    parser.add_argument("base", type=Path, help=_FIT)
    parser.add_argument("--compute", nargs="+", type=float, required=True, metavar="FLOPS", help=_BUDGETS)
    _costs(parser)


def _run_multiplier(options: argparse.Namespace) -> None:
    from ..decisions.recipes.multiplier import compute_multiplier
    from ..reporting import plot

    found = compute_multiplier(
        _source(options.new, options), _source(options.base, options), compute=options.compute, cost=cost_of(options.cost),
        bounds=ranges(options.bounds, "--bounds"), **values(options.given, "--given"),
    )  # fmt: skip
    show(found.table(options.level), options, lambda: plot.multiplier(found, level=options.level))


def _equivalent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help=_FIT)
    parser.add_argument("input", help="the input that is sought, such as D")
    parser.add_argument("--loss", nargs="+", type=float, help="losses to reach")
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
    found = equivalent(_source(options.fit, options), options.input, like=like, **values(options.given, "--given"))
    show(found.table(options.level), options, lambda: plot.equivalent(found, level=options.level))


def _break_even(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", type=Path, help=_FIT)
    parser.add_argument("b", type=Path, help=_FIT)
    parser.add_argument("--over", default="compute", help="compute (default), loss, or an input of both laws")
    parser.add_argument("--between", nargs=2, type=float, required=True, metavar=("LOW", "HIGH"), help="the range to search")
    _costs(parser)


def _run_break_even(options: argparse.Namespace) -> None:
    from ..decisions.recipes.break_even import break_even
    from ..reporting import plot

    found = break_even(
        _source(options.a, options), _source(options.b, options), options.over, tuple(options.between), cost=cost_of(options.cost),
        names=(options.a.stem, options.b.stem), bounds=ranges(options.bounds, "--bounds"), **values(options.given, "--given"),
    )  # fmt: skip
    show(found.table(options.level), options, lambda: plot.break_even(found, level=options.level))


def _choose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fits", nargs="+", metavar="NAME=FIT", help="names and their saved fits")
    parser.add_argument("--compute", nargs="+", type=float, required=True, metavar="FLOPS", help=_BUDGETS)
    _costs(parser)


def _run_choose(options: argparse.Namespace) -> None:
    from ..decisions.recipes.choose import choose
    from ..reporting import plot

    sources = {name: _source(Path(file), options) for name, file in pairs(options.fits, "fits").items()}
    found = choose(
        sources, compute=options.compute, cost=cost_of(options.cost), bounds=ranges(options.bounds, "--bounds"),
        **values(options.given, "--given"),
    )  # fmt: skip
    show(found.table(options.level), options, lambda: plot.choice(found, level=options.level))


def _front(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help=_FIT)
    parser.add_argument("--compute", type=float, metavar="FLOPS", help="a budget that all points of the front spend")
    parser.add_argument("--against", metavar="NAME", help="a cost of scalejax.costs to trade the loss for")
    parser.add_argument("--between", nargs=2, type=float, metavar=("LOW", "HIGH"), help="range of that cost")
    parser.add_argument("--points", type=int, default=20, help="points of the front (default 20)")
    _costs(parser)


def _run_front(options: argparse.Namespace) -> None:
    from ..decisions.recipes.pareto import pareto
    from ..reporting import plot

    found = pareto(
        _source(options.fit, options), against=cost_of(options.against) if options.against else None, compute=options.compute,
        cost=cost_of(options.cost), between=tuple(options.between) if options.between else None, points=options.points,
        bounds=ranges(options.bounds, "--bounds"), **values(options.given, "--given"),
    )  # fmt: skip
    show(found.table(options.level), options, lambda: plot.front(found, level=options.level))


def _mixture(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fits", nargs="+", metavar="TARGET=FIT", help="targets and their saved fits, or one fit by target")
    parser.add_argument("--domains", nargs="+", help="names of the domains, in the order of the weights")
    parser.add_argument("--weights", nargs="+", default=[], metavar="TARGET=WEIGHT", help="importance of the targets (default equal)")
    weight_limits(parser)


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
        **limits_of(options), **values(options.given, "--given"),
    )  # fmt: skip
    show(found.table(options.level), options, lambda: plot.mixture(found, level=options.level))


def _next_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", type=Path, help=_FIT)
    parser.add_argument(
        "--target", nargs="+", required=True, metavar="INPUT=VALUE", help="where the loss is wanted, such as N=7e10 D=1.4e12"
    )
    parser.add_argument("--space", nargs="+", default=[], metavar="INPUT=LOW:HIGH", help="ranges of the inputs of further runs")
    parser.add_argument("--candidates", type=Path, metavar="TABLE", help="a table of runs that could be trained, instead")
    parser.add_argument("--budget", type=float, help="what all runs may cost together, in FLOPs (6 N D)")
    parser.add_argument("--overhead", type=float, default=0.0, help="what every run costs besides, in FLOPs")
    parser.add_argument("--ratio", metavar="LOW:HIGH", help="tokens per parameter that runs keep to (default near those of the fit)")
    parser.add_argument("--runs", type=int, help="how many runs at most (default eight at most)")
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
    show(found.table(options.level), options, lambda: plot.design(found))


def _source(path: Path, options: argparse.Namespace) -> Any:
    """A source for questions, which take the group beside it."""
    draws = draws_of(path, options)
    return (draws, {"group": options.group}) if options.group else draws
