"""Exact counts of single studies: parameters and FLOPs per token of gated transformers, mixtures of experts and the Gemstones models.

They continue `shapes`: plain functions of numbers or arrays, FLOPs of training unless said otherwise. The common rules are there:
Kaplan's 6 N is 6 `transformer_params`; `deepseek_flops` adds attention and, with `n_vocab`, the output layer; `hoffmann_flops` counts
every operation.
"""

from __future__ import annotations

from .shapes import hoffmann_flops


def gated_params(n_layer, d_model, d_ff, n_head, d_head, n_vocab, n_kv=None, gated=True, n_expert=1):
    """Parameters with one embedding, which the output layer shares.

        N = n_vocab d_model + n_layer (2 d_model d_head (n_head + n_kv) + g n_expert d_model d_ff),  g = 3 if gated, else 2

    Args:
        n_layer, d_model, d_ff: layers, width, width of the feed-forward layer.
        n_head, d_head: heads of queries and their size. n_kv: heads of keys and values; n_head by default.
        n_vocab: tokens of the vocabulary.
        gated: three matrices in the feed-forward layer (SwiGLU, GeGLU) or two.
        n_expert: experts in each feed-forward layer.

    Hägele et al. 2024 (arXiv:2405.18392).

    >>> gated_params(8, 384, 1024, 6, 64, n_vocab=50257)
    33454464.0
    """
    n_kv = n_head if n_kv is None else n_kv
    matrices = 3.0 if gated else 2.0
    return 1.0 * n_vocab * d_model + n_layer * (2.0 * d_model * d_head * (n_head + n_kv) + matrices * n_expert * d_model * d_ff)


def sequence_flops(n_layer, d_model, d_ff, n_head, d_head, n_ctx, n_vocab, gated=True, n_expert=0, n_active=1):
    """FLOPs of training on one sequence of n_ctx tokens, embedding and output layer included.

    `hoffmann_flops` times n_ctx, where a gated feed-forward layer has three matrices instead of two. A mixture of experts (n_expert above
    0) runs n_active of them for every token and spends 3 n_expert FLOPs of a token's forward pass on choosing. Hägele et al. 2024
    (arXiv:2405.18392).

    >>> sequence_flops(8, 384, 1024, 6, 64, n_ctx=512, n_vocab=50257)
    171834605568.0
    """
    matrices = 1.5 * d_ff if gated else 1.0 * d_ff
    choosing = 3.0 * (3.0 * n_expert * n_layer)
    return n_ctx * (hoffmann_flops(n_layer, d_model, matrices * n_active, n_head, d_head, n_ctx, n_vocab) + choosing)


def gemstones_params(width, depth, n_vocab=50304):
    """Parameters of a Gemstones model: depth (14 width^2 + 256 n_kv width + 2 width) + (2 n_vocab + 1) width.

    Heads have size 128 and two of queries share one of keys and values, n_kv = floor(width / 256); queries, projection and GeGLU of four
    times the width have 14 width^2; norms have weights; embedding and output layer are separate, and n_vocab = 0 leaves them out.
    McLeish et al. 2025 (arXiv:2502.06857).

    >>> gemstones_params(1024, 28)
    543482880.0
    """
    n_kv = width // 256
    return 1.0 * depth * (14.0 * width * width + 256.0 * n_kv * width + 2.0 * width) + (2.0 * n_vocab + 1.0) * width


def gemstones_flops(width, depth, n_ctx=2048, n_vocab=50304):
    """FLOPs per token of training a Gemstones model.

        3 (depth (30 width^2 + 61.25 width) + 2 n_vocab width + 7 width) + 3.5 depth n_ctx width (3 + 3/128)

    The first part has forward and backward pass of all matrices (2 FLOPs a parameter), rotations, norms and activations; the second has the
    scores, softmax (heads of size 128) and weighting of attention, whose backward pass is 2.5 times the forward one as it computes scores
    anew. Scores count half, as a causal mask leaves half of them; keys and values count as width^2 even for an odd
    number of heads. McLeish et al. 2025 (arXiv:2502.06857).

    >>> f"{gemstones_flops(1024, 28):.5g}"
    '3.5781e+09'
    """
    matrices = 1.0 * depth * (30.0 * width * width + 61.25 * width) + 2.0 * n_vocab * width + 7.0 * width
    attention = 1.0 * depth * n_ctx * width * (3.0 + 3.0 / 128.0)
    return 3.0 * matrices + 3.5 * attention


def fine_grained_flops(N, D, G, expansion=64.0, per_active=6.0, per_routed=14.0, aspect=64.0):
    """FLOPs of training a mixture of fine-grained experts, routing included: (12 d_model^2 c_f + d_model E G c_r) n_layer D.

    Args:
        N: all parameters without embeddings and routers, d_model^2 (8 E + 4) n_layer, with n_layer = d_model / aspect.
        D: tokens.
        G: granularity, d_ff / d_expert; E G experts, of which a token meets G.
        expansion: E, parameters of the experts over those of a dense layer.
        per_active, per_routed: c_f and c_r, FLOPs of training for a parameter of the network and of a router.

    12 d_model^2 n_layer are the active parameters, so that without routing it is 6 N_active D. Krajewski et al. 2024, section 6
    (arXiv:2402.07871).

    >>> f"{fine_grained_flops(7e9 * (8 * 64 + 4) / 12, 137.6e9, 32):.3g}"  # the paper's 64 x 7B: 6.46e21
    '6.47e+21'
    """
    n_layer = (N / (aspect * aspect * (8.0 * expansion + 4.0))) ** (1 / 3)
    d_model = aspect * n_layer
    return (12.0 * d_model * per_active + expansion * G * per_routed) * d_model * n_layer * D


def gpu_hours(seconds_per_step, steps, nodes, per_node=8):
    """Device hours of a run: seconds_per_step steps nodes per_node / 3600.

    >>> gpu_hours(1.5, 2400, nodes=4)
    32.0
    """
    return 1.0 * seconds_per_step * steps * nodes * per_node / 3600.0
