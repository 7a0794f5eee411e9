"""Units: runs that belong together (a seed, a configuration, a corpus) are resampled together, and alike in every fit that has them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.runs import Runs
from ..objective.groups import label
from ..request import Request

_ARRIVALS = 12  # how often one unit can be drawn: more often than this has a chance below 1e-9
_HELD = 2**22  # arrivals held at once


@dataclass(frozen=True)
class Units:
    """What a bootstrap resampled, and from which random numbers.

    Attributes:
        kind: of the bootstrap. seed: of its random numbers.
        columns: the columns that name the units; empty if every run is one.
    """

    kind: str
    seed: int
    columns: tuple[str, ...] = ()


def column_names(columns: str | Sequence[str]) -> tuple[str, ...]:
    """One column or several as a tuple."""
    return (columns,) if isinstance(columns, str) else tuple(columns)


def unit_names(runs: Runs, rows: np.ndarray, columns: Sequence[str]) -> np.ndarray:
    """(rows,) text that names the unit of each row: its values in these columns."""
    values = [runs[name][rows].reshape(len(rows), -1) for name in columns]
    parts = [column.astype(str) if column.dtype.kind not in "fiu" else np.vectorize(label, otypes=[str])(column) for column in values]
    return np.asarray(["\0".join(row) for row in np.concatenate([part.astype(object) for part in parts], axis=1)])


Streams = dict[str, np.random.Generator]  # by the name of the unit


def resampled_units(names: np.ndarray, count: int, seed: int, columns: Sequence[str], streams: Streams | None = None) -> np.ndarray:
    r"""How often each row is drawn when units are drawn with replacement, (rows, count).

    Every unit has a stream of random arrivals of its own, a Poisson process that its name and the seed determine. The first n arrivals
    among n units are n draws with replacement, each unit equally likely. So two tables with the same units are resampled alike, whatever
    the order of their rows; tables that share some units draw these nearly alike; tables that share none are independent.

    Args:
        names: (rows,) the unit of each row, from `unit_names`.
        count: replicates; the first of many are those of few.
        seed: of the random numbers.
        columns: what the units are called after; the same name in another column is another unit.
        streams: where earlier replicates left the units' streams; moved on. Replicates in several calls are those of one.
    """
    units, index = np.unique(names, return_inverse=True)
    known: Streams = {} if streams is None else streams
    if not known:
        known.update({unit: np.random.default_rng((seed, _key(columns, unit))) for unit in units.tolist()})
    drawn, step = np.empty((len(units), count)), max(_HELD // (len(units) * _ARRIVALS), 1)
    for begin in range(0, count, step):
        size = min(step, count - begin)
        arrivals = np.stack([stream.standard_exponential((size, _ARRIVALS)).cumsum(axis=1) for stream in known.values()])
        last = np.partition(np.moveaxis(arrivals, 1, 0).reshape(size, -1), len(units) - 1, axis=1)[:, len(units) - 1]
        drawn[:, begin : begin + size] = (arrivals <= last[:, None]).sum(axis=-1)
    return drawn[index]


def _key(columns: Sequence[str], unit: str) -> int:
    return int.from_bytes(hashlib.blake2b("\0".join([*columns, unit]).encode(), digest_size=8).digest(), "big")


def same_runs(one: Request, other: Request) -> bool:
    """Were two fits made of the same runs, in the same order? So they were if one's measured output is a column of the other's table.

    The tables need not be equal: a second stage may be fitted to what the first stage predicts, under another name.
    """
    if len(one.tables) != len(other.tables) or one.joint != other.joint:
        return False
    return all(
        _measured(mine, one.law.output, theirs) or _measured(theirs, other.law.output, mine)
        for mine, theirs in zip(one.tables, other.tables, strict=True)
    )


def _measured(mine: Runs, output: str, theirs: Runs) -> bool:
    """Is the output of one table a column of the other?"""
    values = mine[output][~mine.excluded]
    columns = (column[~theirs.excluded] for column in theirs.columns.values() if column.dtype.kind == "f")
    return any(column.shape == values.shape and np.array_equal(column, values) for column in columns)
