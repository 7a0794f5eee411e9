"""Parameters, FLOPs, bytes and seconds of a transformer from the numbers of its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...core.laws.formula import require
from ...core.table import Shown
from .families import Family


@dataclass(frozen=True, eq=False, repr=False)
class Counted(Shown):
    """The parts that every cost is made of, for one shape."""

    c: Mapping[str, Any]
    family: Family
    tied: bool

    @property
    def queries(self) -> Any:
        """Width of all heads of queries."""
        return self.c["num_attention_heads"] * self.c["head_dim"]

    @property
    def keys(self) -> Any:
        """Width of all heads of keys."""
        return self.c["num_key_value_heads"] * self.c["head_dim"]

    @property
    def embedding(self) -> Any:
        """Weights of the embedding of tokens."""
        return self.c["vocab_size"] * self.c["hidden_size"]

    @property
    def looked_up(self) -> Any:
        """Weights of which a token takes a row: no multiplication, and hardly any memory traffic."""
        positions = self.c["max_position_embeddings"] * self.c["hidden_size"] if self.family.positions else 0.0
        return positions + (0.0 if self.tied else self.embedding)

    @property
    def attention(self) -> Any:
        """Weights of attention in a layer."""
        d, f = self.c["hidden_size"], self.family
        biases = f.qkv_bias * (self.queries + 2.0 * self.keys) + f.o_bias * d
        return 2.0 * d * (self.queries + self.keys) + biases + 2.0 * f.qk_norm * self.c["head_dim"]

    def feed_forward(self, width: Any) -> Any:
        """Weights of a feed-forward layer of this width."""
        d, f = self.c["hidden_size"], self.family
        inner = 2.0 if f.gated else 1.0
        return (inner + 1.0) * d * width + f.mlp_bias * (inner * width + d)

    @property
    def sparse_layers(self) -> Any:
        """Layers with experts."""
        return (self.c["num_hidden_layers"] - self.c["first_k_dense_replace"]) if self.experts else 0.0

    @property
    def experts(self) -> bool:
        """Are there any?"""
        number = self.c["num_experts"]
        return not (isinstance(number, float) and number == 0.0)

    def total(self, experts: Any) -> Any:
        """All weights, with this many experts in every layer that has some."""
        c, d = self.c, self.c["hidden_size"]
        router = d * (c["num_experts"] + 1.0 * self.family.shared_gate)
        chosen = experts * self.feed_forward(c["moe_intermediate_size"])
        sparse = chosen + self.feed_forward(c["shared_expert_intermediate_size"]) + router
        dense = self.feed_forward(c["intermediate_size"])
        layers = c["num_hidden_layers"] * (self.attention + self.family.norms * d + dense) + self.sparse_layers * (sparse - dense)
        # The output layer of a tied model is its embedding.
        return self.looked_up + self.embedding + layers + self.family.final * d

    @property
    def multiplied(self) -> Any:
        """Weights that a token is multiplied with."""
        return self.total(self.c["num_experts_per_tok"]) - self.looked_up

    def read(self, tokens: Any) -> Any:
        """Weights that are read for this many tokens at once, whose experts are drawn alike and apart."""
        require(tokens > 0, "tokens={tokens} must be positive.", tokens=tokens)
        E, k = self.c["num_experts"], self.c["num_experts_per_tok"]
        met = E * (1.0 - (1.0 - k / E) ** tokens) if self.experts else 1.0
        return self.total(met) - self.looked_up

    @property
    def cached(self) -> Any:
        """Keys and values that are kept for a position."""
        return 2.0 * self.c["num_hidden_layers"] * self.keys

    @property
    def attended(self) -> Any:
        """FLOPs of a token's attention to one position: scores and weighting."""
        return 4.0 * self.c["num_hidden_layers"] * self.queries


def params(m: Counted) -> Any:
    """All parameters."""
    return m.total(m.c["num_experts"])


def active_params(m: Counted) -> Any:
    """Parameters that a token meets, embeddings included: all but the experts that are not chosen."""
    return m.total(m.c["num_experts_per_tok"])


def forward_flops(m: Counted, context: Any = 0.0) -> Any:
    """FLOPs of a token's forward pass that attends to `context` positions: two for every weight it meets, and attention."""
    return 2.0 * m.multiplied + m.attended * context


def training_flops(m: Counted, D: Any, n_ctx: Any = 0.0) -> Any:
    """FLOPs of training on D tokens in sequences of n_ctx: three forward passes, attention over all positions as in `attention_flops`."""
    return 3.0 * forward_flops(m, n_ctx) * D


def training_memory(m: Counted, bytes_per_param: Any = 16.0) -> Any:
    """Bytes of weights, gradients and optimiser in training; 16 a parameter as in `training_bytes`, activations left out."""
    return params(m) * bytes_per_param


def cache_memory(m: Counted, context: Any, batch: Any = 1.0, bytes_per_value: Any = 2.0) -> Any:
    """Bytes of keys and values of `batch` sequences of `context` positions, all of which every layer keeps."""
    return m.cached * bytes_per_value * context * batch


def serving_memory(m: Counted, context: Any, batch: Any = 1.0, bytes_per_param: Any = 2.0, bytes_per_value: Any = 2.0) -> Any:
    """Bytes of the weights and of keys and values in inference."""
    return params(m) * bytes_per_param + cache_memory(m, context, batch, bytes_per_value)


def decode_seconds(
    m: Counted,
    peak: Any,
    bandwidth: Any,
    context: Any,
    batch: Any = 1.0,
    bytes_per_param: Any = 2.0,
    bytes_per_value: Any = 2.0,
    overhead: Any = 0.0,
) -> Any:
    """Seconds for the next token of `batch` sequences of `context` positions; see `from_config`."""
    weights = _roofline(2.0 * m.multiplied * batch, m.read(batch) * bytes_per_param, peak, bandwidth)
    cache = cache_memory(m, context, batch, bytes_per_value)
    return weights + _roofline(m.attended * context * batch, cache, peak, bandwidth) + overhead * m.c["num_hidden_layers"]


def prefill_seconds(
    m: Counted,
    peak: Any,
    bandwidth: Any,
    context: Any,
    batch: Any = 1.0,
    bytes_per_param: Any = 2.0,
    bytes_per_value: Any = 2.0,
    overhead: Any = 0.0,
) -> Any:
    """Seconds to read `batch` prompts of `context` tokens, each of which attends to half of them on average; see `from_config`."""
    tokens = context * batch
    weights = _roofline(2.0 * m.multiplied * tokens, m.read(tokens) * bytes_per_param, peak, bandwidth)
    cache = cache_memory(m, context, batch, bytes_per_value)
    return weights + _roofline(0.5 * m.attended * context * tokens, cache, peak, bandwidth) + overhead * m.c["num_hidden_layers"]


def _roofline(flops: Any, moved: Any, peak: Any, bandwidth: Any) -> Any:
    """The longer of computing and moving, for numbers and arrays of any kind."""
    compute, memory = flops / peak, moved / bandwidth
    return 0.5 * (compute + memory + abs(compute - memory))


COSTS: tuple[Callable[..., Any], ...] = (
    params, active_params, forward_flops, training_flops, training_memory, cache_memory, serving_memory, decode_seconds, prefill_seconds,
)  # fmt: skip
