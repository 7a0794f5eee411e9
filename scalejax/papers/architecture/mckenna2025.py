"""Private training: the noise that a privacy budget asks for, and the monotone surface of losses over steps and noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax.scipy.special import ndtr

from ...core.errors import DataError, DecisionError
from ...core.numeric.precision import double
from ...core.numeric.roots import between
from ...core.numeric.statistics import isotonic
from ...core.table import Computed

_SIZE = 2**18  # places of the grid of privacy losses
_COARSE = 16  # of them at once where the tilt is chosen
_TILTS = np.geomspace(1e-2, 1e3, 60)
_NOISES = (np.log(0.05), np.log(1e5))


def _number(name: str, value: Any, low: float, high: float = np.inf) -> float:
    """`value`, or a sentence unless it is one number between low and high."""
    number = np.asarray(value, dtype=np.float64)
    if number.ndim or not low < number < high:
        raise DecisionError(f"{name}={value!r} must be one number above {low:g}{'' if high == np.inf else f' and below {high:g}'}.")
    return float(number)


def _masses(sigma: float, q: float, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the privacy losses between neighbours of a grid, with the example and without it."""
    odds = np.exp(losses) - (1.0 - q)
    at = np.where(odds > 0, sigma**2 * np.log(np.where(odds > 0, odds, q) / q) + 0.5, -np.inf)

    def normal(mean: float) -> np.ndarray:
        z = (at - mean) / sigma
        side = np.where(z[:-1] > 0, -1.0, 1.0)  # from the nearer tail, so that small ones keep their digits
        ends = [np.asarray(ndtr(np.where(np.isfinite(end), side * end, -40.0 * np.ones_like(end)))) for end in (z[:-1], z[1:])]
        return np.abs(ends[1] - ends[0])

    without = normal(0.0)
    return (1.0 - q) * without + q * normal(1.0), without


def _log_total(p: np.ndarray, at: np.ndarray, tilt: float) -> float:
    """log sum p exp(tilt at)."""
    held = p > 0
    exponents = np.log(p[held]) + tilt * at[held]
    return float(exponents.max() + np.log(np.exp(exponents - exponents.max()).sum()))


def _tilt(p: np.ndarray, at: np.ndarray, epsilon: float, T: float) -> float:
    """The order of Chernoff's bound, from probabilities that are gathered at their means."""
    mass, moment = (v.reshape(-1, _COARSE).sum(axis=1) for v in (p, p * at))
    held = mass > 0
    mass, mean = mass[held], moment[held] / mass[held]
    return float(_TILTS[int(np.argmin([T * _log_total(mass, mean, tilt) - tilt * epsilon for tilt in _TILTS]))])


def _failure(more: np.ndarray, less: np.ndarray, losses: np.ndarray, epsilon: float, T: float) -> float:
    """delta of T steps: the loss of one has probabilities `more`, and `less` under the other hypothesis.

    Each probability is shared by the ends of its interval so that both totals are kept, which is never too optimistic. The T-fold
    convolution is a power of a Fourier transform, tilted towards epsilon, without which the tail drowns in rounding.
    """
    h, low = losses[1] - losses[0], losses[:-1]
    upper = np.clip((more - less * np.exp(low)) / -np.expm1(-h), 0.0, more)
    p = np.append(more - upper, 0.0)
    p[1:] += upper
    p, at = p[:-1], low
    tilt = _tilt(p, at, epsilon, T)
    log_total = _log_total(p, at, tilt)
    with np.errstate(divide="ignore"):
        tilted = np.exp(np.log(p) + tilt * at - log_total)
    power = np.fft.rfft(np.fft.ifftshift(tilted)) ** T
    composed = np.maximum(np.fft.fftshift(np.fft.irfft(power, len(tilted))), 0.0)
    beyond = at > epsilon
    terms = composed[beyond] * np.exp(T * log_total - tilt * at[beyond]) * -np.expm1(epsilon - at[beyond])
    lost = max(1.0 - float(np.sum(more)), 0.0)  # beyond the grid
    return float(np.sum(terms)) + (T * lost if lost > 1e-13 else 0.0)


