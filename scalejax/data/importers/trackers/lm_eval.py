"""Results of lm-evaluation-harness: a row a file, a column a task and metric."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ....core.errors import DataError
from ..content import Content, Format

_SAMPLES = re.compile(r"samples_.+_(\d{4}-\d\d-\d\dT[^_]+)\.jsonl")


def holds_samples(path: Path) -> bool:
    """Are these the single answers behind a file of results, which lies beside them?"""
    found = _SAMPLES.fullmatch(path.name)
    return found is not None and path.with_name(f"results_{found[1]}.json").is_file()


def _recognises(content: Content) -> bool:
    found = content.json
    return (
        isinstance(found, dict)
        and isinstance(found.get("results"), dict)
        and bool(found["results"])
        and all(isinstance(task, dict) for task in found["results"].values())
        and bool({"config", "configs", "versions", "n-shot", "lm_eval_version"} & set(found))
    )


def _read(content: Content) -> list[dict[str, Any]]:
    if not _recognises(content):
        raise DataError(
            f"{content.path} holds no results of lm-evaluation-harness: a mapping results of tasks to metrics; is the file complete?"
        )
    return [row_of(content.json, content.path.stem)]


def row_of(found: dict[str, Any], name: str) -> dict[str, Any]:
    """One row: "hellaswag/acc", its "hellaswag/acc_stderr" and "hellaswag/samples"; filters other than none stay in the name."""
    config: dict[str, Any] = found["config"] if isinstance(found.get("config"), dict) else {}
    row: dict[str, Any] = {"run": found.get("model_name") or config.get("model_args") or name}
    counts: dict[str, Any] = found["n-samples"] if isinstance(found.get("n-samples"), dict) else {}
    for task, metrics in found["results"].items():
        for metric, value in metrics.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                row[f"{task}/{metric.removesuffix(',none')}"] = value
        count = counts.get(task)
        if isinstance(count, dict) and isinstance(count.get("effective"), int):
            row[f"{task}/samples"] = count["effective"]
    for key in ("model_num_parameters", "num_fewshot"):
        if isinstance(config.get(key), int | float):
            row[key] = config[key]
    return row


FORMAT = Format("lm_eval", (), _recognises, _read)
