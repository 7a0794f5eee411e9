"""A fit as a compiled solver sees it: static specification, data arrays, residuals and normal equations.

Layout: members of a batch (starts, replicates, data sets) lie along the LAST axis, so that every operation is a long vector operation
over members. The law is written for one run; two `vmap`s make it (rows, members).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ...core.errors import LawError
from ...core.laws.law import Law
from ...core.numeric.batching import UNROLLED
from ...core.numeric.logarithms import powers_in_logs
from ...core.numeric.programs import compiled
from .layout import Layout
from .losses import Loss, LossArgument
from .penalty import ranges

_MANY = 64  # from here on derivatives are pushed by one program, not by one an entry


@dataclass(frozen=True, eq=False)
class Spec:
    """All that a compiled program depends on, but for shapes; hashable.

    Specs are equal if their programs are: the numbers of the loss and plausible ranges are arguments, which `arguments` adds to the data.
    Inside a program they are to be had from there alone.
    """

    law: Law
    layout: Layout
    loss: Loss
    on: str  # "log" or "linear"
    prior: bool = False  # is there a penalty from the plausible ranges? See `penalty`

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        return (self.law, self.layout.form, jax.tree.structure(LossArgument(self.loss)), self.on, self.prior)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


class Data(NamedTuple):
    """Arrays of a fit. Inputs and target may have a trailing member axis; weights always have one.

    Attributes:
        inputs: one array an input, (rows, ...) or (rows, ..., members).
        target: (rows,), (rows, T) or with members; already a logarithm if the fit is on logs.
        weight: (rows * T, members).
        group: (rows, columns) index of each row's group in every column of groups, one column of zeros without.
        fixed: values of fixed parameters; of anchored ones those of all groups.
        penalty_weight: (members,) weights of the penalty.
        own: values of fixed parameters that every member has of its own, (..., members).
        robust, plausible: the loss and, with a penalty, the plausible ranges; see `arguments`.
    """

    inputs: tuple[Any, ...]
    target: Any
    weight: Any
    group: Any
    fixed: dict[str, Any]
    penalty_weight: Any
    own: dict[str, Any] = {}  # noqa: RUF012 (nobody writes to it)
    robust: LossArgument | None = None
    plausible: Any = None

    @property
    def loss(self) -> Loss:
        """The loss of the fit, see `arguments`."""
        assert self.robust is not None
        return self.robust.loss


def data_axes(batched: tuple[bool, ...]) -> Data:
    """Which arrays of `Data` have a member axis, for `over_devices`."""
    return Data._make((tuple(-1 if b else None for b in batched[:-1]), -1 if batched[-1] else None, -1, None, None, -1, -1, None, None))


def arguments(spec: Spec, data: Data) -> Data:
    """The data with the numbers of the spec that are no part of programs."""
    return data._replace(robust=LossArgument(spec.loss), plausible=ranges(spec.layout) if spec.prior else None)


def residuals(spec: Spec, batched: tuple[bool, ...], theta: Any, data: Data) -> Any:
    """Residuals, observed minus predicted, (rows * T, members) at theta, an array (size, members) or a tuple of (members,) arrays.

    `batched` says which of (*inputs, target) have a member axis.
    """
    axes = tuple(-1 if b else None for b in batched)

    def member(vector, inputs, target, own):
        return _residuals_of_one(spec, vector, inputs, target, data, own)

    return jax.vmap(member, in_axes=(-1, axes[:-1], axes[-1], -1), out_axes=-1)(theta, data.inputs, data.target, data.own)


@compiled(0, 1, once=True)
def residuals_at(spec: Spec, batched: tuple[bool, ...], theta: Any, data: Data) -> Any:
    """`residuals` where no program is made of them."""
    return residuals(spec, batched, theta, data)


def predictions(spec: Spec, vector: Any, inputs: tuple[Any, ...], group: Any, fixed: dict[str, Any]) -> Any:
    """The law for one theta at every row: (rows,) or (rows, T)."""
    return at_params(spec, spec.layout.forward(vector, fixed), inputs, group)


def at_params(spec: Spec, params: dict[str, Any], inputs: tuple[Any, ...], group: Any) -> Any:
    """The law at natural parameters, those of `layout.grouped` with a leading group axis, at every row."""
    along = spec.layout.axes
    params = {name: value[group[:, along[name]]] if name in along else value for name, value in params.items()}
    axes = {name: 0 if name in along else None for name in params}
    law, held = spec.law, dict(spec.law.bound)
    unnamed = (False,) * (len(inputs) - len(law.inputs))  # what profiles hold, and where
    positive = law.positive_inputs + unnamed, {name: name in spec.layout.above_zero for name in params}

    def one_run(xs, ps):
        return powers_in_logs(lambda xs, ps: law.function(*xs, **ps, **held), (xs, ps), positive)

    return jax.vmap(one_run, in_axes=(0, axes))(inputs, params)


def _residuals_of_one(spec: Spec, vector: Any, inputs: Any, target: Any, data: Data, own: dict[str, Any]) -> Any:
    predicted = predictions(spec, vector, inputs, data.group, data.fixed | own)
    if predicted.shape != target.shape:
        raise LawError(
            f"Law {spec.law.name!r} has {_per_run(predicted)} where its column {spec.law.output!r} has {_per_run(target)}; a law is "
            "written for one run and returns what that run showed."
        )
    return (target - (jnp.log(predicted) if spec.on == "log" else predicted)).reshape(-1)


def _per_run(values: Any) -> str:
    return f"values of shape {values.shape[1:]} a run" if values.ndim > 1 else "one value a run"


def jacobian(spec: Spec, batched: tuple[bool, ...], theta: Any, data: Data) -> tuple[Any, list[Any]]:
    """Residuals and their derivatives along every entry of theta, each (rows * T, members).

    Linearised once and pushed along every unit vector: what the columns share is computed once. Half the time of one `jvp` an entry.
    """
    entries = tuple(theta)
    r, push = jax.linearize(lambda *moved: residuals(spec, batched, moved, data), *entries)
    if len(entries) > _MANY:
        return r, list(jax.vmap(lambda unit: push(*unit))(jnp.eye(len(entries))[..., None] * jnp.ones_like(entries[0])))
    zero, one = jnp.zeros_like(entries[0]), jnp.ones_like(entries[0])
    return r, [push(*(one if i == j else zero for i in range(len(entries)))) for j in range(len(entries))]


def normal_equations(columns: list[Any], slope: Any, weight: Any, others: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    """Gradient (size, members), matrix (size, size, members) from residual slopes and row weights, and the sums of `others` over rows."""
    if len(columns) > UNROLLED:
        stacked = jnp.stack(columns)
        gradient, matrix = jnp.einsum("irb,rb->ib", stacked, slope), jnp.einsum("irb,rb,jrb->ijb", stacked, weight, stacked)
        return gradient, matrix, *(jnp.sum(other, axis=0) for other in others)
    size = len(columns)
    pairs = [(i, j) for i in range(size) for j in range(i + 1)]
    products = [slope * c for c in columns] + [weight * columns[i] * columns[j] for i, j in pairs] + list(others)
    sums = column_sums(products)
    upper = dict(zip(pairs, sums[size:], strict=False))
    matrix = jnp.stack([jnp.stack([upper[max(i, j), min(i, j)] for j in range(size)]) for i in range(size)])
    return jnp.stack(sums[:size]), matrix, *sums[size + len(pairs) :]


def column_sums(arrays: list[Any]) -> tuple[Any, ...]:
    """Sums over the first axis in one pass: less than half the time of one `jnp.sum` after the other, which the compiler runs apart."""
    zeros = tuple(jnp.zeros((), a.dtype) for a in arrays)
    return tuple(jax.lax.reduce(tuple(arrays), zeros, lambda a, b: tuple(x + y for x, y in zip(a, b, strict=True)), (0,)))
