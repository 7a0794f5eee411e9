"""Next runs: textbook variances for linear laws, announced spreads that come true, budgets that hold, and errors in a sentence."""

import importlib
import warnings

import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax.decisions.design.candidates import spread

CHINCHILLA = sj.laws.chinchilla
TRUTH = CHINCHILLA.published["besiroglu2024"]
FAR = {"N": 7e9, "D": 1.4e11}
GRID = {"N": np.repeat(np.logspace(7, 9, 8), 6), "D": np.tile(np.logspace(8.5, 10.3, 6), 8)}
PLAIN = {"prior": None, "misfit": 0.0}


@sj.law(a=sj.Real(-5, 5), b=sj.Real(-5, 5), c=sj.Real(-5, 5))
def quadratic(x: float, *, a: float, b: float, c: float) -> float:
    """Linear in its parameters."""
    return a + b * x + c * x**2


@pytest.fixture(scope="module")
def linear():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 3.0, 12)
    runs = sj.Runs({"x": x, "loss": 1.0 - 0.5 * x + 0.3 * x**2 + 0.1 * rng.standard_normal(12)})
    return sj.fit(quadratic, runs, loss=sj.squared(), on="linear")


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7, 8.5, 40), 10 ** rng.uniform(8.5, 9.8, 40)
    return sj.fit(CHINCHILLA, sj.simulate(CHINCHILLA, TRUTH, N=N, D=D, noise=0.003), loss=sj.squared())


def design(x):
    x = np.atleast_1d(x)
    return np.stack([np.ones_like(x), x, x**2], axis=1)


def six(N, D):
    return 6 * N * D


def test_linear_least_squares_is_the_textbook(linear):
    X, x = design(linear.runs["x"]), np.linspace(0.2, 6.0, 30)
    variance = np.sum(linear.residuals**2) / 9
    goal = design(10.0)[0]

    def left(*more):
        Z = np.concatenate([X, *(design(v) for v in more)])
        return goal @ np.linalg.inv(Z.T @ Z) @ goal * variance

    one = sj.next_runs(linear, {"x": x}, target={"x": 10.0}, cost=np.ones(30), **PLAIN)
    assert one.deviation**2 == pytest.approx([left(), left(one.runs["x"])], rel=1e-8)
    assert one.index[0] == np.argmin([left(v) for v in x])
    assert one.noise == pytest.approx(np.sqrt(variance), rel=1e-8)
    three = sj.next_runs(linear, {"x": x}, target={"x": 10.0}, cost=np.ones(30), runs=3, repeats=True, **PLAIN)
    assert three.deviation[-1] ** 2 == pytest.approx(left(three.runs["x"]), rel=1e-8)
    by_function = sj.next_runs(linear, {"x": x}, target=lambda d: d.predict(x=10.0), cost=np.ones(30), **PLAIN)
    assert by_function.deviation == pytest.approx(one.deviation, rel=1e-8)
    low, high = one.interval(0.9)["before"]
    assert (high - low) / 2 == pytest.approx(1.6448536 * np.sqrt(left()), rel=1e-6)


def test_d_optimal_maximises_the_determinant(linear):
    X, x = design(linear.runs["x"]), np.linspace(0.2, 6.0, 30)
    plan = sj.next_runs(linear, {"x": x}, target={"x": 10.0}, cost=np.ones(30), criterion="D", **PLAIN)
    volume = [np.linalg.det(X.T @ X + np.outer(z, z)) for z in design(x)]
    assert plan.index[0] == np.argmax(volume)


def test_two_exchanged_runs_are_the_best_pair(linear):
    X, x = design(linear.runs["x"]), np.linspace(0.2, 6.0, 12)
    goals = design(np.array([4.0, 10.0]))

    def left(rows):
        Z = np.concatenate([X, *(design(x[i]) for i in rows)])
        return np.sum(np.einsum("ki,ij,kj->k", goals, np.linalg.inv(Z.T @ Z), goals) / before)

    before = 1.0
    before = np.einsum("ki,ij,kj->k", goals, np.linalg.inv(X.T @ X), goals)
    plan = sj.next_runs(linear, {"x": x}, target={"x": np.array([4.0, 10.0])}, cost=np.ones(12), runs=2, **PLAIN)
    assert left(plan.index) == pytest.approx(min(left((i, j)) for i in range(12) for j in range(i)), rel=1e-9)
    assert plan.deviation.shape == (3, 2)


