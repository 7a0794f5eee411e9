"""Do experiments borrow from each other? Published isoFLOP experiments fitted apart, with shared exponents, and partially pooled.

Data: Open-Athena's collection of isoFLOP runs (eight experiments: Chinchilla as digitised twice, Llama 3 in two units, Marin on three
corpora, misfitting), without the runs that its authors flag. Held out are each experiment's runs at its largest budget, always the same;
kept are all other budgets, only the smaller half of them, or twelve runs of each experiment drawn at random from the others. In the joint
fits each experiment has a scale of the noise of its own. The law is Chinchilla's with both terms counted at a billion parameters and
twenty billion tokens: there a term does not depend on its exponent, so that experiments of different exponents still have terms of
similar size, which is what pooling needs. Scores are of the loss of a new run.
Run alone: `python -m benchmarks.hierarchy`.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

import scalejax as sj
from scalejax.core.errors import ConvergenceWarning, DataError
from scalejax.core.table import Table
from scalejax.posteriors.likelihoods import Likelihood

from .common import show

DRAWS = 500  # of each of four chains
FEW = 12  # runs of an experiment, of which five parameters and the noise can hardly be told
POOLED = "pooled"
MODELS: Mapping[str, dict[str, Any]] = {
    "separate": {"pool": ()},
    POOLED: {},
    "shared exponents, rest pooled": {"share": ("alpha", "beta")},
}


@sj.law(
    N=sj.Positive(1e6, 1e12), D=sj.Positive(1e8, 1e13), E=sj.Positive(0.1, 5), a=sj.Positive(0.02, 2), b=sj.Positive(0.02, 2),
    alpha=sj.Positive(0.05, 1.5), beta=sj.Positive(0.05, 1.5),
)  # fmt: skip
def at_reference(N, D, *, E, a, alpha, b, beta):
    """Chinchilla's law with its terms counted at a billion parameters and twenty billion tokens, in the unit of the loss."""
    return E + a * (N / 1e9) ** -alpha + b * (D / 2e10) ** -beta


@dataclass(frozen=True)
class OwnNoise(Likelihood):
    """Student-t residuals with a scale of its own for each experiment: experiments differ in it by a factor of three."""

    experiments: tuple[str, ...]

    def priors(self, size: float) -> dict[str, Any]:
        import numpyro.distributions as dist

        scale = dist.LogNormal(float(np.log(size)), 1.5).expand([len(self.experiments)]).to_event(1)
        return {"sigma": scale, "nu": dist.Gamma(2.0, 0.1)}

    def start(self, residuals: np.ndarray) -> dict[str, Any]:
        return {"sigma": np.full(len(self.experiments), 1.4826 * np.median(np.abs(residuals))), "nu": 5.0}

    def rows(self, runs: sj.Runs, index: np.ndarray) -> dict[str, np.ndarray]:
        return {"experiment": np.asarray([self.experiments.index(name) for name in runs["experiment"][index]])}

    def distribution(self, noise: Mapping[str, Any], predicted: Any, rows: Mapping[str, Any]) -> Any:
        import numpyro.distributions as dist

        return dist.StudentT(noise["nu"], predicted, noise["sigma"][rows["experiment"]])


class Scores(NamedTuple):
    """Of held-out runs, each (runs,): log predictive density of the loss, error of its logarithm, probability of a smaller loss."""

    lpd: np.ndarray
    error: np.ndarray
    pit: np.ndarray

    def of(self, mask: np.ndarray) -> Scores:
        """The scores of some runs."""
        return Scores(*(values[mask] for values in self))

    def inside(self, level: float) -> float:
        """Share of the runs in their intervals for a new run."""
        return float(np.mean(np.abs(self.pit - 0.5) <= level / 2))

    def cells(self) -> list[str]:
        """Mean log density, RMSE of logs in per cent, coverage."""
        rmse = 100 * np.sqrt(np.mean(self.error**2))
        return [f"{self.lpd.mean():.3f}", f"{rmse:.2f}", f"{self.inside(0.5):.2f}", f"{self.inside(0.9):.2f}"]


def score(posterior: sj.Posterior, held: sj.Runs) -> Scores:
    """Scores of runs that the posterior has not seen, densities averaged over its draws."""
    place = {"group": held["experiment"]} if posterior.request.by else {}
    center, y = np.log(posterior.predict(N=held["N"], D=held["D"], **place)), np.log(held["loss"])
    sigma = posterior.sites["sigma"]
    if sigma.ndim == 2:
        sigma = sigma[:, posterior.model.likelihood.rows(held, np.arange(len(held)))["experiment"]]
    around = stats.t(posterior.sites["nu"][:, None], center, sigma.reshape(len(sigma), -1))
    density = around.logpdf(y)
    top = density.max(axis=0)
    lpd = np.log(np.mean(np.exp(density - top), axis=0)) + top - y
    return Scores(lpd, y - np.median(center, axis=0), around.cdf(y).mean(axis=0))


