"""Cells as people write them, units, and which rows count."""

from __future__ import annotations

import datetime
import math
import warnings

import numpy as np
import pandas as pd
import pytest

import scalejax as sj
from scalejax.data.cells import numbers_of

WRITTEN = {
    "1.3B": 1.3e9, "26 B": 2.6e10, "300k": 3e5, "1,011,781,632": 1011781632.0, "1e9": 1e9, "125m": 1.25e8, "1.4T tokens": 1.4e12,
    "1 011 781 632": 1011781632.0, "1'000'000": 1e6, "1_000_000": 1e6, "7B params": 7e9, "5.76e23 FLOPs": 5.76e23, "1.2 ZFLOP": 1.2e21,
    "1.3×10^9": 1.3e9, "10⁹": 1e9, "1,234.5": 1234.5, "−3": -3.0, "3,888,000": 3.888e6,
}  # fmt: skip


@pytest.mark.parametrize("cell", WRITTEN)
def test_numbers_as_people_write_them(cell):
    values, wrong, unclear = numbers_of([cell])
    assert not wrong and not unclear and values[0] == pytest.approx(WRITTEN[cell], rel=1e-15)


@pytest.mark.parametrize(
    "cell", ["high", "1-2", "12:30", "2026-01-01", "~70B", "3 nats", "1.2.3", "B", "0x1f", "1,23,456", "10^999", "3.1 ± 0.1"]
)
def test_what_is_no_number_is_none(cell):
    assert numbers_of(["1.5", cell])[1] == [(1, cell)]


def test_one_column_of_all_kinds():
    runs = sj.read_runs({"N": ["1.3B", "26 B", "300k", "1,011,781,632", "1e9"], "loss": [2.5, 2.1, 4.0, 2.6, 2.6]})
    assert runs["N"].tolist() == [1.3e9, 2.6e10, 3e5, 1011781632.0, 1e9]
    assert sj.read_runs({"share": ["57%", "3.5 %"], "loss": ["2,6", "2,7"]})["share"].tolist() == [0.57, 0.035]


@pytest.mark.parametrize("gap", ["N/A", "-", "—", "", None, " na ", "#N/A", "null", float("nan"), pd.NA, pd.NaT])
def test_ways_to_say_that_a_value_is_missing(gap):
    table = {"N": [1e8, 1e9, 2e9], "loss": ["3.0", "2.5", gap], "D": [1e9, 2e9, 3e9]}
    runs = sj.read_runs(table, on_bad="flag")
    assert runs.excluded.tolist() == [False, False, True] and np.isnan(runs["loss"][2])
    with pytest.raises(sj.DataError, match="missing, NaN or infinite in row 2"):
        sj.read_runs(table, N="N", loss="loss")


MIXED = {
    "a unit in some cells": (["1.3B", "7", "13"], r"'1.3B' has a unit and row 1: '7' none; say it with unit=\{'N': 'B'\}"),
    "percent in some cells": (["57%", "0.6"], "'57%' is a percentage and row 1: '0.6' is none"),
    "a comma of either kind": (["3,888"], r"'3,888' may be 3888 or 3.888; write it without the comma"),
    "commas and points": (["3,88", "3.9"], "'3,88' has a decimal comma and others a point"),
}


@pytest.mark.parametrize("case", MIXED)
def test_what_is_unclear_is_asked_for(case):
    cells, words = MIXED[case]
    with pytest.raises(sj.DataError, match=words):
        sj.read_runs({"x": cells}, **{"N" if "unit" in case else "loss": "x"})
    assert sj.read_runs({"x": cells, "loss": np.arange(len(cells)) + 2.0})["x"].dtype.kind == "U"  # no role: a text, as it stands


def test_a_unit_settles_cells_without_one():
    assert sj.read_runs({"x": ["1.3B", "7", "13"]}, N="x", unit={"N": "B"})["N"].tolist() == [1.3e9, 7e9, 1.3e10]
    assert sj.read_runs({"tokens": ["300,000", "26,000"], "loss": [3, 4]})["tokens"].tolist() == [300000, 26000]  # whole by its name
    assert sj.read_runs({"x": np.array([1.3, 7.0])}, N="x", unit={"N": "B"})["N"].tolist() == [1.3e9, 7e9]


