"""Grokking of modular addition: do generalising features survive when only some of the pairs are seen?"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import DecisionError
from ...core.numeric.precision import double
from ...core.table import Computed


@double
def feature_survival(M: int, n: Any, *, trials: int = 16, steps: int = 600, seed: int = 0) -> Computed:
    r"""Share of Fourier features that stay maxima of the energy of feature learning when it sees n pairs of a group of M elements.

        E(u, v) = 1/2 sum_c ( t_c - mean t )^2,    t_c = sum over pairs seen with a + b = c mod M of (u_a + v_b)^2,    |u|^2 + |v|^2 = 1

    With all M^2 pairs the waves u_a = v_a = cos(2 pi k a / M) are maxima. With some of them the energy is climbed from a wave of a random
    k, pairs being drawn anew in every trial: it survives if more than half of its power still is at k.

    Args:
        M: elements of the cyclic group. n: pairs seen (in expectation), up to M^2; a number or an array.
        trials: draws of the pairs. steps: of ascent. seed: of the random numbers.

    Returns:
        `survived`, share of trials in the shape of n, and `power`, mean share of the power that is left at k.

    Raises:
        DecisionError: if M is below 3 or n is not between 1 and M^2.

    Example:
        >>> feature_survival(11, [30.0, 110.0], trials=8, steps=200).survived.tolist()
        [0.0, 1.0]

    References: Tian 2025, arXiv:2509.21519. The theory: n of order M log M suffices. For the sizes that can be computed in seconds the
    boundary still grows faster than that, see `laws.generalisation_boundary`.
    """
    share = np.asarray(n, float) / M**2
    if M < 3 or not ((share > 0) & (share <= 1)).all():
        raise DecisionError(f"feature_survival() needs M of 3 or more and n up to M^2, got {M!r} and {n!r}.")
    keys = jax.random.split(jax.random.key(seed), trials)
    power = np.asarray(jax.lax.map(lambda p: _power(p, keys, M, steps), jnp.asarray(share.ravel()))).reshape(*share.shape, trials)
    return Computed({"survived": (power > 0.5).mean(axis=-1), "power": power.mean(axis=-1)}, f"Fourier features of {M} elements")


@partial(jax.jit, static_argnums=(2, 3))
def _power(share: Any, keys: Any, M: int, steps: int) -> Any:
    element = jnp.arange(M)
    target = ((element[:, None] + element) % M).ravel()

    def on_sphere(w: Any) -> Any:
        w = w - jnp.mean(w, axis=1, keepdims=True)
        return w / jnp.linalg.norm(w)

    def one(key: Any) -> Any:
        drawn, chosen = jax.random.split(key)
        seen = jax.random.uniform(drawn, (M, M)) < share

        def energy(w: Any) -> Any:
            t = jax.ops.segment_sum((seen * (w[0][:, None] + w[1]) ** 2).ravel(), target, M)
            return 0.5 * jnp.sum((t - jnp.mean(t)) ** 2)

        def climb(w: Any, _: Any) -> Any:
            slope = jax.grad(energy)(w)
            return on_sphere(w + 0.3 * slope / jnp.linalg.norm(slope)), None

        k = jax.random.randint(chosen, (), 1, (M - 1) // 2 + 1)
        wave = jnp.cos(2 * jnp.pi * k * element / M)
        w, _ = jax.lax.scan(climb, on_sphere(jnp.stack([wave, wave])), None, length=steps)
        spectrum = jnp.sum(jnp.abs(jnp.fft.rfft(w, axis=1)) ** 2, axis=0)
        return spectrum[k] / jnp.sum(spectrum[1:])

    return jax.vmap(one)(keys)
