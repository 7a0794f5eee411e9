"""What does the default fit of every law cost, and does it end where thousands of full searches end?

`python -m benchmarks.laws [--full] [name ...]`. Runs are simulated at a published set, or in the middle of the plausible ranges, with 1 %
noise: 200 rows, or 3 curves. With --full all 2,048 starts are refined to their ends beside it, which takes hours for the whole zoo; the
last column is how much lower their best objective is, in per cent. Where many starts end at one optimum it must be 0.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

import scalejax as sj
from scalejax.core.errors import ScalejaxError
from scalejax.core.laws.domains import Domain, Integer
from scalejax.fitting.solvers.lm import LM
from scalejax.fitting.solvers.search import minimise
from scalejax.fitting.solvers.starts import DEFAULT, make_starts

from .common import show
from .families import schedules

ROWS, CURVES, VECTOR, NOISE = 200, 3, 3, 0.01


def main(names: Sequence[str] = (), full: bool = False) -> list:
    """A row for every law, or for those named."""
    lines = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for law in sj.laws:
            if names and law.name not in names:
                continue
            try:
                lines.append(row(law, full))
            except ScalejaxError as error:
                lines.append([law.name, "", "", "", "", "", "", str(error)[:60]])
            print(" ".join(lines[-1]), flush=True)
    head = ["law", "parameters", "cold CPU s", "warm CPU s", "warm s", "iterations", "agree", "status"]
    head += ["full search lower by %"] if full else []
    return [show("Default fits", head, lines)]


def row(law: sj.Law, full: bool) -> list[str]:
    """Costs and ends of one law."""
    runs, on, sizes = simulated(law)
    spent = []
    for _ in range(2):
        cpu, wall = time.process_time(), time.perf_counter()
        fit = sj.fit(law, runs, on=on, sizes=sizes)
        spent.append((time.process_time() - cpu, time.perf_counter() - wall))
    (cold, _), (warm, clock) = spent
    out = [law.name, str(len(fit.theta)), f"{cold:.2f}", f"{warm:.2f}", f"{clock:.2f}", f"{int(fit.starts.iterations.sum()):,}"]
    out += [f"{fit.starts.agreeing} of {fit.starts.refined}", fit.status.value]
    if full:
        with jax.enable_x64(True):
            points = make_starts(fit.request.layout, DEFAULT, 1)
            ends = minimise(fit.request.spec, fit.request.batch, points, np.zeros(points.shape[1], int), LM())
        out.append(f"{100 * (1 - np.nanmin(ends.objective) / fit.objective):.2g}")
    return out


def simulated(law: sj.Law) -> tuple[sj.Runs, str, dict[str, int]]:
    """Runs of a law, the scale of their noise, and the lengths of its vectors."""
    rng = np.random.default_rng(len(law.name))
    curves = any(law.domains[name].axis == "step" for name in law.inputs)
    inputs = schedules(rng, CURVES) if curves else {name: drawn(law.domains[name], ROWS, rng) for name in law.inputs}
    inputs |= {name: drawn(law.domains[name], len(next(iter(inputs.values()))), rng) for name in law.inputs if name not in inputs}
    inputs = {name: inputs[name] for name in law.inputs}
    middle = {name: drawn(law.domains[name], 1, rng, 0.35, 0.65)[0] for name in law.parameters}
    known = sorted(law.published.values(), key=lambda s: s.status != "verified")
    fitting = [s for s in known if all(np.shape(s[n]) == np.shape(middle[n]) for n in s)]
    truth = {name: value if np.ndim(value) else float(value) for name, value in (dict(fitting[0]) if fitting else middle).items()}
    clean = sj.simulate(law, truth, **inputs)[law.output]
    on = "log" if (clean > 0).all() else "linear"
    size = NOISE * (1.0 if on == "log" else float(np.std(clean)))
    sizes = {str(law.domains[n].axis): len(v) for n, v in truth.items() if np.ndim(v)}
    return sj.simulate(law, truth, noise=size, on=on, seed=1, **inputs), on, sizes


def drawn(domain: Domain, n: int, rng: np.random.Generator, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """(n,) values over a part of the plausible range, or (n, 3) of a vector."""
    size: Any = None if domain.axis is None else VECTOR
    uniform = rng.uniform(low, high, (1 if size is None else domain.free(size), n))
    with jax.enable_x64(True):
        value = np.asarray(domain.forward(jax.numpy.asarray(domain.sample(uniform))), dtype=np.float64)
    if isinstance(domain, Integer):
        value = np.maximum(np.round(value), domain.low)
    return value[0] if size is None else value.T


if __name__ == "__main__":
    words = sys.argv[1:]
    main([word for word in words if not word.startswith("-")], "--full" in words)
