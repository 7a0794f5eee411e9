"""Members of a batch side by side: on the cores of a CPU, on all local devices, and on several hosts; and how often programs were traced.

Members never speak to each other, so a device or a host works on its share alone, by the same compiled program, and the numbers do not
depend on how many there are.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from .precision import double

# Above this many parameters unrolled sums and factorisations cost more compile time than they save run time.
UNROLLED = 12
_AXIS = "members"


def in_parallel(work: Callable[[Any], None], items: Sequence[Any]) -> None:
    """Call `work` on every item: in threads where one CPU device has several cores, else in turn, each call filling all devices.

    One compiled call keeps about one core busy, because its operations are small. Calls from several threads run at the same time.
    """
    alone = jax.default_backend() == "cpu" and jax.local_device_count() == 1
    threads = min(os.cpu_count() or 1, len(items)) if alone else 1
    if threads < 2:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(double(work), items))  # double precision is a setting of each thread


def over_devices(function: Callable[..., Any], arguments: tuple[Any, ...], axes: tuple[Any, ...]) -> Any:
    """`function(*arguments)` inside a compiled program, its members shared out between the local devices.

    Args:
        arguments: trees of arrays.
        axes: a tree beside each argument: -1 where the last axis is that of the members, None where an array belongs to all. What the
            function returns ends in the member axis throughout.
    """
    mesh = _mesh(tuple(jax.local_devices()))
    if mesh.size == 1:
        return function(*arguments)

    def spec(axis: int | None, array: Any) -> PartitionSpec:
        return PartitionSpec() if axis is None else PartitionSpec(*[None] * (array.ndim - 1), _AXIS)

    def is_axis(leaf: Any) -> bool:
        return leaf is None or isinstance(leaf, int)

    specs = tuple(
        jax.tree.map(lambda axis, part: jax.tree.map(lambda array: spec(axis, array), part), axis, argument, is_leaf=is_axis)
        for axis, argument in zip(axes, arguments, strict=True)
    )
    out = jax.tree.map(lambda array: PartitionSpec(*[None] * (array.ndim - 1), _AXIS), jax.eval_shape(function, *arguments))
    return jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=out, check_vma=False)(*arguments)


@lru_cache
def _mesh(devices: tuple[Any, ...]) -> Mesh:
    return Mesh(np.asarray(devices), (_AXIS,))


def over_hosts(function: Callable[[np.ndarray], Any], members: int) -> Any:
    """`function(indices)` for all members: every process of `jax.distributed` takes its share, and all get the whole.

    Args:
        function: from indices of members to a tree of NumPy arrays that end in the member axis.
    """
    hosts = jax.process_count()
    if hosts == 1:
        return function(np.arange(members))
    from jax.experimental.multihost_utils import process_allgather

    share = -(-members // hosts)  # equal shares, as gathering demands; the last repeats members, which are cut off
    mine = np.minimum(np.arange(share) + share * jax.process_index(), members - 1)
    parts = process_allgather(function(mine))  # a new leading axis of hosts
    return jax.tree.map(lambda a: np.moveaxis(np.asarray(a), 0, -2).reshape(*a.shape[1:-1], -1)[..., :members], parts)


# How often each compiled program was traced; tests and curious users read it through `trace_counts`.
_TRACES: Counter[str] = Counter()


def trace_counts() -> dict[str, int]:
    """How often each compiled program has been traced in this process: {"solve": 1, "screen": 1, ...}."""
    return dict(_TRACES)


def traced(name: str) -> None:
    """Called inside a compiled function: counts its traces, not its runs."""
    _TRACES[name] += 1
