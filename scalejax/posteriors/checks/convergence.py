"""Have the chains converged, and how many independent draws are they worth? Split R-hat, effective sample sizes, energy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...core.errors import FitError
from ...core.numeric.precision import plain

MIN_DRAWS = 4  # per chain; with fewer, its halves have no variance
_CHUNK = 8  # quantities at a time, so that the working arrays stay in the cache


def split_rhat(draws: np.ndarray) -> np.ndarray | float:
    r"""Rank-normalised split R-hat: how much wider all chains together are than each half of a chain, 1 when they agree.

    With the draws replaced by normal scores of their ranks and every chain cut into two halves of n draws,

        R-hat = sqrt((n - 1)/n + B/(n W)),    B/n: variance of the means of the halves,    W: mean of their variances.

    The larger of two values is returned: of the draws (do the centres agree?) and of their distances from the median (do the
    widths agree?). Above 1.01 the chains should not be trusted.

    Args:
        draws: of shape (chains, draws, ...).

    Returns:
        R-hat of shape (...), a float for a single quantity. NaN where the draws are constant, not finite or fewer than 4
        a chain.

    Raises:
        FitError: if `draws` has no axis of chains.

    Example:
        >>> draws = np.random.default_rng(0).standard_normal((4, 500))
        >>> split_rhat(draws) < 1.01
        True
        >>> draws[0] += 1.0
        >>> split_rhat(draws) > 1.1
        True

    References: Vehtari, Gelman, Simpson, Carpenter and Bürkner, "Rank-normalization, folding, and localization", Bayesian Analysis 2021.
    """

    def statistic(block: np.ndarray) -> np.ndarray:
        halves = _halves(block)
        distances = np.abs(halves - np.median(halves, axis=(1, 2), keepdims=True))
        return np.fmax(_rhat(_normal_scores(halves)), _rhat(_normal_scores(distances)))

    return _by_quantity(statistic, draws)


def ess_bulk(draws: np.ndarray) -> np.ndarray | float:
    """Effective sample size of the rank-normalised draws: how far centre and width of the posterior can be trusted.

    Args:
        draws: of shape (chains, draws, ...).

    Returns:
        Equivalent number of independent draws, of shape (...). NaN where the draws are constant, not finite or fewer than 4 a
        chain.

    Raises:
        FitError: if `draws` has no axis of chains.

    Example:
        >>> draws = np.random.default_rng(0).standard_normal((4, 500))
        >>> 1500 < ess_bulk(draws) < 2500
        True

    References: Vehtari et al. 2021.
    """
    return _by_quantity(lambda block: _ess(_normal_scores(_halves(block))), draws)


def ess_tail(draws: np.ndarray) -> np.ndarray | float:
    """Effective sample size of the tails: the smaller of those for the 5 % and the 95 % quantile.

    Args:
        draws: of shape (chains, draws, ...).

    Returns:
        Equivalent number of independent draws, of shape (...). NaN where the draws are constant, not finite or fewer than 4 a
        chain.
        A quantile with no draw above it (more than 5 % of the draws share the largest value) is left out.

    Raises:
        FitError: if `draws` has no axis of chains.

    Example:
        >>> draws = np.random.default_rng(0).standard_normal((4, 500))
        >>> 1200 < ess_tail(draws) < 2500
        True

    References: Vehtari et al. 2021.
    """

    def statistic(block: np.ndarray) -> np.ndarray:
        low, high = np.quantile(block, [0.05, 0.95], axis=(1, 2), keepdims=True)
        return np.fmin(_ess(_halves(block <= low)), _ess(_halves(block <= high)))

    return _by_quantity(statistic, draws)


def ess_mean(draws: np.ndarray) -> np.ndarray | float:
    """Effective sample size of the mean: the Monte Carlo standard error of the mean is sd / sqrt(ess).

    Args:
        draws: of shape (chains, draws, ...).

    Returns:
        Equivalent number of independent draws, of shape (...). NaN where the draws are constant, not finite or fewer than 4 a
        chain.

    Raises:
        FitError: if `draws` has no axis of chains.

    Example:
        >>> draws = np.random.default_rng(0).standard_normal((4, 500, 3))
        >>> ess_mean(draws).shape
        (3,)

    References: Vehtari et al. 2021; the truncation is that of Geyer, Statistical Science 1992.
    """
    return _by_quantity(lambda block: _ess(_halves(block)), draws)


def bfmi(energy: np.ndarray) -> np.ndarray:
    """Energy Bayesian fraction of missing information of each chain: below 0.3, momentum resampling explores energies too slowly.

        BFMI = sum_t (E_t - E_{t-1})^2 / sum_t (E_t - mean E)^2

    Args:
        energy: Hamiltonian at each draw, of shape (chains, draws).

    Returns:
        One value a chain, of shape (chains,). NaN where the energies are constant, not finite or fewer than 4.

    Raises:
        FitError: if `energy` is not of two axes.

    Example:
        >>> bfmi([[1.0, 2.0, 1.0, 2.0, 1.0]]).round(2)
        array([3.33])

    References: Betancourt, "Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo", 2016.
    """
    energy = np.asarray(energy, dtype=np.float64)
    if energy.ndim != 2:
        raise FitError(f"energy has shape {energy.shape}; give one row a chain and one column a draw.")
    return np.asarray(_by_quantity(_energy_ratio, energy.T[None]))


def _energy_ratio(block: np.ndarray) -> np.ndarray:
    energy = block[:, 0]
    return np.sum(np.diff(energy, axis=1) ** 2, axis=1) / np.sum((energy - energy.mean(axis=1, keepdims=True)) ** 2, axis=1)


def _by_quantity(statistic: Callable[[np.ndarray], np.ndarray], draws: np.ndarray) -> np.ndarray | float:
    """`statistic` of blocks (quantities, chains, draws) without constant and not finite ones, which become NaN."""
    draws = np.asarray(draws, dtype=np.float64)
    if draws.ndim < 2:
        raise FitError(f"draws has shape {draws.shape}; the first two axes must be chains and draws (add one with draws[None]).")
    chains, count, *shape = draws.shape
    result = np.full(math.prod(shape), np.nan)
    columns = draws.reshape(chains, count, len(result))
    if chains and count >= MIN_DRAWS:
        for start in range(0, len(result), _CHUNK):
            block = np.ascontiguousarray(np.moveaxis(columns[:, :, start : start + _CHUNK], 2, 0))
            usable = np.isfinite(block).all(axis=(1, 2)) & (block.min(axis=(1, 2)) < block.max(axis=(1, 2)))
            if usable.any():
                result[start : start + _CHUNK][usable] = statistic(block[usable])
    return plain(result.reshape(shape))


def _halves(block: np.ndarray) -> np.ndarray:
    """Every chain cut into its first and its last half; the middle draw of an odd number is left out."""
    half = block.shape[2] // 2
    return np.concatenate([block[:, :, :half], block[:, :, -half:]], axis=1)


def _normal_scores(block: np.ndarray) -> np.ndarray:
    """Normal quantiles at (rank - 3/8)/(size + 1/4), ranks among all chains, ties sharing their mean rank."""
    from scipy.special import ndtri

    flat = block.reshape(len(block), -1)
    size = flat.shape[1]
    order = np.argsort(flat, axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    twice = _twice_mean_rank(ordered[:, 1:] > ordered[:, :-1])
    table = ndtri((np.arange(2 * size - 1) / 2 + 5 / 8) / (size + 1 / 4))
    scores = np.empty_like(flat)
    np.put_along_axis(scores, order, table[twice], axis=1)
    return scores.reshape(block.shape)


def _twice_mean_rank(steps: np.ndarray) -> np.ndarray:
    """Twice the rank from 0 of ordered values that rise at `steps`, an integer for mean ranks of ties too."""
    place = np.arange(steps.shape[1] + 1)
    if steps.all():  # half the time, and the usual case
        return np.broadcast_to(2 * place, (len(steps), len(place)))
    first = np.zeros((len(steps), len(place)), int)
    last = np.full_like(first, place[-1])
    first[:, 1:] = np.maximum.accumulate(np.where(steps, place[1:], 0), axis=1)
    last[:, :-1] = np.minimum.accumulate(np.where(steps, place[:-1], place[-1])[:, ::-1], axis=1)[:, ::-1]
    return first + last


def _rhat(block: np.ndarray) -> np.ndarray:
    size = block.shape[2]
    within = block.var(axis=2, ddof=1).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # chains that stand still
        return np.sqrt((size - 1) / size + block.mean(axis=2).var(axis=1, ddof=1) / within)


def _ess(block: np.ndarray) -> np.ndarray:
    """Draws over autocorrelation time: sums of neighbouring autocorrelations, up to the first negative one, made monotone."""
    _, chains, size = block.shape
    centred = block - block.mean(axis=2, keepdims=True)
    spectrum = np.fft.rfft(centred, 1 << (2 * size - 1).bit_length(), axis=2)  # padded: no lag wraps around
    power = np.mean(spectrum.real**2 + spectrum.imag**2, axis=1)
    covariance = np.fft.irfft(power, axis=1)[:, :size] / size
    within = covariance[:, :1] * size / (size - 1)
    total = covariance[:, :1] + block.mean(axis=2).var(axis=1, ddof=1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # indicators that are the same in every draw
        rho = 1.0 - (within - covariance) / total
    rho[:, 0] = np.where(total[:, 0] > 0, 1.0, np.nan)
    pairs = rho[:, : size // 2 * 2].reshape(len(rho), -1, 2).sum(axis=2)
    # Stan's rule for the end: the last pair is never counted in full, and the even half of the first uncounted one is kept if positive.
    last = max((size - 3) // 2, 0)
    stop = np.minimum(np.where((pairs <= 0).any(axis=1), np.argmax(pairs <= 0, axis=1), last), last)[:, None]
    counted = np.where(np.arange(pairs.shape[1]) < stop, np.minimum.accumulate(pairs, axis=1), 0.0).sum(axis=1)
    rest = np.maximum(np.take_along_axis(rho, 2 * stop, axis=1)[:, 0], 0.0)
    draws = chains * size
    return draws / np.maximum(2.0 * counted + rest - 1.0, 1.0 / np.log10(draws))
