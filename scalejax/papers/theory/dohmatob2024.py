"""Exact errors behind laws of model collapse: the sum over items with a cut tail, and ridge regression on labels of earlier fits."""

from __future__ import annotations

from dataclasses import dataclass
from math import gamma
from typing import Any

import numpy as np

from ...core.errors import DecisionError
from ...core.numeric.roots import between
from ...core.table import Computed, Shown

_TERMS = 20  # terms of zeta that are summed before the Euler-Maclaurin remainder


@dataclass(frozen=True, repr=False)
class TailConstants(Shown):
    """Factors of `laws.tail_cut` for large T and k.

    Attributes:
        A, B: factors of the clean part and of the cut.
        c: exponent of the clean part, (beta - 1) / beta.
    """

    A: float
    B: float
    c: float

    def crossover(self, k: Any, beta: float) -> Any:
        """Samples beyond which the cut dominates: (A k^(beta - 1) / B)^(1 / c), proportional to k^beta."""
        return (self.A / self.B * np.asarray(k, dtype=np.float64) ** (beta - 1)) ** (1 / self.c)


def _zeta(beta: float) -> float:
    """Riemann's zeta function for beta > 1: a short sum and its Euler-Maclaurin remainder."""
    i, M = np.arange(1.0, _TERMS), float(_TERMS)
    tail = M ** (1 - beta) / (beta - 1) + M**-beta / 2 + beta * M ** (-beta - 1) / 12
    tail -= beta * (beta + 1) * (beta + 2) * M ** (-beta - 3) / 720
    return float((i**-beta).sum() + tail)


def tail_constants(beta: float) -> TailConstants:
    r"""Factors of `laws.tail_cut` for items of frequency i^-beta / zeta(beta), with infinitely many items.

        A = zeta(beta)^(-1/beta) Gamma(1 - 1/beta) / beta,    B = 1 / ( (beta - 1) zeta(beta) )

    Args:
        beta: exponent of the frequencies, above 1.

    Returns:
        TailConstants: `A`, `B`, `c`, `crossover(k, beta)`.

    Raises:
        DecisionError: if beta is not above 1.

    Example:
        >>> found = tail_constants(2.0)
        >>> round(found.A, 4), round(found.B, 4), found.c
        (0.691, 0.6079, 0.5)

    References: the leading terms of the sum in `tail_error`; Dohmatob et al. 2024, arXiv:2402.07043, prove the powers.
    """
    if not 1 < beta < np.inf:
        raise DecisionError(f"beta={beta!r} must be above 1: otherwise the frequencies have no finite sum.")
    total = _zeta(beta)
    return TailConstants(total ** (-1 / beta) * gamma(1 - 1 / beta) / beta, 1 / ((beta - 1) * total), 1 - 1 / beta)


def tail_error(T: Any, k: Any, beta: float, *, items: int = 1_000_000) -> np.ndarray:
    r"""Chance that a test item was never among T samples drawn from items cut off after rank k.

        E(T, k) = sum_{i <= k} p_i (1 - q_i)^T + sum_{i > k} p_i,    p_i = i^-beta / sum_j j^-beta,    q_i = p_i / sum_{j <= k} p_j

    Args:
        T: samples, a number or an array.
        k: rank of the last item that is sampled; an array broadcasts with T. `items` or more: no cut.
        beta: exponent of the frequencies, positive.
        items: how many items there are.

    Returns:
        Errors in the common shape of T and k.

    Raises:
        DecisionError: if T is negative, k below 1, or beta not positive.

    Example:
        >>> tail_error([0.0, 1e4], 100, 2.0).round(4).tolist()
        [1.0, 0.0079]

    References: Dohmatob et al. 2024, arXiv:2402.07043, section 2.
    """
    T, k = np.broadcast_arrays(np.asarray(T, dtype=np.float64), np.asarray(k))
    if not (T >= 0).all() or not (k >= 1).all() or not 0 < beta < np.inf or items < 1:
        raise DecisionError("tail_error() needs T >= 0, k >= 1, beta > 0 and one item or more.")
    p = np.arange(1.0, items + 1) ** -beta
    p /= p.sum()
    out = np.empty(T.shape)
    for place in np.ndindex(T.shape):
        last = min(int(k[place]), items)
        kept = p[:last]
        with np.errstate(divide="ignore"):  # one item alone has q = 1
            missed = np.exp(T[place] * np.log1p(-kept / kept.sum())) if T[place] else np.ones(last)
        out[place] = kept @ missed + p[last:].sum()
    return out


