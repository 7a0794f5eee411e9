"""Costs of a model from its configuration, with the keys of a Hugging Face config.json: parameters, FLOPs, memory and latency.

Every cost is a function of the configuration's own numbers by name, so that `allocate` can choose them.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.errors import DecisionError, suggest
from .counts import COSTS, Counted
from .families import FAMILIES, Family

# Other names of the same number.
_ALIASES = {
    "n_embd": "hidden_size",
    "n_layer": "num_hidden_layers",
    "n_head": "num_attention_heads",
    "n_inner": "intermediate_size",
    "n_positions": "max_position_embeddings",
    "num_local_experts": "num_experts",
    "n_routed_experts": "num_experts",
}
# What a cost depends on, and what it is where the configuration does not say.
_SHAPE: dict[str, Any] = {
    "hidden_size": None,
    "num_hidden_layers": None,
    "num_attention_heads": None,
    "vocab_size": None,
    "intermediate_size": lambda hidden_size: 4.0 * hidden_size,
    "num_key_value_heads": lambda num_attention_heads: num_attention_heads,
    "head_dim": lambda hidden_size, num_attention_heads: hidden_size / num_attention_heads,
    "max_position_embeddings": 0.0,
    "num_experts": 0.0,
    "num_experts_per_tok": 1.0,
    "moe_intermediate_size": lambda intermediate_size: intermediate_size,
    "shared_expert_intermediate_size": 0.0,
    "first_k_dense_replace": 0.0,
}
# Keys of attention that keeps something else than keys and values of heads, or not those of every position.
_UNKNOWN = ("kv_lora_rank", "linear_num_key_heads", "ssm_cfg", "attn_layer_period")


@dataclass(frozen=True, repr=False)
class ShapeCost:
    """A cost of a model whose configuration is known; its numbers are arguments by name, with those of the configuration as defaults."""

    function: Callable[..., Any]
    family: Family
    tied: bool
    shape: tuple[tuple[str, Any], ...]
    __signature__: inspect.Signature = field(init=False, compare=False)

    def __post_init__(self) -> None:
        own = list(inspect.signature(self.function).parameters.values())[1:]
        named = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=v) for n, v in self.shape]
        object.__setattr__(self, "__signature__", inspect.Signature([*own, *named]))

    @property
    def __name__(self) -> str:
        return self.function.__name__

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.function.__doc__

    def __repr__(self) -> str:
        own = list(inspect.signature(self.function).parameters)[1:]
        return f"{self.__name__}({', '.join([*own, 'hidden_size', '...'])})"

    def __call__(self, *args: Any, **named: Any) -> Any:
        self.__signature__.bind(*args, **named)  # a missing or unknown argument is named
        shape = {n: named.pop(n, v) for n, v in self.shape}
        return self.function(Counted(_resolved(shape), self.family, self.tied), *args, **named)


def _resolved(shape: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers for all keys: values that are functions of other keys are called, those they need first."""
    known: dict[str, Any] = {}

    def of(name: str, asked: tuple[str, ...] = ()) -> Any:
        if name in asked:
            raise DecisionError(f"The configuration defines {' and '.join(asked)} by each other; give one of them as a number.")
        if name not in known:
            value = shape[name]
            if callable(value):
                value = value(**{n: of(n, (*asked, name)) for n in inspect.signature(value).parameters})
            known[name] = 1.0 * value  # a float first: products overflow 64-bit integers
        return known[name]

    return {name: of(name) for name in shape}


@dataclass(frozen=True)
class Configured:
    """Costs of a model, each a function of the numbers of its configuration by name; see `from_config`.

    Attributes:
        model_type: of the configuration.
        params, active_params: all parameters, and those that a token meets.
        forward_flops, training_flops: FLOPs of a token's forward pass, and of training on D tokens.
        training_memory, cache_memory, serving_memory: bytes of the state of training, of keys and values, and of weights with these.
        decode_seconds, prefill_seconds: seconds for the next token of every sequence, and to read prompts.
    """

    model_type: str
    params: ShapeCost
    active_params: ShapeCost
    forward_flops: ShapeCost
    training_flops: ShapeCost
    training_memory: ShapeCost
    cache_memory: ShapeCost
    serving_memory: ShapeCost
    decode_seconds: ShapeCost
    prefill_seconds: ShapeCost


