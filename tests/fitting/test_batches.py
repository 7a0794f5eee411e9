"""Groups fitted apart in one batch: one that cannot be fitted has a status, the others have their answers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import scalejax as sj
from scalejax.fitting.status import Status

LAW = sj.laws.power_law
TRUTH = {"E": 1.0, "A": 20.0, "alpha": 0.3}
X = np.logspace(3, 9, 20)


def good(seed: int, **changed: float) -> dict[str, np.ndarray]:
    runs = sj.simulate(LAW, {**TRUTH, **changed}, x=X, noise=0.01, seed=seed)
    return {"x": X, "loss": np.asarray(runs["loss"])}


def together(tables: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    columns = {name: np.concatenate([t[name] for t in tables.values()]) for name in ("x", "loss")}
    return {**columns, "group": np.repeat(list(tables), [len(t["x"]) for t in tables.values()])}


@pytest.fixture(scope="module")
def batch():
    """Two good groups, one whose law overflows at every start, and one of two runs."""
    tables = {
        "a": good(1),
        "far": {"x": X * 1e-315, "loss": good(2)["loss"]},
        "b": good(3, alpha=0.2),
        "two": {"x": X[:2], "loss": np.array([2.0, 1.9])},
    }
    with pytest.warns(sj.ConvergenceWarning, match=r"far \(not finite\), two \(too few runs\); 2 of 4 groups have their answers"):
        return sj.fit(LAW, together(tables), by="group")


def test_hopeless_groups_have_a_status(batch):
    assert batch.statuses == (Status.CONVERGED, Status.NOT_FINITE, Status.CONVERGED, Status.TOO_FEW)
    assert batch.status is Status.TOO_FEW and not batch.status.usable
    assert "without an answer: far (not finite), two (too few runs)" in repr(batch)
    for i in (1, 3):
        assert not np.isfinite(np.diagonal(batch.covariance[i])).any()
        assert all(np.isinf(errors[i]) for errors in batch.standard_errors.values())


@pytest.mark.parametrize(("index", "name", "seed", "changed"), [(0, "a", 1, {}), (2, "b", 3, {"alpha": 0.2})])
def test_the_others_have_the_answers_of_a_fit_alone(batch, index, name, seed, changed):
    alone = sj.fit(LAW, good(seed, **changed))
    assert alone.statuses == (Status.CONVERGED,)
    for parameter, value in alone.params.items():
        assert batch.params[parameter][index] == pytest.approx(value, rel=1e-7)
        assert batch.standard_errors[parameter][index] == pytest.approx(alone.standard_errors[parameter], rel=1e-5)


def test_a_batch_with_hopeless_groups_is_saved_and_read(batch, tmp_path):
    batch.save(tmp_path / "fit.json")
    assert sj.load_fit(tmp_path / "fit.json").statuses == batch.statuses


def test_groups_that_are_all_too_small_are_refused():
    two = {"x": X[:2], "loss": np.array([2.0, 1.9])}
    with pytest.raises(sj.FitError, match="3 free parameters, no group has more than 2 usable observations"):
        sj.fit(LAW, together({"a": two, "b": two}), by="group")


@pytest.mark.slow
def test_learning_curves_of_which_some_run_off(public_data):
    """Where a parameter has left the numbers that can be held, second derivatives are not finite; eigenvalues of these ended the batch."""
    table = sj.read_runs(public_data / "scalebench" / "sft__train.csv", x="sft_data_size", loss="sft_loss", group="group")
    with pytest.warns((sj.ConvergenceWarning, sj.IdentifiabilityWarning)):
        fit = sj.fit("m4", table, by="group", unidentified="warn")
    assert len(fit.statuses) == 42
    assert sum(s.usable for s in fit.statuses) >= 21


@pytest.mark.slow
def test_sets_of_a_batch_try_each_others_optima():
    """Most starts end in a worse optimum, in some sets of the batch all of the few that are refined; fitted alone each finds the best."""
    truth = {"E": 1.2, "A": 400.0, "alpha": 0.34, "B": 1200.0, "beta": 0.36, "C": [1.0, 2.0, 4.0], "gamma": [0.7, 0.9, 1.2]}
    law, rng = sj.laws.mixture_additive, np.random.default_rng(0)
    n = 96 * 12
    inputs = {"h": rng.dirichlet(np.ones(3), n), "N": 10 ** rng.uniform(7, 10, n), "D": 10 ** rng.uniform(9, 12, n)}
    runs = sj.simulate(law, {k: np.asarray(v) for k, v in truth.items()}, **inputs, noise=0.002, seed=0)
    runs = sj.Runs({**inputs, "loss": np.asarray(runs["loss"]), "set": np.repeat(np.arange(12), 96)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.ConvergenceWarning)
        batch = sj.fit(law, runs, by="set", loss=sj.squared(), unidentified="warn")
        alone = [sj.fit(law, runs.where(lambda r, i=i: r["set"] == i), loss=sj.squared(), unidentified="warn") for i in range(12)]
    assert batch.objective == pytest.approx(sum(fit.objective for fit in alone), rel=1e-6)
