"""TensorBoard's event files: scalars by step, and what its plugin for hyper-parameters holds; TensorFlow is not needed."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....core.errors import DataError
from ..content import Content, Format, Logged, LoggedRun, logged
from .messages import decimal, every, fields, first, text, whole

_NAME = re.compile(r".*tfevents\.\d+.*")
_FIRST = b"brain.Event:"  # how every file begins, in its first record
_TYPES = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}  # of tensors
_LARGEST = 2**16  # bytes of a record that may hold scalars: larger ones hold pictures and graphs


def _table() -> list[int]:
    table = []
    for i in range(256):
        for _ in range(8):
            i = (i >> 1) ^ (0x82F63B78 if i & 1 else 0)
        table.append(i)
    return table


_CRC = _table()


def _checksum(data: bytes) -> int:
    """Masked CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(data: bytes, path: Path) -> Iterator[bytes]:
    """The records of a file; one that is cut off at the end, as of a program that still runs, is left out.

    Raises:
        DataError: if a record before the end is damaged.
    """
    at, i = 0, 0
    while at + 16 <= len(data):
        (size, checksum) = struct.unpack_from("<QI", data, at)
        if checksum != _checksum(data[at : at + 8]):
            raise _damaged(path, i)
        if at + 16 + size > len(data):
            return
        record = data[at + 12 : at + 12 + size]
        (checksum,) = struct.unpack_from("<I", data, at + 12 + size)
        if size <= _LARGEST:
            if checksum != _checksum(record):
                raise _damaged(path, i)
            yield record
        at += 16 + size
        i += 1


def _damaged(path: Path, i: int) -> DataError:
    return DataError(f"Cannot read {path}: record {i} of this TensorBoard file is damaged; copy the file again, or leave it out.")


def events(data: bytes, path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Scalars, all of one step in one row, and hyper-parameters."""
    rows: list[dict[str, Any]] = []
    config: dict[str, Any] = {}
    for i, record in enumerate(records(data, path)):
        try:
            step, values = _event(record, config)
        except (ValueError, struct.error) as error:
            raise _damaged(path, i) from error
        if values and rows and rows[-1]["step"] == step and not set(values) & set(rows[-1]):
            rows[-1] |= values
        elif values:
            rows.append({"step": step, **values})
    return rows, config


def _event(record: bytes, config: dict[str, Any]) -> tuple[int, dict[str, float]]:
    found: dict[str, float] = {}
    for summary in every(record, 5):
        for value in every(summary, 1):
            name = text(value, 1)
            if name.startswith("_hparams_/"):
                config |= _hyperparameters(first(first(first(value, 9), 1), 2))
            elif (number := _scalar(value)) is not None:
                found[name] = number
    return whole(record, 2), found


def _scalar(value: bytes) -> float | None:
    """The number that a summary holds, None if it holds a picture, a text or several numbers."""
    parts = dict(fields(value))
    simple, tensor = parts.get(2), parts.get(8)
    if isinstance(simple, bytes):
        return decimal(simple)
    if not isinstance(tensor, bytes):
        return None
    kind = _TYPES.get(whole(tensor, 1))
    if kind is None or any(whole(size, 1) != 1 for size in every(first(tensor, 2), 2)):
        return None
    held = first(tensor, 4) or first(tensor, 5) or first(tensor, 6)
    if len(held) == struct.calcsize(kind):
        return float(struct.unpack(kind, held)[0])
    return None


def _hyperparameters(plugin: bytes) -> dict[str, Any]:
    """Of a session: the third field is its start, whose first is a mapping to values of JSON."""
    found: dict[str, Any] = {}
    for pair in every(first(plugin, 3), 1):
        for number, value in fields(first(pair, 2)):
            if number == 2 and isinstance(value, bytes):
                found[text(pair, 1)] = decimal(value)
            elif number == 3 and isinstance(value, bytes):
                found[text(pair, 1)] = value.decode("utf-8", errors="replace")
            elif number == 4:
                found[text(pair, 1)] = bool(value)
    return found


def _recognises(content: Content) -> bool:
    return _FIRST in content.data[:64] or bool(_NAME.fullmatch(content.name))


def _read(content: Content) -> Logged:
    rows, config = events(content.data, content.path)
    if not rows:
        raise DataError(f"{content.path} is a TensorBoard file without scalars; give the folder of the run, or wait for its first record.")
    return logged([LoggedRun(content.path.resolve().parent.name, rows, config)], content.path)


def holds(folder: Path) -> bool:
    """Are there event files in a folder or below it?"""
    return next(_files(folder), None) is not None


def read_folder(folder: Path) -> Logged:
    """A run for every folder with event files, named by its path; its files in the order of their names, which begin with the time.

    Hyper-parameters that were written to a folder of their own below a run's, as `add_hparams` does, are this run's.
    """
    by_folder: dict[Path, list[Path]] = {}
    for path in sorted(_files(folder)):
        by_folder.setdefault(path.parent, []).append(path)
    runs: dict[Path, LoggedRun] = {}
    for place, paths in by_folder.items():
        run = LoggedRun(str(place.relative_to(folder)) if place != folder else folder.resolve().name)
        for path in paths:
            rows, config = events(path.read_bytes(), path)
            run.rows += rows
            run.config |= config
        runs[place] = run
    for place, run in list(runs.items()):
        above = next((p for p in place.parents if p in runs and p != place), None)
        if above and run.config and len({row["step"] for row in run.rows}) < 2:
            runs[above].config |= run.config | {k: v for row in run.rows for k, v in row.items() if k != "step"}
            del runs[place]
    return logged([run for run in runs.values() if run.rows], folder)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*tfevents*") if _NAME.fullmatch(path.name) and path.is_file())


FORMAT = Format("tensorboard", (), _recognises, _read)
