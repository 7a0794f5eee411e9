"""Observational scaling: what public models would score on a task, from scores that they have elsewhere or from their compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...comparison.trend import monotone_trend
from ...core.answer import Answer
from ...core.checks import check_count
from ...core.errors import DataError
from ...core.table import Note, Shown, Table, number, span
from ...fitting.fit import fit as fit_law
from ...fitting.objective.losses import squared
from ...fitting.result import Fit
from ...fitting.uncertainty.bootstrap import bootstrap
from ...zoo.downstream.latent import observational
from .components import capabilities
from .task_curves import ABOVE, UNSURE

_FEWEST = 3  # models of a family from which a line is drawn
_STEEP = 0.5  # standard deviation of the steepness, relative, that the foot of a sigmoid leaves open
_EDGE = 1e-9  # how near shares come to 0 and 1 on the scale of logits


@dataclass(frozen=True, eq=False, repr=False)
class FamilyLines(Shown):
    """Capabilities of families of models against compute, see `family_lines`.

    Attributes:
        families: names of those with at least three models.
        slope: (families, K) gain in every capability for ten times the compute, theta.
        intercept: (families, K) capability at one unit of compute, nu.
        r_squared: (families, K).
    """

    families: tuple[str, ...]
    slope: np.ndarray
    intercept: np.ndarray
    r_squared: np.ndarray

    def predict(self, family: str, compute: Any) -> np.ndarray:
        """(..., K) capabilities of a family's models of this compute."""
        i = self._place(family)
        return self.intercept[i] + self.slope[i] * np.log10(np.asarray(compute, dtype=np.float64))[..., None]

    def equivalent(self, capability: Any, family: str) -> np.ndarray:
        """Compute with which the models of a family have this much of the first capability."""
        i = self._place(family)
        return 10.0 ** ((np.asarray(capability, dtype=np.float64) - self.intercept[i, 0]) / self.slope[i, 0])

    def _place(self, family: str) -> int:
        if family not in self.families:
            raise DataError(f"There is no line for the family {family!r}; there are those of {', '.join(self.families)}.")
        return self.families.index(family)

    def table(self) -> Table:
        """A row for every family: the line of the first capability."""
        rows = [
            [name, *(number(float(v[i, 0]), 4) for v in (self.slope, self.intercept, self.r_squared))]
            for i, name in enumerate(self.families)
        ]
        return Table(["family", "per decade", "at 1", "R2"], rows, title="first capability against compute")


def family_lines(S: Any, compute: Any, family: Any) -> FamilyLines:
    r"""Straight lines of capabilities against the logarithm of compute, one for every family of models.

        S_m = theta_f log10 C_m + nu_f

    Args:
        S: (models, K) capabilities; rows with NaN are left out, as models without compute are.
        compute: (models,) in any unit, NaN where unknown.
        family: (models,) names.

    Returns:
        FamilyLines: `slope`, `intercept`, `r_squared`, `predict(family, compute)`, `equivalent(capability, family)`.

    Raises:
        DataError: if shapes do not match, compute is not positive, or no family has three models of different compute.

    Example:
        >>> lines = family_lines([[0.0], [0.2], [0.4]], [1.0, 10.0, 100.0], ["a", "a", "a"])
        >>> round(float(lines.slope[0, 0]), 6), float(np.round(lines.equivalent(0.3, "a"), 4))
        (0.2, 31.6228)

    References: Ruan, Maddison and Hashimoto 2024, arXiv:2405.10938, section 3.
    """
    X, C, names = np.asarray(S, dtype=np.float64), np.asarray(compute, dtype=np.float64), np.asarray(family).astype(str)
    if X.ndim != 2 or not X.shape[:1] == C.shape == names.shape:
        raise DataError(f"S, compute and family must have one row a model; got shapes {X.shape}, {C.shape} and {names.shape}.")
    if (C <= 0).any():
        raise DataError("compute must be positive, NaN where it is unknown.")
    sound = np.isfinite(C) & np.isfinite(X).all(axis=1)
    rows: dict[str, tuple[np.ndarray, ...]] = {}
    for name in dict.fromkeys(names[sound].tolist()):
        own = sound & (names == name)
        x, y = np.log10(C[own]), X[own]
        if own.sum() < _FEWEST or np.ptp(x) == 0:
            continue
        slope, intercept = np.polyfit(x, y, 1)
        left = ((y - intercept - np.outer(x, slope)) ** 2).sum(axis=0)
        rows[name] = slope, intercept, 1 - left / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    if not rows:
        raise DataError(f"No family has {_FEWEST} models of different compute.")
    slope, intercept, r_squared = (np.stack(part) for part in zip(*rows.values(), strict=True))
    return FamilyLines(tuple(rows), slope, intercept, r_squared)


