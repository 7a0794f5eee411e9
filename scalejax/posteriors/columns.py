"""Columns that a likelihood reads beside those of the law."""

from __future__ import annotations

import numpy as np

from ..core.checks import rows_text
from ..core.errors import DataError, suggest
from ..core.runs import Runs
from ..fitting.objective.groups import label


def numbers(runs: Runs, name: str, index: np.ndarray) -> np.ndarray:
    """A column of one finite number a run."""
    if name not in runs or runs[name].dtype.kind != "f" or runs[name].ndim != 1:
        raise DataError(f"The likelihood needs a column {name!r} with one number a run; {suggest(name, runs.names)}")
    values = runs[name][index]
    if not np.isfinite(values).all():
        raise DataError(f"Column {name!r} is not finite in {rows_text(index[~np.isfinite(values)])}.")
    return values


def labels(runs: Runs, name: str, index: np.ndarray) -> list[str]:
    """Name of every run's noise group."""
    if name not in runs or runs[name].ndim != 1:
        raise DataError(f"by names {name!r}, which is not a column with one value a run; {suggest(name, runs.names)}")
    return [label(value) for value in (numbers(runs, name, index) if runs[name].dtype.kind == "f" else runs[name][index]).tolist()]


def configurations(runs: Runs, name: str, index: np.ndarray) -> np.ndarray:
    """Number of every run's configuration, counted from 0."""
    if name not in runs or runs[name].ndim != 1:
        raise DataError(f"replicates names {name!r}, which is not a column with one value a run; {suggest(name, runs.names)}")
    values = numbers(runs, name, index) if runs[name].dtype.kind == "f" else runs[name][index]
    found, configuration = np.unique(values, return_inverse=True)
    if len(found) in (1, len(values)):
        what = "is the same in all runs" if len(found) == 1 else "differs between all runs"
        raise DataError(
            f"Column {name!r} {what}, so that scatter between repeats and misfit of the law cannot be told apart; name a column that is "
            "the same in repeats of one configuration only, or drop replicates=."
        )
    return configuration
