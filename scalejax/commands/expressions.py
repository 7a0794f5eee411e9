"""Arithmetic that the command line reads, evaluated without running code: on columns of a table, and in the arguments of priors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..core.arithmetic import parse, value
from ..core.errors import ScalejaxError, suggest

_QUOTED = re.compile(r"`([^`]*)`")
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "log": np.log, "log10": np.log10, "exp": np.exp, "sqrt": np.sqrt, "abs": np.abs, "min": np.minimum, "max": np.maximum,
}  # fmt: skip
# What a distribution says of arguments that it cannot use, besides sentences of our own.
_UNUSABLE = (ArithmeticError, TypeError, ValueError, AttributeError, AssertionError, LookupError, NotImplementedError, RecursionError)


def source(text: str) -> str | float | Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """A column name as it is, a number, or a function for arithmetic on columns, which prefers a column of exactly that name."""
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text, re.IGNORECASE):
        return float(text)
    if not re.search(r"[-*/+()`]", text):
        return text
    whole = re.fullmatch(r"`([^`]*)`", text)
    if whole:
        return whole[1]

    def column(columns: Mapping[str, np.ndarray]) -> np.ndarray:
        return columns[text] if text in columns else expression(text)(columns)

    return column


def expression(text: str) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """Arithmetic and comparisons on columns; names that are none of Python's stand in back-quotes: `eval/loss` - 1."""
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        return quoted.setdefault(match[1], f"quoted_{len(quoted)}_")

    wrong = f"{text!r} is not arithmetic on columns; write for instance flops/(6*params), with names such as eval/loss in back-quotes."
    tree = parse(_QUOTED.sub(stand_in, text).strip(), wrong)
    allowed = f"{text!r} may use columns, numbers, + - * / **, comparisons with and, or, not, and {', '.join(_FUNCTIONS)} only."

    def call(name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
        if name not in _FUNCTIONS or keywords or not args:
            raise ScalejaxError(allowed)
        return _FUNCTIONS[name](*args)

    def evaluate(columns: Mapping[str, np.ndarray]) -> Any:
        names = _Named(columns, {short: name for name, short in quoted.items()})
        try:
            with np.errstate(all="ignore"):  # what is not finite is found where columns are checked
                return value(tree, names, call, allowed)
        except KeyError as error:
            near = suggest(error.args[0], columns)
            raise ScalejaxError(f"{text!r} uses {error}, which is not a column; {near}") from None
        except (ArithmeticError, TypeError, ValueError, RecursionError) as error:
            if isinstance(error, ScalejaxError):
                raise
            raise ScalejaxError(f"{text!r} cannot be computed: {error}; look at the columns and constants that it uses.") from None

    return evaluate


class _Named(Mapping[str, np.ndarray]):
    """Columns, also by what stands in for names in back-quotes."""

    def __init__(self, columns: Mapping[str, np.ndarray], names: Mapping[str, str]) -> None:
        self._columns, self._names = columns, names

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[self._names.get(name, name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def rows_where(table: str, condition: str, roles: Mapping[str, Any], scale: Mapping[str, float]) -> dict[str, list[Any]]:
    """The columns of a table in the rows for which a condition on roles, with their factors, and on any columns holds."""
    from ..data.readers import read_table

    raw = read_table(table, {name for name in roles.values() if isinstance(name, str)})
    columns = {name: _comparable(column) for name, column in raw.items()}
    rows = max(map(len, columns.values()), default=0)
    kept = np.asarray(expression(condition)(_WithRoles(columns, roles, scale)))
    if kept.dtype != bool or kept.shape not in ((), (rows,)):
        raise ScalejaxError(f"--where {condition!r} is no comparison of columns; write for instance 'D/N >= 1'.")
    at = np.flatnonzero(np.broadcast_to(kept, rows))
    if not len(at):
        raise ScalejaxError(f"--where {condition!r} keeps none of the {rows} rows; loosen the condition.")
    return {name: [column[i] for i in at] for name, column in raw.items()}


class _WithRoles(Mapping[str, np.ndarray]):
    """Columns of a table by their names, and by the roles that they have, which go first."""

    def __init__(self, columns: Mapping[str, np.ndarray], roles: Mapping[str, Any], scale: Mapping[str, float]) -> None:
        self._columns, self._roles, self._scale = columns, roles, scale

    def __getitem__(self, name: str) -> np.ndarray:
        given = self._roles.get(name, name)
        column = self._columns[given] if isinstance(given, str) else given(self._columns) if callable(given) else given
        return column * self._scale[name] if name in self._scale else column

    def __iter__(self) -> Iterator[str]:
        return iter({**self._roles, **self._columns})

    def __len__(self) -> int:
        return len({**self._roles, **self._columns})


def _comparable(column: Any) -> np.ndarray:
    """A column as numbers, empty ones as NaN, or as texts."""
    try:
        return np.asarray([np.nan if value is None or value == "" else float(value) for value in column])
    except (TypeError, ValueError):
        return np.asarray(["" if value is None else str(value) for value in column])


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
    import numpyro.distributions as dist

    if name == "log":
        return math.log(*args, **keywords)
    known = [n for n in dir(dist) if n[0].isupper() and callable(getattr(dist, n))]
    if name not in known:
        raise ScalejaxError(f"NumPyro has no distribution {name!r}; {suggest(name, known)}")
    make = getattr(dist, name)
    make(*args, **keywords, validate_args=True)
    return make(*args, **keywords)
