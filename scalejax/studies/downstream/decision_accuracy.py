"""Do small experiments choose between recipes as the large one would? Pairwise decisions, and proxies that stand for expensive scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...core.answer import Answer
from ...core.errors import DataError
from ...core.numeric.statistics import ordered_pairs, pair_signs, spearman
from ...core.table import Shown, Table, number
from ...fitting.uncertainty.resampling import FEWEST


@dataclass(frozen=True, eq=False, repr=False)
class DecisionAccuracy(Answer):
    """How many pairs of recipes predictions put in the observed order, see `decision_accuracy`; arrays over predictors.

    Attributes:
        predictors: their names.
        accuracy: (predictors,) share of the pairs decided as observed, a tie of the predictor as one half.
        pairs: pairs of recipes that the observations order.
        compute: (predictors,) of each, or None.
        draws: "accuracy" of resampled recipes (and seeds), (replicates, predictors).
    """

    predictors: tuple[str, ...]
    accuracy: np.ndarray
    pairs: int
    compute: np.ndarray | None
    draws: Mapping[str, np.ndarray]
    _name: ClassVar[str] = "decision accuracy"

    @property
    def frontier(self) -> np.ndarray:
        """(predictors,) true where no cheaper predictor decides as many pairs rightly.

        Raises:
            DataError: without compute.
        """
        if self.compute is None:
            raise DataError("A frontier needs compute=, one number a predictor.")
        cheaper = self.compute[None, :] < self.compute[:, None]
        equal = self.compute[None, :] == self.compute[:, None]
        gain = self.accuracy[None, :] - self.accuracy[:, None]
        better = (cheaper & (gain >= 0)) | (equal & (gain > 0))
        return ~better.any(axis=1)

    def table(self, level: float = 0.9) -> Table:
        """A row for every predictor."""
        columns: dict[str, tuple[Any, int]] = {"predictor": (list(self.predictors), 0), "accuracy": (self.accuracy, 3)}
        if self.compute is not None:
            columns |= {"compute": (self.compute, 4), "": (["frontier" if on else "" for on in self.frontier], 0)}
        head, rows = self._rows(columns, level)
        return Table(head, rows, title="Decision accuracy", notes=[f"{self.pairs} pairs of recipes", *self._drawn])


def decision_accuracy(
    predicted: Any, observed: Any, *, compute: Any = None, opposite: bool = False, replicates: int = 1000, seed: int = 0
) -> DecisionAccuracy:
    r"""Share of the pairs of recipes that a prediction orders as the target scale does.

        accuracy = (1 / pairs) sum_{a < b} 1[ sign(pred_a - pred_b) = sign(obs_a - obs_b) ]

    Guessing has 0.5, and so has a predictor that cannot tell recipes apart: where it has a tie, the pair counts one half. Pairs that are
    tied at the target have no right order and are left out. The predictor may be the score of a small run itself, or a law's prediction
    (`fit(..., by="recipe")`, then the prediction at the target). Intervals resample recipes, since pairs share them, and seeds where there
    are several.

    Args:
        predicted: (recipes,) of one predictor; or name to (recipes,), such as one for every small size.
        observed: (recipes,) at the target scale; or (recipes, seeds), of which the mean counts.
        compute: one number a predictor, in their order, for the frontier.
        opposite: True if small predictions go with large observations, such as losses with accuracies.
        replicates: resamplings, 0 for none.
        seed: of the resampling.

    Returns:
        DecisionAccuracy: `accuracy`, `interval(level)`, `frontier`, `table()`.

    Raises:
        DataError: if shapes do not agree, values are missing, or there are fewer than two recipes, or all are tied at the
            target.

    Example:
        >>> from scalejax.studies import decision_accuracy
        >>> small = {"20M": [3.10, 3.00, 3.05, 2.9], "150M": [2.60, 2.58, 2.50, 2.41]}
        >>> found = decision_accuracy(small, [2.20, 2.18, 2.09, 2.05], compute=[1e17, 1e19], replicates=100)
        >>> found.accuracy.round(3).tolist(), found.frontier.tolist()
        ([0.833, 1.0], [True, True])

    References: Magnusson et al. 2025, arXiv:2504.11393.
    """
    target = np.asarray(observed, dtype=np.float64)
    seeds = target[:, None] if target.ndim == 1 else target
    table = predicted if isinstance(predicted, Mapping) else {"prediction": predicted}
    rows = [np.asarray(v, dtype=np.float64) for v in table.values()]
    if seeds.ndim != 2 or len(seeds) < 2 or any(r.shape != (len(seeds),) for r in rows):
        raise DataError("decision_accuracy() needs as many predicted as observed recipes, two or more: (recipes,) and (recipes, seeds).")
    if not (np.isfinite(seeds).all() and all(np.isfinite(r).all() for r in rows)):
        raise DataError("decision_accuracy() got predictions or observations that are not finite.")
    costs = None if compute is None else np.atleast_1d(np.asarray(compute, dtype=np.float64))
    if costs is not None and costs.shape != (len(rows),):
        raise DataError(f"compute has the shape {costs.shape} for {len(rows)} predictors.")
    mean = seeds.mean(axis=1)
    pairs = int(np.count_nonzero(pair_signs(mean)))
    if not pairs:
        raise DataError("decision_accuracy() got the same observation for every recipe, so that no pair has a right order.")
    guess = np.stack(rows) * (-1.0 if opposite else 1.0)
    draws = _resampled(guess, seeds, replicates, np.random.default_rng(seed))
    n = len(seeds)
    share = ordered_pairs(mean, guess)
    few = f"no interval: {n} recipes are too few to resample, {FEWEST} are the least" if n < FEWEST else ""
    found = {"accuracy": draws} if replicates and not few else {}
    kind = few if not found else f"of recipes and seeds drawn with replacement (seed {seed})"
    return DecisionAccuracy(predictors=tuple(map(str, table)), accuracy=share, pairs=pairs, compute=costs, draws=found, kind=kind)


def _resampled(guess: np.ndarray, seeds: np.ndarray, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Shares under recipes and seeds drawn with replacement, (replicates, predictors)."""
    n, k = seeds.shape
    out = np.empty((replicates, len(guess)))
    for row in out:
        truth = np.take_along_axis(seeds, rng.integers(0, k, (n, k)), axis=1).mean(axis=1)
        recipes = rng.integers(0, n, (n,))
        row[:] = ordered_pairs(truth[recipes], guess[:, recipes])  # of a recipe and its copy there is no order
    return out


