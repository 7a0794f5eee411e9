"""A good call of every public function and method: what their documented examples call, and `MORE` for those without one."""

from __future__ import annotations

import doctest
import inspect
import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, NamedTuple

import jax

import scalejax as sj
from scalejax.core.edge import public as edge

SPACES = {
    "sj": sj, "studies": sj.studies, "papers": sj.papers, "formulas": sj.formulas, "costs": sj.costs, "schedules": sj.schedules,
    "statistics": sj.statistics, "likelihoods": sj.likelihoods, "datasets": sj.datasets, "plot": sj.plot,
}  # fmt: skip

# They take a law at its parameters, which `derive` alone makes: attacked through it.
BOUND = {"formulas.local_exponent", "formulas.elasticity_of_substitution", "formulas.pruning_frontier", "formulas.two_stage"}
METHODS = ["Fit", "Draws", "Allocation", "Law", "Runs"]  # classes whose methods are called in `MORE`


class Call(NamedTuple):
    """A call that ends well."""

    name: str
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def arguments(self) -> dict[str, Any]:
        """By name, those of **given under their own."""
        bound = inspect.signature(self.function).bind(*self.args, **self.kwargs)
        out = {}
        for name, value in bound.arguments.items():
            kind = bound.signature.parameters[name].kind
            out.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
        return out


def decorated(*, output: Any = "loss", reference: Any = "", published: Any = None, linear: Any = (), **domains: Any) -> Any:
    """`sj.law`, applied, since it looks at nothing before."""

    def formula(N: Any, *, E: Any, A: Any, alpha: Any) -> Any:
        return E + A * N**-alpha

    return sj.law(output=output, reference=reference, published=published, linear=linear, **domains)(formula)


def public() -> dict[str, Any]:
    """Name to public function, every one of them; all their modules are loaded then."""
    found: dict[str, Any] = {}
    for space, module in SPACES.items():
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value) and value not in found.values():
                found[name if space == "sj" else f"{space}.{name}"] = value
    return found


