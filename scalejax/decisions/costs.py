"""What a run costs: plain functions of inputs by name. Write your own; any JAX function of N, D and further named values works."""

from __future__ import annotations


def six_nd(N, D):
    """Training compute in FLOPs: 6 N D, for N parameters and D tokens (2 forward, 4 backward a parameter and token).

    >>> six_nd(1e9, 2e10)
    1.2e+20
    """
    return 6.0 * N * D  # a float first: 6 N D overflows 64-bit integers


def six_nd_inference(N, D, D_inf):
    """Lifetime compute in FLOPs: 6 N D for training and 2 N D_inf for D_inf tokens of inference (Sardana et al. 2023, arXiv:2401.00448).

    >>> six_nd_inference(1e9, 2e10, 3e10)
    1.8e+20
    """
    return 6.0 * N * D + 2.0 * N * D_inf
