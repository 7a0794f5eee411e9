"""`compare`: posteriors of several laws in, their predictive accuracy and the weights of a mixture out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ..core.errors import DataError, FitError, suggest
from ..core.numeric.precision import double
from ..core.numeric.statistics import ends
from ..core.table import Note, Shown, Table, formatted
from ..posteriors.checks.influence import loo as leave_one_out
from ..posteriors.checks.influence import observed_rows
from ..posteriors.checks.psis import Loo, pseudo_bma_weights, stacking_weights
from ..posteriors.posterior import Posterior
from .scores import Ranking, ranking, verdict


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """Laws ranked by leave-one-out predictive accuracy, see `compare`; printing it gives the table.

    Attributes:
        posteriors: name to posterior.
        loo: name to leave-one-out estimate, of the density of each law's residuals.
        lpd: (observations, laws) leave-one-out log densities of the outputs themselves, comparable between laws.
    """

    posteriors: Mapping[str, Posterior]
    loo: Mapping[str, Loo]
    lpd: np.ndarray

    @cached_property
    def ranking(self) -> Ranking:
        """Order, elpd, difference to the best and its standard error."""
        return ranking(self.lpd)

    @property
    def best(self) -> str:
        """Name of the law with the highest elpd."""
        return list(self.posteriors)[self.ranking.order[0]]

    @cached_property
    def weights(self) -> dict[str, float]:
        """Stacking weights: those of the mixture of laws that predicts best."""
        return dict(zip(self.posteriors, stacking_weights(self.lpd).tolist(), strict=True))

    @cached_property
    def pseudo_bma(self) -> dict[str, float]:
        """Pseudo-BMA+ weights: proportional to exp(elpd), averaged over its uncertainty."""
        return dict(zip(self.posteriors, pseudo_bma_weights(self.lpd).tolist(), strict=True))

    def predict(self, *, kind: Literal["mean", "run"] = "mean", seed: int = 0, **inputs: Any) -> np.ndarray:
        """Draws of the mixture of laws with the stacking `weights`, with a leading draw axis.

        Every law gives its share of the draws, law after law.

        Args:
            kind: as in `Posterior.predict`: "mean" for the laws' values, "run" for what a new run would show.
            seed: of the choice of draws and of the scatter.
            **inputs: a number or an array for every input of the laws with weight; each law takes its own. `group`, `trials` and the
                column of the noise's groups as in `Posterior.predict`.
        """
        self._check(inputs)
        total, rng = max(map(len, self.posteriors.values())), np.random.default_rng(seed)
        parts = []
        for i, (name, count) in enumerate(zip(self.posteriors, shares(list(self.weights.values()), total), strict=True)):
            if count:
                posterior = self.posteriors[name]
                takes = [*posterior.law.inputs, *(["group"] if posterior.request.by else [])]
                takes += posterior.scatter_inputs if kind == "run" else []
                drawn = posterior.predict(kind=kind, seed=seed + i, **{k: v for k, v in inputs.items() if k in takes})
                parts.append(drawn[rng.choice(len(drawn), count, replace=count > len(drawn))])
        shape = np.broadcast_shapes(*(part.shape[1:] for part in parts))
        return np.concatenate([np.broadcast_to(part, (len(part), *shape)) for part in parts])

    def _check(self, inputs: Mapping[str, Any]) -> None:
        known = {name for p in self.posteriors.values() for name in (*p.law.inputs, *p.scatter_inputs)} | {"group"}
        for name in inputs:
            if name not in known:
                raise DataError(f"No law of the comparison has an input {name!r}; {suggest(name, known)}")

    def predict_interval(self, level: float = 0.9, **arguments: Any) -> tuple[Any, Any]:
        """(low, high) of `predict(**arguments)` over the draws."""
        low, high = ends(self.predict(**arguments), level)
        return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)

    @property
    def verdict(self) -> str:
        """Which law predicts best, in a sentence."""
        return verdict(list(self.posteriors), self.ranking)

    def table(self) -> Table:
        """Laws from best to worst: elpd, how far behind the best, effective parameters, weights, and whether the estimate is sound."""
        names, found = list(self.posteriors), self.ranking
        rows = []
        for i in found.order:
            name = names[i]
            loo = self.loo[name]
            bad = len(loo.influential)
            rows.append([
                name, *(formatted(v, ".1f") for v in (found.elpd[i], found.difference[i], found.se[i], loo.p_loo)),
                formatted(self.weights[name], ".3f"), formatted(self.pseudo_bma[name], ".3f"),
                f"{bad} of {len(loo.khat)} too high" if bad else "good",
            ])  # fmt: skip
        notes = [f"{len(self.lpd)} observations, leave-one-out. {self.verdict}"]
        notes += [Note(f"{name}: {loo.verdict}", "influential") for name, loo in self.loo.items() if len(loo.influential)]
        header = ["law", "elpd", "behind", "std. error", "p_loo", "stacking weight", "pseudo-BMA+", "k-hat"]
        return Table(header, rows, notes=notes)


@double
def compare(posteriors: Mapping[str, Posterior]) -> Comparison:
    r"""Which law predicts runs best that it has not seen? Leave-one-out cross-validation of posteriors of the same runs.

        elpd = sum_i log p(y_i | y_-i),    weights = argmax_w sum_i log sum_k w_k p_k(y_i | y_-i)

    by Pareto-smoothed importance sampling, without refits. Densities are of the output itself: p(y) = p(log y)/y for posteriors on logs,
    so that these can be compared with others. Every run is left out alone; whether a law extrapolates, says `holdout`.

    Args:
        posteriors: name to posterior of `sample`. Laws may differ in everything but the runs: inputs, priors, likelihood, groups.

    Returns:
        Comparison: `table()`, `weights`, `best`, `predict(...)` of the weighted mixture of laws.

    Raises:
        DataError: if the posteriors have not seen the same outputs with the same weights, or counts meet other outputs.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.power_law
        >>> runs = sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> free, straight = (sj.sample(law, runs, likelihood="normal", method="laplace", fix=fix) for fix in ({}, {"E": 0.01}))
        >>> compare({"with a floor": free, "without": straight}).best
        'with a floor'

    References: Vehtari, Gelman and Gabry, Statistics and Computing 2017 (elpd); Yao, Vehtari, Simpson and Gelman, Bayesian Analysis 2018
    (weights).
    """
    if not isinstance(posteriors, Mapping) or not posteriors or not all(isinstance(p, Posterior) for p in posteriors.values()):
        raise FitError("compare() takes a mapping of names to posteriors of sj.sample, such as {'chinchilla': posterior, ...}.")
    first, *others = posteriors.items()
    for other in others:
        _same_runs(*first, *other)
    found = {name: leave_one_out(posterior) for name, posterior in posteriors.items()}
    lpd = np.stack([found[name].pointwise - _jacobian(p) for name, p in posteriors.items()], axis=1)
    return Comparison(dict(posteriors), found, lpd)


def shares(weights: list[float], total: int) -> np.ndarray:
    """Whole numbers that add up to `total`, as near as possible to its parts in proportion to `weights`."""
    edges = np.round(np.cumsum([0.0, *weights]) / np.sum(weights) * total).astype(int)
    return np.diff(edges)


def _outputs(posterior: Posterior) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and weights of the observed runs, (observations,) or (observations, T)."""
    weight = np.asarray(posterior.evidence.weight)  # zero on padding and on runs that were not used
    return posterior.fit.runs[posterior.law.output][observed_rows(posterior)], weight[weight.reshape(len(weight), -1).any(axis=1)]


