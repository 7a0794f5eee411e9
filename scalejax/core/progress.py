"""Progress of long work on standard error: silent when quick, when not watched, or when asked to be.

What knows its steps shows them with the time left, through tqdm where that is installed, in notebooks too. What does not, such as
compiling, says every second how long it has taken, so that nothing is silent for ten seconds.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

Progress = Callable[[int, int], None]

_QUICK = 2.0  # seconds without a word
_SILENT = 5.0  # seconds without a sign of life
_NOW: list[_Signs] = []  # the call that is watched; one at a time, since there is one line


def reporter(what: str, progress: bool | Progress | None) -> Progress | None:
    """A function of (done, total), or None.

    Args:
        what: word for the work, such as "bootstrap".
        progress: True shows a line, False none, None a line on a terminal or in a notebook after two seconds; a function is
            called as it is.
    """
    if callable(progress):
        return progress
    if progress is False or (progress is None and not seen()):
        return None
    begun, wait = time.monotonic(), _QUICK if progress is None else 0.0
    bar: list[Any] = []

    def show(done: int, total: int) -> None:
        spent = time.monotonic() - begun
        if spent < wait:
            return
        for signs in _NOW:
            signs.last = time.monotonic()
        if find_spec("tqdm"):
            _with_tqdm(bar, what, done, total, spent)
        else:
            left = spent * (total - done) / max(done, 1)
            end = "\n" if done >= total else ""
            sys.stderr.write(f"\r{what}: {done:,} of {total:,} done, {spent:.0f} s spent, about {left:.0f} s left   {end}")
            sys.stderr.flush()

    return show


def seen() -> bool:
    """Does somebody watch: a terminal, or a notebook?"""
    return "ipykernel" in sys.modules or bool(getattr(sys.stderr, "isatty", bool)())


def _with_tqdm(bar: list[Any], what: str, done: int, total: int, spent: float) -> None:
    """Move the bar of tqdm, which shows done, total, time spent and time left; it is made on the first call and closed on the last."""
    if not bar:
        if "ipykernel" in sys.modules and find_spec("ipywidgets"):
            from tqdm.notebook import tqdm
        else:
            from tqdm.std import tqdm
        bar.append(tqdm(total=total, desc=what, file=sys.stderr, leave=False))
        bar[0].start_t -= spent
    bar[0].total = total
    bar[0].update(done - bar[0].n)
    if done >= total:
        bar.pop().close()


class _Signs:
    """When a call was last heard of."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.written = False
        self.over = threading.Event()


@contextmanager
def watched(what: str, progress: Any = None) -> Iterator[None]:
    """While the block runs and shows nothing of its own: a line every second from the fifth on, if somebody watches."""
    if progress is False or callable(progress) or _NOW or not seen() or threading.current_thread() is not threading.main_thread():
        yield
        return
    signs, begun = _Signs(), time.monotonic()
    _NOW.append(signs)

    def alive() -> None:
        while not signs.over.wait(1.0):
            if time.monotonic() - signs.last > _SILENT:
                sys.stderr.write(f"\r{what}: {time.monotonic() - begun:.0f} s spent   ")
                sys.stderr.flush()
                signs.written = True

    thread = threading.Thread(target=alive, name="scalejax progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signs.over.set()
        thread.join()
        _NOW.remove(signs)
        if signs.written:
            sys.stderr.write("\r" + " " * (len(what) + 24) + "\r")
            sys.stderr.flush()
