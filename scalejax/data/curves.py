"""Reading loss curves: a long table of observations becomes one row a run, with the learning rate of every step."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..core.checks import COUNTS, check_count
from ..core.errors import DataError, DataWarning, suggest, warn
from ..core.numeric.rates import rates
from ..core.progress import Progress
from ..core.runs import Flag, Runs
from .cells import UNITS, check_unit, trusted_unit, unit_in_name
from .columns import numeric_column
from .importers.content import shown
from .importers.trackers.charts import runs_of_chart
from .readers import Unit, load, numbers, read_runs
from .rows import Keep, kept, unfinished
from .summary import by_run, counting, step_name

Warmup = Literal["true", "at_peak", "offset"]
_CONVENTIONS = ("true", "at_peak", "offset")
_OWN = frozenset({"run", "eta", "t", "loss", "W"})  # columns of every curve
_MOST_STEPS = 2e7  # the rate of every step is held: beyond this a column of steps counts tokens


def read_curves(
    table: Any,
    *,
    step: str = "step",
    loss: str = "loss",
    run: str | None = None,
    lr: str | None = None,
    schedules: Mapping[str, Any] | Callable[[str], Any] | None = None,
    warmup: int = 0,
    convention: Warmup = "true",
    parent: str | None = None,
    first: int = 0,
    every: int = 1,
    tokens_per_step: float = 1,
    unit: Unit = "nats",
    keep: Keep | None = None,
    format: str | None = None,
    progress: bool | Progress | None = None,
    **roles: str,
) -> Runs:
    """Loss curves of many runs, of any lengths, as `Runs` with one row a run.

    Args:
        table: anything `read_runs` accepts, one row an observation; a mapping from a run's name to such a table, console log or path; the
            export of a chart with a column a run, named "<run> - <metric>"; or what a tracker keeps of many runs. Rows need not hold
            every metric: a row counts where it holds a step and a loss, and rates are taken from the rows that hold one. Where steps fall
            back, the run was resumed: the later record of a step counts, and what was given up does not; a flag says so.
        step, loss: columns of the step (whole, from 0) and of the loss. Without a column "step" those that programs usually write are
            taken: "_step", "global_step", "iteration", ...
        run: column that names the run; not needed for a mapping of tables, a folder or what trackers keep.
        lr: column of the learning rate. Where not every step was logged, the rate between two logged steps is taken from the straight
            line through them; before the first one it is the first logged rate. With `warmup`, rates rise linearly from 0 through the
            records inside the warm-up to the peak at its end, eta_s = peak (s + 1) / W.
        schedules: instead of `lr`, the rate of every step from step 0: run name -> array, or a function of the run name (see
            `sj.schedules`). Exact where the log holds every hundredth step.
        warmup: number of warm-up steps W.
        convention: what laws see of the warm-up. "true": the rates as they were. "at_peak": every warm-up step has the rate that
            follows it, so that the warm-up is not a rise (Tissue et al. 2024). "offset": rates as they were, but changes during the warm-up
            do not count (column W holds the warm-up; Luo et al. 2025). Constants fitted under one are wrong under another.
        parent: column that names the run from which this one branches; the trunk's rates are put before the branch's own.
        first: observations before this step are left out.
        every: keep every so-many-th observation of a run.
        tokens_per_step: what the column of steps counts in one optimiser step, such as the tokens in a batch where it counts tokens.
        unit: of the loss, see `read_runs`.
        keep: which rows to read, see `read_runs`.
        format, progress: see `read_runs`.
        **roles: further columns, constant in a run: N="params", ...

    Returns:
        Runs with the columns "run" (text), "eta" (n, T) the rate of every step up to the last observed one, "t" (n, M) observed steps,
        "loss" (n, M), "W" (n,) steps whose changes do not count, and the roles. Shorter curves are padded with their last values and
        masked.

    Raises:
        DataError: one sentence on what is wrong, in which run, and what to do.

    Example:
        >>> import scalejax as sj
        >>> table = {"step": [0, 1, 2, 3], "loss": [4.0, 3.5, 3.2, 3.0], "lr": [3e-4, 3e-4, 2e-4, 1e-4]}
        >>> sj.read_curves({"first": table}, lr="lr")["eta"]
        array([[0.0003, 0.0003, 0.0002, 0.0001]])
    """
    _check(convention, lr, schedules, warmup, first, every, tokens_per_step, roles)
    word, size = check_unit("loss", unit)
    if word not in UNITS:
        raise DataError(f"unit={unit!r} counts things; a loss is in {', '.join(UNITS)}.")
    wanted = {name for name in (loss, lr, parent, *roles.values()) if name}
    found: dict[str, dict[str, Any]] = {}
    said: dict[str, list[int]] = {"nan-loss": [], "resumed": []}
    tables, flags = _tables(table, run, step, loss, wanted, keep, format, progress)
    for name, columns in tables.items():
        log = _observed(name, columns, step_name(columns, step), loss, lr, tokens_per_step)
        for code, true in (("nan-loss", log.nan), ("resumed", log.resumed)):
            said[code] += [len(found)] if true else []
        log = replace(log, y=UNITS[word](log.y) * size)
        found[name] = _curve(name, log, schedules, warmup, convention, first, every)
        for role, source in {**roles, **({"parent": parent} if parent else {})}.items():
            found[name][role] = _constant(name, columns, role, source)
    if parent:
        _add_trunks(found)
    columns_of_runs = {key: [curve[key] for curve in found.values()] for key in next(iter(found.values()))}
    for role, source in roles.items():
        if role in COUNTS and (asked := unit_in_name(source)[1]):
            values = numeric_column(columns_of_runs[role], role, source, text_allowed=False, unit=asked)
            word, flag = trusted_unit(role, source, values)
            columns_of_runs[role] = list(values) if word else columns_of_runs[role]
            flags += (flag,) if flag else ()
    runs = read_runs({"run": list(found), **columns_of_runs}, keep="all")
    flags += tuple(_said(code, list(found), rows) for code, rows in said.items() if rows)
    for flag in flags:
        if flag.code in ("unfinished", "unit"):
            warn(flag.message, DataWarning)
    return replace(runs, flags=(*runs.flags, *flags)) if flags else runs


def _check(
    convention: Any, lr: str | None, schedules: Any, warmup: Any, first: Any, every: Any, tokens_per_step: Any, roles: Mapping[str, str]
) -> None:
    """Refuse arguments that cannot be."""
    if convention not in _CONVENTIONS:
        raise DataError(f"convention={shown(convention)} is unknown; {suggest(convention, _CONVENTIONS)}")
    if (lr is None) == (schedules is None):
        raise DataError("Curves need the learning rate of every step once: pass lr='column' or schedules={run: array}.")
    for name, value, least in (("warmup", warmup, 0), ("first", first, 0), ("every", every, 1)):
        check_count(name, value, least, DataError)
    if not (isinstance(tokens_per_step, int | float | np.number) and tokens_per_step > 0):
        raise DataError(f"tokens_per_step={tokens_per_step!r} must be positive: what the column of steps counts in one step.")
    for role, source in roles.items():
        if role in _OWN:
            raise DataError(f"The role {role!r} is a column of every curve already; call {shown(source)} something else.")
        if not isinstance(source, str):
            raise DataError(f"{role}={shown(source)} must be the name of a column that is constant in a run.")


def _said(code: str, names: list[str], rows: list[int]) -> Flag:
    what = {
        "nan-loss": "Rows whose loss is NaN were left out of",
        "resumed": "Steps fall back, as after a resumption, and the later record of a step counts in",
    }[code]
    named = ", ".join(repr(names[i]) for i in rows[:5])
    return Flag(code, "loss", tuple(rows), f"{what} {len(rows)} runs ({named}{', ...' if len(rows) > 5 else ''}).")


def _tables(
    table: Any, run: str | None, step: str, loss: str, wanted: set[str], keep: Keep | None, form: str | None,
    progress: bool | Progress | None,
) -> tuple[Mapping[str, Mapping[str, Any]], tuple[Flag, ...]]:  # fmt: skip
    """Run name to its columns, and what is to be said of the rows."""
    if run is None and isinstance(table, Mapping) and table and all(_is_table(one) for one in table.values()):
        if keep is not None:
            raise DataError("keep= looks at the rows of one table; of a mapping of tables, leave out runs from the mapping.")
        is_file = {name: isinstance(one, str | os.PathLike) for name, one in table.items()}
        return {str(name): load(one, wanted | {step}, form if is_file[name] else None)[0] for name, one in table.items()}, ()
    columns, observations = load(table, wanted | ({run} if run else set()), form, progress)
    run = "run" if run is None and observations else run
    flag = unfinished(columns) if keep is None else None
    if flag:  # of rows, and not yet of runs
        names = dict.fromkeys(str(columns[run or "run"][i]) for i in flag.rows) if (run or "run") in columns else {}
        shown_names = ", ".join(map(repr, list(names)[:5])) + (", ..." if len(names) > 5 else "")
        kinds = ", ".join(dict.fromkeys(str(columns[flag.column][i]).lower() for i in flag.rows))
        which = f"{len(names)} run{'s' * (len(names) > 1)} did not finish ({kinds}: {shown_names})"
        flag = replace(flag, rows=(), message=f"{which}; leave them out with keep='finished', or keep='all' to say that they count.")
    columns, left_out = kept(columns, keep)
    flags = tuple(f for f in (flag, left_out) if f)
    if run is not None:
        return by_run(columns, run), flags
    found = runs_of_chart(columns, step, loss) or _listed(columns, step)
    if found is None:
        raise DataError(
            "Which rows belong to one curve? Pass run='column', or a mapping from run names to tables, such as {'my run': table}."
        )
    return found, flags


def _is_table(value: Any) -> bool:
    """Could this be the table of one run, rather than a column?"""
    listed = isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)
    return listed or isinstance(value, str | os.PathLike | Mapping | Runs) or hasattr(value, "columns")


def _listed(columns: Mapping[str, Any], step: str) -> dict[str, Mapping[str, Any]] | None:
    """Runs whose curves are lists in the cells of one row each."""
    if "run" not in columns or not all(isinstance(cell, list) for cell in columns.get(step, [None])):
        return None
    return {str(name): {k: v[i] for k, v in columns.items() if isinstance(v[i], list)} for i, name in enumerate(columns["run"])}


@dataclass(frozen=True)
class _Log:
    """What was logged of a run: losses y at steps t and, where logged, rates lr at steps t_lr, both in order of the steps."""

    t: np.ndarray
    y: np.ndarray
    t_lr: np.ndarray
    lr: np.ndarray
    nan: bool  # are there losses that are NaN rather than empty?
    resumed: bool  # do steps fall back?


def _observed(name: str, columns: Mapping[str, Any], step: str, loss: str, lr: str | None, tokens_per_step: float) -> _Log:
    """Rows that hold a loss and rows that hold a rate; empty cells are no measurements, since programs log each metric on its own row."""
    roles = {"step": step, "loss": loss, **({"lr": lr} if lr else {})}
    log = numbers(columns, roles)
    steps = log["step"] / tokens_per_step
    whole = np.round(steps)
    known = np.isfinite(steps)
    if (np.abs(steps - whole)[known] > (0.01 if tokens_per_step != 1 else 0)).any() or (whole[known] < 0).any():
        raise DataError(f"Run {name!r}: steps must be whole, from 0, each once; clean the column of steps.")
    if known.any() and whole[known].max() >= _MOST_STEPS:
        raise DataError(
            f"Run {name!r}: its steps go to {whole[known].max():.3g}, which must be tokens or samples; pass tokens_per_step= the number of "
            "them in a batch."
        )
    logged: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    resumed = False
    for column in ("loss", "lr") if lr else ("loss",):
        values = log[column]
        at = np.flatnonzero(known & ~np.isnan(values))
        if not len(at):
            raise DataError(f"Run {name!r}: no row holds both a step and column {roles[column]!r} for {column}.")
        if column == "loss":
            counted = counting(name, whole[at])
            resumed = not counted.all()
            at = at[counted]
        at = at[np.argsort(whole[at], kind="stable")]
        if not np.isfinite(values[at]).all():
            bad = at[~np.isfinite(values[at])][0]
            raise DataError(
                f"Run {name!r}: column {roles[column]!r} for {column} is infinite at step {whole[bad]:.0f}; leave those rows out."
            )
        logged[column] = (whole[at], values[at])
    t, y = logged["loss"]
    nan = any(v.strip().lower() == "nan" if isinstance(v, str) else v != v for v in columns[loss])
    t_lr, rate = logged.get("lr", (np.zeros(0), np.zeros(0)))
    return _Log(t=t, y=y, t_lr=t_lr, lr=rate, nan=nan, resumed=resumed)


def _curve(name: str, log: _Log, schedules: Any, warmup: int, convention: str, first: int, every: int) -> dict[str, Any]:
    t, values = log.t, log.y
    if schedules is None:
        eta = rates(name, log.t_lr, log.lr, int(t[-1]), warmup)
    else:
        eta = _given(name, schedules)
        if eta.ndim != 1 or len(eta) <= t[-1]:
            raise DataError(
                f"Run {name!r}: its schedule has {eta.size} steps but step {t[-1]:.0f} was observed; pass all rates from step 0."
            )
        eta = eta[: int(t[-1]) + 1]
    if not np.isfinite(eta).all() or (eta < 0).any():
        raise DataError(f"Run {name!r}: learning rates must be finite and not negative.")
    if convention == "at_peak":
        eta = np.concatenate([np.full(min(warmup, len(eta)), eta[min(warmup, len(eta) - 1)]), eta[warmup:]])
    kept = np.flatnonzero(t >= first)[::every]
    if not len(kept):
        raise DataError(f"Run {name!r} has no observation from step {first} on; lower first=.")
    return {"eta": eta, "t": t[kept], "loss": values[kept], "W": float(warmup if convention == "offset" else 0)}


def _given(name: str, schedules: Any) -> np.ndarray:
    """The schedule of a run."""
    if not callable(schedules) and not isinstance(schedules, Mapping):
        raise DataError(f"schedules={shown(schedules)} must map names of runs to arrays of rates, or be a function of the name.")
    if not callable(schedules) and name not in schedules:
        raise DataError(f"There is no schedule for run {name!r}; {suggest(name, schedules)}")
    found = schedules(name) if callable(schedules) else schedules[name]
    try:
        return np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"Run {name!r}: its schedule is {shown(found)}, and must be an array of rates, see sj.schedules.") from None


def _constant(name: str, columns: Mapping[str, Any], role: str, source: str) -> Any:
    if source not in columns:
        raise DataError(f"There is no column {source!r} for {role}; {suggest(source, columns)}")
    values = {value for value in columns[source] if not (value is None or value == "" or value != value)}
    if len(values) > 1:
        raise DataError(f"Run {name!r}: column {source!r} for {role} changes along the curve; a role has one value a run.")
    if not values and role != "parent":
        raise DataError(f"Run {name!r}: column {source!r} for {role} is empty; give it one value a run.")
    return values.pop() if values else ""


def _add_trunks(found: dict[str, dict[str, Any]]) -> None:
    """Put the trunk's rates before those of its branches, trunks of trunks included."""
    rates = {name: curve["eta"] for name, curve in found.items()}

    def whole(name: str, seen: tuple[str, ...] = ()) -> np.ndarray:
        source = found[name]["parent"]
        if source in (None, "") or source != source:
            return rates[name]
        if source not in found or source in (*seen, name):
            raise DataError(f"Run {name!r} branches from {source!r}, which is not a run of this table or branches from itself.")
        begin, trunk = int(found[name]["t"][0]), whole(source, (*seen, name))
        if len(trunk) < begin:
            raise DataError(f"Run {name!r} branches at step {begin} from {source!r}, which ends at step {len(trunk) - 1}.")
        return np.concatenate([trunk[:begin], rates[name][begin:]])

    for name, curve in found.items():
        curve["eta"] = whole(name)
    for name, curve in found.items():
        curve["parent"] = curve["parent"] or name
