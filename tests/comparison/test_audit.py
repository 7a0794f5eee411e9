"""`audit` judges parameters of any law, curves and fixed parameters included."""

from __future__ import annotations

import numpy as np
import pytest

import scalejax as sj

LAW = sj.laws.power_law
TRUTH = {"E": 2.0, "A": 130.0, "alpha": 0.2}


def test_fixed_parameters_are_held():
    runs = sj.simulate(LAW, TRUTH, x=np.geomspace(1e3, 1e9, 20), noise=0.001)
    best = sj.fit(LAW, runs, fix={"E": 2.0}, loss=sj.squared(), starts=16)
    found = sj.audit(LAW, runs, best.params, fix={"E": 2.0}, loss=sj.squared())
    assert found.status.value == "converged" and found.objective == pytest.approx(best.objective, rel=1e-9)
    worse = sj.audit(LAW, runs, {**best.params, "A": 150.0}, fix={"E": 2.0}, loss=sj.squared())
    assert worse.status.value == "max iterations" and worse.best == pytest.approx(best.objective, rel=1e-6)
    with pytest.raises(sj.LawError, match="contradicts params"):
        sj.audit(LAW, runs, best.params, fix={"E": 1.0})


def test_curves_count_by_step():
    """Of curves of two lengths every observed step counts once: the objective is the sum over them."""
    law, rng = sj.laws.lr_annealing, np.random.default_rng(0)
    truth, tables, expected = dict(law.published["tissue2024"]), {}, 0.0
    for name, n in (("long", 400), ("short", 250)):
        rates, t = sj.schedules.cosine(n, 3e-4, 3e-5), np.arange(0, n, 10)
        noise = 0.001 * rng.standard_normal(len(t))
        loss = np.asarray(law(rates, t.astype(float), **truth, W=0.0)) * np.exp(noise)
        tables[name] = {"step": t, "loss": loss, "lr": rates[t]}
        expected += np.sum(noise**2) / 2
    schedules = {name: sj.schedules.cosine(n, 3e-4, 3e-5) for name, n in (("long", 400), ("short", 250))}
    tables = {name: {c: v for c, v in table.items() if c != "lr"} for name, table in tables.items()}
    found = sj.audit(law, sj.read_curves(tables, schedules=schedules), truth, loss=sj.squared())
    assert found.objective == pytest.approx(expected, rel=0.05) and 0 < found.best < found.objective
