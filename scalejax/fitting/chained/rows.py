"""Covariances of chains: noise, and what a robust loss makes of it, is told from each stage's own residuals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..objective.losses import Huber, LogCosh, Loss, Squared, StudentT
from ..request import Request
from ..uncertainty.covariance import Curvature, curvatures
from ..uncertainty.second_order import derivatives
from ..uncertainty.sums import DenseRows, mean_curvature, mean_score, row_curvature

if TYPE_CHECKING:
    from ..result import Fit
    from .joint import Joint


_NUMBERS = 2**26  # derivatives held at once


@dataclass(frozen=True)
class StageRows(DenseRows):
    """Rows of several stages, in units of their noise, each with its own loss.

    Attributes:
        losses: of the stages, of residuals in units of noise. stage: (n,) which stage a row observes, -1 on padding.
    """

    losses: tuple[Loss, ...] = ()
    stage: np.ndarray | None = None

    def _each(self, function: Callable[[Loss, np.ndarray, int], Any]) -> np.ndarray:
        """(sets, n) values of `function` of a stage's loss, its weights (sets, n) and its share of the parameters, at the stage's rows."""
        out = np.zeros_like(self.r)
        for k, loss in enumerate(self.losses):
            here = self.stage == k
            weight = np.where(here, self.weight, 0.0)
            if (weight > 0).any():
                taken = int(np.round(self.leverage[:, here].sum(axis=1).max()))
                value = np.asarray(function(loss, weight, taken))
                out = np.where(here, np.broadcast_to(value if value.ndim == 2 else value[:, None], out.shape), out)
        return out

    @cached_property
    def score(self) -> np.ndarray:
        """(sets, n) root of the weight times psi(r)."""
        return self._each(lambda loss, weight, p: np.sqrt(weight) * np.asarray(loss.psi(self.r)))

    def hessian(self) -> tuple[np.ndarray, np.ndarray]:
        """See `covariance.Rows`."""
        c = self._each(lambda loss, weight, p: row_curvature(loss, np.where(weight > 0, self.r, 0.0), weight, p))
        return np.swapaxes(self.root, 1, 2) @ (self.root * c[..., None]), self.bending

    def scatter(self) -> np.ndarray:
        """See `covariance.Rows`."""
        everyone = self._each(lambda loss, weight, p: mean_score(loss, p, weight, self.r))
        variance = self._shared * everyone + (1 - self._shared) * self.score**2 * self._own
        return np.swapaxes(self.root, 1, 2) @ (self.root * variance[..., None])

    def model(self) -> np.ndarray:
        """See `model_covariance`: residuals of one stage are draws from one distribution."""
        score = self._each(lambda loss, weight, p: mean_score(loss, p, weight, self.r))
        bend = self._each(lambda loss, weight, p: mean_curvature(loss, p, weight, self.r))
        turned = np.swapaxes(self.root, 1, 2)
        inner = np.linalg.pinv(turned @ (self.root * bend[..., None]), hermitian=True)
        return inner @ (turned @ (self.root * score[..., None])) @ inner


def stage_curvatures(problem: Joint, request: Request, fitted: Fit) -> tuple[Curvature, ...] | None:
    """Covariance and its diagnosis from residuals whose variance and loss are their stage's; None of one stage, or where derivatives of
    all residuals would be too many and the stages have least squares in common."""
    names = problem.asked.joined.outputs
    many = request.batch.rows * fitted.theta.size > _NUMBERS
    if len(names) == 1 or (many and isinstance(request.loss, Squared)):
        return None
    weight = np.asarray(request.weights)
    factors = {}
    for k, name in enumerate(names):
        here = (problem.stacked.stage == k) & (weight > 0)
        ratio = problem.stacked.weight[here] / weight[here]
        factors[name] = float(np.sqrt(ratio[0])) if here.any() else 1.0
    losses = tuple(_in_noise(problem.asked.each[name].loss, factors[name]) for name in names)
    batch, theta = request.batch, fitted.theta
    r, jac, bending = derivatives(request.spec, batch.batched, theta, batch.gather(np.arange(theta.shape[1])))
    stage = np.full((batch.rows, theta.shape[1]), -1)
    for s, place in enumerate(request.places):
        stage[: len(place), s] = problem.stacked.stage[place]
    scale = np.where(stage >= 0, np.asarray([factors[name] for name in names])[stage], 1.0).T  # (sets, rows)
    weights = batch.weight.T * scale**2
    jac = np.where((weights > 0)[..., None], np.moveaxis(jac, 0, -1).swapaxes(0, 1), 0.0) / scale[..., None]
    r = r.T / scale
    influence = np.abs(jac).max(axis=1)
    shapes: list[Curvature] = []
    for s in range(theta.shape[1]):

        def rows(_: np.ndarray, free: np.ndarray, s: int = s) -> StageRows:
            one = (jac[[s]][:, :, free], weights[[s]], r[[s]], bending[[s]][:, free[:, None], free])
            return StageRows(request.loss, *one, losses, stage[:, s])

        shapes += curvatures(request.layout, theta[:, [s]], influence[[s]], rows)
    return tuple(shapes)


def _in_noise(loss: Loss, factor: float) -> Loss:
    """A stage's loss of residuals in units of noise, of which its corner is 1/factor."""
    if isinstance(loss, Squared):
        return Squared()
    if isinstance(loss, StudentT):
        return StudentT(loss.nu, 1 / factor)
    return Huber(1 / factor) if isinstance(loss, Huber) else LogCosh(1 / factor)
