"""Reading a table of runs: files, folders and stores of trackers, any dataframe or mapping, with declared roles and honest flags."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..core.checks import COUNTS, POSITIVE, remarks, rows_text, unusable
from ..core.errors import DataError, DataWarning, suggest, warn
from ..core.progress import Progress
from ..core.runs import Flag, Runs
from .cells import PREFIXES, UNITS, check_unit, trusted_unit, unit_in_name
from .columns import Role, columns_of, resolve, row_count
from .importers import read_source
from .importers.content import Logged, shown
from .importers.orient import oriented
from .importers.trackers.charts import runs_of_chart, stacked
from .rows import Keep, compute_remarks, kept, merged, ratio_remarks, unfinished
from .summary import Summary, one_row_each, step_name, untidied

OnBad = Literal["raise", "flag", "drop"]
Unit = str | tuple[str, float]
_LONGEST = 480  # characters of a message


def read_runs(
    table: Any,
    *,
    on_bad: OnBad = "raise",
    scale: Mapping[str, float] | None = None,
    unit: Unit | Mapping[str, Unit] | None = None,
    keep: Keep | None = None,
    summary: Summary | None = None,
    step: str | None = None,
    replicates: Literal["keep", "mean"] = "keep",
    format: str | None = None,
    progress: bool | Progress | None = None,
    **roles: Role,
) -> Runs:
    """Read a table of training runs and check it.

    Args:
        table: path of a file: text with any separator and encoding (.csv, .tsv, .txt), Markdown, .json in any orient of pandas, .jsonl,
            .parquet, .feather, .npz, .xlsx, a console log, also packed (.gz, .bz2, .xz, .zip); what trackers keep: W&B's run files and
            exports, TensorBoard's event files, MLflow's store, trainer_state.json, results of lm-evaluation-harness; a folder of them,
            or of one file a run; "wandb:entity/project"; an open file; a dataframe (pandas, polars, pyarrow or anything with `to_dict`);
            a mapping of columns, or of run names to their values; or a list of row mappings.
        on_bad: what to do with rows that hold NaN or infinite values in a column that a role names: "raise" an error, "flag" them (kept,
            left out of fits) or "drop" them (removed, counted in the flags). Without roles this concerns the columns that laws know (N,
            D, C, loss, ...); a gap in any other column counts once a fit uses it. Zeros and negatives in these columns are flagged:
            fits leave such rows out unless their law, and `on="linear"`, can take them.
        scale: factors, such as {"N": 1e9} for a column in billions.
        unit: what columns are measured in, by role, or one unit for the loss: "nats", "bits", "perplexity", "bits_per_byte" (a loss in
            nats per byte; ("bits_per_byte", 4.3) with 4.3 bytes a token gives nats per token), "percent", "pfs_days" (FLOPs), or "k",
            "M", "B", "T" for counts, of which cells that name a unit themselves ("1.3B") are taken as they are. N, D and U are by
            default in the unit that the name of their column carries, such as "params (M)", and a flag says so.
        keep: which rows to read at all, before any check: "finished" (by a column called state or status), a comparison such as
            "loss < 5", a mapping of columns to wanted values, a function of the columns, or a list of these, all of which must hold.
        summary: one row a run from a table of curves: "last", "min" (of the loss), or the mean of this share of the steps at the end, such
            as 0.1, with its standard error as "loss_noise". `run=` names the column of the run; what trackers keep is summed up by "last".
        step: column of the steps, which `summary` goes by (default "step", or one of its usual names); if named, it is read as well.
        replicates: "keep" runs of one setting as they are, or put their "mean" in one row, with their number as "replicates"; fits weigh by
            it. Settings are equal in all columns that are read but losses, seeds and names.
        format: the format of a file, where its content and suffix mislead: "csv", "json", "markdown", "log", "parquet", "feather", "numpy",
            "excel", "tensorboard", "wandb", "mlflow", "trainer_state" or "lm_eval".
        progress: True shows a line while a folder is read, None on a terminal only, False never.
        **roles: what the law calls it = what the table calls it: a column name, a list of columns for a vector (mixture weights), a number
            for all rows, an array, a function of the columns, or arithmetic on them, such as D="steps * batch * length" (back-quotes
            around names that are no words). Without roles all columns are taken as they are. The role `weight` weighs the runs in every
            fit; a column of that name does not unless it is asked for.

    Returns:
        Runs: float64 columns named by role. Cells may be "1.3B", "300k", "1,011,781,632", "57 %", "N/A" or empty. Suspicious rows are in
        `.flags`, and shown by `print(runs)` and every report.

    Raises:
        DataError: one sentence saying what is wrong, in which column and rows, and what to do.

    Example:
        >>> import scalejax as sj
        >>> table = {"params": ["100M", "1B"], "flops": [6e18, 6e20], "val_loss": [3.0, 2.5]}
        >>> sj.read_runs(table, N="params", D="flops / (6 * params)", loss="val_loss")
        2 runs: N 1e+08 to 1e+09, D 1e+10 to 1e+11, loss 2.5 to 3
    """
    for name, value, options in (("on_bad", on_bad, ("raise", "flag", "drop")), ("replicates", replicates, ("keep", "mean"))):
        if value not in options:
            raise DataError(f"{name}={shown(value)} is unknown; {suggest(value, options)}")
    if step is not None and roles:
        roles = {"step": step, **roles}
    try:
        raw, flags = _rows_to_read(table, roles, keep, summary, step or "step", format, progress)
        runs, named = _with_units(raw, roles, unit, scale)
        if f"{_source_of_loss(roles, raw)}_noise" in raw and "loss_noise" not in runs:
            noise = resolve("loss_noise", f"{_source_of_loss(roles, raw)}_noise", raw, len(runs), numeric=True)
            runs = runs.with_columns(loss_noise=noise)
        runs, warned = _apply(runs, frozenset(roles), on_bad)
    except DataError as error:
        raise _in_file(error, table) from error.__cause__
    flags = (*flags, *named)
    for flag in (*flags, *warned):
        if flag.code not in ("kept", "unit-of-name"):
            warn(DataWarning(flag.message, flag.code))
    runs = replace(runs, flags=(*flags, *runs.flags))
    return merged(runs) if replicates == "mean" else runs


def read_columns(table: Any, roles: Mapping[str, Role]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Columns by role, all of them without roles, and the masks of those that hold curves; nothing is checked but their form."""
    return columns_of(read_table(table, _wanted(roles)), roles, {})


