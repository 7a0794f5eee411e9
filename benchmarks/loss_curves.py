"""How fast is the multi-power law fitted to three curves of 24,000 steps, beside the authors' recipe in plain NumPy and scipy?

Both minimise the summed Huber loss (delta 1e-3) of log residuals over seven parameters, in this process, on the same observations. The
recipe starts at C = 1, beta = gamma = 1/2 and a line through the curves, evaluates the double sum as it stands, and uses L-BFGS-B with
numerical gradients on scaled parameters. Ours starts at the same point. Without the public curves, curves are simulated.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.optimize import minimize

import scalejax as sj
from scalejax import schedules as s

from .common import show, timed

NAMES = ("L0", "A", "alpha", "B", "C", "beta", "gamma")
START = {"L0": 3.0, "A": 0.5, "alpha": 0.5, "B": 400.0, "C": 1.0, "beta": 0.5, "gamma": 0.5}
WARMUP, DELTA = 2160, 1e-3
RATES = {
    "cosine_24000": s.with_warmup(s.cosine(24000 - WARMUP, 3e-4, 3e-5), WARMUP),
    "constant_24000": s.with_warmup(s.constant(24000 - WARMUP, 3e-4), WARMUP),
    "wsdcon_9": s.with_warmup(s.join(s.constant(8000 - WARMUP, 3e-4), s.constant(8000, 9e-5)), WARMUP),
}


def runs() -> sj.Runs:
    """The three public curves of 25M parameters, or a simulation from the published constants."""
    try:
        files = {run: str(sj.datasets.path("multipowerlaw", f"csv_25__{run}.csv")) for run in RATES}
        return sj.read_curves(files, schedules=RATES)
    except sj.DataError as error:
        print(f"note: simulated curves instead of the public ones ({error})")
    law, rng, table = sj.laws.multi_power, np.random.default_rng(0), {}
    for run, eta in RATES.items():
        t = np.arange(2176, len(eta), 128)
        clean = law(eta, t, 0, **law.published["luo2025_25M"])
        table[run] = {"step": t, "loss": clean * np.exp(1e-3 * rng.normal(size=len(t)))}
    return sj.read_curves(table, schedules=RATES)


def plain_objective(x: np.ndarray, curves: list) -> float:
    """The recipe's objective: one row of the double sum for every observation."""
    L0, A, alpha, B, C, beta, gamma = x * np.array([START[name] for name in NAMES])
    total = 0.0
    for eta, t, loss in curves:
        S = np.cumsum(eta)
        scale = C * eta[1:] ** -gamma
        fallen = eta[:-1] - eta[1:]
        drop = [np.sum(fallen[:k] * (1 - (1 + scale[:k] * (S[k] - S[:k])) ** -beta)) for k in t]
        predicted = L0 + A * S[t] ** -alpha - B * np.array(drop)
        r = np.abs(np.log(np.maximum(predicted, 1e-9)) - np.log(loss))
        total += np.sum(np.where(r <= DELTA, 0.5 * r**2, DELTA * (r - 0.5 * DELTA)))
    return float(total)


def recipe(table: sj.Runs, evaluations: int) -> tuple[float, int]:
    """Objective and evaluations of L-BFGS-B."""
    used = table.masks["loss"]
    curves = [(RATES[str(run)], table["t"][i][used[i]].astype(int), table["loss"][i][used[i]]) for i, run in enumerate(table["run"])]
    limits = [(1e-3, 10.0)] * len(NAMES)
    found = minimize(plain_objective, np.ones(len(NAMES)), (curves,), method="L-BFGS-B", bounds=limits, options={"maxfun": evaluations})
    return float(found.fun), int(found.nfev)


def main(evaluations: int = 400) -> list:
    """The comparison; returns the table."""
    table = runs()
    first, seconds, fit = timed(lambda: sj.fit(sj.laws.multi_power, table, starts=[START], unidentified="warn"), repeat=1)
    begun = time.perf_counter()
    objective, count = recipe(table, evaluations)
    spent = time.perf_counter() - begun
    rows = [
        ["NumPy and scipy L-BFGS-B, the double sum", f"{spent:.1f}", "1", f"{objective:.4e}", str(count), ""],
        ["sj.fit", f"{seconds:.2f}", f"{spent / seconds:.0f}", f"{fit.objective:.4e}", "", f"{first - seconds:.1f}"],
    ]
    title = "Seven parameters of the multi-power law, three curves of 24,000 steps"
    return [show(title, ["method", "s", "times faster", "objective", "evaluations", "compile s"], rows)]


if __name__ == "__main__":
    main()
