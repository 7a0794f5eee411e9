"""Runs: every kind of table, roles, bad rows, flags, curves, and that a table cannot change under a fit."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import scalejax as sj

COLUMNS = {"params": [1e8, 1e9, 2e9], "tokens": [2e9, 3e10, 1e10], "val_loss": [3.5, 2.75, 2.5], "arch": ["a", "b", "a"]}
ROLES = {"N": "params", "D": "tokens", "loss": "val_loss", "group": "arch"}
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]


def write(folder, kind):
    path = folder / f"runs.{kind}"
    if kind in ("csv", "tsv"):
        # A byte-order mark, blanks and an empty line, as spreadsheets write them.
        pd.DataFrame(COLUMNS).to_csv(path, sep="\t" if kind == "tsv" else ",", index=False, encoding="utf-8-sig")
        path.write_text(path.read_text() + "\n")
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif kind == "json":
        path.write_text(json.dumps(COLUMNS))
    else:
        parquet.write_table(pa.table(COLUMNS), path)
    return path


def check(runs):
    assert runs.names == ["N", "D", "loss", "group"] and len(runs) == 3 == runs.used
    assert runs["N"].dtype == runs["D"].dtype == np.float64
    np.testing.assert_array_equal(runs["N"], COLUMNS["params"])
    np.testing.assert_array_equal(runs["D"], COLUMNS["tokens"])
    np.testing.assert_array_equal(runs["loss"], COLUMNS["val_loss"])
    assert runs["group"].tolist() == COLUMNS["arch"]


# Readers


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json", "parquet"])
def test_files(tmp_path, kind):
    path = write(tmp_path, kind)
    check(sj.read_runs(path, **ROLES))
    check(sj.read_runs(str(path), **ROLES))


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json"])
def test_compressed_files(tmp_path, kind):
    path = tmp_path / f"runs.{kind}.gz"
    path.write_bytes(gzip.compress(write(tmp_path, kind).read_bytes()))
    check(sj.read_runs(path, **ROLES))
    content = path.read_bytes()
    for cut in (content[: len(content) // 2], content[:3], b"no archive"):
        path.write_bytes(cut)
        with pytest.raises(sj.DataError, match=r"\.gz.*is the file complete"):
            sj.read_runs(path, **ROLES)


def test_a_json_list_of_rows(tmp_path):
    path = tmp_path / "runs.json"
    path.write_text(json.dumps(ROWS))
    check(sj.read_runs(path, **ROLES))


@pytest.mark.parametrize(
    "table",
    [COLUMNS, {k: np.array(v) for k, v in COLUMNS.items()}, ROWS, pd.DataFrame(COLUMNS), pa.table(COLUMNS)],
    ids=["lists", "arrays", "rows", "pandas", "pyarrow"],
)
def test_tables_in_memory(table):
    check(sj.read_runs(table, **ROLES))


def test_runs_can_be_read_again():
    runs = sj.read_runs(COLUMNS, **ROLES)
    check(sj.read_runs(runs))
    check(sj.read_runs(runs, N="N", D="D", loss="loss", group="group"))


def test_without_roles_all_columns_are_taken():
    runs = sj.read_runs(COLUMNS)
    assert runs.names == list(COLUMNS) and runs["arch"].tolist() == COLUMNS["arch"]


def test_numbers_written_as_text_are_numbers(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,D,loss\n1e8, 2e9 ,3.5\n1000000000,3E10,2.75\n")
    np.testing.assert_array_equal(sj.read_runs(path)["D"], [2e9, 3e10])


# Roles


@pytest.mark.parametrize("role", [3.5, [3.5, 3.5, 3.5], np.full(3, 3.5), lambda t: t["params"] * 0 + 3.5, lambda t: 3.5])
def test_a_role_is_a_number_an_array_or_a_function(role):
    np.testing.assert_array_equal(sj.read_runs(COLUMNS, N="params", loss=role)["loss"], [3.5] * 3)


def test_a_list_of_columns_is_a_vector():
    table = {"N": [1e8, 1e9], "web": [0.25, 0.5], "code": [0.75, 0.5]}
    runs = sj.read_runs(table, N="N", h=["web", "code"])
    np.testing.assert_array_equal(runs["h"], [[0.25, 0.75], [0.5, 0.5]])


def test_functions_see_floats_so_that_six_nd_does_not_overflow():
    N, D = np.array([70_000_000_000, 1_000_000_000]), np.array([15_000_000_000_000, 20_000_000_000])
    runs = sj.read_runs({"N": N, "D": D}, N="N", D="D", C=lambda t: 6 * t["N"] * t["D"])
    np.testing.assert_allclose(runs["C"], [6.3e24, 1.2e20], rtol=1e-15)


def test_scale_multiplies():
    runs = sj.read_runs({"N": [0.1, 1.0], "loss": [3.0, 2.5]}, scale={"N": 1e9})
    np.testing.assert_array_equal(runs["N"], [1e8, 1e9])
    assert not runs.flags


# Rows that cannot be used

SPOILED = {"N": [1e8, 1e9, 2e9, 3e9], "D": [1e9, np.nan, 2e10, 3e10], "loss": [3.5, 2.9, -1.0, 2.5]}


def test_bad_rows_raise_by_default():
    with pytest.raises(sj.DataError, match=r"'D' is missing, NaN or infinite in row 1.*on_bad"):
        sj.read_runs(SPOILED)


def test_bad_rows_can_be_flagged():
    runs = sj.read_runs(SPOILED, on_bad="flag")
    assert len(runs) == 4 and runs.used == 2 and runs.excluded.tolist() == [False, True, True, False]
    assert [(f.code, f.column, f.rows) for f in runs.flags] == [("not-finite", "D", (1,)), ("not-positive", "loss", (2,))]
    assert "2 left out" in repr(runs) and "row 1" in repr(runs)


def test_bad_rows_can_be_dropped_but_not_in_silence():
    runs = sj.read_runs(SPOILED, on_bad="drop")
    assert len(runs) == 3 and runs.used == 2  # whether a loss below zero can be used is for the fit to decide
    np.testing.assert_array_equal(runs["N"], [1e8, 2e9, 3e9])
    assert runs.excluded.tolist() == [False, True, False]
    assert [f.code for f in runs.flags] == ["not-finite", "not-positive"]
    assert "row 1" in repr(runs) and "row 2" in repr(runs)


def test_flagged_rows_do_not_enter_a_fit(table):
    spoiled = {name: np.append(column, [np.nan, 1e9][name != "loss"]) for name, column in table.items()}
    law = sj.laws.chinchilla
    clean = sj.fit(law, sj.read_runs(table), starts=256)
    flagged = sj.fit(law, sj.read_runs(spoiled, on_bad="flag"), starts=256)
    assert flagged.params == pytest.approx(clean.params, rel=1e-9)
    assert len(flagged.observed) == 30 and "not-finite" in repr(flagged)


@pytest.mark.parametrize(
    ("change", "code", "rows"),
    [
        ({"N": [0.1, 1.0, 2.0]}, "unit", ()),
        ({"D": [1e9, 1e9, 1e9]}, "constant", ()),
        ({"N": [1e8, 1e8, 2e9], "D": [1e9, 1e9, 2e9], "loss": [3.0, 3.0, 2.0]}, "duplicate", (1,)),
    ],
)
def test_suspicious_tables_warn_and_carry_a_flag(change, code, rows):
    table = {"N": [1e8, 1e9, 2e9], "D": [2e9, 3e10, 1e10], "loss": [3.5, 2.75, 2.5], **change}
    with pytest.warns(sj.DataWarning) as caught:
        runs = sj.read_runs(table)
    assert [(f.code, f.rows, f.excluded) for f in runs.flags] == [(code, rows, False)]
    assert str(caught[0].message) == runs.flags[0].message and runs.used == 3
    assert caught[0].filename == __file__  # the warning points at the caller's line


def test_good_tables_carry_no_flag(runs):
    assert runs.flags == () and runs.used == len(runs) == 30


# Curves


def test_ragged_curves_are_padded_and_masked():
    curves = [[5.0, 4.0, 3.0], [5.0], [4.5, 4.0]]
    runs = sj.read_runs({"N": [1e8, 1e9, 2e9], "loss": curves}, N="N", loss="loss")
    assert runs["loss"].shape == (3, 3)
    assert runs.masks["loss"].tolist() == [[True, True, True], [True, False, False], [True, True, False]]
    assert np.isfinite(runs["loss"]).all()
    for row, mask, curve in zip(runs["loss"], runs.masks["loss"], curves, strict=True):
        assert row[mask].tolist() == curve


def test_a_bad_value_inside_a_curve_is_found():
    table = {"N": [1e8, 1e9], "loss": [[5.0, 4.0], [5.0, np.nan, 3.0]]}
    with pytest.raises(sj.DataError, match=r"'loss' .* row 1"):
        sj.read_runs(table)


def test_curves_of_equal_length_read_the_same_as_an_array():
    curves = [[5.0, 4.0], [4.5, 4.0]]
    as_lists = sj.read_runs({"N": [1e8, 1e9], "loss": curves})
    as_array = sj.read_runs({"N": [1e8, 1e9], "loss": np.array(curves)})
    np.testing.assert_array_equal(as_lists["loss"], as_array["loss"])


# Working with runs


def test_where_and_take(runs):
    large = runs.where(lambda r: r["N"] > 1e8)
    assert (large["N"] > 1e8).all() and len(large) == (runs["N"] > 1e8).sum()
    np.testing.assert_array_equal(runs.where(runs["N"] > 1e8)["loss"], large["loss"])
    np.testing.assert_array_equal(runs.take(np.array([5, 2]))["D"], runs["D"][[5, 2]])


def test_flags_follow_their_rows():
    runs = sj.read_runs(SPOILED, on_bad="flag").take(np.array([3, 2, 0]))
    assert [(f.column, f.rows) for f in runs.flags] == [("loss", (1,))]
    assert runs.excluded.tolist() == [False, True, False]


def test_masks_follow_their_rows():
    runs = sj.read_runs({"N": [1e8, 1e9], "loss": [[5.0, 4.0], [3.0]]}).take(np.array([1]))
    assert runs.masks["loss"].tolist() == [[True, False]]


def test_with_columns(runs):
    more = runs.with_columns(C=6 * runs["N"] * runs["D"], group="a", k=3)
    assert {"C", "group", "k"} <= set(more.names) and "C" not in runs
    assert more["k"].tolist() == [3.0] * 30 and set(more["group"]) == {"a"}


@pytest.mark.parametrize("condition", [np.arange(30), np.ones(3, bool), lambda r: r["N"]])
def test_where_needs_a_boolean_a_run(runs, condition):
    with pytest.raises(sj.DataError, match="boolean"):
        runs.where(condition)


def test_where_must_leave_something(runs):
    with pytest.raises(sj.DataError, match="leaves no runs"):
        runs.where(lambda r: r["N"] < 0)


def test_unknown_columns_are_suggested(runs):
    with pytest.raises(sj.DataError, match="did you mean 'loss'"):
        runs["Loss"]


def test_runs_cannot_change(table):
    runs = sj.read_runs(table)
    before = runs["N"].copy()
    table = {name: column for name, column in table.items()}
    with pytest.raises(ValueError, match="read-only"):
        runs["N"][0] = 1.0
    with pytest.raises(TypeError):
        runs.columns["N"] = before
    with pytest.raises(AttributeError):
        runs.flags = ()
    source = np.array(before)
    held = sj.read_runs({**table, "N": source})
    source[0] = 1.0  # the caller's array is not the table's
    np.testing.assert_array_equal(held["N"], before)


def test_columns_given_directly_are_floats_too():
    runs = sj.Runs({"N": np.array([70_000_000_000, 1_000_000_000]), "group": np.array(["a", "b"])})
    assert runs["N"].dtype == np.float64 and runs["group"].tolist() == ["a", "b"]


def test_the_digest_tells_data_apart(table):
    runs = sj.read_runs(table)
    assert runs.digest == sj.read_runs(dict(reversed(table.items()))).digest  # the order of columns does not matter
    other = {**table, "loss": table["loss"].copy()}
    other["loss"][7] = np.nextafter(other["loss"][7], 9)
    digests = {
        runs.digest,
        sj.read_runs(other).digest,
        runs.with_columns(group="a").digest,
        runs.take(np.arange(29)).digest,
        sj.Runs(runs.columns, excluded=np.arange(30) == 3).digest,
    }
    assert len(digests) == 5


def test_the_text_of_runs_says_ranges(runs):
    text = repr(runs)
    assert text.startswith("30 runs: N ") and "loss" in text


# Files that were written half


def test_a_csv_whose_last_line_is_cut(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,D,loss\n1e8,2e9,3.5\n1e9,3e")
    with pytest.raises(sj.DataError, match=r"runs\.csv, line 3: 2 values for 3 columns; is the file complete"):
        sj.read_runs(path)


@pytest.mark.parametrize(("kind", "keep"), [("parquet", 0.6), ("jsonl", 0.95), ("json", 0.9)])
def test_truncated_files(tmp_path, kind, keep):
    path = write(tmp_path, kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(sj.DataError, match=rf"runs\.{kind}.*is the file complete"):
        sj.read_runs(path)


@pytest.mark.parametrize("made", [dict, pd.DataFrame, pa.table], ids=["mapping", "frame", "arrow"])
def test_a_table_does_where_runs_are_worked_on(made):
    grid = made({"N": [1e8, 1e8, 1e9], "lr": [1e-3, 2e-3, 1e-3], "loss": [3.0, 3.1, 2.5]})
    assert sj.studies.near_optimal(grid, cells=["N"])["lr"].tolist() == [1e-3, 1e-3]
    with pytest.raises(sj.DataError, match="'D'"):
        sj.studies.near_optimal(runs=grid)
    with pytest.raises(sj.DataError, match=r"sj\.read_runs"):
        sj.studies.near_optimal([1.0, 2.0])
