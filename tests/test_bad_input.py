"""Whatever is wrong with the input, the user reads one clear sentence: what, where, what to do. Never a traceback from within."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

import scalejax as sj
from scalejax.core.saved import signed

LAW = sj.laws.chinchilla
TRUE = LAW.published["besiroglu2024"]
CONSTRAINED = sj.laws.data_constrained
ONE_INPUT = (sj.laws.power_law, {"E": 1.0, "A": 1.0, "alpha": 0.1})
REPEATED = (CONSTRAINED, CONSTRAINED.published["muennighoff2023"])


def refused(error, words, call):
    """The call raises exactly this error, in one readable sentence that holds these words."""
    with pytest.raises(sj.ScalejaxError) as caught:
        call()
    text = str(caught.value)
    assert type(caught.value) is error, text
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in: {text}"
    assert text and "\n" not in text and len(text) < 500 and text[-1] in ".?!)]", text


def changed(table, **columns):
    return {**{name: np.array(column) for name, column in table.items()}, **columns}


def spoiled(table, name, row, value):
    table = changed(table)
    table[name][row] = value
    return table


# Tables: columns

TABLES = {
    "misnamed column": (lambda t: sj.read_runs(t, N="n", D="D", loss="loss"), ["'n'", "for N", "did you mean 'N'"]),
    "missing column": (lambda t: sj.read_runs(t, N="width"), ["'width'", "for N", "N, D, loss"]),
    "missing column in a function": (lambda t: sj.read_runs(t, C=lambda c: c["width"]), ["C", "'width'", "N, D, loss"]),
    "missing column in a list": (lambda t: sj.read_runs(t, h=["N", "web"]), ["'web'", "N, D, loss"]),
    "text for numbers": (lambda t: sj.read_runs(changed(t, val=["high"] * 30), loss="val"), ["'val'", "not numeric", "row 0", "'high'"]),
    "one cell of text": (
        lambda t: sj.read_runs(changed(t, loss=[*map(str, t["loss"][:29]), "n/a"]), N="N", D="D", loss="loss"),
        ["'loss'", "missing", "row 29"],
    ),
    "text in a function": (
        lambda t: sj.read_runs(changed(t, val=["3 nats"] * 30), loss=lambda c: 2 * c["val"]),
        ["loss", "'val'"],
    ),
    "text in a vector": (lambda t: sj.read_runs(changed(t, web=["x"] * 30), h=["N", "web"]), ["'web'", "not numeric"]),
    "no rows": (lambda t: sj.read_runs({"N": [], "D": [], "loss": []}), ["empty", "at least one"]),
    "no columns": (lambda t: sj.read_runs({}), ["empty"]),
    "an empty list": (lambda t: sj.read_runs([]), ["no rows"]),
    "rows that are no rows": (lambda t: sj.read_runs([{"N": 1e6}, [1e6]]), ["Row 1", "list"]),
    "different lengths": (lambda t: sj.read_runs(changed(t, D=t["D"][:7])), ["lengths", "30", "7"]),
    "a role too short": (lambda t: sj.read_runs(t, N="N", loss=np.ones(7)), ["loss", "7", "30"]),
    "no table": (lambda t: sj.read_runs(3), ["int", "path"]),
    "unknown on_bad": (lambda t: sj.read_runs(t, on_bad="flagged"), ["on_bad", "did you mean 'flag'"]),
    "unknown scale": (lambda t: sj.read_runs(t, scale={"n": 1e9}), ["scale", "'n'", "did you mean 'N'"]),
    "nothing left": (lambda t: sj.read_runs(changed(t, loss=np.full(30, np.nan)), on_bad="drop"), ["No run can be used", "'loss'"]),
    "negative weights": (
        lambda t: sj.read_runs(changed(t, w=-np.ones(30)), N="N", D="D", loss="loss", weight="w"),
        ["'weight'", "negative"],
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables(table, case):
    call, words = TABLES[case]
    refused(sj.DataError, words, lambda: call(table))


@pytest.mark.parametrize("column", ["N", "D", "loss"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_no_run_can_have(table, column, value):
    words = [f"'{column}'", "row 3", "on_bad='drop'", "NaN or infinite"]
    refused(sj.DataError, words, lambda: sj.read_runs(spoiled(table, column, 3, value)))


@pytest.mark.parametrize("column", ["N", "D", "loss"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_values_that_most_laws_cannot_take(table, column, value):
    """Reading says so; a law on logarithms leaves the row out, and one given the bare table refuses it."""
    with pytest.warns(sj.DataWarning, match=f"'{column}' is zero or negative in row 3; fits leave that out"):
        runs = sj.read_runs(spoiled(table, column, 3, value))
    assert np.flatnonzero(runs.excluded).tolist() == [3]
    fitted = sj.fit(LAW, runs, starts=64)
    assert len(fitted.observed) == 29 and f"flag not-positive: Column '{column}'" in repr(fitted)
    words = [f"'{column}'", "row 3", "positive" if column != "loss" else "on='linear'"]
    refused(sj.DataError, words, lambda: sj.fit(LAW, spoiled(table, column, 3, value)))


def test_many_bad_rows_are_counted(table):
    refused(sj.DataError, ["rows 2, 3, 4, 5, 6 and 5 more"], lambda: sj.read_runs(spoiled(table, "loss", slice(2, 12), np.nan)))


WARNINGS = {
    "billions": (lambda t: changed(t, N=t["N"] / 1e9), ["'N'", "billions", "scale={'N': 1e9}"]),
    "millions": (lambda t: changed(t, D=t["D"] / 1e12), ["'D'", "scale="]),
    "constant": (lambda t: changed(t, N=np.full(30, 1e9)), ["'N'", "1e+09", "every run", "add runs"]),
    "duplicates": (lambda t: {k: np.append(v, v[[4, 7]]) for k, v in t.items()}, ["Rows 30, 31", "repeat", "drop"]),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_tables_that_look_unintended_warn(table, case):
    spoil, words = WARNINGS[case]
    with pytest.warns(sj.DataWarning) as caught:
        sj.read_runs(spoil(table))
    assert len(caught) == 1
    assert all(word in str(caught[0].message) for word in words), str(caught[0].message)


def test_a_constant_column_leaves_parameters_undetermined(table):
    with pytest.warns(sj.DataWarning):
        runs = sj.read_runs(changed(table, N=np.full(30, 1e9)))
    with pytest.warns(sj.IdentifiabilityWarning, match="do not determine E, A"):
        fitted = sj.fit(LAW, runs, starts=256)
    # Of the equally good optima one may have alpha at its boundary, by rounding; none of the three is known in any of them.
    assert not any(np.isfinite(fitted.standard_errors[name]) for name in ("E", "A", "alpha")) and fitted.status == "flat direction"


# Tables: files


def a_file(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


FILES = {
    "runs.csv empty": (b"", ["runs.csv", "no rows"]),
    "runs.csv header only": (b"N,D,loss\n", ["runs.csv", "no rows"]),
    "runs.csv cut": (b"N,D,loss\n1e8,1e9,3\n1e9,2e", ["runs.csv", "line 3", "complete"]),
    "runs.csv binary": (b"\xff\xfe\x00N,D\n", ["runs.csv", "complete"]),
    "runs.csv column twice": (b"N,N,loss\n1e8,1e9,3\n1e9,1e9,2\n", ["runs.csv", "'N'", "twice"]),
    "runs.json cut": (b'{"N": [1e8, 1', ["runs.json", "complete"]),
    "runs.json number": (b"3", ["runs.json"]),
    "runs.jsonl cut": (b'{"N": 1e8}\n{"N": ', ["runs.jsonl", "complete"]),
    "runs.jsonl list": (b'{"N": 1e8}\n[1, 2]\n', ["runs.jsonl", "Row 1"]),
    "runs.jsonl empty": (b"", ["runs.jsonl", "no rows"]),
    "runs.parquet empty": (b"", ["runs.parquet", "complete"]),
    "runs.parquet cut": (b"PAR1\x15\x04", ["runs.parquet", "complete"]),
    "runs.xlsx unknown": (b"PK", [".xlsx", ".csv", ".parquet"]),
    "runs unknown": (b"", ["no ending", ".csv"]),
}


@pytest.mark.parametrize("case", FILES)
def test_files(tmp_path, case):
    content, words = FILES[case]
    path = a_file(tmp_path, case.split()[0], content)
    refused(sj.DataError, [str(path), *words], lambda: sj.read_runs(path))


def test_files_that_are_not_there(tmp_path):
    a_file(tmp_path, "runs.csv", "")
    refused(sj.DataError, ["run.csv", "did you mean 'runs.csv'"], lambda: sj.read_runs(tmp_path / "run.csv"))
    refused(sj.DataError, ["folder"], lambda: sj.read_runs(tmp_path / "nowhere" / "runs.csv"))
    refused(sj.DataError, [str(tmp_path), "folder"], lambda: sj.read_runs(tmp_path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_files_that_may_not_be_read(tmp_path):
    path = a_file(tmp_path, "runs.csv", "N\n1e8\n")
    path.chmod(0)
    refused(sj.DataError, ["runs.csv", "Permission"], lambda: sj.read_runs(path))


# Fits

FITS = {
    "unknown law": (sj.LawError, ["'chinchila'", "did you mean 'chinchilla'"], {"law": "chinchila"}),
    "no law": (sj.FitError, ["None is not a law", "@sj.law"], {"law": None}),
    "a bare function": (sj.FitError, ["not a law", "@sj.law"], {"law": lambda N, D, *, E: E}),
    "unknown recipe": (sj.FitError, ["recipe", "did you mean 'besiroglu2024'"], {"recipe": "besiroglu24"}),
    "unknown solver": (sj.FitError, ["solver", "did you mean 'lbfgs'"], {"solver": "lbfg"}),
    "no solver": (sj.FitError, ["solver=3", "lm"], {"solver": 3}),
    "unknown loss": (sj.FitError, ["loss='huber'", "sj.huber"], {"loss": "huber"}),
    "unknown on": (sj.FitError, ["on='logs'", "did you mean 'log'"], {"on": "logs"}),
    "unknown unidentified": (sj.FitError, ["unidentified", "'warn'"], {"unidentified": "ignore"}),
    "weights too few": (sj.DataError, ["weights", "(7,)", "30"], {"weights": np.ones(7)}),
    "weights negative": (sj.DataError, ["weights", "negative", "row 4"], {"weights": np.where(np.arange(30) == 4, -1.0, 1.0)}),
    "weights not finite": (sj.DataError, ["weights", "finite", "row 4"], {"weights": np.where(np.arange(30) == 4, np.nan, 1.0)}),
    "weights all zero": (sj.ScalejaxError, ["weights"], {"weights": np.zeros(30)}),
    "weights as a name": (sj.DataError, ["weights"], {"weights": "w"}),
    "fix unknown": (sj.LawError, ["fix", "'Alpha'", "did you mean 'alpha'"], {"fix": {"Alpha": 0.3}}),
    "fix all": (sj.FitError, ["fixed", "free"], {"fix": dict(TRUE)}),
    "fix outside": (sj.LawError, ["fix", "'E'", "positive"], {"fix": {"E": -1.0}}),
    "tie unknown": (sj.LawError, ["tie", "'betas'", "did you mean 'beta'"], {"tie": {"betas": "alpha"}}),
    "tie circular": (sj.LawError, ["tie", "circular"], {"tie": {"beta": "alpha", "alpha": "beta"}}),
    "bounds unknown": (sj.LawError, ["bounds", "'alfa'", "did you mean 'alpha'"], {"bounds": {"alfa": (0.1, 0.5)}}),
    "bounds falling": (sj.LawError, ["bounds", "rise"], {"bounds": {"alpha": (0.5, 0.1)}}),
    "bounds below zero": (sj.LawError, ["bounds", "alpha", "positive number", "inside"], {"bounds": {"alpha": (-2, 2)}}),
    "bounds of one number": (sj.LawError, ["bounds", "'alpha'"], {"bounds": {"alpha": 0.5}}),
    "share unknown": (sj.LawError, ["share", "'e'", "did you mean 'E'"], {"share": "e", "by": "group"}),
    "share without by": (sj.FitError, ["share", "by="], {"share": "E"}),
    "by unknown": (sj.DataError, ["'groups'", "did you mean 'group'"], {"by": "groups"}),
    "no starts": (sj.FitError, ["starts=0"], {"starts": 0}),
    "empty starts": (sj.FitError, ["starts", "empty"], {"starts": []}),
    "starts unknown": (sj.FitError, ["starts", "'alfa'", "did you mean 'alpha'"], {"starts": {"alfa": [0.1]}}),
    "starts outside": (sj.FitError, ["starts", "domain"], {"starts": [{"alpha": -0.3}]}),
    "starts as text": (sj.FitError, ["starts='many'"], {"starts": "many"}),
}


@pytest.mark.parametrize("case", FITS)
def test_fits(runs, case):
    error, words, arguments = FITS[case]
    arguments = {"law": LAW, **arguments}
    grouped = runs.with_columns(group=np.array(["a", "b"] * 15))
    if error is sj.ScalejaxError:  # any of them will do
        with pytest.raises(error, match=words[0]):
            sj.fit(arguments.pop("law"), grouped, **arguments)
    else:
        refused(error, words, lambda: sj.fit(arguments.pop("law"), grouped, **arguments))


def test_fewer_runs_than_parameters(runs):
    refused(sj.FitError, ["5 free parameters", "only 4", "add runs", "fix"], lambda: sj.fit(LAW, runs.take(np.arange(4))))
    grouped = runs.with_columns(group=np.array(["few"] * 4 + ["many"] * 26))
    with pytest.warns(sj.ConvergenceWarning, match=r"fewer observations than parameters.*so of few \(too few runs\); 1 of 2 groups"):
        fitted = sj.fit(LAW, grouped, by="group", starts=256)
    assert [status.usable for status in fitted.statuses] == [False, True]


def test_runs_that_lack_what_the_law_needs(table):
    refused(sj.DataError, ["'chinchilla'", "'N'", "read_runs(..., N=...)"], lambda: sj.fit(LAW, {"n_params": table["N"], "D": table["D"]}))
    refused(sj.DataError, ["'loss'", "did you mean 'Loss'"], lambda: sj.fit(LAW, {"N": table["N"], "D": table["D"], "Loss": table["loss"]}))


def test_outputs_without_a_logarithm(table):
    @sj.law(a=sj.Positive(0.1, 10), output="score")
    def score(x, *, a):
        return a * x

    runs = sj.read_runs({"x": [1.0, 2.0, 3.0], "score": [1.0, 0.0, 3.0]})
    refused(sj.DataError, ["'score'", "row 1", "on='linear'"], lambda: sj.fit(score, runs))


@pytest.mark.parametrize("make", [sj.huber, sj.log_cosh, sj.student_t, sj.asymmetric])
def test_losses_with_impossible_settings(make):
    refused(sj.FitError, ["-1", "positive"], lambda: make(-1))


# Runs that cannot tell parameters apart


def off_the_ray(text):
    """The sentence names the parameters, says why, and what run would mend it."""
    return all(word in text for word in ("D = 20 N", "alpha and beta", "Add runs off this line", "N = ", "unidentified='warn'"))


def test_public_runs_on_one_ray(data_folder):
    runs = sj.read_runs(data_folder / "unidentifiable_d20n" / "runs.csv", N="N", D="D", loss="final_val_loss")
    with pytest.raises(sj.IdentifiabilityError) as caught:
        sj.fit(LAW, runs)
    assert off_the_ray(str(caught.value)), str(caught.value)


def test_simulated_runs_on_one_ray(table):
    runs = sj.simulate(LAW, TRUE, N=table["N"], D=20 * table["N"], noise=0.01)
    with pytest.raises(sj.IdentifiabilityError) as caught:
        sj.fit(LAW, runs)
    assert off_the_ray(str(caught.value)), str(caught.value)
    with pytest.warns(sj.IdentifiabilityWarning, match="alpha and beta cannot be reported apart"):
        fitted = sj.fit(LAW, runs, starts=256, unidentified="warn")
    assert np.isfinite(fitted.objective)


def test_the_advised_runs_mend_it(table):
    """Two runs off the ray, as the sentence advises, and the fit goes through."""
    middle = np.exp(np.log(table["N"]).mean())
    N, D = np.append(table["N"], [middle, middle]), np.append(20 * table["N"], [80 * middle, 5 * middle])
    fitted = sj.fit(LAW, sj.simulate(LAW, TRUE, N=N, D=D, noise=1e-4), starts=256)
    assert fitted.params["alpha"] == pytest.approx(TRUE["alpha"], rel=0.1)


def test_groups_that_each_lie_on_a_ray_of_their_own(table):
    """Together the groups leave the ray, but each is fitted alone."""
    N = table["N"]
    D = np.where(np.arange(30) % 2, 20, 200) * N
    runs = sj.simulate(LAW, TRUE, N=N, D=D, noise=0.01).with_columns(group=np.array(["a", "b"] * 15))
    with pytest.raises(sj.IdentifiabilityError, match="alpha and beta"):
        sj.fit(LAW, runs, by="group", starts=256)


# Saved fits

PLACES = ["/proc/nope/fit.json", "file/fit.json", "."]


@pytest.mark.parametrize("place", PLACES)
def test_folders_that_cannot_be_written(fitted, tmp_path, place):
    a_file(tmp_path, "file", "")
    refused(sj.DataError, ["Cannot write", "choose a folder"], lambda: fitted.save(tmp_path / place))


@pytest.fixture
def saved(fitted, tmp_path):
    path = tmp_path / "fit.json"
    fitted.save(path)
    return path


def test_a_saved_fit_comes_back_whole(saved, fitted):
    loaded = sj.load_fit(saved)
    assert loaded.params == fitted.params and loaded.runs.digest == fitted.runs.digest
    assert loaded.predict(N=1e9, D=1e10) == fitted.predict(N=1e9, D=1e10)
    assert [p.name for p in saved.parent.iterdir()] == ["fit.json"]  # no temporary file is left behind


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.999])
def test_truncated_fits(saved, keep):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(keep * len(content))])
    refused(sj.DataError, ["fit.json", "not a complete saved fit"], lambda: sj.load_fit(saved))


@pytest.mark.parametrize("content", ["[1]", "{}", "3", "null", '{"format": 2}', "[" * 100_000])
def test_files_that_are_no_fits(tmp_path, content):
    path = a_file(tmp_path, "fit.json", content)
    refused(sj.DataError, ["fit.json", "not a complete saved fit"], lambda: sj.load_fit(path))


def infinite(document):
    document["theta"][0][0] = np.inf
    document["params"]["E"] = np.inf


EDITS = {
    "another format": (lambda d: d.update(format=99), sj.DataError, ["format 99"]),
    "an unknown law": (lambda d: d["law"].update(name="chinchila"), sj.LawError, ["did you mean 'chinchilla'"]),
    "an unknown status": (lambda d: d.update(statuses=["great"]), sj.DataError, ["not a complete saved fit"]),
    "other data": (lambda d: d["runs"]["columns"]["loss"].__setitem__(0, 9.0), sj.DataError, ["digest"]),
    "another parameter": (lambda d: d["params"].update(E=9.0), sj.DataError, ["E is not that of its theta"]),
    "no parameters": (lambda d: d.update(theta=[]), sj.FitError, ["theta of shape (5, 1)"]),
    "infinite parameters": (infinite, sj.FitError, ["not finite"]),
    "no curvature": (lambda d: d.update(curvature=[]), sj.FitError, ["curvature of shape (1,)"]),
    "a negative variance": (lambda d: d["curvature"][0]["covariance"][0].__setitem__(0, -1.0), sj.FitError, ["negative variances"]),
    "a bound of one number": (lambda d: d["request"]["bounds"].update(alpha=[3]), sj.LawError, ["bounds", "two numbers"]),
    "a huge array": (lambda d: d["runs"]["columns"].update(N={"array": "eJwDAAAAAAE=", "dtype": "<f8", "shape": [10**13]}), sj.DataError,
                     ["cannot be in a file"]),
}  # fmt: skip


def edited(saved, edit):
    """Change a saved fit and sign it anew, as only somebody who wants to deceive would."""
    document = json.loads(saved.read_text())
    del document["sha256"]
    edit(document)
    saved.write_bytes(signed(document))


@pytest.mark.parametrize("case", EDITS)
def test_fits_that_were_edited(saved, case):
    edit, error, words = EDITS[case]
    edited(saved, edit)
    refused(error, words, lambda: sj.load_fit(saved))


def test_no_flipped_bit_of_a_saved_fit_passes(saved, fitted):
    """Any bit, of numbers, names and the checksum itself."""
    whole, rng = saved.read_bytes(), np.random.default_rng(26)
    for place, bit in zip(rng.integers(0, len(whole), 100), rng.integers(0, 8, 100), strict=True):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(bit)
        saved.write_bytes(flipped)
        refused(sj.DataError, ["fit.json", "not a complete saved fit"], lambda: sj.load_fit(saved))


def test_what_a_fit_says_cannot_be_changed(fitted):
    """Every verb reads the same numbers."""
    with pytest.raises(TypeError, match=r"dict\(fit.params, E=1.7\)"):
        fitted.params["E"] = 9.0
    with pytest.raises(ValueError, match="read-only"):
        fitted.theta[0] = 9.0
    assert dict(fitted.params, E=9.0)["E"] == 9.0 and replace(fitted, theta=fitted.theta + 1).params["E"] != fitted.params["E"]


# Writing


def test_devices_pipes_and_links_are_written_through(saved, fitted, tmp_path):
    content, real, link = saved.read_bytes(), tmp_path / "real.json", tmp_path / "link.json"
    fitted.save("/dev/null")
    assert not Path("/dev/null").is_file()
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit((tmp_path / "pipe").read_bytes)
        fitted.save(tmp_path / "pipe")
        assert read.result() == content and (tmp_path / "pipe").is_fifo()
    real.write_text("older")
    real.chmod(0o600)
    link.symlink_to("real.json")
    fitted.save(link)
    assert link.is_symlink() and real.read_bytes() == content and real.stat().st_mode & 0o777 == 0o600


def test_what_killed_runs_left_is_deleted(fitted, tmp_path):
    left, held, fresh, theirs = (tmp_path / name for name in (".scalejax-1.part", ".scalejax-2.part", ".scalejax-3.part", ".theirs.part"))
    for path in (left, held, fresh, theirs):
        path.write_text("half")
        os.utime(path, None if path == fresh else (0, 0))
    with held.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        fitted.save(tmp_path / "fit.json")
    assert {p.name for p in tmp_path.iterdir()} == {"fit.json", held.name, fresh.name, theirs.name}


def test_fits_that_are_not_there(tmp_path):
    refused(sj.DataError, ["no file"], lambda: sj.load_fit(tmp_path / "fit.json"))
    refused(sj.DataError, [str(tmp_path)], lambda: sj.load_fit(tmp_path))


# Predictions, intervals, bootstrap

USES = {
    "missing input": (sj.DataError, ["D=..."], lambda f: f.predict(N=1e9)),
    "unknown input": (sj.DataError, ["'n'", "did you mean 'N'"], lambda f: f.predict(n=1e9, D=1e10)),
    "negative input": (sj.DataError, ["N = -1e+09", "positive"], lambda f: f.predict(N=-1e9, D=1e10)),
    "input not finite": (sj.DataError, ["D = nan", "positive"], lambda f: f.predict(N=1e9, D=np.nan)),
    "input as text": (sj.DataError, ["N", "number"], lambda f: f.predict(N="many", D=1e10)),
    "inputs of different lengths": (sj.DataError, ["length"], lambda f: f.predict(N=[1e9] * 2, D=[1e10] * 3)),
    "group without groups": (sj.DataError, ["group=", "no groups"], lambda f: f.predict(N=1e9, D=1e10, group="a")),
    "level too large": (sj.FitError, ["level=95", "0.9"], lambda f: f.interval(95)),
    "level of one": (sj.FitError, ["level=1"], lambda f: f.interval(1.0)),
    "level of zero": (sj.FitError, ["level=0"], lambda f: sj.laplace(f, 10).interval(0)),
    "negative level": (sj.FitError, ["level=-0.9"], lambda f: sj.laplace(f, 10).predict_interval(-0.9, N=1e9, D=1e10)),
    "level of an allocation": (sj.FitError, ["level=2"], lambda f: sj.allocate(f, compute=1e21).interval(2)),
    "one replicate": (sj.FitError, ["replicates=1"], lambda f: sj.bootstrap(f, 1)),
    "one draw": (sj.FitError, ["draws=1"], lambda f: sj.laplace(f, 1)),
    "unknown bootstrap": (sj.FitError, ["'case'", "did you mean 'cases'"], lambda f: sj.bootstrap(f, 10, kind="case")),
    "groups not named": (sj.FitError, ["groups="], lambda f: sj.bootstrap(f, 10, kind="groups")),
    "groups not there": (sj.FitError, ["'sweep'"], lambda f: sj.bootstrap(f, 10, groups="sweep")),
    "unknown prediction": (sj.FitError, ["'runs'", "'run'"], lambda f: sj.laplace(f, 10).predict(kind="runs", N=1e9, D=1e10)),
}


@pytest.mark.parametrize("case", USES)
def test_using_a_fit(fitted, case):
    error, words, call = USES[case]
    refused(error, words, lambda: call(fitted))


# Decisions


def total(N):
    """A cost that is never small."""
    return 1.0 * N


ALLOCATIONS = {
    "no compute": (["compute=0", "positive"], lambda f: sj.allocate(f, compute=0)),
    "negative compute": (["compute=-1e+20"], lambda f: sj.allocate(f, compute=-1e20)),
    "compute not finite": (["compute=nan"], lambda f: sj.allocate(f, compute=np.nan)),
    "one bad budget": (["compute=[1e+20, 0.0]"], lambda f: sj.allocate(f, compute=[1e20, 0.0])),
    "no budgets": (["compute=[]"], lambda f: sj.allocate(f, compute=[])),
    "compute as text": (["compute='1e21 FLOPs'"], lambda f: sj.allocate(f, compute="1e21 FLOPs")),
    "missing U": (["'U'", "U=..."], lambda f: sj.allocate(REPEATED, compute=1e22)),
    "negative U": (["U", "positive"], lambda f: sj.allocate(REPEATED, compute=1e22, U=-1e9)),
    "U as text": (["U"], lambda f: sj.allocate(REPEATED, compute=1e22, U="all")),
    "two values of U": (["U"], lambda f: sj.allocate(REPEATED, compute=1e22, U=[1e9, 1e10])),
    "unknown input": (["U=", "chinchilla", "six_nd"], lambda f: sj.allocate(f, compute=1e22, U=1e9)),
    "missing argument of the cost": (["'D_inf'"], lambda f: sj.allocate(f, compute=1e22, cost=sj.costs.six_nd_inference)),
    "bounds falling": (["bounds", "N", "rise"], lambda f: sj.allocate(f, compute=1e22, bounds={"N": (1e9, 1e8)})),
    "bounds unknown": (["bounds", "'n'"], lambda f: sj.allocate(f, compute=1e22, bounds={"n": (1e8, 1e9)})),
    "bounds out of reach": (["bounds", "budget"], lambda f: sj.allocate(f, compute=1e22, bounds={"N": (1, 10), "D": (1, 10)})),
    "a cost without D": (["cost", "D"], lambda f: sj.allocate(f, compute=1e22, cost=lambda N: N)),
    "a law without N and D": (["N and D", "'power_law'"], lambda f: sj.allocate(ONE_INPUT, compute=1e22)),
    "compute in PF-days": (["compute=5", "below the cheapest", "PF-day"], lambda f: sj.allocate(f, compute=5.0)),
    "D in billions": (["D=20", "unit"], lambda f: sj.allocate(f, compute=1e21, D=20.0)),
    "both compute and loss": (["either"], lambda f: sj.allocate(f, compute=1e21, loss=2.0)),
    "neither compute nor loss": (["either"], lambda f: sj.allocate(f)),
    "a loss out of reach": (["loss=0.5", "cannot be reached"], lambda f: sj.allocate(f, loss=0.5)),
    "a loss above all": (["loss=1e+09", "above"], lambda f: sj.allocate(f, loss=1e9)),
    "caps that contradict": (["cap"], lambda f: sj.allocate(f, compute=1e21, caps={sj.costs.six_nd: 1e20})),
    "a cap of zero": (["cap on six_nd", "positive"], lambda f: sj.allocate(f, compute=1e21, caps={sj.costs.six_nd: 0})),
    "a cap out of reach": (["cap on total", "at least"], lambda f: sj.allocate(f, compute=1e21, caps={total: 1e-3})),
    "no inner optimum": (["no inner optimum"], lambda f: sj.allocate((LAW, {**TRUE, "beta": -0.1}), compute=1e21)),
    "choosing what nobody knows": (["'V'"], lambda f: sj.allocate(f, compute=1e21, over=["N", "V"])),
    "no choices": (["choices of N"], lambda f: sj.allocate(f, compute=1e21, choices={"N": []})),
    "unknown method": (["method='delat'"], lambda f: sj.allocate(f, compute=1e21).interval(method="delat")),
    "tolerance below zero": (["tolerance"], lambda f: sj.allocate((LAW, TRUE), compute=1e21).within(-0.1)),
    "no source": (["fit", "int"], lambda f: sj.allocate(3, compute=1e22)),
    "group without groups": (["group"], lambda f: sj.allocate(f, compute=1e22, group="a")),
    "interval without uncertainty": (["uncertainty"], lambda f: sj.allocate((LAW, TRUE), compute=1e22).interval()),
}  # fmt: skip


COMPILING = ("caps that contradict", "a cap out of reach")  # programs of their own


@pytest.mark.parametrize("case", [pytest.param(c, marks=pytest.mark.slow) if c in COMPILING else c for c in ALLOCATIONS])
def test_allocations(fitted, case):
    words, call = ALLOCATIONS[case]
    refused(sj.DecisionError, words, lambda: call(fitted))


def test_groups_must_be_named(table):
    runs = sj.read_runs({**table, "group": np.array(["web", "code"] * 15)})
    fitted = sj.fit(LAW, runs, by="group", share=("alpha", "beta"), starts=128)
    refused(sj.DecisionError, ["group=", "web, code"], lambda: sj.allocate(fitted, compute=1e21))
    refused(sj.DecisionError, ["group=", "did you mean 'code'"], lambda: sj.allocate(fitted, compute=1e21, group="cod"))
    refused(sj.DataError, ["group=", "web, code"], lambda: fitted.predict(N=1e9, D=1e10))
    refused(sj.DataError, ["'cod'", "did you mean 'code'"], lambda: fitted.predict(N=1e9, D=1e10, group="cod"))
    refused(sj.FitError, ["at least 10", "there are 2"], lambda: sj.bootstrap(fitted, 10, groups="group"))


@pytest.mark.parametrize("group", [1, 1.0, np.int64(1), "1"])
def test_groups_may_be_numbered(table, group):
    runs = sj.read_runs({**table, "group": np.arange(30) % 2})
    fitted = sj.fit(LAW, runs, by="group", share=("alpha", "beta"), starts=128)
    assert fitted.groups == ["0", "1"]
    expected = LAW(1e9, 1e10, **{name: np.ravel(value)[-1] for name, value in fitted.params.items()})
    assert fitted.predict(N=1e9, D=1e10, group=group) == pytest.approx(expected, rel=1e-12)
    assert sj.allocate(fitted, compute=1e21, group=group).N > 0


# Numbers beyond 32 and 64 bits


def test_six_n_d_beyond_64_bits():
    N, D = np.array([70_000_000_000]), np.array([15_000_000_000_000])
    assert sj.costs.six_nd(70_000_000_000, 15_000_000_000_000) == pytest.approx(6.3e24, rel=1e-15)
    assert sj.costs.six_nd(N, D)[0] == pytest.approx(6.3e24, rel=1e-15)
    assert sj.costs.six_nd_inference(N, D, D)[0] == pytest.approx(8.4e24, rel=1e-15)


def test_whole_columns_give_what_float_columns_give(table, fitted):
    whole = {"N": np.round(table["N"]).astype(np.int64), "D": np.round(table["D"]).astype(np.int64), "loss": table["loss"]}
    runs = sj.read_runs(whole)
    assert runs["N"].dtype == runs["D"].dtype == np.float64
    assert sj.fit(LAW, runs, starts=256).params == pytest.approx(fitted.params, rel=1e-6)
    assert fitted.predict(N=70_000_000_000, D=15_000_000_000_000) == fitted.predict(N=7e10, D=1.5e13)


# Precision is nobody's business but ours


def test_the_global_flag_stays_as_it_was(runs, fitted, tmp_path):
    before = jax.config.jax_enable_x64
    sj.bootstrap(fitted, 10)
    sj.allocate(fitted, compute=1e21)
    fitted.save(tmp_path / "fit.json")
    sj.load_fit(tmp_path / "fit.json").interval()
    with pytest.raises(sj.ScalejaxError):
        sj.fit(LAW, runs, on="logs")
    assert jax.config.jax_enable_x64 == before
    assert jax.numpy.ones(1).dtype == (np.float64 if before else np.float32)


_PROGRAM = """
import numpy as np, jax, scalejax as sj
law = sj.laws.power_law
runs = sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 30), noise=0.01)
f = sj.fit(law, runs, starts=64)
low, high = sj.bootstrap(f, 20).interval()["alpha"]
print(jax.config.jax_enable_x64, *map(float.hex, [*f.params.values(), f.objective, low, high, f.predict(x=1e10)]))
"""


def test_results_do_not_depend_on_the_global_flag():
    programs = [
        subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True, env={**os.environ, "JAX_ENABLE_X64": flag})
        for flag in "01"
    ]
    off, on = (program.communicate(timeout=300)[0].split() for program in programs)
    assert (off[0], on[0]) == ("False", "True")
    assert off[1:] == on[1:] and len(on) == 8
