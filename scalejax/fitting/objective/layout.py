"""How a law's parameters lie in the flat unconstrained vector theta that solvers and samplers move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import LawError, suggest
from ...core.laws.domains import Domain, Integer, Interval, Positive, confined
from ...core.laws.law import Law


@dataclass(frozen=True)
class Slot:
    """Place of one free parameter: `free` numbers from `start`, once for every group of its axis whose value is not anchored."""

    name: str
    domain: Domain
    size: int | None  # natural length of a vector parameter, None for a scalar
    start: int
    free: int
    copies: int = 1  # number of groups less those that are anchored, 1 if the parameter is shared
    axis: int | None = None  # which of the columns of groups it differs along, None if it is shared
    anchored: tuple[int, ...] = ()  # groups whose values come as data

    @property
    def form(self) -> tuple[Any, ...]:
        """What compiled programs depend on: the place and the transform, not the plausible range."""
        return (self.name, self.domain.transform, self.size, self.start, self.free, self.copies, self.axis, self.anchored)

    @property
    def stop(self) -> int:
        return self.start + self.free * self.copies

    @property
    def grouped(self) -> bool:
        """Does it differ between groups?"""
        return self.axis is not None

    @property
    def groups(self) -> int:
        """How many groups it has a value in, 1 if it is shared."""
        return self.copies + len(self.anchored)

    @property
    def members(self) -> np.ndarray:
        """(copies,) the group of every copy."""
        return np.setdiff1d(np.arange(self.groups), self.anchored)

    def among(self, values: Any, held: Any, axis: int = 0) -> Any:
        """Values of all groups along `axis`, from those of the copies and, where groups are anchored, `held` with those of all groups."""
        if not self.anchored:
            return values
        lead: tuple[Any, ...] = (slice(None),) * axis
        shape = (*values.shape[:axis], self.groups, *values.shape[axis + 1 :])
        if isinstance(values, jax.Array):
            return jnp.broadcast_to(held, shape).at[(*lead, self.members)].set(values)
        whole: Any = np.array(np.broadcast_to(held, shape))
        whole[(*lead, self.members)] = values
        return whole


@dataclass(frozen=True)
class Layout:
    """Static description of theta; hashable, so that programs compiled for it are found again.

    Attributes:
        slots: the free parameters.
        fixed: names whose values come as data.
        tied: (name, name of the parameter it equals).
        groups: number of groups of every column, () without groups.
    """

    slots: tuple[Slot, ...]
    fixed: tuple[str, ...] = ()
    tied: tuple[tuple[str, str], ...] = ()
    groups: tuple[int, ...] = ()

    @cached_property
    def form(self) -> tuple[Any, ...]:
        """What compiled programs depend on, see `Slot.form`."""
        return (tuple(slot.form for slot in self.slots), self.fixed, self.tied, self.groups)

    @property
    def size(self) -> int:
        """Length of theta."""
        return self.slots[-1].stop if self.slots else 0

    @property
    def extended(self) -> int:
        """Length of theta with the anchored values behind it, see `with_anchors`."""
        return self.size + sum(slot.free * len(slot.anchored) for slot in self.slots)

    @property
    def simple(self) -> bool:
        """Is there one column of groups at most, and nothing anchored?"""
        return len(self.groups) <= 1 and not any(slot.anchored for slot in self.slots)

    @property
    def main(self) -> int:
        """The column with the most groups."""
        return int(np.argmax(self.groups)) if self.groups else 0

    @property
    def axes(self) -> dict[str, int]:
        """Along which column every parameter differs, of those that have one value a group."""
        own = {slot.name: slot.axis for slot in self.slots if slot.axis is not None}
        return own | {name: own[other] for name, other in self.tied if other in own}

    @property
    def above_zero(self) -> frozenset[str]:
        """Names of the parameters all of whose values are positive; those that come as data may be 0."""
        own = {slot.name for slot in self.slots if slot.domain.above_zero and not slot.anchored}
        return frozenset(own | {name for name, other in self.tied if other in own})

    @property
    def grouped(self) -> frozenset[str]:
        """Names of the parameters that have one value a group."""
        return frozenset(self.axes)

    def values(self, theta: Any) -> dict[str, Any]:
        """Natural values of the slots from theta, an array or tuple of `size` entries: scalars, vectors (k,), or with a leading axis of
        copies."""
        found = {}
        for slot in self.slots:
            place = theta[slot.start : slot.stop]
            # A tuple of entries has a derivative along each that costs only what depends on it.
            place = jnp.stack(place) if isinstance(place, tuple) and len(place) > 1 else jnp.asarray(place).reshape(-1)
            if slot.size is None:
                values = slot.domain.forward(place)
            else:
                values = jax.vmap(slot.domain.forward)(place.reshape(slot.copies, slot.free))
            found[slot.name] = values if slot.grouped else values[0]
        return found

    def forward(self, theta: Any, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Natural parameters from theta, as `values`, with all groups along the leading axis; `fixed` holds the anchored values, too."""
        return self.complete(self.values(theta), fixed)

    def natural(self, theta: np.ndarray, fixed: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """`forward` of many theta (members, size), in NumPy: every parameter with a leading member axis."""
        members = len(theta)
        params = {name: np.broadcast_to(value, (members, *np.shape(value))) for name, value in fixed.items()}
        for slot in self.slots:
            place = theta[:, slot.start : slot.stop].reshape(members, slot.copies, slot.free)
            values = np.moveaxis(np.asarray(slot.domain.forward(np.moveaxis(place, -1, 0))), 0, -1)
            values = values if slot.size is not None else values[..., 0]
            params[slot.name] = slot.among(values, fixed.get(slot.name), axis=1) if slot.grouped else values[:, 0]
        return params | {name: params[other] for name, other in self.tied}

    def complete(self, values: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters of the law from the natural values of the slots, which may lie among others."""
        params = dict(fixed)
        for slot in self.slots:
            params[slot.name] = slot.among(values[slot.name], fixed.get(slot.name))
        return params | {name: params[other] for name, other in self.tied}

    def inverse(self, params: Mapping[str, Any]) -> np.ndarray:
        """theta from natural parameters (float64 NumPy); shared values are repeated where a group axis is expected."""
        parts = []
        for slot in self.slots:
            value = np.asarray(params[slot.name], dtype=np.float64)
            shape = () if slot.size is None else (slot.size,)
            rows = np.broadcast_to(value, (slot.groups, *shape)) if value.shape != (slot.groups, *shape) else value
            parts += [np.asarray(slot.domain.inverse(row)).reshape(-1) for row in rows[slot.members]]
        return np.concatenate(parts) if parts else np.zeros(0)

    def with_anchors(self, theta: Any, fixed: Mapping[str, Any]) -> Any:
        """theta (size, ...) with the unconstrained anchored values behind it, (extended, ...)."""
        if self.extended == self.size:
            return theta
        held = [
            jax.vmap(slot.domain.inverse)(jnp.asarray(fixed[slot.name])[np.asarray(slot.anchored)]).reshape(-1)
            for slot in self.slots
            if slot.anchored
        ]
        anchors = jnp.concatenate(held).reshape(-1, *[1] * (theta.ndim - 1))
        return jnp.concatenate([theta, jnp.broadcast_to(anchors, (len(anchors), *theta.shape[1:]))])

    @cached_property
    def labels(self) -> list[str]:
        """A name for every entry of theta, such as "E", "A[2]" for a vector or group entry."""
        names = []
        for slot in self.slots:
            if slot.free * slot.copies == 1 and not slot.grouped:
                names.append(slot.name)
            else:
                names += [f"{slot.name}[{group * slot.free + k}]" for group in slot.members for k in range(slot.free)]
        return names


def one_group(layout: Layout) -> Layout:
    """The layout as one row sees it: its groups' copy of every grouped parameter beside the shared ones."""
    slots: list[Slot] = []
    for slot in layout.slots:
        slots.append(replace(slot, start=slots[-1].stop if slots else 0, copies=1, axis=None, anchored=()))
    return replace(layout, slots=tuple(slots), groups=())


def make_layout(
    law: Law,
    *,
    fix: Mapping[str, Any],
    tie: Mapping[str, str],
    bounds: Mapping[str, tuple[float, float]],
    sizes: Mapping[str, int],
    groups: tuple[int, ...] = (),
    axes: Mapping[str, int] | None = None,
    share: frozenset[str] = frozenset(),
    anchors: Mapping[str, tuple[int, ...]] | None = None,
) -> Layout:
    """Layout of a law's free parameters; checks the names that the caller gave.

    Args:
        groups: number of groups of every column. axes: along which column every parameter differs; those not named are shared.
        anchors: groups whose values are fixed, by parameter.

    Raises:
        LawError: if a name is not a parameter, or a request contradicts the law's domains.
    """
    for where, names in (
        ("fix", fix),
        ("tie", {**tie, **dict.fromkeys(tie.values())}),
        ("bounds", bounds),
        ("share", share),
    ):
        for name in names:
            if name not in law.parameters:
                raise LawError(f"{where} names {name!r}, which is not a parameter of {law.name!r}; {suggest(name, law.parameters)}")
    for name, value in fix.items():
        try:
            inside = bool(np.all(law.domains[name].contains(value)))
        except (TypeError, ValueError):
            inside = False
        if not inside:
            raise LawError(f"fix={{{name!r}: {value!r}}} is not possible: {name!r} of {law.name!r} is {law.domains[name].support}.")
        if np.ndim(value) and not law.domains[name].axis:
            raise LawError(f"fix={{{name!r}: {np.asarray(value).tolist()!r}}} is not possible: {name!r} of {law.name!r} is one number.")
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
        axis = (axes or {}).get(name)
        anchored = (anchors or {}).get(name, ())
        copies = 1 if axis is None else groups[axis] - len(anchored)
        if copies == 0:
            raise LawError(f"fix={{{name!r}: ...}} holds the value of {name!r} in every group; leave one of them free.")
        slots.append(
            Slot(
                name=name,
                domain=domain,
                size=size,
                start=start,
                free=1 if size is None else domain.free(size),
                copies=copies,
                axis=axis,
                anchored=anchored,
            )
        )
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
