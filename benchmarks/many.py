"""How does the engine scale: 1,000 data sets at once, 200 groups in one joint fit, a million runs, and the solvers side by side?"""

from __future__ import annotations

import resource
import warnings

import jax
import numpy as np

import scalejax as sj
from scalejax.core.numeric.batching import trace_counts
from scalejax.fitting.solvers.gradient import as_solver
from scalejax.fitting.solvers.search import minimise
from scalejax.fitting.solvers.starts import make_starts

from .common import chinchilla_runs, show, timed

LAW = sj.laws.chinchilla
TRUTH = dict(LAW.published["besiroglu2024"])


def main() -> list:
    """All questions; returns the tables."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [sets(), groups(), rows(), solvers()]


def simulated(count: int, params: dict, seed: int) -> sj.Runs:
    """Runs at random sizes and budgets."""
    rng = np.random.default_rng(seed)
    N, C = 10 ** rng.uniform(7.8, 10.2, count), 10 ** rng.uniform(18, 22, count)
    return sj.simulate(LAW, params, N=N, D=C / (6 * N), noise=0.006, seed=seed)


def stacked(tables: list[sj.Runs]) -> sj.Runs:
    """One table with a column "group"."""
    columns = {name: np.concatenate([t[name] for t in tables]) for name in ("N", "D", "loss")}
    return sj.read_runs({**columns, "group": np.repeat(np.arange(len(tables)), [len(t) for t in tables])})


def sets(count: int = 1000):
    """Separate fits of ragged data sets."""
    sizes = np.random.default_rng(0).integers(50, 301, count)
    runs = stacked([simulated(int(n), TRUTH, i) for i, n in enumerate(sizes)])
    before = trace_counts().get("solve", 0)
    first, warm, fit = timed(lambda: sj.fit(LAW, runs, by="group", starts=16))
    compiled = trace_counts()["solve"] - before
    spread = fit.params["alpha"] - TRUTH["alpha"]
    z = spread / fit.standard_errors["alpha"]
    line = [f"{count:,}", f"{len(runs):,}", f"{warm:.2f}", f"{first:.1f}", str(compiled), f"{fit.starts.agreeing} of {fit.starts.refined}"]
    head = ["data sets", "runs", "warm s", "first call s", "compilations", "starts that agree, worst set", "std of (alpha - truth) / s.e."]
    return show("Data sets of 50 to 300 runs, 16 starts each", head, [[*line, f"{np.std(z):.2f}"]])


def groups(count: int = 200):
    """One joint fit with shared exponents."""
    rng = np.random.default_rng(0)
    truth = [{**TRUTH, "E": rng.uniform(1.5, 2), "A": 400 * rng.lognormal(0, 0.3), "B": 2000 * rng.lognormal(0, 0.3)} for _ in range(count)]
    runs = stacked([simulated(100, params, i) for i, params in enumerate(truth)])
    first, warm, fit = timed(lambda: sj.fit(LAW, runs, by="group", share=("alpha", "beta")))
    z = (fit.params["E"] - np.asarray([t["E"] for t in truth])) / fit.standard_errors["E"]
    line = [str(fit.theta.shape[0]), f"{len(runs):,}", f"{warm:.2f}", f"{first:.1f}", f"{fit.starts.agreeing} of {fit.starts.refined}"]
    head = ["parameters", "runs", "warm s", "first call s", "starts that agree", "std of (E - truth) / s.e."]
    return show(f"{count} groups that share two exponents", head, [[*line, f"{np.std(z):.2f}"]])


def rows():
    """One fit of very many runs."""
    lines = []
    for count in (10_000, 100_000, 1_000_000):
        runs = simulated(count, TRUTH, 1)
        _, warm, fit = timed(lambda runs=runs: sj.fit(LAW, runs), repeat=1)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        lines.append(
            [f"{count:,}", f"{warm:.1f}", f"{1e6 * warm / count:.1f}", f"{memory:.1f}", f"{fit.params['alpha'] - TRUTH['alpha']:.1e}"]
        )
    return show("One fit of many runs", ["runs", "warm s", "microseconds a run", "peak memory GB", "alpha - truth"], lines)


def solvers(count: int = 256):
    """The solvers on random starts of the published grid, and whether they arrive."""
    fit = sj.fit("chinchilla", chinchilla_runs())
    batch, lines = fit.request.batch, []
    with jax.enable_x64(True):
        grid = make_starts(fit.request.layout, sj.recipes["hoffmann2022"].starts, 0)
        theta = grid[:, np.random.default_rng(0).choice(grid.shape[1], count, replace=False)]
        for name in ("lm", "varpro", "lbfgs", "adam"):
            few = theta if name in ("lm", "varpro") else theta[:, :64]
            chosen = as_solver(name)
            first, warm, ends = timed(lambda s=chosen, t=few: minimise(fit.request.spec, batch, t, np.zeros(t.shape[1], int), s), repeat=1)
            arrived = np.mean(ends.objective <= fit.objective * (1 + 1e-4))
            each = 1e3 * warm / few.shape[1]
            lines.append([name, f"{each:.2f}", f"{np.mean(ends.iterations):.0f}", f"{100 * arrived:.1f} %", f"{first - warm:.1f}"])
    return show("Solvers on starts of the published grid", ["solver", "ms a start", "iterations", "arrived", "compile s"], lines)


if __name__ == "__main__":
    main()
