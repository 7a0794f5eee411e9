"""Are the draws of two sources of one experiment? Those that share what was resampled stay paired, others are independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import DecisionError
from ..core.runs import Runs
from ..fitting.objective.groups import label
from ..fitting.objective.layout import one_group
from ..fitting.request import Request
from ..fitting.result import Fit
from ..fitting.uncertainty.bootstrap import bootstrap
from ..fitting.uncertainty.draws import Draws
from ..fitting.uncertainty.units import column_names, same_runs, unit_names
from .known import Known, known, named

Pair = str | Sequence[str] | bool | None
REPLICATES = 1000
_SHUFFLE = 20240229
_FEWEST = 10  # units that a correlation, and a resampling, need
_SURE = 0.01  # chance below which a correlation pairs sources without being asked


def knowns(sources: Sequence[Any], groups: Sequence[str | None], pair: Pair, what: str) -> list[Known]:
    """What is known of several sources together: draws of one length, paired where they share units and else independent.

    Args:
        sources: fits, draws or (law, parameters). groups: which group of each.
        pair: columns that name the units that plain fits share; None to look for them, False for independent fits.
        what: the public function that asks, for errors.
    """
    names = [_name(source, group) for source, group in zip(sources, groups, strict=True)]
    sources, note = _resampled(sources, names, pair, what)
    found: list[Known] = []
    drawn: dict[int, Draws] = {}
    for source, group in zip(sources, groups, strict=True):
        found.append(known(drawn.get(id(source), source), group, what))
        made = found[-1].source
        if made is not None and made.fit is source:  # groups of one fit share its draws
            drawn[id(source)] = made
    return [replace(k, kind=f"{k.kind}, {note}") if note and k.draws is not None else k for k in _aligned(found)]


def _name(source: Any, group: Any) -> str | None:
    """A group by one name, as `Fit.groups` has it."""
    fit = source.fit if isinstance(source, Draws) else source
    if isinstance(fit, Fit) and fit.groups and group is not None:
        return named(fit, group)
    return None if group is None else label(group)


def _aligned(sources: Sequence[Known]) -> list[Known]:
    """The sources with draws of one length, none if no source has any.

    Draws that share units keep their order, and so do those of one and the same source. Others are put into an order of their own: two
    Laplace approximations, or two bootstraps of as many runs, come from the same random numbers, which says nothing of their runs.
    """
    counts = [source.count for source in sources if source.count]
    why_no_interval = [source.kind for source in sources if source.draws is None and source.kind]
    if why_no_interval or not counts:  # bare parameters are taken as exact; a fit that cannot tell its noise is not
        return [replace(source, draws=None, kind=why_no_interval[0] if why_no_interval else "") for source in sources]
    size, out = min(counts), []
    for source in sources:
        first = next(i for i, other in enumerate(sources) if other is source or _paired(other.source, source.source))
        order = np.arange(size)
        if first:
            np.random.default_rng(_SHUFFLE + first).shuffle(order)
        drawn = {n: v[order] for n, v in (source.draws or {}).items()}
        out.append(replace(source, draws=drawn or {n: np.broadcast_to(v, (size, *v.shape[1:])) for n, v in source.leading().items()}))
    return out


def belong(one: Known, other: Known) -> bool:
    """Do the draws of one belong to those of the other, so that their errors are shared?"""
    return _paired(one.source, other.source)


def _paired(one: Draws | None, other: Draws | None) -> bool:
    """Does draw i of one belong to draw i of the other?"""
    if one is None or other is None:
        return False
    if one is other or (one.fit is other.fit and one.kind == other.kind and len(one) == len(other)):
        return True
    if one.units is None or one.units != other.units:
        return False
    return bool(one.units.columns) or (len(one) == len(other) and same_runs(one.request, other.request))


def _resampled(sources: Sequence[Any], groups: Sequence[str | None], pair: Pair, what: str) -> tuple[list[Any], str]:
    """The sources, with bootstraps that draw shared units alike in place of fits that share any, and a note that says so."""
    columns, note = None, ""
    if pair is None:
        columns, found = _shared(list(zip(sources, groups, strict=True)))
        note = f"paired by {_text(columns)}, over which residuals correlate by {found:+.2f}" if columns is not None else ""
    elif pair is not False:
        columns = _asked(sources, pair, what)
        note = f"paired by {_text(columns)}"
    if columns is None:
        return list(sources), ""
    fits = {id(source): source for source in sources if isinstance(source, Fit)}
    made = {i: bootstrap(fit, REPLICATES, kind=None if columns else "cases", groups=columns or None) for i, fit in fits.items()}
    return [made.get(id(source), source) for source in sources], note


def _asked(sources: Sequence[Any], pair: Any, what: str) -> tuple[str, ...]:
    """The columns to pair by; draws must have been resampled so."""
    columns = () if pair is True else column_names(pair)
    if not columns:
        raise DecisionError(f"{what}() takes pair= a column that names what the runs share, such as 'config' or 'seed', or False.")
    for source in sources:
        if isinstance(source, Draws) and (source.units is None or source.units.columns != columns):
            raise DecisionError(
                f"{what}() cannot pair these draws ({source.kind}) by {_text(columns)}; pass the fit, or "
                f"sj.bootstrap(fit, groups={columns[0] if len(columns) == 1 else columns!r})."
            )
    return columns


def _text(columns: tuple[str, ...]) -> str:
    return " and ".join(columns) or "run"


class _Arm(NamedTuple):
    """A fit, or a group of one: its request, the table with its rows, and their residuals."""

    request: Request
    runs: Runs
    rows: np.ndarray
    residuals: np.ndarray

    def means(self, columns: tuple[str, ...]) -> dict[str, float]:
        """Unit to mean residual; without columns every run is a unit."""
        if not columns:
            return dict(zip(map(str, range(len(self.rows))), self.residuals, strict=True))
        units, index = np.unique(unit_names(self.runs, self.rows, columns), return_inverse=True)
        return dict(zip(units.tolist(), np.bincount(index, self.residuals) / np.bincount(index), strict=True))

    def unit_candidates(self) -> list[tuple[str, ...]]:
        """What may name units: every run, a column that the law does not use, the law's inputs together."""
        law = self.request.law
        inputs = tuple(name for name in law.inputs if name not in law.outcomes)
        taken = {*law.inputs, *law.outcomes, "weight", *self.request.columns}
        return [(), *((n,) for n in self.runs.names if n not in taken and self.runs[n].ndim == 1), inputs]