def _same_runs(name: str, posterior: Posterior, other_name: str, other: Posterior) -> None:
    """Refuse posteriors whose densities are not of the same observations."""
    if posterior.model.likelihood.counts != other.model.likelihood.counts:
        raise DataError(f"{name!r} and {other_name!r} cannot be compared: one is of counts, the other is not; sample both with one kind.")
    if posterior.model.likelihood.counts and not np.array_equal(posterior.evidence.rows["trials"], other.evidence.rows["trials"]):
        raise DataError(f"{name!r} and {other_name!r} count out of different trials; sample both with one column of trials.")
    (y, weight), (z, weight_z) = _outputs(posterior), _outputs(other)
    if y.shape != z.shape:
        raise DataError(f"{name!r} has seen {len(y)} observations, {other_name!r} {len(z)}; sample both from the same runs.")
    if not (np.array_equal(y, z, equal_nan=True) and np.array_equal(observed_rows(posterior), observed_rows(other))):
        raise DataError(f"{name!r} and {other_name!r} have seen different outputs; sample both from the same runs, in the same order.")
    if not np.array_equal(weight, weight_z):
        raise DataError(f"{name!r} and {other_name!r} weigh the runs differently; sample both with the same weights=.")


def _jacobian(posterior: Posterior) -> np.ndarray | float:
    """What turns log densities of logarithms into those of outputs, (observations,); 0 for posteriors that are not on logs."""
    if posterior.request.on != "log":
        return 0.0
    y, weight = _outputs(posterior)
    return (np.where(weight > 0, weight * np.log(np.where(weight > 0, y, 1.0)), 0.0)).reshape(len(y), -1).sum(axis=1)
