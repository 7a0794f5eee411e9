"""What a table of runs can answer, before anything is fitted to it."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..comparison.forecast.columns import meaning, outcome_of
from ..core.checks import COUNTS, rows_text
from ..core.errors import DataError
from ..core.laws.domains import Positive
from ..core.numeric.statistics import spearman
from ..core.outcomes import less_is_better
from ..core.runs import Runs
from ..core.table import Shown, Table, number
from ..data.cells import PREFIXES, trusted_unit, unit_in_name
from ..data.readers import load, read_runs
from ..data.rows import ratio_remarks, settings, state_column
from ..data.summary import STEPS
from ..fitting.diagnosis.clusters import Cluster, clusters_of
from ..zoo import laws as registry
from .proposal import proposal

_SIZES = ("N", "D", "C", "U", "lr", "batch")
_FIRST = ("chinchilla", "kaplan")
_LINE = 1e-4  # one minus the squared correlation of logarithms below which two inputs lie on one line
_RISING = 0.5  # rank correlation with size from which a target rises
_FOLLOWS = 0.5  # rank correlation with a size from which a column of numbers is taken to follow it
_FAR = 8.0  # robust standard deviations off a smooth surface that make a row suspicious


@dataclass(frozen=True, eq=False, repr=False)
class TableDiagnosis(Shown):
    """What `diagnose` found.

    Attributes:
        rows, used: number of runs, and of those that a fit can use.
        target: column of the loss, "" if none is known.
        roles: what laws call a column to what the table calls it.
        varies: column to (smallest, largest, number of values). constant: columns with one value.
        rays: in a sentence each, inputs that move together, and budgets of compute that several sizes share.
        splits: columns along which the target differs beyond what sizes explain, such as one of two tokenizers, those of most first.
        laws: names of laws that the table can tell the parameters of, as far as counts and rays show.
        missing: what is missing, in a sentence each.
        noise: relative standard deviation of the loss between runs of one setting, None without such. replicates: how many runs share
            their setting with another.
        suspicious: what looks wrong, in a sentence each.
        next: the next sensible call.
    """

    rows: int
    used: int
    target: str
    roles: Mapping[str, str]
    varies: Mapping[str, tuple[float, float, int]]
    constant: tuple[str, ...]
    rays: tuple[str, ...]
    splits: tuple[str, ...]
    laws: tuple[str, ...]
    missing: tuple[str, ...]
    noise: float | None
    replicates: int
    suspicious: tuple[str, ...]
    next: str

    def table(self) -> Table:
        """A row a question."""
        rows = [["runs", f"{self.rows}, of which a fit can use {self.used}"]]
        rows += [["loss", self.target or "not known"]]
        known = [*self.roles.values()]
        rows += [[f"column {name}", _range(name, self.varies[name], self.roles)] for name in known if name in self.varies]
        others = [name for name in self.varies if name not in known]
        rows += [["also varying", _some(others)]] if others else []
        rows += [["constant", _some(self.constant)]] if self.constant else []
        rows += [["inputs", text] for text in self.rays]
        rows += [["laws", _some(self.laws) or "none"]]
        rows += [["missing", text] for text in self.missing]
        noise = (
            "not known: no setting was run twice"
            if self.noise is None
            else f"{number(100 * self.noise, 2)} % between {self.replicates} runs"
        )
        rows += [["noise", noise]]
        rows += [["suspicious", text] for text in self.suspicious]
        return Table(["what", "found"], [*rows, ["next", self.next]])

    def __repr__(self) -> str:
        """Sentences, which a table would align to the right."""
        rows = self.table().rows
        width = max(len(row[0]) for row in rows)
        return "\n".join(f"{what:{width}}  {found}" for what, found in rows)


def diagnose(table: Any, target: str = "loss", **options: Any) -> TableDiagnosis:
    """What a table of runs can answer: which inputs vary and on which rays, which laws it can tell apart, what is missing, how noisy it is.

    Nothing is fitted but a smooth surface, from which rows that lie far off are named.

    Args:
        table: anything `read_runs` accepts, or `Runs`.
        target: column to explain; where that is "loss", the only column whose name has a loss in it.
        **options: further arguments of `read_runs`, such as keep= or roles.

    Raises:
        DataError: if the table cannot be read.

    Example:
        >>> import scalejax as sj
        >>> N = [1e8, 3e8, 1e9, 3e9] * 4
        >>> D = [2e9] * 4 + [6e9] * 4 + [2e10] * 4 + [6e10] * 4
        >>> loss = [1.7 + 400 * n**-0.34 + 410 * d**-0.28 for n, d in zip(N, D)]
        >>> found = sj.diagnose({"params": N, "tokens": D, "val_loss": loss})
        >>> found.roles, "chinchilla" in found.laws
        ({'N': 'params', 'D': 'tokens'}, True)
        >>> found.next
        "sj.fit('chinchilla', sj.read_runs(table, N='params', D='tokens', loss='val_loss'))"
    """
    path = repr(os.fspath(table)) if isinstance(table, str | os.PathLike) else "table"
    runs = table if isinstance(table, Runs) else _read(table, options)
    try:
        target = outcome_of(runs.columns, target)
    except DataError as error:
        return _without_target(runs, str(error), path)
    columns = {name: c for name, c in runs.columns.items() if c.dtype.kind == "f" and c.ndim == 1 and name != target}
    y = runs[target]
    usable = ~runs.excluded & np.isfinite(y)
    roles = _roles(columns)
    factors, said = _counted(roles, columns)
    columns |= {name: columns[name] * factor for name, factor in factors.items()}
    used = usable & np.all([np.isfinite(columns[name]) & (columns[name] > 0) for role, name in roles.items() if role in "NDC"], axis=0)
    varies = {
        name: _spread(c[used])
        for name, c in columns.items()
        if used.any() and np.isfinite(c[used]).any() and np.nanmin(c[used]) != np.nanmax(c[used])
    }
    constant = tuple(name for name in columns if name not in varies)
    moving = {role: columns[name][used] for role, name in roles.items() if name in varies}
    if {"N", "C"} <= set(moving) and "D" not in roles:  # C = 6 N D, until somebody says otherwise
        moving["D"] = moving["C"] / (6 * moving["N"])
    rays, tied = _rays(moving)
    rises = _rises(moving, y[used], target)
    laws = _laws(moving, tied, int(used.sum())) if (y[used] > 0).all() and not rises else ()
    noise, replicates = _noise(runs, target, used)
    surface = _surface(moving, y[used])
    splits = _splits(runs, np.flatnonzero(used), surface, moving, {target, *roles.values()})
    said += [flag.message for flag in (*runs.flags, *ratio_remarks(moving, ~used[used])) if flag.code not in ("constant", "not-finite")]
    if rises:
        said.append(f"{target} rises with size, and laws of a loss fall: forecast it as it is, or fit what it lacks of its ceiling")
    said += _far(surface, used, runs, splits)
    given = {role: (name, factors.get(name, 1.0)) for role, name in roles.items() if role in moving}
    return TableDiagnosis(
        len(runs), int(used.sum()), target, roles, varies, constant, (*rays, *map(_split, splits)), tuple(c.column for c in splits), laws,
        _missing(runs, columns, roles, target, usable, varies), noise, replicates, tuple(dict.fromkeys(said)),
        proposal(path, given, target, laws, tied, moving, splits, rises, isinstance(table, Runs)),
    )  # fmt: skip


def _read(table: Any, options: Mapping[str, Any]) -> Runs:
    """The runs, all rows; a table of curves that names runs and steps is summed up by the last step."""
    raw, observations = load(table, (), options.get("format"))
    curves = not observations and "run" in raw and any(step in raw for step in STEPS) and len(set(map(str, raw["run"]))) < len(raw["run"])
    given = {"on_bad": "flag", **({"summary": "last"} if curves else {}), **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # flags say the same
        return read_runs(table, **given)


def _without_target(runs: Runs, why: str, path: str) -> TableDiagnosis:
    numeric = [name for name, c in runs.columns.items() if c.dtype.kind == "f" and c.ndim == 1]
    call = f"sj.diagnose({path}, target={numeric[-1] if numeric else '...'!r})"
    return TableDiagnosis(len(runs), runs.used, "", _roles(dict.fromkeys(numeric)), {}, (), (), (), (), (why,), None, 0, (), call)


def _range(name: str, values: tuple[float, float, int], roles: Mapping[str, str]) -> str:
    low, high, count = values
    role = next((f" ({role})" for role, column in roles.items() if column == name and role != name), "")
    factor = f", a factor of {high / low:.3g}" if low > 0 else ""
    return f"{low:.4g} to {high:.4g}{factor}, {count} values{role}"


def _some(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _roles(columns: Mapping[str, Any]) -> dict[str, str]:
    """What laws call the columns, the first of several that mean the same."""
    found: dict[str, str] = {}
    for name in columns:
        role = meaning(name) or meaning(unit_in_name(name)[0])
        if role in _SIZES and (role not in found or name == role):
            found[role] = name
    return found


def _counted(roles: Mapping[str, str], columns: Mapping[str, np.ndarray]) -> tuple[dict[str, float], list[str]]:
    """Factors of columns whose name says that they count in millions, and what to say of units."""
    factors: dict[str, float] = {}
    said = []
    for role, name in roles.items():
        if role in COUNTS and (asked := unit_in_name(name)[1]):
            word, flag = trusted_unit(role, name, columns[name] * PREFIXES[asked.lower()])
            factors |= {name: PREFIXES[word.lower()]} if word else {}
            said += [flag.message] if flag else []
    return factors, said


def _rises(moving: Mapping[str, np.ndarray], y: np.ndarray, target: str) -> bool:
    """Does the target rise with the size of runs, as a score does?"""
    sizes = [np.log(moving[x]) for x in (("C",) if "C" in moving else ("N", "D")) if x in moving]
    return not less_is_better(target) and bool(sizes) and len(y) > 2 and spearman(np.sum(sizes, axis=0), y) > _RISING


def _spread(values: np.ndarray) -> tuple[float, float, int]:
    values = values[np.isfinite(values)]
    return float(values.min()), float(values.max()), len(np.unique(values))


def _rays(moving: Mapping[str, np.ndarray]) -> tuple[tuple[str, ...], set[str]]:
    """Inputs that move together, and budgets that several sizes share."""
    said, tied = [], set()
    for a, b in itertools.combinations([x for x in ("N", "D", "U", "lr", "batch") if x in moving], 2):
        x, y = np.log(moving[a]), np.log(moving[b])
        if len(x) > 2 and 1 - np.corrcoef(x, y)[0, 1] ** 2 < _LINE:
            slope = np.polyfit(x, y, 1)[0]
            line = f"{b} = {np.exp(np.mean(y - x)):.3g} {a}" if abs(slope - 1) < 0.02 else f"{b} follows {a}^{slope:.2f}"
            said.append(f"{line} in all runs: what depends on {a} and what depends on {b} cannot be told apart")
            tied |= {a, b}
    budgets = np.log(moving["C"]) if "C" in moving else np.log(6 * moving["N"] * moving["D"]) if {"N", "D"} <= set(moving) else None
    if budgets is not None and "N" in moving:
        index = np.round(budgets / np.log(1.05))
        sizes = [len(np.unique(moving["N"][index == k])) for k in np.unique(index)]
        shared = sum(size >= 4 for size in sizes)
        if shared:
            said.append(f"{shared} budgets of compute with at least 4 sizes each (isoFLOP profiles)")
    if {"N", "D"} <= set(moving) and not tied:
        ratio = moving["D"] / moving["N"]
        said.append(f"tokens per parameter from {ratio.min():.3g} to {ratio.max():.3g}")
    return tuple(said), tied


def _laws(moving: Mapping[str, np.ndarray], tied: set[str], rows: int) -> tuple[str, ...]:
    """Laws of these inputs with fewer parameters than there are runs, those of most inputs first."""
    found = []
    for law in registry:
        free = sum(1 for name in law.parameters if law.domains[name].axis is None)
        scalar = all(isinstance(law.domains[x], Positive) for x in law.inputs)
        apart = len(tied & set(law.inputs)) < 2
        if scalar and law.output == "loss" and set(law.inputs) <= set(moving) and apart and free == len(law.parameters) < rows:
            found.append((_FIRST.index(law.name) if law.name in _FIRST else len(_FIRST), -len(law.inputs), free, law.name))
    return tuple(name for *_, name in sorted(found))


def _noise(runs: Runs, target: str, used: np.ndarray) -> tuple[float | None, int]:
    """Pooled standard deviation of the logarithm of the target within settings, and how many runs have a partner."""
    index, y = settings({k: v for k, v in runs.columns.items() if k != target}), runs[target]
    groups = [np.log(y[rows]) for k in np.unique(index) if len(rows := np.flatnonzero((index == k) & used & (y > 0))) > 1]
    groups = [group for group in groups if np.ptp(group) > 0]  # equal to the last digit: a copy, no second run
    free = sum(len(group) - 1 for group in groups)
    if not free:
        return None, 0
    return float(np.sqrt(sum(((group - group.mean()) ** 2).sum() for group in groups) / free)), sum(map(len, groups))


def _surface(moving: Mapping[str, np.ndarray], y: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Terms (rows, p) of a surface of second order in the logarithms, and what is left by the least sum of absolute residuals."""
    names = [x for x in ("N", "D") if x in moving] or [x for x in ("C",) if x in moving]
    x = [np.log(moving[name]) for name in names]
    x = [(v - v.mean()) / v.std() for v in x]
    terms = [np.ones(len(y)), *x, *(v * v for v in x), *(a * b for a, b in itertools.combinations(x, 2))]
    if not names or len(y) < 2 * len(terms) or (y <= 0).any():
        return None
    design, target, weight = np.stack(terms, axis=1), np.log(y), np.ones(len(y))
    residual = target
    for _ in range(30):
        half = np.sqrt(weight)[:, None]
        residual = target - design @ np.linalg.lstsq(design * half, target * half[:, 0], rcond=None)[0]
        weight = 1 / np.maximum(np.abs(residual), 1e-4)
    return design, residual


