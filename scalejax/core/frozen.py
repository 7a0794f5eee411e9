"""Values by name that nobody can change: what a result says stays what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import jax
import numpy as np

V = TypeVar("V")


class Frozen(dict[str, V]):
    """A dictionary that refuses changes, and whose arrays are read-only. `dict(values, E=1.7)` is a copy that can be changed."""

    def __init__(self, values: Mapping[str, V]) -> None:
        super().__init__({name: read_only(value) for name, value in values.items()})

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("What was found cannot be changed; make a copy with other values, such as dict(fit.params, E=1.7).")

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return (Frozen, (dict(self),))


# To JAX it is what a dictionary is.
jax.tree_util.register_pytree_with_keys(
    Frozen,
    lambda frozen: ([(jax.tree_util.DictKey(name), frozen[name]) for name in sorted(frozen)], tuple(sorted(frozen))),
    lambda names, values: Frozen(dict(zip(names, values, strict=True))),
)


def read_only(value: Any) -> Any:
    """A NumPy array as a view that cannot be written to; anything else as it is."""
    if not isinstance(value, np.ndarray):
        return value
    view = value.view()
    view.setflags(write=False)
    return view
