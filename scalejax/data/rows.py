"""Rows of a table of runs: which are kept, which did not finish, which repeat a setting, and whether compute fits N and D."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.checks import rows_text
from ..core.errors import DataError, suggest
from ..core.runs import Flag, Runs
from .columns import numeric_column, of_columns, row_count
from .importers.content import said, shown

Keep = str | Mapping[str, Any] | Callable[[Mapping[str, np.ndarray]], Any] | Sequence[Any]
FINISHED = frozenset({"finished", "completed", "complete", "success", "succeeded", "done", "ok", "finish"})
UNFINISHED = frozenset({
    "crashed", "failed", "killed", "running", "preempted", "preempting", "pending", "queued", "scheduled", "aborted", "timeout", "stopped",
    "out_of_memory", "cancelled", "canceled", "error", "interrupted", "diverged", "unfinished",
})  # fmt: skip
_STATES = ("state", "status", "run_state", "run_status", "job_state")
_RATIOS = 1e-3, 1e5  # tokens per parameter outside which units are wrong
# Names of what tells equal settings apart.
_REPEATS = frozenset({"seed", "run", "run_id", "id", "name", "weight", "replicates", "records", "state", "status"})


def state_column(raw: Mapping[str, Any]) -> str | None:
    """The column that says whether runs finished."""
    for name, column in raw.items():
        if name.lower().rsplit(".", 1)[-1].replace(" ", "_") in _STATES and not isinstance(column, str) and hasattr(column, "__len__"):
            words = {str(cell).strip().lower().replace(" ", "_") for cell in column if cell not in (None, "")}
            if words and words <= FINISHED | UNFINISHED:
                return name
    return None


def unfinished(raw: Mapping[str, Any]) -> Flag | None:
    """A flag of the rows whose runs crashed, were stopped or still run."""
    name = state_column(raw)
    if name is None:
        return None
    words = [str(cell or "").strip().lower().replace(" ", "_") for cell in raw[name]]
    rows = [i for i, word in enumerate(words) if word in UNFINISHED]
    if not rows:
        return None
    kinds = ", ".join(dict.fromkeys(words[i] for i in rows))
    said_of = f"{rows_text(rows).capitalize()}: {'this run' if len(rows) == 1 else 'these runs'} did not finish ({kinds})"
    return Flag(
        "unfinished", name, tuple(rows), f"{said_of}; leave such rows out with keep='finished', or keep='all' to say that they count."
    )


def kept(raw: dict[str, Any], keep: Keep | None) -> tuple[dict[str, Any], Flag | None]:
    """The rows to read, and how many were left out.

    Raises:
        DataError: if `keep` cannot be answered, or leaves nothing.
    """
    if keep is None or (isinstance(keep, str) and keep == "all"):
        return raw, None
    rows = row_count(raw)
    mask = np.ones(rows, bool)
    for condition in keep if isinstance(keep, list | tuple) else [keep]:
        mask &= _mask(raw, condition, rows)
    if not mask.any():
        raise DataError(f"keep={shown(keep)} leaves none of {rows} rows; loosen it.")
    if mask.all():
        return raw, None
    at = np.flatnonzero(mask)
    flag = Flag("kept", "", (), f"keep={shown(keep)} left out {rows - len(at)} of {rows} rows.")
    return {name: _taken(column, at, rows) for name, column in raw.items()}, flag


def _taken(column: Any, at: np.ndarray, rows: int) -> Any:
    if isinstance(column, str) or not hasattr(column, "__len__"):
        return column
    return column[at] if isinstance(column, np.ndarray) and column.ndim else [column[i] for i in at]


def _mask(raw: Mapping[str, Any], condition: Any, rows: int) -> np.ndarray:
    if isinstance(condition, str) and condition.strip().lower() in FINISHED | UNFINISHED:
        return _in_state(raw, condition.strip().lower())
    if isinstance(condition, Mapping):
        mask = np.ones(rows, bool)
        for name, wanted in condition.items():
            if name not in raw:
                raise DataError(f"keep= names {shown(name)}, which is not a column; {suggest(name, raw)}")
            mask &= _equal(raw[name], wanted)
        return mask
    what = condition if callable(condition) else of_columns(str(condition))
    table = {name: numeric_column(column, name, name, text_allowed=True) for name, column in raw.items() if hasattr(column, "__len__")}
    try:
        with np.errstate(invalid="ignore"):
            found = np.asarray(what(table))
    except DataError:
        raise
    except Exception as error:  # the user's own code
        raise DataError(f"keep={shown(condition)} failed ({type(error).__name__}: {said(error)}); it gets the columns by name.") from None
    if found.dtype != bool or found.shape != (rows,):
        raise DataError(f"keep={shown(condition)} must say yes or no to every row, such as 'loss < 5' or 'finished'.")
    return found


def _in_state(raw: Mapping[str, Any], word: str) -> np.ndarray:
    name = state_column(raw)
    if name is None:
        raise DataError(f"keep={word!r} needs a column named state or status with words such as finished and crashed; there is none.")
    wanted = FINISHED if word in FINISHED else {word}
    return np.asarray([str(cell or "").strip().lower().replace(" ", "_") in wanted for cell in raw[name]])


def _equal(column: Sequence[Any], wanted: Any) -> np.ndarray:
    """Rows that hold one of the wanted values, as numbers or as text; of a function, those it says yes to."""
    if callable(wanted):
        return np.asarray([bool(wanted(cell)) for cell in column])
    options = wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
    words = {str(option).strip().lower() for option in options}
    numbers = {float(option) for option in options if isinstance(option, int | float)}
    cells = numeric_column(column, "", "", text_allowed=True)
    return np.asarray(
        [
            str(raw).strip().lower() in words or (isinstance(cell, float) and cell in numbers)
            for raw, cell in zip(column, cells, strict=True)
        ]
    )


def settings(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """(n,) index of each row's setting: equal in all columns but losses, seeds and names."""
    told = [
        column for name, column in columns.items()
        if name.lower() not in _REPEATS and "loss" not in name.lower() and not name.endswith(("_noise", "_stderr"))
    ]  # fmt: skip
    rows = len(next(iter(columns.values())))
    seen: dict[tuple[bytes, ...], int] = {}
    keys = [tuple(np.asarray(column[i]).tobytes() for column in told) for i in range(rows)]
    return np.asarray([seen.setdefault(key, len(seen)) for key in keys])


