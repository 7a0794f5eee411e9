"""What the priors say the runs should look like, before any of them counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ...core.checks import check_count
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.numeric.statistics import ends
from ...core.runs import Runs
from ...core.table import Note, Shown, Table, number
from ..model.prior_draws import from_prior, outputs
from ..model.setup import Setup, check_options, set_up
from .predictive import seen_by, trials_of


@dataclass(frozen=True, eq=False, repr=False)
class PriorPredictive(Shown):
    """Outputs drawn from the prior at the inputs of the runs, see `prior_predictive`; printing it gives the verdict.

    Attributes:
        outputs: (draws, observations); NaN where a draw of the parameters gives none.
        observed: (observations,).
        rows: (observations,) row of each in the table of runs.
    """

    outputs: np.ndarray
    observed: np.ndarray
    rows: np.ndarray

    def interval(self, level: float = 0.9) -> dict[str, tuple[Any, Any]]:
        """(low, high) of the outputs of every observation."""
        return {"outputs": ends(self.outputs, level)}

    def table(self, level: float = 0.95) -> Table:
        """The prior at the runs of lowest, middle and highest output."""
        low, high = self.interval(level)["outputs"]
        order = np.argsort(self.observed)
        rows = []
        for i in order[[0, len(order) // 2, -1]]:
            cells = (self.observed[i], np.nanmedian(self.outputs[:, i]), low[i], high[i])
            rows.append([f"row {self.rows[i]}", *(number(float(v), 4) for v in cells)])
        inside = 100 * np.mean((low <= self.observed) & (self.observed <= high))
        notes = [f"{inside:.0f} % of the observed outputs lie in the central {100 * level:g} % of the prior."]
        if inside < 50:
            notes.append(Note("The prior hardly allows what was observed; look at the table of priors.", "prior-conflict"))
        if bad := np.mean(~np.isfinite(self.outputs)):
            notes.append(Note(f"{100 * bad:.2g} % of the outputs drawn are not finite.", "not-finite"))
        return Table(["run", "observed", "prior median", f"low {100 * level:g} %", f"high {100 * level:g} %"], rows, notes=notes)


@double
def prior_predictive(law: Law | str, runs: Runs | Any, *, draws: int = 200, seed: int = 0, **options: Any) -> PriorPredictive:
    """Outputs that the priors expect at the inputs of the runs, noise included: is what was observed among them? Nothing is fitted.

    Default priors know the level of the observed outputs, see `level_prior` of `sample`; without it ranges of parameters speak alone.

    Args:
        law, runs: as in `sample`.
        draws: how many draws of the prior.
        seed: of the draws.
        **options: those of `sample` that make the model: likelihood, priors, on, fix, tie, bounds, by, share, pool, covariates, weights,
            sizes, level_prior, groups.

    Returns:
        PriorPredictive: `outputs` (draws, observations), `interval(level)`, `table()`.

    Raises:
        DataError, LawError, FitError: one sentence: what, where, what to do.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> prior_predictive("power_law", runs, likelihood="normal").outputs.shape
        (200, 40)

    References: Gabry, Simpson, Vehtari, Betancourt and Gelman, "Visualization in Bayesian workflow", JRSS A 2019.
    """
    check_count("draws", draws, 1)
    check_options("prior_predictive", options)
    return from_setup(set_up(law, runs, **options), draws, seed)


@double
def from_setup(setup: Setup | Any, draws: int = 200, seed: int = 0) -> PriorPredictive:
    """`prior_predictive` of a model that exists, such as that of a posterior."""
    model, evidence, request, seen = setup.model, setup.evidence, setup.request, seen_by(setup)
    sites = from_prior(model, evidence, draws, seed)
    drawn = np.asarray(outputs(model, evidence, sites, jax.random.key(seed + 1)))[:, : len(seen)][:, seen]
    y = np.asarray(evidence.target)[: len(seen)][seen]
    scale = trials_of(evidence, seen, y.shape)
    rows = request.grouping.used[np.nonzero(seen)[0]]
    if request.on != "log":
        return PriorPredictive(drawn / scale, y / scale, rows)
    with np.errstate(over="ignore"):
        return PriorPredictive(np.exp(drawn), np.exp(y), rows)
