"""`holdout`: laws refitted without some runs and scored on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from ..core.checks import rows_text
from ..core.errors import FitError, suggest
from ..core.laws.law import Law
from ..core.numeric.precision import double
from ..core.runs import Runs
from ..data.readers import read_runs
from ..fitting.objective.groups import label
from ..fitting.request import run_weights
from ..zoo import laws as registry
from .held import Holdout
from .refits import Scores, by_fit, by_sample
from .splits import Scale, Split, splits_of

_METHODS = ("fit", "nuts", "laplace", "svi")


@double
def holdout(
    laws: Law | str | Mapping[str, Law | str],
    runs: Runs | Any,
    *,
    groups: str | None = None,
    largest: float | Sequence[float] | None = None,
    scale: Scale | None = None,
    method: Literal["fit", "nuts", "laplace", "svi"] = "fit",
    weights: Any = None,
    seed: int = 0,
    **options: Any,
) -> Holdout:
    r"""Does a law predict runs that it has not seen? Refit it without them, and score

        sum_i log p(y_i | runs kept),    sqrt(mean (log y_i - log f(x_i))^2),    share of the y_i in intervals for a new run.

    Runs are left out as weights of zero, so that all refits of a law share one compiled program. The distribution of a new run is that of
    the posterior; for point fits Student's t around the prediction, with the variance of the residuals and of the prediction (`by_fit`).

    `compare` leaves out runs one by one, whose neighbours stay; here a law must extrapolate, as it must in use.

    Args:
        laws: a law or its name, or a mapping of names to laws.
        runs: as in `fit`; text columns may name groups.
        groups: a column; each of its groups is left out in turn.
        largest: a share of the runs; those of largest `scale` are left out. Several shares are several splits, and a run
            left out twice is scored twice.
        scale: what is large: a column, one number a run, or a function of the runs that gives them; default compute, C or 6 N D.
        method: "fit" for point fits; "nuts", "laplace" or "svi" for posteriors, as in `sample`.
        weights: one weight a run or the column that holds them, as in `fit`. Runs of weight zero are not scored; others count alike.
        seed: of the refits.
        **options: of `fit` or of `sample`, such as loss, on, fix, likelihood, priors, by, share.

    Returns:
        Holdout: `table()`, `scores()` for every split, `weights` of the best mixture of laws, `rmse`, `coverage(level)`. For curves and
        several targets every valid step or target is an observation.

    Raises:
        DataError, FitError: one sentence: what, where, what to do.
        IdentifiabilityError: if the runs kept do not determine a parameter.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.power_law
        >>> runs = sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> found = holdout({"with a floor": law, "without": law.bind(E=0.01)}, runs, largest=0.25, scale="x")
        >>> found.best, len(found.rows)
        ('with a floor', 10)
    """
    if method not in _METHODS:
        raise FitError(f"method={method!r} is unknown; {suggest(str(method), _METHODS)}")
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    named = _named(laws)
    given = run_weights(runs, weights)
    splits = splits_of(runs, ~runs.excluded & (given > 0), groups, largest, scale)
    _check_groups(runs, splits, given, method, options)
    score = by_fit if method == "fit" else partial(by_sample, method=method)
    found = {name: [score(law, runs, split, given, seed, options) for split in splits] for name, law in named.items()}
    _check_finite(found)
    first = next(iter(found.values()))
    lpd, error, pit = (
        np.stack([np.concatenate([getattr(s, part) for s in scores]) for scores in found.values()], axis=1)
        for part in ("lpd", "error", "pit")
    )
    index = np.repeat(np.arange(len(splits)), [len(s.rows) for s in first])
    rows = np.concatenate([s.rows for s in first])
    held = tuple(
        f"{name} without {s.name}" for name, scores in found.items() for s, score in zip(splits, scores, strict=True) if score.held
    )
    return Holdout(
        laws=tuple(named), splits=tuple(s.name for s in splits), rows=rows, split=index, lpd=lpd, error=error, pit=pit, on=first[0].on,
        method=method, held=held,
    )  # fmt: skip


def _named(laws: Law | str | Mapping[str, Law | str]) -> dict[str, Law]:
    """Laws by name, all of one output."""
    if isinstance(laws, Law | str):
        laws = {laws if isinstance(laws, str) else laws.name: laws}
    if not isinstance(laws, Mapping) or not laws or not all(isinstance(law, Law | str) for law in laws.values()):
        raise FitError("holdout() takes a law, its name, or a mapping of names to laws, such as {'floor': sj.laws.power_law}.")
    named = {name: registry[law] if isinstance(law, str) else law for name, law in laws.items()}
    outputs = {law.output for law in named.values()}
    if len(outputs) > 1:
        raise FitError(f"The laws predict different columns ({', '.join(sorted(outputs))}); compare laws of one output.")
    return named


def _check_groups(runs: Runs, splits: list[Split], weights: np.ndarray, method: str, options: Mapping[str, Any]) -> None:
    """Groups with parameters of their own must keep runs in every split."""
    by = options.get("by")
    if by is None:
        return
    columns = [by] if isinstance(by, str) else list(dict.fromkeys(by.values()))
    if method == "fit" and isinstance(by, str) and not options.get("share"):
        raise FitError(f"by={by!r} without share= fits every group apart; hold out runs of one group at a time, runs.where(...).")
    usable = ~runs.excluded & (weights > 0)
    for split in splits:
        for column in columns:
            lost = set(runs[column][usable].tolist()) - set(runs[column][usable & ~split.left_out].tolist())
            if lost:
                raise FitError(
                    f"Without {split.name} no run of group {label(min(lost, key=str))!r} is left, and by={by!r} gives it parameters of its "
                    "own that only its runs determine; leave by= out, or hold out runs of which every group keeps some."
                )


def _check_finite(found: Mapping[str, list[Scores]]) -> None:
    for name, scores in found.items():
        for score in scores:
            bad = ~(np.isfinite(score.lpd) & np.isfinite(score.error))
            if bad.any():
                raise FitError(f"{name!r} gives no finite prediction or density for {rows_text(score.rows[bad])} when they are left out.")
