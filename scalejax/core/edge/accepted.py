"""What the annotation of an argument accepts: a check of a value, and words for the sentence that refuses it."""

from __future__ import annotations

import collections.abc as abc
import inspect
import math
import numbers
import os
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

from ..errors import suggest

_MOST = 1000  # elements of a container that are looked at


@dataclass(frozen=True)
class Accepted:
    """What one argument may be.

    Attributes:
        words: for "must be ...".
        holds: is this a value of the kind? As far as it can be told.
        surely: could it be one, also of a function that takes more than its annotation says? Containers are not looked into.
        as_int: a whole number is wanted.
        options: of a Literal. runs, law: `Runs`, or a `Law`, are among what is wanted.
    """

    words: str
    holds: Callable[[Any], bool]
    surely: Callable[[Any], bool] = lambda v: True
    as_int: bool = False
    options: tuple[str, ...] = ()
    runs: bool = False
    law: bool = False

    @property
    def _listed(self) -> str:
        return ", ".join(map(repr, self.options))

    def refusal(self, name: str, value: Any) -> str:
        """The sentence on a value that is not of the kind."""
        if self.options and isinstance(value, str):
            near = suggest(value, self.options)
            return f"{name}={said(value)} is unknown; {near if near[:3] == 'did' else f'choose from {self._listed}.'}"
        return f"{name}={said(value)} must be {self.words}."


@lru_cache(maxsize=1024)
def accepted(function: Callable[..., Any]) -> dict[str, Accepted]:
    """Argument name to what its annotation accepts; what cannot be told accepts everything."""
    inner = inspect.unwrap(function)
    space = {**vars(typing), **getattr(inner, "__globals__", {})}
    found = {}
    for name, annotation in getattr(inner, "__annotations__", {}).items():
        try:
            meant = eval(annotation, space) if isinstance(annotation, str) else annotation
        except (NameError, AttributeError, TypeError):  # imported for type checkers only
            meant = Any
        found[name] = ANYTHING if name == "group" else _of(meant)  # groups may be numbered
    return found


def _of(meant: Any) -> Accepted:
    if isinstance(meant, str | typing.ForwardRef):
        return ANYTHING
    if meant in _ATOMS:
        return _ATOMS[meant]
    origin, parts = get_origin(meant), get_args(meant)
    if origin in (Union, types.UnionType):
        return _union([_of(part) for part in parts])
    if origin is Literal:
        return _sure(
            f"one of {', '.join(map(repr, parts))}", lambda v: isinstance(v, str | bool) and v in parts, options=tuple(map(str, parts))
        )
    if origin in (abc.Callable, Callable):
        return _sure("a function", callable)
    if origin in (abc.Mapping, dict):
        return _mapping(_of(parts[0]), _of(parts[1]))
    if origin is abc.Iterable:  # a mapping is one of its keys
        return _union([_sequence(_of(parts[0])), _mapping(_of(parts[0]), ANYTHING)])
    if origin in (abc.Sequence, list):
        return _sequence(_of(parts[0]))
    if origin is tuple:
        return _tuple([_of(part) for part in parts if part is not Ellipsis], Ellipsis in parts)
    if isinstance(meant, type) and meant is not object:
        return Accepted(_named(meant), lambda v: isinstance(v, meant), runs=meant.__name__ == "Runs", law=meant.__name__ == "Law")
    return ANYTHING


def _sure(words: str, holds: Callable[[Any], bool], **more: Any) -> Accepted:
    return Accepted(words, holds, holds, **more)


def _named(kind: type) -> str:
    how = {"Runs": " (read them with sj.read_runs)", "Fit": " (made by sj.fit)", "Law": " (of sj.laws, or made with @sj.law)"}
    return f"a {kind.__name__}{how.get(kind.__name__, '')}"


def _union(members: Sequence[Accepted]) -> Accepted:
    return Accepted(
        " or ".join(dict.fromkeys(m.words for m in members if m is not _ATOMS[None])),
        lambda v: any(m.holds(v) for m in members),
        lambda v: any(m.surely(v) for m in members),
        as_int=any(m.as_int for m in members) and not any(m is _ATOMS[float] for m in members),
        options=tuple(option for m in members for option in m.options),
        runs=any(m.runs for m in members),
        law=any(m.law for m in members),
    )


def _mapping(key: Accepted, value: Accepted) -> Accepted:
    def holds(v: Any) -> bool:
        return isinstance(v, Mapping) and all(key.holds(k) and value.holds(x) for k, x in list(v.items())[:_MOST])

    inside = "" if value is ANYTHING else f" to {value.words}"
    return Accepted(f"a mapping from {key.words if key is not ANYTHING else 'names'}{inside}", holds, lambda v: isinstance(v, Mapping))


