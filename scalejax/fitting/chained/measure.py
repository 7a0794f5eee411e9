"""How a stage's residuals are measured: on logs, on values, on logits between a floor and a ceiling, or as deviances of counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from ...core.checks import rows_text
from ...core.errors import DataError, FitError, suggest
from ..objective.counts import Binomial, deviance_residual
from ..objective.losses import Huber, LogCosh, Loss, Squared, StudentT, as_loss, squared

SCALES = ("log", "linear", "logit")
FLAT = 1e6  # a squared loss beside Huber's is Huber's with its corner so many noise levels out
_INSIDE = 1e-9  # share of the way from floor to ceiling that predictions keep from both


@dataclass(frozen=True)
class Measure:
    """One stage's scale and loss.

    Attributes:
        on: "log", "linear", "logit" or "counts".
        loss: of residuals on that scale, as the user gave it.
        floor, ceiling: bounds of a "logit" outcome.
    """

    on: str
    loss: Loss
    floor: float = 0.0
    ceiling: float = 1.0

    @property
    def counts(self) -> bool:
        """Are residuals those of a deviance, whose size is known?"""
        return isinstance(self.loss, Binomial)

    @property
    def overdispersed(self) -> bool:
        """Are they counts that scatter more than independent trials do?"""
        return isinstance(self.loss, Binomial) and self.loss.overdispersed

    @property
    def scale(self) -> Measure:
        """What the composed law depends on: the scale without the loss."""
        return replace(self, loss=squared())

    def predicted(self, value: Any, share: Any, trials: Any, level: Any) -> Any:
        """A law's value on the scale of residuals; of counts `level`, the residual about the mean share, less that about the law."""
        if self.on == "log":
            return jnp.log(value)
        if self.on == "counts":
            return level - deviance_residual(share, trials, value)
        if self.on == "logit":
            place = jnp.clip((value - self.floor) / (self.ceiling - self.floor), _INSIDE, 1 - _INSIDE)
            return jnp.log(place) - jnp.log1p(-place)
        return value

    def observed(self, name: str, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Observed outputs on the scale of residuals (of counts see `predicted`); `rows` is where they stand in the user's table."""
        if self.on == "log":
            _refuse(y <= 0, rows, f"Column {name!r} is zero or negative", "and has no logarithm; pass on='linear'")
            return np.log(y)
        if self.on == "counts":
            _refuse((y < 0) | (y > 1), rows, f"Column {name!r} is not a share of successes, from 0 to 1,", "; divide counts by the trials")
            return y
        if self.on == "logit":
            bad = (y <= self.floor) | (y >= self.ceiling)
            between = f"does not lie between the floor {self.floor:g} and the ceiling {self.ceiling:g}"
            _refuse(
                bad, rows, f"Column {name!r} {between}", "and has no logit; move floor= or ceiling=, or pass loss=sj.binomial(trials=...)"
            )
            return np.log(y - self.floor) - np.log(self.ceiling - y)
        return y

    def back(self, value: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """A law's value with noise on the scale of residuals."""
        if self.on == "log":
            return value * np.exp(noise)
        if self.on == "logit":
            place = np.clip((value - self.floor) / (self.ceiling - self.floor), _INSIDE, 1 - _INSIDE)
            moved = 1 / (1 + (1 - place) / place * np.exp(-noise))
            return self.floor + (self.ceiling - self.floor) * moved
        return value + noise


def _refuse(bad: np.ndarray, rows: np.ndarray, what: str, then: str) -> None:
    if bad.any():
        raise DataError(f"{what} in {rows_text(rows[bad])} {then}, or leave these rows out.".replace(" ;", ";"))


def per_stage(where: str, given: Any, outputs: tuple[str, ...], default: Any) -> dict[str, Any]:
    """One value a stage from a mapping, or the same for all."""
    if not isinstance(given, Mapping):
        return dict.fromkeys(outputs, default if given is None else given)
    for name in given:
        if name not in outputs:
            raise FitError(f"{where} names {name!r}, which is not a stage; {suggest(str(name), outputs)}")
    return {name: given.get(name, default) for name in outputs}


def measures(outputs: tuple[str, ...], loss: Any, on: Any, floor: Any, ceiling: Any) -> dict[str, Measure]:
    """The measure of every stage from what `fit` was given."""
    losses, scales = per_stage("loss", loss, outputs, None), per_stage("on", on, outputs, None)
    low, high = per_stage("floor", floor, outputs, None), per_stage("ceiling", ceiling, outputs, None)
    return {n: _measure(n, losses[n], scales[n], low[n], high[n]) for n in outputs}


def _measure(name: str, loss: Any, on: Any, floor: Any, ceiling: Any) -> Measure:
    loss = squared() if loss is None else as_loss(loss)
    if on is not None and on not in SCALES:
        raise FitError(f"on={on!r} of {name!r} is unknown; {suggest(str(on), SCALES)}")
    if isinstance(loss, Binomial):
        if on is not None or floor is not None or ceiling is not None:
            raise FitError(f"Counts of {name!r} are neither on logs nor on logits; leave out on=, floor= and ceiling= with sj.binomial().")
        return Measure("counts", loss)
    if on != "logit":
        if floor is not None or ceiling is not None:
            raise FitError(f"floor= and ceiling= bound outcomes on='logit', and {name!r} is not; pass on='logit'.")
        return Measure(on or "log", loss)
    low, high = 0.0 if floor is None else float(floor), 1.0 if ceiling is None else float(ceiling)
    if not low < high:
        raise FitError(f"floor={low:g} of {name!r} must lie below ceiling={high:g}.")
    return Measure(on, loss, low, high)


def common(each: Mapping[str, Measure], noise: Mapping[str, float]) -> tuple[Loss, dict[str, float]]:
    r"""One loss for residuals of all stages, and the factor of each stage's standardised residuals.

    A loss of residuals r with corner d is one of r/d with corner 1: rho_d(r)/sigma^2 = (d/sigma)^2 rho_1(r/d). So every stage's residual is
    counted in its own corner, with that weight; a squared loss has its corner `FLAT` noise levels out.

    Raises:
        FitError: if the losses are of kinds that cannot be counted so.
    """
    losses = {name: m.loss for name, m in each.items()}
    kinds = {type(loss) for loss in losses.values() if not isinstance(loss, Squared)}
    if not kinds:
        return squared(), dict.fromkeys(losses, 1.0)
    plain = any(isinstance(loss, Squared) for loss in losses.values())
    shapes = {loss.nu for loss in losses.values() if isinstance(loss, StudentT)}
    known = {name: loss for name, loss in losses.items() if isinstance(loss, Squared | Huber | LogCosh | StudentT)}
    if len(kinds) > 1 or len(known) < len(losses) or len(shapes) > 1 or (plain and kinds != {Huber}):
        raise FitError(
            "Stages of one chain may have Huber losses and least squares (counts among them), or all log_cosh, or all student_t with one "
            f"nu; got {', '.join(f'{name}={loss!r}' for name, loss in losses.items())}."
        )
    corners = {n: FLAT * noise[n] if isinstance(v, Squared) else v.scale if isinstance(v, StudentT) else v.delta for n, v in known.items()}
    loss = StudentT(shapes.pop(), 1.0) if shapes else Huber(1.0) if Huber in kinds else LogCosh(1.0)
    return loss, {name: noise[name] / corner for name, corner in corners.items()}
