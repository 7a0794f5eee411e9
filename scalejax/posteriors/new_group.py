"""What the groups that were seen say about one that was not: its parameters, drawn from the population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ..core.errors import DataError, FitError, suggest
from ..core.numeric.precision import double
from ..fitting.objective.layout import Slot
from ..fitting.uncertainty.draws import Draws
from .model.setup import group_covariates, point_fit
from .posterior import Posterior, medians


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NewGroup(Draws):
    """Draws of the parameters of a group without runs, see `new_group`: everything that takes `Draws` takes it.

    Attributes:
        posterior: of the groups with runs.
    """

    posterior: Posterior

    @cached_property
    def center(self) -> dict[str, Any]:
        """Medians."""
        return medians(self.params)

    @double
    def predict(self, *, kind: Literal["mean", "run"] = "mean", seed: int = 0, **inputs: Any) -> np.ndarray:
        """Predictions of every draw, with a leading draw axis; arguments as in `Posterior.predict`, without a group."""
        if kind != "run":
            return super().predict(kind=kind, **inputs)
        inputs, scatter = self.posterior.of_scatter(inputs, new=True)
        return self.posterior.scattered(super().predict(**inputs), seed, **scatter)


@double
def new_group(posterior: Posterior, seed: int = 0, **covariates: float) -> NewGroup:
    r"""Draws of the parameters of a group that has no runs. Of pooled parameters, on the unconstrained scale,

        u ~ Normal(center + slope . z, spread^2)

    with the posterior draws of center, slope and spread, and the group's covariates z standardised as those of the groups with runs.
    Parameters that groups share keep their draws. Such a group is less certain than any other: the spread between groups adds to what is
    not known of the population.

    Args:
        posterior: draws of `sample(by=..., pool=...)`.
        seed: of the draws from the population.
        **covariates: a value for every column of `sample(covariates=...)`, in its own units.

    Returns:
        NewGroup: `Draws` without groups, (size, 1, draws); its `fit` is that of all runs together.

    Raises:
        FitError: if the posterior has no groups, or parameters that are neither pooled nor shared.
        DataError: if the covariates are not those of the posterior.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> rng, group = np.random.default_rng(0), np.repeat(np.arange(8), 12)
        >>> x, alpha = np.tile(np.logspace(3, 8, 12), 8), 0.3 * np.exp(0.1 * rng.standard_normal(8))
        >>> loss = (1.0 + 20.0 * x ** -alpha[group]) * np.exp(0.01 * rng.standard_normal(96))
        >>> drawn = sj.sample("power_law", dict(x=x, loss=loss, family=group), by="family", share=("E", "A"), method="laplace")
        >>> low, high = drawn.new_group().interval()["alpha"]
        >>> low < 0.3 < high
        True

    References: Gelman and Hill, "Data Analysis Using Regression and Multilevel/Hierarchical Models", 2007, section 12.8.
    """
    _check(posterior)
    z = _standardised(posterior, covariates)
    request = posterior.request.ungrouped
    seen = {slot.name: slot for slot in posterior.request.layout.slots}
    rng, parts = np.random.default_rng(seed), []
    for slot in request.layout.slots:
        if slot.name in posterior.model.pooled:
            parts.append(_drawn(posterior, slot, z, rng)[None])
        else:
            parts.append(posterior.theta[seen[slot.name].start : seen[slot.name].stop, 0])
    which = ", ".join(["new group", *(f"{name} {value:g}" for name, value in covariates.items())])
    fitted = point_fit(request, posterior.fit.seed)
    return NewGroup(fitted, np.concatenate(parts)[:, None], f"{which}; {posterior.kind}", posterior=posterior)


def _drawn(posterior: Posterior, slot: Slot, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Unconstrained values from a parameter's population, (draws,)."""
    sites = posterior.sites
    center = np.asarray(slot.domain.inverse(sites[f"{slot.name}_typical"]))
    if len(z):
        center = center + sites[f"{slot.name}_slope"] @ z
    return center + sites[f"{slot.name}_spread"] * rng.standard_normal(len(posterior))


def _check(posterior: Posterior) -> None:
    request = posterior.request
    if request.by is None:
        raise FitError("new_group() draws from the population of the groups, and this posterior has none; sample with by=... .")
    slots = posterior.model.spec.layout.slots
    if own := [slot.name for slot in slots if slot.grouped and slot.name not in posterior.model.pooled]:
        raise FitError(
            f"Every group has its own {', '.join(own)}, which come from no population, so that nothing is known of a new group's; sample "
            "with pool=None, or name them in share."
        )


def _standardised(posterior: Posterior, given: Mapping[str, float]) -> np.ndarray:
    """(covariates,) of the new group, as the posterior's were."""
    names = posterior.covariates
    for name in given:
        if name not in names:
            raise DataError(f"new_group() got {name!r}, which is not a covariate of this posterior; {suggest(name, names)}")
    if missing := [name for name in names if name not in given]:
        raise DataError(f"new_group() needs the covariates that the posterior was sampled with; give {', '.join(missing)}.")
    for name, value in given.items():
        if np.ndim(value) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
            raise DataError(f"new_group() got {name}={value!r}, which is not one finite number.")
    raw = group_covariates(posterior.request, names)
    return (np.asarray([given[name] for name in names], dtype=np.float64) - raw.mean(0)) / raw.std(0)
