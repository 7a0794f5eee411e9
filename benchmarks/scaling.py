"""How does the time grow with rows, members, parameters and groups, and how many fits a second does a device make?

`python -m benchmarks.scaling [rows|members|parameters|groups|devices ...]`. Growth exponents are slopes of log seconds of the CPU (warm)
over log size between neighbours: 1 is linear.

Batches of fits on other hardware. Nothing in a call changes: replicates of a bootstrap, starts, data sets (`by=` a column) and draws are
members of one batch, and members are shared out.

* One GPU: install JAX for it (`pip install "jax[cuda13]"`, or the version that the driver wants); `jax.devices()` must name it. A chunk
  then fills a sixteenth of the device's memory instead of a core's cache, up to 65,536 members at once; small batches leave it idle.
  Double precision is used throughout, which data-centre GPUs do at about half speed and consumer GPUs at a small fraction: `devices`
  below shows what yours makes of it.
* Several GPUs, or the cores of a CPU as devices (XLA_FLAGS=--xla_force_host_platform_device_count=4): members are sharded over all of
  `jax.local_devices()`; the numbers do not depend on how many there are.
* Several hosts: the same script on each, which begins with `jax.distributed.initialize()` (address, count and rank come from Slurm, Open
  MPI or a TPU pod, or are given). Every process takes its share of the members, and all get the whole result; write files from
  `jax.process_index() == 0` alone.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

import scalejax as sj

from .common import chinchilla_runs, show
from .many import LAW, TRUTH, simulated, stacked

ROWS = (100, 1_000, 4_000, 5_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
MEMBERS = (100, 1_000, 10_000, 100_000)
DOMAINS = (2, 5, 12, 13, 20, 40, 59)  # and one parameter more
GROUPS = (2, 10, 50, 200, 500, 1_000)
BATCHES = (256, 4_096, 65_536)


def main(only: Sequence[str] = ()) -> list:
    """All questions, or some; returns the tables."""
    asked: dict[str, Callable[[], Any]] = {
        "rows": rows, "members": members, "parameters": parameters, "groups": groups, "devices": devices,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [question() for name, question in asked.items() if not only or name in only]


def seconds(function: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the CPU and of the clock of a second call."""
    function()
    cpu, wall = time.process_time(), time.perf_counter()
    function()
    return time.process_time() - cpu, time.perf_counter() - wall


def growth(title: str, name: str, sizes: Sequence[int], calls: Callable[[int], Callable[[], Any]]) -> Any:
    """A row for every size, with the exponent between it and the one before."""
    lines, last = [], (0, 0.0)
    for size in sizes:
        cpu, wall = seconds(calls(size))
        slope = f"{np.log(cpu / last[1]) / np.log(size / last[0]):.2f}" if last[0] else ""
        lines.append([f"{size:,}", f"{cpu:.2f}", f"{wall:.2f}", f"{1e6 * cpu / size:.3g}", slope])
        last = (size, cpu)
    return show(title, [name, "CPU s", "clock s", "CPU us each", "exponent"], lines)


def rows() -> Any:
    """Default fits of one table."""

    def of(size: int) -> Callable[[], Any]:
        table = simulated(size, TRUTH, 1)
        return lambda: sj.fit(LAW, table)

    return growth("Chinchilla, rows of one table", "rows", ROWS, of)


def members() -> Any:
    """Bootstrap replicates."""
    fit = sj.fit(LAW, chinchilla_runs())
    return growth("Chinchilla, replicates of a bootstrap", "replicates", MEMBERS, lambda n: lambda: sj.bootstrap(fit, n, kind="cases"))


def parameters() -> Any:
    """Exponential mixing laws of more and more domains, 512 rows, 100 replicates."""

    def of(size: int) -> Callable[[], Any]:
        rng = np.random.default_rng(size)
        law = sj.laws.data_mixing_m4
        truth = {"c": 2.0, "t": rng.normal(0, 0.5, size)}
        table = sj.simulate(law, truth, h=rng.dirichlet(np.ones(size), 512), noise=0.003, seed=1)
        fit = sj.fit(law, table, starts=16)
        return lambda: sj.bootstrap(fit, 100, kind="cases")

    return growth("Mixing law, 512 rows, 100 replicates", "domains", DOMAINS, of)


def groups() -> Any:
    """Joint fits of groups of 30 runs that share two exponents."""

    def of(size: int) -> Callable[[], Any]:
        rng = np.random.default_rng(0)
        truth = [
            {**TRUTH, "E": rng.uniform(1.5, 2), "A": 400 * rng.lognormal(0, 0.3), "B": 2000 * rng.lognormal(0, 0.3)} for _ in range(size)
        ]
        table = stacked([simulated(30, params, i) for i, params in enumerate(truth)])
        return lambda: sj.fit(LAW, table, by="group", share=("alpha", "beta"))

    return growth("Chinchilla, groups of 30 runs in one joint fit", "groups", GROUPS, of)


def devices() -> Any:
    """Replicates a second, by batch, on the devices of this process."""
    fit, lines, local = sj.fit(LAW, chinchilla_runs()), [], jax.local_devices()
    for batch in BATCHES:
        _, wall = seconds(lambda batch=batch: sj.bootstrap(fit, batch, kind="cases"))
        lines.append([local[0].device_kind, str(len(local)), f"{batch:,}", f"{batch / wall:,.0f}", f"{batch / wall / len(local):,.0f}"])
    return show("Fits of 240 runs, 5 parameters", ["device", "devices", "batch", "fits a second", "a device"], lines)


if __name__ == "__main__":
    main(sys.argv[1:])
