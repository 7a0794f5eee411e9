"""How observations scatter around a law: densities with a learned scale, each a NumPyro distribution of the runs.

Residuals are of the logarithm unless the posterior is sampled with `on="linear"`. The scale sigma is then a relative error.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..core.checks import rows_text
from ..core.edge.public import publish
from ..core.errors import DataError, FitError, suggest
from ..core.lazy import whole
from ..core.runs import Runs
from ..fitting.objective.groups import place_of
from .columns import configurations, labels, numbers

__all__ = ["Likelihood", "beta_binomial", "binomial", "huber", "normal", "student_t"]


@dataclass(frozen=True)
class Likelihood(ABC):
    """Base of all likelihoods; see `normal`, `student_t`, `huber`, `binomial`, `beta_binomial`."""

    @property
    def counts(self) -> bool:
        """Does it describe counts, so that the law predicts a probability?"""
        return False

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups of runs whose noise differs."""
        return ()

    @property
    def by(self) -> str | None:
        """The column that names these groups."""
        return None

    @property
    def replicates(self) -> str | None:
        """The column whose value repeats of one configuration share."""
        return None

    @property
    def trials(self) -> str:
        """The column with the number of trials, "" for what is not a count."""
        return ""

    @property
    def pooled(self) -> tuple[str, ...]:
        """Noise parameters, all positive, that differ between the groups and come from one population."""
        return ()

    @property
    def scaling(self) -> str | None:
        """The pooled noise parameter to which all residuals of a group are proportional."""
        return None

    def among(self, runs: Runs, index: np.ndarray) -> Likelihood:
        """The likelihood with the `groups` that the runs `index` are of."""
        return self

    def place(self, names: Sequence[Any]) -> np.ndarray:
        """Index of every one of these groups."""
        known = {name: i for i, name in enumerate(self.groups)}
        return np.asarray([place_of(name, known, "group", " with a noise of its own") for name in names], int)

    def scale(self, noise: Mapping[str, Any], predicted: Any, rows: Mapping[str, Any]) -> Any:
        """Scale of the residuals, shaped to broadcast with the prediction; effects of units (`sample(groups=...)`) need it."""
        raise FitError(f"The likelihood {type(self).__name__} has no scale, which groups= needs; take normal, student_t or huber.")

    @abstractmethod
    def priors(self, size: float) -> dict[str, Any]:
        """Prior of every noise parameter, of pooled ones that of their median; residuals of ordinary size are `size` large."""

    @abstractmethod
    def start(self, residuals: np.ndarray) -> dict[str, float]:
        """Values of the noise parameters to begin with."""

    def rows(self, runs: Runs, index: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays of the runs `index` that `distribution` needs, one entry a run."""
        return {}

    @abstractmethod
    def distribution(self, noise: Mapping[str, Any], predicted: Any, rows: Mapping[str, Any]) -> Any:
        """NumPyro distribution of what is observed, given the law's prediction (its logarithm when on logs).

        `rows` may also hold the "weight" of every observation: terms of the density times their weights add up to the joint one.
        """

    def new(self, noise: Mapping[str, np.ndarray], predicted: np.ndarray, rows: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        """What new runs show: draws of `distribution`, one of every prediction, in NumPy where the likelihood says how."""
        key = jax.random.key(rng.integers(2**32))
        return np.asarray(self.distribution(noise, predicted, rows).sample(key))

    def left_out(self, noise: Mapping[str, Any], predicted: Any, rows: Mapping[str, Any], value: Any) -> Any:
        """Log density of every observation given all others: its own, unless runs depend on each other."""
        return self.distribution(noise, predicted, rows).log_prob(value)


@dataclass(frozen=True)
class _Scale(Likelihood):
    """Densities around the prediction with a scale sigma, in all or by group, to which a known evaluation error adds."""

    evaluation: str | None = None
    by: str | None = None
    groups: tuple[str, ...] = field(default=(), repr=False)

    @property
    def pooled(self) -> tuple[str, ...]:
        return () if self.by is None else ("sigma",)

    @property
    def scaling(self) -> str | None:
        return None if self.by is None or self.evaluation or self.replicates else "sigma"

    def among(self, runs: Runs, index: np.ndarray) -> Likelihood:
        return self if self.by is None else replace(self, groups=tuple(dict.fromkeys(labels(runs, self.by, index))))

    def priors(self, size: float) -> dict[str, Any]:
        dist = whole("numpyro.distributions")
        return {"sigma": dist.LogNormal(float(np.log(size)), 1.5)}

    def start(self, residuals: np.ndarray) -> dict[str, float]:
        return {"sigma": float(max(1.4826 * np.median(np.abs(residuals)), 1e-3 * np.std(residuals), 1e-9))}

    def rows(self, runs: Runs, index: np.ndarray) -> dict[str, np.ndarray]:
        rows = {}
        if self.evaluation is not None:
            error = rows["evaluation"] = numbers(runs, self.evaluation, index)
            if (error < 0).any():
                raise DataError(f"Column {self.evaluation!r} holds negative standard errors in {rows_text(index[error < 0])}.")
        if self.by is not None:
            rows["noise_group"] = self.place(labels(runs, self.by, index))
        return rows

    def scale(self, noise: Mapping[str, Any], predicted: Any, rows: Mapping[str, Any]) -> Any:
        """Root of sigma^2 plus the squared evaluation error, shaped to broadcast with the prediction."""

        def beside(of_run: Any) -> Any:
            return of_run.reshape(of_run.shape + (1,) * (jnp.ndim(predicted) - 1))

        sigma = beside(noise["sigma"][rows["noise_group"]]) if "noise_group" in rows else noise["sigma"]
        return jnp.sqrt(sigma**2 + beside(rows["evaluation"]) ** 2) if "evaluation" in rows else sigma

    def new(self, noise: Mapping[str, np.ndarray], predicted: np.ndarray, rows: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        return predicted + noise["sigma"] * self._unit(noise, predicted.shape, rng)

    def _unit(self, noise: Mapping[str, np.ndarray], shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Residuals of new runs in units of sigma."""
        return rng.standard_normal(shape)


@dataclass(frozen=True)
class Normal(_Scale):
    """See `normal`."""

    replicates: str | None = None

    def priors(self, size: float) -> dict[str, Any]:
        priors = super().priors(size)
        return priors if self.replicates is None else {**priors, "tau": priors["sigma"]}

    def start(self, residuals: np.ndarray) -> dict[str, float]:
        start = super().start(residuals)
        return start if self.replicates is None else dict.fromkeys(("sigma", "tau"), start["sigma"] / np.sqrt(2))  # halves of the variance

    def rows(self, runs: Runs, index: np.ndarray) -> dict[str, np.ndarray]:
        rows = super().rows(runs, index)
        return rows if self.replicates is None else {**rows, "configuration": configurations(runs, self.replicates, index)}

    def distribution(self, noise: Mapping[str, Any], predicted: Any, rows: Mapping[str, Any]) -> Any:
        dist = whole("numpyro.distributions")

        from .model.densities import replicated_normal

        scale = self.scale(noise, predicted, rows)
        if self.replicates is None:
            return dist.Normal(predicted, scale)
        if "configuration" not in rows:  # a new run, of a configuration that has no other
            return dist.Normal(predicted, jnp.hypot(scale, noise["tau"]))
        return replicated_normal(predicted, scale, noise["tau"], rows["configuration"], rows.get("weight", 1.0))

    def _unit(self, noise: Mapping[str, np.ndarray], shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        louder = 1.0 if self.replicates is None else np.hypot(1.0, noise["tau"] / noise["sigma"])  # a new run is of a new configuration
        return louder * super()._unit(noise, shape, rng)

    def left_out(self, noise: Mapping[str, Any], predicted: Any, rows: Mapping[str, Any], value: Any) -> Any:
        density = self.distribution(noise, predicted, rows)
        return density.log_prob(value) if self.replicates is None else density.log_prob_left_out(value)


_TAILS = (10.0, 15.0)  # location and scale of the degrees of freedom's prior, which begins at 1


@dataclass(frozen=True)
class StudentT(_Scale):
    """See `student_t`."""

    nu: float | None = None

    def priors(self, size: float) -> dict[str, Any]:
        dist = whole("numpyro.distributions")
        return {**super().priors(size), **({} if self.nu else {"nu": dist.TruncatedNormal(*_TAILS, low=1.0)})}

    def start(self, residuals: np.ndarray) -> dict[str, float]:
        return {**super().start(residuals), **({} if self.nu else {"nu": 5.0})}

    def distribution(self, noise: Mapping[str, Any], predicted: Any, rows: Mapping[str, Any]) -> Any:
        dist = whole("numpyro.distributions")
        return dist.StudentT(self.nu or noise["nu"], predicted, self.scale(noise, predicted, rows))

    def _unit(self, noise: Mapping[str, np.ndarray], shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.standard_t(self.nu or noise["nu"], shape)


@dataclass(frozen=True)
class Huber(_Scale):
    """See `huber`."""

    delta: float = 1e-3

    def distribution(self, noise: Mapping[str, Any], predicted: Any, rows: Mapping[str, Any]) -> Any:
        from .model.densities import huber_density

        return huber_density(predicted, self.scale(noise, predicted, rows), self.delta)

    def _unit(self, noise: Mapping[str, np.ndarray], shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        from scipy.special import ndtr, ndtri

        edge = self.delta / noise["sigma"]
        middle, tails = np.sqrt(2 * np.pi) * (2 * ndtr(edge) - 1), 2 / edge * np.exp(-0.5 * edge**2)
        near = ndtri(0.5 + (ndtr(edge) - 0.5) * rng.uniform(-1, 1, shape))
        far = (edge + rng.exponential(size=shape) / edge) * rng.choice([-1.0, 1.0], shape)
        return np.where(rng.uniform(size=shape) * (middle + tails) < middle, near, far)


@dataclass(frozen=True)
class Binomial(Likelihood):
    """See `binomial` and `beta_binomial`."""

    trials: str = "trials"
    overdispersed: bool = False

    @property
    def counts(self) -> bool:
        return True

    def priors(self, size: float) -> dict[str, Any]:
        dist = whole("numpyro.distributions")
        return {"concentration": dist.LogNormal(float(np.log(100.0)), 2.0)} if self.overdispersed else {}

    def start(self, residuals: np.ndarray) -> dict[str, float]:
        return {"concentration": 100.0} if self.overdispersed else {}

    def rows(self, runs: Runs, index: np.ndarray) -> dict[str, np.ndarray]:
        trials = numbers(runs, self.trials, index)
        if ((trials < 1) | (trials != np.round(trials))).any():
            bad = index[(trials < 1) | (trials != np.round(trials))]
            raise DataError(f"Column {self.trials!r} must hold whole numbers of trials, 1 or more; it does not in {rows_text(bad)}.")
        return {"trials": trials}

    def distribution(self, noise: Mapping[str, Any], predicted: Any, rows: Mapping[str, Any]) -> Any:
        dist = whole("numpyro.distributions")

        p = jnp.clip(predicted, 1e-9, 1 - 1e-9)  # a law of losses may leave the unit interval; the density must stay finite there
        trials = rows["trials"].astype(int)  # NumPyro draws counts out of whole numbers only
        if self.overdispersed:
            k = noise["concentration"]
            return dist.BetaBinomial(p * k, (1 - p) * k, trials)
        return dist.BinomialProbs(p, trials)

    def new(self, noise: Mapping[str, np.ndarray], predicted: np.ndarray, rows: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        p = np.clip(predicted, 1e-9, 1 - 1e-9)
        if self.overdispersed:
            p = rng.beta(p * noise["concentration"], (1 - p) * noise["concentration"])
        return rng.binomial(rows["trials"].astype(int), p)


def normal(*, evaluation: str | None = None, replicates: str | None = None, by: str | None = None) -> Likelihood:
    r"""Normal residuals, r ~ Normal(0, sigma^2 + e^2); with replicates, of run j of configuration i,

        r_ij = b_i + e_ij,    b_i ~ Normal(0, tau^2),    e_ij ~ Normal(0, sigma^2 + evaluation_ij^2)

    so that tau tells how far the law misses a configuration, and sigma how far its repeats scatter. The b_i are integrated out. Many seeds
    of one configuration then count as what they are, no independent evidence on the law. Steps of a curve, and targets, have a b_i each.

    Args:
        evaluation: column with the known standard error e of every measured output, on the scale of the residuals (relative errors when on
            logs); sigma is then what runs scatter beyond their evaluation error.
        replicates: column, of text or numbers, with the same value in all repeats of one configuration (such as other seeds). A new run
            (`Posterior.predict(kind="run")`) is of a new configuration, and a run's leave-one-out density is given the other repeats.
        by: as in `student_t`; tau is the same in all groups.

    Raises:
        DataError: by `sample`, if no two runs share a configuration, or all do.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> x, misfit = np.logspace(3, 8, 20), 0.02 * np.random.default_rng(0).standard_normal(20)
        >>> runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=np.repeat(x, 4), noise=0.002)
        >>> runs = runs.with_columns(config=np.repeat(np.arange(20), 4), loss=runs["loss"] * np.exp(np.repeat(misfit, 4)))
        >>> drawn = sj.sample("power_law", runs, likelihood=sj.likelihoods.normal(replicates="config"), method="laplace")
        >>> sigma, tau = (float(np.median(drawn.sites[name])) for name in ("sigma", "tau"))
        >>> 0.0015 < sigma < 0.003, 0.01 < tau < 0.03
        (True, True)

    References: the one-way random-effects model, Searle, Casella and McCulloch, "Variance Components", 1992, chapter 3.
    """
    return Normal(evaluation=evaluation, by=by, replicates=replicates)


def student_t(nu: float | None = None, *, evaluation: str | None = None, by: str | None = None) -> Likelihood:
    r"""Student-t residuals of scale sigma, so that single bad runs count little. The default likelihood.

    Runs of different sources scatter differently. With `by` every group g of runs has a scale of its own, from one population, so that a
    group of one run is no trouble:

        log sigma_g ~ Normal(log sigma_typical, sigma_spread^2),    sigma_spread ~ HalfNormal(1)

    Args:
        nu: degrees of freedom, of all groups; None learns them. Their prior is Normal(10, 15^2) above 1 (above 30 it is as good as normal;
            at 1 and below a spread has no meaning, and a law through a few runs would pass for one through all).
        evaluation: as in `normal`.
        by: column, of text or numbers, that names the groups; it need not be that of `sample(by=...)`. `Posterior.predict(kind="run")`
            takes the group of a new run under the column's name (where it is that of `sample(by=...)`, as `group`); without it the run is
            of a group that nobody has seen.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> x, lab = np.tile(np.logspace(3, 8, 20), 2), np.repeat(["careful", "quick"], 20)
        >>> noise = np.where(lab == "quick", 0.02, 0.002) * np.random.default_rng(0).standard_normal(40)
        >>> runs = {"x": x, "loss": (1.0 + 20.0 * x**-0.3) * np.exp(noise), "lab": lab}
        >>> drawn = sj.sample("power_law", runs, likelihood=sj.likelihoods.student_t(by="lab"), method="laplace")
        >>> careful, quick = np.median(drawn.sites["sigma"], axis=0)
        >>> bool(0.001 < careful < 0.004 and 0.01 < quick < 0.04)
        True

    References: Gelman and Hill, "Data Analysis Using Regression and Multilevel/Hierarchical Models", 2007, section 17.6 (unequal
        variances).
    """
    if nu is not None and not nu > 0:
        raise FitError(f"nu={nu!r} must be a positive number, or None to learn it.")
    return StudentT(evaluation=evaluation, by=by, nu=None if nu is None else float(nu))


def huber(delta: float = 1e-3, *, evaluation: str | None = None, by: str | None = None) -> Likelihood:
    r"""The density whose best fit is the Huber fit, normalised and with a learned scale:

        p(r) = exp(-rho_delta(r) / sigma^2) / Z
        Z = sigma sqrt(2 pi) erf(delta / (sigma sqrt 2)) + 2 sigma^2/delta exp(-delta^2 / (2 sigma^2))

    with rho_delta of `sj.huber(delta)`: a normal middle and exponential tails of length sigma^2/delta. `evaluation` and `by` as in
    `student_t`.
    """
    if not delta > 0:
        raise FitError(f"delta={delta!r} must be a positive number.")
    return Huber(evaluation=evaluation, by=by, delta=float(delta))


def binomial(trials: str = "trials") -> Likelihood:
    """Counts out of `trials`: the law predicts a probability, the output column holds the observed share of successes."""
    return Binomial(trials)


def beta_binomial(trials: str = "trials") -> Likelihood:
    """As `binomial`, with runs that scatter more than coin tosses do: probabilities ~ Beta(p k, (1 - p) k) with k learned."""
    return Binomial(trials, True)


_NAMES: dict[str, Callable[[], Likelihood]] = {
    "normal": normal,
    "student_t": student_t,
    "huber": huber,
    "binomial": binomial,
    "beta_binomial": beta_binomial,
}


def as_likelihood(likelihood: Likelihood | str, by: str | None = None) -> Likelihood:
    """A likelihood from itself or its name; `by` names the groups of the law, each of which then has noise of its own."""
    if isinstance(likelihood, Likelihood):
        return likelihood
    if likelihood in _NAMES:
        found = _NAMES[likelihood]()
        return replace(found, by=by) if isinstance(found, _Scale) else found
    raise FitError(f"likelihood={likelihood!r} is unknown; {suggest(str(likelihood), _NAMES)} Or build one with sj.likelihoods.")


publish(globals())
