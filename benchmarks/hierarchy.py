"""Do experiments borrow from each other? Published isoFLOP experiments fitted apart, with shared exponents, and partially pooled.

Data: Open-Athena's collection of isoFLOP runs, without the runs that its authors flag. Its file holds eight experiments (Chinchilla as
digitised twice, Llama 3 in two units, Marin on three corpora, misfitting), though its description speaks of nine.

Held out are always each experiment's runs at its largest budget. The designs, fixed before any result was seen:

- all but the largest budget: every experiment keeps all its other budgets;
- smaller half of the budgets: every experiment keeps only these;
- few runs: half of the experiments keep 12 runs, evenly spaced over those of their two smallest budgets, the others all but their largest
  budget; only the half with few runs is scored. Then the other way round. Experiments that are the same runs, digitised or counted
  differently, stay in one half, so that nobody borrows from its twin.

Separate are posteriors of each experiment alone. The joint ones differ in what is pooled: all parameters of the law, its exponents alone,
or the rest beside exponents that all share; their noise has a scale for every experiment from one population. Noise is Student-t. The law
is Chinchilla's with both terms counted at a billion parameters and twenty billion tokens: there a term does not depend on its exponent, so
that experiments of different exponents still have terms of similar size, which is what pooling needs. Scores are of the loss of a new run.
Run alone: `python -m benchmarks.hierarchy`.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

import scalejax as sj
from scalejax.core.errors import ConvergenceWarning, DataError
from scalejax.core.table import Table

from .common import show

DRAWS = 2000  # of each of four chains: posteriors of twelve runs have long valleys
FEW = 12  # runs of an experiment, which hardly determine five parameters and the noise
FIRST = (  # half of the experiments; Llama's and two of Marin's are the other
    "epochai_chinchilla__massivetext__chinchilla", "ml_scalefit__massivetext__chinchilla", "marin_202603__comma__llama_2",
    "misfitting__fineweb_c4__transformer",
)  # fmt: skip
NOISE = sj.likelihoods.student_t(by="experiment")
POOLED = "pooled"
MODELS: Mapping[str, dict[str, Any]] = {
    POOLED: {},
    "exponents pooled": {"pool": ("alpha", "beta")},
    "exponents shared, rest pooled": {"share": ("alpha", "beta")},
}


@sj.law(
    N=sj.Positive(1e6, 1e12), D=sj.Positive(1e8, 1e13), E=sj.Positive(0.1, 5), a=sj.Positive(0.02, 2), b=sj.Positive(0.02, 2),
    alpha=sj.Positive(0.05, 1.5), beta=sj.Positive(0.05, 1.5),
)  # fmt: skip
def at_reference(N, D, *, E, a, alpha, b, beta):
    """Chinchilla's law with its terms counted at a billion parameters and twenty billion tokens, in the unit of the loss."""
    return E + a * (N / 1e9) ** -alpha + b * (D / 2e10) ** -beta


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
    sigma = sigma[:, posterior.model.likelihood.place(held["experiment"].tolist())] if place else sigma[:, None]
    around = stats.t(posterior.sites["nu"][:, None], center, sigma)
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


class Design(NamedTuple):
    """What the models see and what they are asked for."""

    name: str
    kept: sj.Runs
    held: sj.Runs