@pytest.mark.slow
def test_draws_agree_with_the_information():
    rng = np.random.default_rng(1)
    N, D = 10 ** rng.uniform(7, 8.5, 300), 10 ** rng.uniform(8.5, 9.8, 300)
    fit = sj.fit(CHINCHILLA, sj.simulate(CHINCHILLA, TRUTH, N=N, D=D, noise=0.002), loss=sj.squared())
    draws = sj.laplace(fit, 4000)
    plan = sj.next_runs(fit, GRID, target=FAR, budget=3e20)
    same = {n: v[plan.index] for n, v in GRID.items()}
    again = sj.next_runs(draws, same, target=FAR, budget=3e20, runs=len(plan))
    assert again.total == pytest.approx(plan.total)
    assert again.deviation[[0, -1]] == pytest.approx(plan.deviation[[0, -1]], rel=0.15)
    assert sj.next_runs(draws, GRID, target=FAR, budget=3e20).deviation[-1] == pytest.approx(plan.deviation[-1], rel=0.25)
    assert "Laplace" in repr(again)


def test_what_is_announced_comes_true(fit):
    plan = sj.next_runs(fit, GRID, target=FAR, budget=1e20)
    inputs = {n: np.concatenate([fit.runs[n], plan.runs[n]]) for n in ("N", "D")}
    tables = [sj.simulate(CHINCHILLA, fit.params, **inputs, noise=plan.noise, seed=i) for i in range(300)]
    columns = {n: np.concatenate([t[n] for t in tables]) for n in ("N", "D", "loss")}
    sample = np.repeat(np.arange(300), len(tables[0])).astype(str)
    again = sj.fit(CHINCHILLA, sj.Runs({**columns, "sample": sample}), by="sample", loss=sj.squared(), starts=[fit.params])
    seen = np.log(again.predict(N=7e9, D=1.4e11, group=again.groups))
    assert np.std(seen) == pytest.approx(plan.deviation[-1], rel=0.2)
    assert plan.deviation[-1] < plan.deviation[0] / 2


def test_optimal_size_as_target(fit):
    plan = sj.next_runs(fit, GRID, target=lambda d: np.log(sj.allocate(d, compute=1e23).draws["N"]), budget=1e20, runs=4)
    shape, rng = fit.curvature[0].model_covariance, np.random.default_rng(0)
    theta = fit.theta + np.linalg.cholesky(shape) @ rng.standard_normal((5, 2000))
    spread_now = np.std(np.log(sj.allocate(sj.Draws(fit, theta[:, None], "model"), compute=1e23).draws["N"]))
    assert plan.deviation[0] == pytest.approx(spread_now, rel=0.1)
    assert np.all(np.diff(plan.deviation) <= 0) and plan.deviation[-1] < plan.deviation[0]
    assert plan.target == pytest.approx(np.log(sj.allocate(fit, compute=1e23).N), rel=1e-6)


def test_points_of_a_space_are_no_worse_than_its_grid(fit):
    space = {"N": (1e7, 1e9), "D": (1e9, 2e10)}
    settings = {"target": FAR, "misfit": 0.0, "budget": 2e19, "runs": 3}
    free = sj.next_runs(fit, space=space, **settings)
    unit = spread(512, 2)
    grid = {"N": 1e7 * 100 ** unit[:, 0], "D": 1e9 * 20 ** unit[:, 1]}
    assert free.deviation[-1] <= sj.next_runs(fit, grid, **settings).deviation[-1] * (1 + 1e-9)
    assert free.total <= 2e19 * (1 + 1e-6) and (free.index == -1).all()
    again = sj.next_runs(fit, space=space, target=FAR, budget=2e19, repeats=True)
    assert again.total <= 2e19 * (1 + 1e-6) and again.deviation[-1] < again.deviation[0]
    for name, (low, high) in space.items():
        assert np.all((free.runs[name] >= low) & (free.runs[name] <= high))


