"""Ladders of tasks: known truth, tasks at chance, levels that are given or learned, and larger runs of a public sweep."""

from __future__ import annotations

import numpy as np
import pytest
from claims.surfaces import LARGE, fitted_runs, target, task_errors

import scalejax as sj
from scalejax import laws
from scalejax.studies.downstream.task_curves import Task, task_curve

CHAIN = sj.chain(loss=laws.chinchilla, accuracy=(laws.llama3_accuracy, {"nll": "loss"}))
N, D = (v.ravel() for v in np.meshgrid([1.9e8, 3.7e8, 7.6e8, 1.28e9], [1e10, 2e10, 5e10, 1e11]))


def truth(task):
    key = f"bhagia2024_{task}"
    return {**laws.chinchilla.published[key], **laws.llama3_accuracy.published[key]}


def counted(accuracy, items, seed=0):
    return np.random.default_rng(seed).binomial(items, accuracy) / items


def test_a_curve_is_found_again():
    loss = np.linspace(0.7, 1.2, 40)
    p = laws.llama3_accuracy.published["bhagia2024_hellaswag"]
    accuracy = counted(laws.llama3_accuracy(loss, **p), 10042)
    given = task_curve(Task("h", "h", "l", 10042, p["L_0"], None), loss, accuracy)
    assert given.fit.params["k"] == pytest.approx(p["k"], rel=0.05)
    assert given.fit.params["x_0"] == pytest.approx(p["x_0"], rel=0.05)
    learned = task_curve(Task("h", "h", "l", 10042, None, 1.0), loss, accuracy)
    assert learned.fit.params["L_0"] == pytest.approx(p["L_0"], abs=0.01)


def test_a_curve_that_bends_otherwise_is_found_out():
    """A sigmoid that stops half way: the curve of the runs before misses the last third, and the interval says so."""
    loss = np.linspace(0.6, 1.2, 30)
    p = {"L_0": 0.25, "k": 12.0, "x_0": 0.8}
    stopped = np.minimum(laws.llama3_accuracy(loss, r=1.0, **p), 0.5)
    whole = laws.llama3_accuracy(loss, r=1.0, **p)
    curves = [task_curve(Task("t", "t", "l", 20_000, 0.25, 1.0), loss, counted(a, 20_000)) for a in (whole, stopped)]
    assert curves[0].missed < 0.15 < 0.5 < curves[1].missed
    widths = [np.ptp(np.quantile(c.drawn(np.full((2000, 1), 0.55), "run", 0), [0.05, 0.95])) for c in curves]
    assert widths[1] > 3 * widths[0]


def test_a_task_at_chance_gets_no_step():
    loss = np.linspace(0.9, 1.5, 16)
    guess = counted(np.full(16, 0.25), 1000, seed=3)
    curve = task_curve(Task("t", "t", "l", 1000, 0.25, 1.0), loss, guess)
    assert curve.fit is None and curve.reason
    assert np.isnan(curve.at(loss)).all() and np.isnan(curve.drawn(loss[None], "run", 0)).all()
    rising = 0.251 + 0.002 * np.linspace(0, 1, 16)[::-1]  # rises throughout, but within the noise of its items
    assert "not above chance" in task_curve(Task("t", "t", "l", 1000, 0.25, 1.0), loss, rising).reason
    assert "does not rise" in task_curve(Task("t", "t", "l", None, None, 1.0), loss, 0.5 + 0.1 * loss).reason
    assert "the least" in task_curve(Task("t", "t", "l", None, None, 1.0), loss[:4], guess[:4]).reason


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(5)
    columns = {"N": N, "D": D}
    for task in ("hellaswag", "mmlu"):
        loss = CHAIN.of("loss")(N, D, **truth(task))
        columns[f"{task}_bpb"] = loss * np.exp(0.003 * rng.standard_normal(16))
        columns[task] = counted(CHAIN(N, D, **truth(task)), 10000, seed=len(task))
    columns["guess"] = counted(np.full(16, 0.25), 500, seed=9)
    tasks = {
        "hellaswag": {"loss": "hellaswag_bpb", "items": 10000, "chance": 0.262, "best": 0.992},
        "mmlu": {"loss": "mmlu_bpb", "items": 10000},
        "guess": {"loss": "mmlu_bpb", "items": 500, "chance": 0.25},
    }
    return sj.studies.ladder(columns, tasks, at={"N": [3e9, 1.32e10], "D": [1e12, 5e12]}, laws="chinchilla", draws=500)


