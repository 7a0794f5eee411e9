"""Trade-offs between tasks when models are merged: a quadratic surface for each metric, and the best compromises on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DataError, DecisionError
from ...core.numeric.statistics import evenly, undominated
from ...core.table import Shown, Table, number

_NEWTON = 50  # Gauss-Newton steps
_ASCENT = 200  # steps of projected gradients
_LINKS = ("identity", "sigmoid", "softplus")


def _features(c: np.ndarray) -> np.ndarray:
    """1, c_i and c_i c_j for i <= j along the last axis."""
    i, j = np.triu_indices(c.shape[-1])
    return np.concatenate([np.ones((*c.shape[:-1], 1)), c, c[..., i] * c[..., j]], axis=-1)


def _activated(x: np.ndarray, link: str) -> tuple[np.ndarray, np.ndarray]:
    """Value and slope of the link."""
    if link == "identity":
        return x, np.ones_like(x)
    s = 0.5 * (1 + np.tanh(x / 2))  # the logistic function, without overflow
    return (s, s * (1 - s)) if link == "sigmoid" else (np.logaddexp(0.0, x), s)


@dataclass(frozen=True, eq=False, repr=False)
class QuadraticSurface(Shown):
    """Metrics of several tasks as quadratic functions of merging coefficients, see `quadratic_surface`.

    Attributes:
        e: (tasks,) constants. b: (tasks, T) slopes. A: (tasks, T, T) symmetric matrices.
        link: "identity", "sigmoid" or "softplus".
        rmse: (tasks,) scatter of the metrics about the surface.
    """

    e: np.ndarray
    b: np.ndarray
    A: np.ndarray
    link: str
    rmse: np.ndarray

    def predict(self, c: Any) -> np.ndarray:
        """(..., tasks) metrics at coefficients (..., T)."""
        return _activated(self._inner(np.asarray(c, dtype=np.float64)), self.link)[0]

    @property
    def concave(self) -> np.ndarray:
        """(tasks,) is the quadratic concave? If all are, weighted sums reach the whole front."""
        return np.linalg.eigvalsh(self.A).max(axis=-1) <= 0

    def _inner(self, c: np.ndarray) -> np.ndarray:
        return self.e + c @ self.b.T + np.einsum("...i,nij,...j->...n", c, self.A, c)

    def _slopes(self, c: np.ndarray) -> np.ndarray:
        """(..., tasks, T)"""
        _, rate = _activated(self._inner(c), self.link)
        return rate[..., None] * (self.b + 2 * np.einsum("nij,...j->...ni", self.A, c))


def quadratic_surface(c: Any, metrics: Any, *, link: str = "identity") -> QuadraticSurface:
    r"""Fit a quadratic surface to each task's metric from a few merged models, by least squares.

        M_n(c) = act( e_n + b_n . c + c' A_n c )

    T coefficients have (T + 1)(T + 2) / 2 unknowns a task, the least number of evaluations.

    Args:
        c: (runs, T) merging coefficients (or mixture weights less one of them).
        metrics: (runs, tasks), larger is better for `merging_front`.
        link: "identity", "sigmoid" for metrics within 0 and 1, "softplus" for positive ones.

    Returns:
        QuadraticSurface: `e`, `b`, `A`, `rmse`, `predict(c)`, `concave`.

    Raises:
        DataError: if there are too few or too similar runs, or metrics outside the range of the link.

    Example:
        >>> import numpy as np
        >>> c = np.linspace(0, 1, 5)[:, None]
        >>> found = quadratic_surface(c, 0.9 - (c - np.array([0.2, 0.7])) ** 2)
        >>> found.A.ravel().round(6).tolist(), found.b.ravel().round(6).tolist()
        ([-1.0, -1.0], [0.4, 1.4])

    References: Li et al. 2024, arXiv:2406.07529, section 3.
    """
    x, y = np.asarray(c, dtype=np.float64), np.asarray(metrics, dtype=np.float64)
    if link not in _LINKS:
        raise DataError(f"link={link!r} must be one of {', '.join(_LINKS)}.")
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("quadratic_surface() needs tables (runs, T) and (runs, tasks) of finite numbers.")
    if (link == "sigmoid" and not ((y > 0) & (y < 1)).all()) or (link == "softplus" and not (y > 0).all()):
        raise DataError(f"Metrics lie outside the range of link={link!r}.")
    phi, T = _features(x), x.shape[1]
    if np.linalg.matrix_rank(phi) < phi.shape[1]:
        raise DataError(f"{T} coefficients need {phi.shape[1]} different runs or more, spread in every direction; got {len(x)}.")
    theta = np.stack([_fitted(phi, column, link) for column in y.T])
    i, j = np.triu_indices(T)
    A = np.zeros((len(theta), T, T))
    A[:, i, j] += theta[:, T + 1 :] / 2
    A[:, j, i] += theta[:, T + 1 :] / 2
    rmse = np.sqrt(((_activated(phi @ theta.T, link)[0] - y) ** 2).mean(axis=0))
    return QuadraticSurface(theta[:, 0], theta[:, 1 : T + 1], A, link, rmse)


def _fitted(phi: np.ndarray, y: np.ndarray, link: str) -> np.ndarray:
    """Least squares of one metric: the inverse link gives the start, damped Gauss-Newton steps the rest."""
    if link == "identity":
        return np.linalg.lstsq(phi, y, rcond=None)[0]
    inverse = np.log(y) - np.log1p(-y) if link == "sigmoid" else y + np.log(-np.expm1(-y))
    theta = np.linalg.lstsq(phi, inverse, rcond=None)[0]
    value, slope = _activated(phi @ theta, link)
    for _ in range(_NEWTON):
        step = np.linalg.lstsq(phi * slope[:, None], y - value, rcond=None)[0]
        size = 1.0
        while size > 1e-6:
            new_value, new_slope = _activated(phi @ (theta + size * step), link)
            if ((y - new_value) ** 2).sum() <= ((y - value) ** 2).sum():
                break
            size /= 2
        else:
            return theta
        theta, value, slope = theta + size * step, new_value, new_slope
        if np.abs(step).max() < 1e-12 * (1 + np.abs(theta).max()):
            break
    return theta


@dataclass(frozen=True, eq=False, repr=False)
class MergingFront(Shown):
    """The best compromises between tasks, see `merging_front`.

    Attributes:
        c: (points, T) coefficients. metrics: (points, tasks), none beaten by another.
    """

    c: np.ndarray
    metrics: np.ndarray

    def choose(self, weights: Any) -> int:
        """Index of the point with the largest weighted sum of metrics."""
        w = np.asarray(weights, dtype=np.float64)
        if w.shape != self.metrics.shape[1:] or not (w >= 0).all() or not w.any():
            raise DecisionError(f"weights must be {self.metrics.shape[1]} numbers of 0 or more, one a task, not all 0.")
        return int((self.metrics @ w).argmax())

    def table(self, rows: int = 10) -> Table:
        """Some points, in the order of the first metric."""
        order = np.argsort(self.metrics[:, 0])
        picked = order[evenly(len(order), rows)]
        T, tasks = self.c.shape[1], self.metrics.shape[1]
        head = ["point", *(f"task {i + 1}" for i in range(tasks)), *(f"c{i + 1}" for i in range(T))]
        return Table(head, [[str(i), *map(number, self.metrics[i]), *map(number, self.c[i])] for i in picked])


def merging_front(
    surface: QuadraticSurface, *, low: float = 0.0, high: float = 1.0, points: int = 200, candidates: int = 2000, seed: int = 0
) -> MergingFront:  # fmt: skip
    r"""The Pareto set of merging coefficients on fitted surfaces: those that no others beat in every task.

        { c : no c' with M_n(c') >= M_n(c) for all n and > for one },    low <= c_i <= high

    Weighted sums of the metrics, with weights spread over the simplex of tasks, are climbed by projected gradients, and random
    coefficients are added, since weighted sums miss the parts of a front that are not concave; what is beaten is dropped.

    Args:
        surface: from `quadratic_surface`.
        low, high: the box of coefficients.
        points: weightings. candidates: random coefficients.
        seed: of both.

    Returns:
        MergingFront: `c`, `metrics`, `choose(weights)`, `table()`.

    Raises:
        DecisionError: if the box is empty or counts are not positive.

    Example:
        >>> import numpy as np
        >>> c = np.linspace(0, 1, 5)[:, None]
        >>> surface = quadratic_surface(c, 0.9 - (c - np.array([0.2, 0.7])) ** 2)
        >>> front = merging_front(surface, points=50, candidates=0)
        >>> round(float(front.c.min()), 3), round(float(front.c.max()), 3), round(float(front.c[front.choose([1, 1])][0]), 1)
        (0.2, 0.7, 0.5)

    References: Li et al. 2024, arXiv:2406.07529 (there with NSGA-III on the surfaces).
    """
    if not low < high or points < 1 or candidates < 0:
        raise DecisionError(f"merging_front() needs low < high, points of at least 1 and candidates of at least 0; got {low!r}, {high!r}.")
    rng = np.random.default_rng(seed)
    tasks, T = surface.b.shape
    weights = np.concatenate([np.eye(tasks), rng.dirichlet(np.ones(tasks), points)])
    c = _climbed(surface, weights, np.full((len(weights), T), 0.5 * (low + high)), low, high)
    c = np.concatenate([c, rng.uniform(low, high, (candidates, T))])
    metrics = surface.predict(c)
    kept = undominated(metrics)
    return MergingFront(c[kept], metrics[kept])


def _climbed(surface: QuadraticSurface, weights: np.ndarray, c: np.ndarray, low: float, high: float) -> np.ndarray:
    """Coefficients of largest weighted sums, from c: projected gradients whose step halves where they fail, and grows where they work."""
    step = np.full((len(c), 1), (high - low) / 4)
    value = (weights * surface.predict(c)).sum(axis=-1)
    for _ in range(_ASCENT):
        slope = np.einsum("pn,pni->pi", weights, surface._slopes(c))
        tried = np.clip(c + step * slope, low, high)
        now = (weights * surface.predict(tried)).sum(axis=-1)
        better = (now >= value)[:, None]
        c, value, step = np.where(better, tried, c), np.maximum(now, value), np.where(better, 1.5 * step, 0.5 * step)
    return c
