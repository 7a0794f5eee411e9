"""Sums over the residuals of fits, from which their covariances follow: curvature, scatter, leverage, degrees of freedom.

`DenseRows` holds the derivatives of all residuals of many small sets, `BlockRows` takes those of a joint fit or of a long table block by
block, and `InformedRows` adds what is known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np

from ...core.numeric.sparse import factored
from ..objective import losses
from ..objective.losses import Loss, slope

_NORMAL = np.asarray([NormalDist().inv_cdf((k + 0.5) / 200) for k in range(200)])
_NORMAL /= np.std(_NORMAL)  # a sample of the normal distribution whose variance is 1, so that least squares come out exactly
_ALONE = 0.02  # one minus the leverage below which a residual says nothing of its own variance
_LOCAL = 50  # degrees of freedom at which the curvature of the loss is half the local and half the mean one, see `row_curvature`
_FAR = 4.0
_KNOWN = 20  # degrees of freedom at which the variance of a residual is half its own square and half the mean of all


@dataclass(frozen=True)
class DenseRows:
    """Residuals of some sets with their derivatives.

    Attributes:
        loss: of the fit.
        jac: (sets, n, p) derivatives along the free parameters, zero where there is no weight.
        weight, r: (sets, n).
        bending: (sets, p, p) sum of w psi(r) times the second derivatives of r.
    """

    loss: Loss
    jac: np.ndarray
    weight: np.ndarray
    r: np.ndarray
    bending: np.ndarray

    @cached_property
    def n(self) -> np.ndarray:
        """(sets,) residuals that count."""
        return (self.weight > 0).sum(axis=1)

    @cached_property
    def root(self) -> np.ndarray:
        """(sets, n, p) derivatives times the root of the weight."""
        return self.jac * np.sqrt(self.weight)[..., None]

    @cached_property
    def _svd(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Scale of the columns, U, singular values and V' of the scaled `root`: half the digits of J are lost in J'J."""
        scale = np.maximum(np.linalg.norm(self.root, axis=1), 1e-150)
        return (scale, *np.linalg.svd(self.root / scale[:, None], full_matrices=False))

    @cached_property
    def basis(self) -> np.ndarray:
        """(sets, n, p) orthonormal columns that span what the parameters can do to the residuals; zero where they span less."""
        _, U, values, _ = self._svd
        return np.where(_good(values, self.n)[:, None], U, 0.0)

    @cached_property
    def leverage(self) -> np.ndarray:
        """(sets, n) leverage, between 0 and 1."""
        return np.minimum((self.basis**2).sum(axis=2), 1.0)

    @cached_property
    def errors(self) -> np.ndarray:
        """(sets, n) root of the weight times the residual, no further out than `_FAR` robust standard deviations."""
        unit = np.sqrt(self.weight) * self.r
        far = _FAR * _spread(self.jac.shape[2], self.weight, unit)[:, None]
        return np.clip(unit, -far, far)

    @cached_property
    def score(self) -> np.ndarray:
        """(sets, n) root of the weight times psi(r)."""
        return np.sqrt(self.weight) * slope(self.loss, self.r)

    def hessian(self) -> tuple[np.ndarray, np.ndarray]:
        """See `covariance.Rows`."""
        c = row_curvature(self.loss, self.r, self.weight, self.jac.shape[2])
        return np.swapaxes(self.root, 1, 2) @ (self.root * c[..., None]), self.bending

    @cached_property
    def _alone(self) -> np.ndarray:
        """(sets, n) residuals that the fit passes through by themselves."""
        return (1 - self.leverage < _ALONE) & (self.weight > 0)

    @cached_property
    def _own(self) -> np.ndarray:
        """(sets, n) 1 / (1 - leverage), 0 where a residual is alone."""
        return np.where(self._alone, 0.0, 1 / np.where(self._alone, 1.0, 1 - self.leverage))

    @cached_property
    def _shared(self) -> np.ndarray:
        """(sets, n) how much of the mean variance of all there is in that of a residual, see `scatter`."""
        return np.where(self._alone, 1.0, 1 - _share(self.n - self.jac.shape[2], _KNOWN)[:, None])

    def scatter(self) -> np.ndarray:
        """See `covariance.Rows`. A few residuals cannot tell which of them vary more, so that squares count by the degrees of freedom; one
        that is alone has the variance of all."""
        everyone = mean_score(self.loss, self.jac.shape[2], self.weight, self.r)[:, None]
        variance = self._shared * everyone + (1 - self._shared) * self.score**2 * self._own
        return np.swapaxes(self.root, 1, 2) @ (self.root * variance[..., None])

    def freedom(self, inverse: np.ndarray) -> np.ndarray:
        """See `covariance.Rows`: 2 E(v)^2 / Var(v) of the variance v of every parameter, were all scores of one normal distribution.

        v = u'(A + k M)u with A the share of single squares and k that of their mean, M what the fit leaves of the scores u.
        """
        push = np.einsum("skl,snl->skn", inverse, self.root)
        push = (push / np.maximum(np.abs(push).max(axis=2, keepdims=True), 1e-300)) ** 2  # squared influence of every score, in any unit
        total = np.maximum(self.n - self.jac.shape[2], 1)[:, None]
        a = push * ((1 - self._shared) * self._own)[:, None]
        single = np.einsum("skn,sn->sk", a, 1 - self.leverage)
        k = np.einsum("skn,sn->sk", push, self._shared) / total
        inner = np.einsum("sni,skn,snj->skij", self.basis, a, self.basis, optimize=True)
        squares = np.einsum("skn,sn->sk", a**2, 1 - 2 * self.leverage) + (inner**2).sum(axis=(2, 3))
        return (single + k * total) ** 2 / (np.maximum(squares, 0) + 2 * k * single + k**2 * total + 1e-300)

    @cached_property
    def inverse(self) -> np.ndarray:
        """(sets, p, p) inverse of J'WJ."""
        scale, _, values, vectors = self._svd
        good = _good(values, self.n)
        part = np.swapaxes(vectors, 1, 2) * np.where(good, 1 / np.where(good, values, 1.0), 0.0)[:, None]
        return part @ np.swapaxes(part, 1, 2) / (scale[:, :, None] * scale[:, None])

    def model(self) -> np.ndarray:
        """See `model_covariance`."""
        return model_variance(self.loss, self.jac.shape[2], self.weight, self.r)[:, None, None] * self.inverse


