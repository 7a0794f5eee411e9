"""Figures that papers and the catalogue state come out of the library; the claims themselves are in `claims/`."""

from __future__ import annotations

import operator
import tomllib
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
from claims.claim import Claim, every

import scalejax as sj

CATALOGUE = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8"))
ENTRIES = {name: entry for entries in CATALOGUE.values() for name, entry in entries.items()}
COMPLETE = ("pretraining", "hyperparameters", "data_mixture")  # files of the catalogue of which nothing may be missing
KINDS = ("recomputed", "exact", "repro", "paper", "corrected")
CLAIMS = list(every())


@pytest.mark.parametrize(
    "claim",
    [pytest.param(c, id=f"{c.id}-{i}", marks=pytest.mark.slow if c.slow else ()) for i, c in enumerate(CLAIMS) if isinstance(c, Claim)],
)
def test_a_stated_figure_comes_out(claim, request, monkeypatch):
    assert claim.kind in KINDS
    if claim.data:
        monkeypatch.setenv("SCALEJAX_DATA", str(request.getfixturevalue("data_folder")))
    ours, stated = np.asarray(claim.ours(), dtype=float), np.asarray(claim.stated, dtype=float)
    assert ours.shape == stated.shape
    off = np.abs(ours - stated)
    assert (off <= claim.tolerance).all(), f"{claim.what}: stated {stated}, ours {ours}. {claim.note}"


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
