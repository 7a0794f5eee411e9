"""`Posterior`: draws of a law's parameters and of the noise, with what is needed to trust them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..core.errors import FitError
from ..core.frozen import Frozen
from ..core.numeric.precision import double
from ..core.numeric.statistics import ends
from ..core.table import Note, Table, entry, number
from ..fitting.identify import inseparable_inputs
from ..fitting.predict import inputs_by_name
from ..fitting.uncertainty.draws import Draws
from ..fitting.uncertainty.noise import weight_of_new
from .checks import influence as checks
from .checks import predictive, prior_predictive
from .checks.diagnostics import Chains, Importance
from .checks.predictive import PredictiveCheck, Statistic
from .checks.prior_predictive import PriorPredictive
from .checks.psis import Loo
from .model.density import UNIT, Model
from .priors import Priors

if TYPE_CHECKING:
    from .new_group import NewGroup


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Posterior(Draws):
    """Draws from a posterior: everything that takes `Draws` takes it.

    Attributes:
        sites: name to draws of all sampled numbers beside the law's own: noise, population of pooled parameters. Leading draw axis.
        priors: what was assumed.
        model: the NumPyro model; call it with `evidence` inside any NumPyro inference.
        evidence: its argument.
        sampler: how the draws were made, and what is known of their quality.
        covariates: columns that move the centers of pooled parameters.
    """

    sites: Mapping[str, np.ndarray]
    priors: Priors
    model: Model
    evidence: Any
    sampler: Chains | Importance
    covariates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "sites", Frozen(self.sites))

    @cached_property
    def center(self) -> Frozen[Any]:
        """Posterior medians."""
        return Frozen(medians(self.params))

    @cached_property
    def values(self) -> Frozen[np.ndarray]:
        """Draws of every sampled number, the law's free parameters first."""
        slots, params = {slot.name: slot for slot in self.request.layout.slots}, self.params
        free = {n: v[:, slots[n].members] if slots[n].anchored else v for n, v in params.items() if n in slots}
        return Frozen({**free, **self.sites})

    @property
    def worst(self) -> tuple[float, float, float]:
        """Largest R-hat, smallest bulk and smallest tail effective sample size of chains."""
        if not isinstance(self.sampler, Chains):
            raise FitError(f"These draws come from no chains ({self.kind}); look at posterior.diagnostics().")
        return self.sampler.worst(self.values)

    @cached_property
    def complaints(self) -> list[str]:
        """What speaks against trusting the draws, a sentence each; empty if nothing does."""
        return self.sampler.complaints(self.values, self.label)

    def diagnostics(self) -> Table:
        """How far the draws can be trusted, with a verdict below."""
        table = self.sampler.table(self.values, self.label)
        return replace(table, notes=[*table.notes, *(self.complaints or ["Nothing speaks against them."]), *self._undetermined])

    @property
    def _undetermined(self) -> list[str]:
        """What the inputs of the runs cannot tell apart, as `fit` says it; chains may have mixed all the same, as the priors allow."""
        sentence = inseparable_inputs(self.request)
        said = "How they share the loss is what the priors say, not the runs."
        return [Note(f"{sentence} {said}", "not-identified", "error")] if sentence else []

    def label(self, name: str, index: tuple[int, ...] = ()) -> str:
        """Name of one sampled number, such as "alpha", "t[0]", or with its group "A[dense]", "sigma[lab]"."""
        if name in self.law.parameters:
            slot = next((slot for slot in self.request.layout.slots if slot.name == name and slot.anchored), None)
            index = index if slot is None else (int(slot.members[index[0]]), *index[1:])
            return name + self.fit._index_text(name, index)
        likelihood = self.model.likelihood
        named = likelihood.groups if name in likelihood.pooled else self.model.units if name == UNIT else None
        return entry(name, index if named is None else tuple(named[i] for i in index))

    @property
    def log_likelihood(self) -> np.ndarray:
        """Log density of every observation in every draw, see `checks.pointwise`."""
        return checks.pointwise(self)

    @cached_property
    def loo(self) -> Loo:
        """Leave-one-out predictive accuracy, see `checks.loo`."""
        return checks.loo(self)

    def prior_sensitivity(self) -> Table:
        """Does the prior or do the data decide? See `checks.prior_sensitivity`."""
        return checks.prior_sensitivity(self)

    def predictive_check(
        self, statistics: Statistic | Mapping[str, Statistic] | None = None, seed: int = 0, draws: int = 1000
    ) -> PredictiveCheck:
        """Do simulated runs look like the observed ones? See `predictive.predictive_check`."""
        return predictive.predictive_check(self, statistics, seed, draws)

    def prior_predictive(self, draws: int = 200, seed: int = 0) -> PriorPredictive:
        """What the priors expected of these runs, see `prior_predictive.prior_predictive`."""
        return prior_predictive.from_setup(self, draws, seed)

    def noise(self, level: float = 0.9) -> Table:
        """Median and interval of the noise and of the populations of pooled parameters."""
        rows = []
        for name, draws in self.sites.items():
            if name == UNIT:
                continue  # the effects of single units; their standard deviation says it
            (low, high), middle = ends(draws, level), np.median(draws, axis=0)
            for index in np.ndindex(np.shape(middle)):
                rows.append([self.label(name, index), *(number(np.asarray(v)[index]) for v in (middle, low, high))])
        return Table(["parameter", "median", f"low {100 * level:g} %", f"high {100 * level:g} %"], rows)

    @inputs_by_name
    @double
    def predict(self, *, kind: Literal["mean", "run"] = "mean", seed: int = 0, **inputs: Any) -> np.ndarray:
        """Predictions of every draw, with a leading draw axis.

        Args:
            kind: "mean" for the law's value; "run" for what a new run would show, scattered as the likelihood says (a run of a new
                configuration, if the likelihood knows replicates; of a new unit, if the posterior has `groups`; of the noise group that its
                column's name says, see `likelihoods.student_t`). For counts "run" needs `trials=` and gives the share of successes.
            seed: of the scatter.
            **inputs: as in `Fit.predict`; for "run" also `weight=` of the new runs, whose noise has a variance that falls as 1/weight.
                Needed where the runs have different weights.
        """
        if kind != "run":
            return super().predict(kind=kind, **inputs)
        inputs, scatter = self.of_scatter(inputs)
        return self.scattered(super().predict(**inputs), seed, **scatter)

    @property
    def usual_trials(self) -> float | None:
        """See `Draws`."""
        likelihood = self.model.likelihood
        return float(np.median(self.fit.runs[likelihood.trials])) if likelihood.counts else None

    @property
    def scatter_inputs(self) -> tuple[str, ...]:
        """Names that `predict(kind="run")` takes beside those of `predict`: "trials" of counts, the column of the noise's groups."""
        return ("trials",) if self.model.likelihood.counts else (self._noise_column,) if self._noise_column else ()

    @property
    def _noise_column(self) -> str | None:
        """The column of the noise's groups, unless these are the law's own."""
        by = getattr(self.model.likelihood, "by", None)
        return None if by in self.request.columns else by

    def of_scatter(self, inputs: Mapping[str, Any], new: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
        """Inputs of the law, and what `scattered` takes beside them; `new`: of a group that no run is of."""
        inputs, column = dict(inputs), self._noise_column
        place = inputs.pop(column, None) if column else None if new else inputs.get("group")
        if isinstance(place, Mapping):
            place = place.get(getattr(self.model.likelihood, "by", None))
        weight = None if "weight" in self.law.inputs else inputs.pop("weight", None)
        return inputs, {"trials": inputs.pop("trials", None), "place": place, "weight": weight}

    @double
    def scattered(self, values: np.ndarray, seed: int = 0, trials: Any = None, place: Any = None, weight: Any = None) -> np.ndarray:
        """What new runs would show where the law has these values (draws, ...): `predict(kind="run")` after the law is evaluated.

        `place` names the runs' noise groups; None: one that nobody has seen. `weight` as in `predict`.
        """
        likelihood = self.model.likelihood
        if likelihood.counts and trials is None:
            raise FitError("A new run of counts needs the number of trials: pass trials=... .")
        if trials is not None and not likelihood.counts:
            raise FitError("trials= is for likelihoods of counts; this posterior's outputs are no counts, so leave it out.")
        noise = {name: self._noise_at(name, values.shape[1:], seed, place) for name in self.model.noise if name != UNIT}
        log = self.request.on == "log" and not likelihood.counts
        rows = {"trials": np.broadcast_to(np.asarray(trials, float), values.shape)} if likelihood.counts else {}
        center = np.log(values) if log else values
        drawn = likelihood.new(noise, center, rows, np.random.default_rng(seed))
        if not likelihood.counts:
            drawn = center + (drawn - center) * self._louder(weight, values.shape[1:]) + self._of_new_units(values.shape, seed)
        return np.exp(drawn) if log else drawn / rows["trials"] if likelihood.counts else drawn

    def _louder(self, weight: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Standard deviation of the noise of new runs of this weight over sigma, which is that of runs of the mean weight."""
        steps = np.ndim(self.evidence.target) - 1
        points = shape[: len(shape) - steps]
        given = weight if weight is None or np.ndim(weight) == 0 else np.broadcast_to(weight, points).ravel()
        seen = np.asarray(self.evidence.weight)
        new = weight_of_new(self.fit, given, int(np.prod(points)))
        return np.sqrt(seen[seen > 0].mean() / new).reshape(points + (1,) * steps)

    def _of_new_units(self, shape: tuple[int, ...], seed: int) -> np.ndarray | float:
        """Effects (draws, ...) of units that nobody has seen, one for every run; steps of a curve share it."""
        if not self.model.units:
            return 0.0
        steps = np.ndim(self.evidence.target) - 1
        runs = shape[: len(shape) - steps] + (1,) * steps
        deviation = np.random.default_rng([seed, 2]).standard_normal(runs)
        return self.sites[f"{UNIT}_spread"].reshape((-1,) + (1,) * (len(shape) - 1)) * deviation

    def _noise_at(self, name: str, shape: tuple[int, ...], seed: int, place: Any) -> np.ndarray:
        """Draws of a noise parameter that broadcast with (draws, *shape)."""
        likelihood, one = self.model.likelihood, (-1,) + (1,) * len(shape)
        if name not in likelihood.pooled:
            return self.sites[name].reshape(one)
        if place is None:
            # A stream of its own: the scatter uses the seed's, and so does new_group.
            deviation = np.random.default_rng([seed, 1]).standard_normal(len(self))
            return (self.sites[f"{name}_typical"] * np.exp(self.sites[f"{name}_spread"] * deviation)).reshape(one)
        steps = np.ndim(self.evidence.target) - 1  # a run of several numbers has one group
        names = np.broadcast_to(np.asarray(place), shape[: len(shape) - steps])
        index = likelihood.place(names.ravel().tolist())
        return self.sites[name][:, index].reshape(-1, *names.shape, *(1,) * steps)

    def new_group(self, seed: int = 0, **covariates: float) -> NewGroup:
        """Parameters of a group that no run is of, drawn from the populations of pooled parameters; see `new_group.new_group`."""
        from .new_group import new_group

        return new_group(self, seed, **covariates)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the posterior with its data and priors to one file, atomically; `load_posterior` reads it back bit for bit."""
        from .storage import save_posterior

        save_posterior(self, path)

    def to_arviz(self) -> Any:
        """The posterior as ArviZ reads it (InferenceData, or DataTree from ArviZ 1.0 on), with named axes; see `arviz.to_arviz`."""
        from .arviz import to_arviz

        return to_arviz(self)

    def __repr__(self) -> str:
        return "\n\n".join([super().__repr__(), *(table.text() for table in self._further)])

    def _repr_html_(self) -> str:
        return self.table().html() + "".join(table.html() for table in self._further)

    @property
    def _further(self) -> list[Table]:
        """Tables beside the summary; counts have no noise numbers."""
        return [*([self.noise()] if self.sites else []), self.diagnostics()]


def medians(params: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Name to median over the draws, numbers as floats."""
    found = {name: np.median(draws, axis=0) for name, draws in params.items()}
    return {name: float(v) if np.ndim(v) == 0 else v for name, v in found.items()}
