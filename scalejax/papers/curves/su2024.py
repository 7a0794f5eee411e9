"""Step-by-step estimation of the Kaplan family at finite batch, and the joint fit: Su et al. 2024, arXiv:2403.06563."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.runs import Runs
from ...core.table import Shown, Table, number
from ...fitting.fit import fit
from ...fitting.objective.losses import Loss, squared
from ...fitting.result import Fit
from ...zoo.hyperparameters.critical_batch import critical_batch, kaplan_trajectory, minimal_steps, steps_to_loss
from ...zoo.scale.kaplan import kaplan_params, kaplan_steps

_BATCHES = 3  # that must reach a loss before its fewest steps and tokens are two free numbers
_CONVERGED = 1e30  # steps, and tokens a batch, of a run that is trained out


def loss_contours(runs: Runs, levels: Any, *, from_step: float = 0.0) -> Runs:
    r"""Steps and tokens at which training curves first reach given losses.

    Between two steps log S is interpolated linearly in log L; a curve that rises in between counts with its lowest loss so far.

    Args:
        runs: with columns N, B (tokens of a batch) and the curves S (steps) and loss, shape (runs, steps).
        levels: losses, (levels,).
        from_step: earlier steps are left out, such as those of warm-up.

    Returns:
        Runs with a row for every curve and level that it crosses: N, B, L, S, E = B S (tokens) and the text column "contour", which is
        the same for rows of one size and level.

    Raises:
        DataError: if columns are missing or no curves, or none crosses a level.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> steps = np.array([[1e2, 1e3, 1e4]] * 2)
        >>> runs = sj.read_runs({"N": [1e6, 1e6], "B": [1e5, 1e6], "S": steps, "loss": [[8.0, 4.0, 2.0], [4.0, 2.0, 1.0]]})
        >>> sj.papers.loss_contours(runs, [2.0])["S"].round()
        array([10000.,  1000.])
    """
    rows: dict[str, list[float]] = {name: [] for name in ("N", "B", "L", "S")}
    for N, B, S, L in _curves(runs, from_step):
        lowest = np.minimum.accumulate(L)
        for level in np.atleast_1d(np.asarray(levels, float)):
            if lowest[-1] <= level < lowest[0]:
                i = int(np.argmax(lowest <= level))
                share = np.log(lowest[i - 1] / level) / np.log(lowest[i - 1] / lowest[i])
                step = np.exp(np.log(S[i - 1]) + share * np.log(S[i] / S[i - 1]))
                for name, value in zip(rows, (N, B, level, step), strict=True):
                    rows[name].append(value)
    if not rows["N"]:
        raise DataError(f"No curve crosses a loss among {np.atleast_1d(levels)}; give levels between the first and the last losses.")
    columns = {name: np.asarray(values) for name, values in rows.items()}
    contour = np.asarray([f"N={n:.6g}, L={x:.6g}" for n, x in zip(columns["N"], columns["L"], strict=True)])
    return Runs({**columns, "E": columns["B"] * columns["S"], "contour": contour})


@dataclass(frozen=True, eq=False, repr=False)
class TrainingDependency(Shown):
    """Constants of the Kaplan family by `fit_training_dependency`.

    Attributes:
        params: of `laws.kaplan_trajectory`, from the stages.
        stages: the fits in order: "size" (N_c, alpha_N), "contours" (S_min, E_min of every contour), "batch" (B_star, alpha_B), "steps"
            (S_c, alpha_S).
        contours: rows of `loss_contours` that were used.
        joint: the fit of all constants at once, from the same runs; None if it was not asked for.
    """

    params: Mapping[str, float]
    stages: Mapping[str, Fit]
    contours: Runs
    joint: Fit | None

    def predict(self, N: Any, S: Any, B: Any) -> Any:
        """Loss after S steps of batch B (tokens), from the staged constants; `joint.predict` is that of the joint fit."""
        return kaplan_trajectory(N, S, B, **self.params)

    def table(self) -> Table:
        """A row for every constant: from the stages, and from the joint fit with its 90 % interval."""
        if self.joint is None:
            return Table(["constant", "staged"], [[name, number(value)] for name, value in self.params.items()])
        ranges = self.joint.interval(0.9)
        rows = [
            [name, number(value), number(self.joint.params[name]), *(number(end) for end in ranges[name])]
            for name, value in self.params.items()
        ]
        return Table(["constant", "staged", "joint", "low 90 %", "high 90 %"], rows)


def fit_training_dependency(
    converged: Runs, curves: Runs, *, levels: Any = 12, from_step: float = 0.0, loss: Loss | None = None, joint: bool = True
) -> TrainingDependency:
    r"""Every constant of `laws.kaplan_trajectory` from small models, stage by stage and jointly.

        (i)   L(N) = (N_c / N)^alpha_N                                      from models trained out
        (ii)  S(B) = S_min (1 + B_crit / B) for every loss level,           then B_crit(L) = B_star / L^(1 / alpha_B)
        (iii) L(N, S_min) = (N_c / N)^alpha_N + (S_c / S_min)^alpha_S,      S_min = S / (1 + B_crit(L) / B) at the observed loss L

    Every stage holds what the earlier ones found, so that their errors are carried on; the joint fit of the implicit trajectory to the same
    runs has no such order, starts from the stages, and brings intervals.

    Args:
        converged: runs trained out on plenty of data: columns N (non-embedding parameters) and loss.
        curves: training curves at several batches: N, B (tokens), S and loss of shape (runs, steps). One size suffices for (ii).
        levels: losses of the contours, or how many (spread evenly in the logarithm over the range of the curves). Contours of fewer than
            three batches are left out.
        from_step: earlier steps are left out; give the end of the warm-up.
        loss: of the residuals of logarithms; default least squares, as in the paper.
        joint: also fit all constants together (which takes longer than the stages).

    Returns:
        TrainingDependency with `.params`, `.joint`, `.predict(N, S, B)`, `.stages`, `.table()`.

    Raises:
        DataError: if columns are missing, or fewer than two contours are left.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> true = dict(sj.laws.kaplan_trajectory.published["kaplan2020"])
        >>> N = np.array([1e6, 4e6, 1.6e7, 6e7])
        >>> converged = sj.simulate(sj.laws.kaplan_params, {k: true[k] for k in ("N_c", "alpha_N")}, N=N)
        >>> size, batch = (v.reshape(-1, 1) for v in np.meshgrid(N, [2e4, 2e5, 2e6]))
        >>> S = np.geomspace(1e3, 1e5, 20) * np.ones((12, 1))
        >>> loss = sj.laws.kaplan_trajectory(size, S, batch, **true)
        >>> curves = sj.read_runs({"N": size[:, 0], "B": batch[:, 0], "S": S, "loss": loss})
        >>> found = sj.papers.fit_training_dependency(converged, curves, joint=False)
        >>> round(found.params["alpha_B"], 3), round(found.params["alpha_S"], 3)
        (0.21, 0.76)

    References: Su et al. 2024, arXiv:2403.06563; Kaplan et al. 2020, arXiv:2001.08361.
    """
    loss = loss or squared()
    points = _points(curves, from_step)
    if isinstance(levels, int):
        first, last = np.log(points["loss"].max()), np.log(points["loss"].min())
        levels = np.exp(np.linspace(first, last, levels + 2)[1:-1])
    found = _shared_by_batches(loss_contours(curves, levels, from_step=from_step))
    size = fit(kaplan_params, converged, loss=loss, on="log")
    each = fit(steps_to_loss, found, by="contour", loss=loss, on="log")
    level = {label: L for label, L in zip(found["contour"].tolist(), found["L"].tolist(), strict=True)}
    critical = Runs({"L": np.asarray([level[g] for g in each.groups]), "B_crit": each.params["E_min"] / each.params["S_min"]})
    batch = fit(critical_batch, critical, loss=loss, on="log")
    S_min = minimal_steps(points["S"], points["B"], critical_batch(points["loss"], **batch.params))
    steps = fit(kaplan_steps, points.with_columns(S_min=S_min), fix=size.params, loss=loss, on="log")
    staged = {**steps.params, **batch.params}
    params = {name: staged[name] for name in kaplan_trajectory.parameters}
    stages = {"size": size, "contours": each, "batch": batch, "steps": steps}
    together = fit(kaplan_trajectory, _with_converged(points, converged), starts=[params], loss=loss, on="log") if joint else None
    return TrainingDependency(params, stages, found, together)


def _curves(runs: Runs, from_step: float) -> list[tuple[float, float, np.ndarray, np.ndarray]]:
    """(N, B, steps, losses) of every run, as far as they are valid."""
    S, loss = runs["S"], runs["loss"]
    if S.ndim != 2 or S.shape != loss.shape:
        raise DataError("Training curves need columns S and loss of shape (runs, steps); read them as lists a row.")
    valid = runs.masks.get("loss", np.ones(S.shape, bool)) & np.isfinite(loss) & (S > 0) & (S >= from_step) & ~runs.excluded[:, None]
    return [(n, b, s[v], y[v]) for n, b, s, y, v in zip(runs["N"], runs["B"], S, loss, valid, strict=True) if v.sum() > 1]


def _points(runs: Runs, from_step: float) -> Runs:
    """All points of all curves as rows."""
    curves = _curves(runs, from_step)
    if not curves:
        raise DataError(f"No curve has two steps from step {from_step:g} on; lower from_step.")
    return Runs(
        {
            "N": np.concatenate([np.full(len(s), n) for n, _, s, _ in curves]),
            "B": np.concatenate([np.full(len(s), b) for _, b, s, _ in curves]),
            "S": np.concatenate([s for _, _, s, _ in curves]),
            "loss": np.concatenate([y for *_, y in curves]),
        }
    )


def _shared_by_batches(contours: Runs) -> Runs:
    """Contours that enough batches reach."""
    _, inverse, count = np.unique(contours["contour"], return_inverse=True, return_counts=True)
    enough = count >= _BATCHES
    if enough.sum() < 2:
        raise DataError(
            f"Only {enough.sum()} contours are reached at {_BATCHES} batches or more; B_crit(L) needs two. Give curves of one size at "
            "several batches, or other levels."
        )
    return contours.where(enough[inverse])


def _with_converged(points: Runs, converged: Runs) -> Runs:
    """The points together with the trained-out runs, whose steps and batch are as good as infinite."""
    used = ~converged.excluded
    end = np.full(used.sum(), _CONVERGED)
    trained_out = {"N": converged["N"][used], "B": end, "S": end, "loss": converged["loss"][used]}
    return Runs({name: np.concatenate([points[name], values]) for name, values in trained_out.items()})