UNITS = {
    "bits": (2.0, 2.0 * math.log(2)), "perplexity": (math.e**2, 2.0), "ppl": (math.e**2, 2.0), "bits per byte": (0.8, 0.8 * math.log(2)),
    ("bits_per_byte", 4.3): (0.8, 0.8 * math.log(2) * 4.3), "nats": (2.0, 2.0),
}  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_losses_become_nats(unit):
    given, nats = UNITS[unit]
    assert sj.read_runs({"x": [given], "N": [1e9]}, N="N", loss="x", unit=unit)["loss"][0] == pytest.approx(nats, rel=1e-14)
    curves = sj.read_curves({"a": {"step": [0, 1], "loss": [given, given], "lr": [1.0, 1.0]}}, lr="lr", unit=unit)
    assert curves["loss"][0] == pytest.approx([nats, nats], rel=1e-14)


@pytest.mark.parametrize(
    ("unit", "words"), [("bit", None), ("byts", "did you mean 'bits'"), (("bits", 4.0), "only bits_per_byte"), (3, "must be a name")]
)
def test_units_that_are_none(unit, words):
    if words is None:
        sj.read_runs({"loss": [2.0]}, unit=unit)
        return
    with pytest.raises(sj.DataError, match=words):
        sj.read_runs({"loss": [2.0]}, unit=unit)


def test_arithmetic_on_columns():
    table = {"steps": [1000, 2000], "batch": [256, 256], "length": [2048, 2048], "eval/loss": [3.0, 2.8], "n/a": [1.0, 2.0]}
    runs = sj.read_runs(table, D="steps * batch * length", loss="eval/loss", M="log(`eval/loss`) + `n/a`", x="n/a")
    assert runs["D"].tolist() == [1000 * 256 * 2048.0, 2000 * 256 * 2048.0] and runs["x"].tolist() == [1.0, 2.0]
    np.testing.assert_allclose(runs["M"], np.log([3.0, 2.8]) + np.array([1.0, 2.0]))
    for wrong, words in (("steps * bach", "'bach', which is not a column; did you mean 'batch'"), ("steps *", "no arithmetic"),
                         ("open(steps)", "no function 'open'"), ("steps ** 9**9**9", "cannot be computed|no arithmetic")):  # fmt: skip
        with pytest.raises(sj.DataError, match=words):
            sj.read_runs(table, D=wrong)


# What arrays and frames hold


def test_masks_are_gaps():
    hidden = np.ma.array([3.0, 1e6, 2.5], mask=[False, True, False])
    runs = sj.read_runs({"x": [1.0, 2.0, 3.0], "loss": hidden}, on_bad="flag")
    assert runs.excluded.tolist() == [False, True, False] and np.isnan(runs["loss"][1])
    words = np.ma.array(["a", "b"], mask=[True, False])
    assert sj.read_runs({"loss": [1.0, 2.0], "group": words})["group"].tolist() == ["", "b"]


@pytest.mark.parametrize(
    "dates",
    [np.array(["2026-01-01", "2026-01-02"], "M8[D]"), [datetime.date(2026, 1, 1)] * 2, pd.to_datetime(["2026-01-01", "2026-01-02"]),
     np.array([1, 2], "m8[s]"), np.array([1j, 2j])],
)  # fmt: skip
def test_dates_are_no_numbers(dates):
    with pytest.raises(sj.DataError, match=r"'when' for N (holds|is not numeric)"):
        sj.read_runs({"when": dates, "loss": [3.0, 2.5]}, N="when", loss="loss")
    assert sj.read_runs({"when": dates, "loss": [3.0, 2.5]})["when"].dtype.kind == "U"


