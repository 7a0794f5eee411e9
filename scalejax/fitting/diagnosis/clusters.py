r"""Do residuals cluster? A robust analysis of variance over every column of the runs.

Runs of one model, one corpus or one training run often err together: a size that the law cannot hit, the seed of a run whose checkpoints
are the rows. Then the rows are not independent, and intervals that count them as such are too narrow.

For a column that names k groups the residuals r, winsorised at three robust standard deviations, are compared with their group means:

    F = (R_0 - R_1) / q  /  ( R_1 / (n - rank[J G]) ),      q = rank[J G] - rank J

R_0 is what is left of r after a regression on the derivatives J of the fit, R_1 after one on J and the indicators G of the groups: the
degrees of freedom that the fit has used up are counted exactly, also where groups follow an input (a grid of sizes and tokens).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.checks import rows_text
from ...core.runs import Runs
from ..objective.groups import label
from ..request import Request
from ..uncertainty.residuals import WINSOR, Rows, robust_scale, scaled, share

FLAGGED = 2e-3  # probability, times the columns tried, below which clustering is said
STRONG = 1e-3, 0.25  # the same, and the share of the variance, beyond which a column names the units of resampling
_EQUAL = 1e-6  # relative difference of numbers that count as repeated
_ODD = 4.0  # standard deviations beyond which the mean of a group is odd
_TOGETHER = 1500  # parameters of all sets, up to which groups may span sets fitted apart


@dataclass(frozen=True, eq=False)
class Cluster:
    """How the residuals cluster over a column.

    Attributes:
        column: its name. same: other columns that divide the runs in the same way.
        groups: how many groups it names. names: their names. index: (runs,) group of every counted run.
        means: (groups,) mean residual of every group. counts: (groups,) its runs.
        F: statistic. p: probability of a larger one if rows are independent, times the number of columns tried (Bonferroni).
        share: of the variance of the residuals, that lies between groups beyond what chance would put there.
        odd: names of groups whose mean is far off those of the others.
        vectors: the column holds several numbers a run, such as a mixture, and groups are equal rows of it.
    """

    column: str
    same: tuple[str, ...]
    names: tuple[str, ...]
    index: np.ndarray
    means: np.ndarray
    counts: np.ndarray
    F: float
    p: float
    share: float
    odd: tuple[str, ...]
    vectors: bool

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.names)

    @property
    def flagged(self) -> bool:
        """Beyond chance?"""
        return self.p < FLAGGED

    @property
    def strong(self) -> bool:
        """So strong that intervals must resample whole groups?"""
        return self.p < STRONG[0] and self.share > STRONG[1]


@dataclass(frozen=True, eq=False)
class Partition:
    """Runs in groups.

    Attributes:
        column, same, names, index, vectors: as in `Cluster`.
    """

    column: str
    same: tuple[str, ...]
    names: tuple[str, ...]
    index: np.ndarray
    vectors: bool


def clusters(request: Request, sets: Sequence[Rows]) -> tuple[Cluster, ...]:
    """One for every column that repeats its values, most significant first; none for a fit without residuals or degrees of freedom."""
    sets = [s for s in sets if s.counted.any()]
    if not sets or any(s.exact for s in sets):
        return ()
    rows = np.concatenate([s.row[s.counted] for s in sets])
    law, runs = request.law, request.runs
    names = [name for name in runs.names if name not in (*law.outcomes, "weight")]
    names.sort(key=lambda name: (runs[name].dtype.kind == "f", name not in law.inputs))  # stable
    return _clusters(runs, names, rows, mean_residuals(sets), [scaled(s) for s in sets])


def mean_residuals(sets: Sequence[Rows]) -> np.ndarray:
    """Of every run that counts, over its outputs."""
    return np.concatenate([s.residual[s.counted].sum(axis=1) / (s.weight[s.counted] > 0).sum(axis=1) for s in sets])


def clusters_of(runs: Runs, names: Sequence[str], rows: np.ndarray, residual: np.ndarray, design: np.ndarray) -> tuple[Cluster, ...]:
    """The same over these columns, of residuals of any regression on a `design` (rows, p) at these rows of the runs."""
    scale = robust_scale(residual, design.shape[1])
    if not scale > 0:
        return ()
    return _clusters(runs, names, rows, residual, [(np.clip(residual / scale, -WINSOR, WINSOR), np.linalg.qr(design)[0])])


def _clusters(
    runs: Runs, names: Sequence[str], rows: np.ndarray, raw: np.ndarray, parts: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[Cluster, ...]:
    """Of residuals as they are, and set by set scaled and with what the fit can follow."""
    tried = list(_partitions(runs, names, rows))
    found = [cluster(part, raw, parts, len(tried)) for part in tried]
    return tuple(sorted((c for c in found if c is not None), key=lambda c: (c.p, -c.share)))


def _partitions(runs: Runs, names: Sequence[str], rows: np.ndarray) -> Iterator[Partition]:
    """The columns worth a test at these rows; columns that divide the runs alike go by the first of them."""
    alike: dict[bytes, list[str]] = {}
    kept: dict[bytes, tuple[tuple[str, ...], np.ndarray]] = {}
    for name in names:
        named = coded(runs, name, rows)
        if named is None or not 2 <= len(named[0]) <= len(rows) / 2:
            continue
        key = named[1].astype(np.int32).tobytes()
        alike.setdefault(key, []).append(name)
        kept.setdefault(key, named)
    for key, (first, *others) in alike.items():
        yield Partition(first, tuple(others), *kept[key], runs[first].ndim > 1)


def coded(runs: Runs, name: str, rows: np.ndarray) -> tuple[tuple[str, ...], np.ndarray] | None:
    """Names of the groups of a column, in order of appearance, and the group of every row; None for curves."""
    values = runs[name][rows]
    if values.dtype.kind != "f":
        known, first, index = np.unique(values.astype(str), return_index=True, return_inverse=True)
        labels = known.tolist()
    elif values.ndim == 1:
        index, first = _equal_numbers(values)
        labels = [label(v) for v in values[first].tolist()]
    elif values.ndim == 2 and name not in runs.masks:  # mixtures: equal rows
        _, first, index = np.unique(np.round(values, 6), axis=0, return_index=True, return_inverse=True)
        labels = [f"{name} of row {rows[i]}" for i in first]
    else:
        return None
    order = np.argsort(first)
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    return tuple(labels[i] for i in order), rank[index.reshape(-1)]


def _equal_numbers(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Group of every number, those that differ by rounding together, and where each group first appears; NaN are one group."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    with np.errstate(invalid="ignore"):
        new = np.diff(ranked) > _EQUAL * np.abs(ranked[1:])
    new |= np.isnan(ranked[1:]) & ~np.isnan(ranked[:-1])
    index = np.empty(len(values), int)
    index[order] = np.concatenate([[0], np.cumsum(new)])
    return index, np.unique(index, return_index=True)[1]


def cluster(part: Partition, raw: np.ndarray, data: Sequence[tuple[np.ndarray, np.ndarray]], tried: int) -> Cluster | None:
    """The analysis of variance over one column; None where groups and fit leave no degree of freedom."""
    index = np.split(part.index, np.cumsum([len(y) for y, _ in data])[:-1])
    pieces = [(y, basis, i) for (y, basis), i in zip(data, index, strict=True)]
    found = split(pieces, len(part.names), tried)
    if found is None:
        return None
    F, p, share = found
    counts = np.bincount(part.index, minlength=len(part.names))
    scaled = np.concatenate([y for y, _ in data])
    means, standing = (np.bincount(part.index, v, len(counts)) / counts for v in (raw, scaled))
    odd = tuple(part.names[g] for g in _odd(standing, counts))
    return Cluster(
        column=part.column, same=part.same, names=part.names, index=part.index, means=means, counts=counts, F=F, p=p,
        share=share, odd=odd, vectors=part.vectors,
    )  # fmt: skip


def split(pieces: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], groups: int, tried: int) -> tuple[float, float, float] | None:
    """F, p and share of the variance, as in `Cluster`, of pieces (y, basis, group of every run); None without degrees of freedom."""
    from scipy.special import fdtrc

    if sum(basis.shape[1] for _, basis, _ in pieces) > _TOGETHER:  # of each set by itself
        sums = np.sum([_sums([piece], groups) for piece in pieces], axis=0)
    else:
        sums = np.asarray(_sums(pieces, groups))
    before, after, extra, spare = sums
    free = extra + spare
    if extra < 1 or spare < 2 or before <= 0:
        return None
    F = float((before - after) / extra / max(after / spare, 1e-300))
    share = float(1 - max(after / spare, 0.0) / (before / free))
    return F, min(float(fdtrc(extra, spare, F)) * tried, 1.0), max(share, 0.0)


def _sums(pieces: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], groups: int) -> tuple[float, float, int, int]:
    """R_0, R_1, q and n - rank[J G], of pieces (y, basis, group of every run) whose groups are the same and whose bases are their own.

    With M = I - Q Q' the extra sum of squares needs no more than the means over groups: see Frisch, Waugh and Lovell.
    """
    y = [y - basis @ (basis.T @ y) for y, basis, _ in pieces]
    index = np.concatenate([i for *_, i in pieces])
    counts = np.bincount(index, minlength=groups)
    present = np.flatnonzero(counts)
    root = np.sqrt(counts[present])
    total = np.bincount(index, np.concatenate(y), groups)[present] / root
    crossed = [[np.bincount(i, column, groups)[present] / root for column in basis.T] for _, basis, i in pieces]
    cross = np.asarray([c for columns in crossed for c in columns]).reshape(-1, len(present))  # (rank J, groups)
    values, vectors = np.linalg.eigh(np.eye(len(cross)) - cross @ cross.T)
    left = values > 1e-8
    along = vectors[:, left].T @ (cross @ total)
    before = float(sum(v @ v for v in y))
    after = before - float(total @ total) - float(np.sum(along**2 / values[left]))
    extra = len(present) - int((~left).sum())
    return before, max(after, 0.0), extra, len(index) - len(cross) - extra


def _odd(means: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Groups of several runs whose mean is far off what the means of the others are like."""
    if len(means) < 4:
        return np.zeros(0, int)
    off = np.abs(means - np.median(means))
    spread = np.sqrt((1.4826 * np.median(off)) ** 2 + 1 / counts)
    return np.flatnonzero((off > _ODD * spread) & (counts > 2))


