"""Linear recurrences along a curve, without a loop over its steps."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp


def linear_recurrence(decay: Any, x: Any) -> Any:
    """y_i = decay y_{i-1} + x_i with y_{-1} = 0, for x of shape (T,) and 0 < decay <= 1.

    Two triangular products, within blocks of about sqrt(T) steps and between them: shorter to compile than a scan, and as exact.
    """
    length = math.isqrt(len(x) - 1) + 1
    blocks = -(-len(x) // length)
    cut = jnp.pad(x, (0, blocks * length - len(x))).reshape(blocks, length)
    local = cut @ _powers(decay, length, 1, x.dtype).T
    ends = _powers(decay, blocks, length, x.dtype) @ local[:, -1]
    before = jnp.concatenate([jnp.zeros_like(ends[:1]), ends[:-1]])
    carried = before[:, None] * jnp.exp(jnp.log(decay) * jnp.arange(1, length + 1, dtype=x.dtype))
    return (local + carried).reshape(-1)[: len(x)]


def _powers(decay: Any, n: int, stride: int, dtype: Any) -> Any:
    """Lower triangle of decay^(stride (i - j))."""
    lag = jnp.arange(n, dtype=dtype)[:, None] - jnp.arange(n, dtype=dtype)
    return jnp.where(lag >= 0, jnp.exp(stride * jnp.log(decay) * jnp.maximum(lag, 0.0)), 0.0)
