"""Figures that papers and the catalogue state come out of the library; the claims themselves are in `claims/`."""

from __future__ import annotations

import operator
import tomllib
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
from claims import mutants
from claims.claim import COUNTED, UNCOUNTED, Claim, every, files

import scalejax as sj

CATALOGUE = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8"))
ENTRIES = {name: entry for entries in CATALOGUE.values() for name, entry in entries.items()}
COMPLETE = ("pretraining", "hyperparameters", "data_mixture")  # files of the catalogue of which nothing may be missing
CLAIMS = list(every())


def provided(entry: dict, folder: str) -> list[str]:
    """Names in this folder that provide an entry."""
    paths = entry.get("provides", [])
    return [path.removeprefix(f"{folder}.") for path in ([paths] if isinstance(paths, str) else paths) if path.startswith(f"{folder}.")]


@pytest.mark.parametrize(
    "claim",
    [pytest.param(c, id=f"{c.id}-{i}", marks=pytest.mark.slow if c.slow else ()) for i, c in enumerate(CLAIMS) if isinstance(c, Claim)],
)
def test_a_stated_figure_comes_out(claim, request, monkeypatch):
    assert claim.kind in COUNTED + UNCOUNTED
    if claim.data:
        monkeypatch.setenv("SCALEJAX_DATA", str(request.getfixturevalue("data_folder")))
    ours, stated = np.asarray(claim.ours(), dtype=float), np.asarray(claim.stated, dtype=float)
    assert ours.shape == stated.shape
    off = np.abs(ours - stated)
    assert (off <= claim.tolerance).all(), f"{claim.what}: stated {stated}, ours {ours}. {claim.note}"


# Claims that no mutant fells, and why they can fail all the same.
SPARED = {}
# Constants that claims read and none would miss, by law and set (or law), and why.
UNMISSED = {}


@pytest.fixture(scope="module")
def surveyed(data_folder):
    """All quick claims that count under mutants."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALEJAX_DATA", str(data_folder))
        yield mutants.survey(mutants.quick(files()), {name: provided(entry, "laws") for name, entry in ENTRIES.items()})


@pytest.mark.slow
def test_every_claim_that_counts_can_fail(surveyed):
    """Each fails if a constant, a law or a function that it rests on is off."""
    assert [claim for claim in surveyed.survivors if claim.split(":")[0] not in SPARED] == []


@pytest.mark.slow
def test_a_wrong_constant_is_noticed(surveyed):
    """Three per cent more of any published constant that quick claims read makes one of them fail."""
    missed = [constant for constant in surveyed.unnoticed if not {constant[:n] for n in (1, 2, 3)} & set(UNMISSED)]
    assert missed == []


def test_every_claim_belongs_to_an_entry_of_the_catalogue():
    assert {c.id for c in CLAIMS} <= set(ENTRIES)


@pytest.mark.parametrize(("name", "entry"), ENTRIES.items(), ids=list(ENTRIES))
def test_an_entry_is_provided_or_says_why_not(name, entry):
    provided = entry.get("provides", [])
    for path in [provided] if isinstance(provided, str) else provided:
        assert operator.attrgetter(path)(sj) is not None
    if not provided:
        assert entry.get("planned") or (entry["kind"] in ("finding", "out_of_scope") and len(entry["reason"]) > 20)


@pytest.mark.parametrize("file", COMPLETE)
def test_nothing_is_missing_from_a_complete_file(file):
    assert not [name for name, entry in CATALOGUE[file].items() if entry.get("planned")]


def test_the_catalogue_is_whole():
    """Every id of the index, with its kind, where the index is beside the project."""
    index = Path(__file__).resolve().parents[2] / "shared" / "laws" / "INDEX.tsv"
    if not index.is_file():
        pytest.skip("the index of papers is not beside the project")
    rows = [line.split("\t") for line in index.read_text(encoding="utf-8").splitlines()[1:]]
    assert {row[0]: row[2] for row in rows} == {name: entry["kind"] for name, entry in ENTRIES.items()}
    assert reduce(operator.or_, ({row[1]} for row in rows)) == set(CATALOGUE)