@dataclass(frozen=True)
class BlockRows:
    """The same of one joint fit or a very long table, in blocks of rows whose groups are the same, whose derivatives are not held.

    Attributes:
        loss: of the fit.
        weight, r: (height, blocks).
        curved: (1, size, size) bending sums of all parameters.
        free: indices of the parameters that are free.
        place: (local size, blocks) which parameters act on which block.
        weighed_sums: sums of J J', (1, size, size) each, of arrays of row weights (height, blocks).
        leverages: (height, blocks) from the inverse of J'WJ (size, size).
    """

    loss: Loss
    weight: np.ndarray
    r: np.ndarray
    curved: np.ndarray
    free: np.ndarray
    place: np.ndarray
    weighed_sums: Callable[..., list[np.ndarray]]
    leverages: Callable[[np.ndarray], np.ndarray]

    @cached_property
    def n(self) -> np.ndarray:
        """(1,) residuals that count."""
        return np.asarray([(self.weight > 0).sum()])

    @cached_property
    def bending(self) -> np.ndarray:
        """(1, p, p) of the free parameters."""
        return self._free(self.curved)

    def _free(self, matrix: np.ndarray) -> np.ndarray:
        return matrix[:, self.free[:, None], self.free]

    def _flat(self, rows: np.ndarray) -> np.ndarray:
        return rows.reshape(1, -1)

    @cached_property
    def _inverse(self) -> np.ndarray:
        """(p, p) inverse of J'WJ along the free parameters."""
        normal = self._free(self.weighed_sums(self.weight)[0])[0]
        large = factored(normal)
        if large is not None:
            return large.inverse()
        scale = np.sqrt(np.maximum(np.diagonal(normal), 1e-300))
        values, vectors = np.linalg.eigh(normal / np.outer(scale, scale))
        good = _good(values[None], self.n)[0]  # flat directions, which `curvatures` marks, are left out
        part = vectors[:, good] / np.sqrt(values[good])
        return part @ part.T / np.outer(scale, scale)

    @cached_property
    def leverage(self) -> np.ndarray:
        """(height, blocks) leverage."""
        whole = np.zeros(self.curved.shape[1:])
        whole[self.free[:, None], self.free] = self._inverse
        return self.leverages(whole)

    def hessian(self) -> tuple[np.ndarray, np.ndarray]:
        """See `covariance.Rows`."""
        c = row_curvature(self.loss, self._flat(self.r), self._flat(self.weight), len(self.free)).reshape(self.weight.shape)
        return self._free(self.weighed_sums(self.weight * c)[0]), self.bending

    def scatter(self) -> np.ndarray:
        """See `covariance.Rows`."""
        alone = 1 - self.leverage < _ALONE
        everyone = mean_score(self.loss, len(self.free), self._flat(self.weight), self._flat(self.r))[0]
        own = self.weight * slope(self.loss, self.r) ** 2 / np.where(alone, 1.0, 1 - self.leverage)
        share = np.where(alone, 0.0, _share(self.n - len(self.free), _KNOWN)[0])
        return self._free(self.weighed_sums(self.weight * ((1 - share) * everyone + share * own))[0])

    def freedom(self, inverse: np.ndarray) -> np.ndarray:
        """See `covariance.Rows`: what is left of the residuals on which a parameter acts, its group's or all."""
        left = np.where(self.weight > 0, 1 - self.leverage, 0.0).sum(axis=0)
        total = np.zeros(max(self.curved.shape[1], int(self.place.max()) + 1))  # anchored values lie behind
        np.add.at(total, self.place, np.broadcast_to(left, self.place.shape))
        return total[None, self.free]

    def model(self) -> np.ndarray:
        """See `model_covariance`."""
        return model_variance(self.loss, len(self.free), self._flat(self.weight), self._flat(self.r))[:, None, None] * self._inverse


