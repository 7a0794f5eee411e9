"""Random ReLU residual networks at finite width and depth, to be set beside their infinite limit, and spiked random matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import DecisionError
from ...core.table import Computed


def simulate_residual(
    width: int, depth: int, *, c_0: float = 0.5, q_0: float = 1.0, sigma: float = 1.0, seeds: int = 8, seed: int = 0
) -> Computed:
    r"""Pre-activations of two inputs at the end of random ReLU residual networks.

        Y_l = Y_(l-1) + depth^(-1/2) W_l relu(Y_(l-1)),    W_l independent normal of variance sigma^2 / width

    Args:
        width, depth: of the network.
        c_0, q_0: correlation and variance of the two inputs; exact in every network.
        sigma: see `laws.residual_variance`.
        seeds: networks. seed: of the random numbers.

    Returns:
        `variance`, (seeds,) mean over the neurons of the last layer of the squared pre-activation of the first input, and `correlation`,
        (seeds,) of both inputs there; `laws.residual_variance` and `laws.residual_correlation` at t = 1 are their limits.

    Raises:
        DecisionError: if width, depth or seeds are not positive, or c_0 is not a correlation.

    Example:
        >>> found = simulate_residual(256, 32, c_0=0.0, seeds=4)
        >>> f"{found.variance.mean():.1f} {found.correlation.mean():.1f}"  # limits: 1.65 and 0.14
        '1.7 0.1'

    References: Hayou and Yang 2023, arXiv:2302.00453.
    """
    if min(width, depth, seeds) < 1 or not -1 <= c_0 <= 1 or not (q_0 > 0 and sigma > 0):
        raise DecisionError("simulate_residual() needs positive width, depth, seeds, q_0 and sigma, and c_0 between -1 and 1.")
    rng = np.random.default_rng(seed)
    Y = _inputs(rng, seeds, width, c_0, q_0)
    for _ in range(depth):
        W = rng.standard_normal((seeds, width, width)) * (sigma / np.sqrt(width * depth))
        Y = Y + W @ np.maximum(Y, 0.0)
    gram = np.swapaxes(Y, 1, 2) @ Y / width
    correlation = gram[:, 0, 1] / np.sqrt(gram[:, 0, 0] * gram[:, 1, 1])
    return Computed({"variance": gram[:, 0, 0], "correlation": correlation}, f"two inputs in {seeds} random networks")


def _inputs(rng: np.random.Generator, seeds: int, width: int, c_0: float, q_0: float) -> np.ndarray:
    """Pairs of vectors, (seeds, width, 2), with exactly this variance and correlation if there are two neurons or more."""
    raw = rng.standard_normal((seeds, width, 2))
    if width < 2:
        return np.sqrt(q_0) * raw @ np.linalg.cholesky(np.array([[1.0, c_0], [c_0, 1.0]]) + 1e-15 * np.eye(2)).T
    orthogonal = np.linalg.qr(raw)[0] * np.sqrt(width * q_0)
    return orthogonal @ np.array([[1.0, c_0], [0.0, np.sqrt(1 - c_0**2)]])


def spiked_eigenvalue(size: int, spike: float, noise: float, *, seed: int = 0) -> float:
    r"""Largest eigenvalue of a symmetric random matrix with one outlier: the Hessian of a batch in small.

        M = spike v v' + noise G,    G symmetric normal with entries of variance 1, |v| = 1

    For spike > sqrt(size) noise it tends to spike + size noise^2 / spike, else to 2 sqrt(size) noise: `laws.max_stable_lr` with
    lam = spike and P sigma^2 / b = size noise^2.

    Args:
        size: rows of the matrix. spike: its outlier. noise: standard deviation of the entries. seed: of the random numbers.

    Example:
        >>> abs(spiked_eigenvalue(400, spike=40.0, noise=1.0) - (40 + 400 / 40)) < 3
        True

    References: Granziol et al. 2020, arXiv:2006.09092.
    """
    if size < 1 or not (spike >= 0 and noise >= 0):
        raise DecisionError(f"spiked_eigenvalue() needs a positive size, spike and noise, got {size!r}, {spike!r} and {noise!r}.")
    rng = np.random.default_rng(seed)
    G = rng.standard_normal((size, size))
    v = rng.standard_normal(size)
    M: Any = spike * np.outer(v, v) / (v @ v) + noise * (G + G.T) / np.sqrt(2)
    return float(np.linalg.eigvalsh(M)[-1])
