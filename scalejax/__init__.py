"""scalejax: neural scaling laws in JAX.

Runs in, a fitted law with its uncertainty out, and the decision that follows: `read_runs`, `fit`, `bootstrap`, `allocate`, `report`.
"""

from .core.domains import Fixed, Integer, Interval, Ordered, Positive, Real, Simplex, Unit
from .core.errors import (
    ConvergenceWarning,
    DataError,
    DataWarning,
    DecisionError,
    FitError,
    IdentifiabilityError,
    IdentifiabilityWarning,
    LawError,
    ScalejaxError,
)
from .core.law import Law, Published, law
from .data.readers import read_runs
from .data.curves import read_curves
from .core import schedules
from .core.runs import Flag, Runs
from .core.simulation import simulate
from .core.version import __version__
from .zoo import laws
from .zoo.scale.additive import additive
from . import datasets
from .fitting.losses import Loss, absolute, asymmetric, huber, log_cosh, squared, student_t
from .fitting.solvers.lm import LM
from .fitting.solvers.projection import VarPro
from .fitting.solvers.gradient import Optax
from .fitting.recipes import recipes
from .fitting.result import Fit
from .fitting.fit import fit
from .fitting.frontier import Frontier, envelope, isoflop
from .fitting.storage import load_fit
from .fitting.uncertainty.draws import Draws
from .fitting.uncertainty.bootstrap import bootstrap
from .fitting.uncertainty.profile import Profile, profile
from .posteriors import likelihoods
from .posteriors.checks.calibrate import Calibration, calibrate
from .posteriors.laplace import laplace
from .posteriors.posterior import Posterior
from .posteriors.new_group import NewGroup
from .posteriors.checks.prior_predictive import PriorPredictive, prior_predictive
from .posteriors.sample import sample
from .posteriors.storage import load_posterior
from .decisions import costs
from .decisions.argmin import argmin
from .decisions.allocation import Allocation
from .decisions.allocate import allocate
from .decisions.mixtures.mixture import Mixture
from .decisions.mixtures.optimal_mixture import optimal_mixture
from .decisions.design.next_runs import NextRuns, next_runs
from .decisions.recipes.multiplier import ComputeMultiplier, compute_multiplier
from .decisions.recipes.equivalent import Equivalent, equivalent
from .decisions.recipes.break_even import BreakEven, break_even
from .decisions.recipes.choose import Choice, choose
from .decisions.recipes.pareto import Pareto, pareto
from .decisions.recipes.regret import Regret, regret
from .comparison.compare import Comparison, compare
from .comparison.held import Holdout
from .comparison.holdout import holdout
from . import procedures
from .procedures.optimal_schedule import OptimalSchedule, optimal_schedule
from .reporting import plot
from .reporting.report import report
