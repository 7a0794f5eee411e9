"""scalejax: neural scaling laws in JAX.

Runs in, a fitted law with its uncertainty out, and the decision that follows: `read_runs`, `fit`, `bootstrap`, `allocate`, `report`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .core.version import __version__

# Where the public names live, in the order in which a user meets them; each is imported on first use. `__init__.pyi` is the same list for
# type checkers.
_HOMES = {
    "Fixed": "core.domains",
    "Integer": "core.domains",
    "Interval": "core.domains",
    "Ordered": "core.domains",
    "Positive": "core.domains",
    "Real": "core.domains",
    "Simplex": "core.domains",
    "Unit": "core.domains",
    "ConvergenceWarning": "core.errors",
    "DataError": "core.errors",
    "DataWarning": "core.errors",
    "DecisionError": "core.errors",
    "FitError": "core.errors",
    "IdentifiabilityError": "core.errors",
    "IdentifiabilityWarning": "core.errors",
    "LawError": "core.errors",
    "ScalejaxError": "core.errors",
    "Law": "core.law",
    "Published": "core.law",
    "law": "core.law",
    "read_runs": "data.readers",
    "read_curves": "data.curves",
    "schedules": "core.schedules",
    "Flag": "core.runs",
    "Runs": "core.runs",
    "Chain": "core.chain",
    "chain": "core.chain",
    "simulate": "core.simulation",
    "laws": "zoo",
    "formulas": "zoo.formulas",
    "additive": "zoo.scale.additive",
    "TermLibrary": "zoo.scale.terms",
    "term_library": "zoo.scale.terms",
    "datasets": "data.datasets",
    "Loss": "fitting.losses",
    "absolute": "fitting.losses",
    "asymmetric": "fitting.losses",
    "huber": "fitting.losses",
    "log_cosh": "fitting.losses",
    "squared": "fitting.losses",
    "student_t": "fitting.losses",
    "beta_binomial": "fitting.counts",
    "binomial": "fitting.counts",
    "LM": "fitting.solvers.lm",
    "VarPro": "fitting.solvers.projection",
    "Optax": "fitting.solvers.gradient",
    "recipes": "fitting.recipes",
    "Fit": "fitting.result",
    "fit": "fitting.fit",
    "TermFits": "fitting.terms",
    "fit_terms": "fitting.terms",
    "Frontier": "fitting.frontier",
    "envelope": "fitting.frontier",
    "isoflop": "fitting.frontier",
    "ChainFit": "fitting.chained.result",
    "load_fit": "fitting.storage",
    "Draws": "fitting.uncertainty.draws",
    "bootstrap": "fitting.uncertainty.bootstrap",
    "Profile": "fitting.uncertainty.profile",
    "profile": "fitting.uncertainty.profile",
    "likelihoods": "posteriors.likelihoods",
    "Calibration": "posteriors.checks.calibrate",
    "calibrate": "posteriors.checks.calibrate",
    "laplace": "posteriors.laplace",
    "Posterior": "posteriors.posterior",
    "NewGroup": "posteriors.new_group",
    "PriorPredictive": "posteriors.checks.prior_predictive",
    "prior_predictive": "posteriors.checks.prior_predictive",
    "sample": "posteriors.sample",
    "load_posterior": "posteriors.storage",
    "costs": "decisions.costs",
    "Derived": "decisions.derived",
    "derive": "decisions.derive",
    "argmin": "decisions.argmin",
    "Allocation": "decisions.allocation",
    "allocate": "decisions.allocate",
    "Mixture": "decisions.mixtures.mixture",
    "optimal_mixture": "decisions.mixtures.optimal_mixture",
    "NextRuns": "decisions.design.next_runs",
    "next_runs": "decisions.design.next_runs",
    "ComputeMultiplier": "decisions.recipes.multiplier",
    "compute_multiplier": "decisions.recipes.multiplier",
    "Equivalent": "decisions.recipes.equivalent",
    "equivalent": "decisions.recipes.equivalent",
    "BreakEven": "decisions.recipes.break_even",
    "break_even": "decisions.recipes.break_even",
    "Choice": "decisions.recipes.choose",
    "choose": "decisions.recipes.choose",
    "Pareto": "decisions.recipes.pareto",
    "pareto": "decisions.recipes.pareto",
    "Regret": "decisions.recipes.regret",
    "regret": "decisions.recipes.regret",
    "Comparison": "comparison.compare",
    "compare": "comparison.compare",
    "Holdout": "comparison.held",
    "holdout": "comparison.holdout",
    "procedures": "procedures",
    "OptimalSchedule": "procedures.optimal_schedule",
    "optimal_schedule": "procedures.optimal_schedule",
    "plot": "reporting.plot",
    "report": "reporting.report",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_HOMES[name]}")
    value = getattr(module, name, module)  # a home without the name in it is public itself
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
