"""The trainer_state.json of Hugging Face's Trainer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ....core.errors import DataError
from ..content import Content, Format, Logged, LoggedRun, logged

CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def _recognises(content: Content) -> bool:
    return isinstance(content.json, dict) and isinstance(content.json.get("log_history"), list) and "global_step" in content.json


def _read(content: Content) -> Logged:
    if not _recognises(content):
        raise DataError(f"{content.path} is no trainer_state.json: it has no log_history with a global_step; is the file complete?")
    state: dict[str, Any] = content.json
    rows = [{k: v for k, v in row.items() if not isinstance(v, dict | list)} for row in state["log_history"] if isinstance(row, dict)]
    if not any("step" in row for row in rows):
        raise DataError(f"{content.path} has logged nothing yet: its log_history holds no step.")
    done, wanted = state["global_step"], state.get("max_steps")
    known = isinstance(done, int | float) and isinstance(wanted, int | float) and wanted > 0
    config = {
        k: state[k] for k in ("max_steps", "num_train_epochs", "train_batch_size", "total_flos") if isinstance(state.get(k), int | float)
    }
    run = LoggedRun(name_of(content.path), rows, config, ("finished" if done >= wanted else "running") if known else "")
    return logged([run], content.path)


def name_of(path: Path) -> str:
    """The run's folder, above that of a checkpoint."""
    folder = path.resolve().parent
    return folder.parent.name if CHECKPOINT.fullmatch(folder.name) else folder.name


FORMAT = Format("trainer_state", (), _recognises, _read)
