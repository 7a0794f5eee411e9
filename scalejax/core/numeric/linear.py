"""Small symmetric linear systems with the batch as the trailing axis, in plain JAX.

No LAPACK: its batched kernels wait inside the compiler's own pool of threads, and two compiled calls side by side (see `parallel`) can then
wait for each other for ever.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .batching import UNROLLED

_PANEL = 16  # columns that are factorised by one loop
_PANELS = 4  # loops at most: more cost more compile time than they save


def solve_damped(matrix: Any, damping: Any, right: Any, unrolled: int = UNROLLED) -> Any:
    """x with (matrix + damping I) x = right; matrix (P, P, members), damping (members,), right (P, members) or (P, k, members).

    Up to P = `unrolled` the factorisation is written out, which runs faster and compiles longer.
    """
    if matrix.shape[0] > unrolled:
        lower = cholesky(matrix, damping)
        sides = right if right.ndim == 3 else right[:, None]
        return solve_transposed(lower, solve_lower(lower, sides)).reshape(right.shape)
    return _written_out(matrix, damping, right)


def cholesky(matrix: Any, damping: Any) -> Any:
    """Lower L with L L' = matrix + damping I, of every member: (P, P, members).

    Column by column, each from all columns to its left. A loop serves a panel of columns and leaves out the rows above it and the columns
    to its right, which are zero.
    """
    size = matrix.shape[0]
    width = max(_PANEL, -(-size // _PANELS))
    lower = jnp.zeros_like(matrix)
    for begin in range(0, size, width):
        end = min(begin + width, size)
        panel = _factorised(matrix[begin:, begin:end], lower[begin:, :end], damping)
        lower = lower.at[begin:, :end].set(panel)
    return lower


def _factorised(matrix: Any, lower: Any, damping: Any) -> Any:
    """`lower` with its last columns, those of `matrix`, filled in."""
    rows, known = jnp.arange(matrix.shape[0])[:, None], lower.shape[1] - matrix.shape[1]

    def column(k: Any, lower: Any) -> Any:
        rest = _at(matrix, k, 1) - jnp.sum(lower * _at(lower, k, 0), axis=1)
        pivot = _pivot(_at(rest, k, 0), damping)
        filled = jnp.where(rows > k, rest / pivot, jnp.where(rows == k, pivot, 0.0))
        return jax.lax.dynamic_update_index_in_dim(lower, filled, known + k, 1)

    return jax.lax.fori_loop(0, matrix.shape[1], column, lower)


def solve_lower(lower: Any, right: Any) -> Any:
    """x with L x = right, (P, k, members)."""

    def entry(i: Any, x: Any) -> Any:
        row = _at(lower, i, 0)
        return jax.lax.dynamic_update_index_in_dim(x, (_at(right, i, 0) - jnp.sum(row[:, None] * x, axis=0)) / _at(row, i, 0), i, 0)

    return jax.lax.fori_loop(0, len(lower), entry, jnp.zeros_like(right))


def solve_transposed(lower: Any, right: Any) -> Any:
    """x with L' x = right, (P, k, members)."""
    last = len(lower) - 1

    def entry(n: Any, x: Any) -> Any:
        i = last - n
        column = _at(lower, i, 1)
        return jax.lax.dynamic_update_index_in_dim(x, (_at(right, i, 0) - jnp.sum(column[:, None] * x, axis=0)) / _at(column, i, 0), i, 0)

    return jax.lax.fori_loop(0, len(lower), entry, jnp.zeros_like(right))


def _at(array: Any, index: Any, axis: int) -> Any:
    return jax.lax.dynamic_index_in_dim(array, index, axis, keepdims=False)


def _pivot(rest: Any, damping: Any) -> Any:
    """Rounding can push a pivot of a nearly singular matrix below zero; the damping is then its honest value."""
    return jnp.sqrt(jnp.maximum(rest + damping, 1e-3 * damping + 1e-300))


def _written_out(matrix: Any, damping: Any, right: Any) -> Any:
    size, zero = len(matrix), jnp.zeros_like(damping)
    lower: dict[tuple[int, int], Any] = {}
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i, j] - sum((lower[i, k] * lower[j, k] for k in range(j)), zero)
            lower[i, j] = _pivot(rest, damping) if i == j else rest / lower[j, j]
    forward: list[Any] = []
    for i in range(size):
        forward.append((right[i] - sum((lower[i, k] * forward[k] for k in range(i)), zero)) / lower[i, i])
    back: list[Any] = [None] * size
    for i in reversed(range(size)):
        back[i] = (forward[i] - sum((lower[k, i] * back[k] for k in range(i + 1, size)), zero)) / lower[i, i]
    return jnp.stack(back)
