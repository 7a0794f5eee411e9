"""The command line does the main job, teaches, and answers bad input with one sentence."""

import shlex

import numpy as np
import pytest

import scalejax as sj
from scalejax.cli import _EPILOG, _FIT_EPILOG, build_parser, main


@pytest.fixture
def table(tmp_path):
    law = sj.laws.chinchilla
    rng = np.random.default_rng(0)
    runs = sj.simulate(law, law.published["besiroglu2024"], N=10 ** rng.uniform(7.5, 10, 60), D=10 ** rng.uniform(9, 11.5, 60), noise=0.004)
    path = tmp_path / "runs.csv"
    rows = zip(runs["N"] / 1e6, 6 * runs["N"] * runs["D"], runs["loss"], strict=True)
    path.write_text("params_m,flops,val_loss\n" + "\n".join(f"{n!r},{c!r},{x!r}" for n, c, x in map(lambda r: map(float, r), rows)))
    return path


def test_laws(capsys):
    assert main(["laws"]) == 0
    assert "chinchilla" in capsys.readouterr().out
    assert main(["laws", "kaplan"]) == 0
    out = capsys.readouterr().out
    assert "alpha_N / alpha_D" in out and "kaplan2020" in out


def test_main_path(table, tmp_path, capsys):
    saved = tmp_path / "fit.json"
    columns = ["N=params_m", "D=flops/(6*params_m*1e6)", "loss=val_loss"]
    assert main(["fit", str(table), "--columns", *columns, "--scale", "N=1e6", "--bootstrap", "200", "--out", str(saved)]) == 0
    out = capsys.readouterr().out
    assert "converged" in out and "alpha" in out and "bootstrap" in out
    assert main(["allocate", str(saved), "--compute", "1e21", "1e22", "--bootstrap", "200", "--markdown"]) == 0
    assert "| 1e+21 |" in capsys.readouterr().out
    assert main(["allocate", str(saved), "--compute", "1e21", "--inference", "1e12", "--bootstrap", "0"]) == 0
    assert "six_nd_inference" in capsys.readouterr().out
    report = tmp_path / "report.html"
    assert main(["report", str(saved), str(report), "--bootstrap", "200", "--title", "A title"]) == 0
    assert "A title" in report.read_text()


@pytest.mark.parametrize(("arguments", "words"), [
    (["laws", "chinchila"], ["chinchilla"]),
    (["fit", "missing.csv"], ["missing.csv"]),
    (["fit", "TABLE", "--columns", "N=param_m"], ["params_m"]),
    (["fit", "TABLE", "--columns", "N=params_m", "D=flop/(6*params_m)", "loss=val_loss"], ["flop", "flops"]),
    (["fit", "TABLE", "--columns", "N=params_m", "D=__import__('os')"], ["may use"]),
    (["fit", "TABLE", "--columns", "N"], ["name=value"]),
    (["fit", "TABLE", "--loss", "hubber"], ["huber"]),
    (["fit", "TABLE", "--law", "kaplam"], ["kaplan"]),
    (["allocate", "missing.json", "--compute", "1e21"], ["missing.json"]),
])  # fmt: skip
def test_bad_input_is_one_sentence(table, capsys, arguments, words):
    assert main([str(table) if a == "TABLE" else a for a in arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") <= 2 and "Traceback" not in error
    assert all(word in error for word in words)


def test_examples_of_the_help_can_be_parsed():
    """Every command line that the help shows, as a shell would split it."""
    for line in (_FIT_EPILOG + _EPILOG).splitlines():
        command = line.partition("   (")[0].partition("scalejax ")[2]
        if line.startswith("  scalejax "):
            build_parser().parse_args(shlex.split(command))


def test_filter_uses_a_role(table, capsys):
    columns = ["N=params_m", "D=flops/(6*params_m*1e6)", "loss=val_loss", "C=flops"]
    assert main(["fit", str(table), "--columns", *columns, "--scale", "N=1e6", "--where", "C < 1e21"]) == 0
    flops = sj.read_runs(table)["flops"]
    assert f"{(flops < 1e21).sum()} observations" in capsys.readouterr().out and (flops >= 1e21).any()


def test_no_verb_prints_help(capsys):
    assert main([]) == 0
    assert "from a table of runs to a plan" in capsys.readouterr().out


def test_demo(tmp_path, capsys):
    assert main(["demo", str(tmp_path / "demo")]) == 0
    assert "held out" in capsys.readouterr().out
    made = {path.name for path in (tmp_path / "demo").iterdir()}
    assert {"report.html", "fit.json", "holdout.md", "allocation.tex", "iso_loss.png"} <= made
