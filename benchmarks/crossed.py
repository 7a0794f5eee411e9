"""What does a fit of a thousand groups crossed with fifty cost, beside scipy's least squares with a sparse Jacobian, from one good start?

Scores of models on tasks, y = a_model b_task x + c, with one task's factor anchored: 1,050 parameters, of which every row has three. The
time is that of the whole fit: starts, refinement, covariance. Scipy gets its residuals and sparse Jacobian by hand and begins at values of
one for all, which a user of these would have to choose; it reports no errors. Run alone: `python -m benchmarks.crossed`.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.optimize import least_squares
from scipy.sparse import csr_matrix

import scalejax as sj

from .common import show, timed

SIZES = ((100, 20, 1.0), (1000, 50, 0.2), (1000, 50, 1.0))  # models, tasks, share of the cells that are seen


@sj.law(a=sj.Positive(0.1, 10), b=sj.Positive(0.1, 10), c=sj.Positive(0.1, 10))
def scores(x, *, a, b, c):
    """Score a b x + c."""
    return a * b * x + c


def main() -> list:
    """All questions; returns the tables."""
    return [fits()]


def table(models: int, tasks: int, share: float) -> dict[str, np.ndarray]:
    """Simulated scores with 5 % noise, and the indices of their groups."""
    rng = np.random.default_rng(0)
    a, b = np.exp(0.5 * rng.standard_normal(models)), np.exp(0.5 * rng.standard_normal(tasks))
    m, k = np.divmod(np.sort(rng.permutation(models * tasks)[: int(share * models * tasks)]), tasks)
    x = np.exp(rng.uniform(-1, 1, len(m)))
    y = (a[m] * b[k] / b[0] * x + 0.5) * np.exp(0.05 * rng.standard_normal(len(m)))
    return {"x": x, "loss": y, "model": np.char.add("m", m.astype(str)), "task": np.char.add("t", k.astype(str)), "m": m, "k": k}


def ours(given: dict[str, np.ndarray]) -> sj.Fit:
    """The fit in one call."""
    runs = {name: given[name] for name in ("x", "loss", "model", "task")}
    return sj.fit(scores, runs, by={"a": "model", "b": "task"}, fix={"b": {"t0": 1.0}}, loss=sj.squared())


def theirs(given: dict[str, np.ndarray], models: int, tasks: int) -> tuple[float, float, int]:
    """Objective, seconds and evaluations of scipy's trust region with LSMR."""
    m, k, x, log_y = given["m"], given["k"], given["x"], np.log(given["loss"])
    rows, size = np.arange(len(x)), models + tasks

    def parts(p):
        b = np.exp(np.concatenate([[0.0], p[models : size - 1]]))
        term = np.exp(p[:models])[m] * b[k] * x
        return term, term + np.exp(p[-1])

    def residuals(p):
        return log_y - np.log(parts(p)[1])

    def jacobian(p):
        term, f = parts(p)
        inner = k > 0  # the first task's factor is anchored
        i = np.concatenate([rows, rows[inner], rows])
        j = np.concatenate([m, models + k[inner] - 1, np.full(len(x), size - 1)])
        return csr_matrix((-np.concatenate([term / f, (term / f)[inner], np.exp(p[-1]) / f]), (i, j)), (len(x), size))

    begun = time.perf_counter()
    found = least_squares(residuals, np.zeros(size), jacobian, method="trf", tr_solver="lsmr", ftol=1e-12, xtol=1e-12, gtol=1e-10)
    return float(found.cost), time.perf_counter() - begun, int(found.nfev)


def fits():
    """Seconds of both, and how far their objectives are apart."""
    lines = []
    for models, tasks, share in SIZES:
        given = table(models, tasks, share)
        first, warm, fit = timed(lambda given=given: ours(given), repeat=2)
        begun = time.perf_counter()
        fit.interval(0.9, covariance="sandwich")
        interval = time.perf_counter() - begun
        cost, seconds, evaluations = theirs(given, models, tasks)
        size, gap = fit.request.layout.size, fit.objective / cost - 1
        seconds_of = [f"{first:.1f}", f"{warm:.1f}", f"{interval:.2f}", f"{seconds:.1f}"]
        lines.append([f"{models:,} x {tasks}", f"{len(given['x']):,}", f"{size:,}", *seconds_of, str(evaluations), f"{gap:+.1e}"])
    header = ["groups", "rows", "parameters", "cold s", "warm s", "intervals s", "scipy s", "evaluations", "ours over scipy"]
    return show("Crossing groups", header, lines)


if __name__ == "__main__":
    main()
