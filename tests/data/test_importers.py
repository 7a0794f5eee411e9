"""Tables as they lie about: every orient of pandas, every separator, encodings, archives, and kinds that are only named."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import pickle
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather

import scalejax as sj
from scalejax.core.saved import signed
from scalejax.data.readers import read_table

N, D = (a.ravel() for a in np.meshgrid([5e7, 1e8, 2e8, 4e8, 8e8], [1e9, 4e9, 1.6e10], indexing="ij"))
LOSS = np.round(1.69 + 406.4 * N**-0.34 + 410.7 * D**-0.28, 4)
FRAME = pd.DataFrame({"params": N, "tokens": D, "val_loss": LOSS})
ROLES = {"N": "params", "D": "tokens", "loss": "val_loss"}
PLAIN = FRAME.astype({"params": int, "tokens": int}).to_csv(index=False)


def check(path):
    runs = sj.read_runs(path, **ROLES)
    for role, expected in (("N", N), ("D", D), ("loss", LOSS)):
        np.testing.assert_array_equal(runs[role], expected)


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# JSON


@pytest.mark.parametrize("orient", ["columns", "split", "records", "index", "table"])
def test_every_orient_of_pandas_that_names_its_columns(tmp_path, orient):
    check(written(tmp_path, "runs.json", FRAME.to_json(orient=orient)))
    check(written(tmp_path, "named.json", FRAME.set_axis([f"run-{i}" for i in range(15)]).to_json(orient=orient)))
    check(json.loads(FRAME.to_json(orient=orient)))


def test_rows_without_names_are_refused(tmp_path):
    with pytest.raises(sj.DataError, match=r"without column names.*orient='records'"):
        sj.read_runs(written(tmp_path, "runs.json", FRAME.to_json(orient="values")), **ROLES)


def test_lines_of_json_under_either_suffix(tmp_path):
    lines = FRAME.to_json(orient="records", lines=True)
    for name in ("runs.json", "runs.jsonl", "runs.ndjson", "runs.txt"):
        check(written(tmp_path, name, lines))
    check(written(tmp_path, "whole.jsonl", FRAME.to_json(orient="records", indent=1)))


def test_runs_by_name(tmp_path):
    runs = {f"run {i}": dict(zip(FRAME, map(float, row), strict=True)) for i, row in enumerate(FRAME.to_numpy())}
    for nested in (runs, {"runs": runs}, {"study": "a", "runs": list(runs.values())}):
        check(nested)
        check(written(tmp_path, "runs.json", json.dumps(nested)))
    assert sj.read_runs(runs)["run"].tolist() == list(runs)


def test_roles_tell_runs_from_columns():
    by_run = {"a": {"width": 1.0, "score": 3.0}, "b": {"width": 2.0, "score": 2.0}}
    by_column = {"width": {"a": 1.0, "b": 2.0}, "score": {"a": 3.0, "b": 2.0}}
    for table in (by_run, by_column):
        assert sj.read_runs(table, x="width", loss="score")["x"].tolist() == [1.0, 2.0]


def test_mappings_within_rows_have_names_with_dots():
    rows = [{"config": {"n": 1e8, "opt": {"lr": 1e-3}}, "loss": 3.0}, {"config": {"n": 1e9, "opt": {"lr": 3e-4}}, "loss": 2.5}]
    assert list(read_table(rows)) == ["config.n", "config.opt.lr", "loss"]


# Separators


def euro(cell):
    return f"{cell:.4f}".replace(".", ",")


SEPARATED = {
    "comma.csv": PLAIN,
    "semicolon.csv": FRAME.to_csv(index=False, sep=";"),
    "decimal commas.csv": FRAME.to_csv(index=False, sep=";", decimal=","),
    "decimal commas.tsv": FRAME.to_csv(index=False, sep="\t", decimal=","),
    "thousands.csv": "params;tokens;val_loss\n"
    + "".join(f"{n:,.0f};{d:,.0f};".replace(",", ".") + f"{euro(v)}\n" for n, d, v in FRAME.to_numpy()),
    "tabs.csv": PLAIN.replace(",", "\t"),
    "bars.txt": PLAIN.replace(",", "|"),
    "blanks.txt": FRAME.to_string(index=False),
    "with index.txt": FRAME.to_string(),
    "table.dat": PLAIN.replace(",", "   "),
    "table": PLAIN,
    "comment.csv": "# exported 2026-01-01, by hand\n" + PLAIN + "# the end\n",
    "trailing.csv": PLAIN.replace("\n", ",\n"),
    "quoted.csv": PLAIN.replace("params,", '"params",').replace("50000000,", '"50000000",'),
    "windows.csv": PLAIN.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("name", SEPARATED)
def test_separators_are_found(tmp_path, name):
    check(written(tmp_path, name, SEPARATED[name]))


@pytest.mark.parametrize("delimiter", [" ", ",", "\t"])
def test_the_header_that_numpy_writes_as_a_comment(tmp_path, delimiter):
    path = tmp_path / "runs.txt"
    np.savetxt(path, FRAME.to_numpy(), delimiter=delimiter, header=delimiter.join(FRAME))
    check(path)


def test_numbers_are_no_header(tmp_path):
    path = tmp_path / "runs.txt"
    np.savetxt(path, FRAME.to_numpy())
    with pytest.raises(sj.DataError, match="line 1: numbers where column names are needed"):
        sj.read_runs(path)


@pytest.mark.parametrize(("cells", "value"), [("3,888", "3,888"), ("3,88", "3.88")])
def test_a_comma_that_may_group_thousands_is_left_alone(tmp_path, cells, value):
    path = written(tmp_path, "runs.tsv", f"x\tloss\n1\t{cells}\n2\t{cells}\n")
    assert read_table(path)["loss"] == [value] * 2


def test_a_row_too_long_names_the_separator_and_one_too_short_at_the_end_the_cut(tmp_path):
    with pytest.raises(sj.DataError, match="line 3: 4 values for 3 columns; put cells that hold a semicolon in quotes"):
        sj.read_runs(written(tmp_path, "a.csv", "N;D;note\n1;2;a\n3;4;b;c\n5;6;d\n7;8;e\n"))
    with pytest.raises(sj.DataError, match="line 4: 2 values for 3 columns; is the file complete"):
        sj.read_runs(written(tmp_path, "b.csv", "# made today\nN,D,loss\n1e8,2e9,3\n1e9,3e"))


# Encodings and archives


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_encodings(tmp_path, encoding):
    text = "".join(f"{line},{'Zürich' if i else 'note'}\n" for i, line in enumerate(PLAIN.splitlines()))
    path = written(tmp_path, "runs.csv", text.encode(encoding))
    check(path)
    assert set(read_table(path)["note"]) == {"Zürich"}


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, PLAIN)
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, lambda data: zipped("folder/runs.csv")])
def test_archives(tmp_path, pack):
    packed = pack(PLAIN.encode())
    suffix = {b"B": ".bz2", b"\xfd": ".xz", b"P": ".zip"}[packed[:1]]
    path = written(tmp_path, f"runs.csv{suffix}", packed)
    check(path)
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(sj.DataError, match="is the file complete"):
        sj.read_runs(path)


def test_an_archive_of_many_files_is_to_be_unpacked(tmp_path):
    with pytest.raises(sj.DataError, match=r"holds 2 files \(a.csv, b.csv\)"):
        sj.read_runs(written(tmp_path, "runs.zip", zipped("a.csv", "b.csv")))


def test_numpy_and_arrow(tmp_path):
    np.savez(tmp_path / "runs.npz", **{name: FRAME[name].to_numpy() for name in FRAME})
    np.save(tmp_path / "runs.npy", FRAME.to_records(index=False))
    feather.write_feather(pa.table(dict(FRAME)), tmp_path / "runs.feather")
    for suffix in ("npz", "npy", "feather"):
        check(tmp_path / f"runs.{suffix}")
    check(FRAME.to_records(index=False))
    for name, value, words in (("plain", FRAME.to_numpy(), "without column names"), ("objects", np.array([{}]), "Python objects")):
        np.save(tmp_path / f"{name}.npy", value)
        with pytest.raises(sj.DataError, match=words):
            sj.read_runs(tmp_path / f"{name}.npy")


NAMED = {
    "book.xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "Excel workbook.*pandas.read_excel"),
    "no suffix": (zipped("xl/workbook.xml"), "Excel workbook"),
    "fit.json": (signed({"format": 2, "law": {"name": "chinchilla"}}), "saved fit.*scalejax predict.*load_fit"),
    "posterior.npz": (zipped("posterior.json", "theta.npy"), "saved posterior.*load_posterior"),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel workbook"),
    "runs.pkl": (pickle.dumps(FRAME), "pickle.*pandas.read_pickle"),
    "runs.csv": (pickle.dumps(FRAME), "pickle"),
    "runs.h5": (b"\x89HDF\r\n\x1a\n", "HDF5.*pandas.read_hdf"),
    "runs.db": (b"SQLite format 3\0" + bytes(100), "SQLite.*read_sql"),
    "weights.pt": (zipped("weights/data.pkl", "weights/data/0"), "PyTorch checkpoint"),
    "noise.csv": (b"\x01\x02" + bytes(200), "binary file of no known kind"),
}


@pytest.mark.parametrize("name", NAMED)
def test_kinds_that_are_not_read_are_named(tmp_path, name):
    content, words = NAMED[name]
    with pytest.raises(sj.DataError, match=words) as caught:
        sj.read_runs(written(tmp_path, name, content))
    assert "complete" not in str(caught.value) and "\n" not in str(caught.value)


# Console logs

STEPS = np.arange(10, 410, 10)
LOSSES = np.round(2.5 + 8.0 * STEPS**-0.5, 4)
RATES = 3e-4 * (1 - STEPS / 400)


MEGATRON = (
    " [2026-01-01 00:00:10] iteration {s:8d}/     400 | consumed samples: {n:12d} | elapsed time per iteration (ms): 436.9 | "
    "learning rate: {rate:.6E} | global batch size:    64 | lm loss: {loss:.6E} | loss scale: 1.0 | grad norm: 1.100 | "
    "number of skipped iterations:   0 | number of nan iterations:   0 |"
)


def megatron():
    rows = [MEGATRON.format(s=s, n=64 * s, rate=rate, loss=loss) for s, loss, rate in zip(STEPS, LOSSES, RATES, strict=True)]
    end = " validation loss at iteration 400 | lm loss value: 3.0E+00 |"
    return "\n".join(["using world size: 8", "building GPT model ...", *rows, end])


def nanogpt():
    rows = []
    for s, loss in zip(STEPS, LOSSES, strict=True):
        rows += [f"step {s}: train loss {loss:.4f}, val loss {loss + 0.02:.4f}"] if s % 100 == 0 else []
        rows.append(f"iter {s}: loss {loss:.4f}, time 250.00ms, mfu 40.00%")
    return "number of parameters: 123.59M\n" + "\n".join(rows)


def torchtitan():
    return "\n".join(
        f"[titan] 2026-01-01 12:00:00,123 - root - INFO - \x1b[31mstep: {s:2d}  \x1b[32mloss: {loss:7.4f}  memory: 10.5GiB(20%)  tps: 3,000"
        for s, loss in zip(STEPS, LOSSES, strict=True)
    )


def speedrun():
    return "\n".join(f"step:{s}/400 train_loss:{loss:.4f} train_time:1000ms step_avg:8.1ms" for s, loss in zip(STEPS, LOSSES, strict=True))


LOGS = {
    "Megatron-LM": (megatron, {"step": "iteration", "loss": "lm loss", "lr": "learning rate"}),
    "nanoGPT": (nanogpt, {"step": "iter"}),
    "torchtitan": (torchtitan, {}),
    "modded-nanogpt": (speedrun, {"loss": "train_loss"}),
}


@pytest.mark.parametrize("name", LOGS)
def test_what_training_programs_print(tmp_path, name):
    text, roles = LOGS[name]
    rates = {} if "lr" in roles else {"schedules": lambda run: np.full(401, 3e-4)}
    for suffix in (".log", ".txt", ""):
        curves = sj.read_curves({"a": written(tmp_path, f"run{suffix}", text())}, **roles, **rates)
        np.testing.assert_array_equal(curves["t"][0], STEPS)
        np.testing.assert_allclose(curves["loss"][0], LOSSES, atol=1e-12)
    if "lr" in roles:
        np.testing.assert_allclose(curves["eta"][0][STEPS], RATES, atol=1e-15)


def test_the_other_losses_of_a_log(tmp_path):
    path = written(tmp_path, "run.log", nanogpt())
    held_out = sj.read_curves({"a": path}, loss="val loss", schedules=lambda run: np.ones(401))
    assert held_out["t"][0].tolist() == [100, 200, 300, 400]


def test_a_log_of_another_kind_says_how_to_make_columns(tmp_path):
    with pytest.raises(sj.DataError, match=r"turn it into columns, for example with rows = re\.findall"):
        sj.read_runs(written(tmp_path, "run.log", "training started\nepoch one is over\n"))
