"""A folder of files, a run each: its name from the path, its constants from the configuration beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...core.errors import DataError
from ...core.progress import Progress, reporter
from .content import Logged, LoggedRun, logged
from .orient import flat, oriented
from .trackers.lm_eval import holds_samples
from .trackers.plain_yaml import scalars
from .trackers.trainer_state import CHECKPOINT

_STEPS = frozenset({"step", "_step", "global_step", "iteration", "iter", "trainer/global_step"})
_CONFIGS = ("hparams.yaml", "config.yaml", "config.json", "params.json", "args.json", "hparams.json")
_ENDS = frozenset({
    ".csv", ".tsv", ".txt", ".dat", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".feather", ".arrow", ".npz", ".npy", ".xlsx",
    ".log", ".out", ".gz", ".bz2", ".xz", ".zip", ".md",
})  # fmt: skip


def read_files(folder: Path, read: Callable[[Path], Any], progress: bool | Progress | None = None) -> Any:
    """The runs of all files in a folder and below it: curves where they count steps, else one table of all rows.

    Raises:
        DataError: if there are none, or some are curves and others are not.
    """
    paths = _newest(sorted(path for path in folder.rglob("*") if _meant(path, folder)))
    if not paths:
        raise DataError(
            f"{folder} is a folder without tables or logs of runs; give the path of a table, or of a folder with one file a run."
        )
    report = reporter(f"reading {folder.name}", progress)
    names = _names(paths, folder)
    runs: list[LoggedRun] = []
    tables: list[dict[str, Any]] = []
    for i, (path, name) in enumerate(zip(paths, names, strict=True)):
        try:
            found = read(path)
            columns = dict(found.columns) if isinstance(found, Logged) else oriented(found, str(path))
        except DataError as error:
            inner = str(error).replace(str(path), str(path.relative_to(folder)))
            raise DataError(f"In the folder {folder}: {inner}") from error
        if isinstance(found, Logged) or _STEPS & set(columns):
            runs.append(_run(name, columns, _config(path)))
        else:
            tables.append({"file": name, **columns})
        if tables and runs:
            raise DataError(
                f"{folder} mixes files that count steps ({names[0]}) with others ({tables[0]['file']}); give them folders of their own."
            )
        if report:
            report(i + 1, len(paths))
    return logged(runs, folder) if runs else _stacked(tables)


def _meant(path: Path, folder: Path) -> bool:
    inner = path.relative_to(folder)
    hidden = any(part.startswith((".", "_")) for part in inner.parts)
    return path.suffix.lower() in _ENDS and path.name not in _CONFIGS and not hidden and path.is_file() and not holds_samples(path)


def _newest(paths: list[Path]) -> list[Path]:
    """Of the checkpoints of one run only the last, and none where the run's own file is there."""
    kept: dict[tuple[Path, str], tuple[float, Path]] = {}
    for path in paths:
        inside = CHECKPOINT.fullmatch(path.parent.name)
        place = (path.parent.parent if inside else path.parent, path.name)
        rank = float(inside[1]) if inside else float("inf")
        if place not in kept or rank > kept[place][0]:
            kept[place] = (rank, path)
    return [path for _, path in kept.values()]


def _names(paths: list[Path], folder: Path) -> list[str]:
    """Paths in the folder without their suffixes, and without a name or folders of checkpoints that all have."""
    parts = []
    for path in paths:
        inner = path.relative_to(folder)
        stem = inner.name.split(".")[0] or inner.name
        parts.append([part for part in inner.parts[:-1] if not CHECKPOINT.fullmatch(part)] + [stem])
    if len(parts) > 1 and all(len(part) > 1 for part in parts) and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    return ["/".join(part) for part in parts]


def _config(path: Path) -> dict[str, Any]:
    """What the first configuration beside a file says."""
    for name in _CONFIGS:
        beside = path.parent / name
        if not beside.is_file():
            continue
        text = beside.read_text(encoding="utf-8", errors="replace")
        if beside.suffix == ".yaml":
            return dict(scalars(text))
        import json

        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise DataError(f"Cannot read {beside}, the configuration beside {path.name}: it is not JSON; correct or remove it.") from None
        constants = flat(found) if isinstance(found, Mapping) else {}
        return {k: v for k, v in constants.items() if not isinstance(v, list) and v is not None}
    return {}


def _run(name: str, columns: dict[str, Any], config: dict[str, Any]) -> LoggedRun:
    states = [value for value in columns.pop("state", []) if value]
    columns.pop("run", None)
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return LoggedRun(name, rows, {k: v for k, v in config.items() if k not in columns}, str(states[-1]) if states else "")


def _stacked(tables: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for table in tables for name in table)
    lengths = [len(next(column for name, column in table.items() if name != "file")) for table in tables]
    out: dict[str, list[Any]] = {name: [] for name in names}
    for table, length in zip(tables, lengths, strict=True):
        for name, column in out.items():
            column.extend([table["file"]] * length if name == "file" else list(table.get(name, [None] * length)))
    return out
