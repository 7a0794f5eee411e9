"""What training programs print: one line a step with names and numbers (Megatron-LM, NeMo, nanoGPT and its kin, torchtitan)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ....core.errors import DataError
from ..content import Content, Format, Logged, LoggedRun, logged

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STAMP = re.compile(r"^\s*\[[^\]]*\]")  # [2026-01-01 00:00:10]
_WORD = r"[A-Za-z_(][\w./()-]*"
_NUMBER = r"[-+]?(?:\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+|nan\b|inf\b)"
# A name of one or several words, then a number, its total ("10/ 400") and its unit ("250.00ms").
_PAIR = re.compile(rf"([A-Za-z_][\w./()-]*(?: {_WORD})*)\s*[:=]?\s*(?<![\w.])({_NUMBER})(?:\s*/\s*\d+)?[a-zA-Z%]*", re.IGNORECASE)
_STEP = re.compile(r"(?:.* )?(?<!per )(iteration|iter|step|global_step)", re.IGNORECASE)  # also "validation loss at iteration 100"
_CHECKED = 5000  # lines of a file that are looked at to see what it is
_WIDTH = 2000  # characters of a line


def _pairs(line: str) -> dict[str, float]:
    """Names and numbers of a line that counts steps and says a loss, else nothing; "step" counts them under that name, too."""
    found: dict[str, float] = {}
    counts: list[float] = []
    held_out = False
    for name, number in _PAIR.findall(_STAMP.sub("", _COLOUR.sub("", line[:_WIDTH]))):
        step = _STEP.fullmatch(name)
        value = float(number.replace(",", ""))
        counts += [value] if step else []
        held_out |= bool(step) and name.lower().startswith(("validate", "evaluate"))  # torchtitan calls its loss as in training
        found.setdefault(step[1].lower() if step else f"validation {name}" if held_out else name, value)
    if not counts or not any("loss" in name.lower() for name in found):
        return {}
    return {"step": counts[0], **found}


def _recognises(content: Content) -> bool:
    if content.binary or content.suffix in (".csv", ".tsv"):
        return False
    lines = re.split(r"[\r\n]+", content.text[: 200 * _CHECKED])[:_CHECKED]
    return sum(bool(_pairs(line)) for line in lines) > 1


def _read(content: Content) -> Logged:
    rows: list[dict[str, Any]] = [row for line in re.split(r"[\r\n]+", content.text) if (row := _pairs(line))]
    if not rows:
        raise DataError(
            f"{content.path} is a log whose lines name no step with a loss; turn it into columns, for example with "
            r"rows = re.findall(r'step (\d+).*?loss ([\d.]+)', text), and pass {'step': ..., 'loss': ...}."
        )
    return logged([LoggedRun(Path(content.name).stem, rows)], content.path)


FORMAT = Format("log", (".log", ".out"), _recognises, _read)
