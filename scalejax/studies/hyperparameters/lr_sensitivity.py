"""Small models as proxies for the stability of large ones: sensitivity to the learning rate, and norms extrapolated to a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.numeric.precision import double
from ...core.table import Shown, Table, number
from ...fitting.uncertainty.intervals import quantile_of

_REACH = 1e6  # how far beyond the largest size a crossing is looked for
_GRID = 4001


def lr_sensitivity(
    lr: Any, loss: Any, *, initial: float, best: float | None = None, low: float = 3e-4, high: float = 3e-1
) -> float:  # fmt: skip
    r"""How much loss a learning rate off the best one costs, on average over orders of magnitude.

        mean over ln eta from low to high of  min(L(eta), L_initial) - L_best

    Between the rates tried, the loss is interpolated linearly in ln eta; below and above them it stays as at the nearest one.

    Args:
        lr, loss: (n,) the sweep; a run that diverged has a NaN or infinite loss, which counts as `initial`.
        initial: loss at initialisation: no divergence costs more.
        best: the reference; default the lowest loss of the sweep.
        low, high: the range, 3e-4 to 0.3 in the paper.

    Returns:
        Mean excess loss, in the unit of the loss: 0 for a model that does not mind its learning rate.

    Raises:
        DataError: if fewer than two rates are given, none lies in the range, or all runs diverged.

    Example:
        >>> round(lr_sensitivity([1e-3, 1e-2, 1e-1], [3.0, 3.1, float("nan")], initial=10.0, low=1e-3, high=1e-1), 3)
        1.8

    References: Wortsman et al. 2023, arXiv:2309.14322, section 2.2.
    """
    lr, loss = (np.asarray(v, dtype=float) for v in (lr, loss))
    if lr.ndim != 1 or lr.shape != loss.shape or len(lr) < 2 or not (lr > 0).all() or not 0 < low < high:
        raise DataError("lr_sensitivity() needs two positive learning rates or more, a loss for each, and 0 < low < high.")
    if not np.isfinite(loss).any():
        raise DataError("All runs of the sweep diverged; the best loss is unknown.")
    order = np.argsort(lr)
    x, y = np.log(lr[order]), np.minimum(np.where(np.isfinite(loss), loss, np.inf), initial)[order]
    a, b = np.log([low, high])
    if x[-1] < a or x[0] > b:
        raise DataError(f"No learning rate lies between {low:g} and {high:g}; sweep there, or pass low= and high=.")
    z = np.unique(np.concatenate([[a, b], x[(x > a) & (x < b)]]))
    excess = np.interp(z, x, y) - (y.min() if best is None else best)
    return float((0.5 * (excess[1:] + excess[:-1]) * np.diff(z)).sum() / (b - a))


@dataclass(frozen=True, eq=False, repr=False)
class Threshold(Shown):
    """Size at which a norm crosses a threshold: the estimate, and where the interval of the trend crosses it.

    An end that is not reached within a million times the largest size is infinite.
    """

    N: float
    low: float
    high: float


@dataclass(frozen=True, eq=False, repr=False)
class NormTrend(Shown):
    """Trend of an activation or gradient norm with size (and learning rate); see `norm_trend`.

    Attributes:
        coefficients: of the powers of log N and log lr, in the order of `terms`. terms: their exponents (i, j).
        covariance: of the coefficients. sigma: scatter of log norm. freedom: degrees of freedom.
        centre: means of log N and log lr. largest: largest N of the runs.
    """

    coefficients: np.ndarray
    terms: tuple[tuple[int, int], ...]
    covariance: np.ndarray
    sigma: float
    freedom: int
    centre: tuple[float, float]
    largest: float

    def predict(self, N: Any, lr: Any = 1.0) -> np.ndarray:
        """Norm at sizes and learning rates."""
        return np.exp(self._design(N, lr) @ self.coefficients)

    @double
    def predict_interval(self, N: Any, lr: Any = 1.0, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """(low, high) of the trend, not of a new run."""
        X = self._design(N, lr)
        reach = float(quantile_of(level, np.asarray(self.freedom))) * np.sqrt(np.einsum("...i,ij,...j->...", X, self.covariance, X))
        middle = X @ self.coefficients
        return np.exp(middle - reach), np.exp(middle + reach)

    def crossing(self, threshold: float, lr: float = 1.0, level: float = 0.9) -> Threshold:
        """The size from which on the trend is above `threshold` (below it, for a falling norm) at this learning rate."""
        if not threshold > 0:
            raise DataError(f"threshold={threshold!r} must be positive.")
        N = np.geomspace(np.exp(self.centre[0]), self.largest * _REACH, _GRID)
        middle, (below, above) = self.predict(N, lr), self.predict_interval(N, lr, level)
        found = [_first_crossing(N, curve, threshold) for curve in (middle, below, above)]
        return Threshold(found[0], *sorted(found[1:]))

    def table(self) -> Table:
        """A row for every coefficient."""
        errors = np.sqrt(np.diag(self.covariance))
        names = [" ".join(f"({n} - mean)^{p}" for n, p in zip(("ln N", "ln lr"), t, strict=True) if p) or "1" for t in self.terms]
        rows = [[n, number(c), number(e, 3)] for n, c, e in zip(names, self.coefficients, errors, strict=True)]
        return Table(
            ["term of ln norm", "coefficient", "std. error"], rows, notes=[f"scatter {self.sigma:.3g}, {self.freedom} degrees of freedom"]
        )

    def _design(self, N: Any, lr: Any) -> np.ndarray:
        n, e = np.broadcast_arrays(np.log(np.asarray(N, float)) - self.centre[0], np.log(np.asarray(lr, float)) - self.centre[1])
        return np.stack([n**i * e**j for i, j in self.terms], axis=-1)


def norm_trend(N: Any, norm: Any, lr: Any = None, *, degree: int = 1) -> NormTrend:
    r"""Extrapolate a norm of activations or gradients from small models, to see an instability before it occurs.

        ln norm = polynomial of degree 1 (a power law) or 2 in ln N and, if given, ln lr;    threshold crossed at N: `.crossing(...)`

    Args:
        N: (n,) parameters. norm: (n,) the largest attention logit, root mean square of gradients, ...
        lr: (n,) learning rates, or None for runs at one.
        degree: 1 or 2.

    Returns:
        NormTrend with `.predict(N, lr)`, `.predict_interval(...)`, `.crossing(threshold, lr)`. For gradients that fall towards Adam's
        epsilon pass threshold=1e-8.

    Raises:
        DataError: if values are not positive, or the runs do not determine the polynomial and its scatter.

    Example:
        >>> import numpy as np
        >>> N = np.array([1e7, 3e7, 1e8, 3e8])
        >>> trend = norm_trend(N, 2e-3 * N**0.5 * np.array([1.01, 0.99, 1.0, 1.0]))
        >>> f"{trend.crossing(1e3).N:.1e}"
        '2.6e+11'

    References: Wortsman et al. 2023, arXiv:2309.14322, section 3.4.
    """
    N, norm = (np.asarray(v, dtype=float) for v in (N, norm))
    rates = np.ones_like(N) if lr is None else np.asarray(lr, dtype=float)
    if N.ndim != 1 or not (N.shape == norm.shape == rates.shape):
        raise DataError("norm_trend() needs N, norm and lr as flat lists of one length.")
    if not all(np.isfinite(v).all() and (v > 0).all() for v in (N, norm, rates)) or degree not in (1, 2):
        raise DataError("norm_trend() needs positive N, norm and lr, and degree 1 or 2.")
    terms = tuple((i, j) for i in range(degree + 1) for j in range(degree + 1 - i) if j == 0 or lr is not None)
    centre = (float(np.log(N).mean()), float(np.log(rates).mean()))
    bare = NormTrend(
        coefficients=np.zeros(len(terms)), terms=terms, covariance=np.zeros((len(terms),) * 2), sigma=0.0, freedom=1, centre=centre,
        largest=float(N.max()),
    )  # fmt: skip
    X, y = bare._design(N, rates), np.log(norm)
    freedom = len(y) - len(terms)
    if freedom < 1 or np.linalg.matrix_rank(X) < len(terms):
        raise DataError(f"{len(y)} runs do not determine {len(terms)} coefficients and their scatter; give more, or degree=1.")
    coefficients = np.linalg.lstsq(X, y, rcond=None)[0]
    sigma = float(np.sqrt(((y - X @ coefficients) ** 2).sum() / freedom))
    return NormTrend(
        coefficients=coefficients, terms=terms, covariance=sigma**2 * np.linalg.inv(X.T @ X), sigma=sigma, freedom=freedom, centre=centre,
        largest=float(N.max()),
    )  # fmt: skip


def _first_crossing(N: np.ndarray, curve: np.ndarray, threshold: float) -> float:
    """Where the curve first passes the threshold, by interpolation in logarithms; infinity if it does not."""
    gap = np.log(curve) - np.log(threshold)
    passed = np.flatnonzero(np.sign(gap[1:]) != np.sign(gap[:-1]))
    if not len(passed):
        return np.inf
    i = passed[0]
    share = gap[i] / (gap[i] - gap[i + 1])
    return float(np.exp(np.log(N[i]) + share * np.log(N[i + 1] / N[i])))
