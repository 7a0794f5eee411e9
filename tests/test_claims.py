"""Figures that papers and the catalogue state come out of the library; the claims themselves are in `claims/`."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from claims import mutants
from claims.__main__ import chosen, totals
from claims.__main__ import main as show
from claims.catalogue import CATALOGUE, entry_of, every, files, names, state
from claims.claim import COUNTED, UNCOUNTED, Claim

import scalejax as sj

ENTRIES = {f"{file}.{name}": entry for file, entries in CATALOGUE.items() for name, entry in entries.items()}
COMPLETE = ("pretraining", "hyperparameters", "data_mixture")  # files of the catalogue of which nothing may be missing
CLAIMS = list(every())


@pytest.mark.filterwarnings("ignore:.* is an uncertain optimum:scalejax.ConvergenceWarning")  # papers' own fits, some with loose ends
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
SPARED = {
    "mixture_optimisers: mirror descent against Newton steps: largest difference of a weight": "two solvers, both of them off",
    "optimal_mixture_additive_joint: free numbers of additive, joint, simple and full for k = 8: 5 + 2k, 5 + 4k, 6 + k, 5 + 6k": "a count",
}
# Constants that claims read and none would miss, by law and set (or law), and why.
UNMISSED = {
    **{("chinchilla_outer", "busbridge2025", name): "the paper states exponents and comparisons, and prints no losses" for name in "ABEq"},
    **{("distilled", "busbridge2025", name): "the same" for name in ("A", "B", "gamma")},
    **{("efficiency_leverage", "tian2025", name): "the paper says more than 7 and about 12" for name in ("A_start", "beta", "d")},
    ("autoscale", "kang2024", "ell"): "an additive constant: every statement is on what lies above it",
    **{
        ("chinchilla", f"bhagia2024_{task}", name): "its term is one or two hundredths of the loss at the size of the stated figures"
        for task, names in (("arc_challenge", "A"), ("arc_easy", "AB"), ("social_iqa", "AB"), ("openbook_qa", "AB"))
        for name in names
    },
    ("chinchilla", "besiroglu2024_all"): "one exponent is stated of it; slow claims fit all five numbers again",
    ("coverage_power", "gemma_2b_math", "a"): "its points bend away from the law: a mean error of 0.014 hardly changes with it",
    ("critical_batch_growth", "power_lines", "c"): "an offset that is 0",
    ("data_constrained", "muennighoff2023_data_only", "R_N_star"): "as good as infinite",
    ("data_constrained", "muennighoff2023_params_only", "R_D_star"): "as good as infinite",
    ("data_constrained", "muennighoff2023_untied", "E"): "an additive constant does not move the optimum that is stated",
    ("fp_quantization", "sun2025", "eps"): "an additive constant: optima are stated, no losses",
    ("fp_quantization", "sun2025", "n"): "it sets the best bits, which are stated as between 4 and 8",
    ("henighan",): "recalled; three per cent of a scale to the power 0.05 is less than the digits that are printed",
    ("kaplan_irreducible", "fineweb_edu"): "one exponent is stated of it; its own context says what it contradicts",
    ("kaplan_trajectory", "su2024"): "recalled; no figure is stated",
    ("lr_annealing_size", "tissue2024"): "the floor alone is stated",
    **{("precision", "kumar2024", name): "optima and shares are stated, no losses" for name in ("A", "B", "E", "alpha")},
    **{("precision_ptq", "kumar2024", name): "factors are stated, no losses" for name in ("k", "gamma_post")},
    ("multi_power", "luo2025_25M_paper"): "R2 of the held-out curves, to the digits printed, hardly depends on C, beta and gamma",
    ("offset_power_law",): "the crossing of the two sets, computed from the same constants in another way, is all that is stated",
}


@pytest.fixture(scope="module")
def surveyed(data_folder):
    """All quick claims that count under mutants."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALEJAX_DATA", str(data_folder))
        yield mutants.survey(mutants.quick(files()), {c.id: laws_of(c.id) for c in CLAIMS})


def laws_of(id: str) -> list[str]:
    """Laws that provide an entry."""
    return [path.removeprefix("laws.") for path in names(entry_of(id)[1]) if path.startswith("laws.")]