@double
def privacy_delta(epsilon: float, sigma: float, q: float, T: float) -> float:
    r"""Probability delta with which T steps of DP-SGD fail to be epsilon-private, for one example more or less.

        delta = max over both directions of  E [1 - exp(epsilon - L)]_+,    L = l_1 + ... + l_T
        l = log( (1 - q) + q exp((2 x - 1) / (2 sigma^2)) ),    x ~ (1 - q) N(0, sigma^2) + q N(1, sigma^2)

    Args:
        epsilon: budget. sigma: noise multiplier, the standard deviation of the noise of the sum of gradients over the clipping norm.
        q: probability of an example to be in a batch, drawn for each apart. T: steps.

    Returns:
        delta, by convolution of the privacy loss distribution on a grid.

    Raises:
        DecisionError: if a number cannot be.

    Example:
        >>> f"{privacy_delta(1.0, 1.0, 0.01, 1000):.2e}"
        '2.61e-03'

    References: Abadi et al. 2016, arXiv:1607.00133 (DP-SGD); Doroshenko et al. 2022, arXiv:2207.04380 (the grid).
    """
    epsilon, sigma = _number("epsilon", epsilon, 0), _number("sigma", sigma, 0)
    q, T = _number("q", q, 0, 1), round(_number("T", T, 0.5))
    losses = np.linspace(-1.0, 1.0, _SIZE + 1) * 4 * max(epsilon, 4.0)
    present, absent = _masses(sigma, q, losses)
    return max(_failure(present, absent, losses, epsilon, T), _failure(absent[::-1], present[::-1], losses, epsilon, T))


def noise_multiplier(epsilon: float, delta: float, q: float, T: float) -> float:
    r"""Least noise of DP-SGD that meets a privacy budget: sigma with privacy_delta(epsilon, sigma, q, T) = delta.

    Args:
        epsilon, delta: budget. q: probability of an example to be in a batch. T: steps.

    Returns:
        sigma.

    Raises:
        DecisionError: if a number cannot be.

    Example:
        >>> round(noise_multiplier(1.0, 1e-5, 0.001, 25), 4)
        0.5349

    References: McKenna et al. 2025, arXiv:2501.18914, section 2; and those of `privacy_delta`.
    """
    wanted = np.log(_number("delta", delta, 0, 1))

    def off(log_sigma: np.ndarray) -> np.ndarray:
        found = privacy_delta(epsilon, float(np.exp(log_sigma[0])), q, T)
        return np.array([np.log(max(found, 1e-300)) - wanted])

    low, high = (np.array([end]) for end in _NOISES)
    return float(np.exp(between(off, low, high, tolerance=1e-9)[0]))


def noise_batch_ratio(epsilon: float, delta: float, B: float, T: float, N: float) -> float:
    r"""Noise of the mean gradient that a privacy budget asks for: noise_multiplier(epsilon, delta, B / N, T) / B.

    What private losses depend on beside the model and its steps. It falls with the batch at first as 1 / B, later not at all: from
    there on compute helps only together with more budget or more data.

    Args:
        epsilon, delta: privacy budget. B: examples in a batch. T: steps. N: examples, or users, each of whom is protected.

    Returns:
        Standard deviation of the noise of the mean of clipped gradients over the clipping norm.

    Raises:
        DecisionError: if a number cannot be, or the batch is larger than the data.

    Example:
        >>> f"{noise_batch_ratio(8.0, 1e-8, 4096, 16000, 1e7):.3g}"
        '0.000113'

    References: McKenna et al. 2025, arXiv:2501.18914, section 2.
    """
    N = _number("N", N, 0)
    return noise_multiplier(epsilon, delta, _number("B", B, 0, N) / N, T) / B


def private_losses(loss: Any, *, steps: int = 1) -> Computed:
    r"""Losses of one model and learning rate as they must be: falling with time, rising with noise.

    Args:
        loss: (times, noises) measured, for rising times and rising noise-batch ratios.
        steps: how often both directions are made monotone, one after the other; 1 as in the paper.

    Returns:
        `loss`, (times, noises): nearest in least squares along time, then along noise; `moved`, the largest change. The lowest over
        learning rates is the law of one model. Beyond the runs the paper fits E + A T^-alpha to every noise, with the E of no noise:
        `sj.fit(sj.laws.power_law.bind(E=...), runs, by="noise")`.

    Raises:
        DataError: if the losses are no table of finite numbers, or steps is below 1.

    Example:
        >>> private_losses([[3.0, 3.5], [3.1, 3.4], [2.5, 3.3]]).loss.tolist()
        [[3.05, 3.5], [3.05, 3.4], [2.5, 3.3]]

    References: McKenna et al. 2025, arXiv:2501.18914, section 3.
    """
    table = np.asarray(loss, dtype=np.float64)
    if table.ndim != 2 or not table.size or not np.isfinite(table).all() or steps < 1:
        raise DataError("private_losses() takes a table of finite losses, times by noises, and steps of at least 1.")
    smooth = table
    for _ in range(steps):
        smooth = np.stack([-isotonic(-column) for column in smooth.T], axis=1)
        smooth = np.stack([isotonic(row) for row in smooth])
    return Computed({"loss": smooth, "moved": float(np.abs(smooth - table).max())}, "losses that fall with time and rise with noise")
