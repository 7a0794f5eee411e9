"""Do intervals of 50, 80, 90 and 95 % hold the truth as often as they say, for 12, 30, 100 and 300 runs?

Simulated studies: fresh designs, equal or uneven noise, thousands of data sets fitted in one batch. Real studies: few runs drawn from the
many of a public sweep, whose own optimum is the truth. Every cell is the share of studies whose interval holds the truth, averaged over
the quantities, and behind it the lowest and highest of them. The quantities are the parameters, the loss of a run ten times larger than
the largest that a design can hold, and the optimal N for 1e23 FLOP.

What it finds. With equal noise and least squares the residual bootstrap and Laplace's model covariance are within 3 points of nominal for
every quantity, from 12 to 300 runs, also with heavy tails and for a law of three parameters; the posterior is on average over them. With
noise of 1 % and 12 runs the bootstrap still is; Laplace is off by up to 7 points for single quantities, because their distribution is no
longer symmetric. With Huber's loss the residual bootstrap holds the truth up to 4 points too often (6 with heavy tails); Laplace is
within 4 from 30 runs on, and up to 6 points above at 12 (13 with noise of 1 %). Resampled runs ("cases") cover too much at 12 runs and,
with Huber's loss, up to 100; the sandwich covers too little below 100 runs. Where small runs are four times as noisy as large ones,
methods that assume equal noise are off by up to 9 points for single quantities (Huber: 12). On real sweeps they are far too narrow, and
only "cases" with the default loss covers as it says or a little more: hence the defaults.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

import scalejax as sj
from scalejax.core.errors import DataError
from scalejax.core.numeric.precision import double
from scalejax.posteriors.model.many import draws_of_sets, sets
from scalejax.posteriors.model.nuts import Settings
from scalejax.posteriors.model.setup import set_up, start_at

from .common import show

LEVELS = np.asarray([0.5, 0.8, 0.9, 0.95])
SIZES = (12, 30, 100, 300)
LOSSES = {"least squares": sj.squared(), "Huber 1e-3, the default": sj.huber(1e-3)}


@dataclass(frozen=True)
class Posteriors:
    """Draws of the posteriors of many sets: name to (draws, sets)."""

    params: dict[str, np.ndarray]


@double
def posteriors(fit: sj.Fit) -> Posteriors:
    """What `sj.sample` would give for every set of a fit, with default priors; normal for least squares, else Student's t."""
    groups, law = len(fit.groups), fit.law
    columns = {name: fit.runs[name].reshape(groups, -1) for name in (*law.inputs, law.output)}
    normal = fit.request.loss == sj.squared()
    setup = set_up(law, {name: v[0] for name, v in columns.items()}, likelihood="normal" if normal else "student_t", padded=False)
    residuals = np.reshape(fit.residuals, (groups, -1))
    starts = [start_at(setup, {name: fit.params[name][i] for name in law.parameters}, residuals[i]) for i in range(groups)]
    many = sets(setup.evidence, np.log(columns[law.output]), tuple(columns[name] for name in law.inputs))
    found, _ = draws_of_sets(setup.model, many, np.concatenate(starts), Settings(), draws=150, seed=0)
    return Posteriors({name: found[name].T for name in law.parameters})


# What is compared: a fit of many sets to draws of the same sets.
METHODS: dict[str, Callable[[sj.Fit], sj.Draws | Posteriors]] = {
    "bootstrap, cases": lambda fit: sj.bootstrap(fit, 200, kind="cases", progress=False),
    "bootstrap, residual": lambda fit: sj.bootstrap(fit, 200, kind="residual", progress=False),
    "Laplace, sandwich (default)": lambda fit: sj.laplace(fit, 1000),
    "Laplace, model": lambda fit: sj.laplace(fit, 1000, covariance="model"),
    "posterior (NUTS)": posteriors,
}

Inputs = Mapping[str, np.ndarray]


def plane(rng: np.random.Generator, count: int) -> Inputs:
    """Sizes over 2.6 decades, 2 to 200 tokens a parameter."""
    N = np.exp(rng.uniform(np.log(4e7), np.log(1.6e10), count))
    return {"N": N, "D": N * np.exp(rng.uniform(np.log(2), np.log(200), count))}


