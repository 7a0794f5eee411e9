"""RegMix: random mixtures for a swarm of tiny models, a regression of the loss on the mixture, the mean of the best simulated mixtures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...core.errors import DataError, DataWarning, DecisionError, FitError, suggest, warn
from ...core.numeric.precision import double
from ...core.numeric.statistics import spearman
from ...core.outcomes import more_is_better
from ...core.table import Shown
from ...decisions.mixtures import reach
from ...decisions.mixtures.arguments import limits
from ...decisions.unvaried import kept_shares
from ...fitting.fit import fit
from ...fitting.objective.losses import squared
from ...fitting.result import Fit
from ...zoo.mixtures.data_mixing import data_mixing_m4
from ...zoo.mixtures.mixture_regression import mixture_linear, mixture_quadratic
from .tables import normalised

_MODELS = {"linear": mixture_linear, "exponential": data_mixing_m4, "quadratic": mixture_quadratic}
_OFF = 1e-9  # by which rounding may take a share beyond its cap


class Regressor(Protocol):
    """What `regmix` takes as `model`: anything with the two methods of scikit-learn's regressors."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Any: ...

    def predict(self, X: np.ndarray) -> np.ndarray: ...


@double
def regmix_design(prior: Any, count: int = 512, *, seed: int = 0, cap: float = 15.0, resolution: float = 2e-4) -> np.ndarray:
    r"""Random mixtures for proxy runs, spread around the domains' natural shares.

        h ~ Dirichlet(s p^0.5 / sum_j p_j^0.5),   s one of 15 values from 0.1 to 5, evenly spaced in logarithms
        kept if h_i <= min(cap p_i, 1); rounded to multiples of the resolution

    Args:
        prior: p, natural shares of the domains, sum 1.
        count: how many mixtures.
        seed: of the draws.
        cap: largest weight over the natural share: how often a domain may be repeated.
        resolution: weights are multiples of it; smaller ones are 0.

    Returns:
        (count, domains) distinct mixtures, rows that sum to one.

    Raises:
        DecisionError: if the prior is not a mixture, or too few draws respect the cap.

    Example:
        >>> from scalejax.studies import regmix_design
        >>> h = regmix_design([0.5, 0.3, 0.2], 64)
        >>> h.shape, bool(abs(h.sum(axis=1) - 1).max() < 1e-12)
        ((64, 3), True)

    References: Liu et al. 2024, arXiv:2407.01492.
    """
    p = np.asarray(prior, dtype=np.float64)
    if p.ndim != 1 or len(p) < 2 or not (p > 0).all() or not np.isclose(p.sum(), 1, atol=1e-3):
        raise DecisionError("regmix_design() takes a positive natural share for each of two domains or more, which sum to one.")
    if count < 1:
        raise DecisionError(f"count={count} must be 1 or more.")
    rng = np.random.default_rng(seed)
    p = p / p.sum()
    centre = np.sqrt(p) / np.sqrt(p).sum()
    strengths = np.geomspace(0.1, 5.0, 15)
    kept = np.zeros((0, len(p)))
    for _ in range(20):
        drawn = np.concatenate([rng.dirichlet(s * centre + 1e-12, 7 * count) for s in strengths])
        drawn = drawn[(drawn <= np.minimum(cap * p, 1.0)).all(axis=1)]
        steps = np.round(np.where(drawn < resolution, 0.0, drawn) / resolution)
        steps = steps[steps.sum(axis=1) > 0]
        kept = np.unique(np.concatenate([kept, steps]), axis=0)
        if len(kept) >= count:
            chosen = kept[rng.choice(len(kept), count, replace=False)]
            return chosen / chosen.sum(axis=1, keepdims=True)
    raise DecisionError(f"Only {len(kept)} distinct mixtures respect cap={cap:g} and resolution={resolution:g}; raise the cap.")


