"""One law fitted to many subsets of the same runs in one batch, with what became of each."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import ConvergenceWarning, IdentifiabilityWarning, ScalejaxError
from ..core.laws.law import Law
from ..core.runs import Runs
from ..fitting.fit import fit

_COLUMN = "subset"


class Fitted(NamedTuple):
    """The optimum of one subset: parameters (None without one), objective, and how the fit ended or why there is none."""

    params: dict[str, Any] | None
    objective: float
    status: str


def fit_each(law: Law, runs: Runs, rows: Mapping[str, np.ndarray], **settings: Any) -> dict[str, Fitted]:
    """Fit `law` to the runs at each of the `rows`, in one batch; a subset that cannot be fitted says so and does not stop the others."""
    if not rows:
        return {}
    try:
        return _together(law, runs, rows, settings)
    except ScalejaxError as error:
        if len(rows) == 1:
            return {name: Fitted(None, float("inf"), str(error)) for name in rows}
        return {name: fit_each(law, runs, {name: some}, **settings)[name] for name, some in rows.items()}


def _together(law: Law, runs: Runs, rows: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> dict[str, Fitted]:
    table = runs.take(np.concatenate(list(rows.values())))
    table = table.with_columns(**{_COLUMN: np.repeat(list(rows), [len(some) for some in rows.values()])})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the status of every subset says so
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        fitted = fit(law, table, by=_COLUMN, unidentified="warn", **settings)
    out = {}
    for i, name in enumerate(fitted.groups):
        params = {k: np.asarray(v)[i] if np.ndim(v) else np.asarray(v) for k, v in fitted.params.items()}
        params = {k: float(v) if v.ndim == 0 else v for k, v in params.items()}
        out[name] = Fitted(params, float(fitted.starts.objective[i, 0]), fitted.statuses[i].value)
    return out
