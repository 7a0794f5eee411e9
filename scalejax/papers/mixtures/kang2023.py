"""Performance of mixed sources from their distance to the validation data: optimal transport, a line, and a projection in size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ...core.errors import DataError, DecisionError
from ...core.table import Computed, Shown


def transport_distance(sources: Sequence[Any], validation: Any, p: Any) -> Computed:
    r"""Distance from a mixture of sources to validation data: the least mean cost of moving one onto the other.

        OT(p) = min_{plan >= 0} sum_ij plan_ij |x_i - z_j|    with the mixture and the validation data as its margins

    Every sample of source k has the weight p_k / n_k. The slope follows from the dual potentials u of the samples: the mean of u over each
    source. OT is convex in p.

    Args:
        sources: (n_k, d) features of each source, such as embeddings; labels may be appended as scaled columns.
        validation: (n, d) features.
        p: (sources,) shares that sum to one.

    Returns:
        `distance`, the cost of the best plan, and `slope`, (sources,) how it changes with every share, up to a constant common to all.

    Raises:
        DataError: if shapes do not agree or shares are no mixture.
        DecisionError: if the library that solves transport problems is not installed.

    Note: needs the package POT ("pip install pot"), which solves the linear programme.

    References: Kang et al. 2023, arXiv:2307.02460.
    """
    tables, goal, shares = _checked(sources, validation, p)
    x = np.concatenate(tables)
    weights = np.repeat(shares / [len(t) for t in tables], [len(t) for t in tables])
    cost = np.sqrt(np.maximum(((x[:, None, :] - goal[None, :, :]) ** 2).sum(axis=-1), 0.0))
    distance, log = _library().emd2(weights, np.full(len(goal), 1 / len(goal)), cost, log=True)
    edges = np.cumsum([0, *map(len, tables)])
    # The c-transform of the other potential is feasible and defined for samples of weight 0, too.
    potential = (cost - np.asarray(log["v"])[None, :]).min(axis=1)
    slope = np.asarray([potential[a:b].mean() for a, b in pairwise(edges)])
    return Computed({"distance": float(distance), "slope": slope}, "optimal transport to the validation data")


def _checked(sources: Sequence[Any], validation: Any, p: Any) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    tables, goal = [np.asarray(s, dtype=np.float64) for s in sources], np.asarray(validation, dtype=np.float64)
    shares = np.asarray(p, dtype=np.float64)
    if goal.ndim != 2 or not tables or any(t.ndim != 2 or t.shape[1:] != goal.shape[1:] or not len(t) for t in tables):
        raise DataError("Sources and validation data must be tables (samples, features) with the same features.")
    if shares.shape != (len(tables),) or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-6:
        raise DataError(f"p={p!r} must hold a share of 0 or more for each of the {len(tables)} sources, and sum to one.")
    return tables, goal, shares / shares.sum()


def _library() -> Any:
    try:
        import ot
    except ImportError:
        raise DecisionError(
            "Optimal transport needs the package POT; install it with `pip install pot`, or give distances yourself."
        ) from None
    return ot


def nearest_mixture(sources: Sequence[Any], validation: Any, *, steps: int = 100, tolerance: float = 1e-4) -> tuple[np.ndarray, float]:
    r"""The shares of sources whose mixture lies nearest to the validation data.

        p* = argmin_p OT(p)   on the simplex

    by conditional gradients: every step moves towards the source with the least slope, halfway to the best of three lengths. Since OT is
    convex, OT(p) - OT(p*) is at most slope . p - min slope, which ends the search.

    Args:
        sources, validation: as in `transport_distance`.
        steps: at most.
        tolerance: of that bound, relative to the distance.

    Returns:
        (sources,) shares, and the bound on how far their distance is above the least one.

    Raises:
        DataError, DecisionError: as `transport_distance`.

    References: Kang et al. 2023, arXiv:2307.02460 (gradient through the dual potentials).
    """
    p = np.full(len(sources), 1 / max(len(sources), 1))
    here = transport_distance(sources, validation, p)
    for t in range(steps):
        target = np.eye(len(p))[here.slope.argmin()]
        if here.slope @ p - here.slope.min() <= tolerance * max(here.distance, 1e-12):
            break
        tries = [p + step * (target - p) for step in (2 / (t + 2), 0.5 / (t + 2), 0.1 / (t + 2))]
        found = [transport_distance(sources, validation, q) for q in tries]
        best = int(np.argmin([f.distance for f in found]))
        p, here = tries[best], found[best]
    return p, float(here.slope @ p - here.slope.min())


def project_performance(N: Any, N_0: float, N_1: float, V_0: Any, V_1: Any) -> Any:
    r"""Performance at a size that was never trained, from that at two sizes: a straight line in the logarithm of the size.

        V(N) = [ log(N / N_0) V(N_1) - log(N / N_1) V(N_0) ] / log(N_1 / N_0)

    Args:
        N: samples, a number or an array.
        N_0, N_1: the two sizes, different.
        V_0, V_1: performance there, numbers or arrays that broadcast with N.

    Returns:
        V(N); exact at N_0 and N_1, and everywhere if V is linear in log N.

    Raises:
        DecisionError: if sizes are not positive or equal.

    Example:
        >>> round(float(project_performance(4e4, 1e4, 2e4, 0.5, 0.6)), 6)
        0.7

    References: Kang et al. 2023, arXiv:2307.02460, section 4.2 (form recalled).
    """
    sizes = [np.asarray(v, dtype=np.float64) for v in (N, N_0, N_1)]
    if not all((v > 0).all() for v in sizes) or N_0 == N_1:
        raise DecisionError("project_performance() needs positive sizes, and two different ones to project from.")
    x = np.log(sizes[0] / N_0) / np.log(N_1 / N_0)
    return x * np.asarray(V_1) + (1 - x) * np.asarray(V_0)


@dataclass(frozen=True, eq=False, repr=False)
class PerformanceProjection(Shown):
    """Performance from transport distances at two sizes, see `fit_projection`.

    Attributes:
        N_0, N_1: sizes.
        lines: (2, 2) b_0 and b_1 of V = b_0 + b_1 OT at each.
        rmse: (2,) scatter about each line.
    """

    N_0: float
    N_1: float
    lines: np.ndarray
    rmse: np.ndarray

    def predict(self, distance: Any, N: Any) -> np.ndarray:
        """Performance of a mixture at this transport distance, trained on N samples."""
        d = np.asarray(distance, dtype=np.float64)
        at_0, at_1 = (b_0 + b_1 * d for b_0, b_1 in self.lines)
        return project_performance(N, self.N_0, self.N_1, at_0, at_1)


def fit_projection(N_0: float, N_1: float, distance_0: Any, V_0: Any, distance_1: Any, V_1: Any) -> PerformanceProjection:
    r"""Two lines from transport distance to performance, one for each of two sizes, to be projected to other sizes.

        V(N_i, p) = b_0i + b_1i OT(p),    i = 0, 1

    Args:
        N_0, N_1: the two sizes.
        distance_0, V_0: (runs,) distances of trained mixtures and their performance at N_0, two or more.
        distance_1, V_1: the same at N_1.

    Returns:
        PerformanceProjection: `lines`, `rmse`, `predict(distance, N)`.

    Raises:
        DataError: if runs are too few or distances do not differ.
        DecisionError: if sizes are equal or not positive.

    Example:
        >>> found = fit_projection(1e4, 2e4, [1.0, 2.0], [0.6, 0.4], [1.0, 2.0], [0.7, 0.5])
        >>> round(float(found.predict(0.5, 4e4)), 6)
        0.9

    References: Kang et al. 2023, arXiv:2307.02460 (form recalled).
    """
    project_performance(N_0, N_0, N_1, 0.0, 0.0)
    lines, scatter = [], []
    for distance, V in ((distance_0, V_0), (distance_1, V_1)):
        d, v = (np.asarray(a, dtype=np.float64) for a in (distance, V))
        if d.ndim != 1 or d.shape != v.shape or len(d) < 2 or not (np.isfinite(d).all() and np.isfinite(v).all()) or np.ptp(d) == 0:
            raise DataError("fit_projection() needs two runs or more at each size, with distances that differ and no gaps.")
        slope, level = np.polyfit(d, v, 1)
        lines.append((level, slope))
        scatter.append(np.sqrt(((v - level - slope * d) ** 2).mean()))
    return PerformanceProjection(float(N_0), float(N_1), np.asarray(lines), np.asarray(scatter))
