"""Closed forms that follow from the laws, by name: `sj.formulas`. Each is a plain function in the file of its law; `sj.derive` maps it.

    sj.derive(fit, sj.formulas.optimal_multiplier, M=640).interval(0.9)

A family file is loaded when one of its formulas is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Name to the module beside this one.
_HOME = {
    "compute_efficient": "hyperparameters.critical_batch",
    "contradiction_point": "scale.kaplan",
    "early_stopping_step": "scale.kaplan",
    "local_exponent": "scale.nonembedding",
    "minimal_compute": "hyperparameters.critical_batch",
    "minimal_steps": "hyperparameters.critical_batch",
    "overfitting_tokens": "scale.kaplan",
    "barrier_parameters": "fields.mixed_modal",
    "barrier_tokens": "fields.mixed_modal",
    "chinchilla_from_overtraining": "scale.overtraining",
    "competition_barrier": "fields.mixed_modal",
    "effective_parameters": "architecture.routing",
    "effective_shares": "fields.translation",
    "encoder_decoder_split": "fields.translation",
    "elasticity_of_substitution": "scale.chinchilla",
    "optimal_multiplier": "scale.overtraining",
    "overtraining_from_chinchilla": "scale.overtraining",
    "prediction_horizon": "scale.learning_curves",
    "pruning_frontier": "mixtures.data_quality",
    "two_stage": "downstream.llama3",
    "tokens_per_parameter": "hyperparameters.minicpm",
    "tied_multiplier": "scale.overtraining",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"sj.formulas has no {name!r}; it has {', '.join(__all__)}.")
    value = getattr(import_module(f".{_HOME[name]}", __package__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
