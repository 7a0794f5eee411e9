"""Damaged and odd files end in a right table or in one sentence that names the file, over every reader."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import warnings
import zipfile
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet
from test_trackers import (
    LOSSES,
    MARKDOWN,
    NEMO,
    RATES,
    STEPS,
    hyperparameters,
    mlflow_database,
    tensorboard_events,
    tensorboard_file,
    wandb_file,
)

import scalejax as sj
from scalejax.data.readers import load

N = np.geomspace(1e8, 1e10, 12).round()
FRAME = pd.DataFrame({"N": N, "D": 20 * N[::-1], "loss": np.round(1.7 + 400 * N**-0.34, 4), "group": ["web", "code"] * 6})
CSV = FRAME.to_csv(index=False)


def saved(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def zipped(data, name="runs.csv"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def workbook():
    openpyxl = pytest.importorskip("openpyxl", reason="workbooks are read with openpyxl")
    book = openpyxl.Workbook()
    for row in [list(FRAME), *FRAME.to_numpy().tolist()]:
        book.active.append(row)
    return saved(book.save)


def harness():
    return json.dumps(
        {"results": {"arc": {"acc,none": 0.5, "acc_stderr,none": 0.01}}, "config": {"model": "hf"}, "n-samples": {"arc": {"effective": 9}}}
    )


def state():
    logs = [{"step": s, "loss": v, "learning_rate": r} for s, v, r in zip(STEPS, LOSSES, RATES, strict=True)]
    return json.dumps({"global_step": 90, "max_steps": 90, "log_history": logs}, indent=1)


def database(tmp):
    return mlflow_database(tmp / "mlflow.db").read_bytes()


# Every format of the registry: a good file of it.
FILES = {
    "runs.csv": lambda _: CSV,
    "semicolons.csv": lambda _: FRAME.to_csv(index=False, sep=";", decimal=","),
    "blanks.txt": lambda _: FRAME.to_string(index=False),
    "quoted.tsv": lambda _: FRAME.to_csv(index=False, sep="\t", quoting=1),
    "wide.csv": lambda _: CSV.encode("utf-16"),
    "runs.json": lambda _: FRAME.to_json(),
    "split.json": lambda _: FRAME.to_json(orient="split"),
    "nested.json": lambda _: json.dumps({"runs": {str(i): {"config": row} for i, row in enumerate(FRAME.to_dict("records"))}}),
    "runs.jsonl": lambda _: FRAME.to_json(orient="records", lines=True),
    "README.md": lambda _: MARKDOWN,
    "run.log": lambda _: "\n".join(NEMO[0].format(s=s, loss=v, lr=r) for s, v, r in zip(STEPS, LOSSES, RATES, strict=True)),
    "runs.parquet": lambda _: saved(lambda file: parquet.write_table(pa.table(dict(FRAME)), file)),
    "runs.feather": lambda _: saved(lambda file: feather.write_feather(pa.table(dict(FRAME)), file)),
    "runs.npz": lambda _: saved(lambda file: np.savez(file, N=FRAME["N"], loss=FRAME["loss"])),
    "runs.npy": lambda _: saved(lambda file: np.save(file, FRAME[["N", "loss"]].to_records(index=False))),
    "runs.csv.gz": lambda _: gzip.compress(CSV.encode(), mtime=0),
    "runs.csv.bz2": lambda _: bz2.compress(CSV.encode()),
    "runs.csv.xz": lambda _: lzma.compress(CSV.encode()),
    "runs.zip": lambda _: zipped(CSV),
    "runs.xlsx": lambda _: workbook(),
    "events.out.tfevents.1.host": lambda _: tensorboard_file([*tensorboard_events(), hyperparameters(1e8)]),
    "run-a.wandb": lambda _: wandb_file("a", 1e8, 0.0),
    "mlflow.db": database,
    "trainer_state.json": lambda _: state(),
    "results.json": lambda _: harness(),
}  # fmt: skip
# What carries checksums over all that matters never gives other numbers.
SUMMED = ("runs.csv.gz", "runs.csv.bz2", "runs.csv.xz", "runs.zip", "runs.npz", "events.out.tfevents.1.host", "run-a.wandb")
ODD = (
    b"\0", b'"', b"'", b",", b";", b"\t", b"|", b"\n", b"\r", b"\n\n", b"\xff\xfe", b"\xef\xbb\xbf", "\u2028".encode(), b"\x1c", b"\x85",
    b"#", b"-", b"1" * 400, b"1e999", b"nan", b"{", b"[" * 2000, b'{"a":' * 2000, b"=1+1", b"-1", b"0", b" ", "—".encode(), b"\\", b"70B",
    b"x" * 140_000,
)  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Bytes of the good file of a name, made once."""
    made = {}

    def bytes_of(name):
        if name not in made:
            found = FILES[name](tmp_path_factory.mktemp("good"))
            made[name] = found if isinstance(found, bytes) else found.encode()
        return made[name]

    return bytes_of


