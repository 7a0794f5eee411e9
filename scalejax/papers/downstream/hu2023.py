"""Pass rates that are too small for a test of a few hundred answers: sampling until some pass, and how the rate bends with size."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.table import Computed


def pass_until(drawn: Any, passed: Any, *, wanted: int) -> Computed:
    r"""Pass rates from sampling until `wanted` answers pass, or until no more are drawn.

        (r - 1) / (K - 1) where r = wanted >= 2 passed,    r / K else

    K drawn answers follow a negative binomial distribution, of which the first is the unbiased estimate. r / K, which the paper uses, is
    that of maximum likelihood, and too high on average: for r = 1 and small rates p by the factor log(1/p). Where the limit was reached
    first, K is given and r / K is unbiased.

    Args:
        drawn: (problems,) K, answers drawn of each problem, or a number.
        passed: (problems,) r, how many of them passed.
        wanted: at how many sampling stops.

    Returns:
        `value`, the estimates; `likelihood`, r / K; `mean`, the mean of the first over problems.

    Raises:
        DataError: if counts are no whole numbers, or more passed than were drawn or wanted.

    Example:
        >>> found = pass_until([41, 100_000], [2, 1], wanted=2)  # the second problem reached the limit
        >>> found.value.tolist(), [round(v, 6) for v in found.likelihood.tolist()]
        ([0.025, 1e-05], [0.04878, 1e-05])

    References: Hu et al. 2023, arXiv:2310.03262; Haldane 1945, Biometrika 33, 222 (the unbiased estimate).
    """
    K, r = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (drawn, passed)))
    whole = all(np.isfinite(v).all() and (v == np.round(v)).all() for v in (K, r))
    if not whole or (K < 1).any() or (r < 0).any() or (r > np.minimum(K, wanted)).any():
        raise DataError("pass_until() needs whole numbers: at least one drawn, and no more passed than were drawn and wanted.")
    done = (r == wanted) & (r >= 2)
    value = np.where(done, (r - 1) / np.maximum(K - 1, 1), r / K)
    return Computed({"value": value, "likelihood": r / K, "mean": float(value.mean())}, "pass rates")


def emergence(N: Any, rate: Any, *, error: Any = None, level: float = 0.9) -> Computed:
    r"""Does a task improve as a standard law, faster or more slowly? The bend of its pass rate in the coordinates of `laws.pass_rate`.

        F = log(-log rate) = f_0 - alpha x + b x^2,    x = log N less its mean

    b < 0 (concave) is accelerated, b > 0 decelerated; a standard law is straight. Tasks of several steps, each of which follows a standard
    law, are decelerated: -log rate is then a sum of powers, and F convex. Several ways to the answer, one of which must work, can be
    accelerated.

    Args:
        N: (sizes,) parameters.
        rate: (sizes,) pass rates, above 0 and below 1.
        error: (sizes,) their standard errors, as weights and for the uncertainty of the bend; without them the scatter about the parabola
            is taken, which needs four sizes.
        level: at which a bend is told from none.

    Returns:
        `alpha` (at the mean of log N), `bend` b, `error` of b (NaN if nothing tells it), and `kind`: "standard", "accelerated" or
        "decelerated"; without an error the sign of b says which.

    Raises:
        DataError: if there are fewer than three sizes, or rates are not between 0 and 1.

    Example:
        >>> import numpy as np
        >>> N = np.array([1e8, 1e9, 1e10])
        >>> emergence(N, np.exp(-30 * N**-0.1 - 1e4 * N**-0.5)).kind  # two steps
        'decelerated'

    References: Hu et al. 2023, arXiv:2310.03262, section 5.
    """
    size, p = (np.asarray(v, dtype=np.float64) for v in (N, rate))
    if size.ndim != 1 or p.shape != size.shape or len(size) < 3 or not ((size > 0).all() and (p > 0).all() and (p < 1).all()):
        raise DataError("emergence() needs three sizes or more, with a pass rate above 0 and below 1 for each.")
    x = np.log(size) - np.log(size).mean()
    F = np.log(-np.log(p))
    spread = np.ones_like(p) if error is None else np.asarray(error, dtype=np.float64) / (p * -np.log(p))
    if spread.shape != p.shape or not (np.isfinite(spread).all() and (spread > 0).all()):
        raise DataError("error= needs one positive standard error for every pass rate.")
    columns = np.stack([np.ones_like(x), x, x**2], axis=1) / spread[:, None]
    inverse = np.linalg.pinv(columns)
    _, slope, bend = inverse @ (F / spread)
    sigma = np.sqrt(np.sum(inverse[2] ** 2))
    if error is None:
        left = F - np.stack([np.ones_like(x), x, x**2], axis=1) @ (inverse @ F)
        sigma = sigma * np.sqrt(np.sum(left**2) / (len(x) - 3)) if len(x) > 3 else np.nan
    return Computed({"alpha": -float(slope), "bend": float(bend), "error": float(sigma), "kind": _kind(bend, sigma, level)}, "emergence")


def _kind(bend: float, sigma: float, level: float) -> str:
    width = NormalDist().inv_cdf(0.5 + level / 2) * sigma if np.isfinite(sigma) else 1e-9
    return "standard" if abs(bend) <= max(width, 1e-9) else "accelerated" if bend < 0 else "decelerated"