@pytest.mark.slow
def test_every_claim_that_counts_can_fail(surveyed):
    """Each fails if a constant, a law or a function that it rests on is off."""
    assert [claim for claim in surveyed.survivors if claim not in SPARED] == []


@pytest.mark.slow
def test_a_wrong_constant_is_noticed(surveyed):
    """Three per cent more of any published constant that quick claims read makes one of them fail."""
    missed = [constant for constant in surveyed.unnoticed if not {constant[:n] for n in (1, 2, 3)} & set(UNMISSED)]
    assert missed == []


def test_every_claim_belongs_to_an_entry_of_the_catalogue():
    for claim in CLAIMS:
        assert state(entry_of(claim.id)[1]) in ("provides", "expressible", "reason"), claim.id


# Names that serve any law: they express a paper, they are not made for it.
GENERAL = {"fit", "equivalent", "allocate", "break_even", "compute_multiplier", "compare", "holdout", "laws.power_law", "laws.logarithmic"}
TESTS = "\n".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.rglob("*.py"))


@pytest.mark.parametrize(("name", "entry"), ENTRIES.items(), ids=list(ENTRIES))
def test_an_entry_is_in_one_state(name, entry):
    """Provided by something of its own that tests use, said by general names, the same as another entry, planned, or declined."""
    found = [operator.attrgetter(path)(sj) for path in names(entry)]
    assert all(callable(one) or isinstance(one, Mapping | ModuleType) for one in found)
    match state(entry):
        case "provides":
            own = [path for path in names(entry) if path not in GENERAL]
            assert own
            named = [path.split(".")[-1] for path in own if not path.startswith("laws.")]  # every law is in the suite of the registry
            assert [word for word in named if not re.search(rf"\b{word}\b", TESTS)] == []
        case "same_as":
            file, other = entry["same_as"].split(".")
            assert (file, other) != tuple(name.split("."))
            assert "same_as" not in CATALOGUE[file][other]
        case "planned":
            assert entry.keys() == {"kind"}
        case "reason":
            assert entry["kind"] in ("finding", "out_of_scope")
            assert len(entry["reason"]) > 20


@pytest.mark.parametrize(
    "entry",
    [pytest.param(e, id=name, marks=pytest.mark.slow if e.get("slow") else ()) for name, e in ENTRIES.items() if "expressible" in e],
)
def test_an_entry_is_expressed(entry):
    """Its call runs, uses a name that the entry states, and gives the value."""
    *before, last = ast.parse(entry["call"]).body
    space = {"sj": sj, "np": np}
    exec(compile(ast.Module(before, []), "call", "exec"), space)
    value = np.asarray(eval(compile(ast.Expression(last.value), "call", "eval"), space), dtype=float)
    np.testing.assert_allclose(value, entry["gives"], rtol=entry["digits"], atol=1e-12)
    assert re.search(rf"\b{names(entry)[0].split('.')[-1]}\b", entry["call"])


@pytest.mark.parametrize("file", COMPLETE)
def test_nothing_is_missing_from_a_complete_file(file):
    assert not [name for name, entry in CATALOGUE[file].items() if state(entry) == "planned"]


def test_the_catalogue_is_whole():
    """Every id of the index, with its kind, where the index is beside the project."""
    index = Path(__file__).resolve().parents[2] / "shared" / "laws" / "INDEX.tsv"
    if not index.is_file():
        pytest.skip("the index of papers is not beside the project")
    rows = [line.split("\t") for line in index.read_text(encoding="utf-8").splitlines()[1:]]
    assert {(f"{file}.{id}", kind) for id, file, kind, *_ in rows} == {(name, entry["kind"]) for name, entry in ENTRIES.items()}


@pytest.mark.parametrize("words", [["minicpm_wsd"], ["mixed_modal_competition"]])
def test_the_printer_counts(capsys, words):
    """Claims of a paper that stands in two files are printed with the one entry that counts."""
    show(words)
    out = capsys.readouterr().out
    assert "1 entries: 1 provided" in out
    assert "DIFFERS" not in out


def test_the_readme_has_the_totals():
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in totals(chosen([]), CLAIMS) if line not in readme] == []
