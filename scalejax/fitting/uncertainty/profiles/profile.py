"""Profile-likelihood intervals: how far one parameter can move while the others make the best of it, all grid values in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ....core.errors import ConvergenceWarning, FitError, suggest, warn
from ....core.laws.domains import Ordered, Simplex
from ....core.numeric.precision import double
from ....core.progress import Progress, reporter
from ....core.table import Note, Shown, Table, number
from ...objective.layout import Slot
from ...objective.losses import Squared
from ...result import Fit
from ...solvers.gradient import Solver, as_solver
from .held import MOST, Curves

_PRECISE = 1e-3  # width of the bracket of an end, as a share of its distance from the optimum; interpolation is finer still


@dataclass(frozen=True, eq=False, repr=False)
class Profile(Shown):
    """Profiles of a fit's parameters; every array is NumPy float64 and, but for a last axis of grid points, shaped as in `fit.params`.

    Attributes:
        fit, level, kind: what was profiled, and how; see `profile`.
        low, high: name to the ends of the interval; an end that does not exist is the edge of the support (0 or inf, say).
        grid: name to the values at which the parameter was held, rising, filled up with NaN.
        rise: name to what the objective rose there, over the fit's.
        threshold: name to the rise at the ends, kappa z^2 / 2.
        failed: points at which the other parameters did not converge.
    """

    fit: Fit
    level: float
    kind: str
    low: dict[str, Any]
    high: dict[str, Any]
    grid: dict[str, np.ndarray]
    rise: dict[str, np.ndarray]
    threshold: dict[str, Any]
    failed: int = 0

    def interval(self, level: float | None = None) -> dict[str, tuple[Any, Any]]:
        """(low, high) of every profiled parameter, at the level that was profiled.

        Raises:
            FitError: if another level is asked for.
        """
        if level not in (None, self.level):
            raise FitError(f"These profiles end at level={self.level:g}; for another call sj.profile(fit, level={level:g}).")
        return {name: (self.low[name], self.high[name]) for name in self.low}

    def table(self) -> Table:
        """Estimates with the profile's interval, and beside it that of `Fit.interval`."""
        usual, rows = self.fit.interval(self.level), []
        for name in self.low:
            ends = [np.asarray(v) for v in (self.fit.params[name], self.low[name], self.high[name], *usual[name])]
            reached = np.nan_to_num(self.rise[name], nan=-np.inf) >= np.asarray(self.threshold[name])[..., None]
            for index in np.ndindex(ends[0].shape):
                at = self.grid[name][index][reached[index]]
                sides = [word for word, is_open in (("below", not (at < ends[0][index]).any()), ("above", not (at > ends[0][index]).any()))
                         if is_open]  # fmt: skip
                label, mark = name + self.fit._index_text(name, index), f"open {' and '.join(sides)}" if sides else ""
                mark = self.fit._mark(name, index) if np.isnan(self.grid[name][index]).all() else mark
                rows.append([label, *(number(end[index]) for end in ends), mark])
        notes = [f"rise of the objective calibrated by the {self.kind} covariance"]
        notes += [Note(f"{self.failed} points did not converge", "not-converged")] if self.failed else []
        percent = f"{100 * self.level:g} %"
        return Table(["parameter", "estimate", f"low {percent}", f"high {percent}", "fit's low", "fit's high", ""], rows, notes=notes)

    def __repr__(self) -> str:
        return f"{self.fit.law.name}: profile\n{self.table().text()}"