def _splits(
    runs: Runs,
    rows: np.ndarray,
    surface: tuple[np.ndarray, np.ndarray] | None,
    moving: Mapping[str, np.ndarray],
    known: Collection[str | None],
) -> list[Cluster]:
    """Columns of text, or of few numbers that follow no size, over which residuals of the surface cluster strongly."""
    if surface is None:
        return []
    known = {*known, state_column(runs.columns)}
    names = [n for n, c in runs.columns.items() if c.ndim == 1 and c.dtype.kind != "O" and n not in known]
    text = [n for n in names if runs[n].dtype.kind != "f"]
    few = [n for n in names if n not in text and "loss" not in n.lower() and 1 < len(np.unique(runs[n][rows])) <= len(rows) / 4]
    few = [n for n in few if all(abs(spearman(runs[n][rows], size)) < _FOLLOWS for size in moving.values())]
    found = clusters_of(runs, [*text, *few], rows, surface[1], surface[0])
    return sorted((c for c in found if c.strong and not any(_tells(c, size) for size in moving.values())), key=lambda c: -c.share)


def _tells(found: Cluster, size: np.ndarray) -> bool:
    """Are the groups those of one size each, as names of models are?"""
    return all(np.ptp(size[found.index == g]) == 0 for g in range(found.groups))


