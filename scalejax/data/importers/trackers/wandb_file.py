"""Runs that W&B keeps on disk, `offline-run-*/run-*.wandb`: history, configuration and how the run ended, read without its package."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....core.errors import DataError
from ..content import Content, Format, Logged, LoggedRun, logged
from ..orient import flat
from .messages import decimal, every, fields, first, text, whole

_HEAD = b":W&B\xe1\xbe\x00"
_BLOCK = 2**15
_HIDDEN = ("_runtime", "_timestamp", "_wandb", "_step")


def _records(data: bytes, path: Path) -> Iterator[bytes]:
    """Records of a log in blocks, as LevelDB lays it out: checksum, length, and whether the part is a whole, first, middle or last one."""
    at, parts = len(_HEAD), b""
    i = 0
    while at < len(data):
        left = _BLOCK - at % _BLOCK
        if left < 7:
            at += left
            continue
        if at + 7 > len(data):
            return  # the program still runs, or was killed
        checksum, size, kind = struct.unpack_from("<IHB", data, at)
        body = data[at + 7 : at + 7 + size]
        if len(body) < size:
            return
        if kind == checksum == size == 0:
            at += left  # the rest of a block that was never filled
            continue
        if zlib.crc32(bytes([kind]) + body) != checksum or kind not in (1, 2, 3, 4):
            raise DataError(f"Cannot read {path}: record {i} of this W&B file is damaged; copy the file again, or run wandb sync on it.")
        parts = body if kind in (1, 2) else parts + body
        if kind in (1, 4):
            yield parts
            i += 1
        at += 7 + size


def _read(content: Content) -> Logged:
    return logged([_run(content.data, content.path)], content.path)


def _run(data: bytes, path: Path) -> LoggedRun:
    if not data.startswith(_HEAD[:4]):
        raise DataError(f"Cannot read {path}: it does not begin as W&B's files do; is the file complete?")
    run = LoggedRun(path.stem.removeprefix("run-"))
    summary: dict[str, Any] = {}
    state = "running"
    for record in _records(data, path):
        try:
            for kind, body in fields(record):
                if not isinstance(body, bytes):
                    continue
                if kind == 2:
                    _add_step(run, body)
                elif kind == 3:
                    summary |= _items(body)
                elif kind == 5:
                    run.config |= _items(body)
                elif kind == 17:
                    run.config |= _items(first(body, 4))
                    run.name = text(body, 8) or text(body, 1) or run.name
                elif kind == 18:
                    state = "failed" if whole(body, 1) else "finished"
        except (ValueError, struct.error) as error:
            raise DataError(f"Cannot read {path}: a record of this W&B file is damaged; copy the file again.") from error
    run.state = state
    logged_names = {name for row in run.rows for name in row}
    last = {name: value for name, value in flat(summary).items() if name not in logged_names}
    run.config = {k: v for k, v in (flat(run.config) | last).items() if not (isinstance(v, list) or k.split(".")[0] in _HIDDEN)}
    return run


def _add_step(run: LoggedRun, body: bytes) -> None:
    row = _items(body)
    step = row.pop("_step", None)
    step = whole(first(body, 2), 1) if step is None else step
    values = {k: v for k, v in flat(row).items() if not (isinstance(v, list) or k.split(".")[0] in _HIDDEN)}
    run.rows.append({"step": step, **values})


def _items(body: bytes) -> dict[str, Any]:
    """Key and value of every item: JSON, or since 2025 the value itself."""
    found: dict[str, Any] = {}
    for item in every(body, 1):
        keys = [text(item, 1)] if first(item, 1) else [part.decode("utf-8", errors="replace") for part in every(item, 2)]
        name = ".".join(keys)
        for number, value in fields(item):
            if number in (8, 16) and isinstance(value, bytes):
                found[name] = json.loads(value)
            elif number == 5 and isinstance(value, int):
                found[name] = float(value - (1 << 64) if value >> 63 else value)
            elif number == 6 and isinstance(value, bytes):
                found[name] = decimal(value)
            elif number == 7 and isinstance(value, bytes):
                found[name] = value.decode("utf-8", errors="replace")
            elif number == 4 and isinstance(value, int):
                found[name] = bool(value)
    return found


def holds(folder: Path) -> bool:
    """Are there such files in a folder or below it?"""
    return next(folder.rglob("run-*.wandb"), None) is not None


def read_folder(folder: Path) -> Logged:
    """All runs in a folder or below it."""
    return logged([_run(path.read_bytes(), path) for path in sorted(set(map(Path.resolve, folder.rglob("run-*.wandb"))))], folder)


FORMAT = Format("wandb", (".wandb",), lambda content: content.data.startswith(_HEAD[:4]), _read)
