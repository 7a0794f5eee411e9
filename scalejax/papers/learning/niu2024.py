"""Transformer layers as associative memories: an energy by distance to stored patterns, and its descent."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ...core.numeric.precision import numpy_or_jax

_NEAR = 1e-12  # squared distance below which the slope of a distance is 0


@numpy_or_jax
def hopfield_energy(x: Any, patterns: Any) -> Any:
    r"""Energy of a state by its distance to stored patterns: a smooth distance to the nearest of them.

        E(x) = -log sum_i exp(-|x - rho_i|),    d_min - log D <= E <= d_min

    Args:
        x: (..., n) states. patterns: (D, n) rho.

    Returns:
        Energies in the leading shape of x, at most the distance to the nearest pattern.

    Example:
        >>> round(hopfield_energy([0.0, 3.0], [[0.0, 0.0], [50.0, 0.0]]), 6)
        3.0

    References: Niu et al. 2024, arXiv:2405.08707, section 4.
    """
    return -jax.nn.logsumexp(-_distances(jnp.asarray(x), jnp.asarray(patterns)), axis=-1)


@numpy_or_jax
def hopfield_descent(x: Any, patterns: Any, *, layers: int = 32) -> Any:
    r"""States and energies layer by layer, each layer a step of majorisation and minimisation of `hopfield_energy`.

        x' = sum_i a_i rho_i / sum_i a_i,    a_i = softmax(-|x - rho_i|)_i / |x - rho_i|

    The energy is concave in the distances, and the square of a distance bounds it from above: no step raises the energy. The weights are
    attention over the patterns.

    Args:
        x: (n,) state. patterns: (D, n) rho. layers: steps.

    Returns:
        (layers + 1,) energies from the start on, and the last state, (n,).

    Example:
        >>> energies, last = hopfield_descent([1.0, 0.5], [[0.0, 0.0], [9.0, 0.0]], layers=60)
        >>> bool((abs(last) < 0.01).all())
        True

    References: Niu et al. 2024, arXiv:2405.08707, section 4 (energy and majorisation); the quadratic majoriser is Weiszfeld's.
    """
    x, patterns = jnp.asarray(x), jnp.asarray(patterns)
    start = x.astype(jnp.result_type(float, x, patterns))

    def layer(x: Any, _: Any) -> Any:
        d = _distances(x, patterns)
        a = jax.nn.softmax(-d) / d
        new = a @ patterns / jnp.sum(a)
        return new, hopfield_energy(new, patterns)

    last, energies = jax.lax.scan(layer, start, None, length=layers)
    return jnp.concatenate([hopfield_energy(start, patterns)[None], energies]), last


def _distances(x: Any, patterns: Any) -> Any:
    return jnp.sqrt(jnp.maximum(jnp.sum((x[..., None, :] - patterns) ** 2, axis=-1), _NEAR))
