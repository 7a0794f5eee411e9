"""Priors as arguments of compiled programs: plain arrays in the order of their names.

NumPyro hands the numbers of a distribution over in the order of a set, which differs between processes, and with it the program, which no
other process would then find among those that are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax


@jax.tree_util.register_pytree_node_class
class PriorArguments(dict[str, Any]):
    """Name to NumPyro distribution; to JAX a list of arrays, from which a compiled program builds the distributions anew."""

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        """Distributions in the order of their names."""
        names = tuple(sorted(self))
        return tuple(Numbers(self[name]) for name in names), names

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], parts: tuple[Any, ...]) -> PriorArguments:
        """The inverse."""
        return cls(zip(names, map(_content, parts), strict=True))


@jax.tree_util.register_pytree_node_class
class Numbers:
    """A distribution, or whatever else a distribution is made of, whose numbers have a fixed order."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        """The numbers in the order of their names, and what is no number."""
        from numpyro.distributions import Distribution

        if not isinstance(self.content, Distribution):
            return (self.content,), None
        kind, (parts, others) = type(self.content), self.content.tree_flatten()
        order, other_order = _orders(kind)
        return tuple(Numbers(parts[i]) for i in order), (kind, tuple(others[i] for i in other_order))

    @classmethod
    def tree_unflatten(cls, known: Any, parts: tuple[Any, ...]) -> Numbers:
        """The inverse."""
        if known is None:
            return cls(parts[0])
        kind, others = known
        order, other_order = _orders(kind)
        return cls(kind.tree_unflatten(_placed(other_order, others), _placed(order, map(_content, parts))))


def _placed(order: list[int], values: Iterable[Any]) -> tuple[Any, ...]:
    """The values, each in its place."""
    found = dict(zip(order, values, strict=True))
    return tuple(found[i] for i in range(len(order)))


def _orders(kind: Any) -> tuple[list[int], list[int]]:
    """Places of a distribution's numbers and of its other fields, in the order of their names: NumPyro's own is that of a set."""
    fields = kind.gather_pytree_data_fields(), kind.gather_pytree_aux_fields()
    return sorted(range(len(fields[0])), key=fields[0].__getitem__), sorted(range(len(fields[1])), key=fields[1].__getitem__)


def _content(part: Any) -> Any:
    """What is in `Numbers`; JAX also puts other things into the places of nodes."""
    return part.content if isinstance(part, Numbers) else part
