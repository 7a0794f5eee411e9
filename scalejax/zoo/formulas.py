"""Closed forms that follow from the laws, by name: `sj.formulas`. Each is a plain function in the file of its law; `sj.derive` maps it.

    sj.derive(fit, sj.formulas.optimal_multiplier, M=640).interval(0.9)

A family file is loaded when one of its formulas is first asked for.
"""

from __future__ import annotations

from ..core.lazy import namespace

_HOMES = {
    "average_parameters": "zoo.architecture.sparsity",
    "chinchilla_from_joint_moe": "zoo.architecture.experts",
    "compute_efficient": "zoo.hyperparameters.critical_batch",
    "contradiction_point": "zoo.scale.kaplan",
    "early_stopping_step": "zoo.scale.kaplan",
    "local_exponent": "zoo.scale.nonembedding",
    "minimal_compute": "zoo.hyperparameters.critical_batch",
    "minimal_steps": "zoo.hyperparameters.critical_batch",
    "overfitting_tokens": "zoo.scale.kaplan",
    "best_attempts": "zoo.downstream.test_time",
    "best_attempts_beta": "zoo.downstream.test_time",
    "barrier_parameters": "zoo.fields.mixed_modal",
    "barrier_tokens": "zoo.fields.mixed_modal",
    "chinchilla_from_overtraining": "zoo.scale.overtraining",
    "coverage_loss": "zoo.downstream.test_time",
    "critical_tokens": "zoo.architecture.precision",
    "competition_barrier": "zoo.fields.mixed_modal",
    "effective_parameters": "zoo.architecture.routing",
    "effective_shares": "zoo.fields.translation",
    "encoder_decoder_split": "zoo.fields.translation",
    "elasticity_of_substitution": "zoo.scale.chinchilla",
    "float_critical_tokens": "zoo.architecture.quantization",
    "float_layout": "zoo.architecture.quantization",
    "float_precision": "zoo.architecture.quantization",
    "optimal_granularity": "zoo.architecture.sparsity",
    "optimal_multiplier": "zoo.scale.overtraining",
    "optimal_precision": "zoo.architecture.precision",
    "optimal_vocabulary": "zoo.architecture.vocabulary",
    "overtraining_from_chinchilla": "zoo.scale.overtraining",
    "prediction_horizon": "zoo.scale.learning_curves",
    "pruning_frontier": "zoo.mixtures.data_quality",
    "pretraining_gain": "zoo.downstream.tasks",
    "transfer_multiplier": "zoo.downstream.transfer",
    "bon_peak": "zoo.downstream.reward",
    "rl_peak": "zoo.downstream.reward",
    "finetuning_phases": "zoo.downstream.finetuning",
    "horizon": "zoo.downstream.latent",
    "effective_compute": "zoo.downstream.progress",
    "adoption_reach": "zoo.downstream.progress",
    "attack_resistance": "zoo.downstream.attacks",
    "two_stage": "zoo.downstream.llama3",
    "tokens_per_parameter": "zoo.hyperparameters.minicpm",
    "tied_multiplier": "zoo.scale.overtraining",
    "bottleneck_exponents": "zoo.theory.features",
    "optimal_sketch": "zoo.theory.double_descent",
    "plrf_exponents": "zoo.theory.features",
    "resolution_exponent": "zoo.theory.features",
    "ticket_crossover": "zoo.theory.learning",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = namespace(__name__, _HOMES)