def merged(runs: Runs) -> Runs:
    """One row a setting: its losses are means, and "replicates" counts them; fits weigh by that count where it differs."""
    index = settings(runs.columns)
    used = ~runs.excluded
    first = [int(np.flatnonzero((index == k) & used)[0]) for k in range(index.max() + 1) if ((index == k) & used).any()]
    rows = [np.flatnonzero((index == index[i]) & used) for i in first]
    base = runs.take(np.asarray(first))
    weight = runs[runs.weighted_by] if runs.weighted_by else np.ones(len(runs))
    means = {
        name: np.stack([np.average(column[at], axis=0, weights=weight[at]) for at in rows])
        for name, column in runs.columns.items()
        if "loss" in name.lower() and column.dtype.kind == "f" and name not in runs.masks
    }
    counts = np.asarray([len(at) for at in rows], dtype=np.float64)
    total = np.asarray([weight[at].sum() for at in rows])
    out = base.with_columns(**means, replicates=counts)
    if runs.weighted_by:
        return out.with_columns(**{runs.weighted_by: total})
    if np.ptp(counts):
        return replace(out.with_columns(weight=total), weighted_by="weight")
    return out


def compute_remarks(columns: Mapping[str, np.ndarray], excluded: np.ndarray) -> list[Flag]:
    """Flags where compute is far from 6 N D: in all rows, as of wrong units, or in some, as of a slip."""
    if not {"N", "D", "C"} <= set(columns) or any(columns[name].dtype.kind != "f" or columns[name].ndim != 1 for name in "NDC"):
        return []
    used = np.flatnonzero(~excluded & np.all([columns[name] > 0 for name in "NDC"], axis=0))
    if not len(used):
        return []
    ratio = columns["C"][used] / (6 * columns["N"][used] * columns["D"][used])
    middle = float(np.median(ratio))
    if not 0.1 < middle < 10:
        return [Flag("compute", "C", (), f"Column 'C' is {middle:.3g} times 6 N D in the median run; check the units of the three and that "
                     "N counts the parameters that every token uses.")]  # fmt: skip
    odd = used[np.abs(np.log(ratio / middle)) > np.log(5)]
    if not len(odd):
        return []
    return [Flag("compute", "C", tuple(map(int, odd)), f"{rows_text(odd).capitalize()}: C is more than 5 times off what 6 N D says, unlike "
                 "in the other runs; look for a slip in N, D or C.")]  # fmt: skip


def ratio_remarks(columns: Mapping[str, np.ndarray], excluded: np.ndarray) -> list[Flag]:
    """A flag where tokens per parameter are such that one of the two must be in another unit."""
    if not {"N", "D"} <= set(columns) or any(columns[name].dtype.kind != "f" or columns[name].ndim != 1 for name in "ND"):
        return []
    used = ~excluded & (columns["N"] > 0) & (columns["D"] > 0)
    middle = float(np.median(columns["D"][used] / columns["N"][used])) if used.any() else 1.0
    if _RATIOS[0] <= middle <= _RATIOS[1]:
        return []
    message = (
        f"D is {middle:.3g} times N in the median run, far outside any practice; pass unit= or scale= for the one that is no plain count."
    )
    return [Flag("ratio", "D", (), message)]
