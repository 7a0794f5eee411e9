"""What every public result promises, whoever computed it: a table, text, HTML, plain values, a data frame, intervals where there are draws.

`EXAMPLES` holds a cheap call for every public class of results, and the same call with numbers that cannot be. A new class of results is
found by `results` and must get an example.
"""

from __future__ import annotations

import csv
import functools
import inspect
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import scalejax as sj
from scalejax.core.numeric.precision import double
from scalejax.core.table import Shown, Table

LAWS, NAN = sj.laws, float("nan")
LAW, P = LAWS.chinchilla, LAWS.chinchilla.published["besiroglu2024"]
SOURCE, BETTER = (LAW, P), (LAW, {**P, "A": 900.0, "alpha": 0.38})
MIXING = LAWS.data_mixing_m4
TARGETS = [(MIXING, dict(c=1.0, t=np.array(t))) for t in ([-2.0, 0.0], [0.0, -2.0])]


@functools.cache
def runs(name: str = "N") -> sj.Runs:
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 1e10, 6), np.geomspace(5e9, 3e11, 6)))
    return sj.simulate(LAW, P, N=N, D=D, noise=0.003)


@functools.cache
def fitted() -> sj.Fit:
    return sj.fit(LAW, runs(), loss=sj.squared(), starts=64)


@functools.cache
def draws() -> sj.Draws:
    return sj.laplace(fitted(), 200)


@functools.cache
def posterior() -> sj.Posterior:
    x = np.geomspace(1e3, 1e9, 40)
    table = sj.simulate(LAWS.power_law, {"E": 1.0, "A": 20.0, "alpha": 0.3}, x=x, noise=0.01)
    return sj.sample("power_law", table, likelihood="normal", draws=250)


def isoflops(**columns: Any) -> sj.Runs:
    C = np.repeat([1e19, 1e20, 1e21], 9)
    N = (C / 6) ** 0.45 * 1.3 * np.tile(np.logspace(-0.5, 0.5, 9), 3)
    found = sj.simulate(LAW, LAW.published["hoffmann2022"], N=N, D=C / (6 * N)).with_columns(C=C, M=6 * N)
    return found.with_columns(**columns) if columns else found


def tuned(value: float = 3.0) -> dict[str, np.ndarray]:
    D, lr = (v.ravel() for v in np.meshgrid([1e10, 1e11], np.geomspace(1e-4, 1e-2, 9)))
    return {"D": D, "lr": lr, "loss": value + 0.01 * np.log(lr / (8e-4 * (D / 1e10) ** -0.3)) ** 2}


def widths(value: float = 3.0) -> sj.Runs:
    width, lr = (v.ravel() for v in np.meshgrid([128, 256, 512, 1024], np.geomspace(1e-4, 1e-1, 13)))
    loss = value * width**-0.02 + 0.01 * np.log(lr / (0.01 * np.tile([1.05, 0.97, 1.0, 0.99], 13))) ** 2
    return sj.read_runs({"width": width, "lr": lr, "loss": loss})


def cost(first: float = 1e18) -> sj.Runs:
    C = np.geomspace(1e18, 1e21, 8)
    columns = {"loss": 1.7 + (C / 1e18) ** -0.15, "N": 0.1 * C**0.5, "lr": 1e-3 * (C / 1e18) ** -0.1}
    return sj.read_runs({"cost": np.r_[first, C[1:]], **columns})


def league(value: float = 0.2) -> Any:
    x, name = np.tile(np.logspace(4, 9, 21), 2), np.repeat(["first", "second"], 21)
    table = {"x": x, "loss": value + np.where(name == "first", 10.0, 20.0) * x**-0.3, "curve": name}
    return sj.league({"M1": LAWS.m1, "M2": LAWS.m2}, table, curve="curve", training=table["x"] < 1e8, starts=64)


SHAPES = {"N": [1.44e9, 1.67e9], "D": 29e9, "R": [2048 / 24, 3072 / 12], "latency": [3.61, 1.96]}
CPT = {"E": 1.0, "A": 0.5, "alpha": 0.5, "B": 0.5, "beta": 0.5, "eta": 1.0, "C": 0.5, "gamma": 1.0, "eps": 0.25}
TIED = (LAWS.inference_shape_tied, LAWS.inference_shape_tied.published["bian2025"])
CLIP = [(LAWS.offset_power_law, LAWS.offset_power_law.published[f"nezhurina2025_{name}"]) for name in ("clip", "mammut")]
studies, papers = sj.studies, sj.papers

