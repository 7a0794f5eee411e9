"""Reading loss curves: a long table of observations becomes one row a run, with the learning rate of every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from .errors import DataError, suggest
from .readers import read_runs, read_table
from .runs import Runs

Warmup = Literal["true", "at_peak", "offset"]
_CONVENTIONS = ("true", "at_peak", "offset")


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
    **roles: str,
) -> Runs:
    """Loss curves of many runs, of any lengths, as `Runs` with one row a run.

    Args:
        table: anything `read_runs` accepts, one row an observation; or a mapping from a run's name to such a table.
        step, loss: columns of the step (whole, from 0) and of the loss.
        run: column that names the run; not needed for a mapping of tables.
        lr: column of the learning rate. Where not every step was logged, the rate between two logged steps is taken from the straight
            line through them; before the first one it is the first logged rate, after a linear warm-up from 0.
        schedules: instead of `lr`, the rate of every step from step 0: run name -> array, or a function of the run name (see
            `sj.schedules`). Exact where the log holds every hundredth step.
        warmup: number of warm-up steps W.
        convention: what laws see of the warm-up. "true": the rates as they were. "at_peak": every warm-up step has the rate that
            follows it, so that the warm-up is no rise (Tissue et al. 2024). "offset": rates as they were, but changes during the warm-up
            do not count (column W holds the warm-up; Luo et al. 2025). Constants fitted under one are wrong under another.
        parent: column that names the run from which this one branches; the trunk's rates are put before the branch's own.
        first: observations before this step are left out.
        every: keep every so-many-th observation of a run.
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
    if convention not in _CONVENTIONS:
        raise DataError(f"convention={convention!r} is unknown; {suggest(convention, _CONVENTIONS)}")
    if (lr is None) == (schedules is None):
        raise DataError("Curves need the learning rate of every step once: pass lr='column' or schedules={run: array}.")
    found: dict[str, dict[str, Any]] = {}
    for name, columns in _tables(table, run).items():
        log = read_runs(columns, step=step, loss=loss, **({"lr": lr} if lr else {}))
        found[name] = _curve(name, log, schedules, warmup, convention, first, every)
        for role, source in {**roles, **({"parent": parent} if parent else {})}.items():
            found[name][role] = _constant(name, columns, role, source)
    if parent:
        _add_trunks(found)
    table = {key: [curve[key] for curve in found.values()] for key in next(iter(found.values()))}
    return read_runs({"run": list(found), **table})


def _tables(table: Any, run: str | None) -> dict[str, Mapping[str, Any]]:
    """Run name to its columns."""
    if run is None:
        if not isinstance(table, Mapping) or not table or any(np.ndim(v) == 1 and not hasattr(v, "keys") for v in table.values()):
            raise DataError("Which rows belong to one curve? Pass run='column', or a mapping from run names to tables.")
        return {str(name): read_table(one) for name, one in table.items()}
    columns = read_table(table)
    if run not in columns:
        raise DataError(f"There is no column {run!r} for run; {suggest(run, columns)}")
    names = np.asarray(columns[run]).astype(str)
    rows = {name: np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())}
    return {name: {k: [v[i] for i in at] for k, v in columns.items()} for name, at in rows.items()}


def _curve(name: str, log: Runs, schedules: Any, warmup: int, convention: str, first: int, every: int) -> dict[str, Any]:
    order = np.argsort(log["step"], kind="stable")
    t, values = log["step"][order], log["loss"][order]
    if (t != np.round(t)).any() or t[0] < 0 or (np.diff(t) == 0).any():
        raise DataError(f"Run {name!r}: steps must be whole, from 0, each once; clean the column of steps.")
    if schedules is None:
        eta = _interpolated(t, log["lr"][order], warmup)
    else:
        eta = np.asarray(schedules(name) if callable(schedules) else _schedule_of(name, schedules), dtype=np.float64)
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


def _schedule_of(name: str, schedules: Mapping[str, Any]) -> Any:
    if name not in schedules:
        raise DataError(f"There is no schedule for run {name!r}; {suggest(name, schedules)}")
    return schedules[name]


def _interpolated(t: np.ndarray, lr: np.ndarray, warmup: int) -> np.ndarray:
    """Rates of steps 0 to the last from those of the logged steps."""
    steps = np.arange(int(t[-1]) + 1)
    eta = np.interp(steps, t, lr)
    ramp = steps < min(warmup, t[0])
    return np.where(ramp, lr[0] * steps / max(warmup - 1, 1), eta)


def _constant(name: str, columns: Mapping[str, Any], role: str, source: str) -> Any:
    if source not in columns:
        raise DataError(f"There is no column {source!r} for {role}; {suggest(source, columns)}")
    values = set(columns[source])
    if len(values) > 1:
        raise DataError(f"Run {name!r}: column {source!r} for {role} changes along the curve; a role has one value a run.")
    return values.pop()


def _add_trunks(found: dict[str, dict[str, Any]]) -> None:
    """Put the trunk's rates before those of its branches, trunks of trunks included."""
    rates = {name: curve["eta"] for name, curve in found.items()}

    def whole(name: str, seen: tuple[str, ...] = ()) -> np.ndarray:
        source = found[name]["parent"]
        if source in (None, "") or source != source:
            return rates[name]
        if source not in found or source in (*seen, name):
            raise DataError(f"Run {name!r} branches from {source!r}, which is no run of this table or branches from itself.")
        begin, trunk = int(found[name]["t"][0]), whole(source, (*seen, name))
        if len(trunk) < begin:
            raise DataError(f"Run {name!r} branches at step {begin} from {source!r}, which ends at step {len(trunk) - 1}.")
        return np.concatenate([trunk[:begin], rates[name][begin:]])

    for name, curve in found.items():
        curve["eta"] = whole(name)
    for name, curve in found.items():
        curve["parent"] = curve["parent"] or name
