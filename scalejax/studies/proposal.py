"""The call that follows from what a table of runs can answer."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Mapping, Sequence

import numpy as np

from ..data.readers import read_runs
from ..fitting.diagnosis.clusters import Cluster

_TAKEN = frozenset(inspect.signature(read_runs).parameters)  # names that no role can have
_APART = 10  # runs of the smallest group from which groups are worth a fit of their own


def proposal(
    path: str, given: Mapping[str, tuple[str, float]], target: str, laws: tuple[str, ...], tied: set[str],
    moving: Mapping[str, np.ndarray], splits: Sequence[Cluster], rises: bool, read: bool,
) -> str:  # fmt: skip
    """The next sensible call.

    Args:
        path: of the table, in quotes, or what it is called. given: what laws call a column to its name and the factor of its unit.
        target, laws, moving: as `diagnose` found them. tied: inputs on one line. splits: columns that set runs apart, of most first.
        rises: does the target? read: are these runs that were read?
    """
    outcome = _word(target) if rises else "loss"
    kinds = {_word(c.column): c.column for c in splits}
    wanted = {**{role: name for role, (name, _) in given.items()}, **kinds, outcome: target}
    named = [f"{role}={name!r}" for role, name in wanted.items()]
    plain = all(role == name for role, name in wanted.items())
    if "D" in moving and "D" not in given:
        N, times = given["N"]
        named.insert(-1, f"D='`{given['C'][0]}` / (6 * {f'{times:g} * ' if times != 1 else ''}`{N}`)'")
        plain = False
    if unit := _unit(target):
        named.append(f"unit={unit!r}")
        plain = False
    runs = ("runs" if read else f"sj.read_runs({path})") if plain else f"sj.read_runs({'runs' if read else path}, {', '.join(named)})"
    by = f", by={next(iter(kinds))!r}" if splits and splits[0].counts.min() >= _APART else ""
    if not given:
        return f"sj.forecast({runs}, at={{...}}, target={target!r})"
    if "chinchilla" in laws:
        return f"sj.fit('chinchilla', {runs}{by})"
    call = f"sj.forecast({runs}, at={{...}}{f', target={outcome!r}' if rises else ''}{by})"
    return f"{call}, or add runs off the ray, see sj.next_runs" if {"N", "D"} <= tied else call


def _word(name: str) -> str:
    """A column's name as that of a role."""
    word = re.sub(r"\W+", "_", name.strip()).strip("_")
    return word if word.isidentifier() and not keyword.iskeyword(word) and word not in _TAKEN else f"column_{word}"


def _unit(target: str) -> str:
    """The unit of a loss that its name says and laws do not take."""
    return "perplexity" if {"ppl", "perplexity"} & set(re.split(r"[\W_]+", target.lower())) else ""