# Class to a call of one number: with its first value it gives the result, the others it refuses.
EXAMPLES: dict[str, tuple[Callable[[Any], Any], Any, tuple[Any, ...]]] = {
    "Fit": (lambda v: fitted() if v is True else sj.fit(LAW, runs(), fix={"E": v}), True, (NAN, -1.0)),
    "Draws": (lambda v: draws() if v is True else sj.laplace(fitted(), v), True, (NAN, -1)),
    "Profile": (lambda v: sj.profile(fitted(), ["alpha"], level=v), 0.9, (NAN, -1.0)),
    "Derived": (lambda v: sj.derive(draws(), lambda alpha, beta: {"a": beta / (alpha + beta)}) if v else sj.derive(draws(), 3), True, ()),
    "Allocation": (lambda v: sj.allocate(draws(), compute=v), 1e21, (NAN, -1.0)),
    "TrainingPlan": (lambda v: sj.configure({"N": v, "D": 1e11}), 7e9, (NAN, -1.0)),
    "Mixture": (lambda v: sj.optimal_mixture(TARGETS, kl_weight=v), 0.01, (NAN, -1.0)),
    "NextRuns": (
        lambda v: sj.next_runs(fitted(), {"N": [1e8, 3e8, 1e9], "D": [2e9, 6e9, 2e10]}, target={"N": 7e9, "D": 1.4e11}, budget=v),
        1e21,
        (NAN, -1.0),
    ),
    "ComputeMultiplier": (lambda v: sj.compute_multiplier(BETTER, SOURCE, compute=v), 1e21, (NAN, -1.0)),
    "Equivalent": (lambda v: sj.equivalent(SOURCE, "D", like={"N": 1e9, "D": v}, N=2e9), 1e11, (NAN, -1.0)),
    "BreakEven": (lambda v: sj.break_even(SOURCE, BETTER, "compute", (v, 1e26)), 1e15, (NAN, -1.0)),
    "Choice": (lambda v: sj.choose({"old": SOURCE, "wide": BETTER}, compute=v), 1e21, (NAN, -1.0)),
    "Pareto": (
        lambda v: sj.pareto(SOURCE, compute=v, against=lambda N: 2 * N, bounds={"N": (2e8, 1e11)}, points=4),
        1e21,
        (NAN, -1.0),
    ),
    "Regret": (lambda v: sj.regret(SOURCE, N=v, D=15e12), 8e9, (NAN, -1.0)),
    "Posterior": (lambda v: posterior() if v is True else sj.sample(LAW, runs(), draws=v), True, (-1,)),
    "PriorPredictive": (lambda v: sj.prior_predictive(LAW, runs(), draws=v), 50, (-1,)),
    "Comparison": (lambda _: sj.compare({"one": posterior(), "two": posterior()}), True, ()),
    "Holdout": (lambda v: sj.holdout({"one": LAW}, runs(), largest=v), 0.2, (NAN, -1.0)),
    "Forecast": (lambda v: sj.forecast(runs(), {"N": v, "D": 1e12}, laws=["chinchilla"]), 2e10, (NAN, -1.0)),
    "Backtest": (lambda v: sj.backtest(runs(), ["chinchilla"], shares=v), 0.2, (NAN, -1.0)),
    "Averaged": (lambda v: sj.allocate(example("Forecast"), compute=v), 1e23, (NAN, -1.0)),
    "Search": (lambda v: sj.search({"x": np.geomspace(1, 100, 12), "loss": 1 + np.geomspace(1, 100, 12) ** -0.5}, keep=v), 2, (NAN, -1)),
    "TableDiagnosis": (
        lambda v: sj.diagnose({"N": [v, 2e8, 4e8], "D": [1e9, 3e9, 2e9], "loss": [3.0, 2.8, 2.7]}, on_bad="raise"),
        1e8,
        (NAN,),
    ),
    "Audit": (lambda v: sj.audit(LAW, runs(), {**P, "E": v}), P["E"], (NAN, -1.0)),
    "Checklist": (lambda _: sj.checklist(fitted()), True, ()),
    "Equality": (lambda v: sj.equality_test(draws(), {**P, "A": v}), P["A"], (NAN,)),
    "League": (league, 0.2, (NAN,)),
    "RecipeComparison": (lambda v: sj.compare_recipes(*CLIP, (v, 1e12)), 1e8, (NAN, -1.0)),
    "MonotoneTrend": (lambda v: sj.monotone_trend([1e6, 1e7, 1e8, 1e9, v], [60.1, 63.0, 64.2, 66.5, 66.9]), 1e10, (NAN,)),
    "SlopeComparison": (lambda v: sj.compare_slopes([v, 1e7, 1e8] * 2, [9.0, 6.1, 4.1, 7.0, 6.0, 5.2], list("aaabbb")), 1e6, (NAN, -1.0)),
    "Crossing": (
        lambda v: sj.compare_slopes([v, 1e7, 1e8] * 2, [9.0, 6.1, 4.1, 7.0, 6.0, 5.2], list("aaabbb")).crossing("a", "b"),
        1e6,
        (NAN, -1.0),
    ),
    "Frontier": (lambda v: sj.isoflop(isoflops(), tolerance=v), 0.05, (NAN, -1.0)),
    "HullFrontier": (
        lambda v: studies.hull_frontier([v, 10.0, 100.0, 10.0], [4.0, 3.0, 2.5, 3.5], N=[1, 3, 10, 7]),
        1.0,
        (NAN, -1.0),
    ),
    "ModelScale": (lambda _: studies.isoflop_model_scale(isoflops()), True, ()),
    "NoiseIsoflop": (lambda v: studies.noise_isoflop(isoflops(), noise=v, replicates=50), 0.001, (NAN, -1.0)),
    "IsoflopBias": (lambda v: studies.isoflop_bias(SOURCE, compute=v, budgets=np.logspace(18, 21, 4), width=0.6), 3e24, (NAN, -1.0)),
    "Bottoms": (lambda v: studies.sweep_bottoms(sj.read_runs(tuned(v)), over="lr", cells="D"), 3.0, (NAN,)),
    "GridRegret": (
        lambda v: studies.grid_regret(sj.read_runs(tuned(v)), {"lr": 8e-4}, cells="D"),
        3.0,
        (NAN,),
    ),
    "Drift": (lambda v: studies.lr_drift(widths(v)), 3.0, (NAN,)),
    "ParetoHyperparameters": (lambda v: studies.pareto_hyperparameters(cost(v), ["N", "lr"]), 1e18, (NAN, -1.0)),
    "NoiseScale": (lambda v: studies.gradient_noise_scale(6.0, 1.5, B_small=v, B_big=1000), 100.0, (NAN, -1.0)),
    "AdaptiveGain": (lambda v: studies.adaptive_batch([0.0, 1.0, 2.0], [v, 1e4, 1e5], rho=1e4), 1e3, (NAN, -1.0)),
    "CurveCollapse": (
        lambda v: studies.curve_collapse(3 + 1 / np.outer([2e-4, 1e-4, 4e-4, 2e-4], np.arange(1, 60)), [v, 1.0, 2.0, 1.0]),
        1.0,
        (NAN,),
    ),
    "DecisionAccuracy": (
        lambda v: studies.decision_accuracy({"20M": [v, 3.0, 3.05, 2.9]}, [2.2, 2.18, 2.09, 2.05], compute=[1e17], replicates=50),
        3.1,
        (NAN,),
    ),
    "ProxyCalibration": (lambda v: studies.proxy_calibration([v, 3.2, 3.5, 3.9], [2.0, 2.1, 2.25, 2.45]), 3.0, (NAN,)),
    "FamilyLines": (lambda v: studies.family_lines([[0.0], [0.2], [0.4]], [v, 10.0, 100.0], ["a", "a", "a"]), 1.0, (-1.0,)),
    "Link": (lambda v: studies.fit_link([v, 2.5, 2.9, 3.3, 4.0], [1.1, 1.2, 1.5, 1.7, 2.1], E_0=1.9, E_1=0.8), 2.3, (NAN, -1.0)),
    "DataOptimum": (lambda v: studies.direct_data_optimisation([v, 1.0, 3.0], [[3.2, 2.4, 1.4], [2.9, 1.9, 1.2]]), 1 / 3, (NAN, -1.0)),
    "TemperatureMixture": (lambda v: studies.temperature_mixture([v, 1e9], 2.0, tokens=8e9), 9e9, (NAN, -1.0)),
    "CriticalShare": (lambda v: studies.critical_share((LAWS.d_cpt, CPT), v, N=4.0, D=100.0), 0.05, (NAN, -1.0)),
    "RegMix": (
        lambda v: studies.regmix(studies.regmix_design([0.5, 0.3, 0.2], 16), {"web": np.r_[v, np.linspace(2, 3, 15)]}, model="linear"),
        2.0,
        (NAN,),
    ),
    "ShapeRanking": (lambda v: studies.rank_shapes(TIED, SHAPES | {"D": v}, limits={"latency": 2.0}), 29e9, (NAN, -1.0)),
    "OptimalSchedule": (
        lambda v: sj.optimal_schedule((LAWS.multi_power, LAWS.multi_power.published["luo2025_25M"]), steps=2000, peak=v, shape="wsd"),
        3e-4,
        (NAN, -1.0),
    ),
}
# Functions of papers, which return named values.
EXAMPLES |= {
    "tuned_bound": (lambda v: papers.tuned_bound([v, 0.5, 0.1]), 1.0, (NAN, -1.0)),
    "kernel_schedule": (lambda v: papers.kernel_schedule(v, 2.0), 1.0, (NAN, -1.0)),
    "ema_weights": (lambda v: papers.ema_weights([v, 1e-3, 0.0], 0.1), 1e-2, (NAN, -1.0)),
    "compound_scaling": (lambda v: papers.compound_scaling(v, e_d=0.2, e_w=0.5), 16.0, (NAN, -1.0)),
    "simulate_residual": (lambda v: papers.simulate_residual(16, 4, sigma=v, seeds=3), 1.0, (NAN, -1.0)),
    "cheapest_images": (lambda v: papers.cheapest_images(v, price=1.5, cost_clean=1.0, cost_noisy=0.2), 1e5, (NAN, -1.0)),
    "collapse_power": (
        lambda v: papers.collapse_power(np.r_[v, np.geomspace(1e-2, 1, 8)], [10, 20, 40] * 3, np.linspace(0, 1, 9) ** 2),
        1e-3,
        (NAN, -1.0),
    ),
    "collapsed_ridge": (
        lambda v: papers.collapsed_ridge([1.0, v], [1.0, 0.5], 100.0, 100.0, 1, ridge=0.1, sigma=0.1, sigma_0=0.1),
        0.5,
        (NAN, -1.0),
    ),
    "accept_then_stop": (lambda v: papers.accept_then_stop([v, 400.0, 800.0, 1600.0], [3.0, 2.9, 2.7, 2.5], 1e5), 200.0, (NAN, -1.0)),
    "selection_quality": (lambda v: papers.selection_quality([v, 0.9, 2.0], [1.1, 1.2, 2.0]), 1.0, (NAN,)),
    "goodhart": (lambda v: papers.goodhart(3.0, mean=1.0, variance=v, noise_variance=3.0), 1.0, (NAN, -1.0)),
    "capabilities": (
        lambda v: studies.capabilities([[v, 0.3, 0.2], [0.4, 0.5, NAN], [0.6, 0.8, 0.5], [0.9, 0.9, 0.8]], components=2),
        0.1,
        (-1.0,),
    ),
    "representative_families": (
        lambda v: studies.representative_families([[v, 0.0], [0.0, 1.0], [0.1, 0.1]], ["a", "a", "b"], 2),
        1.0,
        (NAN,),
    ),
    "first_passage": (lambda v: papers.first_passage([v, 2e3, 3e3], [[0.0, 30.0, 50.0], [0.0, 10.0, 40.0]], [25.0]), 1e3, (NAN,)),
}
# Expensive to compute, or no more than tables of other results: looked at as classes only, run in the tests of their own.
ELSEWHERE = {
    "CheckpointBacktest", "NewGroup", "Multiverse", "Calibration", "ChainFit", "TermFits", "NearOptimalLaws", "NormTrend", "Threshold",
    "Translation", "Ladder", "ObservationalForecast",
    "MixingPipeline", "MixtureRecommendation", "ShapePlan",
    "AdaptiveSchedule", "Discontinuity", "OptimalUpdates", "Pools", "StudyCost", "TailConstants",
    "QuadraticSurface", "MergingFront", "PerformanceProjection", "TrainingDependency",
}  # fmt: skip
TOOLS = {
    "Law",
    "Published",
    "Chain",
    "Runs",
    "Flag",
    "TermLibrary",
    "Loss",
    "LM",
    "VarPro",
    "Optax",
    "ScalingLawRegressor",
}  # what is given, not what comes back


