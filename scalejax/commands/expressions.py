"""Arithmetic that the command line reads, evaluated without running code: in conditions on rows, and in the arguments of priors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..core.arithmetic import parse, value
from ..core.errors import ScalejaxError, suggest
from ..core.lazy import whole
from ..data.columns import numeric_column, of_columns
from ..data.readers import read_table

# What a distribution says of arguments that it cannot use, besides sentences of our own.
_UNUSABLE = (ArithmeticError, TypeError, ValueError, AttributeError, AssertionError, LookupError, NotImplementedError, RecursionError)


def rows_where(table: str, condition: str, roles: Mapping[str, str], scale: Mapping[str, float]) -> dict[str, list[Any]]:
    """The columns of a table in the rows for which a condition on roles, with their factors, and on any columns holds."""
    raw = read_table(table, set(roles.values()))
    single = next((name for name, column in raw.items() if not hasattr(column, "__len__")), None)
    if single is not None:
        raise ScalejaxError(f"{table} holds no table of runs: its {single!r} is a single value.")
    columns = {name: numeric_column(column, name, name, text_allowed=True) for name, column in raw.items()}
    rows = max(map(len, columns.values()), default=0)
    kept = np.asarray(of_columns(condition)(_WithRoles(columns, roles, scale)))
    if kept.dtype != bool or kept.shape not in ((), (rows,)):
        raise ScalejaxError(f"--where {condition!r} is no comparison of columns; write for instance 'D/N >= 1'.")
    at = np.flatnonzero(np.broadcast_to(kept, rows))
    if not len(at):
        raise ScalejaxError(f"--where {condition!r} keeps none of the {rows} rows; loosen the condition.")
    return {name: [column[i] for i in at] for name, column in raw.items()}


class _WithRoles(Mapping[str, np.ndarray]):
    """Columns of a table by their names, and by the roles that they have, which go first."""

    def __init__(self, columns: Mapping[str, np.ndarray], roles: Mapping[str, str], scale: Mapping[str, float]) -> None:
        self._columns, self._roles, self._scale = columns, roles, scale

    def __getitem__(self, name: str) -> np.ndarray:
        given = self._roles.get(name, name)
        column = self._columns[given] if given in self._columns or name not in self._roles else of_columns(given)(self._columns)
        return column * self._scale[name] if name in self._scale else column

    def __iter__(self) -> Iterator[str]:
        return iter({**self._roles, **self._columns})

    def __len__(self) -> int:
        return len({**self._roles, **self._columns})


def distribution(text: str) -> Any:
    """A distribution of NumPyro, such as "LogNormal(log(0.35), 0.2)" or "TruncatedNormal(0.5, 0.1, low=0)"."""
    from ..core.numeric.precision import double

    return double(_distribution)(text)


def _distribution(text: str) -> Any:
    import jax

    wrong = f"{text!r} is not a distribution with numbers as arguments; write for instance LogNormal(-1, 0.3)."
    tree = parse(text, wrong)
    try:
        made = value(tree, {}, _make, wrong)
        if not isinstance(made, float | str | np.ndarray):
            made.log_prob(made.sample(jax.random.key(0)))  # of an abstract one, or with a text for a number, it fails here at the latest
            return value(tree, {}, _make, wrong)  # as new: some keep what they computed, in its precision
    except ScalejaxError:
        raise
    except KeyError:
        raise ScalejaxError(wrong) from None
    except _UNUSABLE as error:
        said = " ".join(str(error).split())[:150] or type(error).__name__
        raise ScalejaxError(f"{text!r} is not a distribution with numbers as arguments: {said}") from None
    raise ScalejaxError(wrong)


def _make(name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
    """The logarithm, or a distribution whose arguments are in its range."""
    dist = whole("numpyro.distributions")

    if name == "log":
        return math.log(*args, **keywords)
    known = [n for n in dir(dist) if n[0].isupper() and callable(getattr(dist, n))]
    if name not in known:
        raise ScalejaxError(f"NumPyro has no distribution {name!r}; {suggest(name, known)}")
    make = getattr(dist, name)
    make(*args, **keywords, validate_args=True)
    return make(*args, **keywords)
