"""How long takes the whole published procedure, 4,500 grid starts and 4,000 bootstrap replicates? Warm, and cold from the shell.

Beside it: are the replicates optima? The objective of each against the best of five scipy starts, on the same weights.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from scipy.optimize import minimize

import scalejax as sj
from scalejax.fitting.solvers.gradient import LM
from scalejax.fitting.solvers.search import minimise
from scalejax.fitting.uncertainty.resampling import resampled

from .chinchilla import numpy_objective
from .common import chinchilla_runs, show, timed

COLD = """
import sys, scalejax as sj
fit = sj.fit(None, sj.read_runs(sys.argv[1]), recipe="hoffmann2022")
sj.bootstrap(fit, 4000, kind="cases").interval()
"""


def main() -> list:
    """Both questions; returns the tables."""
    with jax.enable_x64(True):
        return [waiting(), optima()]


def waiting():
    """Seconds, warm and cold."""
    runs = chinchilla_runs()

    def fit():
        return sj.fit(None, runs, recipe="hoffmann2022")

    first_fit, warm_fit, found = timed(fit, repeat=5)
    first_draws, warm_draws, _ = timed(lambda: sj.bootstrap(found, 4000, kind="cases").interval(), repeat=5)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "runs.csv"
        columns = np.stack([runs[n] for n in ("N", "D", "loss")], axis=1)
        np.savetxt(table, columns, delimiter=",", header="N,D,loss", comments="", fmt="%.17g")
        cold = shell([sys.executable, "-c", COLD, str(table)])
        out = str(Path(folder) / "fit.json")
        command = shell([sys.executable, "-m", "scalejax", "fit", str(table), "--law", "chinchilla", "--out", out])
    rows = [
        ["fit, 4,500 grid starts", f"{warm_fit:.2f}", f"{first_fit:.2f}"],
        ["bootstrap, 4,000 replicates", f"{warm_draws:.2f}", f"{first_draws:.2f}"],
        ["both", f"{warm_fit + warm_draws:.2f}", f"{first_fit + first_draws:.2f}"],
        ["both, from the shell, import included", "", f"{cold:.2f}"],
        ["scalejax fit, from the shell", "", f"{command:.2f}"],
    ]
    note = f"{found.starts.agreeing} of {found.starts.refined} refined starts agree, objective {found.objective:.10g}"
    return show(f"The published procedure, 240 runs; {note}", ["what", "warm s", "first call s"], rows)


def shell(command: list[str]) -> float:
    """Best seconds of two runs of a command."""
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "JAX_PLATFORMS": "cpu"})
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def optima(count: int = 60):
    """Objectives of replicates against scipy's best of five starts around the optimum."""
    runs = chinchilla_runs()
    fit = sj.fit("chinchilla", runs)
    batch, rng = fit.request.batch, np.random.default_rng(0)
    weight = np.zeros((batch.rows, count))
    weight[: len(runs)] = resampled(len(runs), count, rng)
    ours = minimise(fit.request.spec, batch, np.repeat(fit.theta, count, axis=1), np.zeros(count, int), LM().warm, weight=weight).objective
    data = [np.log(runs[name]) for name in ("N", "D", "loss")]
    theirs = []
    for i in range(count):
        starts = fit.theta[:, 0] + np.concatenate([np.zeros((1, 5)), 0.3 * rng.standard_normal((4, 5))])
        args = (*data, weight[: len(runs), i])
        theirs.append(min(minimize(numpy_objective, s, args=args, method="BFGS", jac=True, options={"gtol": 1e-12}).fun for s in starts))
    gap = ours / np.asarray(theirs) - 1
    rows = [[f"{count}", f"{gap.max():.1e}", f"{gap.min():.1e}", f"{100 * np.mean(gap <= 1e-9):.0f} %"]]
    return show("Replicates against the best of five scipy starts", ["replicates", "worst excess", "best", "no higher to 1e-9"], rows)


if __name__ == "__main__":
    main()
