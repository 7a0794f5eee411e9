"""Public namespaces whose names are imported on first use, so that importing scalejax itself costs next to nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from inspect import isfunction
from typing import Any

from .errors import suggest


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
        module = import_module(f"scalejax.{homes[name]}")
        value = getattr(module, name, module)
        if isfunction(value):
            from .edge import edge_all  # with NumPy, which importing the package does without

            edge_all(vars(module), [name])
            value = getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted(homes if listed is None else listed)


def picture(name: str) -> Callable[..., Any]:
    """A function of `sj.plot`, which results draw themselves with; pictures are imported when one is wanted."""
    return getattr(import_module("scalejax.reporting.plot"), name)