@double
def profile(
    fit: Fit,
    names: Sequence[str] | str | None = None,
    level: float = 0.9,
    *,
    points: int = 21,
    kind: Literal["sandwich", "model"] | None = None,
    solver: Solver | str = "lm",
    progress: bool | Progress | None = None,
) -> Profile:
    r"""Intervals from the profile of the objective: all values of a parameter at which

        Q_j(v) - Q_min  <=  kappa_j z^2 / 2,      Q_j(v) = min of the objective over the other parameters with parameter j held at v.

    z is the quantile of `level` of Student's t, with the degrees of freedom of `Fit.interval`.
    kappa_j makes the rise of a sum of losses, which is not a log-likelihood, a chi-squared with one degree of freedom. For one parameter
    the exact factor is kappa_j = V_jj / (H^-1)_jj, with the sandwich covariance V and the curvature H of the objective (Kent 1982), and 1 /
    (H^-1)_jj is the curvature of the profile itself. It is read from a least-squares parabola within one standard error (at most half a
    unit of the unconstrained scale) of the optimum, because Huber and absolute losses consist of pieces that are smooth only on average.
    So the interval is that of `Fit.interval` where the profile is a parabola, and differs, or is open, where it is not.

    Args:
        fit: a fit.
        names: of the parameters to profile; default all free ones. Every group and every entry of a vector is profiled for itself.
        level: of confidence.
        points: of the first grid, over 4 standard errors to either side; it is widened up to three times until the rise is reached.
        kind: "sandwich" as above; "model" assumes residuals from one distribution: kappa = sum w psi^2 / (n - p) / c with the mean
            curvature c of `rows.model_covariance`, for least squares the residual variance and so the classical
            interval. Default "model" for least squares and "sandwich" for other losses; where the sandwich gives no variance (a flat
            direction, a boundary) "model" stands in.
        solver, progress: as in `fit`.

    Returns:
        Profile: `interval()`, `summary()`, and the curves for a plot. An end that the data do not set is the edge of the support.

    Raises:
        FitError: if a name is not a free parameter, or its entries cannot be held one by one.

    Warns:
        ConvergenceWarning: if a lower optimum than the fit's comes to light.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.power_law
        >>> runs = sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> low, high = sj.profile(sj.fit(law, runs), "alpha").interval()["alpha"]
        >>> low < 0.3 < high
        True

    References:
        Venzon & Moolgavkar 1988, Applied Statistics 37; Kent 1982, Biometrika 69; Pace, Salvan & Sartori 2011, Statistica Sinica 21.
    """
    if points < 5:
        raise FitError(f"points={points} must be at least 5.")
    if kind not in (None, "sandwich", "model"):
        raise FitError(f"kind={kind!r} is unknown; {suggest(str(kind), ['sandwich', 'model'])}")
    if fit.request.layout.size > MOST:
        raise FitError(f"The fit has {fit.request.layout.size} joint parameters; a profile takes up to {MOST}. Use sj.bootstrap for it.")
    kind = kind or ("model" if isinstance(fit.request.loss, Squared) else "sandwich")
    curves = Curves(fit, _slots(fit, names), as_solver(solver).warm, reporter("profile", progress))
    threshold = curves.first(points, kind) * curves.quantile(level, kind) ** 2 / 2
    curves.widen(threshold)
    low, high = curves.ends(threshold, _PRECISE)
    fall = -np.nanmin(curves.rise, axis=1)
    if (fall > 1e-9 * curves.best + curves.floor).any():
        share = np.max(fall / np.maximum(curves.best, 1e-300))
        warn(
            f"With a parameter held, {fit.law.name!r} reached an objective {share:.1e} (relative) below the fit's, which is no optimum: "
            "its intervals are not to be trusted. Fit again with more starts.",
            ConvergenceWarning,
        )
    order = np.argsort(curves.u, axis=1)
    grid, rise = curves.natural(np.take_along_axis(curves.u, order, axis=1)), np.take_along_axis(curves.rise, order, axis=1)
    return Profile(
        fit, level, kind, low=curves.shaped(low), high=curves.shaped(high), grid=curves.shaped(grid), rise=curves.shaped(rise),
        threshold=curves.shaped(threshold), failed=curves.failed,
    )  # fmt: skip


def _slots(fit: Fit, names: Sequence[str] | str | None) -> list[Slot]:
    """Places of the parameters to profile."""
    slots, request = {slot.name: slot for slot in fit.request.layout.slots}, fit.request
    chosen = list(slots) if names is None else [names] if isinstance(names, str) else list(dict.fromkeys(names))
    if not chosen:
        raise FitError(f"names is empty; {suggest('', slots)}")
    for name in chosen:
        if name in request.tie:
            raise FitError(f"{name!r} is tied to {request.tie[name]!r}; profile {request.tie[name]!r}, whose interval it shares.")
        if name in request.fix:
            raise FitError(f"{name!r} was fixed in the fit and has no interval; {suggest('', slots)}")
        if name not in slots:
            raise FitError(f"{name!r} is not a free parameter of {fit.law.name!r}; {suggest(name, slots)}")
        if isinstance(slots[name].domain, Simplex | Ordered):
            others = [n for n, slot in slots.items() if not isinstance(slot.domain, Simplex | Ordered)]
            raise FitError(
                f"{name!r} is {slots[name].domain.support}, whose entries cannot be held one by one; use sj.bootstrap for it"
                + (f", and names={others} for the others." if others else ".")
            )
    return [slots[name] for name in chosen]
