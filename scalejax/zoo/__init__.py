"""The laws, one file per family. Importing this package fills the registry `laws`."""

from __future__ import annotations

from ..core.law import Law
from ..core.registry import laws
from . import pretraining

for _module in (pretraining,):
    for _value in vars(_module).values():
        if isinstance(_value, Law):
            laws.register(_value)

__all__ = ["laws"]
