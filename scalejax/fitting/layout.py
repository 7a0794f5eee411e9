"""How a law's parameters lie in the flat unconstrained vector theta that solvers and samplers move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..core.domains import Domain, Integer, Interval, Positive, confined
from ..core.errors import LawError, suggest
from ..core.law import Law


@dataclass(frozen=True)
class Slot:
    """Place of one free parameter: `free` numbers from `start`, once for every group if `grouped`."""

    name: str
    domain: Domain
    size: int | None  # natural length of a vector parameter, None for a scalar
    start: int
    free: int
    copies: int  # number of groups, 1 if the parameter is shared
    grouped: bool

    @property
    def stop(self) -> int:
        return self.start + self.free * self.copies


@dataclass(frozen=True)
class Layout:
    """Static description of theta; hashable, so that programs compiled for it are found again.

    Attributes:
        slots: the free parameters.
        fixed: names whose values come as data.
        tied: (name, name of the parameter it equals).
        groups: number of groups, 0 without `by`.
    """

    slots: tuple[Slot, ...]
    fixed: tuple[str, ...] = ()
    tied: tuple[tuple[str, str], ...] = ()
    groups: int = 0

    @property
    def size(self) -> int:
        """Length of theta."""
        return self.slots[-1].stop if self.slots else 0

    @property
    def grouped(self) -> frozenset[str]:
        """Names of the parameters that have one value a group."""
        own = {slot.name for slot in self.slots if slot.grouped}
        return frozenset(own | {name for name, other in self.tied if other in own})

    def forward(self, theta: Any, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Natural parameters from theta, an array or tuple of `size` entries: scalars, vectors (k,), or with a leading group axis."""
        params = dict(fixed)
        for slot in self.slots:
            place = theta[slot.start : slot.stop]
            # A tuple of entries has a derivative along each that costs only what depends on it.
            place = jnp.stack(place) if isinstance(place, tuple) and len(place) > 1 else jnp.asarray(place).reshape(-1)
            if slot.size is None:
                values = slot.domain.forward(place)
            else:
                values = jax.vmap(slot.domain.forward)(place.reshape(slot.copies, slot.free))
            params[slot.name] = values if slot.grouped else values[0]
        params.update({name: params[other] for name, other in self.tied})
        return params

    def inverse(self, params: Mapping[str, Any]) -> np.ndarray:
        """theta from natural parameters (float64 NumPy); shared values are repeated where a group axis is expected."""
        parts = []
        for slot in self.slots:
            value = np.asarray(params[slot.name], dtype=np.float64)
            shape = () if slot.size is None else (slot.size,)
            rows = np.broadcast_to(value, (slot.copies, *shape)) if value.shape != (slot.copies, *shape) else value
            parts += [np.asarray(slot.domain.inverse(row)).reshape(-1) for row in rows]
        return np.concatenate(parts) if parts else np.zeros(0)

    @property
    def labels(self) -> list[str]:
        """A name for every entry of theta, such as "E", "A[2]" for a vector or group entry."""
        names = []
        for slot in self.slots:
            count = slot.free * slot.copies
            names += [slot.name] if count == 1 and not slot.grouped else [f"{slot.name}[{i}]" for i in range(count)]
        return names


def one_group(layout: Layout) -> Layout:
    """The layout as one group sees it: its own copy of every grouped parameter beside the shared ones."""
    slots: list[Slot] = []
    for slot in layout.slots:
        slots.append(replace(slot, start=slots[-1].stop if slots else 0, copies=1, grouped=False))
    return replace(layout, slots=tuple(slots), groups=0)


def make_layout(
    law: Law,
    *,
    fix: Mapping[str, Any],
    tie: Mapping[str, str],
    bounds: Mapping[str, tuple[float, float]],
    sizes: Mapping[str, int],
    groups: int,
    share: frozenset[str],
) -> Layout:
    """Layout of a law's free parameters; checks the names that the caller gave.

    Raises:
        LawError: if a name is no parameter, or a request contradicts the law's domains.
    """
    for where, names in (
        ("fix", fix),
        ("tie", {**tie, **dict.fromkeys(tie.values())}),
        ("bounds", bounds),
        ("share", share),
    ):
        for name in names:
            if name not in law.parameters:
                raise LawError(f"{where} names {name!r}, which is no parameter of {law.name!r}; {suggest(name, law.parameters)}")
    for name, value in fix.items():
        try:
            inside = np.all(law.domains[name].contains(value))
        except (TypeError, ValueError):
            inside = False
        if not inside:
            raise LawError(f"fix={{{name!r}: {value!r}}} is not possible: {name!r} of {law.name!r} is {law.domains[name].support}.")
    slots, start = [], 0
    for name in law.parameters:
        if name in fix or name in tie:
            if name in tie and (tie[name] in tie or name in fix):
                raise LawError(f"tie={{{name!r}: {tie[name]!r}}} is circular or contradicts fix; tie to a free parameter.")
            continue
        domain = _confined(law, name, *bounds[name]) if name in bounds else law.domains[name]
        if isinstance(domain, Integer):
            raise LawError(f"{name!r} of {law.name!r} is a whole number and cannot be fitted; pass fix={{{name!r}: value}}.")
        size = sizes.get(domain.axis) if domain.axis else None
        if domain.axis and size is None:
            raise LawError(f"The length of {name!r} (axis {domain.axis!r}) follows from no column; pass sizes={{{domain.axis!r}: k}}.")
        grouped = groups > 0 and name not in share
        copies = groups if grouped else 1
        slots.append(Slot(name, domain, size, start, 1 if size is None else domain.free(size), copies, grouped))
        start = slots[-1].stop
    return Layout(tuple(slots), tuple(fix), tuple(tie.items()), groups)


def _confined(law: Law, name: str, low: float, high: float) -> Domain:
    """The domain of a parameter within bounds, which must lie in its support."""
    domain = law.domains[name]
    first, last = (0.0 if isinstance(domain, Positive) else -np.inf), np.inf
    if isinstance(domain, Interval):
        first, last = domain.low, domain.high
    if low < first or high > last:
        raise LawError(
            f"bounds={{{name!r}: ({low:g}, {high:g})}} leave what {name!r} of {law.name!r} can be, {domain.support}; give bounds inside."
        )
    return confined(domain, low, high)
