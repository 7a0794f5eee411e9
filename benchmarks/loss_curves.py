"""How fast is the multi-power law fitted to three curves of 24,000 steps, beside the authors' recipe in plain NumPy and scipy?

All minimise the summed Huber loss (delta 1e-3) of log residuals, in this process, on the same observations. The authors' recipe: L-BFGS-B
with numerical gradients from 135 starts on the law in which a fall acts at once, then AdamW until 20 steps did not help; ours is
`recipe="luo2025"`. To the optimum: L-BFGS-B on scaled parameters beside `sj.fit`, from the same start. In plain NumPy the double sum is
evaluated as it stands, with its derivatives, which is less work than automatic differentiation. Without the public curves, curves are
simulated.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

import scalejax as sj
from scalejax import schedules as s

from .common import show, timed

NAMES = ("L0", "A", "alpha", "B", "C", "beta", "gamma")
START = {"L0": 3.0, "A": 0.5, "alpha": 0.5, "B": 400.0, "C": 1.0, "beta": 0.5, "gamma": 0.5}
WARMUP, PEAK, DELTA = 2160, 3e-4, 1e-3
RATES = {
    "cosine_24000": s.with_warmup(s.cosine(24000 - WARMUP, PEAK, 3e-5), WARMUP),
    "constant_24000": s.with_warmup(s.constant(24000 - WARMUP, PEAK), WARMUP),
    "wsdcon_9": s.with_warmup(s.join(s.constant(8000 - WARMUP, PEAK), s.constant(8000, 9e-5)), WARMUP),
}


class Curve(NamedTuple):
    """Rates of all steps, their sums, observed steps, and losses there."""

    eta: np.ndarray
    S: np.ndarray
    t: np.ndarray
    loss: np.ndarray


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


def curves(table: sj.Runs) -> list[Curve]:
    """The observations of every run."""
    used = table.masks["loss"]
    return [
        Curve(RATES[run], np.cumsum(RATES[run]), table["t"][i][used[i]].astype(int), table["loss"][i][used[i]])
        for i, run in enumerate(map(str, table["run"]))
    ]


def huber(predicted: np.ndarray, loss: np.ndarray) -> tuple[float, np.ndarray]:
    """Summed loss of log residuals, and its derivatives by the predictions."""
    predicted = np.maximum(predicted, 1e-9)
    r = np.log(predicted) - np.log(loss)
    size = np.abs(r)
    value = np.where(size <= DELTA, 0.5 * r**2, DELTA * (size - 0.5 * DELTA))
    return float(value.sum()), np.clip(r, -DELTA, DELTA) / predicted


def double_sums(curve: Curve, C: float, beta: float, gamma: float) -> np.ndarray:
    """(4, observations) the double sum of the law, one row of terms for every observation, and its derivatives by C, beta and gamma."""
    log_eta, fallen = np.log(curve.eta[1:]), curve.eta[:-1] - curve.eta[1:]
    sharpness = np.exp(-gamma * log_eta)
    sums = np.empty((4, len(curve.t)))
    for i, k in enumerate(curve.t):
        x = sharpness[:k] * (curve.S[k] - curve.S[:k])
        log_u = np.log1p(C * x)
        left = np.exp(-beta * log_u)
        slope = beta * left / (1 + C * x) * x
        sums[:, i] = fallen[:k] @ np.stack([1 - left, slope, left * log_u, -C * slope * log_eta[:k]], axis=1)
    return sums


def objective(x: np.ndarray, data: list[Curve]) -> tuple[float, np.ndarray]:
    """The objective and its gradient."""
    L0, A, alpha, B, C, beta, gamma = x
    total, gradient = 0.0, np.zeros(7)
    for curve in data:
        drop, *slopes = double_sums(curve, C, beta, gamma)
        S = curve.S[curve.t]
        value, psi = huber(L0 + A * S**-alpha - B * drop, curve.loss)
        columns = [np.ones_like(S), S**-alpha, -A * S**-alpha * np.log(S), -drop, *(-B * slope for slope in slopes)]
        total, gradient = total + value, gradient + np.stack(columns) @ psi
    return total, gradient


def at_once(x: np.ndarray, data: list[Curve]) -> float:
    """The objective of the law in which a fall acts at once."""
    L0, A, alpha, B = x
    return sum(huber(L0 + A * c.S[c.t] ** -alpha - B * (PEAK - c.eta[c.t]), c.loss)[0] for c in data)


def first_stage(data: list[Curve]) -> np.ndarray:
    """L0, A, alpha and B of the best of 135 starts around a line through the logarithms."""
    least = min(c.loss.min() for c in data)
    log_S, log_loss = (
        np.concatenate(part) for part in zip(*((np.log(c.S[c.t]), np.log(c.loss - least + 0.01)) for c in data), strict=True)
    )
    slope, intercept = np.polyfit(log_S, log_loss, 1)
    A, around = np.exp(intercept), [-0.1, 0.0, 0.1]
    grid = itertools.product(least + np.linspace(-0.2, 0.2, 5), A + around, -slope + np.array(around), [100.0, 550.0, 1000.0])
    settings = {"maxiter": 100_000, "ftol": 1e-9, "gtol": 1e-6}
    ends = [minimize(at_once, start, (data,), method="L-BFGS-B", bounds=[(0, np.inf)] * 4, options=settings) for start in grid]
    return min(ends, key=lambda end: end.fun).x


def adamw(
    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]], x: np.ndarray, steps: int = 200
) -> Iterable[tuple[float, np.ndarray]]:
    """Objective and parameters before every step."""
    rate = np.where(np.isin(NAMES, ("alpha", "beta", "gamma")), 5e-3, 5e-2)
    mean = square = np.zeros(len(x))
    for k in range(1, steps + 1):
        value, gradient = value_and_gradient(x)
        yield value, x
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        step = mean / (1 - 0.9**k) / (np.sqrt(square / (1 - 0.999**k)) + 1e-8)
        x = x - rate * (0.01 * x + step)


def recipe(data: list[Curve], patience: int = 20) -> tuple[float, int]:
    """The authors' recipe: least objective and AdamW's evaluations."""
    begin = np.concatenate([first_stage(data), [1.0, 0.5, 0.5]])
    best, since, count = np.inf, 0, 0
    for value, _ in adamw(lambda x: objective(x, data), begin):
        since, best, count = (0 if value < best else since + 1), min(best, value), count + 1
        if since >= patience:
            break
    return best, count


def to_the_optimum(data: list[Curve], evaluations: int) -> tuple[float, int]:
    """Objective and evaluations of L-BFGS-B with exact gradients."""
    scale = np.array([START[name] for name in NAMES])

    def scaled(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = objective(x * scale, data)
        return 1e3 * value, 1e3 * gradient * scale  # its tolerances are absolute below 1

    limits = [(1e-3, 10.0)] * len(NAMES)
    found = minimize(scaled, np.ones(len(NAMES)), method="L-BFGS-B", jac=True, bounds=limits, options={"maxfun": evaluations})
    return 1e-3 * float(found.fun), int(found.nfev)


def pair(what: str, plain: Callable[[], tuple[float, int]], ours: Callable[[], Any]) -> list[list[str]]:
    """Two rows: plain NumPy, and ours when compiled."""
    spent, _, (value, count) = timed(plain, repeat=0)
    first, seconds, fit = timed(ours, repeat=2)
    return [
        [f"{what}, NumPy and scipy", f"{spent:.1f}", "1", f"{value:.4e}", str(count), ""],
        [f"{what}, sj.fit", f"{seconds:.2f}", f"{spent / seconds:.0f}", f"{fit.objective:.4e}", "", f"{first - seconds:.1f}"],
    ]


def main(evaluations: int = 200) -> list:
    """The comparison; returns the table."""
    table = runs()
    data = curves(table)
    rows = pair("authors' recipe", lambda: recipe(data), lambda: sj.fit(None, table, recipe="luo2025"))
    rows += pair(
        "to the optimum",
        lambda: to_the_optimum(data, evaluations),
        lambda: sj.fit(sj.laws.multi_power, table, starts=[START], unidentified="warn"),
    )
    title = "Seven parameters of the multi-power law, three curves of 24,000 steps"
    return [show(title, ["method", "s", "times faster", "objective", "evaluations", "compile s"], rows)]


if __name__ == "__main__":
    main()