def read_table(
    table: Any, wanted: Collection[str] = (), form: str | None = None, progress: bool | Progress | None = None
) -> dict[str, np.ndarray | list[Any]]:
    """Columns of any kind of table, as they are; `wanted` names tell columns from runs where both are keys."""
    return load(table, wanted, form, progress)[0]


def load(
    table: Any, wanted: Collection[str] = (), form: str | None = None, progress: bool | Progress | None = None
) -> tuple[dict[str, Any], bool]:
    """Columns of any kind of table, and whether a tracker says that its rows are observations of the runs in the column "run"."""
    is_file = isinstance(table, str | os.PathLike) or hasattr(table, "read")
    if form is not None and not is_file:
        raise DataError(f"format={form!r} is for files; a {type(table).__name__} needs none.")
    try:
        found = read_source(table, form, progress) if is_file else table
        if isinstance(found, Logged):
            return untidied(dict(found.columns), wanted), True
        if not is_file and (columns := _columns_in_memory(found)) is not None:
            return untidied(columns, wanted), False
        if isinstance(found, Mapping | list | tuple):
            where = str(table) if is_file else "the mapping" if isinstance(found, Mapping) else "the list of rows"
            return untidied(oriented(found if isinstance(found, Mapping) else list(found), where, wanted), wanted), False
    except RecursionError:
        raise DataError("The table is nested too deep; write a flat one.") from None
    raise DataError(f"Cannot read runs from a {type(table).__name__}; give a path, a dataframe, a mapping of columns or a list of rows.")


