"""MLflow's tracking stores: the database of SQLite and the folder `mlruns`, read without its package."""

from __future__ import annotations

import math
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ....core.errors import DataError
from ..content import Content, Format, Logged, LoggedRun, logged, said
from .plain_yaml import scalars

_STATES = {"1": "running", "2": "scheduled", "3": "finished", "4": "failed", "5": "killed"}
_MAGIC = b"SQLite format 3"


def _read(content: Content) -> Logged:
    """The runs of MLflow's database; of any other, the only table."""
    try:
        with tempfile.NamedTemporaryFile(suffix=".sqlite") as copy:  # what was read, not what may change meanwhile
            copy.write(content.data)
            copy.flush()
            with closing(sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)) as database:
                tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
                if {"runs", "metrics", "params"} <= tables:
                    return logged(_from_database(database), content.path)
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        reason = f"{content.path} is an SQLite database that does not open ({said(error)})"
        raise DataError(f"{reason}; copy it whole, or pass pandas.read_sql('select ...', connection).") from error
    raise DataError(f"{content.path} is an SQLite database, and not one of MLflow; pass pandas.read_sql('select ...', connection).")


def _from_database(database: sqlite3.Connection) -> list[LoggedRun]:
    columns = {row[1] for row in database.execute("pragma table_info(runs)")}
    name = "name" if "name" in columns else "run_uuid"
    runs: dict[str, LoggedRun] = {}
    where = "where lifecycle_stage is null or lifecycle_stage != 'deleted'" if "lifecycle_stage" in columns else ""
    for key, called, state, experiment in database.execute(f"select run_uuid, {name}, status, experiment_id from runs {where}"):
        runs[key] = LoggedRun(str(called or key), config={"experiment": str(experiment)}, state=str(state or "").lower())
    for key, value, run in database.execute("select key, value, run_uuid from params"):
        if run in runs:
            runs[run].config[str(key)] = value
    metrics = "select run_uuid, key, value, step, is_nan from metrics order by run_uuid, timestamp, step"
    found: dict[str, list[tuple[Any, ...]]] = {}
    for run, key, value, step, is_nan in database.execute(metrics):
        found.setdefault(run, []).append((str(key), step, math.nan if is_nan else value))
    for run, observed in found.items():
        if run in runs:
            runs[run].rows = joined(observed)
    return list(runs.values())


def joined(observed: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Rows by step of (metric, step, value), each metric's records of a step in their order: a step logged again is a row again."""
    rows: dict[tuple[Any, int], dict[str, Any]] = {}
    times: dict[tuple[str, Any], int] = {}
    for metric, step, value in observed:
        times[metric, step] = times.get((metric, step), 0) + 1
        rows.setdefault((step, times[metric, step]), {"step": step})[metric] = value
    return list(rows.values())


def holds(folder: Path) -> bool:
    """Is a folder `mlruns`, one of its experiments, or one that holds either as its only content?"""
    return next(_runs(folder), None) is not None


def read_folder(folder: Path) -> Logged:
    """All runs that were not deleted."""
    return logged((run for place in sorted(_runs(folder)) if (run := _from_folder(place))), folder)


def _runs(folder: Path) -> Iterator[Path]:
    """Folders of runs: what has a meta.yaml, and metrics or parameters."""
    for depth in ("", "*/", "*/*/", "*/*/*/"):
        for path in folder.glob(f"{depth}meta.yaml"):
            if (path.parent / "metrics").is_dir() or (path.parent / "params").is_dir():
                yield path.parent


def _from_folder(place: Path) -> LoggedRun | None:
    meta = scalars((place / "meta.yaml").read_text(encoding="utf-8", errors="replace"))
    if meta.get("lifecycle_stage") == "deleted":
        return None
    tags = place / "tags" / "mlflow.runName"
    name = meta.get("run_name") or (tags.read_text(encoding="utf-8", errors="replace").strip() if tags.is_file() else "")
    run = LoggedRun(name or meta.get("run_id") or place.name, state=_STATES.get(meta.get("status", ""), meta.get("status", "").lower()))
    run.config["experiment"] = meta.get("experiment_id", "")
    for path in _files(place / "params"):
        run.config[path.relative_to(place / "params").as_posix()] = path.read_text(encoding="utf-8", errors="replace").strip()
    observed = []
    for path in _files(place / "metrics"):
        for i, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            parts = line.split()
            try:
                observed.append((path.relative_to(place / "metrics").as_posix(), int(parts[2]) if len(parts) > 2 else 0, float(parts[1])))
            except (ValueError, IndexError):
                raise DataError(f"Cannot read {path}, line {i}: it is no time, value and step; is the file complete?") from None
    run.rows = joined(observed)
    return run


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


FORMAT = Format("mlflow", (".db", ".sqlite", ".sqlite3"), lambda content: content.data.startswith(_MAGIC), _read)
