"""What is known of a law's parameters, as a normal vector z ~ N(0, 1), and how the law, a target and a misfit respond to it.

A target is t + T'z, a candidate run shows y + S'z + noise. With the information in the runs of a fit, z are the axes of the covariance of
the parameters; with draws, z are the draws themselves. All that follows is the same for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from ...core.errors import DecisionError, ScalejaxError
from ...core.laws.domains import Positive
from ...core.laws.law import Law
from ...core.numeric.programs import compiled
from ...fitting.objective.layout import Layout
from ...fitting.objective.problem import jacobian
from ...fitting.predict import evaluate
from ...fitting.result import Fit
from ...fitting.uncertainty.draws import Draws
from ...fitting.uncertainty.sums import model_variance

_STEP = (
    0.05  # of the stencil, in standard deviations: far above the rounding of a target that was itself optimised, yet almost a derivative
)
_PRIOR_STEPS = 30
_FEWEST = 50  # draws that a covariance can be taken from
_USUAL_NOISE = 0.005  # of the logarithm of a loss, or of the spread of the outputs; counts as one residual beside those of the fit


class Misfit:
    """A smooth deviation of the truth from the law: a Gaussian process over the logarithms of the inputs, by random cosines.

    Its standard deviation is 1, its length one standard deviation of the inputs. Groups that were fitted apart deviate apart.

    Args:
        law: whose inputs are meant.
        tables: where the process is looked at: runs, candidates and target.
        count: number of cosines.
        seed: of their frequencies.
    """

    def __init__(self, law: Law, tables: list[Mapping[str, Any]], count: int, seed: int):
        rng = np.random.default_rng(seed)
        self.law, self.count = law, count
        points = np.concatenate([self._points(table) for table in tables])
        self._frequency = rng.standard_normal((points.shape[1], count)) / np.maximum(points.std(axis=0), 1e-9)[:, None]
        self._phase = rng.uniform(0, 2 * np.pi, count)

    def __call__(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """(n, count) values of the cosines; their weights are z."""
        return np.sqrt(2 / self.count) * np.cos(self._points(inputs) @ self._frequency + self._phase)

    def _points(self, inputs: Mapping[str, Any]) -> np.ndarray:
        columns = [np.asarray(inputs[name], dtype=np.float64) for name in self.law.inputs]
        vector = [bool(self.law.domains[name].axis) for name in self.law.inputs]
        n = np.broadcast_shapes(*(c.shape[: c.ndim - v] for c, v in zip(columns, vector, strict=True)))
        parts = []
        for name, column, v in zip(self.law.inputs, columns, vector, strict=True):
            log = isinstance(self.law.domains[name], Positive) and not v
            column = np.log(np.maximum(column, 1e-300)) if log else column
            parts.append(np.broadcast_to(column, n + column.shape[column.ndim - v :]).reshape(int(np.prod(n)), -1))
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Knowledge:
    """What is known of the parameters of a fit, and perhaps of a misfit.

    Attributes:
        draws: parameter vectors; a stencil (up along every axis, then down), or draws from elsewhere.
        stencil: are they a stencil?
        noise: variance of the residual of one run of weight 1.
        misfit: the deviation from the law, if it is reckoned with.
        misfit_weights: (sets, count, axes + more) weights of the cosines in terms of z, which is longer by what only they depend on.
    """

    draws: Draws
    stencil: bool
    noise: float
    misfit: Misfit | None = None
    misfit_weights: np.ndarray | None = None

    def response(self, value: np.ndarray) -> np.ndarray:
        """(axes, ...) derivative with respect to z of a quantity from its values (draws, ...)."""
        if self.stencil:
            half = len(value) // 2
            out = (value[:half] - value[half:]) / (2 * _STEP)
        else:
            out = (value - value.mean(axis=0)) / np.sqrt(len(value) - 1)
        if self.misfit_weights is None:
            return out
        return np.concatenate([out, np.zeros((self.misfit_weights.shape[2] - len(out), *out.shape[1:]))])

    def predictions(self, inputs: Mapping[str, Any], what: str) -> np.ndarray:
        """(axes, n, ...) derivative of what runs at these inputs show, on the scale of the fit's residuals; 0 where it is not finite."""
        request = self.draws.request
        try:
            value = np.asarray(evaluate(request, self.draws.theta, inputs))
        except ScalejaxError as error:
            raise DecisionError(f"{what}: {error}") from error
        with np.errstate(all="ignore"):
            out = self.response(np.log(value) if request.on == "log" else value)
        if self.misfit is not None and self.misfit_weights is not None:
            shown = self._bending(self.misfit(inputs), self.misfit_weights, inputs)
            out = out + shown.reshape(*shown.shape, *[1] * (out.ndim - 2)) if out.ndim > 1 else out + shown[:, 0]
        return np.where(np.isfinite(out), out, 0.0)

    def _bending(self, cosines: np.ndarray, misfit_weights: np.ndarray, inputs: Mapping[str, Any]) -> np.ndarray:
        """(axes, n) derivative of the misfit."""
        if len(misfit_weights) == 1:
            return (cosines @ misfit_weights[0]).T
        place = {name: i for i, name in enumerate(self.draws.request.groups)}
        groups = np.broadcast_to(np.asarray(inputs["group"]), len(cosines))
        return np.einsum("nm,nmz->zn", cosines, misfit_weights[[place[str(g)] for g in groups]], optimize=True)