def from_config(config: Mapping[str, Any] | str | Path, **changes: Any) -> Configured:
    r"""Parameters, FLOPs, memory and latency of a model from its configuration, as functions of the configuration's numbers.

        decode_seconds = max(2 P b / peak, W / bandwidth) + max(4 n_layer d_attn n b / peak, K n b / bandwidth) + overhead n_layer

    for b sequences of n positions, P weights that a token is multiplied with, W bytes of the weights that are read (of E experts that
    choose k apiece, E (1 - (1 - k / E)^b) are) and K bytes of keys and values a position: the roofline, for all matrices and for attention.

    Args:
        config: the keys of a config.json, or its path: dense models, grouped queries and experts of the types in `families.py`.
        **changes: keys to change. A value may be a function of other keys, so that they move together:
            `num_attention_heads=lambda hidden_size: hidden_size / 128`.

    Returns:
        Configured: `params()`, `active_params()`, `forward_flops(context)`, `training_flops(D, n_ctx)`, `training_memory()`,
        `cache_memory(context, batch)`, `serving_memory(context, batch)`, `decode_seconds(peak, bandwidth, context, batch)` and
        `prefill_seconds(...)`, each of which takes keys by name too. They go to `allocate` as cost and caps, and to `seconds` and
        `dollars`; JAX differentiates them. peak FLOP/s and bandwidth bytes/s are those of all devices together, `overhead` seconds
        that every layer takes whatever its size. Windows of attention are not counted: every layer keeps all positions.

    Raises:
        DecisionError: if a key is missing or no number, or the type of model is unknown.

    Example:
        >>> llama = from_config({"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "intermediate_size": 11008,
        ...                      "num_attention_heads": 32, "vocab_size": 32000})
        >>> f"{llama.params():.0f} {llama.params(num_hidden_layers=40):.4g}"
        '6738415616 8.357e+09'
        >>> f"{1e3 * llama.decode_seconds(peak=312e12, bandwidth=2.039e12, context=1024):.2f} ms"
        '6.74 ms'

    References: Williams et al. 2009, doi:10.1145/1498765.1498785 (roofline); Pope et al. 2022, arXiv:2211.05102 (inference).
    """
    read = json.loads(Path(config).read_text(encoding="utf-8")) if isinstance(config, str | Path) else config
    given = {_ALIASES.get(n, n): v for n, v in {**read, **changes}.items() if v is not None}
    kind = str(given.get("model_type", ""))
    if kind not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise DecisionError(
            f"from_config() does not know model_type={kind!r}; it knows {known}. Name the one whose layers have the same matrices, "
            "norms and biases: from_config(config, model_type='llama')."
        )
    for name in _UNKNOWN:
        if name in given:
            raise DecisionError(f"from_config() counts attention with heads of keys and values; this configuration has {name}.")
    for name in changes:
        if _ALIASES.get(name, name) not in (*_SHAPE, "model_type", "tie_word_embeddings", "attention_bias", "mlp_bias"):
            raise DecisionError(f"from_config() has no use for {name!r}; {suggest(name, _SHAPE)}")
    if given.get("decoder_sparse_step", 1) != 1 or given.get("moe_layer_freq", 1) != 1:
        raise DecisionError(
            "from_config() counts experts in every layer after the first first_k_dense_replace; decoder_sparse_step or moe_layer_freq "
            "above 1 has fewer."
        )
    if given.get("num_experts") and "num_experts_per_tok" not in given:
        raise DecisionError("from_config() needs num_experts_per_tok: how many of the experts a token chooses.")
    if "n_shared_experts" in given and "moe_intermediate_size" in given:
        given.setdefault("shared_expert_intermediate_size", given["n_shared_experts"] * given["moe_intermediate_size"])
    shape = []
    for name, default in _SHAPE.items():
        value = given.get(name, default)
        if not callable(value) and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise DecisionError(f"from_config() needs {name} as a number, or a function of other keys; got {value!r}.")
        shape.append((name, value))
    family = _settled(FAMILIES[kind], given)
    tied = bool(given.get("tie_word_embeddings", family.tied))
    made = {f.__name__: ShapeCost(f, family, tied, tuple(shape)) for f in COSTS}
    return Configured(kind, **made)


def _settled(family: Family, given: Mapping[str, Any]) -> Family:
    """The family with what the configuration says of biases."""
    attention, mlp = bool(given.get("attention_bias", False)), bool(given.get("mlp_bias", False))
    said = {"qkv_bias": attention, "o_bias": attention, "mlp_bias": mlp}
    return Family(**{n: said[n] if v is None else v for n, v in vars(family).items()})