@dataclass(frozen=True)
class InformedRows:
    """The same of runs and of a normal prior, whose every entry counts as one more observation.

    Attributes:
        rows: of the runs.
        precision: (sets, p) second derivatives of the penalty, in units of the objective; 0 where there is no prior.
        unit: (sets,) what the objective is divided by to be a log likelihood.
    """

    rows: DenseRows | BlockRows
    precision: np.ndarray
    unit: np.ndarray

    @property
    def n(self) -> np.ndarray:
        """(sets,) residuals and priors that count."""
        return self.rows.n + (self.precision > 0).sum(axis=1)

    def _diagonal(self, scale: Any = 1.0) -> np.ndarray:
        return np.eye(self.precision.shape[1]) * (scale * self.precision.T).T[:, None]

    def hessian(self) -> tuple[np.ndarray, np.ndarray]:
        """See `covariance.Rows`."""
        gauss_newton, bending = self.rows.hessian()
        return gauss_newton + self._diagonal(), bending

    def scatter(self) -> np.ndarray:
        """See `covariance.Rows`."""
        return self.rows.scatter() + self._diagonal(self.unit)

    def freedom(self, inverse: np.ndarray) -> np.ndarray:
        """See `covariance.Rows`: those of the residuals."""
        return self.rows.freedom(inverse)

    def model(self) -> np.ndarray:
        """See `model_covariance`: the inverse of the second derivatives of the log posterior."""
        gauss_newton, _ = self.hessian()
        scale = np.sqrt(np.diagonal(gauss_newton, axis1=1, axis2=2))
        outer = scale[:, :, None] * scale[:, None]
        return self.unit[:, None, None] * np.linalg.pinv(gauss_newton / outer, hermitian=True) / outer


def _share(freedom: np.ndarray, half: float) -> np.ndarray:
    """Weight of what single residuals say against what all say together."""
    return np.maximum(freedom, 0) / (np.maximum(freedom, 0) + half)


def _good(values: np.ndarray, n: np.ndarray) -> np.ndarray:
    return values > np.finfo(float).eps * np.maximum(n, 1)[:, None] * values.max(axis=1, keepdims=True, initial=1e-300)


def model_covariance(loss: Loss, jac: np.ndarray, weight: np.ndarray, r: np.ndarray) -> np.ndarray:
    r"""Textbook covariance: residuals are independent draws from one distribution, of variance s^2 / w in rows of weight w.

        s^2 (J' W J)^-1,    s^2 = sum w psi(r)^2 / (n - p) / c^2,    c = E psi'(d z) = E z psi(d z) / d,    z ~ N(0, 1)

    For least squares c = 1, so s^2 is the residual variance: the standard errors that regression programs print. For other losses it is the
    M-estimator's formula (Huber 1981, chapter 7) with the mean curvature c that the loss has over normal noise of the residuals' spread d:
    the smaller of root mean square and median / 0.6745 of the n - p largest absolute residuals, because a fit passes close to p runs
    whatever the noise. It is wrong where the scatter changes along the inputs.

    Args:
        jac: (sets, n, p). weight, r: (sets, n) weights, zero on padding; residuals.
    """
    return DenseRows(loss, jac, weight, r, np.zeros((len(jac), jac.shape[2], jac.shape[2]))).model()


