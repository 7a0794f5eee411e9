"""The learning-rate schedule with the lowest predicted loss at the end of a run, by a law of loss curves."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from ...core import schedules
from ...core.errors import DecisionError, suggest
from ...core.forms.documents import write_document
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.numeric.statistics import ends
from ...core.table import Note, Shown, Table, number
from ...decisions.known import Source, known
from ...fitting.result import Fit
from ...zoo import laws
from .schedule_search import Horizon, best_members, best_shapes, final_losses, free_schedule, free_starts, member, some_of

Shape = Literal["free", "wsd"]
_DRAWS = 200
_OWN = ("loss", "decay", "exponent")  # keys of `interval` besides the schedules compared with
_JUMPS = 20
_LARGEST = {"rate": "highest rate of the curves", "steps": "steps of the longest curve"}  # what `OptimalSchedule.beyond` compares with
_BEYOND = 1.05  # times the largest, beyond which it is said: the last steps of a run are often not logged
_FLOORS = ("L0", "E")  # names of the loss that a law of curves falls to


@dataclass(frozen=True, eq=False, repr=False)
class OptimalSchedule(Shown):
    """A schedule, its predicted loss beside that of others, and how sure it is; see `optimal_schedule`.

    Attributes:
        eta: (steps,) learning rate of every step.
        loss: predicted loss after the last step.
        others: name to predicted loss of the schedules it was compared with. rates: name to their (steps,) learning rates.
        warmup: steps of warm-up at its beginning.
        decay, exponent: of the family "wsd", else NaN: share of the steps after warm-up in the decay, and p of (1 - x)^p.
        gap: for a free schedule what the linear model at `eta` could still gain, in the loss's unit; 0 at a stationary point.
        falls: number of steps that carry 95 % of the fall from the first to the last rate after warm-up; few if the law asks for jumps.
        gains: name to (draws,) loss of that schedule less the loss of this one; empty without draws.
        draws: "loss", (draws,) predicted loss of this schedule by every draw; for the family "wsd" also "decay" and "exponent", each
            (shape_draws,), of the schedule that would be best if that draw were the truth. Empty without draws.
        beyond: "rate", "steps" and scalar inputs to how many times the largest of the fitted curves they are, where that is more than once.
    """

    eta: np.ndarray
    loss: float
    others: Mapping[str, float]
    rates: Mapping[str, np.ndarray]
    warmup: int
    decay: float
    exponent: float
    gap: float
    falls: int
    gains: Mapping[str, np.ndarray]
    draws: Mapping[str, np.ndarray]
    beyond: Mapping[str, float]

    def to_optax(self) -> Callable[[Any], Any]:
        """The schedule as optax takes it: `optax.adamw(found.to_optax())`."""
        return schedules.to_optax(self.eta)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the rate of every step as .csv, or with the predicted loss as .json or .yaml."""
        document = {"steps": len(self.eta), "warmup": self.warmup, "predicted_loss": self.loss, "lr": self.eta.tolist()}
        return write_document(path, document, {"step": range(len(self.eta)), "lr": self.eta.tolist()})

    def interval(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """(low, high) from the draws: "loss", "decay", "exponent" as in `.draws`, and what this schedule gains on each of the others."""
        limits = {name: ends(values, level) for name, values in {**self.draws, **self.gains}.items()}
        return {name: (float(low), float(high)) for name, (low, high) in limits.items()}

    def table(self, level: float = 0.9) -> Table:
        """A row for every schedule: predicted loss, and how much higher it is."""
        limits = self.interval(level)
        header = [
            "schedule",
            "predicted loss",
            "above the best",
            *([f"low {100 * level:g} %", f"high {100 * level:g} %"] if limits else []),
        ]
        rows = [["optimised", number(self.loss, 6), number(0.0), *(["", ""] if limits else [])]]
        for name, loss in sorted(self.others.items(), key=lambda item: item[1]):
            rows.append([name, number(loss, 6), number(loss - self.loss, 3), *(number(v, 3) for v in limits.get(name, ()))])
        return Table(header, rows, notes=[*self._notes(), *self._spread(limits)])

    def _notes(self) -> list[str]:
        notes = []
        if math.isnan(self.decay):
            notes.append(f"free schedule, not rising after {self.warmup} steps of warm-up; its linear model could gain {self.gap:.1e}")
        else:
            notes.append(f"constant, then (1 - x)^{self.exponent:.3g} over the last {100 * self.decay:.3g} % of the steps after warm-up")
        if 0 < self.falls <= _JUMPS:
            said = f"the law asks for {self.falls} sudden falls{self._where()}, far from what it was fitted to: prefer shape='wsd'"
            notes.append(Note(said, "sudden-falls"))
        if self.beyond:
            notes.append(Note(f"extrapolation: {_far(self.beyond)}", "extrapolation"))
        return notes

    def _spread(self, limits: Mapping[str, tuple[float, float]]) -> list[str]:
        said = {"loss": "predicted loss", "decay": "best share of decay", "exponent": "best exponent"}
        parts = [f"{said[name]} {limits[name][0]:.4g} to {limits[name][1]:.4g}" for name in _OWN if name in limits]
        return [f"over the draws: {', '.join(parts)}"] if parts else []

    def _where(self) -> str:
        return " from the highest rate to the lowest (bang-bang)" if self.falls == 1 else ""


@double
def optimal_schedule(
    source: Source,
    *,
    steps: int | None = None,
    tokens: float | None = None,
    batch: float | None = None,
    peak: float,
    end: float = 0.0,
    warmup: int = 0,
    convention: Literal["true", "offset"] = "offset",
    shape: Shape = "free",
    against: Mapping[str, Any] | None = None,
    iterations: int = 1000,
    every: int = 1,
    shape_draws: int = 50,
    group: str | None = None,
    **inputs: float,
) -> OptimalSchedule:
    r"""The schedule that a law of loss curves predicts to end at the lowest loss.

        minimise over eta:  L(T - 1; eta)    with  peak >= eta_W >= eta_{W+1} >= ... >= eta_{T-1} >= end   ("free")
        or over (f, p):     eta = `schedules.wsd` with decay f and exponent p                              ("wsd")

    after a linear warm-up of W steps to the peak. A free schedule is written by its decrements, d = (peak - end) softmax(z) with one share
    for "no fall"; z is found with Adam from two starts, a WSD and a linear decay, with exact gradients of the loss at the final step. That
    is one expression of T terms. The schedule depends on peak, which a law of one peak rate cannot judge: take the one you fitted at.
    Smooth schedules are nearly stationary, and with more iterations the optimum of `multi_power` breaks into a few sudden falls, 1e-3 nats
    lower; that of `lr_annealing` is one fall from the peak to the lowest rate (`annealing_switch`).
    A token budget is best spent whole: every law here falls with further steps of its best schedule, so that the horizon is
    T = tokens / batch. What can be traded for steps is the size: call this with tokens = C / (6 N) for every N.

    Args:
        source: a fit, draws or (law, parameters) of a law of whole curves, whose inputs begin with eta, t (`multi_power`, `lr_annealing`,
            `random_feature_sgd`, ...) or eta, step (`forward_momentum`). Draws, of a bootstrap or a posterior, add intervals.
        steps: T, warm-up included; or give tokens and batch.
        tokens, batch: token budget and tokens of a batch; T = tokens / batch.
        peak, end: highest and lowest rate.
        warmup: W.
        convention: "offset" if changes of the rate during the warm-up do not count (W given to the law), "true" if they do. It adds a
            constant, nearly, and changes no decision; predicted losses are right in the convention of the fit.
        shape: "free", or "wsd" for a constant rate and a decay (1 - x)^p over a share f of the steps.
        against: more schedules to compare with: name to rates of all T steps. Cosine and linear to a tenth of the peak, WSD (20 %, 1-sqrt)
            and constant are compared always.
        iterations: of Adam, for each start.
        every: steps between two logged ones, for a law of logged steps (`forward_momentum`): as in the curves it was fitted to. T must be
            a multiple of it.
        shape_draws: for how many of the draws the best member of the family "wsd" is found as well, at 500 evaluations of the law each.
        group: of a fit by groups.
        **inputs: other inputs of the law, such as N= (parameters) or B= (examples a batch).

    Returns:
        OptimalSchedule with `.eta`, `.loss`, `.others`, `.table()`, `.interval(level)`.

    Raises:
        DecisionError: if the law is none of loss curves, an input of it is missing, a number makes no schedule, or the predicted loss is
            not above the law's own floor (L0 or E, if it has one) and 0, which no loss can be.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.multi_power
        >>> best = sj.studies.optimal_schedule((law, law.published["luo2025_25M"]), steps=2000, peak=3e-4, warmup=200, shape="wsd")
        >>> best.loss < min(best.others.values())
        True

    References: Luo et al. 2025, arXiv:2503.12811, section 5 (free schedules); Tissue et al. 2024, arXiv:2408.11029.
    """
    law, point, draws = _source(source, group)
    T = _horizon(steps, tokens, batch)
    _check(law, T, peak, end, warmup, convention, shape, iterations, every, inputs)
    horizon, box = Horizon(law, every if law.inputs[1] == "step" else 1, T, warmup), (peak, end)
    given = {**inputs, "W": warmup if convention == "offset" else 0}
    rest = tuple(float(given[name]) for name in law.inputs[2:])
    rates = _baselines(T, peak, end, warmup, against)
    point = {k: jnp.asarray(v) for k, v in point.items()}
    decay = exponent = gap = float("nan")
    if shape == "wsd":
        decay, exponent = best_members(horizon, box, rest, {k: v[None] for k, v in point.items()})[0].tolist()
        eta = np.asarray(member(horizon, decay, exponent, *box))
    else:
        found = [free_schedule(horizon, iterations, start, box, rest, point) for start in free_starts(T - warmup)]
        eta, gap = min(((np.asarray(e), float(g), float(v)) for e, g, v in found), key=lambda item: item[2])[:2]
    both = {"optimised": eta, **rates}
    stacked = jnp.asarray(np.stack(list(both.values())))
    losses = dict(zip(both, np.asarray(final_losses(horizon, stacked, rest, point)).tolist(), strict=True))
    beyond = _beyond(source, law, float(stacked.max()), T, inputs)
    _check_floor(law, point, losses, _far(beyond) or f"rates up to {peak:g} over {T} steps")
    gains, spread = {}, {}
    if draws is not None:
        of = np.asarray(jax.lax.map(lambda p: final_losses(horizon, stacked, rest, p), draws))
        gains = {name: of[:, i] - of[:, 0] for i, name in enumerate(both) if i}
        spread = {"loss": of[:, 0], **best_shapes(horizon, box, rest, draws, shape_draws if shape == "wsd" else 0)}
    return OptimalSchedule(
        eta=eta, loss=losses.pop("optimised"), others=losses, rates=rates, warmup=warmup, decay=decay, exponent=exponent, gap=gap,
        falls=_falls(eta[warmup:]), gains=gains, draws=spread, beyond=beyond,
    )  # fmt: skip


def annealing_switch(steps: int, peak: float, *, A: float, alpha: float, C: float, lam: float = 0.999) -> float:
    r"""Steps at rate 0 at the end of the best schedule of `lr_annealing` between 0 and the peak: peak until T - n, then 0.

        dL/d eta_j = -alpha A S1^-(alpha + 1) + C lam^(T - j) = 0,   so that
        n = ln(C S1^(alpha + 1) / (alpha A)) / -ln lam,   S1 = peak (T - n)

    The gradient changes its sign once, so that no rate between the two is ever best (bang-bang). Such a schedule is far from what the law
    was fitted to: use it to see what the law believes, not to train.

    Args:
        steps: T, with the warm-up counted at the peak.
        peak: highest rate.
        A, alpha, C, lam: of `lr_annealing`.

    Returns:
        n, from 0 to T; the last step at the peak is T - n.

    Raises:
        DecisionError: if a number is not positive, or lam does not lie between 0 and 1.

    Example:
        >>> round(annealing_switch(20000, 2e-4, A=0.42967, alpha=0.54985, C=0.41077))
        2494
    """
    if min(steps, peak, A, alpha, C) <= 0 or not 0 < lam < 1:
        raise DecisionError("Steps, peak, A, alpha and C must be positive and lam between 0 and 1.")
    n = 0.0
    for _ in range(200):  # a contraction: S1 moves little with n
        S1 = peak * max(steps - n, 1.0)
        n = min(max(math.log(C * S1 ** (alpha + 1) / (alpha * A)) / -math.log(lam), 0.0), float(steps))
    return n


def _falls(eta: np.ndarray) -> int:
    """How many of the largest falls make 95 % of the whole."""
    sizes = np.sort(np.maximum(-np.diff(eta), 0.0))[::-1]
    return int(np.searchsorted(np.cumsum(sizes), 0.95 * sizes.sum())) + 1 if sizes.any() else 0


def _source(source: Source, group: str | None) -> tuple[Law, dict[str, Any], dict[str, Any] | None]:
    """Law, parameters, and a few draws if the source has some of its own."""
    if isinstance(source, Fit) and group is None and not source.groups:
        return source.law, dict(source.params), None
    of = known(source, group, "optimal_schedule")
    if of.draws is None or isinstance(source, Fit):
        return of.law, of.point, None
    return of.law, of.point, some_of({name: jnp.asarray(v) for name, v in of.draws.items()}, _DRAWS)


def _horizon(steps: int | None, tokens: float | None, batch: float | None) -> int:
    if steps is not None and tokens is None and batch is None:
        T = math.floor(steps)
    elif steps is None and tokens is not None and batch is not None:
        T = math.floor(tokens / batch * (1 + 1e-12))
    else:
        raise DecisionError("Say how long the run is once: steps=..., or tokens=... with batch=... (tokens of a batch).")
    if T < 2:
        raise DecisionError(f"A schedule needs two steps or more, got {T}.")
    return T


def _check(
    law: Law, T: int, peak: float, end: float, warmup: int, convention: str, shape: str, iterations: int, every: int, inputs: Mapping
) -> None:
    """Refuse what makes no schedule."""
    if not _of_curves(law):
        fitting = [one.name for one in laws if _of_curves(one)]
        raise DecisionError(f"{law.name!r} is not a law of loss curves, whose inputs begin with eta, t; take one of {', '.join(fitting)}.")
    needed = [name for name in law.inputs[2:] if name != "W"]
    if set(inputs) != set(needed):
        raise DecisionError(f"{law.name!r} needs the further inputs {needed}, got {sorted(inputs)}.")
    if not 0 <= end < peak or not np.isfinite(peak):
        raise DecisionError(f"Rates must satisfy 0 <= end < peak, got end={end:g}, peak={peak:g}.")
    if warmup != int(warmup) or not 0 <= warmup <= T - 2 or iterations < 1:
        raise DecisionError(f"warmup={warmup} must be a whole number from 0 to {T - 2}, and iterations={iterations} at least 1.")
    if every < 1 or (law.inputs[1] == "step" and T % every):
        raise DecisionError(f"every={every} must be 1 or more and divide the {T} steps, so that the last one is logged.")
    for value, choices in ((convention, ("true", "offset")), (shape, ("free", "wsd"))):
        if value not in choices:
            raise DecisionError(f"{value!r} is unknown here; {suggest(value, choices)}")


def _check_floor(law: Law, point: Mapping[str, Any], losses: Mapping[str, float], where: str) -> None:
    """Refuse predictions that no loss can be: there the law does not hold."""
    names = [name for name in _FLOORS if name in law.parameters]
    floor = max([float(point[name]) for name in names if np.ndim(point[name]) == 0], default=0.0)
    name, lowest = min(losses.items(), key=lambda item: item[1])
    if lowest <= max(floor, 0.0):
        below = f"not above its own floor {names[0]} = {floor:.4g}" if floor > 0 else "which no loss can be"
        raise DecisionError(
            f"{law.name!r} predicts a loss of {lowest:.4g} for the {name} schedule, {below}: it does not hold at {where}; take "
            "a peak and a number of steps like those that it was fitted to."
        )


def _beyond(source: Source, law: Law, rate: float, T: int, inputs: Mapping[str, float]) -> dict[str, float]:
    """How many times the largest of the fitted curves the highest rate, steps and scalar inputs are, where more than once."""
    fit = source if isinstance(source, Fit) else getattr(source, "fit", None)
    if fit is None:
        return {}
    largest = {name: float(np.nanmax(fit.runs[name])) for name in (*law.inputs[:2], *inputs) if name in fit.runs}
    eta, step = law.inputs[:2]
    steps = largest.get(step, np.inf) + (step == "t")  # t counts from 0
    asked = {"rate": (rate, largest.get(eta, np.inf)), "steps": (T, steps), **{n: (v, largest.get(n, np.inf)) for n, v in inputs.items()}}
    return {name: value / known for name, (value, known) in asked.items() if known > 0 and value / known > _BEYOND}


def _far(beyond: Mapping[str, float]) -> str:
    """How far: "20 times the highest rate of the curves and 3 times the steps of the longest curve"."""
    return " and ".join(f"{factor:.3g} times the {_LARGEST.get(n, f'largest {n} of the curves')}" for n, factor in beyond.items())


def _of_curves(law: Law) -> bool:
    return law.inputs[:2] in (("eta", "t"), ("eta", "step"))


def _baselines(T: int, peak: float, end: float, warmup: int, against: Mapping[str, Any] | None) -> dict[str, np.ndarray]:
    n, low = T - warmup, max(0.1 * peak, end)
    plain = {
        "cosine": schedules.cosine(n, peak, low), "linear": schedules.linear(n, peak, low),
        "wsd": schedules.wsd(n, peak, low), "constant": schedules.constant(n, peak),
    }  # fmt: skip
    rates = {name: schedules.with_warmup(eta, warmup) if warmup else eta for name, eta in plain.items()}
    for name, eta in (against or {}).items():
        if name in _OWN:
            raise DecisionError(f"against={name!r}: intervals use that name for something else; call the schedule differently.")
        rates[name] = np.asarray(eta, dtype=np.float64)
        if rates[name].shape != (T,) or not (rates[name] >= 0).all():
            raise DecisionError(f"against[{name!r}] must hold the rates of all {T} steps, got shape {rates[name].shape}.")
    return rates
