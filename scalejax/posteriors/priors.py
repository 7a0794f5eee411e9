"""Priors: by default from the plausible ranges of a law's domains, shown as a table, replaced by any NumPyro distribution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ..core.errors import FitError, suggest
from ..core.laws.domains import Domain, Interval, Positive, Real, Simplex
from ..core.lazy import whole
from ..core.numeric.precision import double
from ..core.numeric.programs import compiled
from ..core.table import Shown, Table, number
from .model.arguments import Numbers

DRAWS = 4000  # of a prior, to describe it
CENTRAL = 3.92  # standard deviations between the ends of a plausible range: it holds the central 95 %


@dataclass(frozen=True, eq=False, repr=False)
class Priors(Shown, Mapping[str, Any]):
    """Name to NumPyro distribution, of every sampled parameter; printing it gives the table of their central 95 %.

    To change one, pass `priors={"alpha": dist.LogNormal(-1.0, 0.3)}` to `sample`, `calibrate` or `prior_predictive`.

    Attributes:
        note: what is expected beside them, of the level of the outputs.
    """

    distributions: Mapping[str, Any]
    note: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.distributions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.distributions)

    def __len__(self) -> int:
        return len(self.distributions)

    @double
    def table(self) -> Table:
        """Prior, median and central 95 % of every parameter."""
        rows = []
        for name, prior in self.items():
            low, middle, high = _quantiles(prior)
            rows.append([name, describe(prior), number(middle, 4), number(low, 4), number(high, 4)])
        return Table(["parameter", "prior", "median", "low 95 %", "high 95 %"], rows, notes=[self.note] if self.note else [])

    def to_dict(self) -> dict[str, Any]:
        """Name to the prior in words."""
        return {name: describe(prior) for name, prior in self.items()}


def describe(prior: Any) -> str:
    """A distribution as text, such as "LogNormal(loc=-1.2, scale=0.5)"."""
    shown = prior
    while type(shown).__name__ in ("Independent", "ExpandedDistribution"):
        shown = shown.base_dist
    values = {name: np.ravel(np.asarray(getattr(shown, name))) for name in shown.arg_constraints if hasattr(shown, name)}
    inside = ", ".join(f"{name}={v[0]:.3g}" if len(set(v.tolist())) == 1 else f"{name}=[{len(v)} values]" for name, v in values.items())
    return f"{type(shown).__name__}({inside})"


def default_prior(domain: Domain, size: int | None) -> Any:
    """The prior of a parameter in this domain: the plausible range holds its central 95 %, hard bounds are uniform between.

    None for domains without a standard distribution: their unconstrained form is then normal over the range of its starts.
    """
    dist = whole("numpyro.distributions")

    if isinstance(domain, Simplex) and size is not None:
        return dist.Dirichlet(np.ones(size))
    if type(domain) is Positive:
        prior = dist.LogNormal(0.5 * np.log(domain.low * domain.high), np.log(domain.high / domain.low) / CENTRAL)
    elif type(domain) is Real:
        prior = dist.Normal(0.5 * (domain.low + domain.high), (domain.high - domain.low) / CENTRAL)
    elif isinstance(domain, Interval):
        prior = dist.Uniform(domain.low, domain.high)
    else:
        return None
    return prior if size is None else prior.expand([size]).to_event(1)


def spread_prior(domain: Domain) -> Any:
    """Prior of the standard deviation between groups, on the unconstrained scale (a relative spread for positive parameters).

    Half-normal with half the standard deviation of the parameter's own prior: groups differ less than what is possible at all.
    """
    dist = whole("numpyro.distributions")

    low, high = (float(np.max(domain.sample(np.full(1, share)))) for share in (0.0, 1.0))
    return dist.HalfNormal(0.5 * (high - low) / CENTRAL)


def check_prior(name: str, prior: Any, shape: tuple[int, ...]) -> Any:
    """The user's prior, or one sentence why it cannot be one."""
    dist = whole("numpyro.distributions")

    if not isinstance(prior, dist.Distribution):
        raise FitError(
            f"priors={{{name!r}: {prior!r}}} is not a NumPyro distribution; give for instance numpyro.distributions.LogNormal(0.0, 1.0)."
        )
    if prior.is_discrete:
        raise FitError(f"The prior of {name!r} is discrete ({describe(prior)}); parameters of laws are continuous.")
    if prior.shape() not in ((), shape):
        raise FitError(f"The prior of {name!r} has shape {prior.shape()}, the parameter {shape}.")
    return prior if prior.shape() == shape else prior.expand(shape).to_event(len(shape))


def inside(domain: Domain, prior: Any) -> bool:
    """Does the prior stay where the parameter can be? Judged by draws: a normal prior eighteen deviations above 0 is no trouble."""
    return bool(np.all(domain.contains(drawn(prior))))


def drawn(prior: Any) -> np.ndarray:
    """`DRAWS` draws of a prior, the same at every call."""
    return np.asarray(_drawn(Numbers(prior)))


def density(prior: Any, x: np.ndarray) -> np.ndarray:
    """Density of a prior at numbers of its support."""
    return np.exp(log_density(prior, x))


def log_density(prior: Any, x: np.ndarray) -> np.ndarray:
    """Its logarithm."""
    return np.asarray(_log_density(Numbers(prior), x))


@compiled(once=True)
def _drawn(prior: Numbers) -> Any:
    return prior.content.sample(jax.random.key(0), (DRAWS,))


@compiled(once=True)
def _log_density(prior: Numbers, x: Any) -> Any:
    return prior.content.log_prob(x)


def replaced(defaults: Mapping[str, Any], given: Mapping[str, Any] | None, shapes: Mapping[str, tuple[int, ...]]) -> Priors:
    """The defaults with the user's priors in their places."""
    out = dict(defaults)
    for name, prior in (given or {}).items():
        if name not in out:
            raise FitError(f"priors names {name!r}, which is not sampled; {suggest(name, out)}")
        out[name] = check_prior(name, prior, shapes.get(name, ()))
    return Priors(out)


def _quantiles(prior: Any) -> tuple[float, float, float]:
    """Central 95 % and median of a distribution, by draws (of all its entries together)."""
    low, middle, high = np.quantile(drawn(prior), [0.025, 0.5, 0.975])
    return float(low), float(middle), float(high)
