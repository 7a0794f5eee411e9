"""Chunks of members side by side on the cores of a CPU.

One compiled call keeps about one core busy, because its operations are small. Calls from several threads run at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

from ..core.precision import double


def in_parallel(work: Callable[[Any], None], items: Sequence[Any]) -> None:
    """Call `work` on every item: in threads on a CPU, in turn on an accelerator, whose one queue is full anyway."""
    threads = min(os.cpu_count() or 1, len(items)) if jax.default_backend() == "cpu" else 1
    if threads < 2:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(double(work), items))  # double precision is a setting of each thread
