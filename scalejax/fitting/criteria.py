r"""Information criteria of fits that minimise a sum of losses: the loss as a density of residuals.

A loss rho and a scale tau make the density exp(-rho(r) / tau) / Z(tau): normal for least squares, Laplace's for absolute deviations,
normal with exponential tails for Huber's. At its most likely scale the log likelihood of n residuals with the objective sum rho is

    log L = -n min_tau ( u / tau + log Z(tau) ),    u = sum rho / n,    Z(tau) = integral of exp(-rho(r) / tau) dr

and with p parameters beside the scale BIC = -2 log L + (p + 1) log n, AICc = -2 log L + 2 (p + 1) n / (n - p - 2).

References: Schwarz 1978, Annals of Statistics 6, 461; Hurvich and Tsai 1989, Biometrika 76, 297.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .objective.losses import Loss, loss_terms

_SCALES = 30.0  # natural logarithms of tau on either side of the loss of a residual of 1e-3 and of 1
_POINTS = 4001  # of the residuals, over many powers of ten
_GRID = 1200


@lru_cache(maxsize=32)
def _normaliser(loss: Loss) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log tau, log Z(tau) and the logarithm of the mean loss under tau."""
    log_r = np.linspace(np.log(1e-14), np.log(1e8), _POINTS)
    r = np.exp(log_r)
    rho = np.stack([loss_terms(loss, sign * r)[0] for sign in (1.0, -1.0)])
    centre = np.log(np.maximum(float(loss_terms(loss, np.asarray(1e-3))[0]), 1e-30))
    log_tau = np.linspace(centre - _SCALES, centre + _SCALES, _GRID)
    step = log_r[1] - log_r[0]
    log_z, log_u = np.empty((2, _GRID))
    for i, log in enumerate(log_tau):
        density = np.exp(-rho * np.exp(-log)) * r * step  # dr = r d(log r)
        total = density.sum()
        log_z[i], log_u[i] = np.log(total), np.log(max((density * rho).sum() / total, 1e-300))
    return log_tau, log_z, log_u


def minus_twice_log_likelihood(loss: Loss, objective: np.ndarray, n: int) -> np.ndarray:
    """-2 log L at the most likely scale, from sums of losses over n residuals; infinite where the objective is.

    At that scale the mean loss is that under the density.
    """
    log_tau, log_z, log_u = _normaliser(loss)
    mean = np.log(np.maximum(np.asarray(objective, dtype=float) / n, 1e-300))
    rising = np.maximum.accumulate(log_u)
    keep = np.concatenate([[True], np.diff(rising) > 0])
    at = np.interp(np.clip(mean, rising[0], rising[keep][-1]), rising[keep], log_tau[keep])
    value = 2 * n * (np.exp(np.minimum(mean - at, 700.0)) + np.interp(at, log_tau, log_z))
    return np.where(np.isfinite(objective), value, np.inf)


def bic(loss: Loss, objective: np.ndarray, n: int, free: np.ndarray) -> np.ndarray:
    """Schwarz's criterion; the scale of the residuals counts as a parameter."""
    return minus_twice_log_likelihood(loss, objective, n) + (free + 1) * np.log(n)


def aicc(loss: Loss, objective: np.ndarray, n: int, free: np.ndarray) -> np.ndarray:
    """Akaike's criterion, corrected for few residuals; infinite where none is left over. The scale counts as a parameter."""
    left = n - free - 2
    value = minus_twice_log_likelihood(loss, objective, n) + 2 * (free + 1) * n / np.maximum(left, 1)
    return np.where(left > 0, value, np.inf)