_FITTED = """
import numpy as np
import scalejax as sj
law = sj.laws.chinchilla
known = law.published["besiroglu2024"]
N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 1e10, 6), np.geomspace(5e9, 3e11, 6)))
runs = sj.simulate(law, known, N=N, D=D, noise=0.003)
fit = sj.fit(law, runs, loss=sj.squared(), starts=64)
draws = sj.laplace(fit, 200)
source, better = (law, known), (law, {**known, "A": 900.0, "alpha": 0.38})
plan = sj.allocate(draws, compute=1e21)
"""
_FLOPS = (
    "C = np.repeat([1e19, 1e20, 1e21], 9)\nn = (C / 6) ** 0.45 * np.tile(np.logspace(-0.5, 0.5, 9), 3)\n"
    "flops = sj.simulate(law, known, N=n, D=C / (6 * n)).with_columns(C=C)\n"
)
# Calls of what has no example in its docstring, after `_FITTED`, and of methods that attacks should reach.
MORE = {
    "absolute": "sj.absolute()", "asymmetric": "sj.asymmetric(over=2.0, under=1.0)", "huber": "sj.huber(1e-3)",
    "log_cosh": "sj.log_cosh(1e-3)", "squared": "sj.squared()", "student_t": "sj.student_t(4.0, scale=0.01)",
    "beta_binomial": "sj.beta_binomial('trials')",
    "load_fit": "fit.save('fit.json')\nsj.load_fit('fit.json')",
    "report": "sj.report(fit, 'report.md', draws=draws, compute=[1e21], title='ours', forecast=False, level=0.9)",
    "envelope": "steps = np.linspace(1e9, 2e10, 30)\n"
    "curves = sj.read_runs({'N': [1e8, 3e8, 1e9], 'D': np.outer([1, 1, 1], steps), 'C': np.outer([6e8, 18e8, 6e9], steps), "
    "'loss': 2 + np.outer([1.2, 1.0, 0.9], (steps / 1e9) ** -0.3)})\nsj.envelope(curves, budgets=50)",
    "studies.accuracy_by_budget": f"{_FLOPS}sj.studies.accuracy_by_budget(flops, 1e22, budget='C', least=2)",
    "papers.nearest_mixture": "rng = np.random.default_rng(0)\nhere = [rng.normal(size=(12, 2)), 1 + rng.normal(size=(12, 2))]\n"
    "sj.papers.nearest_mixture(here, 0.5 + rng.normal(size=(12, 2)), steps=3)",
    "papers.transport_distance": "rng = np.random.default_rng(0)\nhere = [rng.normal(size=(12, 2)), 1 + rng.normal(size=(12, 2))]\n"
    "sj.papers.transport_distance(here, 0.5 + rng.normal(size=(12, 2)), [0.5, 0.5])",
    "schedules.linear": "sj.schedules.linear(100, peak=3e-4, end=0.0)",
    "statistics.ends": "sj.statistics.ends(np.linspace(0, 1, 50), 0.9)",
    "statistics.lower_hull": "sj.statistics.lower_hull(np.arange(5.0), np.array([4.0, 2.0, 1.5, 1.0, 3.0]))",
    "likelihoods.beta_binomial": "sj.likelihoods.beta_binomial('trials')", "likelihoods.binomial": "sj.likelihoods.binomial('trials')",
    "likelihoods.huber": "sj.likelihoods.huber(1e-3)",
    "datasets.path": "sj.datasets.path('chinchilla_epoch', 'svg_extracted_data.csv')",
    "Fit": "fit.predict(N=1e9, D=2e10)\nfit.interval(level=0.9)\nfit.table(level=0.9)\n"
    "fit.save('fit2.json')\nfit.to_dict()",
    "Draws": "draws.interval(level=0.9)\ndraws.predict_interval(level=0.9, kind='run', N=1e9, D=2e10)\ndraws.table(level=0.9)",
    "Allocation": "plan.interval(level=0.9)\nplan.table(level=0.9)",
    "Law": "law(1e9, 2e10, **known)\nlaw.bind(E=1.7)",
    "Runs": "runs.where(runs['N'] > 1e9)\nruns.take(np.arange(5))\nruns.with_columns(group=['a'] * 36)",
    "plot.curve": "x = np.geomspace(1, 1e4, 20)\none = sj.fit('power_law', {'x': x, 'loss': 1 + x**-0.3 * 1.01 ** np.cos(x)}, starts=64)\n"
    "sj.plot.curve(one, sj.laplace(one, 50))",
    "plot.fan": "x = np.geomspace(1, 1e4, 20)\none = sj.fit('power_law', {'x': x, 'loss': 1 + x**-0.3 * 1.01 ** np.cos(x)}, starts=64)\n"
    "sj.plot.fan(one, sj.laplace(one, 50))",
    "plot.curves": "steps = np.arange(1, 60)\nlog = {n: {'step': steps, 'loss': 2 + k * steps**-0.5, 'lr': np.full(59, 1e-3)} for n, k in "
    "(('a', 1.0), ('b', 1.2))}\n"
    "curve = sj.fit('lr_annealing', sj.read_curves(log, lr='lr'), starts=16, unidentified='warn')\nsj.plot.curves(curve)",
    "plot.fit_against_observed": "sj.plot.fit_against_observed(fit)", "plot.residuals": "sj.plot.residuals(fit, 'N')",
    "plot.forecast_parts": "sj.plot.forecast_parts(sj.forecast(runs, {'N': 2e10, 'D': 1e12}, laws=['chinchilla']))",
    "plot.ladder": "EXAMPLE studies.ladder\nsj.plot.ladder(found)",
    "plot.optimal_sizes": "sj.plot.optimal_sizes(sj.allocate(draws, compute=[1e20, 1e21]), level=0.9)",
    "plot.valley": "sj.plot.valley(plan, 'N')", "plot.intervals": "sj.plot.intervals({'one': draws, 'two': draws}, level=0.9)",
    "plot.iso_loss": "sj.plot.iso_loss(fit, draws)", "plot.loss_against_compute": "sj.plot.loss_against_compute(fit, draws, decades=1.0)",
    "plot.profile": "sj.plot.profile(sj.profile(fit, ['alpha'], points=7), 'alpha')",
    "plot.pairs": "x = np.geomspace(1e3, 1e9, 40)\nruns = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=x, noise=0.01)\n"
    "sj.plot.pairs(sj.sample('power_law', runs, likelihood='normal', draws=250), ['alpha', 'E'])",
    "plot.predictive_check": "x = np.geomspace(1e3, 1e9, 40)\n"
    "runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=x, noise=0.01)\n"
    "sj.plot.predictive_check(sj.sample('power_law', runs, likelihood='normal', draws=250).predictive_check())",
    "formulas.effective_shares": "sj.formulas.effective_shares(np.array([3.0, 2.0, 1.5]), 0.25, np.array([0.25, 0.5, 1.0]))",
    "plot.contours": "sj.plot.contours(fit, 'N', 'D')", "plot.residuals_by_input": "sj.plot.residuals_by_input(fit, columns=2)",
    "plot.profiles": "sj.plot.profiles(sj.profile(fit, ['alpha'], points=7), columns=2)",
    "plot.groups": "arms = {'N': np.tile(N, 2), 'D': np.tile(D, 2), 'loss': np.r_[runs['loss'], 1.02 * runs['loss']], "
    "'arm': np.repeat(['a', 'b'], 36)}\nsj.plot.groups(sj.fit(law, arms, by='arm', loss=sj.squared(), starts=64), base='a')",
    "plot.isoflop": f"{_FLOPS}sj.plot.isoflop(sj.isoflop(flops))",
    "plot.frontier": f"{_FLOPS}sj.plot.frontier(sj.isoflop(flops), name='N', level=0.9)",
    "plot.paper": f"{_FLOPS}sj.plot.paper(sj.plot.isoflop, sj.isoflop(flops), width='column', letters=8.0, path='figure.pdf')",
    "plot.triangle": "m = sj.laws.data_mixing_m4\nto = [(m, dict(c=1.0, t=np.array(t))) for t in ([-2.0, 0.0, 1.0], [0.0, -2.0, 1.0])]\n"
    "sj.plot.triangle(sj.optimal_mixture(to))",
    "plot.stages": "two = sj.chain(loss=law, accuracy=(sj.laws.llama3_accuracy, {'nll': 'loss'}))\n"
    "own = {**law.published['bhagia2024_hellaswag'], **sj.laws.llama3_accuracy.published['bhagia2024_hellaswag']}\n"
    "n, d = (v.ravel() for v in np.meshgrid([1.9e8, 3.7e8, 7.6e8, 1.28e9], [1e10, 2e10, 5e10, 1e11]))\n"
    "bent = 1 + 0.002 * np.cos(np.arange(16))\n"
    "seen = {'N': n, 'D': d, 'loss': two.of('loss')(n, d, **own) * bent, 'accuracy': two(n, d, **own) * bent}\n"
    "both = sj.fit(two, seen, starts=32)\nsj.plot.stages(both, sj.laplace(both, 40))",
    "plot.ranks": "EXAMPLE calibrate\nsj.plot.ranks(found)",
    "plot.regret": "sj.plot.regret(sj.regret(source, N=8e9, D=15e12))",
    "plot.front": "sj.plot.front(sj.pareto(source, compute=1e21, against=lambda N: 2 * N, bounds={'N': (2e8, 1e11)}, points=4))",
    "plot.break_even": "sj.plot.break_even(sj.break_even(source, better, 'compute', (1e15, 1e26)))",
    "plot.choice": "sj.plot.choice(sj.choose({'old': source, 'wide': better}, compute=[1e20, 1e22]))",
    "plot.equivalent": "sj.plot.equivalent(sj.equivalent(source, 'D', like={'N': 1e9, 'D': 1e11}, N=2e9))",
    "plot.multiplier": "sj.plot.multiplier(sj.compute_multiplier(better, source, compute=[1e20, 1e22]))",
    "plot.design": "where = {'N': [1e8, 3e8, 1e9], 'D': [2e9, 6e9, 2e10]}\n"
    "sj.plot.design(sj.next_runs(fit, where, target={'N': 7e9, 'D': 1.4e11}, budget=1e21))",
    "plot.mixture": "m = sj.laws.data_mixing_m4\nto = [(m, dict(c=1.0, t=np.array(t))) for t in ([-2.0, 0.0], [0.0, -2.0])]\n"
    "sj.plot.mixture(sj.optimal_mixture(to))",
    "plot.schedule": "curve = (sj.laws.multi_power, sj.laws.multi_power.published['luo2025_25M'])\n"
    "sj.plot.schedule(sj.optimal_schedule(curve, steps=500, peak=3e-4, shape='wsd'))",
    "plot.prior_predictive": "sj.plot.prior_predictive(sj.prior_predictive(law, runs, draws=50))",
}  # fmt: skip


