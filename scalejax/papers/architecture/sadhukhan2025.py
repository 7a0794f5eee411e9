"""What answering costs when memory traffic counts: FLOPs and bytes of reasoning with many samples, in one currency."""

from __future__ import annotations

import jax.numpy as jnp


def answer_flops(P, L_p, L_o, n, d_attn, d_kv, intensity=562.5):
    r"""Equivalent FLOPs of answering one question n times: computing, and reading keys and values at the hardware's rate.

        compute = n (2 P L_o + 2 (2 L_p + L_o) L_o d_attn),    memory = I 2 (2 L_p + n L_o) L_o d_kv

    Args:
        P: parameters. L_p, L_o: tokens of the prompt and of an answer. n: answers.
        d_attn, d_kv: width of all heads of queries, and of keys, times layers.
        intensity: I, FLOPs that the hardware does while it moves a byte; 0 leaves memory out.

    Returns:
        compute + memory in FLOPs: numbers, arrays or JAX. A cost for `allocate`. The prompt's keys and values are read once for all
        answers; reading parameters is shared by many requests and left out. 16-bit values: two bytes each for keys and for values are
        2 x 2 with an average of half of the answer.

    Example:
        >>> f"{answer_flops(8.19e9, 200, 8192, 1, d_attn=32 * 128 * 36, d_kv=8 * 128 * 36):.3g}"  # Qwen3 8B
        '3.07e+15'

    References: Sadhukhan et al. 2025, arXiv:2506.05333, and Infini-AI-Lab/Kinetics.
    """
    compute = 1.0 * n * (2.0 * P * L_o + 2.0 * (2.0 * L_p + L_o) * L_o * d_attn)
    return compute + intensity * 2.0 * (2.0 * L_p + 1.0 * n * L_o) * L_o * d_kv


def sparse_answer_flops(P, L_p, L_o, n, d_attn, d_kv, budget, block=None, intensity=562.5):
    r"""`answer_flops` where a token attends to the `budget` positions that matter most to it.

        S = budget L_o - max(0, budget - L_p)^2 / 2,    compute = n (2 P L_o + 4 S d_attn),    memory = n I 4 S d_kv

    Args:
        P, L_p, L_o, n, d_attn, d_kv, intensity: as in `answer_flops`.
        budget: positions, fewer than there are.
        block: positions of a block, where whole blocks are chosen; each is searched for by one key of its own. None: searching is free.

    Returns:
        Equivalent FLOPs. Without blocks nothing is shared by the answers.

    Example:
        >>> few = sparse_answer_flops(8.19e9, 200, 8192, 1, d_attn=32 * 128 * 36, d_kv=8 * 128 * 36, budget=512)
        >>> f"{few:.3g}"
        '4.8e+14'

    Note: the first tokens have fewer positions behind them than the budget, so that the square is subtracted. The authors' code does so
    for blocks and adds it for free search; their tables of costs add it for both.

    References: Sadhukhan et al. 2025, arXiv:2506.05333, and Infini-AI-Lab/Kinetics.
    """
    short = jnp.maximum(0.0, 1.0 * budget - L_p) if not isinstance(budget, int | float) else max(0.0, budget - L_p)
    S = 1.0 * budget * L_o - 0.5 * short**2
    compute = 2.0 * P * L_o + 4.0 * S * d_attn
    memory = 4.0 * S * d_kv
    if block is None:
        return n * (compute + intensity * memory)
    searched = L_o * (2.0 * L_p + 1.0 * L_o) / block * d_attn
    shared = L_o * (2.0 * L_p + 1.0 * n * L_o) / block * d_kv
    return n * (compute + searched) + intensity * (n * memory + shared)