def read(path):
    """The table, or None where it is refused in one sentence that names the file; anything else fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.DataWarning)
        try:
            runs = sj.read_runs(path, on_bad="flag")
        except sj.ScalejaxError as error:
            said = str(error)
            assert type(error) is sj.DataError and "\n" not in said and 20 < len(said) < 500 and said[-1] in ".?!)", said
            assert path.name in said or "No run can be used" in said, said
            return None
    assert len({len(column) for column in runs.columns.values()}) == 1 and len(runs) > 0 and repr(runs)
    return runs


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("cut", "flip", "drop", "repeat", "insert", "swap")),
        st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True), st.integers(0, 7), st.sampled_from(ODD),
    ),
    min_size=1, max_size=3,
)  # fmt: skip


def changed(data, changes):
    for kind, where, size, bit, odd in changes:
        at = int(where * len(data))
        end = min(at + 1 + int(size * 0.2 * len(data)), len(data))
        if kind == "cut":
            data = data[:at]
        elif kind == "flip" and data:
            data = data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
        elif kind == "drop":
            data = data[:at] + data[end:]
        elif kind == "repeat":
            data = data[:end] + data[at:]
        elif kind == "insert":
            data = data[:at] + odd + data[at:]
        else:
            data = data[end:] + data[:end]
    return data


def attack(name, bytes_of, folder, examples):
    data = bytes_of(name)
    path = folder / name
    path.write_bytes(data)
    whole = read(path)
    assert whole is not None
    seen = []

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(CHANGES)
    def attacked(changes):
        path.write_bytes(changed(data, changes))
        found = read(path)
        seen.append(found is not None)

    attacked()
    return seen


@pytest.mark.parametrize("name", FILES)
def test_damaged_files(name, good, tmp_path):
    assert len(attack(name, good, tmp_path, 12)) >= 12


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_many_damaged_files(name, good, tmp_path):
    assert len(attack(name, good, tmp_path, 400)) >= 400


def flips(name, bytes_of, folder, count):
    """Single bits turned over: the same numbers, or a refusal."""
    data = bytes_of(name)
    path = folder / name
    path.write_bytes(data)
    whole, before = read(path), load(path)[0]
    rng = np.random.default_rng(0)
    refused = 0
    for at, bit in zip(rng.integers(0, len(data), count), rng.integers(0, 8, count), strict=True):
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :])
        found = read(path)
        refused += found is None
        if found is None:
            continue
        if name.endswith((".host", ".wandb")):
            # A length that goes beyond the end looks like a record that is being written: the run is then shorter, and never another one.
            shorter, longer = load(path)[0], before
            assert all(shorter[k] == longer[k][: len(shorter[k])] for k in ("step", "train/loss", "lr") if k in shorter)
            continue
        for column, values in found.columns.items():
            assert column in whole.columns and np.array_equal(values, whole[column], equal_nan=values.dtype.kind == "f")
    return refused


@pytest.mark.parametrize("name", SUMMED)
def test_no_flipped_bit_gives_other_numbers(name, good, tmp_path):
    assert flips(name, good, tmp_path, 30) > 5


@pytest.mark.slow
@pytest.mark.parametrize("name", SUMMED)
def test_no_flipped_bit_of_many_gives_other_numbers(name, good, tmp_path):
    assert flips(name, good, tmp_path, 1500) > 100


# What is odd and right

HARMLESS = {
    "a mark": lambda text: b"\xef\xbb\xbf" + text,
    "ends of Windows": lambda text: text.replace(b"\n", b"\r\n"),
    "ends of old Macs": lambda text: text.replace(b"\n", b"\r"),
    "blank lines": lambda text: b"\n\n" + text.replace(b"\n", b"\n\n") + b"   \n\t\n",
    "empty rows of a spreadsheet": lambda text: text + b",,,\n,,,\n",
    "Excel's first line": lambda text: b"sep=,\r\n" + text,
    "comments": lambda text: b"# a\n" + text.replace(b"\n", b"\n# b\n", 1),
    "blanks around cells": lambda text: text.replace(b",", b" , "),
    "no end of the last line": lambda text: text.rstrip(b"\n"),
    "separators of Unicode in cells": lambda text: text.replace(b"web", "w\u2028e\x85b\x1c\u2029".encode()),
    "a line within a cell": lambda text: text.replace(b"web", b'"we\nb, ""c"""'),
    "a long cell": lambda text: text.replace(b"web", b"w" * 200_000),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_odd_and_right(tmp_path, kind):
    path = tmp_path / "runs.csv"
    path.write_bytes(HARMLESS[kind](CSV.encode()))
    runs = sj.read_runs(path)
    for name in ("N", "D", "loss"):
        np.testing.assert_array_equal(runs[name], FRAME[name])
    assert len(set(runs["group"])) == 2