def line(rng: np.random.Generator, count: int) -> Inputs:
    """Four decades of one input."""
    return {"x": np.exp(rng.uniform(np.log(1e5), np.log(1e9), count))}


def normal(rng: np.random.Generator, inputs: Inputs) -> np.ndarray:
    """Equal normal noise of variance 1."""
    return rng.standard_normal(len(next(iter(inputs.values()))))


def heavy(rng: np.random.Generator, inputs: Inputs) -> np.ndarray:
    """Student's t with four degrees of freedom, of variance 1."""
    return rng.standard_t(4, len(next(iter(inputs.values())))) / np.sqrt(2)


def uneven(rng: np.random.Generator, inputs: Inputs) -> np.ndarray:
    """Normal noise whose standard deviation falls from 2 for the smallest runs to 1/2 for the largest."""
    size = np.log(next(iter(inputs.values())))
    return normal(rng, inputs) * 2 * 0.25 ** ((size - size.min()) / np.ptp(size))


@dataclass(frozen=True)
class World:
    """Where data sets come from.

    Attributes:
        law, truth: that the runs follow.
        ahead: inputs of the run that is predicted.
        design: inputs of so many runs. noise: their noise, in units of `scale` of the logarithm.
    """

    law: sj.Law = sj.laws.chinchilla
    truth: Mapping[str, float] = field(default_factory=lambda: sj.laws.chinchilla.published["besiroglu2024"])
    ahead: Mapping[str, float] = field(default_factory=lambda: {"N": 1.6e11, "D": 3.2e12})
    design: Callable[[np.random.Generator, int], Inputs] = plane
    noise: Callable[[np.random.Generator, Inputs], np.ndarray] = normal
    scale: float = 0.003

    def runs(self, count: int, n: int, seed: int) -> sj.Runs:
        """`count` data sets of n runs each, told apart by the column "simulation"."""
        rng = np.random.default_rng([n, seed])
        inputs = self.design(rng, count * n)
        loss = np.asarray(self.law(*inputs.values(), **self.truth)) * np.exp(self.scale * self.noise(rng, inputs))
        return sj.Runs({**inputs, self.law.output: loss, "simulation": np.repeat(np.arange(count), n)})


CURVE = World(sj.laws.power_law, {"E": 1.8, "A": 20.0, "alpha": 0.2}, {"x": 1e10}, line)
OTHERS = {
    "noise of 1 %": World(scale=0.01),
    "heavy tails (t, 4 degrees)": World(noise=heavy),
    "noise four times larger for small runs": World(noise=uneven),
    "power_law, 3 parameters": CURVE,
}


def quantities(law: sj.Law, params: Mapping[str, Any], ahead: Mapping[str, float]) -> dict[str, np.ndarray]:
    """All that intervals are judged on, for parameters of any shape; the optimal N as a logarithm."""
    with jax.enable_x64(True), np.errstate(all="ignore"):
        found = {name: np.asarray(value) for name, value in params.items()}
        found["loss ahead"] = np.asarray(law(*ahead.values(), **params))
        if law is sj.laws.chinchilla:
            a, b = found["alpha"], found["beta"]
            ratio = np.log(a) + np.log(found["A"]) - np.log(b) - np.log(found["B"])
            found["optimal N"] = (ratio + b * np.log(1e23 / 6)) / (a + b)
    return found


