"""`prior="weak"`: the formula it minimises, that it moves nothing which runs determine, and what it keeps from running away."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

import scalejax as sj
from scalejax.fitting.solvers.search import minimise
from scalejax.fitting.uncertainty import bootstrap

LAW = sj.laws.power_law
TRUTH = {"E": 1.0, "A": 20.0, "alpha": 0.3}


def without_a_prior(request, theta, of, batch, sets, solver, weight, progress, edge):
    """Refits as they end."""
    return minimise(request.spec, batch, theta[:, of], sets, solver, weight=weight), 0


def table(n: int, seed: int = 0, **changed: float) -> dict[str, np.ndarray]:
    x = np.logspace(3, 9, n)
    return {"x": x, "loss": np.asarray(sj.simulate(LAW, {**TRUTH, **changed}, x=x, noise=0.01, seed=seed)["loss"])}


def penalised(u: np.ndarray, runs: dict[str, np.ndarray], tau: float) -> float:
    """The documented objective for least squares, written anew: u are the logarithms of E, A and alpha."""
    E, A, alpha = np.exp(u)
    r = np.log(runs["loss"]) - np.log(E + A * runs["x"] ** -alpha)
    ranges = np.log([(LAW.domains[name].low, LAW.domains[name].high) for name in TRUTH])
    z = (u - ranges.mean(axis=1)) / (np.diff(ranges, axis=1)[:, 0] / 3.92)
    return 0.5 * np.sum(r**2) + 0.5 * tau * np.sum(z**2)


@pytest.fixture(scope="module")
def few():
    runs = table(8)
    return runs, sj.fit(LAW, runs, loss=sj.squared()), sj.fit(LAW, runs, loss=sj.squared(), prior="weak")


def test_it_minimises_what_is_documented(few):
    runs, plain, held = few
    tau = np.sum(plain.residuals**2) / (8 - 3)  # least squares: the residual variance
    best = minimize(
        penalised, np.log(list(plain.params.values())), (runs, tau), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15}
    )
    np.testing.assert_allclose(np.exp(best.x), [held.params[name] for name in TRUTH], rtol=1e-5)
    assert held.objective == pytest.approx(best.fun, rel=1e-9)
    assert held.status.value == "converged"


def test_lbfgs_finds_the_same(few):
    runs, _, held = few
    other = sj.fit(LAW, runs, loss=sj.squared(), prior="weak", solver="lbfgs", starts=64)
    for name, value in held.params.items():
        assert other.params[name] == pytest.approx(value, rel=1e-5)


def test_what_the_runs_determine_hardly_moves():
    runs = table(60)
    plain, held = sj.fit(LAW, runs), sj.fit(LAW, runs, prior="weak")
    for name in TRUTH:
        assert abs(held.params[name] - plain.params[name]) < 0.1 * plain.standard_errors[name]


def test_groups_apart_and_together_have_a_penalty_each(few):
    """A batch is its members, and a joint fit that shares nothing of weight is one too: the arrow's blocks have their diagonal."""
    runs, _, held = few
    both = {k: np.concatenate([v, table(8, 5, E=1.4)[k]]) for k, v in runs.items()} | {"group": np.repeat(["a", "b"], 8)}
    apart = sj.fit(LAW, both, loss=sj.squared(), by="group", prior="weak")
    for name, value in held.params.items():
        assert apart.params[name][0] == pytest.approx(value, rel=1e-6)
    joint = sj.fit(LAW, both, loss=sj.squared(), by="group", share="alpha", prior="weak")
    tau = joint.request.penalty_weight[0]
    u = np.log([[joint.params["E"][i], joint.params["A"][i], joint.params["alpha"]] for i in (0, 1)])
    halves = [{k: both[k][both["group"] == g] for k in ("x", "loss")} for g in ("a", "b")]
    low, high = np.log([LAW.domains["alpha"].low, LAW.domains["alpha"].high])
    once = 0.5 * tau * ((u[0, 2] - (low + high) / 2) / ((high - low) / 3.92)) ** 2  # the shared parameter counts once
    assert joint.objective == pytest.approx(sum(penalised(v, half, tau) for v, half in zip(u, halves, strict=True)) - once, rel=1e-9)


def test_it_is_saved_and_read(few, tmp_path):
    _, _, held = few
    held.save(tmp_path / "fit.json")
    again = sj.load_fit(tmp_path / "fit.json")
    np.testing.assert_array_equal(again.request.penalty_weight, held.request.penalty_weight)
    assert "weak prior" in repr(again)


def test_what_is_no_prior_is_refused(few):
    runs, _, _ = few
    with pytest.raises(sj.FitError, match="prior='strong' is unknown"):
        sj.fit(LAW, runs, prior="strong")
    with pytest.raises(sj.FitError, match="knows no prior"):
        sj.fit(LAW, runs, prior="weak", solver="varpro")


def test_refits_that_run_away_are_held(monkeypatch):
    """Twelve noisy runs at six sizes: where resampling leaves the smallest and a plateau, A and the exponent run to infinity."""
    x = np.repeat(np.logspace(4, 6, 6), 2)
    runs = sj.simulate(LAW, TRUTH, x=x, noise=0.2, seed=3)
    fit = sj.fit(LAW, runs, loss=sj.squared())
    for kind in ("cases", "residual"):
        draws = sj.bootstrap(fit, 300, kind=kind)
        assert "of 300 refits held by a weak prior" in draws.kind
        assert draws.failed == 0
        far = np.log(LAW.domains["A"].high) + np.log(LAW.domains["A"].high / LAW.domains["A"].low)
        assert np.log(draws.params["A"]).max() < far  # a whole range beyond the plausible one
    monkeypatch.setattr(bootstrap, "refit", without_a_prior)
    assert np.log(sj.bootstrap(fit, 300, kind="cases").params["A"]).max() > far


@pytest.mark.slow
def test_simulated_autoscale_comes_near_the_truth():
    law, rng = sj.laws.autoscale, np.random.default_rng(sum(map(ord, "autoscale")) + 7)
    truth = dict(law.published["kang2024"])
    h, D = rng.dirichlet(np.ones(7), 96), np.exp(np.log(100) * rng.uniform(size=96))
    runs = sj.simulate(law, truth, noise=0.005, seed=3, h=h, D=D)
    with pytest.warns(sj.ConvergenceWarning, match="uncertain optimum"):
        plain = sj.fit(law, runs)
    assert plain.status.value == "uncertain optimum"
    held = sj.fit(law, runs, prior="weak")
    for name, true in truth.items():
        assert (np.abs(held.params[name] - true) < 3 * held.standard_errors[name]).all()
    assert held.params["gamma"][3] == pytest.approx(truth["gamma"][3], abs=0.6)
    assert held.params["N0"][3] == pytest.approx(truth["N0"][3], abs=1.0)
