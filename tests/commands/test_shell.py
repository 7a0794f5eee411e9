"""The command line as a program: completion in the shells themselves, exit codes, interrupts, terminals, startup."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import scalejax as sj
from scalejax.commands import cli, main
from scalejax.commands.shell.completion import candidates
from scalejax.commands.shell.language import in_options
from scalejax.commands.shell.output import emit

ROOT = Path(sj.__file__).parent.parent
PROGRAM = f'#!/bin/sh\nexec {sys.executable} -m scalejax "$@"\n'
# What a shell answers to a line whose last word is not finished, one word a line.
SHELLS = {
    "bash": """
eval "$(scalejax completion bash)"
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _scalejax; printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    "zsh": """
eval "$(scalejax completion zsh)"
compadd() {{ print -l -- ${{(P)${{@[-1]}}}} }}; _files() {{ print -l -- *(N) }}
words=({words}); CURRENT=${{#words}}; _scalejax
""",
    "fish": 'scalejax completion fish | source\ncomplete -C"{words}" | string split -f1 \\t',
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The environment of a shell in which `scalejax` is installed."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "scalejax").write_text(PROGRAM)
    (folder / "scalejax").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(folder)}


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_in_the_shell(shell, program, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "runs.csv").touch()

    def found(words: str) -> list[str]:
        script = SHELLS[shell].format(words=words)
        flags = ["-f"] if shell == "zsh" else ["--no-config"] if shell == "fish" else ["--norc"]
        done = subprocess.run([shell, *flags, "-c", script], cwd=tmp_path, env=program, capture_output=True, text=True, timeout=60)
        return done.stdout.split()

    assert {"allocate"} <= set(found("scalejax allo")) <= {"allocate"}
    assert set(found("scalejax fit runs.csv --unid")) == {"--unidentified"}
    assert "runs.csv" in found("scalejax fit ru")


@pytest.mark.parametrize(
    ("words", "some"),
    [
        ([""], {"fit", "plan", "--version"}),
        (["ne"], {"next-runs"}),
        (["fit", "runs.csv", "--law", "chinchilla_o"], {"chinchilla_outer"}),
        (["laws", "kap"], {"kaplan"}),
        (["allocate", "fit.json", "--cost", "six_nd_i"], {"six_nd_inference"}),
        (["sample", "runs.csv", "--method", "l"], {"laplace"}),
        (["holdout", "runs.csv", "--laws", "kaplan", "chinchilla_o"], {"chinchilla_outer"}),
        (["fit", "ru"], set()),
        (["nonsense", "x"], set()),
    ],
)
def test_candidates(words, some):
    found = set(candidates(cli.build_parser(), words))
    assert some <= found and (some or not found)


def test_exit_codes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["examples"]) == 0 and main(["laws", "kaplan", "--json"]) == 0
    capsys.readouterr()
    assert main(["laws", "no_such_law", "--json"]) == 2
    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert error["type"] == "LawError" and error["message"] in printed.err and printed.err.startswith("scalejax: ")
    for line in (["fit"], ["fit", "runs.csv", "--seed", "-1"], ["allocate", "fit.json", "--level", "2"], ["no-such-verb"]):
        with pytest.raises(SystemExit) as ended:
            main(line)
        said = capsys.readouterr().err
        assert ended.value.code == 2 and said.count("\n") == 1 and said.rstrip().endswith("--help."), said


def test_an_interrupt_is_one_line_and_130(tmp_path, program, capsys, monkeypatch):
    """While a law of one's own is loaded, in a process of its own; and while modules are still imported."""
    (tmp_path / "slow.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    words = [sys.executable, "-m", "scalejax", "fit", "runs.csv", "--law", "slow.py:law"]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it and hands that on
    process = subprocess.Popen(words, cwd=tmp_path, env=program, **pipes)
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "") and err == "scalejax: interrupted; files written before are whole.\n"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "build_parser", interrupt)
    assert main(["laws"]) == 130 and capsys.readouterr().err.count("\n") == 1


def test_what_can_be_interrupted_before_the_handler_stands_is_little():
    code = "import sys, scalejax.commands; print([m for m in ('numpy', 'argparse', 'jax') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_terminals_of_any_encoding(encoding):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    emit("1.0 – 2.0, R² ∞ — 中", file=file)
    file.flush()
    shown = file.buffer.getvalue().decode(encoding)
    assert shown == "1.0 – 2.0, R² ∞ — 中\n" if encoding == "utf-8" else shown.startswith("1.0 - 2.0, R")


@pytest.mark.parametrize(
    ("verb", "message", "said"),
    [
        (
            "allocate",
            "allocate() takes either compute= (a budget) or loss=.",
            "scalejax allocate takes either --compute (a budget) or --loss.",
        ),
        ("fit", "Drop them with on_bad='drop'.", "Drop them with --on-bad drop."),
        ("fit", "pass scale={'N': 1e9} (or 1e6)", "pass --scale N=1e9 (or 1e6)"),
        ("allocate", "give bounds={'N': (low, high)}, or", "give --bounds N=low:high, or"),
        ("fit", "Say which column it is with read_runs(..., loss=...).", "Say which column it is with --columns loss=..."),
        ("front", "the optimum has C = 3, N=5", "the optimum has C = 3, N=5"),
        ("predict", "pass it, load_fit(path, law=mine), or", "pass it, --law FILE.py:mine, or"),
    ],
)
def test_messages_speak_of_options(verb, message, said):
    verbs = cli._verbs(cli.build_parser())
    assert in_options(message, verbs[verb], verbs).rstrip(".") == said.rstrip(".")


def test_from_an_export_to_configurations_in_five_lines(tmp_path, monkeypatch, capsys):
    """A small study exported from Weights & Biases becomes runs that can be started: in Python, and from the shell."""
    yaml = pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    assert main(["examples"]) == 0
    table = sj.read_runs("wandb.csv", N="model/params", D="`data/tokens` * 1e9", loss="eval/loss", keep="finished")
    fit = sj.fit("chinchilla", table)
    plan = sj.allocate(fit, compute=[1e20, 1e21])
    runs = sj.configure(plan, shapes="llama3", hyperparameters="step_law")
    runs.save("five.yaml")

    columns = ["--columns", "N=model/params", "D=`data/tokens`*1e9", "loss=eval/loss", "--keep", "finished"]
    assert main(["fit", "wandb.csv", *columns, "--out", "study.json"]) == 0
    assert main(["plan", "study.json", "--compute", "1e20", "1e21", "--bootstrap", "0", "--out", "plan.yaml", "--json"]) == 0
    five, shell = (yaml.safe_load((tmp_path / name).read_text())["runs"] for name in ("five.yaml", "plan.yaml"))
    assert five == shell and len(five) == 2
    for run, C in zip(five, (1e20, 1e21), strict=True):
        model = sj.costs.from_config(run["model"])
        assert model.params() == run["parameters"]
        training = run["training"]
        assert training["tokens"] == training["steps"] * training["batch_tokens"]
        assert 6 * run["parameters"] * training["tokens"] == pytest.approx(C, rel=0.05)
        assert 1e-4 < training["learning_rate"] < 1e-2