def results() -> Iterator[str]:
    """Names of the public classes that functions return."""
    for space in (sj, sj.studies, sj.papers):
        for name in space.__all__:
            value = getattr(space, name)
            if inspect.isclass(value) and not issubclass(value, Exception | sj.core.laws.domains.Domain) and name not in TOOLS:
                yield name


def class_of(name: str) -> type:
    return next(getattr(space, name) for space in (sj, sj.studies, sj.papers) if name in space.__all__)


@functools.cache
@double
def example(name: str) -> Any:
    call, value, _ = EXAMPLES[name]
    return call(value)


@pytest.mark.parametrize("name", sorted(set(results())))
def test_results_share_one_base(name):
    one = class_of(name)
    assert issubclass(one, Shown), f"{name} is not shown like the others"
    assert one.table is not None and one.__repr__ is not object.__repr__ and "__dataclass_params__" in vars(one)
    assert not one.__dataclass_params__.repr, f"{name} would print raw arrays: declare it with repr=False"
    assert name in EXAMPLES or name in ELSEWHERE, f"give {name} an example"


@pytest.mark.parametrize("name", EXAMPLES)
def test_results_keep_the_contract(name):
    result = example(name)
    assert type(result).__name__ in (name, "Computed")
    table = result.table()
    assert isinstance(table, Table) and table.rows and all(len(row) == len(table.header) for row in table.rows)
    assert "array(" not in repr(result) and len(repr(result)) > 20
    assert "<table" in result._repr_html_() and "<table" in table.html()
    plain = result.to_dict()
    assert plain and json.loads(json.dumps(plain, allow_nan=False))
    frame = pytest.importorskip("pandas") and result.to_pandas()
    assert len(frame) == len(table.rows) and frame.shape[1] >= len(table.header) and frame.columns.is_unique
    texts = [cell for column in frame.columns[1:] if frame[column].dtype.kind not in "iuf" for cell in frame[column]]
    assert not any(isinstance(cell, str) and re.fullmatch(r"[-\d.e+]+|[-\d.e+∞]+ – [-\d.e+∞]+", cell) for cell in texts), (
        texts
    )  # numbers are numbers
    read = list(csv.reader(io.StringIO(table.csv())))
    assert read[0] == list(frame.columns) and len(read) == 1 + len(frame) and {len(row) for row in read} == {len(read[0])}
    assert json.loads(json.dumps(table.to_dict(), allow_nan=False))["rows"] == table.records()
    assert all(text.count("\n") >= 2 for text in (table.markdown(), table.latex()))


@pytest.mark.parametrize("name", EXAMPLES)
def test_intervals_have_one_form(name):
    result = example(name)
    if not hasattr(result, "interval"):
        return
    level = getattr(result, "level", 0.9)
    try:
        limits = result.interval(level)
    except sj.ScalejaxError as none:
        assert not len(getattr(result, "draws", None) or ()) and str(none).endswith(".")
        return
    for low, high in [limits] if name == "Forecast" else limits.values():  # a forecast is of one quantity
        assert (~(np.asarray(low) > np.asarray(high))).all()


@pytest.mark.parametrize(("name", "value"), [(name, bad) for name, (*_, bads) in EXAMPLES.items() for bad in bads])
def test_numbers_that_cannot_be_are_refused_in_a_sentence(name, value):
    with pytest.raises(sj.ScalejaxError) as caught:
        EXAMPLES[name][0](value)
    said = str(caught.value)
    assert "\n" not in said and said[0] in said.upper() + said and said.rstrip().endswith((".", ")", "…")) and len(said) > 20
