"""Answers as files that training reads: JSON, YAML and csv, by the ending of the name."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError, suggest
from ..files import write_text
from ..table import csv_of

_UNSEEN = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")
_ENDINGS = (".json", ".yaml", ".yml", ".csv")


def write_document(path: str | os.PathLike[str], document: Any, columns: Mapping[str, Sequence[Any]]) -> Path:
    """Write a document of mappings, lists, texts and numbers as .json or .yaml, or its columns as .csv.

    Raises:
        DataError: if the ending is another one, or the file cannot be written.
    """
    ending = Path(path).suffix.lower()
    if ending not in _ENDINGS:
        raise DataError(f"{path} has the ending {ending!r}; {suggest(ending, _ENDINGS)}")
    if ending == ".csv":
        return write_text(path, csv_of(columns))
    return write_text(path, (json.dumps(document, indent=1) if ending == ".json" else yaml_of(document)) + "\n")


def yaml_of(value: Any, indent: int = 0) -> str:
    """Nested mappings and lists of plain values as YAML that versions 1.1 and 1.2 read alike.

    >>> print(yaml_of({"lr": 1e-05, "layers": 12, "domains": ["web", "no"]}))
    "lr": 1.0e-05
    "layers": 12
    "domains":
      - "web"
      - "no"
    """
    pad = " " * indent
    if isinstance(value, Mapping) and value:
        lines = []
        for key, item in value.items():
            nested = isinstance(item, Mapping | list | tuple) and len(item) > 0
            lines.append(f"{pad}{_scalar(str(key))}:" + (f"\n{yaml_of(item, indent + 2)}" if nested else f" {_scalar(item)}"))
        return "\n".join(lines)
    if isinstance(value, list | tuple) and value:
        return "\n".join(f"{pad}- {yaml_of(item, indent + 2).lstrip()}" for item in value)
    return pad + _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        text = repr(value)
        mantissa, e, exponent = text.partition("e")  # 1e-05 is a text in YAML 1.1, 1.0e-05 is a number
        return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else text
    # YAML knows no pairs of surrogates, and takes fewer signs as they are than JSON.
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