def numbers(raw: Mapping[str, Any], roles: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The columns of these roles as float64, NaN where they are empty.

    Raises:
        DataError: if a column is missing or holds text.
    """
    rows = row_count(raw)
    return {role: resolve(role, name, raw, rows, numeric=True) for role, name in roles.items()}


def _columns_in_memory(table: Any) -> dict[str, Any] | None:
    """Columns of dataframes, tables and arrays with named fields; None of anything else."""
    if isinstance(table, Runs):
        return dict(table.columns)
    if isinstance(table, np.ndarray):
        return {name: table[name] for name in table.dtype.names} if table.dtype.names else None
    if isinstance(table, Mapping | Sequence):
        return None
    if hasattr(table, "collect") and not hasattr(table, "to_dict"):  # a lazy frame
        table = table.collect()
    names = getattr(table, "columns", None)
    if hasattr(table, "iloc") and names is not None:  # pandas
        if not names.is_unique:
            raise DataError(
                f"The dataframe has the column {shown(names[names.duplicated()][0])} twice; give every column a name of its own."
            )
        return {str(name): table[name].to_numpy() for name in names}
    if hasattr(table, "to_pydict"):
        return dict(table.to_pydict())
    if hasattr(table, "to_dict"):
        return {str(name): column.to_list() if hasattr(column, "to_list") else column for name, column in table.to_dict().items()}
    if hasattr(table, "__arrow_c_stream__"):
        try:
            import pyarrow
        except ImportError:
            raise DataError(f"Reading a {type(table).__name__} needs pyarrow; install scalejax[pandas].") from None
        return dict(pyarrow.table(table).to_pydict())
    return None


def _wanted(roles: Mapping[str, Role]) -> set[str]:
    """Names of columns that roles ask for."""
    named = [[spec] if isinstance(spec, str) else spec for spec in roles.values() if isinstance(spec, str | list | tuple)]
    return {name for names in named for name in names if isinstance(name, str)}


def _source_of_loss(roles: Mapping[str, Role], raw: Mapping[str, Any]) -> str | None:
    """The column of the loss."""
    spec = roles.get("loss", None if roles else "loss")
    return spec if isinstance(spec, str) and spec in raw else None


def _rows_to_read(
    table: Any, roles: Mapping[str, Role], keep: Keep | None, summary: Summary | None, step: str, form: str | None,
    progress: bool | Progress | None,
) -> tuple[dict[str, Any], tuple[Flag, ...]]:  # fmt: skip
    """One row a run, those that `keep` leaves, with flags of what was left out and of what did not finish."""
    raw, observations = load(table, _wanted(roles), form, progress)
    if summary is not None or observations:
        run = roles.get("run", "run")
        if not observations and run not in raw and (charts := runs_of_chart(raw, step, str(roles.get("loss", "loss")))):
            raw = dict(stacked(charts).columns)
        if not isinstance(run, str) or run not in raw:
            raise DataError(f"summary= needs to know which rows are of one run; pass run='column', {suggest(str(run), raw)}")
        counted = step_name(raw, step) if step in raw or summary is not None or len(set(raw[run])) < len(raw[run]) else None
        if counted is not None:
            raw = one_row_each(raw, run, counted, _source_of_loss(roles, raw), "last" if summary is None else summary)
    flag = unfinished(raw) if keep is None else None
    raw, left_out = kept(raw, keep)
    return raw, tuple(f for f in (flag, left_out) if f)


def _with_units(
    raw: Mapping[str, Any], roles: Mapping[str, Role], unit: Unit | Mapping[str, Unit] | None, scale: Mapping[str, float] | None
) -> tuple[Runs, tuple[Flag, ...]]:
    """Columns by role in nats, counts and shares, and flags of units that columns carry in their names."""
    units = {name: check_unit(name, u) for name, u in (unit if isinstance(unit, Mapping) else {"loss": unit} if unit else {}).items()}
    counted = {name: word for name, (word, _) in units.items() if word in PREFIXES}
    named, flags = _units_of_names(raw, {role: spec for role, spec in roles.items() if role not in units and role not in (scale or {})})
    columns, masks = columns_of(raw, roles, counted | named)
    for what, names in (("unit", units), ("scale", scale or {})):
        for name in names:
            if name not in columns:
                raise DataError(f"{what} names {name!r}, which is not a column; {suggest(name, columns)}")
            if columns[name].dtype.kind != "f":
                raise DataError(f"{what} names {name!r}, which holds text; it needs numbers.")
    for name, (word, size) in units.items():
        if word in UNITS:
            columns[name] = UNITS[word](columns[name]) * size
    for name, factor in (scale or {}).items():
        try:
            columns[name] = columns[name] * float(factor)
        except (TypeError, ValueError):
            raise DataError(f"scale={{{name!r}: {shown(factor)}}} must be a number.") from None
    weighted_by = "weight" if "weight" in roles else ""
    if weighted_by:
        if columns["weight"].dtype.kind != "f":
            raise DataError("Column 'weight' holds text; weights must be numbers, 0 or more.")
        if (columns["weight"] < 0).any():
            rows = rows_text(np.flatnonzero(columns["weight"] < 0))
            raise DataError(f"Column 'weight' is negative in {rows}; weights must be 0 or more.")
    return Runs(columns, masks, weighted_by=weighted_by), flags


def _units_of_names(raw: Mapping[str, Any], roles: Mapping[str, Role]) -> tuple[dict[str, str], tuple[Flag, ...]]:
    """Units of counts that columns carry in their names, by role."""
    named: dict[str, str] = {}
    flags = []
    for role, spec in roles.items():
        if role in COUNTS and isinstance(spec, str) and spec in raw and (asked := unit_in_name(spec)[1]):
            word, flag = trusted_unit(role, spec, resolve(role, spec, raw, row_count(raw), unit=asked))
            named |= {role: word} if word else {}
            flags += [flag] if flag else []
    return named, tuple(flags)


def _in_file(error: DataError, table: Any) -> DataError:
    """An error that names the file, in one line of bounded length."""
    text = " ".join(str(error).split())
    if isinstance(table, str | os.PathLike) and str(table) not in text:
        text = f"{Path(os.fspath(table)).name}: {text}"
    return DataError(text if len(text) <= _LONGEST else _short(text))


def _short(text: str) -> str:
    """A long message without its middle: what is wrong and what to do stand at the ends."""
    return f"{text[: _LONGEST - 160]} ... {text[-150:]}"


def _apply(runs: Runs, roles: Collection[str], on_bad: OnBad) -> tuple[Runs, list[Flag]]:
    """Raise, exclude or drop the rows with unusable values; and what to warn of.

    Without roles nobody said which columns matter: then only those with the names that laws use decide about rows at once, any other when
    a fit uses it. Whether zeros and negatives can be used is for the fit to decide.
    """
    at_once = roles or POSITIVE
    found = unusable(runs.columns, runs.masks)
    low = [flag for flag in found if flag.code == "not-positive"]
    lost = [flag for flag in found if flag not in low and flag.column in at_once]
    later = [flag for flag in found if flag not in low and flag not in lost] if on_bad != "raise" else []
    gone = _rows_of(lost, len(runs))
    if lost and on_bad == "raise":
        raise DataError(
            f"{lost[0].message} Clean the table, or let read_runs leave such rows out with on_bad='flag' or remove them with on_bad='drop'."
        )
    if gone.all():
        raise DataError(f"No run can be used: {lost[0].message}")
    excluded = gone | _rows_of(low, len(runs))
    odd = [*remarks(runs.columns, excluded), *compute_remarks(runs.columns, excluded)]
    odd += [] if any(flag.code == "unit" for flag in odd) else ratio_remarks(runs.columns, excluded)
    warned = [*odd, *(low if on_bad == "raise" else [])]
    if on_bad == "drop" and lost:
        left = replace(runs, excluded=excluded, flags=(*low, *later, *odd)).take(np.flatnonzero(~gone))
        return replace(left, flags=(*(replace(flag, rows=()) for flag in lost), *left.flags)), warned
    return replace(runs, excluded=excluded, flags=(*lost, *low, *later, *odd)), warned


def _rows_of(flags: Sequence[Flag], rows: int) -> np.ndarray:
    """(rows,) which rows the flags concern."""
    concerned = np.zeros(rows, bool)
    for flag in flags:
        concerned[list(flag.rows)] = True
    return concerned