def test_separators_of_unicode_in_lines_of_json(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text(
        "".join(json.dumps({"N": 1e8 * i, "note": "a\u2028b\x85"}, ensure_ascii=False) + "\n" for i in (1, 2)), encoding="utf-8"
    )
    assert sj.read_runs(path)["N"].tolist() == [1e8, 2e8]


def test_the_limit_of_a_cell_stays_that_of_the_process(tmp_path):
    import csv

    before = csv.field_size_limit()
    path = tmp_path / "runs.csv"
    path.write_text("N,note\n1e8," + "x" * 200_000 + "\n2e8,y\n")
    assert len(sj.read_runs(path)) == 2 and csv.field_size_limit() == before


PLACED = {
    "a word among numbers": ("N,D,loss\n1e8,1e9,3\n1e9,many,2\n2e9,3e9,2\n", ["'D'", "row 1", "'many'"]),
    "400 digits": ("N,D,loss\n1e8,1e9,3\n1e9,2e9,2\n" + "9" * 400 + ",1e9,2\n", ["'N'", "row 2", "missing, NaN or infinite"]),
    "a row too long": ("N,D,loss\n1e8,1e9,3\n1e9,1,2,2\n2e8,3e9,3\n", ["line 3", "4 values for 3 columns", "quotes"]),
}


@pytest.mark.parametrize("case", PLACED)
def test_the_place_is_named(tmp_path, case):
    text, words = PLACED[case]
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(sj.DataError) as caught:
        sj.read_runs(path)
    assert all(word in str(caught.value) for word in ["runs.csv", *words]), str(caught.value)


def npy(shape, descr="<f8", more=b""):
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + more


HUGE = {
    "bomb.csv.gz": gzip.compress(b"N,loss\n" + b"1," * 2**17 + bytes(2**27)),
    "bomb.csv.bz2": bz2.compress(bytes(2**27)),
    "bomb.csv.xz": lzma.compress(bytes(2**27), preset=0),
    "bomb.zip": zipped(bytes(2**27)),
    "bomb.xlsx": zipped(bytes(2**27), "xl/workbook.xml"),
    "bomb.npz": zipped(bytes(2**27), "N.npy"),
    "huge.npy": npy((2**40,)),
    "huge.npz": zipped(npy((2**40,)), "N.npy"),
    "fields.npy": npy((2**50,), [("N", "<f8")]),
    "deep.json": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested.json": b'[{"a":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}]",
    "digits.json": b'{"N": [' + b"9" * 5000 + b"]}",
}


@pytest.mark.parametrize("name", HUGE)
def test_what_would_fill_the_memory_is_refused_before(tmp_path, name):
    import tracemalloc

    pytest.importorskip("openpyxl") if name.endswith("xlsx") else nullcontext()
    path = tmp_path / name
    path.write_bytes(HUGE[name])
    tracemalloc.start()
    try:
        with pytest.raises(sj.DataError) as caught:
            sj.read_runs(path)
        assert tracemalloc.get_traced_memory()[1] < 3 * 2**27
    finally:
        tracemalloc.stop()
    assert name in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("x" * 300, "is no path"),
        ("N,loss\n1e8,3\n", r"io\.StringIO"),
        ("https://example.org/runs.csv", "download the file"),
        ("a\0b", "is no path"),
    ],
)
def test_texts_that_are_no_paths(path, words):
    with pytest.raises(sj.DataError, match=words):
        sj.read_runs(path)
    assert sj.read_runs(io.StringIO("N,loss\n1e8,3\n"))["N"].tolist() == [1e8]
    assert sj.read_runs(io.BytesIO(b"N,loss\n1e8,3\n"))["N"].tolist() == [1e8]


MIXED = {
    "text and lists": {"N": [1e8, 1e9], "note": [["a", "b"], "c"], "loss": [3.0, 2.5]},
    "lists of text": {"N": [["a"], ["b"]], "loss": [3.0, 2.5]},
    "ragged and nested": {"N": [[1.0, [2.0]], [1.0]], "loss": [3.0, 2.5]},
    "mappings": {"N": [{"a": 1}, {"a": 2}], "loss": [3.0, 2.5]},
}


@pytest.mark.parametrize("case", MIXED)
def test_cells_that_are_no_cells(case):
    try:
        runs = sj.read_runs(MIXED[case])
    except sj.DataError as error:
        assert "row" in str(error) and "\n" not in str(error)
    else:
        assert len(runs) == 2