def collapsed_ridge(spectrum: Any, signal: Any, T: float, T_0: float, n: float, *, ridge: float, sigma: float, sigma_0: float) -> Computed:
    r"""Error of ridge regression whose labels come from n generations of least-squares fits, for any spectrum of the inputs.

        kappa - ridge = kappa df_1 / T,    df_m = sum_j lambda_j^m / (lambda_j + kappa)^m
        bias     = kappa^2 sum_j lambda_j w_j^2 / (lambda_j + kappa)^2 / (1 - df_2 / T)
        variance = sigma^2 df_2 / (T - df_2)
        collapse = n sigma_0^2 / (T_0 - d - 1) [ df_2 + kappa^2 sum_j (lambda_j + kappa)^-2 df_2 / (T - df_2) ]

    Exact for many dimensions and samples; without a penalty and for T > d the sum is `laws.collapse_regression` up to terms of order 1/T.
    A larger penalty lowers the collapse term and raises the bias: earlier generations want more regularisation.

    Args:
        spectrum: (d,) lambda_j, variances of the inputs along their principal axes.
        signal: (d,) w_j, true coefficients along these axes.
        T: samples of the last fit. T_0: samples of each earlier one, more than d + 1.
        n: generations before the last.
        ridge: penalty lambda in |y - X w|^2 / T + lambda |w|^2.
        sigma, sigma_0: standard deviations of the noise on the labels of the last fit, and of earlier ones.

    Returns:
        `error`, the sum of `bias` and `variance` of the last fit and of `collapse`, n times what each earlier generation adds; and
        `kappa`, the effective penalty.

    Raises:
        DecisionError: if a value is out of range, or neither ridge > 0 nor T > d.

    Example:
        >>> import numpy as np
        >>> j = np.arange(1, 201)
        >>> at = {"T": 1e3, "T_0": 1e3, "ridge": 0.01, "sigma": 0.1, "sigma_0": 0.1}
        >>> [round(collapsed_ridge(j**-1.5, j**-0.5, n=n, **at).error, 5) for n in (0, 1, 2)]
        [0.00695, 0.00718, 0.00742]

    References: Dohmatob et al. 2024, arXiv:2402.07712 (setting); the formula follows from the deterministic equivalents of the resolvent.
    """
    lam, w = np.asarray(spectrum, dtype=np.float64), np.asarray(signal, dtype=np.float64)
    if lam.ndim != 1 or lam.shape != w.shape or not len(lam) or not (lam > 0).all() or not np.isfinite(w).all():
        raise DecisionError("collapsed_ridge() needs a positive spectrum (d,) and a signal of the same length.")
    d = len(lam)
    if not (T > 0 and T_0 > d + 1 and n >= 0 and ridge >= 0 and sigma >= 0 and sigma_0 >= 0):
        raise DecisionError(f"collapsed_ridge() needs T > 0, T_0 > d + 1 = {d + 1}, and no negative n, ridge, sigma or sigma_0.")
    if ridge == 0 and T <= d:
        raise DecisionError(f"Without a ridge penalty T={T:g} must exceed the dimension {d}.")
    kappa = _penalty(lam, float(T), float(ridge))
    df_2 = float((lam**2 / (lam + kappa) ** 2).sum())
    bias = kappa**2 * float((lam * w**2 / (lam + kappa) ** 2).sum()) / (1 - df_2 / T)
    variance = sigma**2 * df_2 / (T - df_2)
    spread = df_2 + kappa**2 * float(((lam + kappa) ** -2).sum()) * df_2 / (T - df_2)
    collapse = n * sigma_0**2 / (T_0 - d - 1) * spread
    found = {"error": bias + variance + collapse, "bias": bias, "variance": variance, "collapse": collapse, "kappa": kappa}
    return Computed(found, f"ridge regression on labels of {n:g} generations of fits")


def _penalty(lam: np.ndarray, T: float, ridge: float) -> float:
    """kappa with kappa (1 - df_1(kappa) / T) = ridge."""
    if ridge == 0:
        return 0.0

    def excess(log_kappa: np.ndarray) -> np.ndarray:
        kappa = np.exp(log_kappa)
        df_1 = (lam / (lam + kappa[..., None])).sum(axis=-1)
        return kappa * (1 - df_1 / T) - ridge

    low, high = np.log(ridge), np.log(ridge + lam.sum() / T)
    return float(np.exp(between(excess, np.asarray([low]), np.asarray([high + 1e-9])))[0])
