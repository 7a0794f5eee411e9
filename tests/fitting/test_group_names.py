"""Groups that were read as numbers go by what was written, too."""

from __future__ import annotations

import numpy as np
import pytest

import scalejax as sj

SIZES = {"10M": 3.0, "1.3B": 2.0}


@pytest.fixture(scope="module")
def curves() -> sj.Runs:
    x, written = np.tile(np.geomspace(10, 1e4, 12), 2), np.repeat(list(SIZES), 12)
    level = np.asarray([SIZES[name] for name in written])
    return sj.read_runs({"x": x, "loss": (level + 5 * x**-0.5) * np.exp(0.002 * np.sin(7 * x)), "model": written})


@pytest.fixture(scope="module")
def fit(curves):
    return sj.fit("power_law", curves, by="model")


def test_sizes_are_numbers_and_both_name_them(fit):
    assert fit.groups == ["10000000", "1300000000"]
    for name, level in SIZES.items():
        assert fit.predict(x=1e8, group=name) == pytest.approx(level, rel=0.01)
    of_numbers = fit.predict(x=1e8, group=np.asarray([1e7, 1.3e9]))
    np.testing.assert_array_equal(fit.predict(x=1e8, group=["10M", "1.3B"]), of_numbers)
    np.testing.assert_array_equal(fit.predict(x=1e8, group={"model": ["10 M", "1,300,000,000"]}), of_numbers)


def test_decisions_forecasts_and_pictures_take_them(fit, curves):
    draws = sj.laplace(fit, 50)
    low, high = draws.predict_interval(x=1e8, group="10M")
    assert low < 3.0 * 1.01 and high > 3.0 * 0.99
    floor = sj.derive(draws, lambda E: E, group="1.3B")
    assert floor.value == pytest.approx(2.0, rel=0.01)
    with pytest.raises(sj.DecisionError, match="choose from 10000000, 1300000000"):
        sj.derive(draws, lambda E: E, group="7B")
    anchored = sj.fit("power_law", curves, by="model", fix={"E": {"10M": 3.0}})
    assert anchored.params["E"][0] == 3.0
    found = sj.forecast(curves, {"x": [2e4], "model": ["10M"]}, by="model", laws=["power_law"], inputs="x")
    assert found.group == ("10000000",)
    assert len(sj.plot.fan(fit, draws, group="10M").collections) > 0


def test_text_stays_text():
    x, names = np.tile(np.geomspace(10, 1e4, 12), 2), np.repeat(["10M", "dense"], 12)
    fit = sj.fit("power_law", {"x": x, "loss": 2 + 5 * x**-0.5 * (1 + 1e-3 * np.sin(x)), "model": names}, by="model")
    assert fit.groups == ["10M", "dense"]
    with pytest.raises(sj.DataError, match="There is no group '20M'; did you mean '10M'"):
        fit.predict(x=1e5, group="20M")
    with pytest.raises(sj.DataError, match="There is no group '10000000'"):
        fit.predict(x=1e5, group=1e7)
