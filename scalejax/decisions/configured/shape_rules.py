"""The configuration of a wanted size in a family of shapes: between its members as they are, whole layers and heads."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...core.errors import DecisionError, suggest
from .from_config import from_config

Count = Literal["total", "nonembedding"]
_DEPTHS = np.arange(1, 257)
_FEW_HEADS, _STEP, _MOST_HEADS = 8, 4, 512
_CLOSE, _LIKE = 0.02, 0.3  # log-units by which the size, and the ratio of width to depth, may be off at equal cost
_ROUND = 256  # inner widths are multiples of it
_FAR = 0.25  # log-units beyond which no configuration has the size


@dataclass(frozen=True)
class ShapeFamily:
    """A family of shapes.

    Attributes:
        name, reference: what it is called, and where its members are printed.
        model_type: of its configurations. kv_heads: of keys and values at most, 0 for as many as heads. vocab, positions.
        members: (depth, width, heads, inner width) of each.
    """

    name: str
    model_type: str
    kv_heads: int
    vocab: int
    positions: int
    reference: str
    members: tuple[tuple[int, int, int, int], ...]

    def config(self, depth: Any, width: Any, heads: Any, inner: Any) -> dict[str, Any]:
        """Keys of a config.json; numbers, or arrays for many at once."""
        shape = {"hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": heads, "intermediate_size": inner}
        kv = _divisor(heads, self.kv_heads) if self.kv_heads else heads
        more = {"num_key_value_heads": kv, "head_dim": width // heads, "vocab_size": self.vocab}
        at = {"max_position_embeddings": self.positions} if self.positions else {}
        return {"model_type": self.model_type, **{k: v if np.ndim(v) else int(v) for k, v in {**shape, **more, **at}.items()}}

    def sizes(self, depth: Any, width: Any, heads: Any, inner: Any, count: Count) -> np.ndarray:
        """Parameters of configurations, in double precision."""
        config = self.config(*self.members[0])
        keys = {k: np.asarray(v, float) for k, v in self.config(depth, width, heads, inner).items() if not isinstance(v, str)}
        if count == "nonembedding":
            keys |= {"vocab_size": np.zeros(()), "max_position_embeddings": np.zeros(())}
        return np.asarray(from_config(config).params(**keys), float)

    def size(self, config: Mapping[str, Any], count: Count) -> float:
        """Parameters of a configuration."""
        depth, width = config["num_hidden_layers"], config["hidden_size"]
        return float(self.sizes(depth, width, config["num_attention_heads"], config["intermediate_size"], count))

    def with_vocabulary(self, vocab: int | None) -> ShapeFamily:
        """The family with another vocabulary."""
        return self if vocab is None else replace(self, vocab=vocab)

    def closest(self, N: float, count: Count) -> dict[str, Any]:
        """The configuration whose size is close to N and whose ratio of width to depth is close to that of the members.

        Raises:
            DecisionError: if no whole number of layers and heads comes near N.
        """
        known = np.asarray(self.members)
        at = np.log([float(self.sizes(*member, count)) for member in self.members])
        aspect = np.exp(np.interp(np.log(N), at, np.log(known[:, 1] / known[:, 0])))
        ratio = np.interp(np.log(N), at, known[:, 3] / known[:, 1])
        like = known[np.argmin(np.abs(at - np.log(N)))]
        step = self.kv_heads or _STEP
        heads = np.r_[1 : _FEW_HEADS + 1, np.arange(step, _MOST_HEADS + 1, step)][:, None]  # from a few on in whole parts
        width = heads * (like[1] // like[2])  # heads are as wide as those of the nearest member
        inner = (np.ceil(np.round(ratio * width / _ROUND, 6)) * _ROUND).astype(int)
        off = np.log(self.sizes(_DEPTHS, width, heads, inner, count) / N)
        cost = (off / _CLOSE) ** 2 + (np.log(width / _DEPTHS / aspect) / _LIKE) ** 2
        row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
        if abs(off[row, column]) > _FAR:
            raise DecisionError(
                f"No {self.name} model has {N:.3g} parameters: the nearest has {N * np.exp(off[row, column]):.3g}. Plan another size, "
                "choose other shapes, or give a smaller vocabulary with vocab=..."
            )
        return self.config(int(_DEPTHS[column]), int(width[row, 0]), int(heads[row, 0]), int(inner[row, 0]))


def _divisor(heads: Any, most: int) -> Any:
    """The largest divisor of the heads up to `most`, for numbers and arrays."""
    tried = np.arange(1, most + 1)
    divides = np.asarray(heads)[..., None] % tried == 0
    return np.max(np.where(divides, tried, 1), axis=-1)


@cache
def shape_families() -> Mapping[str, ShapeFamily]:
    """Name to family."""
    read = tomllib.loads((Path(__file__).parent / "shapes.toml").read_text(encoding="utf-8"))
    return {name: ShapeFamily(name, members=tuple(map(tuple, d.pop("members"))), **d) for name, d in read.items()}


def family_of(name: str) -> ShapeFamily:
    """The family of this name."""
    families = shape_families()
    if name not in families:
        raise DecisionError(f"There are no shapes {name!r}; {suggest(name, families)}")
    return families[name]
