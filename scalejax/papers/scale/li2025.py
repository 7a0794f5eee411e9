"""Farseer's fit by stages: differences along D remove the floor, then size by size, then curves through the sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.numeric.precision import double
from ...core.runs import Runs
from ...core.table import Computed
from ...data.readers import read_runs
from ...fitting.objective.data import usable_rows
from ...zoo.scale.farseer import SIZE, farseer

_POWERS = np.linspace(0.02, 0.6, 59)  # of n = N / 1e9, tried for each curve
_ROUNDS = 30  # of the fixed point for ratios of D that are not all equal; few are needed


@double
def farseer_stages(runs: Runs | Any) -> Computed:
    r"""Fit `laws.farseer` in the paper's three stages, as a start for a joint fit.

        log [ L(N, D) - L(N, r D) ] - log(1 - r^-A) = log B - A log D      a line for every N, since the difference is free of E(N)
        log A = b1 - a1 n^alpha,   log B = b2 + a2 n^-beta                 lines in n^power for a grid of powers
        E(N) = mean over D of L - B D^-A,   log E = b3 - a3 n^gamma        the same

    with n = N / 1e9. Differences of runs with equal N and neighbouring D count by their square, which is their precision on a logarithmic
    scale; those that are not positive are noise and left out. The ratios r need not be equal: where they are (the paper's sqrt(2)) the
    first stage is one linear regression.

    Args:
        runs: runs with columns N (parameters), D (tokens) and loss: several sizes, each with several D.

    Returns:
        `N`, `A`, `B`, `E`, (sizes,) the model sizes that were used and exponent, size and floor of the data term, L = E + B D^-A; and
        `start`, the parameters of `laws.farseer` through them. Errors of early stages stay in later ones: finish with
        `fit("farseer", runs, starts=[stages.start])`, which is also what gives uncertainty.

    Raises:
        DataError: if fewer than three sizes have three runs whose loss falls with D.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law, N, D = sj.laws.farseer, np.geomspace(2e8, 6.4e9, 6), np.geomspace(2e9, 1.28e11, 7)
        >>> N, D = (v.ravel() for v in np.meshgrid(N, D))
        >>> stages = sj.papers.farseer_stages(sj.simulate(law, law.published["tokar2025"], N=N, D=D))
        >>> np.round(stages.A, 4)
        array([0.3776, 0.3413, 0.3075, 0.2762, 0.2474, 0.2208])

    References: Li et al. 2025 (Farseer), arXiv:2506.10972.
    """
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    rows = usable_rows(farseer, runs)
    N, D, loss = (runs[name][rows] for name in ("N", "D", "loss"))
    found = [(size, *_one_size(D[N == size], loss[N == size])) for size in np.unique(N) if np.unique(D[N == size]).size >= 3]
    found = [row for row in found if row[1] > 0]
    if len(found) < 3:
        raise DataError(
            "farseer_stages() needs at least three sizes N with three values of D each along which the loss falls; "
            f"these runs have {len(found)}."
        )
    sizes, A, B, E = np.asarray(found).T
    n = sizes / SIZE
    (a1, alpha, b1), (a2, beta, b2), (a3, gamma, b3) = _falling(n, A, 1.0), _falling(n, B, -1.0), _falling(n, E, 1.0)
    start = {"a1": a1, "alpha": alpha, "b1": b1, "a2": a2, "beta": beta, "b2": b2, "a3": a3, "gamma": gamma, "b3": b3}
    return Computed({"N": sizes, "A": A, "B": B, "E": E, "start": start}, "Farseer, size by size: L = E + B D^-A")


def _one_size(D: np.ndarray, loss: np.ndarray) -> tuple[float, float, float]:
    """A, B and E of L = E + B D^-A; zeros where the loss does not fall."""
    values = np.unique(D)
    means = np.asarray([loss[v == D].mean() for v in values])  # repeats of a run
    drop, ratio = -np.diff(means), values[1:] / values[:-1]
    used = drop > 0
    if used.sum() < 2:
        return 0.0, 0.0, 0.0
    x, y, weight = np.log(values[:-1])[used], np.log(drop[used]), drop[used]
    A = 0.0
    for _ in range(_ROUNDS):
        shift = np.log(-np.expm1(-A * np.log(ratio[used]))) if A > 0 else 0.0
        slope, level = np.polyfit(x, y - shift, 1, w=weight)
        if slope >= 0:
            return 0.0, 0.0, 0.0
        A = -slope
    B = float(np.exp(level))
    return A, B, max(float(np.mean(means - B * values**-A)), 0.01 * float(means.min()))


def _falling(n: np.ndarray, values: np.ndarray, sign: float) -> tuple[float, float, float]:
    """(a, c, b) of log values = b - sign a n^(sign c), a > 0: the power c from a grid, a line for each.

    Where values rise with n, a curve that hardly falls.
    """
    y = np.log(values)
    best = (np.inf, 1e-3, 0.1, float(y.mean()))
    for power in _POWERS:
        slope, level = np.polyfit(n ** (sign * power), y, 1)
        misfit = float(np.sum((level + slope * n ** (sign * power) - y) ** 2))
        if -sign * slope > 0 and misfit < best[0]:
            best = (misfit, float(-sign * slope), float(power), float(level))
    return best[1:]
