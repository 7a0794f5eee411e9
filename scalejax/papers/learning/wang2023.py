"""Networks in stages, each fitted to what the stages before it leave, down to machine precision."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import DataError
from ...core.numeric.precision import double
from ...core.table import Computed


@double
def multistage_fit(x: Any, u: Any, *, stages: int = 7, seed: int = 0) -> Computed:
    r"""Fit a function of one variable stage by stage: each network has the frequency, and the size, of what is left.

        u_k = eps_(k-1) sum_j v_j sin(kappa_k w_j x + b_j),    kappa_k = 2 pi f_(k-1),    r_k = r_(k-1) - u_k,    eps_k = rms of r_k

    f is the frequency of the residual, half its changes of sign over the length L of x. A stage has 4 + 2.5 f L neurons: as many as that
    frequency asks for.

    Args:
        x: (n,) rising. u: (n,) values. stages: networks. seed: of the phases.

    Returns:
        `error`, (stages + 1,) eps, from the rms of u on; `frequency`, (stages + 1,) f beside it; `neurons`, (stages,); and `residual`, (n,)
        what is left.

    Raises:
        DataError: if x does not rise or lengths differ.

    Example:
        >>> x = np.linspace(-1, 1, 400)
        >>> found = multistage_fit(x, np.sin(2 * x + 1), stages=3)
        >>> bool((np.diff(np.log10(found.error)) < -1).all())
        True

    References: Wang and Lai 2023, arXiv:2307.08934. There all weights of a stage are trained; here frequencies are spread evenly up to the
    residual's, phases are drawn, and the outer weights solve least squares, which needs no training and keeps all digits.
    """
    x, u = np.asarray(x, float), np.asarray(u, float)
    if x.ndim != 1 or x.shape != u.shape or len(x) < 16 or not (np.diff(x) > 0).all() or not np.isfinite(u).all() or not u.any():
        raise DataError("multistage_fit() needs x that rises and values u of the same length, at least 16 points, not all 0.")
    length, rng = x[-1] - x[0], np.random.default_rng(seed)
    left = u
    neurons: list[int] = []
    error, frequency = [_rms(left)], [_frequency(left, length)]
    for _ in range(stages):
        f = max(frequency[-1], 0.5 / length)
        count = min(int(4 + 2.5 * f * length), len(x) // 2)
        w, b = (np.arange(count) + 0.5) / count, rng.uniform(-np.pi, np.pi, count)
        left = left - error[-1] * np.asarray(_stage(x, left / error[-1], 2 * np.pi * f * w, b))
        error, frequency, neurons = [*error, _rms(left)], [*frequency, _frequency(left, length)], [*neurons, count]
    values = {"error": np.array(error), "frequency": np.array(frequency), "neurons": np.array(neurons), "residual": left}
    return Computed(values, f"{stages} networks, one after another")


@jax.jit
def _stage(x: Any, target: Any, w: Any, b: Any) -> Any:
    features = jnp.sin(x[:, None] * w + b)
    return features @ jnp.linalg.lstsq(features, target, rcond=1e-14)[0]


def _rms(r: np.ndarray) -> float:
    return float(np.sqrt(np.mean(r**2)))


def _frequency(r: np.ndarray, length: float) -> float:
    return float(np.sum(r[1:] * r[:-1] < 0) / 2 / length)
