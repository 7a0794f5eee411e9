"""How many programs the main calls need, and that another process finds them all: they depend on no hash seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = {
    "fit": 3,  # starts, solver, derivatives
    "print(fit)": 3,  # residuals, how far the law bends within the intervals, the law at the runs
    "fit, another loss": 0,
    "bootstrap": 0,
    "predict": 1,
    "allocate": 2,  # the law at the runs, to see that it falls; the optimum
    "allocate, other budgets": 0,
    "allocate, in dollars": 1,
    "allocate, another price": 0,
    "sample": 5,  # the mode, unconstrained numbers, first states, steps, sites
    "print(posterior)": 0,
    "posterior.predict": 1,
}


def counts(cache: Path, what: str, seed: int) -> dict[str, tuple[int, int]]:
    """Programs that every call needs, and how many of them had to be compiled, in a fresh process."""
    env = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "PYTHONHASHSEED": str(seed),
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    found = subprocess.run([sys.executable, "-m", "benchmarks.first_calls", what], env=env, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    lines = map(json.loads, found.stdout.splitlines())
    return {line["call"]: (line["programs"], line["compiled"]) for line in lines}


def test_the_main_calls_need_few_programs_that_every_process_finds(tmp_path):
    first = counts(tmp_path, "quick", 1)
    assert {call: programs for call, (programs, _) in first.items()} == PROGRAMS
    assert counts(tmp_path, "quick", 2) == {call: (programs, 0) for call, programs in PROGRAMS.items()}


@pytest.mark.slow
def test_all_kinds_of_programs_are_found_by_every_process(tmp_path):
    first = counts(tmp_path, "further", 1)
    assert max(compiled for _, compiled in first.values()) > 0
    for seed in (2, 3):
        again = counts(tmp_path, "further", seed)
        assert {call: compiled for call, (_, compiled) in again.items() if compiled} == {}
        assert {call: programs for call, (programs, _) in again.items()} == {call: programs for call, (programs, _) in first.items()}
