"""The registry of data sets: embedded runs are whole, public ones are checked, and what is missing is said."""

import hashlib

import numpy as np
import pytest

import scalejax as sj
from scalejax.data import datasets as registry


def test_embedded_suite_is_real_and_whole():
    runs, about = sj.datasets.load("pylib"), sj.datasets.info("pylib")
    first = runs.where(runs["seed"] == 0)
    assert len(set(first["N"])) >= 6 and len(set(first["D"])) >= 6 and len(first) == 42
    assert len(runs) == about["runs"] and about["licence"] == "Apache-2.0"
    assert {"N", "D", "loss", "run"} <= set(runs.names) and set(about["columns"]) >= set(runs.names)
    for n in set(first["N"]):  # more data is better, at every size
        column = first.where(first["N"] == n)
        assert (np.diff(column["loss"][np.argsort(column["D"])]) < 0).all()
    curves = sj.datasets.load("pylib", "pylib_curves.csv")
    assert set(curves["run"]) == set(runs["run"])


def test_every_public_file_has_an_address_or_an_origin():
    assert len(sj.datasets.list()) >= 24
    for name in sj.datasets.list()[1:]:
        about = sj.datasets.info(name)
        assert about["licence"] and about["repository"].startswith("https://")
        for entry in about["files"]:
            assert len(entry["sha256"]) == 64 and (entry.get("url", "").startswith("https://") or entry["derived_from"])


def test_names_and_files_that_do_not_exist():
    with pytest.raises(sj.DataError, match="did you mean 'pylib'"):
        sj.datasets.load("pylb")
    with pytest.raises(sj.DataError, match="svg_extracted_data"):
        sj.datasets.path("chinchilla_epoch", "svg_extracted.csv")


def test_a_download_goes_to_the_cache_with_its_checksum(monkeypatch, tmp_path):
    import pooch

    asked = {}
    (tmp_path / "df.csv").write_text("C,N,D,loss\n6e18,1e8,1e10,3.0\n6e19,1e9,1e10,2.5\n")

    def retrieve(url, known_hash, fname, path):
        asked.update(url=url, known_hash=known_hash)
        return str(tmp_path / fname)

    monkeypatch.delenv("SCALEJAX_DATA", raising=False)
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert len(sj.datasets.load("kyo_llm_example")) == 2
    entry = sj.datasets.info("kyo_llm_example")["files"][0]
    assert asked == {"url": entry["url"], "known_hash": f"sha256:{entry['sha256']}"}

    def unreachable(*_, **__):
        try:
            raise OSError("no route")
        except OSError as error:
            raise RuntimeError("retries exceeded, in many words") from error

    monkeypatch.setattr(pooch, "retrieve", unreachable)
    with pytest.raises(sj.DataError, match=r": no route\. .*SCALEJAX_DATA"):
        sj.datasets.load("kyo_llm_example")


def test_a_local_copy_that_differs_is_named(monkeypatch, tmp_path):
    folder = tmp_path / "kyo_llm_example"
    folder.mkdir()
    (folder / "df.csv").write_text("C,N,D,loss\n6e18,1e8,1e10,3.0\n6e19,1e9,1e10,2.5\n")
    monkeypatch.setenv("SCALEJAX_DATA", str(tmp_path))
    with pytest.warns(sj.DataWarning, match="differs from the published file"):
        assert len(sj.datasets.load("kyo_llm_example")) == 2
    digest = hashlib.sha256((folder / "df.csv").read_bytes()).hexdigest()
    monkeypatch.setitem(registry._public()["kyo_llm_example"]["files"][0], "sha256", digest)
    assert len(sj.datasets.load("kyo_llm_example")) == 2


def test_files_without_an_address_say_where_they_come_from(monkeypatch):
    monkeypatch.delenv("SCALEJAX_DATA", raising=False)
    with pytest.raises(sj.DataError, match="derived from"):
        sj.datasets.load("gadre_overtraining")


def test_the_digitised_runs_are_the_papers_unless_all_are_asked_for(data_folder, chinchilla_runs, monkeypatch):
    monkeypatch.setenv("SCALEJAX_DATA", str(data_folder))
    runs, everything = sj.datasets.load("chinchilla_epoch"), sj.datasets.load("chinchilla_epoch", everything=True)
    assert runs.used == len(chinchilla_runs) == 240 and everything.used == len(everything) == 245
    assert np.flatnonzero(runs.excluded).tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(runs["loss"][~runs.excluded], chinchilla_runs["loss"])
    assert runs.flags[-1].code == "left-out" and "everything=True" in repr(runs) and "5 left out" in repr(runs)
    # other roles are another table: nothing is left out of it
    assert sj.datasets.load("chinchilla_epoch", N="Model Size", D=lambda t: t["Training FLOP"] / 6e9, loss="loss").used == 245
