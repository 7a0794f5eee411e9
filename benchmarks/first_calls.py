"""Calls of a session in one process, each with the programs that it compiles; `first_answers` and a test run it in fresh ones.

`python -m benchmarks.first_calls` prints a line of JSON for every call: its name, seconds of clock and CPU, how many programs were needed,
how many of them were compiled because none was kept from an earlier process, and the CPU seconds of the same call again. With "quick" or
"further" it makes other calls; "verb" and a line of the command line do the same for that.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

import scalejax as sj

_PROGRAM, _MISS = "/jax/core/compile/backend_compile_duration", "/jax/compilation_cache/cache_misses"
SEEN: Counter[str] = Counter()
AGAIN: list[bool] = []  # is every call made twice?


def watch() -> None:
    """Count programs from now on, in this process."""
    jax.monitoring.register_event_duration_secs_listener(lambda event, _, **__: SEEN.update([event]))
    jax.monitoring.register_event_listener(lambda event, **_: SEEN.update([event]))


def counted(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """The call's answer, and what it took."""
    SEEN.clear()
    wall, cpu = time.perf_counter(), time.process_time()
    answer = call()
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    took |= {"programs": SEEN[_PROGRAM], "compiled": SEEN[_MISS]}
    if AGAIN:
        cpu = time.process_time()
        call()
        took["again"] = time.process_time() - cpu
    return answer, took


def runs(count: int = 240) -> sj.Runs:
    """Simulated runs of the size of the public suite."""
    law, rng = sj.laws.chinchilla, np.random.default_rng(0)
    N, C = 10 ** rng.uniform(7.8, 10.2, count), 10 ** rng.uniform(18, 22, count)
    return sj.simulate(law, law.published["besiroglu2024"], N=N, D=C / (6 * N), noise=0.006)


def calls(table: sj.Runs, folder: Path, quick: bool = False) -> Iterator[tuple[str, dict[str, float]]]:
    """The main calls one after the other, with what each took; `quick` leaves out reports and what takes long."""
    dollars = [sj.costs.dollars(price=price, peak=1e15, mfu=0.4) for price in (2.0, 3.0)]
    fit, took = counted(lambda: sj.fit("chinchilla", table))
    yield "fit", took
    yield "print(fit)", counted(lambda: str(fit))[1]
    yield "fit, another loss", counted(lambda: sj.fit("chinchilla", table, loss=sj.huber(3e-3)))[1]
    draws, took = counted(lambda: sj.bootstrap(fit, 200 if quick else 1000))
    yield "bootstrap", took
    yield "predict", counted(lambda: draws.predict(N=1e10, D=1e12, kind="run"))[1]
    yield "allocate", counted(lambda: sj.allocate(draws, compute=[1e21, 1e22]))[1]
    yield "allocate, other budgets", counted(lambda: sj.allocate(draws, compute=[1e23, 1e24]))[1]
    yield "allocate, in dollars", counted(lambda: sj.allocate(draws, compute=[1e5, 1e6], cost=dollars[0]))[1]
    yield "allocate, another price", counted(lambda: sj.allocate(draws, compute=[1e5, 1e6], cost=dollars[1]))[1]
    posterior, took = counted(lambda: sj.sample("chinchilla", table, draws=100 if quick else 1000, warmup=100 if quick else 300))
    yield "sample", took
    yield "print(posterior)", counted(lambda: str(posterior))[1]
    yield "posterior.predict", counted(lambda: posterior.predict(N=1e10, D=1e12, kind="run"))[1]
    if quick:
        return
    yield "report(fit)", counted(lambda: sj.report(fit, folder / "fit.html", draws=draws))[1]
    yield "report(posterior)", counted(lambda: sj.report(posterior, folder / "posterior.html"))[1]
    yield "next_runs", counted(lambda: next_runs(fit))[1]


def next_runs(fit: sj.Fit) -> sj.NextRuns:
    """Four runs that tell most of a larger one."""
    return sj.next_runs(fit, target={"N": 7e10, "D": 1.4e12}, space={"N": (1e7, 1e9), "D": (1e8, 1e11)}, budget=1e21, runs=4)


def further(table: sj.Runs) -> Iterator[tuple[str, dict[str, float]]]:
    """Calls of all other kinds of programs, of which a test looks whether they are the same in every process."""
    import numpyro.distributions as dist

    some = table.take(np.arange(48)).with_columns(lab=np.repeat(["a", "b", "c"], 16), unit=np.repeat(np.arange(12), 4))
    fit = sj.fit("chinchilla", some)
    quick = {"draws": 50, "warmup": 50, "chains": 2, "budget": 1}
    yield "profile", counted(lambda: sj.profile(fit))[1]
    yield "joint fit", counted(lambda: sj.fit("chinchilla", some, by="lab", share=["alpha", "beta"], starts=64))[1]
    yield "weak prior, misfit", counted(lambda: sj.fit("chinchilla", some, misfit=True, starts=64))[1]
    yield "optax", counted(lambda: sj.fit("chinchilla", some, solver=sj.Optax(max_iterations=5), starts=8))[1]
    pooled, took = counted(lambda: sj.sample("chinchilla", some, by="lab", share=["alpha", "beta"], **quick))
    yield "pooled posterior", took
    yield "loo", counted(lambda: pooled.loo)[1]
    yield "predictive check", counted(lambda: pooled.predictive_check(draws=20))[1]
    yield "prior sensitivity", counted(lambda: pooled.prior_sensitivity())[1]
    yield "units", counted(lambda: sj.sample("chinchilla", some, groups="unit", **quick))[1]
    priors = {"alpha": dist.Gamma(4.0, 10.0), "beta": dist.Beta(3.0, 5.0), "E": dist.TruncatedNormal(1.7, 0.3, low=0.0)}
    yield "priors", counted(lambda: sj.sample("chinchilla", some, priors=priors, likelihood="huber", **quick))[1]
    yield "svi", counted(lambda: sj.sample("chinchilla", some, method="svi", draws=50))[1]
    yield "prior predictive", counted(lambda: sj.prior_predictive("chinchilla", some, draws=20))[1]
    yield "derive", counted(lambda: sj.derive(fit, lambda alpha, beta: beta / (alpha + beta)))[1]
    yield "multiplier", counted(lambda: sj.compute_multiplier(fit, fit, compute=1e22))[1]
    yield "next runs", counted(lambda: next_runs(fit))[1]
    yield "holdout", counted(lambda: sj.holdout({"chinchilla": sj.laws.chinchilla, "kaplan": sj.laws.kaplan}, some, largest=0.2))[1]
    yield "forecast", counted(lambda: sj.forecast(some, {"N": [1e10], "D": [1e12]}))[1]


if __name__ == "__main__":
    watch()
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == ["verb"]:
        from scalejax.commands.cli import main

        print(json.dumps({"call": sys.argv[2], **counted(lambda: main(sys.argv[2:]))[1]}), file=sys.stderr)
        sys.exit()
    AGAIN.extend([True] * (len(sys.argv) == 1))
    with tempfile.TemporaryDirectory() as folder:
        found = further(runs()) if "further" in sys.argv else calls(runs(), Path(folder), quick="quick" in sys.argv)
        for name, took in found:
            print(json.dumps({"call": name, **took}), flush=True)
