"""How fast, and how right, is a joint fit of laws in a chain? One loss of size and tokens, eight accuracies that follow it.

Simulated: 120 runs with losses (noise 1 %), 40 of them with the accuracies of eight tasks (noise 0.02), each a sigmoid of the loss with
four parameters of its own: 37 parameters and nine noise levels, found together by maximum likelihood. scipy minimises the same likelihood,
noise profiled out, by BFGS with exact gradients (compiled by JAX, too): once from the truth, which nobody knows, and from 20 starts around
it, of which is counted how many arrive. Stage by stage is what papers do: the loss first, then every task. First calls compile; a cache of
compiled programs must be empty (or off) for them to be cold. Run alone: `python -m benchmarks.chain`.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

import scalejax as sj

from .common import show, timed

TASKS = tuple(f"task_{i}" for i in range(8))
FIRST = {"E": 1.8, "A": 400.0, "alpha": 0.34, "B": 1000.0, "beta": 0.3}
NOISE = 0.01, 0.02
STARTS = 20  # of scipy, at most


@sj.law(output="accuracy", loss=sj.Positive(0.5, 5), L_0=sj.Unit(), r=sj.Unit(), k=sj.Positive(0.5, 50), x_0=sj.Positive(0.5, 5))
def sigmoid(loss, *, L_0, r, k, x_0):
    """Accuracy that falls with the loss from L_0 + r (1 - L_0) to L_0."""
    return L_0 + r * (1 - L_0) * jax.nn.sigmoid(-k * (loss - x_0))


CHAIN = sj.chain(loss=sj.laws.chinchilla, **dict.fromkeys(TASKS, sigmoid))
ON = {"loss": "log", **dict.fromkeys(TASKS, "linear")}


def truth() -> dict[str, float]:
    """Parameters of the chain by name."""
    rng, out = np.random.default_rng(1), dict(FIRST)
    for task in TASKS:
        own = {"L_0": rng.uniform(0.1, 0.4), "r": rng.uniform(0.6, 0.9), "k": rng.uniform(3, 6), "x_0": rng.uniform(2.5, 3.2)}
        out |= {f"{task}_{name}": value for name, value in own.items()}
    return out


def simulated(runs: int = 120, complete: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    """Losses of all runs and accuracies of some."""
    rng, p = np.random.default_rng(seed), truth()
    N, D = 10 ** rng.uniform(7.5, 10, runs), 10 ** rng.uniform(9.5, 11.5, runs)
    table = {"N": N, "D": D}
    for name in CHAIN.outputs:
        exact = np.asarray(CHAIN.of(name)(N, D, **p))
        table[name] = (
            exact * np.exp(NOISE[0] * rng.standard_normal(runs)) if name == "loss" else exact + NOISE[1] * rng.standard_normal(runs)
        )
        table[name][complete:] = table[name][complete:] if name == "loss" else np.nan
    return table


def likelihood(table: dict[str, np.ndarray]) -> Any:
    """Negative log likelihood of unconstrained parameters (37,), with the noise of every stage at its best, and its gradient."""
    N, D, seen = jnp.asarray(table["N"]), jnp.asarray(table["D"]), int(np.isfinite(table[TASKS[0]]).sum())
    y = jnp.asarray(np.stack([table[task][:seen] for task in TASKS]))

    def value(u: Any) -> Any:
        E, A, alpha, B, beta = jnp.exp(u[:5])
        loss = E + A * N**-alpha + B * D**-beta
        own = u[5:].reshape(len(TASKS), 4, 1)
        L_0, r, k, x_0 = jax.nn.sigmoid(own[:, 0]), jax.nn.sigmoid(own[:, 1]), jnp.exp(own[:, 2]), jnp.exp(own[:, 3])
        accuracy = L_0 + r * (1 - L_0) * jax.nn.sigmoid(-k * (loss[:seen] - x_0))
        first = 0.5 * len(N) * jnp.log(jnp.mean((jnp.log(table["loss"]) - jnp.log(loss)) ** 2))
        return first + 0.5 * seen * jnp.sum(jnp.log(jnp.mean((y - accuracy) ** 2, axis=1)))

    return jax.jit(jax.value_and_grad(value))


def unconstrained(p: dict[str, float]) -> np.ndarray:
    """What scipy moves, from parameters by name."""
    out = [np.log(p[name]) for name in FIRST]
    for task in TASKS:
        L_0, r, k, x_0 = (p[f"{task}_{name}"] for name in ("L_0", "r", "k", "x_0"))
        out += [np.log(L_0 / (1 - L_0)), np.log(r / (1 - r)), np.log(k), np.log(x_0)]
    return np.asarray(out)


def by_scipy(function: Any, start: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Seconds, objective and place of scipy's optimum."""
    begun = time.perf_counter()
    found = optimize.minimize(
        lambda u: tuple(map(np.asarray, function(u))), start, jac=True, method="BFGS", options={"gtol": 1e-6, "maxiter": 5000}
    )
    return time.perf_counter() - begun, float(found.fun), found.x


def main() -> list:
    """The table."""
    with warnings.catch_warnings(), jax.enable_x64(True):
        warnings.simplefilter("ignore")
        return [joint()]


def joint():
    """Chain, chain stage by stage, and scipy."""
    table, exact = simulated(), truth()
    function = likelihood(table)
    lines = []
    optimum = None
    for name, how in (("fit, all stages at once", {}), ("fit, stage by stage", {"staged": True})):
        first, warm, fit = timed(lambda how=how: sj.fit(CHAIN, table, on=ON, **how), repeat=2)
        value = float(function(unconstrained(fit.params))[0])
        optimum = value if optimum is None else optimum
        error = np.abs(fit.predict(N=2e10, D=5e11, output=TASKS[0]) - CHAIN.of(TASKS[0])(2e10, 5e11, **exact))
        lines.append(
            [
                name,
                f"{first:.1f}",
                f"{warm:.2f}",
                f"{value - optimum:.2e}",
                f"{fit.starts.agreeing} of {fit.starts.refined}",
                f"{error:.4f}",
            ]
        )
    first, warm, draws = timed(lambda: sj.bootstrap(sj.fit(CHAIN, table, on=ON), 200), repeat=1)
    lines.append(["fit and 200 bootstraps of runs", f"{first:.1f}", f"{warm:.2f}", "", f"{draws.failed} failed", ""])
    begun = time.perf_counter()
    function(unconstrained(exact))
    compiled = time.perf_counter() - begun
    seconds, value, _ = by_scipy(function, unconstrained(exact))
    lines.append(["scipy BFGS, from the truth", f"{seconds + compiled:.1f}", f"{seconds:.2f}", f"{value - optimum:.2e}", "1", ""])
    rng, total, reached = np.random.default_rng(0), 0.0, 0
    for _ in range(STARTS):
        start = unconstrained(exact) + 0.7 * rng.standard_normal(len(exact))
        seconds, value, _ = by_scipy(function, start)
        total, reached = total + seconds, reached + (value < optimum + 1e-4)
    lines.append([f"scipy BFGS, {STARTS} starts around it", "", f"{total:.1f}", "", f"{reached} of {STARTS} arrive", ""])
    head = ["", "first call s", "warm s", "-log likelihood above the joint optimum", "starts that agree", "error of one prediction"]
    return show("A loss and eight accuracies that follow it: 120 runs, 40 with accuracies, 37 parameters", head, lines)


if __name__ == "__main__":
    main()