def said(found: Sequence[Cluster], sets: Sequence[Rows], on: str, outliers: np.ndarray) -> list[str]:
    """A sentence for the column over which residuals cluster most, and one for every group far off the others that is not an outlier."""
    most = max((c for c in found if c.flagged), key=lambda c: c.share, default=None)
    if most is None:
        return []
    same = f" (as by {', '.join(most.same)})" if most.same else ""
    if most.vectors:
        units = "name them in a column and pass it as groups"
    elif most.strong:
        units = f"intervals take the groups as units by default (groups={most.column!r})"
    else:
        units = f"pass groups={most.column!r}"
    sentences = [
        f"residuals cluster by {most.column}{same}: {most.groups} groups, F = {most.F:.3g}, p = {most.p:.1g}, {100 * most.share:.0f} % of "
        "their variance. Rows of one group are not independent, and intervals that count them as such are too narrow: "
        f"{units}, or fit a law that follows {most.column}."
    ]
    row = np.concatenate([s.row[s.counted] for s in sets])
    for name in most.odd[:3]:
        g = most.names.index(name)
        mine = row[most.index == g]
        if not np.isin(mine, outliers).all():
            sentences.append(
                f"the {len(mine)} rows of {most.column} = {name} ({rows_text(mine)}) lie {share(most.means[g], on)} off on average, far "
                "from what the other groups are like: check them."
            )
    return sentences
