"""The linear systems of Levenberg-Marquardt: normal equations of every member, their diagonal, and the damped step.

Rows may lie in one column, (rows, members), or in blocks of one group each, (rows, blocks, members). Blocks serve joint fits of many groups
and fits of many rows. The matrix of a joint fit is an arrow: parameters of one group meet those of another only through the shared ones,

        | A    B_1  B_2 ... |
    M = | B_1' C_1          |,    step:  (A - sum_g B_g C_g^-1 B_g') x = a - sum_g B_g C_g^-1 b_g,    y_g = C_g^-1 (b_g - B_g' x),
        | B_2'      C_2     |

so that a step costs as much as the groups together, not as their number cubed. Where columns of groups cross, the one with the most groups
gives the C_g, and the parameters of all others lie in A beside the shared ones. A row meets one copy of each only: its derivatives are
taken along these few, and what they contribute is added where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...core.numeric.linear import solve_damped
from ..objective.layout import Layout, one_group
from ..objective.losses import Loss
from ..objective.penalty import penalty
from ..objective.problem import Data, Spec, jacobian, normal_equations, residuals

_PIECE = 2**12  # residuals of all members evaluated at once
_LANES = 128  # blocks evaluated at once: their intermediate results stay in the cache;
_HEIGHT = 8  # more of them where they have fewer rows


class Arrow(NamedTuple):
    """Normal matrix of a joint fit: shared (s, s, members), mixed (s, q, groups, members) and own (q, q, groups, members) entries."""

    shared: Any
    mixed: Any
    own: Any


def evaluate(spec: Spec, batched: tuple[bool, ...], data: Data, theta: Any, width: Any, safe: Any) -> tuple[Any, Any, Any, Any]:
    """Objective, gradient, matrix and its total weight, of every member; infinite objective where anything is not finite.

    Args:
        theta: (size, members). width, safe: (members,) or numbers, the mixture of curvatures described in `lm`.
    """
    parts = _in_blocks if data.weight.ndim == 3 else _in_pieces
    value, gradient, matrix, bend = parts(spec, batched, data, theta, width, safe)
    if spec.prior:
        assert data.plausible is not None
        more, slope, curved = penalty(data.plausible, data.penalty_weight, theta)
        value, gradient, matrix = value + more, gradient + slope, _with_diagonal(spec, matrix, curved)
    finite = jnp.isfinite(value)
    for leaf in (gradient, *jax.tree.leaves(matrix)):
        finite &= jnp.all(jnp.isfinite(leaf), axis=tuple(range(leaf.ndim - 1)))
    return jnp.where(finite, value, jnp.inf), gradient, matrix, bend


def objective(spec: Spec, batched: tuple[bool, ...], data: Data, theta: Any) -> Any:
    """Weighted sum of losses and the penalty, (members,)."""
    more = penalty(data.plausible, data.penalty_weight, theta)[0] if spec.prior and data.plausible is not None else 0.0
    if data.weight.ndim == 2:
        return jnp.sum(data.weight * data.loss.rho(residuals(spec, batched, theta, data)), axis=0) + more
    return jnp.sum(_over_blocks(spec, batched, data, theta, (), lambda *block: (objective(*block),))[0], axis=0) + more


def _in_column(spec: Spec, batched: tuple[bool, ...], data: Data, theta: Any, width: Any, safe: Any) -> tuple[Any, Any, Any, Any]:
    return weighed(data.loss, data.weight, *jacobian(spec, batched, theta, data), width, safe)


def _in_pieces(spec: Spec, batched: tuple[bool, ...], data: Data, theta: Any, width: Any, safe: Any) -> tuple[Any, Any, Any, Any]:
    """A column piece by piece on a CPU, to the last row with a weight: short tables are padded to hundreds of rows to share a program."""
    rows, steps = data.group.shape[0], data.weight.shape[0] // data.group.shape[0]
    height = max(_PIECE // (theta.shape[-1] * steps), 1)  # runs
    if jax.default_backend() != "cpu" or rows <= height or rows % height:
        return _in_column(spec, batched, data, theta, width, safe)
    pieces = rows // height

    def piece(i: Any) -> tuple[Any, Any, Any, Any]:
        def cut(array: Any, height: int = height) -> Any:
            return jax.lax.dynamic_slice_in_dim(array, i * height, height)

        weight = cut(data.weight, height * steps)
        inputs = tuple(map(cut, data.inputs))
        part = data._replace(inputs=inputs, target=cut(data.target), weight=weight, group=cut(data.group))
        return _in_column(spec, batched, part, theta, width, safe)

    used = jnp.any(data.weight.reshape(pieces, -1) > 0, axis=1)
    count = jnp.max(jnp.where(used, jnp.arange(1, pieces + 1), 0))
    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(piece, 0))
    return jax.lax.fori_loop(0, count, lambda i, total: jax.tree.map(jnp.add, total, piece(i)), zeros)


def weighed(loss: Loss, row_weight: Any, r: Any, columns: list[Any], width: Any, safe: Any) -> tuple[Any, Any, Any, Any]:
    """What `evaluate` returns, from residuals and their derivatives."""
    weight = row_weight * jnp.maximum(loss.majorizer(r) * safe + loss.mean_curvature(r, width) * (1 - safe), 0.0)
    gradient, matrix, value, bend = normal_equations(columns, row_weight * loss.psi(r), weight, (row_weight * loss.rho(r), weight))
    return value, gradient, matrix, bend


def _in_blocks(spec: Spec, batched: tuple[bool, ...], data: Data, theta: Any, width: Any, safe: Any) -> tuple[Any, Any, Any, Any]:
    layout = spec.layout
    extras = tuple(jnp.broadcast_to(x, theta.shape[-1:]) for x in (width, safe))
    value, gradient, matrix, bend = _over_blocks(spec, batched, data, theta, extras, _in_column)
    if not layout.simple:
        total = jnp.zeros((layout.extended, theta.shape[-1])).at[places(layout, data.group)].add(gradient)[: layout.size]
        return jnp.sum(value, axis=0), total, _crossed(layout, data.group, matrix), jnp.sum(bend, axis=0)
    shared, own = _local_parts(layout)
    total = jnp.zeros_like(theta).at[_every_group(layout)].add(gradient)
    arrow = Arrow(jnp.sum(matrix[shared[:, None], shared], axis=-2), matrix[shared[:, None], own], matrix[own[:, None], own])
    return jnp.sum(value, axis=0), total, arrow, jnp.sum(bend, axis=0)


def _crossed(layout: Layout, group: Any, matrix: Any) -> Arrow:
    """The arrow from the matrices of all blocks (local size, local size, blocks, members), each along the parameters that act there."""
    (border, own), (a, b) = _arrow_entries(layout), _local_parts(layout)
    size, members, groups, main = len(border), matrix.shape[-1], _count(layout), group[:, layout.main]
    rank = np.full(layout.extended, size)  # of every entry in the border; what lies outside is added to a last place and left out
    rank[border] = np.arange(size)
    at = jnp.asarray(rank)[places(layout, group)[a]]  # (entries, blocks)
    shared = jnp.zeros((size + 1, size + 1, members)).at[at[:, None], at].add(matrix[a[:, None], a])
    mixed = jnp.zeros((size + 1, len(b), groups, members)).at[at[:, None], np.arange(len(b))[:, None], main].add(matrix[a[:, None], b])
    each = jax.ops.segment_sum(jnp.moveaxis(matrix[b[:, None], b], -2, 0), main, groups)
    # An anchored value is not an unknown: it is cut off from the others, and the identity keeps its group's matrix regular.
    free = own < layout.size
    both = free[:, None] & free
    each = jnp.where(both[..., None], jnp.moveaxis(each, 0, -2), np.eye(len(b))[..., None, None] * ~both[..., None])
    return Arrow(shared[:size, :size], mixed[:size] * free[..., None], each)


def _over_blocks(
    spec: Spec, batched: tuple[bool, ...], data: Data, theta: Any, extras: tuple[Any, ...], column: Callable[..., tuple[Any, ...]]
) -> tuple[Any, ...]:
    """`column` of every block, as if it were a member of a batch with its groups' parameters.

    Returns arrays (..., groups, members), summed over the blocks of every group; (..., blocks, members) where columns cross or values are
    anchored.
    """
    layout, members = spec.layout, theta.shape[-1]
    local = Spec(spec.law, one_group(layout), spec.loss, spec.on)
    if layout.simple:
        place = theta[_every_group(layout)][:, data.group[:, 0]]  # (local size, blocks, members)
    else:
        place = layout.with_anchors(theta, data.fixed)[places(layout, data.group)]
    rows = data.weight.shape[0]
    blocks, lanes = place.shape[1], max(1, _LANES * max(1, _HEIGHT // rows) // members)

    def flat(array: Any, has_members: bool) -> Any:
        """(..., blocks, members) in one axis; arrays that are the same for all members are repeated."""
        array = array if has_members else jnp.repeat(array[..., None], members, axis=-1)
        return array.reshape(*array.shape[:-2], -1)

    def some(parts: Sequence[Any]) -> tuple[Any, ...]:
        *inputs, target, weight, place = (flat(a, b) for a, b in zip(parts, (*batched, True, True), strict=True))
        inner = data._replace(inputs=tuple(inputs), target=target, weight=weight, group=jnp.zeros((target.shape[0], 1), int), own={})
        count = place.shape[1] // members
        out = column(local, (True,) * len(batched), inner, place, *(jnp.tile(x, count) for x in extras))
        return tuple(a.reshape(*a.shape[:-1], count, members) for a in out)

    parts = (*data.inputs, data.target, data.weight, place)
    axes = [a.ndim - (2 if b else 1) for a, b in zip(parts, (*batched, True, True), strict=True)]
    if blocks <= lanes:
        out = some(parts)
    else:
        whole = -(-blocks // lanes) * lanes
        pieces = [_split(a, axis, whole, lanes) for a, axis in zip(parts, axes, strict=True)]
        out = jax.lax.map(lambda piece: some([jnp.moveaxis(p, 0, axis) for p, axis in zip(piece, axes, strict=True)]), pieces)
        out = tuple(jnp.moveaxis(a, 0, -3).reshape(*a.shape[1:-2], whole, members)[..., :blocks, :] for a in out)
    if not layout.simple:
        return out
    return tuple(jnp.moveaxis(jax.ops.segment_sum(jnp.moveaxis(a, -2, 0), data.group[:, 0], _count(layout)), 0, -2) for a in out)


def _split(array: Any, axis: int, whole: int, lanes: int) -> Any:
    """Blocks in pieces of `lanes` along a new leading axis; the last is filled with copies of the last block, to be cut off again."""
    array = jnp.moveaxis(array, axis, 0)
    fill = jnp.repeat(array[-1:], whole - array.shape[0], axis=0)
    return jnp.concatenate([array, fill]).reshape(whole // lanes, lanes, *array.shape[1:])


def dense_diagonal(matrix: Any) -> Any:
    """Diagonals (size, members) of (size, size, members)."""
    return jnp.stack([matrix[i, i] for i in range(len(matrix))])


def diagonal(spec: Spec, matrix: Any) -> Any:
    """Diagonal of the matrix, (size, members)."""
    if not isinstance(matrix, Arrow):
        return dense_diagonal(matrix)
    border, own = _arrow_entries(spec.layout)
    out = jnp.zeros((spec.layout.extended, matrix.shared.shape[-1]), matrix.shared.dtype)
    out = out.at[border].set(dense_diagonal(matrix.shared)) if len(border) else out
    return (out.at[own].set(dense_diagonal(matrix.own)) if len(own) else out)[: spec.layout.size]


def _with_diagonal(spec: Spec, matrix: Any, added: Any) -> Any:
    """The matrix with `added` (size, members) on its diagonal."""

    def plus(part: Any, diagonal: Any) -> Any:
        places = jnp.arange(len(part))
        return part.at[places, places].add(diagonal)

    if not isinstance(matrix, Arrow):
        return plus(matrix, added)
    border, own = _arrow_entries(spec.layout)
    added = _padded(spec.layout, added, 0.0)
    return matrix._replace(shared=plus(matrix.shared, added[border]), own=plus(matrix.own, added[own]))


def solve(spec: Spec, matrix: Any, unit: Any, damping: Any, right: Any) -> Any:
    """x with (U^-1 matrix U^-1 + damping I) x = right, U the diagonal `unit` (size, members)."""
    if not isinstance(matrix, Arrow):
        return solve_damped(matrix / (unit[:, None] * unit), damping, right)
    size, (border, own) = spec.layout.size, _arrow_entries(spec.layout)
    unit, right = _padded(spec.layout, unit, 1.0), _padded(spec.layout, right, 0.0)
    u, v = unit[border], unit[own]
    a, b = right[border], right[own]
    A = matrix.shared / (u[:, None] * u)
    if not len(own):
        return jnp.zeros_like(right).at[border].set(solve_damped(A, damping, a))[:size]
    B, C = matrix.mixed / (u[:, None, None] * v), matrix.own / (v[:, None] * v)
    groups, members = C.shape[-2:]
    each = jnp.broadcast_to(damping, (groups, members)).reshape(-1)
    sides = jnp.concatenate([jnp.swapaxes(B, 0, 1), b[:, None]], axis=1)  # (q, s + 1, groups, members)
    solved = solve_damped(C.reshape(*C.shape[:2], -1), each, sides.reshape(*sides.shape[:2], -1)).reshape(sides.shape)
    if not len(border):
        return jnp.zeros_like(right).at[own].set(solved[:, -1])[:size]
    carried = jnp.einsum("sqgm,qtgm->stm", B, solved)
    x = solve_damped(A - carried[:, :-1], damping, a - carried[:, -1])
    y = solved[:, -1] - jnp.einsum("qsgm,sm->qgm", solved[:, :-1], x)
    return jnp.zeros_like(right).at[border].set(x).at[own].set(y)[:size]


def empty(layout: Layout, members: int, blocks: bool) -> Any:
    """A matrix of zeros."""
    if not blocks:
        return np.zeros((layout.size, layout.size, members))
    border, own = _arrow_entries(layout)
    s, (q, groups) = len(border), own.shape
    return Arrow(np.zeros((s, s, members)), np.zeros((s, q, groups, members)), np.zeros((q, q, groups, members)))


def _padded(layout: Layout, array: Any, value: float) -> Any:
    """(size, members) with `value` where the anchored values lie, (extended, members)."""
    extra = layout.extended - layout.size
    return jnp.concatenate([array, jnp.full((extra, array.shape[-1]), value)]) if extra else array


def places(layout: Layout, group: Any) -> Any:
    """Where the parameters that act on rows of these groups (rows, columns) lie in theta with its anchors: (local size, rows)."""
    xp = np if isinstance(group, np.ndarray) else jnp
    return xp.stack([xp.asarray(at)[group[:, axis or 0] * (axis is not None)] for axis, at in _local_entries(layout)])


@lru_cache(maxsize=64)
def _local_entries(layout: Layout) -> tuple[tuple[int | None, np.ndarray], ...]:
    """Every entry of theta as one row sees it: the column along which it differs, and its place in theta for every group there."""
    found, behind = [], layout.size
    for slot in layout.slots:
        first = np.empty(slot.groups, int)
        first[slot.members] = slot.start + slot.free * np.arange(slot.copies)
        first[list(slot.anchored)] = behind + slot.free * np.arange(len(slot.anchored))
        behind += slot.free * len(slot.anchored)
        found += [(slot.axis, first + k) for k in range(slot.free)]
    return tuple(found)


def _local_parts(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Which entries, as one row sees them, lie in the border of the arrow, and which in the blocks."""
    inner = np.asarray([axis is not None and axis == layout.main for axis, _ in _local_entries(layout)])
    return np.flatnonzero(~inner), np.flatnonzero(inner)


@lru_cache(maxsize=64)
def _arrow_entries(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Entries of theta in the border of the arrow, (s,), and in its blocks, (q, groups); anchored ones lie behind theta."""
    known, (outer, inner) = _local_entries(layout), _local_parts(layout)
    border = np.unique(np.concatenate([known[i][1] for i in outer])) if len(outer) else np.zeros(0, int)
    own = np.stack([known[i][1] for i in inner]) if len(inner) else np.zeros((0, _count(layout)), int)
    return border[border < layout.size], own


def _every_group(layout: Layout) -> np.ndarray:
    """(local size, groups) where the parameters of every group lie in theta, of a layout with one column of groups."""
    return places(layout, np.arange(_count(layout))[:, None])


def _count(layout: Layout) -> int:
    """How many blocks the arrow has: groups of the column with the most of them."""
    return layout.groups[layout.main] if layout.groups else 1