def _split(found: Cluster) -> str:
    """What a column sets apart, in words."""
    order = np.argsort(found.means)
    ends = [f"{100 * np.expm1(found.means[g]):+.2g} % of {found.names[g]}" for g in order[[0, -1]]]
    return (
        f"{found.groups} groups by {found.column} differ beyond what sizes explain, from {ends[0]} to {ends[1]} "
        f"(F = {found.F:.3g}, p = {found.p:.1g})"
    )


def _far(surface: tuple[np.ndarray, np.ndarray] | None, used: np.ndarray, runs: Runs, splits: Sequence[Cluster]) -> list[str]:
    """Rows far off the surface."""
    if surface is None:
        return []
    residual = surface[1]
    scale = max(1.4826 * float(np.median(np.abs(residual))), 1e-3)
    rows = np.flatnonzero(used)[np.abs(residual) > np.maximum(_FAR * scale, 0.05)]
    if not len(rows):
        return []
    kinds = [c.column for c in splits] or [
        name for name, column in runs.columns.items() if column.dtype.kind not in "fO" and 1 < len(set(column.tolist())) <= len(runs) / 4
    ]
    if len(rows) > len(residual) / 20 and kinds:
        share = f"{len(rows)} of {len(residual)} rows lie far off what sizes alone explain"
        return [f"{share}; the runs may be of several kinds: fit with by={kinds[0]!r}."]
    return [f"{rows_text(rows).capitalize()}: the loss lies far off what runs of similar size show; look at these runs before a fit."]


def _missing(
    runs: Runs, columns: Mapping[str, np.ndarray], roles: Mapping[str, str], target: str, usable: np.ndarray, varies: Mapping[str, Any]
) -> tuple[str, ...]:
    said = []
    gone = np.flatnonzero(~usable)
    if len(gone):
        said.append(f"{target} is not usable in {rows_text(gone)}")
    for name, column in columns.items():
        gaps = np.flatnonzero(~np.isfinite(column) & usable)
        if len(gaps):
            said.append(
                f"{name} has gaps in {rows_text(gaps)}" + ("" if name in roles.values() else ", which matter only to a fit that uses it")
            )
    known = {role for role, name in roles.items() if name in varies}
    if not {"N", "D", "C"} & known:
        said.append(
            "no column of parameters, tokens or compute that varies is recognised; name them, as in N='width**2', D='steps * batch'"
        )
    elif "C" not in known and "D" not in known:
        said.append("tokens D (or compute C) are not there or do not vary: what more data would bring cannot be seen")
    elif "C" not in known and "N" not in known:
        said.append("parameters N (or compute C) are not there or do not vary: what a larger model would bring cannot be seen")
    return tuple(said)
