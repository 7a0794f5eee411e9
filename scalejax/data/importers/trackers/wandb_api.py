"""Runs of a W&B project through its package: "wandb:entity/project"."""

from __future__ import annotations

from typing import Any

from ....core.errors import DataError
from ....core.progress import Progress, reporter
from ..content import Logged, LoggedRun, logged, said
from ..orient import flat


def read(source: str, progress: bool | Progress | None = None) -> Logged:
    """History, configuration and state of every run of a project.

    Raises:
        DataError: if the package is missing or the service refuses.
    """
    project = source.removeprefix("wandb:").strip("/")
    if project.count("/") != 1:
        raise DataError(f"{source!r} must read wandb:entity/project.")
    try:
        import wandb
    except ImportError:
        raise DataError(f"Reading {source!r} needs wandb; install it, or export the runs as csv.") from None
    try:
        found = list(wandb.Api().runs(project))
        report = reporter(f"reading {project}", progress)
        runs = []
        for i, run in enumerate(found):
            runs.append(_run(run))
            if report:
                report(i + 1, len(found))
    except DataError:
        raise
    except Exception as error:  # of the network, or of the service in its own classes
        raise DataError(f"W&B does not give the runs of {project!r}: {said(error)}; check the name and wandb login.") from error
    return logged(runs, source)


def _run(run: Any) -> LoggedRun:
    rows = []
    for row in run.scan_history():
        values = {k: v for k, v in row.items() if not k.startswith("_") and isinstance(v, int | float | str)}
        rows.append({"step": row.get("_step"), **values})
    config = {k: v for k, v in flat(dict(run.config)).items() if not k.startswith("_") and not isinstance(v, list)}
    return LoggedRun(str(run.name or run.id), rows, config, str(run.state or ""))