@dataclass(frozen=True, eq=False, repr=False)
class RegMix(Shown):
    """Losses as functions of the mixture; made by `regmix`.

    Attributes:
        targets: names of the losses.
        model: the fit by target, or one fitted regressor a target.
        kept: domain (its place) to the share that it has in all mixtures, where it has one: nothing tells what another one does.
        h: (runs, domains) mixtures that it was made from.
    """

    targets: tuple[str, ...]
    model: Fit | tuple[Regressor, ...]
    kept: Mapping[int, float]
    h: np.ndarray

    @double
    def predict(self, h: Any) -> np.ndarray:
        """(mixtures, targets) predicted losses at h (mixtures, domains)."""
        h = normalised(h)
        if isinstance(self.model, Fit):
            return np.stack([np.asarray(self.model.predict(h=h, group=name)) for name in self.targets], axis=1)
        return np.stack([np.asarray(m.predict(h), dtype=np.float64) for m in self.model], axis=1)

    def rank_correlation(self, h: Any, losses: Any) -> dict[str, float]:
        """Rank correlation of predicted and measured losses (mixtures, targets) of every target; losses may be of larger models."""
        predicted, measured = self.predict(h), np.asarray(losses, dtype=np.float64)
        if measured.shape != predicted.shape:
            raise DataError(f"losses must have the shape {predicted.shape}, (mixtures, targets); it is {measured.shape}.")
        return {name: spearman(a, b) for name, a, b in zip(self.targets, predicted.T, measured.T, strict=True)}

    @double
    def simulate(
        self,
        prior: Any,
        target: str | Mapping[str, float],
        *,
        caps: Any = 1.0,
        floors: Any = 0.0,
        samples: int = 100_000,
        keep: int = 128,
        seed: int = 0,
    ) -> np.ndarray:
        """The mean of the `keep` best predicted of `samples` random mixtures: RegMix's optimum, (domains,).

        A domain that has one share in all mixtures keeps it: 0, if it was never trained on.

        Args:
            prior: natural shares p; mixtures are drawn from Dirichlet(p).
            target: the loss to make small, or weights of several; of a score, of which more is better, with a negative weight.
            caps, floors: largest and smallest share, as in `optimal_mixture`, of "domain 0", "domain 1", ...
            samples, keep, seed: of the search.

        Returns:
            (domains,) weights. Averaging keeps the answer off the corners, but not within the runs: a warning says where a share lies
            beyond theirs. For the optimum itself, with a certificate, use `optimal_mixture(regmix.model, weights=...)`.
        """
        p = np.asarray(prior, dtype=np.float64)
        if not 1 <= keep <= samples:
            raise DecisionError(f"keep={keep} must lie between 1 and samples={samples}.")
        importance = {target: 1.0} if isinstance(target, str) else dict(target)
        for name in importance:
            if name not in self.targets:
                raise DecisionError(f"{name!r} is not a target; {suggest(name, self.targets)}")
            if importance[name] > 0 and more_is_better(name):
                raise DecisionError(f"{name!r} is named like a score, of which more is better: seek it with target={{{name!r}: -1.0}}.")
        h = np.random.default_rng(seed).dirichlet(p / p.sum(), samples)
        if self.kept:
            free = np.setdiff1d(np.arange(len(p)), list(self.kept))
            h[:, free] *= (1 - sum(self.kept.values())) / h[:, free].sum(axis=1, keepdims=True)
            h[:, list(self.kept)] = list(self.kept.values())
        names = tuple(f"domain {i}" for i in range(len(p)))
        low, high = limits(names, 1, caps, floors, None, None, 1.0)
        h = h[((h >= low[:, 0] - _OFF) & (h <= high[:, 0] + _OFF)).all(axis=1)]
        if len(h) < keep:
            raise DecisionError(f"Only {len(h)} of {samples} random mixtures keep to caps and floors; draw more samples or loosen them.")
        score = self.predict(h) @ np.asarray([importance.get(name, 0.0) for name in self.targets])
        best = np.asarray(h[np.argpartition(score, keep - 1)[:keep]].mean(axis=0))
        far = reach.note(best, [self.h], names, False)
        if far is not None:
            warn(DataWarning(f"{far[0].upper()}{far[1:]}.", far.code))
        return best