def test_integers_beyond_all_numbers():
    with pytest.raises(sj.DataError, match=r"'N' for N is not numeric in 1 rows \(row 2: 1000.*\.\.\.\)"):
        sj.read_runs({"N": [1, 2, 10**400], "loss": [3.0, 2.5, 2.4]})


def test_one_value_stands_for_all_rows():
    runs = sj.read_runs({"study": "first", "D": 1e9, "N": [1e8, 2e8], "loss": [3.0, 2.9]})
    assert runs["study"].tolist() == ["first"] * 2 and runs["D"].tolist() == [1e9] * 2


@pytest.mark.parametrize("error", [ZeroDivisionError, IndexError, AttributeError, RuntimeError])
def test_functions_that_fail(error):
    def wrong(table):
        raise error("deep inside")

    with pytest.raises(sj.DataError, match=f"function for N failed .{error.__name__}: deep inside"):
        sj.read_runs({"loss": [1.0]}, N=wrong)


# Rows

STUDY = {
    "state": ["finished", "crashed", "finished", "running"], "n": [1e8, 2e8, 4e8, 8e8], "d": [1e9, 2e9, 3e9, 4e9],
    "loss": [3.0, 7.3, 2.7, float("nan")],
}  # fmt: skip


def test_runs_that_did_not_finish_are_said():
    with pytest.warns(sj.DataWarning, match=r"Rows 1, 3: these runs did not finish \(crashed, running\).*keep='finished'") as caught:
        runs = sj.read_runs(STUDY, N="n", loss="loss", on_bad="flag")
    assert [w.filename for w in caught] == [__file__] and "unfinished" in repr(runs)


KEPT = {
    "finished": [0, 2], "crashed": [1], "loss < 5": [0, 2], "all": [0, 1, 2, 3],
}  # fmt: skip


