"""Rows that are not independent: which unit every row is of."""

from __future__ import annotations

import numpy as np

from ..core.errors import DataError, FitError, suggest
from ..core.runs import Runs
from ..fitting.objective.groups import label
from .likelihoods import Likelihood


def units_of(runs: Runs, column: str | None, index: np.ndarray, likelihood: Likelihood) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Names of the units of a column, and the number of that of each of the runs `index`; () and None without a column."""
    if column is None:
        return (), None
    if likelihood.counts:
        raise FitError(f"groups={column!r} is for measured outputs; for counts take likelihood='beta_binomial', whose runs share no luck.")
    if likelihood.replicates:
        raise FitError(f"groups={column!r} and replicates={likelihood.replicates!r} both say which rows belong together; leave one out.")
    if column not in runs or runs[column].ndim != 1:
        raise DataError(f"groups names {column!r}, which is not a column with one value a row; {suggest(column, runs.names)}")
    labels = [label(value) for value in runs[column][index].tolist()]
    names = tuple(dict.fromkeys(labels))
    if len(names) in (1, len(labels)):
        what = "is the same in all rows" if len(names) == 1 else "differs between all rows"
        raise DataError(
            f"Column {column!r} {what}, so that nothing can be told of units whose rows belong together; name a column that several rows "
            "share, such as their run, or drop groups=."
        )
    number = {name: i for i, name in enumerate(names)}
    return names, np.asarray([number[name] for name in labels])
