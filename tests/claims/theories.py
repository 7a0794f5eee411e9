"""Theories of scaling with solvable models: random features, SGD on them, spectral algorithms, sketches."""

from __future__ import annotations

from functools import cache

import numpy as np

import scalejax as sj
from scalejax import formulas, laws, papers

from .claim import Claim, Unchecked

# What the library has of each paper.
PROVIDES = {
    "explaining_scaling": ("papers.limited_by", "papers.spectrum_exponent", "formulas.resolution_exponent", "papers.feature_ridge_loss"),
    "dynamical_model": ("laws.bottlenecks", "formulas.bottleneck_exponents", "papers.flow_loss", "papers.simulate_flow"),
    "solvable_model": ("papers.feature_ridge_loss", "papers.simulate_feature_ridge"),
    "plrf_phases": (
        "formulas.plrf_exponents",
        "papers.plrf_phase",
        "papers.plrf_loss",
        "papers.plrf_optimum",
        "papers.simulate_plrf",
    ),
    "spectral_algorithms": ("papers.spectral_error", "papers.ridge_filter", "papers.flow_filter"),
    "sketched_ridgeless": ("laws.sketched_ridgeless", "laws.sketched_ridgeless_iid", "formulas.optimal_sketch"),
}

_NEAR = "the tolerance is 5 %, for sizes that are finite"
# Phase of the plane to a point inside of it, and the exponents of size and loss that the paper's table gives there.
_PHASES = {
    "Ia": ((1.0, 0.3), 1 / 3, 8 / 15),
    "Ib": ((0.4, 0.3), 1 / 2, 1 / 5),
    "Ic": ((0.2, 0.8), 25 / 44, 5 / 22),
    "II": ((1.0, 0.7), 7 / 17, 12 / 17),
    "III": ((0.7, 1.2), 1 / 2, 9 / 14),
    "IVa": ((0.4, 0.8), 1 / 2, 2 / 5),
    "IVb": ((0.27, 0.7), 0.43 / 0.752, 0.46 * 0.94 / 1.504),
}


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Power of x in y, fitted."""
    return float(sj.fit(laws.power_law, sj.read_runs({"x": x, "loss": y}), fix={"E": 0.0}).params["alpha"])


@cache
def _frontier(phase: str) -> list[float]:
    """Fitted exponents of best size and least loss at 1e14 to 1e16 steps times features."""
    (alpha, beta), *_ = _PHASES[phase]
    f = np.geomspace(1e14, 1e16, 5)
    best = papers.plrf_optimum(f, alpha=alpha, beta=beta)
    return [_slope(f, 1 / best["d"]), _slope(f, best["loss"])]


def _bottlenecks(a: float, b: float) -> list[float]:
    """Fitted exponents of the loss in time, size and data, where each alone limits it."""
    n = np.geomspace(1e3, 1e5, 5)
    late = 1e3 * n**b
    by_time, by_size = papers.flow_loss(n, a=a, b=b), papers.flow_loss(late, a=a, b=b, N=n)
    return [_slope(n, by_time), _slope(n, by_size), _slope(n, papers.flow_loss(late, a=a, b=b, P=n))]


def _ridgeless(alpha: float) -> list[float]:
    """Fitted exponents in features and in samples on 10^5 modes."""
    k, n = np.arange(1.0, 1e5 + 1), np.geomspace(20, 200, 5)
    return [_slope(n, papers.feature_ridge_loss(*pair, k ** -(1 + alpha), np.ones(len(k)))) for pair in ((n, 1e9), (1e9, n))]


def _approach() -> list[float]:
    """Exponents with which the loss reaches its limit in data at 30 features, and in features at 30 samples."""
    k, x = np.arange(1.0, 1e4 + 1), np.geomspace(3e4, 3e5, 5)
    found = []
    for pair, last in (((30.0, x), (30.0, 1e12)), ((x, 30.0), (1e12, 30.0))):
        loss, limit = (papers.feature_ridge_loss(*at, k**-1.5, np.ones(len(k))) for at in (pair, last))
        found.append(papers.limited_by(x, loss, float(limit)).exponent)
    return found


def _rate(h, nu: float, kappa: float, sigma2: float) -> float:
    n = np.array([256, 512, 1024, 2048])
    return _slope(n.astype(float), np.array([papers.spectral_error(h, int(N), nu=nu, kappa=kappa, sigma2=sigma2) for N in n]))


def _best_sketch(n: float, p: float, alpha2: float, sigma2: float) -> list[float]:
    """Rows and risk of the best of all sketches, by a search over the law."""
    m = np.arange(1.0, n + 1)
    risk = laws.sketched_ridgeless(m, p, alpha2=alpha2, sigma2=sigma2)
    return [float(m[np.argmin(risk)]), float(risk.min())]


CLAIMS: list[Claim | Unchecked] = [
    Claim(
        "dynamical_model", "CIFAR-5M, Wide ResNet at initialisation, b = 2.0 and a - 1 = 0.15: exponent of the least loss in compute", 0.05,
        lambda: formulas.bottleneck_exponents(1.15, b=2.0)["compute"], 0.005,
    ),
    *(
        Claim(
            "dynamical_model", f"a = {a}, b = {b}: fitted exponents of simulated losses in time, size and data",
            [(a - 1) / b, a - 1, a - 1], lambda a=a, b=b: _bottlenecks(a, b),
            [0.05 * (a - 1) / b, 0.05 * (a - 1), 0.05 * (a - 1)], note=_NEAR,
        )
        for a, b in ((1.5, 1.25), (1.5, 2.0), (2.0, 1.5))
    ),
    Claim(
        "dynamical_model", "a - 1 = 4, b = 1.2: fitted exponents in size and data", [1.2, 2.4], lambda: _bottlenecks(5.0, 1.2)[1:], 0.06,
        kind="corrected",
        note="min(a - 1, 2 b) is printed for both; the best of N random features leaves sum k^-a kappa / (k^-b + kappa), kappa ~ N^-b",
    ),
    *(
        Claim(
            "solvable_model", f"spectrum k^-{1 + alpha}: fitted exponents of the loss in features and in samples", [alpha, alpha],
            lambda alpha=alpha: _ridgeless(alpha), 0.05 * alpha, note=_NEAR,
        )
        for alpha in (0.5, 1.0)
    ),
    *(
        Claim(
            "plrf_phases", f"phase {phase}, alpha = {point[0]}, beta = {point[1]}: fitted exponents of best size and least loss in compute",
            [xi, eta], lambda phase=phase: _frontier(phase), [0.05 * xi, 0.05 * eta], note=_NEAR,
        )
        for phase, (point, xi, eta) in _PHASES.items()
    ),
    Claim(
        "explaining_scaling", "variance-limited exponents in data and in width, of a task with exponent 0.5", [1.0, 1.0], _approach, 0.05,
        note=_NEAR,
    ),
    Claim(
        "spectral_algorithms", "noise, kappa = 1, nu = 1.5: fitted exponent of the best filter, kappa / (kappa + 1)", 0.5,
        lambda: _rate(None, 1.5, 1.0, 1.0), 0.025, note=_NEAR,
    ),
    Claim(
        "spectral_algorithms", "no noise, no penalty: fitted exponents min(kappa, 2 nu) for (kappa, nu) = (1, 1.5) and (4, 1.2)",
        [1.0, 2.4], lambda: [_rate(papers.ridge_filter(0.0), nu, kappa, 0.0) for kappa, nu in ((1.0, 1.5), (4.0, 1.2))],
        [0.05, 0.12], note=_NEAR,
    ),
    Claim(
        "sketched_ridgeless", "p = n = 1000, alpha^2 = 4, sigma^2 = 1: best rows and risk of a search, beside p (1 - sigma / alpha)",
        [500.0, 3.0], lambda: _best_sketch(1000.0, 1000.0, 4.0, 1.0), [0.5, 1e-6],
    ),
]  # fmt: skip
