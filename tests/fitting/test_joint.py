"""Joint fits by the arrow of their normal equations, rows in blocks, and waves of starts give what the plain ways give."""

import importlib
import warnings

import numpy as np
import pytest

import scalejax as sj
from scalejax.core.numeric import sparse
from scalejax.core.numeric.batching import trace_counts
from scalejax.fitting.objective import data

LAW = sj.laws.power_law


def grouped(groups, rows, seed=0, noise=0.01):
    """Groups of unequal size that share alpha, and their E and A."""
    rng = np.random.default_rng(seed)
    E, A = rng.uniform(1, 2, groups), rng.uniform(10, 40, groups)
    parts = []
    for g in range(groups):
        x = np.logspace(2, 8, rows + 7 * (g % 3))
        parts.append(sj.simulate(LAW, {"E": E[g], "A": A[g], "alpha": 0.3}, x=x, noise=noise, seed=seed + g))
    table = {name: np.concatenate([p[name] for p in parts]) for name in ("x", "loss")}
    return {**table, "lab": np.repeat([f"g{g}" for g in range(groups)], [len(p) for p in parts])}, E, A


@pytest.mark.slow
def test_joint_fit_is_the_optimum_of_the_plain_objective():
    """Another solver that knows nothing of arrows, on the same joint problem."""
    table, _, _ = grouped(3, 25)
    ours = sj.fit(LAW, table, by="lab", share="alpha", loss=sj.squared())
    theirs = sj.fit(LAW, table, by="lab", share="alpha", loss=sj.squared(), solver=sj.Optax(rounds=4), starts=20)
    assert ours.objective <= theirs.objective * (1 + 1e-9)
    assert theirs.params["alpha"] == pytest.approx(ours.params["alpha"], rel=1e-4)


def test_sharing_nothing_is_fitting_apart():
    """A joint fit in which only a parameter held fixed is shared has the apart fits' parameters and standard errors."""
    table, _, _ = grouped(4, 30)
    apart = sj.fit(LAW, table, by="lab", fix={"alpha": 0.3})
    joint = sj.fit(LAW, table, by="lab", share="alpha", fix={"alpha": 0.3})
    np.testing.assert_allclose(joint.params["A"], apart.params["A"], rtol=1e-9)
    assert joint.objective == pytest.approx(apart.objective, rel=1e-9)


@pytest.mark.slow
def test_many_groups_recover_their_parameters():
    table, E, A = grouped(60, 30)
    fit = sj.fit(LAW, table, by="lab", share="alpha")
    assert fit.status == "converged" and fit.starts.agreeing >= 3
    assert fit.params["alpha"] == pytest.approx(0.3, abs=4 * fit.standard_errors["alpha"])
    z = (fit.params["E"] - E) / fit.standard_errors["E"]
    assert 0.7 < np.std(z) < 1.35  # 60 draws of a standard normal: 0.82 to 1.18 nine times in ten
    assert np.corrcoef(fit.params["A"], A)[0, 1] > 0.95


@pytest.mark.slow
def test_standard_errors_of_a_joint_fit_agree_with_its_bootstrap():
    table, _, _ = grouped(12, 30, seed=3)
    fit = sj.fit(LAW, table, by="lab", share="alpha")
    draws = sj.bootstrap(fit, 400, kind="bayesian")
    assert draws.standard_errors["alpha"] == pytest.approx(fit.standard_errors["alpha"], rel=0.25)


def test_very_many_rows_go_in_blocks(monkeypatch):
    """Derivatives at the optimum in blocks and in one column."""
    x = np.random.default_rng(0).uniform(1e2, 1e8, 5000)
    runs = sj.simulate(LAW, {"E": 1.0, "A": 20.0, "alpha": 0.3}, x=x, noise=0.02)
    blocks = sj.fit(LAW, runs, starts=64)
    assert blocks.request.batch.long and blocks.request.batch.blocks is None
    monkeypatch.setattr(data, "_LONG", 10**9)
    column = sj.fit(LAW, runs, starts=64)
    assert not column.request.batch.long
    np.testing.assert_allclose(blocks.theta, column.theta, rtol=1e-9)
    np.testing.assert_allclose(blocks.covariance, column.covariance, rtol=1e-6)


