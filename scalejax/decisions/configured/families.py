"""Types of models: what their layers have beside the numbers of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Family:
    """What models of one type have beside the numbers of their configuration.

    Attributes:
        gated: three matrices in the feed-forward layer, or two.
        norms: weights of norms in a layer, in units of the width (biases of norms count as further ones).
        qkv_bias, o_bias, mlp_bias: biases; None if the configuration says (attention_bias, mlp_bias).
        qk_norm: norms of queries and keys, one weight for each entry of a head.
        final: weights of norms after the last layer, in units of the width.
        shared_gate: a weight of the shared expert that depends on the token.
        tied: one matrix for embedding and output layer, where the configuration does not say.
        positions: learned positions.
    """

    gated: bool = True
    norms: int = 2
    final: int = 1
    qkv_bias: bool | None = False
    o_bias: bool | None = False
    mlp_bias: bool | None = False
    qk_norm: bool = False
    shared_gate: bool = False
    tied: bool = False
    positions: bool = False


_LAYER_NORM: dict[str, Any] = {"gated": False, "norms": 4, "final": 2, "qkv_bias": True, "o_bias": True, "mlp_bias": True}
FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "llama": Family(qkv_bias=None, o_bias=None, mlp_bias=None),
        "mistral": Family(),
        "mixtral": Family(),
        "qwen2": Family(qkv_bias=True),
        "qwen2_moe": Family(qkv_bias=True, shared_gate=True),
        "qwen3": Family(qkv_bias=None, o_bias=None, qk_norm=True),
        "qwen3_moe": Family(qkv_bias=None, o_bias=None, qk_norm=True),
        "gemma": Family(tied=True),
        "gemma2": Family(norms=4, tied=True),
        "gemma3_text": Family(norms=4, qk_norm=True, tied=True),
        "deepseek": Family(qkv_bias=None, o_bias=None),
        "gpt2": Family(**_LAYER_NORM, tied=True, positions=True),
        "gpt_neox": Family(**_LAYER_NORM),
    }
)
