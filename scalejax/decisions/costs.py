"""What a run costs: plain functions of inputs by name. Write your own; any JAX function of N, D and further named values works.

Costs of N and D go to `allocate(..., cost=...)`, which takes their other arguments by name. `seconds` and `dollars` turn a cost in FLOPs
into one in another unit. The counts from the shape of a model (`transformer_params`, `deepseek_flops`, `kv_cache_bytes`, ...) are for laws
and costs of your own; `from_config` has parameters, FLOPs, memory and latency of a model from its config.json.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..core.edge.public import publish
from ..core.errors import DecisionError
from .accounting import fine_grained_flops, gated_params, gemstones_flops, gemstones_params, gpu_hours, sequence_flops
from .configured.from_config import from_config
from .shapes import (
    attention_flops,
    deepseek_flops,
    embedding_factor,
    embedding_params,
    hoffmann_flops,
    kaplan_flops,
    kv_cache_bytes,
    moe_active_params,
    moe_params,
    moe_total,
    nonembedding_params,
    total_params,
    training_bytes,
    transformer_params,
    weight_bytes,
)

__all__ = [
    # FLOPs of a run
    "six_nd",
    "six_nd_inference",
    "six_nd_nonembedding",
    "six_nd_attention",
    "distillation",
    "PF_DAY",
    # time and money
    "seconds",
    "dollars",
    "dollars_inference",
    "dollars_per_flop",
    # data
    "domain_tokens",
    "epochs",
    # from the shape of a model
    "transformer_params",
    "embedding_params",
    "embedding_factor",
    "total_params",
    "nonembedding_params",
    "moe_params",
    "moe_active_params",
    "moe_total",
    "attention_flops",
    "kaplan_flops",
    "deepseek_flops",
    "hoffmann_flops",
    "weight_bytes",
    "training_bytes",
    "kv_cache_bytes",
    # from a configuration
    "from_config",
    # exact counts of single studies
    "gated_params",
    "sequence_flops",
    "gemstones_params",
    "gemstones_flops",
    "fine_grained_flops",
    "gpu_hours",
]

PF_DAY = 8.64e19  # FLOPs of a day at 1e15 FLOP/s


def six_nd(N, D):
    """Training compute in FLOPs: 6 N D, for N parameters and D tokens (2 forward, 4 backward a parameter and token).

    For a mixture of experts N counts what is active.

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


def six_nd_nonembedding(N, D, omega=47491.0):
    """Training compute without embeddings in FLOPs: 6 N_noemb D, for N total parameters and N = N_noemb + omega N_noemb^(1/3).

    What Kaplan et al. count, for laws of total parameters; see `nonembedding_params`. Pearce and Song 2024 (arXiv:2406.12907).

    >>> f"{six_nd_nonembedding(122043351, 2e9):.6g}"
    '1.2e+18'
    """
    return 6.0 * nonembedding_params(N, omega) * D


def six_nd_attention(N, D, n_ctx, aspect=128.0):
    """Training compute with attention in FLOPs: (6 N + 12 n_layer d_model n_ctx) D.

    Args:
        N: parameters without embeddings, N = 12 n_layer d_model^2.
        D: tokens.
        n_ctx: tokens of a sequence.
        aspect: d_model / n_layer, which with N gives the shape: n_layer d_model = (N / 12)^(2/3) aspect^(-1/3). GPT-3 has 128.

    Bi et al. 2024 (arXiv:2401.02954), whose M is the bracket.

    >>> f"{six_nd_attention(12 * 96 * 12288**2, 3e11, n_ctx=2048):.4g}"  # GPT-3
    '3.218e+23'
    """
    return (6.0 * N + 12.0 * n_ctx * (N / 12.0) ** (2 / 3) * aspect ** (-1 / 3)) * D


