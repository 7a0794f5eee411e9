"""The optax path: its coordinates, its early stop, and the recipes that are made of them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import scalejax as sj
from benchmarks import loss_curves as plain
from scalejax import schedules as s
from scalejax.fitting.status import Status

TRUTH = {"E": 1.0, "A": 20.0, "alpha": 0.3}
START = {"E": 1.5, "A": 15.0, "alpha": 0.25}
STEP = {"coordinates": "natural", "max_iterations": 1, "rounds": 1, "last": True, "tolerance": 0.0, "early_stop": 100}


@pytest.fixture(scope="module")
def curve():
    return sj.simulate(sj.laws.power_law, TRUTH, x=np.logspace(3, 9, 40), noise=0.01, seed=3)


def objective(runs, params):
    r = np.log(sj.laws.power_law(runs["x"], **params)) - np.log(runs["loss"])
    return np.where(abs(r) <= 1e-3, r**2 / 2, 1e-3 * (abs(r) - 5e-4)).sum()


def test_a_natural_step_is_along_the_gradient_of_the_objective_by_the_parameters(curve):
    fit = sj.fit("power_law", curve, solver=sj.Optax(optax.sgd(0.5), **STEP), starts=[START])
    for name, value in START.items():
        up, down = (objective(curve, {**START, name: value * (1 + e)}) for e in (1e-6, -1e-6))
        assert fit.params[name] - value == pytest.approx(-0.5 * (up - down) / (2e-6 * value), rel=1e-5)
    assert fit.objective == pytest.approx(objective(curve, fit.params), rel=1e-12)


def test_rates_and_weight_decay_are_of_each_parameter(curve):
    rates = {"E": 0.1, "A": 1.0, "alpha": 1e-3}
    parts = {name: optax.adamw(rate, eps=1e-30, weight_decay=0.01) for name, rate in rates.items()}
    fit = sj.fit("power_law", curve, solver=sj.Optax(optax.partition(parts, {n: n for n in rates}), **STEP), starts=[START])
    for name, value in START.items():  # Adam's first step is the sign of the gradient
        assert abs(fit.params[name] - value * (1 - 0.01 * rates[name])) == pytest.approx(rates[name], rel=1e-9)


def test_natural_coordinates_take_groups_vectors_ties_and_held_values():
    """A rate of zero ends where it began, and one of the shape of each parameter moves each."""

    @sj.law(w=sj.Ordered(0.0, 4.0, axis="break"), c=sj.Positive(0.1, 10), d=sj.Positive(0.1, 10), e=sj.Real(-1, 1))
    def steps(x, *, w, c, d, e):
        """A test law with a vector and three numbers."""
        return c + d * x + e + w[0] * x + w[1] * x**2

    runs = sj.simulate(steps, {"w": np.array([0.5, 2.0]), "c": 2.0, "d": 2.0, "e": 0.5}, x=np.linspace(0.1, 3.0, 12))
    labs = sj.read_runs({"x": runs["x"], "loss": runs["loss"], "lab": ["a", "b"] * 6})
    ask = {"tie": {"d": "c"}, "fix": {"e": 0.5}, "sizes": {"break": 2}, "by": "lab", "share": "w", "unidentified": "warn"}
    begin = [{"w": np.array([0.6, 1.9]), "c": 2.1}]
    with pytest.warns(sj.ConvergenceWarning, match="did not move"):
        fit = sj.fit(steps, labs, solver=sj.Optax(optax.sgd(0.0), **STEP), starts=begin, **ask)
    np.testing.assert_allclose(fit.params["w"], [0.6, 1.9], rtol=1e-12)
    np.testing.assert_allclose([fit.params["c"], fit.params["d"]], np.full((2, 2), 2.1), rtol=1e-12)
    assert fit.params["e"] == 0.5


def test_a_path_returns_its_best_step_or_its_last(curve):
    adam = sj.Optax(optax.adam(0.3), coordinates="natural", max_iterations=200, rounds=1, tolerance=0.0, early_stop=7)
    best = sj.fit("power_law", curve, solver=adam, starts=[START])
    count = int(best.starts.iterations[0, 0])
    assert 7 < count < 200
    there = replace(adam, last=True, max_iterations=count - 7)
    assert sj.fit("power_law", curve, solver=there, starts=[START]).params == pytest.approx(best.params, rel=1e-12)


def test_an_early_stop_is_no_failure_and_no_optimum(curve, tmp_path):
    short = {"coordinates": "natural", "max_iterations": 3, "rounds": 1}
    asked = sj.fit("power_law", curve, solver=sj.Optax(optax.adam(0.01), early_stop=2, **short), starts=[START])
    assert asked.status is Status.STOPPED and asked.status.usable and "stopped early" in repr(asked)
    asked.save(tmp_path / "fit.json")
    assert sj.load_fit(tmp_path / "fit.json").status is Status.STOPPED
    with pytest.warns(sj.ConvergenceWarning, match="max iterations"):
        sj.fit("power_law", curve, solver=sj.Optax(optax.adam(0.01), **short), starts=[START])


def test_a_step_outside_the_domain_ends_a_path_at_its_best(curve):
    wild = optax.adam(lambda count: jnp.where(count < 5, 1e-3, 1e3))
    fit = sj.fit(
        "power_law", curve, solver=sj.Optax(wild, coordinates="natural", max_iterations=50, rounds=1, early_stop=5), starts=[START]
    )
    assert fit.status is Status.STOPPED and fit.starts.iterations[0, 0] < 10
    assert fit.params["A"] == pytest.approx(START["A"] - 5e-3, abs=1e-4)  # five small steps; the sixth leaves the domain
    assert np.isfinite(fit.objective)


@pytest.mark.parametrize(
    "settings", [{"coordinates": "polar"}, {"early_stop": 0}, {"max_iterations": 0}, {"rounds": 0}], ids=lambda x: next(iter(x))
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(sj.FitError, match=next(iter(settings))):
        sj.Optax(**settings)


# Luo et al.'s recipe


@pytest.fixture(scope="module")
def short_curves():
    """Curves so short that the law sums change by change, as the plain recipe does."""
    law = sj.laws.multi_power
    rates = {
        "fall": s.with_warmup(s.cosine(220, 1e-3, 1e-4), 20),
        "jump": s.with_warmup(s.join(s.constant(120, 1e-3), s.constant(100, 3e-4)), 20),
    }
    table, rng = {}, np.random.default_rng(0)
    for run, eta in rates.items():
        t = np.arange(20, 240, 4)
        clean = law(eta, t, 0, **{**law.published["luo2025_25M"], "B": 100.0, "C": 3.0, "gamma": 0.4})
        table[run] = {"step": t, "loss": clean * np.exp(1e-3 * rng.normal(size=len(t)))}
    return sj.read_curves(table, schedules=rates)


def at_once(data, x):
    """Objective of the law in which a fall acts at once, from the highest rate down."""
    L0, A, alpha, B = x[:4]
    return sum(plain.huber(L0 + A * c.S[c.t] ** -alpha - B * (c.eta.max() - c.eta[c.t]), c.loss)[0] for c in data)


@pytest.mark.slow
def test_the_recipe_of_luo_is_adamw_on_the_plain_double_sum(short_curves):
    whole = sj.fit(None, short_curves, recipe="luo2025")
    assert whole.status is Status.STOPPED and whole.solver == "adamw" and whole.starts.refined == 1
    # A difference in the last digit grows a thousandfold in 40 steps: paths that are one for 60 steps differ by per cents after 150.
    fit = sj.fit(None, short_curves, recipe="luo2025", solver=replace(sj.recipes["luo2025"].solver, max_iterations=60))
    assert fit.objective > whole.objective
    columns = (short_curves[name] for name in ("eta", "t", "loss"))
    data = [plain.Curve(eta, np.cumsum(eta), t.astype(int), loss) for eta, t, loss in zip(*columns, strict=True)]
    (start,) = sj.recipes["luo2025"].starts_for(fit.request)
    begin = np.array([start[name] for name in plain.NAMES])
    around = [at_once(data, begin * (1 + e * (np.arange(7) == i))) for i, e in itertools.product(range(4), (-1e-3, 1e-3))]
    assert min(around) > at_once(data, begin) and begin[4:].tolist() == [1.0, 0.5, 0.5]
    path = itertools.islice(plain.adamw(lambda x: plain.objective(x, data), begin), int(fit.starts.iterations[0, 0]) + 1)
    value, params = min(path, key=lambda pair: pair[0])
    assert fit.objective == pytest.approx(value, rel=1e-9)
    np.testing.assert_allclose([fit.params[name] for name in plain.NAMES], params, rtol=1e-7)


@pytest.mark.slow
def test_the_recipe_of_luo_takes_held_values_and_groups(short_curves):
    held = sj.fit(None, short_curves, recipe="luo2025", fix={"gamma": 0.4})
    assert held.params["gamma"] == 0.4 and "gamma" not in held.request.layout.labels
    columns = {name: np.repeat(short_curves[name], 2, axis=0) for name in ("eta", "t", "loss", "W")}
    two = sj.read_runs({**columns, "loss": columns["loss"] * np.array([1.0, 1.1, 1.0, 1.1])[:, None], "size": ["a", "b", "a", "b"]})
    both = sj.fit(None, two, recipe="luo2025", by="size")
    alone = sj.fit(None, short_curves, recipe="luo2025")
    assert both.params["B"][0] == pytest.approx(alone.params["B"], rel=1e-6)
    assert both.params["L0"][1] == pytest.approx(1.1 * both.params["L0"][0], rel=0.02)