@dataclass(frozen=True, eq=False, repr=False)
class ProxyCalibration(Shown):
    """A straight line from a proxy to what it stands for, see `proxy_calibration`.

    Attributes:
        a, b: target = a + b proxy.
        pearson, spearman: correlation of values and of ranks.
        rmse: scatter about the line.
        order: indices of the candidates from the smallest predicted target to the largest.
    """

    a: float
    b: float
    pearson: float
    spearman: float
    rmse: float
    order: np.ndarray

    def predict(self, proxy: Any) -> np.ndarray:
        """Targets for proxies."""
        return self.a + self.b * np.asarray(proxy, dtype=np.float64)

    def table(self) -> Table:
        """The line and its quality."""
        cells = [number(v) for v in (self.a, self.b, self.pearson, self.spearman, self.rmse)]
        return Table(["", "a", "b", "Pearson", "Spearman", "scatter"], [["line", *cells]])


def proxy_calibration(proxy: Any, target: Any, *, candidates: Sequence[float] | None = None) -> ProxyCalibration:
    r"""How well a cheap measurement stands for an expensive one, and the order in which it puts candidates.

        target = a + b proxy

    For ablations of training data the proxy of a subset of partitions is the log perplexity of the average of models trained on one
    partition each, the target that of a model trained on the subset: models grow with the partitions, not with their subsets.

    Args:
        proxy, target: (n,) where both are known; three or more.
        candidates: (m,) proxies to be ranked; default `proxy`.

    Returns:
        ProxyCalibration: `a`, `b`, `pearson`, `spearman`, `rmse`, `order`, `predict(proxy)`.

    Raises:
        DataError: if there are fewer than three points, or one column is constant or has gaps.

    Example:
        >>> from scalejax.studies import proxy_calibration
        >>> found = proxy_calibration([3.0, 3.2, 3.5, 3.9], [2.0, 2.1, 2.25, 2.45], candidates=[3.3, 3.1])
        >>> round(found.b, 6), found.spearman, found.order.tolist()
        (0.5, 1.0, [1, 0])

    References: Na et al. 2024, arXiv:2410.15661.
    """
    x, y = (np.asarray(v, dtype=np.float64) for v in (proxy, target))
    if x.ndim != 1 or x.shape != y.shape or len(x) < 3 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("proxy_calibration() needs two flat columns of at least three numbers, without gaps.")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise DataError("proxy_calibration() needs proxies and targets that differ; one of the columns is constant.")
    b, a = np.polyfit(x, y, 1)
    ranked = np.argsort(a + b * np.asarray(x if candidates is None else candidates, dtype=np.float64), kind="stable")
    rmse = float(np.sqrt(((y - a - b * x) ** 2).mean()))
    return ProxyCalibration(
        a=float(a), b=float(b), pearson=float(np.corrcoef(x, y)[0, 1]), spearman=spearman(x, y), rmse=rmse, order=ranked
    )
