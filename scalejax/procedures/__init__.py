"""Procedures and derived quantities of papers, built on laws, fits and decisions: `sj.procedures`."""

from __future__ import annotations

from ..zoo.bounded import bounded
from .adaptive_shape import AdaptiveSchedule, adaptive_schedule
from .audit import Audit, audit
from .backtest import Backtest, backtest
from .checklist import Checklist, checklist
from .competition import CompetitionBarrier, competition_barrier, fit_interaction
from .compound_scaling import CompoundScaling, compound_scaling, fast_scaling
from .data_to_threshold import FirstPassage, OptimalUpdates, first_passage, isotonic, normalised_data, optimal_updates
from .discontinuity import Discontinuity, discontinuity
from .effective_parameters import EffectiveParameters, effective_parameters
from .equality import Equality, equality_test
from .exponents import allocation_exponents
from .farseer_fit import FarseerStages, farseer_stages
from .hull import HullFrontier, hull_frontier
from .information import bits, landauer_energy, nats, stored_information
from .isoflop_bias import IsoflopBias, isoflop_bias, vertex_shift
from .kaplan_family import (
    ComputeEfficient,
    LocalExponent,
    compute_efficient,
    contradiction_point,
    early_stopping_step,
    local_exponent,
    minimal_compute,
    minimal_steps,
    overfitting_tokens,
)
from .league import League, league
from .model_scale import ModelScale, deepseek_scales, isoflop_model_scale
from .multiverse import Multiverse, multiverse
from .noise_isoflop import SEED_NOISE, NoiseIsoflop, accuracy_by_budget, at_budgets, noise_isoflop
from .overtraining import Multiplier, chinchilla_from_overtraining, optimal_multiplier, overtraining_from_chinchilla
from .pareto_bins import pareto_bins
from .recipe_comparison import RecipeComparison, compare_recipes
from .shape_choice import ShapePlan, ShapeRanking, rank_shapes, shape_plan, spearman
from .study_cost import StudyCost, study_cost
from .substitution import elasticity_of_substitution
from .training_dependency import TrainingDependency, fit_training_dependency, loss_contours
from .translation import EffectiveShares, EncoderDecoderSplit, effective_shares, encoder_decoder_split
from .trend import Crossing, MonotoneTrend, SlopeComparison, compare_slopes, monotone_trend
from .two_stage import TwoStage, two_stage