def distillation(N, D, N_T, D_T=0.0, logits=1.0, pretraining=1.0):
    """Compute of a student and its teacher in FLOPs: 6 N D + logits 2 N_T D + pretraining 6 N_T D_T.

    Args:
        N, D: student's parameters, and tokens it learns from.
        N_T, D_T: teacher's parameters, and tokens it was trained on.
        logits: share of the teacher's forward passes that this student pays for: 1, or 0 if its logits are stored.
        pretraining: share of the teacher's training that this student pays for: 1, or 0 if the teacher exists.

    Busbridge et al. 2025 (arXiv:2502.08606); the four settings of the two switches are their scenarios, with 2 N for the forward pass.

    >>> distillation(1e9, 1e10, N_T=3e9)
    1.2e+20
    """
    return 6.0 * N * D + 2.0 * N_T * D * logits + 6.0 * N_T * D_T * pretraining


# Time and money


def _seconds(flops, devices, peak, mfu):
    return flops / (1.0 * devices * peak * mfu)


def _dollars(flops, price, peak, mfu):
    return flops / (1.0 * peak * mfu) * price / 3600.0


_UNITS: dict[str, Callable[..., Any]] = {"seconds": _seconds, "dollars": _dollars}


@dataclass(frozen=True, repr=False)
class Converted:
    """A cost in FLOPs, in another unit; see `seconds` and `dollars`. Equal for equal arguments.

    Attributes:
        cost: the cost in FLOPs.
        unit: "seconds" or "dollars".
        given: values of the hardware that are known; the rest are arguments of the call.
    """

    cost: Callable[..., Any]
    unit: str
    given: tuple[tuple[str, float], ...]
    __signature__: inspect.Signature = field(init=False, compare=False)

    def __post_init__(self) -> None:
        try:
            own = list(inspect.signature(self.cost).parameters.values())
        except (TypeError, ValueError):
            raise DecisionError(
                f"{self.unit}() takes a cost, a function of inputs by name such as costs.six_nd, got {self.cost!r}."
            ) from None
        known = dict(self.given)
        added = []
        for name in self.hardware:
            if any(p.name == name for p in own):
                raise DecisionError(
                    f"{self.unit}() cannot convert {_name(self.cost)}, which has an argument {name!r} itself; give a cost in FLOPs."
                )
            added.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=known.get(name, inspect.Parameter.empty)))
        rest = [p for p in own if p.kind is inspect.Parameter.VAR_KEYWORD]
        own = [p for p in own if p.kind is not inspect.Parameter.VAR_KEYWORD]
        object.__setattr__(self, "__signature__", inspect.Signature([*own, *added, *rest]))

    @property
    def hardware(self) -> tuple[str, ...]:
        """Arguments that the unit adds to those of the cost."""
        return tuple(inspect.signature(_UNITS[self.unit]).parameters)[1:]

    @property
    def __name__(self) -> str:
        return f"{self.unit}({_name(self.cost)})"

    def __call__(self, *args: Any, **named: Any) -> Any:
        self.__signature__.bind(*args, **named)  # a missing argument is named
        known = dict(self.given)
        hardware = {name: named.pop(name) if name in named else known[name] for name in self.hardware}
        return _UNITS[self.unit](self.cost(*args, **named), **hardware)

    def __repr__(self) -> str:
        return f"{self.unit}({', '.join([_name(self.cost), *(f'{name}={value:g}' for name, value in self.given)])})"


def _name(cost: Callable[..., Any]) -> str:
    return getattr(cost, "__name__", type(cost).__name__)


def _given(unit: str, **values: Any) -> tuple[tuple[str, float], ...]:
    """Values of the hardware that were given, as checked numbers."""
    checked = []
    for name, value in values.items():
        if value is None:
            continue
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise DecisionError(
                f"{unit}() got {name}={value!r}, which is not a plain number; leave {name} out and pass it when the cost is called."
            ) from None
        if not (0 < number < math.inf):
            raise DecisionError(f"{unit}() got {name}={value!r}; it must be a positive number.")
        if name == "mfu" and number > 1:
            raise DecisionError(f"{unit}() got mfu={value!r}; it is a share of the peak, above 0 and at most 1.")
        checked.append((name, number))
    return tuple(checked)


