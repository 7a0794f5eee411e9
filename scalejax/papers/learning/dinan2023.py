"""Transformers at initialisation: how gradients of every group of parameters grow with width, and the rates that make up for it."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import DecisionError
from ...core.numeric.precision import double
from ...core.table import Computed

_TOKENS, _HEADS = 8, 4
_MATRICES = ("query", "key", "value", "out", "up", "down", "head")


@double
def tangent_by_group(width: int, *, seeds: int = 16, seed: int = 0) -> Computed:
    r"""Contribution of each group of parameters to how far one step moves an output of a Transformer block at initialisation.

        SGD:   sum_G (df / dtheta)^2,    Adam (steps of fixed size):   sum_G |df / dtheta|

    The block has normalisation before attention (4 heads) and before an MLP (GELU, 4 times wider), residual connections, and a last
    normalisation before the head; matrices have variance 1 / fan-in, vectors of embeddings variance 1, gains 1. Where a contribution grows
    as width^s, a rate as width^-s keeps it of order one: s = 1 for matrices and 0 for vectors with SGD; 3/2 for matrices inside the block,
    1 for the head and 1/2 for vectors with Adam, so that matrices need rates as 1/width relative to vectors.

    Args:
        width: of the block, a multiple of 4. seeds: initialisations that are averaged. seed: of the random numbers.

    Returns:
        `sgd_<group>` and `adam_<group>` for the groups query, key, value, out, up, down and head (matrices), embedding, bias and gain
        (vectors).

    Raises:
        DecisionError: if the width is no multiple of 4 or there are no seeds.

    Example:
        >>> small, large = (tangent_by_group(n, seeds=4) for n in (32, 128))
        >>> [round(float(np.log(large[f"sgd_{g}"] / small[f"sgd_{g}"]) / np.log(4))) for g in ("up", "embedding")]
        [1, 0]

    References: Dinan et al. 2023, arXiv:2304.02034, part I, sections 1 and 3.
    """
    if width < 4 or width % _HEADS or seeds < 1:
        raise DecisionError(
            f"tangent_by_group() needs a width that is a multiple of {_HEADS}, and one seed or more, got {width!r}, {seeds!r}."
        )
    squares, sizes = _contributions(jax.random.split(jax.random.key(seed), seeds), width)
    values = {f"sgd_{group}": float(v) for group, v in squares.items()} | {f"adam_{group}": float(v) for group, v in sizes.items()}
    return Computed(values, f"gradients of a block of width {width}")


@partial(jax.jit, static_argnums=1)
def _contributions(keys: Any, width: int) -> Any:
    def one(key: Any) -> Any:
        slopes = jax.grad(_output)(_parameters(key, width))
        return {g: jnp.sum(v**2) for g, v in slopes.items()}, {g: jnp.sum(jnp.abs(v)) for g, v in slopes.items()}

    return jax.tree.map(lambda v: jnp.mean(v, axis=0), jax.lax.map(one, keys))


def _parameters(key: Any, width: int) -> dict[str, Any]:
    shapes = dict.fromkeys(_MATRICES, (width, width)) | {"up": (width, 4 * width), "down": (4 * width, width), "head": (width, 1)}
    keys = jax.random.split(key, len(shapes) + 1)
    drawn = {g: jax.random.normal(k, shape) / np.sqrt(shape[0]) for k, (g, shape) in zip(keys, shapes.items(), strict=False)}
    vectors = {"embedding": jax.random.normal(keys[-1], (_TOKENS, width)), "bias": jnp.zeros(width), "gain": jnp.ones(width)}
    return drawn | vectors


def _normalised(x: Any) -> Any:
    x = x - jnp.mean(x, axis=-1, keepdims=True)
    return x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True))


def _output(p: dict[str, Any]) -> Any:
    """One output at the last token."""
    x = p["embedding"]
    inner = _normalised(x) * p["gain"]
    q, k, v = ((inner @ p[name]).reshape(_TOKENS, _HEADS, -1) for name in ("query", "key", "value"))
    attention = jax.nn.softmax(jnp.einsum("thc,shc->hts", q, k) / np.sqrt(q.shape[-1]), axis=-1)
    x = x + jnp.einsum("hts,shc->thc", attention, v).reshape(x.shape) @ p["out"] + p["bias"]
    x = x + jax.nn.gelu(_normalised(x) @ p["up"]) @ p["down"]
    return (_normalised(x) @ p["head"])[-1, 0]
