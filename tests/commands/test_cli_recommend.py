"""`scalejax recommend`: from a table of proxy runs to training proportions."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import scalejax as sj
from scalejax.commands import main


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


def test_a_cap_by_name_and_what_it_costs(table, capsys):
    assert main(["recommend", table, *ASK, "--caps", "code=0.4"]) == 0
    out = capsys.readouterr().out
    assert "cap of code" in next(line for line in out.splitlines() if line.startswith("more code"))
    assert "cap" not in next(line for line in out.splitlines() if line.startswith("more web"))
    with pytest.raises(SystemExit):
        main(["recommend", table, *ASK, "--caps", "much"])
    assert "'much' is neither a number nor DOMAIN=NUMBER" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "web", "cod", "--losses", "on_web"], "code"),
        (["--weights", "web", "code", "maths", "--losses", "on_wbe"], "on_web"),
        ([*ASK, "--law", "chinchilla"], "h"),
        ([*ASK, "--caps", "0.2"], "sum to 0.6"),
        ([*ASK, "--caps", "cod=0.2"], "'code'"),
        ([*ASK, "--caps", "code=0.2", "0.4"], "name every one"),
        ([*ASK, "--by", "5"], "--by 5.0 must be"),
        (["--weights", "web", "code", "--losses", "on_web"], "sum to"),
        ([*ASK[:-1], "bootstrap", "--draws", "1"], "draws"),
    ],
)
def test_bad_input_is_one_sentence(table, capsys, arguments, words):
    assert main(["recommend", table, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("scalejax: ") and words in error and len(error.strip().splitlines()) == 1