def noise_of(fit: Fit, noise: float | None, prior: float | None) -> float:
    """Variance of one run's residual: given, or from the fit, pooled over its sets; with a prior a little of the usual noise is mixed in.

    For losses other than squares it is the variance that a refit with that loss would see, see `model_variance`.
    """
    if noise is not None:
        if not (np.ndim(noise) == 0 and np.isfinite(noise) and noise > 0):
            raise DecisionError(f"noise={noise!r} must be a positive number: the standard deviation of one run's residual.")
        return float(noise) ** 2
    r, _ = _slopes_of(fit)
    weight = fit.request.batch.weight
    p = fit.request.layout.size
    spare = np.maximum((weight > 0).sum(axis=0) - p, 0)
    each = model_variance(fit.request.loss, p, weight.T, r.T)
    used = (spare > 0) & np.isfinite(each)
    total, count = float(np.sum(np.where(used, spare * each, 0.0))), float(spare[used].sum())
    if prior is not None:
        usual = _USUAL_NOISE if fit.request.on == "log" else _USUAL_NOISE * float(np.std(fit.observed))
        total, count = total + usual**2, count + 1
    if count == 0 or total == 0:
        raise DecisionError(
            f"The residuals of the fit of {fit.law.name!r} do not tell the noise of a run (no more observations than parameters, or "
            "no residuals at all); pass noise=0.01, say."
        )
    return total / count


def from_fit(fit: Fit, noise: float, prior: float | None, misfit: Misfit | None = None, size: float = 0.0) -> Knowledge:
    """Knowledge from the information J'WJ / noise in the runs of a fit, a normal prior as wide as `prior` plausible ranges, and a misfit.

    The parameters come first: R R' is their covariance with the weights of the cosines summed out, and the weights follow from them.

    Args:
        noise: variance of a run of weight 1.
        misfit, size: a deviation from the law of this standard deviation.
    """
    fit = fit if prior is None else replace(fit, theta=_with_prior(fit, noise, prior))
    layout, sets = fit.request.layout, fit.theta.shape[1]
    _, slopes = _slopes_of(fit)
    precision = np.zeros(layout.size) if prior is None else 1 / (prior * plausible(layout)[1]) ** 2
    cosines = 0 if misfit is None else misfit.count
    root = np.zeros((layout.size, sets, sets * layout.size))
    misfit_weights = np.zeros((sets, cosines, sets * (layout.size + cosines)))
    for s, shape in enumerate(fit.curvature):
        if prior is None and shape.flat:
            raise DecisionError(
                f"{', '.join(shape.flat)} of {fit.law.name!r} are not determined by the runs, so their variance is infinite; keep the "
                "prior (prior=1), fix one of them, or pass sj.bootstrap(fit)."
            )
        rows = slopes[:, :, s].T * np.sqrt(fit.request.batch.weight[:, s] / noise)[:, None]
        information = rows.T @ rows + np.diag(precision)
        here = slice(s * layout.size, (s + 1) * layout.size)
        held = [layout.labels.index(name) for name in shape.boundary] if prior is None else []
        if misfit is None:
            root[:, s, here] = _root(information, held)
            continue
        shown, inner = _cosines_at_runs(fit, s, misfit, size, noise)
        follow = np.linalg.solve(inner, shown.T @ rows)
        root[:, s, here] = _root(information - (shown.T @ rows).T @ follow, held)
        more = sets * layout.size + s * cosines
        misfit_weights[s, :, here] = -size * follow @ root[:, s, here]
        misfit_weights[s, :, more : more + cosines] = size * np.linalg.inv(np.linalg.cholesky(inner)).T
    draws = Draws(fit, fit.theta[:, :, None] + _STEP * np.concatenate([root, -root], axis=-1), "stencil")
    return Knowledge(draws, True, noise, misfit, None if misfit is None else misfit_weights)