@dataclass(frozen=True, eq=False, repr=False)
class ObservationalForecast(Answer):
    """Scores of models on a task, see `observational_forecast`.

    Attributes:
        score: (models,) predicted; NaN for models without scores whose family has no line, and for all if `reason` says why.
        S: (models, K) capabilities.
        train: (models,) true for the models that the forecast learnt from.
        loadings, share: of the components, see `studies.capabilities`.
        lines: capabilities against compute by family; None without compute.
        fit: of `laws.observational`; None without a curve.
        draws: "score", of new models: with the noise of the fit; NaN without a curve, of which nothing is known.
        reason: why the training models show no curve, "" if they do.
    """

    score: np.ndarray
    S: np.ndarray
    train: np.ndarray
    loadings: np.ndarray
    share: np.ndarray
    lines: FamilyLines | None
    fit: Fit | None
    draws: Mapping[str, np.ndarray]
    reason: str = ""
    _name: ClassVar[str] = "forecast of scores"

    def error(self, outcome: Any) -> float:
        """Root mean square of the forecast's errors over models that were held out; NaN if none has both."""
        left = (np.asarray(outcome, dtype=np.float64) - self.score)[~self.train]
        return float(np.sqrt(np.mean(left[~np.isnan(left)] ** 2))) if np.isfinite(left).any() else float("nan")

    def table(self, level: float = 0.9) -> Table:
        """A row for every model that was held out."""
        limits = self.interval(level)["score"] if self.draws else None
        rows = []
        for i in np.flatnonzero(~self.train):
            cells = [] if limits is None else [span(limits[0][i], limits[1][i], 3) if np.isfinite(self.score[i]) else "—"]
            rows.append([str(i), number(float(self.score[i]), 3), *cells])
        head = ["model", "score", *([] if limits is None else [f"{100 * level:g} %"])]
        share = f"the {len(self.share)} components have {100 * self.share.sum():.3g} % of the variance"
        notes = [share, *([Note(f"no prediction: {self.reason}", "no-prediction")] if self.reason else self._drawn)]
        return Table(head, rows or [["none held out", *[""] * (len(head) - 1)]], notes=notes)


def observational_forecast(
    scores: Any,
    outcome: Any,
    *,
    train: Any,
    compute: Any = None,
    family: Any = None,
    components: int = 3,
    height: float = 1.0,
    floor: float = 0.0,
    replicates: int = 500,
    seed: int = 0,
) -> ObservationalForecast:
    r"""What models score on a complex task, from their scores on simple benchmarks and what other models score on the task.

        S_m = gamma (B_m - mean),    E_m = floor + height sigma(beta^T S_m + alpha)

    Gaps among the scores are filled and components found with the training models alone, `studies.capabilities`; then `laws.observational`
    is fitted to their outcomes by least squares. Models without any score have the capabilities that the line of their family gives for
    their compute, `family_lines`. Intervals resample training models and add the noise of the fit; components are held.

    Where the outcomes of the training models do not go with their capabilities, or the most capable are not above chance, there is no curve
    and no prediction: a task that emerges later looks the same as one that never does. While they have not come half of the way up, nothing
    but the foot of the sigmoid tells how steep it is: beyond them intervals allow for a steepness that is off by up to a half (our own).

    Args:
        scores: (models, benchmarks) from 0 to 1, NaN where missing.
        outcome: (models,) score on the task; of held-out models it is not looked at, and may be NaN.
        train: (models,) true for the models to learn from, such as all up to some compute.
        compute: (models,), NaN where unknown; with `family`, for models without scores.
        family: (models,) names.
        components: K.
        height, floor: of the sigmoid: what lies above random guesses, and these.
        replicates: of the bootstrap; 0 for none.
        seed: of the bootstrap.

    Returns:
        ObservationalForecast: `score`, `interval(level)`, `error(outcome)`, `S`, `loadings`, `share`, `lines`, `fit`, `table()`.

    Raises:
        DataError: if shapes do not match, outcomes of training models are missing, or as `studies.capabilities`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> ability = np.sort(rng.uniform(-2, 2, 40))
        >>> scores = 1 / (1 + np.exp(-ability[:, None] - [0.0, 1.0, -1.0])) + 0.01 * rng.standard_normal((40, 3)).clip(-1, 1)
        >>> outcome = 1 / (1 + np.exp(1 - 2 * ability)) + 0.01 * rng.standard_normal(40)
        >>> found = observational_forecast(scores.clip(0, 1), outcome, train=ability < 1, components=1, replicates=0)
        >>> found.error(outcome) < 0.05
        True

    References: Ruan, Maddison and Hashimoto 2024, arXiv:2405.10938.
    """
    Y, y, rows = np.asarray(scores, dtype=np.float64), np.asarray(outcome, dtype=np.float64), np.asarray(train, dtype=bool)
    if Y.ndim != 2 or not Y.shape[:1] == y.shape == rows.shape:
        raise DataError(f"scores, outcome and train must have one row a model; got shapes {Y.shape}, {y.shape} and {rows.shape}.")
    if not np.isfinite(y[rows]).all():
        raise DataError("The outcomes of all training models must be known; leave others out of train.")
    check_count("replicates", replicates, 0, DataError)
    found = capabilities(Y, train=rows, components=components)
    S = np.array(found.S)
    used = rows & np.isfinite(S).all(axis=1)
    lines = None
    if compute is not None and family is not None:
        C, names = np.asarray(compute, dtype=np.float64), np.asarray(family).astype(str)
        lines = family_lines(np.where(used[:, None], S, np.nan), C, names)
        for i in np.flatnonzero(~np.isfinite(S).all(axis=1) & np.isfinite(C) & np.isin(names, lines.families)):
            S[i] = lines.predict(names[i], C[i])
    known, score = np.isfinite(S).all(axis=1), np.full(len(y), np.nan)
    fitted, drawn = None, np.full((replicates, len(y)), np.nan)
    kind, reason = "no interval: replicates=0", _no_curve(S[used], y[used], floor)
    if not reason:
        runs, fix = {"S": S[used], "score": y[used]}, {"h": height, "b": floor}
        fitted = fit_law(observational, runs, on="linear", loss=squared(), fix=fix, sizes={"component": components})
        score[known] = fitted.predict(S=S[known])
    if fitted is not None and replicates:
        refits = bootstrap(fitted, replicates, kind="cases", seed=seed)
        mean, run = (refits.predict(kind=what, S=S[known], seed=seed) for what in ("mean", "run"))
        drawn[:, known] = _steeper(mean, _ahead(fitted, S[used], S[known]), height, floor, seed) + run - mean
        kind = refits.kind
    draws = {"score": drawn} if replicates else {}
    return ObservationalForecast(
        score, S, rows, found.loadings, found.share, lines, fitted, draws, reason, kind="without a curve" if reason else kind
    )