@double
def regmix(h: Any, losses: Any, *, model: Any = "exponential", targets: Any = None, starts: int = 16, seed: int = 0) -> RegMix:
    r"""Regress losses of a swarm of small models on their mixtures, by least squares.

    Args:
        h: (runs, domains) weights; sums within 2 % of one are brought to one.
        losses: (runs, targets), or {target: column}.
        model: "exponential" (`laws.data_mixing_m4`), "linear", "quadratic", "trees" (gradient-boosted; needs scikit-learn, the extra
            `trees`), or a regressor of your own with fit(X, y) and predict(X), which is copied for every target, or a function that
            returns a fresh one: `model=lambda: lightgbm.LGBMRegressor(n_estimators=1000, learning_rate=0.01)`.
        targets: names of the losses, where these are an array.
        starts, seed: of the exponential fit.

    Returns:
        RegMix with `.predict(h)`, `.rank_correlation(h, losses)`, `.simulate(prior, target)`, and `.model`, the fit by target.

    Raises:
        DataError, FitError: if shapes disagree, the model is unknown or its library is not installed.

    Note: on 512 one-million-parameter runs of 17 domains the exponential law ranks 256 unseen mixtures by their loss on web text with
    0.966, the linear one with 0.902. "trees" has the paper's 1,000 trees, rate of 0.01 and 31 leaves of 20 runs or more, and grows all of
    them: the paper stops early on runs set aside, which a regressor of your own may do in its fit(X, y).

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> from scalejax.studies import regmix, regmix_design
        >>> h = regmix_design([0.5, 0.3, 0.2], 48)
        >>> web = laws.data_mixing_m4(h, c=2.0, t=np.array([-1.0, 0.5, 0.0]))
        >>> found = regmix(h[:32], {"web": web[:32]})
        >>> round(found.rank_correlation(h[32:], web[32:, None])["web"], 6)
        1.0

    References: Liu et al. 2024, arXiv:2407.01492.
    """
    h = normalised(h)
    if isinstance(losses, Mapping):
        targets, losses = tuple(map(str, losses)), np.stack([np.asarray(v, dtype=np.float64) for v in losses.values()], axis=1)
    y = np.asarray(losses, dtype=np.float64)
    if y.ndim != 2 or len(y) != len(h) or not np.isfinite(y).all():
        raise DataError(f"losses must be finite numbers with the shape ({len(h)}, targets); the shape is {y.shape}.")
    names = tuple(map(str, targets)) if targets is not None else tuple(f"target {i}" for i in range(y.shape[1]))
    if len(names) != y.shape[1]:
        raise DataError(f"targets names {len(names)} losses of {y.shape[1]}.")
    kept = kept_shares([h], [f"domain {i}" for i in range(h.shape[1])])
    if isinstance(model, str) and model in _MODELS:
        return RegMix(names, _fitted(_MODELS[model], h, y, names, starts, seed), kept, h)
    fresh = _maker(model)
    regressors = tuple(fresh() for _ in names)
    for one, column in zip(regressors, y.T, strict=True):
        one.fit(h, column)
    return RegMix(names, regressors, kept, h)


def _fitted(law: Any, h: np.ndarray, y: np.ndarray, names: tuple[str, ...], starts: int, seed: int) -> Fit:
    """The law by target."""
    count = h.shape[1]
    table = {"h": np.concatenate([h] * len(names)), "loss": y.T.ravel(), "target": np.repeat(names, len(h))}
    sizes = {"pair": count * (count - 1) // 2} if law is mixture_quadratic else None
    return fit(law, table, by="target", loss=squared(), on="linear", starts=starts, seed=seed, sizes=sizes)


def _maker(model: Any) -> Callable[[], Regressor]:
    """What makes a fresh regressor."""
    if isinstance(model, str) and model == "trees":
        return _boosted
    if not isinstance(model, type) and hasattr(model, "fit") and hasattr(model, "predict"):
        return lambda: deepcopy(model)
    if callable(model):
        return model
    raise FitError(f"model={model!r} is unknown and has no fit(X, y) and predict(X); {suggest(str(model), [*_MODELS, 'trees'])}")


def _boosted() -> Regressor:
    """Gradient-boosted trees by histograms, as the paper's."""
    try:
        from sklearn.ensemble import HistGradientBoostingRegressor
    except ImportError:
        raise FitError(
            "Boosted trees need scikit-learn, which is not installed: pip install scikit-learn, or use model='exponential'."
        ) from None
    return HistGradientBoostingRegressor(learning_rate=0.01, max_iter=1000, max_leaf_nodes=31, min_samples_leaf=20, early_stopping=False)
