"""Which data to take: how strictly to filter for a number of samples seen, and whether clean or noisy images are the cheaper purchase."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import jax
import numpy as np

from ...core.errors import DecisionError
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.table import Computed, Shown, Table, number
from ...zoo.mixtures.data_quality import filtering_pool

_ALL = 12  # buckets up to which every union is tried


@dataclass(frozen=True, eq=False, repr=False)
class Pools(Shown):
    """Predicted errors of unions of buckets, see `best_pools`.

    Attributes:
        n: (budgets,) samples seen.
        unions: (unions, buckets) true where a bucket is in the union.
        error: (budgets, unions).
        names: of the buckets.
    """

    n: np.ndarray
    unions: np.ndarray
    error: np.ndarray
    names: tuple[str, ...]

    @property
    def best(self) -> np.ndarray:
        """(budgets,) index of the union of least error; of equal ones that of fewer buckets."""
        return self.error.argmin(axis=1)

    @property
    def count(self) -> np.ndarray:
        """(budgets,) buckets in the best union."""
        return self.unions.sum(axis=1)[self.best]

    def members(self, budget: int = 0) -> tuple[str, ...]:
        """Names of the buckets in the best union of a budget, given by its index."""
        return tuple(name for name, inside in zip(self.names, self.unions[self.best[budget]], strict=True) if inside)

    @property
    def regret(self) -> np.ndarray:
        """(budgets, unions) by how much each union's error exceeds the best one's."""
        return self.error - self.error.min(axis=1, keepdims=True)

    def table(self) -> Table:
        """A row for every budget."""
        rows = []
        for i, n in enumerate(self.n):
            best, every = self.error[i, self.best[i]], self.error[i, self.unions.all(axis=1)]
            rows.append([number(n), str(self.count[i]), ", ".join(self.members(i)), number(best), number(float(every[0]))])
        return Table(["samples seen", "buckets", "best union", "error", "error of all"], rows)


@double
def best_pools(
    n: Any, m: float, *, a: float, b: Any, tau: Any, d: float, names: Any = None, unions: str = "nested", law: Law = filtering_pool
) -> Pools:
    r"""Which buckets of data to train on for each number of samples seen: how hard to filter for a given compute.

        min over unions S of   y(n; S)

    with y of `laws.filtering_pool`. Few samples want the best bucket alone; many samples would repeat it until its utility is gone, and
    want more buckets. Nothing is trained on a union: the law predicts it from the buckets' own curves.

    Args:
        n: samples seen, a number or (budgets,).
        m: samples in every bucket.
        a, d: shared by all buckets.
        b, tau: (buckets,) utility and half-life of each, as `fit("filtering_utility", runs, by="bucket", share=("a", "d"))` gives them.
        names: of the buckets; default their numbers.
        unions: "nested" for the best 1, 2, ... buckets in the order of b, as in the paper, or "all" for every union of up to 12 buckets.
        law: `laws.filtering_pool`, or `laws.filtering_pool_code` as the authors' code has it.

    Returns:
        Pools: `error`, `best`, `count`, `members(budget)`, `regret`, `table()`.

    Raises:
        DecisionError: if shapes do not agree, values are not positive, or there are too many buckets for all unions.

    Example:
        >>> from scalejax.papers import best_pools
        >>> import scalejax as sj
        >>> pools = best_pools([32e6, 128e6, 640e6], 12.8e6, **sj.laws.filtering_pool_code.published["tmars"])
        >>> pools.count.tolist(), pools.members(2)
        ([1, 2, 2], ('0', '1'))

    References: Goyal et al. 2024, arXiv:2404.07177, section 5.
    """
    budgets = np.atleast_1d(np.asarray(n, dtype=np.float64))
    b, tau = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (b, tau))
    if b.ndim != 1 or b.shape != tau.shape or budgets.ndim != 1:
        raise DecisionError(f"best_pools() needs b and tau of one length and flat n; got {b.shape}, {tau.shape} and {budgets.shape}.")
    for name, value in {"n": budgets, "m": m, "a": a, "b": b, "tau": tau}.items():
        if not (np.isfinite(value) & (np.asarray(value) > 0)).all():
            raise DecisionError(f"best_pools() got {name}={value!r}, which must be positive.")
    labels = tuple(map(str, range(len(b)))) if names is None else tuple(map(str, names))
    if len(labels) != len(b):
        raise DecisionError(f"names has {len(labels)} entries for {len(b)} buckets.")
    inside = _unions(b, unions)
    rows = np.tile(inside, (len(budgets), 1)).astype(float)
    error = jax.jit(law.function)(np.repeat(budgets, len(inside)), float(m), rows, a=a, b=b, tau=tau, d=d)
    return Pools(budgets, inside, np.asarray(error).reshape(len(budgets), len(inside)), labels)


def _unions(b: np.ndarray, kind: str) -> np.ndarray:
    """(unions, buckets) boolean, smaller unions first."""
    if kind == "nested":
        rank = np.argsort(np.argsort(-b, kind="stable"))
        return rank < np.arange(1, len(b) + 1)[:, None]
    if kind != "all":
        raise DecisionError(f"unions={kind!r} must be 'nested' or 'all'.")
    if len(b) > _ALL:
        raise DecisionError(f"{len(b)} buckets have {2.0 ** len(b):.3g} unions; use unions='nested', or up to {_ALL} buckets.")
    every = np.asarray(list(product([False, True], repeat=len(b)))[1:])
    return every[np.argsort(every.sum(axis=1), kind="stable")]


def cheapest_images(
    n_eff: float, *, price: float, cost_clean: float, cost_noisy: float, least_clean: float = 0.1
) -> Computed:  # fmt: skip
    r"""The cheapest clean and noisy images that are worth a number of clean ones.

        min cost_clean n_clean + cost_noisy n_noisy   subject to   n_clean + n_noisy / price = n_eff,   n_clean >= least_clean n_all

    Cost and worth are linear, so that the optimum lies at an end: clean images alone if a noisy one costs more than 1 / price of a clean
    one, else as many noisy ones as the least share of clean images allows.

    Args:
        n_eff: effective clean images, as `sj.equivalent` gives them for a wanted quality with `laws.noisy_images`.
        price: noisy images that are worth a clean one, at least 1.
        cost_clean, cost_noisy: of an image.
        least_clean: share of all images that must be clean, from 0 to 1; below about 0.1 the exchange rate does not hold.

    Returns:
        `n_clean` and `n_noisy`, the images to buy, and the `cost` of both.

    Raises:
        DecisionError: if a value is out of range.

    Example:
        >>> from scalejax.papers import cheapest_images
        >>> [round(v) for v in cheapest_images(1e5, price=1.5, cost_clean=1.0, cost_noisy=0.2).values.values()]
        [14286, 128571, 40000]

    References: Daras et al. 2024, arXiv:2411.02780 (exchange rate, share of clean images).
    """
    for name, value in {"n_eff": n_eff, "cost_clean": cost_clean, "cost_noisy": cost_noisy}.items():
        if not 0 < value < np.inf:
            raise DecisionError(f"cheapest_images() got {name}={value!r}, which must be positive.")
    if not 1 <= price < np.inf or not 0 <= least_clean <= 1:
        raise DecisionError(f"price={price!r} must be at least 1, and least_clean={least_clean!r} a share from 0 to 1.")
    share = least_clean if cost_noisy * price < cost_clean else 1.0
    total = n_eff / (share + (1 - share) / price)
    clean, noisy = share * total, (1 - share) * total
    cost = cost_clean * clean + cost_noisy * noisy
    return Computed({"n_clean": clean, "n_noisy": noisy, "cost": cost}, "the cheapest clean and noisy images")
