"""The frontier of many models: in each bin of compute the one with the lowest error."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ...core.errors import DataError
from ...core.runs import Runs


def pareto_bins(
    runs: Runs, *, compute: str = "C", output: str = "error", bins: int = 5, pad: float = 0.1, at: Literal["center", "run"] = "center"
) -> Runs:
    r"""The best run of every bin of compute, as runs to be fitted.

        edges: equal steps of log10 C from log10 min(C) to log10 max(C) + pad;    per bin: (C, least error of its runs)

    Args:
        runs: with columns of compute and of the output (error or loss; lower is better).
        compute, output: names of these columns.
        bins: how many.
        pad: decades beyond the largest compute, so that the largest run does not open a bin of its own.
        at: the bin's compute: "center", its geometric middle as the papers take it, or "run", that of its best run.

    Returns:
        Runs: one row a bin that has runs, in rising order of compute, with all columns of the best run, `compute` as `at` says, and the
        number of the bin's runs in "bin_runs". So `fit(laws.openclip, pareto_bins(runs), loss=squared())` is the line that Cherti et al.
        fit, and the same rows give the power law of samples seen (or of parameters) along the frontier.

    Raises:
        DataError: if bins or pad make no bins, or the compute is not positive.

    Example:
        >>> import scalejax as sj
        >>> runs = sj.read_runs({"C": [1e9, 2e9, 1e10, 3e10, 1e12], "error": [0.6, 0.55, 0.5, 0.52, 0.3]})
        >>> best = pareto_bins(runs, bins=3)
        >>> best["error"].tolist(), best["bin_runs"].tolist()
        ([0.5, 0.52, 0.3], [3.0, 1.0, 1.0])

    References: Cherti et al. 2022, arXiv:2212.07143; Nezhurina et al. 2025, arXiv:2506.04598.
    """
    if bins < 1 or pad < 0 or at not in ("center", "run"):
        raise DataError(f"bins={bins!r} must be at least 1, pad={pad!r} not negative, and at={at!r} 'center' or 'run'.")
    runs = runs.where(~runs.excluded)
    C, error = runs[compute], runs[output]
    if C.ndim != 1 or error.ndim != 1 or not (C > 0).all():
        raise DataError(f"Columns {compute!r} and {output!r} must hold one number a run, and {compute!r} positive ones.")
    edges = np.linspace(np.log10(C.min()), np.log10(C.max()) + pad, bins + 1)
    place = np.clip(np.searchsorted(edges, np.log10(C), side="right") - 1, 0, bins - 1)
    filled = np.unique(place)
    best = np.asarray([np.flatnonzero(place == i)[np.argmin(error[place == i])] for i in filled])
    centers = 10 ** (0.5 * (edges[filled] + edges[filled + 1]))
    counts = np.bincount(place, minlength=bins)[filled]
    return runs.take(best).with_columns(**{compute: centers if at == "center" else C[best]}, bin_runs=counts.astype(float))