def model_variance(loss: Loss, p: int, weight: np.ndarray, r: np.ndarray) -> np.ndarray:
    """(sets,) s^2 of `model_covariance`, from weight and r (sets, n)."""
    return mean_score(loss, p, weight, r) / mean_curvature(loss, p, weight, r) ** 2


def mean_score(loss: Loss, p: int, weight: np.ndarray, r: np.ndarray) -> np.ndarray:
    """(sets,) sum of w psi(r)^2 a degree of freedom."""
    return np.sum(weight * slope(loss, r) ** 2, axis=1) / _spare(p, weight)


def mean_curvature(loss: Loss, p: int, weight: np.ndarray, r: np.ndarray) -> np.ndarray:
    """(sets,) c of `model_covariance`."""
    spread = _spread(p, weight, r)
    return np.mean(_NORMAL * slope(loss, spread[:, None] * _NORMAL), axis=1) / spread


def _spread(p: int, weight: np.ndarray, r: np.ndarray) -> np.ndarray:
    """(sets,) d of `model_covariance`."""
    size = np.sort(np.where(weight > 0, np.abs(r), -1.0), axis=1)[:, ::-1]
    largest = np.where(np.arange(size.shape[1]) < _spare(p, weight)[:, None], size, np.nan)
    deviation, middle = np.sqrt(np.nanmean(largest**2, axis=1)), np.nanmedian(largest, axis=1) / 0.6745
    return np.maximum(np.where(middle > 0, np.minimum(deviation, middle), deviation), 1e-150)


def excess(loss: Loss, p: int, weight: np.ndarray, r: np.ndarray) -> np.ndarray:
    """(sets,) variance of estimates beside that of least squares, were residuals normal: 1 for these, pi/2 for absolute losses."""
    psi = slope(loss, _spread(p, weight, r)[:, None] * _NORMAL)
    return np.mean(psi**2, axis=1) / np.mean(_NORMAL * psi, axis=1) ** 2


def row_curvature(loss: Loss, r: np.ndarray, weight: np.ndarray, p: int) -> np.ndarray:
    """(sets, n) curvature of the loss about every residual: the mean of rho'' within a bandwidth, shrunk towards `mean_curvature`.

    Exactly 1 for least squares. For Huber and absolute losses the local mean is a kernel estimate of the density of residuals at the
    corner, which rho'' itself would take from the few points inside delta. Which runs have more of it a few runs cannot tell, so it counts
    by its degrees of freedom; and as a kernel sees the top of a density too low, its mean is that of `mean_curvature`.

    Args:
        r, weight: (sets, n). p: number of free parameters.
    """
    local = losses.mean_curvature(loss, r, bandwidth(r, weight)[:, None])
    mean = mean_curvature(loss, p, weight, r)[:, None]
    level = np.sum(weight * local, axis=1, keepdims=True) / np.maximum(np.sum(weight, axis=1, keepdims=True), 1e-300)
    share = _share((weight > 0).sum(axis=1) - p, _LOCAL)[:, None]
    relative = np.where(level > 0, local / np.where(level > 0, level, 1.0), 1.0)
    return mean * (1 - share + share * relative)


def bandwidth(r: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Width over which the curvature of the loss is averaged, twice the rule of thumb for densities: (sets,) from (sets, n)."""
    used = np.where(weight > 0, r, np.nan)
    deviation = np.nanstd(used, axis=1)
    middle = np.nanmedian(np.abs(used), axis=1) / 0.6745
    spread = np.where(middle > 0, np.minimum(deviation, middle), deviation)
    return np.maximum(2.12 * spread * (weight > 0).sum(axis=1) ** -0.2, 1e-12)


def _spare(p: int, weight: np.ndarray) -> np.ndarray:
    """(sets,) degrees of freedom, at least one."""
    return np.maximum((weight > 0).sum(axis=1) - p, 1)
