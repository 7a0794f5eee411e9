"""Capabilities of models: principal components of a table of benchmark scores with gaps, and few models that span them."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from ...core.checks import check_count
from ...core.errors import DataError
from ...core.table import Computed

_ROUNDS = 1000  # of filling gaps; some twenty are usual
_CLOSE = 1e-9  # change of standardised scores at which they are filled
_MOST = 1_000_000  # subsets of families that are tried


def capabilities(scores: Any, *, train: Any = None, components: int = 3, factors: int = 1) -> Computed:
    r"""Principal components of the scores of models on benchmarks, some of which are missing.

        B_m ~ mean + gamma^T S_m,    gamma the first components of the centred scores

    Gaps are filled first: from the `factors` leading components of the standardised scores, again and again until nothing changes, which
    is alternating least squares; what is filled is kept between 0 and 1. Then come the components of the scores themselves. Means,
    spreads and components are those of the training models alone; others are projected on them.

    Args:
        scores: (models, benchmarks) from 0 to 1, NaN where missing.
        train: (models,) true for the models that decide; default all.
        components: how many, K.
        factors: components from which gaps are filled.

    Returns:
        `S`, (models, K) capabilities, NaN for models without any score; `loadings`, gamma as (K, benchmarks), each with a positive sum;
        `share`, (K,) of the variance of the training models; `mean`, (benchmarks,); `filled`, the scores without gaps.

    Raises:
        DataError: if the table is too small, a benchmark has fewer than two scores of training models or only equal ones, or scores do
            not lie between 0 and 1.

    Example:
        >>> ability = np.linspace(0.1, 0.9, 9)
        >>> scores = np.outer(ability, [0.5, 1.0, 0.8])
        >>> scores[4, 1] = np.nan
        >>> found = capabilities(scores, components=1)
        >>> round(float(found.filled[4, 1]), 4), round(float(found.share[0]), 4)
        (0.5, 1.0)

    References: Ruan, Maddison and Hashimoto 2024, arXiv:2405.10938, section 3 and the authors' code.
    """
    Y = np.asarray(scores, dtype=np.float64)
    check_count("components", components, 1, DataError)
    check_count("factors", factors, 1, DataError)
    if Y.ndim != 2 or max(components, factors) > Y.shape[1]:
        raise DataError(f"scores must be a table of models and at least {max(components, factors)} benchmarks, got the shape {Y.shape}.")
    rows = np.ones(len(Y), bool) if train is None else np.asarray(train, dtype=bool)
    if rows.shape != Y.shape[:1] or rows.sum() <= components:
        raise DataError(f"train must be true for more than {components} of the {len(Y)} models, got {rows.sum()}.")
    if not (((Y >= 0) & (Y <= 1)) | np.isnan(Y)).all():
        raise DataError("Scores must lie between 0 and 1, NaN where they are missing; divide percentages by 100.")
    none = np.asarray(np.isnan(Y).all(axis=1))
    mean, spread = _moments(Y[rows & ~none])
    filled = np.clip(_filled((Y - mean) / spread, rows & ~none, factors) * spread + mean, 0.0, 1.0)
    filled = np.where(np.isnan(Y), filled, Y)
    centre, gamma, share = _components(filled[rows & ~none], components)
    S = np.where(none[:, None], np.nan, (filled - centre) @ gamma.T)
    filled[none] = np.nan
    return Computed({"S": S, "loadings": gamma, "share": share, "mean": centre, "filled": filled}, "capabilities")


def _moments(Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of every benchmark over the scores that are there."""
    there = ~np.isnan(Y)
    if (there.sum(axis=0) < 2).any():
        raise DataError(f"Benchmark {int(np.argmin(there.sum(axis=0)))} has fewer than two scores of training models; leave it out.")
    same = np.nanmax(Y, axis=0) == np.nanmin(Y, axis=0)
    if same.any():
        raise DataError(f"Benchmark {int(np.argmax(same))} has the same score for all training models; leave it out.")
    return np.nanmean(Y, axis=0), np.nanstd(Y, axis=0)