def _arm(source: Any, group: str | None) -> _Arm | None:
    """The arm of a fit, None for what is none."""
    if not isinstance(source, Fit) or (source.groups and group not in source.groups):
        return None
    request = source.request
    sets = request.used
    each = source.residuals.reshape(sum(map(len, sets)), -1).mean(axis=1)
    parts = np.split(each, np.cumsum([len(rows) for rows in sets])[:-1])
    if len(sets) > 1:
        which = [name == group for name in source.groups].index(True)
        return _Arm(request, request.tables[which], sets[which], parts[which])
    mine = request.grouping.rows(group)[sets[0]] if source.groups else np.ones(len(sets[0]), bool)
    return _Arm(request, request.tables[0], sets[0][mine], parts[0][mine])


def _shared(sources: Sequence[tuple[Any, str | None]]) -> tuple[tuple[str, ...] | None, float]:
    """The units over which residuals of plain fits correlate most surely, and by how much; None if no correlation shows."""
    apart = {(id(source), group): (source, group) for source, group in sources}
    arms = [arm for arm in (_arm(*part) for part in apart.values()) if arm is not None]
    if len(arms) < 2 or any(isinstance(source, Draws) for source, _ in sources):
        return None, 0.0
    tests = [
        (*_correlation(one, other, columns), columns)
        for columns in dict.fromkeys(arms[0].unit_candidates())
        if all(columns in arm.unit_candidates() for arm in arms)
        for one, other in combinations(arms, 2)
        if columns or (one.request is not other.request and same_runs(one.request, other.request))
    ]
    # of units that tell the rows apart alike, the first, whatever rounding says
    p, found, columns = min(tests, key=lambda test: float(f"{test[0]:.4g}"), default=(1.0, 0.0, None))
    return (columns, found) if p * len(tests) < _SURE else (None, 0.0)


def _correlation(one: _Arm, other: _Arm, columns: tuple[str, ...]) -> tuple[float, float]:
    """Chance of so large a correlation between the units' residuals if they were independent, and the correlation."""
    from scipy.special import stdtr

    a, b = one.means(columns), other.means(columns)
    both = [unit for unit in a if unit in b]
    free = len(both) - 2 - max(one_group(arm.request.layout).size for arm in (one, other))  # the fits have taken out the rest
    if len(both) < _FEWEST or free < 1:
        return 1.0, 0.0
    pairs = np.asarray([[a[unit] for unit in both], [b[unit] for unit in both]])
    if (np.ptp(pairs, axis=1) == 0).any():
        return 1.0, 0.0
    found = float(np.corrcoef(pairs)[0, 1])
    t = found * np.sqrt(free / max(1 - found**2, 1e-12))
    return float(2 * stdtr(free, -abs(t))), found