@pytest.mark.parametrize(
    ("keep", "rows"),
    [*KEPT.items(), ({"state": ["finished", "running"]}, [0, 2, 3]), ({"n": 2e8}, [1]), ({"n": lambda n: n > 3e8}, [2, 3]),
     (lambda t: t["n"] > 3e8, [2, 3]), (["finished", "n > 2e8"], [2])],
)  # fmt: skip
def test_which_rows_are_read(keep, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs = sj.read_runs(STUDY, N="n", loss="loss", keep=keep, on_bad="flag")
    assert runs["N"].tolist() == [STUDY["n"][i] for i in rows]
    assert ("left out" in repr(runs)) == (len(rows) < 4 or bool(runs.excluded.any()))


@pytest.mark.parametrize(
    ("keep", "words"),
    [("loss < 1", "leaves none of 4 rows"), ("n * 2", "must say yes or no"), ({"stat": "finished"}, "did you mean 'state'"),
     (lambda t: t["m"], "keep=.* failed"), ("finshed", "which is not a column")],
)  # fmt: skip
def test_conditions_that_cannot_be(keep, words):
    with pytest.raises(sj.DataError, match=words):
        sj.read_runs(STUDY, N="n", loss="loss", keep=keep)
    with pytest.raises(sj.DataError, match="needs a column named state or status"):
        sj.read_runs({"loss": [1.0]}, keep="finished")


def test_seeds_are_kept_or_merged():
    table = {"N": [1e8] * 3 + [2e8], "D": [1e9] * 4, "seed": [0, 1, 2, 0], "loss": [3.0, 3.1, 3.2, 2.9]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(sj.read_runs(table)) == 4
        runs = sj.read_runs(table, replicates="mean")
    assert runs["N"].tolist() == [1e8, 2e8] and runs["loss"] == pytest.approx([3.1, 2.9]) and runs["replicates"].tolist() == [3, 1]
    assert runs.weighted_by == "weight" and runs["weight"].tolist() == [3, 1]


def test_compute_is_compared_with_six_nd():
    N, D = np.array([1e8, 2e8, 4e8, 8e8]), np.array([1e9, 2e9, 4e9, 8e9])
    sj.read_runs({"N": N, "D": D, "C": 6 * N * D * np.array([1.0, 1.3, 0.8, 1.1]), "loss": [4.0, 3.5, 3.2, 3.0]})
    with pytest.warns(sj.DataWarning, match="'C' is 1e-18 times 6 N D in the median run; check the units"):
        sj.read_runs({"N": N, "D": D, "C": 6 * N * D / 1e18, "loss": [4.0, 3.5, 3.2, 3.0]})
    with pytest.warns(sj.DataWarning, match="Row 2: C is more than 5 times off"):
        sj.read_runs({"N": N * np.array([1, 1, 10, 1]), "D": D, "C": 6 * N * D, "loss": [4.0, 3.5, 3.2, 3.0]})


# One row a run

T = np.arange(0, 1000, 50)
CURVE = {
    "run": ["a"] * 20 + ["b"] * 20, "step": [*T, *T], "N": [1e8] * 20 + [2e8] * 20, "tokens": [*(T * 1e5), *(T * 1e5)],
    "loss": [*(3 + np.exp(-T / 200)), *(2.5 + np.exp(-T / 200) + (T > 800))],
}  # fmt: skip


def test_one_row_a_run_from_curves():
    last = sj.read_runs(CURVE, summary="last", run="run", N="N", D="tokens", loss="loss")
    assert last["D"].tolist() == [9.5e7, 9.5e7] and last["loss"] == pytest.approx([3 + np.exp(-950 / 200), 3.5 + np.exp(-950 / 200)])
    lowest = sj.read_runs(CURVE, summary="min", run="run", N="N", D="tokens", loss="loss")
    assert lowest["D"].tolist() == [9.5e7, 8e7]  # of the step with the lowest loss
    tail = sj.read_runs({**CURVE, "loss": [*(3 + 0.01 * (-1.0) ** np.arange(20))] * 2}, summary=0.4, run="run", N="N", loss="loss")
    assert tail["loss"] == pytest.approx([3.0, 3.0], abs=2e-3)
    y = 3 + 0.01 * (-1.0) ** np.arange(12, 20)  # steps from 570 on
    line = np.polyval(np.polyfit(np.arange(8.0), y, 1), np.arange(8.0))
    assert tail["loss_noise"] == pytest.approx([np.sqrt(((y - line) ** 2).sum() / 6 / 8)] * 2, rel=1e-9)


def test_rows_with_one_metric_each_are_joined_on_their_step():
    rows = [{"run": "a", "step": s, "loss": 3.0 - s / 100} for s in (0, 10, 20)] + [{"run": "a", "step": s, "lr": 1e-3} for s in (0, 15)]
    runs = sj.read_runs(rows, summary="last", run="run", loss="loss", lr="lr")
    assert runs["loss"].tolist() == [2.8] and runs["lr"].tolist() == [1e-3]


@pytest.mark.parametrize(
    ("metric", "value"), [("metricName", "metricValue"), ("metric.name", "value"), ("tag", "value"), ("metric", "value")]
)
def test_tables_with_a_measurement_a_row(metric, value):
    """As Comet and Aim export them, and as tables of tags and values are passed on."""
    rows = [{"run": "a", "step": s, metric: name, value: str(v)} for s in (0, 10) for name, v in (("loss", 3.0 - s / 10), ("lr", 1e-3))]
    curves = sj.read_curves(rows, run="run", lr="lr")
    assert curves["loss"].tolist() == [[3.0, 2.0]] and curves["t"].tolist() == [[0.0, 10.0]]


def test_resumed_runs():
    """Crashed after step 50, went on from step 30: what was logged beyond is not of the run that went on."""
    steps, losses = [0, 10, 20, 30, 40, 50, 30, 40, 60], [4.0, 3.8, 3.6, 3.5, 3.4, 3.3, 3.55, 3.45, 3.2]
    curves = sj.read_curves({"a": {"step": steps, "loss": losses, "lr": [1e-3] * 9}}, lr="lr")
    assert curves["t"][0].tolist() == [0, 10, 20, 30, 40, 60] and curves["loss"][0].tolist() == [4.0, 3.8, 3.6, 3.55, 3.45, 3.2]
    assert [flag.code for flag in curves.flags] == ["resumed"] and "later record of a step counts in 1 runs ('a')" in repr(curves)


@pytest.mark.parametrize("steps", [[0, 10, 20, 0, 10, 20], [0, 0, 10, 10, 20, 20], [20, 10, 0, 20, 10, 0]])
def test_rows_of_several_runs_are_no_resumption(steps):
    with pytest.raises(sj.DataError, match="has two losses"):
        sj.read_curves({"a": {"step": steps, "loss": [3.0] * 6, "lr": [1e-3] * 6}}, lr="lr")


ARGUMENTS = {
    "every=2.0": ({"every": 2.0}, "every=2.0 must be a whole number"),
    "first=None": ({"first": None}, "first=None must be a whole number"),
    "warmup=None": ({"warmup": None}, "warmup=None must be a whole number"),
    "a role called eta": ({"eta": "N"}, "role 'eta' is a column of every curve already"),
    "a role called t": ({"t": "N"}, "role 't' is a column"),
    "a unit of counts": ({"unit": "B"}, "counts things"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_of_curves_that_cannot_be(case):
    given, words = ARGUMENTS[case]
    with pytest.raises(sj.DataError, match=words):
        sj.read_curves({"a": {"step": [0, 1], "loss": [3.0, 2.9], "lr": [1.0, 1.0], "N": [1.0, 1.0]}}, lr="lr", **given)


def test_steps_and_schedules_that_are_text():
    with pytest.raises(sj.DataError, match=r"'step' for step is not numeric.*'ten'"):
        sj.read_curves({"a": {"step": [0, "ten"], "loss": [3.0, 2.9], "lr": [1.0, 1.0]}}, lr="lr")
    for wrong in ({"a": "cosine"}, "cosine", 3):
        with pytest.raises(sj.DataError, match=r"schedule(s=| is )'?(cosine|3).*array"):
            sj.read_curves({"a": {"step": [0, 1], "loss": [3.0, 2.9]}}, schedules=wrong)


@pytest.mark.parametrize(
    ("name", "values", "factor", "said"),
    [
        ("params (M)", [32.0, 6217.0], 1e6, "read in millions"), ("params_m", [32.0, 6217.0], 1e6, "read in millions"),
        ("model size in billions", [0.1, 70.0], 1e9, "read in billions"), ("params [B]", ["1.3B", "7"], 1e9, "read in billions"),
        ("params_m", [3e8, 7e9], 1, ""), ("params", [3e8, 7e9], 1, ""), ("params_k", [3e5, 7e6], 1, "names thousands"),
        ("params (M)", [3e9, 7e10], 1, "names millions"),
    ],
)  # fmt: skip
def test_a_unit_in_the_name_of_a_column(name, values, factor, said):
    """It is believed where nobody would have as many, asked about where either may be meant, and never goes before scale=."""
    table = {name: values, "loss": [3.0, 2.5]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runs = sj.read_runs(table, N=name, loss="loss")
    plain = [1.3 if v == "1.3B" else float(v) for v in values]
    np.testing.assert_allclose(runs["N"], np.asarray(plain) * factor, rtol=1e-12)
    assert said in repr(runs) and bool(caught) == said.startswith("names")
    given = sj.read_runs({name: plain, "loss": [3.0, 2.5]}, N=name, loss="loss", scale={"N": 1e9})
    np.testing.assert_allclose(given["N"], np.asarray(plain) * 1e9, rtol=1e-12)
    assert not given.flags


def test_tokens_per_parameter_that_no_units_allow():
    with pytest.warns(sj.DataWarning, match=r"D is 2e\+07 times N in the median run, far outside any practice"):
        sj.read_runs({"N": [1e3, 4e3, 2e3], "D": [2e10, 8e10, 4e10], "loss": [3.0, 2.5, 2.8]})