@pytest.mark.parametrize("criterion", ["target", "D", "random", "cheapest"])
def test_limits_are_kept(fit, criterion):
    cost = six(**GRID)
    budget = 0.05 * cost.sum()
    plan = sj.next_runs(fit, GRID, target=FAR, budget=budget, runs=5, criterion=criterion)
    assert plan.total <= budget * (1 + 1e-8) and 1 <= len(plan) <= 5 and len(set(plan.index.tolist())) == len(plan)
    assert plan.cost == pytest.approx(cost[plan.index])
    assert np.all(np.diff(plan.deviation) <= 1e-12)
    twice = sj.next_runs(fit, {n: v[:2] for n, v in GRID.items()}, target=FAR, runs=6, repeats=True, criterion=criterion)
    assert len(twice) == 6 and set(twice.index.tolist()) <= {0, 1}


def test_better_than_chance_and_thrift(fit):
    budget = 0.03 * six(**GRID).sum()
    for misfit in (0.0, 1.0):
        ours = sj.next_runs(fit, GRID, target=FAR, budget=budget, misfit=misfit).deviation[-1]
        others = [sj.next_runs(fit, GRID, target=FAR, budget=budget, criterion="random", seed=s).deviation[-1] for s in range(9)]
        assert ours < np.median(others)
        assert ours < sj.next_runs(fit, GRID, target=FAR, budget=budget, criterion="cheapest").deviation[-1]


