"""The laws, one file per family. Importing this package fills the registry `laws`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..core.law import Law
from ..core.registry import laws

for _module in iter_modules(__path__):
    for _value in vars(import_module(f"{__name__}.{_module.name}")).values():
        if isinstance(_value, Law):
            laws.register(_value)

__all__ = ["laws"]