def _filled(Z: np.ndarray, rows: np.ndarray, factors: int) -> np.ndarray:
    """Standardised scores with gaps filled from the leading components of the training rows."""
    gaps = np.isnan(Z)
    Z = np.where(gaps, 0.0, Z)
    for _ in range(_ROUNDS):
        centre, gamma, _ = _components(Z[rows], factors)
        new = np.where(gaps, (Z - centre) @ gamma.T @ gamma + centre, Z)
        change = np.abs(new - Z).max()
        Z = new
        if change < _CLOSE:
            break
    return Z


def _components(Y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, leading components with positive sums, and their shares of the variance."""
    centre = Y.mean(axis=0)
    _, values, vectors = np.linalg.svd(Y - centre, full_matrices=False)
    signs = np.where(vectors.sum(axis=1) < 0, -1.0, 1.0)
    return centre, (signs[:, None] * vectors)[:count], (values**2 / np.sum(values**2))[:count]


def representative_families(S: Any, family: Any, count: int) -> Computed:
    r"""The families of models, of so many models in all, that say most of all capabilities: V-optimal.

        minimise tr( X^T X (X_M^T X_M)^-1 )   over sets of families with at most `count` models M

    Args:
        S: (models, K) capabilities, without gaps.
        family: (models,) names.
        count: models to evaluate at most.

    Returns:
        `families`, names; `models`, their indices; `value`, the trace over K: the mean variance of predictions for all models, in that
        of an evaluation of all of them.

    Raises:
        DataError: if shapes do not match, values are missing, there are too many sets to try, or none has K models.

    Example:
        >>> S = np.array([[1.0, 0.0], [0.9, 0.0], [0.0, 1.0], [0.0, 0.1], [0.2, 0.2]])
        >>> found = representative_families(S, ["a", "a", "b", "c", "c"], 3)
        >>> found.families, round(found.value, 3)
        (('a', 'b'), 1.036)

    References: Ruan, Maddison and Hashimoto 2024, arXiv:2405.10938, section 5.
    """
    X, names = np.asarray(S, dtype=np.float64), np.asarray(family).astype(str)
    if X.ndim != 2 or names.shape != X.shape[:1] or not np.isfinite(X).all():
        raise DataError(f"S must be a table without gaps and family name each of its rows; got shapes {X.shape} and {names.shape}.")
    check_count("count", count, X.shape[1], DataError)
    kinds = list(dict.fromkeys(names.tolist()))
    sizes = np.asarray([(names == kind).sum() for kind in kinds])
    most = int(np.searchsorted(np.cumsum(np.sort(sizes)), count, side="right"))
    if sum(comb(len(kinds), j + 1) for j in range(most)) > _MOST:
        raise DataError(f"{len(kinds)} families with up to {count} models are too many sets to try; take fewer of either.")
    grams = np.stack([X[names == kind].T @ X[names == kind] for kind in kinds])
    whole = grams.sum(axis=0)
    best: tuple[float, tuple[int, ...]] = (np.inf, ())
    for j in range(1, most + 1):
        sets = np.asarray([c for c in combinations(range(len(kinds)), j) if sizes[list(c)].sum() <= count])
        if not len(sets):
            continue
        some = grams[sets].sum(axis=1)
        sound = np.linalg.cond(some) < 1e12
        if sound.any():
            traces = np.trace(whole @ np.linalg.inv(some[sound]), axis1=1, axis2=2)
            best = min(best, (float(traces.min()), tuple(map(int, sets[sound][traces.argmin()]))))
    if not best[1]:
        raise DataError(f"No set of families with at most {count} models spans all {X.shape[1]} capabilities; allow more.")
    chosen = tuple(kinds[i] for i in best[1])
    return Computed(
        {"families": chosen, "models": np.flatnonzero(np.isin(names, chosen)), "value": best[0] / X.shape[1]}, "representative families"
    )