def _sequence(item: Accepted) -> Accepted:
    words = "a list" + ("" if item is ANYTHING else f" whose items are {item.words}")
    listed = (lambda v: isinstance(v, str) or _listed(v)) if item is _ATOMS[str] else _listed  # one name is a list of one
    return Accepted(words, lambda v: listed(v) and all(item.holds(x) for x in list(v)[:_MOST]), listed)


def _tuple(items: Sequence[Accepted], endless: bool) -> Accepted:
    def holds(v: Any) -> bool:
        if not _listed(v):
            return False
        values = list(v)
        return endless or (len(values) == len(items) and all(i.holds(x) for i, x in zip(items, values, strict=True)))

    return Accepted(f"({', '.join(i.words for i in items)})", holds, _listed)


def _listed(value: Any) -> bool:
    """Values one after the other, but neither text nor a mapping."""
    return not isinstance(value, str | bytes | Mapping) and isinstance(value, abc.Iterable) and hasattr(value, "__len__") and _deep(value)


def _deep(value: Any) -> bool:
    return getattr(value, "ndim", 1) > 0


def is_traced(value: Any) -> bool:
    """A number or array of a program that JAX is tracing. JAX is not loaded for the question: without it there is none."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(value, jax.core.Tracer)


def is_array(value: Any) -> bool:
    """An array of NumPy or JAX."""
    jax = sys.modules.get("jax")
    return isinstance(value, np.ndarray) or (jax is not None and isinstance(value, jax.Array))


def is_table(value: Any) -> bool:
    """A mapping of columns, a frame of pandas, polars or arrow, or an array of records."""
    return isinstance(value, Mapping) or hasattr(value, "columns") or bool(getattr(getattr(value, "dtype", None), "names", None))


def is_number(value: Any) -> bool:
    """One real number, arrays without axes and traced values included, but no truth value and no NaN."""
    if isinstance(value, bool | np.bool_ | str | bytes):
        return False
    if isinstance(value, numbers.Real):
        return not _nan(value)
    if kind_of(value) not in ("i", "u", "f"):
        return False
    return is_traced(value) or np.ndim(value) > 0 or not math.isnan(float(value))


def kind_of(value: Any) -> str:
    """The letter of an array's type, "" for what is no array."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return kind if isinstance(kind, str) else ""


def _nan(value: Any) -> bool:
    try:
        return math.isnan(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def is_whole(value: Any) -> bool:
    """A whole number, also one that is written 2.0."""
    if not is_number(value) or (np.ndim(value) > 0 if not isinstance(value, numbers.Real) else False):
        return False
    if isinstance(value, numbers.Integral) or is_traced(value):
        return True
    return math.isfinite(float(value)) and float(value) == int(value)


ANYTHING = Accepted("anything", lambda v: True)
_ATOMS: dict[Any, Accepted] = {
    Any: ANYTHING,
    inspect.Parameter.empty: ANYTHING,
    bool: _sure("True or False", lambda v: isinstance(v, bool | np.bool_)),
    int: Accepted("a whole number", lambda v: isinstance(v, numbers.Integral) and not isinstance(v, bool), is_whole, as_int=True),
    float: Accepted("a number", lambda v: is_number(v) and np.ndim(v) == 0, is_number),  # some work on arrays too
    str: _sure("text", lambda v: isinstance(v, str)),
    None: _sure("None", lambda v: v is None),
    np.ndarray: _sure("an array", _listed),
    os.PathLike[str]: _sure("a path", lambda v: isinstance(v, os.PathLike)),
}
_ATOMS[type(None)] = _ATOMS[None]


def said(value: Any, most: int = 60) -> str:
    """A value in a few words for a sentence."""
    try:
        if is_array(value) and value.size > 6:
            return f"(an array of shape {value.shape} and type {value.dtype})"
        if isinstance(value, Mapping | list | tuple | set) and len(value) > 40:
            return f"(a {type(value).__name__} of {len(value):,} entries)"
        if isinstance(value, int) and not -(10**40) < value < 10**40:
            return f"(a whole number of {value.bit_length():,} bits)"
        text = " ".join(repr(value).split())
        if " at 0x" in text:
            return f"({'a function' if callable(value) else f'one {type(value).__name__}'})"
    except Exception:  # whatever somebody's __repr__ does
        text = f"(a {type(value).__name__})"
    return text if len(text) <= most else f"{text[: most - 4]} ..."