def designs(runs: sj.Runs) -> list[Design]:
    """The designs of the module's docstring."""
    runs = runs.where(runs["outlier"] == "False")
    place, count = budgets(runs)
    smaller, held, first = place < count - 1, place == count - 1, np.isin(runs["experiment"], FIRST)
    out = [
        Design("all but the largest budget", runs.where(smaller), runs.where(held)),
        Design("smaller half of the budgets", runs.where(place < count // 2), runs.where(held)),
    ]
    few = np.zeros(len(runs), bool)
    for name in np.unique(runs["experiment"]):
        lowest = np.flatnonzero((runs["experiment"] == name) & (place < 2))
        ordered = lowest[np.lexsort([runs["N"][lowest], place[lowest]])]
        few[ordered[np.linspace(0, len(ordered) - 1, FEW).round().astype(int)]] = True
    for which, half in (("first", first), ("second", ~first)):
        out.append(Design(f"few runs of the {which} half", runs.where(np.where(half, few, smaller)), runs.where(held & half)))
    return out


class Result(NamedTuple):
    """Scores of a model, and how its chains went: R-hat, least effective draws, divergences, gradients a draw, seconds."""

    scores: Scores
    chains: tuple[float, float, int, float, float]


def together(design: Design, **model: Any) -> Result:
    """One posterior of all experiments."""
    return _result(design.kept, design.held, by="experiment", likelihood=NOISE, **model)


def apart(design: Design) -> Result:
    """A posterior of each experiment that is scored, alone; of the chains the worst is told, and the seconds of all."""
    scores, chains = Scores(*np.empty((3, len(design.held)))), []
    for name in dict.fromkeys(design.held["experiment"].tolist()):
        mine = design.held["experiment"] == name
        alone = _result(design.kept.where(design.kept["experiment"] == name), design.held.where(mine))
        for all_, some in zip(scores, alone.scores, strict=True):
            all_[mine] = some
        chains.append(alone.chains)
    rhat, ess, divergences, steps, seconds = zip(*chains, strict=True)
    return Result(scores, (max(rhat), min(ess), sum(divergences), max(steps), sum(seconds)))


def _result(kept: sj.Runs, held: sj.Runs, **model: Any) -> Result:
    begun = time.perf_counter()
    posterior = sj.sample(at_reference, kept, draws=DRAWS, accept=0.9, **model)
    (rhat, bulk, tail), how = posterior.worst, posterior.sampler
    chains = rhat, min(bulk, tail), how.divergences, float(how.steps.mean()), time.perf_counter() - begun
    return Result(score(posterior, held), chains)


def compared(design: Design) -> list[Table]:
    """Scores of all models, and of each experiment."""
    separate = apart(design)
    found = {"separate": separate, **{name: together(design, **model) for name, model in MODELS.items()}}
    everywhere, each = [], []
    for name, (scores, (rhat, ess, divergences, steps, seconds)) in found.items():
        gain = scores.lpd - separate.scores.lpd
        better = f"{gain.sum():+.1f} ± {np.sqrt(len(gain)) * gain.std(ddof=1):.1f}" if scores is not separate.scores else ""
        everywhere.append([name, *scores.cells(), better, f"{rhat:.3f}", f"{ess:.0f}", str(divergences), f"{steps:.0f}", f"{seconds:.0f}"])
    for experiment in dict.fromkeys(design.held["experiment"].tolist()):
        mine = design.held["experiment"] == experiment
        cells = [result.scores.of(mine).cells() for result in found.values()]
        each.append(
            [experiment, str((design.kept["experiment"] == experiment).sum()), str(mine.sum()), *(c[i] for i in (0, 1) for c in cells)]
        )
    head = ["model", "mean log density", "RMSE of logs %", "in 50 %", "in 90 %", "log density gained"]
    head += ["R-hat", "least ESS", "divergences", "steps a draw", "s"]
    parts = [f"{what}, {name}" for what in ("log density", "RMSE %") for name in found]
    title = f"{design.name}: {len(design.kept)} runs kept, {len(design.held)} of the largest budgets held out"
    return [show(title, head, everywhere), show(f"{design.name}, each", ["experiment", "kept", "held out", *parts], each)]


def main() -> list[Table]:
    """Print the tables and return them; none where the data are not to be had."""
    try:
        runs = sj.datasets.load("isoflops_openathena")
    except DataError as error:
        print(f"note: the isoFLOP experiments are left out ({error})")
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the tables show R-hat
        return [table for design in designs(runs) for table in compared(design)]


if __name__ == "__main__":
    main()