def coverage(fit: sj.Fit, truth: Mapping[str, float], ahead: Mapping[str, float], methods: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Method to shares (quantities, levels) of the sets whose central interval holds the truth."""
    wanted, out = quantities(fit.law, truth, ahead), {}
    shares = np.concatenate([0.5 - LEVELS / 2, 0.5 + LEVELS / 2])
    for method, draw in methods.items():
        found = quantities(fit.law, draw(fit).params, ahead)
        rows = []
        for name, draws in found.items():
            # The quantile at which truth and draws of one distribution are covered exactly, however few the draws.
            low, high = np.split(np.quantile(np.nan_to_num(draws, nan=np.inf), shares, axis=0, method="weibull"), 2)
            rows.append(((low <= wanted[name]) & (wanted[name] <= high)).mean(axis=1))
        out[method] = np.asarray(rows)
    return out


def fitted(law: sj.Law, runs: sj.Runs, loss: Any) -> sj.Fit:
    """Every simulation fitted; those that leave a parameter undetermined have no intervals and are left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = sj.fit(law, runs, loss=loss, by="simulation", starts=64, unidentified="warn")
    flat = [name for name, shape in zip(fit.groups, fit.curvature, strict=True) if shape.flat]
    if not flat:
        return fit
    print(f"note: {len(flat)} of {len(fit.groups)} data sets of {law.name} leave a parameter undetermined and are not counted")
    return fitted(law, runs.where(~np.isin(runs["simulation"], np.asarray(flat, dtype=float))), loss)


def cells(share: np.ndarray) -> list[str]:
    """Mean over the quantities, lowest and highest of them, in per cent."""
    return [f"{m:.1f} ({a:.0f} to {b:.0f})" for m, a, b in zip(*(100 * f(share, axis=0) for f in (np.mean, np.min, np.max)), strict=True)]


HEAD = ["method", "runs", *(f"{100 * level:g} %" for level in LEVELS)]


def simulated(count: int) -> list:
    """Equal normal noise: one table a loss."""
    tables = []
    for name, loss in LOSSES.items():
        world, found = World(), {}
        for n in SIZES:
            fit = fitted(world.law, world.runs(count, n, 0), loss)
            found[n] = coverage(fit, world.truth, world.ahead, METHODS)
        rows = [[method, str(n), *cells(found[n][method])] for method in METHODS for n in SIZES]
        tables.append(show(f"Coverage in %, chinchilla, equal normal noise of 0.3 %, {name}, {count:,} data sets", HEAD, rows))
    return tables


def other_worlds(count: int, sizes: tuple[int, ...] = (12, 30)) -> list:
    """What happens to the methods elsewhere."""
    tables = []
    for name, loss in LOSSES.items():
        rows = []
        for what, world in OTHERS.items():
            for n in sizes:
                fit = fitted(world.law, world.runs(count, n, 1), loss)
                found = coverage(fit, world.truth, world.ahead, METHODS)
                rows += [[what, method, str(n), *cells(share)] for method, share in found.items()]
        tables.append(show(f"Coverage in % elsewhere, {name}, {count:,} data sets", ["what is different", *HEAD], rows))
    return tables


def real_runs() -> dict[str, sj.Runs]:
    """Public sweeps of a hundred runs and more."""
    chinchilla, iso = sj.datasets.load("chinchilla_epoch"), sj.datasets.load("isoflops_openathena")
    iso = iso.where(iso["outlier"].astype(str) != "True")
    named = {
        "misfitting": "misfitting__fineweb_c4__transformer",
        "Llama 3": "llama_3__raw_loss",
        "Marin": "marin_202603__nemotron__llama_2",
    }
    return {
        "Chinchilla": chinchilla.where(~chinchilla.excluded),
        **{name: iso.where(iso["experiment"] == experiment) for name, experiment in named.items()},
    }


def real(count: int, n: int = 30) -> list:
    """Few runs drawn with replacement from a public sweep, judged by the optimum of the whole."""
    try:
        sweeps = real_runs()
    except DataError as error:
        print(f"note: no coverage on real runs ({error})")
        return []
    tables, law = [], sj.laws.chinchilla
    for name, loss in LOSSES.items():
        rows = []
        for sweep, runs in sweeps.items():
            whole = sj.fit(law, runs, loss=loss)
            drawn = runs.take(np.random.default_rng(0).integers(0, len(runs), count * n))
            columns = {k: drawn[k] for k in (*law.inputs, law.output)}
            fit = fitted(law, sj.Runs({**columns, "simulation": np.repeat(np.arange(count), n)}), loss)
            ahead = {k: 10 * v for k, v in zip(law.inputs, (runs["N"].max(), runs["D"].max()), strict=True)}
            rows += [[sweep, method, str(n), *cells(s)] for method, s in coverage(fit, whole.params, ahead, METHODS).items()]
        tables.append(show(f"Coverage in %, {n} of a public sweep's runs, {name}, {count:,} draws", ["sweep", *HEAD], rows))
    return tables


def main(count: int = 2000) -> list:
    """All tables; `count` data sets a number of runs, fewer in the side tables."""
    begun = time.perf_counter()
    tables = [*simulated(count), *other_worlds(count // 4), *real(count // 4)]
    print(f"{time.perf_counter() - begun:.0f} s")
    return tables


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
