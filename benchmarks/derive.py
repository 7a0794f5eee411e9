"""What does `derive` cost over thousands of draws of a formula with an array argument, beside a Python loop in NumPy?"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import scalejax as sj

from .common import chinchilla_runs, show, timed

DRAWS = 4000


def main() -> list:
    """All questions; returns the tables."""
    return [formulas()]


def best_loss(A, alpha, B, beta, E, N):
    """Loss of the best run with N parameters, as one writes it."""
    D = (beta * B / (alpha * A)) ** (1 / beta) * N ** (alpha / beta)
    return E + A * N**-alpha + B * D**-beta


def best_loss_in_logs(A, alpha, B, beta, E, N):
    """The same without powers, which XLA computes one by one."""
    n = jnp.log(N)
    d = (jnp.log(beta * B / (alpha * A)) + alpha * n) / beta
    return E + A * jnp.exp(-alpha * n) + B * jnp.exp(-beta * d)


def slope(law, N):
    """Elasticity of the loss in the parameters at 20 tokens each, by automatic differentiation through the law."""
    return jax.vmap(jax.grad(lambda n, D: jnp.log(law(jnp.exp(n), D))))(jnp.log(N), 20 * N)


def slope_by_hand(A, alpha, B, beta, E, N):
    """The same in closed form."""
    term = A * N**-alpha
    return -alpha * term / (E + term + B * (20 * N) ** -beta)


def formulas() -> Any:
    """Seconds cold and warm, those of the loop over draws, and how far the two are apart."""
    fit = sj.fit("chinchilla", chinchilla_runs(), loss=sj.huber(1e-3), starts=128)
    draws = sj.bootstrap(fit, DRAWS, progress=False)
    rows = [{name: float(values[i]) for name, values in draws.params.items()} for i in range(DRAWS)]
    lines = []
    for function, by_hand in ((best_loss, best_loss), (best_loss_in_logs, best_loss), (slope, slope_by_hand)):
        for points in (8, 256):
            N = np.geomspace(1e8, 1e12, points)
            cold, warm, found = timed(lambda f=function, N=N: sj.derive(draws, f, N=N).draws["value"], 5)
            _, loop, looped = timed(lambda f=by_hand, N=N: np.stack([f(N=N, **row) for row in rows]), 5)
            apart = np.max(np.abs(found / looped - 1))
            lines.append(
                [function.__name__, f"{points}", f"{cold:.3f}", f"{warm:.4f}", f"{loop:.3f}", f"{loop / warm:.1f}", f"{apart:.0e}"]
            )
    head = ["formula", "sizes", "first call s", "warm s", "NumPy loop s", "times faster", "relative difference"]
    return show(f"derive over {DRAWS:,} draws", head, lines)


if __name__ == "__main__":
    main()