def budgets(runs: sj.Runs) -> tuple[np.ndarray, np.ndarray]:
    """(runs,) place of every run's budget among those of its experiment from 0 on, and how many these are."""
    place, count = np.zeros(len(runs), int), np.zeros(len(runs), int)
    for name in np.unique(runs["experiment"]):
        mine = runs["experiment"] == name
        values, place[mine] = np.unique(runs["C"][mine], return_inverse=True)
        count[mine] = len(values)
    return place, count


def splits(runs: sj.Runs) -> tuple[dict[str, sj.Runs], sj.Runs]:
    """What is kept, by name, and the held-out runs of every experiment's largest budget."""
    runs = runs.where(runs["outlier"] == "False")
    place, count = budgets(runs)
    kept = {"all but the largest budget": place < count - 1, "smaller half of the budgets": place < count // 2}
    rng, few = np.random.default_rng(0), np.zeros(len(runs), bool)
    for name in np.unique(runs["experiment"]):
        few[rng.choice(np.flatnonzero((runs["experiment"] == name) & (place < count - 1)), FEW, replace=False)] = True
    kept[f"{FEW} runs of each, none of the largest budget"] = few
    return {name: runs.where(rows) for name, rows in kept.items()}, runs.where(place == count - 1)


def fitted(kept: sj.Runs, **model: Any) -> tuple[sj.Posterior, float]:
    """Posterior of all experiments together, and its seconds."""
    begun, names = time.perf_counter(), tuple(dict.fromkeys(kept["experiment"].tolist()))
    posterior = sj.sample(at_reference, kept, by="experiment", likelihood=OwnNoise(names), draws=DRAWS, **model)
    return posterior, time.perf_counter() - begun


def point_errors(kept: sj.Runs, held: sj.Runs) -> np.ndarray:
    """(runs,) errors of log loss of a point fit to every experiment."""
    fit = sj.fit(at_reference, kept, by="experiment")
    return np.log(held["loss"]) - np.log(fit.predict(N=held["N"], D=held["D"], group=held["experiment"]))


def compared(name: str, kept: sj.Runs, held: sj.Runs) -> list[Table]:
    """Scores of all models together and of each experiment, with diagnostics of the posteriors."""
    found, trust = {}, {}
    for model, arguments in MODELS.items():
        posterior, seconds = fitted(kept, **arguments)
        found[model], trust[model] = score(posterior, held), [*diagnosis(posterior), f"{seconds:.0f}"]
    baseline = sj.sample(at_reference, kept, draws=DRAWS)
    found["complete pooling"], trust["complete pooling"] = score(baseline, held), [*diagnosis(baseline), ""]
    everywhere = []
    for model, scores in found.items():
        gain = scores.lpd - found["separate"].lpd
        better = f"{gain.sum():+.1f} ± {np.sqrt(len(gain)) * gain.std(ddof=1):.1f}"
        everywhere.append([model, *scores.cells(), better, *trust[model]])
    errors = point_errors(kept, held)
    everywhere.append(["separate point fits", "", f"{100 * np.sqrt(np.mean(errors**2)):.2f}", *[""] * 8])
    each = []
    for experiment in dict.fromkeys(held["experiment"].tolist()):
        mine = held["experiment"] == experiment
        cells = [found[model].of(mine).cells() for model in MODELS]
        each.append([experiment, str((kept["experiment"] == experiment).sum()), str(mine.sum()), *(c[i] for i in (0, 1, 3) for c in cells)])
    head = [
        "model",
        "mean log density",
        "RMSE of logs %",
        "in 50 %",
        "in 90 %",
        "log density gained",
        "R-hat",
        "least ESS",
        "divergences",
        "steps a draw",
        "s",
    ]
    parts = [f"{what}, {model}" for what in ("log density", "RMSE %", "in 90 %") for model in MODELS]
    return [
        show(f"{name}: {len(kept)} runs kept, {len(held)} of the largest budgets held out", head, everywhere),
        show(f"{name}, experiment by experiment", ["experiment", "kept", "held out", *parts], each),
    ]


def diagnosis(posterior: sj.Posterior) -> list[str]:
    """R-hat, effective draws, divergences and gradients a draw."""
    rhat, bulk, tail = posterior.worst
    return [f"{rhat:.3f}", f"{min(bulk, tail):.0f}", str(posterior.sampler.divergences), f"{posterior.sampler.steps.mean():.0f}"]


def main() -> list[Table]:
    """Print the tables and return them; none where the data are not to be had."""
    try:
        kept, held = splits(sj.datasets.load("isoflops_openathena"))
    except DataError as error:
        print(f"note: the isoFLOP experiments are left out ({error})")
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the tables show R-hat
        return [table for name, runs in kept.items() for table in compared(name, runs, held)]


if __name__ == "__main__":
    main()
