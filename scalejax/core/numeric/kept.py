"""What is made once for a law, its compiled programs above all: it goes when the law goes, and there is never more than so much of it.

It hangs on the law's own function, so that nothing but the law keeps it. Of what belongs to no law, and of all together, the least recently
used goes when there is too much.
"""

from __future__ import annotations

import functools
import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from inspect import unwrap
from threading import RLock
from types import FunctionType
from typing import Any, ParamSpec, TypeVar
from weakref import ref

P = ParamSpec("P")
R = TypeVar("R")

_MOST = 400  # compiled programs, of a megabyte each or two
_THINGS = 4000  # with the small things, such as a law's function of points in a decision
_NAME = "_scalejax_kept"
_LOCK = RLock()


class _Store(dict[Hashable, "Kept"]):
    """What one function keeps alive."""


class Kept:
    """Something that was made: its value, and how many programs were compiled for it."""

    def __init__(self, store: _Store, key: Hashable) -> None:
        self.value: Any = None
        self.programs = 0
        self.store, self.key = ref(store), key

    def grow(self) -> None:
        """Count one more program, and let go of the oldest if there are too many."""
        with _LOCK:
            self.programs += 1
            _shrink()

    def drop(self) -> None:
        """Let go of it; whoever uses it at the moment still has it."""
        store = self.store()
        if store is not None and store.get(self.key) is self:
            del store[self.key]
        _RECENT.pop(id(self), None)
        self.value = None


_RECENT: OrderedDict[int, ref[Kept]] = OrderedDict()  # by last use
_LAWLESS = _Store()


def kept(maker: Callable[..., Any], arguments: tuple[Any, ...], make: Callable[[Kept], R]) -> R:
    """What `make` gives, once for a maker and equal arguments; it lives as long as the laws among these."""
    store = _store(arguments)
    key = (maker, arguments)
    with _LOCK:
        found = store.get(key)
        if found is None:
            found = Kept(store, key)
            found.value = make(found)
            store[key] = found
        _RECENT.pop(id(found), None)
        _RECENT[id(found)] = ref(found)
        value = found.value
        if len(_RECENT) > _THINGS:
            _shrink()
        return value


def remembered(function: Callable[P, R]) -> Callable[P, R]:
    """As `functools.cache`, for what is made of laws: it does not keep them alive."""

    @functools.wraps(function)
    def once(*arguments: P.args, **named: P.kwargs) -> R:
        return kept(function, (arguments, tuple(named.items())), lambda _: function(*arguments, **named))

    return once


def clear() -> None:
    """Forget all compiled programs, and give their memory back; the next fit compiles its own anew, or finds them on disk.

    Nothing needs it: programs of laws that are gone go by themselves, and of all others there are never more than some hundred.

    Example:
        >>> import scalejax as sj
        >>> sj.clear()
    """
    with _LOCK:
        for found in _all():
            found.drop()
    gc.collect()


def _all() -> list[Kept]:
    """Everything that is there, the least recently used first."""
    there = []
    for place, known in list(_RECENT.items()):
        found = known()
        if found is None:  # its law is gone
            del _RECENT[place]
        else:
            there.append(found)
    return there


def _shrink() -> None:
    things = _all()
    programs, count = sum(found.programs for found in things), len(things)
    for found in things[:-1]:  # but for the one in use
        if programs <= _MOST and count <= _THINGS:
            break
        programs, count = programs - found.programs, count - 1
        found.drop()


def _store(arguments: tuple[Any, ...]) -> _Store:
    """The store of the law that the arguments are about: one of the user's rather than one of ours, which stay."""
    functions = list(_functions(arguments))
    if not functions:
        return _LAWLESS
    return vars(next(filter(_passing, functions), functions[0])).setdefault(_NAME, _Store())


def _functions(value: Any) -> Iterator[FunctionType]:
    """Python functions among arguments, those of laws first of all."""
    if isinstance(value, tuple):
        for part in value:
            yield from _functions(part)
    elif isinstance(value, FunctionType):
        inner = unwrap(value)
        yield inner if isinstance(inner, FunctionType) else value
    elif isinstance(value, partial):
        yield from _functions(value.func)
    else:
        for name in ("function", "law", "spec"):
            part = getattr(value, name, None)
            if part is not None:
                yield from _functions(part)
                break


def _passing(function: FunctionType) -> bool:
    """May it be gone before the process ends?"""
    return "<locals>" in function.__qualname__ or (function.__module__ or "").partition(".")[0] != "scalejax"
