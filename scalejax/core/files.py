"""Atomic writing: an interrupted run leaves the previous file whole."""

from __future__ import annotations

import os
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from .errors import DataError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

UNFINISHED: set[Path] = set()  # temporary files of this process
_BEGIN, _END = ".scalejax-", ".part"  # of the names of temporary files
_UNTOUCHED = 60  # seconds after which a temporary file that nobody holds is one that a killed run left
_DEVICES = ("/dev", "/proc")  # what a shell has opened is written to, not replaced


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write `text` to `path` through a temporary file in the same folder, then rename it; see `write_bytes`."""
    return write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file whole or not at all.

    A symbolic link is followed, a file that is there keeps its mode, and devices, pipes and sockets are written to as they are. What
    killed runs left half written in the folder is deleted.

    Raises:
        DataError: if the folder cannot be created or written.
    """
    target = Path(path)
    try:
        if _is_stream(target):
            with target.open("wb") as stream:
                stream.write(data)
        else:
            _replace(Path(os.path.realpath(target)), data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"Cannot write {target}: {reason}; choose a folder that you may write to.") from error
    return target


def _is_stream(path: Path) -> bool:
    """Is there something that must be written through?"""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    under = Path(os.path.abspath(path)).as_posix()
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or any(under.startswith(f"{folder}/") for folder in _DEVICES)


def _replace(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    temporary = target.parent / f"{_BEGIN}{secrets.token_hex(8)}{_END}"
    UNFINISHED.add(temporary)
    try:
        # Made with the mode that the process gives its files, and with none that others could read meanwhile.
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as handle:
            if target.exists():
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            _held(handle)
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
        UNFINISHED.discard(temporary)


def _held(handle: BinaryIO) -> bool:
    """Lock a file for as long as it is open: can that be done?"""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process holds it, or this kind of disk has no locks
        return False
    return True


def _sweep(folder: Path) -> None:
    """Delete the temporary files of runs that were killed: old ones that no process holds."""
    for left in folder.glob(f"{_BEGIN}*{_END}"):
        with suppress(OSError):  # gone already, or somebody else's
            if time.time() - left.stat().st_mtime > _UNTOUCHED:
                with left.open("r+b") as handle:
                    free = _held(handle)
                if free:
                    left.unlink()