def test_blocks_hold_every_row_once():
    table, _, _ = grouped(5, 40)
    fit = sj.fit(LAW, table, by="lab", share="alpha")
    blocks = fit.request.batch.blocks
    places = np.sort(blocks.place[blocks.used])
    np.testing.assert_array_equal(places, np.arange(len(table["x"])))
    np.testing.assert_array_equal(fit.request.batch.group[blocks.place], np.broadcast_to(blocks.group, blocks.place.shape))


def test_one_compilation_for_sets_of_many_lengths():
    rng = np.random.default_rng(1)
    tables = [
        sj.simulate(LAW, {"E": 1.0, "A": 20.0, "alpha": 0.3}, x=np.logspace(2, 8, n), noise=0.01, seed=n) for n in rng.integers(50, 250, 40)
    ]
    runs = {name: np.concatenate([t[name] for t in tables]) for name in ("x", "loss")}
    runs["lab"] = np.repeat(np.arange(40), [len(t) for t in tables])
    sj.fit(LAW, runs, by="lab", starts=16)
    before = trace_counts()
    fit = sj.fit(LAW, runs, by="lab", starts=16)
    assert trace_counts() == before
    assert fit.status == "converged"


def test_waves_go_on_until_starts_agree():
    """Three starts that agree end the search; where they cannot, all are tried."""
    x = np.logspace(2, 8, 40)
    runs = sj.simulate(LAW, {"E": 1.0, "A": 20.0, "alpha": 0.3}, x=x, noise=0.01)
    table = {name: np.tile(runs[name], 100) for name in ("x", "loss")}
    easy = sj.fit(LAW, {**table, "lab": np.repeat(np.arange(100), 40)}, by="lab", starts=16)
    assert (easy.starts.agreeing, easy.starts.refined) == (3, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = sj.fit(LAW, {**table, "lab": np.repeat(np.arange(100), 40)}, by="lab", starts=16, solver=sj.LM(max_iterations=1))
    assert short.starts.refined == 16


def test_the_column_of_the_groups_is_named_with_group():
    x = np.geomspace(1e3, 1e8, 12)
    table = {"x": np.tile(x, 2), "loss": np.concatenate([1 + x**-0.2, 2 + x**-0.2]), "curve": np.repeat(["a", "b"], 12)}
    fit = sj.fit("power_law", table, by="curve", starts=32)
    with pytest.raises(sj.DataError, match=r"takes the groups of column 'curve' as group=..., such as group='a'"):
        fit.predict(x=1e9, curve="a")
    assert fit.predict(x=1e9, group="a") < fit.predict(x=1e9, group="b")


def test_many_groups_cost_no_cube(monkeypatch):
    """Factors of the sparse matrix give what its eigenvectors give, and no eigenvectors are taken; a singular matrix has none."""
    table, _, _ = grouped(90, 12, seed=4)
    dense = sj.fit(LAW, table, by="lab", share="alpha", starts=4)
    monkeypatch.setattr(sparse, "MANY", 100)
    monkeypatch.setattr(np.linalg, "eigh", None)
    fit = sj.fit(LAW, table, by="lab", share="alpha", starts=4)
    one, other = fit.curvature[0], dense.curvature[0]
    for name in ("covariance", "model_covariance", "freedom", "condition"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-9 * np.abs(getattr(other, name)).max())
    np.testing.assert_allclose(fit.theta, dense.theta, rtol=1e-9)
    matrix = np.eye(120) + np.diag(np.full(119, 0.5), 1) + np.diag(np.full(119, 0.5), -1)
    found = sparse.factored(matrix)
    assert found.condition == pytest.approx(np.linalg.cond(matrix), rel=1e-4)
    np.testing.assert_allclose(found.inverse() @ matrix, np.eye(120), atol=1e-10)
    matrix[0, 0] = 1e-9
    assert sparse.factored(matrix) is None and sparse.factored(np.ones((120, 120))) is None


def test_replicates_in_several_calls_are_those_of_one(monkeypatch):
    """Units keep their random numbers, so that draws stay paired however many are made at a time."""
    table, _, _ = grouped(12, 8, seed=5)
    fit = sj.fit(LAW, table, starts=8, unidentified="warn")
    whole = sj.bootstrap(fit, 150, groups="lab", seed=3)
    monkeypatch.setattr(importlib.import_module("scalejax.fitting.uncertainty.bootstrap"), "_NUMBERS", 1)
    np.testing.assert_allclose(sj.bootstrap(fit, 150, groups="lab", seed=3).theta, whole.theta, rtol=1e-5, atol=1e-6)
    assert sj.bootstrap(fit, 150, kind="cases").theta.shape == whole.theta.shape
