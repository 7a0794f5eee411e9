"""Simulation-based calibration of four posteriors, 200 simulated data sets each: ranks of the truth must be even.

The laws: one input, Chinchilla's five parameters, exponential data mixing (Ye et al. 2024), eight groups with partially pooled parameters.
"""

from __future__ import annotations

import sys
import time

import jax.numpy as jnp
import numpy as np

import scalejax as sj
from scalejax.core.table import Table

SIMULATIONS = 200


def _mixing() -> sj.Law:
    @sj.law(
        h=sj.Simplex(axis="domain"), c=sj.Positive(0.5, 3.0), k=sj.Positive(0.2, 2.0), t=sj.Real(-2.0, 2.0, axis="domain"),
        reference="Ye et al. 2024",
    )  # fmt: skip
    def exponential_mixing(h, *, c, k, t):
        """Loss over the shares h of the domains in the training data.

        loss = c + k exp(sum_i t_i h_i)
        """
        return c + k * jnp.exp(jnp.dot(t, h))

    return exponential_mixing


def cases() -> dict[str, tuple[sj.Law | str, dict, dict]]:
    """Name to law, inputs and arguments of `calibrate`."""
    rng = np.random.default_rng(0)
    N, ratio = 10 ** rng.uniform(7.5, 10.0, 40), 10 ** rng.uniform(0.5, 2.5, 40)
    groups = np.repeat(np.arange(8), [12, 12, 12, 8, 8, 6, 4, 3])
    x = np.concatenate([np.logspace(3, 7, n) for n in np.bincount(groups)])
    names = [f"g{g}" for g in groups]
    return {
        "power_law, 12 runs": ("power_law", {"x": np.logspace(3, 8, 12)}, {"likelihood": "normal"}),
        "chinchilla, 40 runs": ("chinchilla", {"N": N, "D": N * ratio}, {}),
        "mixing, 24 runs of 3 domains": (_mixing(), {"h": rng.dirichlet(np.ones(3), 24)}, {"likelihood": "normal"}),
        "power_law, 8 groups, pooled": ("power_law", {"x": x, "g": names}, {"by": "g", "share": ("E",), "likelihood": "normal"}),
    }


def main(simulations: int = SIMULATIONS) -> list[Table]:
    """One table a law."""
    tables = []
    for name, (law, inputs, arguments) in cases().items():
        begun = time.perf_counter()
        table = sj.calibrate(law, inputs, simulations=simulations, **arguments).table()
        tables.append(Table(table.header, table.rows, title=f"{name} ({time.perf_counter() - begun:.0f} s)", notes=table.notes))
        print(tables[-1].text(), flush=True)
    return tables


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SIMULATIONS)
