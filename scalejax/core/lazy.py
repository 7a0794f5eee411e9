"""Public namespaces whose names are imported on first use, so that importing scalejax itself costs next to nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from importlib import import_module
from inspect import isfunction
from threading import Thread, current_thread, main_thread
from types import ModuleType
from typing import Any

from .errors import suggest

_WHOLE: set[str] = set()  # modules that were imported to their end


def whole(name: str) -> ModuleType:
    """The module of this name, imported in a thread of its own if it is for the first time.

    Ctrl-C interrupts the main thread only: it ends the wait for the import, never the import itself, which would leave modules that every
    later call fails on.
    """
    if name in _WHOLE or current_thread() is not main_thread():
        return import_module(name)
    done: Future[ModuleType] = Future()

    def work() -> None:
        try:
            done.set_result(import_module(name))
        except BaseException as error:
            done.set_exception(error)

    Thread(target=work, name=f"import {name}").start()
    module = done.result()
    _WHOLE.add(name)
    return module


def namespace(
    package: str, homes: Mapping[str, str], listed: Collection[str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a module: each name of `homes` is imported from its module, relative to scalejax, on first use.

    Functions pass through `edge`. A home without the name in it is public itself. `listed` are the names that `dir` shows, by default all.
    """

    def get(name: str) -> Any:
        if name not in homes:
            public = ".".join(["sj", *package.split(".")[1:][-1:]])
            raise AttributeError(f"{public} has no {name!r}; {suggest(name, homes)}" if name[:1] != "_" else name)
        module = whole(f"scalejax.{homes[name]}")
        value = getattr(module, name, module)
        if isfunction(value):
            whole("scalejax.core.edge.public").edge_all(vars(module), [name])
            value = getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted(homes if listed is None else listed)


def late(home: str, name: str) -> Any:
    """A function of a module above, such as late("reporting.plot", "residuals"), by which a result answers; imported when it is asked."""
    return getattr(whole(f"scalejax.{home}"), name)


def picture(name: str) -> Callable[..., Any]:
    """A function of `sj.plot`, which results draw themselves with; pictures are imported when one is wanted."""
    return late("reporting.plot", name)
