"""How long until the first answer? Every verb of the command line and the main calls: in the first process of all, in a second, and again.

The first process compiles its programs, the second finds them in the user's cache, and a call that is made again finds them in memory.
CPU seconds, as the compiler works on all cores; those of a verb include the start of Python and the imports. Programs are those that JAX
makes or looks up; a second process takes those of the library's laws whole, without JAX's help.
Run alone: `python -m benchmarks.first_answers`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from scalejax.core.table import Table

from .common import show
from .first_calls import runs

_COLUMNS = ["--columns", "N=N", "D=D", "loss=loss"]
VERBS: dict[str, list[str]] = {
    "--version": [],
    "--help": [],
    "laws": [],
    "fit": ["runs.csv", *_COLUMNS, "--out", "fit.json"],
    "sample": ["runs.csv", *_COLUMNS, "--out", "posterior.npz"],
    "allocate": ["fit.json", "--compute", "1e21", "1e22"],
    "regret": ["fit.json", "N=1e9", "D=1e12"],
    "multiplier": ["fit.json", "fit.json", "--compute", "1e22"],
    "next-runs": ["fit.json", "--target", "N=1e10", "D=1e12", "--space", "N=1e7:1e9", "D=1e8:1e11", "--budget", "1e21"],
    "forecast": ["runs.csv", "--at", "N=1e10", "D=1e12"],
    "report": ["fit.json", "report.html"],
}


def process(arguments: list[str], folder: Path) -> tuple[float, list[dict[str, float]]]:
    """CPU seconds of a fresh process of `first_calls` in this folder, which also holds the kept programs, and what it says of its calls."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("JAX_") and k != "PYTHONDONTWRITEBYTECODE"}  # as users have it
    root = str(Path(__file__).resolve().parents[1])
    env = kept | {"SCALEJAX_CACHE": str(folder / "programs"), "PYTHONPATH": root}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    plain = len(arguments) == 2  # a verb without options, which needs no JAX to watch
    command = (
        ["-c", f"from scalejax.commands.cli import main; main([{arguments[1]!r}])"]
        if plain
        else ["-m", "benchmarks.first_calls", *arguments]
    )
    command = [sys.executable, *command]
    found = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if found.returncode:
        raise RuntimeError(found.stderr)
    said = found.stderr if arguments[:1] == ["verb"] else found.stdout
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, lines


def main() -> list[Table]:
    """Verbs, then calls."""
    tables = []
    with tempfile.TemporaryDirectory() as name:
        folder, table, rows = Path(name), runs(), []
        columns = [table[c].tolist() for c in ("N", "D", "loss")]
        (folder / "runs.csv").write_text("\n".join(["N,D,loss", *(",".join(map(repr, row)) for row in zip(*columns, strict=True))]))
        for verb, options in VERBS.items():
            first, said = process(["verb", verb, *options], folder)
            second, _ = process(["verb", verb, *options], folder)
            count = said[0] if said else {"programs": 0, "compiled": 0}
            rows.append([verb, f"{first:.2f}", f"{second:.2f}", str(count["programs"]), str(count["compiled"])])
        header = ["verb", "first process", "second process", "programs", "compiled"]
        tables.append(show("CPU seconds of the command line; a verb finds the programs of those above it", header, rows))
    with tempfile.TemporaryDirectory() as name:
        first, second = (process([], Path(name))[1] for _ in range(2))
        rows = [
            [a["call"], f"{a['cpu']:.2f}", f"{b['cpu']:.2f}", f"{b['again']:.3f}", str(a["programs"]), str(b["compiled"])]
            for a, b in zip(first, second, strict=True)
        ]  # type: ignore[misc]
        header = ["call", "first process", "second process", "again", "programs", "compiled in the second"]
        tables.append(show("CPU seconds of the main calls, one after the other in one process", header, rows))
    return tables


if __name__ == "__main__":
    main()
