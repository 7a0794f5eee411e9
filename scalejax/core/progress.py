"""Progress of long work on standard error: silent when quick, when not watched, or when asked to be."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

Progress = Callable[[int, int], None]


def reporter(what: str, progress: bool | Progress | None) -> Progress | None:
    """A function of (done, total), or None.

    Args:
        what: word for the work, such as "bootstrap".
        progress: True shows a line, False none, None a line on a terminal after two seconds; a function is called as it is.
    """
    if callable(progress):
        return progress
    if progress is False or (progress is None and not sys.stderr.isatty()):
        return None
    begun = time.monotonic()

    def show(done: int, total: int) -> None:
        spent = time.monotonic() - begun
        if progress is None and spent < 2:
            return
        left = spent * (total - done) / max(done, 1)
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r{what}: {done:,} of {total:,} done, {spent:.0f} s spent, about {left:.0f} s left   {end}")
        sys.stderr.flush()

    return show
