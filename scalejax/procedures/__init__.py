"""Procedures of papers, built on laws, fits and decisions: `sj.procedures`."""

from __future__ import annotations

from ..core.statistics import isotonic, spearman, undominated
from ..zoo.downstream.bounded import bounded
from ..zoo.hyperparameters.rates import hyperparameter_exponents
from ..zoo.mixtures.data_mixing import implicit_mixing
from ..zoo.scale.power_product import power_product
from .adaptive_shape import AdaptiveSchedule, adaptive_schedule
from .audit import Audit, audit
from .backtest import Backtest, backtest
from .checklist import Checklist, checklist
from .collapse import CollapsedRidge, TailConstants, collapsed_ridge, tail_constants, tail_error
from .competition import fit_interaction
from .compound_scaling import CompoundScaling, compound_scaling, fast_scaling
from .curve_collapse import CurveCollapse, curve_collapse
from .data_pools import ImagePurchase, Pools, best_pools, cheapest_images
from .data_to_threshold import FirstPassage, OptimalUpdates, first_passage, normalised_data, optimal_updates
from .decision_accuracy import DecisionAccuracy, ProxyCalibration, decision_accuracy, proxy_calibration
from .discontinuity import Discontinuity, discontinuity
from .ema_weights import EmaWeights, ema_weights
from .equality import Equality, equality_test
from .exponents import allocation_exponents
from .farseer_fit import FarseerStages, farseer_stages
from .grid_regret import GridRegret, grid_regret
from .hull import HullFrontier, hull_frontier
from .information import bits, landauer_energy, nats, stored_information
from .intrinsic import intrinsic_dimension, label_sharpness
from .isoflop_bias import IsoflopBias, isoflop_bias, vertex_shift
from .league import League, league
from .loss_to_loss import Link, Translation, fit_link, pair_runs, translate
from .lr_drift import Drift, lr_drift
from .lr_sensitivity import NormTrend, Threshold, lr_sensitivity, norm_trend
from .mixing_pipeline import MixingPipeline, mixing_pipeline
from .mixture_solvers import (
    CriticalShare,
    DataOptimum,
    TemperatureMixture,
    autoscaled,
    critical_share,
    direct_data_optimisation,
    entropy_mixture,
    interaction_similarity,
    matched_tokens,
    mixture_rounds,
    temperature_mixture,
)
from .mixture_tables import explicit_loss, stack_targets
from .model_merging import MergingFront, QuadraticSurface, merging_front, quadratic_surface
from .model_scale import ModelScale, deepseek_scales, isoflop_model_scale
from .multiverse import Multiverse, multiverse
from .near_optimal import Bottoms, NearOptimalLaws, fit_lr_batch_surface, near_optimal, near_optimal_laws, sweep_bottoms
from .noise_isoflop import SEED_NOISE, NoiseIsoflop, accuracy_by_budget, at_budgets, noise_isoflop
from .noise_phase import Collapse, collapse_power, crossover_power, optimal_temperature_power, perceptron_power
from .noise_scale import (
    AdaptiveGain,
    NoiseScale,
    adaptive_batch,
    critical_batch_balance,
    critical_batch_overhead,
    gradient_noise_scale,
    quadratic_noise_scale,
)
from .optimal_schedule import OptimalSchedule, annealing_switch, optimal_schedule
from .pareto_bins import pareto_bins
from .pareto_hyperparameters import ParetoHyperparameters, pareto_hyperparameters, pareto_set
from .recipe_comparison import RecipeComparison, compare_recipes
from .recommend_mixture import MixtureRecommendation, recommend_mixture
from .regmix import RegMix, regmix, regmix_design
from .residual_covariance import ResidualCovariance, simulate_residual, spiked_eigenvalue
from .schedule_bound import KernelSchedule, TunedBound, kernel_schedule, tuned_bound
from .shape_choice import ShapePlan, ShapeRanking, rank_shapes, shape_plan
from .study_cost import StudyCost, study_cost
from .training_dependency import TrainingDependency, fit_training_dependency, loss_contours
from .transfer import (
    adam_batch_rule,
    adamw_timescale,
    depth_rule,
    ema_batch_rule,
    half_life,
    rescaled,
    rmsprop_batch_rule,
    sgd_batch_rule,
    timescale_rule,
    weight_decay_power,
    width_rule,
)
from .transport import PerformanceProjection, Transport, fit_projection, nearest_mixture, project_performance, transport_distance
from .trend import Crossing, MonotoneTrend, SlopeComparison, compare_slopes, monotone_trend
