"""Backtests over checkpoints: laws fitted to checkpoints of small models, judged by the end of the training of the largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...comparison.fit_each import Fitted, fit_each
from ...core.errors import DataError, FitError
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.runs import Runs
from ...core.table import Shown, Table, number
from ...fitting.fit import find_law
from ...fitting.objective.losses import Loss, squared
from ...fitting.status import Status


class Trial(NamedTuple):
    """One fit of a backtest.

    Attributes:
        models: how many small models it was fitted to. largest: parameters of the largest of them. share: of their training.
        checkpoints: how many. cost: FLOPs of the training that was used, 6 N D.
        are: mean of |predicted - observed| / observed at the end of the target's training; NaN if the fit failed.
        train_are: the same over the checkpoints fitted to.
        status: how the fit ended, or why there is none.
    """

    models: int
    largest: float
    share: float
    checkpoints: int
    cost: float
    are: float
    train_are: float
    status: str


@dataclass(frozen=True, eq=False, repr=False)
class CheckpointBacktest(Shown):
    """What a law predicts of the largest model from smaller ones, see `checkpoint_backtest`; printing it gives the table.

    Attributes:
        trials: one for every choice of models and share of training.
        target: parameters of the largest model.
        tested: how many of its checkpoints were predicted.
    """

    trials: tuple[Trial, ...]
    target: float
    tested: int

    @property
    def are(self) -> np.ndarray:
        """(trials,) absolute relative errors."""
        return np.asarray([t.are for t in self.trials])

    def best(self, cost: float = np.inf) -> Trial:
        """The trial with the lowest error among those that cost at most `cost` FLOPs.

        Raises:
            FitError: if none does, or none could be fitted.
        """
        able = [t for t in self.trials if t.cost <= cost and np.isfinite(t.are)]
        if not able:
            raise FitError(f"No trial at or below {cost:g} FLOPs could be fitted; give more, or look at the status of the trials.")
        return min(able, key=lambda t: t.are)

    def table(self) -> Table:
        """A row for every trial: models, their largest size, share of training, cost and error."""
        rows = [
            [str(t.models), number(t.largest, 3), f"{100 * t.share:.0f} %", str(t.checkpoints), f"{t.cost:.3g}", _percent(t.are),
             _percent(t.train_are), "" if t.status == Status.CONVERGED else t.status]
            for t in self.trials
        ]  # fmt: skip
        header = ["models", "largest", "of training", "checkpoints", "cost", "error", "error when fitted", ""]
        note = f"mean absolute relative error over the last {self.tested} checkpoints of {self.target:.3g} parameters"
        return Table(header, rows, notes=[note])


@double
def checkpoint_backtest(
    runs: Runs,
    law: Law | str = "chinchilla",
    *,
    models: int | Sequence[int] = (3,),
    shares: float | Sequence[float] = (1.0,),
    drop: float = 1e10,
    test_share: float = 0.3,
    loss: Loss | None = None,
    on: str = "linear",
    starts: Any = 64,
    **options: Any,
) -> CheckpointBacktest:
    r"""How well do checkpoints of small models predict the largest one, and at what cost?

        ARE = mean over the last `test_share` of the largest model's training of |L(N, D) - loss| / loss

    For every number of models n and every n smaller models that are neighbours in size, the law is fitted to their checkpoints up to a
    share of their training; all these fits are one batch.

    Args:
        runs: one checkpoint a row, with columns N, D (tokens seen) and loss; runs of equal N are one model.
        law: of N and D.
        models: numbers of models to fit to.
        shares: of each model's training.
        drop: checkpoints before this many tokens are left out everywhere: the first tenth of a training follows no law.
        test_share: of the tokens of the largest model, at the end of its training.
        loss, on: as in `fit`; least squares of the loss, as in the paper.
        starts: as in `fit`; the default is few, for many fits.
        options: further arguments of `fit`, such as fix=... to borrow A and alpha from another family: then a single model will do.

    Returns:
        CheckpointBacktest: `table()`, `best(cost)`, `are`.

    Raises:
        DataError: if no checkpoint of the largest model is left to predict, or there are too few smaller models.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> N, D = np.meshgrid([1e8, 3e8, 1e9, 3e9, 1e10], np.geomspace(5e9, 3e11, 8))
        >>> runs = sj.simulate(law, law.published["hoffmann2022"], N=N.ravel(), D=D.ravel(), noise=0.002)
        >>> found = sj.papers.checkpoint_backtest(runs, models=(3, 4), shares=(0.5, 1.0))
        >>> len(found.trials), bool(found.best().are < 0.01)
        (6, True)

    Note: a share is of each model's own tokens; the authors' code takes it of the largest number of tokens among the chosen models. The
    paper measures perplexities in bits; the error does not depend on the unit.

    References: Choshen, Zhang and Andreas 2024, arXiv:2410.11840.
    """
    law = find_law(law)
    late = ~runs.excluded & (runs["D"] > drop)
    if not late.any():
        raise DataError(f"No checkpoint has more than drop={drop:g} tokens; lower it.")
    runs = runs.where(late)
    N, D = runs["N"], runs["D"]
    sizes = np.unique(N)
    tested = np.flatnonzero((N == sizes[-1]) & (D >= (1 - test_share) * D[N == sizes[-1]].max()))
    plans = _plans(N, D, sizes[:-1], np.atleast_1d(models), np.atleast_1d(shares))
    if not plans:
        raise DataError(f"There are {len(sizes) - 1} models smaller than the largest, fewer than models={models!r}.")
    settings = {"loss": loss or squared(), "on": on, "starts": starts, **options}
    trials = _fit_all(law, runs, plans, tested, settings)
    return CheckpointBacktest(tuple(trials), float(sizes[-1]), len(tested))


class _Plan(NamedTuple):
    """Which checkpoints a trial is fitted to."""

    models: int
    largest: float
    share: float
    rows: np.ndarray
    cost: float


def _plans(N: np.ndarray, D: np.ndarray, sizes: np.ndarray, models: np.ndarray, shares: np.ndarray) -> list[_Plan]:
    """All windows of neighbouring sizes and all shares of training."""
    end = {n: D[N == n].max() for n in sizes}
    plans = []
    for count in models:
        for first in range(len(sizes) - count + 1):
            window = sizes[first : first + count]
            for share in shares:
                limit = np.asarray([share * end[n] if n in window else 0.0 for n in N])
                rows = np.flatnonzero(D <= limit)
                cost = sum(6 * n * D[rows][N[rows] == n].max(initial=0.0) for n in window)
                plans.append(_Plan(int(count), float(window[-1]), float(share), rows, float(cost)))
    return plans


def _fit_all(law: Law, runs: Runs, plans: list[_Plan], tested: np.ndarray, settings: Mapping[str, Any]) -> list[Trial]:
    """All trials; those with more checkpoints than free parameters in one batch of fits."""
    free = len(law.parameters) - len(settings.get("fix") or {}) - len(settings.get("tie") or {})
    able = {str(i): plan.rows for i, plan in enumerate(plans) if len(plan.rows) > free}
    found = fit_each(law, runs, able, **settings)
    if found and all(fitted.params is None for fitted in found.values()):
        raise FitError(f"No trial could be fitted: {next(iter(found.values())).status}")
    none = Fitted(None, float("inf"), "too few checkpoints")
    return [_trial(law, runs, plan, tested, found.get(str(i), none)) for i, plan in enumerate(plans)]


def _trial(law: Law, runs: Runs, plan: _Plan, tested: np.ndarray, found: Fitted) -> Trial:
    def error(rows: np.ndarray) -> float:
        if found.params is None:
            return float("nan")
        observed = runs[law.output][rows]
        predicted = law(*(runs[name][rows] for name in law.inputs), **found.params)
        return float(np.mean(np.abs(predicted - observed) / observed))

    return Trial(
        models=plan.models, largest=plan.largest, share=plan.share, checkpoints=len(plan.rows), cost=plan.cost, are=error(tested),
        train_are=error(plan.rows), status=found.status,
    )  # fmt: skip


def _percent(value: float) -> str:
    return "—" if np.isnan(value) else f"{100 * value:.2f} %"
