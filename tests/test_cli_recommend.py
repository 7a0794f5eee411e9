"""`scalejax recommend`: from a table of proxy runs to training proportions."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import scalejax as sj
from scalejax.cli import main


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Twenty mixtures of three domains, two of which a target each asks for."""
    h = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], 20)
    law = sj.laws.data_mixing_m4
    losses = [law(h, c=2.0, t=[-2.0, 0.0, 0.0]), law(h, c=1.0, t=[0.0, -2.0, 0.0])]
    path = tmp_path_factory.mktemp("proxies") / "proxies.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["web", "code", "maths", "on_web", "on_code"])
        writer.writerows(np.column_stack([h, *losses]).tolist())
    return str(path)


ASK = ["--weights", "web", "code", "maths", "--losses", "on_web", "on_code", "--uncertainty", "none"]


def test_the_optimum_and_what_deviations_cost(table, capsys, tmp_path):
    picture = tmp_path / "weights.png"
    assert main(["recommend", table, *ASK, "--by", "0.1", "--plot", str(picture)]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1] for line in out.splitlines() if line.startswith(("web ", "code ", "maths "))}
    assert float(rows["web"]) == pytest.approx(0.5, abs=1e-3) and float(rows["code"]) == pytest.approx(0.5, abs=1e-3)
    assert "more maths" in out and "less web" in out and "uniform" in out
    assert picture.stat().st_size > 5_000


def test_a_cap_binds_and_importance_counts(table, capsys):
    assert main(["recommend", table, *ASK, "--caps", "0.6", "--importance", "on_web=0.9", "on_code=0.1"]) == 0
    rows = {line.split()[0]: line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith(("web ", "code "))}
    assert float(rows["web"]) == pytest.approx(0.6, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "web", "cod", "--losses", "on_web"], "code"),
        (["--weights", "web", "code", "maths", "--losses", "on_wbe"], "on_web"),
        ([*ASK, "--law", "chinchilla"], "h"),
    ],
)
def test_bad_input_is_one_sentence(table, capsys, arguments, words):
    assert main(["recommend", table, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("scalejax: ") and words in error and len(error.strip().splitlines()) == 1
