"""What a posterior says the runs should look like: replicated outputs beside those observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ...core.errors import FitError
from ...core.numeric.batching import traced
from ...core.numeric.precision import double
from ...core.numeric.programs import compiled
from ...core.numeric.statistics import evenly
from ...core.table import Shown, Table, number
from ..model.arguments import PriorArguments
from ..model.density import Evidence, Model
from .influence import draws_of

if TYPE_CHECKING:
    from ..model.setup import Setup
    from ..posterior import Posterior

LEVELS = (0.5, 0.8, 0.9, 0.95)  # of the intervals whose coverage is checked
SUSPICIOUS = 0.01  # tail probability
_ENOUGH = 1000  # draws that are replicated
_NUMBERS = 2**18  # outputs drawn at a time

Statistic = Callable[[np.ndarray], float]


@dataclass(frozen=True, eq=False, repr=False)
class PredictiveCheck(Shown):
    """Statistics of the observed runs beside those of replicated ones, see `predictive_check`; printing it gives the table.

    Attributes:
        observed, replicated: statistic's name to (draws,) values; those of residuals differ between draws for the observed runs, too.
    """

    observed: Mapping[str, np.ndarray]
    replicated: Mapping[str, np.ndarray]

    @cached_property
    def tail(self) -> dict[str, float]:
        """Share of the draws whose replicate has a larger statistic than the observed runs; equal ones count half."""
        pairs = {name: (self.observed[name], self.replicated[name]) for name in self.observed}
        return {name: float(np.mean(r > o) + 0.5 * np.mean(r == o)) for name, (o, r) in pairs.items()}

    @property
    def suspicious(self) -> dict[str, str]:
        """Statistics with a tail probability below 0.01 or above 0.99, and in words what is wrong."""
        words = {name: "higher than it should be" for name, p in self.tail.items() if p < SUSPICIOUS}
        return words | {name: "lower than it should be" for name, p in self.tail.items() if p > 1 - SUSPICIOUS}

    def table(self) -> Table:
        """Median of every statistic, the central 95 % of its replicates, and the tail probability."""
        rows = []
        for name, p in self.tail.items():
            low, high = np.quantile(self.replicated[name], [0.025, 0.975])
            cells = (number(float(v), 3) for v in (np.median(self.observed[name]), low, high))
            rows.append([name, *cells, f"{p:.3f}", self.suspicious.get(name, "")])
        found = "; ".join(f"{name} is {words}" for name, words in self.suspicious.items())
        note = f"Suspicious: {found}. The law or the likelihood misses it." if found else "Nothing is suspicious."
        return Table(["statistic", "observed", "replicated, low 95 %", "high 95 %", "tail probability", ""], rows, notes=[note])


@double
def predictive_check(
    posterior: Posterior, statistics: Statistic | Mapping[str, Statistic] | None = None, seed: int = 0, draws: int = _ENOUGH
) -> PredictiveCheck:
    """Posterior predictive check: would runs simulated from the posterior look like those observed?

    For every draw the outputs of all runs are simulated anew. Residuals (observed minus predicted, on the scale of the posterior) are
    compared in each draw: their standard deviation, the largest, and along every input of the law their trend (correlation with its
    logarithm), their neighbours (correlation of runs that follow each other, which a law of the wrong shape raises) and their scatter
    (correlation of the absolute residual with the logarithm); and how many observations lie in the predictive intervals.

    Args:
        posterior: draws of `sample`.
        statistics: more of them: a function, or name to function, of the outputs (observations,), that returns a number.
        seed: of the simulated scatter.
        draws: how many are replicated, at most.

    Returns:
        PredictiveCheck: `tail` probabilities, `suspicious` ones in words, `table()`.

    Raises:
        FitError: if a statistic of the user's is not a number.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> predictive_check(sj.sample("power_law", runs, likelihood="normal", draws=250)).suspicious
        {}

    References: Gelman, Meng and Stern, "Posterior predictive assessment of model fitness via realized discrepancies", Statistica
        Sinica 1996.
    """
    seen = seen_by(posterior)
    predicted, drawn = (values[:, seen] for values in replicates(posterior, seed, draws))
    y = np.broadcast_to(np.asarray(posterior.evidence.target)[: len(seen)][seen], drawn.shape)
    scale = trials_of(posterior.evidence, seen, y.shape[1:])
    pairs = [(values / scale) - predicted for values in (y, drawn)]
    observed, replicated = (_of_residuals(r, _inputs(posterior, seen)) for r in pairs)
    for level in LEVELS:
        low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2], axis=0)
        for values, out in ((y, observed), (drawn, replicated)):
            out[f"share inside {100 * level:g} %"] = np.mean((low <= values) & (values <= high), axis=1)
    log = posterior.request.on == "log"
    for name, statistic in _named(statistics).items():
        for values, out in ((y[:1], observed), (drawn, replicated)):
            found = [_evaluate(name, statistic, row) for row in (np.exp(values) if log else values / scale)]
            out[name] = np.broadcast_to(found, len(drawn))
    return PredictiveCheck(observed, replicated)


def replicates(posterior: Posterior, seed: int = 0, draws: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and simulated outputs of the usable runs from evenly spaced draws, each (draws, runs, ...), on the target's scale."""
    rows, some = posterior.request.grouping.used, evenly(len(posterior), draws or len(posterior))
    params, noise = jax.tree.map(lambda v: np.asarray(v)[some], draws_of(posterior))
    batch = min(max(_NUMBERS // np.size(posterior.evidence.target), 1), len(some))
    keys = jax.random.split(jax.random.key(seed), len(some))
    evidence = posterior.evidence._replace(priors=PriorArguments())
    predicted, drawn = _replicates(posterior.model, batch, params, noise, keys, evidence)
    return np.asarray(predicted)[:, : len(rows)], np.asarray(drawn)[:, : len(rows)]


@compiled(0, 1)
def _replicates(model: Model, batch: int, params: Any, noise: Any, keys: Any, evidence: Evidence) -> tuple[Any, Any]:
    traced("replicates")

    def one(draw: Any) -> tuple[Any, Any]:
        own, scatter, key = draw
        predicted = model.located({**evidence.fixed, **own}, scatter, evidence)
        return predicted, model.likelihood.distribution(scatter, predicted, evidence.rows).sample(key)

    return jax.lax.map(one, (params, noise, keys), batch_size=batch)


def seen_by(source: Posterior | Setup) -> np.ndarray:
    """Which observations of the usable runs count, (runs,) or (runs, T)."""
    return np.asarray(source.evidence.weight)[: len(source.request.grouping.used)] > 0


def trials_of(evidence: Evidence, seen: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Trials of every observation, 1 unless the outputs are counts."""
    return np.broadcast_to(np.asarray(evidence.rows["trials"])[: len(seen)][seen], shape) if "trials" in evidence.rows else 1.0


def _inputs(posterior: Posterior, seen: np.ndarray) -> dict[str, np.ndarray]:
    """Values of every input with one positive number an observation, where they vary."""
    out = {}
    for name, values in zip(posterior.law.inputs, posterior.evidence.inputs, strict=True):
        values = np.asarray(values)[: len(seen)]
        if posterior.law.domains[name].axis is None:
            x = np.broadcast_to(values.reshape(values.shape + (1,) * (seen.ndim - values.ndim)), seen.shape)[seen]
            if (x > 0).all() and np.ptp(x) > 0:
                out[name] = x
    return out


def _of_residuals(r: np.ndarray, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Statistics of residuals (draws, observations), each (draws,)."""
    out = {"standard deviation": r.std(axis=1), "largest |residual|": np.abs(r).max(axis=1)}
    for name, x in inputs.items():
        others = [v for key, v in inputs.items() if key != name]
        ordered = r[:, np.lexsort([*others, x])]
        out[f"trend along {name}"] = _correlation(r, np.log(x))
        out[f"neighbours along {name}"] = _correlation(ordered[:, 1:], ordered[:, :-1])
        out[f"scatter along {name}"] = _correlation(np.abs(r), np.log(x))
    return out


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (v - v.mean(axis=-1, keepdims=True) for v in (a, b))
    return (a * b).sum(axis=-1) / np.maximum(np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1)), 1e-300)


def _named(statistics: Statistic | Mapping[str, Statistic] | None) -> Mapping[str, Statistic]:
    if statistics is None:
        return {}
    return statistics if isinstance(statistics, Mapping) else {getattr(statistics, "__name__", "statistic"): statistics}


def _evaluate(name: str, statistic: Statistic, outputs: np.ndarray) -> float:
    value = np.asarray(statistic(outputs))
    if value.shape != () or value.dtype.kind not in "biuf" or np.isnan(value):
        raise FitError(f"The statistic {name!r} must return one number for outputs of shape {outputs.shape}; it returned {value!r}.")
    return float(value)
