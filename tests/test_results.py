"""What every result of a decision or a procedure promises: it prints as a table of some lines, never as raw arrays."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

import scalejax as sj
from scalejax import comparison, decisions, papers, studies

INSIDE = {"Candidates", "Knowledge", "Pool"}  # of next_runs, never handed to a user


def results() -> list[type]:
    """All dataclasses of decisions, comparison, studies and papers that hold arrays or results of fits."""
    found = set()
    for package in (decisions, comparison, studies, papers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            content = vars(importlib.import_module(module.name))
            found |= {c for n, c in content.items() if inspect.isclass(c) and is_dataclass(c) and not n.startswith("_")}
    held = ("ndarray", "Any", "Known", "Fit", "Draws", "Runs", "Mapping", "dict")
    mine = [
        c for c in found if c.__module__.startswith(tuple(f"scalejax.{name}." for name in ("decisions", "comparison", "studies", "papers")))
    ]
    mine = [c for c in mine if c.__name__ not in INSIDE]
    return sorted((c for c in mine if any(word in str(f.type) for f in fields(c) for word in held)), key=lambda c: c.__name__)


@pytest.mark.parametrize("result", results(), ids=lambda c: c.__name__)
def test_results_print_in_words(result):
    """By a method of their own or of `Shown`: what `dataclass` writes comes from no file."""
    assert inspect.unwrap(result.__repr__).__code__.co_filename != "<string>"


def test_a_result_without_a_table_of_its_own_shows_its_fields():
    rng = np.random.default_rng(0)
    h = rng.dirichlet([1.0, 1.0, 1.0], 30)
    found = sj.studies.regmix(h, {"web": 2.0 + h @ [0.1, 0.2, 0.3]}, model="linear")
    assert len(repr(found).splitlines()) < 10 and "web" in repr(found)
    surface = sj.papers.quadratic_surface(np.linspace(0, 1, 9)[:, None], rng.random((9, 30)))
    assert "30 values from" in repr(surface) and len(repr(surface).splitlines()) < 10
    assert "30 x 1 x 1" in surface.table().text()
