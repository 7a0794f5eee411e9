"""How long distributed training takes where networks are slow: data-parallel, and replicas that seldom synchronise."""

from __future__ import annotations


def replica_seconds(N, D, B, M, H, R, Q, W_0, W_1, eps_0=0.0, eps_1=0.0, bits=16.0):
    r"""Idealised wall-clock seconds of training with M replicas that synchronise every H steps.

        6 N D / (R Q) + T (b N 2 (1 - M / R) / W_0 + eps_0) + (T / H) (b N 2 (1 - 1 / R) / W_1 + eps_1),    T = D / B

    Args:
        N, D: parameters and tokens. B: tokens of a batch of all replicas together, so that there are T steps.
        M: replicas, each in one place. H: steps between two synchronisations; 1 with W_0 for the fast network alone.
        R: devices in all. Q: FLOP/s of a device.
        W_0, W_1: bits/s between the devices of a place, and between places. eps_0, eps_1: seconds of latency there.
        bits: of a parameter that is sent.

    Returns:
        Seconds: numbers, arrays or JAX; a cost for `allocate`. Every gradient is reduced within a place, parameters between places: an
        all-reduce over r devices moves at least 2 (1 - 1 / r) of what is reduced past each of them. Computing and sending do not
        overlap. Data-parallel training over places has M = 1, H = 1 and no traffic within: W_0 infinite, eps_0 = 0.

    Example:
        >>> slow = {"R": 1024, "Q": 3e14, "W_0": 4e11, "W_1": 1e10, "eps_0": 1e-4, "eps_1": 1e-2}
        >>> f"{replica_seconds(2.4e9, 48e9, 2**21, M=2, H=30, **slow):.0f}"
        '12500'

    References: after the model of wall-clock time in Charles et al. 2025, arXiv:2503.09799, appendix A; bound of the all-reduce: Patarasuk
    and Yuan 2009, J. Parallel Distrib. Comput. 69, 117.
    """
    steps = 1.0 * D / B
    near = 2.0 * bits * N * (1.0 - 1.0 * M / R) / W_0 + eps_0
    far = 2.0 * bits * N * (1.0 - 1.0 / R) / W_1 + eps_1
    return 6.0 * N * D / (1.0 * R * Q) + steps * near + steps / H * far
