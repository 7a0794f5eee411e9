"""Data, timing and printing that the benchmarks share."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import scalejax as sj
from scalejax.core.errors import DataError
from scalejax.core.table import Table


def chinchilla_runs() -> sj.Runs:
    """The 240 public runs where they are to be had, else a simulation of the same size from the published constants."""
    try:
        runs = sj.datasets.load("chinchilla_epoch")
        return runs.where(~runs.excluded)
    except DataError as error:
        print(f"note: simulated runs instead of the public ones ({error})")
        law, rng = sj.laws.chinchilla, np.random.default_rng(0)
        N, C = 10 ** rng.uniform(7.8, 10.2, 240), 10 ** rng.uniform(18, 22, 240)
        return sj.simulate(law, law.published["besiroglu2024"], N=N, D=C / (6 * N), noise=0.006)


def timed(function: Callable[[], Any], repeat: int = 3) -> tuple[float, float, Any]:
    """Seconds of the first call, best seconds of `repeat` later calls, and the last result."""
    begun = time.perf_counter()
    result = function()
    first = time.perf_counter() - begun
    warm = []
    for _ in range(repeat):
        begun = time.perf_counter()
        result = function()
        warm.append(time.perf_counter() - begun)
    return first, min(warm, default=first), result


def machine() -> str:
    """One line on machine and versions."""
    cores = len(jax.devices()) if jax.default_backend() != "cpu" else __import__("os").cpu_count()
    return f"{jax.default_backend()}, {cores} cores, {platform.machine()}, Python {platform.python_version()}, jax {jax.__version__}"


def show(title: str, header: list[str], rows: list[list[str]]) -> Table:
    """Print a table and return it."""
    table = Table(header, rows, f"{title} ({machine()})")
    print(table.text() + "\n", flush=True)
    return table