@pytest.mark.slow
def test_a_ladder_holds_the_truth(found):
    limits = found.interval(0.95)
    for t, task in enumerate(("hellaswag", "mmlu")):
        for i in range(2):
            expected = CHAIN(found.at["N"][i], found.at["D"][i], **truth(task))
            assert limits["accuracy"][0][t, i] < expected < limits["accuracy"][1][t, i]
    assert list(found.undetermined) == ["guess"]
    assert np.isnan(found.accuracy[2]).all() and np.isfinite(found.loss[2]).all()
    np.testing.assert_allclose(found.loss[1], found.loss[2])  # one loss for both


@pytest.mark.slow
def test_a_ladder_is_shown(found):
    text = repr(found)
    assert "guess: no prediction" in text and "hellaswag" in text
    assert len(found.table().rows) == 6
    assert found.to_dict()["tasks"] == ["hellaswag", "mmlu", "guess"]
    axes = found.plot()
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["hellaswag", "mmlu", "guess (no curve)"]
    low, high = axes.get_xlim()
    assert low > high  # better to the right


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ({}, "at least one task"),
        ({"a": {"item": 3}}, "items"),
        ({"a": {"chance": 1.0}}, "0 <= chance < best"),
        ({"a": {"best": 0.9}}, "say its chance"),
        ({"a": {"items": 0}}, "whole number"),
        ({"a": {"loss": "nothing"}}, "names the column 'nothing'"),
    ],
)
def test_what_cannot_be_is_refused(tasks, said):
    runs = {"N": N, "D": D, "loss": 3 - 0.01 * np.arange(16), "a": np.linspace(0.3, 0.5, 16)}
    with pytest.raises(sj.DataError, match=said):
        sj.studies.ladder(runs, tasks, at={"N": 1e10, "D": 1e12})


def test_draws_of_a_forecast_have_its_interval():
    x = np.geomspace(1e6, 1e9, 12)
    found = sj.forecast({"D": x, "loss": 1 + 40 * x**-0.25}, {"D": [1e10, 1e11]}, laws="power_law")
    for kind in ("run", "mean"):
        drawn = found.drawn(40_000, kind=kind)
        np.testing.assert_allclose(np.quantile(drawn, [0.05, 0.95], axis=0), found.interval(0.9, kind), rtol=2e-2)
    assert np.corrcoef(drawn.T)[0, 1] > 0.99


@pytest.mark.slow
def test_the_direct_law_beside_two_stages(data_folder, monkeypatch):
    """Mean error of 17 tasks from the same six runs: the direct law is nearer for the over-trained run, two stages for the large one."""
    monkeypatch.setenv("SCALEJAX_DATA", str(data_folder))
    runs = fitted_runs("rpj", errors=True)
    surprise = -np.log(1 - runs["error"])
    table = {"N": runs["N"], "D": runs["D"], "loss": surprise}
    with pytest.warns(sj.IdentifiabilityWarning, match="do not determine A, alpha, B, beta"):  # five of the six runs have D = 20 N
        direct = sj.fit(laws.chinchilla, table, fix={"E": 0.0}, starts=256, unidentified="warn")
    found = []
    for where in LARGE:
        r = target("rpj", *where)
        error = 1 - laws.direct_accuracy(r["N"][0], r["D"][0], **direct.params, Q_rand=0.0)
        found.append(100 * (error / r["error"][0] - 1))
    np.testing.assert_allclose(found, [2.52, -1.53], atol=0.02)
    two = np.abs(task_errors("rpj"))
    assert abs(found[0]) < two[0] and abs(found[1]) > two[1]