@contextmanager
def recording() -> Iterator[dict[Any, tuple[tuple[Any, ...], dict[str, Any]]]]:
    """Bare function to the arguments of its first call from outside, as long as the block lasts."""
    found: dict[Any, tuple[tuple[Any, ...], dict[str, Any]]] = {}
    let_in, let_out, asked = edge._let_in, edge._let_out, []

    def record(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        out = let_in(function, args, kwargs)
        asked.append((function, args, dict(kwargs)))
        return out

    def accept(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> None:
        let_out(function, args, kwargs, value)
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((args, kwargs))):
            return  # inside of a program that is being compiled
        for known, *given in reversed(asked):
            if known is function:
                found.setdefault(function, tuple(given))
                return

    edge._let_in, edge._let_out = record, accept
    try:
        yield found
    finally:
        edge._let_in, edge._let_out = let_in, let_out


def good_calls(names: list[str], functions: dict[str, Any]) -> tuple[list[Call], list[str]]:
    """Good calls of these functions, and of the methods that their examples call; and names of functions for which none was found."""
    shared: dict[str, Any] = {}
    with recording() as found, redirect_stdout(io.StringIO()):
        for name in names:
            if name in MORE:
                if not shared:
                    exec(_FITTED, shared)
                first, _, rest = MORE[name].partition("\n")
                space = {**shared}
                if first.startswith("EXAMPLE "):  # of another function, whose result is called for
                    space = _run_examples(functions[first.removeprefix("EXAMPLE ")]) | {"sj": sj}
                exec(rest if first.startswith("EXAMPLE ") else MORE[name], space)
            elif functions[name].__wrapped__ not in found:
                _run_examples(functions[name])
                if functions[name].__wrapped__ not in found and name.startswith("formulas."):
                    _guess(functions[name])  # its example hands it to `derive`
    public_names = {function.__wrapped__: name for name, function in functions.items()}
    calls = []
    for bare, (args, kwargs) in found.items():
        name = public_names.get(bare, bare.__qualname__ if "." in bare.__qualname__ else "")
        if name == "law":
            own = {"E": sj.Positive(0.1, 5), "A": sj.Positive(1, 1e4), "alpha": sj.Unit()}
            calls.append(Call(name, decorated, (), {"reference": "here", "linear": ("E", "A"), **own}))
        elif name and (name in names or "." in bare.__qualname__):
            calls.append(Call(name, edge.edge(bare), args, kwargs))
    lost = (name for name in names if name in functions and functions[name].__wrapped__ not in found)
    return calls, [name for name in lost if name not in BOUND]


def _guess(function: Any) -> None:
    """Call a function of numbers with one that it takes for all of them."""
    needed = [n for n, p in inspect.signature(function).parameters.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    for value in (0.5, 2.0, 0.1, 100.0, 1e9):
        with suppress(Exception):
            function(**dict.fromkeys(needed, value))
            return


def _run_examples(function: Any) -> dict[str, Any]:
    space = dict(inspect.unwrap(function).__globals__)
    for example in doctest.DocTestParser().get_examples(function.__doc__ or ""):
        if example.exc_msg is None:
            exec(compile(example.source, f"<example of {function.__name__}>", "single"), space)
    return space
