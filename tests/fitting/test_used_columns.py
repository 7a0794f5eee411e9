"""A fit is decided by the columns that its law uses, and by no other: gaps, weights, zeros and units."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import scalejax as sj

X = np.logspace(3, 8, 20)
LOSS = (1.5 + 20 * X**-0.3) * np.exp(0.003 * np.random.default_rng(0).standard_normal(20))
GAPS = np.where(np.arange(20) % 3 == 0, np.nan, 1.0)
TABLE = {"x": X, "loss": LOSS, "grad_norm": GAPS, "notes": ["", *["fine"] * 19], "weight": np.arange(20.0)}


@pytest.fixture(scope="module")
def plain():
    return sj.fit("power_law", {"x": X, "loss": LOSS})


@pytest.mark.parametrize("on_bad", ["raise", "flag", "drop", None])
def test_gaps_in_other_columns_cost_no_row(plain, on_bad):
    fitted = sj.fit("power_law", TABLE if on_bad is None else sj.read_runs(TABLE, on_bad=on_bad))
    assert fitted.params == plain.params and len(fitted.observed) == 20
    assert fitted.params["alpha"] == pytest.approx(0.30081, abs=1e-4)
    assert "left out" not in repr(fitted) and "grad_norm" not in repr(fitted)
    assert "weight" not in repr(fitted)


def test_gaps_in_columns_that_are_used_do(plain):
    spoiled = {**TABLE, "x": np.append(X[:-1], np.nan)}
    with pytest.raises(sj.DataError, match=r"'x' is missing, NaN or infinite in row 19.*read_runs\(table, x='x', ..., on_bad='drop'\)"):
        sj.fit("power_law", spoiled)
    with pytest.raises(sj.DataError, match="'x'"):  # nobody said when reading that x matters
        sj.fit("power_law", sj.read_runs(spoiled))
    for runs in (sj.read_runs(spoiled, x="x", loss="loss", on_bad="drop"), sj.read_runs(spoiled, on_bad="flag")):
        fitted = sj.fit("power_law", runs)
        assert len(fitted.observed) == 19 and fitted.params["alpha"] == pytest.approx(plain.params["alpha"], abs=0.01)
        assert "not-finite" in repr(fitted)


def test_groups_and_weights_are_used_columns():
    with pytest.raises(sj.DataError, match="'grad_norm' is missing"):
        sj.fit("power_law", TABLE, by="grad_norm")
    with pytest.raises(sj.DataError, match="'grad_norm' is missing"):
        sj.fit("power_law", TABLE, weights="grad_norm")


def test_a_column_of_weights_is_used_when_asked_for(plain, tmp_path):
    given = sj.fit("power_law", {"x": X, "loss": LOSS}, weights=TABLE["weight"])
    named = sj.fit("power_law", TABLE, weights="weight")
    role = sj.fit("power_law", sj.read_runs(TABLE, x="x", loss="loss", weight="weight"))
    assert given.params == named.params == role.params != plain.params
    for fitted in (named, role):
        assert "weighted by column 'weight'" in repr(fitted)
    named.save(tmp_path / "fit.json")
    assert sj.load_fit(tmp_path / "fit.json").request.row_weights[0].tolist() == TABLE["weight"].tolist()
    late = role.runs.where(role.runs["x"] > 1e4)
    assert late.weighted_by == "weight" and sj.fit("power_law", late).request.row_weights[0].tolist() == late["weight"].tolist()
    with pytest.raises(sj.DataError, match=r"weights='weigth' names no column; did you mean 'weight'"):
        sj.fit("power_law", TABLE, weights="weigth")


@sj.law(c0=sj.Real(-10, 10), c=sj.Positive(0.1, 100), m=sj.Positive(0.05, 2))
def offset(N, *, c0, c, m):
    """A power law with an offset of any sign."""
    return c0 + c * N**-m


BELOW = {"N": np.logspace(4, 8, 12), "loss": -1.2 + 30 * np.logspace(4, 8, 12) ** -0.3}


def test_losses_below_zero_are_fitted_on_the_linear_scale():
    found = sj.fit(offset, BELOW, on="linear")
    assert found.params == pytest.approx({"c0": -1.2, "c": 30, "m": 0.3}, abs=1e-4)
    for on_bad in ("raise", "flag", "drop"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sj.DataWarning)
            runs = sj.read_runs(BELOW, N="N", loss="loss", on_bad=on_bad)
        again = sj.fit(offset, runs, on="linear")
        assert again.params == found.params and len(again.observed) == 12 and "flag" not in repr(again)
    with pytest.raises(sj.DataError, match="on='linear'"):
        sj.fit(offset, BELOW)


@sj.law(D=sj.Positive(1e6, 1e12, zero=True), E=sj.Positive(0.1, 10), B=sj.Positive(0.1, 100))
def fine_tuned(D, *, E, B):
    """A law that holds without any tokens."""
    return E + B / (1 + D / 1e6)


def test_a_law_that_takes_zeros_gets_them():
    D = np.array([0, 1e6, 3e6, 1e7, 1e8])
    table = {"D": D, "loss": 2.0 + 1.0 / (1 + D / 1e6)}
    with pytest.warns(sj.DataWarning, match="'D' is zero or negative in row 0"):
        runs = sj.read_runs(table, D="D", loss="loss")
    for given in (table, runs):
        found = sj.fit(fine_tuned, given)
        assert len(found.observed) == 5 and found.params == pytest.approx({"E": 2.0, "B": 1.0}, rel=1e-6)


@pytest.mark.parametrize("factor", [1000.0, 1 / np.log(2), 1e-3])
def test_a_fit_on_the_linear_scale_does_not_depend_on_the_unit(factor):
    """The default loss bends at a thousandth of the usual loss, whatever it is counted in; one that is given stays as it is."""
    rng = np.random.default_rng(1)
    loss = 1.5 + 20 * X**-0.3 + 0.02 * rng.standard_t(2, 20)
    starts = [{"E": 1.0, "A": 10.0, "alpha": 0.5}]
    moved = [{"E": factor, "A": 10.0 * factor, "alpha": 0.5}]
    one = sj.fit("power_law", {"x": X, "loss": loss}, on="linear", starts=starts)
    other = sj.fit("power_law", {"x": X, "loss": factor * loss}, on="linear", starts=moved)
    expected = {"E": factor * one.params["E"], "A": factor * one.params["A"], "alpha": one.params["alpha"]}
    assert other.params == pytest.approx(expected, rel=1e-6)
    assert one.request.loss.delta == pytest.approx(1e-3 * np.median(loss))
    assert sj.fit("power_law", {"x": X, "loss": loss}, on="linear", loss=sj.huber(1e-3), starts=starts).request.loss.delta == 1e-3
