"""The laws by subject, one file per family. Importing this package fills the registry `laws`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages

from ..core.laws.law import Law
from ..core.laws.registry import laws

for _module in walk_packages(__path__, f"{__name__}."):
    for _value in vars(import_module(_module.name)).values():
        if isinstance(_value, Law):
            laws.register(_value)

__all__ = ["laws"]
