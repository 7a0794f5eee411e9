"""What do 1,000 simulations of a theory cost in one call, beside a NumPy loop over them?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scalejax import papers

from .common import show, timed

RUNS = 1000


def main() -> list:
    """All questions; returns the tables."""
    return [simulations()]


def sgd(alpha: float, beta: float, d: int, v: int, steps: int, rng: np.random.Generator) -> float:
    """Last loss of one-pass SGD on power-law random features, as one writes it."""
    j = np.arange(1.0, v + 1)
    scale, target = j**-alpha, j**-beta
    gamma = 0.5 / (scale**2).sum()
    W, theta = rng.standard_normal((v, d)) / np.sqrt(d), np.zeros(d)
    for _ in range(steps):
        x = scale * rng.standard_normal(v)
        theta -= gamma * (x @ (W @ theta - target)) * (W.T @ x)
    return float(((scale * (W @ theta - target)) ** 2).sum())


def flow(t: np.ndarray, a: float, b: float, N: int, P: int, M: int, rng: np.random.Generator) -> float:
    """Last loss of gradient flow on random features and samples."""
    k = np.arange(1.0, M + 1)
    root, missed = k ** (-b / 2), k ** (-a / 2)
    features, data = rng.standard_normal((N, M)) / np.sqrt(N) * root, rng.standard_normal((P, M)) / np.sqrt(P)
    seen = data @ features.T
    rates, vectors = np.linalg.eigh(seen.T @ seen)
    rates = np.maximum(rates, 1e-30)
    learned = (-np.expm1(-rates * t[:, None]) / rates * (vectors.T @ (seen.T @ (data @ missed)))) @ vectors.T
    return float(((missed - learned @ features) ** 2).sum(axis=1)[-1])


def ridge(N: int, T: int, spectrum: np.ndarray, rng: np.random.Generator) -> float:
    """Test loss of least squares on random features."""
    root = np.sqrt(spectrum)
    features, x = rng.standard_normal((N, len(root))) / np.sqrt(N), rng.standard_normal((T, len(root))) * root
    theta = np.linalg.lstsq(x @ features.T, x.sum(axis=1), rcond=None)[0]
    return float(((root - (theta @ features) * root) ** 2).sum())


def simulations() -> Any:
    """Seconds cold and warm, those of the loop, and how far the means are apart in standard errors."""
    t, spectrum = np.geomspace(1, 1e4, 9), np.arange(1.0, 201.0) ** -1.5
    cases: dict[str, tuple[Callable[[], np.ndarray], Callable[[np.random.Generator], float]]] = {
        "SGD, 500 steps, 20 of 80 features": (
            lambda: papers.simulate_plrf(0.9, 0.7, d=20, v=80, steps=500, runs=RUNS)[:, -1],
            lambda rng: sgd(0.9, 0.7, 20, 80, 500, rng),
        ),
        "gradient flow, 30 features, 60 samples": (
            lambda: papers.simulate_flow(t, a=1.5, b=1.5, N=30, P=60, M=200, runs=RUNS)[:, -1],
            lambda rng: flow(t, 1.5, 1.5, 30, 60, 200, rng),
        ),
        "least squares, 30 features, 60 samples": (
            lambda: papers.simulate_feature_ridge(30, 60, spectrum, np.ones(200), runs=RUNS),
            lambda rng: ridge(30, 60, spectrum, rng),
        ),
    }
    lines = []
    for name, (together, one) in cases.items():
        cold, warm, found = timed(together)

        def loop(one: Callable[[np.random.Generator], float] = one) -> np.ndarray:
            rng = np.random.default_rng(0)
            return np.asarray([one(rng) for _ in range(RUNS)])

        _, each, looped = timed(loop, 1)
        apart = abs(found.mean() - looped.mean()) / np.sqrt((found.var() + looped.var()) / RUNS)
        lines.append([name, f"{cold:.2f}", f"{warm:.3f}", f"{each:.2f}", f"{each / warm:.1f}", f"{apart:.1f}"])
    head = ["simulation", "first call s", "warm s", "NumPy loop s", "times faster", "means apart, standard errors"]
    return show(f"{RUNS:,} simulations", head, lines)


if __name__ == "__main__":
    main()