def seconds(cost: Callable[..., Any] = six_nd, *, devices: Any = 1, peak: Any = None, mfu: Any = None) -> Converted:
    """A cost in FLOPs as seconds of wall-clock time: FLOPs / (devices peak mfu).

    Args:
        cost: function of inputs by name, in FLOPs.
        devices: how many work at once.
        peak: FLOP/s of one device at its best, in the precision of the run (312e12 for an A100, 989e12 for an H100 in 16 bits).
        mfu: model FLOPs utilisation, the share of the peak that a run reaches, in (0, 1].

    Returns:
        A cost with the arguments of `cost` and, by name, `devices`, `peak`, `mfu`. What is given here becomes the default; what is left out
        must be passed at the call, and can then be differentiated and changed without compiling anew.

    Raises:
        DecisionError: if a value is not positive or no number, if mfu is above 1, or if `cost` is not a function in FLOPs.

    Chowdhery et al. 2022, section 4.1 and appendix B (arXiv:2204.02311).

    >>> days = seconds(six_nd, devices=1024, peak=312e12, mfu=0.4)(175e9, 300e9) / 86400
    >>> f"{days:.1f}"
    '28.5'
    """
    return Converted(cost, "seconds", _given("seconds", devices=devices, peak=peak, mfu=mfu))


def dollars(cost: Callable[..., Any] = six_nd, *, price: Any = None, peak: Any = None, mfu: Any = None) -> Converted:
    """A cost in FLOPs as dollars: FLOPs / (peak mfu) seconds of one device, at price dollars an hour.

    Args:
        cost: function of inputs by name, in FLOPs.
        price: dollars for an hour of one device.
        peak, mfu: as in `seconds`.

    Returns:
        A cost with the arguments of `cost` and, by name, `price`, `peak`, `mfu`; as in `seconds`.

    Raises:
        DecisionError: as in `seconds`.

    >>> f"{dollars(six_nd, price=1.5, peak=28e12, mfu=1)(174.6e9, 300e9):.3g}"  # GPT-3 on the cheapest V100s of 2020
    '4.68e+06'
    """
    return Converted(cost, "dollars", _given("dollars", price=price, peak=peak, mfu=mfu))


def dollars_per_flop(price, peak):
    """Dollars of a FLOP at full use: price / (3600 peak), for price dollars an hour of a device that does peak FLOP/s.

    >>> f"{dollars_per_flop(1.5, 312e12):.4g}"
    '1.335e-18'
    """
    return 1.0 * price / peak / 3600.0


def dollars_inference(N, D, D_inp, D_out, C_tr, C_inf, MFU_tr=0.5, MFU_inp=0.5, MFU_out=0.01):
    """Lifetime dollars: 6 N D C_tr / MFU_tr + 2 N C_inf (D_inp / MFU_inp + D_out / MFU_out).

    Args:
        N, D: parameters and training tokens.
        D_inp, D_out: tokens that are read and that are written over the lifetime.
        C_tr, C_inf: dollars of a FLOP at full use, in training and in inference; see `dollars_per_flop`.
        MFU_tr, MFU_inp, MFU_out: share of the peak that is reached in training, reading and writing; the defaults are the paper's.

    Sardana et al. 2023, eq. 6 (arXiv:2401.00448).

    >>> f"{dollars_inference(16e9, 3.35e12, 1.05e11, 3.225e11, C_tr=1.34e-18, C_inf=0.44e-18):.4g}"
    '1.319e+06'
    """
    return 6.0 * N * D * C_tr / MFU_tr + 2.0 * N * C_inf * (1.0 * D_inp / MFU_inp + 1.0 * D_out / MFU_out)


# Data


def domain_tokens(h, D):
    """Tokens that a mixture takes of each domain: h D, for weights h (domains,) and D tokens.

    For several runs, h is (runs, domains) and D (runs, 1).

    >>> import numpy as np
    >>> domain_tokens(np.array([0.75, 0.25]), 1e11)
    array([7.5e+10, 2.5e+10])
    """
    return 1.0 * h * D


def epochs(D, U, h=1.0):
    """How often data are seen: h D / U, for D training tokens of which the share h comes from U unique ones.

    Up to about 4 epochs are nearly as good as new data (Muennighoff et al. 2023, arXiv:2305.16264).

    >>> epochs(100e9, 25e9)
    4.0
    """
    return 1.0 * h * D / U


publish(globals())