def test_a_misfit_draws_runs_towards_the_target(fit):
    settings = {"target": {"N": 2e9, "D": 3e10}, "runs": 4, "budget": 0.3 * six(**GRID).sum()}
    largest = [np.max(sj.next_runs(fit, GRID, misfit=m, **settings).cost) for m in (0.0, 10.0)]
    assert largest[1] >= largest[0]
    index = sj.next_runs(fit, {n: np.repeat(v, 3) for n, v in GRID.items()}, misfit=10.0, **settings).index
    assert len(set((index // 3).tolist())) == 4  # no run beside itself


@pytest.mark.slow
def test_groups_apart_and_joint():
    tables = [
        sj.simulate(sj.laws.power_law, {"E": e, "A": 20.0, "alpha": 0.3}, x=np.logspace(3, 6, 15), noise=0.005, seed=i)
        for i, e in enumerate((0.5, 1.0))
    ]
    runs = sj.Runs({**{n: np.concatenate([t[n] for t in tables]) for n in ("x", "loss")}, "arch": np.repeat(["a", "b"], 15)})
    x = np.tile(np.logspace(3, 8, 20), 2)
    candidates = {"x": x, "arch": np.repeat(["a", "b"], 20)}
    target = {"x": 1e10, "group": "b"}
    settings = {"target": target, "cost": lambda x: x, "budget": 1e8, "noise": 0.005}
    apart = sj.next_runs(sj.fit("power_law", runs, by="arch"), candidates, **settings)
    assert set(apart.runs["group"].tolist()) == {"b"}
    alone = sj.fit("power_law", runs.where(runs["arch"] == "b"))
    single = sj.next_runs(alone, {"x": x[:20]}, target={"x": 1e10}, cost=lambda x: x, budget=1e8, noise=0.005)
    assert apart.deviation[0] == pytest.approx(single.deviation[0], rel=1e-6)
    joint = sj.next_runs(sj.fit("power_law", runs, by="arch", share="alpha"), candidates, **settings)
    assert joint.deviation[0] < apart.deviation[0]
    assert sj.next_runs(sj.fit("power_law", runs, by="arch"), space={"x": (1e3, 1e8), "group": "b"}, **settings).total <= 1e8 * (1 + 1e-8)


def test_runs_that_show_several_losses():
    @sj.law(a=sj.Positive(0.1, 10, axis="target"), b=sj.Unit(), x=sj.Positive(1, 1e6))
    def several(x, *, a, b):
        """Losses on several targets that share an exponent."""
        return a * jnp.asarray(x)[..., None] ** -b

    runs = sj.simulate(several, {"a": np.array([1.0, 3.0]), "b": 0.3}, x=np.logspace(1, 3, 10), noise=0.01, seed=0)
    fit = sj.fit(several, runs, loss=sj.squared(), sizes={"target": 2})
    x = np.logspace(1, 5, 20)
    plan = sj.next_runs(fit, {"x": x}, target={"x": 1e8}, cost=x, budget=2e5, **PLAIN)
    J = np.zeros((10, 2, 3))
    J[:, 0, 0], J[:, 1, 1], J[:, :, 2] = 1, 1, -np.log(runs["x"])[:, None]
    more = np.zeros((len(plan), 2, 3))
    more[:, 0, 0], more[:, 1, 1], more[:, :, 2] = 1, 1, -np.log(plan.runs["x"])[:, None]
    rows = np.concatenate([J, more]).reshape(-1, 3)
    goal = np.array([[1, 0, -np.log(1e8)], [0, 1, -np.log(1e8)]])
    expected = np.sqrt(np.diag(goal @ np.linalg.inv(rows.T @ rows) @ goal.T)) * plan.noise
    assert plan.deviation[-1] == pytest.approx(expected, rel=1e-5)
    assert "deviation left" in plan.table().header


def test_runs_that_leave_parameters_open():
    """A prior keeps the variance finite, and a term that has vanished may come back."""
    runs = sj.simulate(sj.laws.power_law, {"E": 0.0, "A": 20.0, "alpha": 0.3}, x=np.logspace(3, 7, 40), noise=0.01, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = sj.fit("power_law", runs)
    assert fit.curvature[0].boundary == ("E",)
    settings = {"target": {"x": 1e11}, "cost": lambda x: x, "budget": 1e9}
    plan = sj.next_runs(fit, {"x": np.logspace(3, 9, 30)}, **settings)
    held = sj.next_runs(fit, {"x": np.logspace(3, 9, 30)}, prior=None, **settings)
    assert plan.deviation[0] > held.deviation[0] and plan.deviation[-1] < plan.deviation[0]
    assert plan.runs["x"].max() > 1e8


def test_report(fit):
    plan = sj.next_runs(fit, GRID, target=FAR, budget=1e20)
    text = repr(plan)
    assert "now" in text and "of a budget of 1e+20" in text and "if the law is right" in text
    assert len(plan.table().rows) == (len(plan) + 1 if len(plan) <= 24 else 24) and "<table>" in plan._repr_html_()
    assert plan.interval()["before"][0] < plan.interval()["after"][0] < plan.target < plan.interval()["after"][1]
    assert sj.next_runs(fit, GRID, target=FAR).deviation.shape == (2,)


def test_bad_input(fit, linear):
    few = sj.laplace(fit, 20)
    cases = [
        ({"budget": 0}, "budget=0 must be"),
        ({"budget": 1e10}, "the cheapest costs 1.9e\\+16"),
        ({"runs": 0}, "runs=0"),
        ({"criterion": "random_"}, "did you mean 'random'"),
        ({"target": {"N": 1e9}}, "The target does not suit the law: .*'D'"),
        ({"target": {"N": -1.0, "D": 1e9}}, "must be a positive number"),
        ({"target": 3.0}, "function of draws"),
        ({"target": lambda d: np.ones(len(d))}, "does not depend on the parameters"),
        ({"target": lambda d: np.ones(3)}, "shape \\(3,\\)"),
        ({"target": lambda d: np.full(len(d), np.nan)}, "not finite"),
        ({"candidates": {"N": [1e8, 1e9]}}, "need a column 'D'"),
        ({"candidates": {"N": [0.1, 1.0], "D": [1e9, 1e10]}}, "as a plain count"),
        ({"candidates": {"N": ["a", "b"], "D": [1e9, 1e10]}}, "candidates"),
        ({"candidates": None}, "either candidates"),
        ({"cost": "price"}, "not a column of the candidates"),
        ({"cost": lambda N, hours: N}, "needs 'hours'"),
        ({"cost": np.ones(3)}, "one number a candidate"),
        ({"cost": lambda N, D: -N}, "costs must be positive"),
        ({"noise": -1.0}, "noise=-1.0"),
        ({"prior": 0.0}, "prior=0.0"),
        ({"misfit": -1.0}, "misfit=-1.0"),
        ({"misfit": None}, "misfit=None"),
        ({"source": few}, "only 20 draws"),
        ({"source": "fit"}, "takes a fit or draws"),
        ({"candidates": None, "space": {"N": (1e9, 1e7), "D": 1e9}}, "must be finite and rise"),
        ({"candidates": None, "space": {"N": (1e7, 1e9)}}, "space= needs 'D'"),
        ({"candidates": None, "space": {"N": 1e7, "D": 1e9}}, "at least one"),
        ({"candidates": None, "space": {"N": (1e7, 1e9), "D": 1e9}, "cost": np.ones(3)}, "as a function"),
    ]
    for change, sentence in cases:
        arguments = {"source": fit, "candidates": GRID, "target": FAR, "budget": 1e20} | change
        with pytest.raises(sj.DecisionError, match=sentence):
            sj.next_runs(arguments.pop("source"), arguments.pop("candidates"), **arguments)
    with pytest.raises(sj.DecisionError, match="6 N D needs N and D"):
        sj.next_runs(linear, {"x": [1.0, 2.0]}, target={"x": 10.0})


def test_too_few_runs_without_a_prior():
    runs = sj.Runs({"x": np.array([1.0, 2.0, 3.0]), "loss": np.array([1.0, 1.2, 1.3])})
    fit = sj.fit(quadratic, runs, loss=sj.squared(), on="linear")
    with pytest.raises(sj.DecisionError, match="pass noise"):
        sj.next_runs(fit, {"x": [4.0]}, target={"x": 10.0}, cost=[1.0], prior=None)
    assert sj.next_runs(fit, {"x": [4.0]}, target={"x": 10.0}, cost=[1.0]).deviation[-1] > 0


def test_a_plan_that_people_would_run(fit):
    """Few runs by default, tokens per parameter and a fixed cost that are kept to, and no run that brings nothing."""
    space = {"N": (1e7, 1e9), "D": (1e8, 1e11)}
    plan = sj.next_runs(fit, space=space, target=FAR, budget=1e20)
    assert 1 <= len(plan) <= 8 and "kept from" in repr(plan)
    assert np.all(plan.deviation[1:] <= plan.deviation[:-1])
    bound = sj.next_runs(fit, space=space, target=FAR, budget=1e20, ratio=(5, 500), overhead=1e18)
    tokens = bound.runs["D"] / bound.runs["N"]
    assert 5 * (1 - 1e-6) <= tokens.min() and tokens.max() <= 500 * (1 + 1e-6)
    assert bound.cost == pytest.approx(six(bound.runs["N"], bound.runs["D"]) + 1e18, rel=1e-9) and bound.total <= 1e20 * (1 + 1e-8)
    assert bound.deviation[-1] >= sj.next_runs(fit, space=space, target=FAR, budget=1e20, ratio=(0, np.inf)).deviation[-1]
    same = {"N": np.full(8, 3e7), "D": np.full(8, 1e9)}  # amid the runs of the fit: they hardly bear on the target
    few, all_ = (sj.next_runs(fit, same, target=FAR, budget=1e22, misfit=0.0, runs=r) for r in (None, 8))
    assert 1 < len(few) < len(all_) == 8
    assert (few.deviation[2:] < 0.99 * few.deviation[1:-1]).all() and all_.deviation[len(few) + 1] > 0.99 * all_.deviation[len(few)]
    for ratio, sentence in (((5, 1), "least and the most"), ((1e6, 1e7), "No candidate has D / N"), (3, "least and the most")):
        with pytest.raises(sj.DecisionError, match=sentence):
            sj.next_runs(fit, space=space, target=FAR, ratio=ratio)
    with pytest.raises(sj.DecisionError, match="overhead=-1"):
        sj.next_runs(fit, GRID, target=FAR, overhead=-1.0)


def test_plans_cost_little(fit, monkeypatch):
    """Points of a space are looked at together, not a few at a time, and the program is compiled once."""
    calls, information = [], importlib.import_module("scalejax.decisions.design.information")
    monkeypatch.setattr(information, "evaluate", lambda *given, real=information.evaluate: calls.append(1) or real(*given))
    sj.next_runs(fit, space={"N": (1e7, 1e9), "D": (1e8, 1e11)}, target=FAR, budget=1e21)
    assert len(calls) < 90
