"""What keeps searches short: starts that are given up, parameters that run to infinity, padding that is not computed."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import scalejax as sj
from scalejax.fitting.fit import make_request
from scalejax.fitting.objective.problem import arguments
from scalejax.fitting.solvers import lm, search, system
from scalejax.fitting.status import Status, code

H = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], 26)
LAW = sj.laws.data_mixing_m4
DONE, RUNNING = code(Status.CONVERGED), 0


def runs(noise=0.003):
    return sj.simulate(LAW, {"c": 2.0, "t": [-2.0, 0.2, 0.1]}, h=H, noise=noise, seed=1)


def test_starts_are_given_up_long_after_others_agreed():
    """Set 0 agreed after 10 iterations; of those still running, one is worse and one as good. Nobody agreed in set 1."""
    late = search._stragglers(np.array([0, 0, 0, 0, 0, 1, 1, 1, 1]))
    members, objective = np.arange(9), np.array([1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.5, 2.0])
    status = np.array([DONE, DONE, DONE, RUNNING, RUNNING, DONE, DONE, DONE, RUNNING])
    for spent, given_up in ((10, []), (39, []), (40, [3])):
        iterations = np.where(status == DONE, 10, spent)
        assert np.flatnonzero(late(members, objective, iterations, status)).tolist() == given_up


def test_a_better_start_that_still_runs_keeps_all_running():
    late = search._stragglers(np.zeros(5, int))
    objective, status = np.array([1.0, 1.0, 1.0, 0.5, 2.0]), np.array([DONE, DONE, DONE, RUNNING, RUNNING])
    assert not late(np.arange(5), objective, np.array([5, 5, 5, 900, 900]), status).any()


@pytest.mark.filterwarnings("ignore:The runs do not determine t", "ignore:.*is an uncertain optimum.*t.0. left the plausible range")
def test_parameters_that_run_to_infinity_do_not_hold_up_the_others(monkeypatch):
    """Without domain 0 the loss is that of t_0 = -infinity. All starts end; with shortened steps alone some crawl to the limit."""
    h = np.column_stack([0.1 + 0.9 * H[:, 0], 0.9 * H[:, 1:]])
    h = np.concatenate([h, [[0.0, w, 1 - w] for w in np.linspace(0.1, 0.9, 9)]])
    loss = np.where(h[:, 0] > 0, 2.0, 2.0 + np.exp(0.5 * h[:, 1])) + 0.003 * np.cos(7 * np.arange(35))
    monkeypatch.setattr(search, "_PATIENCE", 1e9)
    fit = sj.fit(LAW, {"h": h, "loss": loss}, loss=sj.huber(0.02), on="linear", starts=32)
    assert fit.params["t"][0] < -20 and fit.params["c"] == pytest.approx(2.0, abs=0.01)
    assert (fit.starts.status == "converged").all() and fit.starts.iterations.max() < 200


@pytest.mark.parametrize("last", [1, 26, 32, 33, 256])
def test_a_column_in_pieces_is_the_column(last):
    fit = sj.fit(LAW, runs(), starts=8)
    batch, spec = fit.request.batch, fit.request.spec
    members = 128  # pieces of 32 rows
    weight = np.random.default_rng(0).uniform(size=(batch.rows, members)) * (np.arange(batch.rows) < last)[:, None]
    theta = fit.theta + 0.001 * np.arange(members)
    with jax.enable_x64(True):
        data = arguments(spec, batch.gather(np.zeros(members, int), weight))
        ask = (spec, batch.batched, data, theta, np.full(members, 1e-3), 0.5)
        whole, pieces = system._in_column(*ask), system._in_pieces(*ask)
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)


def test_the_limit_on_patience_leaves_the_optimum_alone(monkeypatch):
    patient, short = [], []
    for found, patience in ((short, search._PATIENCE), (patient, 1e9)):
        monkeypatch.setattr(search, "_PATIENCE", patience)
        found.append(sj.fit(LAW, runs(), starts=128))
    assert short[0].objective == pytest.approx(patient[0].objective, rel=1e-9)
    assert lm.LM().max_iterations >= patient[0].starts.iterations.max() >= short[0].starts.iterations.max()


def test_lagging_starts_are_given_up_where_nobody_agrees():
    """Of forty that run, the best quarter stays, and those as good as the best to a thousandth; in a set of eight all stay."""
    late = search._stragglers(np.repeat([0, 1], [40, 8]))
    objective = np.concatenate([1 + 0.01 * np.arange(40)[::-1], 1 + np.arange(8)])
    objective[:3] = 1.0005
    state = np.arange(48), objective

    def gone(spent):
        return np.flatnonzero(late(*state, np.full(48, spent), np.zeros(48, int)))

    assert not len(gone(148))
    assert gone(152).tolist() == list(range(3, 33))  # three as good as the best, and the seven best of the others
    assert not len(gone(156)) and len(gone(228)) == 30 and len(gone(4)) == 0 and len(gone(152)) == 30  # a new slab begins anew


def test_long_curves_are_screened_by_their_steps():
    eta = np.full((3, 24_000), 1e-3)
    t = np.tile(np.linspace(100, 23_999, 30).round(), (3, 1))
    runs = sj.Runs({"eta": eta, "t": t, "W": np.zeros(3), "loss": 3 + 10 * t**-0.5})
    nothing = dict.fromkeys(("loss", "fix", "tie", "bounds", "by", "weights", "sizes"))
    asked = make_request("multi_power", runs, on="log", share=(), **nothing)
    assert search.default_count(asked.batch, 1) * asked.batch.work <= search._EVALUATIONS