def _ahead(fitted: Fit, used: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(models,) standard deviation of the sigmoid's argument for a steepness that the training models `used` do not show."""
    beta, height, floor = (np.asarray(fitted.params[name]) for name in ("beta", "h", "b"))
    reached = float(np.max((np.asarray(fitted.predict(S=used)) - floor) / height))
    return _STEEP * max(1 - 2 * reached, 0.0) * np.maximum(at @ beta - np.max(used @ beta), 0.0)


def _steeper(score: np.ndarray, sd: np.ndarray, height: float, floor: float, seed: int) -> np.ndarray:
    """Scores (draws, models) on sigmoids whose argument is off by so much, by one number a draw."""
    p = np.clip((score - floor) / height, _EDGE, 1 - _EDGE)
    off = np.random.default_rng(seed).standard_normal((len(score), 1)) * sd
    return np.where(sd > 0, floor + height / (1 + (1 - p) / p * np.exp(-off)), score)


def _no_curve(S: np.ndarray, y: np.ndarray, floor: float) -> str:
    """Why the outcomes y (models,) tell no curve over the capabilities S (models, K), or "": the tests of `ladder`."""
    if np.ptp(y) == 0:
        return f"all {len(y)} training models have the outcome {y[0]:.3g}, so that nothing tells where it rises."
    line = np.column_stack([np.ones(len(y)), S])
    index = line @ np.linalg.lstsq(line, y, rcond=None)[0]
    trend, p = monotone_trend(S[:, 0], y), _regression_p(y, index, S.shape[1])
    if min(trend.p, p) > UNSURE:
        return (
            f"the outcomes of the {len(y)} training models do not go with their capabilities (p {min(trend.p, p):.2g}), so that nothing "
            "tells where they rise."
        )
    best = y[np.argsort(index)[-max(len(y) // 3, 2) :]]
    if best.mean() - floor <= ABOVE * y.std(ddof=1) / np.sqrt(len(best)):
        return f"the most capable training models, at {best.mean():.3g}, are not above chance ({floor:g}): nothing tells where it rises."
    return ""


def _regression_p(y: np.ndarray, fitted: np.ndarray, count: int) -> float:
    """Probability of a better linear regression on so many columns if the outcome goes with none (F test); 1 without spare models."""
    from scipy.special import fdtrc

    spare = len(y) - count - 1
    left, gain = float(np.sum((y - fitted) ** 2)), float(np.sum((fitted - y.mean()) ** 2))
    return float(fdtrc(count, spare, gain / count / max(left / spare, 1e-300))) if spare > 0 else 1.0
