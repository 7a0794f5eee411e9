"""Losses as information: bits and nats, what a run's parameters store, and the least energy that takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.errors import DataError

BOLTZMANN = 1.380649e-23  # J/K, exact in the SI


def bits(nats: Any) -> Any:
    """Nats as bits: divided by ln 2.

    >>> round(bits(math.log(8)), 12)
    3.0
    """
    return nats / math.log(2)


def nats(bits: Any) -> Any:
    """Bits as nats: times ln 2.

    >>> round(nats(1.0), 6)
    0.693147
    """
    return bits * math.log(2)


def stored_information(N: Any, D: Any, loss: Any, *, H: float) -> Any:
    r"""Information capacity of parameters from a run: bits of data that each has taken in.

        eta = D (H - L) / N,    or along a training curve    eta(t) = 1/N integral of (H - loss) dD from 0 to t

    Args:
        N: parameters, one or several.
        D: tokens, in the shape of N; or (steps,) rising along a curve.
        loss: mean loss over training in bits/token, in the shape of N; or (steps,) the loss at every D of the curve, for one N.
        H: entropy of the raw data in bits/token, which the loss starts from.

    Returns:
        eta in bits/parameter: in the shape of N, or (steps,) along the curve (trapezoids, with the loss H at no tokens).

    Raises:
        DataError: if D of a curve does not rise.

    Example:
        >>> import scalejax as sj
        >>> round(sj.papers.stored_information(1e9, 2e10, 7.9, H=8.0), 6)  # D (H - L) = 2e9 bits
        2.0

        A curve in which the loss falls at once from 8 to 4 bits/token stores 4 bits with every token from there on:

        >>> import numpy as np
        >>> sj.papers.stored_information(1e6, np.array([1.0, 1e6, 2e6]), np.array([4.0, 4.0, 4.0]), H=8.0).round(3)
        array([0., 4., 8.])

    With a fitted law the mean loss follows from its own L(N, D): average it over the tokens, or pass it along a curve.

    References: An et al. 2024, arXiv:2411.00660.
    """
    D, loss = np.asarray(D, float), np.asarray(loss, float)
    if D.ndim and np.ndim(N) == 0:
        if not (np.diff(D) > 0).all() or D[0] < 0:
            raise DataError("stored_information() along a curve needs tokens D that rise from 0 or above; sort the curve.")
        gained = H - loss
        steps = np.diff(D, prepend=0.0) * 0.5 * (gained + np.concatenate([[0.0], gained[:-1]]))
        return np.cumsum(steps) / N
    eta = D * (H - loss) / N
    return eta if eta.ndim else float(eta)


def landauer_energy(eta: Any, N: Any, T: float = 300.0) -> Any:
    """Least energy in joules to store eta N bits at T kelvin: E_0 = eta N k_B T ln 2 (Landauer's bound; An et al. 2024, arXiv:2411.00660).

    >>> f"{landauer_energy(2.0, 1e9):.3g}"
    '5.74e-12'
    """
    return eta * N * BOLTZMANN * T * math.log(2)