def from_draws(draws: Draws, noise: float, misfit: Misfit | None = None, size: float = 0.0) -> Knowledge:
    """Knowledge from draws, and a misfit beside them."""
    if len(draws) < _FEWEST:
        raise DecisionError(f"There are only {len(draws)} draws, too few for covariances with many candidates; make {_FEWEST} or more.")
    if misfit is None:
        return Knowledge(draws, False, noise)
    sets, count = draws.theta.shape[1], misfit.count
    misfit_weights = np.zeros((sets, count, len(draws) + sets * count))
    for s in range(sets):
        _, inner = _cosines_at_runs(draws.fit, s, misfit, size, noise)
        more = len(draws) + s * count
        misfit_weights[s, :, more : more + count] = size * np.linalg.inv(np.linalg.cholesky(inner)).T
    return Knowledge(draws, False, noise, misfit, misfit_weights)


def _cosines_at_runs(fit: Fit, s: int, misfit: Misfit, size: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """What a set's runs show of the cosines, in units of their noise (rows, count), and the precision of their weights (count, count)."""
    batch, table = fit.request.batch, fit.request.tables[s]
    kept = np.flatnonzero(~table.excluded)
    shown = np.zeros((len(batch.group), misfit.count))
    shown[: len(kept)] = size * misfit(table.columns)[kept]
    shown = np.repeat(shown, batch.rows // len(batch.group), axis=0) * np.sqrt(batch.weight[:, s] / noise)[:, None]
    return shown, shown.T @ shown + np.eye(misfit.count)


def _root(information: np.ndarray, held: list[int]) -> np.ndarray:
    """R with R R' the inverse of the information; parameters in `held` do not move."""
    size = len(information)
    free = np.setdiff1d(np.arange(size), held)
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    values, vectors = np.linalg.eigh((information / np.outer(scale, scale))[np.ix_(free, free)])
    root = np.zeros((size, size))
    root[np.ix_(free, free)] = vectors / np.sqrt(np.maximum(values, 1e-15 * values.max())) / scale[free, None]
    return root


def plausible(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """(size,) middle and half width of the plausible range of every unconstrained parameter."""
    middle, half = np.empty((2, layout.size))
    for slot in layout.slots:
        low, high = (np.broadcast_to(np.asarray(slot.domain.sample(np.full(slot.free, u))), slot.free) for u in (0.0, 1.0))
        here, copies = slice(slot.start, slot.stop), (slot.stop - slot.start) // slot.free
        middle[here], half[here] = np.tile((low + high) / 2, copies), np.tile(np.abs(high - low) / 2, copies)
    return middle, half


def _with_prior(fit: Fit, noise: float, prior: float) -> np.ndarray:
    """Theta (size, sets) that fits the runs and a prior around the middle of the plausible ranges, from a few damped steps.

    The same as the fit where the runs determine the parameters. Where they do not, derivatives at the fit mislead: a term that has
    vanished, say, has none, so that no run seems to tell whether it is there.
    """
    middle, half = (a[:, None] for a in plausible(fit.request.layout))
    precision, weight = 1 / (prior * half) ** 2, fit.request.batch.weight
    damping = np.full(fit.theta.shape[1], 1e-3)

    def linearised(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        r, slopes = _slopes_of(replace(fit, theta=theta))
        r = np.where(weight > 0, r, 0.0)
        value = np.sum(weight * r**2, axis=0) / noise + np.sum(precision * (theta - middle) ** 2, axis=0)
        return r, slopes, np.where(np.isfinite(value), value, np.inf)

    theta = np.clip(fit.theta, middle - 3 * half, middle + 3 * half)
    r, slopes, value = linearised(theta)
    for _ in range(_PRIOR_STEPS):
        gradient = np.einsum("irs,rs->is", slopes, weight * r) / noise + precision * (theta - middle)
        normal = np.einsum("irs,rs,jrs->sij", slopes, weight, slopes, optimize=True) / noise
        normal[:, np.arange(len(theta)), np.arange(len(theta))] += precision.T
        damped = normal + damping[:, None, None] * np.eye(len(theta)) * np.diagonal(normal, axis1=1, axis2=2)[:, :, None]
        trial = theta - np.linalg.solve(damped, gradient.T[:, :, None])[:, :, 0].T
        new_r, new_slopes, new_value = linearised(trial)
        better = new_value < value
        theta, r = np.where(better, trial, theta), np.where(better, new_r, r)
        slopes, value = np.where(better, new_slopes, slopes), np.where(better, new_value, value)
        damping = np.where(better, damping / 5, damping * 5)
    return theta


def _slopes_of(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (rows, sets) and their derivatives (size, rows, sets)."""
    batch = fit.request.batch
    r, slopes = _slopes(fit.request.spec, batch.batched, fit.theta, batch.gather(np.arange(fit.theta.shape[1])))
    return np.asarray(r), np.asarray(slopes)


@compiled(0, 1)
def _slopes(spec: Any, batched: tuple[bool, ...], theta: Any, data: Any) -> tuple[Any, Any]:
    r, columns = jacobian(spec, batched, theta, data)
    return r, jnp.stack(columns)
