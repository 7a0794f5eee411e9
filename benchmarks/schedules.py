"""How soon is the best schedule of 24,000 steps found under the multi-power law, and how good is it, beside the authors' recipe?

Both minimise the loss that the law (25M parameters, the repository's constants, changes of the warm-up not counted) predicts for the last
step, over schedules of 21,840 steps after the warm-up that never rise. The recipe is written plainly with `jax.grad` and optax: the
variables are the falls of the rate, Adam at a rate of 5e-9 takes 10,000 iterations from a constant rate, and after each of them falls are
brought back between 0 and the peak and to 0 where the rate has met its floor. All in one process but the cold start, which is a new process
that imports scalejax, compiles and searches. Seconds of the processor are those that a busy machine does not lengthen.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

import scalejax as sj

from .common import show

STEPS, WARMUP, PEAK, FLOOR = 24_000, 2160, 3e-4, 1e-10
RATE, ITERATIONS = 5e-9, 10_000
PUBLISHED = 3.149677  # predicted loss of the authors' optimised schedule, from their logs
LAW = sj.laws.multi_power
VALUES = LAW.published["luo2025_25M"]

COLD = f"""
import time
begun = time.perf_counter()
import scalejax as sj
law = sj.laws.multi_power
sj.optimal_schedule((law, law.published["luo2025_25M"]), steps={STEPS}, peak={PEAK}, warmup={WARMUP})
print(time.perf_counter() - begun, time.process_time())
"""


class Timed(NamedTuple):
    """Seconds on the clock and of the processor, and the predicted loss."""

    wall: float
    processor: float
    loss: float

    def row(self, name: str, than: float) -> list[str]:
        return [name, f"{self.wall:.2f}", f"{self.processor:.2f}", f"{than / self.processor:.1f}", f"{self.loss:.6f}"]


def cold(loss: float) -> Timed:
    """In a process that has done nothing yet, its import of scalejax included."""
    done = subprocess.run([sys.executable, "-c", COLD], capture_output=True, text=True, check=True)
    wall, processor = map(float, done.stdout.split())
    return Timed(wall, processor, loss)


def ours() -> sj.OptimalSchedule:
    """The schedule of `sj.optimal_schedule` with its defaults."""
    return sj.optimal_schedule((LAW, VALUES), steps=STEPS, peak=PEAK, warmup=WARMUP)


def ramp(eta: jax.Array) -> jax.Array:
    return jnp.concatenate([jnp.linspace(0.0, PEAK, WARMUP), eta])


def recipe(iterations: int = ITERATIONS) -> Timed:
    """The loop without its compilation."""

    def rates(fallen: jax.Array) -> jax.Array:
        return jnp.clip(PEAK - jnp.cumsum(fallen), FLOOR, PEAK)

    def loss(fallen: jax.Array) -> jax.Array:
        return LAW.function(ramp(rates(fallen)), jnp.asarray(STEPS - 1.0), float(WARMUP), **VALUES)

    solver = optax.adam(RATE)

    @jax.jit
    def step(fallen: jax.Array, state: optax.OptState) -> tuple[jax.Array, optax.OptState]:
        updates, state = solver.update(jax.grad(loss)(fallen), state)
        fallen = jnp.clip(optax.apply_updates(fallen, updates), 0.0, PEAK)
        return jnp.where(rates(fallen) <= FLOOR, 0.0, fallen), state

    with jax.enable_x64(True):
        fallen = jnp.zeros(STEPS - WARMUP)
        state = solver.init(fallen)
        step(fallen, state)
        begun = time.perf_counter(), time.process_time()
        for _ in range(iterations):
            fallen, state = step(fallen, state)
        return Timed(time.perf_counter() - begun[0], time.process_time() - begun[1], float(jax.jit(loss)(fallen)))


def main(iterations: int = ITERATIONS) -> list:
    """The comparison; returns the table."""
    best = ours()
    begun = time.perf_counter(), time.process_time()
    again = ours()
    warm = Timed(time.perf_counter() - begun[0], time.process_time() - begun[1], again.loss)
    plain = recipe(iterations)
    than = plain.processor
    rows = [
        plain.row(f"jax.grad and optax.adam on the falls, {iterations} iterations", than),
        warm.row("sj.optimal_schedule, again in this process", than),
        cold(best.loss).row("sj.optimal_schedule, new process, import included", than),
        ["published optimised schedule", "", "", "", f"{PUBLISHED:.6f}"],
        *([name, "", "", "", f"{loss:.6f}"] for name, loss in sorted(best.others.items(), key=lambda item: item[1])),
    ]
    title = f"Schedule of {STEPS} steps with the lowest loss under the multi-power law"
    return [show(title, ["method", "s", "CPU s", "times less CPU", "predicted loss"], rows)]


if __name__ == "__main__":
    main()
